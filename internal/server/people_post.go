package server

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// mailFolder is where letters go in DIR when there is no mail server.
const mailFolder = "mail"

// withMail fills in what depends on the mail server, or says what cannot be used.
func (c Config) withMail() (Config, map[string]error) {
	wrong := map[string]error{}
	if c.SMTPAddr == "" {
		for key, value := range map[string]string{"smtp-user": c.SMTPUser, "smtp-password-file": c.SMTPPasswordFile, "smtp-tls": c.SMTPTLS, "smtp-ca": c.SMTPCA} {
			if value != "" {
				wrong[key] = errors.New("means nothing without a mail server (smtp-addr)")
			}
		}
	} else {
		if _, port, err := net.SplitHostPort(c.SMTPAddr); err == nil && port == "465" {
			c.SMTPTLS = orElse(c.SMTPTLS, mail.Implicit.String())
		} else if err != nil {
			port = "587" // RFC 6409
			if c.SMTPTLS == mail.Implicit.String() {
				port = "465" // RFC 8314
			}
			c.SMTPAddr = net.JoinHostPort(c.SMTPAddr, port)
		}
		c.SMTPTLS = orElse(c.SMTPTLS, mail.StartTLS.String())
		if _, err := mail.ParseProtection(c.SMTPTLS); err != nil {
			wrong["smtp-tls"] = err
		}
		if (c.SMTPUser == "") != (c.SMTPPasswordFile == "") {
			wrong["smtp-user"] = errors.New("a user needs a password and a password its user (smtp-password-file)")
		}
	}
	if c.MailFrom == "" {
		c.MailFrom = "Ardesia <ardesia@" + c.Host + ">"
		if c.SMTPAddr == "" && net.ParseIP(c.Host) != nil {
			c.MailFrom = "Ardesia <ardesia@localhost>" // nobody gets them
		}
		if c.SMTPAddr != "" && (c.Host == "localhost" || net.ParseIP(c.Host) != nil) {
			wrong["mail-from"] = errors.New("say from whom letters come: \"Ardesia <ardesia@example.org>\"")
			return c, wrong
		}
	}
	if _, err := mail.ParseAddress(c.MailFrom); err != nil {
		wrong["mail-from"] = fmt.Errorf("%q is neither an address nor \"Name <address>\"", c.MailFrom)
	}
	return c, wrong
}

// sender is who carries letters.
func (c Config) sender(now func() time.Time) (mail.Sender, error) {
	if c.SMTPAddr == "" {
		return mail.NewFolder(filepath.Join(c.Data, mailFolder)), nil
	}
	return c.smtp(0, now)
}

// smtp is the mail server. timeout is for one letter, 0 for the usual.
func (c Config) smtp(timeout time.Duration, now func() time.Time) (*mail.SMTP, error) {
	protection, err := mail.ParseProtection(c.SMTPTLS)
	if err != nil {
		return nil, fmt.Errorf("smtp-tls: %w", err)
	}
	m := mail.Config{Addr: c.SMTPAddr, User: c.SMTPUser, TLS: protection, Timeout: timeout, Now: now}
	m.Hello = c.Host
	if ip := net.ParseIP(c.Host); ip != nil { // RFC 5321, section 4.1.3
		m.Hello = "[" + ip.String() + "]"
		if ip.To4() == nil {
			m.Hello = "[IPv6:" + ip.String() + "]"
		}
	}
	if c.SMTPPasswordFile != "" {
		if m.Password, err = readPassword(c.SMTPPasswordFile); err != nil {
			return nil, fmt.Errorf("smtp-password-file: %w", err)
		}
	}
	if c.SMTPCA != "" {
		text, err := os.ReadFile(c.SMTPCA)
		if err != nil {
			return nil, fmt.Errorf("smtp-ca: %w", err)
		}
		m.Roots = x509.NewCertPool()
		if !m.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("smtp-ca: %s holds no certificate", c.SMTPCA)
		}
	}
	s, err := mail.NewSMTP(m)
	if err != nil {
		return nil, fmt.Errorf("smtp-addr: %w", err)
	}
	return s, nil
}

// maxPasswordFile is how many bytes a file with a password has at most.
const maxPasswordFile = 1024

