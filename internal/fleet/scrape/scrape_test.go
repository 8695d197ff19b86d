package scrape

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

const scrapePath = "/v1/integrations/prometheus"

// scrape is what somebody gets in Prometheus' text form, each line with the words of names in place of IDs.
func (h *house) scrape(as, query string, names map[string]string) string {
	h.t.Helper()
	w := doortest.Want(h.t, h.http, 200, as, "GET", scrapePath+query, nil, nil)
	if got := w.Header().Get("Content-Type"); got != string(expfmt.FmtText)+"; escaping=underscores" {
		h.t.Errorf("media type %q", got)
	}
	text := w.Body.String()
	for id, name := range names {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}

func TestScrape(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		board := h.board("Board 1", "generic_device_secretkey")
		away := h.board("Board 2", "generic_device_secretkey")
		phone := h.board("Phone", "phone")
		a := h.thing("Greenhouse", board, []thing.Tag{{Key: "room", Value: "glass"}, {Key: "floor", Value: "0"}},
			[2]string{"temperature", "HOME_TEMPERATURE_C"}, [2]string{"warm", "TEMPERATURE"}, [2]string{"door", "STATUS"}, [2]string{"lamp", "HOME_COLORED_LIGHT"}, [2]string{`a "b" \ ü`, "INT"}, [2]string{"note", "CHARSTRING"}, [2]string{"never", "INT"})
		b := h.thing("Shed", away, []thing.Tag{{Key: "room", Value: "shed"}, {Key: "floor", Value: "0"}}, [2]string{"n", "FLOAT"})
		c := h.thing("Pocket", phone, nil, [2]string{"place", "LOCATION"})
		names := map[string]string{board: "board", away: "away", phone: "phone"}
		for _, t := range []thing.Thing{a, b, c} {
			names[t.ID] = t.Name + "-id"
			for _, p := range t.Properties {
				names[p.ID] = p.Variable + "-id"
			}
		}
		h.is(a, "temperature", number(21.5))
		h.clock.Pass(1500 * time.Millisecond)
		h.is(a, "warm", number(300))
		h.is(a, "door", series.Value{Kind: series.Bool, Int: 1})
		h.is(a, "lamp", series.Value{Kind: series.Object, Text: `{"bri":50,"hue":120,"sat":100,"swi":true}`})
		h.is(a, `a "b" \ ü`, series.Value{Kind: series.Int, Int: -7})
		h.is(a, "note", series.Value{Kind: series.Text, Text: "a secret text"})
		h.is(b, "n", number(-0.25))
		h.is(c, "place", series.Value{Kind: series.Object, Text: `{"lat":45.07,"lon":7.69}`})
		x := h.connect(board)

		got := h.scrape("viewer", "", names)
		want := `# HELP ardesia_device_up Whether the device of a thing is connected.
# TYPE ardesia_device_up gauge
ardesia_device_up{device="Board 1",device_id="board",thing="Greenhouse",thing_id="Greenhouse-id"} 1
ardesia_device_up{device="Board 2",device_id="away",thing="Shed",thing_id="Shed-id"} 0
# HELP ardesia_property_updated_timestamp_seconds When the last value of a property came, in seconds since 1970; of texts, too.
# TYPE ardesia_property_updated_timestamp_seconds gauge
ardesia_property_updated_timestamp_seconds{property="a \"b\" \\ ü",property_id="a__b_____-id",thing="Greenhouse",thing_id="Greenhouse-id",variable="a__b_____"} 1.7922384015e+09
ardesia_property_updated_timestamp_seconds{property="door",property_id="door-id",thing="Greenhouse",thing_id="Greenhouse-id",variable="door"} 1.7922384015e+09
ardesia_property_updated_timestamp_seconds{property="lamp",property_id="lamp-id",thing="Greenhouse",thing_id="Greenhouse-id",variable="lamp"} 1.7922384015e+09
ardesia_property_updated_timestamp_seconds{property="n",property_id="n-id",thing="Shed",thing_id="Shed-id",variable="n"} 1.7922384015e+09
ardesia_property_updated_timestamp_seconds{property="note",property_id="note-id",thing="Greenhouse",thing_id="Greenhouse-id",variable="note"} 1.7922384015e+09
ardesia_property_updated_timestamp_seconds{property="place",property_id="place-id",thing="Pocket",thing_id="Pocket-id",variable="place"} 1.7922384015e+09
ardesia_property_updated_timestamp_seconds{property="temperature",property_id="temperature-id",thing="Greenhouse",thing_id="Greenhouse-id",variable="temperature"} 1.7922384e+09
ardesia_property_updated_timestamp_seconds{property="warm",property_id="warm-id",thing="Greenhouse",thing_id="Greenhouse-id",variable="warm"} 1.7922384015e+09
# HELP ardesia_property_value Last value of a property: a number, or 0 and 1 for a boolean; part names an attribute of a value that has several.
# TYPE ardesia_property_value gauge
ardesia_property_value{part="bri",property="lamp",property_id="lamp-id",thing="Greenhouse",thing_id="Greenhouse-id",type="HOME_COLORED_LIGHT",variable="lamp"} 50
ardesia_property_value{part="hue",property="lamp",property_id="lamp-id",thing="Greenhouse",thing_id="Greenhouse-id",type="HOME_COLORED_LIGHT",variable="lamp"} 120
ardesia_property_value{part="lat",property="place",property_id="place-id",thing="Pocket",thing_id="Pocket-id",type="LOCATION",variable="place"} 45.07
ardesia_property_value{part="lon",property="place",property_id="place-id",thing="Pocket",thing_id="Pocket-id",type="LOCATION",variable="place"} 7.69
ardesia_property_value{part="sat",property="lamp",property_id="lamp-id",thing="Greenhouse",thing_id="Greenhouse-id",type="HOME_COLORED_LIGHT",variable="lamp"} 100
ardesia_property_value{part="swi",property="lamp",property_id="lamp-id",thing="Greenhouse",thing_id="Greenhouse-id",type="HOME_COLORED_LIGHT",variable="lamp"} 1
ardesia_property_value{property="a \"b\" \\ ü",property_id="a__b_____-id",thing="Greenhouse",thing_id="Greenhouse-id",type="INT",variable="a__b_____"} -7
ardesia_property_value{property="door",property_id="door-id",thing="Greenhouse",thing_id="Greenhouse-id",type="STATUS",variable="door"} 1
ardesia_property_value{property="n",property_id="n-id",thing="Shed",thing_id="Shed-id",type="FLOAT",variable="n"} -0.25
ardesia_property_value{property="temperature",property_id="temperature-id",thing="Greenhouse",thing_id="Greenhouse-id",type="HOME_TEMPERATURE_C",unit="°C",variable="temperature"} 21.5
ardesia_property_value{property="warm",property_id="warm-id",thing="Greenhouse",thing_id="Greenhouse-id",type="TEMPERATURE",variable="warm"} 300
`
		lines := func(text string) []string { // the library orders series by labels that have IDs
			all := strings.Split(text, "\n")
			slices.Sort(all)
			return all
		}
		if !slices.Equal(lines(got), lines(want)) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}

		if got := h.scrape("stranger", "", nil); got != "" {
			t.Errorf("a stranger is told\n%s", got)
		}
		if got := h.scrape("stranger", "?thing="+a.ID, nil); got != "" {
			t.Errorf("a stranger is told of a thing\n%s", got)
		}
		things := func(query string) string {
			t.Helper()
			var all []string
			for _, t := range []string{"Greenhouse", "Pocket", "Shed"} {
				if strings.Contains(h.scrape("viewer", query, nil), `thing="`+t+`"`) {
					all = append(all, t)
				}
			}
			return strings.Join(all, " ")
		}
		for query, want := range map[string]string{
			"":                                  "Greenhouse Pocket Shed",
			"?tag=":                             "Greenhouse Pocket Shed",
			"?tag=room:glass":                   "Greenhouse",
			"?tag=floor:0":                      "Greenhouse Shed",
			"?tag=floor:0&tag=room:shed":        "Shed",
			"?tag=floor:1":                      "",
			"?thing=" + strings.ToUpper(c.ID):   "Pocket",
			"?thing=" + c.ID + "&thing=" + b.ID: "Pocket Shed",
			"?thing=" + c.ID + "&tag=floor:0":   "",
			"?thing=" + board:                   "",
		} {
			if got := things(query); got != want {
				t.Errorf("%q has %q, want %q", query, got, want)
			}
		}
		for query, says := range map[string]string{"?tag=room": "key:value", "?thing=Greenhouse": "UUID", "?tag=a%20b:c": "key:value"} {
			if w := doortest.Want(t, h.http, 400, "viewer", "GET", scrapePath+query, nil, nil); !strings.Contains(w.Body.String(), says) {
				t.Errorf("%q is %s", query, w.Body)
			}
		}
		doortest.Want(t, h.http, 401, "", "GET", scrapePath, nil, nil)

		// What changes shows at once.
		h.Devices.Disconnected(x)
		doortest.Want(t, h.http, 200, "editor", "DELETE", "/iot/v2/things/"+c.ID, nil, nil)
		doortest.Want(t, h.http, 200, "editor", "DELETE", "/iot/v2/things/"+a.ID+"/properties/"+a.Properties[0].ID, nil, nil)
		doortest.Want(t, h.http, 200, "editor", "POST", "/iot/v2/things/"+b.ID, map[string]any{"name": "Barn"}, nil)
		got = h.scrape("viewer", "", names)
		for _, gone := range []string{"Pocket", "Shed\"", `variable="` + a.Properties[0].Variable + `"`, `device="Board 1",device_id="board",thing="Greenhouse",thing_id="Greenhouse-id"} 1`} {
			if strings.Contains(got, gone) {
				t.Errorf("%s is still there:\n%s", gone, got)
			}
		}
		if !strings.Contains(got, `thing="Barn",thing_id="Shed-id"`) {
			t.Errorf("a new name is not there:\n%s", got)
		}
	})
}

