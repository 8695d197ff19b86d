package homeassistant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same transaction as its
// change; nil means that all is on disk.
type Store interface {
	find(ctx context.Context, space string) (Setup, error) // or ErrNotFound
	every(ctx context.Context) ([]Setup, error)            // without those whose key was destroyed
	// set puts a Setup in the place of what was there; with forget, what was announced is not known any more.
	set(ctx context.Context, u Setup, forget bool, e journal.Entry) error
	// remove removes a Setup and what was announced by it, and says whether there was one; it needs no key.
	remove(ctx context.Context, space string, e journal.Entry) (had bool, err error)

	// announced are the things of a space that its broker may know, and their components.
	announced(ctx context.Context, space string) (map[string][]string, error)
	announce(ctx context.Context, space, thing string, components []string) error
	withdraw(ctx context.Context, space, thing string) error
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Space(ctx context.Context, space string) (keys.Sealer, error)
}

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
	List(ctx context.Context, who access.Actor, f thing.Filter) ([]thing.Thing, error)
	Command(ctx context.Context, who access.Actor, thing string, writes []thing.Write) error
	Last(p thing.Property) (series.Point, bool)
	Watch(fn func(ctx context.Context, t thing.Thing))
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
}

// Needs are what a Service is made of. All but Config must be there.
type Needs struct {
	Store   Store
	Things  Things
	Devices Devices
	Values  *feed.Feed[thing.Change]  // that are on disk: thing.Service.Changes
	Comings *feed.Feed[device.Change] // device.Service.Changes
	// Base is where this server is, as people reach it; "" while it is not known.
	Base   func() string
	Now    func() time.Time
	Log    *slog.Logger
	Config Config
}

// Config is what an operator may change. Zero is the default of each field.
type Config struct {
	Allow []netip.Prefix // own networks in which brokers may be; default none: only public addresses, by TLS
	// Version is what Home Assistant shows of this server's; default none.
	Version string
	Retry   time.Duration // first pause after a broker was lost, doubled each time up to 16 times; 2 seconds
}

func (c Config) withDefaults() Config {
	if c.Retry <= 0 {
		c.Retry = 2 * time.Second
	}
	return c
}

// A Service knows the bridges of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	cfg   Config
	// dial connects to brokers, in clear or by TLS: base/outbound's.
	dial map[string]func(ctx context.Context, network, address string) (net.Conn, error)
	wake chan struct{} // holds a word when a bridge is to be started

	mu       sync.RWMutex
	bridges  map[string]*bridge // guarded by mu; by space
	changing map[string]*turn   // guarded by mu; by space, as long as somebody wants it

	counts counts
}

// counts are of all bridges.
type counts struct{ sent, taken, refused atomic.Int64 }

// Counts are what happened since the start.
type Counts struct {
	Sent      int64 // messages to brokers
	Taken     int64 // commands of Home Assistants
	Refused   int64 // likewise
	Connected int   // bridges, now
}

// New reads which spaces have a bridge. Run comes next.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Things == nil || needs.Devices == nil || needs.Values == nil || needs.Comings == nil ||
		needs.Base == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("bridges to Home Assistant need Store, Things, Devices, Values, Comings, Base, Now and Log")
	}
	s := &Service{needs: needs, cfg: needs.Config.withDefaults(), wake: make(chan struct{}, 1), bridges: map[string]*bridge{}, changing: map[string]*turn{}}
	s.dial = map[string]func(ctx context.Context, network, address string) (net.Conn, error){
		"mqtts": outbound.Dialer(outbound.Rule{Allow: s.cfg.Allow}).DialContext,
		"mqtt":  outbound.Dialer(outbound.Rule{Allow: s.cfg.Allow, Own: true}).DialContext,
	}
	all, err := needs.Store.every(ctx)
	if err != nil {
		return nil, fmt.Errorf("bridges to Home Assistant: %w", err)
	}
	for _, u := range all {
		s.bridges[u.Space] = newBridge(s, u)
	}
	needs.Things.Watch(func(_ context.Context, t thing.Thing) {
		if b := s.bridge(t.Space); b != nil {
			b.changed(&t)
		}
	})
	return s, nil
}

func (s *Service) bridge(space string) *bridge {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.bridges[space]
}

func (s *Service) all() []*bridge {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.bridges))
}

// A turn is whose it is to set up or remove the bridge of a space.
type turn struct {
	taken  chan struct{} // holds a word while it is somebody's
	wanted int           // guarded by mu of Service: by how many, who has it among them
}

