package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is read. A server that says more is not believed.
const (
	maxList       = 100_000 // objects of one list
	maxProperties = 1_000   // of one thing; the compatible API has 100
	maxWidgets    = 2_000   // of one dashboard
	maxPages      = 200     // likewise
	maxVariables  = 1_000   // of one widget
	maxActions    = 200     // of one trigger
	maxTags       = 1_000   // of one object
	maxText       = 4 << 10 // bytes of a name, an address, a description
)

// ErrShape is an answer that is not what the API says.
var ErrShape = errors.New("not what the API says")

func shape(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrShape, fmt.Sprintf(format, args...))
}

// A Strange is an object that could not be read.
type Strange struct{ ID, Name, Why string }

var idForm = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

// id reads an ID in lower case.
func id(text string) (string, error) {
	if !idForm.MatchString(text) {
		return "", shape("%.64q is no UUID", text)
	}
	return strings.ToLower(text), nil
}

// maybe reads an ID that may be missing, which some servers write as the nil UUID.
func maybe(text string) string {
	found, err := id(text)
	if err != nil || found == "00000000-0000-0000-0000-000000000000" {
		return ""
	}
	return found
}

// list reads a list of objects. One that cannot be read is told, and the others are read.
func list[T any](what string, raw json.RawMessage, read func(json.RawMessage) (T, error)) (all []T, strange []Strange, err error) {
	var some []json.RawMessage // null is none
	if err := json.Unmarshal(raw, &some); err != nil {
		return nil, nil, shape("the list of %s is none", what)
	}
	if len(some) > maxList {
		return nil, nil, shape("the list of %s has %d entries", what, len(some))
	}
	for _, one := range some {
		v, err := read(one)
		if err == nil {
			all = append(all, v)
			continue
		}
		var known struct{ ID, Name any }
		_ = json.Unmarshal(one, &known) // at least whose it is, if that can be told
		strange = append(strange, Strange{ID: label(known.ID), Name: label(known.Name), Why: err.Error()})
	}
	return all, strange, nil
}

// label is what can be shown of something strange.
func label(v any) string {
	text, _ := v.(string)
	return strings.ToValidUTF8(text[:min(len(text), 64)], "")
}

// texts says whether all of some can be names and the like.
func texts(all ...string) error {
	for _, t := range all {
		if len(t) > maxText || !utf8.ValidString(t) {
			return shape("a text of %d bytes", len(t))
		}
	}
	return nil
}

func decode(raw json.RawMessage, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return shape("the field %q is a %s", kind.Field, kind.Value)
		}
		return shape("no JSON")
	}
	return nil
}

