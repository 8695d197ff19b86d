package db

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// ErrDump is a dump that cannot be loaded: it is damaged, cut off, or of other tables.
var ErrDump = errors.New("this dump cannot be loaded")

// A dump is dumpMagic and records, each one byte for its kind, its length as a
// varint, and its text. It is the same for both engines:
//
//	schema   the database's name, then number, name and digest of each migration
//	table    a name, and the names of its columns
//	row      the values of that table's next row, ordered by the primary key
//	end      the number of rows, and the SHA-256 of everything before this record
const dumpMagic = "ardesia dump 1\n"

const (
	recordSchema byte = 'S'
	recordTable  byte = 'T'
	recordRow    byte = 'R'
	recordEnd    byte = 'E'
)

// maxRecord bounds one row in a dump, in bytes.
const maxRecord = 64 << 20

// The kinds of a value in a row.
const (
	valueNull byte = iota
	valueInt
	valueFloat
	valueFalse
	valueTrue
	valueText
	valueBytes
)

// Dump writes all tables as they are at one moment. The same rows make the same
// bytes on both engines. It is not sealed.
func (d *DB) Dump(ctx context.Context, w io.Writer) error {
	buffered := bufio.NewWriterSize(w, 1<<16)
	e := &dumpWriter{w: buffered, sum: sha256.New()}
	err := d.Read(ctx, func(tx *Tx) error {
		if err := e.write([]byte(dumpMagic)); err != nil {
			return err
		}
		migrations, err := d.check(ctx, tx)
		if err != nil {
			return err
		}
		e.text(d.cfg.Schema)
		e.number(uint64(len(migrations)))
		for _, m := range migrations {
			e.number(uint64(m.Number))
			e.text(m.Name)
			e.text(m.applied)
		}
		if err := e.record(recordSchema); err != nil {
			return err
		}
		tables, err := d.tables(ctx, tx)
		if err != nil {
			return err
		}
		for _, t := range tables {
			if err := d.dumpTable(ctx, tx, e, t); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
		digest := e.sum.Sum(nil)
		e.number(e.rows)
		e.buf.Write(digest)
		return e.record(recordEnd)
	})
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		return fmt.Errorf("dump %s: %w", d.cfg.Schema, err)
	}
	return nil
}

func (d *DB) dumpTable(ctx context.Context, tx *Tx, e *dumpWriter, t table) error {
	e.text(t.name)
	e.number(uint64(len(t.columns)))
	for _, c := range t.columns {
		e.text(c.name)
	}
	if err := e.record(recordTable); err != nil {
		return err
	}
	values := make([]any, len(t.columns))
	into := make([]any, len(t.columns))
	for i := range values {
		into[i] = &values[i]
	}
	return tx.each(ctx, func(r Row) error {
		if err := r.Scan(into...); err != nil {
			return err
		}
		for i, v := range values {
			if err := e.value(v); err != nil {
				return fmt.Errorf("column %s: %w", t.columns[i].name, err)
			}
		}
		e.rows++
		return e.record(recordRow)
	}, t.selectAll(d.cfg.Engine))
}

// A dumpWriter collects one record in buf and writes it.
type dumpWriter struct {
	w    io.Writer
	sum  hash.Hash // of what was written
	buf  bytes.Buffer
	rows uint64
}

func (e *dumpWriter) write(p []byte) error {
	e.sum.Write(p)
	_, err := e.w.Write(p)
	return err
}

func (e *dumpWriter) number(n uint64) { e.buf.Write(binary.AppendUvarint(nil, n)) }

func (e *dumpWriter) text(s string) {
	e.number(uint64(len(s)))
	e.buf.WriteString(s)
}

