-- Devices, and the authority that certifies them. One text for both engines.
-- Times are microseconds since 1970, UTC. Columns called private, reported are
-- sealed under the device's data key; indexes called *_index are keyed hashes.

-- One row per generation of the device CA.
create table ca_generation (
    number           bigint  not null primary key, -- 1, 2, ...
    state            text    not null,             -- planned, active, replaced
    key_name         text    not null unique,      -- of the private key in the key ring
    certificate      bytea,                        -- DER; null while planned
    key_id           bytea,                        -- subject key identifier, 20 bytes; null while planned
    created_at       bigint  not null,
    accept_old_until bigint  not null,             -- what whoever planned it asked for the generations before
    accepted_until   bigint                        -- null: no end is set
);

-- One row per certificate that the CA was asked for, kept for good.
create table ca_certificate (
    id         text    not null primary key,
    space      text    not null,
    device     text    not null,
    generation bigint  not null references ca_generation (number),
    ca         text    not null,                -- what the client calls the CA; told back
    state      text    not null,                -- pending, issued, revoked, abandoned
    enabled    boolean not null,
    serial     bytea   not null unique,         -- 16 bytes
    key_hash   bytea   not null,                -- SHA-256 of the subject public key info
    der        bytea,                           -- null while pending and when abandoned
    not_before bigint  not null,
    not_after  bigint  not null,
    issued_at  bigint  not null,                -- when it was asked for
    revoked_at bigint,
    reason     text    not null                 -- of the revocation, else ''
);
create index ca_certificate_by_device on ca_certificate (device);
create index ca_certificate_by_key on ca_certificate (key_hash);
create index ca_certificate_by_space on ca_certificate (space, issued_at);
create index ca_certificate_by_state on ca_certificate (state);

create table device (
    id               text    not null primary key,
    space            text    not null,
    owner            text    not null,          -- user id
    type             text    not null,
    connection_type  text    not null,          -- '' when nobody said
    wifi_fw_version  text    not null,
    locked           boolean not null,
    private          bytea   not null,          -- sealed: name, serial, hardware id, BLE address, FQBN, tags
    reported         bytea   not null,          -- sealed: what the board said of itself
    hardware_index   bytea   unique,            -- of the unique hardware id; null without one
    secret           bytea,                     -- keyed hash of the secret key; null without one
    created_at       bigint  not null,
    updated_at       bigint  not null,
    deleted_at       bigint,                    -- null: not deleted
    leaving          text    not null,          -- '' or what a delete has still to do: soft, hard
    online           boolean not null,          -- as last written; the truth is in memory
    last_activity_at bigint  not null           -- 0: never
);
create index device_by_space on device (space, created_at);
create index device_by_leaving on device (leaving);
create index device_by_online on device (online);

-- The last comings and goings of each device.
create table device_status (
    device    text    not null,
    space     text    not null,
    at        bigint  not null,
    connected boolean not null,
    primary key (device, at)
);
