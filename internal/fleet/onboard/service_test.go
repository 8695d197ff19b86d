package onboard

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

func TestBoardComesIn(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		if _, err := r.Claim(t.Context(), editor, b.claim(noon)); !errors.Is(err, ErrUnknownBoard) {
			t.Fatalf("Claim of a board that is not registered = %v", err)
		}
		id := r.bring(editor, b)
		o := r.one(editor, id)
		if o.HardwareID != b.hardware || o.Name != "gate" || o.BLEMAC != "01:23:45:67:89:AB" || o.ConnectionType != "wifi" || o.FQBN != nano ||
			o.Owner != editor.ID || !o.ClaimedAt.Equal(noon) || !o.ProvisionedAt.IsZero() {
			t.Errorf("after the claim: %+v", o)
		}
		if err := r.Complete(t.Context(), address, b.token(noon.Add(time.Second)), ""); !errors.Is(err, ErrNoClaim) {
			t.Errorf("Complete before the certificate = %v", err)
		}
		i := r.provision(b)
		if err := r.counts(i); err != nil {
			t.Errorf("the certificate: %v", err)
		}
		if o = r.one(editor, id); o.Device != i.Device || o.ProvisionedAt.IsZero() || !o.EndedAt.IsZero() {
			t.Errorf("after the certificate: %+v", o)
		}
		r.complete(b)
		if o = r.one(editor, id); o.EndedAt.IsZero() {
			t.Errorf("after the end: %+v", o)
		}
		d, err := h.start().devices.Get(t.Context(), editor, space, i.Device, false)
		if err != nil || d.HardwareID != b.hardware || d.Name != "gate" || d.BLEMAC != "01:23:45:67:89:AB" || d.ConnectionType != "wifi" || d.FQBN != nano ||
			d.Type != "nano_33_iot" || d.Serial != "0A1B2C" || d.WiFiFW != "1.6.0" || d.Owner != editor.ID || d.Locked {
			t.Errorf("the device: %+v, %v", d, err)
		}
		if got, want := h.actions(space), "board:register onboarding:claim onboarding:provision device:claim ca:issue onboarding:certify device:update onboarding:complete"; got != want {
			t.Errorf("journal has\n%s, want\n%s", got, want)
		}
		// It is on the list of its space alone, and not among what is still to come.
		if all, err := r.List(t.Context(), other, true); err != nil || len(all) != 0 {
			t.Errorf("another space sees %+v, %v", all, err)
		}
		if all, err := r.List(t.Context(), editor, false); err != nil || len(all) != 0 {
			t.Errorf("what is to come: %+v, %v", all, err)
		}
	})
}

