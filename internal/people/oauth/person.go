package oauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

type clientStore interface {
	addClient(ctx context.Context, c Client, e journal.Entry) error
	client(ctx context.Context, id string) (Client, error) // or ErrClient
	clients(ctx context.Context, space string) ([]Client, error)
	removeClient(ctx context.Context, id string, at time.Time, e journal.Entry) (ended []string, err error) // or ErrClient
}

type requestStore interface {
	addRequest(ctx context.Context, r waiting) error
	request(ctx context.Context, hash []byte) (waiting, error) // or ErrAsked
	takeRequest(ctx context.Context, hash []byte) error        // or ErrAsked: for one caller only
	answer(ctx context.Context, hash []byte, answer string, c Consent, user string, e journal.Entry) error
	consents(ctx context.Context, user string) ([]Consent, error) // with the client's id alone
	withdraw(ctx context.Context, user, client string, at time.Time, e journal.Entry) (ended []string, err error)
}

type grantStore interface {
	grant(ctx context.Context, id string) (Grant, error)              // or errNoGrant
	code(ctx context.Context, hash []byte) (code, Grant, error)       // or errNoGrant
	refresh(ctx context.Context, hash []byte) (refresh, Grant, error) // or errNoGrant
	commit(ctx context.Context, u *unit) error                        // or errUsed
	end(ctx context.Context, which ending, at time.Time, entry func(g Grant) journal.Entry) ([]Grant, error)
}

type deviceStore interface {
	addDevice(ctx context.Context, d deviceCode) error
	device(ctx context.Context, hash []byte) (deviceCode, error)       // or ErrUserCode
	deviceByUser(ctx context.Context, hash []byte) (deviceCode, error) // or ErrUserCode
	answerDevice(ctx context.Context, userHash []byte, state string, l Login, e journal.Entry) error
}

var (
	errNoGrant = errors.New("no such code, token or grant")
	errUsed    = errors.New("somebody was faster")
)

// waiting is a request that was pushed, or waits for consent.
type waiting struct {
	hash      []byte
	client    string
	pushed    bool
	form      []byte // sealed
	user      string // who is asked
	answer    string
	createdAt time.Time // when the browser came with it
	expiresAt time.Time
}

const (
	answerYes = "yes"
	answerNo  = "no"
)

type code struct {
	hash      []byte
	grant     string
	redirect  string
	challenge string
	nonce     string
	expiresAt time.Time
	usedAt    time.Time
}

type refresh struct {
	hash      []byte
	grant     string
	expiresAt time.Time
	usedAt    time.Time
}

// States of a device that waits.
const (
	deviceWaits  = "waits"
	deviceAgreed = "agreed"
	deviceDenied = "denied"
	deviceUsed   = "used"
)

type deviceCode struct {
	hash, userHash []byte
	client         string
	scopes         []string
	state          string
	login          Login // of who agreed
	expiresAt      time.Time
}

// An ending says which grants end: one, or those that live with a browser's session.
type ending struct{ grant, session string }

// random is what codes and tokens are: 43 letters, 256 bits.
func random() string { return secret.Letters(43) }

func sum(text string) []byte {
	h := sha256.Sum256([]byte(text))
	return h[:]
}

func (s *Service) entry(who access.Actor, action, resource, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: who.Space, Action: action, Resource: resource, ID: id, Detail: detail}
}

func person(user string) access.Actor { return access.Actor{Kind: access.User, ID: user} }

// client finds a program by id: ours, or one that is registered.
func (s *Service) client(ctx context.Context, id string) (Client, error) {
	if c, ok := s.known1st[id]; ok {
		for _, list := range []*[]string{&c.Redirects, &c.Logouts} {
			*list = slices.Clone(*list)
			for i, text := range *list {
				if strings.HasPrefix(text, "/") {
					(*list)[i] = s.needs.Origin() + text
				}
			}
		}
		return c, nil
	}
	if len(id) > maxClient || id == "" || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Client{}, ErrClient // none that we gave; an engine may not even take it
	}
	return s.listed.Get(id, func() (Client, error) { return s.needs.Store.client(ctx, id) })
}

// AddClient registers a program. One with a secret gets it in the answer, and nowhere else.
func (s *Service) AddClient(ctx context.Context, who access.Actor, c Client, public bool) (Client, secret.String, error) {
	c.ID, c.First, c.CreatedAt, c.Secret = uuid.NewString(), false, s.needs.Now().UTC().Truncate(time.Microsecond), nil
	if len(c.Scopes) == 0 {
		c.Scopes = Scopes()
	}
	text := ""
	if !public {
		text = random()
		c.Secret = sum(text)
	}
	if err := c.check(); err != nil {
		return Client{}, secret.String{}, err
	}
	if err := s.needs.Store.addClient(ctx, c, s.entry(who, "client:create", "client", c.ID, nil)); err != nil {
		return Client{}, secret.String{}, err
	}
	return c, secret.New(text), nil
}