// readPassword reads the first line of a file that not everybody may read.
func readPassword(path string) (secret.String, error) {
	f, err := os.Open(path)
	if err != nil {
		return secret.String{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return secret.String{}, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return secret.String{}, fmt.Errorf("everybody on this machine can read %s: chmod o= %s", path, path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPasswordFile))
	if err != nil {
		return secret.String{}, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
		return secret.String{}, fmt.Errorf("the first line of %s is empty", path)
	}
	return secret.New(string(line)), nil
}

// openPost makes the room of letters.
func (s *Server) openPost() error {
	var err error
	if s.mail, err = s.cfg.sender(s.world.Now); err != nil {
		return err
	}
	from, err := mail.ParseAddress(s.cfg.MailFrom)
	if err != nil {
		return fmt.Errorf("mail-from: %w", err)
	}
	s.letters, err = post.New(post.Needs{
		Store: post.SQL(s.data.core), Keys: s.data.ring, Person: s.addressee, Sender: s.mail, From: from,
		House: s.cfg.Host, Now: s.world.Now, Log: s.log,
	})
	return err
}

// addressee is an account as a letter needs it.
func (s *Server) addressee(ctx context.Context, user string) (post.Person, error) {
	u, err := s.accounts.Get(ctx, user)
	if err != nil {
		return post.Person{}, err
	}
	said, err := s.accounts.Profile(ctx, user)
	return post.Person{Address: u.Email, Name: u.Name, Lang: said.Lang}, err
}

// mailTest sends a letter at once and says what became of it.
func (s *Server) mailTest(ctx context.Context, in struct {
	Address string `json:"address"`
	Lang    string `json:"lang"`
}) (any, error) {
	id, err := s.letters.Try(ctx, in.Address, in.Lang)
	if err != nil {
		return nil, explained(err)
	}
	return map[string]any{"to": in.Address, "by": s.mail.String(), "message_id": id}, nil
}

// remedies say what an operator can do when a letter came so far and no further.
var remedies = [...]string{
	mail.Connecting:   "Is smtp-addr right, and does a firewall let this machine through?",
	mail.Greeting:     "Is this a mail server, and does smtp-tls fit its port (465 is implicit, 587 is starttls)?",
	mail.Encrypting:   "Does smtp-tls fit its port (465 is implicit, 587 is starttls)? If an authority of your own signed its certificate, name it with smtp-ca.",
	mail.Proving:      "Are smtp-user and the password in smtp-password-file right?",
	mail.FromSender:   "May this user send letters as mail-from? Does the server want a user (smtp-user)?",
	mail.ForRecipient: "Is the address right, and does the server carry letters to others for this user?",
	mail.Content:      "The server looked at the letter itself; its answer says what it does not like.",
}

// explained is a failure of the mail server with all that it said and what to do, for the operator alone.
func explained(err error) error {
	var e *mail.Error
	if !errors.As(err, &e) {
		return err
	}
	return problem.New(problem.Unavailable, "mail-failed", e.Detail()+". "+remedies[e.Step])
}

// doctorWaits is how long doctor waits for the mail server.
const doctorWaits = 15 * time.Second

// examineMail says whether letters to people can leave.
func examineMail(ctx context.Context, cfg Config, now func() time.Time) Finding {
	if cfg.SMTPAddr == "" {
		dir := filepath.Join(cfg.Data, mailFolder)
		if cfg.Dev {
			return Finding{Good, "Letters to people go into " + dir + "; /dev/mail shows them.", ""}
		}
		return Finding{Warn, "There is no mail server: letters to people go into " + dir + ", and nobody gets them.", "--smtp-addr HOST:PORT; docs/operate.md, \"Mail\""}
	}
	sender, err := cfg.smtp(doctorWaits, now)
	if err != nil {
		return Finding{Bad, "Letters cannot leave: " + err.Error(), "mend that setting"}
	}
	var e *mail.Error
	if err := sender.Check(ctx); errors.As(err, &e) {
		return Finding{Bad, "Letters cannot leave: " + e.Detail() + ".", remedies[e.Step]}
	} else if err != nil {
		return Finding{Bad, "Letters cannot leave: " + err.Error(), ""}
	}
	return Finding{Good, "Letters can leave: " + sender.String() + " answers and knows us.", ""}
}
