package thing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// history is all that a property had, as "minutes before noon: value".
func (h *house) said(property string) (all []string) {
	h.t.Helper()
	points, err := h.history.Raw(h.t.Context(), series.Query{Series: property, Space: space})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range points {
		all = append(all, fmt.Sprintf("%v: %s", noon.Sub(p.At).Minutes(), appendJSON(nil, p.Value)))
	}
	return all
}

// past makes values, one a minute, of which the last was a minute before noon.
func past(values ...string) []Past {
	var all []Past
	for i, v := range values {
		all = append(all, Past{noon.Add(time.Duration(i-len(values)) * time.Minute), json.RawMessage(v)})
	}
	return all
}

func TestAPastIsFilledIn(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"f": "FLOAT", "n!": "INT", "b": "STATUS", "s": "CHARSTRING", "l": "LOCATION", "c": "COLOR_HSB", "o": "GENERIC_COMPLEX_PROPERTY"})
		for name, c := range map[string]struct {
			values []string
			want   []string // as it is told afterwards; nil for the same
			no     map[int]error
		}{
			"f": {values: []string{"-1.5", "0", "1e+300", "7"}},
			"n": {values: []string{"1", "2.5", "null", "9007199254740992", `"3"`}, want: []string{"1", "9007199254740992"}, no: map[int]error{1: ErrWrongKind, 2: ErrWrongKind, 4: ErrWrongKind}},
			"b": {values: []string{"true", "false", "1"}, want: []string{"true", "false"}, no: map[int]error{2: ErrWrongKind}},
			"s": {values: []string{`""`, `"grüß \"Gott\""`, `"` + strings.Repeat("x", MaxText) + `x"`}, want: []string{`""`, `"grüß \"Gott\""`}, no: map[int]error{2: ErrTooLong}},
			"l": {values: []string{`{"lat":45.1,"lon":7.6}`, `{"lat":91,"lon":-200}`}},
			"c": {values: []string{`{"bri":1,"hue":400,"sat":2}`, `{"hue":5}`, `{"far":1}`}, want: []string{`{"bri":1,"hue":400,"sat":2}`, `{"bri":0,"hue":5,"sat":0}`}, no: map[int]error{2: ErrWrongKind}},
			"o": {values: []string{`{"a":{"b":[1,2]},"z":null}`}},
		} {
			property, values := id(a, name), past(c.values...)
			want := c.want
			if want == nil {
				want = c.values
			}
			done, err := h.Fill(ctx, editor, a.ID, property, values)
			if err != nil || done.Written != len(want) || done.Same+done.Occupied+done.Expired != 0 || len(done.Refused) != len(c.no) {
				t.Fatalf("%s: %+v, %v", name, done, err)
			}
			for _, no := range done.Refused {
				if !errors.Is(no.Why, c.no[no.Index]) {
					t.Errorf("%s: value %d is refused with %v, want %v", name, no.Index, no.Why, c.no[no.Index])
				}
			}
			var told []string
			for _, s := range h.said(property) {
				_, v, _ := strings.Cut(s, ": ")
				told = append(told, v)
			}
			if !slices.Equal(told, want) || h.value(a, name) != want[len(want)-1] {
				t.Errorf("%s: history is %q, last %s, want %q", name, told, h.value(a, name), want)
			}
			before := h.history.Stats().Points
			again, err := h.Fill(ctx, editor, a.ID, property, values)
			if err != nil || again.Written != 0 || again.Same != len(want) || len(again.Refused) != len(c.no) || h.history.Stats().Points != before {
				t.Errorf("%s, again: %+v, %v, and %d points were written", name, again, err, h.history.Stats().Points-before)
			}
		}
		if sent := h.messages(topic.ThingIn, a.ID); len(sent) > 0 {
			t.Errorf("the board was told %v", sent)
		}
		// A composite that the board tells in part builds on what is the last value now.
		h.publish(board, a.ID, senml.Record{Name: "c:sat", Kind: senml.Float, Num: 77})
		if got := h.value(a, "c"); got != `{"bri":0,"hue":5,"sat":77}` {
			t.Errorf("the colour is %s", got)
		}
	})
}

