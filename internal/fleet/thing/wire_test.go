package thing

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

var update = flag.Bool("update", false, "write testdata/wire.json anew")

// lasts is a history that knows only last values.
type lasts struct {
	Series
	points map[string]series.Point
}

func (l lasts) Last(id string) (series.Point, bool) {
	p, ok := l.points[id]
	return p, ok
}

// required are the keys without which official Go clients refuse an answer;
// cloud-api reference, sections 6.6 to 6.9.
var required = map[string][]string{
	"thing":             {"href", "id", "name", "timezone", "user_id"},
	"thing, bare":       {"href", "id", "name", "timezone", "user_id"},
	"property":          {"href", "id", "name", "permission", "thing_id", "type", "update_strategy"},
	"property, bare":    {"href", "id", "name", "permission", "thing_id", "type", "update_strategy"},
	"template":          {"name", "timezone"},
	"template property": {"name", "permission", "type", "update_strategy"},
	"tags":              {"tags"},
	"property type":     {"declaration", "deprecated", "name", "rw", "type"},
	"timeseries":        {"data"},
	"batch":             {"resp_version", "responses"},
	"bins":              {"count_values", "from_date", "interval", "query", "resp_version", "status", "times", "to_date", "values"},
	"bins, refused":     {"count_values", "from_date", "interval", "query", "resp_version", "status", "times", "to_date", "values"},
	"raw":               {"count_values", "from_date", "query", "resp_version", "series", "sort", "status", "times", "to_date", "values"},
	"sampled":           {"count_values", "from_date", "interval", "query", "resp_version", "status", "times", "to_date", "values"},
	"last":              {"count_values", "property_id", "thing_id", "times", "values"},
	"last batch":        {"responses", "status"},
}

// TestWireForms compares every answer with a golden file, so that a change of what
// clients get is seen, and looks for what they require.
func TestWireForms(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678000000, time.UTC)
	p := Property{ID: "b0000000-0000-4000-8000-000000000001", Thing: "a0000000-0000-4000-8000-000000000001", Name: "Soil moisture", Variable: "Soil_moisture",
		Type: TypeOf("PERCENTAGE"), Permission: ReadWrite, Strategy: Timed, Parameter: 30, Min: 0, Max: 100, Persist: true, Number: 1, CreatedAt: at, UpdatedAt: at}
	bare := p
	bare.ID, bare.Name, bare.Min, bare.Max, bare.Number = "b0000000-0000-4000-8000-000000000002", "bare", math.NaN(), math.NaN(), 2
	bare.DeletedAt = at
	full := Thing{ID: p.Thing, Space: space, Owner: editor.ID, Name: "Greenhouse 1", Timezone: "Europe/Rome", Device: "d0000000-0000-4000-8000-000000000001",
		Assistant: Alexa, Webhook: "https://example.org/hook", WebhookActive: true, Sketch: "e0000000-0000-4000-8000-000000000001", SketchVersion: "v2",
		Template: "f0000000-0000-4000-8000-000000000001", Tags: []Tag{{"room", "east"}}, Properties: []Property{p, bare}, Count: 1, CreatedAt: at, UpdatedAt: at}
	s := &Service{needs: Needs{Series: lasts{points: map[string]series.Point{p.ID: {Series: p.ID, At: at, Value: number(41.5)}}}}}
	board := presentation{organization: otherSpace, properties: true, webhook: true, device: &device.Device{Name: "board", Type: "nano_33_iot", FQBN: "arduino:samd:nano_33_iot"}}
	refused := about(Property{}, "property.x", at, at)
	refused.Status, refused.Message = "invalid", "why"
	raw := wireRaw{wireAnswer: about(p, "", at, at), Sort: "DESC"}
	raw.Values = raw.tell([]series.Point{{At: at, Value: object(`{"lat":1,"lon":2}`)}, {At: at, Value: text("a<b")}})
	sampled := wireSampled{wireAnswer: about(p, "", at, at), Interval: 300}
	sampled.Values = sampled.tell(nil)
	forms := map[string]any{
		"thing":             s.wire(full, board),
		"thing, bare":       s.wire(Thing{ID: full.ID, Owner: full.Owner, Name: "n", Timezone: "UTC", CreatedAt: at, UpdatedAt: at}, presentation{}),
		"property":          s.wireProperty(full, p),
		"property, bare":    s.wireProperty(full, bare),
		"template":          s.wireTemplate(full, board),
		"template property": s.wireTemplate(full, board).Variables[0],
		"tags":              wireTags{wireTagList(nil)},
		"property type":     wireTypes()[24],
		"timeseries":        wireTimeseries{Data: []wireBin{{at, 1.5}}},
		"batch":             wireBatch[wireBins]{RespVersion: respVersion, Responses: []wireBins{}},
		"bins":              wireBins{wireAnswer: about(p, "", at, at), Aggregation: "AVG", Interval: 60, Values: []float64{1, 2.5}},
		"bins, refused":     wireBins{wireAnswer: refused, Values: []float64{}},
		"raw":               raw,
		"sampled":           sampled,
		"last":              wireLast{Times: []time.Time{}, Values: []json.RawMessage{}},
		"last batch":        wireLastBatch{Responses: []wireLast{}, Status: "ok"},
	}
	got, err := json.MarshalIndent(forms, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	golden := filepath.Join("testdata", "wire.json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("answers differ from %s; if that is meant, run go test -update. They are:\n%s", golden, got)
	}
	var keys map[string]map[string]json.RawMessage
	if err := json.Unmarshal(got, &keys); err != nil {
		t.Fatal(err)
	}
	for name, form := range keys {
		for _, key := range required[name] {
			if v, ok := form[key]; !ok || string(v) == "null" {
				t.Errorf("%s: the required key %s is %s", name, key, v)
			}
		}
		if required[name] == nil {
			t.Errorf("nothing is said of what %s must have", name)
		}
	}
}