func TestClaimRefuses(t *testing.T) {
	h := liteHouse(t)
	r, b, impostor := h.start(), newToy(t), newToy(t)
	r.device(editor, b)
	impostor.hardware = b.hardware
	now := h.clock()
	for what, c := range map[string]struct {
		claim Claim
		want  error
	}{
		"no token":                  {Claim{ConnectionType: "wifi"}, ErrClaimToken},
		"half a token":              {Claim{Token: b.token(now)[:100], ConnectionType: "wifi"}, ErrClaimToken},
		"another board":             {newToy(t).claim(now), ErrUnknownBoard},
		"another key":               {impostor.claim(now), ErrOtherKey},
		"an old token":              {b.claim(now.Add(-tokenLife - time.Second)), ErrStale},
		"a clock that is far ahead": {b.claim(now.Add(tokenAhead + time.Second)), ErrStale},
		"older than the last claim": {b.claim(noon.Add(-time.Minute)), ErrReplayed},
		"no way to the network":     {Claim{Token: b.token(now), Name: "x"}, ErrInvalid},
		"a way that is none":        {Claim{Token: b.token(now), ConnectionType: "pigeon"}, ErrInvalid},
		"a bad address":             {Claim{Token: b.token(now), ConnectionType: "wifi", BLEMAC: "0123456789ab"}, ErrInvalid},
		"a name too long":           {Claim{Token: b.token(now), ConnectionType: "wifi", Name: strings.Repeat("x", 65)}, ErrInvalid},
		"a name of control":         {Claim{Token: b.token(now), ConnectionType: "wifi", Name: "a\x00"}, ErrInvalid},
	} {
		if id, err := r.Claim(t.Context(), editor, c.claim); !errors.Is(err, c.want) || id != "" {
			t.Errorf("%s: %q, %v, want %v", what, id, err, c.want)
		}
	}
	if _, err := r.Claim(t.Context(), access.Actor{Kind: access.User, ID: editor.ID}, b.claim(now)); !errors.Is(err, access.ErrDenied) {
		t.Errorf("in no space: %v", err)
	}
	// A clock that is a little wrong does not matter.
	for _, skew := range []time.Duration{-tokenLife + time.Minute, 0, tokenAhead - time.Second} {
		late := newToy(t)
		if err := r.Register(t.Context(), editor, late.registration()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Claim(t.Context(), editor, late.claim(now.Add(skew))); err != nil {
			t.Errorf("a clock that is %v off: %v", skew, err)
		}
	}
}

func TestRegisterRefuses(t *testing.T) {
	r, b := liteHouse(t).start(), newToy(t)
	for what, change := range map[string]func(*Board){
		"no hardware id":       func(x *Board) { x.HardwareID = "" },
		"a short hardware id":  func(x *Board) { x.HardwareID = x.HardwareID[:63] },
		"not hexadecimal":      func(x *Board) { x.HardwareID = strings.Repeat("g", 64) },
		"no key":               func(x *Board) { x.PublicKey = "" },
		"something else":       func(x *Board) { x.PublicKey = string(b.csr()) },
		"a serial of control":  func(x *Board) { x.Serial = "a\n" },
		"another maker":        func(x *Board) { x.VID = "303a" },
		"no board of ours":     func(x *Board) { x.PID = "ffff" },
		"a board without key":  func(x *Board) { x.PID = "0070" }, // Nano ESP32
		"a pid of many digits": func(x *Board) { x.PID = "18057" },
		"a pid of no digits":   func(x *Board) { x.PID = "nano" },
	} {
		x := b.registration()
		change(&x)
		if err := r.Register(t.Context(), editor, x); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	x := b.registration()
	x.HardwareID, x.PID, x.VID = strings.ToUpper(x.HardwareID), "0x8057", "0x2341"
	if err := r.Register(t.Context(), editor, x); err != nil {
		t.Errorf("in other spelling: %v", err)
	}
	r.claim(editor, b)
}

// Nobody keeps a board from who has it by registering it with a key of their own; once somebody has
// shown to have it, its key stays as long as its device.
func TestKeyOfABoardStays(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b, impostor := h.start(), newToy(t), newToy(t)
		impostor.hardware = b.hardware
		if err := r.Register(t.Context(), other, impostor.registration()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Claim(t.Context(), editor, b.claim(noon)); !errors.Is(err, ErrUnknownBoard) {
			t.Fatalf("Claim of a board that somebody else has registered = %v, want that it is registered anew", err)
		}
		r.bring(editor, b)
		d := ""
		for _, when := range []string{"while it comes in", "while it is a device"} {
			if when == "while it is a device" {
				d = r.provision(b).Device
				r.complete(b)
			}
			if err := r.Register(t.Context(), other, impostor.registration()); !errors.Is(err, ErrRegistered) {
				t.Errorf("%s: Register with another key = %v", when, err)
			}
			if err := r.Register(t.Context(), other, b.registration()); err != nil {
				t.Errorf("%s: Register with the same key = %v", when, err)
			}
		}
		// Who has the device gives the board another key, as after its flash was wiped.
		if _, err := r.devices.RemoveHardwareID(t.Context(), editor, space, d); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		r.bring(other, impostor)
		if _, err := r.Claim(t.Context(), editor, b.claim(h.clock())); !errors.Is(err, ErrOtherKey) {
			t.Errorf("Claim with the old key = %v", err)
		}
	})
}

// A claim is signed by the board: who has it takes it along, unless its device is locked where it was.
func TestBoardMovesToWhoHasIt(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		r.bring(editor, b)
		old := r.provision(b)
		r.complete(b)
		b.device = newKey(t) // it makes a new one each time
		r.claim(other, b)
		if d, err := r.devices.Get(t.Context(), editor, space, old.Device, false); err != nil || d.HardwareID != b.hardware {
			t.Errorf("a claim alone has changed the device to %+v, %v", d, err)
		}
		moved := r.provision(b)
		r.complete(b)
		if moved.Device == old.Device {
			t.Errorf("the device moved with its board")
		}
		if d, err := r.devices.Get(t.Context(), editor, space, old.Device, false); err != nil || d.HardwareID != "" {
			t.Errorf("the device that it was is %+v, %v", d, err)
		}
		if d, err := r.devices.Get(t.Context(), other, otherSpace, moved.Device, false); err != nil || d.HardwareID != b.hardware || d.Owner != other.ID {
			t.Errorf("the device that it is is %+v, %v", d, err)
		}
		if err := r.counts(old); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("the certificate that it had: %v", err)
		}
		if got := h.actions(space); !strings.HasSuffix(got, "ca:revoke device:update board:move") {
			t.Errorf("the journal of the space that it was in: %s", got)
		}
		// Locked it stays, for its own space too, which has no less right to it.
		if _, err := r.devices.Update(t.Context(), other, otherSpace, moved.Device, func(d *device.Device) error { d.Locked = true; return nil }); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		if _, err := r.Claim(t.Context(), editor, b.claim(h.clock())); !errors.Is(err, ErrLocked) {
			t.Errorf("Claim of a locked board = %v", err)
		}
		r.claim(other, b)
	})
}

