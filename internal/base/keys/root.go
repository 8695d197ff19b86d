package keys

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

const storeName = "keys.json"

// The names of the keys in keys.json.
const (
	keyringKey = "keyring-rows" // a Tink keyset that wraps the rows of the keyring database
	backupKey  = "backup"       // a Tink keyset that wraps the keys of archives
)

// fileKeys are the databases that have a key of their own.
var fileKeys = []string{"core", "history", "keyring"}

// A storeFile is keys.json.
type storeFile struct {
	Version int       `json:"version"`
	What    string    `json:"what"`
	Store   string    `json:"store"` // the house's own name; part of what every wrapped key is bound to
	Root    string    `json:"root"`  // Provider.ID of what wrapped Wrapped
	MadeAt  time.Time `json:"made_at"`
	Wrapped []byte    `json:"wrapped"` // the key of Sealed, by the root key
	Sealed  []byte    `json:"sealed"`  // a vault
	Sum     string    `json:"sum"`
}

// A vault is the sealed body of keys.json.
type vault struct {
	Keys     []vaultKey      `json:"keys"` // by name
	Recovery *recoveryPublic `json:"recovery,omitempty"`
}

type vaultKey struct {
	Name   string    `json:"name"`
	MadeAt time.Time `json:"made_at"`
	Secret []byte    `json:"secret"` // 32 bytes of a file's key, or a Tink keyset
}

func (f storeFile) encode() []byte {
	f.Sum = ""
	f.Sum = sumOf(marshalFile(f))
	return marshalFile(f)
}

// aad is the head of the file; what says for which of the two parts.
func (f storeFile) aad(what string) []byte {
	f.Wrapped, f.Sealed, f.Sum = nil, nil, ""
	return append(Place("keys.json", what), marshalFile(f)...)
}

func parseStoreFile(path string, b []byte) (storeFile, error) {
	var f storeFile
	if err := parseFile(path, b, &f); err != nil {
		return storeFile{}, err
	}
	if !bytes.Equal(f.encode(), tidy(b)) {
		return storeFile{}, damaged(path, "its checksum does not fit its content")
	}
	if f.What != whatStore {
		return storeFile{}, damaged(path, fmt.Sprintf("it holds %q, not %q", f.What, whatStore))
	}
	return f, nil
}

// seal makes the file for v under a fresh key, which root wraps.
func (f storeFile) seal(ctx context.Context, root Provider, v vault) (storeFile, error) {
	key := secret.Random(keyBytes)
	defer clear(key)
	s, err := bodySealer(key)
	if err != nil {
		return storeFile{}, err
	}
	f.Root = root.ID()
	if f.Wrapped, err = root.Wrap(ctx, key, f.aad("key")); err != nil {
		return storeFile{}, fmt.Errorf("wrap with root key %s: %w", root.ID(), err)
	}
	body, err := json.Marshal(v)
	if err != nil {
		return storeFile{}, err
	}
	defer clear(body)
	f.Sealed, err = s.Seal(body, f.aad("body"))
	return f, err
}

// open is seal undone. path is for the errors.
func (f storeFile) open(ctx context.Context, path string, root Provider) (vault, error) {
	var v vault
	key, err := root.Unwrap(ctx, f.Wrapped, f.aad("key"))
	if errors.Is(err, ErrSeal) {
		return v, ErrWrongKey.With(fmt.Sprintf("%s says that it is wrapped by the root key %s, but that key does not open it: another one has its name, or the file was changed.", path, root.ID()))
	}
	if err != nil {
		return v, fmt.Errorf("unwrap %s with root key %s: %w", path, root.ID(), err)
	}
	defer clear(key)
	s, err := bodySealer(key)
	if err != nil {
		return v, damaged(path, "the key of its body is none")
	}
	body, err := s.Open(f.Sealed, f.aad("body"))
	if err != nil {
		return v, damaged(path, "its body was changed")
	}
	defer clear(body)
	if err := json.Unmarshal(body, &v); err != nil {
		return v, damaged(path, "its body cannot be read")
	}
	return v, nil
}

func bodySealer(key []byte) (*sealer, error) {
	k, err := newSealKey(0, key)
	if err != nil {
		return nil, err
	}
	return &sealer{keys: []*sealKey{k}}, nil
}

// A Root is an open keys.json. All methods may be called from any goroutine.
type Root struct {
	disk  disk
	store string
	now   func() time.Time

	archives *sealer                // of backupKey
	rows     atomic.Pointer[sealer] // of keyringKey; changed under mu

	mu    sync.Mutex
	root  Provider // guarded by mu
	vault vault    // guarded by mu
}

