package onboard

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same transaction as its
// change; nil means that both are on disk.
type Store interface {
	board(ctx context.Context, index []byte) (board, error)                        // or errNoBoard
	register(ctx context.Context, b board, limit int, e journal.Entry) error       // in place of what was registered before; or ErrTooMany
	moved(ctx context.Context, b board, e *journal.Entry) error                    // its space and device are others
	idle(ctx context.Context, registered time.Time, after []byte) ([]board, error) // without what is sealed, by index
	unlearn(ctx context.Context, b board) error
	free(ctx context.Context, b board, e journal.Entry) error

	onboardings
}

// onboardings is the half of Store that is about the ways of boards.
type onboardings interface {
	// claim opens an onboarding of a board, or the one that its space has open anew, and marks those of other spaces as leaving.
	// The same claim again changes nothing. Or ErrReplayed, ErrTooMany, ErrUnknownBoard.
	claim(ctx context.Context, r row, b board, limit int, e func(action, space, id string) journal.Entry) (id string, ended []row, err error)
	last(ctx context.Context, index []byte) (row, error)                                // the newest of a board, in any space; or ErrNotFound
	get(ctx context.Context, space, id string) (row, error)                             // without what is sealed; or ErrNotFound
	list(ctx context.Context, space string) ([]row, error)                              // the newest first
	change(ctx context.Context, r row, e *journal.Entry) error                          // or ErrNoClaim, when it is not open any more, or was claimed anew
	leave(ctx context.Context, id string, late time.Time, e journal.Entry) (row, error) // late: only if it is open and was claimed before; zero: in any case
	named(ctx context.Context, device, but string) (bool, error)                        // by another onboarding than but
	remove(ctx context.Context, id string) error                                        // one that is leaving
	leaving(ctx context.Context) ([]row, error)
	late(ctx context.Context, claimed time.Time) ([]row, error) // open ones
	forget(ctx context.Context, ended time.Time) error
	clear(ctx context.Context, space string) error // of all that is left of a space
}

// errNoBoard is a board of which nothing is known.
var errNoBoard = errors.New("the board is not registered")

// Bounds of one look at the database.
const (
	maxList  = 1000
	perSweep = 500
)

// A board is what is kept of one.
type board struct {
	index        []byte // keyed hash of its hardware id
	space        string // that registered it, or that its device is in
	key          []byte // uncompressed point
	serial, fqbn string
	registeredAt time.Time
	provedAt     time.Time // zero: no claim was signed with key
	tokenAt      int64     // of the token of the last claim; 0: never
	device       string    // that an onboarding made of it; ""
}

// A row is an onboarding as the database has it.
type row struct {
	Onboarding
	index     []byte
	sealed    []byte
	tokenHash []byte
	keyHash   []byte // of the certified key's point; nil before
	made      bool   // Device is made by this onboarding
	leaving   bool
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Holder(ctx context.Context, hardwareID string) (device.Device, error)
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
	Claim(ctx context.Context, who access.Actor, d device.Device) (device.Device, error)
	Update(ctx context.Context, who access.Actor, space, id string, fn func(d *device.Device) error) (device.Device, error)
	RemoveHardwareID(ctx context.Context, who access.Actor, space, id string) (device.Device, error)
	Delete(ctx context.Context, who access.Actor, space, id string, hard bool) error
	Count(ctx context.Context, space string) (int, error)
	Living(ctx context.Context, ids []string) (map[string]bool, error)
}

// Certificates is what this room needs of the device CA: *ca.Service.
type Certificates interface {
	Issue(ctx context.Context, who access.Actor, r ca.Request) (ca.Certificate, error)
	List(ctx context.Context, who access.Actor, device ca.Device, all bool) ([]ca.Certificate, error)
	Revoke(ctx context.Context, who access.Actor, device ca.Device, id string, reason ca.Reason) error
	RevokeDevice(ctx context.Context, who access.Actor, device ca.Device, reason ca.Reason) error
}

// Needs are what a Service is made of; all but Limit must be there.
type Needs struct {
	Store        Store
	MAC          func(msg []byte) []byte // keyed hash that finds boards
	Devices      Devices
	Certificates Certificates
	Policy       *access.Policy
	// Role is what a person may do in a space now; an error when they are no member.
	Role func(ctx context.Context, space, user string) (access.Role, error)
	// Organization is the shared space that a space is, "" for a private one.
	Organization func(ctx context.Context, space string) (string, error)
	// Limit is how many devices a space may have; 0 is any number. Nil is any number for each.
	Limit func(ctx context.Context, space string) (int, error)
	Now   func() time.Time
	Log   *slog.Logger
}

