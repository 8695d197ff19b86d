package dashboard

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrTemplate is a text that is no template.
	ErrTemplate = problem.New(problem.Invalid, "invalid-dashboard-template", "A template is JSON or YAML as GET …/template answers it.")
	// ErrTemplateThing is a template of a thing that cannot be told.
	ErrTemplateThing = problem.New(problem.Invalid, "dashboard-template-thing", "Say by an override which thing stands for this one.")
)

// maxTemplate bounds a template, in bytes.
const maxTemplate = 1 << 20

// A Template is a dashboard without IDs of its own: things are named by their template IDs or IDs,
// and variables by their names.
type Template struct {
	ID      string           `json:"id" yaml:"id"`
	Name    string           `json:"name" yaml:"name"`
	Cover   string           `json:"cover_image" yaml:"cover_image"`
	Pages   []TemplatePage   `json:"pages" yaml:"pages"`
	Widgets []TemplateWidget `json:"widgets" yaml:"widgets"`
}

// A TemplatePage is a page of a Template; its ID is the one by which its widgets name it.
type TemplatePage struct {
	ID       string `json:"id" yaml:"id"`
	Name     string `json:"name" yaml:"name"`
	Icon     string `json:"icon" yaml:"icon"`
	Position int64  `json:"position" yaml:"position"`
}

// A TemplateWidget is a widget of a Template. Its options name properties as "thing:variable".
type TemplateWidget struct {
	Type         string             `json:"type" yaml:"type"`
	Name         string             `json:"name" yaml:"name"`
	Page         string             `json:"page_id" yaml:"page_id"`
	X            int64              `json:"x" yaml:"x"`
	Y            int64              `json:"y" yaml:"y"`
	Width        int64              `json:"width" yaml:"width"`
	Height       int64              `json:"height" yaml:"height"`
	XMobile      *int64             `json:"x_mobile" yaml:"x_mobile"`
	YMobile      *int64             `json:"y_mobile" yaml:"y_mobile"`
	WidthMobile  *int64             `json:"width_mobile" yaml:"width_mobile"`
	HeightMobile *int64             `json:"height_mobile" yaml:"height_mobile"`
	Options      map[string]any     `json:"options" yaml:"options"`
	Variables    []TemplateVariable `json:"variables" yaml:"variables"`
}

// A TemplateVariable is a variable of a Template.
type TemplateVariable struct {
	Thing    string `json:"thing_id" yaml:"thing_id"`       // template ID, or ID
	Variable string `json:"variable_id" yaml:"variable_id"` // variable name
	Name     string `json:"name" yaml:"name"`
}

// ReadTemplate reads a template in JSON or YAML. What it does not know it skips, because templates
// tell more of variables than is needed to find them. YAML that repeats parts of itself by aliases is
// refused: a few bytes could stand for any number.
func ReadTemplate(text []byte) (Template, error) {
	var t Template
	if len(text) > maxTemplate {
		return t, ErrTooLarge
	}
	if trimmed := strings.TrimSpace(string(text)); strings.HasPrefix(trimmed, "{") && json.Valid(text) {
		dec := json.NewDecoder(strings.NewReader(trimmed))
		dec.UseNumber()
		if err := dec.Decode(&t); err != nil {
			return Template{}, ErrTemplate.With("The template is JSON of another form than GET …/template answers.")
		}
	} else {
		var tree yaml.Node
		if err := yaml.Unmarshal(text, &tree); err != nil {
			return Template{}, ErrTemplate.With("The template is neither JSON nor YAML.")
		}
		if !plain(&tree, 0) {
			return Template{}, ErrTemplate.With("The template has aliases or nests too deep.")
		}
		if err := tree.Decode(&t); err != nil {
			return Template{}, ErrTemplate.With("The template is YAML of another form than GET …/template answers.")
		}
	}
	if len(t.Widgets) > maxWidgets {
		return Template{}, ErrTooLarge
	}
	return t, nil
}

