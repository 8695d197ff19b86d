package main

import (
	"encoding/json"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
)

// Properties are kept the same, and a thing's webhook is set, turned, signed anew and forgotten.
func TestSyncAndWebhooks(t *testing.T) {
	home(t)
	good := func(out any, args ...string) {
		t.Helper()
		r := call(t, "", append(args, "--format", "json", "--yes")...)
		if r.code != exitOK {
			t.Fatalf("%v: %d %s", args, r.code, r.err)
		}
		if out != nil {
			if err := json.Unmarshal([]byte(r.out), out); err != nil {
				t.Fatalf("%v: %v in %s", args, err, r.out)
			}
		}
	}
	var things [3]client.Thing
	var ids [3]string
	for i, name := range []string{"one", "two", "three"} {
		good(&things[i], "thing", "create", "--name", name, "--property", "level:FLOAT:rw")
		ids[i] = things[i].Properties[0].ID
	}
	var g client.Sync
	good(&g, "sync", "add", ids[0], ids[1])
	good(&g, "sync", "add", ids[2], ids[0], "--to", g.ID)
	if len(g.Properties) != 3 || g.Type != "FLOAT" || g.Properties[2].State != "OK" || g.Properties[2].ThingName != "three" {
		t.Errorf("group %+v", g)
	}
	good(nil, "property", "set", things[0].ID, "level", "4.5")
	var p client.Property
	good(&p, "property", "get", things[2].ID, "level")
	if p.LastValue != 4.5 {
		t.Errorf("the third is %v", p.LastValue)
	}
	good(&g, "sync", "remove", g.ID, "--property", ids[0])
	var all []client.Sync
	good(&all, "sync", "list")
	if len(all) != 1 || len(all[0].Properties) != 2 {
		t.Errorf("groups %+v", all)
	}
	good(&g, "sync", "show", g.ID)
	good(nil, "sync", "remove", g.ID)

	var w, again client.Webhook
	good(&w, "thing", "webhook", "set", things[0].ID, "https://example.org/hook")
	if w.Health.State != "ok" || w.Secret == "" || !w.Active {
		t.Errorf("webhook %+v", w)
	}
	good(&again, "thing", "webhook", "rotate", things[0].ID)
	if again.Secret == w.Secret || again.OldSecretUntil == nil {
		t.Errorf("rotated %+v", again)
	}
	good(&w, "thing", "webhook", "off", things[0].ID)
	if w.Active || w.Health.State != "off" {
		t.Errorf("off %+v", w)
	}
	good(&w, "thing", "webhook", "on", things[0].ID)
	good(&w, "thing", "webhook", "show", things[0].ID)
	if !w.Active || w.URI != "https://example.org/hook" {
		t.Errorf("on %+v", w)
	}
	good(nil, "thing", "webhook", "remove", things[0].ID)
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"no webhook":          {exitNotFound, []string{"thing", "webhook", "show", things[0].ID}},
		"no address":          {exitUsage, []string{"thing", "webhook", "set", things[0].ID, "here"}},
		"no group":            {exitNotFound, []string{"sync", "show", g.ID}},
		"one property":        {exitUsage, []string{"sync", "add", ids[0]}},
		"nothing":             {exitUsage, []string{"sync", "add"}},
		"what is not in it":   {exitNotFound, []string{"sync", "remove", g.ID, "--property", ids[0]}},
		"what is no property": {exitUsage, []string{"sync", "add", ids[0], "x"}},
	} {
		if r := call(t, "", append(c.args, "--yes")...); r.code != c.code || r.err == "" {
			t.Errorf("%s: %d %s, want %d", name, r.code, r.err, c.code)
		}
	}
}
