package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

const (
	canary     = "canary-kitchen-temperature"
	passphrase = "a horse that is not a battery"
)

// A house is what a backup is made of: real databases and real keys, on one engine.
type house struct {
	Source
	engine db.Engine
	now    time.Time
}

func newHouse(t testing.TB, engine db.Engine) *house {
	t.Helper()
	h := &house{engine: engine, now: noon}
	h.Dir, h.Program, h.Now = t.TempDir(), "ardesia test", func() time.Time { return h.now }
	if err := os.Chmod(h.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	if h.Root, err = keys.OpenRoot(t.Context(), h.Dir, keys.Options{Now: h.Now}); err != nil {
		t.Fatal(err)
	}
	dsn := ""
	if engine == db.Postgres {
		dsn = dbtest.Postgres(t)
	}
	for name, to := range map[string]**db.DB{schema.Core: &h.Core, schema.History: &h.History, schema.Keyring: &h.Keyring} {
		*to = openOne(t, h.Dir, dsn, h.Root, name)
	}
	if h.Ring, err = h.Root.Ring(t.Context(), h.Keyring); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"tls/ca.pem": "the authority", "ca/device-ca.pem": "the device authority", "ardesia.toml": "# nothing", "addresses.json": "{}"} {
		path = filepath.Join(h.Dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func openOne(t testing.TB, dir, dsn string, root *keys.Root, name string) *db.DB {
	t.Helper()
	migrations, err := schema.Of(name)
	if err != nil {
		t.Fatal(err)
	}
	c := db.Config{Schema: name, Now: func() time.Time { return noon }, Readers: 1, Migrations: migrations}
	if dsn == "" {
		c.Path, c.Key = filepath.Join(dir, name+".db"), root.FileKey(name)
	} else {
		c.Engine, c.DSN = db.Postgres, dsn
	}
	return dbtest.Open(t, c)
}

// put seals text under the key of a space and keeps it as the name of an organisation, which is as good as any row.
func (h *house) put(t testing.TB, space, text string) {
	t.Helper()
	s, err := h.Ring.Space(t.Context(), space)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.Seal([]byte(text), keys.Place("test", space))
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Core.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into org (id, kind, owner, name, created_at, keep_days) values ($1, 'shared', 'owner', $2, 0, 0)`, space, sealed)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// get opens the row of a space in a house.
func get(t testing.TB, core *db.DB, ring *keys.Ring, space string) (string, error) {
	t.Helper()
	var sealed []byte
	if err := core.Read(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select name from org where id = $1`, space).Scan(&sealed)
	}); err != nil {
		t.Fatal(err)
	}
	s, err := ring.Space(t.Context(), space)
	if err != nil {
		return "", err
	}
	plain, err := s.Open(sealed, keys.Place("test", space))
	return string(plain), err
}

