package keys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

func TestRotateChangesTheRootKeyAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ from, to Options }{
		"plain to plain":        {plainly(), plainly()},
		"plain to passphrase":   {plainly(), with(passphrase)},
		"another passphrase":    {with(passphrase), with(otherPassphrase)},
		"passphrase to plain":   {with(passphrase), plainly()},
		"file to token":         {with(passphrase), Options{Now: at(noon), Root: &token{id: "t"}}},
		"token to file":         {Options{Now: at(noon), Root: &token{id: "t"}}, with(passphrase)},
		"one token to another":  {Options{Now: at(noon), Root: &token{id: "t"}}, Options{Now: at(noon), Root: &token{id: "u", key: [32]byte{1}}}},
		"the same token, again": {Options{Now: at(noon), Root: &token{id: "t"}}, Options{Now: at(noon), Root: &token{id: "t"}}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := open(t, dir, c.from)
			before, id := copyOf(t, dir), r.RootID()
			if err := r.Rotate(t.Context(), c.to); err != nil {
				t.Fatal(err)
			}
			if r.RootID() == id && name != "the same token, again" {
				t.Error("the root key stayed")
			}
			sameKeys(t, r, open(t, dir, c.to))
			// Neither the old root key nor what it wraps is left.
			for file, old := range before {
				now, err := os.ReadFile(filepath.Join(dir, "keys", file))
				if err == nil && len(old) > 0 && string(now) == string(old) {
					t.Errorf("%s is as it was", file)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "keys", "*.[tn][me][pw]")); len(left) > 0 {
				t.Errorf("%s was left", left)
			}
			if c.to.Root != nil {
				if _, err := os.Stat(filepath.Join(dir, "keys", rootName)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the root key in the file was left: %v", err)
				}
			}
			// And once more: what was rotated can be rotated.
			if err := r.Rotate(t.Context(), c.from); err != nil {
				t.Fatal(err)
			}
			sameKeys(t, r, open(t, dir, c.from))
		})
	}
}

func copyOf(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range []string{rootName, storeName} {
		b, err := os.ReadFile(filepath.Join(dir, "keys", name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all[name] = b
	}
	return all
}

// After a cut at any step, the house opens with the old root key or with the new one, with
// all its keys, and one more start leaves no trace of the cut.
func TestRotationCutBetweenAnyTwoSteps(t *testing.T) {
	for name, c := range map[string]struct{ from, to Options }{
		"passphrase to another": {with(passphrase), with(otherPassphrase)},
		"plain to plain":        {plainly(), plainly()},
		"file to token":         {with(passphrase), Options{Now: at(noon), Root: &token{id: "t"}}},
		"token to file":         {Options{Now: at(noon), Root: &token{id: "t"}}, with(passphrase)},
	} {
		t.Run(name, func(t *testing.T) {
			olds, news := 0, 0
			for n, done := 0, false; !done; n++ {
				dir := t.TempDir()
				first := open(t, dir, c.from)
				steps := 0
				r := open(t, dir, c.from)
				r.disk.cut = cutAt(c.from, n, &steps).cut
				err := r.Rotate(t.Context(), c.to)
				if done = err == nil; !done && !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				after, err := OpenRoot(t.Context(), dir, c.to)
				if err == nil {
					news++
				} else if after, err = OpenRoot(t.Context(), dir, c.from); err == nil {
					olds++
				}
				if err != nil {
					t.Fatalf("cut at step %d: neither root key opens: %v", n, err)
				}
				sameKeys(t, first, after)
				if _, err := os.Stat(filepath.Join(dir, "keys", nextName)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("cut at step %d: %s was left", n, nextName)
				}
				if left, _ := filepath.Glob(filepath.Join(dir, "keys", "*.tmp")); len(left) > 0 {
					t.Errorf("cut at step %d: %s was left", n, left)
				}
			}
			if (olds == 0 && name != "plain to plain") || news < 3 {
				t.Errorf("the old root key opened %d times and the new one %d: too few steps were cut", olds, news)
			}
		})
	}
}

// The start that clears up after a cut may be cut itself, at each of its steps.
func TestRepairCutBetweenAnyTwoSteps(t *testing.T) {
	for n := range 32 {
		dir := t.TempDir()
		first := open(t, dir, with(passphrase))
		steps := 0
		r := open(t, dir, with(passphrase))
		r.disk.cut = func(step string) error {
			if step == "rename root.key.new to root.key" {
				return errCut
			}
			return nil
		}
		if err := r.Rotate(t.Context(), with(otherPassphrase)); !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if _, err := OpenRoot(t.Context(), dir, with(passphrase)); !errors.Is(err, ErrPassphrase) {
			t.Fatalf("the old passphrase gives %v, want %v", err, ErrPassphrase)
		}
		_, err := OpenRoot(t.Context(), dir, cutAt(with(otherPassphrase), n, &steps))
		sameKeys(t, first, open(t, dir, with(otherPassphrase)))
		if err == nil {
			if n == 0 {
				t.Error("no step was cut")
			}
			return
		}
	}
	t.Error("the repair does not end")
}

func TestFirstStartCutBetweenAnyTwoSteps(t *testing.T) {
	for n := range 32 {
		dir := t.TempDir()
		steps := 0
		_, cut := OpenRoot(t.Context(), dir, cutAt(with(passphrase), n, &steps))
		r, err := OpenRoot(t.Context(), dir, with(passphrase))
		if err != nil {
			t.Fatalf("cut at step %d: %v", n, err)
		}
		sameKeys(t, r, open(t, dir, with(passphrase)))
		if cut == nil {
			return
		}
	}
	t.Error("the first start does not end")
}

func TestRotationThatCannotBeDoneChangesNothing(t *testing.T) {
	down := errors.New("no token in the slot")
	for name, c := range map[string]struct {
		to   Options
		want error
	}{
		"token that is down": {Options{Now: at(noon), Root: &token{id: "t", down: down}}, down},
		"short passphrase":   {Options{Now: at(noon), Passphrase: secret.New("short")}, ErrPassphrase},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := open(t, dir, plainly())
			before := copyOf(t, dir)
			if err := r.Rotate(t.Context(), c.to); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			for name, want := range before {
				if got := copyOf(t, dir)[name]; string(got) != string(want) {
					t.Errorf("%s changed", name)
				}
			}
			sameKeys(t, r, open(t, dir, plainly()))
			if err := r.Rotate(t.Context(), with(passphrase)); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// Two programs hold the house open; one rotates, and the other must not put back what it knew.
func TestRotationByAnotherProgramIsNoticed(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir, plainly()), open(t, dir, plainly())
	if err := a.Rotate(t.Context(), with(passphrase)); err != nil {
		t.Fatal(err)
	}
	wantProblem(t, b.Rotate(t.Context(), plainly()), ErrWrongKey, "keys.json")
	sameKeys(t, a, open(t, dir, with(passphrase)))
}
