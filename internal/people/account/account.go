package account

import (
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ccojocar/zxcvbn-go"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNotFound is a person who is not known here.
	ErrNotFound = problem.New(problem.NotFound, "account-not-found", "There is no such account.")
	// ErrTaken is an address that another account has.
	ErrTaken = problem.New(problem.Conflict, "account-email-taken", "Another account has this e-mail address.")
	// ErrEmail is a text that is no e-mail address.
	ErrEmail = problem.New(problem.Invalid, "account-email", "This is not an e-mail address.")
	// ErrName is a name that is empty or too long.
	ErrName = problem.New(problem.Invalid, "account-name", "A name has 1 to 128 characters.")
	// ErrWeak is a password that would be guessed.
	ErrWeak = problem.New(problem.Invalid, "account-password-weak", "This password is too easy to guess: take at least 15 characters that are not a known word or pattern.")
	// ErrBreached is a password that is on a list of those that guessing programs try.
	ErrBreached = problem.New(problem.Invalid, "account-password-breached", "This password is on a list of passwords that were stolen elsewhere, which guessing programs try first: take another one, and change it wherever you use it.")
	// ErrCredentials is a wrong address or password; which of them is not told.
	ErrCredentials = problem.New(problem.Unauthenticated, "account-credentials", "E-mail address or password is wrong.")
	// ErrDisabled is a person who was shut out.
	ErrDisabled = problem.New(problem.Unauthenticated, "account-disabled", "This account is disabled.")
	// ErrFrozen is a person who said that somebody else was at work in the account.
	ErrFrozen = problem.New(problem.Unauthenticated, "account-frozen", "This account is frozen. Set a new password to open it again.")
	// ErrBusy says that too many passwords are being checked at once.
	ErrBusy = problem.New(problem.Unavailable, "account-busy", "Too many people sign in at this moment. Try again in a few seconds.").After(5 * time.Second)
)

// Bounds. A password needs 15 characters as long as there is no second factor
// (NIST SP 800-63B-4, section 3.1.1.2), and its length is bounded so that nobody
// buys our processor with it.
const (
	minPassword = 15  // characters
	maxPassword = 256 // bytes
	maxName     = 128 // characters
	maxEmail    = 254 // bytes; RFC 5321, section 4.5.3.1.3
	minScore    = 3   // of zxcvbn, 0 to 4
	// Grace is how long whoever asked to be erased may think again.
	Grace = 7 * 24 * time.Hour
	// Unproved is how long an account stays whose address nobody proves.
	Unproved = 7 * 24 * time.Hour

	judged = 72 // characters that zxcvbn looks at: its work grows with the square, to 0.9 s for 256
)

// A User is one person.
type User struct {
	ID         string // UUID
	Email      string
	Name       string
	Space      string // the private space
	Epoch      int64  // rises when tokens of before must count no more
	CreatedAt  time.Time
	DisabledAt time.Time // zero: may come in
	VerifiedAt time.Time // when the address was proved; zero: not yet
	FrozenAt   time.Time // zero: not frozen
	LeavingAt  time.Time // when the account will be erased; zero: it stays
}

// Disabled says whether the person is shut out.
func (u User) Disabled() bool { return !u.DisabledAt.IsZero() }

// Verified says whether the person has proved to read mail at the address.
func (u User) Verified() bool { return !u.VerifiedAt.IsZero() }

// Frozen says whether the person closed the account against somebody else.
func (u User) Frozen() bool { return !u.FrozenAt.IsZero() }

// Leaving says whether the account will be erased.
func (u User) Leaving() bool { return !u.LeavingAt.IsZero() }

// Normal is the form of an address under which it is found again. Providers
// that tell letter case apart in the local part are rarer than people who do not. Letters beyond ASCII stay as they
// are: two mailboxes become one under the rules of Unicode (U+0130 and U+212A are lowered to i and k).
func Normal(email string) string {
	b := []byte(strings.TrimSpace(email))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func checkEmail(email string) error {
	a, err := mail.ParseAddress(email)
	if err != nil || a.Address != email || len(email) > maxEmail || !utf8.ValidString(email) {
		return ErrEmail
	}
	return nil
}

func checkName(name string) error {
	n := utf8.RuneCountInString(name)
	if n < 1 || n > maxName || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ErrName
	}
	return nil
}

// checkPassword refuses what guessing programs try first, the person's own data included.
func checkPassword(password, email, name string, breached func(string) bool) error {
	switch {
	case len(password) > maxPassword:
		return ErrWeak.With("A password has at most 256 bytes.")
	case !utf8.ValidString(password):
		return ErrWeak.With("A password is text in UTF-8.")
	case utf8.RuneCountInString(password) < minPassword:
		return ErrWeak.With("A password has at least 15 characters; a few words are easy to keep in mind.")
	case breached != nil && breached(password):
		return ErrBreached
	}
	if letters := []rune(password); len(letters) > judged {
		password = string(letters[:judged])
	}
	if zxcvbn.PasswordStrength(password, []string{email, name, "ardesia", "arduino"}).Score < minScore {
		return ErrWeak
	}
	return nil
}
