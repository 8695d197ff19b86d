package org

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestOwnerStaysUntilHandedOver(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		for user, role := range map[string]access.Role{"boris": access.Admin, "carla": access.Viewer} {
			must(t, s.SetRole(ctx, system, sp.ID, user, role))
		}
		for name, c := range map[string]struct {
			act  func() error
			want error
		}{
			"the owner leaves":            {func() error { return s.Leave(ctx, person("anna"), sp.ID) }, ErrOwnerLeaves},
			"the owner is demoted":        {func() error { return s.SetRole(ctx, person("boris"), sp.ID, "anna", access.Editor) }, ErrOwner},
			"the owner is removed":        {func() error { return s.SetRole(ctx, person("boris"), sp.ID, "anna", access.NoRole) }, ErrOwner},
			"another administrator hands": {func() error { _, err := s.HandOver(ctx, person("boris"), sp.ID, "boris"); return err }, ErrNotOwner},
			"to a stranger":               {func() error { _, err := s.HandOver(ctx, person("anna"), sp.ID, "dora"); return err }, ErrNoMember},
			"taken without an offer":      {func() error { return s.TakeOver(ctx, person("carla"), sp.ID) }, ErrNotOffered},
			"a stranger is given a role":  {func() error { return s.SetRole(ctx, person("anna"), sp.ID, "dora", access.Viewer) }, ErrNoMember},
			"a stranger leaves":           {func() error { return s.Leave(ctx, person("dora"), sp.ID) }, ErrNoMember},
			"the operator removes the last": {func() error {
				return errors.Join(s.SetRole(ctx, system, sp.ID, "boris", access.Viewer), s.SetRole(ctx, system, sp.ID, "anna", access.NoRole))
			}, ErrLastAdmin},
		} {
			if err := c.act(); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		owner := func() string {
			t.Helper()
			sp, err := s.Get(ctx, sp.ID)
			must(t, err)
			return sp.Owner + "," + sp.Heir
		}
		// Carla must agree, and the offer can be withdrawn until then.
		done, err := s.HandOver(ctx, person("anna"), sp.ID, "carla")
		if done || err != nil || owner() != "anna,carla" {
			t.Errorf("HandOver = %v, %v; owner %s", done, err, owner())
		}
		if _, err := s.HandOver(ctx, person("anna"), sp.ID, "anna"); err != nil || owner() != "anna," {
			t.Errorf("withdrawn: %v; owner %s", err, owner())
		}
		if err := s.TakeOver(ctx, person("carla"), sp.ID); !errors.Is(err, ErrNotOffered) {
			t.Errorf("a withdrawn offer: %v", err)
		}
		// An offer ends with the membership of who got it.
		_, err = s.HandOver(ctx, person("anna"), sp.ID, "carla")
		must(t, err)
		must(t, s.Leave(ctx, person("carla"), sp.ID))
		must(t, s.SetRole(ctx, system, sp.ID, "carla", access.Viewer))
		if err := s.TakeOver(ctx, person("carla"), sp.ID); !errors.Is(err, ErrNotOffered) {
			t.Errorf("an offer of before she left: %v", err)
		}
		_, err = s.HandOver(ctx, person("anna"), sp.ID, "carla")
		must(t, err)
		must(t, s.TakeOver(ctx, person("carla"), sp.ID))
		if role, err := s.Role(ctx, sp.ID, "carla"); owner() != "carla," || role != access.Admin || err != nil {
			t.Errorf("owner %s, role %q, %v", owner(), role, err)
		}
		// To an administrator it goes at once; whoever owned it before may leave then.
		done, err = s.HandOver(ctx, person("carla"), sp.ID, "anna")
		if !done || err != nil || owner() != "anna," {
			t.Errorf("HandOver to an administrator = %v, %v; owner %s", done, err, owner())
		}
		must(t, s.Leave(ctx, person("carla"), sp.ID))
		if _, err := s.Role(ctx, sp.ID, "carla"); !errors.Is(err, ErrNotMember) {
			t.Errorf("Carla has left, and %v", err)
		}
		if n, err := journal.Verify(ctx, d); n != 13 || err != nil { // made, 4 roles, 5 offers and owners, 1 taken, 2 left
			t.Errorf("journal: %d entries, %v", n, err)
		}
	})
}

// An owner whom the operator took out of the way does not keep the others from going on.
func TestSpaceWithoutItsOwnerIsHandedOnByAnAdministrator(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	ctx, s := t.Context(), service(t, d)
	sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
	must(t, err)
	must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Admin))
	must(t, s.SetRole(ctx, system, sp.ID, "anna", access.NoRole))
	if done, err := s.HandOver(ctx, person("boris"), sp.ID, "boris"); !done || err != nil {
		t.Errorf("HandOver = %v, %v", done, err)
	}
}

