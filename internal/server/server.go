package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
	_ "time/tzdata" // time zones of things, also on machines without a tz database

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt"
	"github.com/ardesia-iot/ardesia/internal/base/run"
	"github.com/ardesia-iot/ardesia/internal/base/shred"
	"github.com/ardesia-iot/ardesia/internal/edge"
	"github.com/ardesia-iot/ardesia/internal/firmware/sketch"
	"github.com/ardesia-iot/ardesia/internal/firmware/template"
	"github.com/ardesia-iot/ardesia/internal/fleet/board"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/homeassistant"
	"github.com/ardesia-iot/ardesia/internal/fleet/hook"
	"github.com/ardesia-iot/ardesia/internal/fleet/live"
	"github.com/ardesia-iot/ardesia/internal/fleet/onboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/ota"
	"github.com/ardesia-iot/ardesia/internal/fleet/scrape"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/simulate"
	"github.com/ardesia-iot/ardesia/internal/fleet/sync"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/factor"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
	"github.com/ardesia-iot/ardesia/internal/people/oauth"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/post"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/web"
	"github.com/ardesia-iot/ardesia/web/manual"
)

// World is what a house gets from outside.
type World struct {
	Log *slog.Logger
	Now func() time.Time
	Out io.Writer // where people read what to open; nil for nobody
	// Program is how people call this program; "" is "ardesia".
	Program string
	// Version is what other programs are told of this one's; "" for nothing.
	Version string
	// Terminal says that Out is one, which shows colours.
	Terminal bool
	// Around is put around the API, and sees requests and answers as clients do; nil for nothing.
	Around func(api http.Handler) http.Handler
}

// A Server is the whole house.
type Server struct {
	cfg   Config
	world World
	log   *slog.Logger
	data  *data

	policy     *access.Policy
	accounts   *account.Service
	orgs       *org.Service
	spaceRates *door.Spaces
	apikeys    *apikey.Service
	mail       mail.Sender
	letters    *post.Service
	guard      *guard.Service
	factors    *factor.Service
	tokens     *oauth.Service
	social     *social.Service
	signin     *signin.Service
	authority  *ca.Service
	series     *series.Service
	devices    *device.Service
	things     *thing.Service
	scrapes    *scrape.Service
	triggers   *trigger.Service
	syncs      *sync.Service
	hooks      *hook.Service
	homes      *homeassistant.Service
	dashboards *dashboard.Service
	live       *live.Service
	ota        *ota.Service
	onboarding *onboard.Service
	simulated  *simulate.Service
	sketches   *sketch.Service
	templates  *template.Service
	wall       *edge.Wall
	stoppedAt  time.Time // the last that somebody did before this start; zero: nothing
	audit      *audit.Service
	refused    refusals

	shredder *shred.Shredder
	erasures chan struct{} // holds one token; whoever has it brings erasures of spaces to their end
	unerased chan struct{} // holds one word for Run: an erasure has failed
	// cut is asked after each step of an erasure; an error ends it there, as a power
	// cut would. For tests.
	cut func(step string) error

	broker *mqtt.Broker // set by Run
	ready  atomic.Bool
	issuer atomic.Pointer[string] // set by Run, when the port is known
	base   atomic.Pointer[string] // https:// address of the API; likewise
	doors  chan Addresses         // gets the addresses once, when devices can connect
}

// New opens the data and makes the rooms. It repairs what a crash left half done,
// and starts nothing. cfg must come from Filled. Close what New returned.
func New(ctx context.Context, cfg Config, world World) (_ *Server, err error) {
	s := &Server{
		cfg: cfg, world: world, log: world.Log, doors: make(chan Addresses, 1),
		erasures: make(chan struct{}, 1), unerased: make(chan struct{}, 1), cut: func(string) error { return nil },
	}
	if s.data, err = openData(ctx, cfg, world.Now); err != nil {
		return nil, err
	}
	if s.stoppedAt, err = lastDeed(ctx, s.data.core); err != nil {
		return nil, errors.Join(err, s.closeAll())
	}
	for _, open := range []func(context.Context) error{s.people, s.fleet, s.openAudit} {
		if err = open(ctx); err != nil {
			return nil, errors.Join(err, s.closeAll())
		}
	}
	s.wall, err = edge.New(ctx, edge.Config{Dir: cfg.Data, Names: edge.Names(cfg.Host, cfg.SAN), Cert: cfg.TLSCert, Key: cfg.TLSKey}, s.data.ring, world.Log, world.Now)
	if err != nil {
		return nil, errors.Join(err, s.closeAll())
	}
	return s, nil
}

