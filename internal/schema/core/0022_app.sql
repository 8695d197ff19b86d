-- Sessions at the application's origin, where it is not that of signing in.
create table signin_app (
	hash       bytea  not null primary key, -- SHA-256 of what hands a session over; once it is taken, of the application's cookie
	session    text   not null,
	browser    bytea  not null,             -- SHA-256 of what the browser that takes it has to bring; empty once it is taken
	expires_at bigint not null              -- µs since 1970: until when it may be taken; 0 once it is
);
create index signin_app_by_session on signin_app (session);
