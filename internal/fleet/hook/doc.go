// Package hook is the room of webhooks of things and of devices: each message of values is told to a program of its owner's.
//
// Invariants:
//   - A value is told once queued, and queued once: it reaches this room from the row that made it durable (series.Tap), and
//     events and how far values were looked at are one transaction. A kill at any moment neither misses a value nor queues one twice.
//   - An event is sent at least once, and has one event_id each time, which is also its Idempotency-Key.
//   - Events of one webhook go in the order of their values: while one is not taken, those behind it wait. One that nobody takes in a
//     day is given up.
//   - What waits is on disk and bounded. What does not fit takes the place of the oldest, and is counted where people see it.
//   - A webhook that nobody takes anything from for three days, or whose receiver wants no more, is turned off, and its owner told.
//   - A webhook reaches no machine of the operator's own networks, unless the operator has allowed it (base/outbound).
//   - Address and secrets are sealed under the key of the thing or device, events under that of their thing.
//
// Tables: hook, hook_event, hook_position. Topics: none. The address of a thing's webhook and its switch are the thing's own.
//
// Routes: /iot/v2/devices/{id}/webhooks…; ours: /v1/things/{id}/webhook…, /v1/devices/{id}/webhooks….
package hook
