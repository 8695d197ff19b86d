package oauth

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

var (
	// ErrScope is a good token that was not given for the API.
	ErrScope = problem.New(problem.Forbidden, "insufficient-scope", "This access token is not for the API: ask for the scope iot.")
	// ErrAsked is a request that nobody waits for: it was answered, is too old, or another person's.
	ErrAsked = problem.New(problem.NotFound, "request-not-found", "This request is not waiting any more. Start again where you came from.")
	// ErrUserCode is a code that no device waits with.
	ErrUserCode = problem.New(problem.NotFound, "device-code-not-found", "No device waits with this code. Codes end after ten minutes: look at the device for a new one.")
)

// Lifetimes. What a person's program holds ends by itself after these.
const (
	userLife    = 10 * time.Minute // of an access token of a person
	idLife      = 10 * time.Minute // of an ID token
	codeLife    = time.Minute
	refreshIdle = 14 * 24 * time.Hour
	refreshLife = 60 * 24 * time.Hour // of all that comes of one consent
	// overlap is how long a refresh token works after it was used: an answer may get lost.
	overlap    = 10 * time.Second
	deviceLife = 10 * time.Minute
	pollEvery  = 5 * time.Second // RFC 8628, section 3.2
	pushedLife = time.Minute     // from pushing a request to using it; RFC 9126, section 2.2
	waitLife   = 30 * time.Minute
)

// A Login is who is signed in, in one browser.
type Login struct {
	User    string
	At      time.Time // of the last proof
	AMR     []string  // how: RFC 8176
	ACR     string    // how well: "1" one factor, "2" two, "3" one that cannot be phished
	Session string    // id of the browser's session
	Epoch   int64     // of the person
}

// A Hint is what a request says about how to sign in.
type Hint struct {
	LoginHint string        // who
	Prompt    string        // "login": in any case anew; "select_account"; ""
	MaxAge    time.Duration // how long ago it may have been; below 0 is any time
	ACR       string        // the level that is wanted; "" is any
}

// Browser is what this room needs of the one that signs people in. All must be there.
type Browser struct {
	// Login says who is signed in in this browser.
	Login func(r *http.Request) (Login, bool)
	// SignIn is the address that signs in and then leads to returnTo, a path of our own.
	SignIn func(r *http.Request, returnTo string, hint Hint) string
	// Consent is the address of the page that asks for consent to the request id: see Asked and Consent.
	Consent func(r *http.Request, id string) string
	// SignOut is the address of the page that asks whether to sign out and then leads to
	// returnTo, an address that was checked, or "".
	SignOut func(r *http.Request, returnTo string) string
	// Ended says whether a browser's session has ended. An error is of who could not be asked.
	Ended func(ctx context.Context, session string) (bool, error)
	// End ends a browser's session.
	End func(ctx context.Context, session string) error
}

func (b Browser) whole() bool {
	return b.Login != nil && b.SignIn != nil && b.Consent != nil && b.SignOut != nil && b.Ended != nil && b.End != nil
}

// A Profile is what a person's own page says.
type Profile struct {
	Name     string
	Email    string
	Verified bool // the address
}

// A Request is what a program asks a person for.
type Request struct {
	Client Client
	Scopes []string
}

// A Grant is what a person let a client do, once. All tokens that come of it live and end with it.
type Grant struct {
	ID        string
	Client    string
	User      string
	Scopes    []string
	Session   string // of the browser; "" for none
	Offline   bool   // outlives Session
	Epoch     int64  // of the person
	AuthAt    time.Time
	ACR       string
	AMR       []string
	CreatedAt time.Time
	EndsAt    time.Time
	EndedAt   time.Time // zero: it stands
}

func (g Grant) has(scope string) bool { return slices.Contains(g.Scopes, scope) }

// A Consent is what a person has agreed to for good.
type Consent struct {
	Client Client
	Scopes []string
	Since  time.Time
}

// The letters of user codes: no vowels, so that they spell nothing, and none that
// looks like another (RFC 8628, section 6.1). Eight of them are 34.5 bits.
const (
	userLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userLength  = 8
)

// newUserCode returns one as people type it: "WDJB-MJHT".
func newUserCode() string {
	const fair = 256 - 256%len(userLetters)
	out := make([]byte, 0, userLength+1)
	for len(out) < userLength {
		for _, b := range secret.Random(userLength) {
			if int(b) < fair && len(out) < userLength {
				out = append(out, userLetters[int(b)%len(userLetters)])
			}
		}
	}
	return string(out[:4]) + "-" + string(out[4:])
}

// plainUserCode is what a person typed, without what people add.
func plainUserCode(text string) (string, bool) {
	if len(text) > 64 {
		return "", false
	}
	text = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' || r == '.' || r == '_' {
			return -1
		}
		return r
	}, strings.ToUpper(text))
	return text, len(text) == userLength && strings.Trim(text, userLetters) == ""
}

// level reads an authentication level; 0 is none that we know.
func level(acr string) int {
	switch acr {
	case "1", "2", "3":
		return int(acr[0] - '0')
	}
	return 0
}

// wanted is the lowest level that acr_values names, "" for none that we know.
func wanted(values string) string {
	least := ""
	for _, v := range words(values) {
		if level(v) > 0 && (least == "" || level(v) < level(least)) {
			least = v
		}
	}
	return least
}
