package account

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ring seals with one key per person, as base/keys does, without a keyring.
type ring struct{}

type gcm struct{ cipher.AEAD }

func (g gcm) Seal(plain, aad []byte) ([]byte, error) {
	nonce := make([]byte, g.NonceSize())
	_, _ = rand.Read(nonce)
	return g.AEAD.Seal(nonce, nonce, plain, aad), nil
}

func (g gcm) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < g.NonceSize() {
		return nil, keys.ErrSeal
	}
	return g.AEAD.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], aad)
}

func (ring) Person(_ context.Context, user string) (keys.Sealer, error) {
	sum := sha256.Sum256([]byte(user))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	a, err := cipher.NewGCM(block)
	return gcm{a}, err
}

func (ring) MAC(name string) func([]byte) []byte {
	return func(msg []byte) []byte {
		h := hmac.New(sha256.New, []byte(name))
		h.Write(msg)
		return h.Sum(nil)
	}
}

const (
	good   = "seven purple kettles sing"
	stolen = "eleven yellow spoons dance"
)

func service(t *testing.T, d *db.DB, settle func(ctx context.Context, user, space, name string) error) *Service {
	t.Helper()
	if settle == nil {
		settle = func(context.Context, string, string, string) error { return nil }
	}
	s, err := New(Needs{Store: SQL(d), Keys: ring{}, Settle: settle, Now: func() time.Time { return time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var system = access.Actor{Kind: access.System}

func TestAccounts(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		u, err := s.Add(ctx, system, "Anna@Example.org", "Anna", good)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Add(ctx, system, "anna@example.ORG", "Other", good); !errors.Is(err, ErrTaken) {
			t.Errorf("the same address again: %v, want ErrTaken", err)
		}
		for name, find := range map[string]string{"by id": u.ID, "by address": "anna@example.org"} {
			if got, err := s.Find(ctx, find); err != nil || got != u {
				t.Errorf("%s: %+v, %v, want %+v", name, got, err, u)
			}
		}
		if _, err := s.Find(ctx, "nobody@example.org"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a stranger: %v, want ErrNotFound", err)
		}
		if got, err := s.Verify(ctx, "anna@example.org", good); err != nil || got.ID != u.ID {
			t.Errorf("right password: %v, %v", got, err)
		}
		for name, c := range map[string][2]string{
			"wrong password": {"anna@example.org", good + "!"},
			"nobody":         {"nobody@example.org", good},
			"no password":    {"anna@example.org", ""},
			"very long":      {"anna@example.org", strings.Repeat("a", 1<<20)},
			"NUL":            {"anna@example.org\x00", good},
			"not UTF-8":      {"anna@example.org\xff", good},
		} {
			if _, err := s.Verify(ctx, c[0], c[1]); !errors.Is(err, ErrCredentials) {
				t.Errorf("%s: %v, want ErrCredentials", name, err)
			}
		}
		_, before, err := s.Standing(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetPassword(ctx, system, u.ID, "nine yellow teapots dance"); err != nil {
			t.Fatal(err)
		}
		if _, after, _ := s.Standing(ctx, u.ID); after <= before {
			t.Errorf("tokens of before a new password still count: epoch %d after %d", after, before)
		}
		if _, err := s.Disable(ctx, system, u.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(ctx, "anna@example.org", "nine yellow teapots dance"); !errors.Is(err, ErrDisabled) {
			t.Errorf("disabled: %v, want ErrDisabled", err)
		}
		if _, _, err := s.Standing(ctx, u.ID); !errors.Is(err, ErrDisabled) {
			t.Errorf("standing of who is disabled: %v, want ErrDisabled", err)
		}
	})
}

func TestASpaceThatWasNotMadeIsMadeAtTheNextStart(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		cut := errors.New("power cut")
		s := service(t, d, func(context.Context, string, string, string) error { return cut })
		if _, err := s.Add(t.Context(), system, "anna@example.org", "Anna", good); !errors.Is(err, cut) {
			t.Fatalf("Add = %v, want the power cut", err)
		}
		made := 0
		s = service(t, d, func(context.Context, string, string, string) error { made++; return nil })
		for range 2 {
			if err := s.Repair(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if made != 1 {
			t.Errorf("spaces made by two repairs: %d, want 1", made)
		}
	})
}

func TestPasswordsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		password string
		want     error
	}{
		"short":             {"Xk9#pQ2v", ErrWeak},
		"a known word":      {"passwordpassword", ErrWeak},
		"the own address":   {"anna@example.org", ErrWeak},
		"a row of keys":     {"qwertyuiopasdfgh", ErrWeak},
		"longer than 256":   {strings.Repeat("ab1 ", 65), ErrWeak},
		"not text":          {"abcdefghijklmnop\xff", ErrWeak},
		"stolen elsewhere":  {stolen, ErrBreached},
		"a few plain words": {good, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checkPassword(c.password, "anna@example.org", "Anna", func(p string) bool { return p == stolen }); !errors.Is(got, c.want) {
				t.Errorf("checkPassword = %v, want %v", got, c.want)
			}
		})
	}
}

// The right password with something after the longest that there can be is a wrong one.
func TestNothingIsCutOffAPassword(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d, nil)
	long := strings.Repeat("seven purple kettles sing, ", 10)[:maxPassword]
	if _, err := s.Add(t.Context(), system, "anna@example.org", "Anna", long); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), "anna@example.org", long); err != nil {
		t.Errorf("right password: %v", err)
	}
	if _, err := s.Verify(t.Context(), "anna@example.org", long+"x"); !errors.Is(err, ErrCredentials) {
		t.Errorf("one letter more: %v, want %v", err, ErrCredentials)
	}
}

