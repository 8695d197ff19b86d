package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"
)

// An Engine is one of the two programs that keep our rows.
type Engine int

const (
	SQLite   Engine = iota // embedded, in a sealed file
	Postgres               // PostgreSQL 15 or later
)

func (e Engine) String() string {
	if e == Postgres {
		return "postgres"
	}
	return "sqlite"
}

var (
	// ErrUnique is a row that would be the second of its key.
	ErrUnique = errors.New("there is already a row with this key")
	// ErrForeign is a row that points to one that is not there, or that others still point to.
	ErrForeign = errors.New("the row that this points to is not there, or others still point to this one")
)

// Config says which database to open.
type Config struct {
	Engine     Engine
	Schema     string           // core, history or keyring: the schema on PostgreSQL, and the database's name in errors
	Path       string           // SQLite: the file
	Key        []byte           // SQLite: 32 bytes that seal the file; kept, not copied into any file
	DSN        string           // PostgreSQL: a connection string or URL
	Migrations []Migration      // the whole history, oldest first; those that are missing run on Open
	Now        func() time.Time // the clock that dates migrations
	Readers    int              // connections that read; 0 is one per CPU on SQLite, 8 on PostgreSQL
}

// A DB is one open database. All methods may be called from any goroutine.
type DB struct {
	cfg     Config
	writer  *sql.DB // one connection: what serialises Write
	readers *sql.DB
	sealed  *sealed // nil on PostgreSQL
	texts   texts
	running running
}

// A Tx is one transaction. It is good until the function that it was handed to
// returns, and for one goroutine.
type Tx struct {
	db *DB
	tx *sql.Tx
}

// Open opens the database, makes it if it is not there, and runs the migrations
// that it has not seen. It refuses, with a sentence for the operator, a file that
// others can read, a key that does not fit, and a database that a newer version wrote.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Now == nil {
		return nil, errors.New("open database: no clock")
	}
	open := openSQLite
	if cfg.Engine == Postgres {
		open = openPostgres
	}
	d, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", cfg.Schema, err)
	}
	if err := d.migrate(ctx, cfg.Migrations); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", cfg.Schema, err), d.Close())
	}
	return d, nil
}

// Engine says which program keeps the rows.
func (d *DB) Engine() Engine { return d.cfg.Engine }

// Close waits for running transactions and closes the database. The second time it
// does nothing.
func (d *DB) Close() error {
	if !d.running.close() {
		return nil
	}
	err := errors.Join(d.readers.Close(), d.writer.Close())
	if d.sealed != nil {
		err = errors.Join(err, d.sealed.close())
	}
	return err
}

// Write runs fn in one transaction. Nil means that it is on disk. An error or a
// panic of fn, and the end of ctx, undo it. Writes wait for each other; waiting
// ends with ctx.
func (d *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	for try := 0; ; try++ {
		err := d.within(ctx, d.writer, writeOptions[d.cfg.Engine], fn)
		if err == nil && d.sealed != nil {
			d.sealed.grown(ctx)
		}
		if err == nil || try == maxTries-1 || !again(err) {
			return err
		}
	}
}

// maxTries bounds how often Write runs its function when PostgreSQL found that
// another process changed the same rows.
const maxTries = 5

// Read runs fn on a snapshot of the database. Many may read at a time.
func (d *DB) Read(ctx context.Context, fn func(tx *Tx) error) error {
	return d.within(ctx, d.readers, readOptions[d.cfg.Engine], fn)
}

// One runs a query that returns one row, or none, and lets read have it: once, with Scan. A statement
// alone sees one state of the database anyway; without a transaction around it, it costs a fraction (BenchmarkRow), and one
// round trip to PostgreSQL instead of three.
func (d *DB) One(ctx context.Context, read func(r Row) error, text string, args ...any) error {
	if err := d.running.enter(); err != nil {
		return fmt.Errorf("read %s: %w", d.cfg.Schema, err)
	}
	defer d.running.leave()
	text, err := d.text(text)
	if err != nil {
		return err
	}
	return read(Row{one: d.readers.QueryRowContext(ctx, text, args...)})
}

