package dashboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrNoPerson is a guest who has no account here.
	ErrNoPerson = problem.New(problem.NotFound, "dashboard-no-person", "Nobody here has this user ID, user name or e-mail address. A guest needs an account on this server.")
	// ErrNoShare is a guest to whom the dashboard is not shared.
	ErrNoShare = problem.New(problem.NotFound, "dashboard-no-share", "The dashboard is not shared with this person.")
	// ErrShare is a share that names nobody, or too many.
	ErrShare = problem.New(problem.Invalid, "invalid-dashboard-share", "Name one to 50 people by user_id or username, which may be an e-mail address.")
	// ErrMay is a right that cannot be given.
	ErrMay = problem.New(problem.Invalid, "invalid-dashboard-access", "A dashboard is shared to read or to write.")
	// ErrTooManyShares is a dashboard that has as many guests as it may have.
	ErrTooManyShares = problem.New(problem.Precondition, "too-many-dashboard-shares", "A dashboard has at most 200 guests. Take it back from somebody first, or make them members of the space.")
	// ErrYourself is a share with oneself.
	ErrYourself = problem.New(problem.Invalid, "dashboard-share-yourself", "This is your own dashboard: there is nothing to share with yourself.")
	// ErrNoRequest is a request that is not there, or was answered.
	ErrNoRequest = problem.New(problem.NotFound, "dashboard-no-request", "This person has not asked to see the dashboard, or was answered already.")
	// ErrMessage is a message that is too long.
	ErrMessage = problem.New(problem.Invalid, "invalid-dashboard-message", "A message has at most 1000 characters.")
)

const (
	maxShares   = 200  // of one dashboard
	maxAtOnce   = 50   // people in one request
	maxMessage  = 1000 // characters
	maxRequests = 100  // that wait at one dashboard; of more the oldest goes
)

// A Share is a dashboard that somebody sees who is no member of its space.
type Share struct {
	Dashboard, Space string
	User             string // the guest
	May              string // access.Read or access.Write
	By               string // user ID of who gave it
	At               time.Time
}

// A Request is somebody who wants to see a dashboard.
type Request struct {
	Dashboard, User string
	Message         string
	At              time.Time
}

// sharing is the part of Store about people who are no members.
type sharing interface {
	shareOf(ctx context.Context, user, dashboard string) (Share, error)     // of a living dashboard; or ErrNotFound
	sharesWith(ctx context.Context, user string) ([]Share, error)           // of living dashboards
	sharesOf(ctx context.Context, space, dashboard string) ([]Share, error) // "" is any of the space
	share(ctx context.Context, all []Share, e []journal.Entry) error
	unshare(ctx context.Context, space, dashboard, user string, e journal.Entry) error
	lends(ctx context.Context, user string, properties []string) (map[string]thing.Loan, error)

	asking
	forget(ctx context.Context, user string) error
}

type asking interface {
	ask(ctx context.Context, dashboard, user string, sealed []byte, e func(space string) journal.Entry) (d Dashboard, fresh bool, err error)
	requests(ctx context.Context, space, dashboard string) ([]requestRow, error)
	refuse(ctx context.Context, space, dashboard, user string, e journal.Entry) error
}

type requestRow struct {
	user   string
	sealed []byte
	at     time.Time
}

// A Guest is whom a dashboard shall be shared with: by ID, or by user name or e-mail address.
type Guest struct{ User, Name string }

// Share lets people see a dashboard who have an account here and are no members of its space: all of
// them or none. With access.Write they may write to what it shows. Who has it gets it as it is said now.
func (s *Service) Share(ctx context.Context, who access.Actor, id string, guests []Guest, may string) error {
	if may == "" {
		may = access.Write
	}
	if may != access.Read && may != access.Write {
		return ErrMay
	}
	if len(guests) == 0 || len(guests) > maxAtOnce {
		return ErrShare
	}
	d, err := s.own(ctx, who, id)
	if err != nil {
		return err
	}
	have, err := s.needs.Store.sharesOf(ctx, who.Space, id)
	if err != nil {
		return err
	}
	had := map[string]bool{}
	for _, one := range have {
		had[one.User] = true
	}
	var all []Share
	var entries []journal.Entry
	for _, g := range guests {
		user, err := s.find(ctx, who, g)
		if err != nil {
			return err
		}
		if user == who.ID {
			return ErrYourself
		}
		all = append(all, Share{Dashboard: id, Space: d.Space, User: user, May: may, By: who.ID, At: s.now()})
		entries = append(entries, s.entry(who, "dashboard:share", d.Space, id, map[string]string{"account": user, "may": may}))
	}
	if err := s.needs.Store.share(ctx, all, entries); err != nil {
		return err
	}
	s.Changes.Publish(Change{Space: d.Space, Dashboard: id, Guests: true})
	for _, one := range all {
		if !had[one.User] {
			s.tell(ctx, Letter{To: one.User, From: who.ID, Dashboard: id, Name: d.Name})
		}
	}
	return nil
}

