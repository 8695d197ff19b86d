package mail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/mail/mailtest"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

var morning = time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)

func letter() mail.Message {
	return mail.Message{
		ID: "abc123@example.org", At: morning,
		From: mail.Address{Name: "Ardesia", Addr: "ardesia@example.org"}, To: mail.Address{Name: "Anna Ümlaut, Dr.", Addr: "anna@example.com"},
		Subject: "Perché no? A subject that is long enough to need more than one line of a header, è vero",
		Text:    "Good morning.\n\n.\nA line with a dot, and one that is long: " + strings.Repeat("very ", 40) + "long.\nhttps://example.org/x?a=b&c=d\n",
		HTML:    "<!doctype html>\n<p title=\"è\">Good morning.</p>\n",
	}
}

func TestAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want mail.Address
		ok   bool
	}{
		"plain":              {"anna@example.org", mail.Address{Addr: "anna@example.org"}, true},
		"with a plus":        {"anna+x@sub.example.org", mail.Address{Addr: "anna+x@sub.example.org"}, true},
		"with a name":        {"Ardesia <a@example.org>", mail.Address{Name: "Ardesia", Addr: "a@example.org"}, true},
		"with a quoted name": {`"Ardesia, at home" <a@example.org>`, mail.Address{Name: "Ardesia, at home", Addr: "a@example.org"}, true},
		"other letters":      {"münchen@bücher.example", mail.Address{Addr: "münchen@bücher.example"}, true},
		"one label":          {"root@localhost", mail.Address{Addr: "root@localhost"}, true},
		"empty":              {"", mail.Address{}, false},
		"no host":            {"anna", mail.Address{}, false},
		"no local part":      {"@example.org", mail.Address{}, false},
		"two":                {"a@example.org,b@example.org", mail.Address{}, false},
		"a line break":       {"a@example.org\r\nBcc: b@example.org", mail.Address{}, false},
		"a command":          {"a@example.org> SIZE=1", mail.Address{}, false},
		"a blank":            {"a b@example.org", mail.Address{}, false},
		"quoted local part":  {`"a b"@example.org`, mail.Address{}, false},
		"a number":           {"a@[127.0.0.1]", mail.Address{}, false},
		"dots":               {"a..b@example.org", mail.Address{}, false},
		"host with a dash":   {"a@-example.org", mail.Address{}, false},
		"two ats":            {"a@b@example.org", mail.Address{}, false},
		"unseen letter":      {"a\u200bb@example.org", mail.Address{}, false},
		"wide blank":         {"a\u2003b@example.org", mail.Address{}, false},
		"not UTF-8":          {"a\xff@example.org", mail.Address{}, false},
		"long local part":    {strings.Repeat("a", 65) + "@example.org", mail.Address{}, false},
		"long":               {"a@" + strings.Repeat("example.", 40) + "org", mail.Address{}, false},
		"name with a break":  {"A\nB <a@example.org>", mail.Address{}, false},
		"name never closed":  {`"A <a@example.org>`, mail.Address{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := mail.ParseAddress(c.text)
			if got != c.want || (err == nil) != c.ok || (err != nil && !errors.Is(err, mail.ErrAddress)) {
				t.Errorf("ParseAddress(%q) = %+v, %v", c.text, got, err)
			}
		})
	}
}

func TestALetterIsReadAsItWasWritten(t *testing.T) {
	for name, change := range map[string]func(m *mail.Message){
		"all of it": func(*mail.Message) {},
		"text only": func(m *mail.Message) { m.HTML = "" },
		"no name":   func(m *mail.Message) { m.To.Name = "" },
		"long words": func(m *mail.Message) {
			m.Subject = strings.Repeat("è", 120)
			m.Text = strings.Repeat("x", 3000) + "\n"
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := letter()
			change(&m)
			wire, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(wire) {
				if len(line) > 80 || !bytes.HasSuffix(line, []byte("\r\n")) {
					t.Errorf("line of %d bytes: %q", len(line), line)
				}
			}
			got, err := mail.Parse(wire)
			m.At = m.At.Truncate(time.Second) // a date has no more
			if err != nil || !got.At.Equal(m.At) {
				t.Fatalf("Parse: %v, %v", got.At, err)
			}
			got.At = m.At
			if got != m {
				t.Errorf("%+v, want %+v\n%s", got, m, wire)
			}
		})
	}
}

func TestLettersThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(m *mail.Message){
		"no recipient":           func(m *mail.Message) { m.To = mail.Address{} },
		"two recipients":         func(m *mail.Message) { m.To.Addr += ",b@example.org" },
		"a header in an address": func(m *mail.Message) { m.To.Addr = "a@example.org\r\nBcc: b@example.org" },
		"a header in a name":     func(m *mail.Message) { m.To.Name = "A\r\nBcc: b@example.org" },
		"a header in a subject":  func(m *mail.Message) { m.Subject = "A\r\nBcc: b@example.org" },
		"a header in the sender": func(m *mail.Message) { m.From.Name = "A\nBcc: b@example.org" },
		"a header in the id":     func(m *mail.Message) { m.ID = "a@b>\r\nBcc: <b@example.org" },
		"an encoded subject":     func(m *mail.Message) { m.Subject = "=?utf-8?q?=0D=0ABcc:_x?=" },
		"an encoded name":        func(m *mail.Message) { m.To.Name = "=?utf-8?q?=0D=0ABcc:_x?=" },
		"an NEL in a subject":    func(m *mail.Message) { m.Subject = "A\u0085B" },
		"no subject":             func(m *mail.Message) { m.Subject = " " },
		"no text":                func(m *mail.Message) { m.Text = "" },
		"no date":                func(m *mail.Message) { m.At = time.Time{} },
		"too long":               func(m *mail.Message) { m.Text = strings.Repeat("a", mail.MaxBody+1) },
		"NUL":                    func(m *mail.Message) { m.HTML = "a\x00" },
		"not UTF-8":              func(m *mail.Message) { m.Text = "\xff" },
	} {
		t.Run(name, func(t *testing.T) {
			m := letter()
			change(&m)
			wire, err := m.Bytes()
			if wire != nil || !mail.Permanent(err) {
				t.Errorf("Bytes = %q, %v", wire, err)
			}
		})
	}
}

// headers are those of a letter, and no other may ever be there.
var headers = map[string]bool{"From": true, "To": true, "Subject": true, "Date": true, "Message-Id": true, "Mime-Version": true, "Content-Type": true, "Auto-Submitted": true}

// Whatever is typed as address, name, subject or text, a letter is refused or has exactly our
// headers, once each, with exactly what was typed in them.
func FuzzHeaders(f *testing.F) {
	f.Add("anna@example.org", "Anna", "Hello", "text")
	f.Add("anna@example.org\r\nBcc: b@example.org", "Anna\r\nX: y", "Hello\r\n\r\nbody", ".\r\n")
	f.Add("münchen@bücher.example", "=?utf-8?q?a?=", "=?utf-8?q?=0D=0ABcc:_x?=", "From here\n..\n.\n")
	f.Add("a@example.org", `"Anna" <b@example.org>, c`, "  two  blanks  ", "\t\n")
	f.Add("a@example.org", "\\\"", strings.Repeat("a b  ", 40), "=\n")
	f.Fuzz(func(t *testing.T, addr, name, subject, text string) {
		if parsed, err := mail.ParseAddress(addr); err == nil && parsed.Check() != nil {
			t.Fatalf("%q was read as %+v, which is refused", addr, parsed)
		}
		m := letter()
		m.To, m.Subject, m.Text = mail.Address{Name: name, Addr: addr}, subject, text
		wire, err := m.Bytes()
		if err != nil {
			return
		}
		in, err := netmail.ReadMessage(bytes.NewReader(wire))
		if err != nil {
			t.Fatalf("%v\n%s", err, wire)
		}
		for key, values := range in.Header {
			if !headers[key] || len(values) != 1 {
				t.Fatalf("header %s: %q\n%s", key, values, wire)
			}
		}
		to, err := netmail.ParseAddressList(in.Header.Get("To"))
		if err != nil || len(to) != 1 || to[0].Address != addr {
			t.Fatalf("to %v, %v, want %s\n%s", to, err, addr, wire)
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(in.Header.Get("Subject")); err != nil || !same(got, subject) {
			t.Fatalf("subject %q, %v, want %q\n%s", got, err, subject, wire)
		}
		if got, err := mail.Parse(wire); err != nil || !same(got.Text, text) {
			t.Fatalf("%v: text %q, want %q\n%s", err, got.Text, text, wire)
		}
	})
}

// same is equal but for blanks, which folding may change, and ends of lines.
func same(a, b string) bool {
	return strings.Join(strings.Fields(a), "") == strings.Join(strings.Fields(b), "")
}

// Whatever lies in the folder, Parse refuses it or reads a letter that can be sent.
func FuzzParse(f *testing.F) {
	wire, err := letter().Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire)
	f.Add([]byte("From: a@b\r\nTo: c@d\r\nDate: Mon, 02 Jan 2006 15:04:05 -0700\r\nMessage-ID: <a@b>\r\nSubject: x\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n--x--"))
	f.Add([]byte("\r\n\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := mail.Parse(wire)
		if err == nil {
			err = m.Check()
		} else if !errors.Is(err, mail.ErrMessage) || m != (mail.Message{}) {
			t.Fatalf("refused with %v and %+v", err, m)
		} else {
			return
		}
		if err != nil {
			t.Fatalf("read %+v, which cannot be sent: %v", m, err)
		}
	})
}