func TestWhatIsThereStays(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a := h.thing(editor, "a", "", map[string]string{"x": "INT"})
		x := id(a, "x")
		if err := h.Report(ctx, editor, a.ID, []Write{{Property: x, JSON: json.RawMessage("5"), At: noon.Add(-3 * time.Minute)}, {Property: x, JSON: json.RawMessage("9"), At: noon}}); err != nil {
			t.Fatal(err)
		}
		values := append(past("1", "2", "3", "4"), Past{noon.Add(-2 * time.Minute), json.RawMessage("3")}, Past{noon.Add(-1 * time.Minute), json.RawMessage("8")})
		slices.Reverse(values) // in whichever order they come
		done, err := h.Fill(ctx, editor, a.ID, x, values)
		if err != nil || !reflect.DeepEqual(done, Filled{Written: 3, Same: 1, Occupied: 2}) {
			t.Errorf("%+v, %v", done, err)
		}
		if got, want := h.said(x), []string{"4: 1", "3: 5", "2: 3", "1: 8", "0: 9"}; !slices.Equal(got, want) {
			t.Errorf("history is %q, want %q", got, want)
		}
		if got := h.value(a, "x"); got != "9" {
			t.Errorf("the last value is %s", got)
		}
	})
}

func TestFillKeepsToBounds(t *testing.T) {
	h := liteHouse(t)
	ctx := t.Context()
	a := h.thing(editor, "a", "", map[string]string{"x": "INT"})
	x := id(a, "x")
	one := json.RawMessage("1")
	done, err := h.Fill(ctx, editor, a.ID, x, []Past{{noon.Add(25 * time.Hour), one}, {time.Unix(0, 0), one}, {noon.Add(-time.Hour), one}, {noon.AddDate(-3, 0, 0), one}})
	if err != nil || done.Written != 2 || len(done.Refused) != 2 || done.Refused[0].Index != 0 || !errors.Is(done.Refused[1].Why, ErrTime) {
		t.Errorf("%+v, %v", done, err)
	}
	for name, c := range map[string]struct {
		who             access.Actor
		thing, property string
		values          []Past
		want            error
	}{
		"a stranger":       {stranger, a.ID, x, past("1"), ErrNotFound},
		"no such thing":    {editor, absent, x, past("1"), ErrNotFound},
		"no such property": {editor, a.ID, absent, past("1"), ErrPropertyNotFound},
		"too many":         {editor, a.ID, x, make([]Past, MaxFill+1), ErrTooManyValues},
	} {
		if _, err := h.Fill(ctx, c.who, c.thing, c.property, c.values); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	// The space's quota: what is there already costs nothing, and what does not fit leaves nothing.
	meter := org.NewMeter(space, 3)
	h.Service.routes.meter = func(context.Context, string) (*org.Meter, error) { return meter, nil }
	b := h.thing(editor, "b", "", map[string]string{"x": "INT"})
	x = id(b, "x")
	for range 2 {
		if _, err := h.Fill(ctx, editor, b.ID, x, past("1", "2")); err != nil {
			t.Fatal(err)
		}
	}
	if used := meter.Used(noon); used != 2 {
		t.Errorf("%d values count", used)
	}
	if _, err := h.Fill(ctx, editor, b.ID, x, past("1", "2", "3", "4")); !errors.Is(err, org.ErrValues) || len(h.said(x)) != 2 {
		t.Errorf("over the quota: %v, history %q", err, h.said(x))
	}
}

// old is a history that keeps values for a day.
type old struct{ Series }

func (old) Age(context.Context, string) (time.Duration, error) { return 24 * time.Hour, nil }

func TestWhatIsTooOldIsNotFilledIn(t *testing.T) {
	h := liteHouse(t)
	h.Service.needs.Series = old{h.history}
	a := h.thing(editor, "a", "", map[string]string{"x": "INT"})
	one := json.RawMessage("1")
	done, err := h.Fill(t.Context(), editor, a.ID, id(a, "x"), []Past{{noon.Add(-25 * time.Hour), one}, {noon.Add(-23 * time.Hour), one}})
	if err != nil || !reflect.DeepEqual(done, Filled{Written: 1, Expired: 1}) {
		t.Errorf("%+v, %v", done, err)
	}
}

func TestAPropertyWithoutHistoryTakesTheNewest(t *testing.T) {
	h := liteHouse(t)
	p := property("x")
	p.ID, p.Number, p.Persist, p.Type = "", 0, false, TypeOf("INT")
	a, err := h.Create(t.Context(), editor, Thing{Name: "a", Timezone: "Europe/Rome", Properties: []Property{p}}, false)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		values []Past
		want   Filled
		last   string
	}{
		{past("1", "2", "3"), Filled{Written: 1, Expired: 2}, "3"},
		{past("1", "2", "3"), Filled{Same: 1, Expired: 2}, "3"},
		{past("4"), Filled{Occupied: 1}, "3"},
		{past("1", "2")[:1], Filled{Expired: 1}, "3"},
		{[]Past{{noon, json.RawMessage("5")}}, Filled{Written: 1}, "5"},
	} {
		done, err := h.Fill(t.Context(), editor, a.ID, id(a, "x"), c.values)
		if err != nil || !reflect.DeepEqual(done, c.want) || h.value(a, "x") != c.last || len(h.said(id(a, "x"))) != 0 {
			t.Errorf("%d: %+v, %v, last value %s, want %+v and %s", i, done, err, h.value(a, "x"), c.want, c.last)
		}
	}
}

