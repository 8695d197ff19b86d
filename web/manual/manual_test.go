package manual

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ardesia-iot/ardesia/docs"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

func site(t testing.TB) *Site {
	t.Helper()
	s, err := NewSite()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve asks for a page in English, or as headers say: names, each with its value behind it.
func serve(s *Site, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return ask(s, r)
}

func ask(s *Site, r *http.Request) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	for pattern, page := range s.Pages() {
		mux.HandleFunc(pattern, page)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

var (
	href   = regexp.MustCompile(`href="([^"]+)"`)
	ids    = regexp.MustCompile(` id="([^"]+)"`)
	unfit  = regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:|(src|href)="(https?:)?//[^"]*"[^>]*rel="stylesheet"|<th></th>`)
	parsed = regexp.MustCompile("(?m)^ *```")
)

// Every page is whole: what it links to is there, with the section that is meant, ids are there once, and its policy has nothing to report.
func TestEveryPage(t *testing.T) {
	for _, lang := range tongue.Languages {
		t.Run(lang, func(t *testing.T) { everyPage(t, lang) })
	}
}

func everyPage(t *testing.T, lang string) {
	s := site(t)
	pages := s.books[lang].pages
	if len(pages) < 20 {
		t.Fatalf("only %d pages", len(pages))
	}
	sections := map[string]map[string]bool{}
	bodies := map[string]string{}
	for _, p := range pages {
		w := serve(s, p.Path, "Accept-Language", lang)
		body := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Content-Security-Policy"), "script-src 'self'") || !strings.Contains(body, "<h1") {
			t.Errorf("%s: %d %v", p.Path, w.Code, w.Header())
		}
		if found := unfit.FindString(body); found != "" {
			t.Errorf("%s has %q", p.Path, found)
		}
		if strings.Contains(body, "not-run") || parsed.MatchString(body) {
			t.Errorf("%s shows how its blocks are marked", p.Path)
		}
		sections[p.Path], bodies[p.Path] = map[string]bool{}, body
		for _, m := range ids.FindAllStringSubmatch(body, -1) {
			if sections[p.Path][m[1]] {
				t.Errorf("%s has the id %s twice", p.Path, m[1])
			}
			sections[p.Path][m[1]] = true
		}
	}
	for at, body := range bodies {
		for _, m := range href.FindAllStringSubmatch(body, -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", at, err)
				continue
			}
			to := u.Path
			if to == "" {
				to = at
			}
			if u.Host != "" || !strings.HasPrefix(to, root) {
				continue // another site's, or another room's
			}
			if sections[to] == nil {
				if w := serve(s, to, "Accept-Language", lang); w.Code != http.StatusOK {
					t.Errorf("%s leads to %s: %d", at, m[1], w.Code)
				}
			} else if u.Fragment != "" && !sections[to][u.Fragment] {
				t.Errorf("%s leads to %s, which has no such section", at, m[1])
			}
		}
	}
}

