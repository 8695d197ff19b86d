CREATE TABLE key (
	kind text NOT NULL,
	id text NOT NULL,
	wrapped_by bigint NOT NULL,
	sealed bytea,
	made_at bigint NOT NULL,
	erased_at bigint,
	CONSTRAINT key_pkey PRIMARY KEY (kind, id)
);
CREATE INDEX key_by_wrap ON keyring.key USING btree (wrapped_by);
CREATE TABLE schema_migration (
	number bigint NOT NULL,
	name text NOT NULL,
	digest text NOT NULL,
	applied_at bigint NOT NULL,
	CONSTRAINT schema_migration_pkey PRIMARY KEY (number)
);
