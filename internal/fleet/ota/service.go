package ota

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/board"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same
// transaction as its change; nil means that both are on disk.
type Store interface {
	imageStore
	updateStore
	campaignStore
}

type imageStore interface {
	addImage(ctx context.Context, i Image, room int64, e journal.Entry) error // keeps its blob; or ErrStorage
	image(ctx context.Context, space, id string) (Image, error)               // or ErrImageNotFound
	imageOf(ctx context.Context, space string, file [32]byte) (Image, error)
	images(ctx context.Context, space string) ([]Image, error) // the newest first
	last(ctx context.Context, i Image) error                   // it stays until somebody deletes it
	unneeded(ctx context.Context, before time.Time, limit int) ([]Image, error)
	deleteImage(ctx context.Context, i Image, e journal.Entry) error // with its blob; or ErrImageUsed
}

type updateStore interface {
	add(ctx context.Context, all []Update, c *Campaign, e journal.Entry) ([]Update, error)
	update(ctx context.Context, space, id string) (Update, error) // or ErrNotFound
	anywhere(ctx context.Context, id string) (Update, error)      // the same, in any space
	updates(ctx context.Context, f Filter) ([]Update, error)
	course(ctx context.Context, id string) ([]Line, error)
	edit(ctx context.Context, fn func(tx changer) error) error // all or nothing; fn may run more than once
	forget(ctx context.Context, device string) error
	devices(ctx context.Context) ([]string, error) // that have updates
}

type campaignStore interface {
	campaign(ctx context.Context, space, id string) (Campaign, error) // or ErrCampaignNotFound
	campaigns(ctx context.Context, space string, limit int) ([]Campaign, error)
	underWay(ctx context.Context) ([]string, error)
	tally(ctx context.Context, campaign string) ([]Tally, error)
	clear(ctx context.Context, space string, e journal.Entry) error // all rows of a space; no entry without one
}

// A changer changes updates within one transaction.
type changer interface {
	open(device string) (Update, error)    // the one that is under way; or ErrNotFound
	find(space, id string) (Update, error) // or ErrNotFound
	save(u Update, news []Line) error      // what can change of u, and new steps
	late(now time.Time, limit int) ([]Update, error)
	record(e journal.Entry) error
	campaign(id string) (Campaign, []Tally, error)
	saveCampaign(c Campaign) error
	ofCampaign(id string, wave int) ([]Update, error)
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
	List(ctx context.Context, who access.Actor, space string, f device.Filter) ([]device.Device, error)
	CheckSecret(ctx context.Context, who access.Actor, space, id, key string) error
	Reach(ctx context.Context, id string) (device.Reach, error)
	SendUpdate(id string, c command.OtaUpdate) error
	SendUpdateURL(id, url string)
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Store   Store
	Blobs   *blob.Store
	MAC     func(msg []byte) []byte // of the key ring, for this room alone
	Devices Devices
	Now     func() time.Time
	Log     *slog.Logger
	// Room is how many bytes the files of a space may have together; math.MaxInt64 is any number.
	Room func(ctx context.Context, space string) (int64, error)
	// Address is the address at which a device finds a path of ours: https://host[:port]path.
	Address func(path string) string
}

// A Change tells that an update has moved on; that is on disk.
type Change struct {
	Space, Device, ID string
	Status            Status
}

// A Service updates boards. All methods may be called from any goroutine.
type Service struct {
	needs Needs

	// Changes tells of updates that have moved on.
	Changes feed.Feed[Change]

	events chan event    // what devices say; Run takes it
	wake   chan struct{} // holds one when turn is not empty
	plain  chan struct{} // one token for each plain image that is in memory

	mu     sync.Mutex
	counts Counts          // guarded by mu
	turn   []string        // guarded by mu: the devices that Run has to tell, each once, the first first
	owed   map[string]bool // guarded by mu: who is in turn
}

// Counts are since the start.
type Counts struct {
	Begun, Succeeded, Failed, Expired, Cancelled uint64
}

const queue = 4096 // events; at the bound the room of devices waits, and so do devices

