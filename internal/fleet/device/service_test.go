package device

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestCreatedDeviceIsFoundInItsSpaceOnly(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d, err := r.Create(t.Context(), editor, Device{
			Space: otherSpace, Owner: stranger.ID, // both are ignored: nobody makes devices for others
			Type: "nano_33_iot", Name: "Küche 1", Serial: "0A1B", FQBN: "arduino:samd:nano_33_iot", ConnectionType: "wifi",
			BLEMAC: "01:23:45:67:89:ab", HardwareID: strings.Repeat("0f", 32), WiFiFW: "1.5.0", Locked: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		if d.Space != space || d.Owner != editor.ID || d.Status != Offline {
			t.Errorf("Create = %+v", d)
		}
		got, err := h.start().Get(t.Context(), editor, space, d.ID, false)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(func() Device { e := d; e.Reported = Reported{}; return e }()) {
			t.Errorf("Get = %+v, %v, want %+v", got, err, d)
		}
		if _, err := r.Get(t.Context(), stranger, otherSpace, d.ID, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get from another space = %v, want %v", err, ErrNotFound)
		}
		if _, err := r.Get(t.Context(), stranger, space, d.ID, true); !errors.Is(err, access.ErrDenied) {
			t.Errorf("Get into another space = %v, want %v", err, access.ErrDenied)
		}
		if who, err := r.Find(t.Context(), d.ID); err != nil || who.Space != space || who.Owner != editor.ID {
			t.Errorf("Find = %+v, %v", who, err)
		}
		if got, want := h.actions(d.ID), "device:create"; got != want {
			t.Errorf("journal has %q, want %q", got, want)
		}
	})
}

func TestDeviceWithoutANameGetsOne(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		if d := h.start().device(Device{Type: "opta"}); d.Name != "Arduino Opta "+d.ID[:4] {
			t.Errorf("name is %q", d.Name)
		}
	})
}

// What people wrote is nowhere in the rows in clear, and goes with the space's key.
func TestPrivateFieldsAreSealed(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.device(Device{Name: "canary-name", Serial: "canary-serial", HardwareID: strings.Repeat("ca", 32)})
		if err := r.SetTag(t.Context(), editor, space, d.ID, "canary-key", "canary-value"); err != nil {
			t.Fatal(err)
		}
		raw, err := SQL(h.db).byID(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		all := fmt.Appendf(nil, "%s %s %s %+v", raw.private, raw.reported, raw.hardwareIndex, raw.Device)
		for _, canary := range []string{"canary", strings.Repeat("ca", 32)} {
			if bytes.Contains(all, []byte(canary)) {
				t.Errorf("the row shows %q: %q", canary, all)
			}
		}
		// A sealed value that was moved to another row is worth nothing.
		other := r.device(Device{})
		stolen, err := SQL(h.db).byID(t.Context(), other.ID)
		if err != nil {
			t.Fatal(err)
		}
		seal, err := h.ring.Space(t.Context(), space)
		if err != nil {
			t.Fatal(err)
		}
		stolen.private = raw.private
		if _, err := stolen.open(seal); !errors.Is(err, keys.ErrSeal) {
			t.Errorf("moved value: %v, want %v", err, keys.ErrSeal)
		}
		if err := h.ring.Erase(t.Context(), keys.KindSpace, space); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Get(t.Context(), editor, space, d.ID, false); !errors.Is(err, keys.ErrErased) {
			t.Errorf("after the erasure: %v, want %v", err, keys.ErrErased)
		}
	})
}

