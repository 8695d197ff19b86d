package device

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestAuthenticateBySecret(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d, bare := r.withSecret(), r.device(Device{})
		const unknown = "99999999-9999-4999-8999-999999999999"
		for what, c := range map[string]struct {
			id, secret, client string
			want               error
		}{
			"good":                          {d.ID, password, d.ID, nil},
			"wrong secret":                  {d.ID, password + "x", d.ID, ErrCredentials},
			"no secret":                     {d.ID, "", d.ID, ErrCredentials},
			"another client id":             {d.ID, password, bare.ID, ErrClientID},
			"no client id":                  {d.ID, password, "", ErrClientID},
			"unknown device":                {unknown, password, unknown, ErrCredentials},
			"device without a secret":       {bare.ID, "", bare.ID, ErrCredentials},
			"the secret of another device":  {bare.ID, password, bare.ID, ErrCredentials},
			"no id at all":                  {"", "", "", ErrCredentials},
			"an id that is no UUID":         {"x' or 1=1", password, "x' or 1=1", ErrCredentials},
			"a user's name in upper case":   {"99999999-9999-4999-8999-99999999999A", password, "99999999-9999-4999-8999-99999999999A", ErrCredentials},
			"an id with a NUL is no UUID":   {d.ID[:35] + "\x00", password, d.ID[:35] + "\x00", ErrCredentials},
			"a very long secret is no harm": {d.ID, string(make([]byte, 1<<16)), d.ID, ErrCredentials},
		} {
			x, err := r.Authenticate(t.Context(), c.id, c.secret, c.client, address)
			if !errors.Is(err, c.want) || (err == nil) != (x != nil) {
				t.Errorf("%s: Authenticate = %v, %v, want %v", what, x, err, c.want)
			}
			if err == nil && (x.Device != d.ID || x.Space != space || x.Actor() != (access.Actor{Kind: access.Device, ID: d.ID, Space: space})) {
				t.Errorf("%s: session of %s in %s", what, x.Device, x.Space)
			}
		}
	})
}

func TestAuthenticateByCertificate(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d, other := r.device(Device{}), r.device(Device{})
		_, leaf := r.certify(d.ID)
		if x, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address); err != nil || x.Device != d.ID {
			t.Errorf("AuthenticateCertificate = %v, %v", x, err)
		}
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, other.ID, address); !errors.Is(err, ErrClientID) {
			t.Errorf("under another client id = %v, want %v", err, ErrClientID)
		}
		// A certificate of a device that is in another space, as if devices could move.
		_, foreign := r.certify(other.ID)
		if err := h.db.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `update device set space = $1 where id = $2`, stranger.Space, other.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.AuthenticateCertificate(t.Context(), foreign, other.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("certificate of another space = %v, want %v", err, ErrCredentials)
		}
	})
}

func TestSecretCannotBeReadAndEndsSessions(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		raw, err := SQL(h.db).byID(t.Context(), d.ID)
		if err != nil || len(raw.secret) != 32 {
			t.Fatalf("stored %x, %v", raw.secret, err)
		}
		twin := r.withSecret()
		same, err := SQL(h.db).byID(t.Context(), twin.ID)
		if err != nil || slices.Equal(same.secret, raw.secret) {
			t.Error("equal secrets of two devices are stored alike")
		}
		for secret, want := range map[string]error{password: nil, "": ErrWrongSecret, "no": ErrWrongSecret} {
			if err := r.CheckSecret(t.Context(), editor, space, d.ID, secret); !errors.Is(err, want) {
				t.Errorf("CheckSecret(%q) = %v, want %v", secret, err, want)
			}
		}
		for _, bad := range []string{"", "short", "control\x01character", string(make([]byte, 129))} {
			if err := r.SetSecret(t.Context(), editor, space, d.ID, bad); !errors.Is(err, ErrSecret) {
				t.Errorf("SetSecret(%q) = %v, want %v", bad, err, ErrSecret)
			}
		}
		r.enter(d.ID)
		if err := r.SetSecret(t.Context(), editor, space, d.ID, password); err != nil || r.line.lastDrop() != nil {
			t.Errorf("the same secret again: %v, closed for %v", err, r.line.lastDrop())
		}
		if err := r.SetSecret(t.Context(), editor, space, d.ID, "another secret key"); err != nil || !errors.Is(r.line.lastDrop(), ErrNewSecret) {
			t.Errorf("another secret: %v, closed for %v", err, r.line.lastDrop())
		}
		if _, err := r.Authenticate(t.Context(), d.ID, password, d.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("the old secret = %v, want %v", err, ErrCredentials)
		}
		if err := r.DeleteSecret(t.Context(), editor, space, d.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Authenticate(t.Context(), d.ID, "another secret key", d.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("a deleted secret = %v, want %v", err, ErrCredentials)
		}
		if got, err := r.Get(t.Context(), editor, space, d.ID, false); err != nil || got.HasSecret {
			t.Errorf("HasSecret = %v, %v", got.HasSecret, err)
		}
		if a, b := SuggestSecret(), SuggestSecret(); a == b || len(a) < 19 || len(a) > 64 {
			t.Errorf("suggested %q and %q", a, b)
		}
	})
}

