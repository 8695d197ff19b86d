package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// street is a house with people, behind its door. Who comes is the bearer token.
func street(t *testing.T, h *house) http.Handler {
	t.Helper()
	h.needs.Admin = func(_ context.Context, user string) ([]string, error) {
		return map[string][]string{"anna": {"home-anna", "school"}, "boris": {"home-boris"}}[user], nil
	}
	h.needs.Owner = func(_ context.Context, key string) (string, error) {
		return map[string]string{"k1": "anna", "k2": "boris"}[key], nil
	}
	h.needs.There = func(_ context.Context, space string) (bool, error) { return space != "gone", nil }
	h.start()
	for _, e := range []journal.Entry{
		{Actor: "system", Action: "account:create", Resource: "account", ID: "anna"},                                                         // 1
		{Actor: "system", Action: "account:create", Resource: "account", ID: "boris"},                                                        // 2
		{Actor: "user:anna", Space: "home-anna", Action: "thing:create", Resource: "thing", ID: "t1"},                                        // 3
		{Actor: "user:boris", Space: "home-boris", Action: "thing:create", Resource: "thing", ID: "t2"},                                      // 4
		{Actor: "apikey:anna/k1", Space: "school", Action: "thing:create", Resource: "thing", ID: "t3"},                                      // 5
		{Actor: "user:boris", Space: "school", Action: "thing:update", Resource: "thing", ID: "t3"},                                          // 6
		{Actor: "user:clara", Space: "elsewhere", Action: "member:update", Resource: "org", ID: "elsewhere", Detail: account("boris")},       // 7
		{Actor: "system", Action: "apikey:revoke", Resource: "apikey", ID: "k2"},                                                             // 8
		{Actor: "anonymous", Action: "apikey:refused", Resource: "apikey", ID: "k1", Detail: map[string]string{"account": "anna"}},           // 9
		{Actor: "device:d1", Space: "elsewhere", Action: "device:update", Resource: "device", ID: "d1"},                                      // 10
		{Actor: "user:annabel", Space: "elsewhere", Action: "thing:create", Resource: "thing", ID: "anna"},                                   // 11
		{Actor: "user:clara", Space: "elsewhere", Action: "access:denied", Resource: "thing", Detail: map[string]string{"of": "thing:read"}}, // 12
		{Actor: "user:anna", Space: "gone", Action: "thing:create", Resource: "thing", ID: "t9"},                                             // 13
		{Actor: "user:anna", Action: "apikey:create", Resource: "apikey", ID: "k1", Detail: map[string]string{"space": "gone"}},              // 14
	} {
		e.At = h.clock()
		if err := h.db.Write(t.Context(), func(tx *db.Tx) error { return journal.Record(t.Context(), tx, e) }); err != nil {
			t.Fatal(err)
		}
	}
	h.followed()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	d, err := door.New(door.Config{}, door.Needs{Log: h.needs.Log, Now: h.clock, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			user, key, isKey := strings.Cut(token, "/")
			key, only, _ := strings.Cut(key, "/")
			switch {
			case !slices.Contains([]string{"anna", "boris", "clara", "nobody"}, user):
				return access.Actor{}, door.ErrToken
			case isKey:
				return access.Actor{Kind: access.APIKey, ID: user, Client: key, Only: only}, nil
			}
			return access.Actor{Kind: access.User, ID: user}, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) {
			who.Space, who.Role = "home-"+who.ID, access.Viewer
			if who.Only == "school" && who.ID == "anna" {
				who.Space, who.Role = "school", access.Admin
			}
			return who, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := d.Handler(h.Routes())
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func account(id string) map[string]string { return map[string]string{"account": id, "role": "viewer"} }

// ask gets a page as somebody.
func ask(t *testing.T, h http.Handler, token, query string) (int, wireActivity) {
	t.Helper()
	r := httptest.NewRequest("GET", "/v1/me/activity?"+query, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var page wireActivity
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, page
}

func numbers(p wireActivity) string {
	var all []string
	for _, e := range p.Entries {
		all = append(all, fmt.Sprint(e.Number))
	}
	return strings.Join(all, " ")
}

// People see what they did, what was done to them and what happens in their spaces, and
// nothing of anybody else, nor of a space that was erased.
func TestPeopleSeeTheirOwnEntries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		handler := street(t, h)
		for name, c := range map[string]struct{ token, query, want string }{
			"an administrator of a space":         {"anna", "", "9 6 5 3 1"},
			"a member who is no administrator":    {"boris", "", "8 7 6 4 2"},
			"somebody of another space":           {"clara", "", "12 7"},
			"somebody who never did anything":     {"nobody", "", ""},
			"a key of a person":                   {"anna/k1", "", "9 6 5 3 1"},
			"a key that enters one space":         {"anna/k1/school", "", "6 5"},
			"a key that is less than its person":  {"anna/k1/home-anna", "", "3"},
			"a key that enters a space of others": {"boris/k2/school", "", "6"},
			"one action":                          {"anna", "action=thing:create", "5 3"},
			"an action that nobody did":           {"anna", "action=thing:erase", ""},
			"an action of others":                 {"anna", "action=access:denied", ""},
			"a page":                              {"anna", "limit=2", "9 6"},
			"the page after":                      {"anna", "limit=2&before=6", "5 3"},
			"the last page":                       {"anna", "limit=2&before=3", "1"},
			"after the last":                      {"anna", "before=1", ""},
			"a page of a narrow key":              {"anna/k1/school", "limit=1&before=6", "5"},
		} {
			status, page := ask(t, handler, c.token, c.query)
			if got := numbers(page); status != http.StatusOK || got != c.want {
				t.Errorf("%s: %d, entries %q, want %q", name, status, got, c.want)
			}
			if more := len(page.Entries) > 0 && strings.Contains(c.query, "limit=") && len(page.Entries) == int(c.query[6]-'0'); more != (page.Next != 0) || more && page.Next != page.Entries[len(page.Entries)-1].Number {
				t.Errorf("%s: next is %d", name, page.Next)
			}
		}
		_, page := ask(t, handler, "anna", "")
		for i, want := range []string{"somebody", "member", "your-key", "you", "house"} {
			if got := page.Entries[i].By; got != want {
				t.Errorf("entry %d is by %q, want %q", page.Entries[i].Number, got, want)
			}
		}
		if e := page.Entries[0]; e.Text != "Wrong secret for an API key, refused" || e.Action != "apikey:refused" || e.ID != "k1" {
			t.Errorf("the newest entry is %+v", e)
		}
		if _, page := ask(t, handler, "boris", "action=member:update"); len(page.Entries) != 1 || page.Entries[0].Detail["role"] != "viewer" || page.Entries[0].By != "member" {
			t.Errorf("what was done to a member is told as %+v", page)
		}
	})
}

func TestOnlyPeopleAskForTheirEntries(t *testing.T) {
	h := newHouse(t, db.SQLite)
	handler := street(t, h)
	for name, c := range map[string]struct {
		token, query string
		want         int
	}{
		"without a token":        {"", "", http.StatusUnauthorized},
		"with a bad token":       {"eve", "", http.StatusUnauthorized},
		"a page of nothing":      {"anna", "limit=0", http.StatusBadRequest},
		"a page of too much":     {"anna", "limit=201", http.StatusBadRequest},
		"a page that is no page": {"anna", "limit=many", http.StatusBadRequest},
		"before nothing":         {"anna", "before=0", http.StatusBadRequest},
		"before words":           {"anna", "before=x", http.StatusBadRequest},
		"an endless action":      {"anna", "action=" + strings.Repeat("a", 65), http.StatusBadRequest},
		"the widest page":        {"anna", "limit=200", http.StatusOK},
	} {
		if got, _ := ask(t, handler, c.token, c.query); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if _, err := h.Activity(t.Context(), access.Actor{Kind: access.User, ID: "anna"}, Page{Limit: 1000}); !errors.Is(err, ErrPage) {
		t.Errorf("a page of 1000: %v, want ErrPage", err)
	}
}

// An entry that the index does not have yet is there soon, and an index that is of a
// database of before shows nobody what is somebody else's now.
func TestAnIndexOfBeforeShowsNothingOfOthers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		street(t, h)
		h.exec(`update journal set actor = 'user:boris', space = 'home-boris' where number = 3`)
		all, err := h.Activity(t.Context(), access.Actor{Kind: access.User, ID: "anna"}, Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if e.Number == 3 {
				t.Errorf("anna sees %+v", e)
			}
		}
		h.setBackIndexed(4)
		h.pass(1)
		h.act(1)
		h.followed()
		var people []string
		for _, p := range []string{"anna", "boris", "u1"} {
			some, err := h.needs.Store.of(t.Context(), p, "", 100, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range some {
				if n > 4 {
					people = append(people, fmt.Sprint(p, n))
				}
			}
		}
		if got := strings.Join(people, " "); got != "u16" {
			t.Errorf("the index has %s above entry 4, want u16", got)
		}
	})
}

// setBackIndexed sets the journal back while the house runs, and leaves the index as it was.
func (h *house) setBackIndexed(n int64) {
	h.t.Helper()
	h.exec(`delete from journal where number > $1`, n)
	h.exec(`update journal_head set number = $1, hash = (select hash from journal where number = $1) where id = 1`, n)
	_ = h.Follow(h.t.Context())
}
