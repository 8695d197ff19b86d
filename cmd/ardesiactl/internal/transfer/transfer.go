// Package transfer copies what somebody has on a server with the Arduino Cloud's API to one of ours:
// devices, things, dashboards, the values of the past, and triggers.
//
// It may be stopped at any moment, and run again: it goes on, and ends as if it had not been stopped. What was
// made bears its source's ID as the tag "imported-from" from the moment at which it is there, so that nothing is made
// twice, also without the state file. The state file says how far histories are, and holds secrets until they are told.
//
// Order: triggers come last, so that none fires for a past that is still on its way; the server tells nobody of
// values of the past.
package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

// Tag is the key of the tag by which a copy is known; its value is the ID of what it is a copy of.
const Tag = "imported-from"

// The parts of a transfer, in the order in which they are done.
const (
	Devices    = "devices"
	Things     = "things"
	Dashboards = "dashboards"
	History    = "history"
	Triggers   = "triggers"
)

// Parts are all of them.
func Parts() []string { return []string{Devices, Things, Dashboards, History, Triggers} }

// A Target is the server that is written to: *client.Client.
type Target interface {
	Do(ctx context.Context, method, path string, in, out any) error
	Token(ctx context.Context) (string, error)
}

// Config says what is copied, from where to where.
type Config struct {
	Source *cloud.Server
	Target Target
	Pace   *cloud.Pace // of Target
	// From, Organization, To and Space are what the two are called; a state file is for these four.
	From, Organization, To, Space string

	Only         []string  // of Parts; nil is all
	Since, Until time.Time // of history, the former inclusive; zero is all, up to the first start
	DryRun       bool      // reads and tells, and changes nothing on either side
	Verify       bool
	State, Keys  string // files
	Now          func() time.Time
	// Progress hears how far it is; it may be nil.
	Progress func(Progress)
}

// A Progress is how far one part is.
type Progress struct {
	Part        string
	Done, Whole int64  // of anything: their quotient counts
	Words       string // for people
}

// A Transfer is one run.
type Transfer struct {
	cfg    Config
	state  *State
	report *Report

	source struct {
		devices    []cloud.Device
		things     []cloud.Thing
		dashboards []cloud.Dashboard
		triggers   []cloud.Trigger
	}
	there struct { // on the target, when this run began; what is made is added
		devices, things, dashboards, triggers *index
	}
	ids   map[string]string // of all copies, by the IDs of their sources, properties among them
	owner map[string]string // of copied properties, by their IDs: the thing
}

// Run copies. The report is never nil; after an error it says how far it came.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	t := &Transfer{cfg: cfg, ids: map[string]string{}, owner: map[string]string{}}
	t.report = &Report{From: cfg.From, To: cfg.To, Space: cfg.Space, DryRun: cfg.DryRun, StartedAt: cfg.Now().UTC()}
	err := t.run(ctx)
	t.report.EndedAt = cfg.Now().UTC()
	return t.report, err
}

func (t *Transfer) wants(part string) bool {
	return len(t.cfg.Only) == 0 || slices.Contains(t.cfg.Only, part)
}

func (t *Transfer) run(ctx context.Context) error {
	var err error
	if t.state, err = load(t.cfg); err != nil {
		return err
	}
	t.report.Until = t.state.Until
	if err := t.look(ctx); err != nil {
		return err
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{{Devices, t.copyDevices}, {Things, t.copyThings}, {Dashboards, t.copyDashboards}, {History, t.copyHistory}, {Triggers, t.copyTriggers}} {
		if !t.wants(part.name) {
			continue
		}
		if err := part.do(ctx); err != nil {
			return err
		}
	}
	if err := t.tellKeys(); err != nil {
		return err
	}
	if t.cfg.Verify && !t.cfg.DryRun {
		return t.verify(ctx)
	}
	return nil
}

// look reads what there is on both sides. All of the source's things are needed to know what is whose, whatever is copied.
func (t *Transfer) look(ctx context.Context) error {
	t.progress("reading", 0, 4, "what there is")
	var strange []cloud.Strange
	var err error
	src := &t.source
	if src.devices, strange, err = t.cfg.Source.Devices(ctx); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	t.report.Devices = found(t.wants(Devices), len(src.devices), strange)
	t.progress("reading", 1, 4, "things of the source")
	if src.things, strange, err = t.cfg.Source.Things(ctx); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	t.report.Things = found(t.wants(Things), len(src.things), strange)
	if t.wants(Dashboards) {
		if src.dashboards, strange, err = t.cfg.Source.Dashboards(ctx); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		t.report.Dashboards = found(true, len(src.dashboards), strange)
	}
	if t.wants(Triggers) {
		if src.triggers, strange, err = t.cfg.Source.Triggers(ctx); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		t.report.Triggers = found(true, len(src.triggers), strange)
	}
	t.progress("reading", 3, 4, "what the target has")
	if t.there.devices, err = t.index(ctx, "/iot/v2/devices", t.state.Made[Devices]); err != nil {
		return err
	}
	if t.there.things, err = t.index(ctx, "/iot/v2/things?show_properties=true", t.state.Made[Things]); err != nil {
		return err
	}
	if t.there.dashboards, err = t.index(ctx, "/iot/v3/dashboards", t.state.Made[Dashboards]); err != nil {
		return err
	}
	if t.there.triggers, err = t.index(ctx, "/iot/v1/triggers", t.state.Made[Triggers]); err != nil {
		return err
	}
	if !t.state.Looked {
		for _, i := range []*index{t.there.devices, t.there.things, t.there.dashboards, t.there.triggers} {
			for source := range i.copies {
				t.state.Before[source] = true
			}
		}
		t.state.Looked = true
		if err := t.state.save(); err != nil {
			return err
		}
	}
	for _, d := range src.devices {
		if have, ok := t.there.devices.of(d.ID); ok {
			t.ids[d.ID] = have.ID
		}
	}
	for _, one := range src.things {
		if have, ok := t.there.things.of(one.ID); ok {
			t.know(&one, have)
		}
	}
	t.progress("reading", 4, 4, "done")
	return nil
}

// An object is what is known of one on the target.
type object struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Tags       map[string]string `json:"tags"`
	DeviceID   string            `json:"device_id"`
	Properties []property        `json:"properties"`
}

