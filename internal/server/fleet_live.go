package server

import (
	"context"
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/live"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// openLive makes the room of what goes on at this moment.
func (s *Server) openLive() (err error) {
	asked := s.doorNeeds(nil)
	s.live, err = live.New(live.Needs{
		Things: s.things, Dashboards: s.dashboards, Policy: s.policy, Values: &s.things.Changes, Presences: &s.devices.Presences,
		Devices: &s.devices.Changes, Shown: &s.dashboards.Changes, Again: asked.Again,
		Session: func(r *http.Request) string {
			one, _ := s.signin.OfRequest(r) // none has no ID
			return one.ID
		},
		Now: s.world.Now, Log: s.log,
	})
	return err
}

// doorNeeds is what says who comes to the API; done is told of every request.
func (s *Server) doorNeeds(done func(pattern string, status int, took time.Duration)) door.Needs {
	return door.Needs{
		Log: s.log, Now: s.world.Now, Policy: s.policy, Identify: s.tokens.Verify, Session: s.signin.Actor, Enter: s.tokens.Enter, Spaces: s.spaceRates, Done: done,
	}
}

// rightsEnded has those asked again who are connected, and of whom whose says that they may be somebody else now, or nobody.
func (s *Server) rightsEnded(whose func(access.Actor) bool) {
	s.live.Recheck(whose)
	s.dropUsers(whose)
}

// runSessions hangs up on browsers that are signed out, until ctx ends.
func (s *Server) runSessions(ctx context.Context) error {
	ends := s.signin.Ends.Subscribe(256)
	defer ends.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case id := <-ends.C():
			s.live.RecheckSession(id)
		}
		if ends.Lost() > 0 {
			s.live.Recheck(func(access.Actor) bool { return true })
		}
	}
}