// A Service brings boards in. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	turns [64]chan struct{} // one of them is held while something is done about a board

	boards   *door.Limiter // of boards that have proved who they are, by board
	failures *door.Limiter // of requests in the name of boards that failed, by address

	claimed, completed, dropped, refused atomic.Uint64 // since the start

	// cut is asked after each step of an act; an error ends it there, as a power
	// cut would. For tests.
	cut func(act string, step int) error
}

// system acts for boards, which are nobody yet.
var system = access.Actor{Kind: access.System}

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.MAC == nil || needs.Devices == nil || needs.Certificates == nil || needs.Policy == nil ||
		needs.Role == nil || needs.Organization == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("onboarding needs Store, MAC, Devices, Certificates, Policy, Role, Organization, Now and Log")
	}
	if needs.Limit == nil {
		needs.Limit = func(context.Context, string) (int, error) { return 0, nil }
	}
	s := &Service{
		needs: needs, cut: func(string, int) error { return nil },
		// A board asks every 12 seconds at most, and twice when it has succeeded.
		boards:   door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 20, Burst: 10}, needs.Now),
		failures: door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 120, Burst: 60}, needs.Now),
	}
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	return s, nil
}

// Counts are since the start.
type Counts struct{ Claimed, Completed, Dropped, Refused uint64 }

// Counts tells how much was done. Dropped are those that people dropped, that ended late, or that another claim ended; Refused are
// requests in the name of boards.
func (s *Service) Counts() Counts {
	return Counts{s.claimed.Load(), s.completed.Load(), s.dropped.Load(), s.refused.Load()}
}

// turn waits until nobody else in this process does something about a board. Steps of acts are made to be repeated, not to be
// taken by two at a time.
func (s *Service) turn(ctx context.Context, index []byte) (release func(), err error) {
	c := s.turns[int(index[0])%len(s.turns)]
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, space, action, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: space, Action: action, Resource: "onboarding", ID: id, Detail: detail}
}

// Register tells the public key of a board, so that it can be claimed. A key that a claim was signed with stays for as long
// as a device stands for the board or somebody brings it in: then another one is ErrRegistered. Any other registration is replaced.
func (s *Service) Register(ctx context.Context, who access.Actor, b Board) error {
	if who.Space == "" {
		return access.ErrDenied
	}
	fqbn, key, err := b.check()
	if err != nil {
		return err
	}
	index := s.needs.MAC([]byte(b.HardwareID))
	release, err := s.turn(ctx, index)
	if err != nil {
		return err
	}
	defer release()
	old, err := s.needs.Store.board(ctx, index)
	if err != nil && !errors.Is(err, errNoBoard) {
		return fmt.Errorf("look for a board: %w", err)
	}
	if err == nil {
		pinned, err := s.pinned(ctx, old, b.HardwareID)
		if err != nil {
			return err
		}
		if pinned && bytes.Equal(old.key, key) {
			return nil
		}
		if pinned {
			return ErrRegistered
		}
	}
	fresh := board{index: index, space: who.Space, key: key, serial: b.Serial, fqbn: fqbn, registeredAt: s.now()}
	if bytes.Equal(old.key, key) {
		fresh.tokenAt = old.tokenAt // what was used stays used
	}
	e := s.entry(who, who.Space, "board:register", shown(index), map[string]string{"fqbn": fqbn})
	e.Resource = "board"
	return s.needs.Store.register(ctx, fresh, maxRegistered, e)
}

// pinned says whether b's key may not be replaced: a claim was signed with it, and its device is there or its way is open.
func (s *Service) pinned(ctx context.Context, b board, hardwareID string) (bool, error) {
	if b.provedAt.IsZero() {
		return false, nil
	}
	o, err := s.needs.Store.last(ctx, b.index)
	if err == nil && o.open(s.now()) {
		return true, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, err
	}
	_, proved, err := s.holder(ctx, b, hardwareID)
	return proved, err
}

// holder finds the device that stands for a board; its ID is "" when none does. proved says that an onboarding made it so: that
// a device says so alone proves nothing, since anyone can write a hardware id into theirs.
func (s *Service) holder(ctx context.Context, b board, hardwareID string) (d device.Device, proved bool, err error) {
	d, err = s.needs.Devices.Holder(ctx, hardwareID)
	if errors.Is(err, device.ErrNotFound) {
		return device.Device{}, false, nil
	}
	return d, err == nil && d.ID == b.device, err
}

// mayTake says whether the board of d may come into another space.
func mayTake(d device.Device, proved bool, space string) error {
	if d.ID != "" && d.Space != space && d.Locked && proved {
		return ErrLocked
	}
	return nil
}

