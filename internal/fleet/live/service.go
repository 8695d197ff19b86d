package live

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Views(ctx context.Context, who access.Actor, things []string) (map[string]thing.View, error)
	Latest(c thing.Change, fn func(series.Point)) error
	Watch(fn func(ctx context.Context, t thing.Thing))
}

// Dashboards is what this room needs of the room of dashboards: *dashboard.Service.
type Dashboards interface {
	Showing(ctx context.Context, who access.Actor, id string) (dashboard.Showing, error)
}

// Needs are what a Service is made of. All must be there but Session.
type Needs struct {
	Things     Things
	Dashboards Dashboards
	Policy     *access.Policy
	Values     *feed.Feed[thing.Change]     // the Changes of things
	Presences  *feed.Feed[device.Presence]  // of devices
	Devices    *feed.Feed[device.Change]    // the Changes of devices
	Shown      *feed.Feed[dashboard.Change] // the Changes of dashboards
	// Again says who brings a request and in which space, as the door did when it came.
	Again func(r *http.Request) (access.Actor, error)
	// Session is the ID of the browser's session that a request has, "" for none.
	Session func(r *http.Request) string
	Now     func() time.Time
	Log     *slog.Logger
	Config  Config
}

// Config is what an operator may change. Zero is the default of each field.
type Config struct {
	PerPerson int           // connections of one person; 8
	PerSpace  int           // of one space; 256
	Total     int           // of all; 4096
	Pace      time.Duration // the least between two flushes to one client; 100 ms
	Beat      time.Duration // how often a client hears that the connection is there, and is asked again who it is; 15 seconds
	Patience  time.Duration // how long a client may take to read a flush; 20 seconds
	Keep      time.Duration // how long a space is remembered that nobody listens to; 2 minutes
	Flush     int           // bytes of news in one flush, about; 256 KiB
	Board     int           // bytes of what one space has to tell, about; 8 MiB
	Boards    int           // of all spaces, which share it when they are many; 128 MiB
}

func (c Config) withDefaults() Config {
	number := func(n *int, standard int) {
		if *n <= 0 {
			*n = standard
		}
	}
	duration := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	number(&c.PerPerson, 8)
	number(&c.PerSpace, 256)
	number(&c.Total, 4096)
	duration(&c.Pace, 100*time.Millisecond)
	duration(&c.Beat, 15*time.Second)
	duration(&c.Patience, 20*time.Second)
	duration(&c.Keep, 2*time.Minute)
	number(&c.Flush, 256<<10)
	number(&c.Board, 8<<20)
	number(&c.Boards, 128<<20)
	return c
}

// Counts are what happened since the start, but for Streams.
type Counts struct {
	Streams int64 // that are open now
	Opened  int64
	Refused int64 // for lack of room
	Values  int64 // that were told, to each client that was
	Lost    int64 // times that a client was told to fetch again since something was not there any more
}

// A Service tells who listens what goes on. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	cfg   Config
	clock clock
	run   string        // of this process, in marks
	woken chan struct{} // holds a word for Run: there are other sources
	ended chan struct{} // closed when Run ends

	touched feed.Feed[touched] // things that changed

	mu      sync.RWMutex
	boards  map[string]*board     // guarded by mu; by space
	sources *sources              // guarded by mu; nil while there is no board
	streams map[*stream]*standing // guarded by mu
	persons map[string]int        // guarded by mu: streams by user ID
	spaces  map[string]int        // guarded by mu: streams by space
	stopped bool                  // guarded by mu: Run has ended

	counts struct{ opened, refused, values, lost atomic.Int64 }
}

// standing is what those who end rights know a stream by.
type standing struct {
	who       access.Actor
	session   string   // of the browser
	dashboard string   // that it wants to hear of
	boards    []string // spaces that it hears of
}

func (x *standing) hears(space string) bool { return slices.Contains(x.boards, space) }