// OpenRoot opens DIR/keys, and makes it on a first start: then dir must hold no
// database yet, for whose keys are missing cannot be read by making new ones.
//
// It ends what a power cut interrupted. All errors that an operator can do
// something about are problems that name the file.
func OpenRoot(ctx context.Context, dir string, o Options) (*Root, error) {
	if o.Root != nil && !o.Passphrase.IsZero() {
		return nil, ErrPassphrase.With("A passphrase locks the root key in a file, but this root key is kept elsewhere.")
	}
	d := disk{dir: filepath.Join(dir, "keys"), cut: o.cut}
	release, err := d.open()
	if err != nil {
		return nil, err
	}
	defer release()
	b, err := d.read(storeName)
	if errors.Is(err, fs.ErrNotExist) {
		return makeStore(ctx, d, dir, o, nil)
	}
	if err != nil {
		return nil, err
	}
	f, err := parseStoreFile(d.path(storeName), b)
	if err != nil {
		return nil, err
	}
	root, err := d.rootFor(f.Root, o)
	if err != nil {
		return nil, err
	}
	v, err := f.open(ctx, d.path(storeName), root)
	if err != nil {
		return nil, err
	}
	if err := d.settle(f.Root, o.Root != nil); err != nil {
		return nil, err
	}
	if v.add(o.Now()) { // a newer Ardesia may know more databases
		if f, err = f.seal(ctx, root, v); err != nil {
			return nil, err
		}
		if err := d.replace(storeName, f.encode()); err != nil {
			return nil, err
		}
	}
	return newRoot(d, f, root, v, o)
}

// makeStore is the first start, or the start of a restored house.
func makeStore(ctx context.Context, d disk, dir string, o Options, from *bundle) (*Root, error) {
	old, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil {
		return nil, err
	}
	if len(old) > 0 {
		return nil, ErrMissing.With(fmt.Sprintf("%s is missing, but %s is there, which only its keys can read. Put it back from a copy, or restore a backup (docs/acts/restore.md).", d.path(storeName), old[0]))
	}
	root := o.Root
	if root == nil {
		// A root key without keys.json is from a first start that was cut off, or
		// was put there for this house: it has wrapped nothing here, so it is good.
		b, err := d.read(rootName)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			root, err = d.makeRootFile(rootName, o)
		case err == nil:
			root, err = openRootFile(d.path(rootName), b, o.Passphrase)
		}
		if err != nil {
			return nil, err
		}
	}
	f := storeFile{Version: fileVersion, What: whatStore, Store: hex.EncodeToString(secret.Random(8)), MadeAt: o.Now().UTC().Truncate(time.Second)}
	var v vault
	if from != nil {
		f.Store, v = from.Store, vault{Keys: slices.Clone(from.Keys), Recovery: from.Recovery}
	}
	v.add(o.Now())
	if f, err = f.seal(ctx, root, v); err != nil {
		return nil, err
	}
	if err := d.replace(storeName, f.encode()); err != nil {
		return nil, err
	}
	return newRoot(d, f, root, v, o)
}

func newRoot(d disk, f storeFile, root Provider, v vault, o Options) (*Root, error) {
	r := &Root{disk: d, store: f.Store, now: o.Now, root: root, vault: v}
	rows, err := v.sealer(keyringKey)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.path(storeName), err)
	}
	r.rows.Store(rows)
	if r.archives, err = v.sealer(backupKey); err != nil {
		return nil, fmt.Errorf("%s: %w", d.path(storeName), err)
	}
	return r, nil
}

// sealer makes a sealer of the keyset of that name.
func (v *vault) sealer(name string) (*sealer, error) {
	h, err := readKeyset(v.secret(name))
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", name, err)
	}
	s, err := newSealer(h)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", name, err)
	}
	return s, nil
}