// Locking between the claim and the certificate counts.
func TestLockWins(t *testing.T) {
	h := liteHouse(t)
	r, b := h.start(), newToy(t)
	d := r.device(editor, b)
	h.pass(time.Second)
	r.claim(other, b)
	if _, err := r.devices.Update(t.Context(), editor, space, d, func(d *device.Device) error { d.Locked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Second)
	if _, err := r.Provision(t.Context(), address, b.token(h.clock()), b.csr()); !errors.Is(err, ErrLocked) {
		t.Errorf("Provision = %v", err)
	}
}

// Anyone can write a hardware id into a device of theirs, and lock it. That proves nothing, and holds nobody up.
func TestDeviceThatOnlySaysSoHoldsNobody(t *testing.T) {
	h := liteHouse(t)
	r, b := h.start(), newToy(t)
	squat, err := r.devices.Create(t.Context(), other, device.Device{Type: "nano_33_iot", HardwareID: b.hardware, Locked: true})
	if err != nil {
		t.Fatal(err)
	}
	d := r.device(editor, b)
	if got, err := r.devices.Get(t.Context(), editor, space, d, false); err != nil || got.HardwareID != b.hardware {
		t.Errorf("the device is %+v, %v", got, err)
	}
	if got, err := r.devices.Get(t.Context(), other, otherSpace, squat.ID, false); err != nil || got.HardwareID != "" {
		t.Errorf("the other one is %+v, %v", got, err)
	}
}

// A board that comes back to its space is the device that it was, with its thing and its history.
func TestBoardComesBackAsItself(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		r.bring(editor, b)
		first := r.provision(b)
		r.complete(b)
		b.device = newKey(t)
		h.pass(time.Hour)
		again := r.claim(friend, b)
		second := r.provision(b)
		if second.Device != first.Device {
			t.Errorf("it was %s and is %s", first.Device, second.Device)
		}
		if err := r.counts(first); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("the certificate that it had: %v", err)
		}
		if err := r.counts(second); err != nil {
			t.Errorf("the certificate that it has: %v", err)
		}
		// Dropping that leaves the device, which was there before.
		if err := r.Drop(t.Context(), friend, again); err != nil {
			t.Fatal(err)
		}
		if d, err := r.devices.Get(t.Context(), editor, space, first.Device, false); err != nil || d.HardwareID != b.hardware {
			t.Errorf("the device is %+v, %v", d, err)
		}
	})
}

func TestCertificateRequests(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		id := r.bring(editor, b)
		first := r.provision(b)
		if again := r.provision(b); line(again) != line(first) {
			t.Errorf("the same request: %s, then %s", line(first), line(again))
		}
		old := b.device
		b.device = newKey(t)
		second := r.provision(b)
		if second.Device != first.Device {
			t.Errorf("another key made another device")
		}
		if err := r.counts(first); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("the certificate before: %v", err)
		}
		r.complete(b)
		r.complete(b) // it lost the answer
		// It lost the answer, and begins again with the certificate.
		if again := r.provision(b); line(again) != line(second) {
			t.Errorf("after the end: %s, then %s", line(second), line(again))
		}
		b.device = old
		h.pass(time.Minute)
		if _, err := r.Provision(t.Context(), address, b.token(h.clock()), b.csr()); !errors.Is(err, ErrNoClaim) {
			t.Errorf("another key after the end: %v", err)
		}
		if err := r.counts(second); err != nil {
			t.Errorf("the certificate: %v", err)
		}
		h.pass(repeatLife)
		if err := r.Complete(t.Context(), address, b.token(h.clock()), ""); !errors.Is(err, ErrNoClaim) {
			t.Errorf("long after the end: %v", err)
		}
		// Taking it off the list takes nothing away.
		if err := r.Drop(t.Context(), editor, id); err != nil {
			t.Fatal(err)
		}
		if err := r.counts(second); err != nil {
			t.Errorf("the certificate, after all: %v", err)
		}
	})
}