// closeAll closes whatever New has opened so far.
func (s *Server) closeAll() error {
	var err error
	if s.guard != nil {
		err = s.guard.Close()
	}
	return errors.Join(err, s.data.close())
}

// people makes the rooms of people, from the ground up.
func (s *Server) people(ctx context.Context) (err error) {
	d, now := s.data, s.world.Now
	if s.policy, err = access.New(); err != nil {
		return err
	}
	if s.orgs, err = org.New(s.orgNeeds()); err != nil {
		return err
	}
	s.spaceRates = door.NewSpaces(s.limitOf(org.Requests), now)
	if s.apikeys, err = apikey.New(s.apikeyNeeds()); err != nil {
		return err
	}
	if s.guard, err = newGuard(ctx, d, s.cfg, s.log, now, s.apikeys.Leaked); err != nil {
		return err
	}
	if s.accounts, err = account.New(account.Needs{Store: account.SQL(d.core), Keys: d.ring, Settle: s.orgs.AddPrivate, Breached: s.guard.Breached, Now: now}); err != nil {
		return err
	}
	if err := s.accounts.Repair(ctx); err != nil {
		return err
	}
	if err := s.openPost(); err != nil {
		return err
	}
	if err = s.secondSteps(ctx); err != nil {
		return err
	}
	if s.tokens, err = oauth.New(ctx, s.oauthNeeds()); err != nil {
		return err
	}
	if err = s.peopleSocial(); err != nil {
		return err
	}
	return s.peopleSignIn()
}

// fleet makes the rooms of the fleet, from the ground up.
func (s *Server) fleet(ctx context.Context) (err error) {
	d, now, log := s.data, s.world.Now, s.log
	if s.series, err = series.New(ctx, series.Needs{
		Store: series.SQL(d.history), Keys: d.ring, Log: log, Now: now, Keep: s.orgs.Keep, Config: series.Config{FlushPoints: s.cfg.HistoryFlush},
	}); err != nil {
		return fmt.Errorf("open the history: %w", err)
	}
	if s.authority, err = ca.New(ca.Needs{Store: ca.SQL(d.core), Keys: d.ring, Publish: s.publishCA, Now: now, Log: log}); err != nil {
		return err
	}
	if err := s.authority.Repair(ctx); err != nil {
		return fmt.Errorf("repair the device authority: %w", err)
	}
	s.devices, err = device.New(device.Needs{
		Store: device.SQL(d.core), Keys: d.ring, Certificates: s.authority, Revocations: &s.authority.Changes,
		Now: now, Log: log, Organization: s.orgs.Organization, Limit: s.limitOf(org.Devices),
	})
	if err != nil {
		return err
	}
	s.things, err = thing.New(thing.Needs{
		Store: thing.SQL(d.core, d.ring), Keys: d.ring, Series: s.series, Devices: s.devices, Policy: s.policy,
		Organization: s.orgs.Organization, Now: now, Log: log, Limit: s.thingLimits, Meter: s.orgs.Meter, Lent: s.lent,
	})
	if err != nil {
		return err
	}
	if s.scrapes, err = scrape.New(scrape.Needs{Things: s.things, Policy: s.policy}); err != nil {
		return err
	}
	needs, err := s.dashboardNeeds()
	if err != nil {
		return err
	}
	if s.dashboards, err = dashboard.New(needs); err != nil {
		return err
	}
	if err := s.openLive(); err != nil {
		return err
	}
	s.devices.Bind(s.things.ForDevices(), line{s})
	s.things.Bind(s.send, func(topic string) bool { return s.broker != nil && s.broker.Heard(topic) })
	if err := s.openUpdates(); err != nil {
		return err
	}
	if err := s.openTriggers(ctx); err != nil {
		return err
	}
	if err := s.openVariables(ctx); err != nil {
		return err
	}
	if err := s.openHomeAssistant(ctx); err != nil {
		return err
	}
	if err := s.openOnboarding(ctx); err != nil {
		return err
	}
	if err := s.openSimulations(); err != nil {
		return err
	}
	if err := s.openSketches(); err != nil {
		return err
	}
	if s.templates, err = template.New(s.templateNeeds()); err != nil {
		return err
	}
	if s.shredder, err = shred.New(shred.Needs{DB: d.core, Erase: d.ring.Erase, Actor: operator.String(), Now: now, Log: log}); err != nil {
		return err
	}
	if err := s.devices.Repair(ctx); err != nil {
		return err
	}
	if err := s.repairErasures(ctx); err != nil {
		// Nobody gets into a space that is being erased, so the doors may open.
		log.ErrorContext(ctx, "a space is not erased yet; trying again", "err", err)
		s.eraseAgain()
	}
	if err := s.repairLeaving(ctx); err != nil {
		log.ErrorContext(ctx, "a person is not erased yet; trying again", "err", err)
	}
	if err := errors.Join(s.things.EraseAgain(ctx), s.devices.EraseAgain(ctx)); err != nil {
		return err
	}
	if err := s.onboarding.Repair(ctx); err != nil {
		return err
	}
	return errors.Join(s.templates.Repair(ctx), s.ota.Repair(ctx, s.devices.Living))
}

