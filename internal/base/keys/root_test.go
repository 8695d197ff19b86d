package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// TestMain makes guessing cheap: most tests are about what is done with a
// passphrase, and TestPassphraseIsDear is about what one costs.
func TestMain(m *testing.M) {
	cost.MemoryKiB, cost.Time = 64, 1
	os.Exit(m.Run())
}

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func at(moment time.Time) func() time.Time { return func() time.Time { return moment } }

func plainly() Options { return Options{Now: at(noon)} }

func with(passphrase string) Options {
	return Options{Now: at(noon), Passphrase: secret.New(passphrase)}
}

const (
	passphrase      = "a horse that is not a battery"
	otherPassphrase = "a staple that is not correct"
)

func open(t testing.TB, dir string, o Options) *Root {
	t.Helper()
	r, err := OpenRoot(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameKeys fails t unless both have the same keys.
func sameKeys(t *testing.T, a, b *Root) {
	t.Helper()
	for _, name := range fileKeys {
		if !bytes.Equal(a.FileKey(name), b.FileKey(name)) {
			t.Errorf("the key of %s changed", name)
		}
	}
	sealed, err := a.rows.Load().Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.rows.Load().Open(sealed, nil); err != nil {
		t.Errorf("the keyring key changed: %v", err)
	}
	if a.Store() != b.Store() {
		t.Errorf("the store %s became %s", a.Store(), b.Store())
	}
}

func TestFirstStartMakesKeysThatStay(t *testing.T) {
	for name, o := range map[string]Options{"plain": plainly(), "passphrase": with(passphrase)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := open(t, dir, o)
			seen := map[string]bool{}
			for _, name := range fileKeys {
				key := first.FileKey(name)
				if len(key) != 32 || seen[string(key)] {
					t.Errorf("the key of %s has %d bytes, or is another's", name, len(key))
				}
				seen[string(key)] = true
				key[0]++ // is a copy
			}
			sameKeys(t, first, open(t, dir, o))
			for path, want := range map[string]os.FileMode{"keys": 0o700, "keys/root.key": 0o600, "keys/keys.json": 0o600} {
				info, err := os.Stat(filepath.Join(dir, path))
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode().Perm(); got != want {
					t.Errorf("%s has mode %o, want %o", path, got, want)
				}
			}
			if got := len(first.Info()); got != 5 {
				t.Errorf("%d keys are listed, want 5", got)
			}
		})
	}
}

func TestTwoHousesHaveNothingInCommon(t *testing.T) {
	a, b := open(t, t.TempDir(), plainly()), open(t, t.TempDir(), plainly())
	if bytes.Equal(a.FileKey("core"), b.FileKey("core")) || a.Store() == b.Store() || a.RootID() == b.RootID() {
		t.Error("two first starts made the same key")
	}
}

func TestManyProcessesMayStartAtOnce(t *testing.T) {
	dir := t.TempDir()
	roots := make([]*Root, 8)
	var all sync.WaitGroup
	for i := range roots {
		all.Go(func() {
			var err error
			if roots[i], err = OpenRoot(t.Context(), dir, plainly()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, r := range roots {
		if r != nil {
			sameKeys(t, roots[0], r)
		}
	}
}

func TestUnknownFileHasNoKey(t *testing.T) {
	r := open(t, t.TempDir(), plainly())
	for _, name := range []string{"", "cores", keyringKey, backupKey} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("FileKey(%q) gave a key", name)
				}
			}()
			r.FileKey(name)
		}()
	}
}

// wantProblem fails t unless err is the problem and its sentence names the file.
func wantProblem(t *testing.T, err error, want *problem.Problem, names string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
		return
	}
	if !strings.Contains(err.Error(), names) {
		t.Errorf("%q does not name %s", err, names)
	}
}

