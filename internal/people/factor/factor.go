package factor

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrCode is a code that no app with this secret shows now, or that was accepted before.
	ErrCode = problem.New(problem.Unauthenticated, "factor-code", "This code is wrong or was used before. Type the one that your app shows now, or wait for the next.")
	// ErrRecovery is a recovery code that is not, or no longer, one of this person's.
	ErrRecovery = problem.New(problem.Unauthenticated, "factor-recovery", "This recovery code is wrong or was used before. Take another one of your list.")
	// ErrPasskey is an answer of a passkey that was not accepted; why is not told.
	ErrPasskey = problem.New(problem.Unauthenticated, "factor-passkey", "This passkey was not accepted. Try again, or take another way to sign in.")
	// ErrUnverified is a passkey that proves possession and not who holds it.
	ErrUnverified = problem.New(problem.Unauthenticated, "factor-passkey-unverified", "This passkey cannot replace your password, because it is not locked by a PIN, a finger or a face. Sign in with your password first.")
	// ErrCloned is a passkey whose count went back.
	ErrCloned = problem.New(problem.Unauthenticated, "factor-passkey-cloned", "This passkey may have been copied, so it was not accepted. Take another way to sign in, and remove it.")
	// ErrCeremony is a state that is too old, was answered, or belongs to something else.
	ErrCeremony = problem.New(problem.Precondition, "factor-ceremony", "This took longer than five minutes, or was answered before. Start again.")
	// ErrResponse is an answer of a browser that cannot be read.
	ErrResponse = problem.New(problem.Invalid, "factor-response", "The browser's answer cannot be read. Try again, or with another browser.")
	// ErrSetup is a confirmation of an app that nobody is setting up.
	ErrSetup = problem.New(problem.Precondition, "factor-setup", "No authenticator app is being set up, or it was begun too long ago. Start again.")
	// ErrNone says that there is nothing that recovery codes would stand in for.
	ErrNone = problem.New(problem.Precondition, "factor-none", "Set up an authenticator app or a passkey first: recovery codes stand in for them.")
	// ErrNotFound is a factor that this person does not have.
	ErrNotFound = problem.New(problem.NotFound, "factor-not-found", "You have no such factor.")
	// ErrTaken is a passkey that is registered in this house already.
	ErrTaken = problem.New(problem.Conflict, "factor-passkey-taken", "This passkey is registered already.")
	// ErrTooMany is a passkey above the bound.
	ErrTooMany = problem.New(problem.Conflict, "factor-passkey-many", fmt.Sprintf("You have %d passkeys, and there can be no more. Remove one first.", maxPasskeys))
	// ErrLabel is a label that is empty or too long.
	ErrLabel = problem.New(problem.Invalid, "factor-label", fmt.Sprintf("A name for this has 1 to %d characters.", maxLabel))
	// ErrHost says that this house has no name that passkeys could be bound to.
	ErrHost = problem.New(problem.Unsupported, "factor-host", "Passkeys need a host name, and this server is reached by an address only. Use an authenticator app.")
	// ErrLevel is a text that names no level.
	ErrLevel = problem.New(problem.Invalid, "factor-level", "A level is one of password, two-steps, passkey.")
)

// Bounds.
const (
	maxPasskeys = 20  // of one person
	maxLabel    = 64  // characters
	maxName     = 254 // bytes of the name that an app or an authenticator shows: an e-mail address fits
)

// A Level says how much it takes to be somebody. A higher one includes the lower.
type Level int

const (
	NoLevel      Level = iota // nothing was shown
	PasswordOnly              // a password
	TwoSteps                  // a password and something that the person has
	ByPasskey                 // a passkey whose authenticator verified the person: nothing in it can be phished

	levels // how many there are
)

var levelNames = [levels]string{"none", "password", "two-steps", "passkey"}

func (l Level) String() string {
	if l < 0 || l >= levels {
		return "unknown"
	}
	return levelNames[l]
}

// ParseLevel reads a level that a space can require.
func ParseLevel(text string) (Level, error) {
	for l := PasswordOnly; l < levels; l++ {
		if text == levelNames[l] {
			return l, nil
		}
	}
	return NoLevel, ErrLevel
}

