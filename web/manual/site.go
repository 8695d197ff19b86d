package manual

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/ardesia-iot/ardesia/docs"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/web"
)

const root = "/docs/"

var (
	//go:embed style.css
	style []byte
	//go:embed manual.js
	script []byte
)

// cookieTheme is how somebody has chosen that the application looks.
const cookieTheme = "__Host-ardesia-theme"

// maxForm is how much of a form is read, in bytes: it says a language.
const maxForm = 1 << 10

// A Site is all pages, ready to be shown.
type Site struct {
	books map[string]*book  // by language; all have the same addresses
	files map[string][]byte // shown as they are, by address
	tag   string            // of all of it
}

// NewSite makes the pages of package docs; all of a program have the same.
var NewSite = sync.OnceValues(func() (*Site, error) { return newSite(docs.Files, docs.Chapters) })

func newSite(files fs.FS, chapters []docs.Chapter) (*Site, error) {
	texts, err := tongue.Read(textFiles, "text")
	if err != nil {
		return nil, err
	}
	from, err := newShelf(files, chapters)
	if err != nil {
		return nil, err
	}
	s := &Site{books: map[string]*book{}, files: map[string][]byte{}}
	for file, at := range from.at {
		if strings.HasSuffix(file, ".md") {
			continue
		}
		if s.files[at], err = fs.ReadFile(files, file); err != nil {
			return nil, err
		}
	}
	sum := sha256.New()
	var originals map[string]*Page
	for _, lang := range tongue.Languages {
		b, err := newBook(from, chapters, texts, lang, originals)
		if err != nil {
			return nil, err
		}
		if originals == nil {
			originals = b.byPath
		}
		for _, p := range b.pages {
			fmt.Fprintf(sum, "%s %d\n%s", p.Path, len(p.Body), p.Body)
		}
		s.books[lang] = b
	}
	words, _ := json.Marshal(texts)                                         // of texts, in the order of their keys: it cannot fail
	_, _ = sum.Write(slices.Concat([]byte(pageText), words, style, script)) // a hash takes all
	s.tag = hex.EncodeToString(sum.Sum(nil)[:8])
	return s, nil
}

// book is the one that whoever asks can read.
func (s *Site) book(r *http.Request) *book { return s.books[web.Tongue(r)] }

// Pages are the site's addresses, open to anyone.
func (s *Site) Pages() map[string]http.HandlerFunc {
	cross := http.NewCrossOriginProtection() // another site does not choose for people
	return map[string]http.HandlerFunc{
		"POST /docs/{path...}": cross.Handler(http.HandlerFunc(s.speak)).ServeHTTP,
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
	Theme, Lang  string
	Here         string // its address
	Others       []choice
	Query        string
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
	b := s.book(r)
	at := strings.TrimSuffix(r.URL.Path, "/")
	if at+"/" == root {
		at = b.pages[0].Path
	}
	p, is := b.byPath[at]
	if !is {
		s.show(w, r, http.StatusNotFound, shown{Title: b.text("nowhere")})
		return
	}
	if at != r.URL.Path && r.URL.Path != root {
		s.redirect(w, r, at)
		return
	}
	i := slices.Index(b.pages, p)
	v := shown{Page: p, Title: p.Title}
	if i > 0 {
		v.Before = b.pages[i-1]
	}
	if i+1 < len(b.pages) {
		v.Next = b.pages[i+1]
	}
	s.show(w, r, http.StatusOK, v)
}

func (s *Site) search(w http.ResponseWriter, r *http.Request) {
	b, q := s.book(r), query(r)
	s.show(w, r, http.StatusOK, shown{Title: b.text("search"), Searched: q != "", Query: q, Hits: find(b.entries, q)})
}

// query is what is searched for, as much of it as is looked at.
func query(r *http.Request) string {
	q := r.URL.Query().Get("q")
	return strings.ToValidUTF8(q[:min(len(q), maxQuery)], "")
}

// here is the address of what is shown.
func here(r *http.Request) string {
	at := url.URL{Path: r.URL.Path}
	if q := query(r); q != "" {
		at.RawQuery = url.Values{"q": {q}}.Encode()
	}
	return at.String()
}

func (s *Site) show(w http.ResponseWriter, r *http.Request, status int, v shown) {
	b := s.book(r)
	v.Lang, v.Others, v.Here = b.lang, b.others(), here(r)
	v.Chapters, v.Theme = b.chapters, "system"
	if c, err := r.Cookie(cookieTheme); err == nil && (c.Value == "light" || c.Value == "dark") {
		v.Theme = c.Value
	}
	var body bytes.Buffer
	if err := b.frame.Execute(&body, v); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	spoken := b.lang
	if v.Page != nil && v.Page.Lang != b.lang {
		spoken += ", " + v.Page.Lang
	}
	s.answerIn(w, r, spoken, status, "text/html; charset=utf-8", body.Bytes(), s.tag+v.Theme+b.lang)
}

// speak shows the same in another language from now on, in the application, too.
func (s *Site) speak(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "This form cannot be read. Go back, load the page again and try once more.", http.StatusBadRequest)
		return
	}
	if lang := r.PostForm.Get("lang"); tongue.Spoken(lang) {
		web.Speak(w, lang)
	}
	http.Redirect(w, r, here(r), http.StatusSeeOther)
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
	b := s.book(r)
	all := make([]page, 0, len(b.pages))
	for _, p := range b.pages {
		all = append(all, page{p.Path, p.Title})
	}
	text, err := json.Marshal(all)
	if err != nil {
		http.Error(w, "the list cannot be made", http.StatusInternalServerError)
		return
	}
	s.answerIn(w, r, b.lang, http.StatusOK, "application/json", text, s.tag+b.lang)
}

// answerIn is answer for what is another in each language.
func (s *Site) answerIn(w http.ResponseWriter, r *http.Request, lang string, status int, kind string, text []byte, tag string) {
	w.Header().Set("Content-Language", lang)
	w.Header().Add("Vary", "Accept-Language, Cookie")
	s.answer(w, r, status, kind, text, tag)
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