// change waits until nobody else sets up or removes the bridge of a space. A broker that hangs holds up nobody of another one.
func (s *Service) change(ctx context.Context, space string) (done func(), err error) {
	s.mu.Lock()
	one := s.changing[space]
	if one == nil {
		one = &turn{taken: make(chan struct{}, 1)}
		s.changing[space] = one
	}
	one.wanted++
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if one.wanted--; one.wanted == 0 {
			delete(s.changing, space)
		}
	}
	select {
	case one.taken <- struct{}{}:
		return func() { <-one.taken; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// put puts a bridge, or nil for none, in the place of the one that a space had, which has ended.
func (s *Service) put(space string, b *bridge) {
	s.mu.Lock()
	if b == nil {
		delete(s.bridges, space)
	} else {
		s.bridges[space] = b
	}
	s.mu.Unlock()
	leaveWord(s.wake)
}

// Counts tells what was done since the start.
func (s *Service) Counts() Counts {
	c := Counts{Sent: s.counts.sent.Load(), Taken: s.counts.taken.Load(), Refused: s.counts.refused.Load()}
	for _, b := range s.all() {
		if b.state().Status == Connected {
			c.Connected++
		}
	}
	return c
}

// now is the clock, as far as databases keep it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, action string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: who.Space, Action: action, Resource: "space", ID: who.Space}
}

// system is this server itself, in a space.
func system(space string) access.Actor { return access.Actor{Kind: access.System, Space: space} }

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

// leaveWord leaves a word for somebody who may not be listening now.
func leaveWord(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Get is the bridge of who's space and how it does, or ErrNotFound.
func (s *Service) Get(ctx context.Context, who access.Actor) (Setup, State, error) {
	if err := ours(who); err != nil {
		return Setup{}, State{}, err
	}
	u, err := s.needs.Store.find(ctx, who.Space)
	if err != nil {
		return Setup{}, State{}, err
	}
	state := State{Status: Off}
	if b := s.bridge(who.Space); b != nil {
		state = b.state()
	}
	return u, state, nil
}

// Set sets up the bridge of who's space, or changes it. Without keep the password is u's; with it, the one that is there,
// which goes with the same broker, user and CA only. What another broker or prefix was told is taken back there, if it can be reached now.
func (s *Service) Set(ctx context.Context, who access.Actor, u Setup, keep bool) (Setup, State, error) {
	if err := ours(who); err != nil {
		return Setup{}, State{}, err
	}
	done, err := s.change(ctx, who.Space)
	if err != nil {
		return Setup{}, State{}, err
	}
	defer done()
	had, err := s.needs.Store.find(ctx, who.Space)
	// One that cannot be opened any more can be replaced, but for its password.
	damaged := errors.Is(err, keys.ErrSeal)
	there := err == nil
	if err != nil && !damaged && !errors.Is(err, ErrNotFound) {
		return Setup{}, State{}, err
	}
	if damaged && keep {
		return Setup{}, State{}, ErrPassword
	}
	u.Space, u.By, u.UpdatedAt = who.Space, who.ID, s.now()
	u.CreatedAt = u.UpdatedAt
	if there {
		u.CreatedAt = had.CreatedAt
	}
	if err := u.Check(); err != nil {
		return Setup{}, State{}, err
	}
	if keep && there && had.Password.Reveal() != "" {
		if had.Broker != u.Broker || had.User != u.User || had.CA != u.CA {
			return Setup{}, State{}, ErrPassword
		}
		u.Password = had.Password
	}
	away := there && had.elsewhere(&u)
	s.end(ctx, who.Space, away)
	err = s.needs.Store.set(ctx, u, away, s.entry(who, "homeassistant:set"))
	if err != nil {
		u = had // and it goes on as it was
	}
	if err == nil || there {
		s.put(who.Space, newBridge(s, u))
	}
	if err != nil {
		return Setup{}, State{}, err
	}
	return u, s.bridge(who.Space).state(), nil
}

// Remove removes the bridge of who's space, and takes back what it has announced; cleared says whether the broker could be told.
func (s *Service) Remove(ctx context.Context, who access.Actor) (cleared bool, err error) {
	if err := ours(who); err != nil {
		return false, err
	}
	done, err := s.change(ctx, who.Space)
	if err != nil {
		return false, err
	}
	defer done()
	had, err := s.needs.Store.find(ctx, who.Space)
	damaged := errors.Is(err, keys.ErrSeal) // which has no bridge
	if err != nil && !damaged {
		return false, err
	}
	cleared = s.end(ctx, who.Space, true)
	if _, err := s.needs.Store.remove(ctx, who.Space, s.entry(who, "homeassistant:remove")); err != nil {
		if !damaged {
			s.put(who.Space, newBridge(s, had))
		}
		return false, fmt.Errorf("remove the bridge of space %s: %w", who.Space, err)
	}
	s.put(who.Space, nil)
	return cleared, nil
}

// EraseSpace removes the bridge of a space, and takes back what it has announced, if its broker can be reached. It needs no key
// and is repeatable.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	who.Space = space
	done, err := s.change(ctx, space)
	if err != nil {
		return err
	}
	defer done()
	s.end(ctx, space, true)
	if _, err := s.needs.Store.remove(ctx, space, s.entry(who, "homeassistant:erase-all")); err != nil {
		return fmt.Errorf("erase the bridge of space %s: %w", space, err)
	}
	s.put(space, nil)
	return nil
}

// end ends the bridge of a space and waits for that; with clear it takes back what it has announced, and says whether it could.
func (s *Service) end(ctx context.Context, space string, clear bool) bool {
	b := s.bridge(space)
	if b == nil {
		return false
	}
	return b.end(ctx, clear)
}
