package oauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrClient is a program that is not registered here.
	ErrClient = problem.New(problem.NotFound, "client-not-found", "There is no such client.")
	// ErrClientName is a name that is empty or too long.
	ErrClientName = problem.New(problem.Invalid, "client-name", "A client's name has 1 to 64 characters, and no control characters.")
	// ErrRedirect is an address that people must not be sent to with a code.
	ErrRedirect = problem.New(problem.Invalid, "client-redirect", "A redirect address is https://host/path, http:// with 127.0.0.1, [::1] or localhost, or, for a public client, a scheme of its own with a dot (org.example.app:/path); without user, fragment, wildcard or dot segments, and of at most 512 bytes.")
	// ErrRedirects are too many of them, or none.
	ErrRedirects = problem.New(problem.Invalid, "client-redirects", "A client has 1 to 16 redirect addresses; none only if it may use the device grant.")
	// ErrScopes are scopes that are not known here.
	ErrScopes = problem.New(problem.Invalid, "client-scopes", "Scopes are some of openid, profile, email, offline_access and iot.")
)

// What a program can ask for. What people read about each is on the consent page.
const (
	ScopeOpenID  = "openid"         // who signed in
	ScopeProfile = "profile"        // the person's name
	ScopeEmail   = "email"          // and address
	ScopeOffline = "offline_access" // also when the browser's session has ended
	ScopeIoT     = "iot"            // the API, as the person
)

// Scopes are all that there are.
func Scopes() []string {
	return []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopeOffline, ScopeIoT}
}

// A Client is a program that signs people in here.
type Client struct {
	ID        string
	Name      string   // what people read
	Space     string   // whose it is; "" is the house's
	Secret    []byte   // SHA-256 of it; empty: the program cannot keep one (RFC 6749, section 2.1)
	Redirects []string // where people may be sent with a code; one that starts with "/" is at our own origin
	Logouts   []string // and after signing out
	// Backchannel is where it is told that a session has ended; "" for nowhere.
	Backchannel string
	Scopes      []string // the most that it may ask for
	Device      bool     // may use the device grant
	First       bool     // part of Ardesia: people are not asked for consent, if it proves that it is
	CreatedAt   time.Time
}

// Public says that the client has no secret.
func (c Client) Public() bool { return len(c.Secret) == 0 }

// SecretHash is how a client's secret is kept.
func SecretHash(given string) []byte { return sum(given) }

const (
	maxRedirects = 16
	maxRedirect  = 512 // bytes
	maxClient    = 64  // characters of a name, bytes of an id
)

func (c Client) check() error {
	n := utf8.RuneCountInString(c.Name)
	if n < 1 || n > maxClient || !utf8.ValidString(c.Name) || strings.ContainsFunc(c.Name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ErrClientName
	}
	if len(c.Redirects) > maxRedirects || len(c.Logouts) > maxRedirects || len(c.Redirects) == 0 && !c.Device {
		return ErrRedirects
	}
	for _, text := range slices.Concat(c.Redirects, c.Logouts) {
		if err := checkRedirect(text, c.Public()); err != nil {
			return err
		}
	}
	if err := checkBackchannel(c.Backchannel); err != nil {
		return err
	}
	if len(c.Scopes) == 0 || !within(c.Scopes, Scopes()) {
		return ErrScopes
	}
	return nil
}

// checkRedirect is RFC 9700, section 4.1.3, and RFC 8252, sections 7 and 8.
func checkRedirect(text string, public bool) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxRedirect || u.User != nil || strings.ContainsAny(text, "*#\\\"<>`{}| \t\r\n") || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > 0x7e }) {
		return ErrRedirect
	}
	for _, part := range strings.Split(u.Path, "/") {
		if part == "." || part == ".." {
			return ErrRedirect
		}
	}
	switch {
	case u.Scheme == "https" && u.Hostname() != "":
		return nil
	case u.Scheme == "http" && (loopback(u.Hostname()) || u.Hostname() == "localhost"):
		return nil
	case public && strings.Contains(u.Scheme, ".") && u.Opaque == "" && u.Host == "" && u.Path != "":
		return nil // a private-use scheme
	}
	return ErrRedirect
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" }

// redirectAllowed says whether a code may be sent to asked: it is one of the registered
// addresses, letter by letter (RFC 9700, section 2.1). Only the port of a loopback
// address is free, because a program takes the one that it gets (RFC 8252, section 7.3).
func redirectAllowed(registered []string, asked string) bool {
	if slices.Contains(registered, asked) {
		return true
	}
	head, rest, ok := loopbackParts(asked)
	if !ok {
		return false
	}
	return slices.ContainsFunc(registered, func(text string) bool {
		h, r, ok := loopbackParts(text)
		return ok && h == head && r == rest
	})
}

// loopbackParts splits an address at its port: "http://127.0.0.1" and "/path?query".
func loopbackParts(text string) (head, rest string, ok bool) {
	for _, head := range []string{"http://127.0.0.1", "http://[::1]"} {
		after, ok := strings.CutPrefix(text, head)
		if !ok {
			continue
		}
		authority, path := after, ""
		if i := strings.IndexByte(after, '/'); i >= 0 {
			authority, path = after[:i], after[i:]
		}
		port, colon := strings.CutPrefix(authority, ":")
		if authority != "" && (!colon || !isPort(port)) {
			return "", "", false
		}
		return head, path, true
	}
	return "", "", false
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16) // takes no sign
	return err == nil
}

// within says whether all of some are in all.
func within(some, all []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// words splits a list as OAuth writes it, each word once.
func words(text string) []string {
	var all []string
	for _, w := range strings.Fields(text) {
		if !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	return all
}
