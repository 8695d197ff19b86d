package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

func publicKey(t *testing.T) *ecdsa.PublicKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &key.PublicKey
}

func TestArchivesOpenForThoseTheyAreLockedFor(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, plainly())
	rootCopy := filepath.Join(t.TempDir(), "root.key")
	b, err := os.ReadFile(filepath.Join(dir, "keys", rootName))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rootCopy, b, 0o600); err != nil {
		t.Fatal(err)
	}
	oldRoot, err := ReadRoot(rootCopy, secret.String{})
	if err != nil {
		t.Fatal(err)
	}
	signer := publicKey(t)
	path := filepath.Join(t.TempDir(), "recovery.key")
	if err := r.NewRecovery(t.Context(), path, signer, secret.New(passphrase)); err != nil {
		t.Fatal(err)
	}
	recovery, err := ReadRecovery(path, secret.New(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	otherDir := t.TempDir()
	other := open(t, otherDir, plainly())
	if err := other.NewRecovery(t.Context(), filepath.Join(otherDir, RecoveryName), signer, secret.String{}); err != nil {
		t.Fatal(err)
	}
	otherRecovery, err := ReadRecovery(filepath.Join(otherDir, RecoveryName), secret.String{})
	if err != nil {
		t.Fatal(err)
	}

	key, head := secret.Random(keyBytes), []byte("head of the archive")
	all, err := r.WrapArchive(t.Context(), key, head)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Errorf("locked for %d, want 3", len(all))
	}
	if err := r.Rotate(t.Context(), with(passphrase)); err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who    Access
		head   string
		want   error
		signer []byte
	}{
		"the house, its root key rotated since": {Access{Root: r}, "", nil, nil},
		"the house at its next start":           {Access{Root: open(t, dir, with(passphrase))}, "", nil, nil},
		"a copy of the old root key":            {Access{Provider: oldRoot}, "", nil, nil},
		"the recovery key":                      {Access{Recovery: recovery}, "", nil, spki},
		"nobody":                                {Access{}, "", ErrWrongKey, nil},
		"another house":                         {Access{Root: other}, "", ErrWrongKey, nil},
		"another recovery key":                  {Access{Recovery: otherRecovery}, "", ErrWrongKey, nil},
		"the house, another head":               {Access{Root: r}, "x", ErrWrongKey, nil},
		"the old root key, another head":        {Access{Provider: oldRoot}, "x", ErrWrongKey, nil},
		"the recovery key, another head":        {Access{Recovery: recovery}, "x", ErrWrongKey, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, signer, err := c.who.Unwrap(t.Context(), all, append(bytes.Clone(head), c.head...))
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want == nil && (!bytes.Equal(got, key) || !bytes.Equal(signer, c.signer)) {
				t.Errorf("got key %x and signer %x, want %x and %x", got, signer, key, c.signer)
			}
		})
	}
}

func TestRecoveryKeyIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, plainly())
	path := filepath.Join(dir, RecoveryName)
	if err := r.NewRecovery(t.Context(), path, publicKey(t), secret.String{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, r.NewRecovery(t.Context(), path, publicKey(t), secret.String{}), ErrExists, path)
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed, %v", err)
	}
	again := open(t, dir, plainly())
	if got := again.Info(); len(got) != 6 {
		t.Errorf("%d keys are listed, want 6", len(got))
	}
}

func TestEveryFlippedBitOfARecoveryKeyIsAnError(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir, plainly())
	path := filepath.Join(dir, RecoveryName)
	if err := r.NewRecovery(t.Context(), path, publicKey(t), secret.New(passphrase)); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(good) * 8 {
		bad := bytes.Clone(good)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := parseKeyFile(path, whatRecovery, bad); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNewer) {
			t.Fatalf("bit %d flipped: %v", i, err)
		}
	}
	if _, err := ReadRoot(path, secret.New(passphrase)); !errors.Is(err, ErrDamaged) {
		t.Errorf("as a root key: %v, want %v", err, ErrDamaged)
	}
	_, err = ReadRecovery(path, secret.New(otherPassphrase))
	wantProblem(t, err, ErrPassphrase, path)
}

func TestNewRecoveryCutBetweenAnyTwoSteps(t *testing.T) {
	for n := range 16 {
		dir := t.TempDir()
		r := open(t, dir, plainly())
		steps := 0
		r.disk.cut = cutAt(plainly(), n, &steps).cut
		path := filepath.Join(dir, RecoveryName)
		cut := r.NewRecovery(t.Context(), path, publicKey(t), secret.String{})
		again := open(t, dir, plainly())
		sameKeys(t, r, again)
		if again.vault.Recovery != nil { // then its private half is there too
			if _, err := ReadRecovery(path, secret.String{}); err != nil {
				t.Errorf("cut at step %d: %v", n, err)
			}
		}
		if cut == nil {
			return
		}
	}
	t.Error("making a recovery key does not end")
}

func TestImportMakesAHouseThatReadsTheOldKeyring(t *testing.T) {
	h := &house{t.TempDir(), dbtest.Config(t, db.SQLite, dbtest.Keyring), noon}
	g, d := h.process(t, Options{})
	sealed := seal(t, space(t, g, "a"), "x")
	all, err := g.root.WrapArchive(t.Context(), make([]byte, keyBytes), nil)
	if err != nil {
		t.Fatal(err)
	}
	exported, err := g.root.Export()
	if err != nil {
		t.Fatal(err)
	}
	who, err := Access{}.With(exported)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := who.Unwrap(t.Context(), all, nil); err != nil {
		t.Errorf("archives of the house, with what was exported: %v", err)
	}
	dir := t.TempDir()
	r, err := Import(t.Context(), dir, exported, with(passphrase))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(r.FileKey("core"), g.FileKey("core")) {
		t.Error("the restored house has the old file keys")
	}
	again, err := open(t, dir, with(passphrase)).Ring(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, space(t, again, "a"), sealed, "x")
	if _, _, err := (Access{Root: r}).Unwrap(t.Context(), all, nil); err != nil {
		t.Errorf("archives of the old house: %v", err)
	}
	_, err = Import(t.Context(), dir, exported, with(passphrase))
	wantProblem(t, err, ErrExists, "keys.json")
	var b bundle
	if err := json.Unmarshal(exported, &b); err != nil {
		t.Fatal(err)
	}
	for _, name := range fileKeys {
		if (&vault{Keys: b.Keys}).secret(name) != nil {
			t.Errorf("the key of %s was exported", name)
		}
	}
	for name, bad := range map[string][]byte{"nothing": nil, "no store": []byte(`{}`), "no keys": []byte(`{"store":"x"}`), "not JSON": []byte("x"), "large": make([]byte, maxFile+1)} {
		if _, err := Import(t.Context(), t.TempDir(), bad, plainly()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v, want %v", name, err, ErrDamaged)
		}
	}
}