// The session of a device is closed when what let it in stops being good.
// A space that is not there any more takes none of its devices in, and keeps none:
// neither those that are connected nor those that were just being let in.
func TestSpaceThatIsGoneKeepsNoSessions(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		r.run()
		connected, entering := r.withSecret(), r.withSecret()
		board := r.device(Device{})
		_, leaf := r.certify(board.ID)
		other, err := r.Create(t.Context(), stranger, Device{Type: "opta"})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.SetSecret(t.Context(), stranger, otherSpace, other.ID, password); err != nil {
			t.Fatal(err)
		}
		r.enter(connected.ID)
		r.enter(other.ID)
		half, err := r.Authenticate(t.Context(), entering.ID, password, entering.ID, address)
		if err != nil {
			t.Fatal(err)
		}
		certified, err := r.AuthenticateCertificate(t.Context(), leaf, board.ID, address)
		if err != nil {
			t.Fatal(err)
		}
		gone := space
		h.gone.Store(&gone)
		r.CloseSpace(space)
		r.Connected(half)
		r.Connected(certified)
		soon(t, "only the other space's device is connected", func() bool { return r.Online() == 1 && r.sessionOf(other.ID) != nil })
		if _, err := r.Authenticate(t.Context(), connected.ID, password, connected.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("Authenticate = %v, want %v", err, ErrCredentials)
		}
		if _, err := r.AuthenticateCertificate(t.Context(), leaf, board.ID, address); !errors.Is(err, ErrCredentials) {
			t.Errorf("AuthenticateCertificate = %v, want %v", err, ErrCredentials)
		}
	})
}

func TestRevocationClosesSession(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		for what, act := range map[string]func(r *rig, d Device, c ca.Certificate) error{
			"revoked": func(r *rig, d Device, c ca.Certificate) error {
				return r.ca.Revoke(t.Context(), editor, ca.Device{ID: d.ID, Space: space}, c.ID, ca.Unspecified)
			},
			"disabled": func(r *rig, d Device, c ca.Certificate) error {
				_, err := r.ca.SetEnabled(t.Context(), editor, ca.Device{ID: d.ID, Space: space}, c.ID, false, "")
				return err
			},
			"CA rotated": func(r *rig, _ Device, _ ca.Certificate) error {
				_, err := r.ca.Rotate(t.Context(), system, h.clock())
				return err
			},
		} {
			r := h.start()
			r.run()
			soon(t, "Run listens", func() bool { r.ca.Changes.Publish(ca.Change{}); return r.currentDoubts() > 0 })
			d := r.device(Device{})
			c, leaf := r.certify(d.ID)
			x, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address)
			if err != nil {
				t.Fatal(err)
			}
			r.Connected(x)
			bystander := r.withSecret()
			y := r.enter(bystander.ID)
			if err := act(r, d, c); err != nil {
				t.Fatal(err)
			}
			soon(t, what+": the session is closed", func() bool { return r.sessionOf(d.ID) == nil })
			if r.sessionOf(bystander.ID) != y {
				t.Errorf("%s: another session was closed", what)
			}
		}
	})
}

