package template

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
)

var (
	ErrNotFound    = problem.New(problem.NotFound, "template-not-found", "There is no such template here.")
	ErrTaken       = problem.New(problem.Conflict, "template-exists", "There is a template of that name already: rename or delete it first.")
	ErrName        = problem.New(problem.Invalid, "invalid-template-name", "A template's name has 1 to 128 printable characters.")
	ErrText        = problem.New(problem.Invalid, "invalid-template-description", "A template's description has at most 4096 characters.")
	ErrPart        = problem.New(problem.Invalid, "invalid-template-part", "A part of the template cannot be used.")
	ErrEmpty       = problem.New(problem.Invalid, "empty-template", "A template has at least one thing, dashboard or trigger.")
	ErrTooMany     = problem.New(problem.Invalid, "template-too-many-parts", fmt.Sprintf("A template has at most %d things, %d dashboards and %d triggers.", maxThings, maxDashboards, maxTriggers))
	ErrFull        = problem.New(problem.Precondition, "template-limit", fmt.Sprintf("A space has at most %d templates: delete one that nobody needs.", maxKept))
	ErrStorage     = problem.New(problem.Precondition, "template-storage", "The files of this space take all the room that they may: remove templates, pictures or images that nobody needs, or ask whoever runs this server for more (ardesia space quota).")
	ErrPrefix      = problem.New(problem.Invalid, "invalid-template-prefix", "A prefix has at most 45 letters, digits, dots, underscores, hyphens and spaces.")
	ErrOptions     = problem.New(problem.Invalid, "invalid-things-options", "Options of things are by their template IDs, and name a device, and secrets of the sketch.")
	ErrSecret      = problem.New(problem.Invalid, "invalid-secret", "A sketch has at most 32 secrets; a secret's name has up to 64 letters, digits and underscores and does not begin with a digit, and its value at most 256 bytes.")
	ErrDeviceTaken = problem.New(problem.Conflict, "device-attached", "The device is attached to a thing already: detach it, or choose another.")
	ErrBusy        = problem.New(problem.Unavailable, "template-busy", "Others of this space, or of this server, are reading and writing templates. Try again in a few seconds.").After(2 * time.Second)
	ErrNoChoice    = problem.New(problem.Invalid, "no-template", "Say which template: template_name for one of the gallery, or custom_template_id for one of this space.")
)

// Bounds; those of name and prefix are in cloud-api reference, sections 7.2 and 6.13. The others are ours.
const (
	maxName        = 128  // characters
	maxDescription = 4096 // characters
	maxThings      = 50
	maxDashboards  = 50
	maxTriggers    = 100
	maxBoards      = 64      // that a template says it is for
	maxPrefix      = 45      // characters
	maxSecrets     = 32      // of one sketch
	maxSecret      = 256     // bytes
	maxKept        = 200     // templates of one space
	maxPartText    = 1 << 20 // bytes of a thing, dashboard or trigger
)

// A Template is what is known of a template that is kept, beside what is in it.
type Template struct {
	ID    string
	Space string // "" in the gallery
	Owner string // user ID of who made it; "" in the gallery
	Slug  string // name in the gallery; "" elsewhere
	Name  string
	Description
	Bytes int64 // of its file, as it is kept

	CreatedAt, UpdatedAt time.Time
}

// A Description says what is in a template.
type Description struct {
	Text       string   `json:"text,omitempty"`
	Source     string   `json:"source,omitempty"` // ID of the template that it came from
	Boards     []string `json:"boards,omitempty"` // FQBNs
	Things     int      `json:"things,omitempty"` // how many, here and below
	Dashboards int      `json:"dashboards,omitempty"`
	Triggers   int      `json:"triggers,omitempty"`
	Sketches   int      `json:"sketches,omitempty"`
}

// A Whole is all that is in a template. Parts are JSON objects with their keys in order.
type Whole struct {
	Name, Title, Text string
	Source            string
	Boards            []string
	Things            []json.RawMessage
	Dashboards        []json.RawMessage
	Triggers          []json.RawMessage
	Sketches          []Sketch                   // by name
	Assets            []File                     // all else, by path; their paths begin with resources/
	More              map[string]json.RawMessage // members of template.json that are nothing to us
}

// A File is one of a sketch or a template.
type File struct {
	Path  string // with slashes
	Bytes []byte
}

// A Sketch is a program for a thing.
type Sketch struct {
	ID      string // UUID; "" within a template
	Thing   string // ID of its thing; "" within a template
	Name    string // of its folder
	Board   string // FQBN; "" for any
	Files   []File // by path
	Secrets map[string]string
}

// describe is what is kept of w beside its file.
func (w *Whole) describe() Description {
	return Description{Text: w.Text, Source: w.Source, Boards: w.Boards, Things: len(w.Things), Dashboards: len(w.Dashboards), Triggers: len(w.Triggers), Sketches: len(w.Sketches)}
}

