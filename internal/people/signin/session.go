package signin

import (
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrSession is a browser that is not signed in, or not any more.
	ErrSession = problem.New(problem.Unauthenticated, "signin-session", "You are not signed in.")
	// ErrProof is an act that needs a proof of a few minutes ago.
	ErrProof = problem.New(problem.Forbidden, "signin-proof", "This needs your password again.")
	// ErrUnproved is a person whose address is not proved yet.
	ErrUnproved = problem.New(problem.Forbidden, "signin-unproved", "Prove your e-mail address first: follow the link in the mail that we sent.")
)

// How long sessions live: without use, and whatever happens.
const (
	idle       = 2 * time.Hour
	absolute   = 24 * time.Hour
	idleKept   = 14 * 24 * time.Hour // "keep me signed in"
	absKept    = 60 * 24 * time.Hour
	freshFor   = 5 * time.Minute // how old the proof for a dangerous act may be
	deviceLife = 400 * 24 * time.Hour
	touchEvery = time.Minute // how late UsedAt may be
	maxOpen    = 50          // sessions of one account; the oldest ends
)

// A Session is one browser in which a person is signed in.
type Session struct {
	ID       string // UUID; not what the cookie holds
	Account  string
	Epoch    int64 // of the account at the last proof
	MadeAt   time.Time
	UsedAt   time.Time     // up to a minute late
	ProvedAt time.Time     // when the person last proved to be the person
	EndsAt   time.Time     // whatever happens
	Idle     time.Duration // without use after which it ends
	Methods  []string      // words of RFC 8176
	Device   string        // "Firefox on Linux"
	Address  string        // where from, at sign-in
}

// Over says whether the session has ended by itself.
func (s Session) Over(now time.Time) bool {
	return !now.Before(s.EndsAt) || now.Sub(s.UsedAt) >= s.Idle
}

// Fresh says whether the session's proof is good enough for a dangerous act.
func (s Session) Fresh(now time.Time) bool {
	age := now.Sub(s.ProvedAt)
	return age >= 0 && age < freshFor
}

// ACR says how strong the proof was: "3" with a passkey, which cannot be phished, "2" with
// another second proof, else "1".
func (s Session) ACR() string {
	switch {
	case s.Has(methodPasskey):
		return "3"
	case s.Has(methodCode, methodRecovery):
		return "2"
	}
	return "1"
}

// agents and systems name what people call their browser and machine, by a word of the
// User-Agent header. The first that is found counts: many claim to be others as well.
var (
	agents = [][2]string{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Vivaldi", "Vivaldi"}, {"SamsungBrowser", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS", "Firefox"},
		{"CriOS", "Chrome"}, {"Chromium", "Chromium"}, {"HeadlessChrome", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"},
	}
	systems = [][2]string{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Mac OS X", "Mac"}, {"Linux", "Linux"},
	}
)

// maxAgent is how many bytes of a User-Agent header are looked at.
const maxAgent = 512

// describe says what kind of browser it is, coarsely: "Firefox on Linux". It is ""
// for what nobody would recognise. No word of it is the browser's.
func describe(userAgent string) string {
	if len(userAgent) > maxAgent {
		userAgent = userAgent[:maxAgent]
	}
	find := func(list [][2]string) string {
		for _, pair := range list {
			if strings.Contains(userAgent, pair[0]) {
				return pair[1]
			}
		}
		return ""
	}
	agent, system := find(agents), find(systems)
	switch {
	case agent == "":
		return system
	case system == "":
		return agent
	}
	return agent + " on " + system
}
