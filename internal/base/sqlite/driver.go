package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ncruces/go-sqlite3"
)

// A Connector makes connections for database/sql. They keep their prepared
// statements, take $n-free texts (?1, ?2, …), and bind and return int64, float64,
// bool, string, []byte and nil. A nil []byte is NULL. Texts that PostgreSQL would
// refuse (not UTF-8, or with a zero byte) and NaN, which SQLite would make NULL, are
// errors.
type Connector struct {
	store   *Store
	init    string                // statements for each new connection
	explain func(err error) error // makes an error of SQLite one of the caller's
	begin   string
}

// maxStatements bounds the prepared statements of one connection.
const maxStatements = 256

// Connect opens a connection.
func (c *Connector) Connect(ctx context.Context) (driver.Conn, error) {
	raw, err := sqlite3.OpenFlags("file:"+dbName+"?vfs="+c.store.name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, c.store.explain(err)
	}
	raw.Limit(sqlite3.LIMIT_ATTACHED, 0) // what is attached would not be sealed
	// Otherwise every run of a statement with "limit $1" plans it anew, for the number given.
	if _, err := raw.Config(sqlite3.DBCONFIG_ENABLE_QPSG, true); err != nil {
		return nil, errors.Join(c.store.explain(err), raw.Close())
	}
	k := &conn{Conn: raw, c: c, cache: make(map[string]*stmt)}
	defer raw.SetInterrupt(raw.SetInterrupt(ctx))
	if err := raw.Exec(c.init); err != nil {
		return nil, errors.Join(k.fail(ctx, err), raw.Close())
	}
	return k, nil
}

// Driver is asked for by database/sql, and used by nobody.
func (c *Connector) Driver() driver.Driver { return noDriver{} }

type noDriver struct{}

func (noDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("a sealed database is opened by its Store")
}

type conn struct {
	*sqlite3.Conn
	c     *Connector
	cache map[string]*stmt // by text
	order []string         // texts in cache, oldest first
	open  bool             // between BeginTx and its end
	wrong error            // the first error of the open transaction, which ends it as on PostgreSQL
}

var (
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
)

// fail says what an error of SQLite is about.
func (k *conn) fail(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && errors.Is(err, sqlite3.INTERRUPT) {
		if k.open && k.wrong == nil {
			k.wrong = cause
		}
		return cause
	}
	err = k.c.store.explain(err)
	if k.c.explain != nil {
		err = k.c.explain(err)
	}
	if k.open && k.wrong == nil {
		k.wrong = err
	}
	return err
}

func (k *conn) Close() error {
	for _, s := range k.cache {
		_ = s.Stmt.Close()
	}
	return k.c.store.explain(k.Conn.Close())
}

func (k *conn) Begin() (driver.Tx, error) {
	return k.BeginTx(context.Background(), driver.TxOptions{})
}

func (k *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := k.run(ctx, k.c.begin); err != nil {
		return nil, err
	}
	k.open, k.wrong = true, nil
	return k, nil
}

func (k *conn) Commit() error {
	if err := k.usable(); err != nil {
		return errors.Join(err, k.Rollback())
	}
	k.open = false
	ctx := context.Background()
	err := k.run(ctx, "COMMIT")
	if err != nil && !k.GetAutocommit() {
		err = errors.Join(err, k.run(ctx, "ROLLBACK"))
	}
	return err
}

func (k *conn) Rollback() error {
	k.open = false
	if k.GetAutocommit() {
		return nil // SQLite has undone it already
	}
	return k.run(context.Background(), "ROLLBACK")
}

// usable keeps a transaction from being done in part: after an error nothing more
// is done in it.
func (k *conn) usable() error {
	switch {
	case !k.open:
		return nil
	case k.wrong != nil:
		return fmt.Errorf("the transaction is over after an error: %w", k.wrong)
	case k.GetAutocommit():
		return errors.New("the transaction is over: SQLite has undone it")
	}
	return nil
}

