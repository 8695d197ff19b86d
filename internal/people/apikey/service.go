package apikey

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
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
	// add refuses with ErrFull what would be more than most (0 is any number) of what count counts for of and home.
	add(ctx context.Context, r row, of, home string, most int, e journal.Entry) error
	get(ctx context.Context, id string) (row, error) // or ErrNotFound
	of(ctx context.Context, account string) ([]row, error)
	within(ctx context.Context, space string) ([]row, error)                                    // that enter this space alone, by age
	count(ctx context.Context, account, space string) (int, error)                              // not revoked, bound to space, or of account and bound to none
	change(ctx context.Context, id string, fn func(r *row) error, e journal.Entry) (row, error) // or ErrNotFound
	// revoke ends a key and all that were made with it, and says which have ended; or ErrNotFound.
	revoke(ctx context.Context, id string, at int64, e func(id string) journal.Entry) (ids []string, err error)
	used(ctx context.Context, id string, at int64) error
	expired(ctx context.Context, now int64) ([]string, error) // ids of keys whose time is over and that are not revoked
}

type row struct {
	id, account, space           string
	name, hash                   []byte
	version                      int64
	enabled                      bool
	role                         access.Role
	madeBy                       string
	createdAt, usedAt, revokedAt int64 // µs since 1970; 0 is never
	expiresAt                    int64 // likewise
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
	// Role is what a person may do in a space; a problem when it is nothing. See org.Service.
	Role func(ctx context.Context, space, user string) (access.Role, error)
	// Admit refuses who has not signed in as surely as a space asks; "" is all of who's spaces.
	Admit func(ctx context.Context, who access.Actor, space string) error
	// Private is the private space of a person.
	Private func(ctx context.Context, user string) (string, error)
	// Limit is how many keys a space may have, 0 for any number; Full says so to people.
	Limit func(ctx context.Context, space string) (int, error)
	Full  func(used, most int) string
}

// A Service knows all keys. All methods may be called from any goroutine.
type Service struct {
	needs Needs

	// Revoked tells the client ids of keys that ended.
	Revoked feed.Feed[string]
	// Made tells of keys that people and programs made; those of the operator are not told.
	Made feed.Feed[Key]
	// Refused tells of secrets that were wrong.
	Refused feed.Feed[Refusal]
}

// A Refusal is a wrong secret, or a key that does not count any more. Its fields are
// those of the key; empty where there is no such key.
type Refusal struct{ Key, Account, Space string }

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Now == nil || needs.Role == nil || needs.Admit == nil || needs.Private == nil || needs.Limit == nil || needs.Full == nil {
		return nil, errors.New("API keys need Store, Keys, Now, Role, Admit, Private, Limit and Full")
	}
	return &Service{needs: needs}, nil
}

// Add is Make for a key without an end.
func (s *Service) Add(ctx context.Context, who access.Actor, account, space string, role access.Role, name string) (Key, secret.String, error) {
	return s.Make(ctx, who, Wish{Account: account, Space: space, Role: role, Name: name})
}

// Make makes a key for a person, which works in one space alone, or wherever the person may
// enter if that is "". With a role it is a service account's: it is at most that, and at most
// what its person is at that time. The secret is in the answer and nowhere else.
func (s *Service) Make(ctx context.Context, who access.Actor, w Wish) (Key, secret.String, error) {
	now := s.needs.Now()
	if err := checkName(w.Name); err != nil {
		return Key{}, secret.String{}, err
	}
	if !w.ExpiresAt.IsZero() && (!w.ExpiresAt.After(now) || w.ExpiresAt.After(now.Add(maxLife))) {
		return Key{}, secret.String{}, ErrEnds
	}
	if err := s.may(ctx, w.Account, w.Space, w.Role); err != nil {
		return Key{}, secret.String{}, err
	}
	// A key enters without signing in: whoever makes it must be able to enter themselves.
	if err := s.needs.Admit(ctx, who, w.Space); err != nil {
		return Key{}, secret.String{}, err
	}
	private, err := s.needs.Private(ctx, w.Account)
	if err != nil {
		return Key{}, secret.String{}, fmt.Errorf("private space of account %s: %w", w.Account, err)
	}
	home, of := w.Space, ""
	if home == "" {
		home = private
	}
	if home == private {
		of = w.Account
	}
	most, err := s.needs.Limit(ctx, home)
	if err != nil {
		return Key{}, secret.String{}, err
	}
	text := secret.Letters(secretLetters)
	sum := sha256.Sum256([]byte(text))
	r := row{id: secret.Letters(idLetters), account: w.Account, space: w.Space, hash: sum[:], version: 1, enabled: true, role: w.Role, createdAt: now.UnixMicro()}
	if !w.ExpiresAt.IsZero() {
		r.expiresAt = w.ExpiresAt.UnixMicro()
	}
	if who.Kind == access.APIKey {
		r.madeBy = who.Client
	}
	if r.name, err = s.sealName(ctx, w.Account, r.id, w.Name); err != nil {
		return Key{}, secret.String{}, err
	}
	err = s.needs.Store.add(ctx, r, of, home, most, s.entry(who, "apikey:create", r.id, map[string]string{"space": w.Space, "role": string(w.Role)}))
	if errors.Is(err, ErrFull) {
		used, err := s.Count(ctx, of, home)
		return Key{}, secret.String{}, errors.Join(ErrFull.With(s.needs.Full(used, most)), err)
	}
	if err != nil {
		return Key{}, secret.String{}, err
	}
	k, err := s.open(ctx, r)
	if err == nil && who.Kind != access.System {
		s.Made.Publish(k)
	}
	return k, secret.New(text), err
}

