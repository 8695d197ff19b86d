package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/keys/keystest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	system = access.Actor{Kind: access.System}
	noon   = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
)

// house is a room on a database, with a clock that the test moves.
type house struct {
	*Service
	d      *db.DB
	now    time.Time
	most   int                    // keys of a space; 0 is any number
	closed map[string]bool        // spaces that admit nobody
	roles  map[string]access.Role // by space and person; where nothing stands everybody is admin
}

var errWeak = problem.New(problem.Forbidden, "weak", "Sign in better.")

var errStranger = problem.New(problem.Forbidden, "stranger", "You are not in there.")

func (h *house) role(_ context.Context, space, user string) (access.Role, error) {
	role, said := h.roles[space+" "+user]
	switch {
	case !said:
		return access.Admin, nil
	case role == access.NoRole:
		return access.NoRole, errStranger
	}
	return role, nil
}

func each(t *testing.T, test func(t *testing.T, h *house)) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		h := &house{d: d, now: noon}
		var err error
		if h.Service, err = New(Needs{Store: SQL(d), Keys: keystest.Ring{}, Now: func() time.Time { return h.now }, Role: h.role,
			Admit: func(_ context.Context, _ access.Actor, space string) error {
				if h.closed[space] {
					return errWeak
				}
				return nil
			},
			Private: func(_ context.Context, user string) (string, error) { return user + "-private", nil },
			Limit:   func(context.Context, string) (int, error) { return h.most, nil },
			Full:    func(used, most int) string { return fmt.Sprintf("%d of %d", used, most) }}); err != nil {
			t.Fatal(err)
		}
		test(t, h)
	})
}

func (h *house) made(t *testing.T, account, space, name string) (Key, string) {
	t.Helper()
	k, s, err := h.Add(t.Context(), system, account, space, access.NoRole, name)
	if err != nil {
		t.Fatal(err)
	}
	return k, s.Reveal()
}

func TestKeyIsMadeAndChecked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, secret := h.made(t, "anna", "school", "laptop")
		if len(k.ID) != 32 || len(secret) != 64 || k.Name != "laptop" || !k.Enabled || !k.CreatedAt.Equal(noon) || !k.UsedAt.IsZero() {
			t.Errorf("made %+v with a secret of %d characters", k, len(secret))
		}
		other, otherSecret := h.made(t, "boris", "", "laptop")
		for name, c := range map[string]struct {
			id, secret string
			want       error
		}{
			"the key":              {k.ID, secret, nil},
			"another key":          {other.ID, otherSecret, nil},
			"the other's secret":   {k.ID, otherSecret, ErrCredentials},
			"no secret":            {k.ID, "", ErrCredentials},
			"a secret cut short":   {k.ID, secret[:63], ErrCredentials},
			"the id in other case": {strings.ToUpper(k.ID), secret, ErrCredentials},
			"no such key":          {strings.Repeat("x", 32), secret, ErrCredentials},
			"nothing":              {"", "", ErrCredentials},
		} {
			t.Run(name, func(t *testing.T) {
				got, err := h.Check(t.Context(), c.id, c.secret)
				if !errors.Is(err, c.want) || (err == nil && got.ID != c.id) || (err != nil && got != Key{}) {
					t.Errorf("Check = %+v, %v, want %v", got, err, c.want)
				}
			})
		}
		got, err := h.Check(t.Context(), k.ID, secret)
		if err != nil || got.Account != "anna" || got.Space != "school" {
			t.Errorf("Check = %+v, %v", got, err)
		}
	})
}

func TestNames(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, c := range map[string]struct {
			name string
			want error
		}{
			"one letter":      {"a", nil},
			"64 letters":      {strings.Repeat("è", 64), nil},
			"none":            {"", ErrName},
			"65 letters":      {strings.Repeat("è", 65), ErrName},
			"no UTF-8 at all": {"\xff", ErrName},
		} {
			t.Run(name, func(t *testing.T) {
				if _, _, err := h.Add(t.Context(), system, "anna", "", access.NoRole, c.name); !errors.Is(err, c.want) {
					t.Errorf("Add = %v, want %v", err, c.want)
				}
			})
		}
	})
}

func TestRevokedKeyNeverWorksAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, secret := h.made(t, "anna", "", "laptop")
		if err := h.Alive(t.Context(), k.ID, k.Version); err != nil {
			t.Errorf("Alive = %v", err)
		}
		if err := h.Alive(t.Context(), k.ID, k.Version+1); !errors.Is(err, ErrCredentials) {
			t.Errorf("Alive for another version = %v", err)
		}
		told := h.Revoked.Subscribe(4)
		defer told.Close()
		for range 2 { // it is repeatable
			if err := h.Revoke(t.Context(), system, k.ID); err != nil {
				t.Fatal(err)
			}
			if got := <-told.C(); got != k.ID {
				t.Errorf("told of %s", got)
			}
		}
		if _, err := h.Check(t.Context(), k.ID, secret); !errors.Is(err, ErrCredentials) {
			t.Errorf("Check = %v", err)
		}
		if err := h.Alive(t.Context(), k.ID, k.Version); !errors.Is(err, ErrCredentials) {
			t.Errorf("Alive = %v", err)
		}
		if err := h.Alive(t.Context(), "nobody", 1); !errors.Is(err, ErrCredentials) {
			t.Errorf("Alive of no key = %v", err)
		}
		if err := h.Revoke(t.Context(), system, "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("Revoke of no key = %v", err)
		}
		all, err := h.List(t.Context(), "anna")
		if err != nil || len(all) != 1 || all[0].Enabled || all[0].Name != "laptop" {
			t.Errorf("List = %+v, %v", all, err)
		}
	})
}

