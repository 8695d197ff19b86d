package server

import (
	"context"
	"errors"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// wirePerson is all that an operator sees of a person.
type wirePerson struct {
	wireUser
	Verified  *time.Time       `json:"email_verified_at"`
	Frozen    *time.Time       `json:"frozen_at"`
	Leaving   *time.Time       `json:"erased_at"` // when the account will be; null: it stays
	Further   []string         `json:"further_emails"`
	TOTP      bool             `json:"authenticator_app"`
	Passkeys  int              `json:"passkeys"`
	Codes     int              `json:"recovery_codes"`
	Sessions  int              `json:"sessions"`
	Keys      int              `json:"api_keys"`
	SpaceList []wireMembership `json:"spaces"`
}

type wireMembership struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	Role string `json:"role"`
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// userShow tells of one person.
func (s *Server) userShow(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	out := wirePerson{wireUser: toWireUser(u), Verified: timeOrNull(u.VerifiedAt), Frozen: timeOrNull(u.FrozenAt), Leaving: timeOrNull(u.LeavingAt), Further: []string{}, SpaceList: []wireMembership{}}
	further, err := s.accounts.Further(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	for _, f := range further {
		out.Further = append(out.Further, f.Email)
	}
	have, err := s.factors.Of(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	out.TOTP, out.Passkeys, out.Codes = have.TOTP, len(have.Passkeys), have.RecoveryLeft
	sessions, err := s.signin.Sessions(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	keys, err := s.apikeys.Living(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	out.Sessions, out.Keys = len(sessions), len(keys)
	spaces, err := s.orgs.Of(ctx, u.ID)
	for _, m := range spaces {
		out.SpaceList = append(out.SpaceList, wireMembership{m.ID, m.Name, m.Kind, string(m.Role)})
	}
	return out, err
}

// userFreeze shuts an account until its person sets a new password by mail, or opens it again.
func (s *Server) userFreeze(ctx context.Context, in struct {
	User   string `json:"user"`
	Frozen bool   `json:"frozen"`
}) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	if in.Frozen {
		err = s.accounts.Freeze(ctx, operator, u.ID)
		if err == nil {
			err = s.signin.EndOthers(ctx, operator, u.ID, "")
		}
	} else {
		err = s.accounts.Unfreeze(ctx, operator, u.ID)
	}
	if err != nil {
		return nil, err
	}
	u, err = s.accounts.Get(ctx, u.ID)
	return map[string]any{"id": u.ID, "frozen_at": timeOrNull(u.FrozenAt)}, err
}

// userSessions lists the browsers in which a person is signed in, and ends one or all of them before.
func (s *Server) userSessions(ctx context.Context, in struct {
	User string `json:"user"`
	End  string `json:"end"` // id of a session
	All  bool   `json:"all"`
}) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	if in.End != "" {
		err = s.signin.End(ctx, operator, u.ID, in.End)
	}
	if in.All && err == nil {
		err = s.signin.EndOthers(ctx, operator, u.ID, "")
	}
	if err != nil {
		return nil, err
	}
	all, err := s.signin.Sessions(ctx, u.ID)
	out := make([]map[string]any, 0, len(all))
	for _, one := range all {
		out = append(out, map[string]any{"id": one.ID, "device": one.Device, "address": one.Address, "methods": one.Methods, "since": one.MadeAt, "last_used_at": one.UsedAt})
	}
	return out, err
}

// userReset sends a person the link that sets a new password.
func (s *Server) userReset(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": u.ID, "to": u.Email, "by": s.mail.String(), "minutes": account.LinkReset.Lives().Minutes()}, s.signin.SendReset(ctx, operator, u.ID)
}

// userDelete has a person erased after the days of grace, or takes that back. The person is told by mail.
func (s *Server) userDelete(ctx context.Context, in struct {
	User string `json:"user"`
	Undo bool   `json:"undo"`
}) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	if in.Undo {
		u, err = s.signin.Keep(ctx, operator, u.ID)
	} else {
		u, err = s.signin.Remove(ctx, operator, u.ID)
	}
	if errors.Is(err, errLastAdmin) {
		err = errLastAdmin.With("This person is the only administrator of a shared space: make somebody else its owner, or erase it, first.")
	}
	return map[string]any{"id": u.ID, "erased_at": timeOrNull(u.LeavingAt)}, err
}
