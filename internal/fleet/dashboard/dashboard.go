package dashboard

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

var (
	ErrNotFound   = problem.New(problem.NotFound, "dashboard-not-found", "There is no such dashboard here.")
	ErrNoWidget   = problem.New(problem.NotFound, "widget-not-found", "The dashboard has no such widget.")
	ErrName       = problem.New(problem.Invalid, "invalid-dashboard-name", "A dashboard's name has 1 to 64 printable characters, and among them a letter, a digit or one of _ . @ -")
	ErrCover      = problem.New(problem.Invalid, "invalid-cover-image", "A cover image is an address of at most 1024 characters.")
	ErrPage       = problem.New(problem.Invalid, "invalid-page", "A dashboard has at most 30 pages, each with a UUID of its own, a name as dashboards have it, and an icon of at most 1024 characters.")
	ErrWidget     = problem.New(problem.Invalid, "invalid-widget", "A widget has a UUID of its own, a type, and whole numbers from 0 to 10000 for place and size.")
	ErrOptions    = problem.New(problem.Invalid, "invalid-widget-options", "Options of a widget are an object of at most 32 KiB that nests at most 16 deep.")
	ErrVariable   = problem.New(problem.Invalid, "invalid-widget-variable", "A widget's variables are IDs of properties of this space.")
	ErrVariables  = problem.New(problem.Invalid, "too-many-widget-variables", "A widget of this type has fewer variables.")
	ErrTooLarge   = problem.New(problem.TooLarge, "dashboard-too-large", "A dashboard has at most 300 widgets and 1 MiB in all.")
	ErrFull       = problem.New(problem.Precondition, "dashboard-limit", "The space has as many dashboards as it may have.")
	ErrChanged    = problem.New(problem.Precondition, "dashboard-changed", "The dashboard was changed since. Read it again, and change it as it is now.")
	ErrSince      = problem.New(problem.Invalid, "invalid-dashboard-since", "If-Match is the updated_at that the change begins with, in double quotes, or *.")
	ErrNoOverride = problem.New(problem.Invalid, "dashboard-override", "A thing that stands in for another has variables of the same names.")
)

// Bounds; cloud-api reference, sections 6.10 and 6.11, has those of names, pages, icons and covers. The others are ours.
const (
	maxName      = 64       // characters
	maxCover     = 1024     // characters
	maxPages     = 30       // beside the main one
	maxIcon      = 1024     // characters
	maxWidgets   = 300      //
	maxPlace     = 10_000   // of any of x, y, width and height
	maxType      = 64       // characters of a widget's type
	maxTitle     = 256      // characters of a widget's name
	maxVariables = 100      // of a widget, whatever its type
	maxOptions   = 32 << 10 // bytes of one widget's options
	maxDepth     = 16       // of options
	maxSealed    = 1 << 20  // bytes of a dashboard
)

// MainPage is the ID of the page that every dashboard has and that is not among its Pages.
const MainPage = "0"

// A Dashboard is what people see of their things.
type Dashboard struct {
	ID      string
	Space   string
	Owner   string // user ID of who made it
	Name    string
	Cover   string // address of a picture; "" for none
	Pages   []Page // by position
	Widgets []Widget
	Tags    device.Tags // ours: the compatible API has none on dashboards

	CreatedAt, UpdatedAt time.Time
	DeletedAt            time.Time // zero while it lives
}

// Deleted says whether the dashboard is soft-deleted.
func (d *Dashboard) Deleted() bool { return !d.DeletedAt.IsZero() }

// A Page is a part of a dashboard that is shown by itself.
type Page struct {
	ID       string `json:"id"` // UUID, made by the client
	Name     string `json:"name"`
	Icon     string `json:"icon,omitempty"`
	Position int64  `json:"position"`
}

// A Widget shows values, and may let people write them.
type Widget struct {
	ID        string          `json:"id"` // UUID, made by the client
	Type      string          `json:"type"`
	Name      string          `json:"name,omitempty"`
	Page      string          `json:"page,omitempty"` // MainPage, or the ID of a Page
	Place     Place           `json:"place"`
	Mobile    Mobile          `json:"mobile,omitzero"`
	Options   json.RawMessage `json:"options"`             // an object, as it was given
	Variables []string        `json:"variables,omitempty"` // IDs of properties, which may be gone
}

// A Place is where a widget stands on the grid, in its cells.
type Place struct {
	X      int64 `json:"x"`
	Y      int64 `json:"y"`
	Width  int64 `json:"width"`
	Height int64 `json:"height"`
}

// A Mobile is a Place on a phone. What nobody said is nil.
type Mobile struct {
	X      *int64 `json:"x,omitempty"`
	Y      *int64 `json:"y,omitempty"`
	Width  *int64 `json:"width,omitempty"`
	Height *int64 `json:"height,omitempty"`
}

