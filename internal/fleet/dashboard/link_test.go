package dashboard

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// A public link shows what the dashboard does, with no ID of a thing, a property, a space or a person.
func TestPublicLinks(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a := h.thing(editor, "Secret house", "", map[string]string{"x": "FLOAT", "y": "FLOAT", "hidden": "FLOAT"})
		chart := widget("Advanced Chart", id(a, "x"), id(a, "y"))
		chart.Options = []byte(`{"axes":{"` + id(a, "x") + `":{"side":"left","of":"` + a.ID + `"}},"thingId":"` + a.ID + `","properties":[{"id":"` + id(a, "x") + `"}],"created_by":"` + editor.ID + `","also":["` + id(a, "hidden") + `",{"` + strings.ToUpper(viewer.ID) + `":1}]}`)
		gone := widget("Value", id(h.thing(editor, "gone", "", map[string]string{"z": "FLOAT"}), "z"))
		d := h.board("Public", chart, widget("Value", id(a, "x")), gone)
		if err := h.things.DeleteProperty(ctx, editor, h.of(t, gone.Variables[0]), gone.Variables[0], true); err != nil {
			t.Fatal(err)
		}
		h.want(200, "editor", "PUT", "/iot/v2/things/"+a.ID+"/properties/"+id(a, "x")+"/publish", map[string]any{"value": 4.5}, nil)
		h.want(404, "editor", "GET", ours1("/%s/link", d.ID), nil, nil)
		var made wireLink
		h.want(201, "editor", "PUT", ours1("/%s/link", d.ID), map[string]any{"days": 2}, &made)
		if len(made.Token) != 43 || made.Link != PublicPath(made.Token) || made.MadeBy.Username != "anna" || !made.Until.Equal(noon.AddDate(0, 0, 2)) {
			t.Errorf("made %+v", made)
		}
		var again wireLink
		h.want(200, "editor", "GET", ours1("/%s/link", d.ID), nil, &again)
		if again.Token != "" || again.Link != "" || !again.At.Equal(noon) {
			t.Errorf("told again %+v", again)
		}
		var seen wireShared
		w := h.want(200, "", "GET", PublicPath(made.Token), nil, &seen)
		for what, secret := range map[string]string{"space": space, "owner": editor.ID, "thing": a.ID, "property": id(a, "x"), "another property": id(a, "y"), "dashboard": d.ID,
			"thing's name": "Secret", "hidden property": id(a, "hidden"), "somebody": strings.ToUpper(viewer.ID), "a property that is gone": gone.Variables[0]} {
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("a public link shows the %s: %s", what, w.Body)
			}
		}
		if seen.Name != "Public" || len(seen.Widgets) != 3 || len(seen.Variables) != 2 || !slices.Equal(seen.Widgets[0].Variables, []string{"v1", "v2"}) || len(seen.Widgets[2].Variables) != 0 ||
			string(seen.Variables[0].LastValue) != "4.5" || !strings.Contains(string(seen.Widgets[0].Options), `"axes":{"v1":{"of":"","side":"left"}}`) {
			t.Errorf("seen %s", w.Body)
		}
		for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow", "Cache-Control": "no-store"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		var past wirePast
		h.want(200, "", "GET", PublicPath(made.Token)+"/variables/v1?to=2026-10-17T12:00:10Z", nil, &past)
		if len(past.Data) != 1 || past.Data[0].Value != 4.5 {
			t.Errorf("history %+v", past)
		}
		for rest, status := range map[string]int{"/variables/v3": 404, "/variables/" + id(a, "x"): 404, "/variables/v9": 404, "/variables/v1?from=yesterday": 400,
			"/variables/v1?from=2020-01-01T00:00:00Z": 400, "/variables/v1?from=2027-01-01T00:00:00Z": 400, "/variables/v1?from=2026-10-01T00:00:00Z&to=2026-10-02T00:00:00Z": 200} {
			h.want(status, "", "GET", PublicPath(made.Token)+rest, nil, nil)
		}
		// A token is no way in to anything else, and nothing can be written by it.
		h.want(401, made.Token, "GET", board2("/%s", d.ID), nil, nil)
		h.want(405, "", "PUT", PublicPath(made.Token)+"/variables/v1", map[string]any{"value": 1}, nil)

		// It ends with another one, with its days, with the dashboard, and by hand.
		var other wireLink
		h.want(201, "editor", "PUT", ours1("/%s/link", d.ID), map[string]any{}, &other)
		h.want(404, "", "GET", PublicPath(made.Token), nil, nil)
		h.want(200, "", "GET", PublicPath(other.Token), nil, nil)
		h.want(200, "editor", "DELETE", board2("/%s", d.ID), nil, nil)
		h.want(404, "", "GET", PublicPath(other.Token), nil, nil)
		h.want(200, "editor", "PATCH", board2("/%s", d.ID), map[string]any{}, nil)
		h.want(200, "", "GET", PublicPath(other.Token), nil, nil)
		for range 2 {
			h.want(204, "editor", "DELETE", ours1("/%s/link", d.ID), nil, nil)
		}
		h.want(404, "", "GET", PublicPath(other.Token), nil, nil)
		h.want(404, "", "GET", PublicPath(other.Token)+"/variables/v1", nil, nil)
		h.want(201, "editor", "PUT", ours1("/%s/link", d.ID), map[string]any{"days": 1}, &made)
		h.pass(24*time.Hour - time.Second)
		h.want(200, "", "GET", PublicPath(made.Token), nil, nil)
		h.pass(2 * time.Second)
		h.want(404, "", "GET", PublicPath(made.Token), nil, nil)
	})
}

