-- What a person has beside a password. One text for both engines. Times are
-- microseconds since 1970, UTC; 0 is never. Columns called secret, pending, handle,
-- credential, label are sealed under the person's key; code is sealed under a key of the
-- house's own; columns called *_index are keyed hashes.

-- One authenticator app per person.
create table factor_totp (
    account    text   not null primary key,
    secret     bytea,                       -- null: not in use
    step       bigint not null,             -- the last time step whose code was accepted
    since_at   bigint not null,             -- when secret was confirmed
    pending    bytea,                       -- shown, and not confirmed yet
    pending_at bigint not null
);

-- Whom a passkey belongs to, as it is told to authenticators: 64 random bytes.
create table factor_handle (
    account text  not null primary key,
    handle  bytea not null
);

create table factor_passkey (
    id               text    not null primary key, -- UUID
    account          text    not null,
    credential_index bytea   not null unique,      -- of the credential id
    credential       bytea   not null,             -- credential id, public key and what never changes
    label            bytea   not null,
    verified         boolean not null,             -- made with the person verified: may be the only step
    backup_eligible  boolean not null,             -- may be synchronised; never changes
    backed_up        boolean not null,             -- was, when it was last used
    uses             bigint  not null,             -- the authenticator's own count; 0: it does not count
    created_at       bigint  not null,
    used_at          bigint  not null,
    suspect_at       bigint  not null              -- its count went back: was it copied?
);
create index factor_passkey_by_account on factor_passkey (account, created_at);

-- Challenges that were answered. Whoever answers one again finds its row here.
create table factor_challenge (
    hash     bytea  not null primary key, -- SHA-256
    until_at bigint not null              -- from then on the challenge is too old anyway
);
create index factor_challenge_by_end on factor_challenge (until_at);

create table factor_recovery (
    account  text    not null,
    selector text    not null,  -- the first four digits
    code     bytea   not null,  -- Argon2id of all digits, sealed
    sheet    boolean not null,  -- one of the ten; false: issued for one that was used
    made_at  bigint  not null,
    primary key (account, selector)
);