// What is revoked, changed or deleted while a device is being let in closes it as well.
func TestRevocationDuringConnectClosesSession(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		for what, act := range map[string]func(r *rig, d Device) error{
			"revoked": func(r *rig, d Device) error {
				err := r.ca.RevokeDevice(t.Context(), editor, ca.Device{ID: d.ID, Space: space}, ca.Unspecified)
				before := r.currentDoubts()
				soon(t, "Run heard of it", func() bool { r.ca.Changes.Publish(ca.Change{}); return r.currentDoubts() > before })
				return err
			},
			"deleted": func(r *rig, d Device) error { return r.Delete(t.Context(), editor, space, d.ID, false) },
		} {
			r := h.start()
			r.run()
			d := r.device(Device{})
			_, leaf := r.certify(d.ID)
			x, err := r.AuthenticateCertificate(t.Context(), leaf, d.ID, address)
			if err != nil {
				t.Fatal(err)
			}
			if err := act(r, d); err != nil {
				t.Fatal(err)
			}
			r.Connected(x) // the broker did not know it when it was dropped
			soon(t, what+": the session is closed", func() bool { return r.sessionOf(d.ID) == nil })
		}
		r := h.start()
		r.run()
		d := r.withSecret()
		x, err := r.Authenticate(t.Context(), d.ID, password, d.ID, address)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.SetSecret(t.Context(), editor, space, d.ID, "another secret key"); err != nil {
			t.Fatal(err)
		}
		r.Connected(x)
		soon(t, "secret changed: the session is closed", func() bool { return r.sessionOf(d.ID) == nil })
	})
}

func TestPresence(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		news := r.Changes.Subscribe(16)
		defer news.Close()
		d := r.withSecret()
		status := func() Status {
			t.Helper()
			got, err := r.Get(t.Context(), editor, space, d.ID, false)
			if err != nil {
				t.Fatal(err)
			}
			return got.Status
		}
		if got := status(); got != Offline {
			t.Errorf("at first %s", got)
		}
		x := r.enter(d.ID)
		if got := status(); got != Online || r.Online() != 1 {
			t.Errorf("connected %s, %d online", got, r.Online())
		}
		h.pass(time.Minute)
		x.Touch(h.clock())
		if got, _ := r.Get(t.Context(), editor, space, d.ID, false); !got.LastActivityAt.Equal(h.clock().Truncate(time.Microsecond)) {
			t.Errorf("last activity at %v, want %v", got.LastActivityAt, h.clock())
		}
		// It connects anew before the old connection is given up.
		y := r.enter(d.ID)
		r.Disconnected(x)
		if got := status(); got != Online {
			t.Errorf("after the old session's end %s", got)
		}
		r.Disconnected(y)
		r.Disconnected(y)
		if got := status(); got != Offline {
			t.Errorf("disconnected %s", got)
		}
		events, err := r.Statuses(t.Context(), editor, space, d.ID, time.Time{}, 30)
		if err != nil || len(events) != 3 || events[0].Connected || !events[1].Connected || !events[2].Connected {
			t.Errorf("Statuses = %v, %v", events, err)
		}
		older, err := r.Statuses(t.Context(), editor, space, d.ID, events[0].At, 1)
		if err != nil || len(older) != 1 || older[0] != events[1] {
			t.Errorf("the next page = %v, %v", older, err)
		}
		if _, err := r.Statuses(t.Context(), stranger, space, d.ID, time.Time{}, 30); !errors.Is(err, access.ErrDenied) {
			t.Errorf("Statuses for a stranger = %v", err)
		}
		if all, err := r.Statuses(t.Context(), stranger, otherSpace, d.ID, time.Time{}, 30); err != nil || len(all) != 0 {
			t.Errorf("Statuses in another space = %v, %v", all, err)
		}
		var got []What
		for range 5 {
			got = append(got, (<-news.C()).What)
		}
		if want := []What{Created, Updated, Connected, Connected, Disconnected}; !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		phone := r.device(Device{Type: "phone"})
		if phone.Status != Unknown {
			t.Errorf("a phone is %s", phone.Status)
		}
	})
}

