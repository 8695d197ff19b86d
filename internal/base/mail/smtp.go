package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail/smtp"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// A Protection is how the way to the mail server is encrypted.
type Protection int

const (
	StartTLS Protection = iota // RFC 3207, and nothing is sent when the server does not offer it
	Implicit                   // TLS from the first byte (RFC 8314)
	Plain                      // not at all: on loopback only

	protections
)

var protectionNames = [protections]string{StartTLS: "starttls", Implicit: "implicit", Plain: "none"}

func (p Protection) String() string { return protectionNames[p] }

// ParseProtection reads the name of a Protection.
func ParseProtection(name string) (Protection, error) {
	i := slices.Index(protectionNames[:], name)
	if i < 0 {
		return 0, fmt.Errorf("%q is none of %s", name, strings.Join(protectionNames[:], ", "))
	}
	return Protection(i), nil
}

// Config says how to reach a mail server.
type Config struct {
	Addr     string        // host:port
	User     string        // "" to say nobody's name
	Password secret.String // of User
	TLS      Protection
	Roots    *x509.CertPool   // who may have signed the server's certificate; nil for those that this machine trusts
	Hello    string           // the name by which we greet; "" is localhost
	Timeout  time.Duration    // of one letter, all in all; 0 is a minute
	Now      func() time.Time // the clock for certificates
}

// An SMTP sends letters through a mail server. Each takes a connection of its own.
type SMTP struct {
	cfg  Config
	host string
}

// maxSaid is how much a server may say in one connection, in bytes.
const maxSaid = 1 << 20

// NewSMTP checks cfg and connects to nothing.
func NewSMTP(cfg Config) (*SMTP, error) {
	host, port, err := net.SplitHostPort(cfg.Addr)
	switch {
	case err != nil || host == "" || port == "":
		return nil, fmt.Errorf("%q is not host:port of a mail server", cfg.Addr)
	case cfg.Now == nil:
		return nil, errors.New("a mail server needs a clock")
	case cfg.TLS < 0 || cfg.TLS >= protections:
		return nil, errors.New("no such protection")
	case cfg.TLS == Plain && !loopback(host):
		return nil, fmt.Errorf("%s is not on this machine, and letters go there encrypted only", host)
	case (cfg.User == "") != cfg.Password.IsZero():
		return nil, errors.New("a user of a mail server needs a password, and a password a user")
	case strings.ContainsFunc(cfg.User+cfg.Password.Reveal(), unicode.IsControl):
		return nil, errors.New("a user or password of a mail server has no control characters")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.Hello == "" {
		cfg.Hello = "localhost"
	}
	return &SMTP{cfg, host}, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// String says where letters go.
func (s *SMTP) String() string {
	return fmt.Sprintf("mail server %s (TLS: %s)", s.cfg.Addr, s.cfg.TLS)
}

// Send hands the letter to the mail server. Its errors are *Error, ErrAddress and ErrMessage.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	return s.with(ctx, func(c *smtp.Client) *Error {
		plain := ascii(m.From.Addr + m.To.Addr)
		if knows, _ := c.Extension("SMTPUTF8"); !plain && !knows {
			// RFC 6531, section 3.2: such an address must not be sent there.
			e := failed(s.cfg.Addr, ForRecipient, errors.New("the mail server knows no addresses with letters beyond ASCII"))
			e.Code = 553
			return e
		}
		c.SkipSMTPUTF8(plain)
		if err := c.Mail("<" + m.From.Addr + ">"); err != nil {
			return failed(s.cfg.Addr, FromSender, err)
		}
		if err := c.Rcpt("<" + m.To.Addr + ">"); err != nil {
			return failed(s.cfg.Addr, ForRecipient, err)
		}
		w, err := c.Data()
		if err != nil {
			return failed(s.cfg.Addr, Content, err)
		}
		if _, err = w.Write(text); err == nil { // closing ends the letter, so half a one is left open
			err = w.Close()
		}
		if err != nil {
			return failed(s.cfg.Addr, Content, err)
		}
		return nil
	})
}

