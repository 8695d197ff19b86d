package social

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

var (
	// ErrProvider is a provider that does not answer, or not as providers do.
	ErrProvider = problem.New(problem.Unavailable, "social-provider", "The other service does not answer as it should. Try again later, or sign in another way.")
	// ErrBusy is somebody of a provider for whom an account is being made at this moment.
	ErrBusy = problem.New(problem.Unavailable, "social-busy", "An account is being made with this at the moment. Try again in a minute.")
	// ErrAnswer is an answer that cannot be believed. What is wrong with it is in the log and the journal.
	ErrAnswer = problem.New(problem.Unauthenticated, "social-answer", "What came back from the other service cannot be trusted, so nobody was signed in. Begin again.")
	// ErrLate is an answer that took too long.
	ErrLate = problem.New(problem.Precondition, "social-late", "It took more than ten minutes to come back from the other service. Begin again.")
	// ErrCancelled is a person who said no to the provider.
	ErrCancelled = problem.New(problem.Precondition, "social-cancelled", "You did not sign in with the other service. Nothing was changed.")
	// ErrUnknown is a provider that this server does not have.
	ErrUnknown = problem.New(problem.NotFound, "social-unknown", "This server does not sign people in that way.")
	// ErrNotLinked is somebody of a provider who belongs to no account here.
	ErrNotLinked = problem.New(problem.NotFound, "social-not-linked", "No account here is linked to this one.")
	// ErrTaken is somebody of a provider who belongs to another account here.
	ErrTaken = problem.New(problem.Conflict, "social-taken", "This account of the other service cannot be linked here. If another account of yours is linked to it, unlink it there first.")
	// ErrHave is a second person of one provider.
	ErrHave = problem.New(problem.Conflict, "social-have", "Another account of this service is linked already. Unlink that one first.")
	// ErrLastWay is a link without which its person could not come in.
	ErrLastWay = problem.New(problem.Precondition, "social-last-way", "This is the only way in that you have. Set a password or add a passkey first.")
)

// A Kind is how a provider is spoken to.
type Kind string

// The kinds of providers.
const (
	Google Kind = "google" // OpenID Connect at a known issuer
	GitHub Kind = "github" // OAuth 2 and a REST API; there is no ID token
	Apple  Kind = "apple"  // OpenID Connect, with a client secret that is signed and an answer by form
	OIDC   Kind = "oidc"   // OpenID Connect at any issuer
)

// A preset is what is known of a kind.
type preset struct{ name, issuer string }

var presets = map[Kind]preset{
	Google: {"Google", "https://accounts.google.com"},
	GitHub: {"GitHub", "https://github.com"},
	Apple:  {"Apple", "https://appleid.apple.com"},
	OIDC:   {},
}

// A Config is one provider, as the operator registered with it.
type Config struct {
	ID       string // in the return address: lower-case letters, digits and "-"; default the kind
	Kind     Kind
	Name     string // as people call it; needed for OIDC
	Issuer   string // https address; needed for OIDC, that of a GitHub Enterprise Server for GitHub
	ClientID string
	TeamID   string // Apple only: ten letters and digits, as KeyID
	KeyID    string
	// AllowPrivate lets connections to this provider go to addresses that are not public, and to
	// loopback without TLS.
	AllowPrivate bool

	Secret secret.String     // all but Apple
	Key    *ecdsa.PrivateKey // Apple: P-256
	Roots  *x509.CertPool    // nil for whom this machine trusts
}

var (
	wordID    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	wordApple = regexp.MustCompile(`^[A-Z0-9]{10}$`)
)

// Bounds of what an operator writes, in characters.
const (
	maxProviderName = 40
	maxClientID     = 256
)

