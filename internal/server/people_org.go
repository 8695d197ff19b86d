package server

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// orgNeeds is what the room of spaces gets of those that are made after it.
func (s *Server) orgNeeds() org.Needs {
	d := s.data
	limits, err := org.ParseLimits(s.cfg.Quota)
	if err != nil {
		limits = org.DefaultLimits() // Filled has refused it
	}
	return org.Needs{
		Store: org.SQL(d.core), Keys: d.ring, Now: s.world.Now, Policy: s.policy, Limits: limits, Log: s.log,
		Person: s.shown, Reads: s.reads,
		Level: func(_ context.Context, who access.Actor) (org.Level, error) {
			return map[string]org.Level{"2": org.TwoStep, "3": org.Passkey, "1": org.Password}[who.ACR], nil
		},
		Count: s.countOf,
		Erase: s.disband,
		Invite: func(ctx context.Context, sp org.Space, address, link string) error {
			return s.letters.Send(ctx, post.Letter{Kind: post.Invite, Address: address, Fields: map[string]string{"link": link, "space": sp.Name}})
		},
		Full: func(ctx context.Context, sp org.Space, user string, most int, key string) error {
			return s.letters.Send(ctx, post.Letter{Kind: post.ValuesFull, To: user, Key: key, Fields: map[string]string{"space": sp.Name, "most": strconv.Itoa(most), "when": s.world.Now().UTC().Format(time.RFC3339)}})
		},
		Link: func(token string) string { return s.signin.InvitationPage(token) },
	}
}

func (s *Server) apikeyNeeds() apikey.Needs {
	return apikey.Needs{
		Store: apikey.SQL(s.data.core), Keys: s.data.ring, Now: s.world.Now, Role: s.orgs.Role,
		Admit: func(ctx context.Context, who access.Actor, space string) error {
			if space == "" {
				return s.orgs.AdmitAll(ctx, who)
			}
			return s.orgs.Admit(ctx, who, space)
		},
		Private: func(ctx context.Context, user string) (string, error) {
			u, err := s.accounts.Get(ctx, user)
			return u.Space, err
		},
		Limit: s.limitOf(org.APIKeys),
		Full:  func(used, most int) string { return org.FullText(org.APIKeys, used, most) },
	}
}

// limitOf is how many of a quota a space may have.
func (s *Server) limitOf(q org.Quota) func(context.Context, string) (int, error) {
	return func(ctx context.Context, space string) (int, error) { return s.orgs.Limit(ctx, space, q) }
}

func (s *Server) thingLimits(ctx context.Context, space string) (things, properties int, err error) {
	if things, err = s.orgs.Limit(ctx, space, org.Things); err != nil {
		return 0, 0, err
	}
	properties, err = s.orgs.Limit(ctx, space, org.Properties)
	return things, properties, err
}

// countOf is how much of a quota a space has.
func (s *Server) countOf(ctx context.Context, space string, q org.Quota) (int, error) {
	switch q {
	case org.Devices:
		return s.devices.Count(ctx, space)
	case org.Things:
		return s.things.Count(ctx, space)
	case org.Properties:
		return s.things.CountProperties(ctx, space)
	case org.Dashboards:
		return s.dashboards.Count(ctx, space)
	case org.Storage:
		return s.storageOf(ctx, space)
	case org.Triggers:
		return s.triggers.Count(ctx, space)
	case org.Syncs:
		return s.syncs.Count(ctx, space)
	case org.Notices:
		return s.triggers.Today(ctx, space)
	case org.Requests:
		return s.spaceRates.Used(space), nil
	case org.APIKeys:
		sp, err := s.orgs.Get(ctx, space)
		if err != nil {
			return 0, err
		}
		owner := ""
		if sp.Kind == org.Private {
			owner = sp.Owner
		}
		return s.apikeys.Count(ctx, owner, space)
	}
	return 0, errors.New("nobody counts " + string(q))
}

// disband runs the act of erasing a space, whose name was said twice.
func (s *Server) disband(ctx context.Context, space, name string) (org.Erasure, error) {
	if _, err := s.spaceErase(ctx, wireErase{Space: space, Yes: name}); err != nil {
		return org.Erasure{}, err
	}
	return s.orgs.Erasure(ctx, space)
}

