CREATE TABLE key (
	kind text not null,
	id text not null,
	wrapped_by bigint not null,
	sealed bytea,
	made_at bigint not null,
	erased_at bigint,
	primary key (kind,
	id)
);
CREATE INDEX key_by_wrap on key (wrapped_by);
CREATE TABLE schema_migration (
	number INTEGER NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	applied_at BIGINT NOT NULL
);
