package thing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestThingsAreKept(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		chosen := uuid.NewString()
		board := h.device(editor, "board")
		p := property("Soil moisture")
		p.Variable, p.Number, p.Min, p.Max, p.Parameter, p.Strategy, p.Persist = "", 0, -1.5, 99, 30, Timed, false
		made, err := h.Create(ctx, editor, Thing{ID: chosen, Name: "Kitchen", Timezone: "Europe/Rome", Device: board, Assistant: Google,
			Webhook: "https://example.org/hook", WebhookActive: true, Tags: []Tag{{"room", "kitchen"}, {"floor", "1"}, {"room", "cellar"}},
			Properties: []Property{p, property("b")}}, false)
		if !errors.Is(err, ErrNumberTaken) {
			t.Fatalf("two properties with number 1: %v", err)
		}
		second := property("b")
		second.Number = 0
		made, err = h.Create(ctx, editor, Thing{ID: chosen, Name: "Kitchen", Timezone: "Europe/Rome", Device: board, Assistant: Google,
			Webhook: "https://example.org/hook", WebhookActive: true, Tags: []Tag{{"room", "kitchen"}, {"floor", "1"}, {"room", "cellar"}},
			Properties: []Property{p, second}}, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Get(ctx, editor, chosen, false)
		if err != nil {
			t.Fatal(err)
		}
		if got.Owner != editor.ID || got.Name != "Kitchen" || got.Device != board || got.Webhook != "https://example.org/hook" || !got.WebhookActive ||
			got.Assistant != Google || !got.CreatedAt.Equal(noon) || !slices.Equal(got.Tags, []Tag{{"floor", "1"}, {"room", "cellar"}}) || got.Count != 2 {
			t.Errorf("got %+v", got)
		}
		q := got.Properties[0]
		if q.Name != "Soil moisture" || q.Variable != "Soil_moisture" || q.Number != 1 || q.Min != -1.5 || q.Max != 99 || q.Parameter != 30 ||
			q.Strategy != Timed || q.Persist || q.Type.Name != "FLOAT" || q.ID != made.Properties[0].ID {
			t.Errorf("got property %+v", q)
		}
		if r := got.Properties[1]; r.Min == r.Min || r.Number != 2 || !r.Persist {
			t.Errorf("got property %+v", r)
		}
		if _, err := h.Get(ctx, stranger, chosen, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("a stranger gets %v", err)
		}
		for name, c := range map[string]struct {
			who  access.Actor
			t    Thing
			want error
		}{
			"same name":              {editor, Thing{Name: "Kitchen"}, ErrNameTaken},
			"same name elsewhere":    {stranger, Thing{Name: "Kitchen"}, nil},
			"same ID":                {editor, Thing{ID: chosen, Name: "x"}, ErrIDTaken},
			"same ID elsewhere":      {stranger, Thing{ID: chosen, Name: "x"}, ErrIDTaken},
			"device of another":      {stranger, Thing{Name: "y", Device: board}, device.ErrNotFound},
			"device that is taken":   {editor, Thing{Name: "z", Device: board}, ErrDeviceTaken},
			"no device":              {editor, Thing{Name: "w", Device: uuid.NewString()}, device.ErrNotFound},
			"default time zone":      {editor, Thing{Name: "v"}, nil},
			"nobody's":               {access.Actor{Kind: access.User, ID: "x"}, Thing{Name: "u"}, access.ErrDenied},
			"a device makes a thing": {access.Actor{Kind: access.Device, ID: board, Space: space}, Thing{Name: "u"}, access.ErrDenied},
		} {
			got, err := h.Create(ctx, c.who, c.t, false)
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			if err == nil && got.Timezone != DefaultTimezone {
				t.Errorf("%s: time zone %s", name, got.Timezone)
			}
		}
	})
}

func TestUntitledThingsGetNames(t *testing.T) {
	h := liteHouse(t)
	for _, want := range []string{"Untitled", "Untitled 2", "Untitled 3"} {
		got, err := h.Create(t.Context(), editor, Thing{}, false)
		if err != nil || got.Name != want {
			t.Errorf("%q, %v, want %q", got.Name, err, want)
		}
	}
}

