package manual

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

var keys = regexp.MustCompile(`\{\{t "([a-z.]+)"`)

// The words around the pages are there in all languages, and none is there that nothing shows.
func TestFrameTexts(t *testing.T) {
	texts := site(t).books["en"].texts
	used := []string{"name", "nowhere", "search", "anchor"} // by this package itself
	for _, m := range keys.FindAllStringSubmatch(pageText, -1) {
		used = append(used, m[1])
	}
	for _, lang := range tongue.Languages {
		for _, key := range used {
			if texts[lang][key] == "" {
				t.Errorf("%q has no text %q", lang, key)
			}
		}
		for key, words := range texts[lang] {
			if !slices.Contains(used, key) {
				t.Errorf("nothing shows the text %q of %q", key, lang)
			}
			if strings.Count(words, "%") != strings.Count(texts["en"][key], "%") {
				t.Errorf("%q of %q takes other words than in English", key, lang)
			}
			if lang != "en" && words == texts["en"][key] {
				t.Errorf("%q of %q is English", key, lang)
			}
		}
	}
}

const note = "Questa pagina c&#39;è solo in inglese."

// A page is in the language of whoever asks, and says which; what has no text in it is marked as what it is, with a note.
func TestLanguages(t *testing.T) {
	s := site(t)
	for name, c := range map[string]struct {
		path, header, value string
		spoken              string
		want, not           []string
	}{
		"English": {"/docs/start", "Accept-Language", "en-GB,it", "en",
			[]string{`<html lang="en"`, "From nothing to a first value", ">Italiano</button>", "<article>", `data-copy="Copy"`, "Link to this section", "<p>Begin</p>"}, []string{"Begin</a>", note, "Cerca", `<article lang`}},
		"nobody's": {"/docs/start", "Accept-Language", "de", "en", []string{`<html lang="en"`}, nil},
		"Italian": {"/docs/start", "Accept-Language", "it-IT,it;q=0.9,en;q=0.8", "it",
			[]string{`<html lang="it"`, "Da zero al primo valore", ">English</button>", "<article>", `data-copy="Copia"`, "Link a questa sezione", `id="when-nothing-comes"`, "<p>Per iniziare</p>", `<a href="/docs/operate" lang="en"`}, []string{note, "From nothing", "Link to this", "On this page", "<p>Begin</p>"}},
		"by the account": {"/docs/start", "Cookie", "__Host-ardesia-lang=it", "it", []string{`<html lang="it"`}, nil},
		"by choice":      {"/docs/start", "Cookie", "__Host-ardesia-tongue=it; __Host-ardesia-lang=en", "it", []string{`<html lang="it"`}, nil},
		"no language":    {"/docs/start", "Cookie", "__Host-ardesia-tongue=../x", "en", []string{`<html lang="en"`}, nil},
		"English only": {"/docs/operate", "Accept-Language", "it", "it, en",
			[]string{`<html lang="it"`, note, `<article lang="en">`, "Operating Ardesia", "Link to this section", `<ul lang="en">`, "In questa pagina"}, []string{"On this page"}},
		"nothing":       {"/docs/nowhere", "Accept-Language", "it", "it", []string{`<html lang="it"`, "Questa pagina non c&#39;è", "Scegli una pagina"}, []string{"There is no", note}},
		"nothing found": {"/docs/search?q=xyzzy", "Accept-Language", "it", "it", []string{"Nessun risultato per «xyzzy»", `action="/docs/search?q=xyzzy" method="post"`}, []string{"Nothing"}},
		"found":         {"/docs/search?q=scheda", "Accept-Language", "it", "it", []string{"sezioni per «scheda»", "<mark>"}, []string{"sections for"}},
		"one found":     {"/docs/search?q=NODE_RED_MQTT_HOST", "Accept-Language", "it", "it", []string{"1 sezione per «NODE_RED_MQTT_HOST»"}, []string{"section for"}},
		"the list":      {"/docs/index.json", "Accept-Language", "it", "it", []string{`"Da zero al primo valore"`, `"Operating Ardesia"`}, []string{`"From nothing`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(s, c.path, c.header, c.value)
			body := w.Body.String()
			if got := w.Header().Get("Content-Language"); got != c.spoken {
				t.Errorf("it is in %q, want %q", got, c.spoken)
			}
			if vary := w.Header().Get("Vary"); !strings.Contains(vary, "Accept-Language") || !strings.Contains(vary, "Cookie") {
				t.Errorf("Vary: %s", vary)
			}
			for _, want := range c.want {
				if !strings.Contains(body, want) {
					t.Errorf("it lacks %s", want)
				}
			}
			for _, not := range c.not {
				if strings.Contains(body, not) {
					t.Errorf("it has %s", not)
				}
			}
		})
	}
	tag := serve(s, "/docs/start").Header().Get("ETag")
	if w := serve(s, "/docs/start", "Accept-Language", "it", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("in Italian, who has it in English: %d", w.Code)
	}
}

