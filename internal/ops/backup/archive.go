package backup

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// An archive is
//
//	8    magic
//	4    length of the head, big-endian, at most maxHead
//	n    head, JSON, in clear: what this is, and the archive's key for each who may open it
//	...  Tink streaming AEAD, AES-256-GCM-HKDF with segments of 1 MiB, up to the end of the
//	     archive; bound to everything before it
//
// and in the stream
//
//	'F'  a file: 2 bytes length of the name, name, 4 bytes mode, then chunks
//	     of 4 bytes length and as many bytes, the last with length 0
//	'E'  the end: 2 bytes length, and an ECDSA P-256 signature over SHA-256 of everything
//	     before, the head included; nothing follows
const (
	magic     = "ardesia\x01"
	maxHead   = 64 << 10
	maxName   = 255
	maxChunk  = 1 << 20
	maxFiles  = 10_000
	maxSigned = 256 // an ECDSA P-256 signature has at most 72 bytes
	segment   = 1 << 20
	keyBytes  = 32

	markFile = 'F'
	markEnd  = 'E'
)

// The kinds of archives.
const (
	kindData    = "data"
	kindKeyring = "keyring"
)

// A Head is what an archive tells without a key. Believe it once the archive was read to its end.
type Head struct {
	Version    int              `json:"version"`
	Kind       string           `json:"kind"`
	ID         string           `json:"id"`    // of this archive
	Store      string           `json:"store"` // keys.Root.Store of the house
	MadeAt     time.Time        `json:"made_at"`
	Program    string           `json:"program"` // who wrote it, for people
	Signer     []byte           `json:"signer"`  // SubjectPublicKeyInfo
	Recipients []keys.Recipient `json:"recipients,omitempty"`
}

// aad is what the archive's key is bound to.
func (h Head) aad() ([]byte, error) {
	h.Recipients = nil
	return json.Marshal(h)
}

func stream(key []byte) (*subtle.AESGCMHKDF, error) {
	return subtle.NewAESGCMHKDF(key, "SHA256", keyBytes, segment, 0)
}

// writer writes one archive.
type writer struct {
	sealed io.WriteCloser
	sum    hash.Hash // of everything before the end
	buf    []byte
}

// newWriter writes the head of an archive that those of root may open.
func newWriter(ctx context.Context, root *keys.Root, w io.Writer, h Head) (*writer, error) {
	h.Version = 1
	aad, err := h.aad()
	if err != nil {
		return nil, err
	}
	key := secret.Random(keyBytes)
	defer clear(key)
	if h.Recipients, err = root.WrapArchive(ctx, key, aad); err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	if len(text) > maxHead {
		return nil, fmt.Errorf("the head of an archive has %d bytes, want at most %d", len(text), maxHead)
	}
	begin := append([]byte(magic), binary.BigEndian.AppendUint32(nil, uint32(len(text)))...)
	begin = append(begin, text...)
	if _, err := w.Write(begin); err != nil {
		return nil, err
	}
	s, err := stream(key)
	if err != nil {
		return nil, err
	}
	sealed, err := s.NewEncryptingWriter(w, begin)
	if err != nil {
		return nil, err
	}
	a := &writer{sealed: sealed, sum: sha256.New(), buf: make([]byte, maxChunk)}
	a.sum.Write(begin)
	return a, nil
}

func (a *writer) write(b []byte) error {
	a.sum.Write(b)
	_, err := a.sealed.Write(b)
	return err
}