func TestListsAreFiltered(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT", "y": "INT"})
		h.pass(time.Second)
		b := h.thing(editor, "b", "", nil)
		h.pass(time.Second)
		c := h.thing(editor, "c", "", nil)
		h.thing(stranger, "d", "", nil)
		for _, tag := range []struct {
			id  string
			tag Tag
		}{{a.ID, Tag{"k", "1"}}, {b.ID, Tag{"k", "1"}}, {b.ID, Tag{"l", "2"}}, {c.ID, Tag{"k", "2"}}} {
			if err := h.SetTag(ctx, editor, tag.id, tag.tag); err != nil {
				t.Fatal(err)
			}
		}
		if err := h.Delete(ctx, editor, c.ID, false); err != nil {
			t.Fatal(err)
		}
		for name, f := range map[string]struct {
			filter Filter
			want   string
		}{
			"all":            {Filter{}, "a b"},
			"deleted too":    {Filter{Deleted: true}, "a b c"},
			"by ID":          {Filter{IDs: []string{b.ID, c.ID, "x"}}, "b"},
			"by no ID":       {Filter{IDs: []string{}}, ""},
			"by device":      {Filter{Devices: []string{board}}, "a"},
			"by tag":         {Filter{Tags: []Tag{{"k", "1"}}}, "a b"},
			"by two tags":    {Filter{Tags: []Tag{{"k", "1"}, {"l", "2"}}}, "b"},
			"by the same":    {Filter{Tags: []Tag{{"k", "1"}, {"k", "1"}}}, "a b"},
			"by another tag": {Filter{Tags: []Tag{{"k", "3"}}}, ""},
			"everything":     {Filter{IDs: []string{a.ID, b.ID}, Devices: []string{board}, Tags: []Tag{{"k", "1"}}, Deleted: true}, "a"},
		} {
			all, err := h.List(ctx, editor, f.filter)
			var names []string
			for _, t := range all {
				names = append(names, t.Name)
			}
			if got := strings.Join(names, " "); err != nil || got != f.want {
				t.Errorf("%s: %q, %v, want %q", name, got, err, f.want)
			}
		}
		all, err := h.List(ctx, editor, Filter{IDs: []string{a.ID}})
		if err != nil || all[0].Count != 2 || all[0].Properties != nil {
			t.Errorf("without properties: %+v, %v", all, err)
		}
		all, err = h.List(ctx, editor, Filter{IDs: []string{a.ID}, Properties: true})
		if err != nil || all[0].Count != 2 || len(all[0].Properties) != 2 {
			t.Errorf("with properties: %+v, %v", all, err)
		}
	})
}

func TestDevicesMove(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		moves := h.Attachments.Subscribe(16)
		defer moves.Close()
		next := func() Attachment {
			select {
			case a := <-moves.C():
				return a
			default:
				return Attachment{}
			}
		}
		one, two := h.device(editor, "one"), h.device(editor, "two")
		a, b := h.thing(editor, "a", one, nil), h.thing(editor, "b", "", nil)
		if got, want := next(), (Attachment{space, one, a.ID, ""}); got != want {
			t.Errorf("created: %+v, want %+v", got, want)
		}
		attach := func(thing, device string, steal bool) error {
			_, err := h.Update(ctx, editor, thing, steal, func(t *Thing) error { t.Device = device; return nil })
			return err
		}
		if err := attach(b.ID, one, false); !errors.Is(err, ErrDeviceTaken) {
			t.Errorf("taking without force: %v", err)
		}
		if got, _ := h.Attached(one); got != a.ID {
			t.Errorf("device one is attached to %q, want %q", got, a.ID)
		}
		if err := attach(b.ID, one, true); err != nil {
			t.Fatal(err)
		}
		if got, want := next(), (Attachment{space, one, b.ID, a.ID}); got != want {
			t.Errorf("taken: %+v, want %+v", got, want)
		}
		if got, _ := h.Attached(one); got != b.ID {
			t.Errorf("device one is attached to %q, want %q", got, b.ID)
		}
		if got, err := h.Get(ctx, editor, a.ID, false); err != nil || got.Device != "" {
			t.Errorf("thing a has device %q, %v", got.Device, err)
		}
		if err := attach(b.ID, two, false); err != nil {
			t.Fatal(err)
		}
		if got, want := next(), (Attachment{space, one, "", b.ID}); got != want {
			t.Errorf("left: %+v, want %+v", got, want)
		}
		if got, want := next(), (Attachment{space, two, b.ID, ""}); got != want {
			t.Errorf("came: %+v, want %+v", got, want)
		}
		if err := attach(b.ID, h.device(stranger, "theirs"), true); !errors.Is(err, device.ErrNotFound) {
			t.Errorf("another's device: %v", err)
		}
		// A device that is deleted leaves its thing.
		if err := h.devices.Delete(ctx, editor, space, two, false); err != nil {
			t.Fatal(err)
		}
		if got, want := next(), (Attachment{space, two, "", b.ID}); got != want {
			t.Errorf("deleted: %+v, want %+v", got, want)
		}
		if got, err := h.Get(ctx, editor, b.ID, false); err != nil || got.Device != "" {
			t.Errorf("thing b has device %q, %v", got.Device, err)
		}
		if _, ok := h.Attached(two); ok {
			t.Error("a deleted device is still attached")
		}
		if got := next(); got != (Attachment{}) {
			t.Errorf("and %+v", got)
		}
	})
}

