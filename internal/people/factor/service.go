package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. A method that takes an entry writes it
// in the same transaction, and only if it changed something.
type Store interface {
	totpStore
	passkeyStore
	recoveryStore
	strength(ctx context.Context, user string) (strength, error)
	forget(ctx context.Context, user string, e journal.Entry) (bool, error)
}

// totpStore has authenticator apps.
type totpStore interface {
	totp(ctx context.Context, user string) (totpRow, error) // or ErrNotFound
	beginTOTP(ctx context.Context, r totpRow, e journal.Entry) error
	// confirmTOTP puts r in place of what is pending, and sheet if there are no codes
	// yet; ErrSetup when pending is not what it was.
	confirmTOTP(ctx context.Context, r totpRow, pending []byte, sheet []recoveryRow, e journal.Entry) (made bool, err error)
	// acceptStep says whether nobody was faster with this step or a later one.
	acceptStep(ctx context.Context, user string, secret []byte, step int64) (bool, error)
	removeTOTP(ctx context.Context, user string, e journal.Entry) error // or ErrNotFound
}

// passkeyStore has passkeys.
type passkeyStore interface {
	passkeys(ctx context.Context, user string) ([]passkeyRow, error)           // the oldest first
	passkeyBy(ctx context.Context, index []byte) (passkeyRow, error)           // or ErrNotFound
	handle(ctx context.Context, user string) ([]byte, error)                   // nil: none yet
	addPasskey(ctx context.Context, add newPasskey, e journal.Entry) error     // or ErrTaken, ErrTooMany, ErrCeremony
	usePasskey(ctx context.Context, use usedPasskey, e journal.Entry) error    // or ErrCloned (which writes e), ErrCeremony, ErrNotFound
	renamePasskey(ctx context.Context, r passkeyRow, e journal.Entry) error    // or ErrNotFound
	removePasskey(ctx context.Context, user, id string, e journal.Entry) error // or ErrNotFound
}

// recoveryStore has recovery codes.
type recoveryStore interface {
	recovery(ctx context.Context, user string) ([]recoveryRow, error)
	setRecovery(ctx context.Context, user string, sheet []recoveryRow, e journal.Entry) error // or ErrNone
	// useRecovery puts next in the place of old and tells how many of the sheet are
	// left; ErrRecovery when somebody was faster.
	useRecovery(ctx context.Context, old, next recoveryRow, e journal.Entry) (left int, err error)
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
	Purpose(name string) keys.Sealer
	MAC(name string) func(msg []byte) []byte
}

// A Hasher makes and checks PHC strings of Argon2id, a bounded number at a time. It is
// the one that passwords wait for too: *account.Service.
type Hasher interface {
	Hash(ctx context.Context, text string) (phc string, err error)
	Matches(ctx context.Context, phc, text string) (bool, error)
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Store  Store
	Keys   Keys
	Hasher Hasher
	Policy *access.Policy
	// Host is what passkeys are bound to (the RP ID) and what apps show: the house's
	// name, without port. When it is an address there can be no passkeys.
	Host string
	// Origins are where pages that ask for passkeys are served, as browsers write them:
	// "https://id.example.org:8443". It is asked at each answer, as ports are known late.
	Origins func() []string
	Now     func() time.Time
}

// believed is how long another process's change may go unseen by Level; our own counts at once.
const believed = time.Second

// A Service knows what people have beside a password. All methods may be called from any goroutine.
type Service struct {
	needs    Needs
	index    func([]byte) []byte // of credential ids
	unknown  string              // the hash that is checked where there is no code
	noHost   bool                // there can be no passkeys
	strength *cache.Fresh[string, strength]

	// Events tells what changed, after it is on disk.
	Events feed.Feed[Event]
}

// New checks needs.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Hasher == nil || needs.Policy == nil || needs.Host == "" || needs.Origins == nil || needs.Now == nil {
		return nil, errors.New("factors need Store, Keys, Hasher, Policy, Host, Origins and Now")
	}
	unknown, err := needs.Hasher.Hash(ctx, string(secret.Random(codeDigits)))
	if err != nil {
		return nil, fmt.Errorf("hash for unknown recovery codes: %w", err)
	}
	return &Service{
		needs: needs, index: needs.Keys.MAC("factor-credential"), unknown: unknown,
		noHost:   protocol.ValidateRPID(needs.Host) != nil,
		strength: cache.NewFresh[string, strength](1<<14, believed, needs.Now),
	}, nil
}

