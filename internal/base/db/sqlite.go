package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/ardesia-iot/ardesia/internal/base/sqlite"
)

// cacheKiB is the page cache of all connections together: 64 MiB. A quarter is the
// writer's, the readers share the rest.
const (
	cacheKiB    = 64 << 10
	minCacheKiB = 2 << 10
)

// Where the log is copied into the database, in pages of 4 KiB.
const (
	copyAt   = 1000      // Run copies beside the writer
	waitAt   = 8 * 1000  // Run makes the writer wait for the last pages, so that the log begins anew
	inlineAt = 16 * 1000 // who wrote last copies: nobody runs Run, or it is too slow
)

// sealed is what a DB on SQLite has beside its connections.
type sealed struct {
	store   *sqlite.Store
	wake    chan struct{} // holds one: the log has grown
	tidying atomic.Bool   // Run works

	mu     sync.Mutex
	closed bool                 // guarded by mu
	copier *sqlite.Checkpointer // guarded by mu
	copied atomic.Int64         // pages of this log that are in the database
}

func openSQLite(ctx context.Context, cfg Config) (*DB, error) {
	store, err := sqlite.Open(cfg.Path, cfg.Key)
	if err != nil {
		return nil, err
	}
	n := cfg.Readers
	if n <= 0 {
		n = runtime.NumCPU()
	}
	d := &DB{
		cfg:     cfg,
		writer:  sql.OpenDB(store.Writer(cacheKiB/4, explainSQLite)),
		readers: sql.OpenDB(store.Reader(max(minCacheKiB, cacheKiB*3/4/n), explainSQLite)),
		sealed:  &sealed{store: store, wake: make(chan struct{}, 1)},
	}
	limit(d.writer, 1)
	limit(d.readers, n)
	// The first connection recovers what the log of a process that was killed holds.
	if err := d.writer.PingContext(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Work is how many steps of SQLite's machine all statements have taken so far, and how
// often one was planned: a measure that is the same on every machine. PostgreSQL keeps
// its own, and both are 0.
func (d *DB) Work() (steps, plans int64) {
	if d.sealed == nil {
		return 0, 0
	}
	return d.sealed.store.Work()
}

func limit(pool *sql.DB, n int) {
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
}

func explainSQLite(err error) error {
	var code sqlite3.ExtendedErrorCode
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case sqlite3.CONSTRAINT_UNIQUE, sqlite3.CONSTRAINT_PRIMARYKEY, sqlite3.CONSTRAINT_ROWID:
		return fmt.Errorf("%w: %w", ErrUnique, err)
	case sqlite3.CONSTRAINT_FOREIGNKEY:
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return err
}

// grown is called after each transaction that wrote. That one is on disk, so
// copying has no error for it: Run, Close or the next start will meet it again.
func (s *sealed) grown(ctx context.Context) {
	behind := s.store.LogFrames() - s.copied.Load()
	if behind < 0 { // the log began anew
		s.copied.Store(0)
		behind = s.store.LogFrames()
	}
	switch {
	case behind < copyAt:
	case behind >= inlineAt:
		_ = s.copy(ctx)
	case s.tidying.Load():
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

// copy copies the log into the database as far as readers allow.
func (s *sealed) copy(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.copier == nil {
		c, err := s.store.Checkpointer()
		if err != nil {
			return err
		}
		s.copier = c
	}
	_, copied, err := s.copier.Run(ctx)
	if err != nil {
		return err
	}
	s.copied.Store(copied)
	return nil
}

// patience is how long writers wait until those have gone who read in the log. A
// reader that stays longer keeps the log growing until the next try.
const patience = 50 * time.Millisecond

// restart has the log begin anew. It follows a copy, and nobody may write meanwhile.
func (s *sealed) restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	_, err := s.copier.Restart(ctx, patience)
	return err
}

func (s *sealed) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var err error
	if s.copier != nil {
		err = s.copier.Close()
	}
	return errors.Join(err, s.store.Close())
}

// Run keeps the log of a SQLite database short, and gives back pages that deletes
// have freed, until ctx ends. Without it a writer does that now and then, and waits.
// On PostgreSQL there is nothing to do.
func (d *DB) Run(ctx context.Context) error {
	s := d.sealed
	if s == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	s.tidying.Store(true)
	defer s.tidying.Store(false)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		}
		if err := d.tidy(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("copy the log of database %s: %w", d.cfg.Schema, err)
		}
	}
}

// tidy copies the log. If writers are faster than that, they wait once for the rest.
func (d *DB) tidy(ctx context.Context) error {
	if err := d.sealed.copy(ctx); err != nil {
		return err
	}
	var err error
	if d.sealed.store.LogFrames() > waitAt {
		err = d.exclusively(ctx, func(*sql.Conn) error {
			if err := d.sealed.copy(ctx); err != nil {
				return err
			}
			return d.sealed.restart(ctx)
		})
	}
	return errors.Join(err, d.shrink(ctx))
}

// Pages that deletes freed are given back when there are many, a few at a time.
const (
	manyFree = 4096 // 16 MiB
	shrink   = "PRAGMA incremental_vacuum(512)"
)

func (d *DB) shrink(ctx context.Context) error {
	return d.exclusively(ctx, func(c *sql.Conn) error {
		var free int64
		if err := c.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil || free < manyFree {
			return err
		}
		_, err := c.ExecContext(ctx, shrink)
		return err
	})
}

// exclusively runs fn while nobody writes, with the writer's connection.
func (d *DB) exclusively(ctx context.Context, fn func(c *sql.Conn) error) error {
	if err := d.running.enter(); err != nil {
		return err
	}
	defer d.running.leave()
	c, err := d.writer.Conn(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(c), c.Close())
}

// BackupTo writes a SQLite database as it is now to a new file, sealed with another
// key of 32 bytes. Writers do not wait. For PostgreSQL there is Dump, as for SQLite.
func (d *DB) BackupTo(ctx context.Context, path string, key []byte) error {
	if d.sealed == nil {
		return errors.New("a database on PostgreSQL has no file to copy: use Dump, or PostgreSQL's own tools")
	}
	if err := d.running.enter(); err != nil {
		return err
	}
	defer d.running.leave()
	return d.sealed.store.Backup(ctx, path, key)
}

// Check reads every page of a SQLite database and compares every index with its
// table; what is wrong is sqlite.ErrDamaged. PostgreSQL checks its pages itself.
func (d *DB) Check(ctx context.Context) error {
	if d.sealed == nil {
		return d.Read(ctx, func(tx *Tx) error {
			_, err := d.check(ctx, tx)
			return err
		})
	}
	if err := d.running.enter(); err != nil {
		return err
	}
	defer d.running.leave()
	return d.sealed.store.Check(ctx)
}