// What a template says of a thing; cloud-api reference, section 6.6.
type thingPart struct {
	ID             string         `json:"id"`
	Name           string         `json:"name"`
	Timezone       string         `json:"timezone"`
	Assistant      string         `json:"assistant,omitempty"`
	SketchTemplate string         `json:"sketch_template,omitempty"`
	SketchName     string         `json:"sketch_name,omitempty"`
	Tags           []tagPart      `json:"tags"`
	Variables      []variablePart `json:"variables"`
	WebhookURI     string         `json:"webhook_uri,omitempty"`
	WebhookActive  *bool          `json:"webhook_active,omitempty"` // nil is true
	Device         *devicePart    `json:"device_metadata,omitempty"`
}

type tagPart struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type devicePart struct {
	FQBN string `json:"fqbn,omitempty"`
}

type variablePart struct {
	ID         string   `json:"id,omitempty"`
	Name       string   `json:"name"`
	Variable   string   `json:"variable_name,omitempty"`
	Type       string   `json:"type"`
	Permission string   `json:"permission"`
	Strategy   string   `json:"update_strategy"`
	Parameter  float64  `json:"update_parameter,omitempty"`
	Min        *float64 `json:"min_value,omitempty"`
	Max        *float64 `json:"max_value,omitempty"`
	Persist    *bool    `json:"persist,omitempty"` // nil is true
	Number     int64    `json:"tag,omitempty"`
}

// readThing reads what a template says of a thing. What it does not know it skips.
func readThing(raw json.RawMessage) (thingPart, error) {
	var t thingPart
	if err := json.Unmarshal(raw, &t); err != nil {
		return t, ErrPart.With("A thing of the template has another form than GET …/template answers.")
	}
	if t.Name == "" {
		return t, ErrPart.With("A thing of the template has no name.")
	}
	if t.ID == "" {
		t.ID = thing.Slug(t.Name)
	}
	if !readable(t.ID, 1, maxName, false) {
		return t, ErrPart.With(fmt.Sprintf("The thing %q of the template has an ID that is no text of at most %d characters.", t.Name, maxName))
	}
	if len(t.Variables) > thing.MaxProperties {
		return t, ErrPart.With(fmt.Sprintf("The thing %q of the template has more than %d variables.", t.Name, thing.MaxProperties))
	}
	for _, v := range t.Variables {
		if thing.TypeOf(v.Type) == nil {
			return t, ErrPart.With(fmt.Sprintf("The variable %q of the thing %q has the type %q, which there is not.", v.Name, t.Name, v.Type))
		}
	}
	return t, nil
}

// thing is what the part stands for, without IDs. Its webhook is off: whoever wrote the template chose the address, and is told nothing
// before somebody of the space wants that.
func (t thingPart) thing(prefix string) thing.Thing {
	out := thing.Thing{Name: prefix + t.Name, Timezone: t.Timezone, Assistant: t.Assistant, Webhook: t.WebhookURI}
	for _, tag := range t.Tags {
		out.Tags = append(out.Tags, thing.Tag(tag))
	}
	for _, v := range t.Variables {
		p := thing.Property{Name: v.Name, Variable: v.Variable, Type: thing.TypeOf(v.Type), Permission: v.Permission, Strategy: v.Strategy, Parameter: v.Parameter,
			Min: math.NaN(), Max: math.NaN(), Persist: v.Persist == nil || *v.Persist, Number: v.Number}
		if v.Min != nil {
			p.Min = *v.Min
		}
		if v.Max != nil {
			p.Max = *v.Max
		}
		out.Properties = append(out.Properties, p)
	}
	return out
}

// partOf is what a template says of a thing of a space.
func partOf(t thing.Thing, board string) thingPart {
	active := t.WebhookActive
	p := thingPart{ID: thing.TemplateID(t.Name, t.ID), Name: t.Name, Timezone: t.Timezone, Assistant: t.Assistant, Tags: []tagPart{}, Variables: []variablePart{}, WebhookURI: t.Webhook}
	if t.Webhook != "" && !active {
		p.WebhookActive = &active
	}
	if board != "" {
		p.Device = &devicePart{board}
	}
	for _, tag := range t.Tags {
		p.Tags = append(p.Tags, tagPart(tag))
	}
	for _, v := range t.Living() {
		one := variablePart{ID: thing.Slug(v.Name), Name: v.Name, Variable: v.Variable, Type: v.Type.Name, Permission: v.Permission, Strategy: v.Strategy, Parameter: v.Parameter, Number: v.Number}
		if persist := v.Persist; !persist {
			one.Persist = &persist
		}
		if low := v.Min; low == low {
			one.Min = &low
		}
		if high := v.Max; high == high {
			one.Max = &high
		}
		p.Variables = append(p.Variables, one)
	}
	return p
}