// A Tag is a word that people put on an object.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// tags reads an object of keys and values, or a list of pairs: the API has both.
func tags(raw json.RawMessage) ([]Tag, error) {
	var all []Tag
	object := map[string]any{}
	switch {
	case len(raw) == 0, string(raw) == "null":
		return nil, nil
	case json.Unmarshal(raw, &object) == nil:
		for key, v := range object {
			switch v := v.(type) {
			case string:
				all = append(all, Tag{key, v})
			case bool, float64:
				all = append(all, Tag{key, fmt.Sprint(v)})
			}
		}
	case json.Unmarshal(raw, &all) != nil:
		return nil, shape("tags that are neither an object nor a list")
	}
	if len(all) > maxTags {
		return nil, shape("%d tags", len(all))
	}
	slices.SortFunc(all, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	all = slices.CompactFunc(all, func(a, b Tag) bool { return a.Key == b.Key })
	for _, t := range all {
		if err := texts(t.Key, t.Value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// A Device is a board, or a program that acts as one.
type Device struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	FQBN       string `json:"fqbn"`
	Serial     string `json:"serial"`
	Connection string `json:"connection_type"`
	BLEMAC     string `json:"ble_mac"`
	WiFiFW     string `json:"wifi_fw_version"`
	Locked     bool   `json:"locked"`
	Tags       []Tag  `json:"-"`
}

func readDevice(raw json.RawMessage) (d Device, err error) {
	in := struct {
		*Device
		Tags json.RawMessage `json:"tags"`
	}{Device: &d}
	if err := decode(raw, &in); err != nil {
		return Device{}, err
	}
	if d.ID, err = id(d.ID); err != nil {
		return Device{}, err
	}
	if d.Tags, err = tags(in.Tags); err != nil {
		return Device{}, err
	}
	return d, texts(d.Name, d.Type, d.FQBN, d.Serial, d.Connection, d.BLEMAC, d.WiFiFW)
}

// A Thing is what a device is for.
type Thing struct {
	ID            string     `json:"id"`
	Name          string     `json:"name"`
	Timezone      string     `json:"timezone"`
	Device        string     `json:"device_id"`
	Webhook       string     `json:"webhook_uri"`
	WebhookActive bool       `json:"webhook_active"`
	Assistant     string     `json:"assistant"`
	Sketch        string     `json:"sketch_id"`
	Tags          []Tag      `json:"-"`
	Properties    []Property `json:"-"`
	count         int
	told          bool // the answer has properties
}

// complete says whether all properties were told.
func (t *Thing) complete() bool {
	return t.told && len(t.Properties) >= t.count || t.count == 0 && t.told
}

// A Property is one named value of a thing. What may be missing is a pointer.
type Property struct {
	ID         string          `json:"id"`
	Name       string          `json:"name"`
	Variable   string          `json:"variable_name"`
	Type       string          `json:"type"`
	Permission string          `json:"permission"`
	Strategy   string          `json:"update_strategy"`
	Parameter  *float64        `json:"update_parameter"`
	Persist    *bool           `json:"persist"`
	Number     *float64        `json:"tag"`
	Min        *float64        `json:"min_value"`
	Max        *float64        `json:"max_value"`
	Last       json.RawMessage `json:"last_value"`
	LastAt     *time.Time      `json:"value_updated_at"`
}

// Keeps says whether there is a history. Where nothing is said there is one.
func (p *Property) Keeps() bool { return p.Persist == nil || *p.Persist }

func readThing(raw json.RawMessage) (t Thing, err error) {
	in := struct {
		*Thing
		Tags       json.RawMessage    `json:"tags"`
		Properties *[]json.RawMessage `json:"properties"`
		Count      int                `json:"properties_count"`
	}{Thing: &t}
	if err := decode(raw, &in); err != nil {
		return Thing{}, err
	}
	if t.ID, err = id(t.ID); err != nil {
		return Thing{}, err
	}
	if t.Tags, err = tags(in.Tags); err != nil {
		return Thing{}, err
	}
	t.Device, t.Sketch, t.count = maybe(t.Device), maybe(t.Sketch), in.Count
	if err := texts(t.Name, t.Timezone, t.Webhook, t.Assistant); err != nil {
		return Thing{}, err
	}
	if in.Properties == nil {
		return t, nil
	}
	t.told = true
	if len(*in.Properties) > maxProperties {
		return Thing{}, shape("a thing with %d properties", len(*in.Properties))
	}
	seen := map[string]bool{}
	for _, one := range *in.Properties {
		p, err := readProperty(one)
		if err != nil {
			return Thing{}, err
		}
		if seen[p.ID] {
			return Thing{}, shape("two properties with the ID %s", p.ID)
		}
		seen[p.ID] = true
		t.Properties = append(t.Properties, p)
	}
	return t, nil
}

func readProperty(raw json.RawMessage) (p Property, err error) {
	if err := decode(raw, &p); err != nil {
		return Property{}, err
	}
	if p.ID, err = id(p.ID); err != nil {
		return Property{}, err
	}
	if len(p.Last) > maxValue {
		return Property{}, shape("a value of %d bytes", len(p.Last))
	}
	return p, texts(p.Name, p.Variable, p.Type, p.Permission, p.Strategy)
}

// A Dashboard is what people see of their things.
type Dashboard struct {
	ID      string
	Name    string
	Cover   string
	Pages   []Page // without the main one, whose ID is "0"
	Widgets []Widget
	Tags    []Tag
	Guest   bool // it was shared by somebody else
	Shares  int  // people that it is shared with
	whole   bool // the answer has widgets
}

// A Page is a part of a dashboard.
type Page struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Icon     string `json:"icon,omitempty"`
	Position int64  `json:"position"`
}

// A Widget shows values. Options are as they came.
type Widget struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Name      string          `json:"name,omitempty"`
	Page      string          `json:"page_id,omitempty"` // "0", or the ID of a Page
	Options   json.RawMessage `json:"options"`
	Variables []string        `json:"variables"` // IDs of properties
	X         int64           `json:"x"`
	Y         int64           `json:"y"`
	Width     int64           `json:"width"`
	Height    int64           `json:"height"`
	XMobile   *int64          `json:"x_mobile,omitempty"`
	YMobile   *int64          `json:"y_mobile,omitempty"`
	WMobile   *int64          `json:"width_mobile,omitempty"`
	HMobile   *int64          `json:"height_mobile,omitempty"`
}

// MainPage is the page that every dashboard has.
const MainPage = "0"

func readDashboard(raw json.RawMessage) (d Dashboard, err error) {
	var in struct {
		ID      string             `json:"id"`
		Name    string             `json:"name"`
		Cover   string             `json:"cover_image"`
		Pages   []Page             `json:"pages"`
		Widgets *[]json.RawMessage `json:"widgets"`
		Tags    json.RawMessage    `json:"tags"`
		By      json.RawMessage    `json:"shared_by"`
		With    []json.RawMessage  `json:"shared_with"`
	}
	if err := decode(raw, &in); err != nil {
		return Dashboard{}, err
	}
	d = Dashboard{Name: in.Name, Cover: in.Cover, Guest: len(in.By) > 0 && string(in.By) != "null", Shares: len(in.With), whole: in.Widgets != nil}
	if d.ID, err = id(in.ID); err != nil {
		return Dashboard{}, err
	}
	if err := texts(d.Name, d.Cover); err != nil {
		return Dashboard{}, err
	}
	if d.Tags, err = tags(in.Tags); err != nil {
		return Dashboard{}, err
	}
	if len(in.Pages) > maxPages {
		return Dashboard{}, shape("%d pages", len(in.Pages))
	}
	known := map[string]bool{MainPage: true}
	for _, p := range in.Pages {
		if p.ID == MainPage {
			continue
		}
		if p.ID, err = id(p.ID); err != nil {
			return Dashboard{}, err
		}
		if err := texts(p.Name, p.Icon); err != nil {
			return Dashboard{}, err
		}
		known[p.ID] = true
		d.Pages = append(d.Pages, p)
	}
	if in.Widgets == nil {
		return d, nil
	}
	if len(*in.Widgets) > maxWidgets {
		return Dashboard{}, shape("%d widgets", len(*in.Widgets))
	}
	for _, one := range *in.Widgets {
		w, err := readWidget(one)
		if err != nil {
			return Dashboard{}, err
		}
		if !known[w.Page] {
			w.Page = MainPage
		}
		d.Widgets = append(d.Widgets, w)
	}
	return d, nil
}

func readWidget(raw json.RawMessage) (w Widget, err error) {
	in := struct {
		*Widget
		Variables []json.RawMessage `json:"variables"`
		X         float64           `json:"x"`
		Y         float64           `json:"y"`
		Width     float64           `json:"width"`
		Height    float64           `json:"height"`
		XMobile   *float64          `json:"x_mobile"`
		YMobile   *float64          `json:"y_mobile"`
		WMobile   *float64          `json:"width_mobile"`
		HMobile   *float64          `json:"height_mobile"`
	}{Widget: &w}
	if err := decode(raw, &in); err != nil {
		return Widget{}, err
	}
	if w.ID, err = id(w.ID); err != nil {
		return Widget{}, err
	}
	if err := texts(w.Type, w.Name, w.Page); err != nil {
		return Widget{}, err
	}
	w.Page = strings.ToLower(w.Page)
	for from, to := range map[*float64]*int64{&in.X: &w.X, &in.Y: &w.Y, &in.Width: &w.Width, &in.Height: &w.Height} {
		if *to, err = whole(*from); err != nil {
			return Widget{}, err
		}
	}
	for _, one := range []struct {
		from *float64
		to   **int64
	}{{in.XMobile, &w.XMobile}, {in.YMobile, &w.YMobile}, {in.WMobile, &w.WMobile}, {in.HMobile, &w.HMobile}} {
		if one.from == nil {
			continue
		}
		n, err := whole(*one.from)
		if err != nil {
			return Widget{}, err
		}
		*one.to = &n
	}
	object := map[string]json.RawMessage{}
	if len(w.Options) == 0 || string(w.Options) == "null" {
		w.Options = json.RawMessage("{}")
	} else if json.Unmarshal(w.Options, &object) != nil {
		return Widget{}, shape("options of widget %s that are no object", w.ID)
	}
	if len(in.Variables) > maxVariables {
		return Widget{}, shape("a widget with %d variables", len(in.Variables))
	}
	w.Variables = []string{}
	for _, one := range in.Variables {
		var linked struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(one, &linked.ID) != nil { // an ID by itself, as requests have it
			if err := decode(one, &linked); err != nil {
				return Widget{}, err
			}
		}
		v, err := id(linked.ID)
		if err != nil {
			return Widget{}, err
		}
		if !slices.Contains(w.Variables, v) {
			w.Variables = append(w.Variables, v)
		}
	}
	return w, nil
}

func whole(f float64) (int64, error) {
	if f != math.Trunc(f) || math.Abs(f) > 1<<31 {
		return 0, shape("%v cells", f)
	}
	return int64(f), nil
}

// A Trigger watches a property or the status of devices.
type Trigger struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Active      *bool           `json:"active"`
	Property    string          `json:"property_id"`
	Condition   json.RawMessage `json:"condition"` // of servers like ours; as it came
	Status      *Status         `json:"device_status_source"`
	Actions     []Action        `json:"-"`
	Tags        []Tag           `json:"-"`
}