func TestWhatCannotBeOpenedIsToldInASentence(t *testing.T) {
	write := func(path string, b []byte, mode os.FileMode) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, path), b, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod := func(path string, mode os.FileMode) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, path), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(path string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	from := func(name string) func(t *testing.T, dir string) { // another house's file
		return func(t *testing.T, dir string) {
			other := t.TempDir()
			open(t, other, plainly())
			b, err := os.ReadFile(filepath.Join(other, "keys", name))
			if err != nil {
				t.Fatal(err)
			}
			write("keys/"+name, b, 0o600)(t, dir)
		}
	}
	for name, c := range map[string]struct {
		first Options
		spoil func(t *testing.T, dir string)
		then  Options
		want  *problem.Problem
		names string
	}{
		"root key of another house":   {plainly(), from("root.key"), plainly(), ErrWrongKey, "keys/keys.json"},
		"keys of another house":       {plainly(), from("keys.json"), plainly(), ErrWrongKey, "keys/keys.json"},
		"wrong passphrase":            {with(passphrase), nil, with(otherPassphrase), ErrPassphrase, "keys/root.key"},
		"no passphrase":               {with(passphrase), nil, plainly(), ErrPassphrase, PassphraseVariable},
		"passphrase for a plain key":  {plainly(), nil, with(passphrase), ErrPassphrase, "keys/root.key"},
		"root key that others read":   {plainly(), chmod("keys/root.key", 0o640), plainly(), ErrReadable, "chmod 600"},
		"keys that others read":       {plainly(), chmod("keys/keys.json", 0o604), plainly(), ErrReadable, "keys/keys.json"},
		"directory that others enter": {plainly(), chmod("keys", 0o750), plainly(), ErrReadable, "chmod 700"},
		"root key missing":            {plainly(), remove("keys/root.key"), plainly(), ErrMissing, "keys/root.key"},
		"root key empty":              {plainly(), write("keys/root.key", nil, 0o600), plainly(), ErrDamaged, "keys/root.key"},
		"keys empty":                  {plainly(), write("keys/keys.json", nil, 0o600), plainly(), ErrDamaged, "keys/keys.json"},
		"keys too large":              {plainly(), write("keys/keys.json", make([]byte, maxFile+1), 0o600), plainly(), ErrDamaged, "keys/keys.json"},
		"keys of a newer version":     {plainly(), write("keys/keys.json", []byte(`{"version": 2, "what": "?"}`), 0o600), plainly(), ErrNewer, "keys/keys.json"},
		"a passphrase and a token":    {plainly(), nil, Options{Now: at(noon), Passphrase: secret.New(passphrase), Root: &token{id: "t"}}, ErrPassphrase, "elsewhere"},
		"a token that is not the one": {plainly(), nil, Options{Now: at(noon), Root: &token{id: "t"}}, ErrWrongKey, "keys/keys.json"},
		"keys lost beside a database": {plainly(), func(t *testing.T, dir string) {
			remove("keys/keys.json")(t, dir)
			write("core.db", []byte("x"), 0o600)(t, dir)
		}, plainly(), ErrMissing, "core.db"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir, c.first)
			if c.spoil != nil {
				c.spoil(t, dir)
			}
			_, err := OpenRoot(t.Context(), dir, c.then)
			wantProblem(t, err, c.want, c.names)
		})
	}
	t.Run("short passphrase", func(t *testing.T) {
		_, err := OpenRoot(t.Context(), t.TempDir(), with("short"))
		wantProblem(t, err, ErrPassphrase, "12")
	})
}

func TestEveryFlippedBitIsAnErrorThatNamesTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		file string
	}{
		"plain root.key":  {plainly(), "root.key"},
		"locked root.key": {with(passphrase), "root.key"},
		"keys.json":       {plainly(), "keys.json"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir, c.o)
			path := filepath.Join(dir, "keys", c.file)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range len(good) * 8 {
				bad := bytes.Clone(good)
				bad[i/8] ^= 1 << (i % 8)
				var err error
				if i/8%8 == i%8 { // one of each byte takes the whole way, which is slow
					if err := os.WriteFile(path, bad, 0o600); err != nil {
						t.Fatal(err)
					}
					_, err = OpenRoot(t.Context(), dir, c.o)
				} else if c.file == rootName {
					_, err = parseKeyFile(path, whatRoot, bad)
				} else {
					_, err = parseStoreFile(path, bad)
				}
				if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), c.file) {
					t.Fatalf("bit %d of byte %d (%q) flipped: %v", i%8, i/8, good[max(0, i/8-10):i/8+1], err)
				}
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
			open(t, dir, c.o)
		})
	}
}

