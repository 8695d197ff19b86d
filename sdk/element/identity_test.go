package element_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
)

const deviceID = "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"

var errPower = errors.New("the power was cut")

// failing is an element whose power is cut after some writes.
type failing struct {
	element.Element
	writes int
}

func (f *failing) Write(slot int, data []byte) error {
	if f.writes == 0 {
		return errPower
	}
	f.writes--
	return f.Element.Write(slot, data)
}

func newElement(t testing.TB) *twin.Twin {
	t.Helper()
	e, err := twin.Create(filepath.Join(t.TempDir(), "element"), []byte("secret"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func issue(t testing.TB, ca *ecdsa.PrivateKey, request []byte, serial byte) []byte {
	t.Helper()
	csr, err := boardcert.ParseCSR(request)
	if err != nil {
		t.Fatal(err)
	}
	der, err := boardcert.Issue(rand.Reader, ca, boardcert.Profile{
		DeviceID: csr.Name, Serial: [16]byte{serial}, AKI: [20]byte{1}, Key: csr.Key,
		NotBefore: time.Date(2026, 10, 17, 13, 0, 0, 0, time.UTC), Years: boardcert.Years,
	})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Between any two writes an element has the old certificate, none, or the new one; never
// one that was not issued.
func TestSaveIsSafeAgainstPowerCuts(t *testing.T) {
	for _, layout := range []element.Layout{element.ECCX08, element.SE050, element.SoftSE} {
		for cut := 0; ; cut++ {
			whole := element.Identity{Element: newElement(t), Layout: layout}
			if err := whole.Prepare(); err != nil {
				t.Fatal(err)
			}
			ca := newKey(t)
			request, err := whole.Request(deviceID, true)
			if err != nil {
				t.Fatal(err)
			}
			before, after := issue(t, ca, request, 1), issue(t, ca, request, 2)
			if err := whole.Save(before); err != nil {
				t.Fatal(err)
			}
			interrupted := element.Identity{Element: &failing{whole.Element, cut}, Layout: layout}
			saved := interrupted.Save(after)
			got, err := whole.Certificate()
			switch {
			case errors.Is(err, element.ErrNotProvisioned):
			case err == nil && (bytes.Equal(got, before) || bytes.Equal(got, after)):
			default:
				t.Errorf("%s, power cut after %d writes: %x, %v", layout.Name, cut, got, err)
			}
			if saved == nil {
				if !bytes.Equal(got, after) {
					t.Errorf("%s: saved, but %x, %v", layout.Name, got, err)
				}
				break
			}
			if !errors.Is(saved, errPower) {
				t.Errorf("%s: %v", layout.Name, saved)
			}
			if err := whole.Save(after); err != nil {
				t.Errorf("%s, again after %d writes: %v", layout.Name, cut, err)
			}
		}
	}
}

func TestWhatIsNoCertificateOfABoardIsNotSaved(t *testing.T) {
	id := element.Identity{Element: newElement(t), Layout: element.ECCX08}
	if err := id.Save([]byte("x")); !errors.Is(err, boardcert.ErrProfile) {
		t.Errorf("nonsense: %v", err)
	}
	if err := id.Prepare(); err != nil {
		t.Fatal(err)
	}
	ca := newKey(t)
	request, err := boardcert.MakeCSR(nil, newKey(t), deviceID)
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Save(issue(t, ca, request, 1)); !errors.Is(err, element.ErrNoKey) {
		t.Errorf("no key was made: %v", err)
	}
}

// An element of which a part was written by another program is not provisioned.
func TestStrangeSlotsAreNotProvisioned(t *testing.T) {
	for _, layout := range []element.Layout{element.ECCX08, element.SE050} {
		e := newElement(t)
		id := element.Identity{Element: e, Layout: layout}
		if err := id.Prepare(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.GenerateKey(layout.Key); err != nil {
			t.Fatal(err)
		}
		for _, w := range []struct {
			slot int
			data []byte
		}{{layout.DeviceID, append([]byte(deviceID), make([]byte, 36)...)}, {layout.Certificate, []byte("short")}, {layout.Issuer, make([]byte, 36)}} {
			if _, err := id.Certificate(); !errors.Is(err, element.ErrNotProvisioned) {
				t.Errorf("%s: %v", layout.Name, err)
			}
			if err := e.Write(w.slot, w.data); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := id.Certificate(); !errors.Is(err, element.ErrNotProvisioned) {
			t.Errorf("%s: %v", layout.Name, err)
		}
		if got, err := id.DeviceID(); err != nil || got != deviceID {
			t.Errorf("%s: %q, %v", layout.Name, got, err)
		}
	}
}

func TestSignerSignsOnlySHA256(t *testing.T) {
	e := newElement(t)
	if err := e.Lock(); err != nil {
		t.Fatal(err)
	}
	if _, err := element.NewSigner(e, 0); !errors.Is(err, element.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
	if _, err := e.GenerateKey(0); err != nil {
		t.Fatal(err)
	}
	s, err := element.NewSigner(e, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		digest []byte
		opts   crypto.SignerOpts
		good   bool
	}{
		"SHA-256":      {make([]byte, 32), crypto.SHA256, true},
		"SHA-384":      {make([]byte, 48), crypto.SHA384, false},
		"a short one":  {make([]byte, 31), crypto.SHA256, false},
		"no hash":      {make([]byte, 32), crypto.Hash(0), false},
		"no options":   {make([]byte, 32), nil, false},
		"another hash": {make([]byte, 32), crypto.SHA3_256, false},
	} {
		der, err := s.Sign(io.Reader(nil), c.digest, c.opts)
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if c.good && !ecdsa.VerifyASN1(s.Public().(*ecdsa.PublicKey), c.digest, der) {
			t.Errorf("%s: the signature is wrong", name)
		}
	}
}

// unlockable is an element that another program must lock.
type unlockable struct{ element.Element }

func (unlockable) Locked() (bool, error) { return false, nil }

func TestPrepareNeedsALocker(t *testing.T) {
	if err := (element.Identity{Element: unlockable{newElement(t)}}).Prepare(); !errors.Is(err, element.ErrUnlocked) {
		t.Errorf("got %v", err)
	}
}

// A device without a chip makes its key in a sealed file, asks for a certificate and
// keeps the answer there.
func ExampleIdentity() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	e, err := twin.Create(filepath.Join(dir, "element"), []byte("a secret of the device"), twin.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	id := element.Identity{Element: e, Layout: element.ECCX08}
	if err := id.Prepare(); err != nil {
		fmt.Println(err)
		return
	}
	request, err := id.Request("c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab", true)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(request[:35]))
	// The server's answer goes to id.Save; then id.TLS is what a device.Config needs.
	_, err = id.TLS()
	fmt.Println(err)
	// Output:
	// -----BEGIN CERTIFICATE REQUEST-----
	// element: there is no device's certificate; the device must be provisioned
}
