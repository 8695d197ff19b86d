package server

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// What people read about roles speaks of every action that a route declares.
func TestEveryDeclaredActionIsARightInWords(t *testing.T) {
	s := built(t)
	words := map[access.Action]bool{}
	for _, r := range access.Rights() {
		for _, a := range r.Actions {
			words[a] = true
		}
	}
	for _, r := range s.Routes() {
		if !r.Open && !words[r.Action] {
			t.Errorf("%s: no right of access.Rights speaks of %s", r.Pattern, r.Action)
		}
	}
}

// The operator's limits hold for every space, and a space's own before them.
func TestLimitsFromTheConfiguration(t *testing.T) {
	cfg := config(t)
	cfg.Quota = []string{"things=1", "apikeys=1"}
	r := start(t, cfg)
	var u struct{ ID, Space string }
	r.admin(t, "user.add", map[string]string{"email": "anna@example.org", "name": "Anna", "password": "correct horse battery staple 7"}, &u)
	r.admin(t, "apikey.add", map[string]string{"user": u.ID, "name": "one"}, nil)
	second, _ := json.Marshal(map[string]string{"user": u.ID, "name": "two"})
	if _, err := Call(t.Context(), cfg.Data, "apikey.add", second); err == nil || !strings.Contains(err.Error(), "1 of at most 1 API keys") {
		t.Errorf("a second key: %v", err)
	}
	r.admin(t, "space.quota", map[string]any{"space": u.Space, "quota": "apikeys", "limit": 2}, nil)
	r.admin(t, "apikey.add", map[string]string{"user": u.ID, "name": "two"}, nil)
	var usage []struct {
		Quota       string
		Used, Limit int
		Own         bool
	}
	r.admin(t, "space.usage", map[string]string{"space": u.Space}, &usage)
	for _, q := range usage {
		if q.Quota == "apikeys" && (q.Used != 2 || q.Limit != 2 || !q.Own) || q.Quota == "things" && (q.Limit != 1 || q.Own) {
			t.Errorf("usage: %+v", q)
		}
	}
	if _, err := (Config{Data: "x", Quota: []string{"cats=1"}}).Filled(); err == nil || !strings.Contains(err.Error(), "quota") {
		t.Errorf("a quota that there is not: %v", err)
	}
}
