-- Things and their properties. What people wrote is in the columns called
-- sealed, under the thing's key; *_mac are keyed hashes to find it by. Times are
-- microseconds since 1970, UTC.

create table thing (
	id             text    not null primary key,
	space          text    not null,
	owner          text    not null, -- user id of who made it
	name_mac       bytea   not null,
	sealed         bytea   not null, -- name, webhook address
	timezone       text    not null, -- IANA name
	device         text,             -- the attached one
	assistant      text    not null,
	webhook_active boolean not null,
	sketch         text,
	sketch_version text,
	template       text,             -- where it came from
	created_at     bigint  not null,
	updated_at     bigint  not null,
	deleted_at     bigint            -- soft-deleted since
);

-- A name is free again while its thing is deleted.
create unique index thing_name on thing (space, name_mac) where deleted_at is null;

-- One device has one thing.
create unique index thing_device on thing (device) where device is not null;

-- Who must hear that a time zone switches.
create index thing_timezone on thing (timezone, id) where device is not null;

create table thing_property (
	id           text    not null primary key, -- also of its series
	thing        text    not null references thing (id),
	space        text    not null,
	name_mac     bytea   not null,
	variable_mac bytea   not null,
	sealed       bytea   not null, -- name, variable name, minimum, maximum, update parameter
	type         text    not null,
	permission   text    not null,
	strategy     text    not null,
	persist      boolean not null,
	number       bigint  not null, -- "tag": stands for the name in LoRa messages
	created_at   bigint  not null,
	updated_at   bigint  not null,
	deleted_at   bigint
);

create unique index thing_property_name on thing_property (thing, name_mac) where deleted_at is null;
create unique index thing_property_variable on thing_property (thing, variable_mac) where deleted_at is null;
create unique index thing_property_number on thing_property (thing, number) where deleted_at is null;
create index thing_property_space on thing_property (space);

create table thing_tag (
	thing      text   not null references thing (id),
	space      text   not null,
	key_mac    bytea  not null,
	pair_mac   bytea  not null, -- of key and value, for filters
	sealed     bytea  not null, -- key, value
	created_at bigint not null,
	primary key (thing, key_mac)
);

create index thing_tag_pair on thing_tag (space, pair_mac);

-- Series whose property is gone for good and whose values are still to be erased:
-- history is another database, so the intent is kept here until it has happened.
create table thing_erase (
	series text   not null primary key,
	space  text   not null,
	at     bigint not null
);
