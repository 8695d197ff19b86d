package device

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// Store is what Service needs of a database. A method that takes an entry writes
// it in the same transaction as its change; nil means that both are on disk.
type Store interface {
	// add keeps what close makes of r once nothing else can be refused: or ErrTooMany, ErrHardwareTaken, ErrIDTaken.
	add(ctx context.Context, r row, limit int, close func(r *row) error, e journal.Entry) error
	byID(ctx context.Context, id string) (row, error)                    // in any space; or ErrNotFound
	byHardware(ctx context.Context, index []byte) (row, error)           // likewise
	get(ctx context.Context, space, id string) (row, error)              // deleted or not; or ErrNotFound
	list(ctx context.Context, space string, deleted bool) ([]row, error) // by age
	leaving(ctx context.Context) ([]row, error)                          // of all spaces
	among(ctx context.Context, ids []string) ([]row, error)              // those of ids that there are, in any space
	change(ctx context.Context, space, id string, fn func(r *row) error, e journal.Entry) (row, error)
	remove(ctx context.Context, space, id string, e journal.Entry) error // repeatable

	presence
}

// presence is the half of Store that sessions write to.
type presence interface {
	wasOnline(ctx context.Context) ([]row, error)                                                           // as last written, of all spaces
	save(ctx context.Context, batch []*saving) error                                                        // all or nothing; skips devices that are gone
	statuses(ctx context.Context, space, device string, before time.Time, limit int) ([]StatusEvent, error) // the newest first
}

// Things is what this room needs of the room of things, which stands above it.
type Things interface {
	// Attached tells which thing a device belongs to. It answers from memory.
	Attached(device string) (thing string, ok bool)
	// LastValues makes the SenML pack that a device of generation 2 gets with
	// LastValuesUpdate; nil when it has no thing.
	LastValues(ctx context.Context, device string) ([]byte, error)
	// Embed makes the JSON value of the thing of each device that has one.
	Embed(ctx context.Context, who access.Actor, devices []string) (map[string]any, error)
	Properties(ctx context.Context, who access.Actor, device string, deleted bool) (Properties, error)
	History(ctx context.Context, who access.Actor, device, property string, limit int, start string) (History, error)
	Publish(ctx context.Context, who access.Actor, device string, values []Value, input bool) error
	// Detach leaves the thing of a device without one. It is repeatable, and
	// nothing to do when the device has no thing.
	Detach(ctx context.Context, who access.Actor, space, device string) error
}

// Properties is what a device's thing has.
type Properties struct {
	RetentionDays float64
	List          any // JSON array of properties, as the thing's room writes it
}

// History is what one property of a device's thing had.
type History struct {
	ID, Name string
	Values   []Sample
	Next     string // start of the rest; "" when there is none
}

// A Sample is one value of a History.
type Sample struct {
	At      time.Time
	Payload string
}

// A Value is one that is written on behalf of a device.
type Value struct {
	Name string
	Type string // infer, base64, hex or json: how to read Value
	JSON json.RawMessage
}

// A Line is the connection to devices: the broker.
type Line interface {
	// Send hands a message to the device's session, if it has one that subscribed to topic.
	Send(device, topic string, payload []byte, qos byte)
	// Drop closes the device's sessions.
	Drop(device string, reason error)
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Device(ctx context.Context, space, id string) (keys.Sealer, error)
	Erased(ctx context.Context, kind string) ([]string, error)
	MAC(name string) func(msg []byte) []byte
}

// Certificates is what this room needs of the device CA: *ca.Service.
type Certificates interface {
	Check(ctx context.Context, leaf *x509.Certificate, at time.Time) (ca.Certificate, error)
	RevokeDevice(ctx context.Context, who access.Actor, device ca.Device, reason ca.Reason) error
	Known(ctx context.Context, device string) (bool, error)
	Issuers(ctx context.Context, space string, devices []string) (map[string]string, error)
}