// to is a sender to a server for tests.
func to(t *testing.T, s *mailtest.Server, change ...func(c *mail.Config)) *mail.SMTP {
	t.Helper()
	c := mail.Config{Addr: s.Addr, Roots: s.Roots, Hello: "ardesia.example.org", Timeout: 20 * time.Second, Now: time.Now}
	for _, fn := range change {
		fn(&c)
	}
	sender, err := mail.NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return sender
}

func TestLettersArrive(t *testing.T) {
	user := func(c *mail.Config) { c.User, c.Password = "ardesia", secret.New("hunter 2") }
	for name, c := range map[string]struct {
		server mailtest.Options
		change func(c *mail.Config)
		tls    bool
		user   string
	}{
		"STARTTLS":                         {mailtest.Options{}, func(*mail.Config) {}, true, ""},
		"TLS from the first byte":          {mailtest.Options{Implicit: true}, func(c *mail.Config) { c.TLS = mail.Implicit }, true, ""},
		"on this machine without TLS":      {mailtest.Options{NoTLS: true}, func(c *mail.Config) { c.TLS = mail.Plain }, false, ""},
		"with a password":                  {mailtest.Options{Auth: "XOAUTH2 PLAIN", User: "ardesia", Password: "hunter 2"}, user, true, "ardesia"},
		"with a password that is not told": {mailtest.Options{Auth: "SCRAM-SHA-256 PLAIN LOGIN", User: "ardesia", Password: "hunter 2"}, user, true, "ardesia"},
		"with a password the other way":    {mailtest.Options{Auth: "LOGIN", User: "ardesia", Password: "hunter 2"}, user, true, "ardesia"},
		"a server that says no goodbye": {mailtest.Options{Say: func(word, _ string) string {
			if word == "QUIT" {
				return mailtest.HangUp
			}
			return ""
		}}, func(*mail.Config) {}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, c.server)
			sender := to(t, s, c.change)
			m := letter()
			if err := sender.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
			got := s.Letters()
			if len(got) != 1 || got[0].From != m.From.Addr || got[0].To != m.To.Addr || got[0].TLS != c.tls || got[0].User != c.user {
				t.Fatalf("arrived: %+v", got)
			}
			if read, err := mail.Parse(got[0].Data); err != nil || read.Text != m.Text || read.HTML != m.HTML || read.ID != m.ID {
				t.Errorf("read: %+v, %v", read, err)
			}
			if err := sender.Check(t.Context()); err != nil {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// answer is a server's answer to one word.
func answer(to, reply string) func(word, line string) string {
	return func(word, _ string) string {
		if word == to {
			return reply
		}
		return ""
	}
}

func TestLettersThatAreNotTaken(t *testing.T) {
	for name, c := range map[string]struct {
		server    mailtest.Options
		change    func(c *mail.Config)
		step      mail.Step
		code      int
		permanent bool
	}{
		"nobody there":             {mailtest.Options{}, func(c *mail.Config) { c.Addr = closed(t) }, mail.Connecting, 0, false},
		"busy":                     {mailtest.Options{Say: answer("CONNECT", "421 4.3.2 later")}, nil, mail.Greeting, 421, false},
		"closed for good":          {mailtest.Options{Say: answer("CONNECT", "554 5.3.2 never")}, nil, mail.Greeting, 554, false},
		"hangs up at once":         {mailtest.Options{Say: answer("CONNECT", mailtest.HangUp)}, nil, mail.Greeting, 0, false},
		"says nothing":             {mailtest.Options{Say: answer("CONNECT", mailtest.Silence)}, func(c *mail.Config) { c.Timeout = 50 * time.Millisecond }, mail.Greeting, 0, false},
		"no STARTTLS":              {mailtest.Options{NoTLS: true}, nil, mail.Encrypting, 0, false},
		"STARTTLS refused":         {mailtest.Options{Say: answer("STARTTLS", "454 4.7.0 not now")}, nil, mail.Encrypting, 454, false},
		"a strange certificate":    {mailtest.Options{}, func(c *mail.Config) { c.Roots = nil }, mail.Encrypting, 0, false},
		"another's certificate":    {mailtest.Options{Host: "other.example.org"}, nil, mail.Encrypting, 0, false},
		"an old certificate":       {mailtest.Options{}, func(c *mail.Config) { c.Now = func() time.Time { return time.Now().Add(48 * time.Hour) } }, mail.Encrypting, 0, false},
		"implicit where it is not": {mailtest.Options{}, func(c *mail.Config) { c.TLS = mail.Implicit }, mail.Encrypting, 0, false},
		"wrong password":           {mailtest.Options{Auth: "PLAIN", User: "ardesia", Password: "hunter 2"}, func(c *mail.Config) { c.User, c.Password = "ardesia", secret.New("3") }, mail.Proving, 535, false},
		"wrong password by SCRAM":  {mailtest.Options{Auth: "SCRAM-SHA-256", User: "ardesia", Password: "hunter 2"}, func(c *mail.Config) { c.User, c.Password = "ardesia", secret.New("3") }, mail.Proving, 535, false},
		"no way to sign in":        {mailtest.Options{Auth: "XOAUTH2", User: "a"}, func(c *mail.Config) { c.User, c.Password = "a", secret.New("3") }, mail.Proving, 0, false},
		"nobody signed in":         {mailtest.Options{Auth: "PLAIN", User: "a"}, nil, mail.FromSender, 530, false},
		"sender refused":           {mailtest.Options{Say: answer("MAIL", "550 5.7.1 not you")}, nil, mail.FromSender, 550, false},
		"no such person":           {mailtest.Options{Say: answer("RCPT", "550 5.1.1 <anna@example.com> is unknown")}, nil, mail.ForRecipient, 550, true},
		"mailbox full":             {mailtest.Options{Say: answer("RCPT", "452 4.2.2 full")}, nil, mail.ForRecipient, 452, false},
		"greylisted":               {mailtest.Options{Say: answer("DATA", "451 4.7.1 later")}, nil, mail.Content, 451, false},
		"carries nothing for us":   {mailtest.Options{Say: answer("RCPT", "554 5.7.1 relay access denied")}, nil, mail.ForRecipient, 554, false},
		"content refused":          {mailtest.Options{Say: answer(".", "554 5.6.0 what is this?")}, nil, mail.Content, 554, true},
		"content not trusted":      {mailtest.Options{Say: answer(".", "550 5.7.26 no DKIM")}, nil, mail.Content, 550, false},
		"content not now":          {mailtest.Options{Say: answer(".", "451 4.3.0 disk")}, nil, mail.Content, 451, false},
		"hangs up with the letter": {mailtest.Options{Say: answer(".", mailtest.HangUp)}, nil, mail.Content, 0, false},
		"silent with the letter":   {mailtest.Options{Say: answer(".", mailtest.Silence)}, func(c *mail.Config) { c.Timeout = 300 * time.Millisecond }, mail.Content, 0, false},
		"talks for ever":           {mailtest.Options{Say: answer("EHLO", strings.Repeat("250-"+strings.Repeat("a", 96)+"\r\n", 12000)+"250 x")}, nil, mail.Greeting, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Start(t, c.server)
			if c.change == nil {
				c.change = func(*mail.Config) {}
			}
			err := to(t, s, c.change).Send(t.Context(), letter())
			var e *mail.Error
			if !errors.As(err, &e) || e.Step != c.step || e.Code != c.code || mail.Permanent(err) != c.permanent {
				t.Fatalf("Send = %v (step %v, permanent %v), want step %v, code %d, permanent %v", err, stepOf(e), mail.Permanent(err), c.step, c.code, c.permanent)
			}
			if strings.Contains(err.Error(), "anna") {
				t.Errorf("an error for the log names the recipient: %v", err)
			}
		})
	}
}

func stepOf(e *mail.Error) any {
	if e == nil {
		return "none"
	}
	return e.Step
}

func closed(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Somebody on the way who hides STARTTLS gets neither the password nor the letter.
func TestNothingIsSaidWithoutEncryption(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{NoTLS: true, Auth: "PLAIN LOGIN", User: "ardesia", Password: "hunter 2"})
	err := to(t, s, func(c *mail.Config) { c.User, c.Password = "ardesia", secret.New("hunter 2") }).Send(t.Context(), letter())
	if err == nil || len(s.Letters()) != 0 {
		t.Fatalf("Send = %v, letters %d", err, len(s.Letters()))
	}
	for line := range strings.Lines(s.Said()) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), " "); word != "EHLO" && word != "QUIT" {
			t.Errorf("said without encryption: %q", line)
		}
	}
}

