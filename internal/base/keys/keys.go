package keys

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

var (
	// ErrWrongKey is a file or database that is wrapped by another root key than the one at hand.
	ErrWrongKey = problem.New(problem.Precondition, "wrong-root-key", "The root key is not the one that these keys are wrapped by.")
	// ErrDamaged is a file whose content is not what was written.
	ErrDamaged = problem.New(problem.Precondition, "keys-damaged", "A file with keys is damaged.")
	// ErrNewer is a file of a version that we do not know yet.
	ErrNewer = problem.New(problem.Precondition, "keys-newer", "A file with keys was written by a newer version of Ardesia.")
	// ErrMissing is a file without which existing data cannot be read.
	ErrMissing = problem.New(problem.Precondition, "keys-missing", "A file with keys is missing.")
	// ErrPassphrase is a passphrase that is missing, wrong, too short or not asked for.
	ErrPassphrase = problem.New(problem.Precondition, "keys-passphrase", "The passphrase does not open the key.")
	// ErrReadable is a file or directory with keys that others on the machine may read.
	ErrReadable = problem.New(problem.Precondition, "keys-readable", "Others on this machine may read the keys.")
	// ErrExists is a key that would have been overwritten.
	ErrExists = problem.New(problem.Conflict, "key-exists", "There is a key already.")
	// ErrErased is the key of what was erased: a space, a person, a signer, a thing or a device. It never comes back.
	ErrErased = problem.New(problem.NotFound, "key-erased", "This was erased, and its key destroyed.")
	// ErrSeal is a sealed value that was changed, moved or made under another key.
	ErrSeal = problem.New(problem.Internal, "seal-broken", "A stored value is damaged.")
	// ErrName is an id or a name that no key can have.
	ErrName = problem.New(problem.Invalid, "key-name", "A key's id is 1 to 128 bytes of printable ASCII.")
)

// A Provider holds a root key. It wraps the 32-byte key of keys.json and of each
// archive, and nothing else: a few calls at start, so it may be slow or far away.
//
// Wrap authenticates aad and Unwrap fails, with any error, unless it gets the same.
// ID names the root key; it is written beside what the key wrapped, in clear, and must never name two keys.
type Provider interface {
	ID() string
	Wrap(ctx context.Context, key, aad []byte) ([]byte, error)
	Unwrap(ctx context.Context, wrapped, aad []byte) ([]byte, error)
}

// Options say how to come by the root key.
type Options struct {
	// Root is a root key kept elsewhere; nil for the one in DIR/keys/root.key.
	Root Provider
	// Passphrase unlocks root.key, or locks it when this start makes it. Empty
	// for a root key that is kept safe by its file mode. At least MinPassphrase characters.
	// Excludes Root.
	Passphrase secret.String
	// Now is the clock; required.
	Now func() time.Time

	// cut is asked before each step on disk; an error ends the work there, as a
	// power cut would. For tests.
	cut func(step string) error
}

// MinPassphrase is how many characters a passphrase has at least: whoever stole
// the file can try about as many as he has memory for, for as long as he likes.
const MinPassphrase = 12

// Place joins the parts of the name of a place (table, column, row, version),
// so that no two places read the same: it is what to hand a Sealer as aad.
func Place(parts ...string) []byte {
	n := 0
	for _, p := range parts {
		n += len(p) + 2
	}
	return AppendPlace(make([]byte, 0, n), parts...)
}

// AppendPlace is Place in memory of its caller.
func AppendPlace(dst []byte, parts ...string) []byte {
	for _, p := range parts {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

// checkName refuses what cannot be the id of a key. Ids come from our own tables
// and names from our own code; this keeps mistakes out of a table that remembers for ever.
func checkName(name string) error {
	if name == "" || len(name) > 128 {
		return ErrName
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' {
			return ErrName
		}
	}
	return nil
}
