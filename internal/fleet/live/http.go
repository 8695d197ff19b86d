package live

import (
	"errors"
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// longest is how long one connection lasts at most. Whoever still listens comes again, and goes on.
const longest = 24 * time.Hour

// Routes are the addresses of this room, which are ours.
func (s *Service) Routes() []door.Route {
	return docs.Tell([]door.Route{
		{Pattern: "GET /v1/live", Action: "thing:watch", Timeout: longest, Do: s.httpLive},
	})
}

func (s *Service) httpLive(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	wish, err := ReadWish(r.URL.Query())
	if err != nil {
		return err
	}
	out := newWriter(w, s.cfg.Patience)
	x, err := s.open(out, r, who, wish)
	if err != nil {
		return err
	}
	defer x.close()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy before us passes on what it gets
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	err = x.serve(r.Context(), r.Header.Get("Last-Event-ID"))
	if !errors.Is(err, errOver) {
		return err
	}
	s.needs.Log.DebugContext(r.Context(), "a live connection ended", "why", err)
	return nil
}
