// Package org is the room of spaces: where devices and things belong, and who
// may do what there.
//
// Invariants:
//   - Every person has exactly one private space and is its only member, as admin.
//   - Clients know a shared space by its id and a private one by no id at all.
//   - A shared space always has an admin.
//   - To who is not a member, a space does not exist.
//   - A space that is being erased has no members from the moment that it is
//     decided, and is known by its id alone; once erased it never comes back.
//
// Tables: org, org_member, org_erase. Routes: GET /v1/spaces.
package org
