package trigger

import (
	"context"
	"crypto/subtle"
	"encoding/base64"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrToken is a link that is not ours, or whose trigger is gone.
var ErrToken = problem.New(problem.NotFound, "unsubscribe-token", "This link is not good, or the trigger is gone: there are no more letters of it.")

const tokenMAC = 16 // bytes

// unsubscribeToken stands for a person and a trigger. It is good as long as the trigger is there, since letters are kept.
func (s *Service) unsubscribeToken(trigger, user string) string {
	t, err1 := uuid.Parse(trigger)
	u, err2 := uuid.Parse(user)
	if err1 != nil || err2 != nil {
		return ""
	}
	b := append(append([]byte(nil), t[:]...), u[:]...)
	return base64.RawURLEncoding.EncodeToString(append(b, s.token(keys.Place(t.String(), u.String()))[:tokenMAC]...))
}

// readToken is what unsubscribeToken was given; ErrToken for anything else.
func (s *Service) readToken(token string) (trigger, user string, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(b) != 32+tokenMAC || base64.RawURLEncoding.EncodeToString(b) != token { // Go skips ends of lines
		return "", "", ErrToken
	}
	trigger, user = uuid.UUID(b[:16]).String(), uuid.UUID(b[16:32]).String()
	if subtle.ConstantTimeCompare(b[32:], s.token(keys.Place(trigger, user))[:tokenMAC]) != 1 {
		return "", "", ErrToken
	}
	return trigger, user, nil
}

func (s *Service) unsubscribeLink(trigger, user string) string {
	token := s.unsubscribeToken(trigger, user)
	if token == "" {
		return ""
	}
	return s.needs.Base() + "/unsubscribe/" + token
}

// Mute says that whoever has a link of a letter wants no more of its trigger, or does again with back. It is repeatable.
func (s *Service) Mute(ctx context.Context, token string, back bool) error {
	trigger, user, err := s.readToken(token)
	if err != nil {
		return err
	}
	err = s.mute(ctx, trigger, user, back)
	if problem.Of(err) != nil && problem.Of(err).Kind == problem.NotFound {
		return ErrToken
	}
	return err
}

// Muted says whether who wants no more of a trigger of the space.
func (s *Service) Muted(ctx context.Context, who access.Actor, trigger string) (bool, error) {
	if err := s.heard(ctx, who, trigger); err != nil {
		return false, err
	}
	all, err := s.needs.Store.muted(ctx, trigger)
	return all[who.ID], err
}

// SetMute says that who wants no more of a trigger of the space, or does again. It is repeatable.
func (s *Service) SetMute(ctx context.Context, who access.Actor, trigger string, muted bool) error {
	if err := s.heard(ctx, who, trigger); err != nil {
		return err
	}
	return s.mute(ctx, trigger, who.ID, !muted)
}

// heard says whether who is a person to whom a trigger may write.
func (s *Service) heard(ctx context.Context, who access.Actor, trigger string) error {
	if who.ID == "" || who.Kind == access.Device {
		return access.ErrDenied
	}
	if !topic.IsID(trigger) {
		return ErrNotFound
	}
	_, err := s.Get(ctx, who, trigger, false)
	return err
}

func (s *Service) mute(ctx context.Context, trigger, user string, back bool) error {
	action := "trigger:mute"
	if back {
		action = "trigger:unmute"
	}
	who := access.Actor{Kind: access.User, ID: user}
	return s.needs.Store.mute(ctx, trigger, user, s.now().UnixMicro(), back, func(space string) journal.Entry {
		return journal.Entry{At: s.now(), Actor: who.String(), Space: space, Action: action, Resource: "trigger", ID: trigger}
	})
}
