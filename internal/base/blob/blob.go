package blob

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNotFound is a file that is not there, or not whole.
	ErrNotFound = problem.New(problem.NotFound, "file-not-found", "There is no such file.")
	// ErrTooLarge is a file beyond the bound of whoever stores it.
	ErrTooLarge = problem.New(problem.TooLarge, "file-too-large", "The file is too large.")
)

const (
	// partBytes is how much of a file is sealed, and read, at once.
	partBytes = 64 << 10
	// perWrite is how many parts one transaction writes: a file of 2 MB needs four.
	perWrite = 8
	// strayAfter is how old a file is that nobody keeps before it goes: longer than any request lasts.
	strayAfter = 24 * time.Hour
)

// States of a row.
const (
	writing = "writing" // parts are missing
	whole   = "whole"   // all are there, and nobody refers to it yet
	kept    = "kept"
)

// A Blob is one file.
type Blob struct {
	ID    string
	Space string
	Bytes int64
}

// Keys is what a Store needs of the key ring.
type Keys interface {
	Space(ctx context.Context, id string) (keys.Sealer, error)
}

// A Store keeps files. All methods may be called from any goroutine.
type Store struct {
	db   *db.DB
	keys Keys
	now  func() time.Time
}

// New makes a Store of the system of record.
func New(d *db.DB, ring Keys, now func() time.Time) *Store { return &Store{d, ring, now} }

func place(id string, number int, last bool) []byte {
	return keys.Place("blob_part", id, strconv.Itoa(number), strconv.FormatBool(last))
}