// add makes the keys that v does not have yet, and says whether there were any.
func (v *vault) add(now time.Time) bool {
	missing := func(name string) bool { return v.secret(name) == nil }
	n := len(v.Keys)
	now = now.UTC().Truncate(time.Second)
	for _, name := range fileKeys {
		if missing(name) {
			v.Keys = append(v.Keys, vaultKey{name, now, secret.Random(keyBytes)})
		}
	}
	for _, name := range []string{keyringKey, backupKey} {
		if missing(name) {
			v.Keys = append(v.Keys, vaultKey{name, now, newKeyset(aead.XAES256GCM192BitNonceKeyTemplate())})
		}
	}
	slices.SortFunc(v.Keys, func(a, b vaultKey) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return len(v.Keys) > n
}

// secret is the key of that name, nil if there is none.
func (v *vault) secret(name string) []byte {
	for _, k := range v.Keys {
		if k.Name == name {
			return k.Secret
		}
	}
	return nil
}

// with returns v with another secret under name.
func (v vault) with(name string, secret []byte, at time.Time) vault {
	v.Keys = slices.Clone(v.Keys)
	for i := range v.Keys {
		if v.Keys[i].Name == name {
			v.Keys[i].Secret, v.Keys[i].MadeAt = secret, at.UTC().Truncate(time.Second)
		}
	}
	return v
}

// newKeyset makes a keyset with one fresh key. It ends the program when there is
// no such template, as crypto/rand does when there is no randomness.
func newKeyset(template *tinkpb.KeyTemplate) []byte {
	h, err := keyset.NewHandle(template)
	if err != nil {
		panic(err)
	}
	return writeKeyset(h)
}

// writeKeyset returns the secret bytes of a keyset.
func writeKeyset(h *keyset.Handle) []byte {
	var out bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&out)); err != nil {
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
}

// readKeyset reads what newKeyset made, once it is unsealed.
func readKeyset(b []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(b)))
}

// FileKey returns the 32-byte key of one database file: "core", "history" or
// "keyring". There is no key for any other name, and asking for one is a mistake
// in the program: it panics.
func (r *Root) FileKey(name string) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key := r.vault.secret(name); slices.Contains(fileKeys, name) && len(key) == keyBytes {
		return slices.Clone(key)
	}
	panic("keys: no file has the name " + name)
}

// Store is the house's own name: random, not secret, kept by a restore.
func (r *Root) Store() string { return r.store }

// An Info tells about one key without telling the key.
type Info struct {
	Name   string
	MadeAt time.Time
}

// Info lists the keys in keys.json with their age.
func (r *Root) Info() []Info {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Info, 0, len(r.vault.Keys)+1)
	for _, k := range r.vault.Keys {
		all = append(all, Info{k.Name, k.MadeAt})
	}
	if r.vault.Recovery != nil {
		all = append(all, Info{"recovery " + r.vault.Recovery.ID, r.vault.Recovery.MadeAt})
	}
	return all
}

// RootID names the root key that wraps keys.json now.
func (r *Root) RootID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.root.ID()
}

// rewrite puts a changed vault on disk, wrapped by next. It refuses when keys.json
// is wrapped by another root key than this Root knows, because another process
// rotated it. The caller holds r.mu and the lock of the directory.
func (r *Root) rewrite(ctx context.Context, next Provider, v vault) error {
	f, err := r.again()
	if err != nil {
		return err
	}
	if f, err = f.seal(ctx, next, v); err != nil {
		return err
	}
	return r.disk.replace(storeName, f.encode())
}

// again reads keys.json once more and checks that it is still ours.
func (r *Root) again() (storeFile, error) {
	path := r.disk.path(storeName)
	b, err := r.disk.read(storeName)
	if err != nil {
		return storeFile{}, fmt.Errorf("read keys again: %w", err)
	}
	f, err := parseStoreFile(path, b)
	if err != nil {
		return storeFile{}, err
	}
	if f.Root != r.root.ID() || f.Store != r.store {
		return storeFile{}, ErrWrongKey.With(path + " was changed by another program since this one opened it. Start again.")
	}
	return f, nil
}

// change lets fn change the vault and puts the result on disk. fn gets what is on
// disk now, which another process may have changed.
func (r *Root) change(ctx context.Context, fn func(v vault) (vault, error)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	release, err := r.disk.open()
	if err != nil {
		return err
	}
	defer release()
	v, err := r.reread(ctx)
	if err != nil {
		return err
	}
	if v, err = fn(v); err != nil {
		return err
	}
	if err := r.rewrite(ctx, r.root, v); err != nil {
		return err
	}
	return r.take(v)
}

// reread returns the vault that is on disk now. The caller holds r.mu.
func (r *Root) reread(ctx context.Context) (vault, error) {
	f, err := r.again()
	if err != nil {
		return vault{}, err
	}
	return f.open(ctx, r.disk.path(storeName), r.root)
}

// take makes v the vault in memory. The caller holds r.mu.
func (r *Root) take(v vault) error {
	rows, err := v.sealer(keyringKey)
	if err != nil {
		return err
	}
	r.rows.Store(rows)
	r.vault = v
	return nil
}

// reload takes what another process put into keys.json.
func (r *Root) reload(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, err := r.reread(ctx)
	if err != nil {
		return err
	}
	return r.take(v)
}