func TestAddRefuses(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d, nil)
	for name, c := range map[string]struct {
		email, name, password string
		want                  error
	}{
		"no address":           {"", "Anna", good, ErrEmail},
		"no host":              {"anna", "Anna", good, ErrEmail},
		"a name with it":       {"Anna <anna@example.org>", "Anna", good, ErrEmail},
		"two addresses":        {"anna@example.org,b@example.org", "Anna", good, ErrEmail},
		"a line break":         {"anna@example.org\r\nBcc: b@example.org", "Anna", good, ErrEmail},
		"too long":             {strings.Repeat("a", 250) + "@example.org", "Anna", good, ErrEmail},
		"no name":              {"anna@example.org", "", good, ErrName},
		"control characters":   {"anna@example.org", "An\x00na", good, ErrName},
		"name not UTF-8":       {"anna@example.org", "An\xffna", good, ErrName},
		"name too long":        {"anna@example.org", strings.Repeat("è", 129), good, ErrName},
		"a weak password":      {"anna@example.org", "Anna", "anna@example.org", ErrWeak},
		"a password too short": {"anna@example.org", "Anna", "k3Q#9 z!", ErrWeak},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Add(t.Context(), system, c.email, c.name, c.password); !errors.Is(err, c.want) {
				t.Errorf("Add = %v, want %v", err, c.want)
			}
		})
	}
	if all, err := s.List(t.Context()); len(all) != 0 || err != nil {
		t.Errorf("List = %v, %v, want nobody", all, err)
	}
}

func TestOldHashesAreMadeNew(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		s := service(t, d, nil)
		u, err := s.Add(t.Context(), system, "anna@example.org", "Anna", good)
		if err != nil {
			t.Fatal(err)
		}
		// RFC 9106's second choice, at a memory that a test can afford.
		old := "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + key(good, "somesaltsomesalt", 1, 64)
		if _, err := s.needs.Store.change(t.Context(), u.ID, func(r *row) { r.password = old }, s.entry(system, "account:test", u.ID)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(t.Context(), "anna@example.org", good); err != nil {
			t.Fatal(err)
		}
		r, err := s.needs.Store.byID(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(r.password, "$argon2id$v=19$m=19456,t=2,p=1$") {
			t.Errorf("after signing in the hash is still %s", r.password)
		}
		if _, err := s.Verify(t.Context(), "anna@example.org", good); err != nil {
			t.Errorf("after the new hash: %v", err)
		}
	})
}

func key(password, salt string, time, memory uint32) string {
	return base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), []byte(salt), time, memory, 1, 32))
}