// plain says whether a tree has no aliases, and nests no deeper than a dashboard may.
func plain(n *yaml.Node, deep int) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" || deep > maxDepth+8 {
		return false
	}
	return !slices.ContainsFunc(n.Content, func(one *yaml.Node) bool { return !plain(one, deep+1) })
}

// Import makes a dashboard of a template. overrides say which thing, by its ID, stands for one that
// the template names; a thing without one must be named by its ID. Widgets and pages get new IDs.
func (s *Service) Import(ctx context.Context, who access.Actor, t Template, overrides map[string]string) (Dashboard, error) {
	return s.ImportAs(ctx, who, uuid.NewString(), t, overrides)
}

// ImportAs is Import for who has chosen the ID of the dashboard, which must be new.
func (s *Service) ImportAs(ctx context.Context, who access.Actor, id string, t Template, overrides map[string]string) (Dashboard, error) {
	if err := ours(who); err != nil {
		return Dashboard{}, err
	}
	in := &importing{standIns: standIns{s: s, who: who, things: map[string]thing.Thing{}}, overrides: overrides}
	d := Dashboard{ID: id, Name: t.Name, Cover: t.Cover}
	pages := map[string]string{MainPage: MainPage, "": MainPage}
	for _, p := range t.Pages {
		fresh := uuid.NewString()
		pages[p.ID] = fresh
		d.Pages = append(d.Pages, Page{ID: fresh, Name: p.Name, Icon: p.Icon, Position: p.Position})
	}
	for i, tw := range t.Widgets {
		page, known := pages[tw.Page]
		if !known {
			return Dashboard{}, ErrTemplate.With(fmt.Sprintf("Widget %d of the template is on a page that it does not have.", i+1))
		}
		w := Widget{ID: uuid.NewString(), Type: tw.Type, Name: tw.Name, Page: page, Place: Place{tw.X, tw.Y, tw.Width, tw.Height},
			Mobile: Mobile{tw.XMobile, tw.YMobile, tw.WidthMobile, tw.HeightMobile}}
		var err error
		if w.Options, err = in.options(ctx, tw); err != nil {
			return Dashboard{}, err
		}
		for _, v := range tw.Variables {
			id, err := in.variable(ctx, v.Thing, v.Variable, v.Name)
			if err != nil {
				return Dashboard{}, err
			}
			w.Variables = append(w.Variables, id)
		}
		d.Widgets = append(d.Widgets, w)
	}
	return s.create(ctx, who, d, nil, "dashboard:create", nil)
}

