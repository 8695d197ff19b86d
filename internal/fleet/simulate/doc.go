// Package simulate is the room of boards that the server is itself, for a while: who has no hardware yet sees values come by one
// click.
//
// Invariants:
//   - A simulated board is a device as any other: it comes in at the door of boards by id and secret key, over TLS, and what it sends
//     counts like what a real one sends.
//   - Its secret key is in memory only, while it runs: nothing of a simulation is on disk but the journal's entries. So none is there
//     after a restart; whoever wants it starts it again.
//   - Each ends by itself after Lasts. A space has at most PerSpace of them, a server PerServer.
//   - It ends with its key: when the device is deleted, or has another secret key, and when somebody else connects as the device, who
//     is the real one.
//
// Tables: none. Topics: none of its own.
//
// Routes: /v1/devices/{id}/simulation.
package simulate
