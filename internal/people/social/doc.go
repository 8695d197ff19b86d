// Package social is the room of those elsewhere whom people sign in with: Google, GitHub,
// Apple, and any issuer that speaks OpenID Connect.
//
// It has no pages: the room that signs people in calls it, keeps what Begin hands out for one
// browser, and decides what somebody may do whom a provider vouches for. This room knows how to ask a
// provider, what of an answer can be believed, and which account a provider's person belongs to.
//
// Invariants:
//   - An answer counts for the journey that it was asked for: the provider by its own return
//     address and by iss (RFC 9207), the code by PKCE (RFC 7636, S256), the ID token by its nonce; within
//     ten minutes of the question.
//   - An ID token counts with a signature of a key that its issuer publishes now, by an algorithm
//     with a public key, for our client id alone.
//   - Nothing that a provider gives outlives the answer but issuer and subject: no token, no
//     address, no name. Both are sealed under the person's key, and found by a keyed hash.
//   - One person of a provider belongs to one account. An account has one person of each provider.
//   - Nobody but the person links and unlinks; each change has its journal entry in its transaction.
//   - Connections go to public addresses only, unless the operator allows a provider otherwise; what
//     comes back is bounded, in size and in time.
//
// Tables: social_link. Routes: none.
package social