// Things are what a template calls the things that it shows, in widgets and in their options; each once, in order.
func (t Template) Things() []string {
	var all []string
	for _, w := range t.Widgets {
		for _, v := range w.Variables {
			all = append(all, v.Thing)
		}
		for _, text := range refers(w.Type, w.Options) {
			if of, _, ok := strings.Cut(text, ":"); ok {
				all = append(all, of)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// WithoutPictures is a template without the pictures that we keep for a dashboard, which nobody sees elsewhere.
func (t Template) WithoutPictures() Template {
	drop := func(text string) (string, bool) { return "", strings.HasPrefix(text, picturePrefix) }
	if _, ours := drop(t.Cover); ours {
		t.Cover = ""
	}
	t.Widgets = slices.Clone(t.Widgets)
	for i := range t.Widgets {
		t.Widgets[i].Options, _ = rewritten(t.Widgets[i].Options, drop).(map[string]any)
	}
	return t
}

// importing finds what a template names.
type importing struct {
	standIns
	overrides map[string]string
}

// variable finds the property that a template calls by its thing and one of its names.
func (in *importing) variable(ctx context.Context, of string, names ...string) (string, error) {
	id := of
	if other, ok := in.overrides[of]; ok {
		id = other
	}
	id = strings.ToLower(id)
	if !isUUID(id) {
		return "", ErrTemplateThing.With(fmt.Sprintf("The template shows a thing %q: say by an override which thing stands for it.", of))
	}
	t, err := in.get(ctx, id)
	if errors.Is(err, thing.ErrNotFound) {
		return "", ErrTemplateThing.With(fmt.Sprintf("The thing that stands for %q is not in this space.", of))
	}
	if err != nil {
		return "", err
	}
	p, found := named(t, names[0], names...)
	if !found {
		return "", ErrTemplateThing.With(fmt.Sprintf("The thing that stands for %q has no variable %q, which the template shows.", of, names[0]))
	}
	return p, nil
}

// options are a widget's, with properties by their IDs: those that its type names must be found,
// and those of its variables are found anywhere.
func (in *importing) options(ctx context.Context, tw TemplateWidget) (json.RawMessage, error) {
	all := tw.Options
	if all == nil {
		all = map[string]any{}
	}
	for _, name := range state {
		delete(all, name)
	}
	to := map[string]string{}
	add := func(of, variable string, more ...string) error {
		id, err := in.variable(ctx, of, append([]string{variable}, more...)...)
		if err == nil {
			to[of+":"+variable] = id
		}
		return err
	}
	for _, v := range tw.Variables {
		if err := add(v.Thing, v.Variable, v.Name); err != nil {
			return nil, err
		}
	}
	for _, text := range refers(tw.Type, all) {
		if of, variable, ok := strings.Cut(text, ":"); ok && to[text] == "" {
			if err := add(of, variable); err != nil {
				return nil, err
			}
		}
	}
	raw, err := encode(rewritten(all, func(text string) (string, bool) { id, ok := to[text]; return id, ok }))
	if err != nil {
		return nil, ErrOptions // what YAML can say and JSON cannot: infinite numbers, members that are no texts
	}
	return raw, nil
}

// A Named is a variable as templates name it.
type Named struct {
	TemplateVariable
	Type, Permission, Timezone string
}

// Template is a dashboard of who's space as a template: friendly IDs for the dashboard and its
// things, and names for variables, in options too. What is gone is left out. named has the variables of each widget.
func (s *Service) Template(ctx context.Context, who access.Actor, id string) (_ Template, named [][]Named, err error) {
	d, err := s.own(ctx, who, id)
	if err != nil {
		return Template{}, nil, err
	}
	variables, err := s.needs.Things.Variables(ctx, who.Space, d.shown())
	if err != nil {
		return Template{}, nil, err
	}
	to := map[string]string{}
	for id, v := range variables {
		slug := thing.TemplateID(v.ThingName, v.Thing)
		to[v.Thing] = slug
		to[id] = slug + ":" + v.Variable
	}
	t := Template{ID: thing.TemplateID(d.Name, d.ID), Name: d.Name, Cover: d.Cover}
	for _, p := range d.Pages {
		t.Pages = append(t.Pages, TemplatePage(p))
	}
	for _, w := range d.Widgets {
		tw := TemplateWidget{Type: w.Type, Name: w.Name, Page: w.Page, X: w.Place.X, Y: w.Place.Y, Width: w.Place.Width, Height: w.Place.Height,
			XMobile: w.Mobile.X, YMobile: w.Mobile.Y, WidthMobile: w.Mobile.Width, HeightMobile: w.Mobile.Height}
		if tw.Options, err = w.carried(func(text string) (string, bool) { new, ok := to[strings.ToLower(text)]; return new, ok }); err != nil {
			return Template{}, nil, err
		}
		list := []Named{}
		for _, id := range w.Variables {
			if v, there := variables[id]; there {
				list = append(list, Named{TemplateVariable{to[v.Thing], v.Variable, v.Name}, v.Type.Name, v.Permission, v.Timezone})
			}
		}
		t.Widgets, named = append(t.Widgets, tw), append(named, list)
	}
	return t, named, nil
}
