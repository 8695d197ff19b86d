-- Who of another house's people somebody here is. Times are microseconds since 1970, UTC; 0 is never.

create table social_link (
    id            text   not null primary key,  -- UUID
    account       text   not null,
    subject_index bytea  not null unique,       -- keyed hash of issuer and subject
    sealed        bytea  not null,              -- both, JSON, under the person's key
    made_at       bigint not null,
    used_at       bigint not null               -- 0: never
);
create index social_link_by_account on social_link (account, made_at);
