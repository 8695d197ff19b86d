// Package schedule reads the values of cloud schedulers: from when, until when, how long and how often something is to be
// on. It is pure: it knows neither properties nor a clock.
//
// Invariants:
//   - A schedule is on exactly when a board's library says so, which looks at the wall clock of the thing's time
//     zone: where that clock jumps, a schedule jumps with it.
//   - Any four numbers are a schedule; those that no board understands are never on.
//   - The work for one answer is bounded, whatever the numbers are.
package schedule