// of is the thing of a property.
func (h *house) of(t *testing.T, property string) string {
	t.Helper()
	all, err := h.things.Variables(t.Context(), space, []string{property})
	if err != nil {
		t.Fatal(err)
	}
	return all[property].Thing
}

// One who looks too often waits, and so do all together; others are let in meanwhile.
func TestPublicLinksHaveARate(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	d := h.board("d")
	_, token, err := h.Publish(t.Context(), editor, d.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	look := func(from string) error { return second(h.Shared(t.Context(), token, from)) }
	n := 0
	for n < 1000 && look("one") == nil {
		n++
	}
	if err := look("one"); !errors.Is(err, door.ErrLimited) || n > 100 || n < 10 {
		t.Errorf("after %d: %v", n, err)
	}
	if err := look("another"); err != nil {
		t.Errorf("another address: %v", err)
	}
	h.pass(time.Minute)
	if err := look("one"); err != nil {
		t.Errorf("a minute later: %v", err)
	}
	for n = 0; n < 5000 && look(strings.Repeat("x", n)) == nil; n++ {
	}
	if n > 1000 {
		t.Errorf("%d addresses were let in at once", n)
	}
}

// Pictures are painted anew, and seen by whoever sees the dashboard.
func TestPictures(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		d := h.board("d")
		raw := append(onePixel(t), "CANARY behind it"...)
		var i wireImage
		h.want(201, "editor", "POST", ours1("/%s/images", d.ID), raw, &i)
		if i.Path != imagePath(d.ID, i.ID) {
			t.Errorf("made %+v", i)
		}
		w := h.want(200, "viewer", "GET", i.Path, nil, nil)
		if bytes.Contains(w.Body.Bytes(), []byte("CANARY")) || w.Header().Get("Content-Type") != "image/png" || w.Header().Get("Content-Security-Policy") == "" {
			t.Errorf("picture %q %v", w.Body, w.Header())
		}
		h.want(404, "guest", "GET", i.Path, nil, nil)
		other := h.board("other")
		h.want(404, "editor", "GET", imagePath(other.ID, i.ID), nil, nil)
		show := widget("Image")
		show.Options = []byte(`{"url":"` + i.Path + `"}`)
		if _, err := h.Update(ctx, editor, d.ID, func(d *Dashboard) error { d.Widgets = []Widget{show}; return nil }); err != nil {
			t.Fatal(err)
		}
		var got wireDashboard
		h.want(200, "editor", "PUT", ours1("/%s/cover", d.ID), onePixel(t), &got)
		first := got.CoverImage
		h.want(200, "viewer", "GET", first, nil, nil)
		h.want(200, "editor", "PUT", ours1("/%s/cover", d.ID), onePixel(t), &got)
		h.want(404, "viewer", "GET", first, nil, nil)
		h.want(200, "viewer", "GET", got.CoverImage, nil, nil)

		// On a copy they are its own; on a public link they are seen without a token.
		var clone wireDashboard
		h.want(201, "editor", "PUT", board2("/%s/clone", d.ID), map[string]any{}, &clone)
		if _, own := imageOf(clone.ID, clone.CoverImage); !own || !strings.Contains(string(clone.Widgets[0].Options), imagePath(clone.ID, "")) {
			t.Errorf("the copy %+v shows the pictures of the original", clone)
		}
		_, token, err := h.Publish(ctx, editor, d.ID, 0)
		if err != nil {
			t.Fatal(err)
		}
		var seen wireShared
		h.want(200, "", "GET", PublicPath(token), nil, &seen)
		h.want(200, "", "GET", seen.CoverImage, nil, nil)
		h.want(200, "", "GET", PublicPath(token)+"/images/"+i.ID, nil, nil)
		if !strings.Contains(string(seen.Widgets[0].Options), PublicPath(token)+"/images/"+i.ID) || strings.Contains(string(seen.Widgets[0].Options), d.ID) {
			t.Errorf("options %s", seen.Widgets[0].Options)
		}
		cloned, _ := imageOf(clone.ID, clone.CoverImage)
		h.want(404, "", "GET", PublicPath(token)+"/images/"+cloned, nil, nil)
		h.want(200, "editor", "DELETE", board2("/%s?force=true", d.ID), nil, nil)
		h.want(200, "viewer", "GET", clone.CoverImage, nil, nil)
		h.want(204, "editor", "DELETE", clone.CoverImage, nil, nil)
		h.want(404, "editor", "DELETE", clone.CoverImage, nil, nil)
		h.want(200, "editor", "PUT", ours1("/%s/cover", clone.ID), onePixel(t), nil) // in place of one that is gone
		h.want(404, "editor", "GET", clone.CoverImage, nil, nil)
	})
}

