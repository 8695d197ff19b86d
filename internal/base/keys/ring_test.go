package keys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// A house is a keyring on one engine that can be opened again.
type house struct {
	dir string
	cfg db.Config
	now time.Time
}

// eachHouse runs the test on a fresh keyring of each engine.
func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			test(t, &house{t.TempDir(), dbtest.Config(t, e, dbtest.Keyring), noon})
		})
	}
}

// process opens the house as a process of its own would, with a memory of its own. Close ends it.
func (h *house) process(t testing.TB, o Options) (*Ring, *db.DB) {
	t.Helper()
	o.Now = func() time.Time { return h.now }
	r := open(t, h.dir, o)
	d := dbtest.Open(t, h.cfg)
	g, err := r.Ring(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return g, d
}

func (h *house) ring(t testing.TB) *Ring {
	t.Helper()
	g, _ := h.process(t, Options{})
	return g
}

func space(t testing.TB, g *Ring, id string) Sealer {
	t.Helper()
	s, err := g.Space(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s Sealer, plain string) []byte {
	t.Helper()
	b, err := s.Seal([]byte(plain), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opens(t testing.TB, s Sealer, sealed []byte, want string) {
	t.Helper()
	if got, err := s.Open(sealed, []byte("aad")); err != nil || string(got) != want {
		t.Errorf("opened %q, %v; want %q", got, err, want)
	}
}

func TestKeysStayAcrossProcesses(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		get := map[string]func(g *Ring) Sealer{
			"space a":   func(g *Ring) Sealer { return space(t, g, "a") },
			"space b":   func(g *Ring) Sealer { return space(t, g, "b") },
			"purpose a": func(g *Ring) Sealer { return g.Purpose("a") },
			"purpose b": func(g *Ring) Sealer { return g.Purpose("b") },
			"person a": func(g *Ring) Sealer {
				s, err := g.Person(t.Context(), "a")
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
		}
		first := h.ring(t)
		sealed := map[string][]byte{}
		for name, s := range get {
			sealed[name] = seal(t, s(first), name)
		}
		second := h.ring(t)
		for name, s := range get {
			opens(t, s(first), sealed[name], name)
			opens(t, s(second), sealed[name], name)
			for other := range get {
				if _, err := s(second).Open(sealed[other], []byte("aad")); other != name && !errors.Is(err, ErrSeal) {
					t.Errorf("the key of %s opens what that of %s sealed: %v", name, other, err)
				}
			}
		}
		if a, b := first.MAC("email"), second.MAC("email"); !bytes.Equal(a([]byte("x")), b([]byte("x"))) || len(a(nil)) != 32 {
			t.Error("an index key changed")
		}
		if bytes.Equal(first.MAC("email")([]byte("x")), first.MAC("name")([]byte("x"))) {
			t.Error("two indexes have one key")
		}
		if n, err := second.Check(t.Context()); err != nil || n != 6 { // a, b, person a, two purposes, the wrap row
			t.Errorf("checked %d keys, %v; want 6", n, err)
		}
	})
}

func TestFirstUseIsRaceFree(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		rings := []*Ring{h.ring(t), h.ring(t), h.ring(t)}
		sealed := make([][]byte, 24)
		var all sync.WaitGroup
		for i := range sealed {
			all.Go(func() {
				s, err := rings[i%3].Space(t.Context(), fmt.Sprint("space-", i%2))
				if err != nil {
					t.Error(err)
					return
				}
				sealed[i] = seal(t, s, "x")
			})
		}
		all.Wait()
		fresh := h.ring(t)
		for i, b := range sealed {
			opens(t, space(t, fresh, fmt.Sprint("space-", i%2)), b, "x")
		}
	})
}

func TestErasedKeysNeverComeBack(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g, other := h.ring(t), h.ring(t)
		held := space(t, g, "gone")
		sealed := seal(t, held, "secret")
		kept := seal(t, space(t, g, "kept"), "kept")
		opens(t, space(t, other, "gone"), sealed, "secret")

		if err := g.Erase(t.Context(), KindSpace, "gone"); err != nil {
			t.Fatal(err)
		}
		if _, err := held.Open(sealed, []byte("aad")); !errors.Is(err, ErrErased) {
			t.Errorf("a sealer that was held opened with %v, want %v", err, ErrErased)
		}
		if _, err := held.Seal(nil, nil); !errors.Is(err, ErrErased) {
			t.Errorf("a sealer that was held sealed with %v, want %v", err, ErrErased)
		}
		h.now = h.now.Add(freshFor)
		for name, g := range map[string]*Ring{"this": g, "another": other, "a later": h.ring(t)} {
			if _, err := g.Space(t.Context(), "gone"); !errors.Is(err, ErrErased) {
				t.Errorf("%s process got %v, want %v", name, err, ErrErased)
			}
			opens(t, space(t, g, "kept"), kept, "kept")
			space(t, g, "made-by-"+name[:1]) // a new key after the keyring key changed
		}
		// Again, and one that never was, and another kind of the same id.
		for _, id := range []string{"gone", "never-was"} {
			if err := g.Erase(t.Context(), KindSpace, id); err != nil {
				t.Errorf("erase %s: %v", id, err)
			}
		}
		if ids, err := g.Erased(t.Context(), KindSpace); err != nil || !slices.Equal(ids, []string{"gone", "never-was"}) {
			t.Errorf("Erased = %v, %v", ids, err)
		}
		if ids, err := g.Erased(t.Context(), KindPerson); err != nil || len(ids) > 0 {
			t.Errorf("people whose keys were erased: %v, %v", ids, err)
		}
		if _, err := g.Space(t.Context(), "never-was"); !errors.Is(err, ErrErased) {
			t.Errorf("an erased id that never was gives %v, want %v", err, ErrErased)
		}
		if _, err := g.Person(t.Context(), "gone"); err != nil {
			t.Errorf("a person with the id of an erased space: %v", err)
		}
		if err := g.Erase(t.Context(), kindPurpose, "seal"); !errors.Is(err, ErrName) {
			t.Errorf("erasing a purpose gives %v, want %v", err, ErrName)
		}
	})
}