func TestDeletedThingsComeBack(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT"})
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 1.5})
		if err := h.Delete(ctx, editor, a.ID, false); err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(ctx, editor, a.ID, false); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		if _, err := h.Get(ctx, editor, a.ID, false); !errors.Is(err, ErrNotFound) {
			t.Errorf("found after delete: %v", err)
		}
		if got, err := h.Get(ctx, editor, a.ID, true); err != nil || got.Device != "" || !got.Deleted() || len(got.Living()) != 1 {
			t.Errorf("deleted: %+v, %v", got, err)
		}
		if _, ok := h.Attached(board); ok {
			t.Error("the device is not free")
		}
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 2.5})
		// Its name is free, and it does not come back while another has it.
		other := h.thing(editor, "a", board, nil)
		back := func(t *Thing) error { t.DeletedAt = noTime; return nil }
		if _, err := h.Update(ctx, editor, a.ID, false, back); !errors.Is(err, ErrNameTaken) {
			t.Errorf("restored beside its namesake: %v", err)
		}
		if err := h.Delete(ctx, editor, other.ID, true); err != nil {
			t.Fatal(err)
		}
		got, err := h.Update(ctx, editor, a.ID, false, back)
		if err != nil || got.Deleted() || got.Device != "" {
			t.Errorf("restored: %+v, %v", got, err)
		}
		if got := h.value(a, "x"); got != "1.5" {
			t.Errorf("its value is %s, want 1.5", got)
		}
	})
}

func TestErasedValuesAreGone(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT", "y": "INT"})
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 1.5}, senml.Record{Name: "y", Kind: senml.Int, Int: 7})
		if err := h.DeleteProperty(ctx, editor, a.ID, id(a, "x"), true); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.history.Last(id(a, "x")); ok {
			t.Error("the value of an erased property is still there")
		}
		if err := h.DeleteProperty(ctx, editor, a.ID, id(a, "x"), true); !errors.Is(err, ErrPropertyNotFound) {
			t.Errorf("erased twice: %v", err)
		}
		if got := h.value(a, "y"); got != "7" {
			t.Errorf("the other value is %s", got)
		}
		// A crash after the rows went: the next start finishes.
		if _, _, err := h.needs.Store.erase(ctx, space, a.ID, "", h.entry(editor, "thing:erase", a.ID, nil)); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.history.Last(id(a, "y")); !ok {
			t.Fatal("the value went before its time")
		}
		if again := h.finishErasing(ctx); again != 24*time.Hour {
			t.Errorf("look again in %v", again)
		}
		if _, ok := h.history.Last(id(a, "y")); ok {
			t.Error("the value of an erased thing is still there")
		}
		if _, err := h.Get(ctx, editor, a.ID, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("found after erase: %v", err)
		}
		if err := h.Delete(ctx, editor, a.ID, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("erased twice: %v", err)
		}
	})
}

