package device

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// A client talks to the room through a door, as its token: "editor", "viewer" or
// "admin" of space, "colleague" (another editor), or "other" of another space.
type client struct {
	t       testing.TB
	handler http.Handler
}

func (r *rig) api() client {
	t := r.h.t
	t.Helper()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	d, err := door.New(door.Config{}, door.Needs{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: r.h.clock, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			who := access.Actor{Kind: access.User, ID: editor.ID, Space: space, Role: access.Role(token)}
			switch token {
			case "other":
				who = stranger
			case "colleague":
				who.ID, who.Role = "a1000000-0000-4000-8000-000000000009", access.Editor
			}
			return who, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := d.Handler(append(r.Routes(), r.ca.Routes(r.Load)...))
	if err != nil {
		t.Fatal(err)
	}
	return client{t, handler}
}

// call returns the status and the body; into, if not nil, is what the body is read to.
func (c client) call(token, method, path string, body, into any) (int, string) {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, path, in)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, r)
	if into != nil && w.Code < 300 {
		if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
			c.t.Errorf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w.Code, w.Body.String()
}

type object = map[string]any

const devices = "/iot/v2/devices"

func (c client) create(token string, body object) object {
	c.t.Helper()
	var got object
	if status, text := c.call(token, "PUT", devices, body, &got); status != http.StatusCreated {
		c.t.Fatalf("PUT %v = %d %s", body, status, text)
	}
	return got
}

// What the command line tool does for a generic device, call by call.
func TestCreateGenericDevice(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		api := r.api()
		got := api.create("editor", object{"name": "my generic", "serial": "", "fqbn": "generic:generic:generic", "type": "generic_device_secretkey", "connection_type": nil})
		for _, key := range []string{"href", "id", "label", "name", "serial", "type", "user_id"} { // without which Go clients refuse it
			if _, has := got[key]; !has {
				t.Errorf("the answer has no %s: %v", key, got)
			}
		}
		id := got["id"].(string)
		if got["href"] != devices+"/"+id || got["label"] != "Generic device" || got["user_id"] != editor.ID || got["no_sketch"] != true || got["device_status"] != "OFFLINE" {
			t.Errorf("answered %v", got)
		}
		if _, has := got["organization_id"]; has {
			t.Errorf("a private space has an organization: %v", got)
		}
		var pass object
		if status, text := api.call("editor", "GET", devices+"/"+id+"/pass?suggested_password=true", nil, &pass); status != 200 || pass["set"] != false {
			t.Fatalf("GET pass = %d %s", status, text)
		}
		suggested := pass["suggested_password"].(string)
		if status, text := api.call("editor", "PUT", devices+"/"+id+"/pass", object{"password": suggested}, &pass); status != 200 || pass["suggested_password"] != suggested || pass["set"] != true {
			t.Errorf("PUT pass = %d %s", status, text)
		}
		if _, err := r.Authenticate(t.Context(), id, suggested, id, address); err != nil {
			t.Errorf("the device cannot connect: %v", err)
		}
		pass = nil
		if _, text := api.call("editor", "GET", devices+"/"+id+"/pass", nil, &pass); pass["set"] != true || strings.Contains(text, suggested) {
			t.Errorf("GET pass = %s", text)
		}
		for password, want := range map[string]int{suggested: 200, "wrong": 400} {
			if status, body := api.call("editor", "POST", devices+"/"+id+"/pass", object{"password": password}, nil); status != want || body != "" {
				t.Errorf("POST pass = %d %q, want %d without a body", status, body, want)
			}
		}
		if status, _ := api.call("editor", "DELETE", devices+"/"+id+"/pass", nil, nil); status != 200 {
			t.Errorf("DELETE pass = %d", status)
		}
		if status, _ := api.call("editor", "POST", devices+"/"+id+"/pass", object{"password": suggested}, nil); status != 400 {
			t.Errorf("POST pass after DELETE = %d, want 400", status)
		}
	})
}