// Put stores what r gives, at most so many bytes, or fails with ErrTooLarge; r's own error comes back as it is.
// Nothing is left of a file that failed. Somebody has to Keep it.
func (s *Store) Put(ctx context.Context, space string, r io.Reader, most int64) (_ Blob, err error) {
	seal, err := s.keys.Space(ctx, space)
	if err != nil {
		return Blob{}, fmt.Errorf("key of space %s: %w", space, err)
	}
	b := Blob{ID: uuid.NewString(), Space: space}
	if err := s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into blob (id, space, state, bytes, created_at) values ($1, $2, $3, 0, $4)`, b.ID, space, writing, s.now().UnixMicro())
		return err
	}); err != nil {
		return Blob{}, fmt.Errorf("begin a file: %w", err)
	}
	defer func() {
		if err != nil {
			// What cannot be removed now goes with the strays.
			_ = s.Drop(context.WithoutCancel(ctx), b.ID)
		}
	}()
	w := writer{store: s, blob: &b, seal: seal}
	// One part is held back until it is known whether it is the last.
	next, ahead := make([]byte, partBytes), make([]byte, partBytes)
	n, end, err := fill(r, next)
	for err == nil {
		if b.Bytes += int64(n); b.Bytes > most {
			return Blob{}, ErrTooLarge
		}
		m := 0
		if !end {
			m, end, err = fill(r, ahead)
			if err != nil {
				break
			}
		}
		if m == 0 {
			err = w.add(ctx, next[:n], true)
			break
		}
		if err = w.add(ctx, next[:n], false); err == nil {
			next, ahead, n = ahead, next, m
		}
	}
	if err != nil {
		return Blob{}, err
	}
	return b, nil
}

// fill reads until p is full or r has ended.
func fill(r io.Reader, p []byte) (n int, end bool, err error) {
	n, err = io.ReadFull(r, p)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return n, true, nil
	}
	return n, false, err
}

// writer collects sealed parts and writes some at a time.
type writer struct {
	store  *Store
	blob   *Blob
	seal   keys.Sealer
	number int // of the next part
	sealed [][]byte
}

func (w *writer) add(ctx context.Context, plain []byte, last bool) error {
	sealed, err := w.seal.Seal(plain, place(w.blob.ID, w.number+len(w.sealed), last))
	if err != nil {
		return err
	}
	if w.sealed = append(w.sealed, sealed); len(w.sealed) < perWrite && !last {
		return nil
	}
	err = w.store.db.Write(ctx, func(tx *db.Tx) error {
		for i, body := range w.sealed {
			if _, err := tx.Exec(ctx, `insert into blob_part (blob, number, body) values ($1, $2, $3)`, w.blob.ID, w.number+i, body); err != nil {
				return err
			}
		}
		if !last {
			return nil
		}
		_, err := tx.Exec(ctx, `update blob set state = $2, bytes = $3 where id = $1`, w.blob.ID, whole, w.blob.Bytes)
		return err
	})
	if err != nil {
		return fmt.Errorf("write a file: %w", err)
	}
	w.number += len(w.sealed)
	w.sealed = w.sealed[:0]
	return nil
}

// Keep says, in the transaction that begins to refer to a file, that somebody does. It is ErrNotFound if the file is
// not there, or not whole.
func Keep(ctx context.Context, tx *db.Tx, id string) error {
	r, err := tx.Exec(ctx, `update blob set state = $2 where id = $1 and state in ($2, $3)`, id, kept, whole)
	if err != nil {
		return fmt.Errorf("keep file %s: %w", id, err)
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}

// Delete removes a file, in the transaction of whoever referred to it. It is repeatable.
func Delete(ctx context.Context, tx *db.Tx, id string) error {
	for _, text := range []string{`delete from blob_part where blob = $1`, `delete from blob where id = $1`} {
		if _, err := tx.Exec(ctx, text, id); err != nil {
			return fmt.Errorf("delete file %s: %w", id, err)
		}
	}
	return nil
}

// Drop is Delete for a file that Put made and nobody keeps.
func (s *Store) Drop(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return Delete(ctx, tx, id) })
}

// Clear removes all files of a space. It needs no key, and is repeatable.
func (s *Store) Clear(ctx context.Context, space string) error {
	return s.deleteAll(ctx, `select id from blob where space = $1`, space)
}

// Sweep removes files that nobody keeps and nobody still writes.
func (s *Store) Sweep(ctx context.Context) error {
	return s.deleteAll(ctx, `select id from blob where state in ($1, $2) and created_at < $3`, writing, whole, s.now().Add(-strayAfter).UnixMicro())
}

// deleteAll removes the files that a query finds, each in a transaction of its own.
func (s *Store) deleteAll(ctx context.Context, text string, args ...any) error {
	var all []string
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = db.Column[string](ctx, tx, text, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("look for files to delete: %w", err)
	}
	for _, id := range all {
		if err := s.db.Write(ctx, func(tx *db.Tx) error { return Delete(ctx, tx, id) }); err != nil {
			return err
		}
	}
	return nil
}

// Bytes is how much the whole files of a space have together.
func (s *Store) Bytes(ctx context.Context, space string) (n int64, err error) {
	err = s.db.One(ctx, func(r db.Row) error { return r.Scan(&n) }, `select cast(coalesce(sum(bytes), 0) as bigint) from blob where space = $1`, space)
	if err != nil {
		return 0, fmt.Errorf("count the bytes of space %s: %w", space, err)
	}
	return n, nil
}

// Kept is how much the files of a space have together to which somebody refers, in the transaction that begins to refer to another one:
// after Keep that counts too.
func Kept(ctx context.Context, tx *db.Tx, space string) (n int64, err error) {
	err = tx.QueryRow(ctx, `select cast(coalesce(sum(bytes), 0) as bigint) from blob where space = $1 and state = $2`, space, kept).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the bytes of space %s: %w", space, err)
	}
	return n, nil
}

// Open reads a file of a space from anywhere in it; or ErrNotFound. The reader is for one goroutine, while ctx lasts.
func (s *Store) Open(ctx context.Context, space, id string) (*Reader, error) {
	r := &Reader{ctx: ctx, store: s, blob: Blob{ID: id, Space: space}, part: -1}
	err := s.db.One(ctx, func(row db.Row) error { return row.Scan(&r.blob.Bytes) },
		`select bytes from blob where id = $1 and space = $2 and state <> $3`, id, space, writing)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("find file %s: %w", id, err)
	}
	if r.seal, err = s.keys.Space(ctx, space); err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	return r, nil
}

// A Reader reads one file. It is an io.ReadSeeker.
type Reader struct {
	ctx   context.Context
	store *Store
	blob  Blob
	seal  keys.Sealer
	at    int64
	part  int // whose bytes are in plain; -1 for none
	plain []byte
}

// Size is how many bytes the file has.
func (r *Reader) Size() int64 { return r.blob.Bytes }

// Read implements io.Reader. A part that was changed or is missing is keys.ErrSeal.
func (r *Reader) Read(p []byte) (int, error) {
	if r.at >= r.blob.Bytes {
		return 0, io.EOF
	}
	if want := int(r.at / partBytes); want != r.part {
		if err := r.load(want); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.plain[r.at%partBytes:])
	r.at += int64(n)
	return n, nil
}

func (r *Reader) load(number int) error {
	var sealed []byte
	err := r.store.db.One(r.ctx, func(row db.Row) error { return row.Scan(&sealed) }, `select body from blob_part where blob = $1 and number = $2`, r.blob.ID, number)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("part %d of file %s is missing: %w", number, r.blob.ID, keys.ErrSeal)
	case err != nil:
		return fmt.Errorf("read part %d of file %s: %w", number, r.blob.ID, err)
	}
	start := int64(number) * partBytes
	last := start+partBytes >= r.blob.Bytes
	plain, err := r.seal.Open(sealed, place(r.blob.ID, number, last))
	if err != nil {
		return fmt.Errorf("open part %d of file %s: %w", number, r.blob.ID, err)
	}
	if int64(len(plain)) != min(partBytes, r.blob.Bytes-start) {
		return fmt.Errorf("part %d of file %s has another size: %w", number, r.blob.ID, keys.ErrSeal)
	}
	r.part, r.plain = number, plain
	return nil
}

var errSeek = errors.New("blob: a place before the beginning")

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.blob.Bytes
	}
	if offset < 0 {
		return 0, errSeek
	}
	r.at = offset
	return offset, nil
}
