package sync

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// What one becomes all others become, on disk and at their boards, and what boards say again is no change.
func TestWhatOneBecomesAllBecome(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing("a", map[string]string{"lamp": "STATUS", "level": "FLOAT"})
		b := h.thing("b", map[string]string{"lamp": "STATUS", "fleeting level": "FLOAT"})
		c := h.thing("c", map[string]string{"sensor lamp": "STATUS", "level": "FLOAT"})
		h.group(fleettest.PropertyID(a, "lamp"), fleettest.PropertyID(b, "lamp"), fleettest.PropertyID(c, "sensor lamp"))
		h.group(fleettest.PropertyID(a, "level"), fleettest.PropertyID(b, "fleeting level"), fleettest.PropertyID(c, "level"))
		h.say(a, "lamp", "true")
		if got := h.value(b, "lamp"); got != "true" {
			t.Errorf("b is %s", got)
		}
		if got, other := h.heard(b), h.heard(a); got != "lamp=true" || other != "" {
			t.Errorf("b was told %q, a %q", got, other)
		}
		if got := h.value(c, "sensor lamp"); got != "" || h.heard(c) != "" {
			t.Errorf("what only a board sets became %q", got)
		}
		h.say(b, "lamp", "true") // it confirms
		if h.heard(a) != "" || h.values(fleettest.PropertyID(a, "lamp")) != "true" {
			t.Errorf("a has %s", h.values(fleettest.PropertyID(a, "lamp")))
		}
		h.write(b, "lamp", "false")
		if h.value(a, "lamp") != "false" || h.heard(a) != "lamp=false" || h.heard(b) != "lamp=false" {
			t.Errorf("a is %s", h.value(a, "lamp"))
		}
		h.say(c, "sensor lamp", "true") // it gives
		if h.value(a, "lamp") != "true" || h.value(b, "lamp") != "true" {
			t.Error("a sensor gives nothing")
		}

		// Every change is there once, with those that have no history, too.
		for n := range 5 {
			h.say(a, "level", fmt.Sprint(n))
		}
		if got := h.values(fleettest.PropertyID(c, "level")); got != "0 1 2 3 4" {
			t.Errorf("c has %s", got)
		}
		h.say(b, "fleeting level", "7.5")
		if h.value(a, "level") != "7.5" || h.values(fleettest.PropertyID(c, "level")) != "0 1 2 3 4 7.5" || h.value(b, "fleeting level") != "7.5" {
			t.Errorf("a is %s, c has %s", h.value(a, "level"), h.values(fleettest.PropertyID(c, "level")))
		}
		// A clock that is ahead hides nothing, and what is older than what there is changes nothing.
		report := func(th thing.Thing, at time.Time, value string) {
			t.Helper()
			if err := h.Things.Report(t.Context(), editor, th.ID, []thing.Write{{Property: fleettest.PropertyID(th, "level"), JSON: json.RawMessage(value), At: at}}); err != nil {
				t.Fatal(err)
			}
		}
		report(c, h.clock.Now().Add(3*time.Hour), "10")
		h.say(a, "level", "11")
		if h.value(c, "level") != "11" {
			t.Errorf("c is %s", h.value(c, "level"))
		}
		report(a, h.clock.Now().Add(-time.Hour), "3")
		if h.value(c, "level") != "11" || h.value(a, "level") != "11" {
			t.Errorf("an old value made c %s", h.value(c, "level"))
		}
		// Groups are there after a start.
		h.again()
		h.read(c)
		h.say(a, "level", "12")
		if h.value(c, "level") != "12" {
			t.Errorf("after a start c is %s", h.value(c, "level"))
		}
		fleettest.Eventually(t, "that a board is told whose thing has to be looked up", func() bool { return h.heard(c) == "level=12" })
		if n := h.Counts(); n.Copies != 2 {
			t.Errorf("counts %+v", n)
		}
	})
}