// own finds a living dashboard of who's space.
func (s *Service) own(ctx context.Context, who access.Actor, id string) (Dashboard, error) {
	if err := ours(who); err != nil {
		return Dashboard{}, err
	}
	d, err := s.needs.Store.find(ctx, who.Space, id)
	if err == nil && d.Deleted() {
		err = ErrNotFound
	}
	return d, err
}

// find finds a guest. Whoever looks for many names that are nobody's must wait: it tells who has an account.
func (s *Service) find(ctx context.Context, who access.Actor, g Guest) (string, error) {
	text := g.User
	if text == "" {
		text = g.Name
	}
	if text == "" || len(text) > 320 { // of an e-mail address; RFC 3696, errata 1690
		return "", ErrShare
	}
	if err := s.guesses.Spent(who.ID); err != nil {
		return "", err
	}
	user, err := s.needs.Find(ctx, text)
	if errors.Is(err, ErrNoPerson) {
		if err := s.guesses.Take(nil, who.ID); err != nil {
			return "", err
		}
	}
	return user, err
}

// tell sends a letter about what is on disk already.
func (s *Service) tell(ctx context.Context, l Letter) {
	err := s.needs.Tell(ctx, l)
	if err == nil {
		return
	}
	level := slog.LevelWarn
	if p := problem.Of(err); p != nil && p.Kind == problem.Limited {
		level = slog.LevelInfo // this person got enough letters for now
	}
	s.needs.Log.Log(ctx, level, "a letter about a dashboard was not written", "dashboard", l.Dashboard, "account", l.To, "err", err)
}

// Shares tells with whom a dashboard of who's space is shared, the first guest first.
func (s *Service) Shares(ctx context.Context, who access.Actor, id string) ([]Share, error) {
	if _, err := s.own(ctx, who, id); err != nil {
		return nil, err
	}
	return s.needs.Store.sharesOf(ctx, who.Space, id)
}

// Unshare takes a dashboard back from a guest. A guest may give it back by themselves.
func (s *Service) Unshare(ctx context.Context, who access.Actor, id, user string) error {
	if err := ours(who); err != nil {
		return err
	}
	_, lent, err := s.reach(ctx, who, id)
	if err != nil {
		return err
	}
	space := who.Space
	if lent != nil {
		if user != who.ID {
			return access.ErrForbidden
		}
		space = lent.Space
	}
	err = s.needs.Store.unshare(ctx, space, id, user, s.entry(who, "dashboard:unshare", space, id, map[string]string{"account": user}))
	if err == nil {
		s.Changes.Publish(Change{Space: space, Dashboard: id, Guests: true})
	}
	return err
}

