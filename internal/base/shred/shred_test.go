package shred

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// A ring notes what was erased, and fails when it is told to.
type ring struct {
	mu   sync.Mutex
	err  error    // guarded by mu
	gone []string // guarded by mu: kind and ids of each call
}

func (r *ring) Erase(_ context.Context, kind string, ids ...string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.gone = append(r.gone, fmt.Sprint(kind, " ", ids))
	}
	return r.err
}

func (r *ring) fails(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *ring) erased() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gone)
}

func newShredder(t *testing.T, d *db.DB, r *ring) *Shredder {
	t.Helper()
	s, err := New(Needs{DB: d, Erase: r.Erase, Actor: "system", Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func intend(t *testing.T, d *db.DB, kind string, ids ...string) {
	t.Helper()
	if err := d.Write(t.Context(), func(tx *db.Tx) error {
		for i, id := range ids {
			if err := Intend(t.Context(), tx, kind, id, "space", noon.Add(time.Duration(i)*time.Second)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func intended(t *testing.T, d *db.DB, kind, id string) (is bool) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		is, err = Intended(t.Context(), tx, kind, id)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return is
}

// proofs are the journal's entries.
func proofs(t *testing.T, d *db.DB) (all []string) {
	t.Helper()
	if err := d.Read(t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.Column[string](t.Context(), tx, `select action || ' ' || resource || ' ' || id || ' ' || space from journal order by number`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKeysOfAKindAreDestroyedTogether(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		r := &ring{}
		s := newShredder(t, d, r)
		intend(t, d, "thing", "b", "a", "b")
		intend(t, d, "device", "b")
		if !intended(t, d, "thing", "a") || intended(t, d, "device", "a") {
			t.Error("what is intended is not what was asked for")
		}
		if n, err := s.All(t.Context()); n != 3 || err != nil {
			t.Errorf("All = %d, %v, want 3", n, err)
		}
		if want := []string{"device [b]", "thing [b a]"}; !slices.Equal(r.erased(), want) {
			t.Errorf("destroyed %v, want %v", r.erased(), want)
		}
		if got, want := proofs(t, d), []string{"key:destroyed device b space", "key:destroyed thing b space", "key:destroyed thing a space"}; !slices.Equal(got, want) {
			t.Errorf("the journal has %v, want %v", got, want)
		}
		if n, err := s.All(t.Context()); n != 0 || err != nil || intended(t, d, "thing", "a") {
			t.Errorf("again: All = %d, %v", n, err)
		}
	})
}

func TestAFailureLeavesTheIntent(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		full := errors.New("disk full")
		r := &ring{err: full}
		s := newShredder(t, d, r)
		intend(t, d, "thing", "a")
		if n, err := s.All(t.Context()); n != 0 || !errors.Is(err, full) {
			t.Errorf("All = %d, %v, want %v", n, err, full)
		}
		if !intended(t, d, "thing", "a") || len(proofs(t, d)) != 0 {
			t.Error("a key that is still there was proved to be destroyed")
		}
		r.fails(nil)
		if n, err := s.All(t.Context()); n != 1 || err != nil {
			t.Errorf("once more: All = %d, %v, want 1", n, err)
		}
	})
}

func TestRunLooksAtOnceAndEveryMinute(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	r := &ring{}
	s := newShredder(t, d, r)
	intend(t, d, "thing", "a")
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(Every / 2)
		if want := []string{"thing [a]"}; !slices.Equal(r.erased(), want) {
			t.Errorf("at the start destroyed %v, want %v", r.erased(), want)
		}
		r.fails(errors.New("disk full"))
		intend(t, d, "thing", "b")
		time.Sleep(Every)
		r.fails(nil)
		time.Sleep(Every)
		if want := []string{"thing [a]", "thing [b]"}; !slices.Equal(r.erased(), want) {
			t.Errorf("after a failure destroyed %v, want %v", r.erased(), want)
		}
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}