// New checks needs. Repair comes next.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Blobs == nil || needs.MAC == nil || needs.Devices == nil || needs.Now == nil || needs.Log == nil || needs.Room == nil || needs.Address == nil {
		return nil, errors.New("updates need Store, Blobs, MAC, Devices, Now, Log, Room and Address")
	}
	return &Service{needs: needs, events: make(chan event, queue), wake: make(chan struct{}, 1), plain: make(chan struct{}, encoders), owed: map[string]bool{}}, nil
}

// Counts tells what happened since the start.
func (s *Service) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// ours is the second lock behind the policy: the space that an actor may name.
func ours(who access.Actor, space string) error {
	if space == "" || who.Kind != access.System && who.Space != space {
		return access.ErrDenied
	}
	return nil
}

func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, space, action, resource, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: space, Action: action, Resource: resource, ID: id, Detail: detail}
}

// A Filter picks updates of one space.
type Filter struct {
	Space       string
	Device      string // "" for all
	Campaign    string // "" for all
	OldestFirst bool
	Limit       int
}

// maxList is how many updates are listed at a time.
const maxList = 1000

// List tells updates of a space.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter) ([]Update, error) {
	if err := ours(who, f.Space); err != nil {
		return nil, err
	}
	if f.Limit <= 0 || f.Limit > maxList {
		f.Limit = maxList
	}
	all, err := s.needs.Store.updates(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list updates of space %s: %w", f.Space, err)
	}
	return all, nil
}

// Get tells an update and its course, the first step first.
func (s *Service) Get(ctx context.Context, who access.Actor, space, id string) (Update, []Line, error) {
	if err := ours(who, space); err != nil {
		return Update{}, nil, err
	}
	u, err := s.needs.Store.update(ctx, space, id)
	if err != nil {
		return Update{}, nil, err
	}
	all, err := s.needs.Store.course(ctx, id)
	if err != nil {
		return Update{}, nil, fmt.Errorf("course of update %s: %w", id, err)
	}
	return u, all, nil
}

// Terms are when and how devices are updated.
type Terms struct {
	StartAt time.Time     // not before; zero: at once
	Life    time.Duration // from StartAt, for devices to begin; 0 is 10 minutes
	Retries int           // after an interruption, at most; -1 is 2
}

func (t Terms) filled(now time.Time) (Terms, error) {
	if t.Life == 0 {
		t.Life = defaultLife
	}
	if t.Retries < 0 {
		t.Retries = lostRetries
	}
	switch {
	case t.Life < time.Minute || t.Life > maxLife:
		return t, ErrInvalid.With("An update expires after 1 minute to 30 days (expire_in_mins is 1 to 43200).")
	case t.Retries > maxRetries:
		return t, ErrInvalid.With(fmt.Sprintf("An update is begun again at most %d times.", maxRetries))
	case t.StartAt.After(now.Add(maxAhead)):
		return t, ErrInvalid.With("An update begins within a year.")
	case !t.StartAt.After(now):
		t.StartAt = time.Time{}
	}
	return t, nil
}

// new makes an update that begins by t, which is filled.
func (t Terms) new(now time.Time, d device.Device, i Image, owner string) Update {
	begin := now
	if !t.StartAt.IsZero() {
		begin = t.StartAt
	}
	return Update{
		ID: uuid.NewString(), Space: i.Space, Device: d.ID, Owner: owner, Image: i.ID, Status: Pending, Version: versionOf(d), Bytes: i.FileBytes,
		Final: i.ImageSHA, MaxRetries: t.Retries, CreatedAt: now, StartAt: t.StartAt, ExpiresAt: begin.Add(t.Life),
	}
}

// versionOf is how a device is updated: by properties only if it asks for that.
func versionOf(d device.Device) int {
	if d.Reported[device.OTACap].Value == "true" {
		return 1
	}
	return 2
}

// boardOf is which board a device is, nil if nobody knows.
func boardOf(d device.Device) *board.Board {
	if b := board.Find(d.FQBN); b != nil {
		return b
	}
	for _, b := range board.Boards() {
		if strings.HasSuffix(b.FQBN, ":"+d.Type) {
			return &b
		}
	}
	return nil
}

