package account

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
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

const good = "seven purple kettles sing"

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
		"a few plain words": {good, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := checkPassword(c.password, "anna@example.org", "Anna"); !errors.Is(got, c.want) {
				t.Errorf("checkPassword = %v, want %v", got, c.want)
			}
		})
	}
}
