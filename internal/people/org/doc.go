// Package org is the room of spaces: where devices and things belong, who may do
// what there, and how much of it there may be.
//
// Invariants:
//   - Every person has exactly one private space and is its only member, as admin.
//   - Clients know a shared space by its id and a private one by no id at all.
//   - A shared space always has an admin. Its owner stays one until the space is handed over,
//     and nobody becomes owner who has not agreed or is not an admin already.
//   - Nobody but the operator puts a person into a space: people come by an invitation that
//     they take themselves. An invitation to an address is good for the account that has it.
//   - To who is not a member, a space does not exist, nor does an invitation to who may not take it.
//   - A space that is being erased has no members from the moment that it is
//     decided, and is known by its id alone; once erased it never comes back.
//   - A logo is kept as pixels that this program has written anew.
//
// The token of an invitation is 256 random bits, kept as SHA-256 only; it is told once, in a
// link, after a # that browsers keep to themselves.
//
// Tables: org, org_member, org_invite, org_logo, org_limit, org_erase.
// Routes: /v1/roles, /v1/spaces and below but for apikeys, /v1/invitations.
package org
