package keys

import (
	"context"
	"crypto"
	"crypto/hpke"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// RecoveryName is where NewRecovery puts the private half when nobody says otherwise.
const RecoveryName = "keys/recovery.key"

// The scheme of recovery keys: HPKE (RFC 9180) with ML-KEM-768 and X25519
// together, so that archives that are stolen today stay closed to the computers of later.
func recoveryScheme() (hpke.KEM, hpke.KDF, hpke.AEAD) {
	return hpke.MLKEM768X25519(), hpke.HKDFSHA256(), hpke.AES256GCM()
}

// recoveryPublic is what the house keeps of a recovery key: enough to lock archives for it.
type recoveryPublic struct {
	ID     string    `json:"id"`
	Public []byte    `json:"public"`
	MadeAt time.Time `json:"made_at"`
}

// A Recovery is the private half of a recovery key: it opens archives when the
// machine and its root key are lost.
type Recovery struct {
	id      string
	private hpke.PrivateKey
	signer  []byte // SubjectPublicKeyInfo of who signs the archives that it opens
}

// NewRecovery makes a recovery key: the private half goes to path, which must not exist,
// locked by passphrase unless that is empty; the public half goes into keys.json,
// so that every archive from now on is locked for it too. An older recovery key opens older archives only.
//
// signer is the public key that archives are signed with. Anyone can lock an archive
// for a public key, so the private half remembers whose archives to believe.
func (r *Root) NewRecovery(ctx context.Context, path string, signer crypto.PublicKey, passphrase secret.String) error {
	spki, err := x509.MarshalPKIXPublicKey(signer)
	if err != nil {
		return fmt.Errorf("encode the key that signs archives: %w", err)
	}
	kem, _, _ := recoveryScheme()
	private, err := kem.GenerateKey()
	if err != nil {
		return err
	}
	seed, err := private.Bytes()
	if err != nil {
		return err
	}
	defer clear(seed)
	f, err := newKeyFile(whatRecovery, seed, passphrase, spki, r.now())
	if err != nil {
		return err
	}

	target := disk{dir: filepath.Dir(path), cut: r.disk.cut}
	return r.change(ctx, func(v vault) (vault, error) {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return v, ErrExists.With(path + " exists. A recovery key is never overwritten: move it away first.")
		}
		// The private half first: a public one that nobody can undo must not lock anything.
		if err := target.replace(filepath.Base(path), f.encode()); err != nil {
			return v, fmt.Errorf("write the recovery key: %w", err)
		}
		v.Recovery = &recoveryPublic{ID: f.ID, Public: private.PublicKey().Bytes(), MadeAt: f.MadeAt}
		return v, nil
	})
}

// ReadRecovery opens the private half of a recovery key.
func ReadRecovery(path string, passphrase secret.String) (*Recovery, error) {
	b, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("read a recovery key: %w", err)
	}
	f, err := parseKeyFile(path, whatRecovery, b)
	if err != nil {
		return nil, err
	}
	seed, err := f.unlock(path, passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	kem, _, _ := recoveryScheme()
	private, err := kem.NewPrivateKey(seed)
	if err != nil {
		return nil, damaged(path, "its key is none")
	}
	return &Recovery{id: f.ID, private: private, signer: f.Signer}, nil
}

// A Recipient is the key of one archive, wrapped for one of those who may open it.
type Recipient struct {
	Kind    string `json:"kind"` // "keys", "root" or "recovery"
	ID      string `json:"id"`   // of the key that wrapped it
	Wrapped []byte `json:"wrapped"`
}

const (
	forKeys     = "keys"     // by the backup key in keys.json, which outlives root keys
	forRoot     = "root"     // by the root key itself, for when keys.json is lost
	forRecovery = "recovery" // by the recovery key, for when all is lost
)

// MaxRecipients is how many an archive may name; there are three.
const MaxRecipients = 8

// WrapArchive wraps the key of an archive for all who may open it. aad is the
// archive's head.
func (r *Root) WrapArchive(ctx context.Context, key, aad []byte) ([]Recipient, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	byKeys, err := r.archives.Seal(key, archivePlace(forKeys, aad))
	if err != nil {
		return nil, err
	}
	byRoot, err := r.root.Wrap(ctx, key, archivePlace(forRoot, aad))
	if err != nil {
		return nil, fmt.Errorf("wrap the key of an archive by root key %s: %w", r.root.ID(), err)
	}
	all := []Recipient{{forKeys, r.store, byKeys}, {forRoot, r.root.ID(), byRoot}}
	if p := r.vault.Recovery; p != nil {
		kem, kdf, cipher := recoveryScheme()
		public, err := kem.NewPublicKey(p.Public)
		if err != nil {
			return nil, fmt.Errorf("read the public half of recovery key %s: %w", p.ID, err)
		}
		sealed, err := hpke.Seal(public, kdf, cipher, archivePlace(forRecovery, aad), key)
		if err != nil {
			return nil, fmt.Errorf("wrap the key of an archive for recovery key %s: %w", p.ID, err)
		}
		all = append(all, Recipient{forRecovery, p.ID, sealed})
	}
	return all, nil
}

