package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
)

const (
	one = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	two = "3F2504E0-4F89-41D3-9A0C-0305E82C3302"
)

var noon = time.Date(2026, 10, 17, 12, 0, 0, 0, time.UTC)

// A fake is a server with the API and the moods of the original.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	token  int            // guarded by mu; the newest
	calls  map[string]int // guarded by mu; by method and path
	pauses []time.Duration
	answer func(f *fake, n int, w http.ResponseWriter, r *http.Request) // n is the how-manieth call of its address
}

func newFake(t *testing.T, answer func(f *fake, n int, w http.ResponseWriter, r *http.Request)) (*fake, *Server) {
	t.Helper()
	f := &fake{calls: map[string]int{}, answer: answer}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	c, err := client.New(client.Config{URL: f.URL, ID: "id", Secret: "secret"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	pace := NewPace(0, func() time.Time { return noon })
	pace.sleep = func(_ context.Context, d time.Duration) error {
		f.pauses = append(f.pauses, d)
		return nil
	}
	return f, New(c, pace)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	what := r.Method + " " + r.URL.Path
	f.calls[what]++
	if r.URL.Path == "/iot/v1/clients/token" {
		f.token++
		fmt.Fprintf(w, `{"access_token":"t%d","expires_in":300,"token_type":"Bearer"}`, f.token)
		return
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", f.token) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.answer(f, f.calls[what], w, r)
}

func TestMoods(t *testing.T) {
	f, s := newFake(t, func(f *fake, n int, w http.ResponseWriter, r *http.Request) {
		switch n {
		case 1:
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, "maximum request limit reached")
		case 2:
			f.token++ // the one that the client has is good no more
			w.WriteHeader(http.StatusUnauthorized)
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 4:
			panic(http.ErrAbortHandler) // the connection is lost, which net/http tries again by itself
		case 5:
			w.Header().Set("Retry-After", noon.Add(9*time.Second).Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			fmt.Fprintf(w, `[{"id":%q,"name":"a","type":"mkr1000","tags":null},null,{"id":"x"},{"id":%q,"name":"b","tags":{"k":"v","n":1,"o":{}},"serial":null,"locked":true}]`, one, two)
		}
	})
	all, strange, err := s.Devices(t.Context())
	if err != nil || len(all) != 2 || len(strange) != 2 || strange[1].ID != "x" || !strings.Contains(strange[1].Why, "UUID") {
		t.Fatalf("%+v, %+v, %v", all, strange, err)
	}
	if all[1].ID != strings.ToLower(two) || !slices.Equal(all[1].Tags, []Tag{{"k", "v"}, {"n", "1"}}) || !all[1].Locked {
		t.Errorf("%+v", all[1])
	}
	if len(f.pauses) != 3 || f.pauses[0] != 7*time.Second || f.pauses[2] != 9*time.Second || f.pauses[1] < firstPause || f.pauses[1] > 2*firstPause+1 {
		t.Errorf("pauses of %v", f.pauses)
	}
}

func TestWhatIsNotTriedAgain(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		calls  int
		says   string
	}{
		"forbidden":           {func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, 1, "Forbidden"},
		"no good token":       {func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) }, 2, "Unauthorized"},
		"a page":              {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, 1, "expects"},
		"no list":             {func(w http.ResponseWriter) { fmt.Fprint(w, `{"a":1}`) }, 1, "list of devices"},
		"never well":          {func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) }, tries, "Bad Gateway"},
		"a day's limit":       {func(w http.ResponseWriter) { w.Header().Set("Retry-After", "36000"); w.WriteHeader(429) }, 1, "10h0m0s"},
		"somebody else's":     {func(w http.ResponseWriter) { w.Header().Set("Location", "https://example.org/"); w.WriteHeader(307) }, 1, "example.org"},
		"not this one's port": {func(w http.ResponseWriter) { w.Header().Set("Location", "http://127.0.0.1:1/"); w.WriteHeader(302) }, 1, "127.0.0.1:1"},
	} {
		f, s := newFake(t, func(_ *fake, _ int, w http.ResponseWriter, _ *http.Request) { c.answer(w) })
		_, _, err := s.Devices(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.says) || f.calls["GET /iot/v2/devices"] != c.calls {
			t.Errorf("%s: %v, after %d calls, want %q after %d", name, err, f.calls["GET /iot/v2/devices"], c.says, c.calls)
		}
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	c, err := client.New(client.Config{URL: "http://127.0.0.1:1", ID: "id", Secret: "secret"}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	pace, slept := NewPace(0, time.Now), 0
	pace.sleep = func(context.Context, time.Duration) error { slept++; return nil }
	if _, _, err := New(c, pace).Devices(t.Context()); err == nil || slept != triesAtFirst-1 {
		t.Errorf("%v, after %d pauses", err, slept)
	}
}

// What makes something is not repeated when it turns out to be made.
func TestMakeLooksBeforeItRepeats(t *testing.T) {
	pace := NewPace(0, time.Now)
	pace.sleep = func(context.Context, time.Duration) error { return nil }
	made := 0
	err := pace.Make(t.Context(), func() error { made++; return &client.Error{Status: 503} }, func() (bool, error) { return made == 2, nil })
	if err != nil || made != 2 {
		t.Errorf("made %d times, %v", made, err)
	}
}

func TestDashboardsOfBothVersions(t *testing.T) {
	widget := fmt.Sprintf(`{"id":%q,"type":"Chart","x":0,"y":1.0,"width":2,"height":3,"options":{"a":1},"variables":[{"id":%q,"name":"x"},%q],"width_mobile":null}`, one, two, two)
	_, s := newFake(t, func(_ *fake, _ int, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/iot/v3/dashboards":
			w.WriteHeader(http.StatusNotFound)
		case "/iot/v2/dashboards":
			fmt.Fprintf(w, `[{"id":%q,"name":"a","widgets":[%s]},{"id":%q,"name":"b","shared_by":{"user_id":%q}}]`, one, widget, two, one)
		default:
			fmt.Fprintf(w, `{"id":%q,"name":"b","shared_by":{"user_id":%q},"shared_with":[{}],"widgets":null,"pages":null}`, two, one)
		}
	})
	all, strange, err := s.Dashboards(t.Context())
	if err != nil || len(strange) > 0 || len(all) != 2 || len(all[0].Widgets) != 1 || all[0].Widgets[0].Page != MainPage || !slices.Equal(all[0].Widgets[0].Variables, []string{strings.ToLower(two)}) ||
		all[0].Widgets[0].Y != 1 || all[0].Guest || !all[1].Guest || all[1].Shares != 1 {
		t.Errorf("%+v, %+v, %v", all, strange, err)
	}

	_, s = newFake(t, func(_ *fake, _ int, w http.ResponseWriter, r *http.Request) {
		widget := strings.Replace(widget, `"type"`, `"page_id":"`+two+`","type"`, 1)
		lost := strings.Replace(widget, two, one, 1)
		fmt.Fprintf(w, `[{"id":%q,"name":"a","pages":[{"id":"0","name":"Main","position":0},{"id":%q,"name":"P","position":1}],"widgets":[%s,%s]}]`, one, two, widget, lost)
	})
	all, _, err = s.Dashboards(t.Context())
	if err != nil || len(all) != 1 || len(all[0].Pages) != 1 || all[0].Widgets[0].Page != strings.ToLower(two) || all[0].Widgets[1].Page != MainPage {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestThingsAreReadWhole(t *testing.T) {
	property := fmt.Sprintf(`{"id":%q,"name":"x","type":"FLOAT","permission":"READ_ONLY","update_strategy":"TIMED","last_value":"N/A","persist":null,"tag":1.0}`, two)
	f, s := newFake(t, func(_ *fake, _ int, w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/iot/v2/things":
			fmt.Fprintf(w, `{"id":%q,"name":"a","timezone":"UTC","properties_count":1,"properties":[%s],"device_id":"00000000-0000-0000-0000-000000000000"}`, one, property)
		case r.URL.Query().Get("show_properties") == "true":
			fmt.Fprintf(w, `[{"id":%q,"name":"a","properties_count":1},{"id":%q,"name":"b","properties":[]}]`, one, two)
		}
	})
	all, strange, err := s.Things(t.Context())
	if err != nil || len(strange) > 0 || len(all) != 2 || len(all[0].Properties) != 1 || all[0].Device != "" || !all[0].Properties[0].Keeps() || f.calls["GET /iot/v2/things/"+one] != 1 {
		t.Errorf("%+v, %+v, %v", all, strange, err)
	}
}

func TestTriggersGetTheirActions(t *testing.T) {
	_, s := newFake(t, func(_ *fake, _ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/iot/v1/actions" {
			fmt.Fprintf(w, `[{"id":%q,"trigger_id":%q,"kind":"NOTIFY-EMAIL","name":"mail","email":{"a":1},"webhook":null},{"id":%q,"trigger_id":null,"kind":"X","name":"y"}]`, two, one, one)
			return
		}
		fmt.Fprintf(w, `[{"id":%q,"name":"t","property_id":%q,"device_status_source":null}]`, one, two)
	})
	all, strange, err := s.Triggers(t.Context())
	if err != nil || len(strange) > 0 || len(all) != 1 || len(all[0].Actions) != 1 || all[0].Actions[0].Webhook != nil || all[0].Status != nil {
		t.Errorf("%+v, %+v, %v", all, strange, err)
	}
}

