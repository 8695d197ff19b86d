package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// Store is what Service needs of a database. Its methods are unexported: no other
// room can reach the data around the Service. A method that takes an entry writes
// it in the same transaction as its change; nil means that both are on disk.
type Store interface {
	// add is ErrFull above most dashboards, where 0 is any number, and ErrStorage as addImage.
	add(ctx context.Context, d Dashboard, images []Image, most int, room int64, e journal.Entry) error
	find(ctx context.Context, space, id string) (Dashboard, error)
	list(ctx context.Context, space string, deleted bool) ([]Dashboard, error) // the oldest first; with deleted ones if deleted
	change(ctx context.Context, space, id string, act func(d *Dashboard) (journal.Entry, error)) (Dashboard, error)
	erase(ctx context.Context, space, id string, e journal.Entry) error
	count(ctx context.Context, space string) (int, error) // deleted ones too
	eraseSpace(ctx context.Context, space string, e journal.Entry) error

	sharing
	linking
	pictures
}

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
	Variables(ctx context.Context, space string, ids []string) (map[string]thing.Variable, error)
	Bins(ctx context.Context, space string, v thing.Variable, from, to time.Time, limit int) ([]series.Bin, error)
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
}

// Keyring is what this room needs of the key ring beside Store: *keys.Ring.
type Keyring interface {
	Space(ctx context.Context, space string) (keys.Sealer, error)
	Person(ctx context.Context, user string) (keys.Sealer, error)
}

// A Letter is what somebody should be told of a dashboard by mail.
type Letter struct {
	Asked     bool   // somebody wants to see it; else it was shared
	To        string // user ID
	From      string // user ID of who shared it or asks
	Dashboard string // ID
	Name      string // of the dashboard
	Message   string // of who asks
}

// Needs are what a Service is made of; all but Limit, Room, Tell, Page, Web and Own must be there.
type Needs struct {
	Store   Store
	Keys    Keyring
	Things  Things
	Devices Devices
	Policy  *access.Policy
	// Organization is how clients know a space: "" for a private one.
	Organization func(ctx context.Context, space string) (string, error)
	// Admit refuses people who have not signed in as surely as a space asks.
	Admit func(ctx context.Context, who access.Actor, space string) error
	// Person is how others see an account: its user name, or what it is called; "" for none.
	Person func(ctx context.Context, user string) (string, error)
	// Find finds an account by ID, user name or e-mail address: ErrNoPerson for nobody.
	Find func(ctx context.Context, text string) (user string, err error)
	Now  func() time.Time
	Log  *slog.Logger
	// Limit is how many dashboards a space may have, deleted ones included; 0 is any number.
	Limit func(ctx context.Context, space string) (int, error)
	// Room is how many bytes the pictures of a space may have together; math.MaxInt64 is any number.
	Room func(ctx context.Context, space string) (int64, error)
	// Full says in words that a space has so many.
	Full func(used, most int) string
	// Tell sends a letter. What fails is logged: the share stands without it.
	Tell func(ctx context.Context, l Letter) error
	// Page is the address of the public link with a token.
	Page func(token string) string
	// Web asks other servers for the pictures that widgets name, and Own those of one's own network, in clear. nil: none is asked.
	Web, Own *http.Client
}

// A Change tells that a dashboard is another than before, or that others see it than before. It is on disk.
type Change struct {
	Space     string
	Dashboard string // "" for all of the space
	Guests    bool   // the dashboard is as it was; those are others with whom it is shared
}

// A Service knows the dashboards of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs Needs

	// Changes tells which dashboards changed.
	Changes feed.Feed[Change]

	page  page
	far   *gallery
	easel chan struct{} // one token for each picture that is read at once

	guesses *door.Limiter // names that were looked for in vain, by who looks
	asks    *door.Limiter // requests for access, by who asks
	views   *door.Limiter // of public links, by link and address
	crowd   *door.Limiter // of public links, by link
}

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Limit == nil {
		needs.Limit = func(context.Context, string) (int, error) { return 0, nil }
	}
	if needs.Room == nil {
		needs.Room = func(context.Context, string) (int64, error) { return math.MaxInt64, nil }
	}
	if needs.Full == nil {
		needs.Full = func(used, most int) string {
			return fmt.Sprintf("The space has %d of at most %d dashboards.", used, most)
		}
	}
	if needs.Tell == nil {
		needs.Tell = func(context.Context, Letter) error { return nil }
	}
	if needs.Page == nil {
		needs.Page = PublicPath
	}
	if needs.Store == nil || needs.Keys == nil || needs.Things == nil || needs.Devices == nil || needs.Policy == nil || needs.Organization == nil ||
		needs.Admit == nil || needs.Person == nil || needs.Find == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("dashboards need Store, Keys, Things, Devices, Policy, Organization, Admit, Person, Find, Now and Log")
	}
	shown, err := newPage()
	if err != nil {
		return nil, err
	}
	return &Service{
		needs: needs, page: shown, far: newGallery(needs), easel: make(chan struct{}, easels),
		guesses: door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 10, Burst: 20}, needs.Now),
		asks:    door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 10, Burst: 20}, needs.Now),
		views:   door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 120, Burst: 60}, needs.Now),
		crowd:   door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 2400, Burst: 600}, needs.Now),
	}, nil
}