// may says whether account may have a key for space with role.
func (s *Service) may(ctx context.Context, account, space string, role access.Role) error {
	if space == "" {
		if role != access.NoRole {
			return ErrRole.With("A key with a role of its own works in one space: say which.")
		}
		return nil
	}
	own, err := s.needs.Role(ctx, space, account)
	if err != nil {
		return err
	}
	if role != access.NoRole && !access.AtMost(role, own) {
		return ErrRole.With("The key's role may not be above yours in this space, which is " + string(own) + ".")
	}
	return nil
}

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 64 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ErrName
	}
	return nil
}

func (s *Service) sealName(ctx context.Context, account, id, name string) ([]byte, error) {
	seal, err := s.needs.Keys.Person(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("key of account %s: %w", account, err)
	}
	return seal.Seal([]byte(name), keys.Place("apikey", "name", id))
}

// Get finds a key of a person; another's is not there.
func (s *Service) Get(ctx context.Context, account, id string) (Key, error) {
	r, err := s.find(ctx, id)
	if err == nil && r.account != account {
		err = ErrNotFound
	}
	if err != nil {
		return Key{}, err
	}
	return s.open(ctx, r)
}

// find finds a key by what a client says is its id.
func (s *Service) find(ctx context.Context, id string) (row, error) {
	if !isID(id) {
		return row{}, ErrNotFound
	}
	return s.needs.Store.get(ctx, id)
}

// Count is how many keys a space has that are not revoked: those that are bound to it and,
// if it is the private space of account, those of account that are bound to none. Of a shared
// space account is "".
func (s *Service) Count(ctx context.Context, account, space string) (int, error) {
	return s.needs.Store.count(ctx, account, space)
}

// Rename gives a key another name.
func (s *Service) Rename(ctx context.Context, who access.Actor, id, name string) (Key, error) {
	if err := checkName(name); err != nil {
		return Key{}, err
	}
	r, err := s.find(ctx, id)
	if err != nil {
		return Key{}, err
	}
	sealed, err := s.sealName(ctx, r.account, id, name)
	if err != nil {
		return Key{}, err
	}
	r, err = s.needs.Store.change(ctx, id, func(r *row) error { r.name = sealed; return nil }, s.entry(who, "apikey:rename", id, nil))
	if err != nil {
		return Key{}, err
	}
	return s.open(ctx, r)
}