// On SQLite the connection decides; PostgreSQL is asked for what SQLite is.
var (
	writeOptions = map[Engine]*sql.TxOptions{Postgres: {Isolation: sql.LevelSerializable}}
	readOptions  = map[Engine]*sql.TxOptions{Postgres: {Isolation: sql.LevelRepeatableRead, ReadOnly: true}}
)

func (d *DB) within(ctx context.Context, pool *sql.DB, o *sql.TxOptions, fn func(tx *Tx) error) error {
	if err := d.running.enter(); err != nil {
		return fmt.Errorf("begin in %s: %w", d.cfg.Schema, err)
	}
	defer d.running.leave()
	c, tx, err := begin(ctx, pool, o)
	if err != nil {
		return fmt.Errorf("begin in %s: %w", d.cfg.Schema, err)
	}
	defer c.Close()
	defer func() { _ = tx.Rollback() }() // also when fn panics; does nothing after Commit
	if err := fn(&Tx{d, tx}); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("commit in %s: %w", d.cfg.Schema, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit in %s: %w", d.cfg.Schema, err)
	}
	return nil
}

// begin waits for a connection while ctx lasts. The transaction itself is not tied
// to ctx: database/sql would undo it behind our back, and a commit that was sent is
// waited for, because giving up would leave open whether it happened.
func begin(ctx context.Context, pool *sql.DB, o *sql.TxOptions) (*sql.Conn, *sql.Tx, error) {
	for try := 0; ; try++ {
		c, err := pool.Conn(ctx)
		if err != nil {
			return nil, nil, err
		}
		tx, err := c.BeginTx(context.WithoutCancel(ctx), o)
		if err == nil {
			return c, tx, nil
		}
		err = errors.Join(err, c.Close())
		if !errors.Is(err, driver.ErrBadConn) || try == 2 { // a server that was started anew
			return nil, nil, err
		}
	}
}

// running counts transactions, so that Close can wait for them.
type running struct {
	mu     sync.Mutex
	n      int           // guarded by mu
	closed bool          // guarded by mu
	idle   chan struct{} // guarded by mu; closed when n is 0 after closed is true
}

var errClosed = errors.New("the database is closed")

func (r *running) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return errClosed
	}
	r.n++
	return nil
}

func (r *running) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n--; r.n == 0 && r.closed {
		close(r.idle)
	}
}

// close waits until all have left. It is false if that was asked for before.
func (r *running) close() bool {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return false
	}
	r.closed, r.idle = true, make(chan struct{})
	if r.n == 0 {
		close(r.idle)
	}
	r.mu.Unlock()
	<-r.idle
	return true
}

// Exec runs a statement that returns no rows.
func (t *Tx) Exec(ctx context.Context, text string, args ...any) (sql.Result, error) {
	text, err := t.db.text(text)
	if err != nil {
		return nil, err
	}
	return t.tx.ExecContext(ctx, text, args...)
}

// Query runs a statement that returns rows. The caller closes them, and asks them for
// their error; Each, All and Column do that.
func (t *Tx) Query(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	text, err := t.db.text(text)
	if err != nil {
		return nil, err
	}
	return t.tx.QueryContext(ctx, text, args...)
}

// QueryRow runs a statement that returns one row, or none. Errors wait for Scan,
// which must be called, once: until then the row keeps the connection busy.
func (t *Tx) QueryRow(ctx context.Context, text string, args ...any) Row {
	text, err := t.db.text(text)
	if err != nil {
		return Row{err: err}
	}
	return Row{one: t.tx.QueryRowContext(ctx, text, args...)}
}

// text is what the engine is told for a statement. The check is the same on both.
func (d *DB) text(text string) (string, error) {
	rewritten, err := d.texts.rewrite(text)
	if err != nil {
		return "", fmt.Errorf("%w in %q", err, text)
	}
	if d.cfg.Engine == Postgres {
		return text, nil
	}
	return rewritten, nil
}
