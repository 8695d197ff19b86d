package factor

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	anna  = "5b1d6f9e-2f6c-4c1a-9c55-0d7a4f1f0001"
	bruno = "5b1d6f9e-2f6c-4c1a-9c55-0d7a4f1f0002"
	carla = "5b1d6f9e-2f6c-4c1a-9c55-0d7a4f1f0003"

	host   = "ardesia.example.org"
	origin = "https://id.ardesia.example.org:8443"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// A house is this room on real keys and a real database. The clock goes by hand.
type house struct {
	*Service
	core   *db.DB
	cfg    db.Config
	ring   *keys.Ring
	hasher *thinHasher
	clock  *atomic.Int64 // ns since 1970
	news   *feed.Sub[Event]
}

func (h *house) now() time.Time       { return time.Unix(0, h.clock.Load()).UTC() }
func (h *house) pass(d time.Duration) { h.clock.Add(int64(d)) }
func is(user string) access.Actor     { return access.Actor{Kind: access.User, ID: user} }
func each(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e)) })
	}
}

func newHouse(t testing.TB, e db.Engine) *house {
	t.Helper()
	h := &house{clock: &atomic.Int64{}, cfg: dbtest.Config(t, e, dbtest.Core), hasher: &thinHasher{}}
	h.clock.Store(noon.UnixNano())
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	if h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, e, dbtest.Keyring))); err != nil {
		t.Fatal(err)
	}
	h.core = dbtest.Open(t, h.cfg)
	h.Service = h.process(t, h.core)
	h.news = h.Events.Subscribe(64)
	return h
}

// process is the room as another process would have it.
func (h *house) process(t testing.TB, core *db.DB) *Service {
	t.Helper()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Needs{
		Store: SQL(core), Keys: h.ring, Hasher: h.hasher, Policy: policy,
		Host: host, Origins: func() []string { return []string{origin} }, Now: h.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// told are the events since it was last asked, as text.
func (h *house) told() string {
	var all []string
	for {
		select {
		case e := <-h.news.C():
			all = append(all, e.What.String())
		default:
			return strings.Join(all, " ")
		}
	}
}

// written are the actions of the journal since entry after.
func (h *house) written(t testing.TB, after int64) string {
	t.Helper()
	entries, err := journal.List(t.Context(), h.core, journal.Query{After: after})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if e.Resource != "factor" || e.ID == "" {
			t.Errorf("entry %+v is not about a factor", e)
		}
		all = append(all, strings.TrimPrefix(e.Action, "factor:"))
	}
	return strings.Join(all, " ")
}

// last is the number of the last entry.
func (h *house) last(t testing.TB) int64 {
	t.Helper()
	n, err := journal.Verify(t.Context(), h.core)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// app gives a person an authenticator app and returns its secret, in base32, and the codes.
func (h *house) app(t testing.TB, user string) (secret string, recovery []string) {
	t.Helper()
	setup, err := h.BeginTOTP(t.Context(), is(user), user, "anna@example.org")
	if err != nil {
		t.Fatal(err)
	}
	secret = setup.Secret.Reveal()
	if recovery, err = h.ConfirmTOTP(t.Context(), is(user), user, codeAt(t, secret, h.now())); err != nil {
		t.Fatal(err)
	}
	h.pass(totpPeriod * time.Second) // the code of now is used up
	return secret, recovery
}

// A thinHasher is Argon2id with the least work that there is. It counts.
type thinHasher struct {
	mu     sync.Mutex
	hashes int // guarded by mu
}

func (h *thinHasher) work(text, salt string) string {
	h.mu.Lock()
	h.hashes++
	h.mu.Unlock()
	return base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(text), []byte(salt), 1, 8, 1, 16))
}

func (h *thinHasher) Hash(_ context.Context, text string) (string, error) {
	salt := randomDigits(16)
	return "$thin$" + salt + "$" + h.work(text, salt), nil
}

func (h *thinHasher) Matches(_ context.Context, phc, text string) (bool, error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 4 || parts[1] != "thin" {
		return false, fmt.Errorf("not a thin hash")
	}
	return h.work(text, parts[2]) == parts[3], nil
}

// spent is how many hashes fn cost.
func (h *thinHasher) spent(fn func()) int {
	before := h.hashes
	fn()
	return h.hashes - before
}
