package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/transfer"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A side is one of two servers, as somebody who has a key for it.
type side struct {
	*servertest.House
	*client.Client
	t   *testing.T
	key servertest.Key
}

func newSide(t *testing.T) *side {
	t.Helper()
	h := servertest.Start(t, func(c *server.Config) { c.APIRate, c.TokenRate = -1, -1 })
	_, key := h.Person("ann@example.org")
	return &side{h, h.Client(key), t, key}
}

func (s *side) want(method, path string, in, out any) {
	s.t.Helper()
	if err := s.Do(context.WithoutCancel(s.t.Context()), method, path, in, out); err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
}

type object = map[string]any

func id(v any) string {
	o, _ := v.(object)
	text, _ := o["id"].(string)
	return text
}

// A sample makes the n-th value of a type.
var samples = map[string]func(n int) any{
	"TEMPERATURE":       func(n int) any { return float64(n%400)/8 - 10.5 },
	"INT":               func(n int) any { return n*7 - 100 },
	"TIME":              func(n int) any { return n * 60 },
	"STATUS":            func(n int) any { return n%3 == 0 },
	"CHARSTRING":        func(n int) any { return fmt.Sprintf("état \"%d\"\n", n%50) },
	"LOCATION":          func(n int) any { return object{"lat": 45 + float64(n)/1000, "lon": 7.5} },
	"COLOR_HSB":         func(n int) any { return object{"hue": n % 361, "sat": 50, "bri": float64(n%10) / 2} },
	"HOME_DIMMED_LIGHT": func(n int) any { return object{"swi": n%2 == 0, "bri": n % 100} },
	"HOME_TELEVISION": func(n int) any {
		return object{"swi": true, "vol": n % 100, "mut": false, "pbc": 1, "inp": 2, "cha": n}
	},
	"SCHEDULE":                 func(n int) any { return object{"frm": 1_700_000_000 + n, "to": 0, "len": 60, "msk": n} },
	"GENERIC_COMPLEX_PROPERTY": func(n int) any { return object{"deep": []int{n, 2}, "a": "b"} },
}

// fill puts values into a property: n of them, a step apart, of which the last was just now.
func (s *side) fill(thing, property, typ string, n int, step time.Duration) {
	s.t.Helper()
	end := s.Now().UTC().Truncate(time.Millisecond).Add(-time.Minute)
	for from := 0; from < n; from += 10_000 {
		var times []time.Time
		var values []any
		for i := from; i < min(n, from+10_000); i++ {
			times = append(times, end.Add(time.Duration(i-n+1)*step).Add(time.Duration(i%7)*time.Microsecond))
			values = append(values, samples[typ](i))
		}
		var done struct {
			Written int
			Refused []any
		}
		s.want("POST", "/v1/things/"+thing+"/properties/"+property+"/history", object{"times": times, "values": values}, &done)
		if done.Written != len(times) {
			s.t.Fatalf("%s: %+v", typ, done)
		}
	}
}

// thing makes a thing with a property of each type, called as the type.
func (s *side) thing(name, device string, types []string, n int, step time.Duration) object {
	s.t.Helper()
	var properties []any
	for _, typ := range types {
		properties = append(properties, object{"name": typ, "variable_name": strings.ToLower(typ), "type": typ, "permission": "READ_WRITE", "update_strategy": "TIMED", "update_parameter": 30, "min_value": -7.5})
	}
	in := object{"name": name, "timezone": "Europe/Rome", "properties": properties, "webhook_uri": "https://example.org/hook", "tags": []any{object{"key": "room", "value": "hall"}}}
	if device != "" {
		in["device_id"] = device
	}
	var made object
	s.want("PUT", "/iot/v2/things", in, &made)
	for _, typ := range types {
		s.fill(id(made), property(made, typ), typ, n, step)
	}
	return made
}