// Whatever a damaged row holds, matches refuses it quickly or compares.
func FuzzMatches(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$" + key("a", "somesaltsomesalt", 1, 64))
	f.Add("$argon2id$v=19$m=99999999,t=1,p=1$c29tZXNhbHQ$AAAA")
	f.Add("$2b$12$abc")
	f.Add("")
	f.Fuzz(func(t *testing.T, phc string) {
		if strings.Contains(phc, "m=") && !strings.Contains(phc, "m=64,t=1,") {
			return // as much work as it asks for, within the bounds
		}
		if good, _, err := matches(phc, "another password"); good && err == nil {
			t.Fatalf("%q is the hash of another password", phc)
		}
	})
}

// As many hashes run as there are cores, some more wait, and the next is told to come back.
func TestGateIsBounded(t *testing.T) {
	g := &gate{queue: make(chan struct{}, 2), run: make(chan struct{}, 1)}
	begun, end := make(chan struct{}), make(chan struct{})
	results := make(chan error, 2)
	go func() { results <- g.do(t.Context(), func() { close(begun); <-end }) }()
	<-begun
	waits, give := context.WithCancel(t.Context())
	go func() { results <- g.do(waits, func() { t.Error("ran although its caller gave up") }) }()
	for len(g.queue) < 2 {
		runtime.Gosched()
	}
	err := g.do(t.Context(), func() { t.Error("ran beyond the bound") })
	if !errors.Is(err, ErrBusy) || problem.Of(err).Retry == 0 {
		t.Errorf("third: %v, want %v with a time to come back", err, ErrBusy)
	}
	give()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("second: %v, want %v", err, context.Canceled)
	}
	close(end)
	if err := <-results; err != nil {
		t.Errorf("first: %v", err)
	}
	if err := g.do(t.Context(), func() {}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// Our own changes count at once, although answers are kept for a while.
func TestStandingFollowsChanges(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d, nil)
	u, err := s.Add(t.Context(), system, "anna@example.org", "Anna", good)
	if err != nil {
		t.Fatal(err)
	}
	news := s.Changes.Subscribe(4)
	defer news.Close()
	for _, disabled := range []bool{true, false, true} {
		if _, err := s.Disable(t.Context(), system, u.ID, disabled); err != nil {
			t.Fatal(err)
		}
		if got := <-news.C(); got != u.ID {
			t.Errorf("told of %s, want %s", got, u.ID)
		}
		space, _, err := s.Standing(t.Context(), u.ID)
		if disabled != errors.Is(err, ErrDisabled) || !disabled && space != u.Space {
			t.Errorf("disabled %v: Standing = %s, %v", disabled, space, err)
		}
	}
	if _, _, err := s.Standing(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v, want %v", err, ErrNotFound)
	}
}

func TestEveryChangeIsInTheJournal(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d, nil)
	ctx := t.Context()
	u, err := s.Add(ctx, system, "anna@example.org", "Anna", good)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(ctx, system, u.ID, "nine yellow teapots dance"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Disable(ctx, system, u.ID, true); err != nil {
		t.Fatal(err)
	}
	entries, err := journal.List(ctx, d, journal.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Actor+" "+e.Action)
		if text := fmt.Sprint(e); strings.Contains(text, "anna") || strings.Contains(text, "Anna") {
			t.Errorf("the journal shows a person: %s", text)
		}
	}
	if want := "system account:create,system account:password,system account:disable"; strings.Join(got, ",") != want {
		t.Errorf("journal %v, want %s", got, want)
	}
}

func BenchmarkVerify(b *testing.B) {
	phc := hash(good)
	b.ReportAllocs()
	for b.Loop() {
		if ok, _, err := matches(phc, good); !ok || err != nil {
			b.Fatal(err)
		}
	}
}

func TestListOfBreachedPasswordsIsAsked(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		s, err := New(Needs{Store: SQL(d), Keys: ring{}, Settle: func(context.Context, string, string, string) error { return nil },
			Now: time.Now, Breached: func(p string) bool { return p == stolen }})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Add(t.Context(), system, "anna@example.org", "Anna", stolen); !errors.Is(err, ErrBreached) {
			t.Errorf("a new account: %v", err)
		}
		u, err := s.Add(t.Context(), system, "anna@example.org", "Anna", good)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetPassword(t.Context(), system, u.ID, stolen); !errors.Is(err, ErrBreached) {
			t.Errorf("a new password: %v", err)
		}
		if _, err := s.Verify(t.Context(), "anna@example.org", good); err != nil {
			t.Errorf("the old password: %v", err)
		}
	})
}
