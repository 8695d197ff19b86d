package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A disk is all files of a data directory, by their path in it.
type disk map[string][]byte

// load reads a data directory. What a house writes anew at each start, and what is
// empty for good, is left out.
func load(t *testing.T, dir string) disk {
	t.Helper()
	d := disk{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err == nil && len(text) > 0 && name != "addresses.json" {
			d[name] = text
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// save writes a data directory.
func (d disk) save(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	for name, text := range d {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (d disk) with(name string, text []byte) disk {
	e := maps.Clone(d)
	if text == nil {
		delete(e, name)
	} else {
		e[name] = text
	}
	return e
}

// A reading is one answer of a house.
type reading struct {
	what   string
	status int // of HTTP; 0 for an administrative act that went well, 500 for one that failed
	text   string
}

// A household is what was written before the files were touched.
type household struct {
	key           servertest.Key
	user          string
	device, thing string
	properties    []string
}

func (w *household) write(t *testing.T, h place) {
	t.Helper()
	w.user, w.key = h.Person("anna@example.org")
	var space struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": w.user, "name": "School"}, &space)
	c := h.Client(w.key)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	do("PUT", "/iot/v2/devices", map[string]any{"name": "board", "type": "mkrwifi1010", "serial": "AB12"}, &d)
	do("PUT", "/iot/v2/devices/"+d.ID+"/tags", map[string]any{"key": "room", "value": "hall"}, nil)
	certify(t, c, d.ID)
	var th client.Thing
	property := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "type": kind, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}
	}
	do("PUT", "/iot/v2/things", map[string]any{"name": "thing", "device_id": d.ID, "timezone": "Europe/Rome",
		"tags":       []any{map[string]string{"key": "a", "value": "b"}},
		"properties": []any{property("level", "FLOAT"), property("note", "CHARSTRING"), property("count", "INT")}}, &th)
	w.device, w.thing = d.ID, th.ID
	for i, p := range th.Properties {
		w.properties = append(w.properties, p.ID)
		var batch []map[string]any
		for n := range 200 {
			var v any = float64(n) * 1.25
			switch i {
			case 1:
				v = fmt.Sprintf("note %d", n*n)
			case 2:
				v = n * 3
			}
			batch = append(batch, map[string]any{"timestamp": fmt.Sprintf("2026-01-02T%02d:%02d:00Z", n/60, n%60), "value": v})
		}
		do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+p.ID+"/publish_batch", batch, nil)
	}
}

// read asks a house for everything.
func (w *household) read(t *testing.T, h *servertest.House) (all []reading) {
	t.Helper()
	for act, in := range map[string]map[string]string{
		"user.list": {}, "space.list": {}, "apikey.list": {"user": w.user}, "device.list": {"user": w.user}, "ca.status": {}, "ca.list": {"device": w.device},
	} {
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		r := reading{what: act}
		if answer, err := h.Server.Admin(t.Context(), act, body); err != nil {
			r.status, r.text = http.StatusInternalServerError, err.Error()
		} else {
			r.text = steady(answer)
		}
		all = append(all, r)
	}
	c := web(t, h)
	defer c.CloseIdleConnections()
	status, text := call(t, c, "POST", h.URL()+"/iot/v1/clients/token", "", `{"grant_type":"client_credentials","client_id":"`+w.key.ID+`","client_secret":"`+w.key.Secret+`"}`)
	var granted struct {
		Token string `json:"access_token"`
	}
	if status != http.StatusOK || json.Unmarshal([]byte(text), &granted) != nil {
		return append(all, reading{"a token", status, text})
	}
	all = append(all, reading{"a token", status, ""})
	var raw, bins, last []string
	for _, p := range w.properties {
		raw = append(raw, fmt.Sprintf(`{"q":"property.%s","from":"2026-01-01T00:00:00Z","to":"2026-01-03T00:00:00Z","series_limit":1000}`, p))
		bins = append(bins, fmt.Sprintf(`{"q":"property.%s","from":"2026-01-02T00:00:00Z","to":"2026-01-02T04:00:00Z","interval":600,"aggregation":"COUNT"}`, p))
		last = append(last, fmt.Sprintf(`{"thing_id":"%s","property_id":"%s"}`, w.thing, p))
	}
	thing, device, series := "/iot/v2/things/"+w.thing, "/iot/v2/devices/"+w.device, "/iot/v2/series/batch_query"
	for _, ask := range [][3]string{
		{"GET", "/v1/spaces"}, {"GET", "/.well-known/jwks.json"}, {"GET", "/iot/v2/devices"}, {"GET", device}, {"GET", device + "/certs"}, {"GET", device + "/tags"},
		{"GET", device + "/events"}, {"GET", device + "/status"}, {"GET", device + "/properties"}, {"GET", "/iot/v2/things?show_properties=true"}, {"GET", thing}, {"GET", thing + "/tags"}, {"GET", thing + "/template"},
		{"POST", series, `{"requests":[` + strings.Join(bins, ",") + `]}`}, {"POST", series + "_raw", `{"requests":[` + strings.Join(raw, ",") + `]}`},
		{"POST", series + "_raw/lastvalue", `{"requests":[` + strings.Join(last, ",") + `]}`},
	} {
		status, text := call(t, c, ask[0], h.URL()+ask[1], granted.Token, ask[2])
		all = append(all, reading{ask[0] + " " + ask[1], status, steady([]byte(text))})
	}
	return all
}

// steady is an answer without what differs each time.
func steady(text []byte) string {
	var v any
	if json.Unmarshal(text, &v) != nil {
		return string(text)
	}
	if list, ok := v.([]any); ok {
		for _, one := range list {
			if m, ok := one.(map[string]any); ok {
				delete(m, "last_used_at")
			}
		}
	}
	same, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(same)
}

// A logbook is a log that a test reads.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// try starts a house on d and reads everything. It says how that went: "refused" to
// start, "failed" to answer something, or "right" in all; and what is wrong with it.
func (w *household) try(t *testing.T, d disk, truth []reading, name string) (verdict string, wrong error) {
	t.Helper()
	log := &logbook{}
	h, err := servertest.Try(t, servertest.On(d.save(t)), slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		if !names(err.Error(), name) {
			return "refused", fmt.Errorf("refused to start without a word about the file: %w", err)
		}
		return "refused", nil
	}
	got := w.read(t, h)
	ended := h.End()
	verdict = "right"
	for i, r := range got {
		want := truth[slices.IndexFunc(truth, func(x reading) bool { return x.what == r.what })]
		switch {
		case r == want:
		case r.status < 500:
			return "wrong", fmt.Errorf("%s answers %d %s, and was %d %s", r.what, r.status, r.text, want.status, want.text)
		default:
			verdict = "failed"
			if said := log.String(); !names(r.text, name) && !names(said, name) {
				return verdict, fmt.Errorf("%s failed without a word about the file: %s; the log is\n%s", got[i].what, r.text, said)
			}
		}
	}
	if verdict == "right" && ended != nil && !names(ended.Error(), name) {
		return verdict, fmt.Errorf("stopped without a word about the file: %w", ended)
	}
	return verdict, nil
}

// names says whether text names a file: a database by its own name, also when its log
// or its mark is meant; the two files of keys belong together.
func names(text, file string) bool {
	base := filepath.Base(file)
	for _, suffix := range []string{"-wal", "-mark"} {
		base = strings.TrimSuffix(base, suffix)
	}
	if strings.HasPrefix(file, "keys/") {
		return strings.Contains(text, "root.key") || strings.Contains(text, "keys.json")
	}
	return strings.Contains(text, base)
}

// A damage is one thing that happens to a file.
type damage struct {
	what string
	do   func(text []byte) []byte // nil: the file is gone
}

// damages invents what happens to a file of n bytes: the same each time.
func damages(name string, n, flips int) (all []damage) {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(name))
	r := rand.New(rand.NewPCG(seed.Sum64(), 0))
	flip := func(at, bit int) {
		all = append(all, damage{fmt.Sprintf("bit %d of byte %d flipped", bit, at), func(b []byte) []byte { b[at] ^= 1 << bit; return b }})
	}
	cut := func(to int) {
		all = append(all, damage{fmt.Sprintf("cut off at %d of %d", to, n), func(b []byte) []byte { return b[:to] }})
	}
	swap := func(header, page int) {
		pages := (n - header) / page
		if pages < 2 {
			return
		}
		x := r.IntN(pages)
		y := (x + 1 + r.IntN(pages-1)) % pages
		all = append(all, damage{fmt.Sprintf("pages %d and %d swapped", x, y), func(b []byte) []byte {
			c := slices.Clone(b)
			copy(c[header+x*page:], b[header+y*page:header+(y+1)*page])
			copy(c[header+y*page:], b[header+x*page:header+(x+1)*page])
			return c
		}})
	}
	flip(r.IntN(min(n, 100)), r.IntN(8)) // in a header
	flip(n-1, r.IntN(8))
	for range flips {
		flip(r.IntN(n), r.IntN(8))
	}
	for range max(1, flips/4) {
		cut(r.IntN(n))
		swap(72*strings.Count(name, "-wal"), map[bool]int{true: 4120, false: 4096}[strings.HasSuffix(name, "-wal")])
	}
	cut(n - 1)
	if !strings.HasPrefix(name, "tls/") && !strings.HasPrefix(name, "ca/") { // a public certificate can be made anew
		all = append(all, damage{"gone", nil})
	}
	return all
}

// A database that is gone is missed: the house does not begin anew beside what is left.
func TestLostDatabaseIsMissed(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	var w household
	w.write(t, h)
	truth := w.read(t, h)
	h.Stop()
	d := load(t, h.Config.Data)
	for _, lost := range [][]string{{"core"}, {"history"}, {"keyring"}, {"core", "history"}, {"keyring", "core", "history"}} {
		left := d
		for _, name := range lost {
			for _, suffix := range []string{"", "-wal", "-mark"} {
				left = left.with(name+".db"+suffix, nil)
			}
		}
		if verdict, err := w.try(t, left, truth, lost[0]+".db"); verdict != "refused" || err != nil {
			t.Errorf("without %v: %s, %v", lost, verdict, err)
		}
	}
}

// Whatever happens to one file of a house, killed or stopped: it refuses to start and
// names the file, or a request fails and the log names the file, or the answers are
// exactly what they were. Never is there wrong data.
func TestDamagedFileIsNeverWrongData(t *testing.T) {
	t.Parallel()
	flips := 6
	if os.Getenv("ARDESIA_SOAK") != "" {
		flips = 60
	}
	var w household
	program := newProgram(t)
	program.Start()
	w.write(t, program)
	program.Kill()
	dir := program.Config.Data
	killed := load(t, dir)
	h := servertest.Open(t, servertest.On(dir))
	truth := w.read(t, h)
	h.Stop()
	for _, r := range truth {
		if r.status >= 300 {
			t.Fatalf("%s: %d %s", r.what, r.status, r.text)
		}
	}
	for how, d := range map[string]disk{"killed": killed, "stopped": load(t, dir)} {
		if verdict, err := w.try(t, d, truth, "no file"); verdict != "right" || err != nil {
			t.Fatalf("untouched, a house that was %s: %s %v", how, verdict, err)
		}
		for _, name := range slices.Sorted(maps.Keys(d)) {
			if how == "killed" && !strings.Contains(name, ".db") {
				continue // is the same after a stop
			}
			t.Run(how+" "+name, func(t *testing.T) {
				t.Parallel()
				verdicts := map[string]int{}
				for _, damage := range damages(name, len(d[name]), flips) {
					var text []byte
					if damage.do != nil {
						text = damage.do(slices.Clone(d[name]))
					}
					verdict, err := w.try(t, d.with(name, text), truth, name)
					verdicts[verdict]++
					if err != nil {
						t.Errorf("%s: %v", damage.what, err)
					}
				}
				t.Log(verdicts)
			})
		}
	}
}
