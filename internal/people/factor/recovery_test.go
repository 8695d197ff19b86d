package factor

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

func TestARecoveryCodeIsGoodOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		_, list := h.app(t, anna)
		seen := map[string]bool{}
		for _, code := range list {
			if parts := strings.Split(code, " "); len(parts) != 6 || len(code) != 29 {
				t.Errorf("code %q is not six groups of four", code)
			}
			if seen[code[:4]] {
				t.Errorf("two codes begin with %s", code[:4])
			}
			seen[code[:4]] = true
		}
		before := h.last(t)
		h.told()
		if err := h.KnowsRecovery(ctx, anna, list[0]); err != nil {
			t.Errorf("a code that was written down: %v", err)
		}
		next, left, err := h.CheckRecovery(ctx, anna, strings.ReplaceAll(list[0], " ", "-"))
		if err != nil || left != 9 {
			t.Fatalf("first use: %d left, %v", left, err)
		}
		if next[:4] != list[0][:4] || next == list[0] {
			t.Errorf("%q was replaced by %q, want one that begins alike", list[0], next)
		}
		if _, _, err := h.CheckRecovery(ctx, anna, list[0]); !errors.Is(err, ErrRecovery) {
			t.Errorf("second use: %v, want ErrRecovery", err)
		}
		if again, left, err := h.CheckRecovery(ctx, anna, next); err != nil || left != 9 || again == next {
			t.Errorf("the replacement: %d left, %v", left, err)
		}
		if _, _, err := h.CheckRecovery(ctx, bruno, list[1]); !errors.Is(err, ErrRecovery) {
			t.Errorf("the code of somebody else: %v, want ErrRecovery", err)
		}
		if set, err := h.Of(ctx, anna); err != nil || set.RecoveryLeft != 9 {
			t.Errorf("left: %d, %v, want 9", set.RecoveryLeft, err)
		}
		fresh, err := h.NewRecovery(ctx, is(anna), anna)
		if err != nil || len(fresh) != 10 {
			t.Fatalf("new ones: %d, %v", len(fresh), err)
		}
		if _, _, err := h.CheckRecovery(ctx, anna, list[1]); !errors.Is(err, ErrRecovery) {
			t.Errorf("one of before: %v, want ErrRecovery", err)
		}
		if got, want := h.told(), "recovery-used recovery-used recovery-made"; got != want {
			t.Errorf("published %q, want %q", got, want)
		}
		if got, want := h.written(t, before), "recovery-use recovery-use recovery-make"; got != want {
			t.Errorf("journal %q, want %q", got, want)
		}
		for i, code := range fresh {
			if _, left, err := h.CheckRecovery(ctx, anna, code); err != nil || left != 9-i {
				t.Errorf("code %d: %d left, %v, want %d", i, left, err, 9-i)
			}
		}
		if got, want := h.told(), strings.Repeat("recovery-used ", 8)+strings.TrimSpace(strings.Repeat("recovery-low recovery-used ", 2))+" recovery-low"; got != want {
			t.Errorf("published %q, want %q", got, want)
		}
	})
}

// Two of ten would begin alike on every 220th sheet if nobody looked.
func TestNoTwoCodesOfASheetBeginAlike(t *testing.T) {
	h := newHouse(t, db.SQLite)
	for range 2000 {
		_, rows, err := h.newSheet(t.Context(), anna)
		if err != nil || len(rows) != codes {
			t.Fatalf("a sheet of %d, %v", len(rows), err)
		}
		seen := map[string]bool{}
		for _, r := range rows {
			if seen[r.selector] {
				t.Fatalf("two codes begin with %s", r.selector)
			}
			seen[r.selector] = true
		}
	}
}

// A check costs one hash, whatever is wrong: the time does not tell whether there is
// such a person, such a code, or such a beginning.
func TestAWrongCodeCostsWhatARightOneDoes(t *testing.T) {
	h := newHouse(t, db.SQLite)
	_, list := h.app(t, anna)
	ctx := t.Context()
	begins := func(digits string) bool {
		return slices.ContainsFunc(list, func(c string) bool { return c[:4] == digits })
	}
	other := "0000"
	for begins(other) {
		other = randomDigits(4)
	}
	flip := func(code string) string { // the last digit is another
		return code[:len(code)-1] + string('0'+(code[len(code)-1]-'0'+1)%10)
	}
	for name, c := range map[string]struct{ user, code string }{
		"right":                  {anna, list[3]},
		"last digit is wrong":    {anna, flip(list[3])},
		"no such beginning":      {anna, other + list[3][4:]},
		"too short":              {anna, list[3][:28]},
		"empty":                  {anna, ""},
		"very long":              {anna, strings.Repeat("1", 1<<20)},
		"letters":                {anna, strings.Repeat("a", 24)},
		"nobody":                 {bruno, list[3]},
		"no id at all, no digit": {"", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if got := h.hasher.spent(func() { err = h.KnowsRecovery(ctx, c.user, c.code) }); got != 1 {
				t.Errorf("%d hashes, want 1", got)
			}
			if good := name == "right"; good != (err == nil) || !good && !errors.Is(err, ErrRecovery) {
				t.Errorf("KnowsRecovery = %v", err)
			}
		})
	}
}

