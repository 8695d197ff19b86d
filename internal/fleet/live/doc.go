// Package live is the room of what goes on at this moment: values of things and the status of devices, told over one HTTP
// connection for as long as somebody listens.
//
// Invariants:
//   - Only what is on disk is told: values behind their commit, the status of a device once it is saved.
//   - What is told is what the client does not have yet, and the newest of it: between two flushes a property counts once,
//     whatever came for it. Nothing older than the last value is ever told.
//   - A client that reads slowly slows nobody and costs nothing: what it has still to hear is kept once for all clients of
//     its space, in a bounded number of bytes. What does not fit is lost to those that have not read it, and they are told so.
//   - An id stands for a place in what this run of the server has told. Whoever comes back with one gets all that is newer,
//     maybe some of it twice, or hears that this cannot be told.
//   - Who listens, in which role, and what is lent to them is asked again when it may have changed, and every few seconds. What they
//     may not see any more is not told, and who is nobody any more is hung up on.
//   - There is nothing of this room on disk.
//
// Tables: none. Topics: none. Routes: GET /v1/live.
//
// Begin with board.go (what is told), then stream.go (to whom). Why it is so: docs/adr/0030-live.md.
package live
