package account

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same transaction.
type Store interface {
	add(ctx context.Context, r row, e journal.Entry) error  // or ErrTaken
	byID(ctx context.Context, id string) (row, error)       // or ErrNotFound
	byEmail(ctx context.Context, index []byte) (row, error) // by any address that the person proved
	list(ctx context.Context) ([]row, error)                // by age
	unsettled(ctx context.Context) ([]row, error)
	settle(ctx context.Context, id string) error
	// change writes what fn sets, but for the address.
	change(ctx context.Context, id string, fn func(r *row), e journal.Entry) (row, error)
	profiles
	choosing
	addresses
	links
	leavings
}

// row is a person as the database has it: address and name sealed.
type row struct {
	id, space             string
	email, index, name    []byte
	password              string // PHC
	passwordAt, epoch     int64
	createdAt, disabledAt int64 // µs since 1970; 0 is never
	settled               bool
	verifiedAt, frozenAt  int64 // µs since 1970; 0 is never
	leavingAt             int64
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
}

// Needs are what a Service is made of; all but Breached must be there.
type Needs struct {
	Store Store
	Keys  Keys
	// Settle makes the private space of a person. It is repeatable.
	Settle func(ctx context.Context, user, space, name string) error
	// Breached says whether a password is on a list of those that guessing programs try; nil for no list.
	Breached func(password string) bool
	Now      func() time.Time
}

// standing is what tokens ask of a person at every use.
type standing struct {
	space    string
	epoch    int64
	disabled bool
	frozen   bool
}

// believed is how long another process's change may go unseen here; our own counts at once.
const believed = time.Second

// A Service knows all people. All methods may be called from any goroutine.
type Service struct {
	needs     Needs
	index     func([]byte) []byte
	gate      *gate
	dummy     string // the hash that is checked for people who do not exist
	standings *cache.Fresh[string, standing]
	painting  chan struct{} // holds one token while a picture is made: it takes memory

	// Changes tells whose tokens and sessions must be looked at again, by id.
	Changes feed.Feed[string]
}

// New checks needs. Repair comes next.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Settle == nil || needs.Now == nil {
		return nil, errors.New("accounts need Store, Keys, Settle and Now")
	}
	return &Service{
		needs: needs, painting: make(chan struct{}, 1), index: needs.Keys.MAC("account-email"), gate: newGate(), dummy: hash(uuid.NewString()),
		standings: cache.NewFresh[string, standing](1<<14, believed, needs.Now),
	}, nil
}

