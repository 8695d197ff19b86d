// Package topic is the language of addresses that devices and their owners speak
// over MQTT, and the rule of who may use which.
//
// Invariants:
//   - A name has exactly one reading: Parse accepts the eight forms of the table
//     below with a lower-case UUID in canonical form, and nothing else. Wildcards,
//     shared subscriptions and $-topics have no reading, so nothing is allowed for
//     one: where the broker lets a user's wildcard stand, it asks for each message by its name.
//   - The table is declared in topic.go, once: forms, directions and rights.
//   - A device reaches its own device topics and those of the thing that it is
//     attached to at this moment. A user reaches thing topics of things that
//     the caller's rule admits.
//   - Everything here is pure: no state, no I/O, no allocation. The broker may ask
//     for each message that it delivers, not only at SUBSCRIBE; it should, because
//     attachments change while a session lasts.
//
// Tables: none. Routes: none. Topics ({d} device, {t} thing):
//
//	/a/d/{d}/c/up       device → cloud   CommandUp    one tagged command
//	/a/d/{d}/c/dw       cloud → device   CommandDown  one tagged command
//	/a/d/{d}/e/o        device → cloud   DeviceOut    SenML, first protocol generation
//	/a/d/{d}/e/i        cloud → device   DeviceIn     SenML, first protocol generation
//	/a/t/{t}/e/o        device → cloud   ThingOut     SenML, values
//	/a/t/{t}/e/i        cloud → device   ThingIn      SenML, writes
//	/a/t/{t}/shadow/o   device → cloud   ShadowOut    SenML, question for the last values
//	/a/t/{t}/shadow/i   cloud → device   ShadowIn     SenML, last values
package topic
