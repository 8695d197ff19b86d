// Package ca is the authority that certifies devices: it turns a board's request
// into a certificate that the board can rebuild from four fields, and says at each
// connect whether a certificate is one of ours that still counts.
//
// Invariants:
//   - A certificate counts when the CA issued exactly these bytes for this device,
//     and it is neither revoked, disabled nor out of time, and its generation is
//     accepted. The common name decides nothing: the serial finds the row, and the
//     public key and the whole DER must equal what is stored.
//   - A key certifies one device. While a live certificate of another device has
//     it, and for ever once it was reported as stolen, it is refused.
//   - Issuing, revoking and rotating are acts (docs/acts): numbered steps, an entry
//     in the journal before or with the effect, each step repeatable. Repair brings
//     every interrupted act to its end or back to its start.
//   - Whoever is told of a revocation by Changes can rely on Check to agree.
//
// All generations bear the same name, because boards have it compiled in; the
// authority key identifier tells them apart.
//
// Tables: ca_generation, ca_certificate. Topics: none.
// Routes: /iot/v2/devices/{id}/certs and below.
package ca