func TestDeviceOverHTTP(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		api := r.api()
		first := api.create("editor", object{
			"type": "nano_33_iot", "name": "GH Dash", "serial": "01AB", "user_id": stranger.ID, "organization_id": otherSpace, "space": otherSpace,
			"unique_hardware_id": strings.Repeat("AB", 32), "ble_mac": "01:23:45:67:89:AB", "wifi_fw_version": "1.5.0", "locked": true, "connection_type": "wifi",
		})
		if first["user_id"] != editor.ID || first["unique_hardware_id"] != strings.Repeat("ab", 32) || first["locked"] != true {
			t.Errorf("created %v", first)
		}
		path := devices + "/" + first["id"].(string)
		for what, body := range map[string]object{
			"no type": {"name": "x"}, "unknown type": {"type": "toaster"}, "bad name": {"type": "opta", "name": "   "},
			"number for a name": {"type": "opta", "name": 7}, "bad address": {"type": "opta", "ble_mac": "zz"},
		} {
			if status, text := api.call("editor", "PUT", devices, body, nil); status != 400 || !strings.Contains(text, `"status":400`) {
				t.Errorf("%s: %d %s", what, status, text)
			}
		}
		if status, text := api.call("colleague", "PUT", devices+"/claim", object{"type": "nano_33_iot", "unique_hardware_id": strings.Repeat("ab", 32), "user_id": editor.ID}, nil); status != 409 {
			t.Errorf("claim of an owned board = %d %s", status, text)
		}
		h.pass(time.Second)
		claimed := object{}
		if status, text := api.call("colleague", "PUT", devices+"/claim", object{"type": "opta", "unique_hardware_id": strings.Repeat("cd", 32), "user_id": editor.ID, "ID": "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"}, &claimed); status != 201 || claimed["id"] != "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab" {
			t.Errorf("claim = %d %s", status, text)
		}
		ids := func(query string) string {
			t.Helper()
			var all []object
			if status, text := api.call("editor", "GET", devices+query, nil, &all); status != 200 {
				t.Fatalf("GET %s = %d %s", query, status, text)
			}
			var got []string
			for _, d := range all {
				got = append(got, d["name"].(string))
			}
			return strings.Join(got, ",")
		}
		if status, _ := api.call("editor", "PUT", path+"/tags", object{"key": "room", "value": "kitchen"}, nil); status != 200 {
			t.Errorf("PUT tags = %d", status)
		}
		if status, _ := api.call("editor", "PUT", path+"/tags", object{"key": "a b", "value": "x"}, nil); status != 400 {
			t.Errorf("PUT of a bad tag = %d", status)
		}
		if _, text := api.call("viewer", "GET", path+"/tags", nil, nil); strings.TrimSpace(text) != `{"tags":[{"key":"room","value":"kitchen"}]}` {
			t.Errorf("GET tags = %s", text)
		}
		for query, want := range map[string]string{
			"": "GH Dash," + claimed["name"].(string), "?across_user_ids=true&serial=01AB": "GH Dash", "?serial=none": "", "?serial=&tags=&unique_hardware_id=": "GH Dash," + claimed["name"].(string), "?tags=room:kitchen": "GH Dash",
			"?tags=room:kitchen&tags=floor:1": "", "?q=gh+d": "GH Dash", "?q=nobody": "", "?sort=-created_at": claimed["name"].(string) + ",GH Dash", "?unique_hardware_id=" + strings.Repeat("AB", 32): "GH Dash",
			"?across_user_ids=True": "GH Dash," + claimed["name"].(string),
		} {
			if got := ids(query); got != want {
				t.Errorf("GET %s lists %q, want %q", query, got, want)
			}
		}
		for _, query := range []string{"?tags=nocolon", "?sort=size", "?show_deleted=perhaps"} {
			if status, _ := api.call("editor", "GET", devices+query, nil, nil); status != 400 {
				t.Errorf("GET %s = %d, want 400", query, status)
			}
		}
		var got object
		if status, text := api.call("editor", "POST", path, object{"name": "renamed", "user_id": stranger.ID}, &got); status != 200 || got["name"] != "renamed" || got["serial"] != "01AB" || got["user_id"] != editor.ID {
			t.Errorf("POST = %d %s", status, text)
		}
		if tags, _ := got["tags"].(object); tags["room"] != "kitchen" {
			t.Errorf("tags are %v", got["tags"])
		}
		if status, _ := api.call("editor", "DELETE", path+"/tags/room", nil, nil); status != 200 {
			t.Errorf("DELETE tag = %d", status)
		}
		r.above.attach(first["id"].(string), thingA)
		if _, text := api.call("viewer", "GET", path, nil, nil); !strings.Contains(text, `"thing":{"id":"`+thingA+`"}`) {
			t.Errorf("the thing is not embedded: %s", text)
		}
		if status, _ := api.call("editor", "POST", path+"/remove-uhwid", nil, &got); status != 200 {
			t.Errorf("remove-uhwid = %d", status)
		}
		if status, _ := api.call("editor", "POST", path+"/remove-uhwid", nil, nil); status != 412 {
			t.Errorf("remove-uhwid again = %d, want 412", status)
		}
		testDeletion(t, api, path)
	})
}

