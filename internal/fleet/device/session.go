package device

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrCredentials is a device that does not exist, is deleted, has no secret key
	// or another one: all of them look the same from outside.
	ErrCredentials = problem.New(problem.Unauthenticated, "device-credentials", "The device's credentials are not good.")
	// ErrClientID is a client that calls itself otherwise than it proves to be.
	ErrClientID = problem.New(problem.Unauthenticated, "device-client-id", "The MQTT client ID must be the device's ID.")
	// ErrTwice is a device that seems to exist twice: one of the two has its stolen
	// credentials, and we cannot tell which.
	ErrTwice = problem.New(problem.Limited, "device-twice", "The device is connected from two places in turns. Both are kept out for a while; give it new credentials.")
	// ErrGone ends the session of a device that was deleted.
	ErrGone = problem.New(problem.Forbidden, "device-deleted", "The device was deleted.")
	// ErrNewSecret ends the session of a device whose secret key changed.
	ErrNewSecret = problem.New(problem.Forbidden, "device-secret-changed", "The device's secret key was changed.")
	// ErrReattached ends the session of a device that can learn of another thing only
	// by starting anew.
	ErrReattached = problem.New(problem.Forbidden, "device-reattached", "The device was attached to another thing.")
)

// A Session is one connection of a device, from the proof of who it is to its
// end. What it learned of the device then, it does not ask the database again.
type Session struct {
	Device, Space, Owner string

	remote netip.Addr
	leaf   *x509.Certificate // nil when it was let in by its secret key
	secret []byte            // the stored hash that it matched; nil when it was let in by a certificate
	doubts uint64            // of the Service, before it was let in
	seen   atomic.Int64      // when we last heard of it, µs since 1970
	saved  atomic.Int64      // what of that is on disk

	mu       sync.Mutex
	sealed   []byte   // guarded by mu: reported as stored, until somebody asks; then nil
	reported Reported // guarded by mu; as stored or about to be
	told     string   // guarded by mu: the thing that it knows of
	asked    bool     // guarded by mu: speaks generation 2
	input    hearing  // guarded by mu: how it listens on its input topic, as generation 1 does
	talks    bool     // guarded by mu: has published on its output topic, which only boards of generation 1 do
}

// hearing is how a device subscribed to /a/d/{device}/e/i.
type hearing int8

const (
	deaf    hearing = iota
	atMost          // QoS 0: boards of generation 1, the JavaScript client
	atLeast         // QoS 1: the Python client
)

// Actor is who acts when the device does something.
func (x *Session) Actor() access.Actor {
	return access.Actor{Kind: access.Device, ID: x.Device, Space: x.Space}
}

// Touch notes that the device was heard of at a time. It is cheap: call it for each message.
func (x *Session) Touch(at time.Time) { x.seen.Store(at.UnixMicro()) }

func (x *Session) seenAt() time.Time { return time.UnixMicro(x.seen.Load()).UTC() }

// secretPlace is what the keyed hash of a secret is made of: bound to its device,
// so that the hash of one device is worth nothing in another's row.
func secretPlace(id, secret string) []byte { return keys.Place("device-secret", id, secret) }

// Authenticate lets a device in by its ID and secret key. An unknown device costs
// as much time as a wrong secret.
func (s *Service) Authenticate(ctx context.Context, id, secret, clientID string, remote netip.Addr) (*Session, error) {
	doubts := s.currentDoubts()
	if !topic.IsID(id) {
		return nil, ErrCredentials
	}
	if err := s.admits(id, clientID); err != nil {
		return nil, err
	}
	r, err := s.needs.Store.byID(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("find device %s: %w", id, err)
	}
	given, want := s.secretMAC(secretPlace(id, secret)), r.secret
	if want == nil {
		want = make([]byte, len(given)) // matches nothing that a keyed hash can be
	}
	if subtle.ConstantTimeCompare(given, want) != 1 || r.secret == nil || !r.admissible() {
		return nil, ErrCredentials
	}
	return s.session(ctx, r, &Session{secret: want, remote: remote, doubts: doubts})
}