func TestSpacesAreErased(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT"})
		gone := h.thing(editor, "gone", "", nil)
		kept := h.thing(stranger, "kept", "", map[string]string{"x": "FLOAT"})
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 1})
		if err := h.Report(ctx, stranger, kept.ID, []Write{{Name: "x", JSON: []byte("2")}}); err != nil {
			t.Fatal(err)
		}
		if err := h.SetTag(ctx, editor, a.ID, Tag{"k", "v"}); err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(ctx, editor, gone.ID, false); err != nil {
			t.Fatal(err)
		}
		// The key may be gone before: nothing of the space is opened.
		if err := h.ring.Erase(ctx, keys.KindSpace, space); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := h.EraseSpace(ctx, access.Actor{Kind: access.System}, space); err != nil {
				t.Fatal(err)
			}
		}
		if _, ok := h.history.Last(id(a, "x")); ok {
			t.Error("a value is still there")
		}
		if _, ok := h.Attached(board); ok {
			t.Error("the device still has a thing")
		}
		if got, ok := h.history.Last(id(kept, "x")); !ok || got.Value.Num != 2 {
			t.Errorf("another space's value is %+v", got)
		}
		if all, err := h.List(ctx, stranger, Filter{}); err != nil || len(all) != 1 {
			t.Errorf("another space has %d things, %v", len(all), err)
		}
		for in, want := range map[string]int{space: 0, stranger.Space: 1} {
			if n, err := h.Count(ctx, in); n != want || err != nil {
				t.Errorf("%d things are counted in %s, %v, want %d", n, in, err, want)
			}
		}
		// A device that leaves later has no thing that could be opened.
		if err := h.ForDevices().Detach(ctx, access.Actor{Kind: access.System}, space, board); err != nil {
			t.Errorf("Detach in an erased space = %v", err)
		}
	})
}

func TestClones(t *testing.T) {
	h := liteHouse(t)
	ctx := t.Context()
	a := h.thing(editor, "a", h.device(editor, "board"), map[string]string{"x": "FLOAT", "gone": "INT"})
	if err := h.SetTag(ctx, editor, a.ID, Tag{"k", "v"}); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteProperty(ctx, editor, a.ID, id(a, "gone"), false); err != nil {
		t.Fatal(err)
	}
	for _, tags := range []bool{true, false} {
		b, err := h.Clone(ctx, editor, a.ID, fmt.Sprintf("with tags %v", tags), tags)
		if err != nil {
			t.Fatal(err)
		}
		if b.Timezone != "Europe/Rome" || b.Device != "" || len(b.Tags) == 1 != tags || len(b.Properties) != 1 ||
			b.Properties[0].Name != "x" || b.Properties[0].ID == id(a, "x") || b.Properties[0].Thing != b.ID {
			t.Errorf("clone %+v", b)
		}
	}
	if _, err := h.Clone(ctx, editor, a.ID, "a", false); !errors.Is(err, ErrNameTaken) {
		t.Errorf("clone with the same name: %v", err)
	}
	if _, err := h.Clone(ctx, stranger, a.ID, "b", false); !errors.Is(err, ErrNotFound) {
		t.Errorf("a stranger's clone: %v", err)
	}
}

func TestSketches(t *testing.T) {
	h := liteHouse(t)
	ctx := t.Context()
	a := h.thing(editor, "a", "", nil)
	made, err := h.SetSketch(ctx, editor, a.ID, "", "")
	if err != nil || made.Sketch == "" || made.SketchVersion != defaultSketch {
		t.Fatalf("made %+v, %v", made, err)
	}
	again, err := h.SetSketch(ctx, editor, a.ID, made.Sketch, "v1")
	if err != nil || again.Sketch != made.Sketch || again.SketchVersion != "v1" {
		t.Errorf("made anew %+v, %v", again, err)
	}
	if _, err := h.SetSketch(ctx, editor, a.ID, uuid.NewString(), ""); !errors.Is(err, ErrNoSketch) {
		t.Errorf("another sketch: %v", err)
	}
	if _, err := h.SetSketch(ctx, editor, a.ID, "", "v3"); !errors.Is(err, ErrSketch) {
		t.Errorf("another version: %v", err)
	}
	gone, err := h.DropSketch(ctx, editor, a.ID)
	if err != nil || gone.Sketch != "" || gone.SketchVersion != "" {
		t.Errorf("dropped %+v, %v", gone, err)
	}
}

