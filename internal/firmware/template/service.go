package template

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database. Its methods are unexported: no other
// room can reach the data around the Service. A method that takes an entry writes
// it in the same transaction as its change; nil means that both are on disk.
type Store interface {
	// add and change are ErrTaken for a name that another template has, and ErrStorage when those of the space would
	// have more than room bytes.
	add(ctx context.Context, t Template, file []byte, room int64, e journal.Entry) error
	find(ctx context.Context, space, id string) (Template, error)
	file(ctx context.Context, space, id string) ([]byte, error)
	list(ctx context.Context, space string) ([]Template, error) // the oldest first
	// change is errFaster for a template whose last change was not before.
	change(ctx context.Context, before time.Time, t Template, file []byte, room int64, e journal.Entry) error
	drop(ctx context.Context, space, id string, e journal.Entry) error
	bytes(ctx context.Context, space string) (int64, error)
	eraseSpace(ctx context.Context, space string, e journal.Entry) error

	intents
}

// intents is the part of Store about what is being made.
type intents interface {
	begin(ctx context.Context, i intent, e journal.Entry) error
	end(ctx context.Context, id string, e journal.Entry) error // or errTakenBack
	begun(ctx context.Context) ([]intent, error)               // in all spaces
	open(ctx context.Context, id string) (bool, error)         // begun, and neither ended nor taken back
}

var (
	errFaster    = errors.New("the template was changed meanwhile")
	errTakenBack = errors.New("what was begun was taken back meanwhile")
)

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Create(ctx context.Context, who access.Actor, t thing.Thing, steal bool) (thing.Thing, error)
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
	List(ctx context.Context, who access.Actor, f thing.Filter) ([]thing.Thing, error)
	Delete(ctx context.Context, who access.Actor, id string, hard bool) error
}

// Dashboards is what this room needs of the room of dashboards: *dashboard.Service.
type Dashboards interface {
	Template(ctx context.Context, who access.Actor, id string) (dashboard.Template, [][]dashboard.Named, error)
	ImportAs(ctx context.Context, who access.Actor, id string, t dashboard.Template, overrides map[string]string) (dashboard.Dashboard, error)
	Delete(ctx context.Context, who access.Actor, id string, hard bool) error
}

// Triggers is what this room needs of the room of triggers: *trigger.Service.
type Triggers interface {
	Carry(ctx context.Context, who access.Actor, id string, call func(thing string) (string, bool)) ([]byte, error)
	ImportAs(ctx context.Context, who access.Actor, id, prefix string, t trigger.Template, things map[string]string) (trigger.Trigger, error)
	Delete(ctx context.Context, who access.Actor, id string, hard bool) error
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
}

// Sketches is where the programs of things are kept.
type Sketches interface {
	// Add keeps the program of a new thing, with the ID that it has and its secrets. One without files is
	// to be made from the thing.
	Add(ctx context.Context, who access.Actor, s Sketch) error
	// Get finds a program with its files and without secrets; false for one that is not there.
	Get(ctx context.Context, who access.Actor, id string) (Sketch, bool, error)
	// Erase removes a program for good. One that is not there is no error.
	Erase(ctx context.Context, who access.Actor, id string) error
}

// Needs are what a Service is made of; all but Sketches and Room must be there.
type Needs struct {
	Store      Store
	Things     Things
	Dashboards Dashboards
	Triggers   Triggers
	Devices    Devices
	Policy     *access.Policy
	// Organization is how clients know a space: "" for a private one.
	Organization func(ctx context.Context, space string) (string, error)
	Now          func() time.Time
	Log          *slog.Logger
	// Sketches is nil where there is no room for programs: then a thing gets the ID of one and no more, what is taken from
	// a space has none, and secrets are checked and not kept.
	Sketches Sketches
	// Room is how many bytes the templates of a space may have together; math.MaxInt64 is any number.
	Room func(ctx context.Context, space string) (int64, error)
}

