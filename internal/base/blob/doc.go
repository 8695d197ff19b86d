// Package blob keeps files of customers in the database, sealed in parts under the key of their space, so that
// they are in every backup, in every process of a cluster, and gone with their space.
//
// A file is written as it comes and read from anywhere in it; neither holds more than one part of it in memory.
// Each part is sealed for its place: file, number, and whether it is the last. Parts cannot be
// changed, swapped, moved to another file, or left out at the end.
//
// Invariants:
//   - A file is read only when it is whole. Put makes it so; Keep, in the transaction of whoever refers to
//     it, says that somebody does. What nobody keeps within a day goes.
//   - A whole file never changes.
//
// Tables: blob, blob_part.
package blob
