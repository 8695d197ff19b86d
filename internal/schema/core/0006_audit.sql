-- What the database remembers of the audit log, which is outside of it (DIR/audit).
-- Times are microseconds since 1970, UTC.

-- One row: how far the log had come, so that one that was cut off is found out.
create table audit (
    id      bigint not null primary key, -- 1
    indexed bigint not null,             -- entries of the journal that audit_person knows
    size    bigint not null,             -- leaves of the log
    root    bytea  not null,             -- of their tree: SHA-256
    at      bigint not null
);

-- Which entries concern whom: those that a person made, by a key too, and those on the
-- person's account.
create table audit_person (
    person text   not null, -- account
    number bigint not null, -- entry of the journal
    action text   not null, -- of that entry
    primary key (person, number)
);