// A history is a server's values, from which it answers in one of its moods.
type history struct {
	at    []time.Time
	value []string
}

func (h *history) answer(from, to time.Time, limit int, cut time.Duration) string {
	var times, values []string
	end := to
	for i, at := range h.at {
		if cut > 0 && at.Truncate(cut).Before(from.Truncate(cut)) || cut == 0 && at.Before(from) || !at.Before(end) || len(times) == limit {
			continue
		}
		times, values = append(times, fmt.Sprintf("%q", at.Format(time.RFC3339Nano))), append(values, h.value[i])
	}
	return fmt.Sprintf(`"times":[%s],"values":[%s],"to_date":%q`, strings.Join(times, ","), strings.Join(values, ","), end.Format(time.RFC3339Nano))
}

// Whatever the mood, every value comes once, in order, and reading ends.
func TestHistoriesAreReadToTheirEnd(t *testing.T) {
	h := &history{}
	for i := range 2500 {
		h.at = append(h.at, noon.Add(time.Duration(i)*300*time.Millisecond))
		h.value = append(h.value, fmt.Sprint(i))
	}
	h.value[7], h.value[2499] = "null", "null"
	h.at[100] = h.at[99].Add(100 * time.Nanosecond) // two in one microsecond
	for name, answer := range map[string]func(from, to time.Time, limit int) string{
		"as it should":            func(from, to time.Time, limit int) string { return h.answer(from, to, limit, 0) },
		"less than it is asked":   func(from, to time.Time, limit int) string { return h.answer(from, to, 300, 0) },
		"from whole seconds only": func(from, to time.Time, limit int) string { return h.answer(from, to, limit, time.Second) },
		"a part at a time": func(from, to time.Time, limit int) string { // and nothing at all in the first hours
			return h.answer(from, earlier(from.Add(time.Minute), to), limit, 0)
		},
		"without saying until when": func(from, to time.Time, limit int) string {
			text, _, _ := strings.Cut(h.answer(from, to, limit, 0), `,"to_date"`)
			return text + `,"to_date":null`
		},
		"more than it is asked": func(from, to time.Time, limit int) string {
			return h.answer(from.Add(-time.Minute), to.Add(time.Minute), limit+200, 0)
		},
	} {
		requests := 0
		_, s := newFake(t, func(_ *fake, _ int, w http.ResponseWriter, r *http.Request) {
			var in struct {
				Requests []struct {
					Q, Sort  string
					From, To time.Time
					Limit    int `json:"series_limit"`
				}
			}
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil || len(in.Requests) != 1 || in.Requests[0].Sort != "ASC" {
				t.Errorf("asked for %+v, %v", in, err)
			}
			q := in.Requests[0]
			fmt.Fprintf(w, `{"resp_version":1,"responses":[{"query":%q,"status":"ok",%s}]}`, strings.ToUpper(q.Q[:9])+q.Q[9:], answer(q.From, q.To, q.Limit))
			requests++
		})
		var got []Point
		nulls, doubles, read := 0, 0, 0
		for w := (Window{one, noon.Add(-time.Hour), noon.Add(time.Hour)}); ; {
			parts, err := s.Past(t.Context(), []Window{w})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			p := parts[0]
			if !p.Done && !p.Next.After(w.From) || requests > 500 {
				t.Fatalf("%s: after %d requests it does not get on: %v", name, requests, w.From)
			}
			got = append(got, p.Points...)
			nulls, doubles, read = nulls+p.Nulls, doubles+p.Double, read+p.Read
			if w.From = p.Next; p.Done {
				break
			}
		}
		if len(got) != 2497 || nulls != 2 && name != "from whole seconds only" || doubles > 1 {
			t.Errorf("%s: %d values, %d nulls, %d doubles of %d", name, len(got), nulls, doubles, read)
		}
		for i := 1; i < len(got); i++ {
			if !got[i].At.After(got[i-1].At) {
				t.Fatalf("%s: %v comes behind %v", name, got[i].At, got[i-1].At)
			}
		}
	}
}

