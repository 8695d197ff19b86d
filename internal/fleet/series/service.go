package series

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// Store is what Service needs of a database. Each method that writes is one
// transaction: nil means on disk, an error that nothing of it is, unless the database
// was lost while it committed. All may be repeated. sql.go has the one that we use.
type Store interface {
	// load reads all series by id, then all rows of the log by seq, in one snapshot.
	load(ctx context.Context, series func(seriesRow) error, row func(logRow) error) error
	// commit adds a row of the log, and series; errTaken if there is one with its number.
	commit(ctx context.Context, c *change) error
	// save writes chunks, over those that begin at the same instant, and last values.
	save(ctx context.Context, chunks []chunkRow, lasts []seriesRow) error
	// carry adds rows to the log, over those of the same number.
	carry(ctx context.Context, rows []logRow) error
	// cut removes the rows of the log from one number to another.
	cut(ctx context.Context, from, to int64) error
	// view reads chunks in one snapshot.
	view(ctx context.Context, fn func(chunks) error) error
	// retain removes the oldest chunks that end before the cutoff of their series, up to limit of all series together.
	retain(ctx context.Context, series, cutoff []int64, limit int) (removed int64, err error)
	// drop removes series and their last values from the lists.
	drop(ctx context.Context, series []int64) error

	tapStore
}

// tapStore is what a Tap needs of a database.
type tapStore interface {
	// tapSizes are the numbers of the rows behind one, in order, and their sizes.
	tapSizes(ctx context.Context, from int64) ([]tapSize, error)
	// tapped reads rows behind from, up to to, by number.
	tapped(ctx context.Context, from, to int64, limit int) ([]logRow, error)
	// untap removes the rows up to a number.
	untap(ctx context.Context, to int64) error
}

// chunks reads chunks in one snapshot.
type chunks interface {
	// page is chunks in order.
	page(ctx context.Context, q chunkQuery) ([]chunkRow, error)
	// body is the body of one.
	body(ctx context.Context, series, start int64) ([]byte, error)
	// newest gives the newest chunk, without its head, of each series that has any, in no order.
	newest(ctx context.Context, series []int64, each func(chunkRow)) error
	// before is the newest chunk that begins at t or before; one of no points if there is none.
	before(ctx context.Context, series, t int64) (chunkRow, error)
	// after is where the first chunk after t begins, or none.
	after(ctx context.Context, series, t int64) (int64, error)
}

// A chunkQuery asks for the chunks with points from from to before to; it may get one
// chunk more that lies in between and has none.
type chunkQuery struct {
	series, from, to int64
	limit            int
	bodies, desc     bool
}

// A logRow is a row of the table series_log.
type logRow struct {
	seq  int64
	body []byte
}

// errTaken is a row of the log that another process has written.
var errTaken = errors.New("another server writes to this history")

// Keys is what Service needs of the key ring. It is asked anew for each act, so that an
// erased key is not used any more.
type Keys interface {
	// Thing is the key of a thing, made on first use; keys.ErrErased once it or its space was erased.
	Thing(ctx context.Context, space, id string) (keys.Sealer, error)
}

// Config is what an operator may change. Zero is the default of each field.
type Config struct {
	FlushPoints int           // points in the log that start a flush; 2,000,000. Memory and start take 20 bytes and 0.2 µs for each
	FlushBytes  int           // bytes in the log that start a flush; 64 MiB
	FlushEvery  time.Duration // longest time between two flushes; 15 minutes
	QueuePoints int           // points that may wait for a commit before Enqueue blocks; 262,144
	QueueBytes  int           // the same in bytes of text; 32 MiB
}

func (c Config) withDefaults() Config {
	set := func(field *int, otherwise int) {
		if *field <= 0 {
			*field = otherwise
		}
	}
	set(&c.FlushPoints, 2_000_000)
	set(&c.FlushBytes, 64<<20)
	set(&c.QueuePoints, 256<<10)
	set(&c.QueueBytes, 32<<20)
	if c.FlushEvery <= 0 {
		c.FlushEvery = 15 * time.Minute
	}
	return c
}

// Needs is what New puts together.
type Needs struct {
	Store  Store
	Keys   Keys
	Log    *slog.Logger
	Now    func() time.Time // measures, and tells what is too old; when a point was is its own word
	Keep   Keep             // nil: everything is kept for ever
	Config Config
}

// Keep says how long the points of a space are kept; 0 is for ever.
type Keep func(ctx context.Context, space string) (time.Duration, error)

// limits keep single acts short.
type limits struct {
	decoded   int   // points that a query may read
	pieceRows int   // chunks, and last values, that one transaction of a flush writes
	cutRows   int64 // of the log that one transaction removes
	tapDisk   int64 // bytes of followed values that wait on disk for their followers
}

// A transaction of a flush takes a few milliseconds: so long a commit may have to wait for it.
var defaultLimits = limits{decoded: MaxDecoded, pieceRows: 128, cutRows: 4096, tapDisk: tapDisk}

// A Service keeps the history of all properties. All methods may be called from any goroutine.
type Service struct {
	store Store
	keys  Keys
	log   *slog.Logger
	now   func() time.Time
	keep  Keep
	cfg   Config

	mem      *memory
	tap      *stream // nil when nobody follows; set before Run
	mirror   *Mirror // nil when nothing is kept twice; set before Run
	queue    *queue
	full     chan struct{} // holds a token when the log wants a flush
	maintain chan struct{} // holds a token while somebody flushes, erases or retains

	limits limits // defaultLimits, but for tests

	mu    sync.Mutex
	stats Stats // guarded by mu; only the counters
}

