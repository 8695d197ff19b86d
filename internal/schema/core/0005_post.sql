-- Letters to people: those that wait to be sent, and what became of those of the last
-- 30 days. Times are microseconds since 1970, UTC.

create table post (
	id         text   not null primary key, -- left half of the Message-ID, the same at each try
	kind       text   not null,
	account    text   not null, -- whose key seals it; '' for an address that belongs to no account, and when it has ended
	sealed     bytea,           -- recipient and content; null when it has ended
	queued_at  bigint not null,
	next_at    bigint not null, -- not before then, also because somebody is sending it until then
	tries      bigint not null,
	expires_at bigint not null, -- of no use from then on
	ended_at   bigint not null, -- 0: it waits
	outcome    text   not null  -- '' while it waits; sent, refused, expired, erased, damaged
);
create index post_by_turn on post (next_at, id) where ended_at = 0;
create index post_by_account on post (account) where account <> '';
create index post_by_end on post (ended_at) where ended_at <> 0;

-- How many letters of one kind somebody was sent within an hour of the clock.
create table post_rate (
	who     bytea  not null, -- keyed hash of the kind and the person or address
	hour    bigint not null, -- hours since 1970
	letters bigint not null,
	primary key (who, hour)
);
create index post_rate_by_hour on post_rate (hour);
