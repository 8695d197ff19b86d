// Package backup copies a running house into two archives, and makes a house of
// them again.
//
// There are two, because erasing works by destroying a key: what was sealed under
// the key of an erased space, thing or device is unreadable in every archive, however old, only if
// that archive does not hold the key.
//
//	data archive      core, history, the audit log, tls/, ca/, the configuration. Keep it as long as you like.
//	keyring archive   the keyring database and what unwraps it. Keep it for 7 days
//	                  (KeyringLife) and apart from the others; To deletes older ones.
//
// A restore needs one of each: any data archive, and a keyring archive that was
// made with it or later. With the newest keyring archive, what was erased stays erased.
//
// Who may open an archive: each has a fresh key of its own, which its head holds three times:
//
//	"keys"      wrapped by the backup key in keys.json: the house itself opens all its
//	            archives, whatever root keys it had; and so does a keyring archive for data archives
//	"root"      wrapped by the root key of the time: a copy of root.key, or the token, is enough
//	"recovery"  wrapped for the recovery key, if one was made: HPKE with ML-KEM-768 and X25519.
//	            Its private half is a file that belongs in a safe, not on this machine
//
// Content is sealed by Tink's streaming AEAD (AES-256-GCM-HKDF, segments of 1 MiB)
// and signed with the house's P-256 key "backup" as a whole, the head included.
// Anyone who has the public half of the recovery key can make something that it
// opens; so the recovery key remembers whose signature to believe.
//
// Invariants:
//   - Nothing is restored from an archive before it was read to its end and its
//     signature proved; a cut-off, changed or extended one is ErrDamaged or ErrSignature, which names
//     the archive and the place, and leaves nothing behind.
//   - An archive that To has given its name was restored once, into a directory that is gone again:
//     every page read, every index compared, every key of the keyring opened.
//   - Rows on disk are always sealed: also in the temporary files of both directions.
//
// On SQLite a database is in its archive as a sealed file (form "file"), on
// PostgreSQL as a dump of rows (form "dump"); either can be restored to either engine.
//
// docs/acts/restore.md has the steps of a restore, with the numbers that the code bears.
//
// This room has no tables, topics or routes.
package backup