// Needs are what a Service is made of; all but Limit must be there.
type Needs struct {
	Store        Store
	Keys         Keys
	Certificates Certificates
	// Revocations tells of certificates that may count no more: the CA's Changes.
	Revocations *feed.Feed[ca.Change]
	Now         func() time.Time
	Log         *slog.Logger
	// Organization is how clients know a space: "" for a private one. It is asked at
	// each connect: devices of a space that it does not know are not let in.
	Organization func(ctx context.Context, space string) (string, error)
	// Limit is how many devices a space may have, deleted ones included; 0 is any number.
	// Nil is 100,000 for each.
	Limit func(ctx context.Context, space string) (int, error)
}

// What happened to a device.
type What uint8

const (
	Created What = iota
	Updated      // fields, tags or what it says of itself
	Deleted
	Connected
	Disconnected
)

// A Change tells that something happened to a device. It is on disk, but for
// Connected and Disconnected, which are true at once and reach the disk in batches.
type Change struct {
	What          What
	Space, Device string
	At            time.Time
}

// A Presence tells whether a device is connected. It is on disk.
type Presence struct {
	Space, Device string
	Status        Status
	At            time.Time
}

// A Service knows the devices of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs         Needs
	secretMAC     func([]byte) []byte
	hardwareIndex func([]byte) []byte
	things        Things                  // set by Bind before anything is served
	line          Line                    // set by Bind before anything is served
	updates       Updates                 // set by BindUpdates before anything is served
	webhooks      func(device string) any // set by BindWebhooks before anything is served

	// Changes tells what happened to devices.
	Changes feed.Feed[Change]
	// Presences tells of devices that came and went, once that is on disk: up to a second after Changes.
	Presences feed.Feed[Presence]
	// Alerts tells of devices that seem to exist twice.
	Alerts feed.Feed[Alert]
	alerts atomic.Uint64 // since the start

	mu       sync.Mutex
	sessions map[string]*Session // guarded by mu: by device, the last that connected
	doubts   uint64              // guarded by mu: moves when a session that is being let in must be looked at again
	barred   map[string]bar      // guarded by mu: devices that seem to exist twice
	pending  map[string]*saving  // guarded by mu: by device, what the disk has still to learn
	underWay bool                // guarded by mu: something is neither pending nor yet on disk
	lastAt   time.Time           // guarded by mu: of the last status event; they never share a time

	flushing sync.Mutex     // held while pending goes to disk, so that batches keep their order
	written  map[string]int // guarded by flushing: by device, status events since the oldest went
	wake     chan struct{}
	recheck  chan *Session
	all      chan struct{} // every session is to be looked at again

	// cut is asked after each step of a delete; an error ends it there, as a power
	// cut would. For tests.
	cut func(step int) error
}

const defaultLimit = 100_000

// New checks needs. Bind and Repair come next.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Certificates == nil || needs.Revocations == nil ||
		needs.Now == nil || needs.Log == nil || needs.Organization == nil {
		return nil, errors.New("devices need Store, Keys, Certificates, Revocations, Now, Log and Organization")
	}
	if needs.Limit == nil {
		needs.Limit = func(context.Context, string) (int, error) { return defaultLimit, nil }
	}
	return &Service{
		needs: needs, things: noThings{}, line: noLine{}, updates: noUpdates{},
		secretMAC:     needs.Keys.MAC("device-secret"),
		hardwareIndex: needs.Keys.MAC("device-hardware"),
		sessions:      make(map[string]*Session),
		barred:        make(map[string]bar),
		pending:       make(map[string]*saving),
		written:       make(map[string]int),
		wake:          make(chan struct{}, 1),
		recheck:       make(chan *Session, 1024),
		all:           make(chan struct{}, 1),
		cut:           func(int) error { return nil },
	}, nil
}

// Bind gives the Service what stands above it. Without, devices have no things and
// nobody can be reached. It must be called before anything is served, or not at all.
func (s *Service) Bind(things Things, line Line) { s.things, s.line = things, line }

// BindWebhooks gives the Service who knows the webhooks of a device, as a JSON value; nil for none. Without, no answer has any.
func (s *Service) BindWebhooks(show func(device string) any) { s.webhooks = show }

