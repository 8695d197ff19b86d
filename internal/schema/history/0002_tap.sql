-- Values that somebody follows (triggers), from the commit that made them durable until it is
-- on disk what came of them. One row per group commit that has any.
CREATE TABLE series_tap (
	seq BIGINT NOT NULL PRIMARY KEY, -- never used again: whoever follows remembers how far it came
	body BYTEA NOT NULL              -- as that of series_log, sealed at its own place
);
