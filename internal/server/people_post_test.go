package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/mail/mailtest"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

func TestSettingsOfMail(t *testing.T) {
	base := Config{Data: "x", Dev: true, Host: "ardesia.example.org"}
	for name, c := range map[string]struct {
		change          func(c *Config)
		addr, tls, from string
		wrong           string
	}{
		"none":                       {func(*Config) {}, "", "", "Ardesia <ardesia@ardesia.example.org>", ""},
		"by address":                 {func(c *Config) { c.Host = "192.0.2.1" }, "", "", "Ardesia <ardesia@localhost>", ""},
		"a server":                   {func(c *Config) { c.SMTPAddr = "mail.example.org" }, "mail.example.org:587", "starttls", "Ardesia <ardesia@ardesia.example.org>", ""},
		"port 465":                   {func(c *Config) { c.SMTPAddr = "mail.example.org:465" }, "mail.example.org:465", "implicit", "Ardesia <ardesia@ardesia.example.org>", ""},
		"implicit":                   {func(c *Config) { c.SMTPAddr, c.SMTPTLS = "mail.example.org", "implicit" }, "mail.example.org:465", "implicit", "Ardesia <ardesia@ardesia.example.org>", ""},
		"a sender":                   {func(c *Config) { c.MailFrom = "cloud@example.org" }, "", "", "cloud@example.org", ""},
		"no sender to be told of":    {func(c *Config) { c.Host, c.SMTPAddr = "localhost", "mail.example.org" }, "", "", "", "mail-from: say from whom"},
		"a sender that is none":      {func(c *Config) { c.MailFrom = "Ardesia" }, "", "", "", "mail-from"},
		"a kind of TLS that is none": {func(c *Config) { c.SMTPAddr, c.SMTPTLS = "mail.example.org", "ssl" }, "", "", "", "smtp-tls"},
		"a user without password":    {func(c *Config) { c.SMTPAddr, c.SMTPUser = "mail.example.org", "a" }, "", "", "", "smtp-user"},
		"a user without a server":    {func(c *Config) { c.SMTPUser = "a" }, "", "", "", "smtp-user: means nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := base
			c.change(&cfg)
			got, err := cfg.Filled()
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("Filled = %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil || got.SMTPAddr != c.addr || got.SMTPTLS != c.tls || got.MailFrom != c.from {
				t.Errorf("%q %q %q, %v", got.SMTPAddr, got.SMTPTLS, got.MailFrom, err)
			}
		})
	}
}

// withServer is a house that sends through a mail server for tests, as a user with a password.
func withServer(t *testing.T, o mailtest.Options) (Config, *mailtest.Server) {
	t.Helper()
	o.Auth, o.User, o.Password = "PLAIN", "ardesia", "hunter 2"
	m := mailtest.Start(t, o)
	cfg := config(t)
	dir := t.TempDir()
	cfg.SMTPAddr, cfg.SMTPUser, cfg.MailFrom = m.Addr, "ardesia", "Ardesia <cloud@example.org>"
	cfg.SMTPPasswordFile, cfg.SMTPCA = filepath.Join(dir, "password"), filepath.Join(dir, "ca.pem")
	write(t, "hunter 2\n", cfg.SMTPPasswordFile)
	write(t, string(m.PEM), cfg.SMTPCA)
	cfg, err := cfg.Filled()
	if err != nil {
		t.Fatal(err)
	}
	return cfg, m
}