func TestListIsOfOnePerson(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first, _ := h.made(t, "anna", "", "first")
		h.now = h.now.Add(time.Second)
		second, _ := h.made(t, "anna", "school", "second")
		h.made(t, "boris", "", "other")
		all, err := h.List(t.Context(), "anna")
		if err != nil || len(all) != 2 || all[0] != first || all[1] != second {
			t.Errorf("List = %+v, %v, want %+v and %+v", all, err, first, second)
		}
		if all, err := h.List(t.Context(), "nobody"); err != nil || len(all) != 0 {
			t.Errorf("List of nobody = %+v, %v", all, err)
		}
	})
}

// Not every token writes to disk: the time of last use is some minutes late.
func TestUseIsNotedNowAndThen(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, secret := h.made(t, "anna", "", "laptop")
		used := func() time.Time {
			t.Helper()
			if _, err := h.Check(t.Context(), k.ID, secret); err != nil {
				t.Fatal(err)
			}
			all, err := h.List(t.Context(), "anna")
			if err != nil {
				t.Fatal(err)
			}
			return all[0].UsedAt
		}
		if got := used(); !got.Equal(noon) {
			t.Errorf("first use at %v", got)
		}
		h.now = noon.Add(usedEvery)
		if got := used(); !got.Equal(noon) {
			t.Errorf("noted again after %v: %v", usedEvery, got)
		}
		h.now = noon.Add(usedEvery + time.Second)
		if got := used(); !got.Equal(h.now) {
			t.Errorf("after more than %v the last use is %v", usedEvery, got)
		}
	})
}

// What is kept tells neither secret nor name, and each change is in the journal.
func TestNothingIsKeptInClear(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, secret := h.made(t, "anna", "", "my own laptop")
		if err := h.Revoke(t.Context(), system, k.ID); err != nil {
			t.Fatal(err)
		}
		r, err := SQL(h.d).get(t.Context(), k.ID)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(r.hash, []byte(secret)) || len(r.hash) != 32 {
			t.Errorf("kept of the secret: %x", r.hash)
		}
		entries, err := journal.List(t.Context(), h.d, journal.Query{})
		if err != nil || len(entries) != 2 || entries[0].Action != "apikey:create" || entries[1].Action != "apikey:revoke" || entries[0].ID != k.ID {
			t.Errorf("journal: %+v, %v", entries, err)
		}
		for _, e := range entries {
			for _, v := range e.Detail {
				if strings.Contains(v, "laptop") || strings.Contains(v, secret) {
					t.Errorf("the journal holds %q", v)
				}
			}
		}
		// A name that was moved to another row is refused.
		other, _ := h.made(t, "anna", "", "another")
		err = h.d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `update apikey set name = $1 where id = $2`, r.name, other.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.List(t.Context(), "anna"); !errors.Is(err, keys.ErrSeal) {
			t.Errorf("List with a moved name = %v", err)
		}
	})
}

func TestNeedsAreAllNeeded(t *testing.T) {
	if _, err := New(Needs{}); err == nil {
		t.Error("New without needs")
	}
}

// Whoever shows both halves of a key can end it, and nobody else.
func TestLeakedKeyEnds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, secret := h.made(t, "anna", "", "laptop")
		other, _ := h.made(t, "boris", "", "laptop")
		ended := h.Revoked.Subscribe(4)
		defer ended.Close()
		for name, pair := range map[string][2]string{"a wrong secret": {k.ID, strings.Repeat("x", 64)}, "another key": {other.ID, secret}, "nothing": {"", ""}} {
			if _, err := h.Leaked(t.Context(), pair[0], pair[1]); !errors.Is(err, ErrCredentials) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := h.Check(t.Context(), k.ID, secret); err != nil {
			t.Fatalf("still good: %v", err)
		}
		if account, err := h.Leaked(t.Context(), k.ID, secret); err != nil || account != "anna" {
			t.Errorf("Leaked = %q, %v", account, err)
		}
		if _, err := h.Check(t.Context(), k.ID, secret); !errors.Is(err, ErrCredentials) {
			t.Errorf("the key afterwards: %v", err)
		}
		if err := h.Alive(t.Context(), k.ID, k.Version); !errors.Is(err, ErrCredentials) {
			t.Errorf("its tokens: %v", err)
		}
		if _, err := h.Leaked(t.Context(), k.ID, secret); !errors.Is(err, ErrCredentials) {
			t.Errorf("a second report: %v", err)
		}
		if len(ended.C()) != 1 {
			t.Errorf("%d keys ended", len(ended.C()))
		}
		all, err := journal.List(t.Context(), h.d, journal.Query{})
		if err != nil {
			t.Fatal(err)
		}
		if e := all[len(all)-1]; e.Action != "apikey:leaked" || e.ID != k.ID || e.Actor != "anonymous" {
			t.Errorf("the journal ends with %+v", e)
		}
	})
}
