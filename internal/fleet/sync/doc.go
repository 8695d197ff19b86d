// Package sync is the room of groups of properties that are kept the same: what one of them becomes, all others become,
// on whatever things they are.
//
// Invariants:
//   - The properties of a group are of one type and one space, and a property is in one group.
//   - A value and its copies are one transaction of history (series.Mirror): a kill at any moment leaves all or none
//     of them, and none twice.
//   - The last writer wins, in the order in which values arrive. A copy is newer than all that its property had.
//   - A copy is not copied. What a board says again of what it was told (boards confirm what is written to them) is no change,
//     and neither is a value that is older than what its property has, or that the others have already.
//   - What only its board may set gives and takes nothing. What is deleted or has another type neither gives nor takes, and
//     is shown so.
//
// Tables: sync, sync_member. Topics: none of its own; copies reach boards on those of their things.
//
// Routes: /iot/v1/sync….
package sync