func TestHistoriesThatCannotBeBelieved(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"no answers":      {`{"responses":[]}`, ErrShape},
		"a text":          {`{"responses":"x"}`, ErrShape},
		"another's":       {`{"responses":[{"query":"property.` + two + `","times":[],"values":[]}]}`, ErrShape},
		"times alone":     {`{"responses":[{"times":["2026-10-17T12:00:00Z"],"values":[]}]}`, ErrShape},
		"too many":        {`{"responses":[{"times":[` + strings.Repeat(`"",`, maxPage) + `""],"values":[` + strings.Repeat(`1,`, maxPage) + `1]}]}`, ErrShape},
		"it says why not": {`{"responses":[{"status":"not_found","message":"gone"}]}`, nil},
	} {
		parts, err := readPast(json.RawMessage(c.answer), []Window{{one, noon, noon.Add(time.Hour)}})
		if !errors.Is(err, c.want) || c.want == nil && parts[0].Failed != "not_found: gone" {
			t.Errorf("%s: %+v, %v", name, parts, err)
		}
	}
	// Times that cannot be, and values that cannot be, come to nothing; and it goes on behind what was asked for.
	parts, err := readPast(json.RawMessage(`{"responses":[{"times":["yesterday",null,7,"1970-01-01T00:00:00Z","2026-10-17T12:00:01+00:00"],"values":[1,2,3,4,"`+strings.Repeat("x", maxValue)+`"]}]}`), []Window{{one, noon, noon.Add(time.Hour)}})
	if err != nil || parts[0].Odd != 5 || len(parts[0].Points) != 0 || !parts[0].Next.After(noon) || parts[0].Done {
		t.Errorf("%+v, %v", parts, err)
	}
}