// A Service knows the templates of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs   Needs
	gallery []shown       // by slug
	desk    chan struct{} // one token for each file that is read or written at once
	failed  chan struct{} // holds one word for Run: something could not be taken back

	// cut is asked after each step of Apply; an error ends it there, as a power cut would. For tests.
	cut func(step string) error

	mu     sync.Mutex
	live   map[string]bool // guarded by mu: intents that a request is busy with
	inside map[string]int  // guarded by mu: requests that hold a file, by space
	held   int             // guarded by mu: all of them
}

// desks is how many files are read or written at once: each takes some 50 MiB at worst.
const desks = 2

// Requests that hold a file, or wait with it for a desk: each has 8 MiB packed and 24 MiB unpacked at worst. Others are refused
// at once, before their bodies are read.
const (
	maxHeld      = 8
	maxHeldSpace = 2 // so that one space does not keep others out
)

// admit lets a request in that holds a file, until leave.
func (s *Service) admit(space string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held >= maxHeld || s.inside[space] >= maxHeldSpace {
		return nil, ErrBusy
	}
	s.held++
	s.inside[space]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.held--
		if s.inside[space]--; s.inside[space] == 0 {
			delete(s.inside, space)
		}
	}, nil
}

// New checks needs. Repair comes next.
func New(needs Needs) (*Service, error) {
	if needs.Room == nil {
		needs.Room = func(context.Context, string) (int64, error) { return math.MaxInt64, nil }
	}
	if needs.Store == nil || needs.Things == nil || needs.Dashboards == nil || needs.Triggers == nil || needs.Devices == nil || needs.Policy == nil ||
		needs.Organization == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("templates need Store, Things, Dashboards, Triggers, Devices, Policy, Organization, Now and Log")
	}
	gallery, err := readGallery()
	if err != nil {
		return nil, fmt.Errorf("gallery of templates: %w", err)
	}
	return &Service{needs: needs, gallery: gallery, desk: make(chan struct{}, desks), failed: make(chan struct{}, 1),
		cut: func(string) error { return nil }, live: map[string]bool{}, inside: map[string]int{}}, nil
}

// now is the clock, as far as the database keeps it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, action, space, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: space, Action: action, Resource: "template", ID: id, Detail: detail}
}

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

