package twin

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/elementtest"
)

var (
	passphrase = []byte("the device's secret")
	cheap      = Config{Memory: 8, Passes: 1} // a test tries many
)

func create(t testing.TB) *Twin {
	t.Helper()
	e, err := Create(filepath.Join(t.TempDir(), "element"), passphrase, cheap)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func reopen(t testing.TB, e *Twin) *Twin {
	t.Helper()
	later, err := Open(e.path, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return later
}

// provisioned has something in each part of its file.
func provisioned(t testing.TB) *Twin {
	t.Helper()
	e := create(t)
	if err := e.Lock(); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []int{0, 1} {
		if _, err := e.GenerateKey(slot); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(e.Write(10, make([]byte, 72)), e.Write(12, []byte("id"))); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTwinIsAnElement(t *testing.T) {
	var last *Twin
	elementtest.Run(t,
		func(t *testing.T) element.Element {
			last = create(t)
			return last
		},
		func(t *testing.T) element.Element { return reopen(t, last) })
}

func TestKeysNeedALockedElement(t *testing.T) {
	e := create(t)
	if _, err := e.GenerateKey(0); !errors.Is(err, element.ErrUnlocked) {
		t.Errorf("unlocked: %v", err)
	}
	if err := e.Lock(); err != nil {
		t.Fatal(err)
	}
	if err := e.Lock(); err != nil {
		t.Errorf("locked twice: %v", err)
	}
	if _, err := e.GenerateKey(0); err != nil {
		t.Errorf("locked: %v", err)
	}
}

func TestDefaultsOfCreate(t *testing.T) {
	if testing.Short() {
		t.Skip("computes Argon2id at its full cost")
	}
	path := filepath.Join(t.TempDir(), "element")
	e, err := Create(path, passphrase, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if e.seal.header.memory != 19<<10 || e.seal.header.passes != 2 || len(e.content.serial) != 9 {
		t.Errorf("%+v", e.seal.header)
	}
	if _, err := Open(path, passphrase); err != nil {
		t.Error(err)
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "element")
	for name, c := range map[string]struct {
		passphrase []byte
		config     Config
	}{
		"no passphrase":          {nil, cheap},
		"a short serial number":  {passphrase, Config{Memory: 8, Passes: 1, Serial: make([]byte, 5)}},
		"a long serial number":   {passphrase, Config{Memory: 8, Passes: 1, Serial: make([]byte, 33)}},
		"too much memory":        {passphrase, Config{Memory: maxMemory + 1, Passes: 1}},
		"too many passes":        {passphrase, Config{Memory: 8, Passes: maxPasses + 1}},
		"less memory than works": {passphrase, Config{Memory: 7, Passes: 1}},
	} {
		if _, err := Create(path, c.passphrase, c.config); err == nil {
			t.Errorf("%s: created", name)
		}
	}
	if _, err := Create(path, passphrase, cheap); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path, passphrase, cheap); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created over another one: %v", err)
	}
	if _, err := Create(filepath.Join(dir, "no", "element"), passphrase, cheap); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("created in a folder that is not there: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	e := provisioned(t)
	if _, err := Open(e.path, []byte("another secret")); !errors.Is(err, ErrSealed) {
		t.Errorf("another passphrase: %v", err)
	}
	if err := os.Chmod(e.path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(e.path, passphrase); !errors.Is(err, ErrReadable) {
		t.Errorf("readable by a group: %v", err)
	}
	if _, err := Open(e.path+"x", passphrase); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	long := filepath.Join(t.TempDir(), "long")
	if err := os.WriteFile(long, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(long, passphrase); !errors.Is(err, ErrFormat) {
		t.Errorf("a long file: %v", err)
	}
}

// Every bit counts: what was changed, moved or cut off is an error, never another element.
func TestDamagedFilesAreRefused(t *testing.T) {
	e := provisioned(t)
	file, err := os.ReadFile(e.path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, at int, b []byte) {
		if _, _, err := open(b, passphrase); !errors.Is(err, ErrSealed) && !errors.Is(err, ErrFormat) {
			t.Errorf("%s %d: %v", what, at, err)
		}
	}
	for at := range file {
		if at >= 16 && at < 24 {
			continue // how much to compute: some values cost much, and are tested below
		}
		for bit := range 8 {
			b := bytes.Clone(file)
			b[at] ^= 1 << bit
			refused("flipped in byte", at, b)
		}
		refused("cut off at byte", at, file[:at])
	}
	for _, at := range []int{17, 18, 19, 22, 23} {
		b := bytes.Clone(file)
		b[at] ^= 1
		refused("another cost in byte", at, b)
	}
	refused("a byte more", 0, append(bytes.Clone(file), 0))
	other, err := os.ReadFile(provisioned(t).path)
	if err != nil {
		t.Fatal(err)
	}
	refused("another file's content", 0, append(bytes.Clone(file[:headerBytes]), other[headerBytes:]...))
}

func TestNothingSecretIsReadable(t *testing.T) {
	e := create(t)
	if err := errors.Join(e.Lock(), e.Write(12, []byte("a canary in the slot"))); err != nil {
		t.Fatal(err)
	}
	if _, err := e.GenerateKey(0); err != nil {
		t.Fatal(err)
	}
	scalar, err := e.content.keys[0].Bytes()
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(e.path)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string][]byte{"slot": []byte("canary"), "key": scalar, "passphrase": passphrase, "serial": e.content.serial} {
		if bytes.Contains(file, secret) {
			t.Errorf("the %s is in the file", name)
		}
	}
	info, err := os.Stat(e.path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A program that died while writing leaves a file of its own beside the element.
func TestTheElementIsAsBeforeWhenAWriteFails(t *testing.T) {
	e := provisioned(t)
	if err := os.WriteFile(e.path+".new-1", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	later := reopen(t, e)
	moved := e.path + "-moved"
	if err := os.Rename(e.path, moved); err != nil {
		t.Fatal(err)
	}
	if err := later.Write(12, []byte("other")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wrote to a file that is gone: %v", err)
	}
	if got, err := later.Read(12); err != nil || string(got) != "id" {
		t.Errorf("read %q, %v after a write that failed", got, err)
	}
	if err := os.Rename(moved, e.path); err != nil {
		t.Fatal(err)
	}
	if err := later.Write(12, []byte("other")); err != nil {
		t.Errorf("the file is back: %v", err)
	}
}

func TestTwoProgramsDoNotOverwriteEachOther(t *testing.T) {
	one := provisioned(t)
	two := reopen(t, one)
	if err := one.Write(12, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := two.Write(12, []byte("two")); !errors.Is(err, ErrChanged) {
		t.Errorf("overwrote another program's change: %v", err)
	}
	if err := one.Write(12, []byte("one again")); err != nil {
		t.Error(err)
	}
}

func TestWritingTheSameAgainWritesNothing(t *testing.T) {
	e := provisioned(t)
	before, err := os.ReadFile(e.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Write(12, []byte("id")); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(e.path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed: %v", err)
	}
}

func TestManyMayUseIt(t *testing.T) {
	e := provisioned(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 5 {
				if err := e.Write(20+i, []byte{byte(i)}); err != nil {
					t.Error(err)
				}
				if _, err := e.Sign(0, [32]byte{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	later := reopen(t, e)
	for i := range 8 {
		if b, err := later.Read(20 + i); err != nil || b[0] != byte(i) {
			t.Errorf("slot %d: % x, %v", 20+i, b, err)
		}
	}
}

func TestImport(t *testing.T) {
	e := provisioned(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der := func(b []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		der  []byte
		good bool
	}{
		"PKCS #8":  {der(x509.MarshalPKCS8PrivateKey(key)), true},
		"SEC 1":    {der(x509.MarshalECPrivateKey(key)), true},
		"P-384":    {der(x509.MarshalPKCS8PrivateKey(p384)), false},
		"RSA":      {der(x509.MarshalPKCS8PrivateKey(rsaKey)), false},
		"nonsense": {[]byte("x"), false},
	} {
		err := e.Import(5, c.der)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if c.good {
			if got, err := reopen(t, e).PublicKey(5); err != nil || !got.Equal(&key.PublicKey) {
				t.Errorf("%s: another key: %v", name, err)
			}
		}
	}
}

func TestAllSlotsFit(t *testing.T) {
	c := content{locked: true, serial: make([]byte, maxSerial)}.clone()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for slot := range MaxSlot + 1 {
		c.keys[slot], c.data[slot] = key, make([]byte, MaxData)
	}
	b := encode(c)
	got, err := decode(b)
	if err != nil || len(got.keys) != MaxSlot+1 || len(got.data) != MaxSlot+1 {
		t.Errorf("read %d keys, %d slots, %v", len(got.keys), len(got.data), err)
	}
	if len(b)+headerBytes+nonceBytes+16 > maxFile {
		t.Errorf("a full element has %d bytes", len(b))
	}
}

// Whatever stands in a file, Open refuses it with one of its errors, and what was sealed
// decodes only if it is what encode writes.
func FuzzContent(f *testing.F) {
	e := provisioned(f)
	f.Add(encode(e.content))
	f.Add(encode(content{serial: make([]byte, 6)}))
	f.Fuzz(func(t *testing.T, plain []byte) {
		c, err := decode(plain)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if back := encode(c); !bytes.Equal(back, plain) {
			t.Fatalf("% x, then % x", plain, back)
		}
	})
}

func FuzzFile(f *testing.F) {
	e := provisioned(f)
	file, err := os.ReadFile(e.path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(file[:headerBytes+nonceBytes])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, _, err := readHeader(b)
		if err == nil && (h.memory > 64 || h.passes > 2) {
			return // only slow
		}
		// What opens was sealed with the passphrase: a seed, for the fuzzer cannot do that.
		if _, c, err := open(b, passphrase); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrSealed) {
			t.Fatalf("refused with %v", err)
		} else if err == nil && len(c.serial) == 0 {
			t.Fatalf("opened as nothing: % x", b)
		}
	})
}