// capable says whether a device can be updated with an image.
func capable(d device.Device, i Image) error {
	k, _ := device.KindOf(d.Type)
	able := k.OTA
	if b := boardOf(d); b != nil {
		able = able && b.OTA
	}
	if !able {
		return ErrIncapable.With(fmt.Sprintf("A device of type %s (%s) cannot be updated over the air.", d.Type, d.FQBN))
	}
	return fits(d.Type, d.FQBN, i.Magic)
}

// Start updates one device. It is told at once if it is connected, and else when it comes.
func (s *Service) Start(ctx context.Context, who access.Actor, space, id, image string, t Terms) (Update, error) {
	if err := ours(who, space); err != nil {
		return Update{}, err
	}
	now := s.now()
	t, err := t.filled(now)
	if err != nil {
		return Update{}, err
	}
	d, err := s.needs.Devices.Get(ctx, who, space, id, false)
	if err != nil {
		return Update{}, err
	}
	i, err := s.needs.Store.image(ctx, space, image)
	if err != nil {
		return Update{}, err
	}
	if err := capable(d, i); err != nil {
		return Update{}, err
	}
	u := t.new(now, d, i, who.ID)
	added, err := s.needs.Store.add(ctx, []Update{u}, nil, s.entry(who, space, "ota:create", "ota", u.ID, map[string]string{"device": id, "image": i.ID}))
	if err != nil {
		return Update{}, err
	}
	s.begun(added)
	return u, nil
}

// begun has Run tell the devices of updates that were added.
func (s *Service) begun(added []Update) {
	s.mu.Lock()
	s.counts.Begun += uint64(len(added))
	s.mu.Unlock()
	for _, u := range added {
		s.Changes.Publish(Change{u.Space, u.Device, u.ID, u.Status})
	}
	s.tell(added)
}

// Cancel ends an update. The device that has begun to fetch finds nothing at its address any more; one that has all
// of it may still start with the new image.
func (s *Service) Cancel(ctx context.Context, who access.Actor, space, id string) (Update, error) {
	if err := ours(who, space); err != nil {
		return Update{}, err
	}
	var u Update
	err := s.needs.Store.edit(ctx, func(tx changer) (err error) {
		if u, err = tx.find(space, id); err != nil {
			return err
		}
		if u.Status.Over() {
			return ErrOver
		}
		var news []Line
		u.end(Cancelled, "", 0, s.now(), &news)
		if err := tx.save(u, news); err != nil {
			return err
		}
		return tx.record(s.entry(who, space, "ota:cancel", "ota", id, map[string]string{"device": u.Device}))
	})
	if err != nil {
		return Update{}, err
	}
	s.over(ctx, []Update{u})
	return u, nil
}

// over tells of updates that have moved on, and what they mean for their campaigns.
func (s *Service) over(ctx context.Context, moved []Update) {
	campaigns := map[string]bool{}
	s.mu.Lock()
	for _, u := range moved {
		switch u.Status {
		case Succeeded:
			s.counts.Succeeded++
		case Failed:
			s.counts.Failed++
		case Expired:
			s.counts.Expired++
		case Cancelled:
			s.counts.Cancelled++
		}
		if u.Status.Over() && u.Campaign != "" {
			campaigns[u.Campaign] = true
		}
	}
	s.mu.Unlock()
	for _, u := range moved {
		s.Changes.Publish(Change{u.Space, u.Device, u.ID, u.Status})
	}
	for id := range campaigns {
		select {
		case s.events <- event{kind: advances, device: id}:
		default:
			// Run looks at all of them in a while anyway.
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// Upload checks a file as it comes and keeps it. lasting keeps it until somebody deletes it. The same file
// in the same space is kept once: then the image that there is comes back.
func (s *Service) Upload(ctx context.Context, who access.Actor, space, name string, lasting bool, r io.Reader) (Image, error) {
	if err := ours(who, space); err != nil {
		return Image{}, err
	}
	name, err := imageName(name)
	if err != nil {
		return Image{}, err
	}
	room, err := s.needs.Room(ctx, space)
	if err != nil {
		return Image{}, err
	}
	return s.upload(ctx, who, space, name, lasting, r, room)
}