// The checksum is for accidents. Who computes it anew is found out by the seals.
func TestForgedKeysAreRefused(t *testing.T) {
	for name, forge := range map[string]func(f *storeFile){
		"another store":        func(f *storeFile) { f.Store = "0123456789abcdef" },
		"another date":         func(f *storeFile) { f.MadeAt = f.MadeAt.Add(time.Hour) },
		"another body":         func(f *storeFile) { f.Sealed[len(f.Sealed)-20] ^= 1 },
		"another key":          func(f *storeFile) { f.Wrapped[len(f.Wrapped)-20] ^= 1 },
		"no body":              func(f *storeFile) { f.Sealed = nil },
		"no key":               func(f *storeFile) { f.Wrapped = nil },
		"body and key swapped": func(f *storeFile) { f.Wrapped, f.Sealed = f.Sealed, f.Wrapped },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			open(t, dir, plainly())
			path := filepath.Join(dir, "keys", storeName)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parseStoreFile(path, b)
			if err != nil {
				t.Fatal(err)
			}
			forge(&f)
			if err := os.WriteFile(path, f.encode(), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = OpenRoot(t.Context(), dir, plainly())
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrWrongKey) {
				t.Errorf("opened with %v", err)
			}
		})
	}
}

func TestNoKeyIsOnDiskInClear(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, with(passphrase))
	var secrets [][]byte
	for _, k := range r.vault.Keys {
		secrets = append(secrets, k.Secret)
	}
	noneOnDisk(t, dir, append(secrets, []byte(passphrase)))
}

// noneOnDisk looks for the secrets in every file below dir, as bytes, hex and base64.
func noneOnDisk(t *testing.T, dir string, secrets [][]byte) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for i, s := range secrets {
			for form, text := range map[string][]byte{"bytes": s, "hex": []byte(hex.EncodeToString(s)), "base64": []byte(base64.StdEncoding.EncodeToString(s))} {
				if bytes.Contains(b, text) {
					t.Errorf("%s holds secret %d as %s", path, i, form)
				}
			}
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Errorf("looked into %d files, %v", files, err)
	}
}

func TestPassphraseIsDear(t *testing.T) {
	old := cost
	defer func() { cost = old }()
	cost.MemoryKiB, cost.Time = 64<<10, 3
	dir := t.TempDir()
	open(t, dir, with(passphrase))
	b, err := os.ReadFile(filepath.Join(dir, "keys", rootName))
	if err != nil {
		t.Fatal(err)
	}
	var f keyFile
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	if got := *f.Argon2; got.MemoryKiB != 65536 || got.Time != 3 || len(got.Salt) != 16 {
		t.Errorf("the cost is %+v, want 64 MiB and 3 passes", got)
	}
	cost = old // what the file says counts, not what we would write today
	open(t, dir, with(passphrase))
}

func TestPassphraseFile(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		want string
		err  *problem.Problem
	}{
		"one line":          {"a long passphrase\n", 0o600, "a long passphrase", nil},
		"no end of line":    {"a long passphrase", 0o400, "a long passphrase", nil},
		"Windows":           {"a long passphrase\r\n", 0o600, "a long passphrase", nil},
		"spaces count":      {" a b \nsecond line", 0o600, " a b ", nil},
		"empty":             {"\nx", 0o600, "", ErrPassphrase},
		"readable by group": {"a long passphrase\n", 0o640, "", ErrReadable},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "pass")
			if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
				t.Fatal(err)
			}
			got, err := ReadPassphrase(path)
			if c.err != nil {
				wantProblem(t, err, c.err, path)
				return
			}
			if err != nil || got.Reveal() != c.want {
				t.Errorf("read %q, %v; want %q", got.Reveal(), err, c.want)
			}
		})
	}
}