// may asks the policy. What people have is in no space; their own id stands for
// one, whichever they act in, so that no role in a space helps or hinders.
func (s *Service) may(who access.Actor, action access.Action, user string) error {
	if who.Kind == access.User {
		who.Space = who.ID
	}
	return s.needs.Policy.Allow(who, action, access.Resource{Type: "Factor", ID: user, Space: user, Owner: user})
}

// Of tells what a person has.
func (s *Service) Of(ctx context.Context, user string) (Set, error) {
	var set Set
	switch r, err := s.needs.Store.totp(ctx, user); {
	case err == nil:
		if set.TOTP = r.secret != nil; set.TOTP {
			set.TOTPSince = time.UnixMicro(r.sinceAt).UTC()
		}
	case !errors.Is(err, ErrNotFound):
		return Set{}, fmt.Errorf("app of %s: %w", user, err)
	}
	rows, err := s.needs.Store.passkeys(ctx, user)
	if err != nil {
		return Set{}, fmt.Errorf("passkeys of %s: %w", user, err)
	}
	for _, r := range rows {
		p, err := s.openPasskey(ctx, r)
		if err != nil {
			return Set{}, err
		}
		set.Passkeys = append(set.Passkeys, p)
	}
	codes, err := s.needs.Store.recovery(ctx, user)
	if err != nil {
		return Set{}, fmt.Errorf("recovery codes of %s: %w", user, err)
	}
	set.RecoveryLeft = ofSheet(codes)
	return set, nil
}

// Level is Set.Level of a person, without opening anything: it may be asked at every
// request. A person who is not known has only a password.
func (s *Service) Level(ctx context.Context, user string) (Level, error) {
	now, err := s.strength.Get(user, func() (strength, error) { return s.needs.Store.strength(ctx, user) })
	if err != nil {
		return NoLevel, fmt.Errorf("level of %s: %w", user, err)
	}
	return now.level(), nil
}

// Forget removes everything that a person has, when the account is erased. It asks
// no policy and opens nothing, as the key may be gone, and may be repeated.
func (s *Service) Forget(ctx context.Context, user string) error {
	_, err := s.needs.Store.forget(ctx, user, s.entry(access.Actor{Kind: access.System}, "factor:forget", user, ""))
	if err != nil {
		return fmt.Errorf("forget the factors of %s: %w", user, err)
	}
	s.strength.Changed()
	return nil
}

// changed tells everyone.
func (s *Service) changed(what What, user, passkey string, left int) {
	s.strength.Changed()
	s.Events.Publish(Event{What: what, User: user, Passkey: passkey, Left: left, At: s.needs.Now()})
}

// self is who acts when a person proves something and nobody is signed in yet.
func self(user string) access.Actor { return access.Actor{Kind: access.User, ID: user} }

func (s *Service) entry(who access.Actor, action, user, passkey string) journal.Entry {
	e := journal.Entry{At: s.needs.Now(), Actor: who.String(), Action: action, Resource: "factor", ID: user}
	if passkey != "" {
		e.Detail = map[string]string{"passkey": passkey}
	}
	return e
}

// seal and open are for what belongs to one person.
func (s *Service) seal(ctx context.Context, user string, plain []byte, place ...string) ([]byte, error) {
	key, err := s.needs.Keys.Person(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("key of account %s: %w", user, err)
	}
	return key.Seal(plain, keys.Place(place...))
}

func (s *Service) open(ctx context.Context, user string, sealed []byte, place ...string) ([]byte, error) {
	key, err := s.needs.Keys.Person(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("key of account %s: %w", user, err)
	}
	plain, err := key.Open(sealed, keys.Place(place...))
	if err != nil {
		return nil, fmt.Errorf("%s of account %s: %w", place[:len(place)-1], user, err)
	}
	return plain, nil
}

func micro(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}
