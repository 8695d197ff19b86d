package trigger

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

//go:embed page/*.html text/*.json
var pageFiles embed.FS

// pages is the page behind a link of a letter, in each language.
type pages struct {
	texts tongue.Texts
	form  *template.Template
}

func readPages() (p pages, err error) {
	if p.texts, err = tongue.Read(pageFiles, "text"); err != nil {
		return p, err
	}
	p.form, err = template.ParseFS(pageFiles, "page/unsubscribe.html")
	return p, err
}

// A view is the page in one state: "ask", "done" or "again"; "bad" for a link that is not good.
type view struct {
	Lang, Title, Text string
	Button            string // "" for none
	Again             bool   // the button asks for letters again
}

func (p pages) show(w http.ResponseWriter, r *http.Request, state string, failed error) error {
	status := http.StatusOK
	if failed != nil {
		state, status = "bad", http.StatusNotFound
	}
	lang := tongue.Choose(r.Header.Get("Accept-Language"))
	t := p.texts[lang]
	v := view{Lang: lang, Title: t[state+".title"], Text: t[state+".text"], Button: t[state+".button"], Again: state == "done"}
	var body bytes.Buffer
	if err := p.form.Execute(&body, v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", lang)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address is the key
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // a browser that has gone away is nobody's error
	return nil
}

// maxForm is more than the forms of this page have, in bytes.
const maxForm = 4 << 10

// Pages are open to whoever has a link of a letter, from wherever it is followed. They know no session.
func (s *Service) Pages() map[string]http.Handler {
	return map[string]http.Handler{
		"GET /unsubscribe/{token}":  http.HandlerFunc(s.askPage),
		"POST /unsubscribe/{token}": http.HandlerFunc(s.mutePage),
	}
}

// askPage asks before anything is done: programs that look at links open them too.
func (s *Service) askPage(w http.ResponseWriter, r *http.Request) {
	_, _, err := s.readToken(r.PathValue("token"))
	s.show(w, r, "ask", err)
}

// mutePage is the button of the page, and what readers of mail send by themselves (RFC 8058).
func (s *Service) mutePage(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	state, back := "done", r.PostFormValue("again") == "1"
	if back {
		state = "again"
	}
	s.show(w, r, state, s.Mute(r.Context(), r.PathValue("token"), back))
}

func (s *Service) show(w http.ResponseWriter, r *http.Request, state string, err error) {
	if err != nil && !errors.Is(err, ErrToken) {
		s.needs.Log.ErrorContext(r.Context(), "the page behind a letter cannot be shown", "err", err)
		http.Error(w, "Something went wrong on the server. Try again.", http.StatusInternalServerError)
		return
	}
	if err := s.pages.show(w, r, state, err); err != nil {
		s.needs.Log.ErrorContext(r.Context(), "the page behind a letter cannot be shown", "err", err)
	}
}
