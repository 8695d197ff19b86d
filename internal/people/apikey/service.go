package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database.
type Store interface {
	add(ctx context.Context, r row, e journal.Entry) error
	get(ctx context.Context, id string) (row, error) // or ErrNotFound
	of(ctx context.Context, account string) ([]row, error)
	within(ctx context.Context, space string) (ids []string, err error) // enabled ones
	revoke(ctx context.Context, id string, e journal.Entry) error       // or ErrNotFound
	used(ctx context.Context, id string, at int64) error
}

type row struct {
	id, account, space string
	name, hash         []byte
	version            int64
	enabled            bool
	createdAt, usedAt  int64 // µs since 1970; 0 is never
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Store Store
	Keys  Keys
	Now   func() time.Time
}

// A Service knows all keys. All methods may be called from any goroutine.
type Service struct {
	needs Needs

	// Revoked tells the client ids of keys that ended.
	Revoked feed.Feed[string]
	// Refused tells of secrets that were wrong.
	Refused feed.Feed[Refusal]
}

// A Refusal is a wrong secret, or a key that does not count any more. Its fields are
// those of the key; empty where there is no such key.
type Refusal struct{ Key, Account, Space string }

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Now == nil {
		return nil, errors.New("API keys need Store, Keys and Now")
	}
	return &Service{needs: needs}, nil
}

// Add makes a key for account, which the caller has checked may enter space. The
// secret is in the answer and nowhere else.
func (s *Service) Add(ctx context.Context, who access.Actor, account, space, name string) (Key, secret.String, error) {
	if n := utf8.RuneCountInString(name); n < 1 || n > 64 || !utf8.ValidString(name) {
		return Key{}, secret.String{}, ErrName
	}
	text := secret.Letters(secretLetters)
	sum := sha256.Sum256([]byte(text))
	r := row{id: secret.Letters(idLetters), account: account, space: space, hash: sum[:], version: 1, enabled: true, createdAt: s.needs.Now().UnixMicro()}
	seal, err := s.needs.Keys.Person(ctx, account)
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("key of account %s: %w", account, err)
	}
	if r.name, err = seal.Seal([]byte(name), keys.Place("apikey", "name", r.id)); err != nil {
		return Key{}, secret.String{}, err
	}
	if err := s.needs.Store.add(ctx, r, s.entry(who, "apikey:create", r.id)); err != nil {
		return Key{}, secret.String{}, err
	}
	k, err := s.open(ctx, r)
	return k, secret.New(text), err
}

// List tells a person's keys, the oldest first, revoked ones included.
func (s *Service) List(ctx context.Context, account string) ([]Key, error) {
	rows, err := s.needs.Store.of(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("API keys of account %s: %w", account, err)
	}
	all := make([]Key, 0, len(rows))
	for _, r := range rows {
		k, err := s.open(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// Within tells the client ids of the keys that enter this space alone and are not revoked.
func (s *Service) Within(ctx context.Context, space string) ([]string, error) {
	ids, err := s.needs.Store.within(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("API keys of space %s: %w", space, err)
	}
	return ids, nil
}

// Revoke ends a key. It is repeatable.
func (s *Service) Revoke(ctx context.Context, who access.Actor, id string) error {
	if err := s.needs.Store.revoke(ctx, id, s.entry(who, "apikey:revoke", id)); err != nil {
		return err
	}
	s.Revoked.Publish(id)
	return nil
}

// usedEvery is how exact the time of last use is: not every token writes to disk.
const usedEvery = 5 * time.Minute

// Check finds the key that has this id and secret. Its name stays sealed.
func (s *Service) Check(ctx context.Context, id, given string) (Key, error) {
	r, err := s.match(ctx, id, given)
	if err != nil {
		return Key{}, err
	}
	if now := s.needs.Now(); now.Sub(time.UnixMicro(r.usedAt)) > usedEvery {
		if err := s.needs.Store.used(ctx, id, now.UnixMicro()); err != nil {
			return Key{}, fmt.Errorf("note the use of API key %s: %w", id, err)
		}
	}
	return r.key(), nil
}

// Leaked ends the key that has this id and secret, which somebody found where it does not belong,
// and says whose it was. Whoever has both may end the key: they could do worse.
func (s *Service) Leaked(ctx context.Context, id, given string) (account string, err error) {
	r, err := s.match(ctx, id, given)
	if err != nil {
		return "", err
	}
	if err := s.needs.Store.revoke(ctx, id, s.entry(access.Actor{}, "apikey:leaked", id)); err != nil {
		return "", err
	}
	s.Revoked.Publish(id)
	return r.account, nil
}

// match finds the enabled key that has this id and secret.
func (s *Service) match(ctx context.Context, id, given string) (row, error) {
	r, err := row{}, error(ErrNotFound)
	if isID(id) {
		r, err = s.needs.Store.get(ctx, id)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return row{}, fmt.Errorf("find API key: %w", err)
	}
	sum := sha256.Sum256([]byte(given))
	want := r.hash
	if err != nil {
		want = make([]byte, len(sum)) // as much work for a key that is not there
	}
	if !secret.Equal(sum[:], want) || err != nil || !r.enabled {
		s.Refused.Publish(Refusal{r.id, r.account, r.space})
		return row{}, ErrCredentials
	}
	return r, nil
}

// Alive says whether tokens of a key's version still count.
func (s *Service) Alive(ctx context.Context, id string, version int64) error {
	r, err := s.needs.Store.get(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (!r.enabled || r.version != version) {
		return ErrCredentials
	}
	return err
}

// Owner tells whose a key is, revoked or not; "" when there is none.
func (s *Service) Owner(ctx context.Context, id string) (string, error) {
	r, err := s.needs.Store.get(ctx, id)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return r.account, err
}

func (r row) key() Key {
	k := Key{ID: r.id, Account: r.account, Space: r.space, Enabled: r.enabled, Version: r.version, CreatedAt: time.UnixMicro(r.createdAt).UTC()}
	if r.usedAt != 0 {
		k.UsedAt = time.UnixMicro(r.usedAt).UTC()
	}
	return k
}

func (s *Service) open(ctx context.Context, r row) (Key, error) {
	seal, err := s.needs.Keys.Person(ctx, r.account)
	if err != nil {
		return Key{}, fmt.Errorf("key of account %s: %w", r.account, err)
	}
	name, err := seal.Open(r.name, keys.Place("apikey", "name", r.id))
	if err != nil {
		return Key{}, fmt.Errorf("name of API key %s: %w", r.id, err)
	}
	k := r.key()
	k.Name = string(name)
	return k, nil
}

func (s *Service) entry(who access.Actor, action, id string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: who.Space, Action: action, Resource: "apikey", ID: id}
}