// What somebody on the way slipped in before encryption is not taken for the server's word.
func TestWhatCameBeforeEncryptionIsForgotten(t *testing.T) {
	s := mailtest.Start(t, mailtest.Options{Say: answer("STARTTLS", "220 go ahead\r\n250-evil\r\n250 AUTH PLAIN")})
	if err := to(t, s).Send(t.Context(), letter()); err != nil {
		t.Fatal(err)
	}
	if got := s.Letters(); len(got) != 1 || !got[0].TLS {
		t.Errorf("arrived: %+v", got)
	}
}

func TestAddressesOfOtherScripts(t *testing.T) {
	m := letter()
	m.To.Addr = "münchen@bücher.example"
	knows := mailtest.Start(t, mailtest.Options{})
	if err := to(t, knows).Send(t.Context(), m); err != nil {
		t.Errorf("a server that knows them: %v", err)
	}
	if !strings.Contains(knows.Said(), "SMTPUTF8") {
		t.Errorf("the server was not told: %s", knows.Said())
	}
	not := mailtest.Start(t, mailtest.Options{NoUTF8: true})
	if err := to(t, not).Send(t.Context(), m); !mail.Permanent(err) || strings.Contains(not.Said(), "RCPT") {
		t.Errorf("a server that does not: %v\n%s", err, not.Said())
	}
}