// Repair finishes deletes that were interrupted, and writes down that those who
// were online when the process died are not. It must have returned nil before
// devices may connect.
func (s *Service) Repair(ctx context.Context) error {
	gone, err := s.needs.Store.leaving(ctx)
	if err != nil {
		return fmt.Errorf("find interrupted deletes: %w", err)
	}
	for _, r := range gone {
		s.needs.Log.InfoContext(ctx, "going on with an interrupted delete", "device", r.ID)
		if err := s.leave(ctx, access.Actor{Kind: access.System}, r); err != nil {
			return fmt.Errorf("finish the delete of device %s: %w", r.ID, err)
		}
	}
	return s.repairPresence(ctx)
}

// EraseAgain removes the devices of which an older archive of data has brought rows back: their
// keys are gone, so nobody can read them. It comes before anything is served.
func (s *Service) EraseAgain(ctx context.Context) error {
	gone, err := s.needs.Keys.Erased(ctx, keys.KindDevice)
	if err != nil {
		return err
	}
	back, err := s.needs.Store.among(ctx, gone)
	if err != nil {
		return fmt.Errorf("look for devices that were erased: %w", err)
	}
	for _, r := range back {
		if err := s.clear(ctx, access.Actor{Kind: access.System}, r); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("remove device %s again, whose key is gone: %w", r.ID, err)
		}
	}
	return nil
}

// key is what seals the row of a device that there is.
func (s *Service) key(ctx context.Context, space, id string) (keys.Sealer, error) {
	seal, err := s.needs.Keys.Device(ctx, space, id)
	if err != nil {
		return nil, fmt.Errorf("key of device %s: %w", id, err)
	}
	return seal, nil
}

// ours is the second lock behind the policy: the space that an actor may name.
func ours(who access.Actor, space string) error {
	if space == "" || who.Kind != access.System && who.Space != space {
		return access.ErrDenied
	}
	return nil
}

// Create makes a device of d's fields in who's space (for System: in d.Space, for d.Owner).
func (s *Service) Create(ctx context.Context, who access.Actor, d Device) (Device, error) {
	return s.create(ctx, who, d, "device:create")
}

// Claim makes a device that stands for the board d.HardwareID. d.ID is the ID that
// it shall have, or "". A board that has a device is ErrHardwareTaken, whoever owns that.
func (s *Service) Claim(ctx context.Context, who access.Actor, d Device) (Device, error) {
	if d.HardwareID == "" {
		return Device{}, ErrInvalid.With("A board is claimed by its unique_hardware_id.")
	}
	if d.ID != "" {
		// An old certificate must never let somebody in as a new device.
		if used, err := s.needs.Certificates.Known(ctx, d.ID); err != nil || used {
			return Device{}, errors.Join(ErrIDTaken, err)
		}
	}
	return s.create(ctx, who, d, "device:claim")
}

// Holder finds the device that stands for a board, in whichever space it is, or ErrNotFound. What is
// sealed of it is left out.
func (s *Service) Holder(ctx context.Context, hardwareID string) (Device, error) {
	r, err := s.needs.Store.byHardware(ctx, s.hardwareIndex([]byte(hardwareID)))
	if err != nil {
		return Device{}, err
	}
	if r.leaving == leavingHard {
		return Device{}, ErrNotFound
	}
	return r.Device, nil
}

func (s *Service) create(ctx context.Context, who access.Actor, d Device, action string) (Device, error) {
	if who.Kind != access.System {
		d.Space, d.Owner = who.Space, who.ID // whatever the request says
	}
	if err := ours(who, d.Space); err != nil {
		return Device{}, err
	}
	if d.ID == "" {
		d.ID = uuid.NewString()
	}
	if d.Name == "" {
		d.Name = d.Label() + " " + d.ID[:4]
	}
	if err := d.Check(); err != nil {
		return Device{}, err
	}
	d.CreatedAt = s.now()
	d.UpdatedAt, d.DeletedAt, d.LastActivityAt = d.CreatedAt, time.Time{}, time.Time{}
	r := row{Device: d}
	r.index(s.hardwareIndex)
	limit, err := s.needs.Limit(ctx, d.Space)
	if err != nil {
		return Device{}, err
	}
	err = s.needs.Store.add(ctx, r, cmp.Or(limit, math.MaxInt), func(r *row) error {
		seal, err := s.key(ctx, d.Space, d.ID)
		if err != nil {
			return err
		}
		return r.close(d, seal, s.hardwareIndex)
	}, s.entry(who, d.Space, action, d.ID, map[string]string{"type": d.Type}))
	if errors.Is(err, ErrTooMany) {
		used, err := s.Count(ctx, d.Space)
		return Device{}, errors.Join(ErrTooMany.With(org.FullText(org.Devices, used, limit)), err)
	}
	if errors.Is(err, keys.ErrErased) {
		if _, gone := s.needs.Organization(ctx, d.Space); gone == nil {
			return Device{}, ErrIDTaken // not the space was erased, but a device with that ID
		}
	}
	if err != nil {
		return Device{}, err
	}
	s.Changes.Publish(Change{Created, d.Space, d.ID, d.CreatedAt})
	return s.present(d), nil
}