func TestAnOperatorSeesWhetherLettersArrive(t *testing.T) {
	cfg, m := withServer(t, mailtest.Options{Say: func(word, line string) string {
		if word == "RCPT" && strings.Contains(line, "nobody@") {
			return "550 5.1.1 no such person here"
		}
		return ""
	}})
	h := start(t, cfg)
	var out struct {
		To string `json:"to"`
		By string `json:"by"`
		ID string `json:"message_id"`
	}
	h.admin(t, "mail.test", map[string]string{"address": "anna@example.com", "lang": "it"}, &out)
	got := m.Letters()
	if len(got) != 1 || got[0].To != "anna@example.com" || got[0].From != "cloud@example.org" || got[0].User != "ardesia" || !got[0].TLS {
		t.Fatalf("arrived: %+v", got)
	}
	read, err := mail.Parse(got[0].Data)
	if err != nil || read.ID != out.ID || read.Subject != "Le lettere arrivano" || !strings.Contains(out.By, cfg.SMTPAddr) {
		t.Errorf("read %+v, %v; told %+v", read, err, out)
	}
	for address, want := range map[string]string{
		"nobody@example.com": "550 5.1.1: no such person here. Is the address right",
		"nobody":             "not an e-mail address",
	} {
		in, _ := json.Marshal(map[string]string{"address": address})
		if _, err := h.Admin(t.Context(), "mail.test", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	if strings.Contains(h.log.String(), "example.com") {
		t.Error("the log names a recipient")
	}
}

// A letter that a room hands over reaches the person's address through the mail server.
func TestLettersToPeopleLeaveTheHouse(t *testing.T) {
	cfg, m := withServer(t, mailtest.Options{})
	h := start(t, cfg)
	var u struct {
		ID string `json:"id"`
	}
	h.admin(t, "user.add", map[string]string{"email": "anna@example.com", "name": "Anna", "password": "five quiet green lamps 7"}, &u)
	err := h.letters.Send(t.Context(), post.Letter{Kind: post.PasswordChanged, To: u.ID, Fields: map[string]string{"when": "2030-01-02T03:04:05Z"}})
	if err != nil {
		t.Fatal(err)
	}
	got := m.Wait(t, 1)
	if read, err := mail.Parse(got[0].Data); err != nil || got[0].To != "anna@example.com" || !strings.HasPrefix(read.Text, "Hello Anna,") {
		t.Errorf("arrived: %+v, %v", read, err)
	}
}

func TestDoctorLooksAtTheMailServer(t *testing.T) {
	for name, c := range map[string]struct {
		server mailtest.Options
		change func(t *testing.T, cfg *Config)
		grade  Grade
		text   string
		cure   string
	}{
		"answers":           {mailtest.Options{}, func(*testing.T, *Config) {}, Good, "answers and knows us", ""},
		"is not there":      {mailtest.Options{}, func(_ *testing.T, cfg *Config) { cfg.SMTPAddr = "127.0.0.1:1" }, Bad, "connect", "firewall"},
		"no TLS":            {mailtest.Options{NoTLS: true}, func(*testing.T, *Config) {}, Bad, "does not offer STARTTLS", "smtp-tls"},
		"strange authority": {mailtest.Options{}, func(_ *testing.T, cfg *Config) { cfg.SMTPCA = "" }, Bad, "encryption", "smtp-ca"},
		"wrong password":    {mailtest.Options{}, func(t *testing.T, cfg *Config) { write(t, "x", cfg.SMTPPasswordFile) }, Bad, "refused with 535 5.7.8", "password"},
		"no password":       {mailtest.Options{}, func(t *testing.T, cfg *Config) { gone(t, cfg.SMTPPasswordFile) }, Bad, "smtp-password-file", ""},
		"an empty password": {mailtest.Options{}, func(t *testing.T, cfg *Config) { write(t, "\n", cfg.SMTPPasswordFile) }, Bad, "is empty", ""},
		"an open password":  {mailtest.Options{}, func(t *testing.T, cfg *Config) { mode(t, 0o644, cfg.SMTPPasswordFile) }, Bad, "everybody on this machine can read", ""},
		"a folder":          {mailtest.Options{}, func(_ *testing.T, cfg *Config) { cfg.SMTPAddr = "" }, Good, "/dev/mail", ""},
		"no mail server":    {mailtest.Options{}, func(_ *testing.T, cfg *Config) { cfg.SMTPAddr, cfg.Dev = "", false }, Warn, "nobody gets them", "--smtp-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, _ := withServer(t, c.server)
			c.change(t, &cfg)
			got := examineMail(t.Context(), cfg, time.Now)
			if got.Grade != c.grade || !strings.Contains(got.Text, c.text) || !strings.Contains(got.Cure, c.cure) {
				t.Errorf("%+v, want %s %q with the cure %q", got, c.grade, c.text, c.cure)
			}
			if strings.Contains(got.Text, "hunter") {
				t.Error("tells the password")
			}
		})
	}
}

// A developer sees the letters at /dev/mail, on the machine itself and nowhere else.
func TestADeveloperReadsLetters(t *testing.T) {
	h := start(t, config(t))
	h.admin(t, "mail.test", map[string]string{"address": "anna@example.com"}, nil)
	ca, err := os.ReadFile(filepath.Join(h.cfg.Data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool}}}
	ask := func(path string) (*http.Response, string) {
		t.Helper()
		_, port, _ := net.SplitHostPort(h.at["https"])
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://localhost:"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	names, err := mail.NewFolder(filepath.Join(h.cfg.Data, mailFolder)).List()
	if err != nil || len(names) != 1 {
		t.Fatalf("letters: %v, %v", names, err)
	}
	if answer, body := ask("/dev/mail"); answer.StatusCode != http.StatusOK || !strings.Contains(body, "anna@example.com") || !strings.Contains(body, "/dev/mail/"+names[0]) {
		t.Errorf("the list: %s\n%s", answer.Status, body)
	}
	answer, body := ask("/dev/mail/" + names[0])
	policy := answer.Header.Get("Content-Security-Policy")
	if answer.StatusCode != http.StatusOK || !strings.Contains(body, `sandbox=""`) || !strings.Contains(body, "This is a test.") ||
		!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "'sha256-") || strings.Contains(policy, "unsafe") {
		t.Errorf("the letter: %s %s\n%s", answer.Status, policy, body)
	}
	if answer, _ := ask("/dev/mail/20300101T000000.000000-0123456789abcdef.eml"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("a letter that is not: %s", answer.Status)
	}
}

