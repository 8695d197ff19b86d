package mail

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrMessage is a letter that cannot be written.
var ErrMessage = problem.New(problem.Invalid, "mail-message", "This cannot be sent as a letter.")

// Bounds of a letter.
const (
	MaxSubject = 256     // bytes
	MaxBody    = 1 << 18 // bytes of the text, and of the HTML
	maxEncoded = 1 << 22 // bytes of all: quoted-printable takes three for one
)

// A Message is one letter to one person.
type Message struct {
	ID       string    // of its Message-ID: left@domain, the same each time that it is sent
	At       time.Time // when it was written
	From, To Address
	Subject  string
	Text     string
	HTML     string // "" for a letter of text only
	// Unsubscribe is an https address that a POST ends letters of this kind with (RFC 8058); "" for none.
	Unsubscribe string
}

// messageID is what we let a Message-ID be: much less than RFC 5322, section 3.6.4, allows.
var messageID = regexp.MustCompile(`^[A-Za-z0-9._+-]{1,96}@[A-Za-z0-9.-]{1,128}$`)

// unsubscribe is what can stand between angle brackets in a header, unfolded.
var unsubscribe = regexp.MustCompile(`^https://[A-Za-z0-9._~:/?#@!$&'()*+;=%-]+$`)

// Check is nil, ErrAddress or ErrMessage.
func (m Message) Check() error {
	if err := errors.Join(m.From.Check(), m.To.Check()); err != nil {
		return err
	}
	switch {
	case !messageID.MatchString(m.ID):
		return ErrMessage.With("A letter needs a Message-ID of letters and digits.")
	case m.At.IsZero() || m.At.Year() < 1 || m.At.Year() > 9999:
		return ErrMessage.With("A letter needs a date.")
	case m.Unsubscribe != "" && (len(m.Unsubscribe) > 1024 || !unsubscribe.MatchString(m.Unsubscribe)):
		return ErrMessage.With("What ends letters is an https address of at most 1024 characters.")
	case strings.TrimSpace(m.Subject) == "" || len(m.Subject) > MaxSubject || !clean(m.Subject):
		return ErrMessage.With("A subject is one line of 1 to 256 bytes.")
	case strings.TrimSpace(m.Text) == "" || len(m.Text) > MaxBody || len(m.HTML) > MaxBody:
		return ErrMessage.With("A letter has a text of at most 256 KiB.")
	case !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML) || strings.Contains(m.Text, "\x00") || strings.Contains(m.HTML, "\x00"):
		return ErrMessage.With("A letter is text in UTF-8.")
	}
	return nil
}

// Bytes is the letter as it travels (RFC 5322): text first and HTML as its alternative.
func (m Message) Bytes() ([]byte, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	w := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP), gomail.WithCharset(gomail.CharsetUTF8))
	w.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, &netmail.Address{Name: m.From.Name, Address: m.From.Addr})
	w.SetAddrHeaderFromMailAddress(gomail.HeaderTo, &netmail.Address{Name: m.To.Name, Address: m.To.Addr})
	w.SetMessageIDWithValue(m.ID)
	w.SetDateWithValue(m.At.UTC())
	w.Subject(m.Subject)
	// RFC 3834, section 5: nobody's holiday greeting should answer.
	w.SetGenHeader("Auto-Submitted", "auto-generated")
	if m.Unsubscribe != "" { // RFC 8058, section 3.1
		w.SetGenHeader("List-Unsubscribe", "<"+m.Unsubscribe+">")
		w.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	w.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		w.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	var b bytes.Buffer
	if _, err := w.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("write a letter: %w", err)
	}
	return b.Bytes(), nil
}

// A Sender hands letters on. Send may be called from any goroutine.
type Sender interface {
	// Send returns nil when the next one has the letter; see the package for what an error means.
	Send(ctx context.Context, m Message) error
	// String says where letters go, for operators.
	String() string
}

// Parse reads a letter that Bytes wrote. Anything else is ErrMessage; bodies that are no text
// or HTML are skipped.
func Parse(wire []byte) (Message, error) {
	if len(wire) > maxEncoded {
		return Message{}, ErrMessage.With("The letter is larger than any of ours.")
	}
	in, err := netmail.ReadMessage(bytes.NewReader(wire))
	if err != nil {
		return Message{}, ErrMessage.With("The letter cannot be read.")
	}
	m := Message{ID: strings.Trim(in.Header.Get("Message-Id"), "<>"), Unsubscribe: strings.Trim(in.Header.Get("List-Unsubscribe"), "<>")}
	if m.At, err = in.Header.Date(); err != nil {
		return Message{}, ErrMessage.With("The letter has no date.")
	}
	if m.Subject, err = new(mime.WordDecoder).DecodeHeader(in.Header.Get("Subject")); err != nil {
		return Message{}, ErrMessage.With("The letter's subject cannot be read.")
	}
	for name, to := range map[string]*Address{"From": &m.From, "To": &m.To} {
		a, err := netmail.ParseAddress(in.Header.Get(name))
		if err != nil {
			return Message{}, ErrMessage.With("The letter's " + name + " cannot be read.")
		}
		*to = Address{Name: a.Name, Addr: a.Address}
	}
	if err := m.body(in.Header.Get("Content-Type"), in.Header.Get("Content-Transfer-Encoding"), in.Body); err != nil {
		return Message{}, err
	}
	if err := m.Check(); err != nil {
		return Message{}, ErrMessage.With("The letter is none that this program wrote.")
	}
	return m, nil
}

// body takes text and HTML out of one part, or out of the parts of an alternative.
func (m *Message) body(kind, encoding string, in io.Reader) error {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return ErrMessage.With("The letter's kind cannot be read.")
	}
	if media == "multipart/alternative" {
		for parts := multipart.NewReader(in, params["boundary"]); ; {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return ErrMessage.With("The letter's parts cannot be read.")
			}
			if strings.HasPrefix(p.Header.Get("Content-Type"), "multipart/") {
				continue // ours has none inside another
			}
			if err := m.body(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		in = quotedprintable.NewReader(in)
	case "base64":
		in = base64.NewDecoder(base64.StdEncoding, in)
	}
	b, err := io.ReadAll(io.LimitReader(in, MaxBody+1))
	if err != nil {
		return ErrMessage.With("The letter's text cannot be read.")
	}
	text := strings.ReplaceAll(string(b), "\r\n", "\n")
	switch media {
	case "text/plain":
		m.Text = text
	case "text/html":
		m.HTML = text
	}
	return nil
}
