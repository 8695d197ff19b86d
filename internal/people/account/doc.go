// Package account is the room of people: who they are and how they prove it.
//
// Invariants:
//   - E-mail address and name are sealed under the person's own key, which can be
//     erased; an address is found by a keyed hash of its normalised form.
//   - A password is kept only as Argon2id. Checking costs the same whether the
//     person exists or not, and at most as many checks run at once as there are cores.
//   - Everybody has a private space. It is made by the room of spaces; a crash
//     between the two is repaired at the next start.
//
// Tables: account. Routes: none yet; the administrator's verbs call this room.
package account
