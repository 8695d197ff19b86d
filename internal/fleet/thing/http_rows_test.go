package thing

import (
	"encoding/csv"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

const rowsPath = "/v1/series/rows"

// rows asks for rows as JSON, and gives them as "seconds thing/property value".
func (h *house) rowsOf(t *testing.T, as, query string) []string {
	t.Helper()
	var out []wireRow
	w := h.want(200, as, "GET", rowsPath+"?"+query, nil, &out)
	if got := w.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("media type %s", got)
	}
	var all []string
	for _, r := range out {
		all = append(all, fmt.Sprintf("%v %s/%s %s", r.Time.Sub(noon).Seconds(), r.Thing, r.Property, r.Value))
	}
	return all
}

func TestRows(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		board := h.device(editor, "board")
		a := h.thing(editor, "Glass house", board, map[string]string{"n": "FLOAT", "flag": "STATUS", "text": "CHARSTRING", "where": "LOCATION"})
		b := h.thing(editor, "Shed", "", map[string]string{"n": "INT", "=odd \"name\"": "INT"})
		for i, text := range []string{"ciao", "a \"quoted\", text", "=1+1", ""} {
			h.pass(time.Second)
			h.publish(board, a.ID,
				senml.Record{Name: "n", Kind: senml.Float, Num: float64(i)}, senml.Record{Name: "flag", Kind: senml.Bool, Int: int64(i % 2)},
				senml.Record{Name: "text", Kind: senml.Text, Text: text},
				senml.Record{Name: "where:lat", Kind: senml.Float, Num: float64(i)}, senml.Record{Name: "where:lon", Kind: senml.Float, Num: 7.5})
		}
		h.want(200, "editor", "PUT", path("/%s/properties/%s/publish", b.ID, id(b, "n")), map[string]any{"value": 70}, nil)
		h.want(200, "editor", "PUT", path("/%s/properties/%s/publish", b.ID, id(b, "=odd \"name\"")), map[string]any{"value": 71}, nil)
		h.pass(time.Second)
		n, flag := id(a, "n"), id(a, "flag")
		rfc := func(i int) string { return noon.Add(time.Duration(i) * time.Second).Format(time.RFC3339) }
		ms := func(i int) string {
			return strconv.FormatInt(noon.Add(time.Duration(i)*time.Second).UnixMilli(), 10)
		}
		all := "&from=" + rfc(0) + "&to=" + rfc(6)
		for name, c := range map[string]struct {
			query string
			want  []string
		}{
			"as they came":            {"property=" + n, []string{"1 Glass house/n 0", "2 Glass house/n 1", "3 Glass house/n 2", "4 Glass house/n 3"}},
			"in the order of time":    {"property=" + n + "," + strings.ToUpper(flag) + "&to=" + rfc(3), []string{"1 Glass house/n 0", "1 Glass house/flag false", "2 Glass house/n 1", "2 Glass house/flag true"}},
			"each once":               {"property=" + n + "&property=" + n + "&thing=" + a.ID + "&name=n&points=1", []string{"4 Glass house/n 3"}},
			"of things, by a name":    {"thing=" + a.ID + ",%20" + b.ID + "&name=n&from=" + ms(4), []string{"4 Glass house/n 3", "4 Shed/n 70"}},
			"by names":                {"thing=" + a.ID + "&name=text&name=flag&from=" + rfc(4) + "&to=" + rfc(5), []string{`4 Glass house/text ""`, "4 Glass house/flag true"}},
			"a name that needs care":  {"thing=" + b.ID + "&name=" + url.QueryEscape("=odd \"name\""), []string{`4 Shed/=odd "name" 71`}},
			"the newest":              {"property=" + n + "&points=2", []string{"3 Glass house/n 2", "4 Glass house/n 3"}},
			"milliseconds":            {"property=" + n + "&from=" + ms(2) + "&to=" + ms(4), []string{"2 Glass house/n 1", "3 Glass house/n 2"}},
			"an object":               {"property=" + id(a, "where") + "&to=" + rfc(2), []string{`1 Glass house/where {"lat":0,"lon":7.5}`}},
			"averages":                {"property=" + n + "&interval=2" + all, []string{"0 Glass house/n 0", "2 Glass house/n 1.5", "4 Glass house/n 3"}},
			"sums in small letters":   {"property=" + n + "&interval=2s&aggregation=sum" + all, []string{"0 Glass house/n 0", "2 Glass house/n 3", "4 Glass house/n 3"}},
			"counts in half a second": {"property=" + n + "&interval=500ms&aggregation=COUNT&from=" + rfc(3) + "&to=" + rfc(6), []string{"3 Glass house/n 1", "4 Glass house/n 1"}},
			"was it ever on":          {"property=" + flag + "&interval=2s" + all, []string{"0 Glass house/flag 0", "2 Glass house/flag 1", "4 Glass house/flag 1"}},
			"the last of texts":       {"property=" + id(a, "text") + "&interval=2s" + all, []string{`1 Glass house/text "ciao"`, `3 Glass house/text "=1+1"`, `4 Glass house/text ""`}},
			"the last of numbers":     {"property=" + n + "&interval=2s&aggregation=last" + all, []string{"1 Glass house/n 0", "3 Glass house/n 2", "4 Glass house/n 3"}},
			"as short as makes two":   {"property=" + n + "&aggregation=avg&points=2" + all, []string{"0 Glass house/n 0.5", "3 Glass house/n 2.5"}},
			"numbers of a thing":      {"thing=" + a.ID + "&aggregation=max&interval=1d&name=", []string{"-43200 Glass house/flag 1", "-43200 Glass house/n 3"}},
			"a time without any":      {"property=" + n + "&from=" + rfc(5) + "&to=" + rfc(5), nil},
		} {
			t.Run(name, func(t *testing.T) {
				got := h.rowsOf(t, "viewer", c.query)
				if strings.HasPrefix(name, "numbers of") {
					slices.Sort(got)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		}
		if got := h.rowsOf(t, "viewer", "thing="+a.ID); len(got) != 16 {
			t.Errorf("everything is %q", got)
		}

		w := h.want(200, "viewer", "GET", rowsPath+"?format=csv&thing="+a.ID+","+b.ID+"&from="+rfc(3), nil, nil)
		table, err := csv.NewReader(w.Body).ReadAll()
		if err != nil || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" || w.Header().Get("Content-Disposition") != "attachment; filename=values.csv" {
			t.Fatalf("CSV is %q with %v, %v", table, w.Header(), err)
		}
		for _, want := range [][]string{{"time", "thing", "property", "value"}, {rfc(3), "Glass house", "text", "'=1+1"}, {rfc(4), "Shed", "'=odd \"name\"", "71"}, {rfc(4), "Glass house", "where", `{"lat":3,"lon":7.5}`}} {
			if !slices.ContainsFunc(table, func(row []string) bool { return slices.Equal(row, want) }) {
				t.Errorf("CSV lacks %q: %q", want, table)
			}
		}

		for name, c := range map[string]struct {
			as, query string
			status    int
			says      string
		}{
			"nothing":                      {"viewer", "", 400, "property=ID"},
			"a stranger's property":        {"stranger", "property=" + n, 404, ""},
			"a stranger's thing":           {"stranger", "thing=" + a.ID, 404, ""},
			"no such property":             {"viewer", "property=" + a.ID, 404, ""},
			"no such name":                 {"viewer", "thing=" + a.ID + "&name=nothing", 404, ""},
			"a name that one thing lacks":  {"viewer", "thing=" + a.ID + "," + b.ID + "&name=flag", 200, ""},
			"a name without a thing":       {"viewer", "property=" + n + "&name=n", 400, "thing=ID"},
			"no ID":                        {"viewer", "property=n", 400, "UUID"},
			"an average of texts":          {"viewer", "property=" + id(a, "text") + "&aggregation=avg", 400, "no numbers"},
			"an unknown aggregation":       {"viewer", "property=" + n + "&aggregation=median", 400, "LAST"},
			"no time":                      {"viewer", "property=" + n + "&from=yesterday", 400, "milliseconds"},
			"a time of another age":        {"viewer", "property=" + n + "&from=-9000000000000", 400, "1842"},
			"an end too early":             {"viewer", "property=" + n + "&from=" + ms(4) + "&to=" + ms(1), 400, ""},
			"no interval":                  {"viewer", "property=" + n + "&interval=often", 400, "5m"},
			"an interval of nothing":       {"viewer", "property=" + n + "&interval=0", 400, "1ms"},
			"an interval that is too long": {"viewer", "property=" + n + "&interval=367d", 400, "366d"},
			"no points":                    {"viewer", "property=" + n + "&points=0", 400, "10000"},
			"too many points":              {"viewer", "property=" + n + "&points=10001", 400, "10000"},
			"too many intervals":           {"viewer", "property=" + n + "&interval=1s&points=10&from=" + rfc(-3600) + "&to=" + rfc(0), 400, "interval=360 "},
			"another format":               {"viewer", "property=" + n + "&format=xml", 400, "csv or json"},
			"too many properties":          {"viewer", "property=" + strings.Repeat(n+",", 101), 413, "100"},
		} {
			t.Run(name, func(t *testing.T) {
				if w := h.want(c.status, c.as, "GET", rowsPath+"?"+c.query, nil, nil); !strings.Contains(w.Body.String(), c.says) {
					t.Errorf("says %s", w.Body)
				}
			})
		}
	})
}