// reopen opens a restored house.
func reopen(t testing.TB, dir, dsn string, o keys.Options) (*db.DB, *keys.Ring) {
	t.Helper()
	o.Now = func() time.Time { return noon }
	root, err := keys.OpenRoot(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := root.Ring(t.Context(), openOne(t, dir, dsn, root, schema.Keyring))
	if err != nil {
		t.Fatal(err)
	}
	openOne(t, dir, dsn, root, schema.History)
	return openOne(t, dir, dsn, root, schema.Core), ring
}

func (h *house) backup(t testing.TB) Pair {
	t.Helper()
	p, err := To(t.Context(), h.Source, t.TempDir(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (h *house) request(t testing.TB, p Pair) Request {
	return Request{Archives: p, Dir: filepath.Join(t.TempDir(), "restored"), Access: keys.Access{Root: h.Root}, Now: h.Now}
}

// wantProblem fails t unless err is the problem and names what it should.
func wantProblem(t testing.TB, err error, want *problem.Problem, names ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
	for _, name := range names {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %q", err, name)
		}
	}
}

// nothing fails t if a restore left something at or beside its directory.
func nothing(t testing.TB, dir string) {
	t.Helper()
	if left, err := filepath.Glob(dir + "*"); err != nil || len(left) > 0 {
		t.Errorf("%s was left, %v", left, err)
	}
}

func TestWhatWasBackedUpIsRestored(t *testing.T) {
	for name, c := range map[string]struct{ from, to db.Engine }{
		"SQLite":               {db.SQLite, db.SQLite},
		"PostgreSQL":           {db.Postgres, db.Postgres},
		"SQLite to PostgreSQL": {db.SQLite, db.Postgres},
		"PostgreSQL to SQLite": {db.Postgres, db.SQLite},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.from)
			h.put(t, "a", "value of a")
			ca, err := h.Ring.Signer(t.Context(), "device-ca-1")
			if err != nil {
				t.Fatal(err)
			}
			q := h.request(t, h.backup(t))
			if c.to == db.Postgres {
				q.Database = dbtest.Postgres(t)
			}
			q.Keys.Passphrase = secret.New(passphrase)
			report, err := Restore(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if report.Keys != 6 || report.Files != 3 || report.Store != h.Root.Store() { // a, backup, device-ca-1, two purposes, wrap
				t.Errorf("report is %+v", report)
			}
			core, ring := reopen(t, q.Dir, q.Database, keys.Options{Passphrase: secret.New(passphrase)})
			if got, err := get(t, core, ring, "a"); err != nil || got != "value of a" {
				t.Errorf("the value is %q, %v", got, err)
			}
			again, err := ring.Signer(t.Context(), "device-ca-1")
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(again.Public()) != fmt.Sprint(ca.Public()) {
				t.Error("the device CA has another key")
			}
			for path, want := range map[string]string{"tls/ca.pem": "the authority", "ca/device-ca.pem": "the device authority", "ardesia.toml": "# nothing"} {
				if b, err := os.ReadFile(filepath.Join(q.Dir, path)); err != nil || string(b) != want {
					t.Errorf("%s is %q, %v", path, b, err)
				}
			}
			if _, err := os.Stat(filepath.Join(q.Dir, "addresses.json")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("addresses.json was restored: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(h.Dir, "*.tmp")); len(left) > 0 {
				t.Errorf("the backup left %s", left)
			}
		})
	}
}

func TestOpensForEachWhoMay(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.put(t, "a", "value of a")
	safe := t.TempDir()
	signer, err := h.Ring.Signer(t.Context(), "backup")
	if err != nil {
		t.Fatal(err)
	}
	recoveryFile := filepath.Join(safe, "recovery.key")
	if err := h.Root.NewRecovery(t.Context(), recoveryFile, signer.Public(), secret.New(passphrase)); err != nil {
		t.Fatal(err)
	}
	recovery, err := keys.ReadRecovery(recoveryFile, secret.New(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	copyRoot := func(name string) keys.Provider {
		b, err := os.ReadFile(filepath.Join(h.Dir, "keys", "root.key"))
		if err == nil {
			err = os.WriteFile(filepath.Join(safe, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := keys.ReadRoot(filepath.Join(safe, name), secret.String{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	older := copyRoot("older")
	old := h.backup(t)
	if err := h.Root.Rotate(t.Context(), keys.Options{}); err != nil {
		t.Fatal(err)
	}
	newer := copyRoot("newer")
	h.now = h.now.Add(time.Hour)
	fresh := h.backup(t)
	stranger := newHouse(t, db.SQLite)

	for name, c := range map[string]struct {
		who  keys.Access
		pair Pair
		want *problem.Problem
	}{
		"the house, new archives":                {keys.Access{Root: h.Root}, fresh, nil},
		"the house, archives of before rotation": {keys.Access{Root: h.Root}, old, nil},
		"recovery key":                           {keys.Access{Recovery: recovery}, fresh, nil},
		"copy of the root key":                   {keys.Access{Provider: newer}, fresh, nil},
		"copy of the old root key, old archives": {keys.Access{Provider: older}, old, nil},
		"copy of the root key, old data":         {keys.Access{Provider: newer}, Pair{old.Data, fresh.Keyring}, nil},
		"copy of the old root key, new archives": {keys.Access{Provider: older}, fresh, keys.ErrWrongKey},
		"another house":                          {keys.Access{Root: stranger.Root}, fresh, keys.ErrWrongKey},
		"nobody":                                 {keys.Access{}, fresh, keys.ErrWrongKey},
	} {
		t.Run(name, func(t *testing.T) {
			q := h.request(t, c.pair)
			q.Access = c.who
			_, err := Restore(t.Context(), q)
			if c.want != nil {
				wantProblem(t, err, c.want, c.pair.Keyring)
				nothing(t, q.Dir)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			core, ring := reopen(t, q.Dir, "", keys.Options{})
			if got, err := get(t, core, ring, "a"); err != nil || got != "value of a" {
				t.Errorf("the value is %q, %v", got, err)
			}
		})
	}
}

// What the package is for: erased is erased, also in archives of before.
func TestErasedSpaceIsUnreadableInAnOldArchive(t *testing.T) {
	for _, engine := range dbtest.Engines {
		t.Run(engine.String(), func(t *testing.T) {
			h := newHouse(t, engine)
			h.put(t, "gone", "value of gone")
			h.put(t, "kept", "value of kept")
			old := h.backup(t)
			if err := h.Ring.Erase(t.Context(), keys.KindSpace, "gone"); err != nil {
				t.Fatal(err)
			}
			h.now = h.now.Add(time.Hour)
			q := h.request(t, Pair{old.Data, h.backup(t).Keyring})
			if _, err := Restore(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			core, ring := reopen(t, q.Dir, "", keys.Options{})
			if got, err := get(t, core, ring, "gone"); !errors.Is(err, keys.ErrErased) {
				t.Errorf("the erased space has %q, %v", got, err)
			}
			if got, err := get(t, core, ring, "kept"); err != nil || got != "value of kept" {
				t.Errorf("the other space has %q, %v", got, err)
			}
		})
	}
}

func TestArchivesMustBelongTogether(t *testing.T) {
	h, other := newHouse(t, db.SQLite), newHouse(t, db.SQLite)
	first := h.backup(t)
	h.now = h.now.Add(time.Hour)
	second, foreign := h.backup(t), other.backup(t)
	for name, c := range map[string]struct {
		pair Pair
		want *problem.Problem
		file string
	}{
		"keyring of before":        {Pair{second.Data, first.Keyring}, ErrPair, first.Keyring},
		"data of another house":    {Pair{foreign.Data, first.Keyring}, keys.ErrWrongKey, foreign.Data},
		"keyring of another house": {Pair{first.Data, foreign.Keyring}, keys.ErrWrongKey, foreign.Keyring},
		"the two exchanged":        {Pair{first.Keyring, first.Data}, ErrPair, first.Data},
		"data twice":               {Pair{first.Data, first.Data}, ErrPair, first.Data},
	} {
		t.Run(name, func(t *testing.T) {
			q := h.request(t, c.pair)
			_, err := Restore(t.Context(), q)
			wantProblem(t, err, c.want, c.file)
			nothing(t, q.Dir)
		})
	}
	t.Run("keyring of before, allowed", func(t *testing.T) {
		q := h.request(t, Pair{second.Data, first.Keyring})
		q.OlderKeyring = true
		if _, err := Restore(t.Context(), q); err != nil {
			t.Error(err)
		}
	})
}

func TestRestoreNeverOverwrites(t *testing.T) {
	h := newHouse(t, db.SQLite)
	p := h.backup(t)
	q := h.request(t, p)
	if err := os.Mkdir(q.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(q.Dir, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Restore(t.Context(), q)
	wantProblem(t, err, ErrNotEmpty, q.Dir, "precious")
	if b, err := os.ReadFile(filepath.Join(q.Dir, "precious")); err != nil || string(b) != "x" {
		t.Errorf("what was there is %q, %v", b, err)
	}
	// An empty directory is taken, and so is what a cut-off restore left beside it.
	if err := errors.Join(os.Remove(filepath.Join(q.Dir, "precious")), os.Mkdir(q.Dir+".restoring", 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(q.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is %v, %v", info.Mode(), err)
	}
	nothing(t, q.Dir+".")
}

// Wherever the power goes off, there is no house yet or a whole one, and restoring again works.
func TestRestoreCutBetweenAnyTwoSteps(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.put(t, "a", "value of a")
	q := h.request(t, h.backup(t))
	type power struct{}
	for n, whole := 0, false; !whole; n++ {
		if n > 20 {
			t.Fatal("the restore does not end")
		}
		steps := 0
		q.cut = func(int) {
			if steps++; steps > n {
				panic(power{})
			}
		}
		func() {
			defer func() {
				if r := recover(); r != nil && r != any(power{}) {
					panic(r)
				}
			}()
			if _, err := Restore(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}()
		if _, err := os.Stat(q.Dir); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		whole = true
		if n < 7 {
			t.Errorf("there is a house after step %d", n)
		}
		core, ring := reopen(t, q.Dir, "", keys.Options{})
		if got, err := get(t, core, ring, "a"); err != nil || got != "value of a" {
			t.Errorf("the value is %q, %v", got, err)
		}
		nothing(t, q.Dir+".")
	}
}

func TestOldArchivesAreDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		keep time.Duration
		want map[string]int
	}{
		"data archives for ever":     {0, map[string]int{".data": 5 + 3, ".keyring": 3 + 2}},
		"data archives for four":     {4 * 24 * time.Hour, map[string]int{".data": 2 + 3, ".keyring": 3 + 2}},
		"data archives for an hour":  {time.Hour, map[string]int{".data": 1 + 3, ".keyring": 3 + 2}},
		"data archives for 12 days":  {12 * 24 * time.Hour, map[string]int{".data": 5 + 3, ".keyring": 3 + 2}},
		"data archives for a minute": {time.Minute, map[string]int{".data": 1 + 3, ".keyring": 3 + 2}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, db.SQLite)
			dir := t.TempDir()
			ours := "ardesia-" + h.Root.Store()
			for _, name := range []string{ // not to be touched
				"ardesia-0000000000000000-20200101T000000Z.keyring", "notes.keyring",
				"ardesia-0000000000000000-20200101T000000Z.data", ours + "-20200101T000000Z copy.data", ours + "-first.data",
			} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for range 5 { // days 0, 3, 6, 9, 12
				if _, err := To(t.Context(), h.Source, dir, c.keep); err != nil {
					t.Fatal(err)
				}
				h.now = h.now.Add(3 * 24 * time.Hour)
			}
			got := map[string]int{}
			found, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				got[filepath.Ext(f.Name())]++
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("the directory has %v, want %v", got, c.want)
			}
		})
	}
}

func TestNothingReadableIsInArchives(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.put(t, "a", canary)
	if err := os.WriteFile(filepath.Join(h.Dir, "ardesia.toml"), []byte("# "+canary), 0o600); err != nil {
		t.Fatal(err)
	}
	p := h.backup(t)
	exported, err := h.Root.Export()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{p.Data, p.Keyring} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for what, secret := range map[string][]byte{"a value": []byte(canary), "SQLite's header": []byte("SQLite format 3"), "SQL": []byte("create table"), "keys": exported[:60], "a name": []byte("tls/ca.pem")} {
			if bytes.Contains(bytes.ToLower(b), bytes.ToLower(secret)) {
				t.Errorf("%s has %s", name, what)
			}
		}
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v", name, info.Mode(), err)
		}
	}
}

func TestBackupWhileOthersWriteAndErase(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.put(t, "a", "value of a")
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			id := fmt.Sprint("busy-", i)
			_, err := h.Ring.Space(t.Context(), id)
			if err == nil {
				err = h.Ring.Erase(t.Context(), keys.KindSpace, id)
			}
			if err != nil {
				done <- err
				return
			}
		}
	}()
	p := h.backup(t)
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	q := h.request(t, p)
	if _, err := Restore(t.Context(), q); err != nil {
		t.Error(err)
	}
}

func TestFailedBackupLeavesNothing(t *testing.T) {
	h := newHouse(t, db.SQLite)
	if err := os.WriteFile(filepath.Join(h.Dir, "tls", "huge"), make([]byte, maxSmall+1), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := To(t.Context(), h.Source, dir, 0); err == nil || !strings.Contains(err.Error(), "tls/huge") {
		t.Errorf("got %v", err)
	}
	for _, dir := range []string{dir, h.Dir} {
		if left, _ := filepath.Glob(filepath.Join(dir, "*.[tp][ma][pr]*")); len(left) > 0 {
			t.Errorf("%s was left", left)
		}
	}
}
