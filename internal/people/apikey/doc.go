// Package apikey is the room of keys for programs: a client id and a secret that
// act for a person.
//
// Invariants:
//   - A secret is shown once and kept as SHA-256 only (it is random, 256 bits and more, so a
//     slow hash would protect nothing).
//   - A revoked key never works again, nor does any that was made with it, and tokens fetched
//     with them end at once. A key that rests can be enabled again; its old tokens cannot.
//   - A key with an end counts for nothing from that moment on, and is revoked soon after.
//   - A key that is bound to one space enters no other. A service account's has a role of its
//     own there, and is never more than its person at that time.
//
// Tables: apikey. Routes: /v1/apikeys (a person's own), /v1/spaces/{id}/apikeys (for
// administrators: those bound to the space).
package apikey