// A copy of the row, from a log or a dead page, cannot be opened with what is left.
func TestNothingOpensACopyOfAnErasedRow(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		space(t, g, "gone")
		who := ref{KindSpace, "gone"}
		copied, err := g.table.find(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.openRow(copied); err != nil {
			t.Fatal(err)
		}
		if err := g.Erase(t.Context(), KindSpace, "gone"); err != nil {
			t.Fatal(err)
		}
		now, err := g.table.find(t.Context(), who)
		if err != nil || !now.erased || now.sealed != nil {
			t.Errorf("the row is now %+v, %v", now, err)
		}
		for name, g := range map[string]*Ring{"this": g, "a later": h.ring(t)} {
			if _, err := g.openRow(copied); !errors.Is(err, ErrSeal) {
				t.Errorf("%s process opens the copy with %v, want %v", name, err, ErrSeal)
			}
		}
	})
}

// Erasures, first uses and uses at once, in two processes: nothing is lost, and nothing comes back.
func TestErasingWhileOthersWork(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		rings := []*Ring{h.ring(t), h.ring(t)}
		sealed := seal(t, space(t, rings[0], "kept"), "kept")
		var all sync.WaitGroup
		for i := range 6 {
			all.Go(func() {
				for j := range 8 {
					g, id := rings[(i+j)%2], fmt.Sprintf("s%d-%d", i, j)
					opens(t, space(t, g, "kept"), sealed, "kept")
					b := seal(t, space(t, g, id), id)
					if j%4 == 3 {
						if err := g.Erase(t.Context(), KindSpace, id); err != nil {
							t.Error(err)
						}
						if _, err := g.Space(t.Context(), id); !errors.Is(err, ErrErased) {
							t.Errorf("after its erasure %s gives %v", id, err)
						}
						continue
					}
					opens(t, space(t, rings[(i+j+1)%2], id), b, id)
				}
			})
		}
		all.Wait()
		if n, err := h.ring(t).Check(t.Context()); err != nil || n != 3+1+6*6 {
			t.Errorf("checked %d keys, %v", n, err)
		}
	})
}

var errCut = errors.New("the power was cut")

// cutAt makes options whose n-th step on disk, from 0, does not happen; it counts all steps.
func cutAt(o Options, n int, steps *int) Options {
	o.cut = func(string) error {
		*steps++
		if *steps > n {
			return errCut
		}
		return nil
	}
	return o
}

func TestErasureCutBetweenAnyTwoSteps(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		kept := seal(t, space(t, g, "kept"), "kept")
		for n, done := 0, false; !done; n++ {
			id := fmt.Sprint("gone-", n)
			space(t, g, id)
			steps := 0
			cut, _ := h.process(t, Options{})
			cut.root.disk.cut = cutAt(Options{}, n, &steps).cut
			err := cut.Erase(t.Context(), KindSpace, id)
			if done = err == nil; !done && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			g = h.ring(t) // the next start
			opens(t, space(t, g, "kept"), kept, "kept")
			if _, err := g.Space(t.Context(), id); !errors.Is(err, ErrErased) {
				t.Errorf("cut at step %d: %v, want %v", n, err, ErrErased)
			}
			if got := len(g.rows().keys); got != 1 {
				t.Errorf("cut at step %d: the next start left %d keyring keys", n, got)
			}
			if _, err := g.Check(t.Context()); err != nil {
				t.Errorf("cut at step %d: %v", n, err)
			}
			if done && n < 8 {
				t.Errorf("only %d steps were cut", n)
			}
		}
	})
}

