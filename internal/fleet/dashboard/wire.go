package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// What clients send and get; cloud-api reference, sections 6.10 and 6.11. Go clients refuse an
// answer without a required key, and none of them a key too many. Lists are never null.
type (
	wireDashboard struct {
		Access         string        `json:"access,omitempty"` // of v3, ours: what a guest may, read or write
		CoverImage     string        `json:"cover_image,omitempty"`
		CreatedBy      wirePerson    `json:"created_by"`
		DeletedAt      *time.Time    `json:"deleted_at,omitempty"` // ours
		ID             string        `json:"id"`
		Name           string        `json:"name"`
		OrganizationID string        `json:"organization_id,omitempty"`
		Pages          *[]wirePage   `json:"pages,omitempty"` // of v3
		SharedBy       *wirePerson   `json:"shared_by,omitempty"`
		SharedWith     *[]wirePerson `json:"shared_with,omitempty"`
		Tags           device.Tags   `json:"tags,omitempty"` // ours; members alone see them
		UpdatedAt      time.Time     `json:"updated_at"`
		Widgets        []wireWidget  `json:"widgets"`
	}

	wirePerson struct {
		UserID   string `json:"user_id"`
		Username string `json:"username,omitempty"`
	}

	wirePage struct {
		Icon     string `json:"icon,omitempty"`
		ID       string `json:"id"`
		Name     string `json:"name"`
		Position int64  `json:"position"`
	}

	wireWidget struct {
		ReadOnly  bool            `json:"has_permission_incompatibility"`
		WrongType bool            `json:"has_type_incompatibility"`
		Unlinked  bool            `json:"has_unlinked_variable"`
		ID        string          `json:"id"`
		Name      string          `json:"name,omitempty"`
		Options   json.RawMessage `json:"options"`
		PageID    string          `json:"page_id,omitempty"` // of v3
		Type      string          `json:"type"`
		Variables []wireVariable  `json:"variables"`
		wirePlace
	}

	wirePlace struct {
		Height       int64  `json:"height" rule:"required"`
		HeightMobile *int64 `json:"height_mobile,omitempty"`
		Width        int64  `json:"width" rule:"required"`
		WidthMobile  *int64 `json:"width_mobile,omitempty"`
		X            int64  `json:"x" rule:"required"`
		XMobile      *int64 `json:"x_mobile,omitempty"`
		Y            int64  `json:"y" rule:"required"`
		YMobile      *int64 `json:"y_mobile,omitempty"`
	}

	wireVariable struct {
		ID           string          `json:"id"`
		LastValue    json.RawMessage `json:"last_value,omitempty"`
		UpdatedAt    *time.Time      `json:"last_value_updated_at,omitempty"`
		Name         string          `json:"name"`
		Permission   string          `json:"permission"`
		ThingID      string          `json:"thing_id"`
		ThingName    string          `json:"thing_name"`
		Timezone     wireTimezone    `json:"thing_timezone"`
		Type         string          `json:"type"`
		VariableName string          `json:"variable_name"`
	}

	wireTimezone struct {
		Name   string    `json:"name"`
		Offset int64     `json:"offset"` // seconds
		Until  time.Time `json:"until"`
	}

	wireLinks struct {
		Variables []string `json:"variables"`
	}

	wireTemplate struct {
		CoverImage string               `json:"cover_image,omitempty"`
		ID         string               `json:"id"`
		Name       string               `json:"name"`
		Pages      *[]wirePage          `json:"pages,omitempty"` // of v3
		Widgets    []wireTemplateWidget `json:"widgets"`
	}

	wireTemplateWidget struct {
		Name      string                 `json:"name,omitempty"`
		Options   map[string]any         `json:"options"`
		PageID    string                 `json:"page_id,omitempty"` // of v3
		Type      string                 `json:"type"`
		Variables []wireTemplateVariable `json:"variables"`
		wirePlace
	}

	wireTemplateVariable struct {
		Name       string       `json:"name"`
		Permission string       `json:"permission"`
		ThingID    string       `json:"thing_id"`
		Timezone   wireTimezone `json:"thing_timezone"`
		Type       string       `json:"type"`
		VariableID string       `json:"variable_id"`
	}
)

