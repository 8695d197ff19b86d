package door

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrToken is a request without a bearer token, or with one that is no longer
	// good. Clients wait for exactly 401 to fetch a new one.
	ErrToken = problem.New(problem.Unauthenticated, "unauthenticated", "This needs a valid access token.")
	// ErrRoute is an address that does not exist.
	ErrRoute = problem.New(problem.NotFound, "no-such-route", "There is nothing at this address.")
	// ErrAddress is an address that cannot be read.
	ErrAddress = problem.New(problem.Invalid, "invalid-address", "The request's path or query has characters that cannot be used.")
	// ErrTwoSpaces is a request whose header and address name different spaces.
	ErrTwoSpaces = problem.New(problem.Invalid, "two-spaces", "X-Organization names another space than the address does: leave the header out.")
	// ErrSlow is a request that took longer than its route allows.
	ErrSlow = problem.New(problem.Unavailable, "too-slow", "This took too long. Try again later.")
)

// Config is what an operator may set.
type Config struct {
	Origins   []string // of browser apps that may call the API; "*" for any; default none
	KeyRate   Rate     // of one API key or signed-in user; default 600 per minute, 100 at once
	OpenRate  Rate     // of one address on routes that are open to anyone; default 3,000 per minute
	GuessRate Rate     // of requests without a good token from one address; default 600 per minute
}

// Needs are what a Door is made of. Now, Log, Policy, Identify and Enter must be there.
type Needs struct {
	Log    *slog.Logger
	Now    func() time.Time
	Policy *access.Policy
	// Identify says who brings a bearer token; anything but a good one is ErrToken
	// or another problem of kind Unauthenticated.
	Identify func(ctx context.Context, token string) (access.Actor, error)
	// Session says who sends a request without a bearer token by a browser's session, and
	// whether it is somebody; it refuses what another origin makes a browser send. It may
	// be nil: then cookies mean nothing.
	Session func(r *http.Request) (who access.Actor, ok bool, err error)
	// Enter takes the actor into the space that X-Organization names, or into its
	// own when organization is "", and sets Space and Role.
	Enter func(ctx context.Context, who access.Actor, organization string) (access.Actor, error)
	// Spaces limits how often a space is asked; nil is without limit.
	Spaces *Spaces
	// Done is told of every request, for metrics; it may be nil. pattern is "" where
	// there is no route.
	Done func(pattern string, status int, took time.Duration)
}

// A Denial is a request that the policy refused.
type Denial struct {
	At       time.Time
	Who      access.Actor
	Action   access.Action
	Resource access.Resource
	Address  string // who.Kind says nothing about where from
}

// A Door admits requests to routes.
type Door struct {
	cfg   Config
	needs Needs
	cors  cors
	keys  *Limiter
	open  *Limiter
	guess *Limiter

	Denials feed.Feed[Denial]
}

// New checks cfg and makes a Door.
func New(cfg Config, needs Needs) (*Door, error) {
	if needs.Log == nil || needs.Now == nil || needs.Policy == nil || needs.Identify == nil || needs.Enter == nil {
		return nil, errors.New("a door needs Log, Now, Policy, Identify and Enter")
	}
	if needs.Done == nil {
		needs.Done = func(string, int, time.Duration) {}
	}
	c, err := newCORS(cfg.Origins)
	if err != nil {
		return nil, err
	}
	return &Door{
		cfg: cfg, needs: needs, cors: c,
		// security.md §5.3: API 600 per minute and key, 100 at once.
		keys:  newLimiter("key", cfg.KeyRate, Rate{PerMinute: 600, Burst: 100}, needs.Now),
		open:  newLimiter("address", cfg.OpenRate, Rate{PerMinute: 3000}, needs.Now),
		guess: newLimiter("failures", cfg.GuessRate, Rate{PerMinute: 600}, needs.Now),
	}, nil
}

// Handler serves routes and nothing else. Its error says which declaration is wrong.
func (d *Door) Handler(routes []Route) (http.Handler, error) {
	mux := http.NewServeMux()
	for _, route := range routes {
		b, err := d.bind(route)
		if err != nil {
			return nil, err
		}
		if err := register(mux, b); err != nil {
			return nil, err
		}
	}
	return &house{door: d, mux: mux}, nil
}

func register(mux *http.ServeMux, b *bound) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("route %q: %v", b.route.Pattern, r)
		}
	}()
	mux.Handle(b.pattern, b)
	return nil
}

// house is everything behind one Door.
type house struct {
	door *Door
	mux  *http.ServeMux
}