func TestPropertiesChange(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT"})
		p := property("y")
		p.Number = 0
		_, y, err := h.AddProperty(ctx, editor, a.ID, p)
		if err != nil || y.Number != 2 || y.Thing != a.ID || y.ID == "p-y" {
			t.Fatalf("added %+v, %v", y, err)
		}
		if _, _, err := h.AddProperty(ctx, editor, a.ID, p); !errors.Is(err, ErrPropertyNameTaken) {
			t.Errorf("added twice: %v", err)
		}
		h.pass(time.Minute)
		_, got, err := h.UpdateProperty(ctx, editor, a.ID, y.ID, func(p *Property) error {
			p.Name, p.Type, p.Permission = "z", TypeOf("INT"), ReadOnly
			return nil
		})
		if err != nil || got.Name != "z" || got.Variable != "y" || got.Type.Name != "INT" || !got.UpdatedAt.Equal(noon.Add(time.Minute)) || !got.CreatedAt.Equal(noon) {
			t.Errorf("changed %+v, %v", got, err)
		}
		if err := h.DeleteProperty(ctx, editor, a.ID, y.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.UpdateProperty(ctx, editor, a.ID, y.ID, func(*Property) error { return nil }); !errors.Is(err, ErrPropertyNotFound) {
			t.Errorf("changed after delete: %v", err)
		}
		if _, again, err := h.AddProperty(ctx, editor, a.ID, p); err != nil || again.Number != 3 || again.Variable != "y" {
			t.Errorf("added after delete: %+v, %v", again, err)
		}
		now, err := h.Get(ctx, editor, a.ID, false)
		if err != nil || len(now.Properties) != 3 || now.Count != 2 {
			t.Errorf("thing %+v, %v", now, err)
		}
		// Two cannot exchange their names in one request, and nothing happens then.
		_, err = h.Update(ctx, editor, a.ID, false, func(t *Thing) error {
			x, y := t.named("x"), t.named("y")
			x.Name, y.Name, x.UpdatedAt, y.UpdatedAt = "y", "x", h.now, h.now
			return nil
		})
		if !errors.Is(err, ErrPropertyNameTaken) {
			t.Errorf("exchange: %v", err)
		}
	})
}

func TestEveryChangeIsInTheJournal(t *testing.T) {
	h := liteHouse(t)
	ctx := t.Context()
	board := h.device(editor, "board")
	a := h.thing(editor, "CANARYNAME", board, map[string]string{"CANARYPROPERTY": "FLOAT"})
	if err := h.SetTag(ctx, editor, a.ID, Tag{"CANARYKEY", "CANARYVALUE"}); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteProperty(ctx, editor, a.ID, a.Properties[0].ID, true); err != nil {
		t.Fatal(err)
	}
	if err := h.Delete(ctx, editor, a.ID, false); err != nil {
		t.Fatal(err)
	}
	back := func(t *Thing) error { t.DeletedAt = noTime; return nil }
	if _, err := h.Update(ctx, editor, a.ID, false, back); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Update(ctx, editor, a.ID, false, back); err != nil {
		t.Fatal(err)
	}
	if err := h.Delete(ctx, editor, a.ID, true); err != nil {
		t.Fatal(err)
	}
	got := h.journal("thing")
	want := []string{"thing:create", "thing:tag", "property:erase", "thing:delete", "thing:restore", "thing:update", "thing:erase"}
	var actions []string
	for _, e := range got {
		actions = append(actions, e.Action)
		if e.ID != a.ID || e.Space != space || e.Actor != editor.String() || strings.Contains(fmt.Sprint(e.Detail), "CANARY") {
			t.Errorf("entry %+v", e)
		}
	}
	if !slices.Equal(actions, want) {
		t.Errorf("journal %v, want %v", actions, want)
	}
}

