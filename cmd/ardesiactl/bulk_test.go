package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/server"
)

// names are what a list prints, in its order.
func names(t *testing.T, args ...string) string {
	t.Helper()
	r := call(t, "", append(args, "--format", "jsonmini")...)
	var all []struct{ Name string }
	if err := json.Unmarshal([]byte(r.out), &all); err != nil || r.code != exitOK {
		t.Fatalf("%v: %+v", args, r)
	}
	var out []string
	for _, one := range all {
		out = append(out, one.Name)
	}
	return strings.Join(out, " ")
}

func TestManyAtOnce(t *testing.T) {
	home(t, func(c *server.Config) { c.APIRate, c.TokenRate = -1, -1 }) // each command line gets a token
	server, err := (&app{}).server()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	lamp := ""
	for i := range 3 {
		room := []string{"hall", "hall", "attic"}[i]
		tags := []any{map[string]string{"key": "room", "value": room}}
		var thing client.Thing
		for _, one := range []struct {
			method, path string
			in           map[string]any
			out          any
		}{
			{"PUT", "/iot/v2/devices", map[string]any{"name": fmt.Sprintf("d%d", i), "type": "generic_device_secretkey", "tags": tags}, nil},
			{"PUT", "/iot/v2/things", map[string]any{"name": fmt.Sprintf("t%d", i), "tags": tags, "properties": []any{map[string]any{"name": "lamp", "type": "STATUS", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &thing},
			{"POST", "/iot/v3/dashboards", map[string]any{"name": fmt.Sprintf("b%d", i), "tags": tags}, nil},
		} {
			if err := server.Do(t.Context(), one.method, one.path, one.in, one.out); err != nil {
				t.Fatal(err)
			}
		}
		lamp = thing.Properties[0].ID
		if err := server.Do(t.Context(), "PUT", "/iot/v1/triggers", map[string]any{"name": fmt.Sprintf("r%d", i), "property_id": lamp, "tags": tags}, nil); err != nil {
			t.Fatal(err)
		}
	}
	for noun, letter := range map[string]string{"device": "d", "thing": "t", "dashboard": "b", "trigger": "r"} {
		for _, c := range []struct{ args, want string }{
			{"list", "0 1 2"}, {"list --tag room=hall", "0 1"}, {"list --tags room:attic", "2"}, {"list --tag room=hall --filter 1", "1"}, {"list --sort -name", "2 1 0"}, {"list --filter nothing", ""},
		} {
			want := ""
			for _, n := range strings.Fields(c.want) {
				want = strings.TrimSpace(want + " " + letter + n)
			}
			if got := names(t, append([]string{noun}, strings.Fields(c.args)...)...); got != want {
				t.Errorf("%s %s: %q, want %q", noun, c.args, got, want)
			}
		}
		// Asked without a terminal nothing happens; of nothing everything is not meant.
		if r := call(t, "", noun, "delete", "--tag", "room=hall"); r.code != exitUsage || !strings.Contains(r.err, "this would delete 2 "+noun) || !strings.Contains(r.err, letter+"1") {
			t.Errorf("%s delete without --yes: %+v", noun, r)
		}
		for _, args := range [][]string{{noun, "delete", "--yes"}, {noun, "tag", "add", "a=b", "--yes"}, {noun, "tag", "remove", "--all", "--yes"}, {noun, "delete", "--tag", "room", "--yes"}, {noun, "tag", "add", "a", "--all", "--yes"}} {
			if r := call(t, "", args...); r.code != exitUsage {
				t.Errorf("%v: %+v", args, r)
			}
		}
		if r := call(t, "", noun, "list", "--sort", "size"); r.code != exitUsage || !strings.Contains(r.err, "name") {
			t.Errorf("%s sorted by size: %+v", noun, r)
		}
		r := call(t, "", noun, "tag", "add", "floor=2", "wall=white", "--tag", "room=hall", "--yes", "--format", "jsonmini")
		var results []outcome
		if err := json.Unmarshal([]byte(r.out), &results); err != nil || r.code != exitOK || len(results) != 2 || results[0].Result != "done" || results[0].Name != letter+"0" {
			t.Errorf("%s tag add: %+v, %v", noun, r, err)
		}
		if got := names(t, noun, "list", "--tag", "floor=2", "--tag", "wall=white"); got != letter+"0 "+letter+"1" {
			t.Errorf("%s: with the new tag are %q", noun, got)
		}
		if r := call(t, "", noun, "tag", "remove", "floor", "--filter", "1", "--yes"); r.code != exitOK || !strings.Contains(r.out, "done") {
			t.Errorf("%s tag remove: %+v", noun, r)
		}
		if got := names(t, noun, "list", "--tag", "floor=2"); got != letter+"0" {
			t.Errorf("%s: with the tag are %q", noun, got)
		}
	}
	if r := call(t, "", "thing", "update", "--tag", "room=hall", "--timezone", "Asia/Tokyo", "--yes"); r.code != exitOK {
		t.Errorf("thing update: %+v", r)
	}
	var all []client.Thing
	if err := server.Do(t.Context(), "GET", "/iot/v2/things?sort=name", nil, &all); err != nil || all[0].Timezone != "Asia/Tokyo" || all[1].Timezone != "Asia/Tokyo" || all[2].Timezone == "Asia/Tokyo" || len(all[0].Tags) != 3 {
		t.Errorf("%+v, %v", all, err)
	}
	if r := call(t, "", "trigger", "update", "--all", "--active=false", "--yes"); r.code != exitOK || strings.Contains(call(t, "", "trigger", "list").out, "true") {
		t.Errorf("trigger update: %+v", r)
	}

	// One that fails does not keep the others.
	r := call(t, "", "thing", "update", "--all", "--webhook-uri", "nowhere", "--yes", "--format", "jsonmini")
	if r.code != exitFailure || strings.Count(r.out, "failed") != 3 || !strings.Contains(r.err, "3 of 3 things") {
		t.Errorf("an update that is refused: %+v", r)
	}
	if r := call(t, "", "thing", "update", "--id", all[0].ID, "--id", "c0ffee", "--timezone", "UTC", "--yes"); r.code != exitNotFound || !strings.Contains(r.err, "nothing was changed") {
		t.Errorf("one of two is not there: %+v", r)
	}
	if r := call(t, "", "thing", "update", "--all", "--yes"); r.code != exitUsage {
		t.Errorf("an update of nothing: %+v", r)
	}
	for noun, letter := range map[string]string{"trigger": "r", "dashboard": "b", "thing": "t", "device": "d"} {
		if r := call(t, "", noun, "delete", "--tag", "room=hall", "--yes"); r.code != exitOK || strings.Count(r.out, "done") != 2 {
			t.Errorf("%s delete: %+v", noun, r)
		}
		if got := names(t, noun, "list"); got != letter+"2" {
			t.Errorf("%s: left are %q", noun, got)
		}
		if r := call(t, "", noun, "delete", "--tag", "room=hall", "--yes", "--format", "jsonmini"); r.code != exitOK || strings.TrimSpace(r.out) != "[]" {
			t.Errorf("%s delete again: %+v", noun, r)
		}
	}
	made := []string{made(t, "thing", "create", "--name", "x"), made(t, "thing", "create", "--name", "y")}
	if r := call(t, "", append([]string{"thing", "delete", "--yes"}, made...)...); r.code != exitOK || slices.Contains(strings.Fields(names(t, "thing", "list")), "x") {
		t.Errorf("two by their ids: %+v", r)
	}
}

func TestTagsAreRead(t *testing.T) {
	for text, want := range map[string]string{"a=b": "a b", "a:b": "a b", "a=b:c": "a b:c", "=b": "", "a=": "", "a": "", "": ""} {
		key, value, err := tagOf(text)
		if got := strings.TrimSpace(key + " " + value); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
