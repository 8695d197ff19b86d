package post

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	atOnce = 4           // letters under way
	idle   = time.Minute // after which the queue is looked at although nobody said that there is something
)

// Run sends letters until ctx ends. An error of the database is logged, and the letters wait: that mail
// does not go is no reason for boards to lose their cloud.
func (s *Service) Run(ctx context.Context) error {
	// What is being handed over when the house stops may end well; cutting it sends it twice.
	under, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var work sync.WaitGroup
	defer work.Wait()
	defer context.AfterFunc(ctx, func() {
		t := time.NewTimer(s.grace)
		defer t.Stop()
		select {
		case <-t.C:
			stop()
		case <-under.Done():
		}
	})()
	free := make(chan struct{}, atOnce)
	var swept time.Time
	for {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			work.Wait()
			return ctx.Err()
		}
		now := s.needs.Now()
		var err error
		if now.Sub(swept) > time.Hour {
			if err = s.sweep(ctx, now); err == nil {
				swept = now
			}
		}
		var r row
		var found bool
		if err == nil {
			r, found, err = s.needs.Store.claim(ctx, now.UnixMicro(), now.Add(lease).UnixMicro())
		}
		if err == nil && found {
			work.Go(func() {
				defer func() {
					<-free
					s.poke() // when is the next one's turn?
				}()
				if err := s.deliver(under, r); err != nil && under.Err() == nil {
					s.needs.Log.Error("a letter's state could not be kept; it is tried again", "letter", r.id, "err", err)
				}
			})
			continue
		}
		<-free
		wait := idle
		if err == nil {
			wait, err = s.pause(ctx, now)
		}
		if err != nil && ctx.Err() == nil {
			s.needs.Log.Error("letters wait for the database", "err", err)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// pause is how long there is nothing to do.
func (s *Service) pause(ctx context.Context, now time.Time) (time.Duration, error) {
	n, next, err := s.needs.Store.waiting(ctx)
	if err != nil {
		return idle, err
	}
	s.waits.Store(n)
	if n == 0 {
		return idle, nil
	}
	return min(idle, max(time.UnixMicro(next).Sub(now), 100*time.Millisecond)), nil
}

func (s *Service) sweep(ctx context.Context, now time.Time) error {
	return s.needs.Store.sweep(ctx, now.AddDate(0, 0, -keepDays).UnixMicro(), now.UnixMicro()/hourly-1)
}

// deliver tries a letter once. An error says that what became of it could not be kept; it will
// be tried again when its lease ends.
func (s *Service) deliver(ctx context.Context, r row) error {
	if err := s.cut("claimed"); err != nil {
		return err
	}
	if s.needs.Now().UnixMicro() >= r.expiresAt {
		return s.giveUp(ctx, r, expired, nil)
	}
	c, err := s.open(ctx, r)
	switch {
	case errors.Is(err, keys.ErrErased):
		return s.giveUp(ctx, r, erased, nil)
	case errors.Is(err, keys.ErrSeal):
		return s.giveUp(ctx, r, damaged, err)
	case err != nil:
		return errors.Join(err, s.again(ctx, r, err))
	}
	err = s.needs.Sender.Send(ctx, mail.Message{
		ID: s.messageID(r.id), At: time.UnixMicro(r.queuedAt), From: s.needs.From, To: mail.Address{Addr: c.To},
		Subject: c.Subject, Text: c.Text, HTML: c.HTML, Unsubscribe: c.Leave,
	})
	if err := s.cut("tried"); err != nil {
		return err
	}
	switch {
	case err == nil:
		s.sent.Add(1)
		return s.needs.Store.end(ctx, r.id, sent, s.needs.Now().UnixMicro(), nil)
	case mail.Permanent(err):
		return s.giveUp(ctx, r, refused, err)
	case ctx.Err() != nil: // the house stops; the next one begins with this letter
		return s.needs.Store.later(context.WithoutCancel(ctx), r.id, s.needs.Now().UnixMicro())
	}
	return s.again(ctx, r, err)
}

// again puts a letter back for a while: a minute, doubled at each try, up to 6 hours.
func (s *Service) again(ctx context.Context, r row, cause error) error {
	s.failed.Add(1)
	wait := maxPause
	if n := r.tries - 1; n < 9 {
		wait = min(maxPause, minPause<<n)
	}
	next := s.needs.Now().Add(wait)
	s.needs.Log.Warn("a letter was not taken; it is tried again", "letter", r.id, "kind", r.kind, "try", r.tries, "in", wait, "err", cause)
	return s.needs.Store.later(ctx, r.id, min(next.UnixMicro(), r.expiresAt))
}

// giveUp ends a letter that nobody will get.
func (s *Service) giveUp(ctx context.Context, r row, outcome string, cause error) error {
	detail := map[string]string{"kind": r.kind, "outcome": outcome}
	if r.account != "" && outcome != erased {
		detail["account"] = r.account
	}
	now := s.needs.Now()
	err := s.needs.Store.end(ctx, r.id, outcome, now.UnixMicro(), &journal.Entry{
		At: now, Actor: access.Actor{Kind: access.System}.String(), Action: "post:give-up", Resource: "post", ID: r.id, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("give up letter %s: %w", r.id, err)
	}
	s.givenUp.Add(1)
	s.needs.Log.Warn("a letter was given up", "letter", r.id, "kind", r.kind, "outcome", outcome, "try", r.tries, "err", cause)
	return nil
}

// plainDomain is what the right half of a Message-ID can be.
var plainDomain = regexp.MustCompile(`^[A-Za-z0-9.-]{1,128}$`)

// domain is the right half of an address, as a Message-ID can have it.
func domain(addr string) string {
	d := addr[strings.LastIndexByte(addr, '@')+1:]
	if !plainDomain.MatchString(d) {
		return "ardesia.invalid" // it is of another script, or very long
	}
	return d
}