// now is the clock, as far as the database keeps it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

// entry is what the journal says of a change in space.
func (s *Service) entry(who access.Actor, action, space, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: space, Action: action, Resource: "dashboard", ID: id, Detail: detail}
}

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

// untitled is the name of a dashboard whose maker gave none.
const untitled = "Untitled"

// Create makes a dashboard in who's space.
func (s *Service) Create(ctx context.Context, who access.Actor, d Dashboard) (Dashboard, error) {
	d.ID = uuid.NewString()
	return s.create(ctx, who, d, nil, "dashboard:create", nil)
}

// create makes a dashboard that has its ID already, with its pictures.
func (s *Service) create(ctx context.Context, who access.Actor, d Dashboard, images []Image, action string, detail map[string]string) (Dashboard, error) {
	if err := ours(who); err != nil {
		return Dashboard{}, err
	}
	d.Space, d.Owner, d.CreatedAt, d.DeletedAt = who.Space, who.ID, s.now(), time.Time{}
	d.UpdatedAt = d.CreatedAt
	if d.Name == "" {
		d.Name = untitled
	}
	d.fillIn()
	if err := d.Check(); err != nil {
		return Dashboard{}, err
	}
	if err := s.checkVariables(ctx, who.Space, Dashboard{}, d); err != nil {
		return Dashboard{}, err
	}
	most, err := s.needs.Limit(ctx, who.Space)
	if err != nil {
		return Dashboard{}, err
	}
	room, err := s.needs.Room(ctx, who.Space)
	if err != nil {
		return Dashboard{}, err
	}
	err = s.needs.Store.add(ctx, d, images, most, room, s.entry(who, action, d.Space, d.ID, detail))
	if errors.Is(err, ErrFull) {
		return Dashboard{}, ErrFull.With(s.needs.Full(most, most))
	}
	return d, err
}

// fillIn says what a client may leave unsaid, and writes IDs as we do.
func (d *Dashboard) fillIn() {
	for i := range d.Pages {
		d.Pages[i].ID = strings.ToLower(d.Pages[i].ID)
	}
	for i := range d.Widgets {
		w := &d.Widgets[i]
		w.ID, w.Page = strings.ToLower(w.ID), strings.ToLower(w.Page)
		if w.Page == "" {
			w.Page = MainPage
		}
		if len(w.Options) == 0 {
			w.Options = []byte("{}")
		}
		if short := new(bytes.Buffer); json.Compact(short, w.Options) == nil {
			w.Options = short.Bytes() // as the database has them
		}
		for j, v := range w.Variables {
			w.Variables[j] = strings.ToLower(v)
		}
	}
}

