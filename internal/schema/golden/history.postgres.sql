CREATE TABLE schema_migration (
	number bigint NOT NULL,
	name text NOT NULL,
	digest text NOT NULL,
	applied_at bigint NOT NULL,
	CONSTRAINT schema_migration_pkey PRIMARY KEY (number)
);
CREATE TABLE series (
	id bigint NOT NULL,
	property text NOT NULL,
	thing text NOT NULL,
	space text NOT NULL,
	CONSTRAINT series_pkey PRIMARY KEY (id),
	CONSTRAINT series_property_key UNIQUE (property)
);
CREATE TABLE series_chunk (
	series bigint NOT NULL,
	start_at bigint NOT NULL,
	end_at bigint NOT NULL,
	points bigint NOT NULL,
	head bytea NOT NULL,
	body bytea NOT NULL,
	CONSTRAINT series_chunk_pkey PRIMARY KEY (series, start_at)
);
CREATE TABLE series_last (
	series bigint NOT NULL,
	at bigint NOT NULL,
	value bytea NOT NULL,
	CONSTRAINT series_last_pkey PRIMARY KEY (series)
);
CREATE TABLE series_log (
	seq bigint NOT NULL,
	body bytea NOT NULL,
	CONSTRAINT series_log_pkey PRIMARY KEY (seq)
);
CREATE TABLE series_tap (
	seq bigint NOT NULL,
	body bytea NOT NULL,
	CONSTRAINT series_tap_pkey PRIMARY KEY (seq)
);