// Members that are deleted or have another type are marked, neither give nor take, and take part again when they are back.
func TestMembersThatAreNotWhatTheyWere(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		var all []thing.Thing
		var ids []string
		for n := range 5 {
			th := h.thing(fmt.Sprint("t", n), map[string]string{"x": "FLOAT"})
			all, ids = append(all, th), append(ids, fleettest.PropertyID(th, "x"))
		}
		g := h.group(ids...)
		states := func() (text string) {
			t.Helper()
			var w wireGroup
			h.want(200, "editor", "GET", "/iot/v1/sync/"+g.ID, nil, &w)
			for _, m := range w.Properties {
				text += string(m.State) + " "
			}
			return strings.TrimSpace(text)
		}
		path := func(n int) string { return "/iot/v2/things/" + all[n].ID + "/properties/" + ids[n] }
		h.want(200, "editor", "POST", path(1), map[string]any{"type": "INT"}, nil)
		h.want(200, "editor", "POST", path(2), map[string]any{"permission": "READ_ONLY"}, nil)
		h.want(200, "editor", "DELETE", "/iot/v2/things/"+all[3].ID, nil, nil)
		h.want(200, "editor", "DELETE", path(4)+"?force=true", nil, nil)
		if got := states(); got != "OK RETYPED GIVES DELETED NOT_FOUND" {
			t.Errorf("states %s", got)
		}
		h.say(all[0], "x", "1")
		for n := 1; n < 4; n++ {
			if p, ok := h.History.Last(ids[n]); ok {
				t.Errorf("member %d took %v", n, p.Value)
			}
		}
		h.say(all[1], "x", "5")
		h.say(all[2], "x", "6")
		if h.value(all[0], "x") != "6" {
			t.Errorf("the first is %s", h.value(all[0], "x"))
		}
		h.want(200, "editor", "POST", path(1), map[string]any{"type": "FLOAT"}, nil)
		h.want(200, "editor", "POST", "/iot/v2/things/"+all[3].ID, map[string]any{"soft_deleted": false}, nil)
		if got := states(); got != "OK OK GIVES OK NOT_FOUND" {
			t.Errorf("states %s", got)
		}
		h.say(all[0], "x", "7")
		if h.value(all[1], "x") != "7" || h.value(all[3], "x") != "7" {
			t.Error("who is back takes nothing")
		}
		// They may stay when others come, and the type stays.
		six := h.thing("six", map[string]string{"x": "FLOAT", "y": "INT"})
		h.want(200, "editor", "POST", "/iot/v1/sync/"+g.ID, map[string]any{"properties": append(append([]string{}, ids...), fleettest.PropertyID(six, "x"))}, nil)
		h.want(400, "editor", "POST", "/iot/v1/sync/"+g.ID, map[string]any{"properties": []string{ids[0], fleettest.PropertyID(six, "y")}}, nil)
		h.say(six, "x", "8")
		if h.value(all[0], "x") != "8" {
			t.Error("who came later gives nothing")
		}
	})
}

