-- Property history. One text for both engines. Times are microseconds since 1970, UTC.
-- What is sealed is sealed under the key of the series' thing.

-- One row per property that ever had a value. The id stands for it in the log and in chunks.
CREATE TABLE series (
	id BIGINT NOT NULL PRIMARY KEY,
	property TEXT NOT NULL UNIQUE,
	thing TEXT NOT NULL,
	space TEXT NOT NULL
);

-- The newest value of a series when its points were last written to chunks. It outlives them.
CREATE TABLE series_last (
	series BIGINT NOT NULL PRIMARY KEY,
	at BIGINT NOT NULL,
	value BYTEA NOT NULL -- sealed
);

-- One row per group commit, and a few with a negative number for what a flush carried over.
CREATE TABLE series_log (
	seq BIGINT NOT NULL PRIMARY KEY,
	body BYTEA NOT NULL -- sections, each sealed under the key of its thing
);

-- One row per run of up to 3,600 points and 24 hours of one series. Chunks of one series do not overlap.
CREATE TABLE series_chunk (
	series BIGINT NOT NULL,
	start_at BIGINT NOT NULL, -- of the first point
	end_at BIGINT NOT NULL,   -- of the last point
	points BIGINT NOT NULL,
	head BYTEA NOT NULL, -- sealed: least, greatest, sum and so on
	body BYTEA NOT NULL, -- sealed: the points
	PRIMARY KEY (series, start_at)
);
