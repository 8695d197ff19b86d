package schema

// Read is read, for tests with files of their own.
var Read = read

// ReadColumns is readColumns, for tests with texts of their own.
var ReadColumns = readColumns
