-- Whole templates. sealed and archive are under the space's key. Times are microseconds since 1970, UTC.

create table template (
	id         text   not null primary key,
	space      text   not null,
	owner      text   not null, -- user id of who made it
	name_mac   bytea  not null, -- keyed hash of space and name
	sealed     bytea  not null, -- name, and what is in it but for files
	archive    bytea  not null, -- its .tino file
	size       bigint not null, -- bytes of the file before it was sealed
	created_at bigint not null,
	updated_at bigint not null
);

create unique index template_name on template (space, name_mac);

-- What is being made of a template, and taken back by the next start if it is still here then.
create table template_apply (
	id       text   not null primary key,
	space    text   not null,
	made     text   not null, -- IDs of things, dashboards, triggers and sketches: JSON
	began_at bigint not null
);

create index template_apply_space on template_apply (space);
