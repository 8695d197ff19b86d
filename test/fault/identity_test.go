package fault

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// certify makes a key in the element, has it certified and keeps the certificate there. It says the
// certificate's id and what TLS needs.
func certify(t *testing.T, o *owner, i element.Identity, id string) (certificate string, proof *tls.Certificate) {
	t.Helper()
	request, err := i.Request(id, true)
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ ID, PEM string }
	o.do("PUT", "/iot/v2/devices/"+id+"/certs", map[string]any{"ca": "Arduino", "csr": string(request), "enabled": true}, &in)
	block, _ := pem.Decode([]byte(in.PEM))
	if block == nil {
		t.Fatalf("the certificate is %q", in.PEM)
	}
	if err := i.Save(block.Bytes); err != nil {
		t.Fatal(err)
	}
	c, err := i.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return in.ID, &c
}

// A board whose certificate is revoked is out at once and stays out, until it gets
// another one; then what it has measured meanwhile comes too. The old one is worth nothing for ever.
func TestCertificateRevoked(t *testing.T) {
	each(t, func(t *testing.T, h *servertest.House, o *owner, w *place) {
		file, passphrase := filepath.Join(t.TempDir(), "element"), []byte("a passphrase of this test")
		e, err := twin.Create(file, passphrase, twin.Config{})
		if err != nil {
			t.Fatal(err)
		}
		identity := element.Identity{Element: e, Layout: element.ECCX08}
		if err := identity.Prepare(); err != nil {
			t.Fatal(err)
		}
		id := o.device("board")
		o.do("DELETE", "/iot/v2/devices/"+id+"/pass", nil, nil)
		th := o.thing("thing", id)
		first, old := certify(t, o, identity, id)
		var proof atomic.Pointer[tls.Certificate]
		proof.Store(old)
		b := newBoard(t, w, h.CA(), id, recipe{identity: func() (tls.Certificate, error) { return *proof.Load(), nil }})
		b.on()
		b.awaitValues(300)

		connected, lost := b.events(device.Connected), b.events(device.Disconnected)
		o.do("DELETE", "/iot/v2/devices/"+id+"/certs/"+first, nil, nil)
		b.awaitEvent(device.Disconnected, lost+1)
		b.awaitRefusal()
		b.awaitEvent(device.Failed, b.events(device.Failed)+3)
		if n := b.events(device.Connected); n != connected {
			t.Errorf("with a revoked certificate there are %d more connections", n-connected)
		}
		o.awaitStatus(id, "OFFLINE")
		before := o.stored(th)
		before.missing(t, "acknowledged before the certificate was revoked", b.told())

		stolen := theft(t, file, passphrase)
		second, fresh := certify(t, o, identity, id)
		if second == first {
			t.Errorf("the second certificate has the id of the first, %s", first)
		}
		proof.Store(fresh)
		b.awaitEvent(device.Connected, connected+1)
		b.awaitValues(300)
		lost = b.events(device.Disconnected)

		// Somebody has kept the old key and certificate.
		thief := newBoard(t, w, h.CA(), id, recipe{identity: stolen.TLS})
		thief.on()
		thief.awaitRefusal()
		thief.awaitEvent(device.Failed, thief.events(device.Failed)+3)
		thief.off()
		if n := thief.events(device.Connected); n != 0 {
			t.Errorf("the revoked certificate made %d connections", n)
		}
		if n := b.events(device.Disconnected); n != lost {
			t.Errorf("the board was disconnected, because somebody has its old certificate: %v", b.lastFailure())
		}

		b.drain()
		stored := o.stored(th)
		same(t, b.told(), stored)
		o.recent(th, b.lasts())
		t.Logf("%d values acknowledged and stored", stored.len())
		settled(t, h, []*board{b})
	})
}

// theft is a copy of all that an element holds now.
func theft(t *testing.T, file string, passphrase []byte) element.Identity {
	t.Helper()
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	another := filepath.Join(t.TempDir(), "element")
	if err := os.WriteFile(another, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := twin.Open(another, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return element.Identity{Element: e, Layout: element.ECCX08}
}

// awaitRefusal waits until the house says no to the board's credentials, and does not only vanish.
func (b *board) awaitRefusal() {
	b.t.Helper()
	b.await("a refusal", func() bool {
		var no device.RefusedError
		return errors.As(b.failure, &no) && (no.Code == 4 || no.Code == 5)
	})
}

func (b *board) lastFailure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failure
}
