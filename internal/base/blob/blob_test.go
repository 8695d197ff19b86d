package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/keys/keystest"
)

var noon = time.Date(2026, 10, 17, 12, 0, 0, 0, time.UTC)

func content(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func keep(t *testing.T, d *db.DB, id string) error {
	t.Helper()
	return d.Write(t.Context(), func(tx *db.Tx) error { return Keep(t.Context(), tx, id) })
}

func count(t *testing.T, d *db.DB, table string) (n int) {
	t.Helper()
	if err := d.One(t.Context(), func(r db.Row) error { return r.Scan(&n) }, `select count(*) from `+table); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestFilesComeBack(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		s := New(d, keystest.Ring{}, func() time.Time { return noon })
		total := 0
		for _, n := range []int{0, 1, partBytes - 1, partBytes, partBytes + 1, 8 * partBytes, 8*partBytes + 1, 9*partBytes - 7} {
			want := content(n)
			b, err := s.Put(ctx, "space", iotest.HalfReader(bytes.NewReader(want)), int64(n))
			if err != nil || b.Bytes != int64(n) {
				t.Fatalf("%d bytes: %+v, %v", n, b, err)
			}
			total += n
			r, err := s.Open(ctx, "space", b.ID)
			if err != nil || r.Size() != int64(n) {
				t.Fatal(err)
			}
			if err := iotest.TestReader(r, want); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
			if _, err := s.Open(ctx, "another", b.ID); !errors.Is(err, ErrNotFound) {
				t.Errorf("from another space: %v", err)
			}
		}
		if n, err := s.Bytes(ctx, "space"); err != nil || n != int64(total) {
			t.Errorf("%d bytes, %v, want %d", n, err, total)
		}
		if err := s.Clear(ctx, "space"); err != nil || count(t, d, "blob")+count(t, d, "blob_part") != 0 {
			t.Errorf("after all went: %v", err)
		}
	})
}

func TestNothingIsLeftOfWhatFailed(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		s := New(d, keystest.Ring{}, func() time.Time { return noon })
		broken := errors.New("the line broke")
		for what, c := range map[string]struct {
			r    io.Reader
			most int64
			want error
		}{
			"one byte too many": {bytes.NewReader(content(10 * partBytes)), 10*partBytes - 1, ErrTooLarge},
			"a broken line":     {io.MultiReader(bytes.NewReader(content(9*partBytes)), iotest.ErrReader(broken)), 1 << 30, broken},
			"broken at once":    {iotest.ErrReader(broken), 1 << 30, broken},
		} {
			if _, err := s.Put(t.Context(), "space", c.r, c.most); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", what, err, c.want)
			}
			if n := count(t, d, "blob") + count(t, d, "blob_part"); n != 0 {
				t.Errorf("%s: %d rows are left", what, n)
			}
		}
	})
}

// What nobody keeps goes after a day, and so does what a crash left half written.
func TestStraysGo(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), noon
		s := New(d, keystest.Ring{}, func() time.Time { return now })
		kept, err := s.Put(ctx, "space", strings.NewReader("kept"), 10)
		if err != nil {
			t.Fatal(err)
		}
		stray, err := s.Put(ctx, "space", strings.NewReader("stray"), 10)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `insert into blob (id, space, state, bytes, created_at) values ('half', 'space', 'writing', 0, $1)`, noon.UnixMicro())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(ctx, "space", "half"); !errors.Is(err, ErrNotFound) {
			t.Errorf("half a file is read: %v", err)
		}
		for id, want := range map[string]error{kept.ID: nil, "half": ErrNotFound, "none": ErrNotFound} {
			if err := keep(t, d, id); !errors.Is(err, want) {
				t.Errorf("keep %s: %v, want %v", id, err, want)
			}
		}
		for i, want := range []int{3, 1} {
			if err := s.Sweep(ctx); err != nil || count(t, d, "blob") != want {
				t.Errorf("day %d: %d files, %v, want %d", i, count(t, d, "blob"), err, want)
			}
			now = now.Add(strayAfter + time.Second)
		}
		if _, err := s.Open(ctx, "space", stray.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("nobody's file: %v", err)
		}
	})
}

// Whoever writes into the database cannot give a file other bytes.
func TestForgeriesAreFound(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx := context.Background()
		s := New(d, keystest.Ring{}, func() time.Time { return noon })
		for what, text := range map[string]string{
			"a changed part":    `update blob_part set body = $2 where blob = $1 and number = 1`,
			"a part of another": `update blob_part set body = (select body from blob_part where blob <> $1 and number = 1 and $2 = $2 limit 1) where blob = $1 and number = 1`,
			"a missing part":    `delete from blob_part where blob = $1 and number = 1 and $2 = $2`,
			"swapped parts":     `update blob_part set body = (select body from blob_part as p where p.blob = $1 and p.number = 0 and $2 = $2) where blob = $1 and number = 1`,
			"an earlier end":    `update blob set bytes = ` + strconv.Itoa(2*partBytes) + ` where id = $1 and $2 = $2`,
			"a later end":       `update blob set bytes = bytes + 1 where id = $1 and $2 = $2`,
		} {
			b, err := s.Put(ctx, "space", bytes.NewReader(content(3*partBytes-9)), 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Put(ctx, "space", bytes.NewReader(content(3*partBytes-9)), 1<<30); err != nil {
				t.Fatal(err)
			}
			if err := d.Write(ctx, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, text, b.ID, []byte("something else"))
				return err
			}); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			r, err := s.Open(ctx, "space", b.ID)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadAll(r); !errors.Is(err, keys.ErrSeal) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