// sit waits for a desk.
func (s *Service) sit(ctx context.Context) (leave func(), err error) {
	select {
	case s.desk <- struct{}{}:
		return func() { <-s.desk }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// List tells the templates of who's space, the oldest first, or the newest first.
func (s *Service) List(ctx context.Context, who access.Actor, newest bool) ([]Template, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	all, err := s.needs.Store.list(ctx, who.Space)
	if newest {
		slices.Reverse(all)
	}
	return all, err
}

// Gallery tells the templates that everybody has.
func (s *Service) Gallery() []Template {
	all := make([]Template, 0, len(s.gallery))
	for _, g := range s.gallery {
		all = append(all, g.Template)
	}
	return all
}

// ofGallery finds a template of the gallery by its ID or name there.
func (s *Service) ofGallery(id string) (shown, bool) {
	i := slices.IndexFunc(s.gallery, func(g shown) bool { return g.ID == id || g.Slug == id })
	if i < 0 {
		return shown{}, false
	}
	return s.gallery[i], true
}

// Get finds a template of who's space, or of the gallery.
func (s *Service) Get(ctx context.Context, who access.Actor, id string) (Template, error) {
	if err := ours(who); err != nil {
		return Template{}, err
	}
	if g, ok := s.ofGallery(id); ok {
		return g.Template, nil
	}
	return s.needs.Store.find(ctx, who.Space, id)
}

// File is a template as a .tino file, and what it is called.
func (s *Service) File(ctx context.Context, who access.Actor, id string) (file []byte, name string, err error) {
	t, err := s.Get(ctx, who, id)
	if err != nil {
		return nil, "", err
	}
	if g, ok := s.ofGallery(id); ok {
		return g.file, t.Slug, nil
	}
	file, err = s.needs.Store.file(ctx, who.Space, id)
	return file, t.Name, err
}

// Whole is all that is in a template.
func (s *Service) Whole(ctx context.Context, who access.Actor, id string) (*Whole, error) {
	file, _, err := s.File(ctx, who, id)
	if err != nil {
		return nil, err
	}
	leave, err := s.sit(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return Read(file)
}

// Import keeps a template that somebody sends as a .tino file.
func (s *Service) Import(ctx context.Context, who access.Actor, raw []byte) (Template, error) {
	if err := ours(who); err != nil {
		return Template{}, err
	}
	leave, err := s.sit(ctx)
	if err != nil {
		return Template{}, err
	}
	w, err := Read(raw)
	leave()
	if err != nil {
		return Template{}, err
	}
	return s.keep(ctx, who, w, "template:import")
}

// keep keeps a template in who's space.
func (s *Service) keep(ctx context.Context, who access.Actor, w *Whole, action string) (Template, error) {
	file, err := s.write(ctx, w)
	if err != nil {
		return Template{}, err
	}
	room, err := s.needs.Room(ctx, who.Space)
	if err != nil {
		return Template{}, err
	}
	t := Template{ID: uuid.NewString(), Space: who.Space, Owner: who.ID, Name: w.Name, Description: w.describe(), Bytes: int64(len(file)), CreatedAt: s.now()}
	t.UpdatedAt = t.CreatedAt
	return t, s.needs.Store.add(ctx, t, file, room, s.entry(who, action, t.Space, t.ID, nil))
}

// write is the file of a template that can be kept.
func (s *Service) write(ctx context.Context, w *Whole) ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	leave, err := s.sit(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	return Write(w)
}

// maxTries is how often a change is tried anew when somebody else was faster.
const maxTries = 10

// Rename gives a template of who's space another name or description; nil is as it was.
func (s *Service) Rename(ctx context.Context, who access.Actor, id string, name, text *string) (Template, error) {
	if err := ours(who); err != nil {
		return Template{}, err
	}
	for try := 0; ; try++ {
		t, err := s.needs.Store.find(ctx, who.Space, id)
		if err != nil {
			return Template{}, err
		}
		w, err := s.Whole(ctx, who, id)
		if err != nil {
			return Template{}, err
		}
		if name != nil {
			w.Name = strings.TrimSpace(*name)
			w.Title = ""
		}
		if text != nil {
			w.Text = *text
		}
		file, err := s.write(ctx, w)
		if err != nil {
			return Template{}, err
		}
		room, err := s.needs.Room(ctx, who.Space)
		if err != nil {
			return Template{}, err
		}
		before := t.UpdatedAt
		t.Name, t.Description, t.Bytes = w.Name, w.describe(), int64(len(file))
		if t.UpdatedAt = s.now(); !t.UpdatedAt.After(before) {
			t.UpdatedAt = before.Add(time.Microsecond) // of two changes at once the second sees that there was one
		}
		err = s.needs.Store.change(ctx, before, t, file, room, s.entry(who, "template:update", t.Space, t.ID, nil))
		if errors.Is(err, errFaster) && try < maxTries {
			continue
		}
		return t, err
	}
}

// Delete removes a template of who's space. What was made of it stays.
func (s *Service) Delete(ctx context.Context, who access.Actor, id string) error {
	if err := ours(who); err != nil {
		return err
	}
	return s.needs.Store.drop(ctx, who.Space, id, s.entry(who, "template:delete", who.Space, id, nil))
}

// Bytes is how much the templates of a space have together.
func (s *Service) Bytes(ctx context.Context, space string) (int64, error) {
	return s.needs.Store.bytes(ctx, space)
}

// EraseSpace removes all templates of a space for good, and what it was about to take back there: the space's other rooms
// are erased with it. It needs no key of the space, and may be repeated.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	if err := s.needs.Store.eraseSpace(ctx, space, s.entry(who, "template:erase", space, space, nil)); err != nil {
		return fmt.Errorf("erase templates of space %s: %w", space, err)
	}
	return nil
}
