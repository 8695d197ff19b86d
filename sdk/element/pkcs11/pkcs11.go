//go:build pkcs11

package pkcs11

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"github.com/ardesia-iot/ardesia/sdk/element"
)

// MaxSlot is the highest number of a slot. These are ours, not PKCS #11's: objects are found by their
// label.
const MaxSlot = 255

// maxData bounds one slot; tokens have room for less or more.
const maxData = 4096

// prefix marks our objects among others on the token.
const prefix = "ardesia-"

// ErrToken is a token that is not in any reader, or bears a label that another one bears, too.
var ErrToken = errors.New("pkcs11: there is not exactly one token with this label")

// Config says where the token is.
type Config struct {
	Module string // the path of the library, such as /usr/lib/softhsm/libsofthsm2.so
	Token  string // the token's label
	PIN    string // of the user
}

// Element is one token. It is locked as soon as it has a user's PIN.
type Element struct {
	ctx   *pkcs11.Ctx
	token uint

	mu      sync.Mutex
	session pkcs11.SessionHandle // guarded by mu: an operation takes several calls
}

// modules are the libraries that are loaded. PKCS #11 initialises a library once per process,
// so it stays until the process ends.
var modules struct {
	sync.Mutex
	loaded map[string]*pkcs11.Ctx // guarded by the mutex
}

func load(path string) (*pkcs11.Ctx, error) {
	modules.Lock()
	defer modules.Unlock()
	if ctx := modules.loaded[path]; ctx != nil {
		return ctx, nil
	}
	ctx := pkcs11.New(path)
	if ctx == nil {
		return nil, fmt.Errorf("pkcs11: %s cannot be loaded", path)
	}
	if err := ctx.Initialize(); err != nil && err != pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		ctx.Destroy()
		return nil, fmt.Errorf("initialise %s: %w", path, err)
	}
	if modules.loaded == nil {
		modules.loaded = map[string]*pkcs11.Ctx{}
	}
	modules.loaded[path] = ctx
	return ctx, nil
}

// Open finds the token and logs in. Close it.
func Open(c Config) (*Element, error) {
	ctx, err := load(c.Module)
	if err != nil {
		return nil, err
	}
	token, err := find(ctx, c.Token)
	if err != nil {
		return nil, fmt.Errorf("find token %q: %w", c.Token, err)
	}
	session, err := ctx.OpenSession(token, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return nil, fmt.Errorf("open session with token %q: %w", c.Token, err)
	}
	if err := ctx.Login(session, pkcs11.CKU_USER, c.PIN); err != nil && err != pkcs11.Error(pkcs11.CKR_USER_ALREADY_LOGGED_IN) {
		ctx.CloseSession(session)
		return nil, fmt.Errorf("log in to token %q: %w", c.Token, err)
	}
	return &Element{ctx: ctx, token: token, session: session}, nil
}

func find(ctx *pkcs11.Ctx, label string) (uint, error) {
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return 0, err
	}
	found, token := 0, uint(0)
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		if err == nil && strings.TrimRight(info.Label, " \x00") == label {
			found++
			token = slot
		}
	}
	if found != 1 {
		return 0, ErrToken
	}
	return token, nil
}

// Close ends the session. Other elements on the same token stay open.
func (e *Element) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ctx.CloseSession(e.session)
}

// Serial is the token's number: its bytes if it is hexadecimal, else its characters.
func (e *Element) Serial() ([]byte, error) {
	info, err := e.ctx.GetTokenInfo(e.token)
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(info.SerialNumber, " \x00")
	if b, err := hex.DecodeString(text); err == nil && len(b) >= 6 {
		return b, nil
	}
	return []byte(text), nil
}

// Random fills b from the token's generator.
func (e *Element) Random(b []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	got, err := e.ctx.GenerateRandom(e.session, len(b))
	if err != nil {
		return err
	}
	copy(b, got)
	return nil
}

// Locked tells whether the token is initialised and has a user's PIN.
func (e *Element) Locked() (bool, error) {
	info, err := e.ctx.GetTokenInfo(e.token)
	if err != nil {
		return false, err
	}
	const both = pkcs11.CKF_TOKEN_INITIALIZED | pkcs11.CKF_USER_PIN_INITIALIZED
	return info.Flags&both == both, nil
}

// p256 is the named curve as CKA_EC_PARAMS has it.
var p256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// GenerateKey makes a key pair that cannot be read. The old pair is destroyed first, so that after a power cut
// there is one or none, never two.
func (e *Element) GenerateKey(slot int) (*ecdsa.PublicKey, error) {
	if slot < 0 || slot > MaxSlot {
		return nil, element.ErrSlot
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, class := range []uint{pkcs11.CKO_PRIVATE_KEY, pkcs11.CKO_PUBLIC_KEY} {
		if err := e.destroy(class, keyLabel(slot)); err != nil {
			return nil, fmt.Errorf("destroy the old key: %w", err)
		}
	}
	common := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, keyLabel(slot)),
		pkcs11.NewAttribute(pkcs11.CKA_ID, []byte{byte(slot)}),
	}
	_, _, err := e.ctx.GenerateKeyPair(e.session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		append([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256),
			pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		}, common...),
		append([]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
			pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		}, common...))
	if err != nil {
		return nil, fmt.Errorf("generate key pair: %w", err)
	}
	return e.publicKey(slot)
}

