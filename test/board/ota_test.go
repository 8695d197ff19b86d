package board

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
	simulated "github.com/ardesia-iot/ardesia/sdk/go/board"
)

func program(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(60))
	}
	return b
}

// weak is a line that breaks once in the middle of each download that starts at its beginning.
type weak struct {
	http.RoundTripper
	after  int64
	whole  atomic.Int64 // requests for all of a file
	ranges atomic.Int64 // and for the rest of one
	large  atomic.Int64 // TLS records that are too large
}

func (w *weak) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Range") != "" {
		w.ranges.Add(1)
		return answer, nil
	}
	w.whole.Add(1)
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(answer.Body, w.after), broken{}), answer.Body}
	return answer, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line broke") }

// A sniffer looks at the TLS records that come in.
type sniffer struct {
	net.Conn
	large *atomic.Int64
	head  []byte
	left  int
}

func (s *sniffer) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	for b := p[:n]; len(b) > 0; {
		if s.left > 0 {
			k := min(s.left, len(b))
			s.left -= k
			b = b[k:]
			continue
		}
		k := min(5-len(s.head), len(b))
		s.head = append(s.head, b[:k]...)
		if b = b[k:]; len(s.head) == 5 {
			s.left = int(binary.BigEndian.Uint16(s.head[3:]))
			// TLS 1.2 with AES-GCM adds 24 bytes to the plaintext.
			if s.head[0] == 23 && s.left > 4096+24 {
				s.large.Add(1)
			}
			s.head = s.head[:0]
		}
	}
	return n, err
}

