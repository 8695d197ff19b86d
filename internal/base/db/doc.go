// Package db is the one door to the system of record. It runs the same SQL text
// on two engines: SQLite in a sealed file (the default) and PostgreSQL.
//
// What a caller may rely on:
//
//   - Write runs one function in one transaction. In one process writes to one
//     database run one after the other. When Write returns nil the transaction is
//     on disk; when it returns an error nothing of it is.
//   - Read runs one function on a snapshot that no writer changes.
//   - Texts name their parameters $1 to $n, each at least once. They hold one statement.
//   - Portable types are TEXT, BIGINT, BOOLEAN, BYTEA and DOUBLE PRECISION. Times are
//     BIGINT, microseconds since 1970 in UTC. Columns are listed, never "*".
//   - PostgreSQL may refuse a transaction because another process was faster. Then
//     Write runs the function again, so it must have no effect but on the database
//     and on variables that it sets each time.
package db
