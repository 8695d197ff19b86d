// Package audit keeps the journal a second time, outside of the database, in a log
// that cannot be changed without being found out.
//
// The journal (base/journal) is written with each change and in its transaction. This room
// follows it: every entry becomes one leaf of a Merkle tree (RFC 6962, section 2.1) in
// DIR/audit, in the journal's order and once. The size and the root of the tree are signed
// with an Ed25519 key of the key ring: a checkpoint. Whoever keeps a checkpoint somewhere
// else can prove later that everything up to it is still what it was, whatever
// became of database, keys and machine since.
//
// Invariants:
//   - The log is its own cursor: what its last leaf says is where the journal is
//     followed from. Nothing that the log lacks counts as appended, so that a kill between any
//     two steps neither loses an entry nor appends one twice.
//   - A leaf is a function of its entry and of nothing else: a log that is made again from
//     the same journal is the same log.
//   - Nothing is appended to a log that does not prove: a start recomputes it first,
//     because a new signature over it would hide what somebody did.
//   - A database that was set back does not stop the house: the log says to which entry
//     (a mark), the journal says it too (audit:restored), and Verify tells of it for ever.
//   - Leaves hold identifiers only, as the journal does, and are never taken back. On disk
//     they are sealed, as all that this house writes; the tree over them proves without the key.
//   - Refusals, which change nothing and so have no entry of their own, are counted and
//     recorded by the minute (see Event), so that nobody can fill the log with them.
//
// Files: DIR/audit, as c2sp.org/tlog-tiles has it; .state in it is Tessera's.
//
// Tables: audit, audit_person, in the core database.
//
// Routes: GET /v1/me/activity.
//
// docs/acts/audit.md has the steps of appending and of what a start repairs, with the
// numbers that the code bears.
package audit
