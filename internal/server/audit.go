package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// newAudit makes the room of the audit log on open data.
func newAudit(ctx context.Context, cfg Config, d *data, needs audit.Needs) (*audit.Service, error) {
	needs.Store, needs.Journal = audit.SQL(d.core), d.core
	needs.Dir, needs.House, needs.Signer = filepath.Join(cfg.Data, audit.Folder), d.root.Store(), d.ring.Ed25519
	needs.Seal = d.ring.Fixed(audit.LeafKey)
	return audit.New(ctx, needs)
}

// openAudit makes the room of the audit log. It stands above all whose changes it keeps.
func (s *Server) openAudit(ctx context.Context) (err error) {
	s.audit, err = newAudit(ctx, s.cfg, s.data, audit.Needs{There: s.spaceThere, Admin: s.administers, Owner: s.apikeys.Owner, Now: s.world.Now, Log: s.log})
	return err
}

// spaceThere says whether a space is there and not being erased.
func (s *Server) spaceThere(ctx context.Context, space string) (bool, error) {
	_, err := s.orgs.Organization(ctx, space)
	if errors.Is(err, org.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// administers tells in which spaces a person is an administrator now.
func (s *Server) administers(ctx context.Context, user string) ([]string, error) {
	all, err := s.orgs.Of(ctx, user)
	var spaces []string
	for _, m := range all {
		if m.Role == access.Admin {
			spaces = append(spaces, m.ID)
		}
	}
	return spaces, err
}

// refusals are told by rooms below the audit log, which may not know it.
type refusals struct {
	denials *feed.Feed[door.Denial] // set when the API is made
	devices feed.Feed[string]       // what a device that was refused called itself
}

// refuseDevice tells of a device that was not let in. What is not its fault is none.
func (s *Server) refuseDevice(id string, err error) {
	switch problem.Of(err).Kind {
	case problem.Internal, problem.Unavailable:
	default:
		s.refused.devices.Publish(id)
	}
}

// runRefusals counts what is refused, until ctx ends. What a listener's queue could not
// take is counted without a name.
func (s *Server) runRefusals(ctx context.Context) error {
	denials, keys, devices := s.refused.denials.Subscribe(1024), s.apikeys.Refused.Subscribe(1024), s.refused.devices.Subscribe(1024)
	defer denials.Close()
	defer keys.Close()
	defer devices.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d := <-denials.C():
			s.audit.Note(audit.Event{Action: audit.AccessDenied, Actor: d.Who.String(), Space: d.Who.Space, Resource: strings.ToLower(d.Resource.Type), Of: string(d.Action)})
		case k := <-keys.C():
			s.audit.Note(audit.Event{Action: audit.KeyRefused, Space: k.Space, Resource: "apikey", ID: k.Key, Account: k.Account})
		case id := <-devices.C():
			s.audit.Note(s.refusedDevice(ctx, id))
		}
		for _, lost := range []struct {
			action string
			n      int
		}{{audit.AccessDenied, denials.Lost()}, {audit.KeyRefused, keys.Lost()}, {audit.DeviceRefused, devices.Lost()}} {
			s.audit.NoteMany(audit.Event{Action: lost.action}, lost.n)
		}
	}
}

// refusedDevice names the device if there is one: what a stranger calls himself is not kept.
func (s *Server) refusedDevice(ctx context.Context, id string) audit.Event {
	e := audit.Event{Action: audit.DeviceRefused, Resource: "device"}
	if !topic.IsID(id) {
		return e
	}
	r, err := s.devices.Find(ctx, id)
	if err != nil && !errors.Is(err, device.ErrNotFound) {
		s.log.WarnContext(ctx, "a device that was refused could not be looked up", "err", err)
	}
	if err == nil {
		e.ID, e.Space = r.ID, r.Space
	}
	return e
}

// wireShown is an entry with its action in words.
type wireShown struct {
	wireEntry
	Text string `json:"text"`
}

var errTime = problem.New(problem.Invalid, "audit-time", "A time is a date (2027-01-31), a date with a time (2027-01-31T12:00:00Z), or how long ago (36h).")

// auditShow lists entries, the newest first.
func (s *Server) auditShow(ctx context.Context, in struct {
	Since  string `json:"since"`
	Until  string `json:"until"`
	Actor  string `json:"actor"`
	Space  string `json:"space"`
	Action string `json:"action"`
	ID     string `json:"id"`
	Limit  int    `json:"limit"`
}) (any, error) {
	q := journal.Query{Actor: in.Actor, Space: in.Space, Action: in.Action, ID: in.ID, Limit: in.Limit, Newest: true}
	var err error
	if q.Since, err = s.moment(in.Since); err != nil {
		return nil, err
	}
	if q.Until, err = s.moment(in.Until); err != nil {
		return nil, err
	}
	if strings.Contains(in.Actor, "@") {
		u, err := s.accounts.Find(ctx, in.Actor)
		if errors.Is(err, account.ErrNotFound) {
			return nil, err
		} else if err != nil {
			return nil, fmt.Errorf("find the actor: %w", err)
		}
		q.Actor = u.ID
	}
	all, err := s.audit.Show(ctx, q)
	out := make([]wireShown, 0, len(all))
	for _, e := range all {
		out = append(out, wireShown{wireEntry(e), audit.Say(e.Action)})
	}
	return out, err
}

// moment reads a time as people write it; "" is none.
func (s *Server) moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return s.world.Now().Add(-ago), nil
	}
	return time.Time{}, errTime
}

// auditVerify checks the log, the journal, and that both say the same.
func (s *Server) auditVerify(ctx context.Context, in struct {
	Against []byte `json:"against"`
}) (any, error) {
	return s.audit.Verify(ctx, in.Against)
}

// auditCheckpoint is what to keep elsewhere.
func (s *Server) auditCheckpoint(context.Context, none) (any, error) {
	c, key, err := s.audit.Checkpoint()
	return map[string]any{"checkpoint": string(c.Text), "leaves": c.Size, "root": c.Root, "key": key}, err
}

// examineAudit looks at the whole audit log, as doctor asks.
func examineAudit(ctx context.Context, s *audit.Service) Finding {
	const cure = "docs/acts/audit.md; keep a copy of the data directory as it is first"
	r, err := s.Verify(ctx, nil)
	switch {
	case err != nil:
		return Finding{Bad, "The audit log cannot be read: " + err.Error(), restoreIt}
	case len(r.Findings) > 0:
		return Finding{Bad, fmt.Sprintf("The audit log does not prove, %d findings, the first: %s", len(r.Findings)+r.Unreported, r.Findings[0].Text), cure}
	case len(r.Breaks) > 0:
		return Finding{Good, fmt.Sprintf("The audit log of %d leaves proves, with %d noted breaks, the last: %s", r.Size, len(r.Breaks), r.Breaks[len(r.Breaks)-1].Text), ""}
	}
	return Finding{Good, fmt.Sprintf("The audit log of %d leaves proves, and says what the journal says; %d entries are still to be appended.", r.Size, r.Waiting), ""}
}