// Enable lets a key rest, with all tokens that it fetched, or work again. It is repeatable.
func (s *Service) Enable(ctx context.Context, who access.Actor, id string, enabled bool) (Key, error) {
	if !isID(id) {
		return Key{}, ErrNotFound
	}
	action := "apikey:disable"
	if enabled {
		action = "apikey:enable"
	}
	r, err := s.needs.Store.change(ctx, id, func(r *row) error {
		if r.revokedAt != 0 {
			return ErrRevoked
		}
		if r.enabled && !enabled {
			r.version++ // tokens of before stay dead
		}
		r.enabled = enabled
		return nil
	}, s.entry(who, action, id, nil))
	if err != nil {
		return Key{}, err
	}
	if !enabled {
		s.Revoked.Publish(id)
	}
	return s.open(ctx, r)
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

// Living tells the client ids of a person's keys that are not revoked. It needs no key of the person.
func (s *Service) Living(ctx context.Context, account string) ([]string, error) {
	rows, err := s.needs.Store.of(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("API keys of account %s: %w", account, err)
	}
	var ids []string
	for _, r := range rows {
		if k := r.key(); k.Enabled {
			ids = append(ids, k.ID)
		}
	}
	return ids, nil
}

// Within tells the client ids of the keys that enter this space alone and are not revoked.
func (s *Service) Within(ctx context.Context, space string) ([]string, error) {
	rows, err := s.needs.Store.within(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("API keys of space %s: %w", space, err)
	}
	var ids []string
	for _, r := range rows {
		if r.revokedAt == 0 {
			ids = append(ids, r.id)
		}
	}
	return ids, nil
}

// Bound tells the keys that enter this space alone, whoever made them, without their names,
// which are their persons' own. Revoked ones are not told.
func (s *Service) Bound(ctx context.Context, space string) ([]Key, error) {
	rows, err := s.needs.Store.within(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("API keys of space %s: %w", space, err)
	}
	var all []Key
	for _, r := range rows {
		if r.revokedAt == 0 {
			all = append(all, r.key())
		}
	}
	return all, nil
}

// RevokeBound ends a key that enters this space alone, for who manages the space.
func (s *Service) RevokeBound(ctx context.Context, who access.Actor, space, id string) error {
	r, err := s.find(ctx, id)
	if err == nil && (r.space == "" || r.space != space) {
		err = ErrNotFound
	}
	if err != nil {
		return err
	}
	return s.Revoke(ctx, who, id)
}

// Revoke ends a key for good, and all keys that were made with it. It is repeatable.
func (s *Service) Revoke(ctx context.Context, who access.Actor, id string) error {
	if !isID(id) {
		return ErrNotFound
	}
	return s.end(ctx, who, id, "apikey:revoke")
}

func (s *Service) end(ctx context.Context, who access.Actor, id, action string) error {
	ids, err := s.needs.Store.revoke(ctx, id, s.needs.Now().UnixMicro(), func(id string) journal.Entry { return s.entry(who, action, id, nil) })
	if err != nil {
		return err
	}
	for _, id := range ids {
		s.Revoked.Publish(id)
	}
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
	return r.account, s.end(ctx, access.Actor{}, id, "apikey:leaked")
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
	if !secret.Equal(sum[:], want) || err != nil || !r.enabled || r.over(s.needs.Now()) {
		s.Refused.Publish(Refusal{r.id, r.account, r.space})
		return row{}, ErrCredentials
	}
	return r, nil
}

// Alive says whether tokens of a key's version still count.
func (s *Service) Alive(ctx context.Context, id string, version int64) error {
	r, err := s.needs.Store.get(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && (!r.enabled || r.version != version || r.over(s.needs.Now())) {
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

// over says whether the key's own time is over.
func (r row) over(now time.Time) bool { return r.expiresAt != 0 && now.UnixMicro() >= r.expiresAt }

func (r row) key() Key {
	k := Key{ID: r.id, Account: r.account, Space: r.space, Role: r.role, Enabled: r.enabled, Version: r.version, MadeBy: r.madeBy, CreatedAt: time.UnixMicro(r.createdAt).UTC()}
	if r.revokedAt != 0 {
		k.RevokedAt = time.UnixMicro(r.revokedAt).UTC()
	}
	if r.expiresAt != 0 {
		k.ExpiresAt = time.UnixMicro(r.expiresAt).UTC()
	}
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

func (s *Service) entry(who access.Actor, action, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: who.Space, Action: action, Resource: "apikey", ID: id, Detail: detail}
}

// Sweep revokes the keys whose time is over, with those that they made. A key that is over
// fetches no token and counts for no request before that, too.
func (s *Service) Sweep(ctx context.Context) error {
	ids, err := s.needs.Store.expired(ctx, s.needs.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("find API keys whose time is over: %w", err)
	}
	for _, id := range ids {
		if err := s.end(ctx, access.Actor{Kind: access.System}, id, "apikey:expire"); err != nil {
			return fmt.Errorf("end API key %s: %w", id, err)
		}
	}
	return nil
}
