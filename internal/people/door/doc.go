// Package door is the way in over HTTP: it knows who comes, in which space, and
// whether they may, before a room's handler runs. Each route is data; what is
// not declared does not exist.
package door
