package apikey

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNotFound is a key that does not exist.
	ErrNotFound = problem.New(problem.NotFound, "apikey-not-found", "There is no such API key.")
	// ErrCredentials is a wrong client id or secret, or a revoked key; which is not told.
	ErrCredentials = problem.New(problem.Unauthenticated, "apikey-credentials", "Client id or client secret is wrong, or the key was revoked.")
	// ErrName is a name that is empty or too long.
	ErrName = problem.New(problem.Invalid, "apikey-name", "A key's name has 1 to 64 characters.")
)

// Official tools insist on these lengths (arduino-cloud-cli: exactly 32 and 64).
const (
	idLetters     = 32
	secretLetters = 64 // of 62: 381 bits
)

// isID says whether text can be a client id at all. No other text is looked up: clients
// may send what an engine cannot even compare.
func isID(text string) bool {
	if len(text) != idLetters {
		return false
	}
	for _, c := range []byte(text) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// A Key acts for a person.
type Key struct {
	ID        string // client id
	Account   string // user id
	Space     string // the only space that it enters; "" for all of the person's
	Name      string
	Enabled   bool
	Version   int64
	CreatedAt time.Time
	UsedAt    time.Time // zero: never; some minutes late
}