type property struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// An index finds copies by the IDs of their sources.
type index struct {
	copies map[string]object
	names  map[string]bool
}

func (i *index) of(source string) (object, bool) {
	o, ok := i.copies[source]
	return o, ok
}

func (i *index) add(source string, o object) {
	i.copies[source] = o
	i.names[o.Name] = true
}

// index lists objects of the target. The state knows those whose tag somebody has taken off. Of two with one tag,
// which are a copy and a copy of that, the older counts: lists come by age.
func (t *Transfer) index(ctx context.Context, path string, made map[string]string) (*index, error) {
	var all []object
	if err := t.do(ctx, http.MethodGet, path, nil, &all); err != nil {
		return nil, fmt.Errorf("target: list %s: %w", path, err)
	}
	i := &index{copies: map[string]object{}, names: map[string]bool{}}
	byID := map[string]object{}
	for _, o := range all {
		byID[o.ID] = o
		i.names[o.Name] = true
		source := strings.ToLower(o.Tags[Tag])
		if source == "" {
			continue
		}
		if _, older := i.copies[source]; !older {
			i.copies[source] = o
		}
	}
	for source, id := range made {
		if o, is := byID[id]; is {
			if _, tagged := i.copies[source]; !tagged {
				i.copies[source] = o
			}
		}
	}
	return i, nil
}

// do makes a request to the target that may be repeated.
func (t *Transfer) do(ctx context.Context, method, path string, in, out any) error {
	return t.cfg.Pace.Call(ctx, func() error { return t.cfg.Target.Do(ctx, method, path, in, out) })
}

// create makes an object on the target that has the tag, and finds it if an earlier try has made it without an answer.
func (t *Transfer) create(ctx context.Context, part string, among *index, list, source, method, path string, in any) (object, error) {
	var made object
	err := t.cfg.Pace.Make(ctx, func() error {
		return t.cfg.Target.Do(ctx, method, path, in, &made)
	}, func() (bool, error) {
		var all []object
		err := t.do(ctx, http.MethodGet, list+url.QueryEscape(Tag+":"+source), nil, &all)
		if err != nil || len(all) == 0 {
			return false, err
		}
		made = all[0]
		return true, nil
	})
	if err != nil {
		return object{}, err
	}
	among.add(source, made)
	t.ids[source] = made.ID
	return made, t.state.made(part, source, made.ID)
}

// tags are those of a copy. What the target cannot keep is left out.
func tags(all []cloud.Tag, source string) []cloud.Tag {
	out := []cloud.Tag{{Key: Tag, Value: source}}
	for _, one := range all {
		if one.Key != Tag && one.Value != "" && one.Key != "" {
			out = append(out, one)
		}
	}
	return out
}

func (t *Transfer) progress(part string, done, whole int64, words string) {
	if t.cfg.Progress != nil {
		t.cfg.Progress(Progress{part, done, whole, words})
	}
}

// refused says whether err is the target's answer to one object, which does not concern the others: its text is the reason.
func refused(err error) (string, bool) {
	var e *client.Error
	if !errors.As(err, &e) {
		return "", false
	}
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return e.Error(), true
	case http.StatusPreconditionFailed:
		return e.Error(), true
	}
	return "", false
}

// translate puts the IDs of copies in the place of those of their sources, wherever they stand in a JSON text. An ID is
// as long as another, and has nothing that JSON would escape.
func (t *Transfer) translate(raw json.RawMessage) json.RawMessage {
	return anID.ReplaceAllFunc(slices.Clone(raw), func(id []byte) []byte {
		if to, known := t.ids[strings.ToLower(string(id))]; known {
			return []byte(to)
		}
		return id
	})
}
