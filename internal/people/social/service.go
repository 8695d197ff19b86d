package social

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same transaction,
// and only if it changed something.
type Store interface {
	find(ctx context.Context, index []byte) (row, error)                 // or ErrNotLinked
	of(ctx context.Context, account string) ([]row, error)               // the oldest first
	add(ctx context.Context, r row, many int, e journal.Entry) error     // or ErrTaken, ErrHave when there are many
	use(ctx context.Context, id string, at int64, e journal.Entry) error // or ErrNotLinked
	// remove takes a link of an account away, if other, unless it is "", is one of that account's; else ErrLastWay.
	remove(ctx context.Context, account, id, other string, e journal.Entry) error // or ErrNotLinked
	forget(ctx context.Context, account string, e journal.Entry) error
	again(ctx context.Context, id string, at int64) error // or ErrNotLinked: the link is as one made at
	// unused are those that nobody has signed in by, the oldest first: made before, and after the last one that is known.
	unused(ctx context.Context, last row, before int64, most int) ([]row, error)
	note(ctx context.Context, e journal.Entry) error
}

// row is a link as the database has it. Times are µs since 1970; 0 is never.
type row struct {
	id, account    string
	index          []byte
	sealed         []byte // identity
	madeAt, usedAt int64
}

// identity is what is sealed of a link.
type identity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
	Erase(ctx context.Context, kind string, ids ...string) error // may be repeated
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Store  Store
	Keys   Keys
	Policy *access.Policy
	// Known says whether there is an account with this id.
	Known     func(ctx context.Context, user string) (bool, error)
	Now       func() time.Time
	Providers []Config // from Filled, in the order of their buttons
}

// A Service knows providers, and who of theirs belongs to whom. All methods may be called from any goroutine.
type Service struct {
	needs     Needs
	index     func([]byte) []byte
	providers []*provider

	sweeping sync.Mutex
	swept    row // guarded by sweeping: the last link of which Sweep knows that its account is there, or was
}

// New checks needs, and asks no provider anything.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Policy == nil || needs.Known == nil || needs.Now == nil {
		return nil, errors.New("signing in elsewhere needs Store, Keys, Policy, Known and Now")
	}
	s := &Service{needs: needs, index: needs.Keys.MAC("social-subject")}
	for _, c := range needs.Providers {
		if c.Kind == Apple && c.Key == nil || c.Kind != Apple && c.Secret.IsZero() {
			return nil, fmt.Errorf("provider %s has nothing to prove with that it is us", c.ID)
		}
		if s.provider(c.ID) != nil {
			return nil, fmt.Errorf("there are two providers %s", c.ID)
		}
		s.providers = append(s.providers, newProvider(c, needs.Now))
	}
	return s, nil
}

// Providers are those that people can sign in with, in the operator's order.
func (s *Service) Providers() []Config {
	var all []Config
	for _, p := range s.providers {
		all = append(all, p.Config)
	}
	return all
}

