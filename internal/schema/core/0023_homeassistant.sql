-- Bridges to Home Assistant. What one is set up with is sealed under the key of its space. Times are microseconds since 1970, UTC.

create table homeassistant (
	space      text    not null primary key,
	owner      text    not null, -- user id of who changed it last
	sealed     bytea   not null, -- broker, user, password, CA, prefixes, tags
	writes     boolean not null, -- Home Assistant may write
	enabled    boolean not null,
	created_at bigint  not null,
	updated_at bigint  not null
);

-- What a broker was told of a space's things, to take it back.
create table homeassistant_thing (
	space      text not null,
	thing      text not null,
	components text not null, -- platform-PROPERTY each
	primary key (space, thing)
);
