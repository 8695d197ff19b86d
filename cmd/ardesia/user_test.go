package main

import (
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// Verbs about people say the same over the socket and on the data directory.
func TestVerbsOfPeople(t *testing.T) {
	h := servertest.Start(t)
	anna, _ := h.Person("anna@example.org")
	run, must := verbsOn(t, h.Config.Data)
	type person struct {
		ID, Email string
		Frozen    *string          `json:"frozen_at"`
		Erased    *string          `json:"erased_at"`
		Verified  *string          `json:"email_verified_at"`
		Keys      int              `json:"api_keys"`
		Sessions  int              `json:"sessions"`
		Spaces    []map[string]any `json:"spaces"`
		Further   []string         `json:"further_emails"`
	}
	var sp struct{ ID string }
	var p0 map[string]any
	must(&sp, "space", "add", "--user", anna, "--name", "School")
	for _, running := range []bool{true, false} {
		if !running {
			h.Stop()
		}
		var p person
		must(&p, "user", "show", "anna@example.org")
		if p.ID != anna || p.Email != "anna@example.org" || p.Verified == nil || p.Frozen != nil || p.Erased != nil || p.Keys != 1 || len(p.Spaces) != 2 || p.Further == nil {
			t.Errorf("running %v: %+v", running, p)
		}
		must(&p, "user", "freeze", anna)
		if p.Frozen == nil {
			t.Errorf("running %v, frozen: %+v", running, p)
		}
		must(&p, "user", "unfreeze", anna)
		if p.Frozen != nil {
			t.Errorf("running %v, opened again: %+v", running, p)
		}
		var reset struct {
			To      string
			Minutes int
		}
		must(&reset, "user", "reset", "anna@example.org")
		if reset.To != "anna@example.org" || reset.Minutes != 20 {
			t.Errorf("running %v, reset: %+v", running, reset)
		}
		var sessions []map[string]any
		must(&sessions, "user", "sessions", anna, "--end-all")
		if len(sessions) != 0 {
			t.Errorf("running %v, sessions: %v", running, sessions)
		}
		for name, c := range map[string]struct {
			args []string
			says string
		}{
			"nobody":                      {[]string{"user", "show", "nobody@example.org"}, "no such account"},
			"a session that is not there": {[]string{"user", "sessions", anna, "--end", sp.ID}, "signed in"},
			"one and all":                 {[]string{"user", "sessions", anna, "--end", sp.ID, "--end-all"}, "none of the others can be"},
			"the last administrator":      {[]string{"user", "delete", anna}, "only administrator"},
			"two people":                  {[]string{"user", "freeze", anna, anna}, "accepts 1 arg"},
		} {
			if err := run(&p, c.args...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("running %v, %s: %v, want %q", running, name, err, c.says)
			}
		}
	}
	var keys []map[string]any
	must(&map[string]any{}, "apikey", "add", "--user", anna, "--name", "x", "--days", "30")
	must(&keys, "apikey", "list", "--user", anna)
	if keys[0]["expires_at"] != nil || keys[1]["expires_at"] == nil {
		t.Errorf("ends of keys: %v", keys)
	}
	if err := run(&p0, "apikey", "add", "--user", anna, "--name", "x", "--days", "4000"); err == nil || !strings.Contains(err.Error(), "within ten years") {
		t.Errorf("an end in eleven years: %v", err)
	}
	var erased map[string]any
	must(&erased, "space", "disband", sp.ID, "--yes-erase", "School")
	var p person
	must(&p, "user", "delete", "anna@example.org")
	if p.Erased == nil {
		t.Errorf("deleted: %+v", p)
	}
	must(&p, "user", "undelete", anna)
	if p.Erased != nil {
		t.Errorf("stays: %+v", p)
	}
	if text, _, err := command(t, "", "user", "show", anna, "--data", h.Config.Data); err != nil || !strings.Contains(text, "FURTHER EMAILS") {
		t.Errorf("as text: %q, %v", text, err)
	}
	if text, _, err := command(t, "", "user", "sessions", "--help"); err != nil || !strings.Contains(text, "--end-all") {
		t.Errorf("help: %q, %v", text, err)
	}
}
