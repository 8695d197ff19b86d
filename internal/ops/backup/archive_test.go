package backup

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// small makes an archive with a few files, signed by key.
func small(t testing.TB, root *keys.Root, key, claimed *ecdsa.PrivateKey, files map[string]string) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(&claimed.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	a, err := newWriter(t.Context(), root, &out, Head{Kind: kindData, ID: "id", Store: root.Store(), MadeAt: noon, Signer: spki})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := a.file(name, 0o600, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.end(key); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readAll reads an archive to its end.
func readAll(ctx context.Context, r io.Reader, who keys.Access) (map[string]string, error) {
	a, err := openArchive(ctx, "the.data", r, who)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for {
		c, err := a.next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(c)
		if err != nil {
			return nil, err
		}
		all[c.name] = string(b)
	}
}

func testRoot(t testing.TB) *keys.Root {
	t.Helper()
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func testKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestArchivesGiveBackWhatWasPutIn(t *testing.T) {
	root, key := testRoot(t), testKey(t)
	files := map[string]string{"empty": "", "a/b": "text", "large": strings.Repeat("x", 3*maxChunk+17), "chunk": strings.Repeat("y", maxChunk)}
	got, err := readAll(t.Context(), bytes.NewReader(small(t, root, key, key, files)), keys.Access{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(files) {
		t.Errorf("%d files came back other than they were", len(got))
	}
}

// Each bit of a small archive, each length of it, and more after it.
func TestEveryChangeOfAnArchiveIsAnError(t *testing.T) {
	root, key := testRoot(t), testKey(t)
	good := small(t, root, key, key, map[string]string{"a": "text"})
	check := func(what string, bad []byte) {
		t.Helper()
		_, err := readAll(t.Context(), bytes.NewReader(bad), keys.Access{Root: root})
		known := errors.Is(err, ErrDamaged) || errors.Is(err, ErrNewer) || errors.Is(err, keys.ErrWrongKey) || errors.Is(err, ErrSignature)
		if !known || !strings.Contains(err.Error(), "the.data") {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for i := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		check(fmt.Sprintf("bit %d of byte %d flipped", i%8, i/8), bad)
	}
	for n := range good {
		check(fmt.Sprintf("cut to %d bytes", n), good[:n])
	}
	for _, more := range [][]byte{{0}, []byte("more"), good, make([]byte, 2*segment)} {
		check(fmt.Sprintf("%d bytes more", len(more)), append(bytes.Clone(good), more...))
	}
	other := small(t, root, key, key, map[string]string{"a": "other"})
	n := len(magic) + 4 + int(binary.BigEndian.Uint32(other[len(magic):]))
	check("the content of another archive", append(bytes.Clone(good[:n]), other[n:]...))
	if _, err := readAll(t.Context(), bytes.NewReader(good), keys.Access{Root: root}); err != nil {
		t.Error(err)
	}
}

func TestSegmentsCannotBeDroppedOrExchanged(t *testing.T) {
	root, key := testRoot(t), testKey(t)
	good := small(t, root, key, key, map[string]string{"a": string(secret.Random(4 * segment))})
	begin := len(magic) + 4 + int(binary.BigEndian.Uint32(good[len(magic):]))
	// The first segment is shorter by Tink's own head, so whole ones begin at multiples.
	part := func(i int) []byte { return good[begin+i*segment : begin+(i+1)*segment] }
	for name, bad := range map[string][]byte{
		"dropped":   append(bytes.Clone(good[:begin+segment]), good[begin+2*segment:]...),
		"exchanged": append(append(append(bytes.Clone(good[:begin+segment]), part(2)...), part(1)...), good[begin+3*segment:]...),
		"repeated":  append(append(bytes.Clone(good[:begin+2*segment]), part(1)...), good[begin+2*segment:]...),
		"cut off":   good[:begin+2*segment],
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readAll(t.Context(), bytes.NewReader(bad), keys.Access{Root: root})
			wantProblem(t, err, ErrDamaged, "the.data", "byte")
		})
	}
}

func TestOnlyTheHouseItselfIsBelieved(t *testing.T) {
	root, key, forger := testRoot(t), testKey(t), testKey(t)
	t.Run("signed by another key than the head says", func(t *testing.T) {
		_, err := readAll(t.Context(), bytes.NewReader(small(t, root, forger, key, nil)), keys.Access{Root: root})
		wantProblem(t, err, ErrSignature, "the.data")
	})
	t.Run("another house locks one for our recovery key", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "recovery.key")
		if err := root.NewRecovery(t.Context(), path, &key.PublicKey, secret.String{}); err != nil {
			t.Fatal(err)
		}
		recovery, err := keys.ReadRecovery(path, secret.String{})
		if err != nil {
			t.Fatal(err)
		}
		who := keys.Access{Recovery: recovery}
		if _, err := readAll(t.Context(), bytes.NewReader(small(t, root, key, key, nil)), who); err != nil {
			t.Errorf("our own: %v", err)
		}
		_, err = readAll(t.Context(), bytes.NewReader(small(t, root, forger, forger, nil)), who)
		wantProblem(t, err, ErrSignature, "the.data")
	})
}

func TestReadingErrorsAreNotCalledDamage(t *testing.T) {
	root, key := testRoot(t), testKey(t)
	good := small(t, root, key, key, map[string]string{"a": strings.Repeat("x", 2*segment)})
	broken := errors.New("the disk does not answer")
	for _, n := range []int{0, 5, 100, segment + 5000} {
		_, err := readAll(t.Context(), io.MultiReader(bytes.NewReader(good[:n]), failing{broken}), keys.Access{Root: root})
		if !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
			t.Errorf("after %d bytes: %v, want %v", n, err, broken)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := readAll(ctx, bytes.NewReader(good), keys.Access{Root: root}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v, want %v", err, context.Canceled)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestNamesThatLeaveTheDirectoryAreRefused(t *testing.T) {
	for name, want := range map[string]bool{
		"db/core": true, "files/tls/ca.pem": true, "a": true,
		"": false, ".": false, "..": false, "/etc/passwd": false, "a/../../b": false, "../a": false, "a//b": false, "a/": false,
		`a\b`: false, "c:a": false, "a\x00b": false, "\xff": false, strings.Repeat("a", 256): false,
	} {
		if got := checkName(name) == nil; got != want {
			t.Errorf("checkName(%q) accepts: %v, want %v", name, got, want)
		}
	}
}

// A real pair, changed in places all over it: Restore names the file and leaves nothing.
func TestRestoreOfAChangedArchiveLeavesNothing(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.put(t, "a", "value of a")
	p := h.backup(t)
	for i, file := range []string{p.Data, p.Keyring} {
		good, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		bad := filepath.Join(t.TempDir(), "changed")
		q := h.request(t, p)
		if i == 0 {
			q.Archives.Data = bad
		} else {
			q.Archives.Keyring = bad
		}
		for name, text := range map[string][]byte{
			"first byte":  flip(good, 0),
			"head":        flip(good, 300),
			"one third":   flip(good, len(good)/3),
			"two thirds":  flip(good, 2*len(good)/3),
			"signature":   flip(good, len(good)-30),
			"last byte":   flip(good, len(good)-1),
			"half":        good[:len(good)/2],
			"empty":       nil,
			"one more":    append(bytes.Clone(good), 0),
			"twice":       append(bytes.Clone(good), good...),
			"one byte":    good[:1],
			"one missing": good[:len(good)-1],
		} {
			if err := os.WriteFile(bad, text, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(t.Context(), q); err == nil || !strings.Contains(err.Error(), bad) {
				t.Errorf("%s of %s: %v", name, filepath.Ext(file), err)
			}
			nothing(t, q.Dir)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x10
	return b
}

// Whatever an archive holds, reading it gives names that stay in their directory and
// contents within bounds, or an error that names the archive; it never panics.
func FuzzHead(f *testing.F) {
	root, key := testRoot(f), testKey(f)
	f.Add(small(f, root, key, key, map[string]string{"a": "text"}))
	f.Add([]byte(magic))
	f.Add([]byte(magic + "\xff\xff\xff\xff{}"))
	f.Add([]byte(magic + "\x00\x00\x00\x02{}"))
	f.Add([]byte(magic + "\x00\x00\x00\x20" + `{"version":1,"kind":"data"}     `))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := readAll(t.Context(), bytes.NewReader(b), keys.Access{Root: root})
		if err != nil && !strings.Contains(err.Error(), "the.data") {
			t.Fatalf("%v does not name the archive", err)
		}
	})
}

// The same for what is in an archive whose seal is good.
func FuzzFiles(f *testing.F) {
	key := testKey(f)
	f.Add([]byte("F\x00\x01a\x00\x00\x01\xa4\x00\x00\x00\x04text\x00\x00\x00\x00E\x00\x00"))
	f.Add([]byte("F\x00\x04../a\x00\x00\x01\xa4\x00\x00\x00\x00"))
	f.Add([]byte("F\xff\xff"))
	f.Add([]byte("F\x00\x01a\x00\x00\x01\xa4\xff\xff\xff\xff"))
	f.Add([]byte("E\xff\xff"))
	f.Add([]byte("G"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &reader{name: "the.data", raw: &counter{ctx: t.Context(), r: bytes.NewReader(nil)}, plain: bytes.NewReader(b), sum: sha256.New(), key: &key.PublicKey}
		for {
			c, err := a.next()
			if errors.Is(err, io.EOF) {
				t.Fatal("the signature was accepted")
			}
			if err != nil {
				if !strings.Contains(err.Error(), "the.data") {
					t.Fatalf("%v does not name the archive", err)
				}
				return
			}
			if !filepath.IsLocal(c.name) || c.mode&^0o777 != 0 {
				t.Fatalf("file %q with mode %o", c.name, c.mode)
			}
			n, err := io.Copy(io.Discard, c)
			if n > int64(len(b)) {
				t.Fatalf("%d bytes came of %d", n, len(b))
			}
			if err != nil {
				return
			}
		}
	})
}

func BenchmarkArchive(b *testing.B) {
	root, key := testRoot(b), testKey(b)
	text := string(secret.Random(64 << 20))
	var out []byte
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			out = small(b, root, key, key, map[string]string{"a": text})
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			a, err := openArchive(b.Context(), "x", bytes.NewReader(out), keys.Access{Root: root})
			if err != nil {
				b.Fatal(err)
			}
			c, err := a.next()
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, c); err != nil {
				b.Fatal(err)
			}
		}
	})
}
