package homeassistant

import (
	"crypto/x509"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

var (
	ErrNotFound = problem.New(problem.NotFound, "homeassistant-not-set-up", "This space has no bridge to Home Assistant. An administrator sets one up with PUT and the broker's address.")
	ErrBroker   = problem.New(problem.Invalid, "invalid-broker", "A broker is mqtts://host:port, or mqtt://host:port in a network of the operator's; without a port it is 8883 or 1883.")
	ErrLogin    = problem.New(problem.Invalid, "invalid-broker-login", "A user name has at most 256 bytes of text, a password 1024, and there is no password without a user name.")
	ErrCA       = problem.New(problem.Invalid, "invalid-broker-ca", "The CA is one or more certificates as PEM, of at most 16 KiB, and goes with mqtts:// only.")
	ErrPrefix   = problem.New(problem.Invalid, "invalid-topic-prefix", "A prefix has up to 64 letters, digits and _ . -, with / between words; those of discovery and of topics differ.")
	ErrTags     = problem.New(problem.Invalid, "too-many-tags", "Things are chosen by at most 16 tags.")
	ErrPassword = problem.New(problem.Precondition, "broker-password-needed", "Another broker or another user needs its password given anew: the one that is kept goes nowhere else.")
)

const (
	maxBroker   = 300 // bytes of an address
	maxUser     = 256
	maxPassword = 1024
	maxCA       = 16 << 10
	maxPrefix   = 64
	maxTags     = 16
	// mostThings of one bridge: each is kept in memory with its properties.
	mostThings = 2000
)

// What Home Assistant and we use where nothing is said.
const (
	DefaultDiscovery = "homeassistant"
	DefaultTopics    = "ardesia"
)

// A Setup is what the people of a space want of its bridge.
type Setup struct {
	Space     string
	By        string // user id of who changed it last
	Broker    string // scheme://host:port
	User      string // "" for nobody
	Password  secret.String
	CA        string      // PEM; "" for whom the machine trusts
	Discovery string      // prefix of discovery topics
	Topics    string      // prefix of all others
	Tags      []thing.Tag // things that have all of them; none for all things
	Writes    bool        // Home Assistant may write
	Enabled   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)

// Check says what is wrong with a Setup as it is about to be kept, and writes its broker out.
func (s *Setup) Check() error {
	broker, err := parseBroker(s.Broker)
	if err != nil {
		return err
	}
	s.Broker = broker.String()
	password := s.Password.Reveal()
	switch {
	case len(s.User) > maxUser || len(password) > maxPassword || !text(s.User) || !text(password) || s.User == "" && password != "":
		return ErrLogin
	case s.CA != "" && (broker.Scheme != "mqtts" || len(s.CA) > maxCA || !x509.NewCertPool().AppendCertsFromPEM([]byte(s.CA))):
		return ErrCA
	case !prefix(s.Discovery), !prefix(s.Topics), s.Discovery == s.Topics:
		return ErrPrefix
	case len(s.Tags) > maxTags:
		return ErrTags
	}
	return nil
}

func prefix(s string) bool { return len(s) <= maxPrefix && prefixPattern.MatchString(s) }

// text says whether a UTF-8 string of MQTT can be made of s (MQTT 5, section 1.5.4).
func text(s string) bool { return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl) }

// parseBroker reads the address of a broker. Nothing but scheme, host and port may be there.
func parseBroker(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxBroker || !text(s) {
		return nil, ErrBroker
	}
	host, port := u.Hostname(), u.Port()
	switch {
	case u.Scheme != "mqtt" && u.Scheme != "mqtts", host == "", u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "", u.Fragment != "", u.Opaque != "":
		return nil, ErrBroker
	case port == "" && u.Scheme == "mqtts":
		port = "8883"
	case port == "":
		port = "1883"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, ErrBroker
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(strings.ToLower(host), port)}, nil
}

// elsewhere says whether what was announced by one Setup is in the way of another, or out of its reach.
func (s *Setup) elsewhere(to *Setup) bool {
	return s.Broker != to.Broker || s.Discovery != to.Discovery || s.Topics != to.Topics
}

// Status is how a bridge does, in a word.
type Status string

// All of them.
const (
	Off        Status = "off"        // it is not enabled
	Connecting Status = "connecting" // it has not been let in yet
	Connected  Status = "connected"
	Waiting    Status = "waiting" // it was not let in or lost the broker, and tries again
)

// A State is how a bridge does, since this server started.
type State struct {
	Status         Status
	ConnectedSince time.Time // zero while it is not
	LastError      string    // in words; "" for none yet
	LastErrorAt    time.Time
	Things         int // that are announced
	Entities       int // of Home Assistant: their properties
	Sent           int64
	Taken          int64 // commands
	Refused        int64
	LastRefusal    string // in words; "" for none yet
}
