package servertest

import (
	"bytes"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/openapi"
	"github.com/ardesia-iot/ardesia/internal/server"
)

// A watch holds every answer of a house's API against its document, and keeps who asked for what.
type watch struct {
	t    testing.TB
	next http.Handler
	find func(*http.Request) (door.Route, bool)
	doc  *openapi.Document

	mu    sync.Mutex
	wrong []string // guarded by mu: what a fuzz target has still to be told, whose F may say nothing meanwhile
}

// learn reads what s declares.
func (w *watch) learn(s *server.Server) (err error) {
	if w.doc, err = s.Document(); err != nil {
		return err
	}
	w.find, err = door.Finder(s.Routes())
	return err
}

func (w *watch) around(api http.Handler) http.Handler {
	w.next = api
	return w
}

func (w *watch) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	route, ok := w.find(r)
	if !ok {
		w.next.ServeHTTP(out, r)
		return
	}
	keep := &tape{ResponseWriter: out}
	w.next.ServeHTTP(keep, r) // a panic means that nobody got a whole answer
	if keep.status == 0 {
		keep.status = http.StatusOK
	}
	note(w.t.Name(), route.Pattern, r.UserAgent(), keep.status)
	if keep.cut {
		keep.body.Reset() // too large to be JSON that somebody checks
	}
	a := openapi.Answer{Status: keep.status, Header: keep.Header(), Body: keep.body.Bytes()}
	if err := w.doc.Check(route.Pattern, r.Method, a); err != nil && !keep.cut {
		w.report(fmt.Sprintf("%s %s (%s) answers otherwise than it declares: %v", r.Method, r.URL.Path, route.Pattern, err))
	}
}

func (w *watch) report(text string) {
	if _, fuzzing := w.t.(*testing.F); !fuzzing {
		w.t.Error(text)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrong = append(w.wrong, text)
}

// Wrong is what was answered otherwise than it is declared since the last time that this was asked. Where a fuzz target
// owns the house it must ask; elsewhere a wrong answer fails the test by itself.
func (h *House) Wrong() []string {
	h.seen.mu.Lock()
	defer h.seen.mu.Unlock()
	all := h.seen.wrong
	h.seen.wrong = nil
	return all
}

// A tape keeps what is answered, up to maxKept bytes of it.
type tape struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
	cut    bool
}

const maxKept = 16 << 20

func (t *tape) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tape) Write(p []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	if t.body.Len()+len(p) > maxKept {
		t.cut = true
	} else {
		t.body.Write(p)
	}
	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (t *tape) Unwrap() http.ResponseWriter { return t.ResponseWriter }
