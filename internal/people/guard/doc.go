// Package guard is the room that keeps guessing hopeless: it counts tries, says when
// one is refused or answered late, and notices what no single counter shows.
//
// Whoever checks a secret asks Ask before the work and calls Tell after it. Ask counts
// the try at once, so that a thousand at a time are not more than one by one. The limits are
// the table rules in guard.go.
//
// Invariants:
//   - No answer, and no figure that leads to one, depends on whether an account exists.
//   - Nobody can lock another out: an account over all addresses is never refused, only asked for a second
//     proof; tries from a device that is known to belong to it are counted by themselves. A program is
//     refused only where wrong secrets came from, and where it was right before its neighbours' failures do not count.
//   - Addresses are kept as keyed hashes; where a person came from last, to a tenth of a degree, is sealed under that person's key.
//   - A clock that is set back neither ends nor lengthens a block.
//   - Memory is bounded, and an attacker cannot buy forgetting cheaply: see table in count.go.
//   - Nothing is ever asked of anybody outside: lists of passwords and places of addresses are files.
//
// Counting is in memory. Run writes what changed every two seconds, with the journal
// entries of events; a crash loses no more. Several processes on one database count
// each by itself.
//
// Tables: guard_count, guard_place. Routes: POST /v1/apikeys/leaked.
package guard
