package thing

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

func TestDownload(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	a := h.thing(editor, "Glass house", board, map[string]string{"n": "FLOAT", "flag": "STATUS", "text": "CHARSTRING", "where": "LOCATION", "empty": "INT"})
	start := h.clock()
	for i, text := range []string{"ciao", "a \"quoted\", text\nin two lines", "=1+1", ""} {
		h.pass(time.Second)
		h.publish(board, a.ID,
			senml.Record{Name: "n", Kind: senml.Float, Num: -0.5 * float64(i)}, senml.Record{Name: "flag", Kind: senml.Bool, Int: int64(i % 2)},
			senml.Record{Name: "text", Kind: senml.Text, Text: text},
			senml.Record{Name: "where:lat", Kind: senml.Float, Num: float64(i)}, senml.Record{Name: "where:lon", Kind: senml.Float, Num: 7.5})
	}
	at := func(i int) string { return start.Add(time.Duration(i) * time.Second).UTC().Format(time.RFC3339Nano) }
	base := "/v1/things/" + a.ID + "/history"

	// table reads CSV without its head, as "seconds property value".
	table := func(query string) []string {
		t.Helper()
		w := h.want(200, "viewer", "GET", base+query, nil, nil)
		if got := w.Header().Get("Content-Type"); got != "text/csv; charset=utf-8" {
			t.Errorf("media type %s", got)
		}
		if got := w.Header().Get("Content-Disposition"); got != "attachment; filename=glass-house.csv" {
			t.Errorf("disposition %s", got)
		}
		rows, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || len(rows) == 0 || strings.Join(rows[0], " ") != "time property_id property value" {
			t.Fatalf("rows %q, %v", rows, err)
		}
		var all []string
		for _, r := range rows[1:] {
			when, err := time.Parse(time.RFC3339, r[0])
			if err != nil || r[1] != id(a, r[2]) {
				t.Errorf("row %q, %v", r, err)
			}
			all = append(all, fmt.Sprintf("%v %s %s", when.Sub(start).Seconds(), r[2], r[3]))
		}
		return all
	}
	for name, c := range map[string]struct {
		query string
		want  []string
	}{
		"one property":        {"?property=n", []string{"1 n -0", "2 n -0.5", "3 n -1", "4 n -1.5"}},
		"by its ID":           {"?format=csv&property=" + strings.ToUpper(id(a, "flag")), []string{"1 flag false", "2 flag true", "3 flag false", "4 flag true"}},
		"texts":               {"?property=text", []string{"1 text ciao", "2 text a \"quoted\", text\nin two lines", "3 text '=1+1", "4 text "}},
		"objects":             {"?property=where&to=" + at(2), []string{`1 where {"lat":0,"lon":7.5}`}},
		"a range of two":      {"?property=n&property=flag&from=" + at(2) + "&to=" + at(4), []string{"2 n -0.5", "3 n -1", "2 flag true", "3 flag false"}},
		"one without a value": {"?property=empty", nil},
		"before everything":   {"?to=" + at(1), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := table(c.query); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got := table(""); len(got) != 16 {
		t.Errorf("everything is %d rows", len(got))
	}

	var all []struct {
		Time       time.Time
		PropertyID string `json:"property_id"`
		Property   string
		Value      any
	}
	w := h.want(200, "viewer", "GET", base+"?format=json&property=text&property=where", nil, &all)
	if len(all) != 8 || all[2].Value != "=1+1" || all[2].Property != "text" || all[2].PropertyID != id(a, "text") || !all[2].Time.Equal(start.Add(3*time.Second)) ||
		all[7].Value.(map[string]any)["lat"] != 3.0 {
		t.Errorf("JSON is %s", w.Body)
	}
	if h.want(200, "viewer", "GET", base+"?format=json&property=empty", nil, &all); len(all) != 0 {
		t.Errorf("JSON of nothing is %v", all)
	}

	for name, c := range map[string]struct {
		as, query string
		status    int
	}{
		"a stranger":       {"stranger", "", 404},
		"no property":      {"viewer", "?property=nothing", 404},
		"another format":   {"viewer", "?format=xml", 400},
		"no time":          {"viewer", "?from=yesterday", 400},
		"an end too early": {"viewer", "?from=" + at(4) + "&to=" + at(1), 400},
	} {
		t.Run(name, func(t *testing.T) { h.want(c.status, c.as, "GET", base+c.query, nil, nil) })
	}
}

// Nothing is lost or repeated where one stretch of a long history meets the next.
func TestDownloadOfALongHistory(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "long", "", map[string]string{"n": "INT"})
	const n = 9*series.MaxChunkPoints + 1
	points := make([]series.Point, n)
	for i := range points {
		points[i] = series.Point{Series: id(a, "n"), Thing: a.ID, Space: a.Space, At: h.clock().Add(time.Duration(i) * time.Millisecond), Value: series.Value{Kind: series.Int, Int: int64(i)}}
	}
	for part := range slices.Chunk(points, 4096) {
		if err := h.history.Append(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	var all []struct {
		Value json.Number `json:"value"`
	}
	h.want(200, "viewer", "GET", "/v1/things/"+a.ID+"/history?format=json", nil, &all)
	if len(all) != n {
		t.Fatalf("%d values, want %d", len(all), n)
	}
	for i, v := range all {
		if v.Value.String() != fmt.Sprint(i) {
			t.Fatalf("value %d is %s", i, v.Value)
		}
	}
}
