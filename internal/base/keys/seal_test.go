package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

func testSealer(t testing.TB) (*sealer, *keyset.Handle) {
	t.Helper()
	h, err := keyset.NewHandle(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSealer(h)
	if err != nil {
		t.Fatal(err)
	}
	return s, h
}

// The two vectors of c2sp.org/XAES-256-GCM, one for each value of the bit that
// decides whether the CMAC subkey is reduced.
func TestDerivesAsTheStandardSays(t *testing.T) {
	for name, c := range map[string]struct {
		key       byte
		aad, want string
	}{
		"most significant bit 0": {0x01, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		"most significant bit 1": {0x03, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := newSealKey(1, bytes.Repeat([]byte{c.key}, 32))
			if err != nil {
				t.Fatal(err)
			}
			nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
			d, err := k.derive(nonce[:saltBytes])
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(d.gcm.Seal(nil, nonce[saltBytes:], []byte("XAES-256-GCM"), []byte(c.aad))); got != c.want {
				t.Errorf("sealed %s, want %s", got, c.want)
			}
		})
	}
}

// Our own code is here for speed only: Tink reads what we write and the other way round.
func TestTinkAndWeReadEachOther(t *testing.T) {
	s, h := testSealer(t)
	p, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1, 15, 16, 17, 50, 4096, 100_000} {
		plain, aad := secret.Random(n), Place("thing_property", "last", fmt.Sprint(n))
		bound := append(bytes.Clone(s.keys[0].prefix[:]), aad...)
		ours, err := s.Seal(plain, aad)
		if err != nil {
			t.Fatal(err)
		}
		if len(ours) != n+Overhead {
			t.Errorf("%d bytes became %d, want %d more", n, len(ours), Overhead)
		}
		if got, err := p.Decrypt(ours, bound); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Tink reads our %d bytes as %d, %v", n, len(got), err)
		}
		theirs, err := p.Encrypt(plain, bound)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(theirs, aad); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("we read Tink's %d bytes as %d, %v", n, len(got), err)
		}
	}
}

func TestAnyOtherBitIsRefused(t *testing.T) {
	s, _ := testSealer(t)
	other, _ := testSealer(t)
	plain, aad := []byte("21.5 °C"), Place("thing_property", "last", "p1")
	sealed, err := s.Seal(plain, aad)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(sealed) * 8 {
		flipped := bytes.Clone(sealed)
		flipped[i/8] ^= 1 << (i % 8)
		if got, err := s.Open(flipped, aad); !errors.Is(err, ErrSeal) || got != nil {
			t.Fatalf("bit %d flipped: %q, %v; want %v", i, got, err, ErrSeal)
		}
	}
	for n := range sealed {
		if _, err := s.Open(sealed[:n], aad); !errors.Is(err, ErrSeal) {
			t.Fatalf("cut to %d bytes: %v, want %v", n, err, ErrSeal)
		}
	}
	for name, c := range map[string]struct {
		s   Sealer
		aad []byte
	}{
		"another key":       {other, aad},
		"another place":     {s, Place("thing_property", "last", "p2")},
		"no place":          {s, nil},
		"joined otherwise":  {s, Place("thing_property", "lastp", "1")},
		"longer by a digit": {s, append(bytes.Clone(aad), '0')},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.s.Open(sealed, c.aad); !errors.Is(err, ErrSeal) {
				t.Errorf("opened with %v, want %v", err, ErrSeal)
			}
		})
	}
	if got, err := s.Open(append(bytes.Clone(sealed), 0), aad); !errors.Is(err, ErrSeal) {
		t.Errorf("one byte more: %q, %v", got, err)
	}
}

func TestAppendsWithoutTouchingWhatIsThere(t *testing.T) {
	s, _ := testSealer(t)
	out, err := s.AppendSeal([]byte("head"), []byte("plain"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(out[:4]); got != "head" {
		t.Errorf("the head became %q", got)
	}
	got, err := s.AppendOpen([]byte("again "), out[4:], nil)
	if err != nil || string(got) != "again plain" {
		t.Errorf("opened %q, %v", got, err)
	}
	got, err = s.AppendOpen([]byte("kept"), out[5:], nil)
	if !errors.Is(err, ErrSeal) || string(got) != "kept" {
		t.Errorf("after an error: %q, %v", got, err)
	}
}

func TestOldKeysOfAKeysetOpen(t *testing.T) {
	old, h := testSealer(t)
	sealed, err := old.Seal([]byte("before"), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(aead.XAES256GCM192BitNonceKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	if h, err = m.Handle(); err != nil {
		t.Fatal(err)
	}
	s, err := newSealer(h)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Open(sealed, nil); err != nil || string(got) != "before" {
		t.Errorf("opened %q, %v", got, err)
	}
	if s.id() != id {
		t.Errorf("key %08x seals, want %08x", s.id(), id)
	}
	fresh, err := s.Seal([]byte("after"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Open(fresh, nil); !errors.Is(err, ErrSeal) {
		t.Errorf("the old key opened what the new one sealed: %v", err)
	}
}

func TestOtherKeysetsAreRefused(t *testing.T) {
	for name, template := range map[string]func() (*keyset.Handle, error){
		"AES-256-GCM": func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMKeyTemplate()) },
		"short salt":  func() (*keyset.Handle, error) { return keyset.NewHandle(aead.XAES256GCM160BitNonceKeyTemplate()) },
		"no prefix": func() (*keyset.Handle, error) {
			return keyset.NewHandle(aead.XAES256GCM192BitNonceNoPrefixKeyTemplate())
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := template()
			if err != nil {
				t.Fatal(err)
			}
			if s, err := newSealer(h); err == nil {
				t.Errorf("made %v of it", s)
			}
		})
	}
}

func TestSaltIsRenewed(t *testing.T) {
	s, _ := testSealer(t)
	first, err := s.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.keys[0].sealing.Load().used.Store(perSalt)
	second, err := s.Seal(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(first[prefixBytes:prefixBytes+saltBytes], second[prefixBytes:prefixBytes+saltBytes]) {
		t.Error("the salt stayed after as many messages as it may have")
	}
	for _, sealed := range [][]byte{first, second, first} {
		if _, err := s.Open(sealed, nil); err != nil {
			t.Errorf("open: %v", err)
		}
	}
}

func TestManyGoroutinesShareASealer(t *testing.T) {
	s, h := testSealer(t)
	other, err := newSealer(h) // as another process has it
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				plain := fmt.Append(nil, i, j)
				sealed, err := s.Seal(plain, plain)
				if err != nil {
					t.Error(err)
					return
				}
				for _, o := range []*sealer{s, other} {
					if got, err := o.Open(sealed, plain); err != nil || !bytes.Equal(got, plain) {
						t.Errorf("opened %q, %v; want %q", got, err, plain)
					}
				}
				if j%100 == 0 {
					s.keys[0].sealing.Load().used.Store(perSalt)
				}
			}
		})
	}
	all.Wait()
}