func TestList(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		first := r.device(Device{Name: "one", Serial: "S1"})
		h.pass(time.Second)
		second := r.device(Device{Name: "two", Serial: "S2", HardwareID: strings.Repeat("ab", 32)})
		h.pass(time.Second)
		colleague := editor
		colleague.ID = "a1000000-0000-4000-8000-000000000009"
		third, err := r.Create(t.Context(), colleague, Device{Type: "opta", Name: "three"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.SetTag(t.Context(), editor, space, second.ID, "room", "kitchen"); err != nil {
			t.Fatal(err)
		}
		if err := r.Delete(t.Context(), editor, space, first.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Create(t.Context(), stranger, Device{Type: "opta"}); err != nil {
			t.Fatal(err)
		}
		for what, c := range map[string]struct {
			f    Filter
			want []string
		}{
			"all":              {Filter{}, []string{second.ID, third.ID}},
			"deleted ones too": {Filter{Deleted: true}, []string{first.ID, second.ID, third.ID}},
			"own":              {Filter{Owner: editor.ID}, []string{second.ID}},
			"by serial":        {Filter{Serial: "S2"}, []string{second.ID}},
			"by board":         {Filter{HardwareID: strings.Repeat("ab", 32)}, []string{second.ID}},
			"by tag":           {Filter{Tags: []Tag{{"room", "kitchen"}}}, []string{second.ID}},
			"by wrong tag":     {Filter{Tags: []Tag{{"room", "cellar"}}}, nil},
		} {
			all, err := r.List(t.Context(), editor, space, c.f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range all {
				got = append(got, d.ID)
			}
			if strings.Join(got, " ") != strings.Join(c.want, " ") {
				t.Errorf("%s: %v, want %v", what, got, c.want)
			}
		}
		if _, err := r.List(t.Context(), stranger, space, Filter{}); !errors.Is(err, access.ErrDenied) {
			t.Errorf("List of another space = %v", err)
		}
	})
}

func TestUpdateKeepsWhatClientsCannotChange(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.device(Device{Name: "old", Serial: "S"})
		h.pass(time.Minute)
		got, err := r.Update(t.Context(), editor, space, d.ID, func(x *Device) error {
			x.ID, x.Space, x.Owner, x.CreatedAt = "x", otherSpace, stranger.ID, time.Time{}
			x.Name, x.Reported = "new", Reported{LibVersion: {"forged", noon}}
			return nil
		})
		if err != nil || got.ID != d.ID || got.Space != space || got.Owner != editor.ID || !got.CreatedAt.Equal(d.CreatedAt) ||
			got.Name != "new" || got.Serial != "S" || !got.UpdatedAt.After(d.UpdatedAt) || len(got.Reported) != 0 {
			t.Errorf("Update = %+v, %v", got, err)
		}
		if _, err := r.Update(t.Context(), editor, space, d.ID, func(x *Device) error { x.Type = "toaster"; return nil }); !errors.Is(err, ErrInvalid) {
			t.Errorf("Update = %v, want %v", err, ErrInvalid)
		}
		if _, err := r.Update(t.Context(), stranger, otherSpace, d.ID, func(*Device) error { return nil }); !errors.Is(err, ErrNotFound) {
			t.Errorf("Update from another space = %v, want %v", err, ErrNotFound)
		}
	})
}

