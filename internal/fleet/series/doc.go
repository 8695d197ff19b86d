// Package series keeps the history of property values.
//
// A point goes into a queue; one committer takes what waits, writes it as one sealed row
// of the log in one transaction, and only then shows it and calls back. A flush moves
// points from the log into chunks, some at a time, while commits go on. What is too old is
// removed by Retain, what is erased by Erase.
//
// Invariants:
//
//   - What a caller was told is kept, or what anybody was shown, is on disk.
//   - A point is in the log, in chunks, or, between two steps of a flush, in both; never in neither.
//     Of two points of a series at one instant the one that was written later counts.
//   - Every row is sealed under the key of its thing, at its own place: a row that is moved,
//     cut or changed is an error that names it. A row of the log that is missing stops the start.
//   - Answers are of one moment: a flush in between is noticed, and the question asked again.
//   - A value and its copies (Mirror) are one commit; who follows (Tap) misses none, across any kill.
//   - Memory is bounded: by the queue, by the log, and by what one query may read.
//
// Tables, in the database "history": series (what stands for a property), series_last (its newest value),
// series_log (one row a commit), series_chunk (packed points). The room has no routes and no topics:
// fleet/thing asks it.
package series