func TestRename(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		must(t, s.Rename(ctx, person("anna"), sp.ID, "Lab"))
		if err := s.Rename(ctx, person("anna"), sp.ID, ""); !errors.Is(err, ErrName) {
			t.Errorf("no name: %v", err)
		}
		if err := s.Rename(ctx, person("anna"), uuid.NewString(), "x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no space: %v", err)
		}
		if now, err := s.Get(ctx, sp.ID); now.Name != "Lab" || err != nil {
			t.Errorf("Get = %+v, %v", now, err)
		}
	})
}

func TestDisbandNamesTheSpace(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	ctx := t.Context()
	n := needs(t, d, ring{})
	var erased []string
	n.Erase = func(_ context.Context, space, name string) (Erasure, error) {
		erased = append(erased, space+" "+name)
		return Erasure{Space: space}, nil
	}
	s, err := New(n)
	must(t, err)
	sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
	must(t, err)
	private := uuid.NewString()
	must(t, s.AddPrivate(ctx, "anna", private, "Private"))
	must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Admin))
	if _, err := s.Disband(ctx, person("boris"), sp.ID, "School"); !errors.Is(err, ErrNotOwner) {
		t.Errorf("by another administrator: %v", err)
	}
	for name, c := range map[string]struct {
		space, name string
		want        error
	}{
		"another name": {sp.ID, "school", ErrNotNamed}, "none": {sp.ID, "", ErrNotNamed},
		"a private space": {private, "Private", ErrErasePrivate}, "no space": {uuid.NewString(), "School", ErrNotFound},
	} {
		if _, err := s.Disband(ctx, person("anna"), c.space, c.name); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if len(erased) > 0 {
		t.Errorf("erased: %v", erased)
	}
	if e, err := s.Disband(ctx, person("anna"), sp.ID, "School"); err != nil || e.Space != sp.ID || len(erased) != 1 || erased[0] != sp.ID+" School" {
		t.Errorf("Disband = %+v, %v; erased %v", e, err, erased)
	}
	entries, err := journal.List(ctx, d, journal.Query{Space: sp.ID})
	must(t, err)
	if last := entries[len(entries)-1]; last.Action != "org:disband" || last.Actor != "user:anna" {
		t.Errorf("journal: %+v", last)
	}
}

func TestLevels(t *testing.T) {
	for name, c := range map[string]struct {
		have, want Level
		ok         bool
	}{
		"the same": {TwoStep, TwoStep, true}, "more": {Passkey, Password, true}, "less": {Password, TwoStep, false},
		"a code for a passkey": {TwoStep, Passkey, false}, "none at all": {"", Password, false}, "made up": {"retina", Password, false},
	} {
		if got := c.have.Meets(c.want); got != c.ok {
			t.Errorf("%s: %v, want %v", name, got, c.ok)
		}
	}
	if _, err := ParseLevel("none"); !errors.Is(err, ErrLevel) {
		t.Errorf("ParseLevel(none) = %v", err)
	}
	for _, l := range Levels() {
		if got, err := ParseLevel(string(l)); got != l || err != nil || todo[l] == "" {
			t.Errorf("ParseLevel(%s) = %q, %v; what to do: %q", l, got, err, todo[l])
		}
	}
}

func TestSpaceAsksHowPeopleSignIn(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		n := needs(t, d, ring{})
		levels := map[string]Level{"anna": TwoStep, "boris": Password}
		n.Level = func(_ context.Context, who access.Actor) (Level, error) { return levels[who.ID], nil }
		s, err := New(n)
		must(t, err)
		sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		private := uuid.NewString()
		must(t, s.AddPrivate(ctx, "anna", private, "Private"))
		if l, err := s.Required(ctx, sp.ID); l != Password || err != nil {
			t.Errorf("at first it asks for %q, %v", l, err)
		}
		for name, c := range map[string]struct {
			who   access.Actor
			space string
			level Level
			want  error
		}{
			"more than one does oneself": {person("anna"), sp.ID, Passkey, ErrWeaker},
			"a made-up level":            {person("anna"), sp.ID, "retina", ErrLevel},
			"of a private space":         {person("anna"), private, TwoStep, ErrLevel},
			"of no space":                {person("anna"), uuid.NewString(), TwoStep, ErrNotFound},
			"what one does":              {person("anna"), sp.ID, TwoStep, nil},
		} {
			if err := s.Require(ctx, c.who, c.space, c.level); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		for name, c := range map[string]struct {
			who access.Actor
			ok  bool
		}{
			"who has signed in so": {person("anna"), true}, "who has not": {person("boris"), false},
			"a key of who has": {access.Actor{Kind: access.APIKey, ID: "anna"}, true}, "the operator": {system, true},
		} {
			err := s.Admit(ctx, c.who, sp.ID)
			if (err == nil) != c.ok || !c.ok && (!errors.Is(err, ErrWeaker) || !strings.Contains(err.Error(), "second step")) {
				t.Errorf("%s: %v", name, err)
			}
		}
		// A key is no way around it, nor may one that is too weak ask others for more.
		weak := access.Actor{Kind: access.APIKey, ID: "boris"}
		if err := s.Admit(ctx, weak, sp.ID); !errors.Is(err, ErrWeakKey) || !strings.Contains(err.Error(), "make a new key") {
			t.Errorf("a key of who has not: %v", err)
		}
		if err := s.Require(ctx, weak, sp.ID, Passkey); !errors.Is(err, ErrWeakKey) {
			t.Errorf("asking by a key: %v", err)
		}
		// Who may not enter may not make what enters.
		must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Viewer))
		if err := s.AdmitAll(ctx, person("boris")); !errors.Is(err, ErrWeaker) {
			t.Errorf("into all of his spaces: %v", err)
		}
		for name, who := range map[string]access.Actor{"who has signed in so": person("anna"), "who is not in it": person("carla"), "a key of who has": {Kind: access.APIKey, ID: "anna"}, "a device": {Kind: access.Device, ID: "boris"}} {
			if err := s.AdmitAll(ctx, who); err != nil {
				t.Errorf("%s into all spaces: %v", name, err)
			}
		}
		must(t, s.Require(ctx, system, sp.ID, Password))
		if err := s.Admit(ctx, person("boris"), sp.ID); err != nil { // at once
			t.Errorf("after that: %v", err)
		}
	})
}