func TestProvisionRefuses(t *testing.T) {
	h := liteHouse(t)
	r, b, thief := h.start(), newToy(t), newToy(t)
	claim := b.claim(noon)
	if err := r.Register(t.Context(), editor, b.registration()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Claim(t.Context(), editor, claim); err != nil {
		t.Fatal(err)
	}
	h.pass(time.Minute)
	now := h.clock()
	thief.hardware = b.hardware
	otherName, err := boardcert.MakeCSR(rand.Reader, b.device, "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab")
	if err != nil {
		t.Fatal(err)
	}
	tokensKey, err := boardcert.MakeCSR(rand.Reader, b.key, b.hardware)
	if err != nil {
		t.Fatal(err)
	}
	nobody := newToy(t)
	unclaimed := newToy(t)
	if err := r.Register(t.Context(), editor, unclaimed.registration()); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		token string
		csr   []byte
		want  error
	}{
		"no token":                 {"", b.csr(), ErrToken},
		"a token of another key":   {thief.token(now), b.csr(), ErrToken},
		"an unknown board":         {nobody.token(now), nobody.csr(), ErrToken},
		"an old token":             {b.token(now.Add(-tokenLife - time.Second)), b.csr(), ErrToken},
		"the token of the claim":   {claim.Token, b.csr(), ErrToken},
		"a board nobody claimed":   {unclaimed.token(now), unclaimed.csr(), ErrNoClaim},
		"no request":               {b.token(now), nil, boardcert.ErrCSR},
		"another board's request":  {b.token(now), nobody.csr(), ErrName},
		"a device's name":          {b.token(now), otherName, ErrName},
		"the key that signs token": {b.token(now), tokensKey, ca.ErrWeakKey},
	} {
		h.pass(10 * time.Second)
		if _, err := r.Provision(t.Context(), address, c.token, c.csr); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	if n, err := r.devices.Count(t.Context(), space); err != nil || n != 0 {
		t.Errorf("%d devices, %v", n, err)
	}
	if got := r.Counts(); got.Refused != 6 || got.Claimed != 1 {
		t.Errorf("counted %+v", got)
	}
}

// A key that is certified for another device is refused, whoever asks.
func TestKeyOfAnotherDeviceIsRefused(t *testing.T) {
	h := liteHouse(t)
	r, b, clone := h.start(), newToy(t), newToy(t)
	r.device(editor, b)
	clone.device = b.device
	r.bring(editor, clone)
	h.pass(time.Second)
	if _, err := r.Provision(t.Context(), address, clone.token(h.clock()), clone.csr()); !errors.Is(err, ca.ErrKeyTaken) {
		t.Errorf("Provision = %v", err)
	}
}

func TestTokenCountsOnce(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		if err := r.Register(t.Context(), editor, b.registration()); err != nil {
			t.Fatal(err)
		}
		c := b.claim(noon)
		id, err := r.Claim(t.Context(), editor, c)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.Claim(t.Context(), editor, c); err != nil || again != id {
			t.Errorf("the same claim = %s, %v, want %s", again, err, id)
		}
		for what, x := range map[string]struct {
			who   access.Actor
			claim Claim
		}{"by another space": {other, c}, "by a friend": {friend, c}, "another of the same second": {other, b.claim(noon)}, "an older one": {editor, b.claim(noon.Add(-time.Second))}} {
			if _, err := r.Claim(t.Context(), x.who, x.claim); !errors.Is(err, ErrReplayed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		h.pass(time.Second)
		if again := r.claim(friend, b); again != id || r.one(editor, id).Owner != friend.ID {
			t.Errorf("a newer claim in the same space: %s, want %s", again, id)
		}
		h.pass(time.Second)
		taken := r.claim(other, b)
		if all, err := r.List(t.Context(), editor, true); err != nil || len(all) != 0 {
			t.Errorf("after a newer claim elsewhere: %+v, %v", all, err)
		}
		// Registering it again does not make old tokens good.
		if err := r.Drop(t.Context(), other, taken); err != nil {
			t.Fatal(err)
		}
		if err := r.Register(t.Context(), editor, b.registration()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Claim(t.Context(), editor, c); !errors.Is(err, ErrReplayed) {
			t.Errorf("an old token of a board that was registered again: %v", err)
		}
		if got := h.actions(space); !strings.Contains(got, "onboarding:drop") {
			t.Errorf("journal: %s", got)
		}
	})
}

func TestQuotas(t *testing.T) {
	h := liteHouse(t)
	r := h.start()
	h.allow(1)
	first, second := newToy(t), newToy(t)
	r.bring(editor, first)
	r.bring(editor, second) // there is room for either
	d := r.provision(first).Device
	r.complete(first)
	h.pass(10 * time.Second)
	if _, err := r.Provision(t.Context(), address, second.token(h.clock()), second.csr()); !errors.Is(err, device.ErrTooMany) {
		t.Errorf("Provision beyond the limit = %v", err)
	}
	third := newToy(t)
	if err := r.Register(t.Context(), editor, third.registration()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Claim(t.Context(), editor, third.claim(h.clock())); !errors.Is(err, device.ErrTooMany) {
		t.Errorf("Claim beyond the limit = %v", err)
	}
	// What is a device already needs no room, and what is deleted makes some.
	h.pass(10 * time.Second)
	r.claim(editor, first)
	if err := r.devices.Delete(t.Context(), editor, space, d, true); err != nil {
		t.Fatal(err)
	}
	if again := r.provision(first); again.Device == d {
		t.Errorf("a deleted device has come back")
	}
}

func TestOpenOnboardingsAreBounded(t *testing.T) {
	h := liteHouse(t)
	r := h.start()
	for range maxOpen {
		r.bring(editor, newToy(t))
	}
	one := newToy(t)
	if err := r.Register(t.Context(), editor, one.registration()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Claim(t.Context(), editor, one.claim(h.clock())); !errors.Is(err, ErrTooMany) {
		t.Errorf("Claim = %v", err)
	}
	if _, err := r.Claim(t.Context(), other, one.claim(h.clock())); err != nil {
		t.Errorf("in another space: %v", err)
	}
}

// What somebody began who may no more is not finished.
func TestWhoClaimedMustStillBeAllowed(t *testing.T) {
	h := liteHouse(t)
	r, b := h.start(), newToy(t)
	r.bring(editor, b)
	for _, role := range []access.Role{access.Viewer, access.NoRole} {
		h.appoint(editor.ID, role)
		h.pass(time.Second)
		if _, err := r.Provision(t.Context(), address, b.token(h.clock()), b.csr()); !errors.Is(err, ErrNoClaim) {
			t.Errorf("as %q: %v", role, err)
		}
	}
	h.appoint(editor.ID, access.Service)
	r.provision(b)
}

func TestHiddenDeviceIsNotTakenUpAgain(t *testing.T) {
	h := liteHouse(t)
	r, b := h.start(), newToy(t)
	r.bring(editor, b)
	first := r.provision(b)
	if err := r.devices.Delete(t.Context(), editor, space, first.Device, false); err != nil {
		t.Fatal(err)
	}
	b.device = newKey(t)
	if second := r.provision(b); second.Device == first.Device {
		t.Errorf("the certificate is for a device that is hidden")
	} else if err := r.counts(second); err != nil {
		t.Errorf("its certificate: %v", err)
	}
}

func TestDrop(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		id := r.bring(editor, b)
		i := r.provision(b)
		if err := r.Drop(t.Context(), other, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Drop from another space = %v", err)
		}
		if err := r.Drop(t.Context(), friend, id); err != nil {
			t.Fatal(err)
		}
		if err := r.Drop(t.Context(), friend, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Drop again = %v", err)
		}
		if _, err := r.devices.Get(t.Context(), editor, space, i.Device, true); !errors.Is(err, device.ErrNotFound) {
			t.Errorf("the device: %v", err)
		}
		if err := r.counts(i); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("the certificate: %v", err)
		}
		h.pass(time.Second)
		if err := r.Complete(t.Context(), address, b.token(h.clock()), ""); !errors.Is(err, ErrNoClaim) {
			t.Errorf("Complete = %v", err)
		}
	})
}

// What a board does not come for is taken back after a day; what has come and was used stays.
func TestSweep(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		never, half, used, done := newToy(t), newToy(t), newToy(t), newToy(t)
		onlyRegistered := newToy(t)
		if err := r.Register(t.Context(), editor, onlyRegistered.registration()); err != nil {
			t.Fatal(err)
		}
		r.bring(editor, never)
		r.bring(editor, half)
		r.bring(editor, used)
		gone, stays := r.provision(half).Device, r.provision(used)
		whole := r.device(editor, done)
		r.connect(stays)
		h.pass(claimLife - time.Minute)
		if err := r.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := r.List(t.Context(), editor, true); err != nil || len(all) != 4 {
			t.Errorf("before a day is over: %d, %v", len(all), err)
		}
		h.pass(2 * time.Minute)
		if err := r.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := r.List(t.Context(), editor, true); err != nil || len(all) != 1 || all[0].Device != whole {
			t.Errorf("after a day: %+v, %v", all, err)
		}
		for what, c := range map[string]struct {
			id   string
			want error
		}{"half": {gone, device.ErrNotFound}, "used": {stays.Device, nil}, "whole": {whole, nil}} {
			if _, err := r.devices.Get(t.Context(), editor, space, c.id, true); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		known := 0
		for _, b := range []*toy{never, half, used, done, onlyRegistered} {
			if _, err := r.needs.Store.board(t.Context(), r.needs.MAC([]byte(b.hardware))); err == nil {
				known++
			} else if !errors.Is(err, errNoBoard) {
				t.Error(err)
			}
		}
		if known != 2 {
			t.Errorf("%d boards are known, want those two that are devices", known)
		}
		h.pass(endedLife)
		if err := r.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if all, err := r.List(t.Context(), editor, true); err != nil || len(all) != 0 {
			t.Errorf("a week later: %+v, %v", all, err)
		}
		if got := strings.Count(h.actions(space), "onboarding:expire"); got != 3 {
			t.Errorf("the journal has %d ends", got)
		}
	})
}