func TestLettersAreShownToNobodyElse(t *testing.T) {
	d := devMail{mail.NewFolder(t.TempDir()), "ardesia.example.org"}
	for name, c := range map[string]struct {
		from, to, host, header string
		want                   int
	}{
		"this machine":       {"127.0.0.1:5000", "127.0.0.1:8443", "localhost:8443", "", http.StatusOK},
		"by IPv6":            {"[::1]:5000", "[::1]:8443", "[::1]:8443", "", http.StatusOK},
		"by its own name":    {"127.0.0.1:5000", "127.0.0.1:8443", "ardesia.example.org", "", http.StatusOK},
		"from elsewhere":     {"192.0.2.1:5000", "127.0.0.1:8443", "localhost:8443", "", http.StatusNotFound},
		"on another address": {"127.0.0.1:5000", "192.0.2.1:8443", "localhost:8443", "", http.StatusNotFound},
		"by a foreign name":  {"127.0.0.1:5000", "127.0.0.1:8443", "evil.example:8443", "", http.StatusNotFound},
		"through a proxy":    {"127.0.0.1:5000", "127.0.0.1:8443", "localhost:8443", "192.0.2.1", http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			to, err := net.ResolveTCPAddr("tcp", c.to)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(to)), http.MethodGet, "https://"+c.host+"/dev/mail", nil)
			r.RemoteAddr = c.from
			if c.header != "" {
				r.Header.Set("X-Forwarded-For", c.header)
			}
			w := httptest.NewRecorder()
			d.only(d.list)(w, r)
			if w.Code != c.want {
				t.Errorf("%d, want %d", w.Code, c.want)
			}
		})
	}
	cfg := config(t)
	s := &Server{cfg: cfg, mail: mail.NewFolder(t.TempDir())}
	if len(s.devPages()) == 0 {
		t.Error("with --dev there are no pages")
	}
	s.cfg.Dev = false
	if len(s.devPages()) != 0 {
		t.Error("without --dev there are pages")
	}
	cfg, _ = withServer(t, mailtest.Options{})
	sender, err := cfg.sender(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if s = (&Server{cfg: cfg, mail: sender}); len(s.devPages()) != 0 {
		t.Error("with a mail server there are pages")
	}
}