// property is the ID of a thing's property.
func property(thing object, name string) string {
	all, _ := thing["properties"].([]any)
	for _, p := range all {
		if p.(object)["name"] == name {
			return id(p)
		}
	}
	panic("no property " + name)
}

// past is all values of a thing's property.
func (s *side) past(thing, name string) (all []string) {
	s.t.Helper()
	var rows []struct {
		Time  time.Time
		Value json.RawMessage
	}
	s.want("GET", "/v1/things/"+thing+"/history?format=json&property="+url.QueryEscape(name), nil, &rows)
	for _, r := range rows {
		all = append(all, r.Time.Format(time.RFC3339Nano)+" "+string(r.Value))
	}
	return all
}

// furnish gives a side something to copy: so many things with so many values of each property, and what belongs to them.
func (s *side) furnish(things, n int, step time.Duration) {
	s.t.Helper()
	var key, cert object
	s.want("PUT", "/iot/v2/devices", object{"name": "Küche 1", "type": "generic_device_secretkey", "fqbn": "generic:generic:generic", "serial": "", "tags": []any{object{"key": "room", "value": "hall"}}}, &key)
	s.want("PUT", "/iot/v2/devices/"+id(key)+"/pass", object{"password": "the-old-secret-key"}, nil)
	s.want("PUT", "/iot/v2/devices", object{"name": "gate", "type": "mkrwifi1010", "fqbn": "arduino:samd:mkrwifi1010", "serial": "01", "connection_type": "wifi", "wifi_fw_version": "1.5.0"}, &cert)
	types := slices.Sorted(maps.Keys(samples))
	first := s.thing("Greenhouse 0", id(key), types, n, step)
	second := s.thing("Greenhouse 1", id(cert), []string{"TEMPERATURE", "STATUS"}, n, step)
	for i := 2; i < things; i++ {
		s.thing(fmt.Sprintf("Greenhouse %d", i), "", []string{types[i%len(types)], "TEMPERATURE"}, n, step)
	}
	var brief object
	s.want("PUT", "/iot/v2/things/"+id(first)+"/properties", object{"name": "brief", "type": "INT", "permission": "READ_ONLY", "update_strategy": "ON_CHANGE", "persist": false}, &brief)
	s.want("PUT", "/iot/v2/things/"+id(first)+"/properties/"+id(brief)+"/publish", object{"value": 42, "device_id": id(key)}, nil)

	page, heat, lamp := uuid.NewString(), property(first, "TEMPERATURE"), property(second, "STATUS")
	widget := func(typ, page string, options object, variables ...string) object {
		return object{"id": uuid.NewString(), "type": typ, "name": typ, "page_id": page, "x": 0, "y": 1, "width": 2, "height": 3, "x_mobile": 4, "options": options, "variables": variables}
	}
	s.want("POST", "/iot/v3/dashboards", object{"name": "GH Dash", "pages": []any{object{"id": page, "name": "Heat", "position": 1}}, "widgets": []any{
		widget("Advanced Chart", page, object{"aggregation": object{heat: "AVG"}, "axes": object{heat: object{"side": "left"}}, "created_by": "me"}, heat),
		widget("Image Map", "0", object{"markersSettings": []any{object{"property": lamp, "x": 1.5}}}, lamp),
		widget("Sticky Note", "0", object{"text": "hello " + id(first)}),
	}}, nil)
	s.want("POST", "/iot/v3/dashboards", object{"name": "Empty"}, nil)
	s.want("PUT", "/iot/v1/triggers", object{"name": "Hot", "description": "in summer", "active": false, "property_id": heat, "condition": object{"operator": "GT", "value": 30, "hysteresis": 1}, "actions": []any{
		object{"kind": "NOTIFY-EMAIL", "name": "mail", "email": object{"subject": object{"expression": "hot"}, "body": object{"expression": "{v}", "variables": []any{object{"attribute": "VALUE", "entity": "PROPERTY", "placeholder": "v", "property_id": heat, "thing_id": id(first)}}},
			"delivery": object{"to": []any{object{"id": s.me()}}}}},
		object{"kind": "SET-PROPERTY", "name": "lamp on", "set_property": object{"property_id": lamp, "value": true}},
		object{"kind": "CALL-WEBHOOK", "name": "hook", "webhook": object{"url": "https://example.org/trigger"}},
	}}, nil)
	s.want("PUT", "/iot/v1/triggers", object{"name": "Away", "device_status_source": object{"criteria": "INCLUDE", "device_ids": []any{id(key), id(cert)}, "grace_period_offline": 60}}, nil)
}