// A board that is claimed again in the moment when its first claim is found to be late keeps the second one, and its device.
func TestRenewedClaimsStay(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b := h.start(), newToy(t)
		r.bring(editor, b)
		h.pass(claimLife + time.Minute)
		before := h.clock().Add(-claimLife)
		late, err := r.needs.Store.late(t.Context(), before)
		if err != nil || len(late) != 1 {
			t.Fatalf("%d are late, %v", len(late), err)
		}
		r.claim(editor, b)
		if err := r.drop(t.Context(), system, late[0], before, "onboarding:expire"); !errors.Is(err, ErrNotFound) {
			t.Errorf("a renewed claim is dropped: %v", err)
		}
		if all, err := r.List(t.Context(), editor, true); err != nil || len(all) != 1 {
			t.Errorf("%d claims are left, %v", len(all), err)
		}
		i := r.provision(b)
		open, err := r.needs.Store.last(t.Context(), r.needs.MAC([]byte(b.hardware)))
		if err != nil {
			t.Fatal(err)
		}
		// The power goes off when it is dropped, and then somebody claims the board again.
		r.cutAfter("drop", 1)
		if err := r.drop(t.Context(), system, open, time.Time{}, "onboarding:drop"); !errors.Is(err, errCut) {
			t.Fatalf("drop = %v", err)
		}
		r.cut = func(string, int) error { return nil }
		h.pass(time.Minute)
		r.claim(editor, b)
		if again := r.provision(b).Device; again != i.Device {
			t.Fatalf("the board got device %s, not %s", again, i.Device)
		}
		if err := r.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := r.devices.Get(t.Context(), editor, space, i.Device, false); err != nil {
			t.Errorf("the device of the newer claim: %v", err)
		}
	})
}