func (e *dumpWriter) value(v any) error {
	switch v := v.(type) {
	case nil:
		e.buf.WriteByte(valueNull)
	case int64:
		e.buf.WriteByte(valueInt)
		e.buf.Write(binary.AppendVarint(nil, v))
	case float64:
		e.buf.WriteByte(valueFloat)
		e.buf.Write(binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
	case bool:
		e.buf.WriteByte(map[bool]byte{false: valueFalse, true: valueTrue}[v])
	case string:
		e.buf.WriteByte(valueText)
		e.text(v)
	case []byte:
		e.buf.WriteByte(valueBytes)
		e.text(string(v))
	default:
		return fmt.Errorf("a %T has no place in a dump", v)
	}
	return nil
}

func (e *dumpWriter) record(kind byte) error {
	if e.buf.Len() > maxRecord {
		return fmt.Errorf("a row of %d bytes; a dump takes up to %d", e.buf.Len(), maxRecord)
	}
	head := binary.AppendUvarint([]byte{kind}, uint64(e.buf.Len()))
	err := e.write(head)
	if err == nil {
		err = e.write(e.buf.Bytes())
	}
	e.buf.Reset()
	return err
}

// A dumpReader reads records. Everything that it refuses is ErrDump.
type dumpReader struct {
	r    *bufio.Reader
	sum  hash.Hash
	buf  []byte
	left []byte // of the record that is being read
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDump, fmt.Sprintf(format, args...))
}

func (e *dumpReader) begin() error {
	head := make([]byte, len(dumpMagic))
	if _, err := io.ReadFull(e.r, head); err != nil || string(head) != dumpMagic {
		return refuse("it does not begin as one")
	}
	e.sum.Write(head)
	return nil
}

// record reads the next record. The digest that sum then gives is of what was before it.
func (e *dumpReader) record() (kind byte, before []byte, err error) {
	before = e.sum.Sum(nil)
	kind, err = e.r.ReadByte()
	if err != nil {
		return 0, nil, cut(err)
	}
	n, err := binary.ReadUvarint(e.r)
	if err != nil {
		return 0, nil, cut(err)
	}
	if n > maxRecord {
		return 0, nil, refuse("a record of %d bytes", n)
	}
	// Memory is taken as bytes arrive: the length may be a lie.
	b := bytes.NewBuffer(e.buf[:0])
	if _, err := io.CopyN(b, e.r, int64(n)); err != nil {
		return 0, nil, cut(err)
	}
	e.buf = b.Bytes()
	e.left = e.buf
	e.sum.Write(binary.AppendUvarint([]byte{kind}, n))
	e.sum.Write(e.buf)
	return kind, before, nil
}

func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse("it is cut off")
	}
	return err
}

func (e *dumpReader) number() (uint64, error) {
	n, size := binary.Uvarint(e.left)
	if size <= 0 {
		return 0, refuse("a record ends within a number")
	}
	e.left = e.left[size:]
	return n, nil
}

func (e *dumpReader) bytes() ([]byte, error) {
	n, err := e.number()
	if err != nil {
		return nil, err
	}
	if n > uint64(len(e.left)) {
		return nil, refuse("a record ends within a text")
	}
	b := e.left[:n]
	e.left = e.left[n:]
	return b, nil
}

func (e *dumpReader) text() (string, error) {
	b, err := e.bytes()
	if err == nil && (!utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0) {
		err = refuse("a text is not UTF-8")
	}
	return string(b), err
}

func (e *dumpReader) value() (any, error) {
	if len(e.left) == 0 {
		return nil, refuse("a row is too short")
	}
	kind := e.left[0]
	e.left = e.left[1:]
	switch kind {
	case valueNull:
		return nil, nil
	case valueInt:
		v, size := binary.Varint(e.left)
		if size <= 0 {
			return nil, refuse("a record ends within a number")
		}
		e.left = e.left[size:]
		return v, nil
	case valueFloat:
		if len(e.left) < 8 {
			return nil, refuse("a record ends within a number")
		}
		v := math.Float64frombits(binary.BigEndian.Uint64(e.left))
		e.left = e.left[8:]
		return v, nil
	case valueFalse, valueTrue:
		return kind == valueTrue, nil
	case valueText:
		return e.text()
	case valueBytes:
		b, err := e.bytes()
		return append([]byte{}, b...), err // never nil, which is null
	}
	return nil, refuse("a value of kind %d", kind)
}