// touched tells that a thing is another than before.
type touched struct {
	space, thing string
	living       map[string]bool // properties
}

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Things == nil || needs.Dashboards == nil || needs.Policy == nil || needs.Values == nil || needs.Presences == nil || needs.Devices == nil ||
		needs.Shown == nil || needs.Again == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("live connections need Things, Dashboards, Policy, Values, Presences, Devices, Shown, Again, Now and Log")
	}
	if needs.Session == nil {
		needs.Session = func(*http.Request) string { return "" }
	}
	s := &Service{
		needs: needs, cfg: needs.Config.withDefaults(), clock: clock{wall: needs.Now}, run: rand.Text()[:runLength],
		woken: make(chan struct{}, 1), ended: make(chan struct{}),
		boards: map[string]*board{}, streams: map[*stream]*standing{}, persons: map[string]int{}, spaces: map[string]int{},
	}
	needs.Things.Watch(s.thingChanged)
	return s, nil
}

// Counts says what happened, for metrics.
func (s *Service) Counts() Counts {
	s.mu.RLock()
	n := len(s.streams)
	s.mu.RUnlock()
	c := &s.counts
	return Counts{int64(n), c.opened.Load(), c.refused.Load(), c.values.Load(), c.lost.Load()}
}

// Recheck has every stream ask again who it is for, now, of those whose person and space whose picks.
func (s *Service) Recheck(whose func(who access.Actor) bool) {
	s.recheck(func(x *standing) bool { return whose(x.who) })
}

// RecheckSpace is Recheck for those who hear of a space, as members or as guests.
func (s *Service) RecheckSpace(space string) {
	s.recheck(func(x *standing) bool { return x.hears(space) })
}

// RecheckSession is Recheck for one session of a browser.
func (s *Service) RecheckSession(id string) {
	s.recheck(func(x *standing) bool { return x.session != "" && x.session == id })
}

func (s *Service) recheck(which func(x *standing) bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for x, known := range s.streams {
		if which(known) {
			word(x.again)
		}
	}
}

// enter counts a stream, or says what it is too many for.
func (s *Service) enter(x *stream) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		err = ErrBusy.After(time.Second)
	case s.persons[x.who.ID] >= s.cfg.PerPerson:
		err = ErrTooMany.With(fmt.Sprintf("You have %d live connections open, which is as many as one person may have. Close one, for instance a page that nobody looks at.", s.cfg.PerPerson)).After(10 * time.Second)
	case s.spaces[x.who.Space] >= s.cfg.PerSpace:
		err = ErrSpaceFull.After(30 * time.Second)
	case len(s.streams) >= s.cfg.Total:
		err = ErrBusy.After(30 * time.Second)
	}
	if err != nil {
		s.counts.refused.Add(1)
		return err
	}
	s.counts.opened.Add(1)
	s.streams[x] = &standing{who: x.who, session: x.session, dashboard: x.wish.Dashboard}
	s.persons[x.who.ID]++
	s.spaces[x.who.Space]++
	return nil
}

// leave takes back what enter and attach did.
func (s *Service) leave(x *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.streams, x)
	less(s.persons, x.who.ID)
	less(s.spaces, x.who.Space)
	now := s.needs.Now()
	for _, p := range x.places {
		p.board.leave(x)
		if p.board.readers--; p.board.readers == 0 {
			p.board.leftAt = now
		}
	}
}

func less(counts map[string]int, id string) {
	if counts[id]--; counts[id] <= 0 {
		delete(counts, id)
	}
}

// note keeps who a stream is for where Recheck looks.
func (s *Service) note(x *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.streams[x]
	known.who, known.boards = x.who, nil
	for _, p := range x.places {
		known.boards = append(known.boards, p.board.space)
	}
}

// attach is the board of a space, which is filled from now on.
func (s *Service) attach(space string) *board {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.boards[space]
	if b == nil {
		if s.sources == nil {
			s.sources = s.listen() // before the board says from when on it knows everything
			word(s.woken)
		}
		b = newBoard(space, &s.clock)
		s.boards[space] = b
	}
	b.readers++
	return b
}

// board is that of a space, nil where nobody listens; with how many bytes it may have.
func (s *Service) board(space string) (b *board, limit int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.boards[space], s.limit()
}

// limit is how many bytes each board may have. s.mu is held.
func (s *Service) limit() int { return min(s.cfg.Board, s.cfg.Boards/max(1, len(s.boards))) }