func (s *Server) spaceShow(ctx context.Context, in wireWho) (any, error) {
	sp, err := s.orgs.Get(ctx, in.Space)
	if err != nil {
		return nil, err
	}
	logo, err := s.orgs.HasLogo(ctx, sp.ID)
	return map[string]any{"id": sp.ID, "name": sp.Name, "kind": sp.Kind, "owner": sp.Owner, "offered_to": sp.Heir, "require": sp.Level,
		"keep_days": sp.KeepDays, "logo": logo, "created_at": sp.CreatedAt}, err
}

func (s *Server) spaceRename(ctx context.Context, in wireWho) (any, error) {
	return map[string]any{"id": in.Space, "name": in.Name}, s.orgs.Rename(ctx, operator, in.Space, in.Name)
}

func (s *Server) spaceMembers(ctx context.Context, in wireWho) (any, error) {
	all, err := s.orgs.People(ctx, in.Space)
	out := make([]map[string]any, 0, len(all))
	for _, m := range all {
		out = append(out, map[string]any{"user": m.User, "name": m.Name, "email": m.Email, "role": m.Role, "owner": m.Owner, "since_at": m.SinceAt})
	}
	return out, err
}

func (s *Server) spaceOwner(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	_, err = s.orgs.HandOver(ctx, operator, in.Space, u.ID)
	return map[string]any{"id": in.Space, "owner": u.ID}, err
}

func (s *Server) spaceRequire(ctx context.Context, in struct {
	Space string `json:"space"`
	Level string `json:"level"`
}) (any, error) {
	level, err := org.ParseLevel(in.Level)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": in.Space, "require": level}, s.orgs.Require(ctx, operator, in.Space, level)
}

func (s *Server) spaceQuota(ctx context.Context, in struct {
	Space string `json:"space"`
	Quota string `json:"quota"`
	Most  int    `json:"limit"`
	Back  bool   `json:"default"`
}) (any, error) {
	if err := s.orgs.SetLimit(ctx, operator, in.Space, org.Quota(in.Quota), in.Most, in.Back); err != nil {
		return nil, err
	}
	return s.spaceUsage(ctx, wireWho{Space: in.Space})
}

func (s *Server) spaceUsage(ctx context.Context, in wireWho) (any, error) {
	if _, err := s.orgs.Get(ctx, in.Space); err != nil {
		return nil, err
	}
	all, err := s.orgs.Usage(ctx, in.Space)
	out := make([]map[string]any, 0, len(all))
	for _, u := range all {
		row := map[string]any{"quota": u.Quota, "used": u.Used, "limit": nil, "own": u.Own}
		if u.Most > 0 {
			row["limit"] = u.Most
		}
		out = append(out, row)
	}
	return out, err
}

func wireInvitation(in org.Invitation, link string) map[string]any {
	row := map[string]any{"id": in.ID, "role": in.Role, "email": in.Address, "uses": in.Uses, "expires_at": in.ExpiresAt.Format(time.RFC3339)}
	if link != "" {
		row["link"] = link
	}
	return row
}

func (s *Server) spaceInvite(ctx context.Context, in struct {
	Space string `json:"space"`
	Email string `json:"email"`
	Role  string `json:"role"`
	Uses  int    `json:"uses"`
	Days  int    `json:"days"`
}) (any, error) {
	made, link, err := s.orgs.Invite(ctx, operator, org.Invitation{Space: in.Space, Address: in.Email, Role: access.Role(in.Role), Uses: in.Uses}, in.Days)
	if err != nil {
		return nil, err
	}
	return wireInvitation(made, link), nil
}

func (s *Server) spaceInvites(ctx context.Context, in wireWho) (any, error) {
	all, err := s.orgs.Invitations(ctx, in.Space)
	out := make([]map[string]any, 0, len(all))
	for _, one := range all {
		out = append(out, wireInvitation(one, ""))
	}
	return out, err
}

func (s *Server) spaceUninvite(ctx context.Context, in struct {
	Space string `json:"space"`
	ID    string `json:"invitation"`
}) (any, error) {
	return map[string]any{"id": in.ID}, s.orgs.Uninvite(ctx, operator, in.Space, in.ID)
}

func (s *Server) apikeyEnable(ctx context.Context, in struct {
	ClientID string `json:"client_id"`
	Enabled  bool   `json:"enabled"`
}) (any, error) {
	k, err := s.apikeys.Enable(ctx, operator, in.ClientID, in.Enabled)
	return map[string]any{"client_id": k.ID, "enabled": k.Enabled}, err
}
