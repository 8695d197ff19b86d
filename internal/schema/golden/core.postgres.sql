CREATE TABLE account (
	id text NOT NULL,
	email bytea NOT NULL,
	email_index bytea NOT NULL,
	name bytea NOT NULL,
	password text NOT NULL,
	password_at bigint NOT NULL,
	space text NOT NULL,
	settled boolean NOT NULL,
	epoch bigint NOT NULL,
	created_at bigint NOT NULL,
	disabled_at bigint NOT NULL,
	verified_at bigint NOT NULL DEFAULT 0,
	frozen_at bigint NOT NULL DEFAULT 0,
	leaving_at bigint NOT NULL DEFAULT 0,
	CONSTRAINT account_email_index_key UNIQUE (email_index),
	CONSTRAINT account_pkey PRIMARY KEY (id),
	CONSTRAINT account_space_key UNIQUE (space)
);
CREATE INDEX account_by_age ON core.account USING btree (created_at, id);
CREATE INDEX account_by_leaving ON core.account USING btree (leaving_at) WHERE (leaving_at > 0);
CREATE INDEX account_by_unproved ON core.account USING btree (created_at) WHERE (verified_at = 0);
CREATE TABLE account_address (
	id text NOT NULL,
	account text NOT NULL,
	email_index bytea NOT NULL,
	sealed bytea NOT NULL,
	proved_at bigint NOT NULL,
	CONSTRAINT account_address_account_fkey FOREIGN KEY (account) REFERENCES account(id),
	CONSTRAINT account_address_email_index_key UNIQUE (email_index),
	CONSTRAINT account_address_pkey PRIMARY KEY (id)
);
CREATE INDEX account_address_by_account ON core.account_address USING btree (account, proved_at);
CREATE TABLE account_choice (
	account text NOT NULL,
	sealed bytea NOT NULL,
	changed_at bigint NOT NULL,
	CONSTRAINT account_choice_account_fkey FOREIGN KEY (account) REFERENCES account(id),
	CONSTRAINT account_choice_pkey PRIMARY KEY (account)
);
CREATE TABLE account_erase (
	account text NOT NULL,
	space text NOT NULL,
	actor text NOT NULL,
	began_at bigint NOT NULL,
	done_at bigint NOT NULL,
	CONSTRAINT account_erase_pkey PRIMARY KEY (account)
);
CREATE TABLE account_former (
	id text NOT NULL,
	account text NOT NULL,
	email_index bytea NOT NULL,
	sealed bytea NOT NULL,
	proved_at bigint NOT NULL,
	removed_at bigint NOT NULL,
	CONSTRAINT account_former_account_fkey FOREIGN KEY (account) REFERENCES account(id),
	CONSTRAINT account_former_pkey PRIMARY KEY (id)
);
CREATE INDEX account_former_by_account ON core.account_former USING btree (account, proved_at);
CREATE INDEX account_former_by_email ON core.account_former USING btree (email_index);
CREATE INDEX account_former_by_end ON core.account_former USING btree (removed_at);
CREATE TABLE account_link (
	hash bytea NOT NULL,
	purpose text NOT NULL,
	account text NOT NULL,
	epoch bigint NOT NULL,
	sealed bytea NOT NULL,
	made_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT account_link_pkey PRIMARY KEY (hash)
);
CREATE INDEX account_link_by_account ON core.account_link USING btree (account, purpose, made_at);
CREATE INDEX account_link_by_end ON core.account_link USING btree (expires_at);
CREATE TABLE account_picture (
	account text NOT NULL,
	sealed bytea NOT NULL,
	changed_at bigint NOT NULL,
	CONSTRAINT account_picture_account_fkey FOREIGN KEY (account) REFERENCES account(id),
	CONSTRAINT account_picture_pkey PRIMARY KEY (account)
);
CREATE TABLE account_profile (
	account text NOT NULL,
	username_index bytea,
	sealed bytea NOT NULL,
	changed_at bigint NOT NULL,
	CONSTRAINT account_profile_account_fkey FOREIGN KEY (account) REFERENCES account(id),
	CONSTRAINT account_profile_pkey PRIMARY KEY (account),
	CONSTRAINT account_profile_username_index_key UNIQUE (username_index)
);
CREATE TABLE apikey (
	id text NOT NULL,
	account text NOT NULL,
	space text NOT NULL,
	name bytea NOT NULL,
	hash bytea NOT NULL,
	version bigint NOT NULL,
	enabled boolean NOT NULL,
	made_by text NOT NULL,
	created_at bigint NOT NULL,
	used_at bigint NOT NULL,
	role text NOT NULL DEFAULT ''::text,
	revoked_at bigint NOT NULL DEFAULT 0,
	expires_at bigint NOT NULL DEFAULT 0,
	acr text NOT NULL DEFAULT '1'::text,
	CONSTRAINT apikey_pkey PRIMARY KEY (id)
);
CREATE INDEX apikey_by_account ON core.apikey USING btree (account, created_at);
CREATE INDEX apikey_by_end ON core.apikey USING btree (expires_at) WHERE ((expires_at > 0) AND (revoked_at = 0));
CREATE INDEX apikey_by_maker ON core.apikey USING btree (made_by);
CREATE INDEX apikey_by_space ON core.apikey USING btree (space);
CREATE TABLE audit (
	id bigint NOT NULL,
	indexed bigint NOT NULL,
	size bigint NOT NULL,
	root bytea NOT NULL,
	at bigint NOT NULL,
	CONSTRAINT audit_pkey PRIMARY KEY (id)
);
CREATE TABLE audit_person (
	person text NOT NULL,
	number bigint NOT NULL,
	action text NOT NULL,
	CONSTRAINT audit_person_pkey PRIMARY KEY (person, number)
);
CREATE TABLE blob (
	id text NOT NULL,
	space text NOT NULL,
	state text NOT NULL,
	bytes bigint NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT blob_pkey PRIMARY KEY (id)
);
CREATE INDEX blob_by_space ON core.blob USING btree (space);
CREATE INDEX blob_by_state ON core.blob USING btree (state, created_at);
CREATE TABLE blob_part (
	blob text NOT NULL,
	number bigint NOT NULL,
	body bytea NOT NULL,
	CONSTRAINT blob_part_blob_fkey FOREIGN KEY (blob) REFERENCES blob(id),
	CONSTRAINT blob_part_pkey PRIMARY KEY (blob, number)
);
CREATE TABLE ca_certificate (
	id text NOT NULL,
	space text NOT NULL,
	device text NOT NULL,
	generation bigint NOT NULL,
	ca text NOT NULL,
	state text NOT NULL,
	enabled boolean NOT NULL,
	serial bytea NOT NULL,
	key_hash bytea NOT NULL,
	der bytea,
	not_before bigint NOT NULL,
	not_after bigint NOT NULL,
	issued_at bigint NOT NULL,
	revoked_at bigint,
	reason text NOT NULL,
	CONSTRAINT ca_certificate_generation_fkey FOREIGN KEY (generation) REFERENCES ca_generation(number),
	CONSTRAINT ca_certificate_pkey PRIMARY KEY (id),
	CONSTRAINT ca_certificate_serial_key UNIQUE (serial)
);
CREATE INDEX ca_certificate_by_device ON core.ca_certificate USING btree (device);
CREATE INDEX ca_certificate_by_key ON core.ca_certificate USING btree (key_hash);
CREATE INDEX ca_certificate_by_space ON core.ca_certificate USING btree (space, issued_at);
CREATE INDEX ca_certificate_by_state ON core.ca_certificate USING btree (state);
CREATE TABLE ca_generation (
	number bigint NOT NULL,
	state text NOT NULL,
	key_name text NOT NULL,
	certificate bytea,
	key_id bytea,
	created_at bigint NOT NULL,
	accept_old_until bigint NOT NULL,
	accepted_until bigint,
	CONSTRAINT ca_generation_key_name_key UNIQUE (key_name),
	CONSTRAINT ca_generation_pkey PRIMARY KEY (number)
);
CREATE TABLE dashboard (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	sealed bytea NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deleted_at bigint,
	CONSTRAINT dashboard_pkey PRIMARY KEY (id)
);
CREATE INDEX dashboard_space ON core.dashboard USING btree (space);
CREATE TABLE dashboard_image (
	id text NOT NULL,
	dashboard text NOT NULL,
	kind text NOT NULL,
	image bytea NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT dashboard_image_dashboard_fkey FOREIGN KEY (dashboard) REFERENCES dashboard(id),
	CONSTRAINT dashboard_image_pkey PRIMARY KEY (id)
);
CREATE INDEX dashboard_image_dashboard ON core.dashboard_image USING btree (dashboard);
CREATE TABLE dashboard_link (
	dashboard text NOT NULL,
	token bytea NOT NULL,
	made_by text NOT NULL,
	created_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT dashboard_link_dashboard_fkey FOREIGN KEY (dashboard) REFERENCES dashboard(id),
	CONSTRAINT dashboard_link_pkey PRIMARY KEY (dashboard),
	CONSTRAINT dashboard_link_token_key UNIQUE (token)
);
CREATE TABLE dashboard_request (
	dashboard text NOT NULL,
	account text NOT NULL,
	message bytea NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT dashboard_request_dashboard_fkey FOREIGN KEY (dashboard) REFERENCES dashboard(id),
	CONSTRAINT dashboard_request_pkey PRIMARY KEY (dashboard, account)
);
CREATE INDEX dashboard_request_account ON core.dashboard_request USING btree (account);
CREATE TABLE dashboard_share (
	dashboard text NOT NULL,
	account text NOT NULL,
	may text NOT NULL,
	made_by text NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT dashboard_share_dashboard_fkey FOREIGN KEY (dashboard) REFERENCES dashboard(id),
	CONSTRAINT dashboard_share_pkey PRIMARY KEY (dashboard, account)
);
CREATE INDEX dashboard_share_account ON core.dashboard_share USING btree (account);
CREATE TABLE dashboard_variable (
	dashboard text NOT NULL,
	property text NOT NULL,
	CONSTRAINT dashboard_variable_dashboard_fkey FOREIGN KEY (dashboard) REFERENCES dashboard(id),
	CONSTRAINT dashboard_variable_pkey PRIMARY KEY (dashboard, property)
);
CREATE INDEX dashboard_variable_property ON core.dashboard_variable USING btree (property);
CREATE TABLE device (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	type text NOT NULL,
	connection_type text NOT NULL,
	wifi_fw_version text NOT NULL,
	locked boolean NOT NULL,
	private bytea NOT NULL,
	reported bytea NOT NULL,
	hardware_index bytea,
	secret bytea,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deleted_at bigint,
	leaving text NOT NULL,
	online boolean NOT NULL,
	last_activity_at bigint NOT NULL,
	CONSTRAINT device_hardware_index_key UNIQUE (hardware_index),
	CONSTRAINT device_pkey PRIMARY KEY (id)
);
CREATE INDEX device_by_leaving ON core.device USING btree (id) WHERE (leaving <> ''::text);
CREATE INDEX device_by_online ON core.device USING btree (id) WHERE online;
CREATE INDEX device_by_space ON core.device USING btree (space, created_at);
CREATE TABLE device_status (
	device text NOT NULL,
	space text NOT NULL,
	at bigint NOT NULL,
	connected boolean NOT NULL,
	CONSTRAINT device_status_pkey PRIMARY KEY (device, at)
);
CREATE TABLE factor_challenge (
	hash bytea NOT NULL,
	until_at bigint NOT NULL,
	CONSTRAINT factor_challenge_pkey PRIMARY KEY (hash)
);
CREATE INDEX factor_challenge_by_end ON core.factor_challenge USING btree (until_at);
CREATE TABLE factor_handle (
	account text NOT NULL,
	handle bytea NOT NULL,
	CONSTRAINT factor_handle_pkey PRIMARY KEY (account)
);
CREATE TABLE factor_passkey (
	id text NOT NULL,
	account text NOT NULL,
	credential_index bytea NOT NULL,
	credential bytea NOT NULL,
	label bytea NOT NULL,
	verified boolean NOT NULL,
	backup_eligible boolean NOT NULL,
	backed_up boolean NOT NULL,
	uses bigint NOT NULL,
	created_at bigint NOT NULL,
	used_at bigint NOT NULL,
	suspect_at bigint NOT NULL,
	CONSTRAINT factor_passkey_credential_index_key UNIQUE (credential_index),
	CONSTRAINT factor_passkey_pkey PRIMARY KEY (id)
);
CREATE INDEX factor_passkey_by_account ON core.factor_passkey USING btree (account, created_at);
CREATE TABLE factor_recovery (
	account text NOT NULL,
	selector text NOT NULL,
	code bytea NOT NULL,
	sheet boolean NOT NULL,
	made_at bigint NOT NULL,
	CONSTRAINT factor_recovery_pkey PRIMARY KEY (account, selector)
);
CREATE TABLE factor_totp (
	account text NOT NULL,
	secret bytea,
	step bigint NOT NULL,
	since_at bigint NOT NULL,
	pending bytea,
	pending_at bigint NOT NULL,
	CONSTRAINT factor_totp_pkey PRIMARY KEY (account)
);
CREATE TABLE guard_count (
	rule text NOT NULL,
	subject bytea NOT NULL,
	label text NOT NULL,
	at bigint NOT NULL,
	until bigint NOT NULL,
	level bigint NOT NULL,
	counts bytea NOT NULL,
	CONSTRAINT guard_count_pkey PRIMARY KEY (rule, subject)
);
CREATE TABLE guard_place (
	account text NOT NULL,
	at bigint NOT NULL,
	place bytea NOT NULL,
	CONSTRAINT guard_place_pkey PRIMARY KEY (account)
);
CREATE TABLE homeassistant (
	space text NOT NULL,
	owner text NOT NULL,
	sealed bytea NOT NULL,
	writes boolean NOT NULL,
	enabled boolean NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	CONSTRAINT homeassistant_pkey PRIMARY KEY (space)
);
CREATE TABLE homeassistant_thing (
	space text NOT NULL,
	thing text NOT NULL,
	components text NOT NULL,
	CONSTRAINT homeassistant_thing_pkey PRIMARY KEY (space, thing)
);
CREATE TABLE hook (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	thing text NOT NULL,
	device text NOT NULL,
	sealed bytea NOT NULL,
	active boolean NOT NULL,
	since_seq bigint NOT NULL,
	next_event bigint NOT NULL,
	queued bigint NOT NULL,
	queued_bytes bigint NOT NULL,
	next_at bigint NOT NULL,
	tries bigint NOT NULL,
	failing_since bigint NOT NULL,
	disabled_at bigint NOT NULL,
	last_at bigint NOT NULL,
	last_status bigint NOT NULL,
	last_result text NOT NULL,
	delivered bigint NOT NULL,
	dropped bigint NOT NULL,
	dead bigint NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT hook_pkey PRIMARY KEY (id)
);
CREATE INDEX hook_device ON core.hook USING btree (device) WHERE (device <> ''::text);
CREATE INDEX hook_space ON core.hook USING btree (space);
CREATE INDEX hook_turn ON core.hook USING btree (next_at) WHERE ((queued > 0) AND active);
CREATE UNIQUE INDEX hook_thing ON core.hook USING btree (thing) WHERE (thing <> ''::text);
CREATE TABLE hook_event (
	hook text NOT NULL,
	number bigint NOT NULL,
	id text NOT NULL,
	space text NOT NULL,
	thing text NOT NULL,
	sealed bytea NOT NULL,
	at bigint NOT NULL,
	CONSTRAINT hook_event_pkey PRIMARY KEY (hook, number)
);
CREATE INDEX hook_event_space ON core.hook_event USING btree (space);
CREATE TABLE hook_position (
	id bigint NOT NULL,
	seq bigint NOT NULL,
	CONSTRAINT hook_position_pkey PRIMARY KEY (id)
);
CREATE TABLE journal (
	number bigint NOT NULL,
	at bigint NOT NULL,
	actor text NOT NULL,
	space text NOT NULL,
	action text NOT NULL,
	resource text NOT NULL,
	id text NOT NULL,
	detail text NOT NULL,
	hash bytea NOT NULL,
	CONSTRAINT journal_pkey PRIMARY KEY (number)
);
CREATE INDEX journal_by_space ON core.journal USING btree (space, number);
CREATE TABLE journal_head (
	id bigint NOT NULL,
	number bigint NOT NULL,
	hash bytea NOT NULL,
	CONSTRAINT journal_head_pkey PRIMARY KEY (id)
);
CREATE TABLE oauth_client (
	id text NOT NULL,
	title text NOT NULL,
	space text NOT NULL,
	secret bytea NOT NULL,
	redirects text NOT NULL,
	logouts text NOT NULL,
	scopes text NOT NULL,
	device boolean NOT NULL,
	created_at bigint NOT NULL,
	backchannel text NOT NULL DEFAULT ''::text,
	CONSTRAINT oauth_client_pkey PRIMARY KEY (id)
);
CREATE TABLE oauth_code (
	hash bytea NOT NULL,
	grant_id text NOT NULL,
	redirect text NOT NULL,
	challenge text NOT NULL,
	nonce text NOT NULL,
	expires_at bigint NOT NULL,
	used_at bigint NOT NULL,
	CONSTRAINT oauth_code_pkey PRIMARY KEY (hash)
);
CREATE INDEX oauth_code_by_end ON core.oauth_code USING btree (expires_at);
CREATE INDEX oauth_code_by_grant ON core.oauth_code USING btree (grant_id);
CREATE TABLE oauth_consent (
	account text NOT NULL,
	client text NOT NULL,
	scopes text NOT NULL,
	since_at bigint NOT NULL,
	CONSTRAINT oauth_consent_pkey PRIMARY KEY (account, client)
);
CREATE INDEX oauth_consent_by_client ON core.oauth_consent USING btree (client);
CREATE TABLE oauth_device (
	hash bytea NOT NULL,
	user_hash bytea NOT NULL,
	client text NOT NULL,
	scopes text NOT NULL,
	state text NOT NULL,
	account text NOT NULL,
	epoch bigint NOT NULL,
	auth_at bigint NOT NULL,
	acr text NOT NULL,
	amr text NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT oauth_device_pkey PRIMARY KEY (hash),
	CONSTRAINT oauth_device_user_hash_key UNIQUE (user_hash)
);
CREATE INDEX oauth_device_by_account ON core.oauth_device USING btree (account);
CREATE INDEX oauth_device_by_end ON core.oauth_device USING btree (expires_at);
CREATE TABLE oauth_grant (
	id text NOT NULL,
	client text NOT NULL,
	account text NOT NULL,
	scopes text NOT NULL,
	session text NOT NULL,
	offline boolean NOT NULL,
	epoch bigint NOT NULL,
	auth_at bigint NOT NULL,
	acr text NOT NULL,
	amr text NOT NULL,
	created_at bigint NOT NULL,
	ends_at bigint NOT NULL,
	ended_at bigint NOT NULL,
	CONSTRAINT oauth_grant_pkey PRIMARY KEY (id)
);
CREATE INDEX oauth_grant_by_account ON core.oauth_grant USING btree (account, client);
CREATE INDEX oauth_grant_by_client ON core.oauth_grant USING btree (client);
CREATE INDEX oauth_grant_by_end ON core.oauth_grant USING btree (ends_at);
CREATE INDEX oauth_grant_by_session ON core.oauth_grant USING btree (session);
CREATE TABLE oauth_key (
	number bigint NOT NULL,
	kid text NOT NULL,
	public bytea NOT NULL,
	created_at bigint NOT NULL,
	active_at bigint NOT NULL,
	CONSTRAINT oauth_key_kid_key UNIQUE (kid),
	CONSTRAINT oauth_key_pkey PRIMARY KEY (number)
);
CREATE TABLE oauth_logout (
	id text NOT NULL,
	client text NOT NULL,
	account text NOT NULL,
	session text NOT NULL,
	tries bigint NOT NULL,
	next_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT oauth_logout_client_session_key UNIQUE (client, session),
	CONSTRAINT oauth_logout_pkey PRIMARY KEY (id)
);
CREATE INDEX oauth_logout_by_account ON core.oauth_logout USING btree (account);
CREATE INDEX oauth_logout_by_session ON core.oauth_logout USING btree (session);
CREATE INDEX oauth_logout_by_time ON core.oauth_logout USING btree (next_at, id);
CREATE TABLE oauth_refresh (
	hash bytea NOT NULL,
	grant_id text NOT NULL,
	expires_at bigint NOT NULL,
	used_at bigint NOT NULL,
	CONSTRAINT oauth_refresh_pkey PRIMARY KEY (hash)
);
CREATE INDEX oauth_refresh_by_end ON core.oauth_refresh USING btree (expires_at);
CREATE INDEX oauth_refresh_by_grant ON core.oauth_refresh USING btree (grant_id);
CREATE TABLE oauth_request (
	id bytea NOT NULL,
	client text NOT NULL,
	pushed boolean NOT NULL,
	form bytea NOT NULL,
	account text NOT NULL,
	answer text NOT NULL,
	created_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT oauth_request_pkey PRIMARY KEY (id)
);
CREATE INDEX oauth_request_by_account ON core.oauth_request USING btree (account);
CREATE INDEX oauth_request_by_end ON core.oauth_request USING btree (expires_at);
CREATE TABLE onboard (
	id text NOT NULL,
	hardware_index bytea NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	sealed bytea NOT NULL,
	connection_type text NOT NULL,
	locked boolean NOT NULL,
	token_hash bytea NOT NULL,
	key_hash bytea,
	device text NOT NULL,
	made boolean NOT NULL,
	leaving boolean NOT NULL,
	claimed_at bigint NOT NULL,
	provisioned_at bigint NOT NULL,
	ended_at bigint NOT NULL,
	CONSTRAINT onboard_pkey PRIMARY KEY (id)
);
CREATE INDEX onboard_age ON core.onboard USING btree (claimed_at);
CREATE INDEX onboard_board_history ON core.onboard USING btree (hardware_index, claimed_at);
CREATE INDEX onboard_space ON core.onboard USING btree (space, claimed_at);
CREATE UNIQUE INDEX onboard_open ON core.onboard USING btree (hardware_index) WHERE ((ended_at = 0) AND (leaving = false));
CREATE TABLE onboard_board (
	hardware_index bytea NOT NULL,
	space text NOT NULL,
	sealed bytea NOT NULL,
	registered_at bigint NOT NULL,
	proved_at bigint NOT NULL,
	token_at bigint NOT NULL,
	device text NOT NULL,
	CONSTRAINT onboard_board_pkey PRIMARY KEY (hardware_index)
);
CREATE INDEX onboard_board_age ON core.onboard_board USING btree (registered_at);
CREATE INDEX onboard_board_space ON core.onboard_board USING btree (space);
CREATE TABLE org (
	id text NOT NULL,
	kind text NOT NULL,
	owner text NOT NULL,
	name bytea NOT NULL,
	created_at bigint NOT NULL,
	keep_days bigint NOT NULL,
	level text NOT NULL DEFAULT 'password'::text,
	heir text NOT NULL DEFAULT ''::text,
	CONSTRAINT org_pkey PRIMARY KEY (id)
);
CREATE INDEX org_by_owner ON core.org USING btree (owner, kind);
CREATE UNIQUE INDEX org_private ON core.org USING btree (owner) WHERE (kind = 'private'::text);
CREATE TABLE org_erase (
	org text NOT NULL,
	actor text NOT NULL,
	began_at bigint NOT NULL,
	done_at bigint NOT NULL,
	things bigint NOT NULL,
	devices bigint NOT NULL,
	members bigint NOT NULL,
	apikeys bigint NOT NULL,
	CONSTRAINT org_erase_pkey PRIMARY KEY (org)
);
CREATE INDEX org_erase_by_end ON core.org_erase USING btree (done_at);
CREATE TABLE org_invite (
	id text NOT NULL,
	org text NOT NULL,
	token bytea NOT NULL,
	address bytea,
	address_index bytea,
	role text NOT NULL,
	uses bigint NOT NULL,
	made_by text NOT NULL,
	created_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT org_invite_org_fkey FOREIGN KEY (org) REFERENCES org(id),
	CONSTRAINT org_invite_pkey PRIMARY KEY (id),
	CONSTRAINT org_invite_token_key UNIQUE (token)
);
CREATE INDEX org_invite_by_end ON core.org_invite USING btree (expires_at);
CREATE UNIQUE INDEX org_invite_address ON core.org_invite USING btree (org, address_index);
CREATE TABLE org_limit (
	org text NOT NULL,
	kind text NOT NULL,
	most bigint NOT NULL,
	CONSTRAINT org_limit_org_fkey FOREIGN KEY (org) REFERENCES org(id),
	CONSTRAINT org_limit_pkey PRIMARY KEY (org, kind)
);
CREATE TABLE org_logo (
	org text NOT NULL,
	kind text NOT NULL,
	image bytea NOT NULL,
	updated_at bigint NOT NULL,
	CONSTRAINT org_logo_org_fkey FOREIGN KEY (org) REFERENCES org(id),
	CONSTRAINT org_logo_pkey PRIMARY KEY (org)
);
CREATE TABLE org_member (
	org text NOT NULL,
	account text NOT NULL,
	role text NOT NULL,
	since_at bigint NOT NULL,
	CONSTRAINT org_member_org_fkey FOREIGN KEY (org) REFERENCES org(id),
	CONSTRAINT org_member_pkey PRIMARY KEY (org, account)
);
CREATE INDEX org_member_by_account ON core.org_member USING btree (account);
CREATE TABLE org_value (
	space text NOT NULL,
	day bigint NOT NULL,
	used bigint NOT NULL,
	told bigint NOT NULL,
	CONSTRAINT org_value_pkey PRIMARY KEY (space)
);
CREATE TABLE ota (
	id text NOT NULL,
	space text NOT NULL,
	device text NOT NULL,
	owner text NOT NULL,
	image text NOT NULL,
	campaign text NOT NULL,
	wave bigint NOT NULL,
	held boolean NOT NULL,
	status text NOT NULL,
	error text NOT NULL,
	version bigint NOT NULL,
	state text NOT NULL,
	fetched bigint NOT NULL,
	file_bytes bigint NOT NULL,
	from_sha bytea NOT NULL,
	final_sha bytea NOT NULL,
	max_retries bigint NOT NULL,
	attempt bigint NOT NULL,
	lines bigint NOT NULL,
	created_at bigint NOT NULL,
	start_at bigint NOT NULL,
	expires_at bigint NOT NULL,
	started_at bigint NOT NULL,
	heard_at bigint NOT NULL,
	ended_at bigint NOT NULL,
	CONSTRAINT ota_pkey PRIMARY KEY (id)
);
CREATE INDEX ota_by_campaign ON core.ota USING btree (campaign, wave);
CREATE INDEX ota_by_device ON core.ota USING btree (device, created_at);
CREATE INDEX ota_by_end ON core.ota USING btree (status, expires_at);
CREATE INDEX ota_by_silence ON core.ota USING btree (heard_at) WHERE (status = 'in_progress'::text);
CREATE INDEX ota_by_space ON core.ota USING btree (space, created_at);
CREATE INDEX ota_by_start ON core.ota USING btree (start_at) WHERE (start_at > 0);
CREATE UNIQUE INDEX ota_open ON core.ota USING btree (device) WHERE (status = ANY (ARRAY['pending'::text, 'in_progress'::text]));
CREATE TABLE ota_campaign (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	image text NOT NULL,
	state text NOT NULL,
	devices bigint NOT NULL,
	wave_size bigint NOT NULL,
	wave bigint NOT NULL,
	max_failed bigint NOT NULL,
	created_at bigint NOT NULL,
	ended_at bigint NOT NULL,
	CONSTRAINT ota_campaign_pkey PRIMARY KEY (id)
);
CREATE INDEX ota_campaign_by_space ON core.ota_campaign USING btree (space, created_at);
CREATE INDEX ota_campaign_by_state ON core.ota_campaign USING btree (state);
CREATE TABLE ota_image (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	blob text NOT NULL,
	private bytea NOT NULL,
	magic bigint NOT NULL,
	file_bytes bigint NOT NULL,
	image_bytes bigint NOT NULL,
	file_sha bytea NOT NULL,
	image_sha bytea NOT NULL,
	lasting boolean NOT NULL,
	created_at bigint NOT NULL,
	used_at bigint NOT NULL,
	CONSTRAINT ota_image_blob_fkey FOREIGN KEY (blob) REFERENCES blob(id),
	CONSTRAINT ota_image_blob_key UNIQUE (blob),
	CONSTRAINT ota_image_pkey PRIMARY KEY (id)
);
CREATE INDEX ota_image_by_sha ON core.ota_image USING btree (space, file_sha);
CREATE INDEX ota_image_by_space ON core.ota_image USING btree (space, created_at);
CREATE INDEX ota_image_by_use ON core.ota_image USING btree (lasting, used_at);
CREATE TABLE ota_state (
	ota text NOT NULL,
	number bigint NOT NULL,
	state text NOT NULL,
	data bigint NOT NULL,
	at bigint NOT NULL,
	CONSTRAINT ota_state_ota_fkey FOREIGN KEY (ota) REFERENCES ota(id),
	CONSTRAINT ota_state_pkey PRIMARY KEY (ota, number)
);
CREATE TABLE post (
	id text NOT NULL,
	kind text NOT NULL,
	account text NOT NULL,
	sealed bytea,
	queued_at bigint NOT NULL,
	next_at bigint NOT NULL,
	tries bigint NOT NULL,
	expires_at bigint NOT NULL,
	ended_at bigint NOT NULL,
	outcome text NOT NULL,
	CONSTRAINT post_pkey PRIMARY KEY (id)
);
CREATE INDEX post_by_account ON core.post USING btree (account) WHERE (account <> ''::text);
CREATE INDEX post_by_end ON core.post USING btree (ended_at) WHERE (ended_at <> 0);
CREATE INDEX post_by_turn ON core.post USING btree (next_at, id) WHERE (ended_at = 0);
CREATE TABLE post_rate (
	who bytea NOT NULL,
	hour bigint NOT NULL,
	letters bigint NOT NULL,
	CONSTRAINT post_rate_pkey PRIMARY KEY (who, hour)
);
CREATE INDEX post_rate_by_hour ON core.post_rate USING btree (hour);
CREATE TABLE schema_migration (
	number bigint NOT NULL,
	name text NOT NULL,
	digest text NOT NULL,
	applied_at bigint NOT NULL,
	CONSTRAINT schema_migration_pkey PRIMARY KEY (number)
);
CREATE TABLE shred (
	kind text NOT NULL,
	id text NOT NULL,
	space text NOT NULL,
	at bigint NOT NULL,
	CONSTRAINT shred_pkey PRIMARY KEY (kind, id)
);
CREATE TABLE signin_app (
	hash bytea NOT NULL,
	session text NOT NULL,
	browser bytea NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT signin_app_pkey PRIMARY KEY (hash)
);
CREATE INDEX signin_app_by_session ON core.signin_app USING btree (session);
CREATE TABLE signin_device (
	hash bytea NOT NULL,
	account text NOT NULL,
	first_at bigint NOT NULL,
	last_at bigint NOT NULL,
	CONSTRAINT signin_device_pkey PRIMARY KEY (hash, account)
);
CREATE INDEX signin_device_by_account ON core.signin_device USING btree (account, last_at);
CREATE INDEX signin_device_by_age ON core.signin_device USING btree (last_at);
CREATE TABLE signin_flow (
	hash bytea NOT NULL,
	step bigint NOT NULL,
	state bytea NOT NULL,
	expires_at bigint NOT NULL,
	CONSTRAINT signin_flow_pkey PRIMARY KEY (hash)
);
CREATE INDEX signin_flow_by_end ON core.signin_flow USING btree (expires_at);
CREATE TABLE signin_session (
	id text NOT NULL,
	hash bytea NOT NULL,
	account text NOT NULL,
	epoch bigint NOT NULL,
	made_at bigint NOT NULL,
	used_at bigint NOT NULL,
	proved_at bigint NOT NULL,
	ends_at bigint NOT NULL,
	idle bigint NOT NULL,
	methods text NOT NULL,
	sealed bytea NOT NULL,
	CONSTRAINT signin_session_hash_key UNIQUE (hash),
	CONSTRAINT signin_session_pkey PRIMARY KEY (id)
);
CREATE INDEX signin_session_by_account ON core.signin_session USING btree (account, made_at);
CREATE INDEX signin_session_by_end ON core.signin_session USING btree (ends_at);
CREATE TABLE social_link (
	id text NOT NULL,
	account text NOT NULL,
	subject_index bytea NOT NULL,
	sealed bytea NOT NULL,
	made_at bigint NOT NULL,
	used_at bigint NOT NULL,
	CONSTRAINT social_link_pkey PRIMARY KEY (id),
	CONSTRAINT social_link_subject_index_key UNIQUE (subject_index)
);
CREATE INDEX social_link_by_account ON core.social_link USING btree (account, made_at);
CREATE TABLE sync (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	type text NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	CONSTRAINT sync_pkey PRIMARY KEY (id)
);
CREATE INDEX sync_space ON core.sync USING btree (space);
CREATE TABLE sync_member (
	property text NOT NULL,
	sync text NOT NULL,
	space text NOT NULL,
	thing text NOT NULL,
	position bigint NOT NULL,
	CONSTRAINT sync_member_pkey PRIMARY KEY (property)
);
CREATE INDEX sync_member_space ON core.sync_member USING btree (space);
CREATE INDEX sync_member_sync ON core.sync_member USING btree (sync);
CREATE TABLE template (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	name_mac bytea NOT NULL,
	sealed bytea NOT NULL,
	archive bytea NOT NULL,
	size bigint NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	CONSTRAINT template_pkey PRIMARY KEY (id)
);
CREATE UNIQUE INDEX template_name ON core.template USING btree (space, name_mac);
CREATE TABLE template_apply (
	id text NOT NULL,
	space text NOT NULL,
	made text NOT NULL,
	began_at bigint NOT NULL,
	CONSTRAINT template_apply_pkey PRIMARY KEY (id)
);
CREATE INDEX template_apply_space ON core.template_apply USING btree (space);
CREATE TABLE thing (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	name_mac bytea NOT NULL,
	sealed bytea NOT NULL,
	timezone text NOT NULL,
	device text,
	assistant text NOT NULL,
	webhook_active boolean NOT NULL,
	sketch text,
	sketch_version text,
	template text,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deleted_at bigint,
	CONSTRAINT thing_pkey PRIMARY KEY (id)
);
CREATE INDEX thing_space ON core.thing USING btree (space);
CREATE INDEX thing_timezone ON core.thing USING btree (timezone, id) WHERE (device IS NOT NULL);
CREATE INDEX thing_webhook ON core.thing USING btree (id) WHERE webhook_active;
CREATE UNIQUE INDEX thing_device ON core.thing USING btree (device) WHERE (device IS NOT NULL);
CREATE UNIQUE INDEX thing_name ON core.thing USING btree (space, name_mac) WHERE (deleted_at IS NULL);
CREATE TABLE thing_erase (
	series text NOT NULL,
	space text NOT NULL,
	at bigint NOT NULL,
	CONSTRAINT thing_erase_pkey PRIMARY KEY (series)
);
CREATE TABLE thing_property (
	id text NOT NULL,
	thing text NOT NULL,
	space text NOT NULL,
	name_mac bytea NOT NULL,
	variable_mac bytea NOT NULL,
	sealed bytea NOT NULL,
	type text NOT NULL,
	permission text NOT NULL,
	strategy text NOT NULL,
	persist boolean NOT NULL,
	number bigint NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deleted_at bigint,
	CONSTRAINT thing_property_pkey PRIMARY KEY (id),
	CONSTRAINT thing_property_thing_fkey FOREIGN KEY (thing) REFERENCES thing(id)
);
CREATE INDEX thing_property_living ON core.thing_property USING btree (space) WHERE (deleted_at IS NULL);
CREATE INDEX thing_property_space ON core.thing_property USING btree (space);
CREATE INDEX thing_property_thing ON core.thing_property USING btree (thing, space);
CREATE UNIQUE INDEX thing_property_name ON core.thing_property USING btree (thing, name_mac) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX thing_property_number ON core.thing_property USING btree (thing, number) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX thing_property_variable ON core.thing_property USING btree (thing, variable_mac) WHERE (deleted_at IS NULL);
CREATE TABLE thing_tag (
	thing text NOT NULL,
	space text NOT NULL,
	key_mac bytea NOT NULL,
	pair_mac bytea NOT NULL,
	sealed bytea NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT thing_tag_pkey PRIMARY KEY (thing, key_mac),
	CONSTRAINT thing_tag_thing_fkey FOREIGN KEY (thing) REFERENCES thing(id)
);
CREATE INDEX thing_tag_pair ON core.thing_tag USING btree (space, pair_mac);
CREATE TABLE trigger (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	property text NOT NULL,
	thing text NOT NULL,
	sealed bytea NOT NULL,
	active boolean NOT NULL,
	revision bigint NOT NULL,
	since_seq bigint NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	deleted_at bigint,
	CONSTRAINT trigger_pkey PRIMARY KEY (id)
);
CREATE INDEX trigger_property ON core.trigger USING btree (property) WHERE (property <> ''::text);
CREATE INDEX trigger_space ON core.trigger USING btree (space);
CREATE TABLE trigger_action (
	id text NOT NULL,
	space text NOT NULL,
	owner text NOT NULL,
	trigger text NOT NULL,
	kind text NOT NULL,
	sealed bytea NOT NULL,
	created_at bigint NOT NULL,
	updated_at bigint NOT NULL,
	CONSTRAINT trigger_action_pkey PRIMARY KEY (id)
);
CREATE INDEX trigger_action_space ON core.trigger_action USING btree (space);
CREATE INDEX trigger_action_trigger ON core.trigger_action USING btree (trigger);
CREATE TABLE trigger_delivery (
	id text NOT NULL,
	trigger text NOT NULL,
	action text NOT NULL,
	space text NOT NULL,
	part text NOT NULL,
	kind text NOT NULL,
	target text NOT NULL,
	sealed bytea,
	at bigint NOT NULL,
	since bigint NOT NULL,
	stamp bigint NOT NULL,
	next_at bigint NOT NULL,
	tries bigint NOT NULL,
	taken boolean NOT NULL,
	ended_at bigint NOT NULL,
	outcome text NOT NULL,
	answer bigint NOT NULL,
	CONSTRAINT trigger_delivery_pkey PRIMARY KEY (id)
);
CREATE INDEX trigger_delivery_action ON core.trigger_delivery USING btree (action, at);
CREATE INDEX trigger_delivery_end ON core.trigger_delivery USING btree (ended_at) WHERE (ended_at <> 0);
CREATE INDEX trigger_delivery_space ON core.trigger_delivery USING btree (space);
CREATE INDEX trigger_delivery_turn ON core.trigger_delivery USING btree (next_at, id) WHERE (ended_at = 0);
CREATE TABLE trigger_mute (
	trigger text NOT NULL,
	account text NOT NULL,
	at bigint NOT NULL,
	CONSTRAINT trigger_mute_pkey PRIMARY KEY (trigger, account)
);
CREATE INDEX trigger_mute_account ON core.trigger_mute USING btree (account);
CREATE TABLE trigger_online (
	trigger text NOT NULL,
	device text NOT NULL,
	CONSTRAINT trigger_online_pkey PRIMARY KEY (trigger, device)
);
CREATE TABLE trigger_position (
	id bigint NOT NULL,
	seq bigint NOT NULL,
	CONSTRAINT trigger_position_pkey PRIMARY KEY (id)
);
CREATE TABLE trigger_push (
	id text NOT NULL,
	account text NOT NULL,
	endpoint_mac bytea NOT NULL,
	sealed bytea NOT NULL,
	created_at bigint NOT NULL,
	CONSTRAINT trigger_push_endpoint_mac_key UNIQUE (endpoint_mac),
	CONSTRAINT trigger_push_pkey PRIMARY KEY (id)
);
CREATE INDEX trigger_push_account ON core.trigger_push USING btree (account);
CREATE TABLE trigger_state (
	trigger text NOT NULL,
	revision bigint NOT NULL,
	holds boolean NOT NULL,
	seen_mac bytea NOT NULL,
	fired_at bigint NOT NULL,
	free_at bigint NOT NULL,
	tell_at bigint NOT NULL,
	CONSTRAINT trigger_state_pkey PRIMARY KEY (trigger)
);
CREATE TABLE trigger_usage (
	space text NOT NULL,
	day bigint NOT NULL,
	fired bigint NOT NULL,
	held bigint NOT NULL,
	CONSTRAINT trigger_usage_pkey PRIMARY KEY (space, day)
);
