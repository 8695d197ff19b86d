package server

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
)

// caller is a client of h with a key; a wrong secret is one too.
func caller(t *testing.T, h *running, id, secret string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: h.url(t), ID: id, Secret: secret, CAFile: filepath.Join(h.cfg.Data, "tls", "ca.pem")}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A whole run leaves a log that proves, with an entry for each change and for what was
// refused, and with nothing of what people entrust. People see what is theirs.
func TestTheAuditLogOfARun(t *testing.T) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			cfg := config(t)
			if e == db.Postgres {
				cfg.Database = dbtest.Postgres(t)
			}
			auditARun(t, cfg)
		})
	}
}

func auditARun(t *testing.T, cfg Config) {
	h := start(t, cfg)
	const email, other, name, password, space, thing, board = "canary@mail.example", "canary2@mail.example", "Canary Person", "canary password five 7", "Canary Space", "Canary Thing", "canary-board"
	var anna, boris struct{ ID, Space string }
	h.admin(t, "user.add", map[string]string{"email": email, "name": name, "password": password}, &anna)
	h.admin(t, "user.add", map[string]string{"email": other, "name": name, "password": password}, &boris)
	var shared struct{ ID string }
	h.admin(t, "space.add", map[string]string{"user": anna.ID, "name": space}, &shared)
	h.admin(t, "space.member", map[string]string{"space": shared.ID, "user": other, "role": "viewer"}, nil)
	type key struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	var annas, boriss key
	h.admin(t, "apikey.add", map[string]string{"user": anna.ID, "name": "canary key"}, &annas)
	h.admin(t, "apikey.add", map[string]string{"user": boris.ID, "name": "canary key", "space": shared.ID}, &boriss)
	c := caller(t, h, annas.ID, annas.Secret)
	var d, th struct{ ID string }
	for _, do := range []struct {
		method, path string
		in, out      any
	}{
		{"PUT", "/iot/v2/devices", map[string]any{"name": board, "type": "generic_device_secretkey", "fqbn": "generic:generic:generic", "serial": "canary-serial"}, &d},
		{"PUT", "/iot/v2/things", map[string]any{"name": thing, "properties": []any{
			map[string]any{"name": "canary_property", "type": "CHARSTRING", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th},
	} {
		if err := c.Do(t.Context(), do.method, do.path, do.in, do.out); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Do(t.Context(), "PUT", "/iot/v2/devices/"+d.ID+"/tags", map[string]string{"key": "canary", "value": "canary@value"}, nil); err != nil {
		t.Fatal(err)
	}

	// What is refused: a key that does not know its secret, a viewer who wants more, boards that are
	// not what they say.
	if _, err := caller(t, h, annas.ID, "canary-wrong-secret").Token(t.Context()); err == nil {
		t.Error("a wrong secret gets a token")
	}
	if _, err := caller(t, h, strings.Repeat("canary", 5)+"xx", "canary-wrong-secret").Token(t.Context()); err == nil {
		t.Error("nobody gets a token")
	}
	for range 3 {
		if err := caller(t, h, boriss.ID, boriss.Secret).Do(t.Context(), "PUT", "/iot/v2/things", map[string]any{"name": thing}, nil); err == nil {
			t.Error("a viewer makes a thing")
		}
	}
	r := &router{now: time.Now, devices: h.devices, things: h.things, identify: h.identify, refused: h.refuseDevice}
	for _, id := range []string{d.ID, "canary@mail.example", "00000000-0000-4000-8000-000000000000"} {
		if _, err := r.Password(t.Context(), id, "canary wrong", id, netip.MustParseAddr("192.0.2.77")); err == nil {
			t.Errorf("%s is let in", id)
		}
	}

	// What people see of it.
	var page struct {
		Entries []struct{ Action, By, Text, Space, ID string }
	}
	seen := func(c *client.Client) (actions string) {
		t.Helper()
		page.Entries = nil
		if err := c.Do(t.Context(), "GET", "/v1/me/activity", nil, &page); err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entries {
			actions += e.Action + " "
		}
		return actions
	}
	until := time.Now().Add(10 * time.Second)
	for want := "device:tag thing:create device:create apikey:create member:update org:create org:create account:create "; ; {
		got := seen(c)
		if got == want {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("anna sees %q, want %q", got, want)
		}
		<-time.After(20 * time.Millisecond)
	}
	if got, want := seen(caller(t, h, boriss.ID, boriss.Secret)), "member:update "; got != want {
		t.Errorf("a key of boris that enters one space sees %q, want %q", got, want)
	}
	h.stop()

	// Stopped, everything is in the log and proves.
	s, err := New(t.Context(), cfg, World{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	admin := func(act string, in, out any) {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := s.Admin(t.Context(), act, body)
		if err == nil {
			err = json.Unmarshal(answer, out)
		}
		if err != nil {
			t.Fatalf("%s: %v", act, err)
		}
	}
	var report audit.Report
	admin("audit.verify", none{}, &report)
	if len(report.Findings) > 0 || report.Waiting != 0 || report.Size != uint64(report.Entries) || report.Entries < 12 {
		t.Errorf("the report is %+v", report)
	}
	var all []wireShown
	admin("audit.show", map[string]any{"since": "1h"}, &all)
	refused := map[string]wireShown{}
	for _, e := range all {
		if strings.HasSuffix(e.Action, ":refused") || e.Action == audit.AccessDenied {
			refused[e.Action+" "+e.ID] = e
		}
	}
	for what, want := range map[string]wireShown{
		"access:denied ":             {wireEntry: wireEntry{Actor: "apikey:" + boris.ID + "/" + boriss.ID, Space: shared.ID, Resource: "space", Detail: map[string]string{"count": "3", "of": "thing:create"}}},
		"apikey:refused " + annas.ID: {wireEntry: wireEntry{Actor: "anonymous", Resource: "apikey", Detail: map[string]string{"count": "1", "account": anna.ID}}},
		"apikey:refused ":            {wireEntry: wireEntry{Actor: "anonymous", Resource: "apikey", Detail: map[string]string{"count": "1"}}},
		"device:refused " + d.ID:     {wireEntry: wireEntry{Actor: "anonymous", Space: anna.Space, Resource: "device", Detail: map[string]string{"count": "1"}}},
		"device:refused ":            {wireEntry: wireEntry{Actor: "anonymous", Resource: "device", Detail: map[string]string{"count": "2"}}},
	} {
		got, ok := refused[what]
		delete(got.Detail, "since")
		if !ok || got.Actor != want.Actor || got.Space != want.Space || got.Resource != want.Resource || !maps.Equal(got.Detail, want.Detail) {
			t.Errorf("%s is %+v, want %+v", what, got, want)
		}
	}
	if len(refused) != 5 {
		t.Errorf("%d refusals are recorded, want 5: %v", len(refused), refused)
	}
	admin("audit.show", map[string]any{"actor": email, "limit": 100}, &all)
	if len(all) != 3 || all[0].Action != "device:tag" {
		t.Errorf("what anna did is %+v", all)
	}

	if err := filepath.WalkDir(filepath.Join(cfg.Data, audit.Folder), func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range []string{"canary", "Canary", ".example", "192.0.2", annas.Secret, "wrong"} {
			if i := bytes.Index(text, []byte(secret)); i >= 0 {
				t.Errorf("%s holds %q: %s", path, secret, text[max(0, i-200):min(len(text), i+100)])
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// exec changes the core database behind the program's back.
func (r *running) exec(t *testing.T, text string, args ...any) {
	t.Helper()
	if err := r.data.core.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), text, args...)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// Verify and doctor tell of a database that was changed behind the program's back, while
// the server runs.
func TestARunningHouseTellsOfAChangedJournal(t *testing.T) {
	h := start(t, config(t))
	h.admin(t, "user.add", map[string]string{"email": "a@example.org", "name": "A", "password": "seven purple kettles sing"}, nil)
	until := time.Now().Add(10 * time.Second)
	for h.audit.Stats().Size < 4 && time.Now().Before(until) {
		<-time.After(10 * time.Millisecond)
	}
	all, err := journal.List(t.Context(), h.data.core, journal.Query{Action: "account:create"})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	h.exec(t, `update journal set actor = 'user:eve' where number = $1`, all[0].Number)
	var report audit.Report
	h.admin(t, "audit.verify", none{}, &report)
	if len(report.Findings) != 1 || report.Findings[0].Code != "row-altered" || report.Findings[0].Number != all[0].Number {
		t.Errorf("the report is %+v", report)
	}
	var found []wireFinding
	h.admin(t, "check", none{}, &found)
	told := 0
	for _, f := range found {
		if f.Grade == Bad {
			told++
		}
	}
	if told != 2 { // by the chain, and by the log
		t.Errorf("doctor finds %+v", found)
	}
	h.exec(t, `update journal set actor = $1 where number = $2`, all[0].Actor, all[0].Number)
	report = audit.Report{}
	h.admin(t, "audit.verify", none{}, &report)
	if len(report.Findings) != 0 {
		t.Errorf("put right again: %+v", report)
	}
}
