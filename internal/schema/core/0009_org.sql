-- What shared spaces have besides members: invitations, a logo, limits of their own,
-- and how surely people must have signed in. Columns called address, image are sealed
-- under the space's key; address_index is a keyed hash. Times are microseconds
-- since 1970, UTC.

alter table org add column level text not null default 'password'; -- password, two-step, passkey
alter table org add column heir  text not null default '';         -- account that was asked to own the space; '' for none

create index org_by_owner on org (owner, kind);

create table org_invite (
    id            text   not null primary key, -- UUID, lower case
    org           text   not null references org (id),
    token         bytea  not null unique,      -- SHA-256 of 256 random bits
    address       bytea,                       -- null: whoever has the link
    address_index bytea,                       -- of the normalised address; null without one
    role          text   not null,
    uses          bigint not null,             -- how many may still join with it
    made_by       text   not null,             -- account; '' for the operator
    created_at    bigint not null,
    expires_at    bigint not null
);
create unique index org_invite_address on org_invite (org, address_index);
create index org_invite_by_end on org_invite (expires_at);

create table org_logo (
    org        text   not null primary key references org (id),
    kind       text   not null, -- image/png, image/jpeg
    image      bytea  not null,
    updated_at bigint not null
);

-- Limits that differ from the server's own.
create table org_limit (
    org  text   not null references org (id),
    kind text   not null, -- devices, things, ...
    most bigint not null, -- 0: without limit
    primary key (org, kind)
);

-- The role of a service account's key in its space; '' for keys that act as their person.
alter table apikey add column role text not null default '';
-- A key that is not enabled and has no revoked_at rests, and may be enabled again.
alter table apikey add column revoked_at bigint not null default 0;
update apikey set revoked_at = created_at where not enabled; -- nobody knows when any more
create index apikey_by_space on apikey (space);

-- What is limited is counted whenever one is made.
create index thing_space on thing (space);
create index thing_property_living on thing_property (space) where deleted_at is null;
