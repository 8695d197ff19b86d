package apikey

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrNotFound is a key that does not exist.
	ErrNotFound = problem.New(problem.NotFound, "apikey-not-found", "There is no such API key.")
	// ErrCredentials is a wrong client id or secret, or a revoked key; which is not told.
	ErrCredentials = problem.New(problem.Unauthenticated, "apikey-credentials", "Client id or client secret is wrong, or the key was revoked.")
	// ErrName is a name that is empty or too long.
	ErrName = problem.New(problem.Invalid, "apikey-name", "A key's name has 1 to 64 characters.")
	// ErrRole is a service account's key without a space, or above its maker.
	ErrRole = problem.New(problem.Forbidden, "apikey-role", "A key with a role of its own works in one space, and its role is not above yours there.")
	// ErrRevoked is a key that is to work again.
	ErrRevoked = problem.New(problem.Precondition, "apikey-revoked", "This key was revoked, which is for good: make another one.")
	// ErrEnds is an end that is over, or too far away.
	ErrEnds = problem.New(problem.Invalid, "apikey-ends", "A key ends in the future, within ten years, or never.")
	// ErrFull is a space with as many keys as it may have.
	ErrFull = problem.New(problem.Precondition, "apikey-limit", "The space has as many API keys as it may have.")
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
	ID        string      // client id
	Account   string      // user id
	Space     string      // the only space that it enters; "" for all of the person's
	Role      access.Role // the most that it may be there: a service account's; "" for all that its person is
	Name      string
	Enabled   bool // works; one that is neither enabled nor revoked rests
	Version   int64
	MadeBy    string // the key that made it, and takes it along when it is revoked; "" for none
	CreatedAt time.Time
	UsedAt    time.Time // zero: never; some minutes late
	RevokedAt time.Time // zero: not
	ExpiresAt time.Time // when it ends by itself; zero: never
}

// Expired says whether the key's own time is over.
func (k Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

// maxLife is for how long a key with an end may be made: ten years.
const maxLife = 10 * 365 * 24 * time.Hour

// A Wish is what somebody wants of a new key.
type Wish struct {
	Account   string      // for whom it acts: user id
	Space     string      // the only space that it enters; "" for all of the person's
	Role      access.Role // the most that it may be there; "" for all that its person is
	Name      string
	ExpiresAt time.Time // when it ends by itself; zero: never
}

// Revoked says whether the key never works again.
func (k Key) Revoked() bool { return !k.RevokedAt.IsZero() }