// A root key survives an editor and the mail, but for its content.
func TestKeyFileMayBeRetyped(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, plainly())
	path := filepath.Join(dir, "keys", rootName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, retype := range map[string]func([]byte) []byte{
		"Windows line ends": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), []byte("\r\n")) },
		"no last line end":  func(b []byte) []byte { return bytes.TrimSpace(b) },
		"some more of them": func(b []byte) []byte { return append(slices.Clone(b), "\n \n"...) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, retype(b), 0o600); err != nil {
				t.Fatal(err)
			}
			sameKeys(t, r, open(t, dir, plainly()))
		})
	}
}

// token is a root key outside: what one behind PKCS#11 looks like to us.
type token struct {
	id   string
	key  [32]byte
	down error
}

func (k *token) sealer() *sealer {
	key, err := newSealKey(9, k.key[:])
	if err != nil {
		panic(err)
	}
	return &sealer{keys: []*sealKey{key}}
}

func (k *token) ID() string { return k.id }

func (k *token) Wrap(_ context.Context, key, aad []byte) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	return k.sealer().Seal(key, aad)
}

func (k *token) Unwrap(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	if k.down != nil {
		return nil, k.down
	}
	return k.sealer().Open(wrapped, aad)
}

func TestRootKeyMayBeOutside(t *testing.T) {
	dir := t.TempDir()
	k := &token{id: "token-1"}
	o := Options{Now: at(noon), Root: k}
	r := open(t, dir, o)
	if _, err := os.Stat(filepath.Join(dir, "keys", rootName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a root.key: %v", err)
	}
	sameKeys(t, r, open(t, dir, o))
	k.down = errors.New("no token in the slot")
	if _, err := OpenRoot(t.Context(), dir, o); !errors.Is(err, k.down) {
		t.Errorf("without the token: %v", err)
	}
	_, err := OpenRoot(t.Context(), dir, Options{Now: at(noon), Root: &token{id: "token-1", key: [32]byte{1}}})
	wantProblem(t, err, ErrWrongKey, "keys/keys.json")
}

// A file of a newer house that knows one more database gets a key for it, and loses none.
func TestNewDatabasesGetKeys(t *testing.T) {
	dir := t.TempDir()
	old := open(t, dir, plainly())
	fileKeys = append(fileKeys, "audit")
	defer func() { fileKeys = fileKeys[:len(fileKeys)-1] }()
	r := open(t, dir, plainly())
	again := open(t, dir, plainly())
	if !bytes.Equal(r.FileKey("audit"), again.FileKey("audit")) || !bytes.Equal(old.FileKey("core"), again.FileKey("core")) {
		t.Error("a key did not stay")
	}
}

// Whatever the files hold, reading them gives keys or an error that names the
// file; it never panics, and never takes more memory than the bounds allow.
func FuzzFiles(f *testing.F) {
	dir := f.TempDir()
	open(f, dir, with(passphrase))
	for _, name := range []string{rootName, storeName} {
		b, err := os.ReadFile(filepath.Join(dir, "keys", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`{"version":1,"what":"ardesia root key","argon2":{"memory_kib":4294967295,"time":4294967295,"threads":255,"salt":""},"key":""}`))
	f.Add([]byte(`{"VERSION":1,"made_at":"9999-12-31T23:59:59.999999999+23:59"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseKeyFile("the/file", whatRoot, b)
		if err == nil && !bytes.Equal(k.encode(), tidy(b)) {
			t.Fatalf("%q was read and is written as %q", b, k.encode())
		}
		if err != nil && !strings.Contains(err.Error(), "the/file") {
			t.Fatalf("%v does not name the file", err)
		}
		s, err := parseStoreFile("the/file", b)
		if err == nil {
			if _, err := s.open(t.Context(), "the/file", &token{id: s.Root}); err == nil {
				t.Fatalf("%q opened", b)
			}
		} else if !strings.Contains(err.Error(), "the/file") {
			t.Fatalf("%v does not name the file", err)
		}
	})
}
