-- Boards that people bring in with a key of the board's own (provisioning 2.0), and the ways of each to a device. What a
-- person or a board said is in the columns called sealed, under the key of the space. Times are microseconds since 1970, UTC.

-- Boards whose public key is known. One row for each hardware id, whatever space it was registered from.
create table onboard_board (
	hardware_index bytea  not null primary key, -- keyed hash of the unique hardware id
	space          text   not null, -- that registered it, or that its device is in; its key seals the row
	sealed         bytea  not null, -- public key, serial number, FQBN
	registered_at  bigint not null,
	proved_at      bigint not null, -- when a claim was last signed with the key; 0: never
	token_at       bigint not null, -- the second at which the token of that claim was signed; 0: never
	device         text   not null  -- that an onboarding made of it; '' for none
);
create index onboard_board_space on onboard_board (space);
create index onboard_board_age on onboard_board (registered_at);

-- The way of a board to a device.
create table onboard (
	id              text    not null primary key,
	hardware_index  bytea   not null,
	space           text    not null,
	owner           text    not null, -- user id of who claimed
	sealed          bytea   not null, -- hardware id, name, BLE address, FQBN
	connection_type text    not null,
	locked          boolean not null, -- the device shall be
	token_hash      bytea   not null, -- of the token that the claim was made with
	key_hash        bytea,            -- of the key that is certified; null before
	device          text    not null, -- its id, chosen before it is made; '' before
	made            boolean not null, -- the device is made by this onboarding, and was not there before
	leaving         boolean not null, -- it was dropped, and that must be brought to its end
	claimed_at      bigint  not null,
	provisioned_at  bigint  not null, -- 0: not yet
	ended_at        bigint  not null  -- 0: not yet
);
create index onboard_space on onboard (space, claimed_at);
create index onboard_age on onboard (claimed_at);
create index onboard_board_history on onboard (hardware_index, claimed_at);
-- A board has one way at a time.
create unique index onboard_open on onboard (hardware_index) where ended_at = 0 and leaving = false;