// An answer is bounded whatever is kept.
func TestRowsAreBounded(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "much", "", map[string]string{"n": "INT", "one": "CHARSTRING", "two": "CHARSTRING"})
	fill := func(name string, n, step int, value func(i int) series.Value) {
		t.Helper()
		var points []series.Point
		for i := range n {
			points = append(points, series.Point{Series: id(a, name), Thing: a.ID, Space: a.Space, At: h.clock().Add(time.Duration(i-n) * time.Millisecond), Value: value(i)})
		}
		for part := range slices.Chunk(points, step) {
			if err := h.history.Append(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
	}
	long := strings.Repeat("x", MaxText-8)
	text := func(i int) series.Value { return series.Value{Kind: series.Text, Text: fmt.Sprintf("%08d", i) + long} }
	fill("n", pointsMax+5, 4000, func(i int) series.Value { return series.Value{Kind: series.Int, Int: int64(i)} })
	fill("one", pointsText+5, 200, text)
	fill("two", pointsText+5, 200, text)

	if got := h.rowsOf(t, "viewer", "property="+id(a, "n")+"&points=10000"); len(got) != pointsMax || !strings.HasSuffix(got[0], " 5") || !strings.HasSuffix(got[len(got)-1], fmt.Sprint(" ", pointsMax+4)) {
		t.Errorf("%d numbers", len(got))
	}
	if got := h.rowsOf(t, "viewer", "property="+id(a, "one")+"&points=10000"); len(got) != pointsText || !strings.Contains(got[0], "00000005x") {
		t.Errorf("%d texts", len(got))
	}
	w := h.want(413, "viewer", "GET", rowsPath+"?points=10000&property="+id(a, "one")+","+id(a, "two"), nil, nil)
	if !strings.Contains(w.Body.String(), "too-many-rows") {
		t.Errorf("two texts are %s", w.Body)
	}

	properties := map[string]string{}
	for i := range 12 {
		properties[fmt.Sprintf("n%d", i)] = "INT"
	}
	a = h.thing(editor, "more", "", properties)
	for name := range properties {
		fill(name, pointsMax, 5000, func(i int) series.Value { return series.Value{Kind: series.Int, Int: int64(i)} })
	}
	h.want(413, "viewer", "GET", rowsPath+"?points=10000&thing="+a.ID, nil, nil)
	if got := h.rowsOf(t, "viewer", "points=8333&thing="+a.ID); len(got) != 12*8333 {
		t.Errorf("%d rows", len(got))
	}
}

// FuzzReadRows: whatever stands in the query is refused in words, or is a question that is bounded.
func FuzzReadRows(f *testing.F) {
	for _, query := range []string{
		"property=51000000-0000-4000-8000-000000000001,51000000-0000-4000-8000-000000000002&from=1760702400000&to=1760706000000&interval=30s&aggregation=avg",
		"thing=51000000-0000-4000-8000-000000000001&name=temperature&from=2026-10-17T12:00:00+02:00&interval=1h30m&points=10&format=csv",
		"interval=1d&aggregation=last", "interval=2w", "interval=0.0000001s", "interval=-5m", "interval=99999999999999999999d", "from=9223372036854775807", "to=-9223372036854775808",
		"from=1842-01-01T00:00:00Z&to=2242-01-01T00:00:00Z&aggregation=count&points=1",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest("GET", rowsPath, nil)
		r.URL.RawQuery = query
		q, err := readRows(r, noon)
		if err != nil {
			if k := problem.Of(err).Kind; k != problem.Invalid && k != problem.TooLarge {
				t.Errorf("%q: %v", query, err)
			}
			return
		}
		if len(q.properties) > rowProperties || len(q.things) > rowProperties || len(q.names) > rowProperties || q.points < 1 || q.points > pointsMax || checkRange(q.from, q.to) != nil {
			t.Errorf("%q is %+v", query, q)
		}
		if q.interval != 0 && (q.interval < time.Millisecond || q.interval > maxInterval) {
			t.Errorf("%q has bins of %v", query, q.interval)
		}
		if q.interval == 0 { // what is chosen makes no more bins than there may be
			ask := series.Query{From: q.from, To: q.to, Limit: q.points, Interval: binsFor(q.from, q.to, q.points)}
			if err := checkBins(ask, Property{}); err != nil {
				t.Errorf("%q: %v", query, err)
			}
		}
	})
}