// What clients send. What may be left out is a pointer, or a list that may be nil.
type (
	inDashboard struct {
		CoverImage  *string     `json:"cover_image" rule:"length=0..1024"`
		Name        *string     `json:"name" rule:"length=0..64" pattern:"[a-zA-Z0-9_.@-]+"`
		Pages       *[]inPage   `json:"pages" rule:"items=0..30"` // of v3
		SoftDeleted *bool       `json:"soft_deleted"`
		Tags        *[]inTag    `json:"tags" rule:"items=0..256"` // ours; what is not said stays, also where the rest is replaced
		Widgets     *[]inWidget `json:"widgets" rule:"items=0..300"`
	}

	inTag struct {
		Key   string `json:"key" rule:"required,length=1..64"`
		Value string `json:"value" rule:"required,length=1..64"`
	}

	inPage struct {
		Icon     string `json:"icon" rule:"length=0..1024"`
		ID       string `json:"id" rule:"required,format=uuid"`
		Name     string `json:"name" rule:"required,length=0..64" pattern:"[a-zA-Z0-9_.@-]+"`
		Position int64  `json:"position" rule:"required"`
	}

	inWidget struct {
		ID        string          `json:"id" rule:"required,format=uuid"`
		Name      string          `json:"name"`
		Options   json.RawMessage `json:"options" rule:"required"`
		PageID    *string         `json:"page_id" pattern:"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$|^0$"`
		Type      string          `json:"type" rule:"required"`
		Variables []string        `json:"variables" rule:"items=0..100,format=uuid"`
		wirePlace
	}

	inClone struct {
		Overrides []inOverride `json:"overrides" rule:"items=0..100"`
	}

	inOverride struct {
		New string `json:"new_thing_id" rule:"required,format=uuid"`
		Old string `json:"old_thing_id" rule:"required,format=uuid"`
	}

	inLinks struct {
		Variables []string `json:"variables" rule:"items=0..100,format=uuid"`
	}

	inShare struct {
		// Access is read or write; write where nothing is said, as the compatible API has it.
		Access string    `json:"access" rule:"enum=|read|write"`
		Users  []inGuest `json:"users" rule:"items=0..50"`
		inGuest
	}

	inGuest struct {
		UserID   string `json:"user_id"`
		Username string `json:"username"`
	}

	inRequest struct {
		Message string `json:"message" rule:"length=0..1000"`
	}
)

// A version is which view of a dashboard is asked for.
type version int

const (
	v2 version = iota // without pages
	v3

	versions
)

// media is the name of each version's answers.
var media = [versions]string{v2: "dashboardv2", v3: "dashboardv3"}

// A presentation is what the answer about dashboards needs beside them.
type presentation struct {
	organization string
	variables    map[string]thing.Variable
	names        map[string]string  // of people, by user ID
	shares       map[string][]Share // of dashboards, by their ID, for those who may see them
	lent         map[string]Share   // what is lent to who asks, by dashboard
}

