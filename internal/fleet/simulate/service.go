package simulate

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database: its journal.
type Store interface {
	note(ctx context.Context, e journal.Entry) error
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
	CheckSecret(ctx context.Context, who access.Actor, space, id, key string) error
}

// Needs are what a Service is made of. All but Config must be there.
type Needs struct {
	Store   Store
	Devices Devices
	Changes *feed.Feed[device.Change] // of devices
	// Dial opens a connection, secured and checked, to the door of boards with a secret key.
	Dial   func(ctx context.Context) (net.Conn, error)
	Now    func() time.Time
	Log    *slog.Logger
	Config Config
}

// Config is what tests shorten. Zero is the default of each field.
type Config struct {
	Lasts time.Duration // of a simulation; the constant of that name
	Every time.Duration // between two measurements; 1 second
	Look  time.Duration // between two looks whether the devices are still there; 1 minute
	Pause time.Duration // after a lost connection, for whoever else is the device to show; 1 second
}

func (c Config) withDefaults() Config {
	for _, d := range []struct {
		field *time.Duration
		usual time.Duration
	}{{&c.Lasts, Lasts}, {&c.Every, time.Second}, {&c.Look, time.Minute}, {&c.Pause, time.Second}} {
		if *d.field <= 0 {
			*d.field = d.usual
		}
	}
	return c
}

// A board is a simulation with what it needs to run. It never changes but for what is guarded by Service.mu.
type board struct {
	Simulation
	key  secret.String
	life context.Context // ends when somebody stops it
	stop context.CancelFunc
	done chan struct{} // closed when it is gone, if it was begun

	after        *board // guarded by Service.mu: which it takes the place of, until that is gone; nil: none that was begun
	ready, begun bool   // guarded by Service.mu: it is written down; Run runs it
}

// A Service runs the simulated boards of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	cfg   Config
	wake  chan struct{} // holds a word when a board is ready

	mu      sync.Mutex
	boards  map[string]*board // guarded by mu; by device
	stopped bool              // guarded by mu: Run has ended
}

// New starts nothing; Run does.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Devices == nil || needs.Changes == nil || needs.Dial == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("simulated boards need Store, Devices, Changes, Dial, Now and Log")
	}
	return &Service{needs: needs, cfg: needs.Config.withDefaults(), wake: make(chan struct{}, 1), boards: map[string]*board{}}, nil
}

// Start makes the server be a device of the actor's space until the time that it answers. key is the device's secret key, which
// proves that whoever asks may be it. One that runs is begun anew.
func (s *Service) Start(ctx context.Context, who access.Actor, id, key string) (Simulation, error) {
	d, err := s.needs.Devices.Get(ctx, who, who.Space, id, false)
	if err != nil {
		return Simulation{}, err
	}
	if err := s.needs.Devices.CheckSecret(ctx, who, d.Space, d.ID, key); err != nil {
		return Simulation{}, err
	}
	now := s.needs.Now().UTC().Truncate(time.Second)
	b := &board{Simulation: Simulation{Device: d.ID, Space: d.Space, StartedAt: now, Until: now.Add(s.cfg.Lasts)}, key: secret.New(key), done: make(chan struct{})}
	b.life, b.stop = context.WithCancel(context.Background())
	before, err := s.place(b, d.Status == device.Online)
	if err != nil {
		b.stop()
		return Simulation{}, err
	}
	if err := s.needs.Store.note(ctx, s.entry(who, d, "simulation:create")); err != nil {
		s.take(b)
		return Simulation{}, err
	}
	s.mu.Lock()
	b.ready = true
	s.mu.Unlock()
	if before != nil {
		before.stop()
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return b.Simulation, nil
}

// place gives b its place among those that run, and says whose it was.
func (s *Service) place(b *board, online bool) (before *board, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.boards[b.Device]
	ours := 0
	for _, other := range s.boards {
		if other.Space == b.Space {
			ours++
		}
	}
	switch {
	case s.stopped:
		return nil, ErrStopping
	case before != nil: // its place is there
	case online:
		return nil, ErrConnected
	case ours >= PerSpace:
		return nil, ErrTooMany
	case len(s.boards) >= PerServer:
		return nil, ErrFull.After(s.cfg.Lasts / 4)
	}
	if b.after = before; before != nil && !before.begun {
		b.after = before.after
	}
	s.boards[b.Device] = b
	return before, nil
}

// take ends b, if it has not ended already, and the one whose place it takes.
func (s *Service) take(b *board) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.stop()
	if b.after != nil {
		b.after.stop()
	}
	if s.boards[b.Device] == b {
		delete(s.boards, b.Device)
	}
}

// Stop ends the simulation of a device; there may be none.
func (s *Service) Stop(ctx context.Context, who access.Actor, id string) error {
	d, err := s.needs.Devices.Get(ctx, who, who.Space, id, false)
	if err != nil {
		return err
	}
	b := s.of(d.ID)
	if b == nil {
		return nil
	}
	if err := s.needs.Store.note(ctx, s.entry(who, d, "simulation:delete")); err != nil {
		return err
	}
	s.take(b)
	return nil
}

// Get is the simulation of a device, the zero one where there is none.
func (s *Service) Get(ctx context.Context, who access.Actor, id string) (Simulation, error) {
	d, err := s.needs.Devices.Get(ctx, who, who.Space, id, false)
	if err != nil {
		return Simulation{}, err
	}
	if b := s.of(d.ID); b != nil {
		return b.Simulation, nil
	}
	return Simulation{}, nil
}

// of is the board that is a device, nil where there is none or its time is over.
func (s *Service) of(device string) *board {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boards[device]
	if b != nil && !s.needs.Now().Before(b.Until) {
		return nil
	}
	return b
}

func (s *Service) entry(who access.Actor, d device.Device, action string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: d.Space, Action: action, Resource: "device", ID: d.ID}
}

func system(space string) access.Actor { return access.Actor{Kind: access.System, Space: space} }
