-- Dashboards. What people wrote is in the column called sealed, under the space's key;
-- image likewise; message under the key of who wrote it. Times are microseconds since 1970, UTC.

create table dashboard (
	id         text   not null primary key,
	space      text   not null,
	owner      text   not null, -- user id of who made it
	sealed     bytea  not null, -- name, cover, pages, widgets
	created_at bigint not null,
	updated_at bigint not null,
	deleted_at bigint           -- soft-deleted since
);

create index dashboard_space on dashboard (space);

-- Which properties a dashboard shows: what its guests may reach, and no more.
create table dashboard_variable (
	dashboard text not null references dashboard (id),
	property  text not null, -- it may be gone
	primary key (dashboard, property)
);

create index dashboard_variable_property on dashboard_variable (property);

create table dashboard_share (
	dashboard  text   not null references dashboard (id),
	account    text   not null, -- the guest
	may        text   not null, -- read, write
	made_by    text   not null, -- account
	created_at bigint not null,
	primary key (dashboard, account)
);

create index dashboard_share_account on dashboard_share (account);

-- Who asked to see a dashboard and was not answered yet.
create table dashboard_request (
	dashboard  text   not null references dashboard (id),
	account    text   not null,
	message    bytea  not null,
	created_at bigint not null,
	primary key (dashboard, account)
);

create index dashboard_request_account on dashboard_request (account);

-- The public link of a dashboard; most have none.
create table dashboard_link (
	dashboard  text   not null primary key references dashboard (id),
	token      bytea  not null unique, -- SHA-256 of 256 random bits
	made_by    text   not null,        -- account
	created_at bigint not null,
	expires_at bigint not null         -- 0: until it is revoked
);

create table dashboard_image (
	id         text   not null primary key,
	dashboard  text   not null references dashboard (id),
	kind       text   not null, -- image/png, image/jpeg
	image      bytea  not null,
	created_at bigint not null
);

create index dashboard_image_dashboard on dashboard_image (dashboard);
