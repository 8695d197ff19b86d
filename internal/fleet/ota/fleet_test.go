package ota

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// What happens to a board of the fleet; what each leads to, in the words of the report.
var fates = []string{
	"available", "start", "fetch", "flash", "reboot", "restart", "checksum", "cut", "cut again and again", "away",
}

var outcomes = map[string]string{
	"":                    "succeeded",
	"available":           "failed nocapablebootloaderfail",
	"start":               "failed serverconnecterrorfail",
	"fetch":               "failed otadownloadfail",
	"checksum":            "failed otaheadercrcfail",
	"flash":               "failed errorwriteupdatefilefail",
	"reboot":              "failed otastorageendfail",
	"restart":             "failed sha256mismatch",
	"cut":                 "succeeded",
	"cut again and again": "failed interrupted",
	"away":                "expired",
}

// codes of the boards that give up, by when.
var codes = map[string]int32{"available": -1, "start": -10, "fetch": -12, "flash": -20, "reboot": -15, "checksum": -6}

// A light is a board that is one goroutine: it speaks the protocol and fetches its file, and there is neither a
// connection nor a room of devices under it, which have tests of their own.
type light struct {
	h     *house
	id    string
	fate  string
	image []byte // that runs
	ended bool
	cuts  int

	mu      sync.Mutex
	over    bool        // guarded by mu: its update is
	sha     [32]byte    // guarded by mu: that it said it runs
	listens chan []byte // guarded by mu: nil while it starts
}

// live is the life of a board, until its update is over.
func (l *light) live() {
	for !l.ended {
		box := make(chan []byte, 16)
		sha := sha256.Sum256(l.image)
		l.h.Runs(l.id, sha, func(err error) {
			if err != nil {
				l.h.t.Error(err)
			}
		})
		l.mu.Lock()
		l.sha, l.listens = sha, box
		over := l.over
		l.mu.Unlock()
		if over { // by what it runs
			return
		}
		l.h.Listens(l.id)
		l.serve(box)
		l.mu.Lock()
		l.listens = nil
		l.mu.Unlock()
	}
}

// serve is what is between two starts of a board.
func (l *light) serve(box chan []byte) {
	for payload := range box {
		if payload == nil {
			l.ended = true
			return
		}
		c, err := command.Decode(payload)
		if err != nil {
			l.h.t.Errorf("the server said %x: %v", payload, err)
		}
		if u, ok := c.(command.OtaUpdate); ok && l.update(u) {
			return
		}
	}
}

// progress tells how far the board is, through the codec.
func (l *light) progress(u command.OtaUpdate, state command.OtaState, data int32) {
	payload, err := command.Append(nil, command.OtaProgress{ID: u.ID, State: state, Data: data, Time: uint64(noon.UnixMicro())})
	if err != nil {
		l.h.t.Fatal(err)
	}
	c, err := command.Decode(payload)
	if err != nil {
		l.h.t.Error(err)
		return
	}
	l.h.Progress(l.id, c.(command.OtaProgress), func(err error) {
		if err != nil {
			l.h.t.Error(err)
		}
	})
}

// A crowd is the room of devices as far as this one needs it.
type crowd struct {
	order []string
	by    map[string]*light
}

func (c *crowd) Get(_ context.Context, _ access.Actor, _, id string, _ bool) (device.Device, error) {
	return device.Device{ID: id, Space: space, Type: "nano_33_iot"}, nil
}

func (c *crowd) List(context.Context, access.Actor, string, device.Filter) (all []device.Device, err error) {
	for _, id := range c.order {
		all = append(all, device.Device{ID: id, Space: space, Type: "nano_33_iot"})
	}
	return all, nil
}

func (c *crowd) CheckSecret(context.Context, access.Actor, string, string, string) error { return nil }

func (c *crowd) Reach(_ context.Context, id string) (device.Reach, error) {
	l := c.by[id]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listens == nil {
		return device.Reach{}, nil
	}
	return device.Reach{Generation: 2, Capable: true, SHA: l.sha}, nil
}

func (c *crowd) SendUpdate(id string, u command.OtaUpdate) error {
	payload, err := command.Append(nil, u)
	if err == nil {
		c.by[id].send(payload)
	}
	return err
}

func (c *crowd) SendUpdateURL(string, string) {}

// end is the end of the test for a board, which may be between two starts.
func (l *light) end() {
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	l.send(nil)
}

func (l *light) send(payload []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listens != nil {
		l.listens <- payload
	}
}

// stale says whether u is of before: a board that came in the moment when its wave began may be told twice, and has done by
// the second time what there was to do, or has begun anew since.
func (l *light) stale(u command.OtaUpdate) bool {
	got, _, err := l.h.Get(l.h.t.Context(), editor, space, uuid.UUID(u.ID).String())
	return err == nil && (got.Status != InProgress || l.h.address(got) != u.URL)
}

