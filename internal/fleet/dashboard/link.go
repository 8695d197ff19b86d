package dashboard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrLink is a public link that opens nothing: it never did, was revoked, or has ended.
	ErrLink = problem.New(problem.NotFound, "dashboard-link", "This link opens nothing: it was revoked, or it has ended. Ask whoever gave it to you for another one.")
	// ErrNoLink is a dashboard without a public link.
	ErrNoLink = problem.New(problem.NotFound, "dashboard-no-link", "The dashboard has no public link.")
	// ErrDays is a life that a link cannot have.
	ErrDays = problem.New(problem.Invalid, "invalid-dashboard-link", "A public link lasts 1 to 3650 days, or with 0 until it is revoked.")
	// ErrNoPast is a history that a dashboard does not show.
	ErrNoPast = problem.New(problem.NotFound, "dashboard-no-history", "No chart of this dashboard shows the history of this variable.")
	// ErrSpan is a stretch of time that is too long.
	ErrSpan = problem.New(problem.Invalid, "invalid-dashboard-range", "A range ends after it begins and is at most 366 days long.")
)

const (
	tokenBytes = 32                // 256 random bits
	maxDays    = 3650              // of a link's life
	maxSpan    = 366 * 24 * 3600e9 // of a history, as a time.Duration
	pastBins   = 300               // of a history
	pastSpan   = 24 * 3600e9       // of a history whose beginning is not said
	publicPath = "/v1/shared/"     // and the token
)

// A Link lets everybody look who has it.
type Link struct {
	Dashboard string
	By        string // user ID of who made it
	At        time.Time
	Until     time.Time // zero for as long as it is not revoked
}

// linking is the part of Store about public links.
type linking interface {
	setLink(ctx context.Context, space string, l Link, token []byte, e journal.Entry) error
	link(ctx context.Context, space, dashboard string) (Link, error)
	dropLink(ctx context.Context, space, dashboard string, e journal.Entry) error
	byToken(ctx context.Context, token []byte, now time.Time) (Dashboard, error)
}

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Publish makes the public link of a dashboard, in place of the one that it had. days is how long
// it lasts, 0 until it is revoked. The token is told this once.
func (s *Service) Publish(ctx context.Context, who access.Actor, id string, days int) (l Link, token string, err error) {
	if days < 0 || days > maxDays {
		return l, "", ErrDays
	}
	if _, err := s.own(ctx, who, id); err != nil {
		return l, "", err
	}
	l = Link{Dashboard: id, By: who.ID, At: s.now()}
	if days > 0 {
		l.Until = l.At.AddDate(0, 0, days)
	}
	token = base64.RawURLEncoding.EncodeToString(secret.Random(tokenBytes))
	e := s.entry(who, "dashboard:publish", who.Space, id, map[string]string{"days": strconv.Itoa(days)})
	return l, token, s.needs.Store.setLink(ctx, who.Space, l, tokenHash(token), e)
}

// Link tells of the public link of a dashboard, or ErrNoLink.
func (s *Service) PublicLink(ctx context.Context, who access.Actor, id string) (Link, error) {
	if _, err := s.own(ctx, who, id); err != nil {
		return Link{}, err
	}
	return s.needs.Store.link(ctx, who.Space, id)
}

// Unpublish revokes the public link of a dashboard. There may be none.
func (s *Service) Unpublish(ctx context.Context, who access.Actor, id string) error {
	if _, err := s.own(ctx, who, id); err != nil {
		return err
	}
	return s.needs.Store.dropLink(ctx, who.Space, id, s.entry(who, "dashboard:unpublish", who.Space, id, nil))
}

// A View is what a public link shows. IDs of things and properties are not in it: variables are
// called by Handle.
type View struct {
	Dashboard Dashboard                 // options and variables of its widgets have handles
	Variables map[string]thing.Variable // by handle
}

// public finds what a token opens. from is who looks; for one link and one address, and for one link in
// all, there is a rate.
func (s *Service) public(ctx context.Context, token, from string) (Dashboard, error) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return Dashboard{}, ErrLink
	}
	hash := tokenHash(token)
	d, err := s.needs.Store.byToken(ctx, hash, s.now())
	if err != nil {
		return Dashboard{}, err
	}
	if err := s.views.Take(nil, string(hash)+from); err != nil {
		return Dashboard{}, err
	}
	return d, s.crowd.Take(nil, string(hash))
}

// handles are the names of properties on a public link.
func handles(d *Dashboard) map[string]string {
	to := map[string]string{}
	for i, id := range d.shown() {
		to[id] = "v" + strconv.Itoa(i+1)
	}
	return to
}

// Shared shows what the public link with a token does.
func (s *Service) Shared(ctx context.Context, token, from string) (View, error) {
	d, err := s.public(ctx, token, from)
	if err != nil {
		return View{}, err
	}
	variables, err := s.needs.Things.Variables(ctx, d.Space, d.shown())
	if err != nil {
		return View{}, err
	}
	to := handles(&d)
	things := map[string]string{}
	view := View{Dashboard: d.clone(), Variables: map[string]thing.Variable{}}
	if image, ours := imageOf(d.ID, d.Cover); ours {
		view.Dashboard.Cover = publicPath + token + "/images/" + image
	}
	for id, v := range variables {
		view.Variables[to[id]] = v
		things[v.Thing] = "" // nothing is told of it
	}
	for i := range view.Dashboard.Widgets {
		w := &view.Dashboard.Widgets[i]
		options, err := w.carried(func(text string) (string, bool) {
			if image, ours := imageOf(d.ID, text); ours {
				return publicPath + token + "/images/" + image, true
			}
			text = strings.ToLower(text)
			if h, ok := to[text]; ok {
				return h, true
			}
			h, ok := things[text]
			return h, ok
		})
		if err != nil {
			return View{}, err
		}
		// What else looks like an ID may be one of anything.
		if w.Options, err = encode(rewritten(options, func(text string) (string, bool) { return "", isUUID(strings.ToLower(text)) })); err != nil {
			return View{}, err
		}
		for j, id := range w.Variables {
			w.Variables[j] = to[id]
		}
	}
	return view, nil
}

// Past is the history of a variable that a chart on a public dashboard shows, in at most 300 bins. A
// zero time is now, and a day before the end.
func (s *Service) Past(ctx context.Context, token, from, handle string, begin, end time.Time) (bins []series.Bin, err error) {
	d, err := s.public(ctx, token, from)
	if err != nil {
		return nil, err
	}
	id := ""
	for property, h := range handles(&d) {
		if h == handle {
			id = property
		}
	}
	if id == "" || !slices.ContainsFunc(d.Widgets, func(w Widget) bool {
		k, known := kindOf(w.Type)
		return known && k.history && slices.Contains(w.Variables, id)
	}) {
		return nil, ErrNoPast
	}
	if end.IsZero() {
		end = s.now()
	}
	if begin.IsZero() {
		begin = end.Add(-pastSpan)
	}
	if span := end.Sub(begin); span <= 0 || span > maxSpan {
		return nil, ErrSpan
	}
	variables, err := s.needs.Things.Variables(ctx, d.Space, []string{id})
	if err != nil {
		return nil, err
	}
	v, there := variables[id]
	if !there {
		return nil, ErrNoPast
	}
	return s.needs.Things.Bins(ctx, d.Space, v, begin, end, pastBins)
}

// PublicPath is where the public link with a token leads.
func PublicPath(token string) string { return publicPath + token }
