package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A front is the one address under which a browser finds a house, so that the house can go and another can come. It can
// be the other side of GET /v1/live, too, to say what a house would only say by chance.
type front struct {
	t      testing.TB
	server *httptest.Server
	way    http.RoundTripper                // to the house
	house  atomic.Pointer[servertest.House] // nil: nobody is at home
	double atomic.Pointer[double]           // nil: the house's own
	calls  atomic.Int64
	answer atomic.Pointer[func(r *http.Request)] // is asked before each answer goes on, and may hold it; nil: nothing does
}

func newFront(t testing.TB, h *servertest.House) *front {
	t.Helper()
	way := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} //nolint:gosec // the house's own authority, on loopback
	f := &front{t: t, way: way}
	f.house.Store(h)
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.EnableHTTP2 = true
	f.server.StartTLS()
	t.Cleanup(func() {
		f.server.CloseClientConnections()
		f.server.Close()
		way.CloseIdleConnections() // before the house ends, which would wait for them
	})
	return f
}

// at is the address by the name that cookies and sign-in are for.
func (f *front) at() string {
	_, port, err := net.SplitHostPort(f.server.Listener.Addr().String())
	if err != nil {
		f.t.Fatal(err)
	}
	return "https://localhost:" + port
}

func (f *front) serve(w http.ResponseWriter, r *http.Request) {
	h := f.house.Load()
	if d := f.double.Load(); d != nil && r.URL.Path == "/v1/live" && h != nil {
		d.serve(w, r)
		return
	}
	if h == nil {
		panic(http.ErrAbortHandler) // as a server that is not there: the connection breaks
	}
	f.calls.Add(1)
	to, err := url.Parse(h.URL())
	if err != nil {
		f.t.Error(err)
		return
	}
	p := &httputil.ReverseProxy{Transport: f.way, FlushInterval: -1, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to)
		p.Out.Host = p.In.Host
	}, ModifyResponse: func(w *http.Response) error {
		if hold := f.answer.Load(); hold != nil {
			(*hold)(w.Request)
		}
		return nil
	}, ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }}
	p.ServeHTTP(w, r)
}

// A double says what a test has it say, by the contract of GET /v1/live.
type double struct {
	mu      sync.Mutex
	streams map[chan string]bool // guarded by mu
	asked   []string             // guarded by mu: queries, the newest last
	lastIDs []string             // guarded by mu
	id      int                  // guarded by mu
	refuse  atomic.Bool
}

func newDouble() *double { return &double{streams: map[chan string]bool{}} }

func (d *double) serve(w http.ResponseWriter, r *http.Request) {
	if d.refuse.Load() {
		panic(http.ErrAbortHandler)
	}
	events := make(chan string, 64)
	d.mu.Lock()
	d.streams[events] = true
	d.asked = append(d.asked, r.URL.RawQuery)
	d.lastIDs = append(d.lastIDs, r.Header.Get("Last-Event-ID"))
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.streams, events)
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	fmt.Fprintf(w, ": hello\n\nevent: hello\nid: %d\ndata: {\"at\":\"2026-11-26T12:00:00Z\",\"resumed\":%t}\n\n", 0, r.Header.Get("Last-Event-ID") != "")
	_ = control.Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case text, open := <-events:
			if !open {
				panic(http.ErrAbortHandler)
			}
			_, _ = fmt.Fprint(w, text)
			_ = control.Flush()
		}
	}
}

// say sends an event to all that listen.
func (d *double) say(event, data string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.id++
	for s := range d.streams {
		s <- fmt.Sprintf("event: %s\nid: %d\ndata: %s\n\n", event, d.id, data)
	}
}

// cut breaks all streams.
func (d *double) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s := range d.streams {
		close(s)
		delete(d.streams, s)
	}
}

// wait waits until so many listen.
func (d *double) wait(ctx context.Context, n int) error {
	for {
		d.mu.Lock()
		have := len(d.streams)
		d.mu.Unlock()
		if have == n {
			return nil
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%d listen, want %d: %w", have, n, err)
		}
	}
}
