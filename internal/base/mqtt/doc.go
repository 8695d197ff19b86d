// Package mqtt is our broker: MQTT 3.1.1 and 5 for devices and for the sessions of
// their owners, over TLS and WebSocket. It knows no noun of ours: who may come in
// is the Authenticator's word, what a topic means is the Handler's.
//
// Invariants:
//   - PUBACK (PUBREC for QoS 2) is sent after the Handler said done(nil), never
//     before, and in the order in which the messages of a connection arrived. A
//     message that the Handler failed gets none, and its connection is closed.
//   - Nothing is relayed by itself: what a subscriber gets is what Send was given,
//     after the value is on disk. Config.Relay names the exceptions.
//   - A right is asked at SUBSCRIBE and again at each delivery. Answers are kept
//     until Recheck, at most Limits.RightsFor.
//   - Whoever may not publish is acknowledged and not heard; whoever may not
//     subscribe is granted and not told anything (device-protocol reference, section
//     0 trap 5 and section 2). Refusals are made at CONNACK and nowhere else.
//   - One packet is one TLS record, or several of at most 4096 bytes; two packets
//     never share one (traps 2 and 3).
//   - A device has one session: the newest. Its Connected and Disconnected come in
//     turns. The sessions of a user live side by side under one client ID.
//   - Nothing is retained, no will is sent, no topic alias and no shared
//     subscription is offered; $-topics lead nowhere.
//   - Everything that a peer can make us hold has a bound in Limits.
//
// The way of a connection in the code: accept (listener.go) → gate (gate.go) → TLS
// and CONNECT (connect.go) → attach (seat.go) → read loop (session.go, inbound.go)
// → what is sent back (outbound.go, state.go). engine.go is the only file that
// knows mochi-mqtt/server, which decodes and answers the control packets and
// keeps the tree of subscriptions; docs/adr/0004-broker.md says why not more.
//
// Tables: none. Routes: none; WebSocket is an http.Handler for the server to place.
package mqtt
