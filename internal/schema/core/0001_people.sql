-- People, their spaces and keys, and the journal. One text for both engines.
-- Times are microseconds since 1970, UTC; 0 in a column that says so is never.
-- Columns of type bytea called email and name are sealed: under the person's key, a
-- space's name under the space's key. Columns called *_index are keyed hashes.

-- One row per change. hash covers the row and the row before it.
create table journal (
    number   bigint not null primary key, -- 1, 2, ... without gaps
    at       bigint not null,
    actor    text   not null,
    space    text   not null,             -- '' for what belongs to none
    action   text   not null,
    resource text   not null,
    id       text   not null,
    detail   text   not null,             -- a JSON object of strings
    hash     bytea  not null              -- SHA-256, 32 bytes
);
create index journal_by_space on journal (space, number);

-- The end of the journal: one row, which whoever writes an entry locks.
create table journal_head (
    id     bigint not null primary key,   -- 1
    number bigint not null,
    hash   bytea  not null
);

-- Whose keys are to be destroyed, because they were erased. The keyring is another database, so the
-- intent is kept here until it has happened.
create table shred (
    kind  text   not null, -- as in the keyring
    id    text   not null,
    space text   not null,
    at    bigint not null,
    primary key (kind, id)
);

create table account (
    id          text    not null primary key, -- UUID, lower case
    email       bytea   not null,
    email_index bytea   not null unique,      -- of the normalised address
    name        bytea   not null,
    password    text    not null,             -- PHC string; '' when there is none
    password_at bigint  not null,             -- 0: never set
    space       text    not null unique,      -- UUID of the private space
    settled     boolean not null,             -- the private space has been made
    epoch       bigint  not null,             -- rises when whoever is signed in must not stay so
    created_at  bigint  not null,
    disabled_at bigint  not null              -- 0: enabled
);
create index account_by_age on account (created_at, id);

create table org (
    id         text   not null primary key, -- UUID, lower case
    kind       text   not null,             -- private, shared
    owner      text   not null,             -- account that made it
    name       bytea  not null,
    created_at bigint not null,
    keep_days  bigint not null              -- how long values are kept; 0: for ever
);
create unique index org_private on org (owner) where kind = 'private';

create table org_member (
    org      text   not null references org (id),
    account  text   not null,
    role     text   not null, -- admin, editor, viewer, service
    since_at bigint not null,
    primary key (org, account)
);
create index org_member_by_account on org_member (account);

-- One row per space that is being erased or was: the intent, and then the proof.
-- What the space had is counted when the erasure begins.
create table org_erase (
    org      text   not null primary key, -- the space's id; it has no row in org any more
    actor    text   not null,             -- who erased it
    began_at bigint not null,
    done_at  bigint not null,             -- 0: not yet
    things   bigint not null,
    devices  bigint not null,
    members  bigint not null,
    apikeys  bigint not null              -- for this space alone
);
create index org_erase_by_end on org_erase (done_at);

create table apikey (
    id         text    not null primary key, -- client_id: 32 characters
    account    text    not null,             -- for whom it acts
    space      text    not null,             -- the only space it works in; '' for all of the account's
    name       bytea   not null,
    hash       bytea   not null,             -- SHA-256 of the secret
    version    bigint  not null,             -- rises with each new secret; tokens of older ones are dead
    enabled    boolean not null,
    made_by    text    not null,             -- the key that made this one, and takes it along when it goes; '' for none
    created_at bigint  not null,
    used_at    bigint  not null              -- 0: never
);
create index apikey_by_account on apikey (account, created_at);
create index apikey_by_maker on apikey (made_by);

-- Keys that sign tokens. The private half is in the key ring.
create table oauth_key (
    number     bigint not null primary key, -- 1, 2, ...
    kid        text   not null unique,      -- JWK thumbprint (RFC 7638)
    public     bytea  not null,             -- PKIX, DER
    created_at bigint not null,
    active_at  bigint not null              -- signs from then until the next one does
);