// New reads what history there is: last values, and the points that were in the log
// when the server before ended. It starts nothing.
//
// A row of the log that is missing or damaged is an error, because what it held was
// acknowledged.
func New(ctx context.Context, n Needs) (*Service, error) {
	s := &Service{
		store: n.Store, keys: n.Keys, log: n.Log, now: n.Now, keep: n.Keep, cfg: n.Config.withDefaults(),
		mem:      newMemory(),
		full:     make(chan struct{}, 1),
		maintain: make(chan struct{}, 1),

		limits: defaultLimits,
	}
	s.queue = newQueue(s.cfg.QueuePoints, s.cfg.QueueBytes)
	if err := s.recover(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Append keeps points, all of them or none. When it returns nil they are on disk and
// visible. When it returns an error of ctx they may come to be.
//
// Of two points of a series at one instant the one written later counts, so that
// sending points again is harmless. Series come to be with their first point.
func (s *Service) Append(ctx context.Context, points []Point) error {
	return s.wait(ctx, points, false)
}

// Fill is Append for points of the past, of which whoever follows the series is not told: what they
// say happened long ago.
func (s *Service) Fill(ctx context.Context, points []Point) error {
	return s.wait(ctx, points, true)
}

func (s *Service) wait(ctx context.Context, points []Point, quiet bool) error {
	done := make(chan error, 1)
	if err := s.enqueue(ctx, entry{points: points, quiet: quiet, done: func(err error) { done <- err }}); err != nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Enqueue is Append for who does not wait: done is called with its result, in the order
// of the calls of Enqueue, when the points are on disk and visible or when they are
// refused. Until then the points must not be changed.
//
// Enqueue blocks while more waits than the queue holds. done runs on the committer's
// goroutine: it must neither block nor call Enqueue or Append. After the service has stopped, done is
// called with ErrStopped before Enqueue returns.
func (s *Service) Enqueue(points []Point, done func(error)) {
	if err := s.enqueue(context.Background(), entry{points: points, done: done}); err != nil {
		done(err)
	}
}

func (s *Service) enqueue(ctx context.Context, e entry) error {
	points := e.points
	if s.mirror != nil {
		e.at = s.now()
	}
	if len(points) > MaxBatch {
		e.err = ErrBatch
	}
	for i := range points {
		if e.err == nil {
			e.err = points[i].check()
		}
		e.text += len(points[i].Value.Text)
	}
	if e.err == nil && e.text > MaxBatchText {
		e.err = ErrBatch
	}
	if e.err != nil {
		e.points, e.text = nil, 0
	}
	return s.queue.add(ctx, e)
}

// Last is the newest value of a series that is on disk. Retention does not take it away.
func (s *Service) Last(series string) (Point, bool) {
	m := s.mem
	m.mu.RLock()
	st := m.series[series]
	if st == nil || !st.has {
		m.mu.RUnlock()
		return Point{}, false
	}
	p := Point{Series: st.property, Thing: st.thing.id, Space: st.thing.space, At: time.UnixMicro(st.lastAt).UTC(), Value: st.last}
	sealed := st.sealed
	m.mu.RUnlock()
	if sealed == nil {
		return p, true
	}
	// Opened on first use: a start need not ask for the keys of all things.
	v, err := s.openLast(p, sealed)
	if err != nil {
		s.log.Error("history: a last value cannot be read", "err", err)
		return Point{}, false
	}
	p.Value = v
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(st.sealed) > 0 && &st.sealed[0] == &sealed[0] {
		st.last, st.sealed = v, nil
	}
	return p, true
}

func (s *Service) openLast(p Point, sealed []byte) (Value, error) {
	key, err := s.keys.Thing(context.Background(), p.Space, p.Thing)
	if err != nil {
		return Value{}, errLast(p, err)
	}
	plain, err := open(key, nil, sealed, lastPlace(p.Series, p.At.UnixMicro()))
	if err != nil {
		return Value{}, errLast(p, err)
	}
	r := reader{b: plain}
	v := r.value(MaxText)
	if r.bad || len(r.b) != 0 {
		return Value{}, errLast(p, errCodec)
	}
	return v, nil
}

func errLast(p Point, err error) error {
	return fmt.Errorf("last value of series %s: %w", p.Series, err)
}

// Stats is how the service does. Counters run from its start.
type Stats struct {
	Series       int // that are known
	QueuedPoints int // waiting for a commit
	QueuedBytes  int // of text in these
	LogPoints    int // on disk, waiting for a flush
	LogBytes     int

	Commits      uint64 // that succeeded
	FailedPoints uint64 // whose commit failed
	Points       uint64 // committed
	LastCommit   time.Duration

	Flushes       uint64 // that succeeded
	FailedFlushes uint64
	LastFlush     time.Duration
	CarriedPoints int // over the last flush

	// SkippedSections is how many parts of what is followed were damaged and not told. Their points are in the log all the same.
	SkippedSections uint64
}

// Stats says how the service does.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	st := s.stats
	s.mu.Unlock()
	s.queue.mu.Lock()
	st.QueuedPoints, st.QueuedBytes = s.queue.points, s.queue.bytes
	s.queue.mu.Unlock()
	s.mem.mu.RLock()
	st.Series, st.LogPoints, st.LogBytes = len(s.mem.series), s.mem.points, s.mem.bytes
	s.mem.mu.RUnlock()
	return st
}

func (s *Service) countCommit(points int, err error, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stats.LastCommit = took; err != nil {
		s.stats.FailedPoints += uint64(points)
		return
	}
	s.stats.Commits++
	s.stats.Points += uint64(points)
}

func (s *Service) countFlush(carried int, err error, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stats.LastFlush = took; err != nil {
		s.stats.FailedFlushes++
		return
	}
	s.stats.Flushes++
	s.stats.CarriedPoints = carried
}