// ServeHTTP does what holds for all routes, and finds the one that is asked for.
func (h *house) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	d := h.door
	start := d.needs.Now()
	w := &reply{ResponseWriter: out}
	id := rand.Text()
	r = r.WithContext(rest.WithRequestID(r.Context(), id))
	header := w.Header()
	header.Set("X-Request-Id", id)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "no-store")
	d.cors.admit(header, r)

	pattern := ""
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			d.needs.Log.ErrorContext(r.Context(), "request panicked", "route", pattern, "id", id, "panic", p, "stack", string(debug.Stack()))
			if w.status != 0 {
				panic(http.ErrAbortHandler) // half an answer must not look like a whole one
			}
			// Fail would log it a second time.
			rest.Fail(slog.New(slog.DiscardHandler), w, r, fmt.Errorf("panic: %v", p))
		}
		d.needs.Done(pattern, w.status, d.needs.Now().Sub(start))
	}()

	if preflight(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	clean, err := tidy(r.URL)
	if err != nil {
		rest.Fail(d.needs.Log, w, r, err)
		return
	}
	r.URL = clean
	handler, found := h.mux.Handler(r)
	if found == "" {
		h.unknown(w, r, handler)
		return
	}
	pattern = found
	h.mux.ServeHTTP(w, r)
}

// unknown answers where there is no route: 405 when only the method is wrong, with
// an empty body, because clients choke on the plain text of net/http.
func (h *house) unknown(w http.ResponseWriter, r *http.Request, fallback http.Handler) {
	probe := &probe{header: make(http.Header)}
	fallback.ServeHTTP(probe, r)
	if allow := probe.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	rest.Fail(h.door.needs.Log, w, r, ErrRoute)
}

// tidy makes the path what routes are declared for: clients configured with a
// final slash send "//iot/v1", those with an old base path "/iot/iot/v2", and some
// addresses end in a slash.
func tidy(u *url.URL) (*url.URL, error) {
	p := u.EscapedPath()
	query, err := url.QueryUnescape(u.RawQuery)
	if err != nil || !clean(u.Path) || !clean(query) {
		return nil, ErrAddress
	}
	for strings.Contains(p, "//") {
		p = strings.ReplaceAll(p, "//", "/")
	}
	if len(p) > 1 {
		p = strings.TrimSuffix(p, "/")
	}
	if rest, ok := strings.CutPrefix(p, "/iot/iot/"); ok {
		p = "/iot/" + rest
	}
	if !strings.HasPrefix(p, "/") || path.Clean(p) != p {
		return nil, ErrRoute // dot segments; net/http would redirect
	}
	plain, err := url.PathUnescape(p)
	if err != nil {
		return nil, ErrAddress
	}
	c := *u
	c.Path, c.RawPath = plain, p
	return &c, nil
}

// clean text can be stored and compared: it is UTF-8 and has no control characters.
func clean(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}

// A bound is a route that its door guards.
type bound struct {
	door    *Door
	route   Route
	pattern string // as registered
	schema  *Schema
}

func (d *Door) bind(route Route) (*bound, error) {
	if err := route.check(); err != nil {
		return nil, err
	}
	if route.MaxBody == 0 {
		route.MaxBody = DefaultBody
	}
	if route.Timeout == 0 {
		route.Timeout = DefaultTimeout
	}
	if route.Resource == nil {
		route.Resource = SpaceOf
	}
	b := &bound{door: d, route: route, pattern: route.registered()}
	if route.In != nil {
		var err error
		if b.schema, err = SchemaOf(route.In); err != nil {
			return nil, fmt.Errorf("route %q: %w", route.Pattern, err)
		}
	}
	return b, nil
}

// ServeHTTP runs the route within its bounds and answers with its error.
func (b *bound) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), b.route.Timeout)
	defer cancel()
	control := http.NewResponseController(w) // not every writer has deadlines
	// A context does not wake a handler that reads a body which does not come; a
	// deadline in the past does.
	wake := time.AfterFunc(b.route.Timeout, func() { _ = control.SetReadDeadline(time.Unix(1, 0)) })
	defer wake.Stop()
	if b.route.Timeout > DefaultTimeout {
		// The server's own deadlines are for short requests: they would end this one, and keep its answer from being written.
		_, _ = control.SetReadDeadline(time.Time{}), control.SetWriteDeadline(time.Time{})
		cut := time.AfterFunc(b.route.Timeout+answerTime, func() { _ = control.SetWriteDeadline(time.Unix(1, 0)) })
		defer func() {
			cut.Stop()
			if wake.Stop() && r.ContentLength != 0 {
				_ = control.SetReadDeadline(b.door.needs.Now().Add(answerTime)) // for what nobody has read of the body
			}
		}()
	}
	r = r.WithContext(ctx)
	r.Body = http.MaxBytesReader(w, r.Body, b.route.MaxBody)
	if err := b.serve(w, r); err != nil {
		b.fail(w, r, err)
	}
}

func (b *bound) fail(w http.ResponseWriter, r *http.Request, err error) {
	log := b.door.needs.Log
	ours := problem.Of(err).Kind == problem.Internal
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), ours && errors.Is(r.Context().Err(), context.DeadlineExceeded):
		err = ErrSlow.After(10 * time.Second)
	case ours && r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // the client has gone away; nobody reads an answer
	}
	if started, ok := w.(*reply); ok && started.status != 0 {
		log.ErrorContext(r.Context(), "answer broken off", "route", b.route.Pattern, "id", rest.RequestID(r.Context()), "err", err)
		panic(http.ErrAbortHandler)
	}
	if problem.Of(err).Kind == problem.Unauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer") // unless its room says more: RFC 9110, section 11.6.1
	}
	rest.Fail(log, w, r, err)
}

