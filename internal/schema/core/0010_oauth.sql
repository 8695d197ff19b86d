-- Other programs that sign people in: OAuth 2.0 and OpenID Connect. Times are
-- microseconds since 1970, UTC; 0 in a column that says so is never. What programs bring
-- (codes, tokens, secrets) is kept as SHA-256 only; people stand here by their ids.

-- Programs that an administrator has registered. Our own are part of the program.
create table oauth_client (
    id         text   not null primary key,
    title      text   not null,             -- what the consent page calls it
    space      text   not null,             -- whose it is; '' for the house's
    secret     bytea  not null,             -- SHA-256; empty: it cannot keep one
    redirects  text   not null,             -- a JSON list of addresses
    logouts    text   not null,             -- the same, for after signing out
    scopes     text   not null,             -- the most that it may ask for, with blanks between
    device     boolean not null,            -- may use the device grant
    created_at bigint not null
);

-- A request that waits: pushed by its client, or for its person to sign in or to agree.
create table oauth_request (
    id         bytea  not null primary key, -- SHA-256 of the reference
    client     text   not null,
    pushed     boolean not null,
    form       bytea  not null,             -- its parameters, sealed for this purpose
    account    text   not null,             -- who was asked; '' for nobody yet
    answer     text   not null,             -- '', yes, no
    created_at bigint not null,
    expires_at bigint not null
);
create index oauth_request_by_end on oauth_request (expires_at);
create index oauth_request_by_account on oauth_request (account);

-- What a person let a client do, once: all tokens that come of it are one family.
create table oauth_grant (
    id         text    not null primary key, -- UUID
    client     text    not null,
    account    text    not null,
    scopes     text    not null,
    session    text    not null,             -- of the browser; '' for none
    offline    boolean not null,             -- outlives that session
    epoch      bigint  not null,             -- of the person
    auth_at    bigint  not null,             -- when the person signed in
    acr        text    not null,
    amr        text    not null,
    created_at bigint  not null,
    ends_at    bigint  not null,
    ended_at   bigint  not null              -- 0: it stands
);
create index oauth_grant_by_account on oauth_grant (account, client);
create index oauth_grant_by_client on oauth_grant (client);
create index oauth_grant_by_session on oauth_grant (session);
create index oauth_grant_by_end on oauth_grant (ends_at);

create table oauth_code (
    hash       bytea  not null primary key, -- SHA-256
    grant_id   text   not null,
    redirect   text   not null,
    challenge  text   not null,             -- RFC 7636, S256
    nonce      text   not null,
    expires_at bigint not null,
    used_at    bigint not null              -- 0: not yet
);
create index oauth_code_by_end on oauth_code (expires_at);
create index oauth_code_by_grant on oauth_code (grant_id);

create table oauth_refresh (
    hash       bytea  not null primary key, -- SHA-256
    grant_id   text   not null,
    expires_at bigint not null,
    used_at    bigint not null              -- 0: it is the newest
);
create index oauth_refresh_by_end on oauth_refresh (expires_at);
create index oauth_refresh_by_grant on oauth_refresh (grant_id);

-- A device that waits for its person (RFC 8628).
create table oauth_device (
    hash       bytea  not null primary key, -- SHA-256 of the device code
    user_hash  bytea  not null unique,      -- SHA-256 of the user code
    client     text   not null,
    scopes     text   not null,
    state      text   not null,             -- waits, agreed, denied, used
    account    text   not null,             -- who answered
    epoch      bigint not null,
    auth_at    bigint not null,
    acr        text   not null,
    amr        text   not null,
    expires_at bigint not null
);
create index oauth_device_by_end on oauth_device (expires_at);
create index oauth_device_by_account on oauth_device (account);

-- What a person has agreed to, so that nobody is asked twice.
create table oauth_consent (
    account  text   not null,
    client   text   not null,
    scopes   text   not null,
    since_at bigint not null,
    primary key (account, client)
);
create index oauth_consent_by_client on oauth_consent (client);
