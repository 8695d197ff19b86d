package server

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
)

// leaked ends an API key that somebody found and says whose it was.
type leaked func(ctx context.Context, client, secret string) (account string, err error)

func newGuard(ctx context.Context, d *data, cfg Config, log *slog.Logger, now func() time.Time, end leaked) (*guard.Service, error) {
	g, err := guard.New(ctx, guard.Needs{
		Store: guard.SQL(d.core), Keys: d.ring, Log: log, Now: now,
		Config: guard.Config{TokenRate: cfg.TokenRate, Breached: cfg.Breached, Geo: cfg.Geo, ASN: cfg.ASN}, Leaked: end,
	})
	if err != nil {
		return nil, fmt.Errorf("guard against guessing: %w", err)
	}
	return g, nil
}

// behindProxies lets everything behind the door see clients' own addresses.
func (s *Server) behindProxies(next http.Handler) (http.Handler, error) {
	proxies, err := rest.ParseProxies(s.cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("trusted-proxies: %w", err)
	}
	behind := proxies.Behind(next)
	var once sync.Once
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A proxy of the operator's own that nobody named: then one guesser shuts out all who come by it.
		if at := rest.Client(r); len(r.Header["X-Forwarded-For"]) > 0 && (at.IsLoopback() || at.IsPrivate()) && !proxies.Trusts(at) {
			once.Do(func() {
				s.log.Warn("requests come by a proxy that is not trusted, so that all its clients count as one; name it with trusted_proxies", "proxy", at)
			})
		}
		behind.ServeHTTP(w, r)
	}), nil
}

// guardShow lists who is refused or watched.
func (s *Server) guardShow(context.Context, none) (any, error) {
	out := []map[string]any{}
	for _, h := range s.guard.Show() {
		row := map[string]any{"rule": h.Rule, "subject": h.Subject, "count": h.Count, "limit": h.Limit}
		if !h.Until.IsZero() {
			row["refused_until"] = h.Until.Truncate(time.Second)
		}
		out = append(out, row)
	}
	return out, nil
}

// guardEvents lists what was noticed since the start.
func (s *Server) guardEvents(context.Context, none) (any, error) {
	out := []map[string]any{}
	for _, e := range s.guard.Recent() {
		row := map[string]any{"at": e.At.Truncate(time.Second), "kind": e.Kind.String(), "subject": e.Subject}
		for name, text := range map[string]string{"account": e.Account, "client_id": e.Client, "from": e.From, "to": e.To} {
			if text != "" {
				row[name] = text
			}
		}
		for name, n := range map[string]int{"accounts": e.Accounts, "addresses": e.Addresses, "failures": e.Failures} {
			if n != 0 {
				row[name] = n
			}
		}
		out = append(out, row)
	}
	return out, nil
}

var errGuardAddress = problem.New(problem.Invalid, "guard-address", "That is not an IP address.")

func (s *Server) guardLift(ctx context.Context, in struct {
	User     string `json:"user"` // id or e-mail address
	ClientID string `json:"client_id"`
	Address  string `json:"address"`
}) (any, error) {
	l := guard.Lift{Client: in.ClientID}
	if in.User != "" {
		u, err := s.accounts.Find(ctx, in.User)
		if err != nil {
			return nil, err
		}
		l.Account, l.Typed = u.ID, u.Email
	}
	if in.Address != "" {
		var err error
		if l.Addr, err = netip.ParseAddr(in.Address); err != nil {
			return nil, errGuardAddress
		}
	}
	n, err := s.guard.Lift(ctx, operator, l)
	return map[string]any{"lifted": n}, err
}

// examineGuardOf is examineGuard where no server runs.
func examineGuardOf(ctx context.Context, d *data, cfg Config, now func() time.Time) []Finding {
	g, err := newGuard(ctx, d, cfg, slog.New(slog.DiscardHandler), now, nil)
	if err != nil {
		return []Finding{{Bad, "The next start fails: " + err.Error(), "put the file right, or leave the setting out"}}
	}
	return append(examineGuard(g, cfg), closing(g)...)
}

func closing(g *guard.Service) []Finding {
	if err := g.Close(); err != nil {
		return []Finding{{Warn, "A file of the guard against guessing cannot be closed: " + err.Error(), "look at its disk"}}
	}
	return nil
}

// examineGuard is what doctor says about guessing.
func examineGuard(g *guard.Service, cfg Config) []Finding {
	refused := 0
	for _, h := range g.Show() {
		if !h.Until.IsZero() {
			refused++
		}
	}
	all := []Finding{{Good, fmt.Sprintf("Guessing is watched; %d subjects are refused at this moment.", refused), ""}}
	if st := g.Stats(); st.Lost > 0 {
		all = append(all, Finding{Warn, fmt.Sprintf("%d events about guessing did not get into the journal.", st.Lost), "read the server's log; the database may have been away"})
	}
	if g.Owned() {
		all = append(all, Finding{Good, "Guessing from the networks of one owner is looked for, by " + cfg.ASN + ".", ""})
	} else {
		all = append(all, Finding{Good, "Guessing from the networks of one owner is not looked for: there is no table of them (--asn FILE).", ""})
	}
	if g.Located() {
		return append(all, Finding{Good, "Impossible travel is looked for, by " + cfg.Geo + ".", ""})
	}
	return append(all, Finding{Good, "Impossible travel is not looked for: there is no table of addresses (--geo FILE).", ""})
}

// guard has what the room counts.
func (m *metrics) guard(g *guard.Service) {
	counter := func(name, help string, labels prometheus.Labels, read func(guard.Stats) int64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return float64(read(g.Stats())) }))
	}
	var none guard.Stats
	for a := range none.OK {
		act := guard.Act(a).String()
		const help = "Tries of secrets, by what was tried and how it ended."
		counter("guard_try_total", help, prometheus.Labels{"act": act, "result": "ok"}, func(s guard.Stats) int64 { return s.OK[a] })
		counter("guard_try_total", help, prometheus.Labels{"act": act, "result": "failed"}, func(s guard.Stats) int64 { return s.Failed[a] })
		counter("guard_try_total", help, prometheus.Labels{"act": act, "result": "refused"}, func(s guard.Stats) int64 { return s.Refused[a] })
	}
	for k := range none.Events {
		counter("guard_event_total", "Signs of guessing and of strangers, by kind.", prometheus.Labels{"kind": guard.Kind(k).String()}, func(s guard.Stats) int64 { return s.Events[k] })
	}
	counter("guard_block_total", "Accounts and clients that were blocked for an address after too many failures.", nil, func(s guard.Stats) int64 { return s.Blocks })
	counter("guard_event_lost_total", "Events that did not get into the journal.", nil, func(s guard.Stats) int64 { return s.Lost })
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "guard_subject", Help: "Subjects that tries are counted of."}, func() float64 { return float64(g.Stats().Subjects) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "guard_unsaved", Help: "Counts that changed and wait for the disk."}, func() float64 { return float64(g.Stats().Unsaved) }),
	)
}
