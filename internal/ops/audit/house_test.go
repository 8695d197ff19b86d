package audit

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// A house is a journal and the log that follows it.
type house struct {
	*Service
	t     testing.TB
	db    *db.DB
	cfg   db.Config
	dir   string
	key   ed25519.PrivateKey
	log   bytes.Buffer
	needs Needs

	mu  sync.Mutex
	now time.Time // guarded by mu
}

// masked seals like a key that everybody has: the same to the same, and nothing in clear.
type masked struct{}

func (masked) Seal(plain, aad []byte) ([]byte, error) {
	sum := sha256.Sum256(append(bytes.Clone(aad), plain...))
	b := append(sum[:8:8], plain...)
	for i := range b[8:] {
		b[8+i] ^= 0xa5
	}
	return b, nil
}

func (masked) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < 8 {
		return nil, keys.ErrSeal
	}
	plain := bytes.Clone(sealed[8:])
	for i := range plain {
		plain[i] ^= 0xa5
	}
	if sum := sha256.Sum256(append(bytes.Clone(aad), plain...)); !bytes.Equal(sum[:8], sealed[:8]) {
		return nil, keys.ErrSeal
	}
	return plain, nil
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func newHouse(t testing.TB, engine db.Engine) *house {
	t.Helper()
	h := &house{t: t, cfg: dbtest.Config(t, engine, dbtest.Core), dir: filepath.Join(t.TempDir(), "audit"), now: noon}
	var err error
	if _, h.key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		t.Fatal(err)
	}
	h.db = dbtest.Open(t, h.cfg)
	h.needs = Needs{
		Store: SQL(h.db), Journal: h.db, Dir: h.dir, House: "house1",
		Signer: func(context.Context, string) (crypto.Signer, error) { return h.key, nil },
		Seal:   masked{}, Now: h.clock, Log: slog.New(slog.NewTextHandler(&h.log, nil)),
	}
	h.start()
	return h
}

// start makes the service anew, as a start of the house does.
func (h *house) start() {
	h.t.Helper()
	s, err := New(h.t.Context(), h.needs)
	if err != nil {
		h.t.Fatal(err)
	}
	h.Service = s
}

func each(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e)) })
	}
}

// act records entries of a person.
func (h *house) act(n int) {
	h.t.Helper()
	if err := h.db.Write(h.t.Context(), func(tx *db.Tx) error {
		for i := range n {
			if err := journal.Record(h.t.Context(), tx, journal.Entry{
				At: h.clock(), Actor: "user:u1", Space: "s1", Action: "thing:create", Resource: "thing", ID: fmt.Sprintf("t%d", i), Detail: map[string]string{"n": fmt.Sprint(i)},
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) followed() {
	h.t.Helper()
	if err := h.Follow(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// exec changes the database behind the program's back.
func (h *house) exec(text string, args ...any) {
	h.t.Helper()
	if err := h.db.Write(h.t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(h.t.Context(), text, args...)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) verified(outside []byte) Report {
	h.t.Helper()
	r, err := h.Verify(h.t.Context(), outside)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// whole fails the test unless everything proves, with so many entries.
func (h *house) whole(entries int64) Report {
	h.t.Helper()
	r := h.verified(nil)
	if !r.Whole() || r.Entries != entries || r.Waiting != 0 || r.Signed != r.Size {
		h.t.Fatalf("report is %+v, want %d entries and no findings", r, entries)
	}
	return r
}

func codes(r Report) string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, f.Code)
	}
	return strings.Join(all, " ")
}

// file is the path of a file of the log, by its beginning.
func (h *house) file(prefix string) string {
	h.t.Helper()
	found := ""
	if exact := filepath.Join(h.dir, filepath.FromSlash(prefix)); !strings.HasSuffix(prefix, "/") {
		return exact
	}
	if err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(filepath.ToSlash(strings.TrimPrefix(path, h.dir+string(filepath.Separator))), prefix) {
			found = path // the last in the order of names
		}
		return err
	}); err != nil || found == "" {
		h.t.Fatalf("no file %s in the log: %v", prefix, err)
	}
	return found
}

// edit changes a file of the log.
func edit(t testing.TB, path string, change func(b []byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, change(b), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// copyDir copies a log, as somebody would who wants to put it back later.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// withCancel is a context that the test ends.
func withCancel(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	return ctx, stop
}
