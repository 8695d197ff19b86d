-- Browser sessions, the steps of signing in, and what an account says about its person.
-- Times are microseconds since 1970, UTC; 0 in a column that says so is never.
-- Columns called sealed are sealed under the person's key, state under a key of the house.

-- Whoever was added by an operator before needs no proof of the address.
alter table account add column verified_at bigint not null default 0; -- 0: the address is not proved
alter table account add column frozen_at   bigint not null default 0; -- 0: not frozen
alter table account add column leaving_at  bigint not null default 0; -- when it is erased; 0: it stays
update account set verified_at = created_at;
create index account_by_leaving on account (leaving_at) where leaving_at > 0;
create index account_by_unproved on account (created_at) where verified_at = 0;

create table account_profile (
    account        text   not null primary key references account (id),
    username_index bytea  unique,             -- null: no user name
    sealed         bytea  not null,           -- JSON of all fields
    changed_at     bigint not null
);

create table account_picture (
    account    text   not null primary key references account (id),
    sealed     bytea  not null,               -- PNG or JPEG, made by us
    changed_at bigint not null
);

-- Links that were sent by mail or printed: each works once.
create table account_link (
    hash       bytea  not null primary key,   -- SHA-256 of what is in the link
    purpose    text   not null,               -- verify, reset, email, freeze, setup
    account    text   not null,               -- '' for setup
    epoch      bigint not null,               -- of the account when it was sent
    sealed     bytea  not null,               -- what it is about; empty for nothing
    made_at    bigint not null,
    expires_at bigint not null
);
create index account_link_by_account on account_link (account, purpose, made_at);
create index account_link_by_end on account_link (expires_at);

-- Erasures of people: the intent, and once it is done the proof.
create table account_erase (
    account  text   not null primary key,
    space    text   not null,                 -- the private one
    actor    text   not null,
    began_at bigint not null,
    done_at  bigint not null                  -- 0: not yet
);

create table signin_session (
    id         text    not null primary key,  -- UUID; what people and other rooms name it by
    hash       bytea   not null unique,       -- SHA-256 of the cookie
    account    text    not null,
    epoch      bigint  not null,              -- of the account at sign-in
    made_at    bigint  not null,
    used_at    bigint  not null,              -- some minutes late
    proved_at  bigint  not null,              -- when the person last proved to be the person
    ends_at    bigint  not null,              -- whatever happens
    idle       bigint  not null,              -- µs without use after which it ends
    methods    text    not null,              -- words of RFC 8176, joined by spaces
    sealed     bytea   not null               -- device and address, JSON
);
create index signin_session_by_account on signin_session (account, made_at);
create index signin_session_by_end on signin_session (ends_at);

-- Browsers in which a person has signed in before.
create table signin_device (
    hash     bytea  not null,                 -- SHA-256 of the cookie
    account  text   not null,
    first_at bigint not null,
    last_at  bigint not null,
    primary key (hash, account)
);
create index signin_device_by_account on signin_device (account, last_at);
create index signin_device_by_age on signin_device (last_at);

-- Sign-ins that are under way.
create table signin_flow (
    hash       bytea  not null primary key,   -- SHA-256 of the flow's id
    step       bigint not null,               -- rises with each step, so that none counts twice
    state      bytea  not null,
    expires_at bigint not null
);
create index signin_flow_by_end on signin_flow (expires_at);