// run runs a statement without parameters or rows.
func (k *conn) run(ctx context.Context, text string) error {
	s, _, err := k.statement(ctx, text)
	if err != nil {
		return err
	}
	defer s.release()
	defer k.SetInterrupt(k.SetInterrupt(ctx))
	return k.fail(ctx, s.Stmt.Exec())
}

// statement finds or prepares a statement and takes it. The tail is what stands
// behind it in text; then the statement is not kept.
func (k *conn) statement(ctx context.Context, text string) (*stmt, string, error) {
	if err := k.usable(); err != nil {
		return nil, "", err
	}
	if s := k.cache[text]; s != nil && !s.taken {
		s.taken = true
		return s, "", nil
	}
	defer k.SetInterrupt(k.SetInterrupt(ctx))
	k.c.store.plans.Add(1)
	raw, tail, err := k.PrepareFlags(text, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, "", fmt.Errorf("%w in %q", k.fail(ctx, err), text)
	}
	if raw == nil {
		return nil, "", fmt.Errorf("there is no statement in %q", text)
	}
	s := &stmt{Stmt: raw, k: k, taken: true, inputs: raw.BindCount()}
	for i := range raw.ColumnCount() {
		s.columns = append(s.columns, raw.ColumnName(i))
		s.flags = append(s.flags, strings.EqualFold(raw.ColumnDeclType(i), "BOOLEAN"))
	}
	tail = strings.TrimSpace(tail)
	if tail == "" && k.cache[text] == nil {
		k.keep(text, s)
	}
	return s, tail, nil
}

// keep puts s into the cache, and at the bound closes the oldest that is not taken.
func (k *conn) keep(text string, s *stmt) {
	if len(k.order) >= maxStatements {
		i := slices.IndexFunc(k.order, func(t string) bool { return !k.cache[t].taken })
		if i < 0 {
			return
		}
		_ = k.cache[k.order[i]].Stmt.Close()
		delete(k.cache, k.order[i])
		k.order = slices.Delete(k.order, i, i+1)
	}
	s.kept = true
	k.cache[text] = s
	k.order = append(k.order, text)
}

func (k *conn) Prepare(text string) (driver.Stmt, error) {
	return k.PrepareContext(context.Background(), text)
}

// ExecContext runs a statement, or a whole script if it has no parameters.
func (k *conn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	s, tail, err := k.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	defer s.release()
	defer k.SetInterrupt(k.SetInterrupt(ctx))
	if tail != "" {
		if len(args) > 0 {
			return nil, fmt.Errorf("more than one statement in %q", text)
		}
		return driver.ResultNoRows, k.fail(ctx, k.Exec(text))
	}
	if err := s.bind(args); err != nil {
		return nil, err
	}
	if err := s.Stmt.Exec(); err != nil {
		return nil, k.fail(ctx, err)
	}
	return result{k.LastInsertRowID(), k.Changes()}, nil
}

// QueryContext runs a statement that returns rows.
func (k *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	s, tail, err := k.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if tail != "" {
		err = fmt.Errorf("more than one statement in %q", text)
	} else {
		err = s.bind(args)
	}
	if err != nil {
		s.release()
		return nil, err
	}
	return &rows{s: s, ctx: ctx}, nil
}

// CheckNamedValue lets database/sql convert what is not ours.
func (k *conn) CheckNamedValue(v *driver.NamedValue) error {
	switch v.Value.(type) {
	case nil, int64, float64, bool, string, []byte:
		return nil
	}
	return driver.ErrSkip
}

func (k *conn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	s, tail, err := k.statement(ctx, text)
	if err != nil {
		return nil, err
	}
	if tail != "" {
		s.release()
		return nil, fmt.Errorf("more than one statement in %q", text)
	}
	s.release()
	return prepared{k, text, s.inputs}, nil
}

// prepared is a statement of database/sql. The connection keeps the real one.
type prepared struct {
	k      *conn
	text   string
	inputs int
}

func (p prepared) Close() error  { return nil }
func (p prepared) NumInput() int { return p.inputs }

