package ca

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. A method that changes something
// writes the journal entry in the same transaction; nil means that both are on disk.
type Store interface {
	generations(ctx context.Context) ([]Generation, error)                                                // by number
	plan(ctx context.Context, g Generation, e journal.Entry) error                                        // or ErrRotating
	activate(ctx context.Context, g Generation, e journal.Entry) error                                    // or ErrInterrupted
	accept(ctx context.Context, number int, until time.Time, e journal.Entry) error                       // or ErrGeneration
	counts(ctx context.Context, at time.Time) (map[int]count, error)                                      // live ones, by generation
	issuers(ctx context.Context, space string, devices []string, at time.Time) (map[string]string, error) // what CA is called, by device

	certificates
}

// certificates is the half of Store that is about single certificates.
type certificates interface {
	bySerial(ctx context.Context, serial [16]byte) (Certificate, error)     // or ErrNotFound
	get(ctx context.Context, space, device, id string) (Certificate, error) // or ErrNotFound
	list(ctx context.Context, space, device string) ([]Certificate, error)  // by age, in every state
	pending(ctx context.Context) ([]Certificate, error)                     // of all spaces
	known(ctx context.Context, device string) (bool, error)                 // whether it ever had one
	begin(ctx context.Context, c Certificate, l Limits, e journal.Entry) (existing Certificate, found bool, err error)
	finish(ctx context.Context, c Certificate) error               // or ErrInterrupted
	abandon(ctx context.Context, id string, e journal.Entry) error // nothing when it is not pending
	revoke(ctx context.Context, ids []string, at time.Time, reason Reason, e func(id string) journal.Entry) (changed []string, err error)
	update(ctx context.Context, c Certificate, e journal.Entry) error // or ErrNotFound
}

// count is how much hangs on one generation.
type count struct{ certificates, devices int }

// errStale says that another process has rotated meanwhile.
var errStale = errors.New("the generation is no longer active")

// Limits bound what clients can make the CA do. Zero is the default.
type Limits struct {
	PerDevice   int // live certificates of one device; default 20
	PerSpaceDay int // certificates asked for in one space in 24 hours; default 10,000
}

// Needs are what a Service is made of; all but Publish and Limits must be there.
type Needs struct {
	Store Store
	// Keys has the private keys of the CA: *keys.Ring. A name's key is made on first use.
	Keys interface {
		Signer(ctx context.Context, name string) (crypto.Signer, error)
	}
	// Publish puts the accepted roots, PEM, where operators and listeners find them
	// (DIR/ca/device-ca.pem), whole or not at all. It is called at each start and change. May be nil.
	Publish func(pem []byte) error
	Now     func() time.Time
	Log     *slog.Logger
	Limits  Limits
}

// A Change says that certificates may count no more, or count again. Whoever let
// somebody in by a certificate asks Check again; so does who lost changes.
type Change struct {
	Space, Device string // both empty: anyone may be concerned
}

// A Service is the CA. All methods may be called from any goroutine.
type Service struct {
	needs     Needs
	guessable map[[32]byte]bool
	refused   [len(refusalCodes)]atomic.Uint64

	// Changes tells what happened to certificates, after it is on disk.
	Changes feed.Feed[Change]

	acts sync.Mutex // held by Rotate, Accept and Repair, which must not overlap

	mu          sync.Mutex
	generations []Generation                      // guarded by mu
	pool        *x509.CertPool                    // guarded by mu; never changed, only replaced
	published   int                               // guarded by mu: how many roots are in pool
	epoch       uint64                            // guarded by mu: moves when anything in cache may be wrong
	cached      *cache.Map[[16]byte, Certificate] // by serial; written only while mu is held

	wake chan struct{} // tells Run that there is another date to wait for

	// cut is asked after each step of an act; an error ends the act there, as a
	// power cut would. For tests.
	cut func(act string, step int) error
}

// cacheSize is how many certificates are remembered: those of devices that
// connect again and again. About 1 kB each, and twice as many at most.
const cacheSize = 10_000

// New checks needs. Nobody is certified or let in before Repair has run.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("the device CA needs Store, Keys, Now and Log")
	}
	if needs.Limits.PerDevice == 0 {
		needs.Limits.PerDevice = 20
	}
	if needs.Limits.PerSpaceDay == 0 {
		needs.Limits.PerSpaceDay = 10_000
	}
	weak, err := guessable()
	if err != nil {
		return nil, fmt.Errorf("list the guessable keys: %w", err)
	}
	return &Service{
		needs: needs, guessable: weak, pool: x509.NewCertPool(),
		cached: cache.New[[16]byte, Certificate](cacheSize),
		wake:   make(chan struct{}, 1),
		cut:    func(string, int) error { return nil },
	}, nil
}