// AuthenticateCertificate lets a device in by the certificate whose key TLS has
// seen it use.
func (s *Service) AuthenticateCertificate(ctx context.Context, leaf *x509.Certificate, clientID string, remote netip.Addr) (*Session, error) {
	doubts := s.currentDoubts()
	c, err := s.needs.Certificates.Check(ctx, leaf, s.needs.Now())
	if err != nil {
		return nil, err
	}
	if err := s.admits(c.Device, clientID); err != nil {
		return nil, err
	}
	r, err := s.certified(ctx, c)
	if err != nil {
		return nil, err
	}
	return s.session(ctx, r, &Session{leaf: leaf, remote: remote, doubts: doubts})
}

// certified finds the device that a good certificate stands for.
func (s *Service) certified(ctx context.Context, c ca.Certificate) (row, error) {
	r, err := s.needs.Store.byID(ctx, c.Device)
	if errors.Is(err, ErrNotFound) {
		return row{}, ErrCredentials
	}
	if err != nil {
		return row{}, fmt.Errorf("find device %s: %w", c.Device, err)
	}
	if !r.admissible() || r.Space != c.Space {
		return row{}, ErrCredentials
	}
	return r, nil
}

// admissible says whether the device is there at all.
func (r *row) admissible() bool { return r.DeletedAt.IsZero() && r.leaving == staying }

// admits refuses who calls itself otherwise, and who is barred for now.
func (s *Service) admits(id, clientID string) error {
	if clientID != id {
		return ErrClientID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, known := s.barred[id]; known && s.needs.Now().Before(b.until) {
		return ErrTwice.After(b.until.Sub(s.needs.Now()))
	}
	return nil
}

// entrance refuses devices of a space that is not there, or is being erased.
func (s *Service) entrance(ctx context.Context, space string) error {
	_, err := s.needs.Organization(ctx, space)
	switch {
	case err == nil:
		return nil
	case problem.Of(err).Kind == problem.NotFound:
		return ErrCredentials
	}
	return fmt.Errorf("find space %s: %w", space, err)
}

func (s *Service) session(ctx context.Context, r row, x *Session) (*Session, error) {
	if err := s.entrance(ctx, r.Space); err != nil {
		return nil, err
	}
	x.Device, x.Space, x.Owner, x.sealed = r.ID, r.Space, r.Owner, r.reported
	x.saved.Store(r.LastActivityAt.UnixMicro())
	x.Touch(s.needs.Now())
	return x, nil
}

func (s *Service) currentDoubts() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubts
}

// Connected makes x the session of its device.
func (s *Service) Connected(x *Session) {
	s.mu.Lock()
	at := s.nextEventTime()
	x.Touch(at)
	s.sessions[x.Device] = x
	s.note(x.Device, x.Space).event(StatusEvent{At: at, Connected: true})
	doubtful := x.doubts != s.doubts
	s.mu.Unlock()
	if doubtful {
		s.doubt(x) // something was revoked, changed or deleted while it was let in
	}
	s.Changes.Publish(Change{Connected, x.Space, x.Device, at})
}

// Disconnected ends x. A session that is no longer its device's changes nothing.
func (s *Service) Disconnected(x *Session) {
	s.mu.Lock()
	if s.sessions[x.Device] != x {
		s.mu.Unlock()
		return
	}
	delete(s.sessions, x.Device)
	at := s.nextEventTime()
	p := s.note(x.Device, x.Space)
	p.event(StatusEvent{At: at, Connected: false})
	p.seen(x)
	s.mu.Unlock()
	s.Changes.Publish(Change{Disconnected, x.Space, x.Device, at})
}

// nextEventTime is now, and later than every event before. s.mu is held.
func (s *Service) nextEventTime() time.Time {
	at := s.now()
	if !at.After(s.lastAt) {
		at = s.lastAt.Add(time.Microsecond)
	}
	s.lastAt = at
	return at
}