// Where operators find what they hand to those who check boards.
const (
	caFolder = "ca"
	caFile   = "device-ca.pem"
)

// publishCA keeps the device authority's certificates in the data directory.
func (s *Server) publishCA(pem []byte) error {
	dir := filepath.Join(s.cfg.Data, caFolder)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return edge.WriteFile(filepath.Join(dir, caFile), pem)
}

// send hands a message to the broker, when there is one.
func (s *Server) send(topic string, payload []byte, qos byte) {
	if s.broker != nil {
		s.broker.Send(topic, payload, qos)
	}
}

// line is how the room of devices reaches them.
type line struct{ s *Server }

func (l line) Send(_, topic string, payload []byte, qos byte) { l.s.send(topic, payload, qos) }

func (l line) Drop(id string, reason error) {
	if l.s.broker != nil {
		l.s.broker.Drop(mqtt.Device, id, reason)
	}
}

// Close closes the data. Run must have returned.
func (s *Server) Close(context.Context) error { return s.closeAll() }

// Addresses waits until devices can connect and says where.
func (s *Server) Addresses(ctx context.Context) (Addresses, error) {
	select {
	case a := <-s.doors:
		s.doors <- a
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// identify says who brings a token, and takes them into the space that it is for.
func (s *Server) identify(ctx context.Context, token string) (access.Actor, error) {
	who, err := s.tokens.Verify(ctx, token)
	if err != nil {
		return who, err
	}
	return s.tokens.Enter(ctx, who, "")
}

// Routes are all addresses of the API.
func (s *Server) Routes() []door.Route {
	var all []door.Route
	for _, of := range [][]door.Route{s.tokens.Routes(), s.guard.Routes(), s.orgs.Routes(), s.apikeys.Routes(), s.devices.Routes(), board.Routes(s.firmware()), s.authority.Routes(s.devices.Load), s.things.Routes(), s.scrapes.Routes(), s.triggers.Routes(), s.syncs.Routes(), s.hooks.Routes(s.things.Load, s.devices.Load), s.homes.Routes(), s.dashboards.Routes(), s.live.Routes(), s.ota.Routes(s.devices.Load), s.onboarding.Routes(), s.simulated.Routes(s.devices.Load), s.sketches.Routes(s.things.Load), s.templates.Routes(), s.audit.Routes()} {
		all = append(all, of...)
	}
	return all
}

// Run binds all doors, serves until ctx ends, and stops: doors first, data last.
func (s *Server) Run(ctx context.Context) error {
	open, err := listen(s.cfg)
	if err != nil {
		return err
	}
	defer open.close()
	s.bound(open.addresses())
	desk, release, err := listenSocket(s.cfg.Data)
	if err != nil {
		return err
	}
	defer release()
	router := &router{now: s.world.Now, devices: s.devices, things: s.things, identify: s.identify, refused: s.refuseDevice}
	mutual := s.wall.Mutual(s.authority.Pool, s.authority.Knows)
	s.broker, err = mqtt.New(mqtt.Config{
		Listeners: []mqtt.Listener{
			{Name: "mqtt-cert", Net: open.open["mqtt-cert"], TLS: mutual, Mode: mqtt.ByCertificate},
			{Name: "mqtt-cert-legacy", Net: open.open["mqtt-cert-legacy"], TLS: mutual, Mode: mqtt.ByCertificate},
			{Name: "mqtt-password", Net: open.open["mqtt-password"], TLS: s.wall.Secret(), Mode: mqtt.ByPassword},
		},
		Authenticator: router, Handler: router, Log: s.log, Now: s.world.Now, TakenOver: router.takenOver,
	})
	if err != nil {
		return err
	}
	counts := newMetrics(s)
	api, err := s.api(counts)
	if err != nil {
		return err
	}
	parts := []run.Part{
		{Name: "database of keys", Run: s.data.keyring.Run},
		{Name: "database of the core", Run: s.data.core.Run},
		{Name: "database of the history", Run: s.data.history.Run},
		{Name: "audit log", Run: s.audit.Run},
		{Name: "refusals", Run: s.runRefusals},
		{Name: "history", Run: s.series.Run},
		{Name: "device authority", Run: s.authority.Run},
		{Name: "updates of devices", Run: s.ota.Run},
		{Name: "updates of devices that went", Run: s.runGone},
		{Name: "devices", Run: s.devices.Run},
		{Name: "onboarding", Run: s.onboarding.Run},
		{Name: "things", Run: s.things.Run},
		{Name: "triggers", Run: s.triggers.Run},
		{Name: "synchronised properties", Run: s.syncs.Run},
		{Name: "webhooks", Run: s.hooks.Run},
		{Name: "bridges to Home Assistant", Run: s.homes.Run},
		{Name: "templates", Run: s.templates.Run},
		{Name: "erasures", Run: s.runErasures},
		{Name: "destruction of keys", Run: s.shredder.Run},
		{Name: "values of spaces", Run: s.orgs.Run},
		{Name: "letters", Run: s.letters.Run},
		{Name: "tokens", Run: s.tokens.Run},
		{Name: "news for programs", Run: s.tokens.RunLogouts},
		{Name: "guard", Run: s.guard.Run},
		{Name: "ends of API keys", Run: s.runKeys},
		{Name: "browsers", Run: s.signin.Run},
		{Name: "notices", Run: s.runNotices},
		{Name: "erasures of people", Run: s.runLeaving},
		{Name: "certificate", Run: s.wall.Run},
		{Name: "news", Run: s.runNews},
		{Name: "ends of sessions", Run: s.runSessions},
		{Name: "administration", Run: func(ctx context.Context) error { return s.runSocket(ctx, desk) }},
	}
	for name, part := range s.webParts(open, api, counts) {
		parts = append(parts, run.Part{Name: name, Run: part})
	}
	parts = append(parts, run.Part{Name: "live connections", Run: s.live.Run}) // ends before HTTPS does, which waits for its requests
	parts = append(parts, run.Part{Name: "mqtt", Run: func(ctx context.Context) error {
		if err := s.opened(open); err != nil {
			return err
		}
		defer s.ready.Store(false)
		return s.broker.Run(ctx)
	}})
	parts = append(parts, run.Part{Name: "simulated boards", Run: s.simulated.Run})
	if s.cfg.Demo {
		parts = append(parts, run.Part{Name: "demo", Run: s.runDemo})
	}
	return run.Parts(ctx, s.log, parts...)
}

// opened tells everyone where the doors are.
func (s *Server) opened(open *doors) error {
	if err := open.announce(); err != nil {
		return fmt.Errorf("announce the addresses: %w", err)
	}
	a := open.addresses()
	s.ready.Store(true)
	s.doors <- a
	s.log.Info("ready", "host", s.cfg.Host, "addresses", a, "database", databaseName(s.cfg))
	s.greet(a)
	return nil
}

// api is everything that HTTPS answers.
func (s *Server) api(counts *metrics) (http.Handler, error) {
	d, err := door.New(door.Config{
		Origins: []string{"*"}, KeyRate: door.Rate{PerMinute: s.cfg.APIRate}, OpenRate: door.Rate{PerMinute: s.cfg.OpenRate},
	}, s.doorNeeds(counts.request))
	if err != nil {
		return nil, err
	}
	s.refused.denials = &d.Denials
	routes, err := d.Handler(s.Routes())
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	if s.world.Around != nil {
		routes = s.world.Around(routes)
	}
	mux := http.NewServeMux()
	app, err := s.webApp(counts.reports())
	if err != nil {
		return nil, err
	}
	for pattern, page := range s.pages().routes() {
		mux.HandleFunc(pattern, page)
	}
	for pattern, page := range app.Routes() {
		mux.Handle(pattern, s.atWeb(page))
	}
	docs, err := s.docPages()
	if err != nil {
		return nil, err
	}
	for pattern, page := range docs {
		mux.HandleFunc(pattern, page)
	}
	guide, err := manual.NewSite()
	if err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	for pattern, page := range guide.Pages() {
		mux.Handle(pattern, s.atWeb(page))
	}
	for pattern, page := range s.devPages() {
		mux.HandleFunc(pattern, page)
	}
	for pattern, page := range s.signin.Pages() {
		mux.Handle(pattern, s.atOrigin(page))
	}
	for pattern, page := range s.signin.AppPages() {
		mux.Handle(pattern, page)
	}
	for pattern, page := range s.triggers.Pages() {
		mux.Handle(pattern, page)
	}
	mux.Handle(mqttPattern, s.broker.WebSocket("wss"))
	// What is not a page is the door's, which tidies addresses by itself: a mux
	// would answer a double slash with a redirect, which no client follows with its token.
	return s.behindProxies(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		clean := cleanPath(r.URL.Path)
		if _, pattern := mux.Handler(r); pattern != "" && (r.URL.Path == clean || r.URL.Path == clean+"/") {
			mux.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	}))
}

// mqttPattern is open to anyone: the broker asks for the token.
const mqttPattern = "GET /mqtt"

func (s *Server) pages() *pages {
	return &pages{wall: s.wall, place: s.place, ready: &s.ready, check: s.data.check, around: s.inApp}
}

// runNews carries what happened in one room to those above it that nobody below
// may know: attachments to devices, ended rights to sessions.
func (s *Server) runNews(ctx context.Context) error {
	attached, keys := s.things.Attachments.Subscribe(1024), s.apikeys.Revoked.Subscribe(256)
	people, roles := s.accounts.Changes.Subscribe(256), s.orgs.Changes.Subscribe(256)
	grants := s.tokens.Ended.Subscribe(256)
	defer grants.Close()
	defer attached.Close()
	defer keys.Close()
	defer people.Close()
	defer roles.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-attached.C():
			s.attached(ctx, a)
		case id := <-keys.C():
			s.rightsEnded(func(who access.Actor) bool { return who.Client == id })
		case id := <-grants.C():
			s.rightsEnded(func(who access.Actor) bool { return who.Client == id })
		case id := <-people.C():
			s.rightsEnded(func(who access.Actor) bool { return who.ID == id })
			s.tokens.Recheck(id)
		case c := <-roles.C():
			s.rightsEnded(func(who access.Actor) bool { return who.Space == c.Space && (c.User == "" || who.ID == c.User) })
			s.live.RecheckSpace(c.Space) // guests, too
		}
		if lost(attached, keys, grants, people, roles) {
			// Whoever still may comes again at once.
			s.rightsEnded(func(access.Actor) bool { return true })
		}
	}
}