// Check does everything that comes before a letter. Its errors are *Error.
func (s *SMTP) Check(ctx context.Context) error {
	return s.with(ctx, func(*smtp.Client) *Error { return nil })
}

// with connects, encrypts, signs in, and takes its leave after do.
func (s *SMTP) with(ctx context.Context, do func(c *smtp.Client) *Error) error {
	ctx, stop := context.WithTimeout(ctx, s.cfg.Timeout)
	defer stop()
	err := s.connected(ctx, do)
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && err.Code == 0 { // the connection was cut under what waited on it
		err.err = cause
		if errors.Is(cause, context.DeadlineExceeded) {
			err.err = fmt.Errorf("no answer within %v: %w", s.cfg.Timeout, cause)
		}
	}
	return err
}

func (s *SMTP) connected(ctx context.Context, do func(c *smtp.Client) *Error) *Error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return failed(s.cfg.Addr, Connecting, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if s.cfg.TLS == Plain && !onThisMachine(conn.RemoteAddr()) {
		return failed(s.cfg.Addr, Connecting, errors.New("the mail server turned out to be on another machine"))
	}
	trust := &tls.Config{ServerName: s.host, RootCAs: s.cfg.Roots, MinVersion: tls.VersionTLS12, Time: s.cfg.Now}
	var way net.Conn = &bounded{Conn: conn, left: maxSaid}
	if s.cfg.TLS == Implicit {
		t := tls.Client(way, trust)
		if err := t.HandshakeContext(ctx); err != nil {
			return failed(s.cfg.Addr, Encrypting, err)
		}
		way = t
	}
	c, err := smtp.NewClient(way, s.host)
	if err != nil {
		return failed(s.cfg.Addr, Greeting, err)
	}
	if err := c.Hello(s.cfg.Hello); err != nil {
		return failed(s.cfg.Addr, Greeting, err)
	}
	if s.cfg.TLS == StartTLS {
		if offered, _ := c.Extension("STARTTLS"); !offered {
			return failed(s.cfg.Addr, Encrypting, errors.New("the mail server does not offer STARTTLS, or somebody on the way hides it"))
		}
		// What was said before is forgotten, as RFC 3207, section 4.2, asks.
		if err := c.StartTLS(trust); err != nil {
			return failed(s.cfg.Addr, Encrypting, err)
		}
	}
	if err := s.prove(c); err != nil {
		return failed(s.cfg.Addr, Proving, err)
	}
	if err := do(c); err != nil {
		return err
	}
	_ = c.Quit() // the letter is theirs; how they say goodbye does not matter
	return nil
}

// prove signs in in the best way that the server knows.
func (s *SMTP) prove(c *smtp.Client) error {
	if s.cfg.User == "" {
		return nil
	}
	_, known := c.Extension("AUTH")
	user, password := s.cfg.User, s.cfg.Password.Reveal()
	for _, way := range []struct {
		name string
		auth smtp.Auth
	}{
		{"SCRAM-SHA-256", smtp.ScramSHA256Auth(user, password)},
		{"PLAIN", smtp.PlainAuth("", user, password, s.host, false)},
		{"LOGIN", smtp.LoginAuth(user, password, s.host, false)},
	} {
		if slices.Contains(strings.Fields(strings.ToUpper(known)), way.name) {
			return c.Auth(way.auth)
		}
	}
	return errors.New("the mail server asks for no user and password that this program can give (SCRAM-SHA-256, PLAIN, LOGIN)")
}

// onThisMachine says whether addr is on this machine.
func onThisMachine(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// bounded is a connection on which the other side can say only so much.
type bounded struct {
	net.Conn
	left int // bytes; one goroutine reads
}

var errTalks = errors.New("the mail server says more than a mail server has to say")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTalks
	}
	n, err := b.Conn.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