// me is whose key a side has.
func (s *side) me() string {
	var all []object
	s.want("GET", "/iot/v2/devices", nil, &all)
	return all[0]["user_id"].(string)
}

// things are the things of a side by their names, with their properties.
func (s *side) things() map[string]object {
	var all []object
	s.want("GET", "/iot/v2/things?show_properties=true", nil, &all)
	byName := map[string]object{}
	for _, t := range all {
		if _, double := byName[t["name"].(string)]; double {
			s.t.Errorf("two things are called %s", t["name"])
		}
		byName[t["name"].(string)] = t
	}
	return byName
}

// plain is an object without what differs between two servers: times, owners, addresses; IDs of the source are those of
// the copies.
func plain(v any, ids map[string]string) any {
	switch v := v.(type) {
	case object:
		out := object{}
		for key, one := range v {
			switch key {
			case "created_at", "updated_at", "user_id", "href", "created_by", "organization_id", "tags", "shared_with", "last_activity_at", "device_status", "to", "until", "last_value_updated_at":
				continue
			}
			if to, known := ids[key]; known {
				key = to
			}
			out[key] = plain(one, ids)
		}
		return out
	case []any:
		out := []any{}
		for _, one := range v {
			out = append(out, plain(one, ids))
		}
		return out
	case string:
		for from, to := range ids {
			v = strings.ReplaceAll(v, from, to)
		}
		return v
	}
	return v
}

// compare fails the test where the target is not a copy of the source, asked by queries alone.
func compare(t *testing.T, src, dst *side) {
	t.Helper()
	ids := map[string]string{}
	lists := map[string][2][]object{}
	for _, path := range []string{"/iot/v2/devices", "/iot/v2/things?show_properties=true", "/iot/v3/dashboards", "/iot/v1/triggers"} {
		var a, b []object
		src.want("GET", path, nil, &a)
		dst.want("GET", path, nil, &b)
		if len(a) != len(b) {
			t.Fatalf("%s: %d objects were copied to %d", path, len(a), len(b))
		}
		for _, copied := range b {
			tags, _ := copied["tags"].(object)
			from, _ := tags[transfer.Tag].(string)
			if ids[from] != "" {
				t.Errorf("%s: two copies of %s", path, from)
			}
			ids[from] = id(copied)
		}
		byID := map[string]object{}
		for _, o := range b {
			byID[id(o)] = o
		}
		var copies []object
		for _, o := range a {
			copied := byID[ids[id(o)]]
			if copied == nil {
				t.Fatalf("%s: nothing is a copy of %v", path, o["name"])
			}
			copies = append(copies, copied)
			if properties, is := o["properties"].([]any); is {
				for _, p := range properties {
					name := p.(object)["name"].(string)
					ids[id(p)] = property(copied, name)
				}
			}
			if tags, _ := o["tags"].(object); tags["room"] != nil && copied["tags"].(object)["room"] != tags["room"] {
				t.Errorf("%s: the tags are %v", path, copied["tags"])
			}
		}
		lists[path] = [2][]object{a, copies}
	}
	for path, both := range lists {
		for i := range both[0] {
			a, _ := json.Marshal(plain(both[0][i], ids))
			b, _ := json.Marshal(plain(both[1][i], nil))
			if path == "/iot/v1/triggers" || path == "/iot/v3/dashboards" {
				a, b = withoutIDs(a), withoutIDs(b)
			}
			if string(a) != string(b) {
				t.Errorf("%s:\n%s was copied as\n%s", path, a, b)
			}
		}
	}
	theirs, ours := src.things(), dst.things()
	for name, one := range theirs {
		for _, p := range one["properties"].([]any) {
			property := p.(object)["name"].(string)
			a, b := src.past(id(one), property), dst.past(id(ours[name]), property)
			if !slices.Equal(a, b) {
				t.Errorf("%s of %s: %d values were copied to %d, or to others", property, name, len(a), len(b))
			}
		}
	}
}

