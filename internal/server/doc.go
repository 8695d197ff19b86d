// Package server puts the house together: it opens the data, makes the rooms from
// the ground up, hands each what it needs of those above it, and opens the doors.
// It decides nothing itself.
//
// A life: [New] takes the directory's lock, opens keys and databases, repairs what
// a crash left half done, and starts nothing. [Server.Run] binds every listener,
// then starts parts from the ground up, and stops them in reverse: doors first,
// data last. [Server.Close] closes the databases and gives the lock back.
//
// Files of DIR: keys/, core.db, history.db, keyring.db, tls/ca.pem, tls/server.pem,
// ca/device-ca.pem, mail/ (letters, without a mail server), lock; while a server runs also admin.sock and addresses.json.
package server