// A Status says of which devices comings and goings count.
type Status struct {
	Criteria string   `json:"criteria"`
	Devices  []string `json:"device_ids"`
	Offline  *int64   `json:"grace_period_offline,omitempty"` // seconds
	Online   *int64   `json:"grace_period_online,omitempty"`
}

// An Action is what a trigger does. What depends on its kind is as it came.
type Action struct {
	ID          string          `json:"id"`
	Trigger     string          `json:"trigger_id"`
	Kind        string          `json:"kind"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Email       json.RawMessage `json:"email"`
	Push        json.RawMessage `json:"push_notification"`
	Webhook     json.RawMessage `json:"webhook"`
	Set         json.RawMessage `json:"set_property"`
}

// add takes an action that was listed by itself, unless it is there.
func (t *Trigger) add(a Action) {
	if len(t.Actions) < maxActions && !slices.ContainsFunc(t.Actions, func(have Action) bool { return have.ID == a.ID }) {
		t.Actions = append(t.Actions, a)
	}
}

func readTrigger(raw json.RawMessage) (t Trigger, err error) {
	in := struct {
		*Trigger
		Actions []json.RawMessage `json:"actions"`
		Tags    json.RawMessage   `json:"tags"`
	}{Trigger: &t}
	if err := decode(raw, &in); err != nil {
		return Trigger{}, err
	}
	if t.ID, err = id(t.ID); err != nil {
		return Trigger{}, err
	}
	if t.Tags, err = tags(in.Tags); err != nil {
		return Trigger{}, err
	}
	t.Property = maybe(t.Property)
	if t.Status != nil {
		if len(t.Status.Devices) > maxList {
			return Trigger{}, shape("%d devices", len(t.Status.Devices))
		}
		for i := range t.Status.Devices {
			if t.Status.Devices[i], err = id(t.Status.Devices[i]); err != nil {
				return Trigger{}, err
			}
		}
	}
	if err := texts(t.Name, t.Description); err != nil {
		return Trigger{}, err
	}
	if len(in.Actions) > maxActions {
		return Trigger{}, shape("%d actions", len(in.Actions))
	}
	for _, one := range in.Actions {
		a, err := readAction(one)
		if err != nil {
			return Trigger{}, err
		}
		a.Trigger = t.ID
		t.Actions = append(t.Actions, a)
	}
	return t, nil
}

func readAction(raw json.RawMessage) (a Action, err error) {
	if err := decode(raw, &a); err != nil {
		return Action{}, err
	}
	if a.ID, err = id(a.ID); err != nil {
		return Action{}, err
	}
	a.Trigger = maybe(a.Trigger)
	for _, part := range []*json.RawMessage{&a.Email, &a.Push, &a.Webhook, &a.Set} {
		*part = bytes.TrimSpace(*part)
		if string(*part) == "null" {
			*part = nil
		}
	}
	return a, texts(a.Kind, a.Name, a.Description)
}

// A moment is a time as answers write it, of which anything may be wrong.
func moment(raw json.RawMessage) (time.Time, bool) {
	text, err := strconv.Unquote(string(raw))
	if err != nil {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UTC(), err == nil
}
