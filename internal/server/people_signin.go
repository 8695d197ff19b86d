package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
)

// peopleSignIn makes the room of browsers. What it needs of rooms that a server may not
// have is adapted below, one function or type for each room.
func (s *Server) peopleSignIn() (err error) {
	s.signin, err = signin.New(signin.Needs{
		Store: signin.SQL(s.data.core), Keys: s.data.ring, Accounts: s.accounts, APIKeys: s.apikeys,
		Ask: s.askGuard, Tell: s.tellGuard, Void: s.voidGuard, Factors: noFactors{}, MayLeave: s.mayLeave, Send: s.sendLetter,
		Wait: wait, Now: s.world.Now, Log: s.log, Origin: s.origin, SignUp: s.cfg.SignUp != "closed",
	})
	return err
}

// origin is where browsers find this server.
func (s *Server) origin() string {
	a, _ := s.Addresses(context.Background()) // pages are served after the doors are open
	_, port, err := net.SplitHostPort(a["https"])
	if err != nil || port == "443" {
		return "https://" + s.cfg.Host
	}
	return "https://" + net.JoinHostPort(s.cfg.Host, port)
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Guessing: there is no guard yet. The limits that hold are those of the pages (posts per
// address) and of a sign-in (wrong proofs per flow).

func (s *Server) askGuard(context.Context, signin.Try) (time.Duration, error) { return 0, nil }
func (s *Server) tellGuard(context.Context, signin.Try, bool) error           { return nil }
func (s *Server) voidGuard(context.Context, signin.Try) error                 { return nil }

// Second proofs: there are none yet, so nobody has any.

type noFactors struct{}

var errNoFactors = problem.New(problem.Unsupported, "no-second-factor", "This server has no second proofs.")

func (noFactors) Of(context.Context, string) (signin.Set, error)  { return signin.Set{}, nil }
func (noFactors) CheckTOTP(context.Context, string, string) error { return errNoFactors }
func (noFactors) CheckRecovery(context.Context, string, string) (string, int, error) {
	return "", 0, errNoFactors
}
func (noFactors) BeginAssertion(context.Context, string) (json.RawMessage, []byte, error) {
	return nil, nil, errNoFactors
}
func (noFactors) FinishAssertion(context.Context, []byte, []byte) (string, bool, error) {
	return "", false, errNoFactors
}

// Mail: there is no post yet. Letters are files in DIR/mail, for an operator who
// hands them on; they have links that let somebody in, so nobody else may read them.

// mailFolder is where letters are, below the data directory.
const mailFolder = "mail"

// letters are the subject and the text of each kind, with the names of fields in braces.
var letters = map[string][2]string{
	"verify":           {"Confirm your address", "Somebody, we hope you, uses this address at Ardesia. Confirm it within 24 hours:\n\n{link}\n"},
	"reset":            {"Set a new password", "Set a new password for your account within 20 minutes:\n\n{link}\n\nAsked for by: {device} {place}. If that was not you, do nothing.\n"},
	"new-device":       {"A new browser was signed in", notYou},
	"password-changed": {"Your password has changed", notYou},
	"email-changed":    {"Your address has changed", "We write to another address from now on.\n" + notYou},
	"recovery-used":    {"A recovery code was used", "Recovery codes that you have left: {left}.\n" + notYou},
	"factor-added":     {"A second step was added", notYou},
	"factor-removed":   {"A second step was removed", notYou},
	"delete-scheduled": {"Your account will be erased", "Your account will be erased at {until}. To keep it, sign in and say so.\n" + notYou},
	"delete-cancelled": {"Your account stays", "Your account is not erased.\n"},
	"frozen":           {"Your account is frozen", "Nobody can use your account. To open it again, set a new password:\n\n{link}\n"},
}

// notYou ends letters about what somebody else may have done.
const notYou = "{when}: {device} {place}\nThat was not you? Freeze your account:\n\n{link}\n"

// sendLetter keeps a letter as a file.
func (s *Server) sendLetter(ctx context.Context, l signin.Letter) error {
	text, known := letters[l.Kind]
	if !known {
		return fmt.Errorf("no letter is of the kind %q", l.Kind)
	}
	to := l.Address
	if to == "" {
		u, err := s.accounts.Get(ctx, l.To)
		if err != nil {
			return err
		}
		to = u.Email
	}
	fields := make([]string, 0, 2*len(l.Fields)+4)
	for name, value := range l.Fields {
		fields = append(fields, "{"+name+"}", value)
	}
	fields = append(fields, "{device}", "", "{place}", "") // where they are not known
	body := strings.NewReplacer(fields...).Replace(text[1])
	host := s.cfg.Host
	head := fmt.Sprintf("From: Ardesia <noreply@%s>\nTo: <%s>\nSubject: %s\nDate: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n",
		host, to, mime.QEncoding.Encode("utf-8", text[0]), s.world.Now().UTC().Format(time.RFC1123Z))
	dir := filepath.Join(s.cfg.Data, mailFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := s.world.Now().UTC().Format("20060102T150405.000000Z") + "-" + l.Kind + "-" + rand.Text()[:6] + ".eml"
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.ReplaceAll(head+body, "\n", "\r\n"))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("keep a letter: %w", err)
	}
	s.log.InfoContext(ctx, "a letter is in the folder mail: no mail server is set up", "kind", l.Kind, "file", name)
	return nil
}

// errLastAdmin is a person without whom a shared space has no administrator.
var errLastAdmin = problem.New(problem.Precondition, "space-last-admin-leaves", "You are the only administrator of a shared space. Make somebody else administrator, or have it erased, first.")

// mayLeave says whether a person can be erased without leaving a shared space to nobody.
func (s *Server) mayLeave(ctx context.Context, user string) error {
	all, err := s.orgs.Of(ctx, user)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Space.Kind != org.Shared || m.Role != access.Admin {
			continue
		}
		members, err := s.orgs.Members(ctx, m.Space.ID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(members, func(o org.Member) bool { return o.Role == access.Admin && o.User != user }) {
			return errLastAdmin
		}
	}
	return nil
}

// greetFirst prints the link that makes the first account, when there is none. The sample
// account of --demo is nobody's, so there it is printed at every start.
func (s *Server) greetFirst() {
	link, err := s.signin.SetupLink(context.Background(), s.cfg.Demo)
	switch {
	case err != nil:
		s.log.Error("the link that makes the first account could not be made", "err", err)
	case link != "":
		fmt.Fprintf(s.world.Out, "\n  Set up           %s\n                   makes an account of your own; once, within 30 minutes\n", link)
	}
}
