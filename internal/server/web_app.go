package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/web"
)

// reportRate is how often one address may report what a policy forbade: a page with a fault reports each of its parts.
var reportRate = door.Rate{PerMinute: 60, Burst: 60}

// webApp makes the application that people work in. count is told of reports, by directive.
func (s *Server) webApp(count func(directive string)) (*web.App, error) {
	limit := door.NewLimiter(door.Rate{}, reportRate, s.world.Now)
	return web.NewApp(web.Needs{
		Place: s.place,
		Account: func() string {
			if strings.EqualFold(s.origin(), s.address()) {
				return ""
			}
			return s.origin()
		},
		Limit: func(h http.Header, r *http.Request) error { return limit.Take(h, door.Address(r)) },
		Reports: func(r *http.Request, all []web.Report) {
			for _, one := range all {
				count(one.Directive)
				s.log.WarnContext(r.Context(), "a page tried what its policy forbids", "directive", one.Directive, "page", one.Page, "blocked", one.Blocked, "source", one.Source, "line", one.Line)
			}
		},
		Fail: func(w http.ResponseWriter, r *http.Request, err error) { rest.Fail(s.log, w, r, err) },
	})
}

// atWeb keeps the application off the origin where people type passwords, where that is another: none of its script
// runs there.
func (s *Server) atWeb(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		account, err := url.Parse(s.origin())
		if err == nil && !strings.EqualFold(s.origin(), s.address()) && strings.EqualFold(account.Hostname(), hostOf(r.Host)) {
			safe(w.Header())
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, s.address()+r.URL.RequestURI(), http.StatusTemporaryRedirect)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// inApp leads whoever is signed in from the welcome page to the application.
func (s *Server) inApp(welcome http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if _, in, err := s.signin.Actor(r); in && err == nil {
			safe(w.Header())
			w.Header().Set("Location", "/app/")
			w.WriteHeader(http.StatusSeeOther)
			return
		}
		welcome(w, r)
	}
}

// reports counts what browsers report of the policy of pages.
func (m *metrics) reports() func(directive string) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "web_report_total", Help: "What pages tried and their policy forbade, as browsers report it."}, []string{"directive"})
	for _, d := range web.Directives {
		c.WithLabelValues(d)
	}
	m.registry.MustRegister(c)
	return func(directive string) { c.WithLabelValues(directive).Inc() }
}
