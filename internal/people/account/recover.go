package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Mailbox is an address that a person has, or had until a few days ago, as it is stored.
type Mailbox struct {
	Email    string
	ProvedAt time.Time // zero: not yet
	First    bool      // it is User.Email
	Former   bool      // it was removed or replaced
}

// formerRow is a former address as the database has it.
type formerRow struct {
	addressRow
	removedAt int64
}

// formers is the part of Store for former addresses, and for taking an account back.
type formers interface {
	byFormer(ctx context.Context, index []byte) (string, error)                     // the account that is frozen and had it, or ErrNotFound
	former(ctx context.Context, account string) ([]formerRow, error)                // by the time when they were proved
	dropFormer(ctx context.Context, before int64) error                             // removed before; those of frozen accounts stay
	replaceEmail(ctx context.Context, old, first addressRow, e journal.Entry) error // or ErrTaken, or ErrNoAddress when old is not the first any more
	// reclaim takes the addresses of a frozen account away that were proved after since, but for the one with via's
	// index, and all links to freeze it, and its former addresses that are as young. If the first one goes, via takes its place:
	// with via.sealed, and the time when it was proved. It makes one entry for each.
	reclaim(ctx context.Context, via addressRow, since int64, entry func(action string) journal.Entry) error
}

// Reach finds whose address somebody typed, and the address as it is stored, which is where letters go. An
// address that was removed or replaced finds its account as long as that is frozen. ErrNotFound for nobody's.
func (s *Service) Reach(ctx context.Context, typed string) (User, Mailbox, error) {
	index := s.index([]byte(Normal(typed)))
	r, err := s.needs.Store.byEmail(ctx, index)
	if errors.Is(err, ErrNotFound) {
		var id string
		if id, err = s.needs.Store.byFormer(ctx, index); err == nil {
			r, err = s.needs.Store.byID(ctx, id)
		}
	}
	if err != nil {
		return User{}, Mailbox{}, err
	}
	u, err := s.open(ctx, r)
	if err != nil {
		return User{}, Mailbox{}, err
	}
	all, err := s.addressesOf(ctx, u)
	if err != nil {
		return User{}, Mailbox{}, err
	}
	for _, a := range all {
		if Normal(a.Email) == Normal(typed) {
			return u, a, nil
		}
	}
	return User{}, Mailbox{}, ErrNotFound // it was removed meanwhile
}

// addressesOf are the addresses of a person: the first, the further and, of a frozen account, the former ones.
func (s *Service) addressesOf(ctx context.Context, u User) ([]Mailbox, error) {
	all := []Mailbox{{Email: u.Email, ProvedAt: u.VerifiedAt, First: true}}
	further, err := s.Further(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	for _, f := range further {
		all = append(all, Mailbox{Email: f.Email, ProvedAt: f.ProvedAt})
	}
	if !u.Frozen() {
		return all, nil
	}
	former, err := s.Former(ctx, u.ID, s.since(u))
	if err != nil {
		return nil, err
	}
	for _, f := range former {
		if !slices.ContainsFunc(all, func(a Mailbox) bool { return Normal(a.Email) == Normal(f.Email) }) {
			all = append(all, f)
		}
	}
	return all, nil
}

// Former are the addresses that were removed from an account, or replaced, since then.
func (s *Service) Former(ctx context.Context, id string, since time.Time) ([]Mailbox, error) {
	rows, err := s.needs.Store.former(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("former addresses of account %s: %w", id, err)
	}
	var all []Mailbox
	for _, r := range rows {
		if at(r.removedAt).Before(since) {
			continue
		}
		text, err := s.unseal(ctx, id, r.sealed, addressPlace(r.id))
		if err != nil {
			return nil, fmt.Errorf("former address %s of account %s: %w", r.id, id, err)
		}
		all = append(all, Mailbox{Email: string(text), ProvedAt: at(r.provedAt), Former: true})
	}
	return all, nil
}

// since is from when on what was added to a frozen account may be an intruder's: what is older
// was there longer than a letter about it can be answered.
func (s *Service) since(u User) time.Time { return u.FrozenAt.Add(-LinkFreeze.Lives()) }

// Openers are the addresses at which a link may set a new password, the first one first. Whoever was at work in an
// account that was frozen may have added an address of their own, and removed the person's: so only those count that were there
// before, or the one that the account began with. There may be none.
func (s *Service) Openers(ctx context.Context, u User) ([]Mailbox, error) {
	all, err := s.addressesOf(ctx, u)
	if err != nil || !u.Frozen() {
		return all, err
	}
	oldest := slices.MinFunc(all, func(a, b Mailbox) int { return a.ProvedAt.Compare(b.ProvedAt) })
	return slices.DeleteFunc(all, func(a Mailbox) bool {
		began := a.ProvedAt.Equal(oldest.ProvedAt) && !a.ProvedAt.After(u.CreatedAt.Add(Unproved))
		return !began && a.ProvedAt.After(s.since(u))
	}), nil
}

// FitPassword says whether a person could have this password, and keeps nothing.
func (s *Service) FitPassword(ctx context.Context, id, password string) error {
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	return s.checkPassword(password, u.Email, u.Name)
}

// A Taken is what an account lost when its person took it back from somebody else.
type Taken struct {
	Since     time.Time // what was added after it
	Addresses []string
}

// Recover sets a new password for whoever proved to read the account's mail at via, "" being the first address: it proves
// that address, opens a frozen account, and ends all sessions and tokens of before. An account that was frozen loses
// the addresses that were added in LinkFreeze's life before, and via is its first if that was one of them.
func (s *Service) Recover(ctx context.Context, who access.Actor, id, password, via string) (Taken, error) {
	var taken Taken
	u, err := s.Get(ctx, id)
	if err != nil {
		return taken, err
	}
	if err := s.checkPassword(password, u.Email, u.Name); err != nil {
		return taken, err
	}
	if u.Frozen() {
		if taken, err = s.reclaim(ctx, who, u, via); err != nil {
			return taken, err
		}
	}
	now := s.needs.Now().UnixMicro()
	return taken, s.setPassword(ctx, who, id, password, "account:recover", func(r *row) {
		r.frozenAt = 0
		if r.verifiedAt == 0 {
			r.verifiedAt = now
		}
	})
}

// reclaim is the part of Recover for addresses. It is repeatable as long as the account is frozen.
func (s *Service) reclaim(ctx context.Context, who access.Actor, u User, via string) (Taken, error) {
	taken := Taken{Since: s.since(u)}
	if via == "" {
		via = u.Email
	}
	all, err := s.addressesOf(ctx, u)
	if err != nil {
		return taken, err
	}
	for _, a := range all {
		if !a.Former && a.ProvedAt.After(taken.Since) && Normal(a.Email) != Normal(via) {
			taken.Addresses = append(taken.Addresses, a.Email)
		}
	}
	r := addressRow{account: u.ID, index: s.index([]byte(Normal(via)))}
	if r.sealed, err = s.seal(ctx, u.ID, "email", strings.TrimSpace(via)); err != nil {
		return taken, err
	}
	return taken, s.needs.Store.reclaim(ctx, r, taken.Since.UnixMicro(), func(action string) journal.Entry { return s.entry(who, action, u.ID) })
}
