// Package house tests what only the whole house can show: tenants that cannot see
// each other, tokens as real clients fetch them, restarts that lose nothing.
package house