func testDeletion(t *testing.T, api client, path string) {
	t.Helper()
	if status, text := api.call("editor", "DELETE", path, nil, nil); status != 200 || text != "" {
		t.Errorf("DELETE = %d %s", status, text)
	}
	for query, want := range map[string]int{"": 404, "?show_deleted=true": 200} {
		if status, _ := api.call("editor", "GET", path+query, nil, nil); status != want {
			t.Errorf("GET%s of a deleted device = %d, want %d", query, status, want)
		}
	}
	for _, below := range []string{"/status", "/pass", "/tags", "/events", "/certs"} {
		if status, _ := api.call("editor", "GET", path+below, nil, nil); status != 404 {
			t.Errorf("GET %s of a deleted device = %d, want 404", below, status)
		}
	}
	if status, _ := api.call("editor", "POST", path, object{}, nil); status != 200 { // soft_deleted is false by default
		t.Errorf("POST restores: %d", status)
	}
	if status, _ := api.call("editor", "GET", path, nil, nil); status != 200 {
		t.Errorf("GET of a restored device = %d", status)
	}
	if status, _ := api.call("editor", "DELETE", path+"?force=true", nil, nil); status != 200 {
		t.Errorf("DELETE for good = %d", status)
	}
	for _, method := range []string{"GET", "POST", "DELETE"} {
		if status, _ := api.call("editor", method, path+"?show_deleted=true&force=true", object{}, nil); status != 404 {
			t.Errorf("%s of a removed device = %d, want 404", method, status)
		}
	}
}

func TestHistoryOfADeviceOverHTTP(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		api := r.api()
		d := r.withSecret()
		path := devices + "/" + d.ID
		x := r.enter(d.ID)
		h.pass(time.Minute)
		if err := r.say(x, 1, bytesOf(t, "da000107008165322e392e30"), false); err != nil {
			t.Fatal(err)
		}
		r.Disconnected(x)
		var status wireStatuses
		if code, text := api.call("viewer", "GET", path+"/status", nil, &status); code != 200 || status.ID != d.ID || len(status.Events) != 2 ||
			status.Events[0].Value != "DISCONNECTED" || status.Events[1].Value != "CONNECTED" {
			t.Errorf("GET status = %d %s", code, text)
		}
		var page wireStatuses
		if code, text := api.call("viewer", "GET", path+"/status?limit=1&start="+status.Events[0].UpdatedAt, nil, &page); code != 200 || len(page.Events) != 1 || page.Events[0] != status.Events[1] {
			t.Errorf("the next page = %d %s", code, text)
		}
		for _, query := range []string{"?start=yesterday", "?limit=-1", "?limit=x"} {
			if code, _ := api.call("viewer", "GET", path+"/status"+query, nil, nil); code != 400 {
				t.Errorf("GET status%s = %d, want 400", query, code)
			}
		}
		var events wireEvents
		if code, text := api.call("viewer", "GET", path+"/events", nil, &events); code != 200 || len(events.Events) != 1 || events.Events[0].Name != "LIB_VERSION" || events.Events[0].Value != "2.9.0" {
			t.Errorf("GET events = %d %s", code, text)
		}
		var one object
		if _, text := api.call("viewer", "GET", path, nil, &one); one["lib_version"] != "2.9.0" || one["last_activity_at"] == nil {
			t.Errorf("GET = %s", text)
		}
		var properties object
		if code, text := api.call("viewer", "GET", path+"/properties", nil, &properties); code != 200 || properties["deviceId"] != d.ID ||
			properties["data_retention_days"] != 15.0 || properties["properties"] == nil || properties["user_id"] != editor.ID {
			t.Errorf("GET properties = %d %s", code, text)
		}
		var history object
		if code, text := api.call("viewer", "GET", path+"/properties/p1?limit=5&start=s", nil, &history); code != 200 || history["id"] != "p1" ||
			history["last_evaluated_key"].(object)["created_at"] != "s" {
			t.Errorf("GET property = %d %s", code, text)
		}
		if code, text := api.call("editor", "PUT", path+"/properties", object{"properties": []object{{"name": "t", "value": 21, "type": "json"}, {"name": "u", "value": "x"}}}, nil); code != 200 {
			t.Errorf("PUT properties = %d %s", code, text)
		}
		if got := r.above.published; len(got) != 2 || got[0].Type != "json" || string(got[0].JSON) != "21" || got[1].Type != "infer" {
			t.Errorf("published %+v", got)
		}
		if code, _ := api.call("editor", "PUT", path+"/properties", object{"properties": []object{{"name": "t", "value": 21, "type": "xml"}}}, nil); code != 400 {
			t.Errorf("PUT of an unknown type = %d, want 400", code)
		}
	})
}