func keyLabel(slot int) string  { return fmt.Sprintf("%skey-%d", prefix, slot) }
func dataLabel(slot int) string { return fmt.Sprintf("%sslot-%d", prefix, slot) }

// search finds our objects of a class. It is called with mu held.
func (e *Element) search(class uint, label string) ([]pkcs11.ObjectHandle, error) {
	err := e.ctx.FindObjectsInit(e.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
	})
	if err != nil {
		return nil, err
	}
	found, _, err := e.ctx.FindObjects(e.session, 8)
	return found, errors.Join(err, e.ctx.FindObjectsFinal(e.session))
}

// destroy is called with mu held.
func (e *Element) destroy(class uint, label string) error {
	found, err := e.search(class, label)
	if err != nil {
		return err
	}
	for _, object := range found {
		if err := e.ctx.DestroyObject(e.session, object); err != nil {
			return err
		}
	}
	return nil
}

// PublicKey is the public half of a key.
func (e *Element) PublicKey(slot int) (*ecdsa.PublicKey, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.publicKey(slot)
}

// publicKey is called with mu held.
func (e *Element) publicKey(slot int) (*ecdsa.PublicKey, error) {
	found, err := e.search(pkcs11.CKO_PUBLIC_KEY, keyLabel(slot))
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, element.ErrNoKey
	}
	attributes, err := e.ctx.GetAttributeValue(e.session, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		return nil, err
	}
	point := attributes[0].Value
	var inner []byte // PKCS #11 wraps the point into an OCTET STRING; some modules do not
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, fmt.Errorf("read public key of slot %d: %w", slot, err)
	}
	return key, nil
}

// Sign lets the token sign a digest.
func (e *Element) Sign(slot int, digest [32]byte) ([64]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found, err := e.search(pkcs11.CKO_PRIVATE_KEY, keyLabel(slot))
	if err != nil {
		return [64]byte{}, err
	}
	if len(found) == 0 {
		return [64]byte{}, element.ErrNoKey
	}
	if err := e.ctx.SignInit(e.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, found[0]); err != nil {
		return [64]byte{}, err
	}
	s, err := e.ctx.Sign(e.session, digest[:])
	if err != nil {
		return [64]byte{}, err
	}
	if len(s) != 64 {
		return [64]byte{}, fmt.Errorf("pkcs11: a signature of %d bytes", len(s))
	}
	return [64]byte(s), nil
}

// Data objects cannot be changed on all tokens. So a write makes another one, whose value begins with a
// greater number of four bytes, and then destroys the older; a power cut in between leaves
// both, and the greater counts.
const sequenceBytes = 4

// latest finds the data object that counts, and all others. It is called with mu held.
func (e *Element) latest(slot int) (data []byte, sequence uint32, objects []pkcs11.ObjectHandle, err error) {
	objects, err = e.search(pkcs11.CKO_DATA, dataLabel(slot))
	if err != nil {
		return nil, 0, nil, err
	}
	for _, object := range objects {
		attributes, err := e.ctx.GetAttributeValue(e.session, object, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
		if err != nil {
			return nil, 0, nil, err
		}
		value := attributes[0].Value
		if len(value) < sequenceBytes {
			continue // not ours
		}
		if s := binary.BigEndian.Uint32(value); s > sequence {
			sequence, data = s, append([]byte{}, value[sequenceBytes:]...)
		}
	}
	return data, sequence, objects, nil
}

// Read returns what a slot holds.
func (e *Element) Read(slot int) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	data, sequence, _, err := e.latest(slot)
	if err != nil {
		return nil, err
	}
	if sequence == 0 {
		return nil, element.ErrEmpty
	}
	return data, nil
}

// Write replaces what a slot holds.
func (e *Element) Write(slot int, data []byte) error {
	if slot < 0 || slot > MaxSlot || len(data) > maxData {
		return element.ErrSlot
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	old, sequence, objects, err := e.latest(slot)
	if err != nil {
		return err
	}
	if sequence > 0 && bytes.Equal(old, data) {
		return nil
	}
	value := append(binary.BigEndian.AppendUint32(nil, sequence+1), data...)
	_, err = e.ctx.CreateObject(e.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_DATA),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_APPLICATION, "ardesia"),
		pkcs11.NewAttribute(pkcs11.CKA_LABEL, dataLabel(slot)),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, value),
	})
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := e.ctx.DestroyObject(e.session, object); err != nil {
			return fmt.Errorf("destroy the old data of slot %d: %w", slot, err)
		}
	}
	return nil
}

var _ element.Element = (*Element)(nil)
