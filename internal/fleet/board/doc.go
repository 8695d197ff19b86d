// Package board is the catalogue of boards that clients ask for before they make a
// device: names, families, which of them are updated over the air, and the programs that they are provisioned with.
//
// Invariants:
//   - It is a constant table. What an operator adds are provisioning programs, in a folder; a board is said to
//     take part in provisioning 2.0 when there is one for it.
//   - No LoRa network is behind this server, so a LoRa device is refused in words and
//     never made.
//
// Tables: none.
package board