// Groups over HTTP: what is refused, who may, and what properties tell.
func TestGroupsOverHTTP(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a, b := h.thing("a", map[string]string{"x": "FLOAT", "y": "FLOAT", "n": "INT", "sensor": "FLOAT"}), h.thing("b", map[string]string{"x": "FLOAT", "y": "FLOAT", "sensor": "FLOAT"})
		ax, bx := fleettest.PropertyID(a, "x"), fleettest.PropertyID(b, "x")
		for name, c := range map[string]struct {
			body   any
			status int
			code   string
		}{
			"one":             {map[string]any{"properties": []string{ax}}, 400, ""},
			"one twice":       {map[string]any{"properties": []string{ax, strings.ToUpper(ax)}}, 400, "invalid-sync"},
			"no ID":           {map[string]any{"properties": []string{ax, "x"}}, 400, "invalid-sync"},
			"too many":        {map[string]any{"properties": make([]string, maxMembers+1)}, 400, ""},
			"none":            {map[string]any{}, 400, ""},
			"two types":       {map[string]any{"properties": []string{ax, fleettest.PropertyID(a, "n")}}, 400, "sync-type"},
			"another type":    {map[string]any{"type": "INT", "properties": []string{ax, bx}}, 400, "sync-type"},
			"sensors alone":   {map[string]any{"properties": []string{fleettest.PropertyID(a, "sensor"), fleettest.PropertyID(b, "sensor")}}, 400, "sync-read-only"},
			"what is not":     {map[string]any{"properties": []string{ax, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}}, 404, "property-not-found"},
			"no list":         {map[string]any{"properties": "x"}, 400, ""},
			"a list of lists": {map[string]any{"properties": []any{[]any{ax}, bx}}, 400, ""},
		} {
			w := h.want(c.status, "editor", "PUT", "/iot/v1/sync", c.body, nil)
			if c.code != "" && !strings.Contains(w.Body.String(), c.code) {
				t.Errorf("%s: %s", name, w.Body)
			}
		}
		var g wireGroup
		h.want(201, "editor", "PUT", "/iot/v1/sync", map[string]any{"type": "FLOAT", "properties": []any{map[string]any{"id": ax, "name": "as answered"}, strings.ToUpper(bx)}}, &g)
		if g.Type != "FLOAT" || len(g.Properties) != 2 || g.Properties[1] != (wireMember{ID: bx, State: Part, Name: "x", VariableName: "x", Permission: "READ_WRITE", Type: "FLOAT", ThingID: b.ID, ThingName: "b"}) {
			t.Errorf("made %+v", g)
		}
		h.want(409, "editor", "PUT", "/iot/v1/sync", map[string]any{"properties": []string{ax, fleettest.PropertyID(b, "y")}}, nil)
		var p struct {
			SyncID string `json:"sync_id"`
		}
		h.want(200, "viewer", "GET", "/iot/v2/things/"+a.ID+"/properties/"+ax, nil, &p)
		if p.SyncID != g.ID {
			t.Errorf("the property says sync_id %q", p.SyncID)
		}
		one := "/iot/v1/sync/" + g.ID
		h.want(403, "viewer", "PUT", "/iot/v1/sync", map[string]any{"properties": []string{ax, bx}}, nil)
		h.want(200, "viewer", "GET", one, nil, nil)
		h.want(403, "viewer", "DELETE", one, nil, nil)
		h.want(404, "stranger", "GET", one, nil, nil)
		h.want(404, "stranger", "DELETE", one, nil, nil)
		h.want(404, "editor", "GET", "/iot/v1/sync/x", nil, nil)
		var list []wireGroup
		h.want(200, "editor", "GET", "/iot/v1/sync", nil, &list)
		if len(list) != 1 || list[0].ID != g.ID || len(list[0].Properties) != 2 {
			t.Errorf("listed %+v", list)
		}
		h.want(200, "stranger", "GET", "/iot/v1/sync", nil, &list)
		if len(list) != 0 {
			t.Errorf("a stranger sees %+v", list)
		}
		h.want(200, "editor", "POST", one, map[string]any{"properties": []string{fleettest.PropertyID(a, "y"), bx}}, nil)
		h.want(200, "editor", "GET", "/iot/v2/things/"+a.ID+"/properties/"+ax, nil, &p)
		h.say(a, "x", "1")
		if h.value(b, "x") != "" {
			t.Error("who left the group gives still")
		}
		h.want(200, "editor", "DELETE", one, nil, nil)
		h.want(404, "editor", "DELETE", one, nil, nil)
		h.say(a, "y", "1")
		if h.value(b, "x") != "" || h.Of(bx) != "" {
			t.Error("a group that was deleted gives still")
		}
	})
}

// A space has no more groups than it may, and an erased one has none.
func TestGroupsOfASpace(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite, func(c *setting) { c.limit = 1 })
	a, b := h.thing("a", map[string]string{"x": "FLOAT", "y": "FLOAT"}), h.thing("b", map[string]string{"x": "FLOAT", "y": "FLOAT"})
	g := h.group(fleettest.PropertyID(a, "x"), fleettest.PropertyID(b, "x"))
	w := h.want(412, "editor", "PUT", "/iot/v1/sync", map[string]any{"properties": []string{fleettest.PropertyID(a, "y"), fleettest.PropertyID(b, "y")}}, nil)
	if !strings.Contains(w.Body.String(), "sync-limit") {
		t.Errorf("%s", w.Body)
	}
	for range 2 {
		if err := h.EraseSpace(t.Context(), access.Actor{Kind: access.System}, space); err != nil {
			t.Fatal(err)
		}
	}
	h.want(404, "editor", "GET", "/iot/v1/sync/"+g.ID, nil, nil)
	if n, err := h.Count(t.Context(), space); err != nil || n != 0 || h.Of(fleettest.PropertyID(a, "x")) != "" {
		t.Errorf("%d groups are left: %v", n, err)
	}
}

