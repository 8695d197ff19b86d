-- Updates of boards over the air, and the files that they fetch. Columns called body and private are sealed under
-- the space's key. Times are microseconds since 1970, UTC; 0 is never.

-- Files of customers, in sealed parts.
create table blob (
    id         text   not null primary key, -- UUID, lower case
    space      text   not null,
    state      text   not null,             -- writing, whole, kept
    bytes      bigint not null,             -- 0 while writing
    created_at bigint not null
);
create index blob_by_space on blob (space);
create index blob_by_state on blob (state, created_at);

create table blob_part (
    blob   text   not null references blob (id),
    number bigint not null, -- 0, 1, ...
    body   bytea  not null, -- up to 65,536 bytes, sealed
    primary key (blob, number)
);

-- Images for boards: each is a .ota file.
create table ota_image (
    id          text    not null primary key,
    space       text    not null,
    owner       text    not null,        -- user id of who uploaded it
    blob        text    not null unique references blob (id),
    private     bytea   not null,        -- sealed: its name
    magic       bigint  not null,        -- for which board
    file_bytes  bigint  not null,
    image_bytes bigint  not null,
    file_sha    bytea   not null,        -- SHA-256 of the file
    image_sha   bytea   not null,        -- SHA-256 of the image as the board tells it
    lasting     boolean not null,        -- until somebody deletes it; else until nobody needs it
    created_at  bigint  not null,
    used_at     bigint  not null         -- by the last update
);
create index ota_image_by_space on ota_image (space, created_at);
create index ota_image_by_sha on ota_image (space, file_sha);
create index ota_image_by_use on ota_image (lasting, used_at);

-- Many devices that are updated in waves.
create table ota_campaign (
    id         text   not null primary key,
    space      text   not null,
    owner      text   not null,
    image      text   not null,          -- of ota_image; it may be gone
    state      text   not null,          -- running, halted, cancelled, done
    devices    bigint not null,
    wave_size  bigint not null,          -- 0: all at once
    wave       bigint not null,          -- which one is under way; 0 is the first
    max_failed bigint not null,          -- percent of a wave; more halt the campaign
    created_at bigint not null,
    ended_at   bigint not null
);
create index ota_campaign_by_space on ota_campaign (space, created_at);
create index ota_campaign_by_state on ota_campaign (state);

-- One update of one device.
create table ota (
    id          text    not null primary key,
    space       text    not null,
    device      text    not null,
    owner       text    not null,        -- user id of who started it
    image       text    not null,        -- of ota_image; it may be gone
    campaign    text    not null,        -- '' for none
    wave        bigint  not null,        -- of the campaign
    held        boolean not null,        -- its wave has not come
    status      text    not null,        -- pending, in_progress, succeeded, failed, cancelled, expired
    error       text    not null,        -- why it failed, a word; else ''
    version     bigint  not null,        -- of the protocol: 1 properties, 2 commands
    state       text    not null,        -- what the device said last; '' before
    fetched     bigint  not null,        -- bytes of the file that it has
    file_bytes  bigint  not null,
    from_sha    bytea   not null,        -- of the image that ran when it was sent; zeros if nobody knows
    final_sha   bytea   not null,        -- of the new one
    max_retries bigint  not null,
    attempt     bigint  not null,        -- retries so far
    lines       bigint  not null,        -- rows of ota_state
    created_at  bigint  not null,
    start_at    bigint  not null,        -- not before; 0: at once, or that time has come
    expires_at  bigint  not null,        -- when it has not begun by then
    started_at  bigint  not null,
    heard_at    bigint  not null,        -- when it was sent or the device last spoke of it
    ended_at    bigint  not null
);
-- A device is updated once at a time.
create unique index ota_open on ota (device) where status in ('pending', 'in_progress');
create index ota_by_device on ota (device, created_at);
create index ota_by_space on ota (space, created_at);
create index ota_by_campaign on ota (campaign, wave);
create index ota_by_end on ota (status, expires_at);
create index ota_by_silence on ota (heard_at) where status = 'in_progress';
create index ota_by_start on ota (start_at) where start_at > 0;

-- What happened in the course of an update.
create table ota_state (
    ota    text   not null references ota (id),
    number bigint not null, -- 1, 2, ...
    state  text   not null,
    data   bigint not null, -- bytes when fetching, a code when failed
    at     bigint not null,
    primary key (ota, number)
);
