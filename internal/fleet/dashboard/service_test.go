package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestLifeOfADashboard(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT", "on": "STATUS"})
		page := Page{ID: uuid.NewString(), Name: "Second", Icon: "leaf", Position: 2}
		w := widget("Chart", id(a, "x"))
		w.Page, w.Options = page.ID, []byte(`{"range":"1D","mine":{"deep":[1,2.50]}}`)
		five := int64(5)
		w.Mobile.X = &five
		made, err := h.Create(ctx, editor, Dashboard{Name: "GH Dash", Cover: "https://example.org/x.png", Pages: []Page{page}, Widgets: []Widget{w, widget("Switch", id(a, "on"))}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Get(ctx, viewer, made.ID)
		if err != nil || !reflect.DeepEqual(got, made) {
			t.Errorf("Get = %+v, %v, want %+v", got, err, made)
		}
		h.pass(time.Second)
		if got, err = h.Update(ctx, editor, made.ID, func(d *Dashboard) error { d.Name, d.Widgets = "Other", d.Widgets[:1]; return nil }); err != nil || got.Name != "Other" || !got.UpdatedAt.After(made.UpdatedAt) {
			t.Errorf("Update = %+v, %v", got, err)
		}
		if got, err = h.Link(ctx, editor, made.ID, w.ID, nil); err != nil || len(got.Widgets[0].Variables) != 0 {
			t.Errorf("Link = %+v, %v", got, err)
		}
		if _, err := h.Link(ctx, editor, made.ID, absent, nil); !errors.Is(err, ErrNoWidget) {
			t.Errorf("Link of no widget = %v", err)
		}
		if err := h.Delete(ctx, editor, made.ID, false); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{"deleted again": h.Delete(ctx, editor, made.ID, false), "read": second(h.Get(ctx, editor, made.ID)),
			"linked": second(h.Link(ctx, editor, made.ID, w.ID, nil))} {
			if !errors.Is(err, ErrNotFound) {
				t.Errorf("a deleted dashboard, %s: %v", what, err)
			}
		}
		if all, err := h.List(ctx, editor, Filter{}); err != nil || len(all) != 0 {
			t.Errorf("List = %v, %v", all, err)
		}
		if _, err := h.Update(ctx, editor, made.ID, func(d *Dashboard) error { d.DeletedAt = noTime; return nil }); err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(ctx, editor, made.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := h.Delete(ctx, editor, made.ID, true); !errors.Is(err, ErrNotFound) {
			t.Errorf("erased again: %v", err)
		}
		want := []string{"dashboard:create", "dashboard:update", "dashboard:update", "dashboard:delete", "dashboard:restore", "dashboard:erase"}
		if got := h.actions(made.ID); !slices.Equal(got, want) {
			t.Errorf("journal %v, want %v", got, want)
		}
		if n := h.rows(); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

func second[A any](_ A, err error) error { return err }

// What a dashboard may not be is refused before anything is kept.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT", "y": "FLOAT"})
	foreign := h.thing(guest, "f", "", map[string]string{"x": "FLOAT"})
	with := func(change func(w *Widget)) Dashboard {
		w := widget("Value", id(a, "x"))
		change(&w)
		return Dashboard{Name: "n", Widgets: []Widget{w}}
	}
	options := func(kind, text string) Dashboard {
		return with(func(w *Widget) { w.Type, w.Variables, w.Options = kind, nil, []byte(text) })
	}
	deep := strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1)
	twin := widget("Value")
	for name, c := range map[string]struct {
		d    Dashboard
		want error
	}{
		"name without a letter":    {Dashboard{Name: "!!"}, ErrName},
		"long name":                {Dashboard{Name: strings.Repeat("n", 65)}, ErrName},
		"long name that fits":      {Dashboard{Name: strings.Repeat("ü", 63) + "n"}, nil},
		"control character":        {Dashboard{Name: "a\x01"}, ErrName},
		"long cover":               {Dashboard{Name: "n", Cover: strings.Repeat("c", 1025)}, ErrCover},
		"two pages with one ID":    {Dashboard{Name: "n", Pages: []Page{{ID: absent, Name: "a"}, {ID: absent, Name: "b"}}}, ErrPage},
		"page without ID":          {Dashboard{Name: "n", Pages: []Page{{ID: "0", Name: "a"}}}, ErrPage},
		"too many pages":           {Dashboard{Name: "n", Pages: make([]Page, 31)}, ErrPage},
		"two widgets with one ID":  {Dashboard{Name: "n", Widgets: []Widget{twin, twin}}, ErrWidget},
		"too many widgets":         {Dashboard{Name: "n", Widgets: make([]Widget, 301)}, ErrTooLarge},
		"no ID":                    {with(func(w *Widget) { w.ID = "x" }), ErrWidget},
		"no type":                  {with(func(w *Widget) { w.Type = "" }), ErrWidget},
		"negative place":           {with(func(w *Widget) { w.Place.X = -1 }), ErrWidget},
		"far away on a phone":      {with(func(w *Widget) { far := int64(10_001); w.Mobile.Y = &far }), ErrWidget},
		"page that is not there":   {with(func(w *Widget) { w.Page = absent }), ErrWidget},
		"unknown property":         {with(func(w *Widget) { w.Variables = []string{absent} }), ErrVariable},
		"property of others":       {with(func(w *Widget) { w.Variables = []string{id(foreign, "x")} }), ErrVariable},
		"the same property twice":  {with(func(w *Widget) { w.Type = "Image Map"; w.Variables = []string{id(a, "x"), id(a, "x")} }), ErrVariable},
		"two for one":              {with(func(w *Widget) { w.Variables = []string{id(a, "x"), id(a, "y")} }), ErrVariables},
		"two for a type of others": {with(func(w *Widget) { w.Type = "Speedometer"; w.Variables = []string{id(a, "x"), id(a, "y")} }), nil},
		"one on a note":            {with(func(w *Widget) { w.Type = "Sticky Note" }), ErrVariables},
		"options that are a list":  {options("Value", `[]`), ErrOptions},
		"options that are null":    {options("Value", `null`), ErrOptions},
		"options that end early":   {options("Value", `{"a":`), ErrOptions},
		"two objects":              {options("Value", `{}{}`), ErrOptions},
		"large options":            {options("Value", `{"a":"`+strings.Repeat("x", maxOptions)+`"}`), ErrOptions},
		"deep options":             {options("Value", deep), ErrOptions},
		"deep in a text":           {options("Value", `{"a":"`+strings.Repeat("{", 100)+`\""}`), nil},
		"labels that are a number": {options("Switch", `{"showLabels":1}`), ErrOptions},
		"labels":                   {options("Switch", `{"showLabels":true,"somebody's own":[1]}`), nil},
		"labels that are null":     {options("Switch", `{"showLabels":null}`), nil},
		"a range":                  {options("Slider", `{"min":-5,"max":"10","step":0.5}`), nil},
		"a range upside down":      {options("Slider", `{"min":5,"max":-10}`), ErrOptions},
		"no step":                  {options("Stepper", `{"step":0}`), ErrOptions},
		"range of words":           {options("Gauge", `{"min":"low"}`), ErrOptions},
		"infinite range":           {options("Gauge", `{"max":"inf"}`), ErrOptions},
		"a list of values":         {options("Value Selector", `{"values":[{"label":"a","value":1},{"value":"x"}]}`), nil},
		"a list of what is none":   {options("Value Dropdown", `{"values":[{"label":1}]}`), ErrOptions},
		"picture":                  {options("Image", `{"url":"http://192.168.1.5/cam.jpg","refresh":5,"fit":"fill","background":true}`), nil},
		"picture of script":        {options("Image", `{"url":"javascript:alert(1)"}`), ErrOptions},
		"picture never anew":       {options("Image", `{"refresh":0}`), ErrOptions},
		"picture elsewhere":        {options("Image", `{"fit":"stretch"}`), ErrOptions},
		"markers that are none":    {options("Image Map", `{"markersSettings":[1]}`), ErrOptions},
		"axes that are a list":     {options("Advanced Chart", `{"axes":[]}`), ErrOptions},
		"anything goes elsewhere":  {options("Speedometer", `{"min":"low","showLabels":7}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			before := h.rows()
			_, err := h.Create(t.Context(), editor, c.d)
			if !errors.Is(err, c.want) {
				t.Errorf("Create = %v, want %v", err, c.want)
			}
			if c.want != nil && h.rows() != before {
				t.Error("something was kept")
			}
		})
	}
}

// Options come back byte for byte.
func TestOptionsAreKeptAsGiven(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	const text = `{"z": 1.50, "a":{"é":"ü", "n":12345678901234567890},"z2":[ ]}`
	w := widget("Speedometer")
	w.Options = []byte(text)
	d := h.board("d", w)
	got, err := h.Get(t.Context(), editor, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	var have, want bytes.Buffer // a document in a document loses its blanks, and nothing else
	if err := errors.Join(json.Compact(&have, got.Widgets[0].Options), json.Compact(&want, []byte(text))); err != nil || have.String() != want.String() {
		t.Errorf("options %s, want %s (%v)", have.String(), want.String(), err)
	}
}

// What is as large as it may be stays so, whatever it is made of.
func TestLargestOptionsCanBeChangedAgain(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	w := widget("Sticky Note")
	w.Options = []byte(`{"text":"` + strings.Repeat("<&>", (maxOptions-11)/3) + `"}`)
	d := h.board("d", w)
	for range 2 {
		got, err := h.Update(t.Context(), editor, d.ID, func(d *Dashboard) error { d.Name += "x"; return nil })
		if err != nil || !bytes.Equal(got.Widgets[0].Options, w.Options) {
			t.Fatalf("a large dashboard cannot be renamed: %v", err)
		}
	}
	if _, err := h.Clone(t.Context(), editor, d.ID, nil); err != nil {
		t.Errorf("a large dashboard cannot be copied: %v", err)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	ctx := t.Context()
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT"})
	b := h.thing(editor, "b", "", map[string]string{"x": "FLOAT"})
	for i, name := range []string{"Zebra", "apple", "Mango tree"} {
		of := []string{id(a, "x"), id(b, "x"), id(a, "x")}[i]
		h.board(name, widget("Value", of))
		h.pass(time.Second)
	}
	for name, c := range map[string]struct {
		f    Filter
		want string
	}{
		"all":            {Filter{}, "Zebra apple Mango tree"},
		"by name":        {Filter{Sort: "name"}, "apple Mango tree Zebra"},
		"backwards":      {Filter{Sort: "name", Desc: true}, "Zebra Mango tree apple"},
		"newest first":   {Filter{Desc: true}, "Mango tree apple Zebra"},
		"part of a name": {Filter{Name: "AN"}, "Mango tree"},
		"of a thing":     {Filter{Thing: a.ID}, "Zebra Mango tree"},
		"of no thing":    {Filter{Thing: absent}, ""},
		"of a person":    {Filter{Owner: editor.ID}, "Zebra apple Mango tree"},
		"of another":     {Filter{Owner: viewer.ID}, ""},
	} {
		all, err := h.List(ctx, viewer, c.f)
		var got []string
		for _, d := range all {
			got = append(got, d.Name)
		}
		if strings.Join(got, " ") != c.want || err != nil {
			t.Errorf("%s: %v, %v, want %s", name, got, err, c.want)
		}
	}
	if all, err := h.List(ctx, guest, Filter{}); err != nil || len(all) != 0 {
		t.Errorf("a stranger lists %v, %v", all, err)
	}
}

// What changes below a dashboard marks its widgets, and breaks none.
func TestHealth(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	ctx := t.Context()
	gone := h.thing(editor, "gone", "", map[string]string{"x": "FLOAT"})
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT", "text": "CHARSTRING", "sensor!": "FLOAT", "on": "STATUS"})
	widgets := []Widget{widget("Gauge", id(gone, "x")), widget("Gauge", id(a, "text")), widget("Slider", id(a, "sensor")), widget("Switch"),
		widget("Switch", id(a, "on")), widget("Sticky Note"), widget("Speedometer", id(a, "text")), widget("Speedometer", id(gone, "x"))}
	d := h.board("d", widgets...)
	h.want(200, "editor", "PUT", "/iot/v2/things/"+a.ID+"/properties/"+id(a, "on")+"/publish", map[string]any{"value": true}, nil)
	marks := func(i int) (all []string) {
		t.Helper()
		found, err := h.Health(ctx, viewer, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Widget == widgets[i].ID {
				all = append(all, string(f.Mark))
			}
		}
		return all
	}
	flags := func(i int) string {
		t.Helper()
		var got wireDashboard
		h.want(200, "viewer", "GET", board3("/%s", d.ID), nil, &got)
		w := got.Widgets[i]
		return fmt.Sprint(w.Unlinked, w.WrongType, w.ReadOnly, len(w.Variables))
	}
	check := func(when string, i int, wantMarks, wantFlags string) {
		t.Helper()
		if got := strings.Join(marks(i), " "); got != wantMarks {
			t.Errorf("%s: widget %d has the marks %q, want %q", when, i, got, wantMarks)
		}
		if got := flags(i); got != wantFlags {
			t.Errorf("%s: widget %d has the flags %s, want %s", when, i, got, wantFlags)
		}
	}
	check("made", 0, "no-device no-value", "false false false 1")
	check("made", 1, "type no-device no-value", "false true false 1")
	check("made", 2, "permission no-device no-value", "false false true 1")
	check("made", 3, "unlinked", "false false false 0")
	check("made", 4, "no-device", "false false false 1")
	check("made", 5, "", "false false false 0")
	check("made", 6, "no-device no-value", "false false false 1")
	if err := h.things.Delete(ctx, editor, gone.ID, false); err != nil {
		t.Fatal(err)
	}
	check("hidden", 0, "missing", "true false false 0")
	// Whoever saves it now keeps what is gone, and adds nothing that is.
	if _, err := h.Update(ctx, editor, d.ID, func(d *Dashboard) error { d.Name = "renamed"; return nil }); err != nil {
		t.Errorf("a dashboard that shows what is gone cannot be renamed: %v", err)
	}
	if _, err := h.Link(ctx, editor, d.ID, widgets[3].ID, []string{id(gone, "x")}); err != nil {
		t.Errorf("shown already: %v", err)
	}
	h.want(200, "editor", "POST", "/iot/v2/things/"+gone.ID, map[string]any{}, nil)
	check("restored", 0, "no-device no-value", "false false false 1")
	if err := h.things.Delete(ctx, editor, gone.ID, true); err != nil {
		t.Fatal(err)
	}
	check("erased", 0, "missing", "true false false 0")
	check("erased", 7, "missing", "true false false 0")
}

// The space has no more dashboards than it may have.
func TestQuota(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		h.set(func() { h.most = 2 })
		one := h.board("one")
		h.board("two")
		_, err := h.Create(t.Context(), editor, Dashboard{Name: "three"})
		if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), "2 of at most 2") {
			t.Errorf("Create = %v", err)
		}
		if err := h.Delete(t.Context(), editor, one.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Create(t.Context(), editor, Dashboard{Name: "three"}); !errors.Is(err, ErrFull) {
			t.Errorf("a hidden one takes no room: %v", err)
		}
		if err := h.Delete(t.Context(), editor, one.ID, true); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Count(t.Context(), space); n != 1 || err != nil {
			t.Errorf("Count = %d, %v", n, err)
		}
		h.board("three")
	})
}

// Nothing of what people wrote can be read in our tables, and a row opens only where it was written.
func TestTablesShowNothing(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		w := widget("Sticky Note")
		w.Name, w.Options = "CANARY widget", []byte(`{"text":"CANARY text"}`)
		d, err := h.Create(ctx, editor, Dashboard{Name: "CANARY name", Cover: "https://CANARY.example.org", Pages: []Page{{ID: absent, Name: "CANARY page"}}, Widgets: []Widget{w}})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Ask(ctx, another, d.ID, "CANARY please"); err != nil {
			t.Fatal(err)
		}
		if err := h.Share(ctx, editor, d.ID, []Guest{{Name: "gino"}}, "read"); err != nil {
			t.Fatal(err)
		}
		if _, token, err := h.Publish(ctx, editor, d.ID, 1); err != nil || token == "" {
			t.Fatal(err)
		} else {
			h.mustNotFind(t, []byte("CANARY"), []byte(token))
		}
		other := h.board("other")
		err = h.core.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, `update dashboard set sealed = (select sealed from dashboard where id = $1) where id = $2`, d.ID, other.ID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Get(ctx, editor, other.ID); !errors.Is(err, keys.ErrSeal) {
			t.Errorf("a dashboard with the content of another: %v", err)
		}
	})
}

func (h *house) mustNotFind(t *testing.T, words ...[]byte) {
	t.Helper()
	rows := 0
	err := h.core.Read(t.Context(), func(tx *db.Tx) error {
		for table, columns := range map[string]string{
			"dashboard": "id, space, owner, sealed", "dashboard_variable": "dashboard, property", "dashboard_share": "account, may, made_by",
			"dashboard_request": "account, message", "dashboard_link": "token, made_by", "journal": "action, id, detail",
		} {
			found, err := tx.Query(t.Context(), `select `+columns+` from `+table)
			if err != nil {
				return err
			}
			defer found.Close()
			for found.Next() {
				rows++
				cells := make([]any, strings.Count(columns, ",")+1)
				for i := range cells {
					cells[i] = new(any)
				}
				if err := found.Scan(cells...); err != nil {
					return err
				}
				for _, c := range cells {
					cell := *c.(*any)
					b, ok := cell.([]byte)
					if !ok {
						b = fmt.Append(nil, cell)
					}
					for _, word := range words {
						if bytes.Contains(b, word) {
							t.Errorf("%s shows %q", table, b)
						}
					}
				}
			}
			if err := found.Err(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || rows < 5 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// A space goes with all that its dashboards have, without its key; a person with what others shared.
func TestErasure(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT"})
		d := h.board("d", widget("Value", id(a, "x")))
		theirs, err := h.Create(ctx, guest, Dashboard{Name: "theirs"})
		if err != nil {
			t.Fatal(err)
		}
		settle := func() {
			t.Helper()
			if err := errors.Join(h.Share(ctx, editor, d.ID, []Guest{{User: guest.ID}}, "write"), h.Ask(ctx, another, d.ID, "please")); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if _, _, err := h.Publish(ctx, editor, d.ID, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := h.AddImage(ctx, editor, d.ID, onePixel(t)); err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{guest.ID, another.ID} {
			if err := errors.Join(h.Forget(ctx, user), h.Forget(ctx, user)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Get(ctx, guest, d.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a forgotten guest sees it: %v", err)
		}
		if all, err := h.Requests(ctx, editor, d.ID); err != nil || len(all) != 0 {
			t.Errorf("requests of who was forgotten: %v, %v", all, err)
		}
		settle()
		if err := h.ring.Erase(ctx, keys.KindSpace, space); err != nil {
			t.Fatal(err)
		}
		system := access.Actor{Kind: access.System}
		for range 2 {
			if err := h.EraseSpace(ctx, system, space); err != nil {
				t.Fatal(err)
			}
		}
		if n := h.rows(); n != 1 {
			t.Errorf("%d rows are left, want the other space's one", n)
		}
		if _, err := h.Get(ctx, guest, theirs.ID); err != nil {
			t.Errorf("the other space: %v", err)
		}
		if got := h.actions(space); !slices.Equal(got, []string{"dashboard:erase"}) {
			t.Errorf("journal %v", got)
		}
	})
}

func onePixel(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Two who change a dashboard at once both do, one after the other.
func TestChangesDoNotGetLost(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		d := h.board("d")
		const n = 4
		errs := make(chan error, n)
		for i := range n {
			go func() {
				_, err := h.Update(context.Background(), editor, d.ID, func(d *Dashboard) error {
					w := widget("Sticky Note")
					w.Name = fmt.Sprint(i)
					d.Widgets = append(d.Widgets, w)
					return nil
				})
				errs <- err
			}()
		}
		for range n {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		got, err := h.Get(t.Context(), editor, d.ID)
		if err != nil || len(got.Widgets) != n {
			t.Errorf("%d widgets, %v, want %d", len(got.Widgets), err, n)
		}
	})
}