func TestOneDevicePerBoard(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r, board := h.start(), strings.Repeat("0e", 32)
		d, err := r.Claim(t.Context(), editor, Device{Type: "unor4wifi", HardwareID: board, ID: "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"})
		if err != nil || d.ID != "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab" {
			t.Fatalf("Claim = %+v, %v", d, err)
		}
		again := Device{Type: "unor4wifi", HardwareID: board}
		if _, err := r.Claim(t.Context(), stranger, again); !errors.Is(err, ErrHardwareTaken) {
			t.Errorf("Claim of an owned board = %v, want %v", err, ErrHardwareTaken)
		}
		if _, err := r.Create(t.Context(), editor, again); !errors.Is(err, ErrHardwareTaken) {
			t.Errorf("Create for an owned board = %v, want %v", err, ErrHardwareTaken)
		}
		if _, err := r.Claim(t.Context(), editor, Device{Type: "unor4wifi"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("Claim of nothing = %v, want %v", err, ErrInvalid)
		}
		if _, err := r.Claim(t.Context(), stranger, Device{Type: "unor4wifi", HardwareID: strings.Repeat("0d", 32), ID: d.ID}); !errors.Is(err, ErrIDTaken) {
			t.Errorf("Claim with a used ID = %v, want %v", err, ErrIDTaken)
		}
		// The board is freed, and its next owner claims it.
		if _, err := r.RemoveHardwareID(t.Context(), editor, space, d.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := r.RemoveHardwareID(t.Context(), editor, space, d.ID); !errors.Is(err, ErrNoHardware) {
			t.Errorf("removing it again = %v, want %v", err, ErrNoHardware)
		}
		next, err := r.Claim(t.Context(), stranger, again)
		if err != nil {
			t.Fatalf("Claim of a free board = %v", err)
		}
		// A deleted device does not keep its board, and cannot come back while another has it.
		if err := r.Delete(t.Context(), stranger, otherSpace, next.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Claim(t.Context(), editor, again); err != nil {
			t.Errorf("Claim of a deleted device's board = %v", err)
		}
		restore := func(d *Device) error { d.DeletedAt = time.Time{}; return nil }
		if _, err := r.Update(t.Context(), stranger, otherSpace, next.ID, restore); !errors.Is(err, ErrHardwareTaken) {
			t.Errorf("restoring = %v, want %v", err, ErrHardwareTaken)
		}
	})
}

// Whoever holds an old certificate must not come back as a new device of that ID.
func TestAnIDIsNeverUsedTwice(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.device(Device{})
		r.certify(d.ID)
		if err := r.Delete(t.Context(), editor, space, d.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Claim(t.Context(), stranger, Device{Type: "opta", HardwareID: strings.Repeat("0c", 32), ID: d.ID}); !errors.Is(err, ErrIDTaken) {
			t.Errorf("Claim = %v, want %v", err, ErrIDTaken)
		}
	})
}

func TestSpaceIsBounded(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		r.needs.Limit = func(context.Context, string) (int, error) { return 2, nil }
		r.device(Device{})
		r.device(Device{})
		if _, err := r.Create(t.Context(), editor, Device{Type: "opta"}); !errors.Is(err, ErrTooMany) {
			t.Errorf("Create = %v, want %v", err, ErrTooMany)
		} else if !strings.Contains(err.Error(), "2 of at most 2 devices") || !strings.Contains(err.Error(), "ardesia space quota") {
			t.Errorf("the error says %q", err)
		}
		if _, err := r.Create(t.Context(), stranger, Device{Type: "opta"}); err != nil {
			t.Errorf("Create in another space = %v", err)
		}
	})
}

