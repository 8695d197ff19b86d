// Package factor is the room of what a person has beside a password: an
// authenticator app, passkeys, and recovery codes on paper.
//
// It has no pages: the room that signs people in calls it, keeps what it hands out
// as state, asks the room against guessing before each check, and decides in which
// order steps come. This room knows whether one step was good.
//
// Invariants:
//   - A code of an app counts once: the database takes a time step only if it is
//     later than the last, whoever asks at the same time, in whichever process.
//   - An answer to a challenge counts once, for the ceremony and the person that the
//     challenge was made for, within five minutes.
//   - A passkey is the only step of a sign-in only if its authenticator verified the
//     person, now and when the passkey was made.
//   - A recovery code is kept as Argon2id, sealed; a check costs one hash whether
//     there is such a code, and such a person, or not. Each is good once, and is
//     replaced in the transaction that uses it up.
//   - Nobody but the person changes what the person has: the policy forbids it to
//     everyone else, the administrator and this server included. What goes, goes with
//     the account (Forget).
//   - Secrets, credential ids, public keys and labels are sealed under the person's
//     key, at their place: a row that was moved, or made by somebody who can write to
//     the database alone, does not open.
//   - Each change has its journal entry in its transaction, and is then published.
//     That a code or a passkey was good is no change: who signs in is told elsewhere.
//
// Tables: factor_totp, factor_handle, factor_passkey, factor_challenge,
// factor_recovery. Routes: none.
package factor