// A Set is what a person has.
type Set struct {
	TOTP bool
	// TOTPSince is when the app was confirmed; zero without one.
	TOTPSince time.Time
	Passkeys  []Passkey // the oldest first
	// RecoveryLeft is how many of the ten codes were not used. One that was issued in
	// exchange is good too, and not counted: nobody knows whether it was written down.
	RecoveryLeft int
}

// A Passkey is one credential of WebAuthn.
type Passkey struct {
	ID             string // UUID
	Label          string
	Verified       bool // may be the only step of a sign-in
	BackupEligible bool // may be synchronised between devices
	BackedUp       bool // was, when it was last used
	CreatedAt      time.Time
	UsedAt         time.Time // zero: never
	SuspectAt      time.Time // when its count went back; zero: never
}

// strength are the numbers that decide a level.
type strength struct {
	totp     bool
	passkeys int // all of them
	verified int // those that may be the only step
}

func (s strength) level() Level {
	switch {
	case s.verified > 0:
		return ByPasskey
	case s.totp || s.passkeys > 0:
		return TwoSteps
	}
	return PasswordOnly
}

// Level is the most that the person can show. Everybody has a password, or a way to set one.
func (s Set) Level() Level {
	n := strength{totp: s.TOTP, passkeys: len(s.Passkeys)}
	for _, p := range s.Passkeys {
		if p.Verified {
			n.verified++
		}
	}
	return n.level()
}

// A Proof is what one sign-in has shown.
type Proof struct {
	Password bool
	Code     bool // of the app
	Recovery bool // one code of the list
	Passkey  bool
	Verified bool // that passkey's authenticator verified the person; as FinishAssertion says
}

// Level is what a sign-in amounts to. Two things that a person has are not two
// steps: whoever stole the bag has both.
func (p Proof) Level() Level {
	switch {
	case p.Passkey && p.Verified:
		return ByPasskey
	case p.Password && (p.Code || p.Recovery || p.Passkey):
		return TwoSteps
	case p.Password:
		return PasswordOnly
	}
	return NoLevel
}

// Admits says whether a sign-in that showed p may come in for a person of this
// level: who has set up a second step must show one, with or without a password.
func (l Level) Admits(p Proof) bool {
	return p.Level() >= PasswordOnly && p.Level() >= min(l, TwoSteps)
}

// A What is what changed.
type What int

const (
	TOTPAdded What = iota // also in place of another one
	TOTPRemoved
	PasskeyAdded
	PasskeyRemoved
	PasskeySuspect // its count went back: two may be in use, of which one is a copy
	RecoveryMade
	RecoveryUsed
	RecoveryLow // follows RecoveryUsed

	whats // how many there are
)

var whatNames = [whats]string{"totp-added", "totp-removed", "passkey-added", "passkey-removed", "passkey-suspect", "recovery-made", "recovery-used", "recovery-low"}

func (w What) String() string {
	if w < 0 || w >= whats {
		return "unknown"
	}
	return whatNames[w]
}

// An Event is a change that the person should hear of. It is published after it is on disk.
type Event struct {
	What    What
	User    string
	Passkey string // id, if it is about one
	Left    int    // of RecoveryUsed and RecoveryLow: Set.RecoveryLeft
	At      time.Time
}

// checkLabel returns a label without space around it.
func checkLabel(label string) (string, error) {
	label = strings.TrimSpace(label)
	if n := utf8.RuneCountInString(label); n < 1 || n > maxLabel || !printable(label) {
		return "", ErrLabel
	}
	return label, nil
}

// checkName refuses what an app or an authenticator could not show.
func checkName(name string) error {
	if name == "" || len(name) > maxName || !printable(name) {
		return ErrLabel.With(fmt.Sprintf("The name to show has 1 to %d bytes.", maxName))
	}
	return nil
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// digits returns the n digits of what a person typed, who may have grouped them.
// Anything else in it makes it none.
func digits(typed string, n int) (string, bool) {
	if len(typed) > 4*n {
		return "", false
	}
	out := make([]byte, 0, n)
	for _, r := range typed {
		switch {
		case r >= '0' && r <= '9':
			out = append(out, byte(r))
		case r != ' ' && r != '-' && r != '\u00a0' && r != '\n' && r != '\r' && r != '\t':
			return "", false
		}
	}
	return string(out), len(out) == n
}
