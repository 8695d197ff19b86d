-- Properties that are kept the same, and webhooks of things and devices. Times are microseconds since 1970, UTC.

create table sync (
	id         text   not null primary key,
	space      text   not null,
	owner      text   not null, -- user id of who changed it last
	type       text   not null, -- of its properties, as the API spells it
	created_at bigint not null,
	updated_at bigint not null
);
create index sync_space on sync (space);

-- A property is in one group.
create table sync_member (
	property text   not null primary key,
	sync     text   not null,
	space    text   not null,
	thing    text   not null, -- that has the property
	position bigint not null  -- among the members, from 0
);
create index sync_member_sync on sync_member (sync);
create index sync_member_space on sync_member (space);

-- Webhooks. Address and secrets are sealed under the key of the thing or device.
create table hook (
	id            text    not null primary key, -- webhook_id
	space         text    not null,
	owner         text    not null, -- user id of who made it
	thing         text    not null, -- whose values it tells; '' for those of a device
	device        text    not null, -- likewise; '' for those of a thing
	sealed        bytea   not null,
	active        boolean not null,
	since_seq     bigint  not null, -- values up to here, in the order of their commits, are not its business
	next_event    bigint  not null, -- number of the next event
	queued        bigint  not null, -- events that wait
	queued_bytes  bigint  not null,
	next_at       bigint  not null, -- the oldest event is not tried before
	tries         bigint  not null, -- of the oldest event
	failing_since bigint  not null, -- 0: the last try was taken, or there was none
	disabled_at   bigint  not null, -- 0: not given up
	last_at       bigint  not null, -- of the last try; 0: none
	last_status   bigint  not null, -- its HTTP status; 0: none
	last_result   text    not null, -- of the last try, in a word
	delivered     bigint  not null, -- events, since it was made
	dropped       bigint  not null, -- that did not fit in the queue, or waited when it was turned off
	dead          bigint  not null, -- that nobody took in a day
	created_at    bigint  not null
);
create index hook_space on hook (space);
create unique index hook_thing on hook (thing) where thing <> '';
create index hook_device on hook (device) where device <> '';
create index hook_turn on hook (next_at) where queued > 0 and active;

create table hook_event (
	hook   text   not null,
	number bigint not null, -- in the order of the values
	id     text   not null, -- event_id, the idempotency key
	space  text   not null,
	thing  text   not null, -- whose key seals it
	sealed bytea  not null, -- what is told
	at     bigint not null, -- when it was queued
	primary key (hook, number)
);
create index hook_event_space on hook_event (space);

-- How far values were looked at for webhooks, in the order of their commits.
create table hook_position (
	id  bigint not null primary key, -- always 1
	seq bigint not null
);

-- Things whose webhooks are on, for a start.
create index thing_webhook on thing (id) where webhook_active;
