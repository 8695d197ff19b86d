package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

const (
	first  = "10000000-0000-4000-8000-000000000001"
	second = "20000000-0000-4000-8000-00000000000a"
	copied = "30000000-0000-4000-8000-000000000003"
)

func TestSame(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		want bool
	}{
		"numbers":               {`1`, `1.0`, true},
		"spelling":              {`1e3`, `1000`, true},
		"other numbers":         {`1`, `1.0000001`, false},
		"a flag is no number":   {`true`, `1`, false},
		"texts":                 {`"\u0061"`, `"a"`, true},
		"objects":               {`{"a":1,"b":2}`, `{"b":2,"a":1}`, true},
		"the target says more":  {`{"a":1}`, `{"b":2,"a":1}`, true},
		"the target says less":  {`{"a":1,"b":2}`, `{"a":1}`, false},
		"deep":                  {`{"a":[1,{"b":null}]}`, `{"a":[1,{"b":null}]}`, true},
		"deep and other":        {`{"a":[1,{"b":null}]}`, `{"a":[1,{"b":0}]}`, false},
		"a list that is longer": {`[1]`, `[1,2]`, false},
		"no JSON":               {`{`, `{`, false},
	} {
		if got := same(json.RawMessage(c.a), json.RawMessage(c.b)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestJudge(t *testing.T) {
	full := cloud.Tally{Count: 100, Sum: 5050, Min: 1, Max: 100, Known: true}
	with := func(change func(t *cloud.Tally)) cloud.Tally {
		t := full
		change(&t)
		return t
	}
	for name, c := range map[string]struct {
		ours        cloud.Tally
		past        Past
		wrong, note string
	}{
		"equal":                {full, Past{}, "", ""},
		"added up another way": {with(func(t *cloud.Tally) { t.Sum += 1e-9 }), Past{}, "", ""},
		"one is missing":       {with(func(t *cloud.Tally) { t.Count-- }), Past{}, "the target 99", ""},
		"it is known":          {with(func(t *cloud.Tally) { t.Count--; t.Sum = 1 }), Past{Refused: 1}, "", ""},
		"more than is known":   {with(func(t *cloud.Tally) { t.Count -= 3 }), Past{Refused: 1, Double: 1}, "2 are known", ""},
		"another sum":          {with(func(t *cloud.Tally) { t.Sum++ }), Past{}, "sum 5050", ""},
		"another least":        {with(func(t *cloud.Tally) { t.Min = 0 }), Past{}, "least 1", ""},
		"more":                 {with(func(t *cloud.Tally) { t.Count++ }), Past{}, "", "has 101 values"},
		"it cannot be told":    {cloud.Tally{}, Past{}, "does not count", ""},
	} {
		wrong, note := judge(full, c.ours, &c.past)
		if (wrong == "") != (c.wrong == "") || !strings.Contains(wrong, c.wrong) || (note == "") != (c.note == "") || !strings.Contains(note, c.note) {
			t.Errorf("%s: %q, %q", name, wrong, note)
		}
	}
}

func TestTranslate(t *testing.T) {
	x := &Transfer{ids: map[string]string{first: copied}}
	in := fmt.Sprintf(`{%q:{"a":["%s","x%sx",%q]},"b":"\u0061"}`, strings.ToUpper(first), first, first, second)
	want := fmt.Sprintf(`{%q:{"a":["%s","x%sx",%q]},"b":"\u0061"}`, copied, copied, copied, second)
	if got := string(x.translate(json.RawMessage(in))); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFreeNames(t *testing.T) {
	long := strings.Repeat("x", 64)
	x := &Transfer{}
	x.there.things = &index{names: map[string]bool{"a": true, "a 2": true, long: true}}
	for name, want := range map[string]string{"b": "b", "a": "a 3", long: long[:62] + " 2"} {
		var c Count
		if got := x.freeName(&cloud.Thing{Name: name}, &c); got != want || (got != name) != (len(c.Notes) == 1) {
			t.Errorf("%s: %q, %v", name, got, c.Notes)
		}
	}
}

func TestRecipients(t *testing.T) {
	r := &recipients{me: copied, known: map[string]string{copied: copied, "bob@example.org": second}}
	for name, c := range map[string]struct {
		in, want  string
		strangers int
	}{
		"by address":     {`{"delivery":{"to":[{"id":"x","email":"BOB@example.org"}]}}`, `{"delivery":{"to":[{"id":"` + second + `"}]}}`, 0},
		"nobody":         {`{}`, `{"delivery":{"to":[{"id":"` + copied + `"}]}}`, 0},
		"strangers":      {`{"delivery":{"to":[{"id":"x"},{"id":"y"},7],"cc":[{"id":"z"}],"bcc":"w"}}`, `{"delivery":{"to":[{"id":"` + copied + `"}]}}`, 4},
		"a strange form": {`{"delivery":[],"subject":1}`, `{"delivery":{"to":[{"id":"` + copied + `"}]},"subject":1}`, 0},
	} {
		var notice map[string]any
		if err := json.Unmarshal([]byte(c.in), &notice); err != nil {
			t.Fatal(err)
		}
		n := r.deliver(notice)
		got, _ := json.Marshal(notice)
		if n != c.strangers || string(got) != c.want {
			t.Errorf("%s: %d strangers, %s, want %d, %s", name, n, got, c.strangers, c.want)
		}
	}
}

func TestStateFiles(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{From: "https://a", To: "https://b", State: filepath.Join(dir, "s.json"), Now: time.Now}
	s, err := load(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.State+".new", []byte("half"), 0o644); err != nil { // killed while it was written
		t.Fatal(err)
	}
	if err := s.made(Things, first, copied); err != nil {
		t.Fatal(err)
	}
	again, err := load(cfg)
	if err != nil || again.Made[Things][first] != copied || !again.Until.Equal(s.Until) {
		t.Errorf("%+v, %v", again, err)
	}
	later := cfg
	later.Until = s.Until.Add(time.Hour)
	if more, err := load(later); err != nil || !more.Until.Equal(later.Until) {
		t.Errorf("%v", err)
	}
	other := cfg
	other.To = "https://c"
	if _, err := load(other); !errors.Is(err, ErrOther) {
		t.Errorf("another target: %v", err)
	}
	for name, text := range map[string]string{"damaged": `{"version":1,`, "of the future": `{"version":2}`, "something else": `{"version":1,"dogs":3}`} {
		if err := Write(cfg.State, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, err := load(cfg); err == nil {
			t.Errorf("a file that is %s is taken", name)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// Whatever a history is cut into, every value is counted once.
func TestSettle(t *testing.T) {
	k := &track{past: &Past{}}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 3 {
		k.take(&cloud.Part{Points: []cloud.Point{{At: at.Add(time.Duration(i) * time.Hour), Value: json.RawMessage("1")}}, Read: 4, Nulls: 1, Odd: 1, Double: 1, Next: at.Add(time.Duration(i+1) * time.Hour)})
		if i == 1 {
			continue // two parts in one batch
		}
		k.read.count(filled{Written: int64(len(k.points))}, k.points)
		k.settle()
	}
	if p := k.past; p.Read != 12 || p.Written != 3 || p.Nulls+p.Odd+p.Double != 9 || !p.First.Equal(at) || !p.Next.Equal(at.Add(3*time.Hour)) || k.bytes != 0 {
		t.Errorf("%+v", k.past)
	}
	k.take(&cloud.Part{Failed: "gone"})
	k.settle()
	if !k.end || k.past.Failed == "" || !k.past.Next.Equal(at.Add(3*time.Hour)) {
		t.Errorf("%+v", k.past)
	}
}

// A source that never answers what it is asked ends the property, and is not asked for ever.
func TestStrangeAnswersEnd(t *testing.T) {
	k := &track{past: &Past{}}
	odd, good := &cloud.Part{Read: 3, Odd: 3}, &cloud.Part{Points: []cloud.Point{{Value: json.RawMessage("1")}}, Read: 2, Odd: 1}
	for range maxStrange {
		k.take(odd)
	}
	k.take(good)
	for range maxStrange {
		k.take(odd)
	}
	if k.end || k.past.Failed != "" {
		t.Fatalf("ended with %q", k.past.Failed)
	}
	if k.take(odd); !k.end || k.past.Failed == "" || len(k.points) != 1 {
		t.Errorf("%d strange answers in a row: %+v", maxStrange+1, k.past)
	}
}

func TestPicturesAreCounted(t *testing.T) {
	for name, c := range map[string]struct {
		d    cloud.Dashboard
		want int
	}{
		"none":              {cloud.Dashboard{Widgets: []cloud.Widget{{Type: "Gauge"}}}, 0},
		"a cover":           {cloud.Dashboard{Cover: "https://example.org/a.png"}, 1},
		"those of widgets":  {cloud.Dashboard{Widgets: []cloud.Widget{{Type: "Image"}, {Type: "Image Map"}, {Type: "Map"}}}, 2},
		"a cover and those": {cloud.Dashboard{Cover: "x", Widgets: []cloud.Widget{{Type: "Image"}}}, 2},
	} {
		if got := pictures(&c.d); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