// connect lets the device of an identity in and out again.
func (r *rig) connect(i Identity) {
	r.h.t.Helper()
	ctx, stop := context.WithCancel(r.h.t.Context())
	ran := make(chan error, 1)
	go func() { ran <- r.devices.Run(ctx) }()
	defer func() {
		stop()
		<-ran
	}()
	x, err := r.devices.AuthenticateCertificate(r.h.t.Context(), r.leaf(i), i.Device, netip.MustParseAddr(address))
	if err != nil {
		r.h.t.Fatal(err)
	}
	r.devices.Connected(x)
	r.devices.Disconnected(x)
	if d, err := r.devices.Get(r.h.t.Context(), editor, space, i.Device, false); err != nil || d.LastActivityAt.IsZero() {
		r.h.t.Fatalf("the device that was connected is %+v, %v", d, err)
	}
}

func TestErasedSpaceLeavesNothing(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		open, done, elsewhere := newToy(t), newToy(t), newToy(t)
		r.bring(editor, open)
		r.device(editor, done)
		r.bring(other, elsewhere)
		if err := r.EraseSpace(t.Context(), editor, space); !errors.Is(err, access.ErrDenied) {
			t.Errorf("by somebody: %v", err)
		}
		if err := h.ring.Erase(t.Context(), keys.KindSpace, space); err != nil {
			t.Fatal(err)
		}
		// Between the key and the rows: a board is told no more than a stranger.
		h.pass(time.Second)
		if _, err := r.Provision(t.Context(), address, open.token(h.clock()), open.csr()); !errors.Is(err, ErrToken) {
			t.Errorf("a board of an erased space: %v", err)
		}
		for range 2 {
			if err := r.EraseSpace(t.Context(), system, space); err != nil {
				t.Fatal(err)
			}
		}
		rows, err := r.needs.Store.idle(t.Context(), h.clock().Add(time.Hour), []byte{})
		if err != nil || len(rows) != 0 {
			t.Errorf("left: %+v, %v", rows, err)
		}
		h.pass(time.Second)
		r.bring(other, open) // the board is free
		r.provision(elsewhere)
	})
}

