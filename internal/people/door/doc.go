// Package door is the way in over HTTP: it knows who comes, in which space, and
// whether they may, before a room's handler runs.
//
// Each [Route] is data that names its action, resource, body limit and schema;
// what is not declared does not exist, and a wrong declaration stops the start.
// A request is looked at in one order: its address is tidied, its route found,
// its bearer token checked, its key's rate, the space that its address or X-Organization names,
// the resource, the policy, the body; then the room's handler decodes, calls one
// verb and encodes. Whatever fails is answered as a goa error object.
//
// Invariants. Without a good token the answer is 401 on every route but the open
// ones, before anything is looked up, so that it cannot tell which ids exist; an
// address without route is 404 to everyone. A body is read only after the policy
// has agreed, and never beyond the route's bound.
//
// This room has no tables and no routes of its own.
package door