// checkVariables refuses what after shows and before did not, unless it is a living property of
// the space. What has gone meanwhile may stay, and is marked.
func (s *Service) checkVariables(ctx context.Context, space string, before, after Dashboard) error {
	old := before.shown()
	var fresh []string
	for _, v := range after.shown() {
		if !slices.Contains(old, v) {
			fresh = append(fresh, v)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	found, err := s.needs.Things.Variables(ctx, space, fresh)
	if err != nil {
		return err
	}
	for _, w := range after.Widgets {
		for i, v := range w.Variables {
			if _, there := found[v]; !there && slices.Contains(fresh, v) {
				return ErrVariable.With(fmt.Sprintf("Widget %s: its variable %d is no property of this space.", w.ID, i+1))
			}
		}
	}
	return nil
}

// Get finds a dashboard in who's space, or one that was shared with who. A deleted one is not there.
func (s *Service) Get(ctx context.Context, who access.Actor, id string) (Dashboard, error) {
	if err := ours(who); err != nil {
		return Dashboard{}, err
	}
	d, _, err := s.reach(ctx, who, id)
	if err == nil && d.Deleted() {
		err = ErrNotFound
	}
	return d, err
}

// reach finds a dashboard of who's space, deleted or not, or one that is shared with who. share is nil for the former.
func (s *Service) reach(ctx context.Context, who access.Actor, id string) (Dashboard, *Share, error) {
	d, err := s.needs.Store.find(ctx, who.Space, id)
	if !errors.Is(err, ErrNotFound) {
		return d, nil, err
	}
	share, err := s.needs.Store.shareOf(ctx, who.ID, id)
	if err != nil {
		return Dashboard{}, nil, err
	}
	d, err = s.needs.Store.find(ctx, share.Space, id)
	if err == nil && d.Deleted() {
		err = ErrNotFound
	}
	return d, &share, err
}

// A Filter says which dashboards are listed, and in which order. The zero Filter lists all, the
// oldest first.
type Filter struct {
	Name  string // is part of the name, whatever the case of its letters
	Text  string // likewise
	Tags  []device.Tag
	Thing string // ID of a thing of which something is shown
	Owner string // user ID of who made it
	// Deleted says that deleted ones are listed, too.
	Deleted bool

	Sort string // one of Sorts
	Desc bool   // the other way round
}

// Sorts are the orders in which dashboards are listed.
func Sorts() []string { return []string{"", "name", "created_at", "updated_at"} }

// List tells the dashboards of who's space that pass a filter; in a private space also those that
// were shared with its owner.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter) ([]Dashboard, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	all, err := s.needs.Store.list(ctx, who.Space, f.Deleted)
	if err != nil {
		return nil, err
	}
	guest, err := s.lentTo(ctx, who)
	if err != nil {
		return nil, err
	}
	all = append(all, guest...)
	var properties map[string]bool
	if f.Thing != "" {
		if properties, err = s.propertiesOf(ctx, who, all, f.Thing); err != nil {
			return nil, err
		}
	}
	name, text := strings.ToLower(f.Name), strings.ToLower(f.Text)
	all = slices.DeleteFunc(all, func(d Dashboard) bool {
		return !strings.Contains(strings.ToLower(d.Name), name) || !strings.Contains(strings.ToLower(d.Name), text) ||
			len(f.Tags) > 0 && (d.Space != who.Space || !d.Tags.Match(f.Tags)) || f.Owner != "" && d.Owner != f.Owner ||
			f.Thing != "" && !slices.ContainsFunc(d.shown(), func(v string) bool { return properties[v] })
	})
	sortBy(all, f)
	return all, nil
}

func sortBy(all []Dashboard, f Filter) {
	slices.SortStableFunc(all, func(a, b Dashboard) int {
		var n int
		switch f.Sort {
		case "name":
			n = strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		case "updated_at":
			n = a.UpdatedAt.Compare(b.UpdatedAt)
		}
		if n == 0 {
			n = a.CreatedAt.Compare(b.CreatedAt)
		}
		if f.Desc {
			return -n
		}
		return n
	})
}

// propertiesOf are those properties of a thing that dashboards show, whosever they are.
func (s *Service) propertiesOf(ctx context.Context, who access.Actor, all []Dashboard, id string) (map[string]bool, error) {
	of := map[string]bool{}
	t, err := s.needs.Things.Get(ctx, who, id, true)
	switch {
	case err == nil:
		for _, p := range t.Properties {
			of[p.ID] = true
		}
		return of, nil
	case !errors.Is(err, thing.ErrNotFound):
		return nil, err
	}
	for _, d := range all { // of a thing in another space a guest knows what is shown
		if d.Space == who.Space {
			continue
		}
		variables, err := s.needs.Things.Variables(ctx, d.Space, d.shown())
		if err != nil {
			return nil, err
		}
		for property, v := range variables {
			of[property] = of[property] || v.Thing == id
		}
	}
	return of, nil
}

// Update changes a dashboard of who's space by fn, which may run more than once. A deleted one comes
// back when fn clears DeletedAt.
func (s *Service) Update(ctx context.Context, who access.Actor, id string, fn func(d *Dashboard) error) (Dashboard, error) {
	return s.change(ctx, who, id, "dashboard:update", nil, fn)
}

// change is how every change goes: the new properties are looked for before the transaction, in what
// fn makes of the dashboard as it was then; if it is another in the transaction, all begins again.
func (s *Service) change(ctx context.Context, who access.Actor, id, action string, detail map[string]string, fn func(d *Dashboard) error) (Dashboard, error) {
	if err := ours(who); err != nil {
		return Dashboard{}, err
	}
	for {
		before, err := s.needs.Store.find(ctx, who.Space, id)
		if err != nil {
			return Dashboard{}, err
		}
		draft := before.clone()
		if err := s.edit(&draft, fn); err != nil {
			return Dashboard{}, err
		}
		if err := s.checkVariables(ctx, who.Space, before, draft); err != nil {
			return Dashboard{}, err
		}
		after, err := s.needs.Store.change(ctx, who.Space, id, func(d *Dashboard) (journal.Entry, error) {
			if !slices.Equal(d.shown(), before.shown()) || d.Deleted() != before.Deleted() {
				return journal.Entry{}, errChanged
			}
			had := d.Deleted()
			if err := s.edit(d, fn); err != nil {
				return journal.Entry{}, err
			}
			e := s.entry(who, action, who.Space, id, detail)
			switch {
			case d.Deleted() && !had:
				e.Action = "dashboard:delete"
			case !d.Deleted() && had:
				e.Action = "dashboard:restore"
			}
			return e, nil
		})
		if errors.Is(err, errChanged) {
			continue
		}
		if err == nil {
			s.Changes.Publish(Change{Space: after.Space, Dashboard: id})
		}
		return after, err
	}
}

var errChanged = errors.New("the dashboard is another than it was when its properties were looked for")

// edit changes d by fn, but for what never changes, and checks it.
func (s *Service) edit(d *Dashboard, fn func(d *Dashboard) error) error {
	had := *d
	if err := fn(d); err != nil {
		return err
	}
	d.ID, d.Space, d.Owner, d.CreatedAt, d.UpdatedAt = had.ID, had.Space, had.Owner, had.CreatedAt, s.now()
	d.fillIn()
	return d.Check()
}

// Link makes properties the variables of a widget, in place of those that it had.
func (s *Service) Link(ctx context.Context, who access.Actor, id, widget string, variables []string) (Dashboard, error) {
	return s.change(ctx, who, id, "dashboard:update", map[string]string{"widget": widget}, func(d *Dashboard) error {
		if d.Deleted() {
			return ErrNotFound
		}
		w, err := d.widget(widget)
		if err == nil {
			w.Variables = slices.Clone(variables)
		}
		return err
	})
}

// Tag changes the tags of a dashboard by fn, which may run more than once.
func (s *Service) Tag(ctx context.Context, who access.Actor, id string, fn func(t device.Tags) device.Tags) error {
	_, err := s.change(ctx, who, id, "dashboard:update", nil, func(d *Dashboard) error {
		if d.Deleted() {
			return ErrNotFound
		}
		d.Tags = fn(d.Tags)
		return nil
	})
	return err
}

// Delete hides a dashboard, or removes it for good with hard. A hidden one comes back by Update;
// until then its guests and its public link open nothing.
func (s *Service) Delete(ctx context.Context, who access.Actor, id string, hard bool) error {
	if err := ours(who); err != nil {
		return err
	}
	if hard {
		err := s.needs.Store.erase(ctx, who.Space, id, s.entry(who, "dashboard:erase", who.Space, id, nil))
		if err == nil {
			s.Changes.Publish(Change{Space: who.Space, Dashboard: id})
		}
		return err
	}
	_, err := s.change(ctx, who, id, "dashboard:delete", nil, func(d *Dashboard) error {
		if d.Deleted() {
			return ErrNotFound
		}
		d.DeletedAt = s.now()
		return nil
	})
	return err
}

// Health tells what is wrong with what a dashboard shows. Of devices a guest hears nothing.
func (s *Service) Health(ctx context.Context, who access.Actor, id string) ([]Finding, error) {
	d, err := s.Get(ctx, who, id)
	if err != nil {
		return nil, err
	}
	variables, err := s.needs.Things.Variables(ctx, d.Space, d.shown())
	if err != nil {
		return nil, err
	}
	status := map[string]device.Status{}
	for _, v := range variables {
		if v.Device != "" && d.Space == who.Space {
			status[v.Device] = device.Unknown
		}
	}
	for id := range status {
		one, err := s.needs.Devices.Get(ctx, who, d.Space, id, false)
		if errors.Is(err, device.ErrNotFound) {
			continue // is being deleted, and will be detached
		}
		if err != nil {
			return nil, err
		}
		status[id] = one.Status
	}
	found := d.findings(variables, status)
	if d.Space != who.Space {
		found = slices.DeleteFunc(found, func(f Finding) bool { return f.Mark == NoDevice || f.Mark == Offline })
	}
	return found, nil
}

// Count is how many dashboards a space has, deleted ones included.
func (s *Service) Count(ctx context.Context, space string) (int, error) {
	n, err := s.needs.Store.count(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("count dashboards of space %s: %w", space, err)
	}
	return n, nil
}

// EraseSpace removes all dashboards of a space for good. It needs no key of the space, and may be repeated.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	if err := s.needs.Store.eraseSpace(ctx, space, s.entry(who, "dashboard:erase", space, space, nil)); err != nil {
		return fmt.Errorf("erase dashboards of space %s: %w", space, err)
	}
	s.Changes.Publish(Change{Space: space})
	return nil
}