func (p prepared) Exec([]driver.Value) (driver.Result, error) { return nil, errors.ErrUnsupported }
func (p prepared) Query([]driver.Value) (driver.Rows, error)  { return nil, errors.ErrUnsupported }

func (p prepared) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return p.k.ExecContext(ctx, p.text, args)
}

func (p prepared) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return p.k.QueryContext(ctx, p.text, args)
}

type stmt struct {
	*sqlite3.Stmt
	k       *conn
	taken   bool // by a caller
	kept    bool // in the cache
	inputs  int
	columns []string
	flags   []bool // which columns are declared BOOLEAN
}

// release gives the statement back.
func (s *stmt) release() {
	_ = s.Stmt.Reset() // says again what the last step said
	s.k.c.store.steps.Add(int64(s.Stmt.Status(sqlite3.STMTSTATUS_VM_STEP, true)))
	s.k.c.store.plans.Add(int64(s.Stmt.Status(sqlite3.STMTSTATUS_REPREPARE, true)))
	if s.inputs > 0 {
		_ = s.Stmt.ClearBindings()
	}
	s.taken = false
	if !s.kept {
		_ = s.Stmt.Close()
	}
}

var (
	errText = errors.New("a text is not UTF-8 or has a zero byte")
	errNaN  = errors.New("a number is not a number (NaN)")
)

func (s *stmt) bind(args []driver.NamedValue) error {
	if len(args) != s.inputs {
		return fmt.Errorf("the statement has %d parameters, not %d: %q", s.inputs, len(args), s.SQL())
	}
	for _, a := range args {
		var err error
		switch v := a.Value.(type) {
		case nil:
			err = s.BindNull(a.Ordinal)
		case int64:
			err = s.BindInt64(a.Ordinal, v)
		case float64:
			if math.IsNaN(v) {
				return fmt.Errorf("parameter %d: %w", a.Ordinal, errNaN)
			}
			err = s.BindFloat(a.Ordinal, v)
		case bool:
			err = s.BindBool(a.Ordinal, v)
		case string:
			if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
				return fmt.Errorf("parameter %d: %w", a.Ordinal, errText)
			}
			err = s.BindText(a.Ordinal, v)
		case []byte:
			if v == nil {
				err = s.BindNull(a.Ordinal)
			} else {
				err = s.BindBlob(a.Ordinal, v)
			}
		default:
			err = fmt.Errorf("a %T cannot be stored", v)
		}
		if err != nil {
			return fmt.Errorf("parameter %d: %w", a.Ordinal, err)
		}
	}
	return nil
}

type result struct{ id, changed int64 }

func (r result) LastInsertId() (int64, error) { return r.id, nil }
func (r result) RowsAffected() (int64, error) { return r.changed, nil }

type rows struct {
	s   *stmt
	ctx context.Context
}

func (r *rows) Columns() []string { return r.s.columns }

func (r *rows) Close() error {
	if r.s != nil {
		r.s.release()
		r.s = nil
	}
	return nil
}

// ColumnTypeDatabaseTypeName is the type in the schema, "" for what is computed.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	return strings.ToUpper(r.s.ColumnDeclType(i))
}

func (r *rows) Next(dest []driver.Value) error {
	k := r.s.k
	defer k.SetInterrupt(k.SetInterrupt(r.ctx))
	if !r.s.Step() {
		if err := r.s.Err(); err != nil {
			return k.fail(r.ctx, err)
		}
		return io.EOF
	}
	for i := range dest {
		switch r.s.ColumnType(i) {
		case sqlite3.INTEGER:
			v := r.s.ColumnInt64(i)
			if r.s.flags[i] {
				dest[i] = v != 0
			} else {
				dest[i] = v
			}
		case sqlite3.FLOAT:
			dest[i] = r.s.ColumnFloat(i)
		case sqlite3.TEXT:
			dest[i] = r.s.ColumnText(i)
		case sqlite3.BLOB:
			dest[i] = r.s.ColumnBlob(i, []byte{})
		default:
			dest[i] = nil
		}
	}
	return nil
}
