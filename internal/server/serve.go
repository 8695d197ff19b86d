package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path"

	"github.com/ardesia-iot/ardesia/internal/edge"
)

// webParts are the HTTP listeners.
func (s *Server) webParts(open *doors, api http.Handler, counts *metrics) map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{}
	serve := func(name string, l net.Listener, h http.Handler) {
		all[name] = func(ctx context.Context) error { return edge.Serve(ctx, l, h, s.log) }
	}
	for _, name := range []string{"https", "wss"} {
		if l := open.open[name]; l != nil {
			serve(name, tls.NewListener(l, s.wall.Web()), api)
		}
	}
	if l := open.open["redirect"]; l != nil {
		serve("redirect", l, edge.Redirect(s.cfg.Host))
	}
	if l := open.open["metrics"]; l != nil {
		serve("metrics", l, counts.handler())
	}
	return all
}

// cleanPath is p as http.ServeMux wants it.
func cleanPath(p string) string {
	if p == "" {
		return "/"
	}
	return path.Clean(p)
}

// greet tells people what to open.
func (s *Server) greet(a Addresses) {
	if s.world.Out == nil {
		return
	}
	p := s.place()
	fmt.Fprintf(s.world.Out, "\nArdesia is running.\n\n  Open             https://%s\n  API              https://%s/iot/v2\n", p.Web, p.Web)
	fmt.Fprintf(s.world.Out, "  Boards           %s (certificate), %s (id and secret key)\n  Live             wss://%s/mqtt\n", p.Cert, p.Secret, p.Live)
	fmt.Fprintf(s.world.Out, "  Data             %s\n", s.cfg.Data)
	if p.Fingerprint != "" {
		fmt.Fprintf(s.world.Out, "  Clients trust    %s\n                   SHA-256 %s\n", s.wall.CAFile(), p.Fingerprint)
	}
	s.greetFirst()
	program := orElse(s.world.Program, "ardesia")
	fmt.Fprintf(s.world.Out, "\n  An account       %s user add --data %s --email you@example.org --name You\n  A key            %s apikey add --data %s --user you@example.org --name laptop\n\n",
		program, s.cfg.Data, program, s.cfg.Data)
}