// Clients lists the registered programs of a space, "" for the house's, the oldest first.
func (s *Service) Clients(ctx context.Context, space string) ([]Client, error) {
	all, err := s.needs.Store.clients(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("list clients: %w", err)
	}
	return all, nil
}

// RemoveClient ends a registered program and all that it was given.
func (s *Service) RemoveClient(ctx context.Context, who access.Actor, id string) error {
	ended, err := s.needs.Store.removeClient(ctx, id, s.needs.Now(), s.entry(who, "client:delete", "client", id, nil))
	s.listed.Changed()
	s.tell(ended)
	return err
}

// stands says whether what came of a grant still counts, or ErrToken. Any other error is of who could not be asked.
func (s *Service) stands(ctx context.Context, g Grant) error {
	now := s.needs.Now()
	if !g.EndedAt.IsZero() || !now.Before(g.EndsAt) {
		return ErrToken
	}
	if err := s.unchanged(ctx, g.User, g.Epoch); err != nil {
		return err
	}
	b := s.browser.Load()
	if b == nil || g.Offline || g.Session == "" {
		return nil
	}
	ended, err := b.Ended(ctx, g.Session)
	if err == nil && ended {
		err = ErrToken
	}
	return err
}

// unchanged says whether a person still may come in by what they were given at epoch, or ErrToken. Any other
// error is of who could not be asked, and says nothing about the person.
func (s *Service) unchanged(ctx context.Context, user string, epoch int64) error {
	_, now, err := s.needs.Standing(ctx, user)
	if kind := problem.Of(err); err != nil && (kind.Kind == problem.Internal || kind.Kind == problem.Unavailable) {
		return fmt.Errorf("standing of account %s: %w", user, err)
	}
	if err != nil || now != epoch {
		return ErrToken
	}
	return nil
}

// end ends grants, whose tokens count no more from then on.
func (s *Service) end(ctx context.Context, who access.Actor, which ending, why string) ([]Grant, error) {
	ended, err := s.needs.Store.end(ctx, which, s.needs.Now(), func(g Grant) journal.Entry {
		return s.entry(who, "grant:end", "grant", g.ID, map[string]string{"client": g.Client, "user": g.User, "why": why})
	})
	if err != nil {
		return nil, fmt.Errorf("end grants: %w", err)
	}
	ids := make([]string, 0, len(ended))
	for _, g := range ended {
		ids = append(ids, g.ID)
	}
	s.tell(ids)
	return ended, nil
}

// tell makes known that grants have ended, here at once.
func (s *Service) tell(ended []string) {
	s.known.Clear()
	for _, id := range ended {
		s.Ended.Publish(id)
	}
}

// replayed ends all that came of a code or a refresh token that was used a second time.
func (s *Service) replayed(ctx context.Context, g Grant) error {
	ended, err := s.end(ctx, access.Actor{Kind: access.System}, ending{grant: g.ID}, "replay")
	for _, g := range ended {
		s.Replayed.Publish(g)
	}
	return err
}

// SessionEnded ends what lives with a browser's session, and has programs told. It is repeatable.
func (s *Service) SessionEnded(ctx context.Context, session string) error {
	if session == "" {
		return nil
	}
	_, err := s.end(ctx, access.Actor{Kind: access.System}, ending{session: session}, "session")
	now := s.needs.Now()
	if err := s.needs.Store.ended(ctx, session, now, now.Add(logoutTries)); err != nil {
		return fmt.Errorf("have programs told of a session's end: %w", err)
	}
	select {
	case s.logouts <- struct{}{}:
	default: // there is a word already
	}
	return err
}

// Forget removes all that is kept of a person, but for the ids with which programs are told that
// the person's sessions have ended: those go within a day. It is repeatable.
func (s *Service) Forget(ctx context.Context, user string) error {
	defer s.known.Clear()
	if err := s.needs.Store.forget(ctx, user, s.needs.Now(), s.needs.Now().Add(logoutTries)); err != nil {
		return fmt.Errorf("forget grants of account %s: %w", user, err)
	}
	return nil
}

// kept is how long what has ended stays, so that a late replay is still seen.
const kept = 24 * time.Hour

func (s *Service) sweep(ctx context.Context) error {
	if err := s.needs.Store.sweep(ctx, s.needs.Now().Add(-kept)); err != nil {
		return fmt.Errorf("remove what has ended: %w", err)
	}
	return nil
}

// waits finds a request that waits for user's consent. hash is that of its id.
func (s *Service) waits(ctx context.Context, user, id string) (waiting, form, error) {
	r, err := s.needs.Store.request(ctx, sum(id))
	if err != nil {
		return waiting{}, nil, err
	}
	if r.pushed || r.user != user || user == "" || !s.needs.Now().Before(r.expiresAt) {
		return waiting{}, nil, ErrAsked
	}
	f, err := s.openForm(r.form, r.hash)
	return r, f, err
}