// Repair brings every act that was interrupted to its end or back to its start,
// and makes the first generation on the first start. It must have returned nil
// before anything else is asked of the CA; it may run again at any time.
func (s *Service) Repair(ctx context.Context) error {
	s.acts.Lock()
	defer s.acts.Unlock()
	pending, err := s.needs.Store.pending(ctx)
	if err != nil {
		return fmt.Errorf("find interrupted certificates: %w", err)
	}
	for _, c := range pending {
		e := s.entry(access.Actor{Kind: access.System}, c.Space, "ca:abandon", c.ID, map[string]string{"device": c.Device})
		if err := s.needs.Store.abandon(ctx, c.ID, e); err != nil {
			return fmt.Errorf("abandon certificate %s: %w", c.ID, err)
		}
		s.needs.Log.WarnContext(ctx, "an interrupted certificate was abandoned", "certificate", c.ID, "device", c.Device)
	}
	return s.repairGenerations(ctx)
}

// load reads the generations and forgets everything that was derived of old ones.
func (s *Service) load(ctx context.Context) error {
	all, err := s.needs.Store.generations(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generations = all
	s.forgetAll()
	s.repool()
	return nil
}

// forgetAll empties the cache. s.mu is held.
func (s *Service) forgetAll() {
	s.epoch++
	s.cached.Clear()
}

// repool makes the pool of the roots that are accepted now. s.mu is held.
func (s *Service) repool() {
	now, pool, n := s.needs.Now(), x509.NewCertPool(), 0
	for _, g := range s.generations {
		if g.accepted(now) {
			pool.AddCert(g.Certificate)
			n++
		}
	}
	s.pool, s.published = pool, n
}

// Pool is the roots that are accepted now. It is replaced, never changed: take it
// anew for each connection, as tls.Config.GetConfigForClient lets you. A chain to
// it is not enough to let somebody in; ask Check.
func (s *Service) Pool() *x509.CertPool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pool
}

// PEM is the roots that are accepted now, the newest first.
func (s *Service) PEM() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []byte
	now := s.needs.Now()
	for i := len(s.generations) - 1; i >= 0; i-- {
		if g := s.generations[i]; g.accepted(now) {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate.Raw})...)
		}
	}
	return out
}

// active is the generation that issues.
func (s *Service) active() (Generation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.generations {
		if g.Phase == Active {
			return g, nil
		}
	}
	return Generation{}, ErrNotReady
}

// A Count is what Status tells of one generation.
type Count struct {
	Generation
	Accepted     bool // at this moment
	Certificates int  // live ones
	Devices      int  // that have one
}

// Status lists all generations, the oldest first, with what hangs on each.
func (s *Service) Status(ctx context.Context) ([]Count, error) {
	now := s.needs.Now()
	counts, err := s.needs.Store.counts(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("count live certificates: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Count, 0, len(s.generations))
	for _, g := range s.generations {
		c := counts[g.Number]
		all = append(all, Count{Generation: g, Accepted: g.accepted(now), Certificates: c.certificates, Devices: c.devices})
	}
	return all, nil
}

// Get finds a certificate of a device. One that was never handed out, or was
// revoked, is not there.
func (s *Service) Get(ctx context.Context, who access.Actor, device Device, id string) (Certificate, error) {
	if err := device.check(who); err != nil {
		return Certificate{}, err
	}
	c, err := s.needs.Store.get(ctx, device.Space, device.ID, id)
	if err != nil {
		return Certificate{}, err
	}
	if c.State != Issued {
		return Certificate{}, ErrNotFound
	}
	return c, nil
}

// List tells the certificates of a device, the oldest first: those that Get would
// find, or all that ever were.
func (s *Service) List(ctx context.Context, who access.Actor, device Device, all bool) ([]Certificate, error) {
	if err := device.check(who); err != nil {
		return nil, err
	}
	found, err := s.needs.Store.list(ctx, device.Space, device.ID)
	if err != nil || all {
		return found, err
	}
	issued := make([]Certificate, 0, len(found))
	for _, c := range found {
		if c.State == Issued {
			issued = append(issued, c)
		}
	}
	return issued, nil
}

// Known says whether the CA was ever asked to certify a device of that ID, in any space.
func (s *Service) Known(ctx context.Context, device string) (bool, error) {
	return s.needs.Store.known(ctx, device)
}

// Issuers tells what the CA of each of some devices of a space is called, of those that
// are certified. There may be others in the answer.
func (s *Service) Issuers(ctx context.Context, space string, devices []string) (map[string]string, error) {
	return s.needs.Store.issuers(ctx, space, devices, s.needs.Now())
}

// A Device is what the CA needs to know of one. The caller has made sure that it
// exists in that space.
type Device struct{ ID, Space string }

// check is the second lock behind the policy: nobody acts outside the space that he is in.
func (d Device) check(who access.Actor) error {
	if d.ID == "" || d.Space == "" || who.Kind != access.System && who.Space != d.Space {
		return access.ErrDenied
	}
	return nil
}

func (s *Service) entry(who access.Actor, space, action, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: space, Action: action, Resource: "ca", ID: id, Detail: detail}
}