func (s *Service) provider(id string) *provider {
	for _, p := range s.providers {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// Check says whether a provider answers, as an operator reads it.
func Check(ctx context.Context, c Config, now func() time.Time) error {
	p := newProvider(c, now)
	f, err := p.look(ctx)
	if err == nil && f.openid == nil {
		_, err = get(ctx, p.http, f.api, map[string]string{"Accept": "application/vnd.github+json"})
	}
	return err
}

// Begin is the address at which a person says yes to a provider, and what the caller keeps, secret and for
// one browser, until the answer comes to redirect. state comes back with it; that it does, once, in that browser, is the
// caller's to see to. again asks that the provider makes sure who it is, where it can.
// ErrUnknown, or ErrProvider.
func (s *Service) Begin(ctx context.Context, id, redirect, state string, again bool) (address string, keep []byte, err error) {
	p := s.provider(id)
	if p == nil {
		return "", nil, ErrUnknown
	}
	k := kept{Provider: id, Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), At: s.needs.Now()}
	if address, err = p.ask(ctx, redirect, state, k, again); err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	keep, err = json.Marshal(k)
	return address, keep, err
}

// Finish is who came back to the return address of the provider id. in is what the browser brought.
// ErrLate, ErrCancelled and ErrProvider are nobody's attack; a Refusal may be.
func (s *Service) Finish(ctx context.Context, id, redirect string, keep []byte, in url.Values) (Claim, error) {
	p := s.provider(id)
	if p == nil {
		return Claim{}, ErrUnknown
	}
	var k kept
	if err := json.Unmarshal(keep, &k); err != nil {
		return Claim{}, fmt.Errorf("what was kept of a journey to %s: %w", id, err)
	}
	if k.Provider != id { // RFC 9700, section 4.4.2.2: each provider has a return address of its own
		return Claim{}, refuse("provider", nil)
	}
	if age := s.needs.Now().Sub(k.At); age < 0 || age >= journey {
		return Claim{}, ErrLate
	}
	c, err := p.answer(ctx, redirect, k, in)
	if err != nil && !errors.Is(err, ErrProvider) && !errors.Is(err, ErrAnswer) && !errors.Is(err, ErrCancelled) {
		err = fmt.Errorf("%w: %w", ErrProvider, err)
	}
	return c, err
}

// Refused writes into the journal that an answer was not believed, and why, in a word.
func (s *Service) Refused(ctx context.Context, id, why string) error {
	e := s.entry(access.Actor{Kind: access.System}, "social:refused", "")
	e.Detail = map[string]string{"provider": id, "why": why}
	return s.needs.Store.note(ctx, e)
}

func (s *Service) indexOf(c Claim) []byte {
	text, _ := json.Marshal(identity{c.Issuer, c.Subject}) // two texts
	return s.index(text)
}

const (
	// unmade is how long a link may be there before its account is: see Link.
	unmade = time.Minute
	// abandoned is after which nobody makes that account any more: longer than the room of browsers gives for it.
	abandoned  = 15 * time.Minute
	sweepBatch = 256
)

// Find is the account that a provider's person belongs to, and the link by which; ErrNotLinked for none.
func (s *Service) Find(ctx context.Context, c Claim) (user, link string, err error) {
	r, err := s.needs.Store.find(ctx, s.indexOf(c))
	if err != nil {
		return "", "", err
	}
	there, err := s.needs.Known(ctx, r.account)
	if err != nil {
		return "", "", err
	}
	if there {
		return r.account, r.id, nil
	}
	if err := s.drop(ctx, r); err != nil {
		return "", "", err
	}
	return "", "", ErrNotLinked
}

// drop removes the link of an account that is not there: a crash came between the link and the account that was to
// be made for it. ErrBusy while it may be under way.
func (s *Service) drop(ctx context.Context, r row) error {
	if s.needs.Now().Sub(micro(r.madeAt)) < unmade {
		return ErrBusy
	}
	return s.abandon(ctx, r.account)
}

// abandon removes the key first, so that a crash leaves a link by which it is found again.
func (s *Service) abandon(ctx context.Context, user string) error {
	if err := s.needs.Keys.Erase(ctx, keys.KindPerson, user); err != nil {
		return fmt.Errorf("key of account %s, which was never made: %w", user, err)
	}
	return s.Forget(ctx, user)
}

// Abandon takes back what Link made for an account that will not be made; nothing if there is that account. It may be repeated.
func (s *Service) Abandon(ctx context.Context, user string) error {
	if there, err := s.needs.Known(ctx, user); err != nil || there {
		return err
	}
	return s.abandon(ctx, user)
}

// Sweep removes links whose accounts were never made, with the accounts' keys. Each link is asked about once: an account
// that was there takes its links along.
func (s *Service) Sweep(ctx context.Context) error {
	s.sweeping.Lock()
	defer s.sweeping.Unlock()
	for {
		all, err := s.needs.Store.unused(ctx, s.swept, s.needs.Now().Add(-abandoned).UnixMicro(), sweepBatch)
		if err != nil {
			return fmt.Errorf("links of accounts that were never made: %w", err)
		}
		for _, r := range all {
			if err := s.Abandon(ctx, r.account); err != nil {
				return err
			}
			s.swept = r
		}
		if len(all) < sweepBatch {
			return nil
		}
	}
}

// Used notes that somebody signs in by a link.
func (s *Service) Used(ctx context.Context, user, link, id string) error {
	e := s.entry(self(user), "social:sign-in", user)
	e.Detail = map[string]string{"provider": id, "link": link}
	return s.needs.Store.use(ctx, link, s.needs.Now().UnixMicro(), e)
}

// maxLinks is how many links an account has at most: one of each provider, and of some that the operator had before.
const maxLinks = 20

// Link has a provider's person belong to an account. Whoever calls has seen both proved. The account may not be
// there yet, if it is made within the minute, so that a crash leaves none without a way in. It may be repeated.
// ErrTaken, or ErrHave.
func (s *Service) Link(ctx context.Context, who access.Actor, user string, c Claim) error {
	if err := s.may(who, "factor:create", user); err != nil {
		return err
	}
	r := row{id: uuid.NewString(), account: user, index: s.indexOf(c), madeAt: s.needs.Now().UnixMicro()}
	if there, err := s.needs.Store.find(ctx, r.index); err == nil {
		known, err := s.needs.Known(ctx, there.account)
		switch {
		case err != nil:
			return err
		case known && there.account == user:
			return nil
		case known:
			return ErrTaken
		case there.account == user: // of before a crash
			return s.needs.Store.again(ctx, there.id, r.madeAt)
		}
		if err := s.drop(ctx, there); err != nil {
			return err
		}
	} else if !errors.Is(err, ErrNotLinked) {
		return err
	}
	all, err := s.needs.Store.of(ctx, user)
	if err != nil {
		return err
	}
	for _, other := range all {
		of, err := s.open(ctx, other)
		if err != nil {
			return err
		}
		if of.Issuer == c.Issuer {
			return ErrHave
		}
	}
	seal, err := s.needs.Keys.Person(ctx, user)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", user, err)
	}
	text, err := json.Marshal(identity{c.Issuer, c.Subject})
	if err != nil {
		return err
	}
	if r.sealed, err = seal.Seal(text, place(r.id)); err != nil {
		return err
	}
	e := s.entry(who, "social:link", user)
	e.Detail = map[string]string{"provider": c.Provider, "link": r.id}
	return s.needs.Store.add(ctx, r, maxLinks, e)
}

