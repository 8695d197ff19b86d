-- What is asked about one thing or device must not look at all others.

-- All properties of a thing, deleted ones too: the unique indexes know the living alone.
create index thing_property_thing on thing_property (thing, space);

-- The start asks who was online or leaving, which are few. An index of all rows was
-- changed with every coming and going, and never used for that question.
drop index device_by_online;
drop index device_by_leaving;
create index device_by_online on device (id) where online;
create index device_by_leaving on device (id) where leaving <> '';