// Addresses that are nearly right, and those that are not.
func TestAddresses(t *testing.T) {
	s := site(t)
	for target, want := range map[string]int{
		"/docs/": 200, "/docs/start": 200, "/docs/start/": 308, "/docs": 308, "/docs/integrations/prometheus.yml": 200, "/docs/acts/restore": 200, "/docs/nowhere": 404, "/docs/adr/0001-the-house": 404,
		"/docs/search": 200, "/docs/style.css": 200, "/docs/manual.js": 200, "/docs/mark.svg": 200, "/docs/index.json": 200,
	} {
		if w := serve(s, target); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	tag := serve(s, "/docs/start").Header().Get("ETag")
	again := httptest.NewRequest(http.MethodGet, "/docs/start", nil)
	again.Header.Set("If-None-Match", tag)
	w := httptest.NewRecorder()
	s.page(w, again)
	if tag == "" || w.Code != http.StatusNotModified {
		t.Errorf("with %q: %d", tag, w.Code)
	}
	dark := httptest.NewRequest(http.MethodGet, "/docs/start", nil)
	dark.AddCookie(&http.Cookie{Name: cookieTheme, Value: "dark"})
	dark.Header.Set("If-None-Match", tag)
	w = httptest.NewRecorder()
	s.page(w, dark)
	if !strings.Contains(w.Body.String(), `data-theme="dark"`) {
		t.Errorf("in the dark: %d", w.Code)
	}
}

// The search finds what all words are in, titles first; what it shows is escaped, and it takes no more than it says.
func TestSearch(t *testing.T) {
	s := site(t)
	for query, want := range map[string]string{"secret key": "/docs/", "ROTATE authority": "/docs/", "prometheus": "/docs/integrations", "simulate": "/docs/ardesiactl#device-simulate"} {
		hits := find(s.books["en"].entries, query)
		found := false
		for _, h := range hits {
			found = found || strings.HasPrefix(h.Path, want)
		}
		if !found || len(hits) > maxHits {
			t.Errorf("%q finds %+v, want %s", query, hits, want)
		}
	}
	for _, query := range []string{"", "   ", "xyzzy-nothing", strings.Repeat("a ", 5000), "\xff\xfe", "<script>alert(1)</script>"} {
		body := serve(s, "/docs/search?q="+url.QueryEscape(query)).Body.String()
		if strings.Contains(body, "<script>alert") {
			t.Errorf("%q comes back as it is", query)
		}
	}
	if body := serve(s, "/docs/search?q=xyzzy-nothing").Body.String(); !strings.Contains(body, "Nothing was found") {
		t.Error("it does not say that it found nothing")
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// Whatever somebody searches for, what is shown is text of a page with marks in it, and nothing else.
func FuzzSearch(f *testing.F) {
	entries := index([]*Page{{Path: "/x", Title: "Ä <b> & title", parts: []part{{1, "", "Ä <b> & title", "some text with <i>, ẞ, İ and K in it"}, {2, "two", "Two", "more < of & it"}}}}, "en")
	for _, seed := range []string{"text", "i̇", "ẞ", "<", "&", "İ", "k", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, h := range find(entries, query) {
			for _, tag := range tags.FindAllString(string(h.Text), -1) {
				if tag != "<mark>" && tag != "</mark>" {
					t.Errorf("%q shows %s", query, h.Text)
				}
			}
		}
	})
}

// A text with a link to nothing, a page that is in no chapter, and one without a title are found before anybody reads them; raw HTML is left out.
func TestWhatIsRefused(t *testing.T) {
	chapters := []docs.Chapter{{Title: "One", Pages: []string{"guide/a.md"}}}
	file := func(text string) fstest.MapFS { return fstest.MapFS{"guide/a.md": {Data: []byte(text)}} }
	if _, err := newSite(file("# A\n\n[b](b.md)\n"), chapters); !errors.Is(err, errLink) {
		t.Errorf("a link to nothing: %v", err)
	}
	if _, err := newSite(file("A\n"), chapters); err == nil {
		t.Error("no title")
	}
	more := file("# A\n")
	more["guide/b.md"] = &fstest.MapFile{Data: []byte("# B\n")}
	if _, err := newSite(more, chapters); err == nil {
		t.Error("in no chapter")
	}
	s, err := newSite(file("# A\n\n<b onclick=x>raw</b> [dev](../adr/x.md) [page](a.md#two)\n\n## Two\n\n```sh not-run\na < b\n```\n"), chapters)
	if err != nil {
		t.Fatal(err)
	}
	body := string(s.books["en"].pages[0].Body)
	if strings.Contains(body, "<b") || strings.Contains(body, "adr") || !strings.Contains(body, " dev ") || !strings.Contains(body, `href="/docs/a#two"`) || !strings.Contains(body, "a &lt; b") {
		t.Errorf("it is %s", body)
	}
}

// Its colours are the application's.
func TestColours(t *testing.T) {
	base, err := os.ReadFile(filepath.Join("..", "app", "style", "base.css"))
	if err != nil {
		t.Fatal(err)
	}
	color := regexp.MustCompile(`(?m)^  (--[a-z-]+: .*;)$`)
	n := 0
	for _, m := range color.FindAllStringSubmatch(string(style), -1) {
		if n++; !strings.Contains(string(base), m[1]) {
			t.Errorf("the application has no %s", m[1])
		}
	}
	if n < 10 {
		t.Errorf("only %d colours", n)
	}
}
