package guard

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrLift is a wish to lift nothing in particular.
var ErrLift = problem.New(problem.Invalid, "guard-lift", "Say whose tries to forget: a person, a client id or an address.")

// A Held is a subject that has something against it.
type Held struct {
	Rule    string
	Subject string // an account's or client's id, the neighbourhood of an address, or a piece of a keyed hash
	Count   int
	Limit   int
	Until   time.Time // refused until then; zero if it is not
}

// Show lists who is refused, or watched because a limit was reached; who is free last comes first.
func (s *Service) Show() []Held {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.tick()
	var all []Held
	for i, t := range s.tables {
		r := &s.rules[i]
		if r.counts == successes {
			continue
		}
		for k, c := range t.all {
			n := c.sum(r, now)
			if c.gone(r) <= now || n < r.limit && c.until <= now {
				continue
			}
			h := Held{Rule: r.name, Subject: cmp.Or(c.label, hex.EncodeToString(k[:8])), Count: n, Limit: r.limit}
			until := c.until
			if !r.lax && n >= r.limit {
				until = max(until, c.room(r, now))
			}
			if until > now {
				h.Until = s.last.Add(time.Duration(until - now)).UTC()
			}
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b Held) int {
		return cmp.Or(b.Until.Compare(a.Until), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Subject, b.Subject))
	})
	return all
}

// Recent lists the newest events since the start, the oldest of them first.
func (s *Service) Recent() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.recent)
}

// A Lift says whose tries to forget. One field is enough; each is taken by itself.
type Lift struct {
	Account string // user id
	Typed   string // address that the person types
	Client  string // API key
	Addr    netip.Addr
}

// Lift forgets what was counted, on disk too, and says how many counts that were.
func (s *Service) Lift(ctx context.Context, who access.Actor, l Lift) (int, error) {
	if l == (Lift{}) {
		return 0, ErrLift
	}
	wanted := map[key]bool{}
	for name, t := range map[string]Try{l.Account: {Who: l.Account}, l.Client: {Who: l.Client}, "account " + l.Account: {Who: l.Account, Account: l.Account}} {
		if name != "" && t.Who != "" {
			all := s.subjects(&t)
			wanted[all[account]], wanted[all[device]] = true, true
		}
	}
	if l.Typed != "" {
		all := s.subjects(&Try{Who: s.Who(l.Typed)})
		wanted[all[account]], wanted[all[device]] = true, true
	}
	entry := journal.Entry{At: s.needs.Now(), Actor: who.String(), Action: "guard:lift", Resource: "guard", ID: cmp.Or(l.Account, l.Client)}
	if l.Addr.IsValid() {
		all := s.subjects(&Try{Addr: l.Addr})
		wanted[all[address]], wanted[all[network]] = true, true
		if entry.ID == "" {
			entry.ID = hex.EncodeToString(all[address][:8])
		}
	}
	s.saving.Lock() // else a flush that has begun would write them again
	defer s.saving.Unlock()
	var gone []rowKey
	s.mu.Lock()
	s.tick()
	for i, t := range s.tables {
		if s.rules[i].counts == successes {
			continue
		}
		for k, c := range t.all {
			if wanted[k] || c.label != "" && s.rules[i].scope < address && (c.label == l.Account || c.label == l.Client) {
				t.drop(c)
				delete(s.waiting, waitKey{i, k})
				gone = append(gone, rowKey{s.rules[i].name, k[:]})
			}
		}
	}
	s.mu.Unlock()
	entry.Detail = map[string]string{"counts": fmt.Sprint(len(gone))}
	if err := s.needs.Store.save(ctx, nil, gone, []journal.Entry{entry}); err != nil {
		return 0, fmt.Errorf("forget what was counted: %w", err)
	}
	return len(gone), nil
}