// update is true when the board starts anew.
func (l *light) update(u command.OtaUpdate) bool {
	var stored bytes.Buffer
	for _, step := range []struct {
		name  string
		state command.OtaState
	}{{"available", command.OtaAvailable}, {"start", command.OtaStart}, {"fetch", command.OtaFetch}, {"flash", command.OtaFlash}, {"reboot", command.OtaReboot}} {
		if l.fate == step.name {
			l.progress(u, command.OtaFail, codes[l.fate])
			return false
		}
		l.progress(u, step.state, 0)
		if step.state != command.OtaFetch {
			continue
		}
		file, err := l.h.download(u, Credential{l.id, password})
		if errors.Is(err, ErrNoFile) && l.stale(u) {
			return false
		}
		if err != nil {
			l.h.t.Errorf("board %s: %v", l.id, err)
			return false
		}
		if l.fate == "cut again and again" || l.fate == "cut" && l.cuts == 0 {
			l.progress(u, command.OtaFetch, int32(len(file)/2))
			l.cuts++
			return true
		}
		if l.fate == "checksum" {
			file[len(file)/2] ^= 4
		}
		l.progress(u, command.OtaFetch, int32(len(file)))
		info, err := otafile.Check(bytes.NewReader(file), &stored)
		if err == nil && info.ImageSHA != u.FinalSHA {
			err = otafile.ErrCRC
		}
		if err != nil {
			if !errors.Is(err, otafile.ErrCRC) || l.fate != "checksum" {
				l.h.t.Errorf("board %s: %v", l.id, err)
			}
			l.progress(u, command.OtaFail, codes["checksum"])
			return false
		}
	}
	if l.fate != "restart" {
		l.image = stored.Bytes()
	}
	return true
}

// A thousand boards are updated in waves; a twentieth of them fails at each stage. What the server says in the end is what
// happened to them.
func TestFleet(t *testing.T) { testFleet(t, 1000, 100) }

func testFleet(t *testing.T, n, wave int) {
	h := liteHouse(t)
	before, after := program(1, 500), program(2, 4000)
	i := h.upload(editor, after, nano)
	boards := make(map[string]*light, n)
	devices := &crowd{by: boards}
	h.needs.Devices = devices
	want := map[string]int{}
	for k := range n {
		l := &light{h: h, image: before}
		if fate := k % 20; fate < len(fates) {
			l.fate = fates[fate]
		}
		l.id = uuid.NewString()
		boards[l.id] = l
		devices.order = append(devices.order, l.id)
		want[outcomes[l.fate]]++
	}
	h.run()
	over := h.Changes.Subscribe(64 * n)
	defer over.Close()
	var all sync.WaitGroup
	for _, l := range boards {
		if l.fate != "away" {
			all.Go(l.live)
		}
	}
	c, skipped, err := h.StartMany(t.Context(), editor, space, Wish{Image: i.ID, Devices: devices.order, WaveSize: wave, MaxFailed: 100, Terms: Terms{Life: time.Hour, Retries: 1}})
	if err != nil || len(skipped) > 0 || c.Devices != n || c.Waves() != (n+wave-1)/wave {
		t.Fatalf("%+v %v, %v", c, skipped, err)
	}
	// Boards that are away are why a wave is not over: when they are the only ones left, time passes.
	ended, started := map[string]bool{}, 0
	away := func() (left int) {
		for k := range min(n, (started+1)*wave) {
			if l := boards[devices.order[k]]; l.fate == "away" && !ended[l.id] {
				left++
			}
		}
		return left
	}
	late := time.After(5 * time.Minute)
	for len(ended) < n {
		select {
		case u := <-over.C():
			if !u.Status.Over() {
				continue
			}
			if ended[u.Device] {
				t.Errorf("the update of board %s ended twice", u.Device)
			}
			ended[u.Device] = true
			boards[u.Device].end()
		case <-late:
			t.Fatalf("%d of %d updates are over", len(ended), n)
		}
		if open := min(n, (started+1)*wave) - len(ended); open > 0 && open == away() {
			h.pass(2 * time.Hour)
			if err := h.late(t.Context()); err != nil {
				t.Fatal(err)
			}
			started++
		}
	}
	all.Wait()
	soon(t, "the campaign ends", func() bool {
		c, _, err = h.Campaign(t.Context(), editor, space, c.ID)
		return err != nil || c.State == Complete
	})
	_, tallies, err := h.Campaign(t.Context(), editor, space, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	got, perWave := map[string]int{}, map[int]int{}
	for _, one := range tallies {
		words := string(one.Status)
		if one.Error != "" {
			words += " " + one.Error
		}
		got[words] += one.Devices
		perWave[one.Wave] += one.Devices
	}
	if !maps.Equal(got, want) {
		t.Errorf("the report is %v, and what happened is %v", got, want)
	}
	for w, devices := range perWave {
		if devices != wave {
			t.Errorf("wave %d has %d devices", w, devices)
		}
	}
	// Board by board: what runs is what the server says.
	updates, err := h.List(t.Context(), editor, Filter{Space: space, Campaign: c.ID, Limit: n})
	if err != nil || len(updates) != n {
		t.Fatalf("%d updates, %v", len(updates), err)
	}
	for _, u := range updates {
		l := boards[u.Device]
		words := string(u.Status)
		if u.Error != "" {
			words += " " + u.Error
		}
		if words != outcomes[l.fate] || (u.Status == Succeeded) != (sha256.Sum256(l.image) == i.ImageSHA) {
			t.Errorf("board %s with fate %q: %s, and it runs the new image: %v", u.Device, l.fate, words, sha256.Sum256(l.image) == i.ImageSHA)
		}
	}
	counts := h.Counts()
	if int(counts.Succeeded) != want["succeeded"] || int(counts.Expired) != want["expired"] || int(counts.Succeeded+counts.Failed+counts.Expired) != n {
		t.Errorf("counted %+v", counts)
	}
	t.Logf("%d boards in %d waves: %v", n, c.Waves(), slices.Sorted(maps.Keys(got)))
}
