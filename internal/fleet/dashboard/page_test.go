package dashboard

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Both languages say the same things.
func TestPageTexts(t *testing.T) {
	p, err := newPage()
	if err != nil {
		t.Fatal(err)
	}
	for lang, texts := range p.texts {
		for key, other := range p.texts["en"] {
			if texts[key] == "" || lang != "en" && key != "widget" && texts[key] == other {
				t.Errorf("%s says nothing of its own for %q", lang, key)
			}
		}
		if len(texts) != len(p.texts["en"]) {
			t.Errorf("%s has %d texts", lang, len(texts))
		}
	}
}

// A browser that follows a public link sees a page; what people wrote is text on it.
func TestPublicPage(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT", "on": "STATUS", "<b>y": "CHARSTRING"})
	h.want(200, "editor", "PUT", "/iot/v2/things/"+a.ID+"/properties/"+id(a, "on")+"/publish", map[string]any{"value": true}, nil)
	h.want(200, "editor", "PUT", "/iot/v2/things/"+a.ID+"/properties/"+id(a, "<b>y")+"/publish", map[string]any{"value": "<script>alert(1)</script>"}, nil)
	note, picture, elsewhere := widget("Sticky Note"), widget("Image"), widget("Image")
	note.Options, elsewhere.Options = []byte(`{"text":"<img src=x onerror=alert(1)>"}`), []byte(`{"url":"https://tracker.example.org/x.png"}`)
	text := widget("Messenger", id(a, "<b>y"))
	text.Page = absent
	d, err := h.Create(t.Context(), editor, Dashboard{Name: "<i>Public</i>", Pages: []Page{{ID: absent, Name: "Second"}}, Widgets: []Widget{widget("Switch", id(a, "on")), widget("Gauge", id(a, "x")), note, elsewhere, text}})
	if err != nil {
		t.Fatal(err)
	}
	i, err := h.AddImage(t.Context(), editor, d.ID, onePixel(t))
	if err != nil {
		t.Fatal(err)
	}
	picture.Options = []byte(`{"url":"` + imagePath(d.ID, i.ID) + `"}`)
	if _, err := h.Update(t.Context(), editor, d.ID, func(d *Dashboard) error { d.Widgets = append(d.Widgets, picture); return nil }); err != nil {
		t.Fatal(err)
	}
	_, token, err := h.Publish(t.Context(), editor, d.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	browse := func(path, lang string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		r.Header.Set("Accept-Language", lang)
		w := httptest.NewRecorder()
		h.http.ServeHTTP(w, r)
		return w
	}
	w := browse(PublicPath(token), "it")
	page := w.Body.String()
	for _, want := range []string{"acceso", "ancora nessun valore", "&lt;i&gt;Public", "&lt;script&gt;", "&lt;img src=x", "<h2>Second</h2>", PublicPath(token) + "/images/" + i.ID, `<html lang="it">`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, secret := range []string{"<script", "<i>", "onerror=alert(1)>\n", "tracker", a.ID, id(a, "x"), d.ID, space, "style="} {
		if strings.Contains(page, secret) {
			t.Errorf("the page has %s", secret)
		}
	}
	if policy := w.Header().Get("Content-Security-Policy"); w.Code != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if got := browse(PublicPath(strings.Repeat("A", 43)), "en"); got.Code != 404 || !strings.Contains(got.Body.String(), "opens nothing") || !strings.Contains(got.Body.String(), "<h1>") {
		t.Errorf("a link that opens nothing: %d %s", got.Code, got.Body)
	}
	var codes []int
	for range 100 {
		if w = browse(PublicPath(token), "en"); !slices.Contains(codes, w.Code) {
			codes = append(codes, w.Code)
		}
	}
	if !slices.Equal(codes, []int{200, 429}) || !strings.Contains(w.Body.String(), "Too many people") {
		t.Errorf("often: %v %s", codes, w.Body)
	}
}
