package manual

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/ardesia-iot/ardesia/docs"
	"github.com/ardesia-iot/ardesia/web"
)

const root = "/docs/"

var (
	//go:embed page.html
	pageText string
	//go:embed style.css
	style []byte
	//go:embed manual.js
	script []byte

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// cookieTheme is how somebody has chosen that the application looks.
const cookieTheme = "__Host-ardesia-theme"

// A Site is all pages, ready to be shown.
type Site struct {
	pages    []*Page // in the order in which they are read
	byPath   map[string]*Page
	chapters []chapter
	entries  []entry
	files    map[string][]byte // shown as they are, by address
	tag      string            // of all of it
}

type chapter struct {
	Title string
	Pages []*Page
}

// NewSite makes the pages of package docs; all of a program have the same.
var NewSite = sync.OnceValues(func() (*Site, error) { return newSite(docs.Files, docs.Chapters) })

func newSite(files fs.FS, chapters []docs.Chapter) (*Site, error) {
	s := &Site{byPath: map[string]*Page{}, files: map[string][]byte{}}
	at := map[string]string{} // addresses by file
	for _, c := range chapters {
		for _, file := range c.Pages {
			at[file] = root + strings.TrimSuffix(strings.TrimPrefix(file, "guide/"), ".md")
		}
	}
	err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if strings.HasSuffix(file, ".md") {
			if at[file] == "" {
				return fmt.Errorf("%s is in no chapter", file)
			}
			return nil
		}
		at[file] = root + file
		s.files[at[file]], err = fs.ReadFile(files, file)
		return err
	})
	if err != nil {
		return nil, err
	}
	address := func(file string) string { return at[file] }
	// What is not in the program is for whoever changes it; that it is there the tests of documents look after.
	developers := func(file string) bool {
		return strings.HasPrefix(file, "adr/") || strings.HasPrefix(file, "../") || file == "ARCHITECTURE.md" || file == "performance.md" || file == "acts"
	}
	sum := sha256.New()
	for _, c := range chapters {
		one := chapter{Title: c.Title}
		for _, file := range c.Pages {
			p, err := read(files, file, address, developers)
			if err != nil {
				return nil, err
			}
			p.Path, p.Chapter = at[file], c.Title
			fmt.Fprintf(sum, "%s %d\n%s", p.Path, len(p.Body), p.Body)
			one.Pages = append(one.Pages, p)
			s.pages, s.byPath[p.Path] = append(s.pages, p), p
		}
		s.chapters = append(s.chapters, one)
	}
	_, _ = sum.Write(slices.Concat([]byte(pageText), style, script)) // a hash takes all
	s.tag = hex.EncodeToString(sum.Sum(nil)[:8])
	s.entries = index(s.pages)
	return s, nil
}

// Pages are the site's addresses, open to anyone.
func (s *Site) Pages() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /docs":            func(w http.ResponseWriter, r *http.Request) { s.redirect(w, r, root) },
		"GET /docs/{path...}":  s.page,
		"GET /docs/search":     s.search,
		"GET /docs/style.css":  s.asset("text/css; charset=utf-8", style),
		"GET /docs/manual.js":  s.asset("text/javascript; charset=utf-8", script),
		"GET /docs/mark.svg":   s.asset("image/svg+xml", web.Mark()),
		"GET /docs/index.json": s.list,
	}
}

func (s *Site) redirect(w http.ResponseWriter, r *http.Request, to string) {
	guard(w.Header())
	http.Redirect(w, r, to, http.StatusPermanentRedirect)
}

// shown is what the template shows.
type shown struct {
	Theme, Query string
	Page         *Page // nil: not a page
	Title        string
	Chapters     []chapter
	Hits         []Hit
	Searched     bool
	Before, Next *Page
}

func (s *Site) page(w http.ResponseWriter, r *http.Request) {
	if text, is := s.files[r.URL.Path]; is {
		s.asset("text/plain; charset=utf-8", text)(w, r)
		return
	}
	at := strings.TrimSuffix(r.URL.Path, "/")
	if at+"/" == root {
		at = s.pages[0].Path
	}
	p, is := s.byPath[at]
	if !is {
		s.show(w, r, http.StatusNotFound, shown{Title: "There is no such page"})
		return
	}
	if at != r.URL.Path && r.URL.Path != root {
		s.redirect(w, r, at)
		return
	}
	i := slices.Index(s.pages, p)
	v := shown{Page: p, Title: p.Title}
	if i > 0 {
		v.Before = s.pages[i-1]
	}
	if i+1 < len(s.pages) {
		v.Next = s.pages[i+1]
	}
	s.show(w, r, http.StatusOK, v)
}

func (s *Site) search(w http.ResponseWriter, r *http.Request) {
	q := strings.ToValidUTF8(r.URL.Query().Get("q"), "")
	s.show(w, r, http.StatusOK, shown{Title: "Search", Searched: q != "", Query: q[:min(len(q), maxQuery)], Hits: find(s.entries, q)})
}

func (s *Site) show(w http.ResponseWriter, r *http.Request, status int, v shown) {
	v.Chapters, v.Theme = s.chapters, "system"
	if c, err := r.Cookie(cookieTheme); err == nil && (c.Value == "light" || c.Value == "dark") {
		v.Theme = c.Value
	}
	var body bytes.Buffer
	if err := pageTemplate.Execute(&body, v); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Language", "en")
	h.Add("Vary", "Cookie")
	s.answer(w, r, status, "text/html; charset=utf-8", body.Bytes(), s.tag+v.Theme)
}

func (s *Site) asset(kind string, text []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, http.StatusOK, kind, text, s.tag) }
}

// list is what the application's search knows of the pages.
func (s *Site) list(w http.ResponseWriter, r *http.Request) {
	type page struct {
		Href string `json:"href"`
		Name string `json:"name"`
	}
	all := make([]page, 0, len(s.pages))
	for _, p := range s.pages {
		all = append(all, page{p.Path, p.Title})
	}
	text, err := json.Marshal(all)
	if err != nil {
		http.Error(w, "the list cannot be made", http.StatusInternalServerError)
		return
	}
	s.answer(w, r, http.StatusOK, "application/json", text, s.tag)
}

// answer sends what changes with the server's version only; whoever has it asks whether it is still the same.
func (s *Site) answer(w http.ResponseWriter, r *http.Request, status int, kind string, text []byte, tag string) {
	h := w.Header()
	guard(h)
	h.Set("Cache-Control", "no-cache")
	if tag = `"` + tag + `"`; status == http.StatusOK && path.Base(r.URL.Path) != "search" {
		h.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(text) // who has gone away reads nothing
}

// guard sets what every answer says: a page has styles and a script of this server, and a form that searches here.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Strict-Transport-Security", "max-age=63072000")
}
