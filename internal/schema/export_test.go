package schema

// Read is read, for tests with files of their own.
var Read = read
