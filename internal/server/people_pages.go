package server

import (
	"context"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/post"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
)

// deeds are the entries that concern a person, as the page of activity asks for them.
func (s *Server) deeds(ctx context.Context, who access.Actor, before int64, limit int) ([]signin.Deed, error) {
	all, err := s.audit.Activity(ctx, who, audit.Page{Before: before, Limit: limit})
	out := make([]signin.Deed, 0, len(all))
	for _, e := range all {
		out = append(out, signin.Deed{Number: e.Number, At: e.At, Action: e.Action, By: audit.By(e, who.ID), Actor: e.Actor, Space: e.Space, Resource: e.Resource, ID: e.ID, Detail: e.Detail})
	}
	return out, err
}

// shown is a person as spaces show members, as that person chose.
func (s *Server) shown(ctx context.Context, user string) (org.Person, error) {
	name, email, err := s.accounts.Shown(ctx, user)
	return org.Person{Name: name, Email: email}, err
}

// reads says whether a person has proved to read mail at an address.
func (s *Server) reads(ctx context.Context, user, address string) (bool, error) {
	u, err := s.accounts.Get(ctx, user)
	if err != nil {
		return false, err
	}
	all, err := s.accounts.Further(ctx, user)
	if err != nil {
		return false, err
	}
	return org.SameAddress(u.Email, address) || slices.ContainsFunc(all, func(f account.Further) bool { return org.SameAddress(f.Email, address) }), nil
}

// remind sends a letter that only reminds, unless its person wants none.
func (s *Server) remind(ctx context.Context, l post.Letter) error {
	c, err := s.accounts.Choices(ctx, l.To)
	if err != nil || c.NoReminders && l.Kind.Reminds() {
		return err
	}
	return s.letters.Send(ctx, l)
}

// noticeKey writes to whom a new key acts for.
func (s *Server) noticeKey(ctx context.Context, k apikey.Key) error {
	fields := map[string]string{"key": k.Name}
	if !k.ExpiresAt.IsZero() {
		fields["until"] = k.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return s.signin.Warn(ctx, keyLetter(k), string(post.KeyAdded), k.Account, "", fields)
}

// keysEvery is how late a key whose time is over ends the sessions that it has opened.
const keysEvery = time.Minute

// runKeys ends API keys whose time is over, until ctx ends.
func (s *Server) runKeys(ctx context.Context) error {
	tick := time.NewTicker(keysEvery)
	defer tick.Stop()
	for {
		if err := s.apikeys.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "API keys whose time is over were not ended; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