func TestLimitsOfASpace(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		most := func() int {
			t.Helper()
			n, err := s.Limit(ctx, sp.ID, Devices)
			must(t, err)
			return n
		}
		standard := DefaultLimits()[Devices]
		if got := most(); got != standard {
			t.Errorf("at first %d, want %d", got, standard)
		}
		for _, n := range []int{7, 5, 0} {
			must(t, s.SetLimit(ctx, system, sp.ID, Devices, n, false))
			if got := most(); got != n { // at once, although it is remembered
				t.Errorf("%d, want %d", got, n)
			}
		}
		all, err := s.Usage(ctx, sp.ID)
		must(t, err)
		if len(all) != len(Quotas()) || all[0] != (Use{Devices, 7, 0, true}) || all[1] != (Use{Things, 6, 100_000, false}) || all[3] != (Use{Members, 1, 1_000, false}) {
			t.Errorf("Usage = %+v", all)
		}
		must(t, s.SetLimit(ctx, system, sp.ID, Devices, 0, true))
		if got := most(); got != standard {
			t.Errorf("back: %d, want %d", got, standard)
		}
		for name, c := range map[string]struct {
			space string
			quota Quota
			most  int
			want  error
		}{
			"fewer than none": {sp.ID, Devices, -1, ErrLimit}, "made up": {sp.ID, "cats", 1, ErrLimit},
			"too many": {sp.ID, Devices, 1_000_000_001, ErrLimit}, "no space": {uuid.NewString(), Devices, 1, ErrNotFound},
		} {
			if err := s.SetLimit(ctx, system, c.space, c.quota, c.most, false); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		// Whoever is in stays in and changes roles, whatever the limit is now.
		must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Viewer))
		must(t, s.SetLimit(ctx, system, sp.ID, Members, 1, false))
		must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Editor))
		if err := s.SetRole(ctx, system, sp.ID, "carla", access.Viewer); !errors.Is(err, ErrQuota) {
			t.Errorf("one more: %v", err)
		}
	})
}

func TestParseLimits(t *testing.T) {
	got, err := ParseLimits([]string{"devices=5", " things = 0"})
	if err != nil || got[Devices] != 5 || got[Things] != 0 || got[Members] != DefaultLimits()[Members] {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "devices", "devices=", "devices=-1", "cats=1", "devices=1e3", "values=-1"} {
		if _, err := ParseLimits([]string{text}); !errors.Is(err, ErrLimit) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, q := range Quotas() {
		if nouns[q] == "" {
			t.Errorf("people have no word for %s", q)
		}
	}
}

func TestOnePersonOwnsSoMany(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		must(t, s.AddPrivate(ctx, "anna", uuid.NewString(), "Private")) // does not count
		for range maxOwned {
			_, err := s.AddShared(ctx, person("anna"), "anna", "One more")
			must(t, err)
		}
		if _, err := s.AddShared(ctx, person("anna"), "anna", "Too many"); !errors.Is(err, ErrSpaces) {
			t.Errorf("one too many: %v", err)
		}
		if _, err := s.AddShared(ctx, person("boris"), "boris", "His"); err != nil {
			t.Errorf("another's: %v", err)
		}
		if _, err := s.AddShared(ctx, system, "anna", "By the operator"); err != nil {
			t.Errorf("by the operator: %v", err)
		}
	})
}
