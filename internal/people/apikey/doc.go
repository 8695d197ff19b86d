// Package apikey is the room of keys for programs: a client id and a secret that
// act for a person.
//
// Invariants: a secret is shown once and kept as SHA-256 only (it is random, 256
// bits and more, so a slow hash would protect nothing); a revoked key never works
// again, and tokens fetched with it end at once.
//
// Tables: apikey. Routes: none yet; the administrator's verbs call this room.
package apikey
