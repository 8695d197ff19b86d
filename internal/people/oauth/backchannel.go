package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Telling programs that a session has ended: OpenID Connect Back-Channel Logout 1.0.
//
// When a program gets a grant in a browser's session, a row of oauth_logout says that it is to be told of the
// session's end. The end marks the row as due; it is removed when the program has said yes, or given up.
// Ends of which this room is not told, or was not before a crash, are found by asking, once a minute.

// ErrBackchannel is an address where a program cannot be told that a session has ended.
var ErrBackchannel = problem.New(problem.Invalid, "client-backchannel", "A back-channel logout address is https://host/path, without user, fragment, wildcard or dot segments, and of at most 512 bytes.")

const (
	typeLogout    = "logout+jwt"     // section 2.4
	logoutLife    = 2 * time.Minute  // section 4 wants it short
	logoutTries   = 24 * time.Hour   // from the session's end, until the program is given up
	logoutFirst   = 10 * time.Second // between the first two tries; then three times as long each time
	logoutMost    = time.Hour
	logoutAtOnce  = 8 // programs that are told at the same time
	logoutBatch   = 256
	logoutLook    = time.Minute
	logoutEvent   = "http://schemas.openid.net/event/backchannel-logout"
	logoutWaiting = 256 // accounts that wait to be looked at; beyond that the look of each minute finds them
)

// A logout is a program that is told when a session has ended.
type logout struct {
	id, client, account, session string
	tries                        int64
	nextAt                       time.Time // zero: the session stands
	expiresAt                    time.Time
}

type logoutStore interface {
	// standing are those whose session stands as far as the queue knows, by id from after on; of one account, or of all if it is "".
	standing(ctx context.Context, account, after string, most int) ([]logout, error)
	// ended makes those of a session due. It is repeatable.
	ended(ctx context.Context, session string, at, giveUp time.Time) error
	due(ctx context.Context, at time.Time, most int) ([]logout, error) // the oldest first
	later(ctx context.Context, id string, at time.Time) error          // one more try was in vain
	told(ctx context.Context, id string, e *journal.Entry) error       // removes it
}

// checkBackchannel is section 2.2: an absolute address without a fragment. What is not TLS is not called.
func checkBackchannel(text string) error {
	if text == "" {
		return nil
	}
	if u, err := url.Parse(text); err != nil || u.Scheme != "https" || checkRedirect(text, false) != nil {
		return ErrBackchannel
	}
	return nil
}

// logoutClaims are section 2.4. There is never a nonce, so that none passes for an ID token.
type logoutClaims struct {
	Issuer   string              `json:"iss"`
	Subject  string              `json:"sub"`
	Audience string              `json:"aud"`
	Issued   int64               `json:"iat"`
	Expires  int64               `json:"exp"`
	ID       string              `json:"jti"`
	Events   map[string]struct{} `json:"events"`
	Session  string              `json:"sid"`
}

func (s *Service) logoutToken(l logout) (string, error) {
	now := s.needs.Now()
	return s.sign(typeLogout, logoutClaims{
		Issuer: s.needs.Origin(), Subject: l.account, Audience: l.client, Issued: now.Unix(), Expires: now.Add(logoutLife).Unix(),
		ID: l.id, Events: map[string]struct{}{logoutEvent: {}}, Session: sid(l.session),
	})
}

// Recheck has the sessions of a person looked at again: they may have ended all at once.
func (s *Service) Recheck(account string) {
	select {
	case s.recheck <- account:
	default:
	}
}

// RunLogouts tells programs of sessions that have ended, until ctx ends.
func (s *Service) RunLogouts(ctx context.Context) error {
	look, send := time.NewTicker(logoutLook), time.NewTicker(logoutFirst)
	defer look.Stop()
	defer send.Stop()
	account, looking := "", true // what ended before the start
	for {
		if looking {
			if err := s.lookForEnded(ctx, account); err != nil {
				s.complain(ctx, "sessions that may have ended cannot be looked at", err)
			}
		}
		if err := s.SendLogouts(ctx); err != nil {
			s.complain(ctx, "programs cannot be told of sessions that have ended", err)
		}
		account, looking = "", false
		select {
		case <-ctx.Done():
			return ctx.Err()
		case account = <-s.recheck:
			looking = true
		case <-look.C:
			looking = true
		case <-send.C:
		case <-s.logouts:
		}
	}
}

// complain logs what Run tries again by itself.
func (s *Service) complain(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		s.needs.Log.ErrorContext(ctx, what, "err", err)
	}
}

// lookForEnded asks of each session that stands whether it does; of one account, or of all if it is "". Of which it
// cannot be known it is asked again the next time; the error is that of the first of them.
func (s *Service) lookForEnded(ctx context.Context, account string) error {
	b := s.browser.Load()
	if b == nil {
		return nil
	}
	var unknown error
	for after := ""; ; {
		all, err := s.needs.Store.standing(ctx, account, after, logoutBatch)
		if err != nil {
			return err
		}
		for _, l := range all {
			ended, err := b.Ended(ctx, l.session)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				if unknown == nil {
					unknown = fmt.Errorf("whether session %s has ended: %w", l.session, err)
				}
				continue
			}
			if ended {
				if err := s.SessionEnded(ctx, l.session); err != nil {
					return err
				}
			}
		}
		if len(all) < logoutBatch {
			return unknown
		}
		after = all[len(all)-1].id
	}
}

// SendLogouts tells the programs whose turn it is, once each.
func (s *Service) SendLogouts(ctx context.Context) error {
	for {
		all, err := s.needs.Store.due(ctx, s.needs.Now(), logoutBatch)
		if err != nil || len(all) == 0 {
			return err
		}
		errs := make([]error, len(all))
		for chunk := range slices.Chunk(all, logoutAtOnce) {
			var wait sync.WaitGroup
			for i, l := range chunk {
				wait.Go(func() { errs[i] = errors.Join(errs[i], s.sendLogout(ctx, l)) })
			}
			wait.Wait()
		}
		if err := errors.Join(errs...); err != nil || len(all) < logoutBatch || ctx.Err() != nil {
			return err
		}
	}
}

// sendLogout tells one program, and removes the row or puts it off.
func (s *Service) sendLogout(ctx context.Context, l logout) error {
	c, err := s.client(ctx, l.client)
	if errors.Is(err, ErrClient) || err == nil && c.Backchannel == "" {
		return s.needs.Store.told(ctx, l.id, nil)
	}
	if err != nil {
		return err
	}
	token, err := s.logoutToken(l)
	if err != nil {
		return err
	}
	why := s.callBackchannel(ctx, c.Backchannel, token)
	if ctx.Err() != nil {
		return nil // nobody knows: it is told again
	}
	now := s.needs.Now()
	switch {
	case why == nil:
		return s.needs.Store.told(ctx, l.id, nil)
	case errors.Is(why, errRefused) || !now.Before(l.expiresAt):
		e := s.entry(access.Actor{Kind: access.System}, "logout:give-up", "client", l.client, map[string]string{"user": l.account, "why": reason(why), "tries": fmt.Sprint(l.tries + 1)})
		return s.needs.Store.told(ctx, l.id, &e)
	}
	pause := min(logoutFirst<<min(2*l.tries, 16), logoutMost)
	return s.needs.Store.later(ctx, l.id, now.Add(pause))
}

// reason is a short word of ours for what went wrong: what a stranger's server says is not kept.
func reason(err error) string {
	var answered statusError
	switch {
	case errors.As(err, &answered):
		return "status " + fmt.Sprint(int(answered))
	case outbound.Forbidden(err):
		return "not a public address"
	}
	return "not reached"
}