func TestPropertiesWithoutHistory(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT", "co": "COLOR_HSB"})
		persist := func(on bool) {
			t.Helper()
			for _, name := range []string{"x", "co"} {
				if _, _, err := h.UpdateProperty(ctx, editor, a.ID, id(a, name), func(p *Property) error { p.Persist = on; return nil }); err != nil {
					t.Fatal(err)
				}
			}
		}
		report := func(x float64, hue int64) {
			t.Helper()
			h.pass(time.Second)
			h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: x}, senml.Record{Name: "co:hue", Kind: senml.Int, Int: hue})
		}
		count := func() int {
			t.Helper()
			var out wireBatch[wireRaw]
			h.want(200, "editor", "POST", "/iot/v2/series/batch_query_raw", map[string]any{"resp_version": 1,
				"requests": []any{map[string]string{"q": "property." + id(a, "x")}}}, &out)
			return out.Responses[0].CountValues
		}
		report(1, 1)
		persist(false)
		if x, co := h.value(a, "x"), h.value(a, "co"); x != "1" || co != `{"bri":0,"hue":1,"sat":0}` {
			t.Errorf("after history ended: %s, %s", x, co)
		}
		report(2, 2)
		report(3, 3)
		if x, co := h.value(a, "x"), h.value(a, "co"); x != "3" || co != `{"bri":0,"hue":3,"sat":0}` || count() != 1 {
			t.Errorf("without history: %s, %s, %d values", x, co, count())
		}
		// A late value does not hide a newer one.
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 9, At: seconds(h.clock().Add(-time.Hour))})
		if x := h.value(a, "x"); x != "3" {
			t.Errorf("after a late value: %s", x)
		}
		persist(true)
		if x := h.value(a, "x"); x != "3" || count() != 2 {
			t.Errorf("after history began: %s, %d values", x, count())
		}
		report(4, 4)
		if x := h.value(a, "x"); x != "4" || count() != 3 {
			t.Errorf("with history: %s, %d values", x, count())
		}
	})
}

func TestTimezoneReachesTheDevice(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	a := h.thing(editor, "a", board, nil)
	if _, err := h.Update(t.Context(), editor, a.ID, false, func(t *Thing) error { t.Timezone = "Asia/Kathmandu"; return nil }); err != nil {
		t.Fatal(err)
	}
	sent := h.messages(topic.ThingIn, a.ID)
	if len(sent) != 1 {
		t.Fatalf("%d messages", len(sent))
	}
	records, err := senml.Decode(sent[0].payload)
	if err != nil || len(records) != 2 || records[0].Name != "tz_offset" || records[0].Int != 20700 || records[1].Name != "tz_dst_until" || records[1].Int <= noon.Unix() {
		t.Errorf("records %+v, %v", records, err)
	}
}

// Of an erased thing no table has a row, in either database, whether its values were in
// chunks or still in the log.
func TestErasedThingLeavesNoRows(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT", "word": "CHARSTRING"})
		if err := h.SetTag(ctx, editor, a.ID, Tag{"k", "v"}); err != nil {
			t.Fatal(err)
		}
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 1.5}, senml.Record{Name: "word", Kind: senml.Text, Text: "one"})
		if err := h.history.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		h.publish(board, a.ID, senml.Record{Name: "x", Kind: senml.Float, Num: 2.5})
		left := func(d *db.DB, tables ...string) (n int) {
			t.Helper()
			err := d.Read(ctx, func(tx *db.Tx) error {
				n = 0
				for _, table := range tables {
					var rows int
					if err := tx.QueryRow(ctx, `select count(*) from `+table).Scan(&rows); err != nil {
						return err
					}
					n += rows
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		history := []string{"series", "series_last", "series_chunk", "series_log"}
		core := []string{"thing", "thing_tag", "thing_property", "thing_erase"}
		if n, m := left(h.past, history...), left(h.core, core...); n < 7 || m < 4 {
			t.Fatalf("there are %d and %d rows before, so this test cannot see them go", n, m)
		}
		if err := h.Delete(ctx, editor, a.ID, true); err != nil {
			t.Fatal(err)
		}
		if n, m := left(h.past, history...), left(h.core, core...); n != 0 || m != 0 {
			t.Errorf("%d rows are left in the history and %d in core", n, m)
		}
	})
}
