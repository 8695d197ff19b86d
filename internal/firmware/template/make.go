package template

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Choice of a space's things, dashboards and triggers, by their IDs, to make a template of.
type Choice struct {
	Name, Text                   string
	Things, Dashboards, Triggers []string
}

// Make makes a template of what is in who's space. What dashboards show and triggers are about must be among the things.
// Pictures that we keep for a dashboard stay behind, as do people and secrets.
func (s *Service) Make(ctx context.Context, who access.Actor, c Choice) (Template, error) {
	if err := ours(who); err != nil {
		return Template{}, err
	}
	if len(c.Things) > maxThings || len(c.Dashboards) > maxDashboards || len(c.Triggers) > maxTriggers {
		return Template{}, ErrTooMany
	}
	w := &Whole{Name: strings.TrimSpace(c.Name), Text: c.Text}
	slugs := map[string]string{}
	for _, id := range c.Things {
		t, err := s.needs.Things.Get(ctx, who, id, false)
		if err != nil {
			return Template{}, err
		}
		if slugs[t.ID] != "" {
			return Template{}, ErrPart.With(fmt.Sprintf("The thing %q is named twice.", t.Name))
		}
		slugs[t.ID] = thing.TemplateID(t.Name, t.ID)
		if err := s.takeThing(ctx, who, w, t); err != nil {
			return Template{}, err
		}
	}
	for _, id := range c.Dashboards {
		d, named, err := s.needs.Dashboards.Template(ctx, who, id)
		if err != nil {
			return Template{}, err
		}
		for i := range d.Widgets {
			for _, v := range named[i] {
				d.Widgets[i].Variables = append(d.Widgets[i].Variables, v.TemplateVariable)
			}
		}
		raw, err := takeDashboard(d)
		if err != nil {
			return Template{}, err
		}
		w.Dashboards = append(w.Dashboards, raw)
	}
	for _, id := range c.Triggers {
		text, err := s.needs.Triggers.Carry(ctx, who, id, func(of string) (string, bool) { slug, ok := slugs[of]; return slug, ok })
		if err != nil {
			return Template{}, err
		}
		raw, err := toJSON(text)
		if err != nil {
			return Template{}, err
		}
		w.Triggers = append(w.Triggers, raw)
	}
	return s.keep(ctx, who, w, "template:create")
}

// takeThing adds a thing to w, with its program and what board it runs on.
func (s *Service) takeThing(ctx context.Context, who access.Actor, w *Whole, t thing.Thing) error {
	board := ""
	if t.Device != "" {
		d, err := s.needs.Devices.Get(ctx, who, who.Space, t.Device, false)
		if err != nil {
			return err
		}
		if board = d.FQBN; board != "" && !slices.Contains(w.Boards, board) {
			w.Boards = append(w.Boards, board)
		}
	}
	p := partOf(t, board)
	if s.needs.Sketches != nil && t.Sketch != "" {
		sketch, there, err := s.needs.Sketches.Get(ctx, who, t.Sketch)
		if err != nil {
			return err
		}
		if there && len(sketch.Files) > 0 {
			p.SketchName, p.SketchTemplate = p.ID, p.ID
			files := slices.Clone(sketch.Files)
			slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
			w.Sketches = append(w.Sketches, Sketch{Name: p.ID, Files: files})
			slices.SortFunc(w.Sketches, func(a, b Sketch) int { return strings.Compare(a.Name, b.Name) })
		}
	}
	raw, err := json.Marshal(p)
	if err == nil {
		raw, err = toJSON(raw)
	}
	w.Things = append(w.Things, raw)
	return err
}

// takeDashboard writes a dashboard's template as ours have it: members that say nothing are left out.
func takeDashboard(d dashboard.Template) (json.RawMessage, error) {
	text, err := json.Marshal(d.WithoutPictures())
	if err != nil {
		return nil, err
	}
	tree, err := readJSON(text)
	if err != nil {
		return nil, err
	}
	top, _ := tree.(map[string]any)
	compact(top)
	list, _ := top["widgets"].([]any)
	for _, one := range list {
		widget, _ := one.(map[string]any)
		compact(widget)
	}
	return writeJSON(top)
}

func compact(members map[string]any) {
	for name, v := range members {
		if v == nil || v == "" {
			delete(members, name)
		}
	}
}