// file adds a file with the content of r, however long it is.
func (a *writer) file(name string, mode fs.FileMode, r io.Reader) error {
	if err := checkName(name); err != nil {
		return err
	}
	b := append([]byte{markFile}, binary.BigEndian.AppendUint16(nil, uint16(len(name)))...)
	b = append(b, name...)
	b = binary.BigEndian.AppendUint32(b, uint32(mode.Perm()))
	if err := a.write(b); err != nil {
		return err
	}
	for {
		n, err := io.ReadFull(r, a.buf)
		if n > 0 {
			if err := a.write(binary.BigEndian.AppendUint32(nil, uint32(n))); err != nil {
				return err
			}
			if err := a.write(a.buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return a.write(make([]byte, 4))
		case err != nil:
			return fmt.Errorf("read %s for an archive: %w", name, err)
		}
	}
}

// end signs and closes the archive.
func (a *writer) end(signer crypto.Signer) error {
	signature, err := signer.Sign(rand.Reader, a.sum.Sum(nil), crypto.SHA256)
	if err != nil {
		return fmt.Errorf("sign an archive: %w", err)
	}
	b := append([]byte{markEnd}, binary.BigEndian.AppendUint16(nil, uint16(len(signature)))...)
	if err := a.write(append(b, signature...)); err != nil {
		return err
	}
	return a.sealed.Close()
}

// counter knows how far an archive was read, and whether reading itself failed.
type counter struct {
	ctx  context.Context
	r    io.Reader
	n    int64
	fail error
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		c.fail = err
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.fail = err
	}
	return n, err
}

// reader reads one archive.
type reader struct {
	Head
	name  string // of the archive, for errors
	raw   *counter
	plain io.Reader
	sum   hash.Hash
	key   *ecdsa.PublicKey
	files int
	open  *content // the file that is being read
}

// damaged is the error for what is not as it was written, or the one that reading failed with.
func (a *reader) damaged(format string, args ...any) error {
	if a.raw.fail != nil {
		return fmt.Errorf("read archive %s at byte %d: %w", a.name, a.raw.n, a.raw.fail)
	}
	return ErrDamaged.With(fmt.Sprintf("%s is damaged at or before byte %d: %s. Use another copy of this archive, or an older one.", a.name, a.raw.n, fmt.Sprintf(format, args...)))
}

// readHead reads what is in clear, and returns it with the bytes that it came in.
func readHead(a *reader) ([]byte, error) {
	begin := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(a.raw, begin); err != nil {
		return nil, a.damaged("it ends within its head")
	}
	if string(begin[:len(magic)]) != magic {
		return nil, a.damaged("it does not begin as an archive of Ardesia does")
	}
	n := binary.BigEndian.Uint32(begin[len(magic):])
	if n > maxHead {
		return nil, a.damaged("its head claims %d bytes", n)
	}
	begin = append(begin, make([]byte, n)...)
	text := begin[len(begin)-int(n):]
	if _, err := io.ReadFull(a.raw, text); err != nil {
		return nil, a.damaged("it ends within its head")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&a.Head); err != nil {
		return nil, a.damaged("its head cannot be read")
	}
	switch {
	case a.Version > 1:
		return nil, ErrNewer.With(fmt.Sprintf("%s has version %d, and this Ardesia knows 1. Restore it with a newer one.", a.name, a.Version))
	case a.Version != 1 || (a.Kind != kindData && a.Kind != kindKeyring) || len(a.Recipients) > keys.MaxRecipients:
		return nil, a.damaged("its head makes no sense")
	}
	return begin, nil
}

// openArchive reads the head and unlocks the rest.
func openArchive(ctx context.Context, name string, r io.Reader, who keys.Access) (*reader, error) {
	a := &reader{name: name, raw: &counter{ctx: ctx, r: r}, sum: sha256.New()}
	begin, err := readHead(a)
	if err != nil {
		return nil, err
	}
	aad, err := a.aad()
	if err != nil {
		return nil, err
	}
	key, pinned, err := who.Unwrap(ctx, a.Recipients, aad)
	if err != nil {
		return nil, fmt.Errorf("open archive %s: %w", name, err)
	}
	defer clear(key)
	if pinned != nil && !bytes.Equal(pinned, a.Signer) {
		return nil, ErrSignature.With(name + " was signed by another house than the one that the recovery key belongs to.")
	}
	public, err := x509.ParsePKIXPublicKey(a.Signer)
	if err != nil {
		return nil, a.damaged("its head has no signer")
	}
	var ok bool
	if a.key, ok = public.(*ecdsa.PublicKey); !ok {
		return nil, a.damaged("its signer is no ECDSA key")
	}
	s, err := stream(key)
	if err != nil {
		return nil, err
	}
	if a.plain, err = s.NewDecryptingReader(a.raw, begin); err != nil {
		return nil, a.damaged("its content does not begin")
	}
	a.sum.Write(begin)
	return a, nil
}

