// Package trigger is the room of triggers: conditions on the values of a property or on the status
// of devices, and what is done when one comes to hold.
//
// Invariants:
//   - A value is looked at once. It reaches this room from the row that made it durable (series.Tap); what
//     follows from it (deliveries, what the trigger remembers, how far values were looked at) is one transaction. A
//     kill at any moment neither misses a decision nor makes one twice.
//   - A decision of a trigger that was changed or deleted meanwhile is not done: the transaction asks
//     for the revision that decided.
//   - A delivery is made at least once, and has one id each time. Letters, notices and written values are
//     deduplicated on it; a webhook's receiver gets it as Idempotency-Key.
//   - A delivery that nobody takes is tried with growing pauses for a day, then it is dead and can be had tried anew.
//   - Nobody outside of the space is written to, and nobody who said that he wants no more of a trigger.
//   - A webhook reaches no machine of the operator's own networks, unless the operator has allowed it.
//   - A trigger does no more than its rate, and a space no more in a day than its quota: what is beyond
//     is not done and counted.
//   - Values come in the order of their commits, not of their times: a board that tells late is heard late.
//
// Tables: trigger, trigger_action, trigger_state, trigger_online, trigger_position, trigger_delivery,
// trigger_usage, trigger_mute, trigger_push. Topics: none.
//
// Routes: /iot/v1/triggers…, /iot/v1/actions…; ours: /v1/triggers/import, /v1/triggers/usage,
// /v1/triggers/fired, /v1/triggers/{id}/mute, /v1/actions/{id}/deliveries…, /v1/push…. Pages: /unsubscribe/{token}.
package trigger