// Boards update themselves through the whole house: TLS, broker, download over a line that breaks, checks, a
// new start. What goes wrong at each moment is told by its name, and after a power cut the board goes on.
func TestUpdatesOverTheAir(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "owner@example.org")
	before, after := program(1, 4000), program(2, 60_000)
	file, err := otafile.Encode(after, otafile.ESP32)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := device.RootsFromFile(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	line := &weak{after: int64(len(file) / 3)}
	line.RoundTripper = &http.Transport{DisableKeepAlives: true, DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return tls.Client(&sniffer{Conn: raw, large: &line.large}, &tls.Config{RootCAs: roots, ServerName: "localhost", MaxVersion: tls.VersionTLS12}), nil
	}}

	type fate struct {
		trouble    simulated.Trouble
		generation int
		want       string
	}
	fates := map[string]fate{
		"all is well":               {want: "succeeded"},
		"generation 1":              {generation: 1, want: "succeeded"},
		"generation 1 fails":        {generation: 1, trouble: simulated.Trouble{Fail: simulated.Fetch}, want: "failed otadownloadfail"},
		"another image":             {trouble: simulated.Trouble{Wrong: true}, want: "failed sha256unknown"},
		"no power, again and again": {trouble: simulated.Trouble{Cut: simulated.Fetch, Times: 99}, want: "failed interrupted"},
	}
	for _, m := range simulated.Moments() {
		want := "failed errorwriteupdatefilefail"
		switch m {
		case simulated.Restart:
			want = "failed sha256mismatch"
		case simulated.Fetch: // in the middle of writing
			want = "failed erroropenupdatefilefail"
		}
		fates["fails: "+m.String()] = fate{trouble: simulated.Trouble{Fail: m, Code: map[bool]int32{true: -19, false: -20}[m == simulated.Fetch]}, want: want}
		fates["no power: "+m.String()] = fate{trouble: simulated.Trouble{Cut: m}, want: "succeeded"}
	}
	ctx, stop := context.WithCancel(t.Context())
	var lives sync.WaitGroup
	defer lives.Wait()
	defer stop()
	ids, flashes := map[string]string{}, map[string]*simulated.Flash{}
	for name, f := range fates {
		id := o.device(name)
		flash := simulated.NewFlash(before, uint32(otafile.ESP32))
		f.trouble.Half = len(after) / 2
		b := &simulated.Board{Flash: flash, Trouble: f.trouble}
		ids[name], flashes[name] = id, flash
		_, port, _ := net.SplitHostPort(h.At["mqtt-password"])
		c := device.Config{
			Host: "localhost", Address: "127.0.0.1:" + port, DeviceID: id, SecretKey: secretKey, Roots: roots, Now: h.Now, Generation: f.generation, HTTP: &http.Client{Transport: line},
			Timing: device.Timing{Attach: 20 * time.Millisecond, AttachMax: 50 * time.Millisecond, Detached: time.Hour, Reconnect: 10 * time.Millisecond, Answer: 10 * time.Second},
		}
		lives.Go(func() {
			if err := b.Run(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
		})
		if name == "all is well" {
			// The requests of the command line tool of the service that we are compatible with.
			kind, body, err := client.Form("sketch.ota", file, map[string]string{"async": "true", "expire_in_mins": "10"})
			if err != nil {
				t.Fatal(err)
			}
			var up client.Uploaded
			if err := o.api.Send(t.Context(), "POST", "/iot/v2/devices/"+id+"/ota", kind, body, &up); err != nil || up.ID == "" || up.Version != 2 || up.SHA != hexSHA(file) {
				t.Fatalf("%+v, %v", up, err)
			}
			continue
		}
		if _, err := o.api.UploadOTA(t.Context(), id, "sketch.ota", file, 10*time.Minute); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	deadline := time.Now().Add(90 * time.Second)
	for name, f := range fates {
		var all struct {
			Updates []client.Update `json:"ota"`
		}
		for {
			o.do("GET", "/ota/v1/ota?device_id="+ids[name]+"&limit=1&order=desc", nil, &all)
			if len(all.Updates) == 1 && all.Updates[0].Over() {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v", name, all)
			}
			h.Pass(2 * time.Second) // so that the door lets us ask, and what a board forgot is sent again
			<-time.After(20 * time.Millisecond)
		}
		u := all.Updates[0]
		if got := strings.TrimSpace(u.Status + " " + u.Reason); got != f.want {
			t.Errorf("%s: %s, want %s", name, got, f.want)
		}
		if runs := bytes.Equal(flashes[name].Running(), after); runs != (u.Status == "succeeded") {
			t.Errorf("%s: %s, and the board runs the new image: %v", name, u.Status, runs)
		}
		var course client.Course
		o.do("GET", "/ota/v1/ota/"+u.ID, nil, &course)
		if course.Update.ID != u.ID || len(course.Steps) == 0 && f.generation != 1 {
			t.Errorf("%s: %+v", name, course)
		}
		if err := o.api.Do(t.Context(), "PUT", "/ota/v1/ota/"+u.ID+"/cancel", nil, nil); err == nil || !strings.Contains(err.Error(), "over") {
			t.Errorf("%s: cancelled when it is over: %v", name, err)
		}
	}
	if line.whole.Load() == 0 || line.ranges.Load() == 0 {
		t.Errorf("%d downloads, %d of the rest", line.whole.Load(), line.ranges.Load())
	}
	if n := line.large.Load(); n > 0 {
		t.Errorf("%d TLS records are too large for boards", n)
	}
}

// The same for a thousand boards, each with its own connection and its own TLS, in waves; a twentieth of them fails at each
// moment. It takes minutes: what takes seconds is TestFleet of internal/fleet/ota.
func TestFleetOverTheAir(t *testing.T) {
	n, wave := 1000, 100
	if os.Getenv("ARDESIA_SOAK") == "" {
		t.Skip("soak only")
	}
	h := servertest.Start(t, func(c *server.Config) { c.APIRate, c.OpenRate = -1, -1 })
	o := newOwner(t, h, "owner@example.org")
	before, after := program(1, 4000), program(2, 30_000)
	file, err := otafile.Encode(after, otafile.ESP32)
	if err != nil {
		t.Fatal(err)
	}
	roots, err := device.RootsFromFile(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(h.At["mqtt-password"])
	ctx, stop := context.WithCancel(t.Context())
	var lives sync.WaitGroup
	defer lives.Wait()
	defer stop()
	moments := simulated.Moments()
	want, ids, flashes := map[string]int{}, []string{}, map[string]*simulated.Flash{}
	for k := range n {
		b := &simulated.Board{Flash: simulated.NewFlash(before, uint32(otafile.ESP32))}
		words := "succeeded"
		switch f := k % 20; {
		case f < len(moments):
			b.Fail, b.Code, words = moments[f], -12, "failed otadownloadfail"
			if b.Fail == simulated.Restart {
				words = "failed sha256mismatch"
			} else if b.Fail == simulated.Fetch {
				words = "failed errorwriteupdatefilefail"
				b.Code = -20
			}
		case f < 2*len(moments):
			b.Cut = moments[f-len(moments)]
		case f == 2*len(moments):
			b.Cut, b.Times, words = simulated.Fetch, 99, "failed interrupted"
		}
		b.Half = len(after) / 2
		id := o.device(fmt.Sprint("board ", k))
		ids = append(ids, id)
		flashes[id] = b.Flash
		want[words]++
		c := device.Config{Host: "localhost", Address: "127.0.0.1:" + port, DeviceID: id, SecretKey: secretKey, Roots: roots, Now: h.Now,
			Timing: device.Timing{Dial: time.Minute, Answer: time.Minute, Reconnect: 50 * time.Millisecond, Attach: 5 * time.Second, Detached: 5 * time.Second, DetachedMax: 10 * time.Second}}
		lives.Go(func() {
			if err := b.Run(ctx, c); !errors.Is(err, context.Canceled) {
				t.Errorf("board %d: %v", k, err)
			}
		})
	}
	kind, body, err := client.Form("sketch.ota", file, nil)
	if err != nil {
		t.Fatal(err)
	}
	var image, campaign struct {
		ID    string `json:"id"`
		State string `json:"state"`
		Tally []struct {
			Status  string `json:"status"`
			Reason  string `json:"error_reason"`
			Devices int    `json:"devices"`
		} `json:"tally"`
	}
	if err := o.api.Send(t.Context(), "POST", "/v1/ota/images", kind, body, &image); err != nil {
		t.Fatal(err)
	}
	o.do("POST", "/v1/ota/campaigns", map[string]any{"image_id": image.ID, "device_ids": ids, "wave_size": wave, "expire_in_mins": 600}, &campaign)
	for campaign.State == "running" {
		<-time.After(time.Second)
		o.do("GET", "/v1/ota/campaigns/"+campaign.ID, nil, &campaign)
	}
	got, runs := map[string]int{}, 0
	for _, one := range campaign.Tally {
		got[strings.TrimSpace(one.Status+" "+one.Reason)] += one.Devices
	}
	for _, f := range flashes {
		if bytes.Equal(f.Running(), after) {
			runs++
		}
	}
	if !maps.Equal(got, want) || runs != want["succeeded"] {
		t.Errorf("the report is %v, what happened is %v, and %d boards run the new image", got, want, runs)
	}
}

func hexSHA(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