// Every section has one address in all languages.
func TestSectionsOfAllLanguages(t *testing.T) {
	s := site(t)
	for _, original := range s.books["en"].pages {
		p := s.books["it"].byPath[original.Path]
		for i, part := range original.parts {
			if p.parts[i].id != part.id {
				t.Errorf("%s: %q has the ID %q, %q has %q", p.Path, p.parts[i].title, p.parts[i].id, part.title, part.id)
			}
		}
	}
}

// What is in the language of whoever searches comes before what is not, and each says which it is.
func TestSearchInItalian(t *testing.T) {
	hits := find(site(t).books["it"].entries, "token")
	at := slices.IndexFunc(hits, func(h Hit) bool { return h.Lang == "en" })
	if at < 1 || slices.ContainsFunc(hits[at:], func(h Hit) bool { return h.Lang != "en" }) {
		t.Errorf("it finds %+v", hits)
	}
	if hits := find(site(t).books["it"].entries, "chiave segreta"); len(hits) == 0 || hits[0].Lang != "it" {
		t.Errorf("it finds %+v", hits)
	}
	if hits := find(site(t).books["en"].entries, "chiave segreta"); len(hits) > 0 {
		t.Errorf("in English it finds %+v", hits)
	}
}

func posted(path, body, site string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if site != "" {
		r.Header.Set("Sec-Fetch-Site", site)
	}
	return r
}

// The language is chosen by a form, for the application, too, and leads back to where it was; another site chooses nothing.
func TestChoosingALanguage(t *testing.T) {
	s := site(t)
	for name, c := range map[string]struct {
		path, body, site string
		status           int
		to, cookie       string
	}{
		"Italian":       {"/docs/boards", "lang=it", "same-origin", 303, "/docs/boards", "it"},
		"a search":      {"/docs/search?q=secret+key&x=1", "lang=it", "same-origin", 303, "/docs/search?q=secret+key", "it"},
		"the first":     {"/docs/", "lang=en", "", 303, "/docs/", "en"},
		"no language":   {"/docs/", "lang=de", "", 303, "/docs/", ""},
		"by an address": {"/docs/?lang=it", "", "", 303, "/docs/", ""},
		"no form":       {"/docs/", "lang=%", "", 400, "", ""},
		"a long form":   {"/docs/", "lang=it&x=" + strings.Repeat("x", maxForm), "", 400, "", ""},
		"another site":  {"/docs/", "lang=it", "cross-site", 403, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(s, posted(c.path, c.body, c.site))
			cookie := ""
			for _, one := range w.Result().Cookies() {
				if cookie = one.Value; !one.Secure || one.HttpOnly || one.Path != "/" || one.Name != "__Host-ardesia-tongue" {
					t.Errorf("the cookie is %v", one)
				}
			}
			if w.Code != c.status || w.Header().Get("Location") != c.to || cookie != c.cookie {
				t.Errorf("%d to %q with %q, want %d to %q with %q", w.Code, w.Header().Get("Location"), cookie, c.status, c.to, c.cookie)
			}
		})
	}
}

// Whatever is sent as a form, it leads to a page of the documentation, and no other cookie is set than that of a language.
func FuzzChoosingALanguage(f *testing.F) {
	s := site(f)
	for _, seed := range [][2]string{{"start", "lang=it"}, {"search?q=a", "lang=en&lang=it"}, {"/evil.example", "lang=%00"}, {"%2e%2e/x", "lang"}, {"a\r\nb", "="}, {"search?q=%ff", "lang=it"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, path, body string) {
		at, err := url.Parse("/docs/" + path)
		if err != nil {
			return
		}
		r := posted("/docs/", body, "")
		r.URL = at
		w := httptest.NewRecorder()
		s.speak(w, r)
		if to, err := url.Parse(w.Header().Get("Location")); w.Code == http.StatusSeeOther && (err != nil || to.Host != "" || !strings.HasPrefix(to.Path, "/")) {
			t.Errorf("%q leads to %q", path, w.Header().Get("Location"))
		}
		for _, c := range w.Result().Cookies() {
			if !tongue.Spoken(c.Value) {
				t.Errorf("%q sets %v", body, c)
			}
		}
	})
}