func archivePlace(kind string, aad []byte) []byte { return append(Place("archive", kind), aad...) }

// Access is what someone has to open an archive with. Any one field is enough.
type Access struct {
	Root     *Root     // the house that wrote it, or one restored from it
	Provider Provider  // its root key at the time
	Recovery *Recovery // its recovery key at the time

	exported *sealer // of backupKey, from what Export gave
	store    string
}

// With adds what Export gave: a keyring archive opens the data archives of its house,
// also those of before a rotation of the root key.
func (a Access) With(exported []byte) (Access, error) {
	b, err := parseBundle(exported)
	if err != nil {
		return a, err
	}
	v := vault{Keys: b.Keys}
	a.store = b.Store
	a.exported, err = v.sealer(backupKey)
	return a, err
}

// Unwrap returns the key of an archive, or ErrWrongKey. signer, if not nil, is the
// only key (SubjectPublicKeyInfo) whose signature on the archive may be believed; when it is nil
// the archive's head, which is part of aad, has proved that it comes from the house itself.
func (a Access) Unwrap(ctx context.Context, all []Recipient, aad []byte) (key, signer []byte, err error) {
	var tried []error
	for _, one := range all {
		key, signer, err := a.unwrap(ctx, one, aad)
		if err == nil && len(key) == keyBytes {
			return key, signer, nil
		}
		if err != nil && !errors.Is(err, errNotMine) {
			tried = append(tried, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if len(tried) > 0 {
		return nil, nil, ErrWrongKey.With("The archive's head was changed, or is locked by another key of the same name: " + errors.Join(tried...).Error())
	}
	return nil, nil, ErrWrongKey.With("The archive is locked by other keys than the one at hand.")
}

var errNotMine = errors.New("locked by another key")

func (a Access) unwrap(ctx context.Context, one Recipient, aad []byte) (key, signer []byte, err error) {
	place := archivePlace(one.Kind, aad)
	switch {
	case one.Kind == forKeys && a.Root != nil && one.ID == a.Root.store:
		key, err = a.Root.archives.Open(one.Wrapped, place)
		return key, nil, err
	case one.Kind == forKeys && a.exported != nil && one.ID == a.store:
		key, err = a.exported.Open(one.Wrapped, place)
		return key, nil, err
	case one.Kind == forRoot && a.Root != nil && one.ID == a.Root.RootID():
		a.Root.mu.Lock()
		defer a.Root.mu.Unlock()
		key, err = a.Root.root.Unwrap(ctx, one.Wrapped, place)
		return key, nil, err
	case one.Kind == forRoot && a.Provider != nil && one.ID == a.Provider.ID():
		key, err = a.Provider.Unwrap(ctx, one.Wrapped, place)
		return key, nil, err
	case one.Kind == forRecovery && a.Recovery != nil && one.ID == a.Recovery.id:
		_, kdf, cipher := recoveryScheme()
		key, err = hpke.Open(a.Recovery.private, kdf, cipher, place, one.Wrapped)
		return key, a.Recovery.signer, err
	}
	return nil, nil, errNotMine
}

// A bundle is what a keyring archive holds of keys.json: what the rows of the
// keyring are wrapped by, and what keeps older archives readable. File keys are
// not in it; a restored house has its own.
type bundle struct {
	Store    string          `json:"store"`
	Keys     []vaultKey      `json:"keys"`
	Recovery *recoveryPublic `json:"recovery,omitempty"`
}

// Export returns the secrets that a keyring cannot be read without. They belong
// into a sealed archive, and nowhere else.
func (r *Root) Export() ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := bundle{Store: r.store, Recovery: r.vault.Recovery}
	for _, k := range r.vault.Keys {
		if !slices.Contains(fileKeys, k.Name) {
			b.Keys = append(b.Keys, k)
		}
	}
	return json.Marshal(b)
}

func parseBundle(exported []byte) (bundle, error) {
	var b bundle
	if len(exported) > maxFile {
		return b, ErrDamaged.With("The exported keys are too large.")
	}
	if err := json.Unmarshal(exported, &b); err != nil || b.Store == "" || len(b.Keys) > 64 {
		return b, ErrDamaged.With("The exported keys cannot be read.")
	}
	for _, name := range []string{keyringKey, backupKey} {
		if v := (vault{Keys: b.Keys}); v.secret(name) == nil {
			return b, ErrDamaged.With("The exported keys lack the key " + name + ".")
		}
	}
	return b, nil
}

// Import makes DIR/keys of a house that is being restored: what Export gave,
// new file keys, and a root key as o says, made new if there is none in dir.
func Import(ctx context.Context, dir string, exported []byte, o Options) (*Root, error) {
	b, err := parseBundle(exported)
	if err != nil {
		return nil, err
	}
	d := disk{dir: filepath.Join(dir, "keys"), cut: o.cut}
	release, err := d.open()
	if err != nil {
		return nil, err
	}
	defer release()
	there, err := d.exists(storeName)
	if err != nil {
		return nil, err
	}
	if there {
		return nil, ErrExists.With(d.path(storeName) + " exists; a restore needs an empty directory.")
	}
	return makeStore(ctx, d, dir, o, &b)
}