// Prometheus asks for what it reads best, and gets it compressed. Nothing has a time.
func TestContentIsNegotiated(t *testing.T) {
	h := newHouse(t, db.SQLite)
	a := h.thing("Greenhouse", "", nil, [2]string{"temperature", "TEMPERATURE"})
	h.is(a, "temperature", number(21.5))
	for name, c := range map[string]struct{ accept, want string }{
		"nobody says anything": {"", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		"anything":             {"*/*", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		"Prometheus 2":         {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"},
		"Prometheus 3":         {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"},
		"a browser":            {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		"protocol buffers":     {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", scrapePath, nil)
			r.Header.Set("Authorization", "Bearer viewer")
			r.Header.Set("Accept", c.accept)
			r.Header.Set("Accept-Encoding", "gzip")
			w := httptest.NewRecorder()
			h.http.ServeHTTP(w, r)
			if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != c.want || !strings.Contains(kinds, got) {
				t.Errorf("%d %q, want %q", w.Code, got, c.want)
			}
			plain, err := gzip.NewReader(w.Body)
			if err != nil || w.Header().Get("Content-Encoding") != "gzip" {
				t.Fatalf("%v in %v", err, w.Header())
			}
			text, err := io.ReadAll(plain)
			if err != nil || !strings.Contains(string(text), " 21.5\n") {
				t.Errorf("%s, %v", text, err)
			}
			if strings.HasPrefix(c.want, "application/openmetrics") != strings.HasSuffix(string(text), "# EOF\n") {
				t.Errorf("it ends with %q", text[max(0, len(text)-20):])
			}
		})
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(h.scrape("viewer", "", nil)))
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range families {
		for _, m := range f.Metric {
			if m.TimestampMs != nil || f.GetType() != dto.MetricType_GAUGE {
				t.Errorf("%s is %v", name, m)
			}
		}
	}
}

// many is a space with n numbers, and as many things as they need.
type many int

func (n many) List(context.Context, access.Actor, thing.Filter) ([]thing.Thing, error) {
	var all []thing.Thing
	for i := range int(n) {
		if i%thing.MaxProperties == 0 {
			all = append(all, thing.Thing{ID: fmt.Sprint("t", i), Name: fmt.Sprint("thing ", i)})
		}
		t := &all[len(all)-1]
		t.Properties = append(t.Properties, thing.Property{ID: fmt.Sprint("p", i), Name: fmt.Sprint("n", i), Variable: "n", Type: thing.TypeOf("FLOAT")})
	}
	return all, nil
}

func (many) DevicesOf(context.Context, access.Actor, []thing.Thing) (map[string]*device.Device, error) {
	return nil, nil
}

func (many) Last(thing.Property) (series.Point, bool) {
	return series.Point{Value: number(1)}, true
}

func TestTooManySeriesAreRefused(t *testing.T) {
	h := newHouse(t, db.SQLite)
	for n, status := range map[int]int{MaxSeries / 2: 200, MaxSeries/2 + 1: 413} {
		s, err := New(Needs{Things: many(n), Policy: h.Policy})
		if err != nil {
			t.Fatal(err)
		}
		h.Service = s
		h.http = doortest.Handler(t, slog.New(slog.NewTextHandler(t.Output(), nil)), h.clock.Now, h.Policy, fleettest.Actors, s.Routes())
		w := doortest.Want(t, h.http, status, "viewer", "GET", scrapePath, nil, nil)
		if got := strings.Count(w.Body.String(), "\nardesia_"); status == 200 && got != MaxSeries {
			t.Errorf("%d series", got)
		}
		if text := w.Body.String(); status != 200 && (!strings.Contains(text, "too-many-series") || !strings.Contains(text, "tag") || !strings.Contains(text, "thing")) {
			t.Errorf("too many are %s", text)
		}
	}
}

// Who may not see devices is not told of them by way of things.
func TestScrapeAsksForDevices(t *testing.T) {
	h := newHouse(t, db.SQLite)
	nobody := editor
	nobody.Role = access.NoRole
	if _, err := h.Scrape(t.Context(), nobody, thing.Filter{}); err == nil {
		t.Error("somebody without a role is told of devices")
	}
}

// FuzzReadFilter: a query is refused in words, or asks for IDs and tags.
func FuzzReadFilter(f *testing.F) {
	f.Add("tag=room:glass&tag=floor:0&thing=51000000-0000-4000-8000-000000000001")
	f.Add("tag=&thing=&tag=a:b:c")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", scrapePath, nil)
		r.URL.RawQuery = query
		got, err := readFilter(r)
		if err != nil {
			return
		}
		for _, id := range got.IDs {
			if !topic.IsID(id) {
				t.Errorf("%q asks for the thing %q", query, id)
			}
		}
		asked, _ := url.ParseQuery(query)
		if len(got.Tags) > len(asked["tag"]) {
			t.Errorf("%q has the tags %v", query, got.Tags)
		}
	})
}

// A scrape of 100 things with 20 numbers and a board each, from the request to the last byte.
func BenchmarkScrape(b *testing.B) {
	h := newHouse(b, db.SQLite)
	for i := range 100 {
		var types [][2]string
		for j := range 20 {
			types = append(types, [2]string{fmt.Sprint("n", j), "TEMPERATURE"})
		}
		t := h.thing(fmt.Sprint("thing ", i), h.board(fmt.Sprint("board ", i), "generic_device_secretkey"), nil, types...)
		var points []series.Point
		for _, p := range t.Properties {
			points = append(points, series.Point{Series: p.ID, Thing: t.ID, Space: t.Space, At: h.clock.Now(), Value: number(21.5)})
		}
		if err := h.History.Append(b.Context(), points); err != nil {
			b.Fatal(err)
		}
	}
	r := httptest.NewRequest("GET", scrapePath, nil)
	r.Header.Set("Authorization", "Bearer viewer")
	r.Header.Set("Accept-Encoding", "gzip")
	var size int
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.http.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
		size = w.Body.Len()
	}
	b.ReportMetric(float64(size), "B/scrape")
}