// Claim opens the way of a board into who's space: docs/acts/claim-board.md. The same claim again has the same answer.
func (s *Service) Claim(ctx context.Context, who access.Actor, c Claim) (id string, err error) {
	// 1. Check the claim, and that the board has signed it a short time ago.
	if who.Space == "" || who.ID == "" {
		return "", access.ErrDenied
	}
	if err := c.check(); err != nil {
		return "", err
	}
	t, err := readToken(c.Token)
	if err != nil {
		return "", ErrClaimToken
	}
	index := s.needs.MAC([]byte(t.Hardware))
	release, err := s.turn(ctx, index)
	if err != nil {
		return "", err
	}
	defer release()
	b, err := s.needs.Store.board(ctx, index)
	if errors.Is(err, errNoBoard) {
		return "", ErrUnknownBoard
	}
	if err != nil {
		return "", fmt.Errorf("look for a board: %w", err)
	}
	if err := s.checkClaim(ctx, who, t, b); err != nil {
		return "", err
	}
	if err := s.cut("claim", 1); err != nil {
		return "", err
	}
	// 2. The onboarding, the ends of others, and the journal, in one transaction.
	hash := t.hash()
	b.provedAt, b.tokenAt = s.now(), t.At.Unix()
	r := row{index: index, tokenHash: hash[:], Onboarding: Onboarding{
		ID: uuid.NewString(), Space: who.Space, Owner: who.ID, HardwareID: t.Hardware, Name: c.Name, BLEMAC: c.BLEMAC,
		ConnectionType: c.ConnectionType, FQBN: b.fqbn, Locked: c.Locked, ClaimedAt: s.now(),
	}}
	id, ended, err := s.needs.Store.claim(ctx, r, b, maxOpen, func(action, space, id string) journal.Entry {
		if space != who.Space {
			return s.entry(system, space, action, id, map[string]string{"why": "claimed elsewhere"}) // who it was is none of theirs
		}
		return s.entry(who, space, action, id, map[string]string{"board": shown(index)})
	})
	if err != nil {
		return "", err
	}
	s.claimed.Add(1)
	if err := s.cut("claim", 2); err != nil {
		return "", err
	}
	// 3. What others had begun of the board is taken back. It is decided; what fails here is tried again.
	for _, o := range ended {
		if err := s.takeBack(ctx, o); err != nil {
			s.needs.Log.WarnContext(ctx, "an onboarding is not taken back yet; trying again", "onboarding", o.ID, "err", err)
		}
	}
	return id, s.cut("claim", 3)
}

// checkClaim is what step 1 asks of the database.
func (s *Service) checkClaim(ctx context.Context, who access.Actor, t token, b board) error {
	if err := t.verify(b.key); errors.Is(err, ErrToken) {
		pinned, err := s.pinned(ctx, b, t.Hardware)
		if err != nil {
			return err
		}
		if !pinned {
			return ErrUnknownBoard // nobody has proved that key: let it be registered anew
		}
		return ErrOtherKey
	} else if err != nil {
		return err
	}
	if !t.fresh(s.now()) {
		return ErrStale
	}
	d, proved, err := s.holder(ctx, b, t.Hardware)
	if err != nil {
		return fmt.Errorf("look whose a board is: %w", err)
	}
	if err := mayTake(d, proved, who.Space); err != nil {
		return err
	}
	if d.ID != "" && d.Space == who.Space {
		return nil // it needs no further device
	}
	// Otherwise it is the board that would find out, and nobody would hear of it.
	limit, err := s.needs.Limit(ctx, who.Space)
	if err != nil {
		return err
	}
	used, err := s.needs.Devices.Count(ctx, who.Space)
	if err != nil {
		return err
	}
	if used >= cmp.Or(limit, math.MaxInt) {
		return device.ErrTooMany.With(org.FullText(org.Devices, used, limit))
	}
	return nil
}

// List tells the onboardings of who's space, the newest first: those of who that have not ended, or everybody's and all.
func (s *Service) List(ctx context.Context, who access.Actor, all bool) ([]Onboarding, error) {
	if who.Space == "" {
		return nil, access.ErrDenied
	}
	rows, err := s.needs.Store.list(ctx, who.Space)
	if err != nil {
		return nil, fmt.Errorf("list onboardings of space %s: %w", who.Space, err)
	}
	now := s.now()
	list := make([]Onboarding, 0, len(rows))
	for _, r := range rows {
		if all || r.open(now) && r.Owner == who.ID {
			list = append(list, r.Onboarding)
		}
	}
	return list, nil
}
