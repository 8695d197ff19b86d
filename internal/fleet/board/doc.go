// Package board is the catalogue of boards that clients ask for before they make a
// device: names, families, and which of them are updated over the air.
//
// Invariants:
//   - It is a constant table: no state, no store, nothing that an operator sets.
//   - No LoRa network is behind this server, so a LoRa device is refused in words and
//     never made.
//
// Tables: none.
package board
