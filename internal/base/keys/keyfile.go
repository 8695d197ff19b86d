package keys

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

const (
	whatRoot     = "ardesia root key"
	whatRecovery = "ardesia recovery key"
	whatStore    = "ardesia keys"

	fileVersion = 1
	keyBytes    = 32
)

// A keyFile is one 32-byte key in a file of its own: root.key or recovery.key.
// It is text, so that it can be printed and typed, and is read back in the one
// form in which it is written, so that no changed bit goes unseen.
type keyFile struct {
	Version int          `json:"version"`
	What    string       `json:"what"`
	ID      string       `json:"id"` // says which key it is without telling the key
	MadeAt  time.Time    `json:"made_at"`
	Argon2  *argonParams `json:"argon2,omitempty"` // how to come from the passphrase to the key that seals this one; absent when the key is in clear
	Signer  []byte       `json:"signer,omitempty"` // recovery.key: whose archives it opens (SubjectPublicKeyInfo)
	Key     []byte       `json:"key"`
	Sum     string       `json:"sum"` // of all the rest: tells a damaged file from a wrong passphrase
}

// argonParams are the cost of one guess.
type argonParams struct {
	MemoryKiB uint32 `json:"memory_kib"`
	Time      uint32 `json:"time"`
	Threads   uint8  `json:"threads"`
	Salt      []byte `json:"salt"`
}

// cost is the second choice of RFC 9106, section 4: 64 MiB, 3 passes, 4 lanes. It
// takes about 0.1 s, once per start.
var cost = argonParams{MemoryKiB: 64 << 10, Time: 3, Threads: 4}

// maxCost is what we accept in a file: a changed one must not take all memory before it is refused.
var maxCost = argonParams{MemoryKiB: 1 << 20, Time: 16, Threads: 16}

// idOf names a key by a keyed hash: 64 bits, enough to tell keys apart, of no help in finding one.
func idOf(key []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("ardesia key id 1"))
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// newKeyFile makes the file for key, locked by passphrase unless that is empty.
func newKeyFile(what string, key []byte, passphrase secret.String, signer []byte, now time.Time) (keyFile, error) {
	f := keyFile{Version: fileVersion, What: what, ID: idOf(key), MadeAt: now.UTC().Truncate(time.Second), Signer: signer}
	if passphrase.IsZero() {
		f.Key = key
		return f, nil
	}
	if len([]rune(passphrase.Reveal())) < MinPassphrase {
		return keyFile{}, ErrPassphrase.With(fmt.Sprintf("A passphrase for the %s has at least %d characters.", what[len("ardesia "):], MinPassphrase))
	}
	params := cost
	params.Salt = secret.Random(16)
	f.Argon2 = &params
	s, err := f.lock(passphrase)
	if err != nil {
		return keyFile{}, err
	}
	f.Key, err = s.Seal(key, f.aad())
	return f, err
}

// lock makes the Sealer that the passphrase stands for.
func (f keyFile) lock(passphrase secret.String) (*sealer, error) {
	p := f.Argon2
	key := argon2.IDKey([]byte(passphrase.Reveal()), p.Salt, p.Time, p.MemoryKiB, p.Threads, keyBytes)
	defer clear(key)
	k, err := newSealKey(0, key)
	if err != nil {
		return nil, err
	}
	return &sealer{keys: []*sealKey{k}}, nil
}

// aad is everything in the file but the key and the sum.
func (f keyFile) aad() []byte {
	f.Key, f.Sum = nil, ""
	return f.marshal()
}

func (f keyFile) marshal() []byte { return marshalFile(f) }

// encode returns the file with its sum.
func (f keyFile) encode() []byte {
	f.Sum = ""
	f.Sum = sumOf(f.marshal())
	return f.marshal()
}

// parseKeyFile reads b, which came from path.
func parseKeyFile(path, what string, b []byte) (keyFile, error) {
	var f keyFile
	if err := parseFile(path, b, &f); err != nil {
		return keyFile{}, err
	}
	if !bytes.Equal(f.encode(), tidy(b)) {
		return keyFile{}, damaged(path, "its checksum does not fit its content")
	}
	if f.What != what {
		return keyFile{}, damaged(path, fmt.Sprintf("it holds a %q, not a %q", f.What, what))
	}
	want := keyBytes
	if p := f.Argon2; p != nil {
		want += Overhead
		if p.MemoryKiB < 8 || p.MemoryKiB > maxCost.MemoryKiB || p.Time < 1 || p.Time > maxCost.Time || p.Threads < 1 || p.Threads > maxCost.Threads || len(p.Salt) != 16 {
			return keyFile{}, damaged(path, "the cost of its passphrase is out of bounds")
		}
	}
	if len(f.Key) != want {
		return keyFile{}, damaged(path, "its key has a wrong length")
	}
	return f, nil
}

// unlock returns the key itself.
func (f keyFile) unlock(path string, passphrase secret.String) ([]byte, error) {
	switch {
	case f.Argon2 == nil && !passphrase.IsZero():
		return nil, ErrPassphrase.With(path + " is not locked by a passphrase although one was given. Start without it, then lock the key with a rotation (docs/acts/rotate-root-key.md).")
	case f.Argon2 != nil && passphrase.IsZero():
		return nil, ErrPassphrase.With(path + " is locked by a passphrase. Give it in " + PassphraseVariable + " or in a file.")
	}
	key := f.Key
	if f.Argon2 != nil {
		s, err := f.lock(passphrase)
		if err != nil {
			return nil, err
		}
		if key, err = s.Open(f.Key, f.aad()); err != nil {
			return nil, ErrPassphrase.With("This passphrase does not open " + path + ".")
		}
	}
	if len(key) != keyBytes || idOf(key) != f.ID {
		return nil, damaged(path, "its key is not the one that it names")
	}
	return key, nil
}

// PassphraseVariable is the environment variable that cmd/ardesia takes the
// passphrase of the root key from.
const PassphraseVariable = "ARDESIA_ROOT_PASSPHRASE"

// ReadPassphrase takes a passphrase from the first line of a file that only we may read.
func ReadPassphrase(path string) (secret.String, error) {
	b, err := readPrivate(path)
	if err != nil {
		return secret.String{}, fmt.Errorf("read the passphrase: %w", err)
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if len(line) == 0 {
		return secret.String{}, ErrPassphrase.With("The first line of " + path + " is empty; it should be the passphrase.")
	}
	return secret.New(string(line)), nil
}

// marshalFile is the one form of a file with keys.
func marshalFile(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // numbers, strings, bytes and times of this century always marshal
		panic(err)
	}
	return append(b, '\n')
}

// parseFile decodes b into v, of which the caller then checks that it
// encodes to the same bytes again.
func parseFile(path string, b []byte, v any) error {
	var first struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &first); err != nil {
		return damaged(path, "it is not JSON")
	}
	if first.Version > fileVersion && first.Version < 100 {
		return ErrNewer.With(fmt.Sprintf("%s has version %d, and this Ardesia knows up to %d. Start a newer one.", path, first.Version, fileVersion))
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return damaged(path, "it does not have the fields that it should")
	}
	return nil
}

// tidy undoes what editors and mail do to a text on its way through a disaster.
func tidy(b []byte) []byte {
	b = bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n"))
	return append(bytes.TrimRight(b, " \t\n"), '\n')
}

func sumOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:16])
}

func damaged(path, why string) error {
	return ErrDamaged.With(path + " is damaged: " + why + ". Put it back from a copy, or restore a backup (docs/acts/restore.md).")
}