// A process that died while devices were connected has written them down as
// online; the next one knows better.
func TestNobodyIsOnlineAfterARestart(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		r.enter(d.ID)
		if err := r.save(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Hour)
		again := h.start()
		got, err := again.Get(t.Context(), editor, space, d.ID, false)
		if err != nil || got.Status != Offline {
			t.Errorf("status is %s, %v", got.Status, err)
		}
		events, err := again.Statuses(t.Context(), editor, space, d.ID, time.Time{}, 30)
		if err != nil || len(events) != 2 || events[0].Connected || !events[0].At.Equal(h.clock().UTC().Truncate(time.Microsecond)) {
			t.Errorf("Statuses = %v, %v", events, err)
		}
		if events, _ := h.start().Statuses(t.Context(), editor, space, d.ID, time.Time{}, 30); len(events) != 2 {
			t.Errorf("a second start wrote again: %v", events)
		}
	})
}

func TestStatusEventsAreBounded(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		x := r.enter(d.ID)
		for range keepStatuses {
			r.Disconnected(x)
			r.Connected(x)
			h.pass(time.Second)
		}
		for range 2 {
			if err := r.save(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			r.Disconnected(x)
		}
		events, err := r.Statuses(t.Context(), editor, space, d.ID, time.Time{}, 10*keepStatuses)
		if err != nil || len(events) != keepStatuses || events[0].Connected {
			t.Errorf("%d events, the newest %v, %v", len(events), events[0], err)
		}
		// On disk there are a few more, and not more and more.
		for range 2 * trimAfter {
			r.Connected(x)
			h.pass(time.Second)
			r.Disconnected(x)
			if err := r.save(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		var rows int
		if err := h.db.One(t.Context(), func(from db.Row) error { return from.Scan(&rows) }, `select count(*) from device_status where device = $1`, d.ID); err != nil {
			t.Fatal(err)
		}
		if rows < keepStatuses || rows > keepStatuses+trimAfter {
			t.Errorf("%d events are on disk, want %d to %d", rows, keepStatuses, keepStatuses+trimAfter)
		}
	})
}

// failingStore cannot save for a while.
type failingStore struct {
	Store
	broken atomic.Bool
}

var errDisk = errors.New("the disk is full")

func (s *failingStore) save(ctx context.Context, batch []*saving) error {
	if s.broken.Load() {
		return errDisk
	}
	return s.Store.save(ctx, batch)
}

// Reports that somebody waits for fail with the disk; comings and goings are kept
// until it works again, in their order.
func TestNothingIsLostWhenTheDiskFailsForAWhile(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		disk := &failingStore{Store: r.needs.Store}
		r.needs.Store = disk
		d := r.withSecret()
		disk.broken.Store(true)
		x := r.enter(d.ID)
		told := make(chan error, 1)
		r.report(x, Reported{LibVersion: {"2.9.0", noon}}, func(err error) { told <- err })
		if err := r.save(t.Context(), false); !errors.Is(err, errDisk) {
			t.Errorf("save = %v", err)
		}
		if err := <-told; !errors.Is(err, errDisk) {
			t.Errorf("who waits is told %v", err)
		}
		r.Disconnected(x)
		if _, err := r.Get(t.Context(), editor, space, d.ID, false); !errors.Is(err, errDisk) {
			t.Errorf("Get shows what is not on disk: %v", err)
		}
		disk.broken.Store(false)
		got, err := r.Get(t.Context(), editor, space, d.ID, false)
		if err != nil || got.Reported[LibVersion].Value != "2.9.0" {
			t.Errorf("Get = %+v, %v", got.Reported, err)
		}
		events, err := r.Statuses(t.Context(), editor, space, d.ID, time.Time{}, 30)
		if err != nil || len(events) != 2 || events[0].Connected || !events[1].Connected {
			t.Errorf("Statuses = %v, %v", events, err)
		}
	})
}