func TestOneCodeOpensOneDoor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		_, list := h.app(t, anna)
		processes := []*Service{h.Service, h.process(t, dbtest.Open(t, h.cfg))}
		const tries = 4 // of each process
		got := make(chan error, tries*len(processes))
		var all sync.WaitGroup
		start := make(chan struct{})
		for _, s := range processes {
			for range tries {
				all.Go(func() {
					<-start
					_, _, err := s.CheckRecovery(context.Background(), anna, list[0])
					got <- err
				})
			}
		}
		close(start)
		all.Wait()
		close(got)
		good := 0
		for err := range got {
			switch {
			case err == nil:
				good++
			case !errors.Is(err, ErrRecovery):
				t.Errorf("%v, want ErrRecovery", err)
			}
		}
		if good != 1 {
			t.Errorf("accepted %d times, want once", good)
		}
		if n := h.rows(t, "factor_recovery", anna); n != 10 {
			t.Errorf("%d codes, want 10", n)
		}
	})
}

func TestCodesStandInForSomething(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		if _, err := h.NewRecovery(ctx, is(anna), anna); !errors.Is(err, ErrNone) {
			t.Errorf("codes without a second step: %v, want ErrNone", err)
		}
		_, list := h.app(t, anna)
		p := h.passkey(t, anna, newKey())
		if err := h.RemoveTOTP(ctx, is(anna), anna); err != nil {
			t.Fatal(err)
		}
		if err := h.KnowsRecovery(ctx, anna, list[0]); err != nil {
			t.Errorf("while there is a passkey: %v", err)
		}
		if err := h.RemovePasskey(ctx, is(anna), anna, p.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.KnowsRecovery(ctx, anna, list[0]); !errors.Is(err, ErrRecovery) {
			t.Errorf("after the last one went: %v, want ErrRecovery", err)
		}
	})
}

// What is on disk is Argon2id as passwords are kept, sealed, at its place.
func TestRecoveryCodesAreKeptAsPasswordsAre(t *testing.T) {
	h := newHouse(t, db.SQLite)
	ctx := t.Context()
	people, err := account.New(account.Needs{
		Store: account.SQL(h.core), Keys: h.ring, Now: h.now,
		Settle: func(context.Context, string, string, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	needs := h.needs
	needs.Hasher, needs.Policy = people, policy
	if h.Service, err = New(ctx, needs); err != nil {
		t.Fatal(err)
	}
	_, list := h.app(t, anna)
	rows, err := h.needs.Store.recovery(ctx, anna)
	if err != nil || len(rows) != 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		plain, err := h.ring.Purpose("factor-recovery").Open(r.code, recoveryPlace(anna, r.selector))
		if err != nil || !bytes.HasPrefix(plain, []byte("$argon2id$v=19$m=19456,t=2,p=1$")) {
			t.Errorf("row %d is %.40q, %v", i, plain, err)
		}
		if bytes.Contains(r.code, []byte("$argon2id$")) {
			t.Errorf("row %d is not sealed", i)
		}
	}
	if _, left, err := h.CheckRecovery(ctx, anna, list[9]); err != nil || left != 9 {
		t.Errorf("a check: %d left, %v", left, err)
	}
	// Who can write to the database puts a code of their own into Anna's row.
	forged, err := h.ring.Purpose("factor-recovery").Seal([]byte("$argon2id$..."), recoveryPlace(bruno, rows[0].selector))
	if err != nil {
		t.Fatal(err)
	}
	err = h.core.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update factor_recovery set code = $1 where account = $2 and selector = $3`, forged, anna, rows[0].selector)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.KnowsRecovery(ctx, anna, rows[0].selector+strings.Repeat("0", 20)); err == nil || errors.Is(err, ErrRecovery) {
		t.Errorf("a code that was moved: %v, want an error of ours", err)
	}
}
