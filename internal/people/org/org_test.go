package org

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys/keystest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	system = access.Actor{Kind: access.System}
	noon   = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
)

// ring is keys of which everybody sees what they seal.
type ring struct{ keystest.Ring }

func (ring) MAC(name string) func([]byte) []byte {
	return func(msg []byte) []byte { return append([]byte(name+"|"), msg...) }
}

var people = map[string]Person{
	"anna": {"Anna", "anna@example.org"}, "boris": {"Boris", "Boris@example.org"}, "carla": {"Carla", "carla@example.org"}, "dora": {"Dora", "dora@example.org"},
}

var errNobody = problem.New(problem.NotFound, "nobody", "There is no such person.")

// needs is everything around the room, as a test of one verb wants it.
func needs(t *testing.T, d *db.DB, keys Keys) Needs {
	t.Helper()
	policy, err := access.New()
	must(t, err)
	return Needs{
		Store: SQL(d), Keys: keys, Now: func() time.Time { return noon }, Policy: policy, Limits: DefaultLimits(),
		Person: func(_ context.Context, user string) (Person, error) {
			if p, ok := people[user]; ok {
				return p, nil
			}
			return Person{}, errNobody
		},
		Reads: func(_ context.Context, user, address string) (bool, error) {
			return SameAddress(people[user].Email, address), nil
		},
		Level: func(context.Context, access.Actor) (Level, error) { return Password, nil },
		Count: func(_ context.Context, _ string, of Quota) (int, error) { return len(of), nil },
		Erase: func(context.Context, string, string) (Erasure, error) {
			return Erasure{}, errors.New("nothing is erased here")
		},
		Link: func(token string) string { return "https://here/invitation#" + token },
	}
}

func service(t *testing.T, d *db.DB) *Service {
	t.Helper()
	s, err := New(needs(t, d, ring{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPrivateSpaceIsMadeOnce(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		id := uuid.NewString()
		for range 3 { // as repairing does
			must(t, s.AddPrivate(ctx, "anna", id, "Private"))
		}
		all, err := s.Of(ctx, "anna")
		must(t, err)
		if len(all) != 1 || all[0].ID != id || all[0].Kind != Private || all[0].Role != access.Admin || all[0].Name != "Private" || !all[0].CreatedAt.Equal(noon) {
			t.Errorf("spaces of Anna: %+v", all)
		}
		if err := s.AddPrivate(ctx, "anna", uuid.NewString(), "Second"); err == nil {
			t.Error("a person has two private spaces")
		}
		if n, err := journal.Verify(ctx, d); n != 1 || err != nil {
			t.Errorf("journal: %d entries, %v, want 1", n, err)
		}
		for name, role := range map[string]access.Role{"a guest": access.Viewer, "nobody": access.NoRole} {
			if err := s.SetRole(ctx, system, id, "boris", role); !errors.Is(err, ErrPrivate) {
				t.Errorf("%s in a private space: %v, want %v", name, err, ErrPrivate)
			}
		}
		if org, err := s.Organization(ctx, id); org != "" || err != nil {
			t.Errorf("clients know the private space as %q, %v", org, err)
		}
	})
}

func TestSharedSpace(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, system, "anna", "School")
		must(t, err)
		if org, err := s.Organization(ctx, sp.ID); org != sp.ID || err != nil {
			t.Errorf("clients know the space as %q, %v", org, err)
		}
		role := func(user string) access.Role {
			t.Helper()
			r, err := s.Role(ctx, sp.ID, user)
			if (err != nil) != (r == access.NoRole) || err != nil && !errors.Is(err, ErrNotMember) {
				t.Errorf("Role of %s = %q, %v", user, r, err)
			}
			return r
		}
		if role("anna") != access.Admin || role("boris") != access.NoRole {
			t.Error("the space begins with other members than its maker")
		}
		// Each change counts at once, although roles are kept for a while.
		for _, want := range []access.Role{access.Viewer, access.Editor, access.Service, access.Admin, access.NoRole} {
			must(t, s.SetRole(ctx, system, sp.ID, "boris", want))
			if got := role("boris"); got != want {
				t.Errorf("role %q, want %q", got, want)
			}
		}
		for name, c := range map[string]struct {
			space, user string
			role        access.Role
			want        error
		}{
			"last admin leaves":       {sp.ID, "anna", access.NoRole, ErrLastAdmin},
			"last admin steps down":   {sp.ID, "anna", access.Viewer, ErrLastAdmin},
			"remove who is not there": {sp.ID, "carla", access.NoRole, ErrNoMember},
			"made-up role":            {sp.ID, "carla", "owner", access.ErrRole},
			"no such space":           {uuid.NewString(), "anna", access.Viewer, ErrNotFound},
		} {
			if err := s.SetRole(ctx, system, c.space, c.user, c.role); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Admin))
		must(t, s.SetRole(ctx, system, sp.ID, "anna", access.Editor))
		all, err := s.Members(ctx, sp.ID)
		must(t, err)
		if len(all) != 2 || all[0].User != "anna" || all[0].Role != access.Editor || all[1].Role != access.Admin || !all[0].SinceAt.Equal(noon) {
			t.Errorf("members: %+v", all)
		}
		// What was refused left no entry.
		entries, err := journal.List(ctx, d, journal.Query{Space: sp.ID})
		must(t, err)
		if len(entries) != 8 || entries[5].Action != "member:remove" || entries[7].Detail["account"] != "anna" || entries[7].Detail["role"] != "editor" {
			t.Errorf("journal: %+v", entries)
		}
	})
}