func (e *dumpReader) done() error {
	if len(e.left) > 0 {
		return refuse("a record has %d bytes too many", len(e.left))
	}
	return nil
}

// A table is one of our tables as the engine describes it.
type table struct {
	name    string
	columns []column
	key     []int // columns of the primary key, in its order
}

type column struct {
	name string
	kind string // as accepts reads it
}

// accepts says whether a column may hold a value. The engines differ in what they
// let through; a dump does not.
func (c column) accepts(v any) bool {
	kind := strings.ToUpper(c.kind)
	switch v.(type) {
	case nil:
		return true
	case int64:
		return kind == "BIGINT" || kind == "INTEGER"
	case float64:
		return kind == "DOUBLE PRECISION"
	case bool:
		return kind == "BOOLEAN"
	case string:
		return kind == "TEXT"
	case []byte:
		return kind == "BYTEA"
	}
	return false
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (t table) columnList() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = quote(c.name)
	}
	return strings.Join(names, ", ")
}

// selectAll reads all rows in an order that both engines agree on: bytes.
func (t table) selectAll(e Engine) string {
	by := t.key
	if len(by) == 0 {
		for i := range t.columns {
			by = append(by, i)
		}
	}
	order := make([]string, len(by))
	for i, c := range by {
		order[i] = quote(t.columns[c].name)
		if e == Postgres && strings.EqualFold(t.columns[c].kind, "TEXT") {
			order[i] += ` COLLATE "C"`
		}
	}
	return "SELECT " + t.columnList() + " FROM " + quote(t.name) + " ORDER BY " + strings.Join(order, ", ")
}

func (t table) insert(e Engine) string {
	marks := make([]string, len(t.columns))
	sign := map[Engine]string{SQLite: "?", Postgres: "$"}[e]
	for i := range marks {
		marks[i] = fmt.Sprintf("%s%d", sign, i+1)
	}
	return "INSERT INTO " + quote(t.name) + " (" + t.columnList() + ") VALUES (" + strings.Join(marks, ", ") + ")"
}

// What each engine says of its tables: name, column, type, and the column's place
// in the primary key from 1, 0 for none. By table and by the column's place.
var describe = map[Engine]string{
	SQLite: `SELECT m.name, c.name, c.type, c.pk FROM sqlite_schema m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~' AND m.name <> 'schema_migration' ORDER BY m.name, c.cid`,
	Postgres: `SELECT t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
			coalesce(array_position((SELECT i.indkey::int[] FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary), a.attnum::int) + 1, 0)
		FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
		WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
			AND a.attnum > 0 AND NOT a.attisdropped AND t.relname <> 'schema_migration'
		ORDER BY t.relname COLLATE "C", a.attnum`,
}

// tables are all tables but that of migrations.
func (d *DB) tables(ctx context.Context, tx *Tx) ([]table, error) {
	var all []table
	keys := map[string]map[int64]int{} // by table and place in the key
	err := tx.each(ctx, func(r Row) error {
		var name string
		var c column
		var place int64
		if err := r.Scan(&name, &c.name, &c.kind, &place); err != nil {
			return err
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, table{name: name})
			keys[name] = map[int64]int{}
		}
		t := &all[len(all)-1]
		if place > 0 {
			keys[name][place] = len(t.columns)
		}
		t.columns = append(t.columns, c)
		return nil
	}, describe[d.cfg.Engine])
	for i := range all {
		for place := int64(1); place <= int64(len(keys[all[i].name])); place++ {
			all[i].key = append(all[i].key, keys[all[i].name][place])
		}
	}
	return all, err
}