// parts are a template's, read.
type parts struct {
	things     []thingPart
	dashboards []dashboard.Template
	triggers   []trigger.Template
	known      map[string]int // index into things, by ID, and by the friendly ID of the name where only one has it
}

// parts reads them all, and says what is wrong with them and among them.
func (w *Whole) parts() (parts, error) {
	p := parts{known: map[string]int{}}
	if len(w.Things)+len(w.Dashboards)+len(w.Triggers) == 0 {
		return p, ErrEmpty
	}
	if len(w.Things) > maxThings || len(w.Dashboards) > maxDashboards || len(w.Triggers) > maxTriggers {
		return p, ErrTooMany
	}
	for i, raw := range w.Things {
		t, err := readThing(raw)
		if err != nil {
			return p, err
		}
		if _, twice := p.known[t.ID]; twice {
			return p, ErrPart.With(fmt.Sprintf("Two things of the template have the ID %q.", t.ID))
		}
		p.things, p.known[t.ID] = append(p.things, t), i
	}
	short := map[string]int{}
	for i, t := range p.things {
		slug := thing.Slug(t.Name)
		if _, twice := short[slug]; twice {
			i = -1
		}
		short[slug] = i
	}
	for slug, i := range short {
		if _, taken := p.known[slug]; !taken && i >= 0 {
			p.known[slug] = i
		}
	}
	for _, raw := range w.Dashboards {
		d, err := dashboard.ReadTemplate(raw)
		if err != nil {
			return p, err
		}
		if missing := p.missing(d.Things()); missing != "" {
			return p, ErrPart.With(fmt.Sprintf("The dashboard %q shows the thing %q, which is not in the template.", d.Name, missing))
		}
		p.dashboards = append(p.dashboards, d)
	}
	for _, raw := range w.Triggers {
		t, err := trigger.ReadTemplate(raw)
		if err != nil {
			return p, err
		}
		if missing := p.missing(t.Things()); missing != "" {
			return p, ErrPart.With(fmt.Sprintf("The trigger %q is about the thing %q, which is not in the template.", t.Name(), missing))
		}
		p.triggers = append(p.triggers, t)
	}
	return p, nil
}

func (p parts) missing(things []string) string {
	for _, id := range things {
		if _, known := p.known[id]; !known {
			return id
		}
	}
	return ""
}

// sketch is the program of a thing, if the template has it.
func (w *Whole) sketch(t thingPart) (Sketch, bool) {
	for _, name := range []string{t.SketchName, t.SketchTemplate} {
		if i := slices.IndexFunc(w.Sketches, func(s Sketch) bool { return s.Name == name }); i >= 0 && name != "" {
			return w.Sketches[i], true
		}
	}
	return Sketch{}, false
}

// check says what is wrong with a template as it is about to be kept.
func (w *Whole) check() error {
	if !readable(w.Name, 1, maxName, false) || strings.TrimSpace(w.Name) != w.Name {
		return ErrName
	}
	if !readable(w.Text, 0, maxDescription, true) || !readable(w.Title, 0, maxName, false) {
		return ErrText
	}
	if len(w.Boards) > maxBoards {
		return ErrPart.With(fmt.Sprintf("A template is for at most %d boards.", maxBoards))
	}
	for _, b := range w.Boards {
		if !readable(b, 1, maxName, false) {
			return ErrPart.With(fmt.Sprintf("The FQBN of a board has 1 to %d printable characters.", maxName))
		}
	}
	if !readable(w.Source, 0, maxName, false) {
		return ErrPart.With(fmt.Sprintf("The ID of the template that this one came from has at most %d characters.", maxName))
	}
	_, err := w.parts()
	return err
}

// readable says whether text can be shown to people: of so many characters, on one line unless lines is set.
func readable(text string, least, most int, lines bool) bool {
	if n := utf8.RuneCountInString(text); n < least || n > most || !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return !unicode.IsPrint(r) && (!lines || r != '\n' && r != '\r' && r != '\t')
	})
}

// checkPrefix says what is wrong with what is put before names; cloud-api reference, section 6.13.
func checkPrefix(text string) error {
	if len(text) > maxPrefix || strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("_. -", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return ErrPrefix
	}
	return nil
}

// checkSecrets says what is wrong with the secrets of a sketch.
func checkSecrets(all map[string]string) error {
	if len(all) > maxSecrets {
		return ErrSecret
	}
	for name, value := range all {
		if name == "" || len(name) > 64 || name[0] >= '0' && name[0] <= '9' || len(value) > maxSecret || !utf8.ValidString(value) || strings.ContainsRune(value, 0) ||
			strings.ContainsFunc(name, func(r rune) bool {
				return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
			}) {
			return ErrSecret
		}
	}
	return nil
}