func TestRoleOfAStranger(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, system, "anna", "School")
		must(t, err)
		// Whether the space exists makes no difference.
		for name, id := range map[string]string{"a space of others": sp.ID, "no space": uuid.NewString(), "nonsense": "x"} {
			if role, err := s.Role(ctx, id, "mallory"); role != access.NoRole || !errors.Is(err, ErrNotMember) {
				t.Errorf("%s: %q, %v, want %v", name, role, err, ErrNotMember)
			}
		}
		if _, err := s.Organization(ctx, uuid.NewString()); !errors.Is(err, ErrNotFound) {
			t.Errorf("Organization of no space: %v", err)
		}
	})
}

func TestChangesAreTold(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d)
	sp, err := s.AddShared(t.Context(), system, "anna", "School")
	must(t, err)
	news := s.Changes.Subscribe(1)
	defer news.Close()
	must(t, s.SetRole(t.Context(), system, sp.ID, "boris", access.Viewer))
	if got := <-news.C(); got != (Change{sp.ID, "boris"}) {
		t.Errorf("told of %+v", got)
	}
}

func TestHowLongValuesAreKept(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, system, "anna", "School")
		must(t, err)
		if age, err := s.Keep(ctx, sp.ID); age != 0 || err != nil {
			t.Errorf("a new space keeps values for %v, %v, want for ever", age, err)
		}
		for name, c := range map[string]struct {
			space string
			days  int
			want  error
		}{
			"a day":       {sp.ID, 1, nil},
			"a century":   {sp.ID, 36_500, nil},
			"longer":      {sp.ID, 36_501, ErrKeep},
			"less":        {sp.ID, -1, ErrKeep},
			"of no space": {uuid.NewString(), 1, ErrNotFound},
		} {
			before, _ := s.Keep(ctx, sp.ID)
			if err := s.SetKeep(ctx, system, c.space, c.days); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
			want := before
			if c.want == nil {
				want = time.Duration(c.days) * 24 * time.Hour
			}
			if age, err := s.Keep(ctx, sp.ID); age != want || err != nil { // at once, although it is remembered
				t.Errorf("%s: kept for %v, %v, want %v", name, age, err, want)
			}
		}
		must(t, s.SetKeep(ctx, system, sp.ID, 0))
		all, err := s.List(ctx)
		must(t, err)
		if len(all) != 1 || all[0].KeepDays != 0 {
			t.Errorf("List tells %+v", all)
		}
		if _, err := s.Keep(ctx, uuid.NewString()); !errors.Is(err, ErrNotFound) {
			t.Errorf("Keep of no space: %v", err)
		}
		if n, err := journal.Verify(ctx, d); n != 4 || err != nil { // made, and three times changed
			t.Errorf("journal: %d entries, %v, want 4", n, err)
		}
	})
}

func TestNames(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d)
	for name, c := range map[string]struct {
		name string
		want error
	}{
		"plain": {"School", nil}, "longest": {strings.Repeat("è", 64), nil}, "empty": {"", ErrName}, "too long": {strings.Repeat("a", 65), ErrName},
		"a line break": {"a\nb", ErrName}, "not UTF-8": {"a\xff", ErrName},
	} {
		if _, err := s.AddShared(t.Context(), system, "anna", c.name); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	all, err := s.List(t.Context())
	if len(all) != 2 || err != nil {
		t.Errorf("List = %v, %v, want 2 spaces", all, err)
	}
}

func TestHTTPList(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d)
	sp, err := s.AddShared(t.Context(), system, "anna", "School")
	must(t, err)
	lab, err := s.AddShared(t.Context(), system, "boris", "Lab")
	must(t, err)
	must(t, s.SetRole(t.Context(), system, sp.ID, "boris", access.Admin))
	for user, want := range map[access.Actor]int{
		{Kind: access.User, ID: "anna"}:                     1,
		{Kind: access.User, ID: "mallory"}:                  0,
		{Kind: access.User, ID: "boris"}:                    2,
		{Kind: access.APIKey, ID: "boris", Only: sp.ID}:     1,
		{Kind: access.APIKey, ID: "boris", Only: "nowhere"}: 0,
		{Kind: access.APIKey, ID: "mallory", Only: lab.ID}:  0,
	} {
		w := httptest.NewRecorder()
		must(t, s.httpList(w, httptest.NewRequest("GET", "/v1/spaces", nil), user))
		var got []wireSpace
		must(t, json.Unmarshal(w.Body.Bytes(), &got))
		if w.Code != http.StatusOK || len(got) != want || want == 1 && got[0] != (wireSpace{sp.ID, "School", Shared, "admin"}) {
			t.Errorf("%s sees %s", user, w.Body)
		}
	}
}

func TestNewRefusesMissingNeeds(t *testing.T) {
	if _, err := New(Needs{}); err == nil {
		t.Error("New accepted nothing")
	}
}