func TestErasedSealerIsUseless(t *testing.T) {
	s, _ := testSealer(t)
	sealed, err := s.Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s.erase()
	if _, err := s.Seal([]byte("x"), nil); !errors.Is(err, ErrErased) {
		t.Errorf("Seal gave %v, want %v", err, ErrErased)
	}
	if _, err := s.Open(sealed, nil); !errors.Is(err, ErrErased) {
		t.Errorf("Open gave %v, want %v", err, ErrErased)
	}
}

func TestPlacesDiffer(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"\x01a"}} {
		p := string(Place(parts...))
		if other, ok := seen[p]; ok {
			t.Errorf("%q and %q are one place", parts, other)
		}
		seen[p] = parts
	}
}

// Whatever is handed to Open either comes from Seal with the same aad, or is ErrSeal; it
// never panics. What Seal made always opens.
func FuzzOpen(f *testing.F) {
	k, err := newSealKey(0x01020304, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	s := &sealer{keys: []*sealKey{k}}
	// Sealed once and kept: what is on disk today must open for ever.
	good, err := hex.DecodeString("010102030454ba6dc568ab4714c28d0ea0dd3e30d6028415b89a88daec09c61cfc12078ebad427a4c7b75961ed91ada329")
	if err != nil {
		f.Fatal(err)
	}
	if got, err := s.Open(good, []byte("place")); err != nil || string(got) != "21.5" {
		f.Fatalf("opened %q, %v", got, err)
	}
	f.Add(good, []byte("place"))
	f.Add(good[:Overhead], []byte("place"))
	f.Add(good[:Overhead-1], []byte{})
	f.Add([]byte{1, 1, 2, 3, 4}, []byte(nil))
	f.Fuzz(func(t *testing.T, wire, aad []byte) {
		if got, err := s.Open(wire, aad); err == nil {
			if !bytes.Equal(wire, good) || string(aad) != "place" || string(got) != "21.5" {
				t.Fatalf("opened % x as % x", wire, got)
			}
		} else if !errors.Is(err, ErrSeal) {
			t.Fatalf("refused with %v", err)
		}
		sealed, err := s.Seal(wire, aad)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Open(sealed, aad); err != nil || !bytes.Equal(got, wire) {
			t.Fatalf("sealed % x, opened % x, %v", wire, got, err)
		}
	})
}

func BenchmarkSealer(b *testing.B) {
	s, h := testSealer(b)
	plain, aad := make([]byte, 50), Place("thing_property", "last", "0b1c2d3e-0000-4000-8000-000000000000")
	sealed, err := s.Seal(plain, aad)
	if err != nil {
		b.Fatal(err)
	}
	other, err := newSealer(h)
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.Run("append-seal-50", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf, _ = s.AppendSeal(buf[:0], plain, aad)
		}
	})
	b.Run("seal-50", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = s.Seal(plain, aad)
		}
	})
	for name, one := range map[string]struct {
		s      *sealer
		forget bool
	}{"append-open-50": {s, false}, "append-open-50-of-another-process": {other, false}, "append-open-50-of-many-processes": {other, true}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if one.forget {
					one.s.keys[0].forget()
				}
				if buf, err = one.s.AppendOpen(buf[:0], sealed, aad); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	for name, template := range map[string]func() (*keyset.Handle, error){
		"tink-aes-gcm-50":  func() (*keyset.Handle, error) { return keyset.NewHandle(aead.AES256GCMKeyTemplate()) },
		"tink-xaes-gcm-50": func() (*keyset.Handle, error) { return h, nil },
	} {
		h, err := template()
		if err != nil {
			b.Fatal(err)
		}
		var p tink.AEAD
		if p, err = aead.New(h); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = p.Encrypt(plain, aad)
			}
		})
	}
}