// Every route, for somebody of another space and for somebody who may only look.
func TestRoutesKeepOthersOut(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		api := r.api()
		d := r.withSecret()
		c, _ := r.certify(d.ID)
		routes := append(r.Routes(), r.ca.Routes(r.Load)...)
		for _, route := range door.Table(routes) {
			path := route.Fill(func(name string) string {
				return map[string]string{"id": d.ID, "cid": c.ID, "pid": thingA, "key": "room"}[name]
			})
			if len(route.Params) > 0 {
				if status, text := api.call("other", route.Method, path, object{"type": "opta"}, nil); status != 404 {
					t.Errorf("%s %s by a stranger = %d %s, want 404", route.Method, path, status, text)
				}
			}
			if route.Method == http.MethodGet {
				continue
			}
			if status, text := api.call("viewer", route.Method, path, object{"type": "opta"}, nil); status != 403 {
				t.Errorf("%s %s by a viewer = %d %s, want 403", route.Method, path, status, text)
			}
		}
		if _, err := r.Get(t.Context(), editor, space, d.ID, false); err != nil {
			t.Errorf("after all that: %v", err)
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	r := newHouse(b, dbtest.Open(b, dbtest.Config(b, db.SQLite, dbtest.Core))).start()
	d := r.withSecret()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Authenticate(b.Context(), d.ID, password, d.ID, address); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkListThousand(b *testing.B) {
	r := newHouse(b, dbtest.Open(b, dbtest.Config(b, db.SQLite, dbtest.Core))).start()
	for range 1000 {
		r.device(Device{})
	}
	b.ReportAllocs()
	for b.Loop() {
		if all, err := r.List(b.Context(), editor, space, Filter{}); err != nil || len(all) != 1000 {
			b.Fatal(len(all), err)
		}
	}
}

// Whatever a client sends to a route of devices, the door refuses it as the client's
// fault or reads it; what the room then takes can be stored by both engines.
func FuzzBodies(f *testing.F) {
	var routes []door.Route
	for _, r := range (&Service{}).Routes() {
		if r.In == nil {
			continue
		}
		schema, err := door.SchemaOf(r.In)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(len(routes)), schema.Sample())
		routes = append(routes, r)
	}
	for i := range routes {
		f.Add(uint8(i), []byte(`{"type":"opta","ID":"6a13fa35-29b1-4c0d-8a77-2f0f5e9c1d10","name":"a","serial":"\u0000","ble_mac":"00:11:22:33:44:55","connection_type":"wifi","fqbn":"a:b:c","locked":true,"unique_hardware_id":"`+strings.Repeat("AB", 32)+`","wifi_fw_version":"1.6.0"}`))
		f.Add(uint8(i), []byte(`{"key":"a","value":"\ufffd","password":"x","input":true,"properties":[{"name":"a","type":"hex","value":"00"}],"PROPERTIES":null}`))
	}
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		in, err := door.Decode(routes[int(n)%len(routes)], body)
		if err != nil {
			if status := rest.Status(err); status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
				t.Fatalf("status %d for %v", status, err)
			}
			return
		}
		check := func(d Device) {
			if d.Check() != nil {
				return
			}
			for _, text := range []string{d.Name, d.Serial, d.BLEMAC, d.ConnectionType, d.FQBN, d.WiFiFW, d.HardwareID, d.Type} {
				if !printable(text) {
					t.Fatalf("%q is accepted", text)
				}
			}
		}
		switch in := in.(type) {
		case *wireCreate:
			check(in.device())
		case *wireClaim:
			check(in.device())
		case *wireUpdate:
			d := Device{Type: "opta", CreatedAt: noon, DeletedAt: noon}
			in.apply(&d)
			if !d.DeletedAt.IsZero() && !in.SoftDeleted {
				t.Fatal("an update does not restore")
			}
			check(d)
		case *wireTag:
			if CheckTag(in.Key, in.Value) == nil && !(printable(in.Key) && printable(in.Value)) {
				t.Fatalf("the tag %q: %q is accepted", in.Key, in.Value)
			}
		case *wireValues:
			if len(in.Properties) > 1000 {
				t.Fatalf("%d values are accepted", len(in.Properties))
			}
		case *wireSetPass, *wireCheckPass:
		default:
			t.Fatalf("%T is new", in)
		}
	})
}
