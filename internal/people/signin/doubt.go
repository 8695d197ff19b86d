package signin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// ErrMailCode is a code that is not the one that was sent by mail, or is too old.
var ErrMailCode = problem.New(problem.Unauthenticated, "signin-mail-code", "This code is wrong, or older than 15 minutes. The one in the newest mail counts, in the window that asked for it.")

// mailDigits is how long a code is that is sent by mail. With five tries in five minutes,
// each after the right password, nobody comes through even a thousandth of them in a week.
const mailDigits = 8

// mailCode makes the code that somebody must read in the person's mail, and what the flow keeps of it.
func (s *Service) mailCode(user string) (code string, p Proof, err error) {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return "", p, err
	}
	code = fmt.Sprintf("%0*d", mailDigits, n)
	return code, Proof{Mail: s.codeHash(user, code), Until: s.needs.Now().Add(mailLife)}, nil
}

func (s *Service) codeHash(user, code string) []byte { return s.codes([]byte(user + "\x00" + code)) }

// sendCode sends the code once its step has counted, so that the newest letter is the one that
// counts. A letter that cannot be queued is an error: there is no other way on from here.
func (s *Service) sendCode(ctx context.Context, u account.User, c Client, code string) error {
	fields := s.fieldsOf(c)
	fields["code"] = code[:4] + " " + code[4:]
	if err := s.needs.Send(ctx, Letter{Kind: "code", To: u.ID, Lang: c.Lang, Fields: fields}); err != nil {
		return fmt.Errorf("send a code to account %s: %w", u.ID, err)
	}
	return nil
}

// MailCode takes the step of the code that was sent by mail. A wrong one is ErrMailCode.
func (s *Service) MailCode(ctx context.Context, c Client, ref Ref, code string) (Flow, *Grant, error) {
	code = strings.ReplaceAll(code, " ", "")
	f, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.State != Mailed {
			return stop(ErrStep)
		}
		good, err := s.guardedSecond(ctx, ActCode, f, c, func() (bool, error) {
			return s.needs.Now().Before(f.MailUntil) && hmac.Equal(f.Mail, s.codeHash(f.Account, code)), nil
		})
		if err != nil {
			return stop(err)
		}
		if !good {
			to, err := f.On(MailBad, Proof{})
			return to, errors.Join(err, ErrMailCode)
		}
		return orStop(f.On(MailGood, Proof{Method: methodMail}))
	})
	if err != nil || f.State != Done {
		return f, nil, err
	}
	g, err := s.grant(ctx, c, f)
	return f, g, err
}