// Unlink takes a link away. other says that its person has a password or a passkey; else another link, of a
// provider that this server has, must be left: ErrLastWay. It tells the provider's name.
func (s *Service) Unlink(ctx context.Context, who access.Actor, user, id string, other bool) (name string, err error) {
	if err := s.may(who, "factor:delete", user); err != nil {
		return "", err
	}
	all, err := s.Of(ctx, user)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(l Link) bool { return l.ID == id })
	if i < 0 {
		return "", ErrNotLinked
	}
	stays := ""
	if !other {
		left := slices.IndexFunc(all, func(l Link) bool { return l.ID != id && l.Provider != "" })
		if left < 0 {
			return "", ErrLastWay
		}
		stays = all[left].ID
	}
	e := s.entry(who, "social:unlink", user)
	e.Detail = map[string]string{"provider": all[i].Provider, "link": id}
	return all[i].Name, s.needs.Store.remove(ctx, user, id, stays, e)
}

// Of lists the links of an account, the oldest first.
func (s *Service) Of(ctx context.Context, user string) ([]Link, error) {
	rows, err := s.needs.Store.of(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("links of account %s: %w", user, err)
	}
	all := make([]Link, 0, len(rows))
	for _, r := range rows {
		of, err := s.open(ctx, r)
		if err != nil {
			return nil, err
		}
		l := Link{ID: r.id, Name: of.Issuer, Issuer: of.Issuer, Subject: of.Subject, MadeAt: micro(r.madeAt), UsedAt: micro(r.usedAt)}
		for _, p := range s.providers {
			if p.issues(of.Issuer) {
				l.Provider, l.Name = p.ID, p.Name
				break
			}
		}
		all = append(all, l)
	}
	return all, nil
}

// issues says whether people of an issuer come by this provider.
func (p *provider) issues(issuer string) bool {
	if p.Kind == GitHub {
		f, err := p.look(context.Background()) // which asks nobody anything
		return err == nil && f.iss == issuer
	}
	return p.Issuer == issuer
}

// Forget removes all links of an account that is erased. It opens nothing, and may be repeated.
func (s *Service) Forget(ctx context.Context, user string) error {
	if err := s.needs.Store.forget(ctx, user, s.entry(access.Actor{Kind: access.System}, "social:forget", user)); err != nil {
		return fmt.Errorf("forget the links of %s: %w", user, err)
	}
	return nil
}

// may asks the policy: a link is a way in, as what else a person has.
func (s *Service) may(who access.Actor, action access.Action, user string) error {
	if who.Kind == access.User {
		who.Space = who.ID
	}
	return s.needs.Policy.Allow(who, action, access.Resource{Type: "Factor", ID: user, Space: user, Owner: user})
}

func place(id string) []byte { return keys.Place("social_link", "sealed", id) }

func (s *Service) open(ctx context.Context, r row) (of identity, err error) {
	seal, err := s.needs.Keys.Person(ctx, r.account)
	if err != nil {
		return of, fmt.Errorf("key of account %s: %w", r.account, err)
	}
	text, err := seal.Open(r.sealed, place(r.id))
	if err != nil {
		return of, fmt.Errorf("link %s: %w", r.id, err)
	}
	return of, json.Unmarshal(text, &of)
}

func self(user string) access.Actor { return access.Actor{Kind: access.User, ID: user} }

func micro(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}

func (s *Service) entry(who access.Actor, action, user string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Action: action, Resource: "account", ID: user}
}