// present collects what the answer about dashboards needs beside them.
func (s *Service) present(ctx context.Context, who access.Actor, all []Dashboard) (presentation, error) {
	p := presentation{variables: map[string]thing.Variable{}, names: map[string]string{}, shares: map[string][]Share{}, lent: map[string]Share{}}
	var err error
	if p.organization, err = s.needs.Organization(ctx, who.Space); err != nil {
		return p, fmt.Errorf("organization of space %s: %w", who.Space, err)
	}
	shown, people := map[string][]string{}, map[string]bool{}
	for _, d := range all {
		shown[d.Space] = append(shown[d.Space], d.shown()...)
		people[d.Owner] = true
		if d.Space == who.Space {
			p.shares[d.ID] = []Share{}
			continue
		}
		share, err := s.needs.Store.shareOf(ctx, who.ID, d.ID)
		if err != nil {
			return p, err
		}
		p.lent[d.ID], people[share.By] = share, true
	}
	if s.needs.Policy.Allow(who, "share:list", access.Resource{Type: "Space", ID: who.Space, Space: who.Space}) != nil {
		clear(p.shares)
	}
	if len(p.shares) > 0 {
		one := ""
		if len(all) == 1 {
			one = all[0].ID
		}
		shares, err := s.needs.Store.sharesOf(ctx, who.Space, one)
		if err != nil {
			return p, err
		}
		for _, share := range shares {
			if _, asked := p.shares[share.Dashboard]; asked {
				p.shares[share.Dashboard] = append(p.shares[share.Dashboard], share)
				people[share.User] = true
			}
		}
	}
	for space, ids := range shown {
		slices.Sort(ids)
		found, err := s.needs.Things.Variables(ctx, space, slices.Compact(ids))
		if err != nil {
			return p, err
		}
		for id, v := range found {
			p.variables[id] = v
		}
	}
	for user := range people {
		if p.names[user], err = s.needs.Person(ctx, user); err != nil {
			return p, fmt.Errorf("name of account %s: %w", user, err)
		}
	}
	return p, nil
}

func (s *Service) wire(d Dashboard, v version, p presentation) wireDashboard {
	person := func(user string) wirePerson { return wirePerson{UserID: user, Username: p.names[user]} }
	w := wireDashboard{
		CoverImage: d.Cover, CreatedBy: person(d.Owner), ID: d.ID, Name: d.Name, OrganizationID: p.organization, Tags: d.Tags, UpdatedAt: d.UpdatedAt,
		Widgets: make([]wireWidget, 0, len(d.Widgets)),
	}
	if v == v3 {
		w.Pages = wirePages(d.Pages)
	}
	if d.Deleted() {
		w.DeletedAt = &d.DeletedAt
	}
	if share, guest := p.lent[d.ID]; guest {
		by := person(share.By)
		w.SharedBy, w.OrganizationID, w.Tags = &by, "", nil
		if v == v3 { // clients of v2 know no such key
			w.Access = share.May
		}
	} else if shares, may := p.shares[d.ID]; may {
		list := make([]wirePerson, 0, len(shares))
		for _, one := range shares {
			list = append(list, person(one.User))
		}
		w.SharedWith = &list
	}
	for i := range d.Widgets {
		w.Widgets = append(w.Widgets, s.wireWidget(&d.Widgets[i], v, p.variables))
	}
	return w
}

func wirePages(pages []Page) *[]wirePage {
	all := make([]wirePage, 0, len(pages))
	for _, p := range pages {
		all = append(all, wirePage{Icon: p.Icon, ID: p.ID, Name: p.Name, Position: p.Position})
	}
	return &all
}

func wirePlaceOf(p Place, m Mobile) wirePlace {
	return wirePlace{Height: p.Height, HeightMobile: m.Height, Width: p.Width, WidthMobile: m.Width, X: p.X, XMobile: m.X, Y: p.Y, YMobile: m.Y}
}

func (p wirePlace) place() Place { return Place{X: p.X, Y: p.Y, Width: p.Width, Height: p.Height} }
func (p wirePlace) mobile() Mobile {
	return Mobile{X: p.XMobile, Y: p.YMobile, Width: p.WidthMobile, Height: p.HeightMobile}
}

func (s *Service) wireWidget(w *Widget, v version, variables map[string]thing.Variable) wireWidget {
	out := wireWidget{ID: w.ID, Name: w.Name, Options: w.Options, Type: w.Type, Variables: []wireVariable{}, wirePlace: wirePlaceOf(w.Place, w.Mobile)}
	out.Unlinked, out.WrongType, out.ReadOnly = w.flags(variables)
	if v == v3 {
		out.PageID = w.Page
	}
	for _, id := range w.Variables {
		if of, there := variables[id]; there {
			out.Variables = append(out.Variables, s.wireVariable(of))
		}
	}
	return out
}