func TestTagsOfADevice(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.device(Device{})
		for i := range maxTags {
			if i > 3 && i < maxTags-1 {
				continue // the bound is looked at below, without 256 transactions
			}
			if err := r.SetTag(t.Context(), editor, space, d.ID, fmt.Sprint("k", i), "v"); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.SetTag(t.Context(), editor, space, d.ID, "k1", "other"); err != nil {
			t.Fatal(err)
		}
		if err := r.DeleteTag(t.Context(), editor, space, d.ID, "k2"); err != nil {
			t.Fatal(err)
		}
		got, err := r.Get(t.Context(), editor, space, d.ID, false)
		if err != nil || len(got.Tags) != 4 || got.Tags["k1"] != "other" {
			t.Errorf("tags are %v, %v", got.Tags, err)
		}
		if _, err := r.Update(t.Context(), editor, space, d.ID, func(d *Device) error {
			for i := range maxTags {
				d.Tags[fmt.Sprint("k", i)] = "v"
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := r.SetTag(t.Context(), editor, space, d.ID, "one-more", "v"); !errors.Is(err, ErrTooManyTags) {
			t.Errorf("SetTag = %v, want %v", err, ErrTooManyTags)
		}
		if err := r.SetTag(t.Context(), editor, space, d.ID, "a b", "v"); !errors.Is(err, ErrTag) {
			t.Errorf("SetTag = %v, want %v", err, ErrTag)
		}
	})
}

func TestHiddenDeviceComesBack(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		_, leaf := r.certify(d.ID)
		x := r.enter(d.ID)
		r.above.attach(d.ID, thingA)
		if err := r.Delete(t.Context(), editor, space, d.ID, false); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(r.line.lastDrop(), ErrGone) || r.sessionOf(d.ID) == x {
			t.Errorf("the session was not closed: %v", r.line.lastDrop())
		}
		if _, has := r.above.Attached(d.ID); has {
			t.Error("the thing has its device still")
		}
		if _, err := r.Get(t.Context(), editor, space, d.ID, false); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get = %v, want %v", err, ErrNotFound)
		}
		if got, err := r.Get(t.Context(), editor, space, d.ID, true); err != nil || got.DeletedAt.IsZero() {
			t.Errorf("Get with deleted ones = %+v, %v", got, err)
		}
		if err := r.Delete(t.Context(), editor, space, d.ID, false); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleting again = %v, want %v", err, ErrNotFound)
		}
		if _, err := r.Authenticate(t.Context(), d.ID, password, d.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("Authenticate = %v, want %v", err, ErrCredentials)
		}
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("AuthenticateCertificate = %v, want %v", err, ErrCredentials)
		}
		if err := r.SetSecret(t.Context(), editor, space, d.ID, password); !errors.Is(err, ErrNotFound) {
			t.Errorf("SetSecret = %v, want %v", err, ErrNotFound)
		}
		if _, err := r.Update(t.Context(), editor, space, d.ID, func(d *Device) error { d.DeletedAt = time.Time{}; return nil }); err != nil {
			t.Fatalf("restoring = %v", err)
		}
		r.enter(d.ID)
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address); err != nil {
			t.Errorf("AuthenticateCertificate after restoring = %v", err)
		}
	})
}

func TestRemovedDeviceLeavesNothing(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		_, leaf := r.certify(d.ID)
		r.enter(d.ID)
		if err := r.save(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if err := r.Delete(t.Context(), editor, space, d.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := r.save(t.Context(), true); err != nil { // the end of its session comes late
			t.Fatal(err)
		}
		if _, err := r.Get(t.Context(), editor, space, d.ID, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get = %v, want %v", err, ErrNotFound)
		}
		if all, err := SQL(h.db).statuses(t.Context(), space, d.ID, time.UnixMicro(1<<62), 10); err != nil || len(all) != 0 {
			t.Errorf("status events are left: %v, %v", all, err)
		}
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("AuthenticateCertificate = %v, want %v", err, ca.ErrRevoked)
		}
	})
}

func TestClearedSpaceHasNoDevices(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d, hidden := r.withSecret(), r.device(Device{})
		_, leaf := r.certify(d.ID)
		r.enter(d.ID)
		if err := r.Delete(t.Context(), editor, space, hidden.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Create(t.Context(), stranger, Device{Type: "opta"}); err != nil {
			t.Fatal(err)
		}
		if err := r.Clear(t.Context(), editor, space); !errors.Is(err, access.ErrDenied) {
			t.Errorf("Clear by a member = %v, want %v", err, access.ErrDenied)
		}
		for range 2 {
			if err := r.Clear(t.Context(), system, space); err != nil {
				t.Fatal(err)
			}
		}
		for in, want := range map[string]int{space: 0, otherSpace: 1} {
			if all, err := r.List(t.Context(), system, in, Filter{Deleted: true}); err != nil || len(all) != want {
				t.Errorf("%d devices are left in %s (%v), want %d", len(all), in, err, want)
			}
		}
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address); !errors.Is(err, ca.ErrRevoked) || r.Online() != 0 {
			t.Errorf("AuthenticateCertificate = %v, %d are online", err, r.Online())
		}
	})
}

