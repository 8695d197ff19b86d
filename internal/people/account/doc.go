// Package account is the room of people: who they are and how they prove it.
//
// Invariants:
//
//   - E-mail address and name are sealed under the person's own key, which can be
//     erased; an address is found by a keyed hash of its normalised form.
//
//   - A password is kept only as Argon2id. Checking costs the same whether the
//     person exists or not, and at most as many checks run at once as there are cores.
//
//   - Everybody has a private space. It is made by the room of spaces; a crash
//     between the two is repaired at the next start.
//
//   - What a person says of themselves (name, user name, telephone, addresses, picture, choices) is in
//     the tables of this room only, sealed under the person's key.
//
//   - An address is one person's: it is the first of one account, or a further one, and
//     was proved before it counts.
//
//   - Two addresses are one if they differ in the case of ASCII letters only. A letter goes to an address as it is
//     stored, never to what was typed.
//
//   - Who froze an account against somebody else opens it by an address that was there LinkFreeze's life before, or that
//     it began with, even if it was removed meanwhile; what was added in that time is taken away first.
//
//   - A link that was sent works once, for its purpose, for its time; only its SHA-256 is kept.
//
//   - Who leaves has seven days to think again. Then the account is replaced by the intent to
//     erase the person: docs/acts/erase-person.md.
//
// Tables: account, account_profile, account_picture, account_choice, account_address,
// account_former, account_link, account_erase. Routes: none; the pages of the room of signing in and the administrator's verbs call this one.
package account
