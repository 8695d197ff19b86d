// Package board tests what boards and their clients do, in the bytes that they send, on
// the sockets of the whole house: the traps of the device protocol, and how each
// generation of it starts.
package board
