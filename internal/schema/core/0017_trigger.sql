-- Triggers, what they do, and what is on its way. What people wrote is in the columns
-- called sealed, under the key of the space; what a value was, under that of its thing; how a browser is
-- reached, under the person's. Times are microseconds since 1970, UTC.

create table trigger (
	id         text    not null primary key,
	space      text    not null,
	owner      text    not null, -- user id of who changed it last
	property   text    not null, -- whose values it watches; '' for the status of devices
	thing      text    not null, -- that has the property; '' likewise
	sealed     bytea   not null, -- name, description, condition, list of devices
	active     boolean not null,
	revision   bigint  not null, -- counts changes: what was decided by an older one is not done
	since_seq  bigint  not null, -- values up to here, in the order of their commits, are not its business
	created_at bigint  not null,
	updated_at bigint  not null,
	deleted_at bigint            -- soft-deleted since
);
create index trigger_space on trigger (space);
create index trigger_property on trigger (property) where property <> '';

create table trigger_action (
	id         text   not null primary key,
	space      text   not null,
	owner      text   not null, -- user id of who changed it last
	trigger    text   not null, -- '' for none
	kind       text   not null,
	sealed     bytea  not null, -- name, description, texts, recipients, address and secret of a webhook
	created_at bigint not null,
	updated_at bigint not null
);
create index trigger_action_space on trigger_action (space);
create index trigger_action_trigger on trigger_action (trigger);

-- What a trigger remembers of the values before. It begins anew with each revision.
create table trigger_state (
	trigger  text    not null primary key,
	revision bigint  not null,
	holds    boolean not null, -- the condition, after the last value
	seen_mac bytea   not null, -- of the last text
	fired_at bigint  not null, -- 0: never
	free_at  bigint  not null, -- when all that it did is paid back to its rate
	tell_at  bigint  not null  -- the same for what reaches people
);

-- Devices that are online as far as a trigger has told. Who is not here is offline.
create table trigger_online (
	trigger text not null,
	device  text not null,
	primary key (trigger, device)
);

-- How far values were looked at, in the order of their commits.
create table trigger_position (
	id  bigint not null primary key, -- always 1
	seq bigint not null
);

-- What is to be done, and for 30 days what became of it.
create table trigger_delivery (
	id       text   not null primary key, -- the idempotency key
	trigger  text   not null,
	action   text   not null,
	space    text   not null,
	part     text   not null, -- thing or device whose key seals it
	kind     text   not null,
	target   text   not null, -- id of one subscription, for push; else ''
	sealed   bytea,           -- what happened; null when it has ended well
	at       bigint not null,
	since    bigint not null, -- it is given up when it was tried for a day since then
	stamp    bigint not null, -- the time that a value is written with; 0: not chosen yet
	next_at  bigint not null, -- not before then, also because somebody is at it until then
	tries    bigint not null,
	taken    boolean not null, -- somebody is at it
	ended_at bigint not null, -- 0: it waits
	outcome  text   not null, -- '' while it waits; done, dead, gone, limited, erased
	answer   bigint not null  -- HTTP status of the last try; 0: none
);
create index trigger_delivery_turn on trigger_delivery (next_at, id) where ended_at = 0;
create index trigger_delivery_action on trigger_delivery (action, at);
create index trigger_delivery_space on trigger_delivery (space);
create index trigger_delivery_end on trigger_delivery (ended_at) where ended_at <> 0;

-- How often the triggers of a space did something on a day, and how often they were held back.
create table trigger_usage (
	space text   not null,
	day   bigint not null, -- since 1970, UTC
	fired bigint not null,
	held  bigint not null,
	primary key (space, day)
);

-- Who wants no more letters and notices of a trigger.
create table trigger_mute (
	trigger text   not null,
	account text   not null,
	at      bigint not null,
	primary key (trigger, account)
);
create index trigger_mute_account on trigger_mute (account);

-- Browsers that take notices.
create table trigger_push (
	id           text   not null primary key,
	account      text   not null,
	endpoint_mac bytea  not null unique, -- so that a browser is there once
	sealed       bytea  not null, -- address at the push service, keys, name
	created_at   bigint not null
);
create index trigger_push_account on trigger_push (account);
