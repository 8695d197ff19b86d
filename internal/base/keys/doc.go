// Package keys keeps every key of a house: one root key wraps all others.
//
//	root key        outside (token, HSM) or DIR/keys/root.key, which a passphrase may lock
//	 └ DIR/keys/keys.json, one sealed body:
//	    ├ file keys       "core", "history", "keyring": one per database file
//	    ├ keyring key     wraps each row of the keyring database:
//	    │   ├ space keys, person keys     made on first use, erased with whom they belong to
//	    │   ├ thing keys, device keys     the same; sealed under their space's key first, and gone with it
//	    │   ├ purpose keys                one secret for sealing, one for blind indexes and fixed sealing; per name by HKDF
//	    │   └ signers                     P-256 and Ed25519 private keys
//	    ├ backup key      wraps the key of each archive, so that archives outlive the root key
//	    └ recovery key    public half; opens archives when the machine is lost
//
// Opening has two phases, because the keyring is itself a sealed database:
// OpenRoot gives FileKey, and Root.Ring, with the keyring open, gives all else.
//
// Invariants:
//   - No private key and no data key is ever on disk in clear, but for the root
//     key itself when its operator chose to lock it by file mode alone.
//   - A root key that does not belong to keys.json is ErrWrongKey; any other
//     change to a file, of one bit or more, is ErrDamaged. Both name the file.
//   - A file is replaced whole: temporary file, fsync, rename, fsync of the directory.
//   - An erased key stays erased: its row keeps a mark, and nobody gets a fresh
//     key for that id (ErrErased).
//
// Files: keys/root.key, keys/keys.json, keys/recovery.key (to be moved away), keys/lock,
// and root.key.new while the root key is being rotated. All are mode 0600 in a
// directory of mode 0700; anything wider is refused (ErrReadable).
//
// Tables: key, in the keyring database.
//
// A token or HSM behind PKCS#11, a TPM or a key service is a Provider given in
// Options; this package has the one for files, and needs no change for others:
// a Provider only wraps and unwraps 32 bytes, at start and at a rotation.
package keys
