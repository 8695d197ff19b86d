// Package thing is the room of things and their properties: what a device is
// meant to measure and to obey, the values that it reports, and the values that
// people write to it.
//
// Invariants:
//   - A thing belongs to one space for ever; every query names it.
//   - A device has at most one thing and a thing at most one device.
//   - Names of living things are unique in their space; names, variable names and
//     tags of living properties are unique in their thing.
//   - What is acknowledged to a device or a person, or shown to anyone, is on disk.
//   - Values are kept by fleet/series only. What people wrote (names, webhook
//     addresses, tags) is sealed with the thing's own key, which goes with the thing
//     and with its space, and found by keyed hashes, so that a database file shows none of it.
//   - History that is imported fills gaps only: what is there stays, and nobody is told.
//   - A value that a device reports is never refused because of the property's
//     minimum and maximum: those are for people to read.
//   - Whoever is no member of a thing's space reaches single properties only, by the routes about one
//     property, batches of series and /v1/live, while they are lent to them (loan.go); never over MQTT, and never as the device.
//   - A device is never closed out for what it says: a message or record that cannot
//     be used is acknowledged, dropped and counted.
//
// Tables: thing, thing_property, thing_tag, thing_erase.
//
// Topics: /a/t/{t}/e/o from devices, /a/t/{t}/e/i from people and to devices,
// /a/t/{t}/shadow/o and /shadow/i for the last values of protocol generation 1.
//
// Routes: /iot/v2/things…, …/properties…, …/tags…, /iot/v2/series…,
// /iot/v1/property_types, /v1/things/{id}/history, /v1/series/rows,
// /v1/things/{id}/properties/{pid}/history.
package thing