// Whatever a client sends to a route, the door refuses it as the client's fault or
// reads it; what it reads makes properties that are checked.
func FuzzBodies(f *testing.F) {
	s := &Service{}
	var routes []door.Route
	for _, r := range s.Routes() {
		if r.In != nil {
			routes = append(routes, r)
		}
	}
	for i, r := range routes {
		schema, err := door.SchemaOf(r.In)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), schema.Sample())
	}
	f.Add(uint8(0), []byte(`{"properties":[{"name":"a","permission":"READ_ONLY","type":"INT","update_strategy":"TIMED","tag":1.0,"min_value":-1e300}],"tags":[{"key":"a","value":"b"}]}`))
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		in, err := door.Decode(routes[int(n)%len(routes)], body)
		if err != nil {
			return
		}
		check := func(p Property, err error) {
			if err != nil {
				return
			}
			var thing Thing
			thing.addProperty(p)
			_ = thing.checkProperties()
		}
		switch in := in.(type) {
		case *inThing:
			thing := Thing{Name: "n", Timezone: "UTC"}
			if in.apply(&thing) == nil && in.Properties != nil {
				_ = thing.replace(*in.Properties, arrival)
				_ = thing.Check()
			}
		case *inProperty:
			check(in.property())
		case *inPropertyEdit:
			p := property("x")
			check(p, in.apply(&p))
		case *inValue:
			for k := range kinds {
				_, _ = k.Read(in.Value, series.Value{}, MaxText)
			}
		}
	})
}

func TestReplacingProperties(t *testing.T) {
	in := func(name, typ string) inProperty {
		return inProperty{Name: name, Permission: ReadOnly, Type: typ, UpdateStrategy: OnChange}
	}
	keep, drop := property("keep"), property("drop")
	drop.Number = 2
	thing := Thing{ID: "t", Name: "n", Timezone: "UTC", Properties: []Property{keep, drop}}
	if err := thing.replace([]inProperty{in("new", "INT"), in("keep", "INT")}, arrival); err != nil {
		t.Fatal(err)
	}
	if err := thing.Check(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range thing.Living() {
		got = append(got, p.Name+" "+p.Type.Name)
	}
	if want := []string{"keep INT", "new INT"}; !slices.Equal(got, want) || thing.named("keep").ID != keep.ID || len(thing.Properties) != 3 {
		t.Errorf("properties %v, want %v", got, want)
	}
	if err := thing.replace([]inProperty{in("a", "INT"), in("a", "INT")}, arrival); err == nil {
		t.Error("one name twice is accepted")
	}
	if err := thing.replace([]inProperty{in("a", "INTEGER")}, arrival); err == nil {
		t.Error("a type that does not exist is accepted")
	}
}
