-- How surely whoever made a key had signed in: '1' one proof, '2' two, '3' one that cannot be
-- phished, or the operator. Of older keys nobody knows.
alter table apikey add column acr text not null default '1';

-- Where a program is told that a session has ended (OpenID Connect Back-Channel Logout 1.0); '' for nowhere.
alter table oauth_client add column backchannel text not null default '';

-- Programs that a person has signed in to and that will be told when that session ends. Times are
-- microseconds since 1970, UTC.
create table oauth_logout (
    id         text   not null primary key, -- UUID; the jti of what is sent
    client     text   not null,
    account    text   not null,
    session    text   not null,             -- of the browser
    tries      bigint not null,
    next_at    bigint not null,             -- not before; 0: the session stands
    expires_at bigint not null,             -- given up
    unique (client, session)
);
create index oauth_logout_by_time on oauth_logout (next_at, id);
create index oauth_logout_by_session on oauth_logout (session);
create index oauth_logout_by_account on oauth_logout (account);

-- How many values a space has sent in a day (of UTC); a start counts on from here.
create table org_value (
    space text   not null primary key,
    day   bigint not null,                  -- number of the day since 1970
    used  bigint not null,
    told  bigint not null                   -- the last day that its administrators were told of; 0: none
);