func TestConfigurationsThatAreRefused(t *testing.T) {
	good := mail.Config{Addr: "mail.example.org:587", Now: time.Now}
	for name, change := range map[string]func(c *mail.Config){
		"no port":                   func(c *mail.Config) { c.Addr = "mail.example.org" },
		"no host":                   func(c *mail.Config) { c.Addr = ":587" },
		"no TLS to another machine": func(c *mail.Config) { c.TLS = mail.Plain },
		"a user without a password": func(c *mail.Config) { c.User = "a" },
		"a password without a user": func(c *mail.Config) { c.Password = secret.New("a") },
		"a break in the user":       func(c *mail.Config) { c.User, c.Password = "a\r\nRSET", secret.New("b") },
		"no clock":                  func(c *mail.Config) { c.Now = nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := good
			change(&c)
			if s, err := mail.NewSMTP(c); err == nil {
				t.Errorf("NewSMTP = %v", s)
			}
		})
	}
	if _, err := mail.NewSMTP(good); err != nil {
		t.Error(err)
	}
}

func TestAFolderKeepsLetters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "mail")
	f := mail.NewFolder(dir)
	if names, err := f.List(); len(names) != 0 || err != nil {
		t.Fatalf("before the first: %v, %v", names, err)
	}
	older, newer := letter(), letter()
	newer.ID, newer.At, newer.Subject = "other@example.org", morning.Add(time.Second), "The second"
	for _, m := range []mail.Message{older, newer, older} { // the first one twice
		if err := f.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	names, err := f.List()
	if err != nil || len(names) != 2 {
		t.Fatalf("%v, %v, want two", names, err)
	}
	if got, err := f.Open(names[0]); err != nil || got.Subject != "The second" {
		t.Errorf("the newest: %+v, %v", got, err)
	}
	for _, path := range append(names, ".") {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	for _, name := range []string{"../core.db", "x.eml", "", strings.Replace(names[0], "2030", "2031", 1)} {
		if _, err := f.Open(name); !errors.Is(err, mail.ErrNoLetter) {
			t.Errorf("Open(%q) = %v", name, err)
		}
	}
	if err := mail.NewFolder(filepath.Join(dir, names[0])).Send(t.Context(), older); err == nil {
		t.Error("a folder that is a file took a letter")
	}
}

func TestAFolderKeepsSoManyLetters(t *testing.T) {
	dir := t.TempDir()
	for i := range 502 {
		name := fmt.Sprintf("20290101T000000.%06d-0123456789abcdef.eml", i)
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := mail.NewFolder(dir)
	if err := f.Send(context.Background(), letter()); err != nil {
		t.Fatal(err)
	}
	if names, err := f.List(); err != nil || len(names) != 500 || !strings.HasPrefix(names[0], "2030") {
		t.Errorf("%d letters, %v", len(names), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "20290101T000000.000000-0123456789abcdef.eml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the oldest: %v", err)
	}
}