func TestTally(t *testing.T) {
	_, s := newFake(t, func(_ *fake, n int, w http.ResponseWriter, r *http.Request) {
		if n == 3 {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		bins := func(values string) string {
			return fmt.Sprintf(`{"status":"ok","times":["2026-10-17T00:00:00Z","2026-10-18T00:00:00Z"],"values":[%s]}`, values)
		}
		fmt.Fprintf(w, `{"responses":[%s,%s,%s,%s]}`, bins("3,2"), bins("-1.5,10"), bins("-5,2"), bins("1,8"))
	})
	got, err := s.Tally(t.Context(), one, noon, noon.Add(tallySpan+time.Hour)) // two requests
	if want := (Tally{10, 17, -5, 8, true}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := s.Tally(t.Context(), one, noon, noon.Add(time.Hour)); err != nil || got.Known {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whatever a server answers is refused or read within bounds, and reading a history always comes further.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`[{"id":"` + one + `","name":"a","tags":{"k":"v"},"properties":[{"id":"` + two + `","name":"x"}],"properties_count":3}]`))
	f.Add([]byte(`[{"id":"` + one + `","pages":[{"id":"0"}],"widgets":[{"id":"` + two + `","x":1e300,"options":[],"variables":[{}]}]}]`))
	f.Add([]byte(`[{"id":"` + one + `","device_status_source":{"criteria":"INCLUDE","device_ids":["x"]},"actions":[{"id":"` + two + `","email":{}}]}]`))
	f.Add([]byte(`{"responses":[{"status":"ok","times":["2026-10-17T12:00:00.000000001Z","2026-10-17T12:59:59.9999999Z"],"values":[1,null],"to_date":"2026-10-17T12:30:00Z"}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		raw := json.RawMessage(text)
		devices, _, _ := list("devices", raw, readDevice)
		things, _, _ := list("things", raw, readThing)
		boards, _, _ := list("dashboards", raw, readDashboard)
		triggers, _, _ := list("triggers", raw, readTrigger)
		for _, d := range devices {
			if !idForm.MatchString(d.ID) || len(d.Name) > maxText || len(d.Tags) > maxTags {
				t.Fatalf("device %+v", d)
			}
		}
		for _, one := range things {
			if !idForm.MatchString(one.ID) || len(one.Properties) > maxProperties {
				t.Fatalf("thing %+v", one)
			}
			for _, p := range one.Properties {
				if !idForm.MatchString(p.ID) || len(p.Last) > maxValue {
					t.Fatalf("property %+v", p)
				}
			}
		}
		for _, d := range boards {
			for _, w := range d.Widgets {
				if !idForm.MatchString(w.ID) || len(w.Variables) > maxVariables || !json.Valid(w.Options) || w.Options[0] != '{' {
					t.Fatalf("widget %+v", w)
				}
			}
		}
		for _, one := range triggers {
			if len(one.Actions) > maxActions {
				t.Fatalf("trigger %+v", one)
			}
		}
		w := Window{one, noon, noon.Add(time.Hour)}
		parts, err := readPast(raw, []Window{w})
		if err != nil {
			return
		}
		p := parts[0]
		if p.Failed == "" && (!p.Next.After(w.From) || p.Next.After(w.To) || p.Done != p.Next.Equal(w.To)) {
			t.Fatalf("goes on at %v, %v", p.Next, p.Done)
		}
		for i, at := range p.Points {
			if at.At.Before(w.From) || !at.At.Before(w.To) || i > 0 && !at.At.After(p.Points[i-1].At) || len(at.Value) == 0 {
				t.Fatalf("point %d at %v", i, at.At)
			}
		}
		if _, err := readTally(raw, []string{"property." + one}); err != nil && !errors.Is(err, ErrShape) {
			t.Fatal(err)
		}
	})
}
