-- The keys that base/keys makes and erases, each sealed under the keyring key of
-- DIR/keys/keys.json. One text for both engines. Times are microseconds since 1970, UTC.

create table key (
    kind       text   not null, -- space, person, thing, device, purpose, signer; and one row wrap/current
    id         text   not null, -- of the space, person, ... or signer
    wrapped_by bigint not null, -- which key of the keyring keyset sealed it; in wrap/current: which one seals new rows
    sealed     bytea,           -- a Tink keyset, PKCS #8, or of a thing or device 32 bytes under its space's key; null once erased
    made_at    bigint not null,
    erased_at  bigint,          -- set for good: nobody gets a fresh key for this id
    primary key (kind, id)
);
create index key_by_wrap on key (wrapped_by);
