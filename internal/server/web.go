package server

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/ardesia-iot/ardesia/internal/edge"
	"github.com/ardesia-iot/ardesia/web"
)

// pages are what the server shows beside the API: the welcome page, its style,
// the CA to trust, and whether it is alive and ready.
type pages struct {
	wall  *edge.Wall
	place func() web.Place
	ready *atomic.Bool
	check func(ctx context.Context) error // asked by /readyz: data can be read
	// around leads whoever has something better than the welcome page there.
	around func(welcome http.HandlerFunc) http.HandlerFunc
}

// routes are open to anyone.
func (p *pages) routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /{$}":       p.around(p.welcome),
		"GET /style.css": p.style,
		"GET /ca.pem":    p.ca,
		"GET /healthz":   func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "alive") },
		"GET /readyz":    p.readyz,
	}
}

func (p *pages) welcome(w http.ResponseWriter, _ *http.Request) {
	var body bytes.Buffer
	if err := web.Welcome.Execute(&body, p.place()); err != nil {
		plain(w, http.StatusInternalServerError, "the page cannot be made")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	safe(h)
	_, _ = w.Write(body.Bytes())
}

func (p *pages) style(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	safe(w.Header())
	_, _ = w.Write(web.Style())
}

func (p *pages) ca(w http.ResponseWriter, r *http.Request) {
	file := p.wall.CAFile()
	if file == "" {
		plain(w, http.StatusNotFound, "this server's certificate is signed by a public authority")
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	safe(w.Header())
	http.ServeFile(w, r, file)
}

func (p *pages) readyz(w http.ResponseWriter, r *http.Request) {
	if !p.ready.Load() || p.check(r.Context()) != nil {
		plain(w, http.StatusServiceUnavailable, "not ready")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	safe(w.Header())
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

func safe(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Strict-Transport-Security", "max-age=63072000")
}

// reachable is the address that people type for a listener at addr: the server's
// name instead of "every address".
func reachable(host, addr string) string {
	bound, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(bound); ip != nil && ip.IsLoopback() && host == "localhost" {
		return net.JoinHostPort("localhost", port)
	}
	if port == "443" {
		return host
	}
	return net.JoinHostPort(host, port)
}