// Repair makes the private spaces that a crash kept from being made.
func (s *Service) Repair(ctx context.Context) error {
	rows, err := s.needs.Store.unsettled(ctx)
	if err != nil {
		return fmt.Errorf("find accounts without a space: %w", err)
	}
	for _, r := range rows {
		if err := s.settle(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) settle(ctx context.Context, r row) error {
	if err := s.needs.Settle(ctx, r.id, r.space, "Private"); err != nil {
		return fmt.Errorf("private space of account %s: %w", r.id, err)
	}
	return s.needs.Store.settle(ctx, r.id)
}

// Add makes an account with a private space. Whoever adds it vouches for the address.
func (s *Service) Add(ctx context.Context, who access.Actor, email, name, password string) (User, error) {
	r, err := s.draft(email, name, password)
	if err != nil {
		return User{}, err
	}
	r.verifiedAt = r.createdAt
	// The database has the last word; asking first spares a hash, and a key that nobody would use.
	if _, err := s.needs.Store.byEmail(ctx, r.index); !errors.Is(err, ErrNotFound) {
		if err == nil {
			err = ErrTaken
		}
		return User{}, err
	}
	if err := s.gate.do(ctx, func() { r.password = hash(password) }); err != nil {
		return User{}, err
	}
	return s.add(ctx, who, r, email, name)
}

// SignUp makes an account for whoever asks, with an address that is still to be
// proved. When there is one already it answers with that and ErrTaken, after the
// same work, so that the caller can tell its owner, and nobody else.
func (s *Service) SignUp(ctx context.Context, email, name, password string) (User, error) {
	r, err := s.draft(email, name, password)
	if err != nil {
		return User{}, err
	}
	if err := s.gate.do(ctx, func() { r.password = hash(password) }); err != nil {
		return User{}, err
	}
	there, err := s.needs.Store.byEmail(ctx, r.index)
	if err == nil {
		u, err := s.open(ctx, there)
		return u, errors.Join(ErrTaken, err)
	}
	if !errors.Is(err, ErrNotFound) {
		return User{}, err
	}
	return s.add(ctx, access.Actor{Kind: access.User, ID: r.id}, r, email, name)
}

// Fit says whether an account could be made with this, and keeps nothing.
func (s *Service) Fit(email, name, password string) error {
	_, err := s.draft(email, name, password)
	return err
}

// draft is a person who is not kept yet, without sealed fields.
func (s *Service) draft(email, name, password string) (row, error) {
	if err := errors.Join(checkEmail(email), checkName(name)); err != nil {
		return row{}, err
	}
	if err := s.checkPassword(password, email, name); err != nil {
		return row{}, err
	}
	now := s.needs.Now().UnixMicro()
	return row{id: uuid.NewString(), space: uuid.NewString(), index: s.index([]byte(Normal(email))), passwordAt: now, createdAt: now}, nil
}

func (s *Service) checkPassword(password, email, name string) error {
	return checkPassword(password, email, name, s.needs.Breached)
}

func (s *Service) add(ctx context.Context, who access.Actor, r row, email, name string) (User, error) {
	var err error
	if r.email, err = s.seal(ctx, r.id, "email", email); err != nil {
		return User{}, err
	}
	if r.name, err = s.seal(ctx, r.id, "name", name); err != nil {
		return User{}, err
	}
	if err := s.needs.Store.add(ctx, r, s.entry(who, "account:create", r.id)); err != nil {
		return User{}, err
	}
	if err := s.settle(ctx, r); err != nil {
		return User{}, err
	}
	return s.open(ctx, r)
}

// seal seals a field of the table account.
func (s *Service) seal(ctx context.Context, id, column, text string) ([]byte, error) {
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("key of account %s: %w", id, err)
	}
	return seal.Seal([]byte(text), keys.Place("account", column, id))
}

// Get finds a person by id.
func (s *Service) Get(ctx context.Context, id string) (User, error) {
	r, err := s.needs.Store.byID(ctx, id)
	if err != nil {
		return User{}, err
	}
	return s.open(ctx, r)
}

// Find finds a person by id or e-mail address, as an administrator names one.
func (s *Service) Find(ctx context.Context, text string) (User, error) {
	if _, err := uuid.Parse(text); err == nil {
		return s.Get(ctx, text)
	}
	r, err := s.needs.Store.byEmail(ctx, s.index([]byte(Normal(text))))
	if err != nil {
		return User{}, err
	}
	return s.open(ctx, r)
}

// Standing is what tokens need of a person, without opening names: the private
// space, the epoch, and ErrDisabled or ErrNotFound when there is no coming in.
func (s *Service) Standing(ctx context.Context, id string) (space string, epoch int64, err error) {
	now, err := s.standings.Get(id, func() (standing, error) {
		r, err := s.needs.Store.byID(ctx, id)
		return standing{r.space, r.epoch, r.disabledAt != 0, r.frozenAt != 0}, err
	})
	if err != nil {
		return "", 0, err
	}
	if now.disabled {
		return "", 0, ErrDisabled
	}
	if now.frozen {
		return "", 0, ErrFrozen
	}
	return now.space, now.epoch, nil
}

// changed tells everyone that a person's tokens and sessions must be looked at again.
func (s *Service) changed(id string) {
	s.standings.Changed()
	s.Changes.Publish(id)
}

// List tells all people, the oldest first.
func (s *Service) List(ctx context.Context) ([]User, error) {
	rows, err := s.needs.Store.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", err)
	}
	all := make([]User, 0, len(rows))
	for _, r := range rows {
		u, err := s.open(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// Disable shuts a person out, keys and open sessions included, or lets them in again.
func (s *Service) Disable(ctx context.Context, who access.Actor, id string, disabled bool) (User, error) {
	action := "account:enable"
	if disabled {
		action = "account:disable"
	}
	now := s.needs.Now().UnixMicro()
	r, err := s.needs.Store.change(ctx, id, func(r *row) {
		r.disabledAt = 0
		if disabled {
			r.disabledAt = now
			r.epoch++
		}
	}, s.entry(who, action, id))
	if err != nil {
		return User{}, err
	}
	s.changed(id)
	return s.open(ctx, r)
}

// SetPassword gives a person another password; whoever is signed in must not stay so.
func (s *Service) SetPassword(ctx context.Context, who access.Actor, id, password string) error {
	return s.setPassword(ctx, who, id, password, "account:password", func(*row) {})
}

// setPassword sets a password, and whatever else fn sets with it.
func (s *Service) setPassword(ctx context.Context, who access.Actor, id, password, action string, fn func(r *row)) error {
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.checkPassword(password, u.Email, u.Name); err != nil {
		return err
	}
	var phc string
	if err := s.gate.do(ctx, func() { phc = hash(password) }); err != nil {
		return err
	}
	now := s.needs.Now().UnixMicro()
	_, err = s.needs.Store.change(ctx, id, func(r *row) {
		r.password, r.passwordAt = phc, now
		r.epoch++
		fn(r)
	}, s.entry(who, action, id))
	if err != nil {
		return err
	}
	s.changed(id)
	return nil
}

// CheckPassword is Verify for a person who is known: ErrCredentials when it is another's.
func (s *Service) CheckPassword(ctx context.Context, id, password string) error {
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	_, err = s.Verify(ctx, u.Email, password)
	return err
}

// Verify finds the person who has this address and password. Any other pair is
// ErrCredentials after the same work; ErrDisabled and ErrFrozen need the right password.
func (s *Service) Verify(ctx context.Context, email, password string) (User, error) {
	long := len(password) > maxPassword
	if long {
		password = password[:maxPassword] // costs as much, and is refused below
	}
	r, err := s.needs.Store.byEmail(ctx, s.index([]byte(Normal(email))))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return User{}, err
	}
	known := err == nil && r.password != ""
	phc := s.dummy
	if known {
		phc = r.password
	}
	var good, old bool
	if failed := s.gate.do(ctx, func() { good, old, err = matches(phc, password) }); failed != nil {
		return User{}, failed
	}
	switch {
	case err != nil && known:
		return User{}, fmt.Errorf("check the password of account %s: %w", r.id, err)
	case !good || !known || long:
		return User{}, ErrCredentials
	case r.disabledAt != 0:
		return User{}, ErrDisabled
	case r.frozenAt != 0:
		return User{}, ErrFrozen
	}
	if old {
		if err := s.rehash(ctx, r, password); err != nil {
			return User{}, err
		}
	}
	return s.open(ctx, r)
}

// rehash keeps a right password with today's parameters. When there is no time for it
// now, the next sign-in does it.
func (s *Service) rehash(ctx context.Context, r row, password string) error {
	var phc string
	if err := s.gate.do(ctx, func() { phc = hash(password) }); err != nil {
		if errors.Is(err, ErrBusy) {
			return nil
		}
		return err
	}
	_, err := s.needs.Store.change(ctx, r.id, func(now *row) {
		if now.password == r.password { // else a new one was set meanwhile
			now.password = phc
		}
	}, s.entry(access.Actor{Kind: access.System}, "account:rehash", r.id))
	return err
}

func (s *Service) open(ctx context.Context, r row) (User, error) {
	u := User{
		ID: r.id, Space: r.space, Epoch: r.epoch, CreatedAt: at(r.createdAt), DisabledAt: at(r.disabledAt),
		VerifiedAt: at(r.verifiedAt), FrozenAt: at(r.frozenAt), LeavingAt: at(r.leavingAt),
	}
	seal, err := s.needs.Keys.Person(ctx, r.id)
	if err != nil {
		return User{}, fmt.Errorf("key of account %s: %w", r.id, err)
	}
	email, err := seal.Open(r.email, keys.Place("account", "email", r.id))
	if err != nil {
		return User{}, fmt.Errorf("e-mail of account %s: %w", r.id, err)
	}
	name, err := seal.Open(r.name, keys.Place("account", "name", r.id))
	if err != nil {
		return User{}, fmt.Errorf("name of account %s: %w", r.id, err)
	}
	u.Email, u.Name = string(email), string(name)
	return u, nil
}

// at is a time of the database; 0 is never.
func at(micro int64) time.Time {
	if micro == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micro).UTC()
}

// micro is at's other way.
func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func (s *Service) entry(who access.Actor, action, id string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Action: action, Resource: "account", ID: id}
}