// FuzzReadFilter: a filter on things is refused, or has IDs and tags that are no more than there may be.
func FuzzReadFilter(f *testing.F) {
	f.Add("ids=a&ids=B&tags=room:hall")
	f.Add("tags=&ids=&tags=a:b:c")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		got, err := ReadFilter(q["ids"], q["tags"])
		if err != nil {
			return
		}
		for _, tag := range got.Tags {
			if tag.check() != nil {
				t.Errorf("%q has the tag %+v", query, tag)
			}
		}
		if len(got.IDs)+len(got.Tags) > maxFilter || slices.Contains(got.IDs, "") {
			t.Errorf("%q is %+v", query, got)
		}
	})
}

func TestParts(t *testing.T) {
	object := func(text string) series.Value { return series.Value{Kind: series.Object, Text: text} }
	for name, c := range map[string]struct {
		kind  Kind
		value series.Value
		want  string
	}{
		"a number":                       {Float, series.Value{Kind: series.Float, Num: 1.5}, "=1.5"},
		"a number that was whole":        {Float, series.Value{Kind: series.Int, Int: 3}, "=3"},
		"a whole number":                 {Int, series.Value{Kind: series.Int, Int: -3}, "=-3"},
		"a time":                         {Time, series.Value{Kind: series.Int, Int: 1_790_000_000}, "=1.79e+09"},
		"a boolean":                      {Bool, series.Value{Kind: series.Bool, Int: 1}, "=1"},
		"a text":                         {Text, series.Value{Kind: series.Text, Text: "1"}, ""},
		"an object":                      {Free, object(`{"lat":1}`), ""},
		"a colour":                       {Color, object(`{"bri":3,"hue":1,"sat":2}`), "hue=1 sat=2 bri=3"},
		"a lamp":                         {DimmedLight, object(`{"bri":50,"swi":true}`), "swi=1 bri=50"},
		"a place":                        {Location, object(`{"lat":45,"lon":7.5}`), "lat=45 lon=7.5"},
		"a part":                         {Location, object(`{"lat":45,"alt":1}`), "lat=45"},
		"a number that was a text":       {Float, series.Value{Kind: series.Text, Text: "1"}, ""},
		"a boolean that was a number":    {Bool, series.Value{Kind: series.Float, Num: 2}, ""},
		"a colour that was a number":     {Color, series.Value{Kind: series.Float, Num: 2}, ""},
		"a colour that cannot be read":   {Color, object(`{`), ""},
		"an attribute of a strange type": {Color, object(`{"hue":"red","sat":null}`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range c.kind.Parts(nil, c.value) {
				got = append(got, fmt.Sprintf("%s=%v", p.Name, p.Number))
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