// withoutIDs takes away the IDs of actions, which are new, and the options that the client keeps for itself.
func withoutIDs(text []byte) []byte {
	var v any
	_ = json.Unmarshal(text, &v)
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case object:
			if v["kind"] != nil {
				delete(v, "id")
			}
			delete(v, "trigger_id")
			for _, one := range v {
				walk(one)
			}
		case []any:
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(v)
	out, _ := json.Marshal(v)
	return out
}

var errKilled = errors.New("killed")

// A mortal is a client whose process is killed at its n-th request: before it is sent, or before its answer is read.
type mortal struct {
	*client.Client
	kill context.CancelCauseFunc

	mu   sync.Mutex
	left int // guarded by mu
}

func (m *mortal) Do(ctx context.Context, method, path string, in, out any) error {
	m.mu.Lock()
	m.left--
	last := m.left == 0
	m.mu.Unlock()
	if !last {
		return m.Client.Do(ctx, method, path, in, out)
	}
	if rand.N(2) == 0 {
		_ = m.Client.Do(ctx, method, path, in, out)
	}
	m.kill(errKilled)
	return ctx.Err()
}

// copy runs a transfer from one side to another, as in another process each time. It is killed at its n-th request to the
// target; 0 lets it live.
func copyOver(t *testing.T, src, dst *side, n int, change ...func(*transfer.Config)) (*transfer.Report, error) {
	t.Helper()
	ctx, kill := context.WithCancelCause(t.Context())
	defer kill(nil)
	pace := cloud.NewPace(0, time.Now)
	cfg := transfer.Config{
		Source: cloud.New(src.House.Client(src.key), pace), Target: &mortal{Client: dst.House.Client(dst.key), kill: kill, left: n}, Pace: pace,
		From: src.URL(), To: dst.URL(), State: filepath.Join(t.TempDir(), "state.json"), Now: src.Now, Verify: true,
	}
	for _, fn := range change {
		fn(&cfg)
	}
	if cfg.Keys == "" {
		cfg.Keys = beside(cfg.State, "keys")
	}
	return transfer.Run(ctx, cfg)
}

