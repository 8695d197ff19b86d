// Package access says who acts, in which space, and whether they may.
//
// An [Actor] is made at a door (HTTP, MQTT, the admin socket) and handed down to
// every verb, so that a signature shows that permission is asked. A [Policy]
// answers with nil, [ErrDenied] or [ErrForbidden]; it is written in Cedar
// (policy.cedar), denies by default, and an error in it denies.
//
// To a stranger "may not" and "is not there" are the same answer: ErrDenied is
// of kind NotFound. Only a member of the resource's space, whose role is too
// low, is told so with ErrForbidden.
//
// This room has no tables and no routes.
package access