// now is the clock, as far as the database keeps it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, space, action, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: space, Action: action, Resource: "device", ID: id, Detail: detail}
}

// present adds what is only known in memory: whether the device is connected now.
func (s *Service) present(d Device) Device {
	k, _ := KindOf(d.Type)
	d.Status = Offline
	if !k.Sessions {
		d.Status = Unknown
	}
	s.mu.Lock()
	session := s.sessions[d.ID]
	s.mu.Unlock()
	if session != nil {
		d.Status = Online
		if at := session.seenAt(); at.After(d.LastActivityAt) {
			d.LastActivityAt = at
		}
	}
	return d
}

// Get finds a device of space. A deleted one is not there unless deleted is set.
func (s *Service) Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (Device, error) {
	if err := ours(who, space); err != nil {
		return Device{}, err
	}
	if err := s.settle(ctx, id); err != nil {
		return Device{}, err
	}
	r, err := s.needs.Store.get(ctx, space, id)
	if err != nil {
		return Device{}, err
	}
	if !r.DeletedAt.IsZero() && !deleted || r.leaving == leavingHard {
		return Device{}, ErrNotFound
	}
	seal, err := s.key(ctx, space, id)
	if err != nil {
		return Device{}, err
	}
	d, err := r.open(seal)
	if err != nil {
		return Device{}, err
	}
	return s.present(d), nil
}

// Find says which space and owner a device has, for callers that know only its ID:
// the administrator, and whoever asks on behalf of a session.
func (s *Service) Find(ctx context.Context, id string) (access.Resource, error) {
	r, err := s.needs.Store.byID(ctx, id)
	if err != nil {
		return access.Resource{}, err
	}
	if !r.DeletedAt.IsZero() || r.leaving != staying {
		return access.Resource{}, ErrNotFound
	}
	return access.Resource{Type: "Device", ID: r.ID, Space: r.Space, Owner: r.Owner}, nil
}

// A Filter says which devices of a space are listed. The zero Filter lists all.
type Filter struct {
	Owner      string // user id
	Serial     string
	HardwareID string
	Tags       []Tag // all of them
	Deleted    bool  // deleted ones too
}

// List tells the devices of space that pass a filter, the oldest first.
func (s *Service) List(ctx context.Context, who access.Actor, space string, f Filter) ([]Device, error) {
	if err := ours(who, space); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, ""); err != nil {
		return nil, err
	}
	rows, err := s.needs.Store.list(ctx, space, f.Deleted)
	if err != nil {
		return nil, fmt.Errorf("list devices of space %s: %w", space, err)
	}
	all := make([]Device, 0, len(rows))
	for i := range rows {
		if f.Owner != "" && rows[i].Owner != f.Owner || rows[i].leaving == leavingHard {
			continue
		}
		seal, err := s.key(ctx, space, rows[i].ID)
		if err != nil {
			return nil, err
		}
		d, err := rows[i].open(seal)
		if err != nil {
			return nil, err
		}
		if f.Serial != "" && d.Serial != f.Serial || f.HardwareID != "" && d.HardwareID != f.HardwareID || !d.Matches(f.Tags) {
			continue
		}
		all = append(all, s.present(d))
	}
	return all, nil
}

