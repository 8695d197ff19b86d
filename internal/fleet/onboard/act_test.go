package onboard

import (
	"errors"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

func TestClaimSurvivesPowerCut(t *testing.T) {
	steps(t, 3, func(t *testing.T, h *house, step int) {
		r, b := h.start(), newToy(t)
		r.bring(other, b)
		half := r.provision(b) // another space has half of it
		h.pass(time.Second)
		claim := b.claim(h.clock())
		r.cutAfter("claim", step)
		if _, err := r.Claim(t.Context(), editor, claim); !errors.Is(err, errCut) {
			t.Fatalf("Claim = %v", err)
		}
		again := h.start()
		again.check()
		_, err := again.devices.Get(t.Context(), other, otherSpace, half.Device, true)
		if want := error(device.ErrNotFound); step == 1 && err != nil || step > 1 && !errors.Is(err, want) {
			t.Errorf("what the other space had: %v", err)
		}
		// The client asks again, with the same token.
		if _, err := again.Claim(t.Context(), editor, claim); err != nil {
			t.Fatalf("asking again: %v", err)
		}
		if all, err := again.List(t.Context(), editor, true); err != nil || len(all) != 1 {
			t.Errorf("%d onboardings, %v", len(all), err)
		}
		if all, err := again.List(t.Context(), other, true); err != nil || len(all) != 0 {
			t.Errorf("the other space has %d, %v", len(all), err)
		}
		again.provision(b)
		again.complete(b)
	})
}

func TestProvisionSurvivesPowerCut(t *testing.T) {
	steps(t, 7, func(t *testing.T, h *house, step int) {
		r, b := h.start(), newToy(t)
		old := r.device(other, b) // it is somebody else's, and moves
		b.device = newKey(t)
		id := r.claim(editor, b)
		h.pass(15 * time.Second)
		r.cutAfter("provision", step)
		if _, err := r.Provision(t.Context(), address, b.token(h.clock()), b.csr()); !errors.Is(err, errCut) {
			t.Fatalf("Provision = %v", err)
		}
		again := h.start()
		again.check()
		if o := again.one(editor, id); o.ProvisionedAt.IsZero() != (step < 7) {
			t.Errorf("%+v", o)
		}
		// The board asks again, with the same request or, when it was reset, another one.
		before := again.provision(b)
		b.device = newKey(t)
		i := again.provision(b)
		if i.Device != before.Device || i.Device == old {
			t.Errorf("it is %s, was %s, and %s elsewhere", i.Device, before.Device, old)
		}
		again.complete(b)
		all, err := again.devices.List(t.Context(), editor, space, device.Filter{Deleted: true})
		if err != nil || len(all) != 1 || all[0].ID != i.Device || all[0].HardwareID != b.hardware {
			t.Errorf("devices: %+v, %v", all, err)
		}
		if d, err := again.devices.Get(t.Context(), other, otherSpace, old, false); err != nil || d.HardwareID != "" {
			t.Errorf("the device that it was: %+v, %v", d, err)
		}
		if live, err := again.ca.List(t.Context(), system, ca.Device{ID: i.Device, Space: space}, false); err != nil || len(live) != 1 {
			t.Errorf("%d certificates count, %v", len(live), err)
		}
		if live, err := again.ca.List(t.Context(), system, ca.Device{ID: old, Space: otherSpace}, false); err != nil || len(live) != 0 {
			t.Errorf("%d certificates of the device that it was count, %v", len(live), err)
		}
		if err := again.counts(i); err != nil {
			t.Error(err)
		}
		again.check()
	})
}

// When the board never comes back after a power cut, nothing of it stays.
func TestProvisionThatIsNeverFinishedIsTakenBack(t *testing.T) {
	for step := 1; step <= 7; step++ {
		h := liteHouse(t)
		r, b := h.start(), newToy(t)
		r.bring(editor, b)
		h.pass(time.Second)
		r.cutAfter("provision", step)
		if _, err := r.Provision(t.Context(), address, b.token(h.clock()), b.csr()); !errors.Is(err, errCut) {
			t.Fatalf("Provision = %v", err)
		}
		h.pass(claimLife)
		again := h.start()
		if err := again.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := again.devices.Count(t.Context(), space); err != nil || n != 0 {
			t.Errorf("after step %d: %d devices, %v", step, n, err)
		}
		if all, err := again.List(t.Context(), editor, true); err != nil || len(all) != 0 {
			t.Errorf("after step %d: %+v, %v", step, all, err)
		}
	}
}

func TestCompleteSurvivesPowerCut(t *testing.T) {
	steps(t, 3, func(t *testing.T, h *house, step int) {
		r, b := h.start(), newToy(t)
		id := r.bring(editor, b)
		i := r.provision(b)
		r.cutAfter("complete", step)
		if err := r.Complete(t.Context(), address, b.token(h.clock()), "1.6.0"); !errors.Is(err, errCut) {
			t.Fatalf("Complete = %v", err)
		}
		again := h.start()
		again.check()
		again.complete(b)
		if o := again.one(editor, id); o.EndedAt.IsZero() {
			t.Errorf("%+v", o)
		}
		if d, err := again.devices.Get(t.Context(), editor, space, i.Device, false); err != nil || d.WiFiFW != "1.6.0" {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestDropSurvivesPowerCut(t *testing.T) {
	steps(t, 3, func(t *testing.T, h *house, step int) {
		r, b := h.start(), newToy(t)
		id := r.bring(editor, b)
		i := r.provision(b)
		r.cutAfter("drop", step)
		if err := r.Drop(t.Context(), editor, id); !errors.Is(err, errCut) {
			t.Fatalf("Drop = %v", err)
		}
		again := h.start()
		again.check()
		if _, err := again.devices.Get(t.Context(), editor, space, i.Device, true); !errors.Is(err, device.ErrNotFound) {
			t.Errorf("the device: %v", err)
		}
		if err := again.Drop(t.Context(), editor, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("asking again: %v", err)
		}
		h.pass(time.Second)
		again.device(editor, b)
	})
}
