-- Addresses that a person had until a few days ago: who was at work in an account may have removed its person's own.
-- Columns are those of account_address. Two rows may have one email_index, and an address may be somebody else's by now.

create table account_former (
    id          text   not null primary key,  -- UUID
    account     text   not null references account (id),
    email_index bytea  not null,
    sealed      bytea  not null,
    proved_at   bigint not null,
    removed_at  bigint not null
);
create index account_former_by_email on account_former (email_index);
create index account_former_by_account on account_former (account, proved_at);
create index account_former_by_end on account_former (removed_at);