// serve is the order in which a request is looked at: who, how often, where,
// of what, whether, and only then what it says.
func (b *bound) serve(w http.ResponseWriter, r *http.Request) error {
	d := b.door
	who := access.Actor{Request: rest.RequestID(r.Context())}
	if b.route.Open {
		if err := d.open.Take(w.Header(), Address(r)); err != nil {
			return err
		}
	} else {
		var err error
		if who, err = d.authenticate(w, r, b.route.Space); err != nil {
			return err
		}
		resource, err := b.route.Resource(r, who)
		if err != nil {
			return err
		}
		if err := d.needs.Policy.Allow(who, b.route.Action, resource); err != nil {
			d.Denials.Publish(Denial{At: d.needs.Now(), Who: who, Action: b.route.Action, Resource: resource, Address: Address(r)})
			return err
		}
	}
	if b.schema != nil {
		if err := b.readBody(r); err != nil {
			return err
		}
	}
	return b.route.Do(w, r, who)
}

func (d *Door) authenticate(w http.ResponseWriter, r *http.Request, space string) (access.Actor, error) {
	who, err := d.needs.identify(r)
	if err != nil {
		// Only failures count, so that one guesser does not lock out the good
		// tokens behind the same address.
		if problem.Of(err).Kind == problem.Unauthenticated {
			if err := d.guess.Take(w.Header(), Address(r)); err != nil {
				return who, err
			}
		}
		return who, err
	}
	subject := who.Client
	if subject == "" {
		subject = who.ID
	}
	if err := d.keys.Take(w.Header(), subject); err != nil {
		return who, err
	}
	who.Request = rest.RequestID(r.Context())
	if who, err = d.needs.enter(r, who, space); err != nil || d.needs.Spaces == nil {
		return who, err
	}
	return who, d.needs.Spaces.Take(r.Context(), w.Header(), who.Space)
}

// identify says who sends r, in no space yet.
func (n *Needs) identify(r *http.Request) (access.Actor, error) {
	if token, ok := bearer(r); ok {
		return n.Identify(r.Context(), token)
	}
	if r.Header.Get("Authorization") != "" || n.Session == nil {
		return access.Actor{}, ErrToken // a request that brings a token never counts by its cookie
	}
	who, known, err := n.Session(r)
	if err == nil && !known {
		err = ErrToken
	}
	return who, err
}

// enter takes who into the space that r asks for; space is the wildcard that names one, or "".
func (n *Needs) enter(r *http.Request, who access.Actor, space string) (access.Actor, error) {
	organization := Organization(r)
	if space != "" {
		named := strings.ToLower(r.PathValue(space))
		if organization != "" && organization != named {
			return who, ErrTwoSpaces
		}
		organization = named
	}
	return n.Enter(r.Context(), who, organization)
}

// Again says who sends r and in which space, as a Door asks when it comes, and counts nothing: for answers that go on for
// long, since what was so at their beginning may have ended.
func (n *Needs) Again(r *http.Request) (access.Actor, error) {
	who, err := n.identify(r)
	if err != nil {
		return who, err
	}
	return n.enter(r, who, "")
}

// Organization is the space that r's header names, "" for none. IDs of spaces are in
// lower case, which not every program writes.
func Organization(r *http.Request) string {
	return strings.ToLower(strings.TrimSpace(r.Header.Get("X-Organization")))
}

// maxToken is how long a bearer token may be; ours have about 500 bytes.
const maxToken = 4096

func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "bearer") && token != "" && len(token) <= maxToken
}

// readBody checks the body and puts it back for the handler.
func (b *bound) readBody(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return rest.ErrTooLarge.With(fmt.Sprintf("The request's body is larger than the %d bytes that this route accepts.", tooLarge.Limit))
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return rest.ErrBody.With("The request's body ended too early.")
		}
		return fmt.Errorf("read body: %w", err)
	}
	if err := b.schema.Check(body); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// A reply remembers whether an answer was begun.
type reply struct {
	http.ResponseWriter
	status int // 0 before the answer
}

func (w *reply) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *reply) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A probe takes what net/http would answer, to look at its headers.
type probe struct{ header http.Header }

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }
func (p *probe) WriteHeader(int)             {}

// Finder says which of routes a request is for, as a Door finds it, without running anything. Its error says which
// declaration is wrong.
func Finder(routes []Route) (func(r *http.Request) (Route, bool), error) {
	mux, byPattern := http.NewServeMux(), make(map[string]Route, len(routes))
	for _, route := range routes {
		b := &bound{route: route, pattern: route.registered()}
		if err := register(mux, b); err != nil {
			return nil, err
		}
		byPattern[b.pattern] = route
	}
	return func(r *http.Request) (Route, bool) {
		clean, err := tidy(r.URL)
		if err != nil {
			return Route{}, false
		}
		c := *r
		c.URL = clean
		_, pattern := mux.Handler(&c)
		route, ok := byPattern[pattern]
		return route, ok
	}, nil
}
