// Package clients drives the official JavaScript clients, unmodified, against the
// whole house. They judge whether we are compatible.
package clients