// full reads exactly len(b) bytes of the stream.
func (a *reader) full(b []byte, what string) error {
	if _, err := io.ReadFull(a.plain, b); err != nil {
		return a.damaged("it was changed or cut off within %s", what)
	}
	return nil
}

// next returns the next file, whose content must be read to its end before the one after it. After the
// last one, and when the signature proved all of them, it returns io.EOF.
func (a *reader) next() (*content, error) {
	if a.open != nil && !a.open.ended {
		return nil, errors.New("backup: the file before was not read to its end")
	}
	var mark [1]byte
	if err := a.full(mark[:], "the list of files"); err != nil {
		return nil, err
	}
	switch mark[0] {
	case markFile:
		a.sum.Write(mark[:])
		return a.file()
	case markEnd:
		return nil, a.end()
	}
	return nil, a.damaged("it has a part of unknown kind %d", mark[0])
}

func (a *reader) file() (*content, error) {
	if a.files++; a.files > maxFiles {
		return nil, a.damaged("it has more than %d files", maxFiles)
	}
	var length [2]byte
	if err := a.full(length[:], "a name"); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > maxName {
		return nil, a.damaged("a name claims %d bytes", n)
	}
	b := make([]byte, int(n)+4)
	if err := a.full(b, "a name"); err != nil {
		return nil, err
	}
	name := string(b[:n])
	if err := checkName(name); err != nil {
		return nil, a.damaged("%v", err)
	}
	a.sum.Write(length[:])
	a.sum.Write(b)
	a.open = &content{a: a, name: name, mode: fs.FileMode(binary.BigEndian.Uint32(b[n:])).Perm()}
	return a.open, nil
}

// end checks the signature, and that nothing follows. It returns io.EOF when all is well.
func (a *reader) end() error {
	var length [2]byte
	if err := a.full(length[:], "its signature"); err != nil {
		return err
	}
	n := binary.BigEndian.Uint16(length[:])
	if n > maxSigned {
		return a.damaged("its signature claims %d bytes", n)
	}
	signature := make([]byte, n)
	if err := a.full(signature, "its signature"); err != nil {
		return err
	}
	if !ecdsa.VerifyASN1(a.key, a.sum.Sum(nil), signature) {
		return ErrSignature.With(a.name + " does not bear the signature of the house that it says it is from.")
	}
	var more [1]byte
	switch n, err := a.plain.Read(more[:]); {
	case n > 0:
		return a.damaged("something follows its end")
	case !errors.Is(err, io.EOF):
		return a.damaged("its end was changed")
	}
	return io.EOF
}

// content is one file of an archive.
type content struct {
	a     *reader
	name  string
	mode  fs.FileMode
	left  int // of the chunk
	ended bool
}

// Read implements io.Reader. Errors are those of the archive.
func (c *content) Read(p []byte) (int, error) {
	if c.ended {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.left == 0 {
		var length [4]byte
		if err := c.a.full(length[:], c.name); err != nil {
			return 0, err
		}
		c.a.sum.Write(length[:])
		n := binary.BigEndian.Uint32(length[:])
		if n > maxChunk {
			return 0, c.a.damaged("a chunk of %s claims %d bytes", c.name, n)
		}
		if n == 0 {
			c.ended = true
			return 0, io.EOF
		}
		c.left = int(n)
	}
	p = p[:min(len(p), c.left)]
	if err := c.a.full(p, c.name); err != nil {
		return 0, err
	}
	c.a.sum.Write(p)
	c.left -= len(p)
	return len(p), nil
}

// checkName accepts names of files below the data directory, in the form that all systems read alike.
func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." || len(name) > maxName || path.Clean(name) != name || strings.ContainsAny(name, "\\:\x00") {
		return fmt.Errorf("%q is not the name of a file in an archive", name)
	}
	return nil
}