func TestKeyringOfAnotherHouseIsRefused(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		_, d := h.process(t, Options{})
		other := open(t, t.TempDir(), plainly())
		_, err := other.Ring(t.Context(), d)
		wantProblem(t, err, ErrWrongKey, "keyring")
	})
}

func TestMovedAndChangedRowsAreRefused(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g, d := h.process(t, Options{})
		for _, id := range []string{"a", "b"} {
			space(t, g, id)
		}
		exec := func(text string, args ...any) {
			t.Helper()
			if err := d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), text, args...)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		exec(`update key set sealed = (select sealed from key where id = 'a') where id = $1`, "b")
		_, err := h.ring(t).Space(t.Context(), "b")
		if !errors.Is(err, ErrSeal) || !strings.Contains(err.Error(), "keyring database") {
			t.Errorf("the row of another space gives %v", err)
		}
		if _, err := g.Check(t.Context()); !errors.Is(err, ErrSeal) {
			t.Errorf("the check says %v", err)
		}
		exec(`update key set sealed = $1 where id = $2`, []byte{1, 2, 3}, "a")
		if _, err := h.ring(t).Space(t.Context(), "a"); !errors.Is(err, ErrSeal) {
			t.Errorf("a changed row gives %v", err)
		}
	})
}

func TestSignersSignAndStay(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		digest := sha256.Sum256([]byte("message"))
		s, err := g.Signer(t.Context(), "token")
		if err != nil {
			t.Fatal(err)
		}
		signature, err := s.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		later, err := h.ring(t).Signer(t.Context(), "token")
		if err != nil {
			t.Fatal(err)
		}
		public := later.Public().(*ecdsa.PublicKey)
		if public.Curve != elliptic.P256() || !ecdsa.VerifyASN1(public, digest[:], signature) {
			t.Error("the key of a later process does not verify")
		}
		other, err := g.Signer(t.Context(), "tls-root")
		if err != nil {
			t.Fatal(err)
		}
		if public.Equal(other.Public()) {
			t.Error("two signers have one key")
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1)}
		if _, err := x509.CreateCertificate(rand.Reader, template, template, s.Public(), s); err != nil {
			t.Errorf("make a certificate: %v", err)
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(format, s); got != "P-256 signer" {
				t.Errorf("%s prints %q", format, got)
			}
		}
		if err := g.Erase(t.Context(), KindSigner, "token"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sign(rand.Reader, digest[:], crypto.SHA256); !errors.Is(err, ErrErased) {
			t.Errorf("an erased signer signs with %v", err)
		}
	})
}

func TestEd25519SignersSignAndStay(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		s, err := g.Ed25519(t.Context(), "audit")
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("a checkpoint")
		signature, err := s.Sign(nil, message, crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		later, err := h.ring(t).Ed25519(t.Context(), "audit")
		if err != nil {
			t.Fatal(err)
		}
		if !ed25519.Verify(later.Public().(ed25519.PublicKey), message, signature) {
			t.Error("the key of a later process does not verify")
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			if got := fmt.Sprintf(format, s); got != "Ed25519 signer" {
				t.Errorf("%s prints %q", format, got)
			}
		}
		if _, err := g.Signer(t.Context(), "audit"); err == nil {
			t.Error("an Ed25519 key is given out as one of P-256")
		}
		if _, err := g.Signer(t.Context(), "token"); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Ed25519(t.Context(), "token"); err == nil {
			t.Error("a P-256 key is given out as one of Ed25519")
		}
		if n, err := g.Check(t.Context()); err != nil || n < 2 {
			t.Errorf("the check reads %d keys, %v", n, err)
		}
	})
}