func TestFillOverHTTP(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT"})
	to := "/v1/things/" + a.ID + "/properties/" + id(a, "x") + "/history"
	times := []string{"2026-10-17T10:00:00Z", "2026-10-17T13:00:00.5+02:00"}
	body := map[string]any{"times": times, "values": []any{1.5, "warm"}}
	var done wireFilled
	h.want(200, "editor", "POST", to, body, &done)
	if done.Written != 1 || len(done.Refused) != 1 || done.Refused[0].Index != 1 || done.Refused[0].Code != "wrong-kind" || done.Refused[0].Detail == "" {
		t.Errorf("%+v", done)
	}
	h.want(200, "editor", "POST", to, map[string]any{"times": times[1:], "values": []any{2}}, &done)
	if got := h.said(id(a, "x")); !slices.Equal(got, []string{"120: 1.5", "59.99166666666667: 2"}) || done.Written != 1 {
		t.Errorf("%+v, history %q", done, got)
	}
	h.want(http.StatusForbidden, "viewer", "POST", to, body, nil)
	h.want(http.StatusNotFound, "stranger", "POST", to, body, nil)
	h.want(http.StatusBadRequest, "editor", "POST", to, map[string]any{"times": times, "values": []any{1}}, nil)
	h.want(http.StatusBadRequest, "editor", "POST", to, map[string]any{"times": []string{}, "values": []any{}}, nil)
	h.want(http.StatusBadRequest, "editor", "POST", to, map[string]any{"times": []string{"yesterday"}, "values": []any{1}}, nil)
	many := map[string]any{"times": make([]time.Time, MaxFill+1), "values": make([]int, MaxFill+1)}
	h.want(http.StatusBadRequest, "editor", "POST", to, many, nil)
}

// Whatever is sent as a value of the past is refused, or kept as something that is read the same again.
func FuzzReadPast(f *testing.F) {
	for _, seed := range []string{`1.5`, `true`, `"x"`, `{"lat":1,"lon":2}`, `{"hue":400}`, `null`, `{"a":{"b":[1]}}`, `1e999`, `{"swi":1}`, `"\ud800"`, `{"frm":4294967296}`} {
		f.Add(uint8(len(seed)), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		k := Kind(kind % uint8(kinds))
		v, err := k.ReadPast(raw, MaxText)
		if err != nil {
			if !errors.Is(err, ErrWrongKind) && !errors.Is(err, ErrOutOfRange) && !errors.Is(err, ErrTooLong) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if v.Kind != k.stored() || len(v.Text) > MaxText {
			t.Fatalf("a %v became a %v of %d bytes", k.stored(), v.Kind, len(v.Text))
		}
		told := appendJSON(nil, v)
		again, err := k.ReadPast(told, MaxText)
		if err != nil || again != v {
			t.Fatalf("%q was kept as %s, and that as %+v (%v)", raw, told, again, err)
		}
	})
}
