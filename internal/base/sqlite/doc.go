// Package sqlite keeps one SQLite database in a file that is unreadable without
// its key, and notices when the file is not what it wrote.
//
// # The files
//
// All text is sealed with XAES-256-GCM (c2sp.org/XAES-256-GCM): a 32-byte key, a
// 24-byte nonce whose first half is random per process and whose second half is
// random per seal, a 16-byte tag. What is authenticated beside the text is the
// kind of the piece, the file's identity and the piece's offset, so that pieces
// cannot change places inside a file or between files.
//
//	NAME       pages of 4,096 bytes: 4,056 sealed, 16 tag, 24 nonce (SQLite leaves the last
//	           40 of a page alone). Page 1 begins with the file's identity instead of SQLite's
//	           constant 16 bytes: 8 random bytes and 8 that prove the key.
//	NAME-wal   a sealed header of 72 bytes, then frames of 4,120 bytes, as SQLite counts them:
//	           its frame header and the page are sealed together, so page numbers, salts and
//	           checksums of plaintext are not readable.
//	NAME-mark  two sealed slots, 4,096 bytes apart: how much of NAME-wal is on disk. The process
//	           that holds a lock on it owns the database; there is one at a time.
//	NAME.new   a database or backup while it is made; never opened by that name again.
//
// Rollback journals are kept in memory: only a database under its ".new" name has
// one. Temporary files are sealed with a key that is forgotten, and have no name.
// The shared index of the log is in memory (/dev/shm) where the system has that; it
// holds page numbers and SQLite's running checksum, and is gone after a restart.
//
// # The mark
//
// SQLite takes a frame that does not fit for the end of the log. That is right
// after a power cut, and wrong for a damaged or shortened log. So after each commit
// that reached the disk the mark says how long the log is, by a plain write:
//
//   - mark "none" is made durable before a log begins, is cut to nothing or is removed;
//   - mark "log S, 0 frames" is made durable after the header of log S is, and before its first frame;
//   - mark "log S, n frames" is written after a sync that covered a commit at frame n.
//
// So a mark on disk is never ahead of the log on disk. What the mark covers must
// be there and fit, or opening fails with an error that names the file. Behind the
// mark only the last transaction can be torn, because the one before was synced
// before it began: a frame that does not fit there, with a commit and a frame that
// follows that commit behind it, is damage too; else it is the torn end that
// recovery drops. After a power cut, when the mark may be old, this leaves the last
// transaction and the commit before it without proof that they were whole.
//
// Not noticed is the exchange of all files for an older state of themselves.
package sqlite