// Filled is c with what is known of its kind, or says what cannot be used and why. Secret, Key and
// Roots are not looked at.
func (c Config) Filled() (Config, error) {
	known, ok := presets[c.Kind]
	if !ok {
		return c, fmt.Errorf("kind: %q is none of google, github, apple, oidc", c.Kind)
	}
	if c.ID == "" {
		c.ID = string(c.Kind)
	}
	var wrong []error
	fail := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if !wordID.MatchString(c.ID) {
		fail("id: %q is not a word of at most 32 lower-case letters, digits and \"-\"", c.ID)
	}
	if c.Name == "" {
		c.Name = known.name
	}
	if n := utf8.RuneCountInString(c.Name); n == 0 {
		fail("name: say how people call this provider, as it stands on the button")
	} else if n > maxProviderName || !utf8.ValidString(c.Name) || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		fail("name: a name has at most %d characters that can be seen", maxProviderName)
	}
	if c.ClientID == "" || len(c.ClientID) > maxClientID {
		fail("client_id: say what the provider calls this server; you got it when you registered")
	}
	switch {
	case c.Issuer == "" && known.issuer == "":
		fail("issuer: say the provider's https:// address; with /.well-known/openid-configuration behind it there is a document that begins with it")
	case c.Issuer == "":
		c.Issuer = known.issuer
	default:
		if err := c.address(c.Issuer); err != nil {
			fail("issuer: %w", err)
		}
	}
	switch apple := c.Kind == Apple; {
	case apple && (!wordApple.MatchString(c.TeamID) || !wordApple.MatchString(c.KeyID)):
		fail("team_id, key_id: Apple's are ten capital letters and digits each")
	case !apple && c.TeamID+c.KeyID != "":
		fail("team_id, key_id: only Apple has those")
	}
	return c, errors.Join(wrong...)
}

var errPlain = errors.New("must be an https:// address without user, query and fragment (http:// only on this machine, with allow_private = true)")

// address says whether the provider may be spoken to at text.
func (c Config) address(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || len(text) > 1024 {
		return errPlain
	}
	if u.Scheme == "https" {
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && c.AllowPrivate && (u.Hostname() == "localhost" || err == nil && ip.IsLoopback()) {
		return nil
	}
	return errPlain
}

// journey is how long a person may be away at a provider.
const journey = 10 * time.Minute

// A Claim is what a provider says of the person that it sent back. It is nobody's account by itself.
type Claim struct {
	Provider string // Config.ID
	Issuer   string // whose Subject is; not always Config.Issuer: GitHub has its own form
	Subject  string // stable, at most 255 bytes
	Email    string // "" when the provider told none
	Verified bool   // whether the provider says that the person reads mail there
	Name     string // proposed; "" for none
}

// Bounds of what a provider says: OpenID Connect Core, section 2 (sub), RFC 5321 (addresses).
const (
	maxSubject = 255
	maxEmail   = 254
	maxName    = 128
)

// tidy bounds a claim; a claim without a subject is ErrAnswer.
func (c Claim) tidy() (Claim, error) {
	if c.Subject == "" || len(c.Subject) > maxSubject || !utf8.ValidString(c.Subject) || strings.ContainsFunc(c.Subject, unicode.IsControl) {
		return c, refuse("subject", nil)
	}
	if len(c.Email) > maxEmail || !utf8.ValidString(c.Email) || strings.ContainsFunc(c.Email, unicode.IsControl) {
		c.Email = ""
	}
	c.Verified = c.Verified && c.Email != ""
	c.Name = tame(c.Name)
	return c, nil
}

// tame is one line of a name that somebody else wrote.
func tame(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxName {
		name = strings.TrimSpace(string(runes[:maxName]))
	}
	return name
}

// A Link is that an account belongs to somebody of a provider.
type Link struct {
	ID       string // random
	Provider string // Config.ID; "" when this server has that provider no more
	Name     string // of the provider; the issuer when this server has it no more
	Issuer   string // whose Subject is, as in Claim
	Subject  string
	MadeAt   time.Time
	UsedAt   time.Time // zero: never
}

// A Refusal is an answer that cannot be believed. It is ErrAnswer to the person; Why and the cause
// are for the operator.
type Refusal struct {
	Why   string // one word, for the journal
	cause error  // nil for none
}

func (r *Refusal) Error() string {
	if r.cause == nil {
		return "answer of a provider: " + r.Why
	}
	return "answer of a provider: " + r.Why + ": " + r.cause.Error()
}

// Unwrap makes a Refusal ErrAnswer.
func (r *Refusal) Unwrap() error { return ErrAnswer }

func refuse(why string, cause error) error { return &Refusal{why, cause} }