// The key of an erased space may be gone before its devices are: nothing of them is opened.
func TestSpaceIsClearedWithoutItsKey(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		staying, half := r.withSecret(), r.device(Device{})
		_, leaf := r.certify(half.ID)
		r.cut = func(step int) error {
			if step == 2 {
				return errCut
			}
			return nil
		}
		if err := r.Delete(t.Context(), editor, space, half.ID, true); !errors.Is(err, errCut) {
			t.Fatalf("Delete = %v", err)
		}
		if err := h.ring.Erase(t.Context(), keys.KindSpace, space); err != nil {
			t.Fatal(err)
		}
		r = h.start() // finishes the interrupted delete
		for range 2 {
			if err := r.Clear(t.Context(), system, space); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := r.Count(t.Context(), space); n != 0 || err != nil {
			t.Errorf("%d devices are left, %v", n, err)
		}
		if _, err := r.Authenticate(t.Context(), staying.ID, password, staying.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("Authenticate = %v, want %v", err, ErrCredentials)
		}
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, half.ID, address); !errors.Is(err, ca.ErrRevoked) {
			t.Errorf("AuthenticateCertificate = %v, want %v", err, ca.ErrRevoked)
		}
		if got, want := h.actions(staying.ID), "device:create device:write-secret device:delete device:remove"; got != want {
			t.Errorf("journal has %q, want %q", got, want)
		}
	})
}

var errCut = errors.New("the power is off")

func TestDeleteSurvivesPowerCut(t *testing.T) {
	for _, hard := range []bool{false, true} {
		for step := 1; step <= 3; step++ {
			if !hard && step == 2 {
				continue // there is no such step
			}
			t.Run(fmt.Sprintf("hard %v after step %d", hard, step), func(t *testing.T) {
				eachHouse(t, func(t *testing.T, h *house) {
					r := h.start()
					d := r.withSecret()
					_, leaf := r.certify(d.ID)
					r.above.attach(d.ID, thingA)
					r.cut = func(n int) error {
						if n == step {
							return errCut
						}
						return nil
					}
					if err := r.Delete(t.Context(), editor, space, d.ID, hard); !errors.Is(err, errCut) {
						t.Fatalf("Delete = %v", err)
					}
					// Nobody gets in, not even before anything is repaired.
					if _, err := r.Authenticate(t.Context(), d.ID, password, d.ID, address); !errors.Is(err, ErrCredentials) {
						t.Errorf("Authenticate before the next start = %v, want %v", err, ErrCredentials)
					}
					again := h.start()
					if len(again.above.detached) != 1 {
						t.Errorf("the next start detached %v", again.above.detached)
					}
					if left, err := SQL(h.db).leaving(t.Context()); err != nil || len(left) != 0 {
						t.Errorf("%d devices are leaving after a start (%v)", len(left), err)
					}
					_, err := again.Get(t.Context(), editor, space, d.ID, true)
					if hard != errors.Is(err, ErrNotFound) {
						t.Errorf("Get = %v", err)
					}
					_, err = again.AuthenticateCertificate(t.Context(), leaf, d.ID, address)
					if want := map[bool]error{true: ca.ErrRevoked, false: ErrCredentials}[hard]; !errors.Is(err, want) {
						t.Errorf("AuthenticateCertificate = %v, want %v", err, want)
					}
					if _, err := journal.Verify(t.Context(), h.db); err != nil {
						t.Errorf("journal: %v", err)
					}
				})
			})
		}
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	if _, err := New(Needs{}); err == nil {
		t.Error("New accepted nothing")
	}
}

// A board is in one space; whoever asks for it by its number finds the device in whichever that is.
func TestHolder(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		hardware := strings.Repeat("ab", 32)
		if _, err := r.Holder(t.Context(), hardware); !errors.Is(err, ErrNotFound) {
			t.Errorf("of no board: %v", err)
		}
		d := r.device(Device{HardwareID: hardware, Locked: true})
		got, err := r.Holder(t.Context(), hardware)
		if err != nil || got.ID != d.ID || got.Space != space || !got.Locked || got.Name != "" {
			t.Errorf("Holder = %+v, %v", got, err)
		}
		if err := r.Delete(t.Context(), editor, space, d.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Holder(t.Context(), hardware); !errors.Is(err, ErrNotFound) {
			t.Errorf("of a device that is hidden: %v", err)
		}
	})
}