func formPlace(hash []byte) []byte {
	return keys.Place("oauth_request", "form", fmt.Sprintf("%x", hash))
}

// Asked is what the consent page shows for a request that user was sent there with.
func (s *Service) Asked(ctx context.Context, user, id string) (Request, error) {
	r, f, err := s.waits(ctx, user, id)
	if err != nil {
		return Request{}, err
	}
	c, err := s.client(ctx, r.client)
	if err != nil {
		return Request{}, err
	}
	return Request{Client: c, Scopes: words(f.Get("scope"))}, nil
}

// Consent keeps what user said to a request and returns where the browser goes on. A
// yes is remembered: the same is not asked again.
func (s *Service) Consent(ctx context.Context, user, id string, agreed bool) (returnTo string, err error) {
	r, f, err := s.waits(ctx, user, id)
	if err != nil {
		return "", err
	}
	c, err := s.client(ctx, r.client)
	if err != nil {
		return "", err
	}
	answer, action := answerNo, "consent:deny"
	if agreed {
		answer, action = answerYes, "consent:give"
	}
	scopes := words(f.Get("scope"))
	before, err := s.consent(ctx, user, r.client)
	if err != nil {
		return "", err
	}
	for _, scope := range before.Scopes {
		if !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	e := s.entry(person(user), action, "client", c.ID, map[string]string{"scopes": f.Get("scope")})
	if err := s.needs.Store.answer(ctx, r.hash, answer, Consent{Client: c, Scopes: scopes, Since: s.needs.Now()}, user, e); err != nil {
		return "", err
	}
	return pathAuthorize + "?waiting=" + id, nil
}

// consent is what user has agreed to for a client; the zero Consent is nothing.
func (s *Service) consent(ctx context.Context, user, client string) (Consent, error) {
	all, err := s.needs.Store.consents(ctx, user)
	if err != nil {
		return Consent{}, fmt.Errorf("consents of account %s: %w", user, err)
	}
	for _, c := range all {
		if c.Client.ID == client {
			return c, nil
		}
	}
	return Consent{}, nil
}

// Consents lists what a person has agreed to, the oldest first.
func (s *Service) Consents(ctx context.Context, user string) ([]Consent, error) {
	all, err := s.needs.Store.consents(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("consents of account %s: %w", user, err)
	}
	for i, c := range all {
		if all[i].Client, err = s.client(ctx, c.Client.ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Withdraw takes a consent back, and ends all that the client was given by it. It is repeatable.
func (s *Service) Withdraw(ctx context.Context, who access.Actor, user, client string) error {
	e := s.entry(who, "consent:withdraw", "client", client, map[string]string{"user": user})
	ended, err := s.needs.Store.withdraw(ctx, user, client, s.needs.Now(), e)
	if err != nil {
		return fmt.Errorf("withdraw a consent of account %s: %w", user, err)
	}
	s.tell(ended)
	return nil
}

func (s *Service) byUserCode(ctx context.Context, userCode string) (deviceCode, error) {
	plain, ok := plainUserCode(userCode)
	if !ok {
		return deviceCode{}, ErrUserCode
	}
	d, err := s.needs.Store.deviceByUser(ctx, sum(plain))
	if err != nil {
		return deviceCode{}, err
	}
	if d.state != deviceWaits || !s.needs.Now().Before(d.expiresAt) {
		return deviceCode{}, ErrUserCode
	}
	return d, nil
}

// Pending is what a device asks for that shows userCode, or ErrUserCode. Whoever calls
// bounds how often a person may guess.
func (s *Service) Pending(ctx context.Context, userCode string) (Request, error) {
	d, err := s.byUserCode(ctx, userCode)
	if err != nil {
		return Request{}, err
	}
	c, err := s.client(ctx, d.client)
	if err != nil {
		return Request{}, err
	}
	return Request{Client: c, Scopes: d.scopes}, nil
}

// Approve lets the device that shows userCode act for who.
func (s *Service) Approve(ctx context.Context, who Login, userCode string) error {
	return s.answerDevice(ctx, who, userCode, deviceAgreed, "device-code:approve")
}

// Deny sends the device that shows userCode away.
func (s *Service) Deny(ctx context.Context, who Login, userCode string) error {
	return s.answerDevice(ctx, who, userCode, deviceDenied, "device-code:deny")
}

func (s *Service) answerDevice(ctx context.Context, who Login, userCode, state, action string) error {
	if who.User == "" {
		return ErrToken
	}
	d, err := s.byUserCode(ctx, userCode)
	if err != nil {
		return err
	}
	e := s.entry(person(who.User), action, "client", d.client, map[string]string{"scopes": strings.Join(d.scopes, " ")})
	return s.needs.Store.answerDevice(ctx, d.userHash, state, who, e)
}
