CREATE TABLE account (
	id text not null primary key,
	email bytea not null,
	email_index bytea not null unique,
	name bytea not null,
	password text not null,
	password_at bigint not null,
	space text not null unique,
	settled boolean not null,
	epoch bigint not null,
	created_at bigint not null,
	disabled_at bigint not null ,
	verified_at bigint not null default 0,
	frozen_at bigint not null default 0,
	leaving_at bigint not null default 0
);
CREATE INDEX account_by_age on account (created_at, id);
CREATE INDEX account_by_leaving on account (leaving_at) where leaving_at > 0;
CREATE INDEX account_by_unproved on account (created_at) where verified_at = 0;
CREATE TABLE account_address (
	id text not null primary key,
	account text not null references account (id),
	email_index bytea not null unique,
	sealed bytea not null,
	proved_at bigint not null
);
CREATE INDEX account_address_by_account on account_address (account, proved_at);
CREATE TABLE account_choice (
	account text not null primary key references account (id),
	sealed bytea not null,
	changed_at bigint not null
);
CREATE TABLE account_erase (
	account text not null primary key,
	space text not null,
	actor text not null,
	began_at bigint not null,
	done_at bigint not null
);
CREATE TABLE account_former (
	id text not null primary key,
	account text not null references account (id),
	email_index bytea not null,
	sealed bytea not null,
	proved_at bigint not null,
	removed_at bigint not null
);
CREATE INDEX account_former_by_account on account_former (account, proved_at);
CREATE INDEX account_former_by_email on account_former (email_index);
CREATE INDEX account_former_by_end on account_former (removed_at);
CREATE TABLE account_link (
	hash bytea not null primary key,
	purpose text not null,
	account text not null,
	epoch bigint not null,
	sealed bytea not null,
	made_at bigint not null,
	expires_at bigint not null
);
CREATE INDEX account_link_by_account on account_link (account, purpose, made_at);
CREATE INDEX account_link_by_end on account_link (expires_at);
CREATE TABLE account_picture (
	account text not null primary key references account (id),
	sealed bytea not null,
	changed_at bigint not null
);
CREATE TABLE account_profile (
	account text not null primary key references account (id),
	username_index bytea unique,
	sealed bytea not null,
	changed_at bigint not null
);
CREATE TABLE apikey (
	id text not null primary key,
	account text not null,
	space text not null,
	name bytea not null,
	hash bytea not null,
	version bigint not null,
	enabled boolean not null,
	made_by text not null,
	created_at bigint not null,
	used_at bigint not null ,
	role text not null default '',
	revoked_at bigint not null default 0,
	expires_at bigint not null default 0,
	acr text not null default '1'
);
CREATE INDEX apikey_by_account on apikey (account, created_at);
CREATE INDEX apikey_by_end on apikey (expires_at) where expires_at > 0 and revoked_at = 0;
CREATE INDEX apikey_by_maker on apikey (made_by);
CREATE INDEX apikey_by_space on apikey (space);
CREATE TABLE audit (
	id INTEGER not null primary key,
	indexed bigint not null,
	size bigint not null,
	root bytea not null,
	at bigint not null
);
CREATE TABLE audit_person (
	person text not null,
	number bigint not null,
	action text not null,
	primary key (person,
	number)
);
CREATE TABLE blob (
	id text not null primary key,
	space text not null,
	state text not null,
	bytes bigint not null,
	created_at bigint not null
);
CREATE INDEX blob_by_space on blob (space);
CREATE INDEX blob_by_state on blob (state, created_at);
CREATE TABLE blob_part (
	blob text not null references blob (id),
	number bigint not null,
	body bytea not null,
	primary key (blob,
	number)
);
CREATE TABLE ca_certificate (
	id text not null primary key,
	space text not null,
	device text not null,
	generation bigint not null references ca_generation (number),
	ca text not null,
	state text not null,
	enabled boolean not null,
	serial bytea not null unique,
	key_hash bytea not null,
	der bytea,
	not_before bigint not null,
	not_after bigint not null,
	issued_at bigint not null,
	revoked_at bigint,
	reason text not null
);
CREATE INDEX ca_certificate_by_device on ca_certificate (device);
CREATE INDEX ca_certificate_by_key on ca_certificate (key_hash);
CREATE INDEX ca_certificate_by_space on ca_certificate (space, issued_at);
CREATE INDEX ca_certificate_by_state on ca_certificate (state);
CREATE TABLE ca_generation (
	number INTEGER not null primary key,
	state text not null,
	key_name text not null unique,
	certificate bytea,
	key_id bytea,
	created_at bigint not null,
	accept_old_until bigint not null,
	accepted_until bigint
);
CREATE TABLE dashboard (
	id text not null primary key,
	space text not null,
	owner text not null,
	sealed bytea not null,
	created_at bigint not null,
	updated_at bigint not null,
	deleted_at bigint
);
CREATE INDEX dashboard_space on dashboard (space);
CREATE TABLE dashboard_image (
	id text not null primary key,
	dashboard text not null references dashboard (id),
	kind text not null,
	image bytea not null,
	created_at bigint not null
);
CREATE INDEX dashboard_image_dashboard on dashboard_image (dashboard);
CREATE TABLE dashboard_link (
	dashboard text not null primary key references dashboard (id),
	token bytea not null unique,
	made_by text not null,
	created_at bigint not null,
	expires_at bigint not null
);
CREATE TABLE dashboard_request (
	dashboard text not null references dashboard (id),
	account text not null,
	message bytea not null,
	created_at bigint not null,
	primary key (dashboard,
	account)
);
CREATE INDEX dashboard_request_account on dashboard_request (account);
CREATE TABLE dashboard_share (
	dashboard text not null references dashboard (id),
	account text not null,
	may text not null,
	made_by text not null,
	created_at bigint not null,
	primary key (dashboard,
	account)
);
CREATE INDEX dashboard_share_account on dashboard_share (account);
CREATE TABLE dashboard_variable (
	dashboard text not null references dashboard (id),
	property text not null,
	primary key (dashboard,
	property)
);
CREATE INDEX dashboard_variable_property on dashboard_variable (property);
CREATE TABLE device (
	id text not null primary key,
	space text not null,
	owner text not null,
	type text not null,
	connection_type text not null,
	wifi_fw_version text not null,
	locked boolean not null,
	private bytea not null,
	reported bytea not null,
	hardware_index bytea unique,
	secret bytea,
	created_at bigint not null,
	updated_at bigint not null,
	deleted_at bigint,
	leaving text not null,
	online boolean not null,
	last_activity_at bigint not null
);
CREATE INDEX device_by_leaving on device (id) where leaving <> '';
CREATE INDEX device_by_online on device (id) where online;
CREATE INDEX device_by_space on device (space, created_at);
CREATE TABLE device_status (
	device text not null,
	space text not null,
	at bigint not null,
	connected boolean not null,
	primary key (device,
	at)
);
CREATE TABLE factor_challenge (
	hash bytea not null primary key,
	until_at bigint not null
);
CREATE INDEX factor_challenge_by_end on factor_challenge (until_at);
CREATE TABLE factor_handle (
	account text not null primary key,
	handle bytea not null
);
CREATE TABLE factor_passkey (
	id text not null primary key,
	account text not null,
	credential_index bytea not null unique,
	credential bytea not null,
	label bytea not null,
	verified boolean not null,
	backup_eligible boolean not null,
	backed_up boolean not null,
	uses bigint not null,
	created_at bigint not null,
	used_at bigint not null,
	suspect_at bigint not null
);
CREATE INDEX factor_passkey_by_account on factor_passkey (account, created_at);
CREATE TABLE factor_recovery (
	account text not null,
	selector text not null,
	code bytea not null,
	sheet boolean not null,
	made_at bigint not null,
	primary key (account,
	selector)
);
CREATE TABLE factor_totp (
	account text not null primary key,
	secret bytea,
	step bigint not null,
	since_at bigint not null,
	pending bytea,
	pending_at bigint not null
);
CREATE TABLE guard_count (
	rule text not null,
	subject bytea not null,
	label text not null,
	at bigint not null,
	until bigint not null,
	level bigint not null,
	counts bytea not null,
	primary key (rule,
	subject)
);
CREATE TABLE guard_place (
	account text not null primary key,
	at bigint not null,
	place bytea not null
);
CREATE TABLE homeassistant (
	space text not null primary key,
	owner text not null,
	sealed bytea not null,
	writes boolean not null,
	enabled boolean not null,
	created_at bigint not null,
	updated_at bigint not null
);
CREATE TABLE homeassistant_thing (
	space text not null,
	thing text not null,
	components text not null,
	primary key (space,
	thing)
);
CREATE TABLE hook (
	id text not null primary key,
	space text not null,
	owner text not null,
	thing text not null,
	device text not null,
	sealed bytea not null,
	active boolean not null,
	since_seq bigint not null,
	next_event bigint not null,
	queued bigint not null,
	queued_bytes bigint not null,
	next_at bigint not null,
	tries bigint not null,
	failing_since bigint not null,
	disabled_at bigint not null,
	last_at bigint not null,
	last_status bigint not null,
	last_result text not null,
	delivered bigint not null,
	dropped bigint not null,
	dead bigint not null,
	created_at bigint not null
);
CREATE INDEX hook_device on hook (device) where device <> '';
CREATE INDEX hook_space on hook (space);
CREATE UNIQUE INDEX hook_thing on hook (thing) where thing <> '';
CREATE INDEX hook_turn on hook (next_at) where queued > 0 and active;
CREATE TABLE hook_event (
	hook text not null,
	number bigint not null,
	id text not null,
	space text not null,
	thing text not null,
	sealed bytea not null,
	at bigint not null,
	primary key (hook,
	number)
);
CREATE INDEX hook_event_space on hook_event (space);
CREATE TABLE hook_position (
	id INTEGER not null primary key,
	seq bigint not null
);
CREATE TABLE journal (
	number INTEGER not null primary key,
	at bigint not null,
	actor text not null,
	space text not null,
	action text not null,
	resource text not null,
	id text not null,
	detail text not null,
	hash bytea not null
);
CREATE INDEX journal_by_space on journal (space, number);
CREATE TABLE journal_head (
	id INTEGER not null primary key,
	number bigint not null,
	hash bytea not null
);
CREATE TABLE oauth_client (
	id text not null primary key,
	title text not null,
	space text not null,
	secret bytea not null,
	redirects text not null,
	logouts text not null,
	scopes text not null,
	device boolean not null,
	created_at bigint not null ,
	backchannel text not null default ''
);
CREATE TABLE oauth_code (
	hash bytea not null primary key,
	grant_id text not null,
	redirect text not null,
	challenge text not null,
	nonce text not null,
	expires_at bigint not null,
	used_at bigint not null
);
CREATE INDEX oauth_code_by_end on oauth_code (expires_at);
CREATE INDEX oauth_code_by_grant on oauth_code (grant_id);
CREATE TABLE oauth_consent (
	account text not null,
	client text not null,
	scopes text not null,
	since_at bigint not null,
	primary key (account,
	client)
);
CREATE INDEX oauth_consent_by_client on oauth_consent (client);
CREATE TABLE oauth_device (
	hash bytea not null primary key,
	user_hash bytea not null unique,
	client text not null,
	scopes text not null,
	state text not null,
	account text not null,
	epoch bigint not null,
	auth_at bigint not null,
	acr text not null,
	amr text not null,
	expires_at bigint not null
);
CREATE INDEX oauth_device_by_account on oauth_device (account);
CREATE INDEX oauth_device_by_end on oauth_device (expires_at);
CREATE TABLE oauth_grant (
	id text not null primary key,
	client text not null,
	account text not null,
	scopes text not null,
	session text not null,
	offline boolean not null,
	epoch bigint not null,
	auth_at bigint not null,
	acr text not null,
	amr text not null,
	created_at bigint not null,
	ends_at bigint not null,
	ended_at bigint not null
);
CREATE INDEX oauth_grant_by_account on oauth_grant (account, client);
CREATE INDEX oauth_grant_by_client on oauth_grant (client);
CREATE INDEX oauth_grant_by_end on oauth_grant (ends_at);
CREATE INDEX oauth_grant_by_session on oauth_grant (session);
CREATE TABLE oauth_key (
	number INTEGER not null primary key,
	kid text not null unique,
	public bytea not null,
	created_at bigint not null,
	active_at bigint not null
);
CREATE TABLE oauth_logout (
	id text not null primary key,
	client text not null,
	account text not null,
	session text not null,
	tries bigint not null,
	next_at bigint not null,
	expires_at bigint not null,
	unique (client,
	session)
);
CREATE INDEX oauth_logout_by_account on oauth_logout (account);
CREATE INDEX oauth_logout_by_session on oauth_logout (session);
CREATE INDEX oauth_logout_by_time on oauth_logout (next_at, id);
CREATE TABLE oauth_refresh (
	hash bytea not null primary key,
	grant_id text not null,
	expires_at bigint not null,
	used_at bigint not null
);
CREATE INDEX oauth_refresh_by_end on oauth_refresh (expires_at);
CREATE INDEX oauth_refresh_by_grant on oauth_refresh (grant_id);
CREATE TABLE oauth_request (
	id bytea not null primary key,
	client text not null,
	pushed boolean not null,
	form bytea not null,
	account text not null,
	answer text not null,
	created_at bigint not null,
	expires_at bigint not null
);
CREATE INDEX oauth_request_by_account on oauth_request (account);
CREATE INDEX oauth_request_by_end on oauth_request (expires_at);
CREATE TABLE onboard (
	id text not null primary key,
	hardware_index bytea not null,
	space text not null,
	owner text not null,
	sealed bytea not null,
	connection_type text not null,
	locked boolean not null,
	token_hash bytea not null,
	key_hash bytea,
	device text not null,
	made boolean not null,
	leaving boolean not null,
	claimed_at bigint not null,
	provisioned_at bigint not null,
	ended_at bigint not null
);
CREATE INDEX onboard_age on onboard (claimed_at);
CREATE INDEX onboard_board_history on onboard (hardware_index, claimed_at);
CREATE UNIQUE INDEX onboard_open on onboard (hardware_index) where ended_at = 0 and leaving = false;
CREATE INDEX onboard_space on onboard (space, claimed_at);
CREATE TABLE onboard_board (
	hardware_index bytea not null primary key,
	space text not null,
	sealed bytea not null,
	registered_at bigint not null,
	proved_at bigint not null,
	token_at bigint not null,
	device text not null
);
CREATE INDEX onboard_board_age on onboard_board (registered_at);
CREATE INDEX onboard_board_space on onboard_board (space);
CREATE TABLE org (
	id text not null primary key,
	kind text not null,
	owner text not null,
	name bytea not null,
	created_at bigint not null,
	keep_days bigint not null ,
	level text not null default 'password',
	heir text not null default ''
);
CREATE INDEX org_by_owner on org (owner, kind);
CREATE UNIQUE INDEX org_private on org (owner) where kind = 'private';
CREATE TABLE org_erase (
	org text not null primary key,
	actor text not null,
	began_at bigint not null,
	done_at bigint not null,
	things bigint not null,
	devices bigint not null,
	members bigint not null,
	apikeys bigint not null
);
CREATE INDEX org_erase_by_end on org_erase (done_at);
CREATE TABLE org_invite (
	id text not null primary key,
	org text not null references org (id),
	token bytea not null unique,
	address bytea,
	address_index bytea,
	role text not null,
	uses bigint not null,
	made_by text not null,
	created_at bigint not null,
	expires_at bigint not null
);
CREATE UNIQUE INDEX org_invite_address on org_invite (org, address_index);
CREATE INDEX org_invite_by_end on org_invite (expires_at);
CREATE TABLE org_limit (
	org text not null references org (id),
	kind text not null,
	most bigint not null,
	primary key (org,
	kind)
);
CREATE TABLE org_logo (
	org text not null primary key references org (id),
	kind text not null,
	image bytea not null,
	updated_at bigint not null
);
CREATE TABLE org_member (
	org text not null references org (id),
	account text not null,
	role text not null,
	since_at bigint not null,
	primary key (org,
	account)
);
CREATE INDEX org_member_by_account on org_member (account);
CREATE TABLE org_value (
	space text not null primary key,
	day bigint not null,
	used bigint not null,
	told bigint not null
);
CREATE TABLE ota (
	id text not null primary key,
	space text not null,
	device text not null,
	owner text not null,
	image text not null,
	campaign text not null,
	wave bigint not null,
	held boolean not null,
	status text not null,
	error text not null,
	version bigint not null,
	state text not null,
	fetched bigint not null,
	file_bytes bigint not null,
	from_sha bytea not null,
	final_sha bytea not null,
	max_retries bigint not null,
	attempt bigint not null,
	lines bigint not null,
	created_at bigint not null,
	start_at bigint not null,
	expires_at bigint not null,
	started_at bigint not null,
	heard_at bigint not null,
	ended_at bigint not null
);
CREATE INDEX ota_by_campaign on ota (campaign, wave);
CREATE INDEX ota_by_device on ota (device, created_at);
CREATE INDEX ota_by_end on ota (status, expires_at);
CREATE INDEX ota_by_silence on ota (heard_at) where status = 'in_progress';
CREATE INDEX ota_by_space on ota (space, created_at);
CREATE INDEX ota_by_start on ota (start_at) where start_at > 0;
CREATE UNIQUE INDEX ota_open on ota (device) where status in ('pending', 'in_progress');
CREATE TABLE ota_campaign (
	id text not null primary key,
	space text not null,
	owner text not null,
	image text not null,
	state text not null,
	devices bigint not null,
	wave_size bigint not null,
	wave bigint not null,
	max_failed bigint not null,
	created_at bigint not null,
	ended_at bigint not null
);
CREATE INDEX ota_campaign_by_space on ota_campaign (space, created_at);
CREATE INDEX ota_campaign_by_state on ota_campaign (state);
CREATE TABLE ota_image (
	id text not null primary key,
	space text not null,
	owner text not null,
	blob text not null unique references blob (id),
	private bytea not null,
	magic bigint not null,
	file_bytes bigint not null,
	image_bytes bigint not null,
	file_sha bytea not null,
	image_sha bytea not null,
	lasting boolean not null,
	created_at bigint not null,
	used_at bigint not null
);
CREATE INDEX ota_image_by_sha on ota_image (space, file_sha);
CREATE INDEX ota_image_by_space on ota_image (space, created_at);
CREATE INDEX ota_image_by_use on ota_image (lasting, used_at);
CREATE TABLE ota_state (
	ota text not null references ota (id),
	number bigint not null,
	state text not null,
	data bigint not null,
	at bigint not null,
	primary key (ota,
	number)
);
CREATE TABLE post (
	id text not null primary key,
	kind text not null,
	account text not null,
	sealed bytea,
	queued_at bigint not null,
	next_at bigint not null,
	tries bigint not null,
	expires_at bigint not null,
	ended_at bigint not null,
	outcome text not null
);
CREATE INDEX post_by_account on post (account) where account <> '';
CREATE INDEX post_by_end on post (ended_at) where ended_at <> 0;
CREATE INDEX post_by_turn on post (next_at, id) where ended_at = 0;
CREATE TABLE post_rate (
	who bytea not null,
	hour bigint not null,
	letters bigint not null,
	primary key (who,
	hour)
);
CREATE INDEX post_rate_by_hour on post_rate (hour);
CREATE TABLE schema_migration (
	number INTEGER NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	applied_at BIGINT NOT NULL
);
CREATE TABLE shred (
	kind text not null,
	id text not null,
	space text not null,
	at bigint not null,
	primary key (kind,
	id)
);
CREATE TABLE signin_app (
	hash bytea not null primary key,
	session text not null,
	browser bytea not null,
	expires_at bigint not null
);
CREATE INDEX signin_app_by_session on signin_app (session);
CREATE TABLE signin_device (
	hash bytea not null,
	account text not null,
	first_at bigint not null,
	last_at bigint not null,
	primary key (hash,
	account)
);
CREATE INDEX signin_device_by_account on signin_device (account, last_at);
CREATE INDEX signin_device_by_age on signin_device (last_at);
CREATE TABLE signin_flow (
	hash bytea not null primary key,
	step bigint not null,
	state bytea not null,
	expires_at bigint not null
);
CREATE INDEX signin_flow_by_end on signin_flow (expires_at);
CREATE TABLE signin_session (
	id text not null primary key,
	hash bytea not null unique,
	account text not null,
	epoch bigint not null,
	made_at bigint not null,
	used_at bigint not null,
	proved_at bigint not null,
	ends_at bigint not null,
	idle bigint not null,
	methods text not null,
	sealed bytea not null
);
CREATE INDEX signin_session_by_account on signin_session (account, made_at);
CREATE INDEX signin_session_by_end on signin_session (ends_at);
CREATE TABLE social_link (
	id text not null primary key,
	account text not null,
	subject_index bytea not null unique,
	sealed bytea not null,
	made_at bigint not null,
	used_at bigint not null
);
CREATE INDEX social_link_by_account on social_link (account, made_at);
CREATE TABLE sync (
	id text not null primary key,
	space text not null,
	owner text not null,
	type text not null,
	created_at bigint not null,
	updated_at bigint not null
);
CREATE INDEX sync_space on sync (space);
CREATE TABLE sync_member (
	property text not null primary key,
	sync text not null,
	space text not null,
	thing text not null,
	position bigint not null
);
CREATE INDEX sync_member_space on sync_member (space);
CREATE INDEX sync_member_sync on sync_member (sync);
CREATE TABLE template (
	id text not null primary key,
	space text not null,
	owner text not null,
	name_mac bytea not null,
	sealed bytea not null,
	archive bytea not null,
	size bigint not null,
	created_at bigint not null,
	updated_at bigint not null
);
CREATE UNIQUE INDEX template_name on template (space, name_mac);
CREATE TABLE template_apply (
	id text not null primary key,
	space text not null,
	made text not null,
	began_at bigint not null
);
CREATE INDEX template_apply_space on template_apply (space);
CREATE TABLE thing (
	id text not null primary key,
	space text not null,
	owner text not null,
	name_mac bytea not null,
	sealed bytea not null,
	timezone text not null,
	device text,
	assistant text not null,
	webhook_active boolean not null,
	sketch text,
	sketch_version text,
	template text,
	created_at bigint not null,
	updated_at bigint not null,
	deleted_at bigint
);
CREATE UNIQUE INDEX thing_device on thing (device) where device is not null;
CREATE UNIQUE INDEX thing_name on thing (space, name_mac) where deleted_at is null;
CREATE INDEX thing_space on thing (space);
CREATE INDEX thing_timezone on thing (timezone, id) where device is not null;
CREATE INDEX thing_webhook on thing (id) where webhook_active;
CREATE TABLE thing_erase (
	series text not null primary key,
	space text not null,
	at bigint not null
);
CREATE TABLE thing_property (
	id text not null primary key,
	thing text not null references thing (id),
	space text not null,
	name_mac bytea not null,
	variable_mac bytea not null,
	sealed bytea not null,
	type text not null,
	permission text not null,
	strategy text not null,
	persist boolean not null,
	number bigint not null,
	created_at bigint not null,
	updated_at bigint not null,
	deleted_at bigint
);
CREATE INDEX thing_property_living on thing_property (space) where deleted_at is null;
CREATE UNIQUE INDEX thing_property_name on thing_property (thing, name_mac) where deleted_at is null;
CREATE UNIQUE INDEX thing_property_number on thing_property (thing, number) where deleted_at is null;
CREATE INDEX thing_property_space on thing_property (space);
CREATE INDEX thing_property_thing on thing_property (thing, space);
CREATE UNIQUE INDEX thing_property_variable on thing_property (thing, variable_mac) where deleted_at is null;
CREATE TABLE thing_tag (
	thing text not null references thing (id),
	space text not null,
	key_mac bytea not null,
	pair_mac bytea not null,
	sealed bytea not null,
	created_at bigint not null,
	primary key (thing,
	key_mac)
);
CREATE INDEX thing_tag_pair on thing_tag (space, pair_mac);
CREATE TABLE trigger (
	id text not null primary key,
	space text not null,
	owner text not null,
	property text not null,
	thing text not null,
	sealed bytea not null,
	active boolean not null,
	revision bigint not null,
	since_seq bigint not null,
	created_at bigint not null,
	updated_at bigint not null,
	deleted_at bigint
);
CREATE INDEX trigger_property on trigger (property) where property <> '';
CREATE INDEX trigger_space on trigger (space);
CREATE TABLE trigger_action (
	id text not null primary key,
	space text not null,
	owner text not null,
	trigger text not null,
	kind text not null,
	sealed bytea not null,
	created_at bigint not null,
	updated_at bigint not null
);
CREATE INDEX trigger_action_space on trigger_action (space);
CREATE INDEX trigger_action_trigger on trigger_action (trigger);
CREATE TABLE trigger_delivery (
	id text not null primary key,
	trigger text not null,
	action text not null,
	space text not null,
	part text not null,
	kind text not null,
	target text not null,
	sealed bytea,
	at bigint not null,
	since bigint not null,
	stamp bigint not null,
	next_at bigint not null,
	tries bigint not null,
	taken boolean not null,
	ended_at bigint not null,
	outcome text not null,
	answer bigint not null
);
CREATE INDEX trigger_delivery_action on trigger_delivery (action, at);
CREATE INDEX trigger_delivery_end on trigger_delivery (ended_at) where ended_at <> 0;
CREATE INDEX trigger_delivery_space on trigger_delivery (space);
CREATE INDEX trigger_delivery_turn on trigger_delivery (next_at, id) where ended_at = 0;
CREATE TABLE trigger_mute (
	trigger text not null,
	account text not null,
	at bigint not null,
	primary key (trigger,
	account)
);
CREATE INDEX trigger_mute_account on trigger_mute (account);
CREATE TABLE trigger_online (
	trigger text not null,
	device text not null,
	primary key (trigger,
	device)
);
CREATE TABLE trigger_position (
	id INTEGER not null primary key,
	seq bigint not null
);
CREATE TABLE trigger_push (
	id text not null primary key,
	account text not null,
	endpoint_mac bytea not null unique,
	sealed bytea not null,
	created_at bigint not null
);
CREATE INDEX trigger_push_account on trigger_push (account);
CREATE TABLE trigger_state (
	trigger text not null primary key,
	revision bigint not null,
	holds boolean not null,
	seen_mac bytea not null,
	fired_at bigint not null,
	free_at bigint not null,
	tell_at bigint not null
);
CREATE TABLE trigger_usage (
	space text not null,
	day bigint not null,
	fired bigint not null,
	held bigint not null,
	primary key (space,
	day)
);
