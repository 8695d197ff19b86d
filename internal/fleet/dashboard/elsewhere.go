package dashboard

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/picture"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrElsewhere is a picture of another server that cannot be had.
var ErrElsewhere = problem.New(problem.NotFound, "dashboard-picture-elsewhere", "The other server gives no picture there, or may not be asked: the address begins with https://, and in a network of your own, which whoever runs this server has allowed, also with http://.")

const (
	maxElsewhere  = 4 << 20 // bytes of a picture of another server
	maxFar        = 8192    // pixels of its sides
	elsewhereTime = 10 * time.Second
	elsewhereKeep = 60 * time.Second // how long a picture is kept that nobody wants anew
	elsewhereSoon = time.Second      // the soonest that one is asked for anew
	elsewhereAll  = 16               // pictures that are kept
)

// WidgetPicture is the picture that a widget shows by its option url: one of the dashboard, or of another server, which is
// asked by this one, so that browsers ask nobody else. who may see the dashboard.
func (s *Service) WidgetPicture(ctx context.Context, who access.Actor, id, widget string) (Image, error) {
	d, err := s.Get(ctx, who, id)
	if err != nil {
		return Image{}, err
	}
	return s.shownBy(ctx, d, widget)
}

// SharedWidgetPicture is WidgetPicture for whoever has the public link.
func (s *Service) SharedWidgetPicture(ctx context.Context, token, from, widget string) (Image, error) {
	d, err := s.public(ctx, token, from)
	if err != nil {
		return Image{}, err
	}
	return s.shownBy(ctx, d, widget)
}

func (s *Service) shownBy(ctx context.Context, d Dashboard, widget string) (Image, error) {
	w, err := d.widget(widget)
	if err != nil {
		return Image{}, err
	}
	all, err := readOptions(w.Options)
	if err != nil {
		return Image{}, err
	}
	address, _ := all["url"].(string)
	if image, ours := imageOf(d.ID, address); ours {
		return s.open(ctx, d, image)
	}
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return Image{}, ErrNoImage
	}
	keep := elsewhereKeep
	if seconds, ok := numberOf(all["refresh"]); ok && seconds < elsewhereKeep.Seconds() {
		keep = max(elsewhereSoon, time.Duration(seconds*float64(time.Second))*9/10)
	}
	return s.far.get(ctx, d.Space, address, keep)
}

// A gallery keeps the pictures of other servers that were shown last, in memory. However many look, another server is asked
// for one at a time, and not sooner than it is wished.
type gallery struct {
	now func() time.Time
	// ask has clients by the scheme of an address.
	ask map[string]*http.Client

	mu   sync.Mutex
	all  map[string]*hung // guarded by mu; by space and address
	last []string         // guarded by mu; the keys of all, those that were looked at last at the end
}

// A hung picture is one that is kept, or why there is none.
type hung struct {
	mu    sync.Mutex
	image Image     // guarded by mu
	err   error     // guarded by mu
	at    time.Time // guarded by mu; zero before the first answer
}

func newGallery(n Needs) *gallery {
	g := &gallery{now: n.Now, ask: map[string]*http.Client{}, all: map[string]*hung{}}
	for scheme, client := range map[string]*http.Client{"https": n.Web, "http": n.Own} {
		if client != nil {
			g.ask[scheme] = client
		}
	}
	return g
}

func (g *gallery) find(key string) *hung {
	g.mu.Lock()
	defer g.mu.Unlock()
	h, known := g.all[key]
	if !known {
		h = &hung{}
		g.all[key] = h
	}
	g.last = append(slices.DeleteFunc(g.last, func(k string) bool { return k == key }), key)
	if len(g.last) > elsewhereAll {
		delete(g.all, g.last[0])
		g.last = g.last[1:]
	}
	return h
}

func (g *gallery) get(ctx context.Context, space, address string, keep time.Duration) (Image, error) {
	h := g.find(space + " " + address)
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := g.now(); h.at.IsZero() || now.Sub(h.at) >= keep {
		// Who leaves takes the answer from nobody who waits, too.
		asking, stop := context.WithTimeout(context.WithoutCancel(ctx), elsewhereTime)
		defer stop()
		h.image, h.err = g.fetch(asking, address)
		h.at = now
	}
	return h.image, h.err
}

// fetch asks another server. Whatever it answers becomes a picture within the bounds, or ErrElsewhere.
func (g *gallery) fetch(ctx context.Context, address string) (Image, error) {
	u, err := url.Parse(address)
	if err != nil || g.ask[u.Scheme] == nil {
		return Image{}, ErrElsewhere
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Image{}, ErrElsewhere
	}
	r.Header.Set("Accept", imageKinds)
	answer, err := g.ask[u.Scheme].Do(r)
	if err != nil {
		return Image{}, ErrElsewhere
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return Image{}, ErrElsewhere.With(fmt.Sprintf("The other server gives no picture there: it answers %d.", answer.StatusCode))
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxElsewhere+1))
	if err != nil {
		return Image{}, ErrElsewhere
	}
	kind, err := picture.Look(raw, maxElsewhere, maxFar)
	if err != nil {
		return Image{}, ErrElsewhere.With(fmt.Sprintf("What the other server gives there is no PNG, JPEG or WebP picture of at most %d MiB.", maxElsewhere>>20))
	}
	return Image{Kind: kind, Bytes: raw, At: g.now()}, nil
}
