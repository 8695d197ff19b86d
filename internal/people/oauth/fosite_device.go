package oauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/ory/fosite"
)

// deviceGrant is RFC 8628, section 3.4, which the library does not have.
type deviceGrant struct{ p *provider }

var (
	errPending  = &fosite.RFC6749Error{ErrorField: "authorization_pending", DescriptionField: "Nobody has answered yet.", CodeField: http.StatusBadRequest}
	errSlowDown = &fosite.RFC6749Error{ErrorField: "slow_down", DescriptionField: "Ask five seconds later than until now.", CodeField: http.StatusBadRequest}
	errExpired  = &fosite.RFC6749Error{ErrorField: "expired_token", DescriptionField: "The device code has expired: begin anew.", CodeField: http.StatusBadRequest}
)

// CanSkipClientAuth never.
func (deviceGrant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest by the grant's name.
func (deviceGrant) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(grantDevice)
}

// HandleTokenEndpointRequest asks what the person has said.
func (g deviceGrant) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if !r.GetClient().GetGrantTypes().Has(grantDevice) {
		return fosite.ErrUnauthorizedClient.WithHint("This client may not use the device grant.")
	}
	s := g.p.s
	hash := sum(r.GetRequestForm().Get("device_code"))
	d, err := s.needs.Store.device(ctx, hash)
	if errors.Is(err, ErrUserCode) || err == nil && (d.client != r.GetClient().GetID() || d.state == deviceUsed) {
		return fosite.ErrInvalidGrant.WithHint("There is no such device code for this client.")
	}
	if err != nil {
		return err
	}
	now := s.needs.Now()
	switch {
	case !now.Before(d.expiresAt):
		return errExpired
	case d.state == deviceDenied:
		return fosite.ErrAccessDenied
	case s.polled([32]byte(hash), now):
		return errSlowDown
	case d.state == deviceWaits:
		return errPending
	}
	grant := Grant{
		ID: uuid.NewString(), Client: d.client, User: d.login.User, Scopes: d.scopes, Offline: slices.Contains(d.scopes, ScopeOffline), Epoch: d.login.Epoch,
		AuthAt: d.login.At, ACR: d.login.ACR, AMR: d.login.AMR, CreatedAt: now, EndsAt: now.Add(refreshLife),
	}
	if err := s.stands(ctx, grant); err != nil && !errors.Is(err, ErrToken) {
		return err
	} else if err != nil {
		return fosite.ErrAccessDenied.WithHint("Whoever agreed may not come in any more.")
	}
	r.SetSession(&session{grant: grant})
	return nil
}

// PopulateTokenEndpointResponse begins the grant.
func (g deviceGrant) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, answer fosite.AccessResponder) error {
	if !g.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	grant := sessionOf(r).grant
	token, _, err := g.p.GenerateAccessToken(ctx, r)
	if err != nil {
		return err
	}
	s := g.p.s
	e := s.entry(person(grant.User), "grant:begin", "grant", grant.ID, map[string]string{"client": grant.Client, "scopes": strings.Join(grant.Scopes, " ")})
	u := &unit{at: s.needs.Now(), claim: sum(r.GetRequestForm().Get("device_code")), begin: &grant, entry: &e}
	if grant.Offline { // there is no browser's session that a shorter one could end with
		next := random()
		u.refresh = g.p.newRefresh(hashOf(next), grant)
		answer.SetExtra("refresh_token", next)
	}
	if err := s.needs.Store.commit(ctx, u); err != nil {
		return err
	}
	answer.SetAccessToken(token)
	return nil
}

// poll is how often a device asks. Each process counts for itself.
type poll struct {
	at    time.Time
	every time.Duration
}

// polled says whether a device asks too often; each time makes it wait longer (RFC 8628, section 3.5).
func (s *Service) polled(hash [32]byte, now time.Time) bool {
	last, known := s.polls.Get(hash)
	next := &poll{at: now, every: pollEvery}
	if known {
		next.every = last.every
	}
	// A clock that ticks a little differently is no haste.
	soon := known && now.Sub(last.at) < last.every-500*time.Millisecond
	if soon {
		next.every += pollEvery
	}
	s.polls.Set(hash, next)
	return soon
}
