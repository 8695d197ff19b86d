// Package clients drives the official JavaScript clients, unmodified, against the
// whole house. They judge whether we are compatible.
//
// arduino-iot-js names a Git address for @arduino/cbor-js. package-lock.json names the same
// package of the registry in its place (an "overrides" would, but npm 9 as Debian has it cannot
// read one for a Git address): whoever makes the lock anew has to do so again.
package clients