// namePattern is looked for anywhere in a name, as the compatible API does it: "GH Dash" is one.
var namePattern = regexp.MustCompile(`[a-zA-Z0-9_.@-]`)

func checkName(name string) error {
	if !printable(name, maxName) || !namePattern.MatchString(name) {
		return ErrName
	}
	return nil
}

// printable says whether text has at most n characters, all of which can be seen.
func printable(text string, n int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= n && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Check says what is wrong with a dashboard as it is about to be kept. It puts pages in their order.
func (d *Dashboard) Check() error {
	if err := checkName(d.Name); err != nil {
		return err
	}
	if !printable(d.Cover, maxCover) {
		return ErrCover
	}
	if err := d.Tags.Check(); err != nil {
		return err
	}
	if len(d.Pages) > maxPages {
		return ErrPage
	}
	pages := map[string]bool{MainPage: true}
	for _, p := range d.Pages {
		if !isUUID(p.ID) || pages[p.ID] || checkName(p.Name) != nil || !printable(p.Icon, maxIcon) || p.Position < -maxPlace || p.Position > maxPlace {
			return ErrPage
		}
		pages[p.ID] = true
	}
	slices.SortStableFunc(d.Pages, func(a, b Page) int { return int(a.Position - b.Position) })
	if len(d.Widgets) > maxWidgets {
		return ErrTooLarge
	}
	seen, size := make(map[string]bool, len(d.Widgets)), 0
	for i := range d.Widgets {
		w := &d.Widgets[i]
		if seen[w.ID] {
			return ErrWidget.With(fmt.Sprintf("Two widgets have the ID %s: give each one of its own.", w.ID))
		}
		seen[w.ID] = true
		if !pages[w.Page] {
			return ErrWidget.With(fmt.Sprintf("Widget %s is on a page that the dashboard does not have.", w.ID))
		}
		if err := w.check(); err != nil {
			return err
		}
		size += len(w.Options) + len(w.Name) + 64*len(w.Variables) + 256
	}
	if size > maxSealed {
		return ErrTooLarge
	}
	return nil
}

func (w *Widget) check() error {
	if !isUUID(w.ID) {
		return ErrWidget.With("A widget's ID is a UUID, which its maker chooses.")
	}
	wrong := func(what string) error { return ErrWidget.With(fmt.Sprintf("Widget %s: %s.", w.ID, what)) }
	switch {
	case w.Type == "" || !printable(w.Type, maxType):
		return wrong("its type has 1 to 64 printable characters")
	case !utf8.ValidString(w.Name) || utf8.RuneCountInString(w.Name) > maxTitle || strings.ContainsRune(w.Name, 0):
		return wrong("its name has at most 256 characters")
	}
	for _, n := range []*int64{&w.Place.X, &w.Place.Y, &w.Place.Width, &w.Place.Height, w.Mobile.X, w.Mobile.Y, w.Mobile.Width, w.Mobile.Height} {
		if n != nil && (*n < 0 || *n > maxPlace) {
			return wrong("its place and size are whole numbers from 0 to 10000")
		}
	}
	for i, v := range w.Variables {
		if !isUUID(v) || slices.Contains(w.Variables[:i], v) {
			return ErrVariable.With(fmt.Sprintf("Widget %s: a variable is the ID of a property, and each is there once.", w.ID))
		}
	}
	most := maxVariables
	if k, known := kindOf(w.Type); known {
		most = k.most
	}
	if len(w.Variables) > most {
		return ErrVariables.With(fmt.Sprintf("Widget %s: a widget of the type %q has at most %d variables.", w.ID, w.Type, most))
	}
	return w.checkOptions()
}

// shown are the properties that a dashboard shows, in the order of its widgets, each once.
func (d *Dashboard) shown() []string {
	var all []string
	seen := map[string]bool{}
	for _, w := range d.Widgets {
		for _, v := range w.Variables {
			if !seen[v] {
				seen[v] = true
				all = append(all, v)
			}
		}
	}
	return all
}

// widget finds a widget by its ID.
func (d *Dashboard) widget(id string) (*Widget, error) {
	for i := range d.Widgets {
		if d.Widgets[i].ID == id {
			return &d.Widgets[i], nil
		}
	}
	return nil, ErrNoWidget
}

// clone is d with slices of its own.
func (d Dashboard) clone() Dashboard {
	d.Pages, d.Widgets = slices.Clone(d.Pages), slices.Clone(d.Widgets)
	for i := range d.Widgets {
		d.Widgets[i].Variables = slices.Clone(d.Widgets[i].Variables)
	}
	return d
}

// isUUID says whether text is a UUID in lower case.
func isUUID(text string) bool { return topic.IsID(text) }