// Boards that confirm what they are told, late and at most the newest, and people who write, in any order: there is no storm, and in the end
// all have the same.
func TestBoardsThatEcho(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		h := newHouse(t, db.SQLite)
		const boards, changes = 3, 60
		var all []thing.Thing
		var ids []string
		for n := range boards {
			th := h.thing(fmt.Sprint("t", n), map[string]string{"x": "FLOAT"})
			all, ids = append(all, th), append(ids, fleettest.PropertyID(th, "x"))
		}
		h.group(ids...)
		type board struct {
			value float32
			echo  []float32 // what it has still to confirm
		}
		state := make([]board, boards)
		listen := func(n int) {
			for _, r := range h.read(all[n]) {
				f := float32(r.Num)
				if r.Kind == senml.Int {
					f = float32(r.Int)
				}
				state[n].value = f
				if len(state[n].echo) > 0 && rnd.IntN(2) == 0 {
					state[n].echo[len(state[n].echo)-1] = f // two within half a second are one
				} else {
					state[n].echo = append(state[n].echo, f)
				}
			}
		}
		said := 0
		say := func(n int, f float32) {
			said++
			h.say(all[n], "x", fmt.Sprint(float64(f)))
		}
		for range changes {
			n := rnd.IntN(boards)
			switch rnd.IntN(4) {
			case 0:
				h.write(all[n], "x", fmt.Sprintf("%.3f", rnd.Float64()*100)) // no float of a board
			case 1:
				listen(n)
				if len(state[n].echo) > 0 {
					e := state[n].echo[0]
					state[n].echo = state[n].echo[1:]
					say(n, e)
				}
			case 2:
				listen(n)
				for _, e := range state[n].echo {
					say(n, e)
				}
				state[n].echo = nil
				state[n].value = float32(rnd.IntN(1000))
				say(n, state[n].value)
			case 3:
				h.clock.Pass(time.Duration(rnd.IntN(700)) * time.Millisecond)
			}
		}
		before, quiet := said, false
		for round := 0; !quiet; round++ {
			if round > 50 {
				t.Fatalf("seed %d: boards do not come to rest", seed)
			}
			quiet = true
			for n := range boards {
				listen(n)
				for len(state[n].echo) > 0 {
					quiet = false
					e := state[n].echo[0]
					state[n].echo = state[n].echo[1:]
					say(n, e)
				}
			}
		}
		if said-before > 6*changes {
			t.Errorf("seed %d: %d values were said to come to rest", seed, said-before)
		}
		first := h.value(all[0], "x")
		for n := range boards {
			var f float64
			if err := json.Unmarshal([]byte(h.value(all[n], "x")), &f); err != nil {
				t.Fatal(err)
			}
			var want float64
			if err := json.Unmarshal([]byte(first), &want); err != nil {
				t.Fatal(err)
			}
			if float32(f) != float32(want) || state[n].value != float32(want) {
				t.Errorf("seed %d: property %d is %v and its board has %v; the first is %v", seed, n, f, state[n].value, want)
			}
		}
		h.stop()
	}
}

func TestEchoes(t *testing.T) {
	v := func(f float64) series.Value { return series.Value{Kind: series.Float, Num: f} }
	var e echoes
	for n := range maxEchoes + 4 {
		e = e.told(v(float64(n)), noon)
	}
	if len(e) != maxEchoes || e[0].value.Num != 4 {
		t.Errorf("%d are remembered, from %v", len(e), e[0].value.Num)
	}
	e, ok := e.said(v(10), noon.Add(time.Second))
	if !ok || len(e) != maxEchoes-7 || e[0].value.Num != 11 {
		t.Errorf("10 confirms %v, and %d are left", ok, len(e))
	}
	if left, ok := e.said(v(12), noon.Add(echoTime+time.Second)); ok || len(left) != 0 {
		t.Error("a confirmation comes too late and counts")
	}
	if left, ok := e.said(v(5), noon); ok || len(left) != 0 {
		t.Error("what was not told is confirmed")
	}
	seen := map[State]bool{}
	for _, s := range States() {
		seen[s] = true
	}
	if len(seen) != 5 {
		t.Errorf("states %v", seen)
	}
}

// Whatever a client sends as a member is an ID or an error, and what is read of an answer is what was answered.
func FuzzMember(f *testing.F) {
	for _, text := range []string{`"3f2504e0-4f89-41d3-9a0c-0305e82c3301"`, `{"id":"x","name":1}`, `{}`, `[]`, `null`, ` "a"`, `{"id":5}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m inMember
		if json.Unmarshal(raw, &m) != nil {
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var again inMember
		if err := json.Unmarshal(text, &again); err != nil || again != m {
			t.Errorf("%s is %+v, and again %+v: %v", raw, m, again, err)
		}
	})
}
