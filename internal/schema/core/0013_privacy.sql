-- What people choose about their own data, further addresses of theirs, and ends of
-- API keys. Columns called sealed are sealed under the person's key; email_index is a
-- keyed hash, the same as account.email_index. Times are microseconds since 1970, UTC.

create table account_choice (
    account    text   not null primary key references account (id),
    sealed     bytea  not null,               -- JSON
    changed_at bigint not null
);

-- Proved addresses beside the one in account. None is in both tables, nor twice here.
create table account_address (
    id          text   not null primary key,  -- UUID
    account     text   not null references account (id),
    email_index bytea  not null unique,
    sealed      bytea  not null,
    proved_at   bigint not null
);
create index account_address_by_account on account_address (account, proved_at);

alter table apikey add column expires_at bigint not null default 0; -- 0: never
create index apikey_by_end on apikey (expires_at) where expires_at > 0 and revoked_at = 0;