// Online says how many devices are connected.
func (s *Service) Online() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sessions)
}

// reject closes the session of a device, also one that is just being let in.
func (s *Service) reject(id string, reason error) {
	s.mu.Lock()
	s.doubts++
	s.mu.Unlock()
	s.line.Drop(id, reason)
}

// doubt has Run look at a session again. When too many are waiting it looks at all.
func (s *Service) doubt(x *Session) {
	select {
	case s.recheck <- x:
	default:
		s.doubtAll()
	}
}

func (s *Service) doubtAll() {
	select {
	case s.all <- struct{}{}:
	default: // it will look at all anyway
	}
}

// verify closes x when what let it in would not do so now. It is closed as well
// when nobody can tell: what is revoked must not depend on our health.
func (s *Service) verify(ctx context.Context, x *Session) {
	s.mu.Lock()
	current := s.sessions[x.Device] == x
	s.mu.Unlock()
	if !current {
		return
	}
	if err := s.stillGood(ctx, x); err != nil && ctx.Err() == nil {
		s.needs.Log.InfoContext(ctx, "closing the session of a device", "device", x.Device, "reason", err)
		s.line.Drop(x.Device, err)
	}
}

func (s *Service) stillGood(ctx context.Context, x *Session) error {
	if err := s.entrance(ctx, x.Space); err != nil {
		return err
	}
	if x.leaf != nil {
		c, err := s.needs.Certificates.Check(ctx, x.leaf, s.needs.Now())
		if err != nil {
			return err
		}
		_, err = s.certified(ctx, c)
		return err
	}
	r, err := s.needs.Store.byID(ctx, x.Device)
	switch {
	case err != nil:
		return err
	case !r.admissible():
		return ErrGone
	case subtle.ConstantTimeCompare(r.secret, x.secret) != 1:
		return ErrNewSecret
	}
	return nil
}

// An Alert is a device that seems to exist twice: two places took its session
// from each other again and again. Its credentials are in foreign hands.
type Alert struct {
	Space, Device string
	A, B          netip.Addr
	Until         time.Time // until when neither is let in
}

// A bar counts how often a device changed its address while it was connected.
type bar struct {
	flips int
	since time.Time
	until time.Time // zero: not barred
}

// Six changes of address of a live session within ten minutes: a board that moves
// between networks does it once or twice, two boards do it at every back-off.
const (
	maxFlips   = 6
	flipWindow = 10 * time.Minute
	barTime    = 15 * time.Minute
	maxBars    = 10_000 // devices that are watched at a time
)

// TakenOver is told that the session of a device ended because another address
// connected as the same device. A pair that does it again and again is kept out.
func (s *Service) TakenOver(x *Session, from, by netip.Addr) {
	if from.Unmap() == by.Unmap() {
		return
	}
	now := s.needs.Now()
	s.mu.Lock()
	b, known := s.barred[x.Device]
	if !known || now.Sub(b.since) > flipWindow && now.After(b.until) {
		if len(s.barred) >= maxBars {
			clear(s.barred) // whoever flips on is counted anew
		}
		b = bar{since: now}
	}
	b.flips++
	alarm := b.flips >= maxFlips && !now.Before(b.until)
	if alarm {
		b = bar{since: now, until: now.Add(barTime)}
	}
	s.barred[x.Device] = b
	s.mu.Unlock()
	if !alarm {
		return
	}
	s.needs.Log.Warn("a device is connected from two places in turns: its credentials seem to be stolen",
		"device", x.Device, "space", x.Space, "a", from, "b", by, "until", b.until)
	s.alerts.Add(1)
	s.Alerts.Publish(Alert{x.Space, x.Device, from.Unmap(), by.Unmap(), b.until})
	s.reject(x.Device, ErrTwice)
}

// AlertCount is how many Alerts there were since the start.
func (s *Service) AlertCount() uint64 { return s.alerts.Load() }