// The same text at the same place is the same bytes, in every process; anything else is not.
func TestFixedSealersSealTheSameToTheSame(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		a := g.Fixed("leaf")
		sealed, err := a.Seal([]byte("text"), []byte("place"))
		if err != nil || bytes.Contains(sealed, []byte("text")) {
			t.Fatalf("sealed to %q, %v", sealed, err)
		}
		later := h.ring(t).Fixed("leaf")
		if again, err := later.Seal([]byte("text"), []byte("place")); err != nil || !bytes.Equal(sealed, again) {
			t.Errorf("a later process seals to %x, %v, want %x", again, err, sealed)
		}
		if plain, err := later.Open(sealed, []byte("place")); err != nil || string(plain) != "text" {
			t.Errorf("opened %q, %v", plain, err)
		}
		flipped := bytes.Clone(sealed)
		flipped[len(flipped)-1] ^= 1
		for name, open := range map[string]func() ([]byte, error){
			"another place":   func() ([]byte, error) { return a.Open(sealed, []byte("places")) },
			"another name":    func() ([]byte, error) { return g.Fixed("leaves").Open(sealed, []byte("place")) },
			"a flipped bit":   func() ([]byte, error) { return a.Open(flipped, []byte("place")) },
			"half of it":      func() ([]byte, error) { return a.Open(sealed[:8], []byte("place")) },
			"another purpose": func() ([]byte, error) { return g.Purpose("leaf").Open(sealed, []byte("place")) },
		} {
			if plain, err := open(); !errors.Is(err, ErrSeal) {
				t.Errorf("%s: %q, %v, want ErrSeal", name, plain, err)
			}
		}
		for _, format := range []string{"%v", "%+v", "%#v", "%x"} {
			if got := fmt.Sprintf(format, a); got != "fixed sealer" {
				t.Errorf("%s prints %q", format, got)
			}
		}
	})
}

func TestNamesAreChecked(t *testing.T) {
	g := (&house{t.TempDir(), dbtest.Config(t, db.SQLite, dbtest.Keyring), noon}).ring(t)
	for _, id := range []string{"", "a b", "a\n", "é", strings.Repeat("a", 129)} {
		if _, err := g.Space(t.Context(), id); !errors.Is(err, ErrName) {
			t.Errorf("Space(%q) gives %v, want %v", id, err, ErrName)
		}
		if _, err := g.Signer(t.Context(), id); !errors.Is(err, ErrName) {
			t.Errorf("Signer(%q) gives %v, want %v", id, err, ErrName)
		}
		if err := g.Erase(t.Context(), KindSpace, id); !errors.Is(err, ErrName) {
			t.Errorf("Erase(%q) gives %v, want %v", id, err, ErrName)
		}
	}
}

func TestMemoryIsBoundedAndEnoughIsKept(t *testing.T) {
	h := &house{t.TempDir(), dbtest.Config(t, db.SQLite, dbtest.Keyring), noon}
	g := h.ring(t)
	a := space(t, g, "a")
	if space(t, g, "a") != a {
		t.Error("a key that is in use was read again")
	}
	h.now = h.now.Add(freshFor)
	if space(t, g, "a") != a {
		t.Error("a key that still exists was made anew")
	}
	for i := range 2*cached + 1 {
		g.kept.Set(ref{KindSpace, fmt.Sprint(i)}, keptKey{a, h.now})
	}
	if got := g.kept.Len(); got > 2*cached {
		t.Errorf("%d keys are in memory, want at most %d", got, 2*cached)
	}
}

// The two private keys of a house and its data keys are nowhere in its files, but for what a test seals.
func TestNoKeyOfTheRingIsOnDiskInClear(t *testing.T) {
	h := &house{t.TempDir(), dbtest.Config(t, db.SQLite, dbtest.Keyring), noon}
	h.cfg.Path = filepath.Join(h.dir, "keyring.db")
	g := h.ring(t)
	space(t, g, "a")
	s, err := g.Signer(t.Context(), "device-ca-1")
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.(*signer).key.(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	found, err := g.table.find(t.Context(), ref{KindSpace, "a"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := g.openRow(found)
	if err != nil {
		t.Fatal(err)
	}
	noneOnDisk(t, h.dir, [][]byte{d, b[len(b)-48 : len(b)-16], b})
}

func TestEndedContextIsTold(t *testing.T) {
	g := (&house{t.TempDir(), dbtest.Config(t, db.SQLite, dbtest.Keyring), noon}).ring(t)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := g.Space(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, err := g.Space(t.Context(), "a"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func BenchmarkRing(b *testing.B) {
	h := &house{b.TempDir(), dbtest.Config(b, db.SQLite, dbtest.Keyring), noon}
	g := h.ring(b)
	space(b, g, "a")
	b.Run("space-in-memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			space(b, g, "a")
		}
	})
	b.Run("space-from-database", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g.kept.Clear()
			space(b, g, "a")
		}
	})
	mac := g.MAC("email")
	b.Run("mac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mac([]byte("somebody@example.com"))
		}
	})
	for i := range 10_000 {
		space(b, g, fmt.Sprint("s", i))
	}
	b.Run("rewrap-10000", func(b *testing.B) {
		for b.Loop() {
			if err := g.Rewrap(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