func lost(a *feed.Sub[thing.Attachment], subs ...any) bool {
	n := a.Lost()
	for _, sub := range subs {
		switch sub := sub.(type) {
		case *feed.Sub[string]:
			n += sub.Lost()
		case *feed.Sub[org.Change]:
			n += sub.Lost()
		}
	}
	return n > 0
}

func (s *Server) attached(ctx context.Context, a thing.Attachment) {
	s.broker.Recheck(mqtt.Device, a.Device)
	var err error
	if a.Thing == "" {
		err = s.devices.Detached(ctx, a.Device, a.Old)
	} else {
		err = s.devices.Attached(ctx, a.Device, a.Thing)
	}
	if err != nil {
		s.log.Error("a device could not be told of its thing; it learns it when it connects again", "device", a.Device, "err", err)
	}
}

var errRights = errors.New("the session's rights have ended")

func (s *Server) dropUsers(whose func(access.Actor) bool) {
	if s.broker == nil {
		return // nobody is connected
	}
	seen := map[string]bool{}
	for _, x := range s.broker.Sessions() {
		if who, ok := x.Identity.Session.(access.Actor); ok && whose(who) && !seen[who.ID] {
			seen[who.ID] = true
			s.broker.Drop(mqtt.User, who.ID, errRights)
		}
	}
}

// place is what the welcome page shows.
func (s *Server) place() web.Place {
	a, _ := s.Addresses(context.Background()) // pages are served after the doors are open
	p := web.Place{Host: s.cfg.Host, Web: reachable(s.cfg.Host, a["https"]), Cert: reachable(s.cfg.Host, a["mqtt-cert"]),
		Secret: reachable(s.cfg.Host, a["mqtt-password"]), Live: reachable(s.cfg.Host, orElse(a["wss"], a["https"])), Demo: s.cfg.Demo}
	if root := s.wall.Root(); root != nil {
		p.Fingerprint = edge.Fingerprint(root.Raw)
	}
	return p
}