func TestRunSavesWhatIsLeft(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		stop := r.run()
		d := r.withSecret()
		x := r.enter(d.ID)
		h.pass(time.Minute)
		x.Touch(h.clock())
		stop()
		raw, err := SQL(h.db).byID(t.Context(), d.ID)
		if err != nil || !raw.online || !raw.LastActivityAt.Equal(h.clock().UTC().Truncate(time.Microsecond)) {
			t.Errorf("online %v, last activity %v, %v", raw.online, raw.LastActivityAt, err)
		}
	})
}

// Two boards with one identity take its session from each other until neither is let in.
func TestClonedDeviceIsBarred(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		alerts := r.Alerts.Subscribe(4)
		defer alerts.Close()
		d := r.withSecret()
		here, there := address, netip.MustParseAddr("198.51.100.9")
		for i := range maxFlips {
			x := r.enter(d.ID)
			r.TakenOver(x, here, netip.AddrFrom16(here.As16())) // the same address, written otherwise
			if i%2 == 0 {
				r.TakenOver(x, here, there)
			} else {
				r.TakenOver(x, there, here)
			}
			h.pass(30 * time.Second)
		}
		select {
		case a := <-alerts.C():
			if a.Device != d.ID || a.Space != space || a.A == a.B {
				t.Errorf("alert %+v", a)
			}
		default:
			t.Fatal("nobody was alerted")
		}
		if !errors.Is(r.line.lastDrop(), ErrTwice) {
			t.Errorf("the session was closed for %v", r.line.lastDrop())
		}
		if _, err := r.Authenticate(t.Context(), d.ID, password, d.ID, address); !errors.Is(err, ErrTwice) {
			t.Errorf("Authenticate = %v, want %v", err, ErrTwice)
		}
		h.pass(barTime)
		r.enter(d.ID)
	})
}

// A board that moves between two networks is not two boards.
func TestMovingDeviceIsNotBarred(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		for i := range 4 * maxFlips {
			x := r.enter(d.ID)
			r.TakenOver(x, address, netip.AddrFrom4([4]byte{192, 0, 2, byte(100 + i)}))
			h.pass(flipWindow/maxFlips + 2*time.Minute)
		}
		r.enter(d.ID)
	})
}

// Many devices come and go at once while Run saves; then the disk agrees with memory.
func TestManyComeAndGo(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		stop := r.run()
		const n = 20
		ids := make([]string, n)
		for i := range ids {
			ids[i] = r.withSecret().ID
		}
		done := make(chan error, n)
		for i, id := range ids {
			go func() {
				var x *Session
				for j := range 7 {
					var err error
					if x, err = r.Authenticate(context.Background(), id, password, id, address); err != nil {
						done <- err
						return
					}
					r.Connected(x)
					told := make(chan error, 1)
					r.learn(t.Context(), x, facts{LibVersion: fmt.Sprint(j)}, true, func(err error) { told <- err })
					if err := <-told; err != nil {
						done <- err
						return
					}
					if j < 6 || i%2 == 0 {
						r.Disconnected(x)
					}
				}
				done <- nil
			}()
		}
		for range ids {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		stop()
		for i, id := range ids {
			raw, err := SQL(h.db).byID(t.Context(), id)
			if err != nil || raw.online == (i%2 == 0) {
				t.Errorf("device %d is written down as online %v (%v)", i, raw.online, err)
			}
			got, err := r.Get(t.Context(), editor, space, id, false)
			if err != nil || got.Reported[LibVersion].Value != "6" {
				t.Errorf("device %d reported %v, %v", i, got.Reported, err)
			}
		}
		if want := n / 2; r.Online() != want {
			t.Errorf("%d are online, want %d", r.Online(), want)
		}
	})
}
