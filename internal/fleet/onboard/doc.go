// Package onboard brings boards in that have a key of their own: provisioning 2.0. A person claims a board with a
// token that the board signed, the board asks for a certificate by itself, and becomes a device of the person's space.
//
// Invariants:
//   - A claim proves that whoever claims has the board: it is signed by the board's key, a short time ago, and a token counts for one claim.
//   - The key of a board stays the one that a claim was signed with, for as long as a device stands for the board or somebody
//     is bringing it in. Until a claim was signed with it, a registration says nothing, and may be replaced.
//   - A board has one onboarding at a time. A newer claim ends the one before, in whichever space that is.
//   - A board is in one space. Who claims it takes it out of the space that it was in, unless its device is locked there.
//   - The certificate is for the device's id; what the request calls the board decides nothing.
//   - Claiming and provisioning are acts (docs/acts/claim-board.md): numbered steps, each repeatable. The board repeats
//     what it got no answer to; what it never comes back for is taken back after a day.
//
// Tables: onboard, onboard_board. Topics: none.
// Routes: /provisioning/v1.
package onboard