func TestRatesOfBoards(t *testing.T) {
	h := liteHouse(t)
	r, b := h.start(), newToy(t)
	r.bring(editor, b)
	h.pass(time.Minute)
	var err error
	n := 0
	for ; n < 100 && err == nil; n++ {
		_, err = r.Provision(t.Context(), address, b.token(h.clock()), b.csr())
	}
	if !errors.Is(err, door.ErrLimited) || n != 11 {
		t.Errorf("after %d requests of one board: %v", n, err)
	}
	// Who fails is held back by address, and holds back no board elsewhere.
	for n, err = 0, nil; n < 100 && !errors.Is(err, door.ErrLimited); n++ {
		err = r.Complete(t.Context(), "198.51.100.7", newToy(t).token(h.clock()), "")
	}
	if n != 61 {
		t.Errorf("after %d requests of nobody: %v", n, err)
	}
	h.pass(time.Minute)
	r.provision(b)
}

// The operator helps who has the true board when somebody has brought a false one in under its number.
func TestOperatorFreesABoard(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, b, impostor := h.start(), newToy(t), newToy(t)
		impostor.hardware = b.hardware
		r.bring(other, impostor)
		wrong := r.provision(impostor)
		r.complete(impostor)
		if _, err := r.devices.Update(t.Context(), other, otherSpace, wrong.Device, func(d *device.Device) error { d.Locked = true; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := r.Register(t.Context(), editor, b.registration()); !errors.Is(err, ErrRegistered) {
			t.Fatalf("Register = %v", err)
		}
		if _, _, err := r.Free(t.Context(), other, b.hardware); !errors.Is(err, access.ErrDenied) {
			t.Errorf("Free by somebody = %v", err)
		}
		in, id, err := r.Free(t.Context(), system, strings.ToUpper(b.hardware))
		if err != nil || in != otherSpace || id != wrong.Device {
			t.Errorf("Free = %s, %s, %v", in, id, err)
		}
		if err := r.counts(wrong); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("the false board's certificate: %v", err)
		}
		r.bring(editor, b)
		// One that is only on its way, too.
		if _, id, err := r.Free(t.Context(), system, b.hardware); err != nil || id != "" {
			t.Errorf("Free on its way = %s, %v", id, err)
		}
		for what, c := range map[string]struct {
			id   string
			want error
		}{"again": {b.hardware, ErrNotFound}, "what is no number": {"x", ErrInvalid}} {
			if _, _, err := r.Free(t.Context(), system, c.id); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		h.pass(time.Second)
		r.device(editor, b)
		if got := h.actions(otherSpace); !strings.HasSuffix(got, "ca:revoke device:update board:free") {
			t.Errorf("journal: %s", got)
		}
	})
}
