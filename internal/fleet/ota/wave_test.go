package ota

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
)

// counting counts the transactions that change updates.
type counting struct {
	Store
	edits atomic.Int64
}

func (c *counting) edit(ctx context.Context, fn func(tx changer) error) error {
	c.edits.Add(1)
	return c.Store.edit(ctx, fn)
}

// connected are n boards that listen and do nothing.
func connected(h *house, n int) *crowd {
	c := &crowd{by: map[string]*light{}}
	for range n {
		l := &light{h: h, id: uuid.NewString(), sha: [32]byte{1}, listens: make(chan []byte, 16)}
		c.by[l.id], c.order = l, append(c.order, l.id)
	}
	return c
}

func (c *crowd) told() (n int) {
	for _, l := range c.by {
		n += len(l.listens)
	}
	return n
}

// Whoever starts a campaign waits for nobody, and no device that is connected is forgotten, however much is said at
// the same time. Devices are told many in a transaction.
func TestManyAreToldTogether(t *testing.T) {
	const n = 2*batch + 10
	h := liteHouse(t)
	i := h.upload(editor, program(1, 50), nano)
	devices, store := connected(h, n), &counting{Store: h.needs.Store}
	h.needs.Devices, h.needs.Store = devices, store
	for range queue {
		h.events <- event{kind: listens, device: "somebody else"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, _, err := h.StartMany(ctx, editor, space, Wish{Image: i.ID, Devices: devices.order, MaxFailed: 100}); err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	cancel()
	h.settle()
	if got := devices.told(); got != n {
		t.Errorf("%d devices were told, want %d", got, n)
	}
	if got, most := store.edits.Load(), int64(queue/batch+3); got > most {
		t.Errorf("%d transactions, want %d at most", got, most)
	}
}

// A wave that begins takes a few transactions, and what devices say comes in between.
func TestWavesBeginTogether(t *testing.T) {
	const n = 2*batch + 10
	for name, begin := range map[string]func(h *house, devices *crowd, image string){
		"after the wave before": func(h *house, devices *crowd, image string) {
			// The first wave is as large, and nobody of it is there.
			all := connected(h, n)
			for id, l := range all.by {
				l.listens, devices.by[id] = nil, l
			}
			devices.order = append(all.order, devices.order...)
			if _, _, err := h.StartMany(h.t.Context(), editor, space, Wish{Image: image, Devices: devices.order, WaveSize: n, MaxFailed: 100}); err != nil {
				h.t.Fatal(err)
			}
			h.settle()
			h.pass(time.Hour)
		},
		"at its time": func(h *house, devices *crowd, image string) {
			if _, _, err := h.StartMany(h.t.Context(), editor, space, Wish{Image: image, Devices: devices.order, MaxFailed: 100, Terms: Terms{StartAt: noon.Add(time.Hour)}}); err != nil {
				h.t.Fatal(err)
			}
			h.settle()
			h.pass(time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := liteHouse(t)
			i := h.upload(editor, program(1, 50), nano)
			devices, store := connected(h, n), &counting{Store: h.needs.Store}
			h.needs.Devices, h.needs.Store = devices, store
			begin(h, devices, i.ID)
			if got := devices.told(); got != 0 {
				t.Fatalf("%d devices were told before their time", got)
			}
			store.edits.Store(0)
			if err := h.late(t.Context()); err != nil {
				t.Fatal(err)
			}
			for len(h.events) > 0 {
				if err := h.take(t.Context(), <-h.events); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case <-h.wake:
			default:
				t.Fatal("nobody wakes the room")
			}
			if err := h.tellSome(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := devices.told(); got != batch {
				t.Errorf("at first %d devices were told, want %d", got, batch)
			}
			h.settle()
			if got := devices.told(); got != n {
				t.Errorf("%d devices were told, want %d", got, n)
			}
			if got := store.edits.Load(); got > 10 {
				t.Errorf("%d transactions, want 10 at most", got)
			}
		})
	}
}

// Who waits for the end of an update gets an answer: its route lasts longer than the wait.
func TestRoutesLastAsLongAsTheyWait(t *testing.T) {
	h := liteHouse(t)
	found := 0
	for _, r := range h.Routes(h.devices.Load) {
		least := map[string]time.Duration{
			"PUT /iot/v2/devices/{id}/ota":  waitEnd + 10*time.Second,
			"POST /iot/v2/devices/{id}/ota": uploadTime + waitEnd + 10*time.Second,
			"POST /v1/ota/campaigns":        time.Minute,
		}[r.Pattern]
		if least == 0 {
			continue
		}
		found++
		if r.Timeout < least {
			t.Errorf("%s ends after %v, want %v at least", r.Pattern, r.Timeout, least)
		}
	}
	if found != 3 {
		t.Errorf("%d of 3 routes are there", found)
	}
}

// Files that come at the same time have together no more than the room of their space.
func TestUploadsAtOnceHaveOneRoom(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		a, b := encoded(t, program(1, 3000), nano), encoded(t, program(2, 3000), nano)
		h.room = int64(max(len(a), len(b))) + 100
		// The other one comes while this one is half there.
		first := true
		between := readerFunc(func([]byte) (int, error) {
			if first {
				first = false
				if _, err := h.Upload(t.Context(), editor, space, "", true, bytes.NewReader(b)); err != nil {
					t.Errorf("the one that is there first: %v", err)
				}
			}
			return 0, io.EOF
		})
		_, err := h.Upload(t.Context(), editor, space, "", true, io.MultiReader(bytes.NewReader(a[:len(a)/2]), between, bytes.NewReader(a[len(a)/2:])))
		if !errors.Is(err, ErrStorage) {
			t.Errorf("the other one: %v", err)
		}
		if n, err := h.Count(t.Context(), space); err != nil || n != int64(len(b)) {
			t.Errorf("%d bytes are stored, %v, want %d", n, err, len(b))
		}
	})
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Plain images wait for their turn before a byte of them is read.
func TestPlainImagesTakeTurns(t *testing.T) {
	h := liteHouse(t)
	for range encoders {
		h.plain <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := readerFunc(func([]byte) (int, error) {
		t.Error("the body is read")
		return 0, io.EOF
	})
	if _, err := h.keepFile(ctx, editor, "", "arduino:samd:nano_33_iot", true, body); !errors.Is(err, context.Canceled) {
		t.Errorf("while others are encoded: %v", err)
	}
	<-h.plain
	if _, err := h.keepFile(t.Context(), editor, "", "arduino:samd:nano_33_iot", true, bytes.NewReader(program(1, 100))); err != nil {
		t.Error(err)
	}
	if len(h.plain) != encoders-1 {
		t.Errorf("%d turns are taken", len(h.plain))
	}
}