// An import that is killed again and again, at any request, ends like one that is not; another on top, with its state file or
// without, changes nothing.
func TestImportIsKilled(t *testing.T) {
	src, dst := newSide(t), newSide(t)
	n, kills := 1500, 3
	if os.Getenv("ARDESIA_SOAK") != "" {
		kills = 30
	}
	src.furnish(5, n, 7*time.Second)
	state := filepath.Join(t.TempDir(), "state.json")
	keep := func(c *transfer.Config) { c.State = state }
	for range kills {
		at := 1 + rand.N(25)
		_, err := copyOver(t, src, dst, at, keep)
		t.Logf("killed at request %d: %v", at, err)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	report, err := copyOver(t, src, dst, 0, keep)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.MarshalIndent(report, "", " ")
	if report.Failures() > 0 || report.Devices.Copied != 2 || report.Things.Copied != 5 || report.Dashboards.Copied != 2 || report.Triggers.Copied != 2 ||
		len(report.Reprovision) != 1 || report.History.Complete != report.History.Properties || report.Verified.Properties != 11+2+3*2 ||
		report.Verified.Values != int64(n*report.Verified.Properties) || len(report.Verified.Notes) > 0 {
		t.Errorf("%s", text)
	}
	compare(t, src, dst)

	// The new secrets: one of a device, with which it gets in, and one of a webhook.
	var secrets []transfer.Secret
	info, err := os.Stat(beside(state, "keys"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the file of keys: %v, %v", info, err)
	}
	file, err := os.ReadFile(beside(state, "keys"))
	if err != nil || json.Unmarshal(file, &secrets) != nil || len(secrets) != 2 {
		t.Fatalf("%s, %v", file, err)
	}
	for _, one := range secrets {
		if one.Kind == "device" {
			dst.want("POST", "/iot/v2/devices/"+one.ID+"/pass", object{"password": one.Key}, nil)
		} else if !strings.HasPrefix(one.Key, "whsec_") || one.ID == "" {
			t.Errorf("%+v", one)
		}
	}
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state file: %v, %v", info, err)
	}
	if kept, err := os.ReadFile(state); err != nil || strings.Contains(string(kept), secrets[0].Key) || strings.Contains(string(kept), secrets[1].Key) {
		t.Error("the state file still has a secret that was told")
	}

	again, err := copyOver(t, src, dst, 0, keep)
	if err != nil || again.Failures() > 0 || again.NewKeys != 0 || again.History.Read != report.History.Read || again.Things.Copied != 5 {
		t.Errorf("again: %+v, %v", again, err)
	}
	lost, err := copyOver(t, src, dst, 0, func(c *transfer.Config) { c.Verify = false })
	if err != nil || lost.Failures() > 0 || lost.NewKeys != 0 || lost.Things.Copied != 0 || lost.Things.There != 5 || lost.Triggers.There != 2 || lost.Dashboards.There != 2 ||
		lost.History.Written != 0 || lost.History.Same != int64(n*report.Verified.Properties)+1 || len(lost.Devices.Notes) != 1 {
		t.Errorf("without the state file: %+v, %v", lost, err)
	}
	compare(t, src, dst)

	// What the source had all the time and the target has not is found: by count, and value by value.
	for name, types := range map[string]string{"Greenhouse 0": "CHARSTRING", "Greenhouse 1": "TEMPERATURE"} {
		one := src.things()[name]
		src.want("POST", "/v1/things/"+id(one)+"/properties/"+property(one, types)+"/history", object{"times": []time.Time{src.Now().Add(-time.Hour)}, "values": []any{samples[types](1)}}, nil)
	}
	if found, err := copyOver(t, src, dst, 0, keep); err != nil || len(found.Verified.Wrong) != 2 || found.Failures() != 2 {
		t.Errorf("what is missing: %+v, %v", found.Verified, err)
	}
}

// The full size: a hundred things with a year of values each, one every ten minutes, copied in one go by a process that is killed
// now and then.
func TestImportOfAYear(t *testing.T) {
	if os.Getenv("ARDESIA_SOAK") == "" {
		t.Skip("set ARDESIA_SOAK=1")
	}
	src, dst := newSide(t), newSide(t)
	const things, n = 100, 365 * 24 * 6
	types := slices.Sorted(maps.Keys(samples))
	for i := range things {
		src.thing(fmt.Sprintf("House %d", i), "", []string{types[i%len(types)]}, n, 10*time.Minute)
	}
	state := filepath.Join(t.TempDir(), "state.json")
	keep := func(c *transfer.Config) { c.State = state }
	began := time.Now()
	for range 5 {
		if _, err := copyOver(t, src, dst, 50+rand.N(100), keep); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	report, err := copyOver(t, src, dst, 0, keep)
	if err != nil || report.Failures() > 0 || report.History.Complete != things || report.Verified.Values != things*n {
		text, _ := json.MarshalIndent(report, "", " ")
		t.Errorf("%s, %v", text, err)
	}
	t.Logf("%d values in %v, kills and verification included", report.History.Read, time.Since(began))
	compare(t, src, dst)
}

// As a person types it: from the person's own space to a shared one, on one server.
func TestImportCommand(t *testing.T) {
	t.Setenv("ARDESIACTL_CONFIG", filepath.Join(t.TempDir(), "ctl.json"))
	src := newSide(t)
	h, key := src.House, src.key
	src.furnish(2, 50, time.Minute)
	var space object
	src.want("POST", "/v1/spaces", object{"name": "School"}, &space)
	state := filepath.Join(t.TempDir(), "import.json")
	t.Setenv("ARDESIA_CLIENT_SECRET", key.Secret)
	line := []string{"import", "arduino-cloud", "--from", h.URL(), "--from-ca", h.CA(), "--client-id", key.ID, "--secret-stdin", "--rate", "0", "--to-rate", "0",
		"--to", h.URL(), "--to-ca", h.CA(), "--to-client-id", key.ID, "--to-space", id(space), "--state", state}
	secret := key.Secret + "\n"

	r := call(t, secret, append(line, "--dry-run")...)
	if r.code != exitOK || !strings.Contains(r.out, "2 found, 2 to copy") || !strings.Contains(r.out, "of 14 properties") {
		t.Fatalf("%+v", r)
	}
	if _, err := os.Stat(state); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a dry run wrote the state file: %v", err)
	}
	dst := &side{h, h.ClientIn(t, key, id(space)), t, key}
	if all := dst.things(); len(all) != 0 {
		t.Errorf("a dry run made %v", all)
	}
	r = call(t, secret, append(line, "--verify")...)
	if r.code != exitOK || !strings.Contains(r.out, "13 properties with 650 values") || !strings.Contains(r.out, "0 are wrong") || !strings.Contains(r.out, "2 new secrets are in "+beside(state, "keys")) ||
		!strings.Contains(r.out, "device certify") {
		t.Fatalf("%+v", r)
	}
	compare(t, src, dst)
	text, err := os.ReadFile(beside(state, "report"))
	var report transfer.Report
	if err != nil || json.Unmarshal(text, &report) != nil || report.Things.Copied != 2 || report.History.Written != 651 {
		t.Errorf("%s, %v", text, err)
	}
	r = call(t, secret, append(line, "--format", "json", "--only", "things,history")...)
	if err := json.Unmarshal([]byte(r.out), &report); err != nil || r.code != exitOK || report.History.Read != 651 {
		t.Errorf("%+v, %v", r, err)
	}
	for name, c := range map[string]struct {
		more []string
		code int
		says string
	}{
		"no such part":            {[]string{"--only", "sketches"}, exitUsage, "sketches"},
		"no time":                 {[]string{"--since", "yesterday"}, exitUsage, "yesterday"},
		"since behind until":      {[]string{"--since", "1h", "--until", "2h"}, exitUsage, "--until"},
		"readable on the way":     {[]string{"--from", "http://cloud.example.org"}, exitUsage, "https"},
		"no server":               {[]string{"--from", "https://" + nobody(t), "--state", state + "2", "--rate", "1000"}, exitNetwork, "refused"},
		"another transfer's file": {[]string{"--to-space", ""}, exitFailure, "--state"},
		"no key of the source":    {[]string{"--client-id", ""}, exitUsage, "--client-id"},
		"no key of the target":    {[]string{"--to-client-id", ""}, exitUsage, "--to-client-id"},
		"a wrong key":             {[]string{"--client-id", strings.Repeat("x", 32), "--state", state + "3"}, exitLogin, "wrong"},
	} {
		r := call(t, secret, append(line, c.more...)...)
		if r.code != c.code || !strings.Contains(r.out+r.err, c.says) {
			t.Errorf("%s: code %d, want %d and %q in:\n%s%s", name, r.code, c.code, c.says, r.out, r.err)
		}
	}
	if err := os.Chmod(state, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := call(t, secret, line...); r.code != exitFailure || !strings.Contains(r.err, "chmod 600") {
		t.Errorf("a state file that others can read: %+v", r)
	}
}