// Update changes fields of a device by fn, which may run more than once, and
// restores the device if it was deleted and fn clears DeletedAt. ID, space, owner
// and times cannot be changed.
func (s *Service) Update(ctx context.Context, who access.Actor, space, id string, fn func(d *Device) error) (Device, error) {
	return s.update(ctx, who, space, id, "device:update", fn)
}

func (s *Service) update(ctx context.Context, who access.Actor, space, id, action string, fn func(d *Device) error) (Device, error) {
	if err := ours(who, space); err != nil {
		return Device{}, err
	}
	var after Device
	_, err := s.needs.Store.change(ctx, space, id, func(r *row) error {
		if r.leaving != staying {
			return ErrNotFound
		}
		seal, err := s.key(ctx, space, id)
		if err != nil {
			return err
		}
		before, err := r.open(seal)
		if err != nil {
			return err
		}
		after = before
		if err := fn(&after); err != nil {
			return err
		}
		after.ID, after.Space, after.Owner = before.ID, before.Space, before.Owner
		after.CreatedAt, after.LastActivityAt, after.Reported = before.CreatedAt, before.LastActivityAt, before.Reported
		if !after.DeletedAt.IsZero() {
			after.DeletedAt = before.DeletedAt
		}
		if after.Name == "" {
			after.Name = before.Name
		}
		if err := after.Check(); err != nil {
			return err
		}
		after.UpdatedAt = s.now()
		return r.close(after, seal, s.hardwareIndex)
	}, s.entry(who, space, action, id, nil))
	if err != nil {
		return Device{}, err
	}
	s.Changes.Publish(Change{Updated, space, id, after.UpdatedAt})
	return s.present(after), nil
}

// RemoveHardwareID frees the board of a device, so that another device can stand for it.
func (s *Service) RemoveHardwareID(ctx context.Context, who access.Actor, space, id string) (Device, error) {
	return s.update(ctx, who, space, id, "device:update", func(d *Device) error {
		switch {
		case !d.DeletedAt.IsZero():
			return ErrNotFound
		case d.HardwareID == "":
			return ErrNoHardware
		}
		d.HardwareID = ""
		return nil
	})
}

// SetTag gives a device a tag, or another value for one that it has.
func (s *Service) SetTag(ctx context.Context, who access.Actor, space, id, key, value string) error {
	if err := CheckTag(key, value); err != nil {
		return err
	}
	_, err := s.update(ctx, who, space, id, "device:tag", func(d *Device) error {
		if !d.DeletedAt.IsZero() {
			return ErrNotFound
		}
		if d.Tags == nil {
			d.Tags = make(map[string]string)
		}
		if _, has := d.Tags[key]; !has && len(d.Tags) >= maxTags {
			return ErrTooManyTags
		}
		d.Tags[key] = value
		return nil
	})
	return err
}

// DeleteTag takes a tag from a device. It may not have it.
func (s *Service) DeleteTag(ctx context.Context, who access.Actor, space, id, key string) error {
	if len(key) > maxTagText || !tagForm.MatchString(key) {
		return ErrTag
	}
	_, err := s.update(ctx, who, space, id, "device:tag", func(d *Device) error {
		if !d.DeletedAt.IsZero() {
			return ErrNotFound
		}
		delete(d.Tags, key)
		return nil
	})
	return err
}

// noThings stands for the room above until there is one.
type noThings struct{}

func (noThings) Attached(string) (string, bool)                     { return "", false }
func (noThings) LastValues(context.Context, string) ([]byte, error) { return nil, nil }
func (noThings) Embed(context.Context, access.Actor, []string) (map[string]any, error) {
	return nil, nil
}
func (noThings) Properties(context.Context, access.Actor, string, bool) (Properties, error) {
	return Properties{}, nil
}
func (noThings) History(context.Context, access.Actor, string, string, int, string) (History, error) {
	return History{}, ErrNotFound
}
func (noThings) Publish(context.Context, access.Actor, string, []Value, bool) error {
	return ErrNotFound
}
func (noThings) Detach(context.Context, access.Actor, string, string) error { return nil }

// noLine stands for the broker until there is one.
type noLine struct{}

func (noLine) Send(string, string, []byte, byte) {}
func (noLine) Drop(string, error)                {}
