-- What is counted against guessing. Whom a count is about is a keyed hash, also of addresses.
create table guard_count (
    rule    text   not null,
    subject bytea  not null, -- 16 bytes of a keyed hash
    label   text   not null, -- id of the account or API key; '' where there is none, and for addresses
    at      bigint not null, -- last change
    until   bigint not null, -- refused until then; 0: never was
    level   bigint not null, -- blocks one after the other
    counts  bytea  not null, -- nine numbers of two bytes: tries by eighths of the rule's window
    primary key (rule, subject)
);

-- From where a person came in last.
create table guard_place (
    account text   not null primary key,
    at      bigint not null,
    place   bytea  not null  -- sealed under the person's key: country and coordinates to a tenth of a degree; may be empty inside
);