func (s *Service) wireVariable(v thing.Variable) wireVariable {
	w := wireVariable{ID: v.ID, LastValue: v.Last, Name: v.Name, Permission: v.Permission, ThingID: v.Thing, ThingName: v.ThingName,
		Timezone: s.wireTimezone(v.Timezone), Type: v.Type.Name, VariableName: v.Variable}
	if v.Last != nil {
		w.UpdatedAt = &v.LastAt
	}
	return w
}

func (s *Service) wireTimezone(name string) wireTimezone {
	seconds, until := thing.OffsetAt(name, s.now())
	return wireTimezone{Name: name, Offset: seconds, Until: until}
}

func (s *Service) wireTemplate(t Template, named [][]Named, v version) wireTemplate {
	out := wireTemplate{CoverImage: t.Cover, ID: t.ID, Name: t.Name, Widgets: make([]wireTemplateWidget, 0, len(t.Widgets))}
	if v == v3 {
		pages := make([]wirePage, 0, len(t.Pages))
		for _, p := range t.Pages {
			pages = append(pages, wirePage{Icon: p.Icon, ID: p.ID, Name: p.Name, Position: p.Position})
		}
		out.Pages = &pages
	}
	for i, w := range t.Widgets {
		one := wireTemplateWidget{Name: w.Name, Options: w.Options, Type: w.Type, Variables: []wireTemplateVariable{},
			wirePlace: wirePlaceOf(Place{w.X, w.Y, w.Width, w.Height}, Mobile{w.XMobile, w.YMobile, w.WidthMobile, w.HeightMobile})}
		if v == v3 {
			one.PageID = w.Page
		}
		for _, n := range named[i] {
			one.Variables = append(one.Variables, wireTemplateVariable{Name: n.Name, Permission: n.Permission, ThingID: n.Thing,
				Timezone: s.wireTimezone(n.Timezone), Type: n.Type, VariableID: n.Variable})
		}
		out.Widgets = append(out.Widgets, one)
	}
	return out
}

// apply puts what a client says into d. whole replaces name, widgets and pages by what is said, so that
// widgets and pages of which nothing is said go; else they stay. A client of v2 knows no pages: what it does
// not know stays, and its widgets stay where they are.
func (in *inDashboard) apply(d *Dashboard, v version, whole bool) {
	if in.Name != nil && *in.Name != "" {
		d.Name = *in.Name
	}
	if in.CoverImage != nil {
		d.Cover = *in.CoverImage
	}
	if in.Tags != nil {
		d.Tags = device.Tags{}
		for _, t := range *in.Tags {
			d.Tags[t.Key] = t.Value
		}
	}
	if v == v3 && (whole || in.Pages != nil) {
		d.Pages = nil
		if in.Pages != nil {
			for _, p := range *in.Pages {
				d.Pages = append(d.Pages, p.page())
			}
		}
	}
	if !whole && in.Widgets == nil {
		return
	}
	pages := map[string]string{}
	for _, w := range d.Widgets {
		pages[w.ID] = w.Page
	}
	d.Widgets = nil
	if in.Widgets == nil {
		return
	}
	for _, w := range *in.Widgets {
		one := w.widget()
		if v == v2 {
			one.Page = pages[one.ID]
		}
		d.Widgets = append(d.Widgets, one)
	}
}

func (in inPage) page() Page {
	return Page{ID: in.ID, Name: in.Name, Icon: in.Icon, Position: in.Position}
}

func (in inWidget) widget() Widget {
	w := Widget{ID: in.ID, Type: in.Type, Name: in.Name, Place: in.place(), Mobile: in.mobile(), Options: slices.Clone(in.Options), Variables: slices.Clone(in.Variables)}
	if in.PageID != nil {
		w.Page = *in.PageID
	}
	return w
}
