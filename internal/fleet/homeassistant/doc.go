// Package homeassistant is the room of the bridge to Home Assistant: a space's things are announced at a broker that its people
// name, with what they are and what happens to them, and what Home Assistant writes there is written to them.
//
// Invariants:
//   - A space has at most one bridge, and none until an administrator sets one up. One process holds all bridges.
//   - Only what is on disk is told, and of each property the latest alone: a broker that is slow or away costs memory for the
//     names of what waits, and slows no board.
//   - What is announced is written down first, so that what goes while the broker is away is taken back when it is there again.
//   - A topic is made of IDs, variable names and checked prefixes only, whatever people call a thing.
//   - A command is bounded, read by the type of its property, and written as people write values: to writable properties only,
//     within the space's day. One that would change nothing is not written, so that nothing goes in circles.
//   - A broker reaches no further than it says: what it sends is bounded before it is read, and what it keeps of before is no command.
//   - A broker is called like a webhook (base/outbound): at public addresses only by TLS, and in clear only at those of the
//     operator's own networks that webhook-allow names.
//   - Address, user, password and what is chosen are sealed under the space's key. The password is never shown again, and goes to
//     no other broker or user than it was given for.
//
// Tables: homeassistant, homeassistant_thing. Topics: none of ours; those at the broker are in topic.go.
//
// Routes: /v1/integrations/homeassistant.
package homeassistant