// lentTo are the dashboards that were shared with who, when who is at home, in the private space.
func (s *Service) lentTo(ctx context.Context, who access.Actor) ([]Dashboard, error) {
	organization, err := s.needs.Organization(ctx, who.Space)
	if err != nil || organization != "" {
		return nil, err
	}
	shares, err := s.needs.Store.sharesWith(ctx, who.ID)
	if err != nil {
		return nil, err
	}
	var all []Dashboard
	for _, one := range shares {
		if one.Space == who.Space {
			continue
		}
		if err := s.lends(ctx, who, one); err != nil {
			if problem.Of(err).Kind == problem.Internal {
				return nil, err
			}
			continue
		}
		d, err := s.needs.Store.find(ctx, one.Space, one.Dashboard)
		if errors.Is(err, ErrNotFound) || errors.Is(err, keys.ErrErased) || err == nil && d.Deleted() {
			continue // gone between the two reads
		}
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// lends says whether who may see what a share gives them now.
func (s *Service) lends(ctx context.Context, who access.Actor, one Share) error {
	if err := s.needs.Admit(ctx, who, one.Space); err != nil {
		return err
	}
	return s.needs.Policy.Allow(who, "dashboard:read", one.resource())
}

func (one Share) resource() access.Resource {
	return access.Resource{Type: "Dashboard", ID: one.Dashboard, Space: one.Space, Guest: one.User, Lent: one.May}
}

// Lent tells which of some properties who may reach because a dashboard shows them that was
// shared with who. The policy has not been asked about them yet.
func (s *Service) Lent(ctx context.Context, who access.Actor, properties []string) (map[string]thing.Loan, error) {
	if who.Kind != access.User && who.Kind != access.APIKey || who.ID == "" || len(properties) == 0 {
		return nil, nil
	}
	loans, err := s.needs.Store.lends(ctx, who.ID, properties)
	if err != nil {
		return nil, fmt.Errorf("properties that are lent to account %s: %w", who.ID, err)
	}
	for id, loan := range loans {
		if err := s.needs.Admit(ctx, who, loan.Space); err != nil {
			if problem.Of(err).Kind == problem.Internal {
				return nil, err
			}
			delete(loans, id)
		}
	}
	return loans, nil
}

// A Showing is what a dashboard shows at a moment.
type Showing struct {
	Space      string            // whose it is
	Properties map[string]string // ID of the thing, by that of its property
}

// Showing tells what a dashboard of who's space shows, or one that was shared with who. The policy has been asked about the
// dashboard, and not about what it shows.
func (s *Service) Showing(ctx context.Context, who access.Actor, id string) (Showing, error) {
	if err := ours(who); err != nil {
		return Showing{}, err
	}
	d, share, err := s.reach(ctx, who, id)
	switch {
	case err != nil:
		return Showing{}, err
	case d.Deleted():
		return Showing{}, ErrNotFound
	case share != nil:
		err = s.lends(ctx, who, *share)
	default:
		err = s.needs.Policy.Allow(who, "dashboard:read", access.Resource{Type: "Dashboard", ID: id, Space: d.Space, Owner: d.Owner})
	}
	if err != nil {
		return Showing{}, err
	}
	variables, err := s.needs.Things.Variables(ctx, d.Space, d.shown())
	if err != nil {
		return Showing{}, err
	}
	out := Showing{Space: d.Space, Properties: make(map[string]string, len(variables))}
	for property, v := range variables {
		out.Properties[property] = v.Thing
	}
	return out, nil
}

// Ask tells the owner of a dashboard that somebody wants to see it. Whether there is such a
// dashboard is not told.
func (s *Service) Ask(ctx context.Context, who access.Actor, id, message string) error {
	if err := ours(who); err != nil {
		return err
	}
	if utf8.RuneCountInString(message) > maxMessage {
		return ErrMessage
	}
	if err := s.asks.Take(nil, who.ID); err != nil {
		return err
	}
	seal, err := s.needs.Keys.Person(ctx, who.ID)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", who.ID, err)
	}
	sealed, err := seal.Seal([]byte(message), messagePlace(id, who.ID))
	if err != nil {
		return err
	}
	d, fresh, err := s.needs.Store.ask(ctx, id, who.ID, sealed, func(space string) journal.Entry {
		return s.entry(who, "dashboard:ask", space, id, map[string]string{"account": who.ID})
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if fresh && d.Owner != who.ID {
		s.tell(ctx, Letter{Asked: true, To: d.Owner, From: who.ID, Dashboard: id, Name: d.Name, Message: message})
	}
	return nil
}

func messagePlace(dashboard, user string) []byte {
	return keys.Place("dashboard_request", "message", dashboard, user)
}

// Requests tells who asked to see a dashboard and was not answered. Sharing answers, and so does Refuse.
func (s *Service) Requests(ctx context.Context, who access.Actor, id string) ([]Request, error) {
	if _, err := s.own(ctx, who, id); err != nil {
		return nil, err
	}
	rows, err := s.needs.Store.requests(ctx, who.Space, id)
	if err != nil {
		return nil, err
	}
	all := make([]Request, 0, len(rows))
	for _, r := range rows {
		seal, err := s.needs.Keys.Person(ctx, r.user)
		if errors.Is(err, keys.ErrErased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		text, err := seal.Open(r.sealed, messagePlace(id, r.user))
		if err != nil {
			return nil, fmt.Errorf("request of account %s for dashboard %s: %w", r.user, id, err)
		}
		all = append(all, Request{Dashboard: id, User: r.user, Message: string(text), At: r.at})
	}
	return all, nil
}

// Refuse answers a request with nothing.
func (s *Service) Refuse(ctx context.Context, who access.Actor, id, user string) error {
	if _, err := s.own(ctx, who, id); err != nil {
		return err
	}
	return s.needs.Store.refuse(ctx, who.Space, id, user, s.entry(who, "dashboard:refuse", who.Space, id, map[string]string{"account": user}))
}

// Forget removes what is left of an account that is erased: shares with it, and its requests.
// Dashboards belong to their spaces, and go with those. It may be repeated.
func (s *Service) Forget(ctx context.Context, user string) error {
	if err := s.needs.Store.forget(ctx, user); err != nil {
		return fmt.Errorf("forget account %s in dashboards: %w", user, err)
	}
	return nil
}