// Pictures of all dashboards of a space have the room that is there for them, those of a copy too.
func TestPicturesTakeRoom(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		d, other := h.board("d"), h.board("other")
		if _, err := h.SetCover(ctx, editor, d.ID, onePixel(t)); err != nil {
			t.Fatal(err)
		}
		one, err := h.Bytes(ctx, space)
		if err != nil || one == 0 {
			t.Fatalf("%d bytes, %v", one, err)
		}
		room := func(n int64) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.room = n
		}
		room(2*one - 1)
		if _, err := h.AddImage(ctx, editor, other.ID, onePixel(t)); !errors.Is(err, ErrStorage) {
			t.Errorf("a second picture: %v", err)
		}
		if _, err := h.Clone(ctx, editor, d.ID, nil); !errors.Is(err, ErrStorage) {
			t.Errorf("a copy: %v", err)
		}
		if _, err := h.Clone(ctx, editor, other.ID, nil); err != nil {
			t.Errorf("a copy without a picture: %v", err)
		}
		if n, err := h.Bytes(ctx, space); err != nil || n != one {
			t.Errorf("after what was refused %d bytes, %v, want %d", n, err, one)
		}
		room(2 * one)
		if _, err := h.Clone(ctx, editor, d.ID, nil); err != nil {
			t.Errorf("a copy that has room: %v", err)
		}
		if n, err := h.Bytes(ctx, space); err != nil || n != 2*one {
			t.Errorf("%d bytes, %v, want %d", n, err, 2*one)
		}
	})
}

func TestPicturesAreBounded(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	d := h.board("d")
	var wide bytes.Buffer
	if err := png.Encode(&wide, image.NewGray(image.Rect(0, 0, maxSide+1, 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := h.AddImage(t.Context(), editor, d.ID, wide.Bytes()); !errors.Is(err, ErrImageSize) {
		t.Errorf("a wide picture: %v", err)
	}
	raw := onePixel(t)
	for n := 0; ; n++ {
		_, err := h.AddImage(t.Context(), editor, d.ID, raw)
		if err == nil {
			continue
		}
		if n != maxImages || !errors.Is(err, ErrTooManyImages) {
			t.Errorf("picture %d: %v", n+1, err)
		}
		break
	}
	// A cover takes the place of the one before, and there must be room for both for a moment.
	if _, err := h.SetCover(t.Context(), editor, d.ID, raw); !errors.Is(err, ErrTooManyImages) {
		t.Errorf("cover: %v", err)
	}
}
