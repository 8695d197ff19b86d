package account

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

func TestChoicesAreKeptSealed(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		anna := add(t, s)
		if got, err := s.Choices(ctx, anna.ID); err != nil || got != (Choices{}) {
			t.Errorf("before: %+v, %v, want none", got, err)
		}
		for _, want := range []Choices{{HideEmail: true, ByUsername: true}, {NoReminders: true}} {
			if err := s.Choose(ctx, self(anna), anna.ID, want); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Choices(ctx, anna.ID); err != nil || got != want {
				t.Errorf("Choices = %+v, %v, want %+v", got, err, want)
			}
		}
		if sealed, err := s.needs.Store.choices(ctx, anna.ID); err != nil || bytes.Contains(sealed, []byte("reminders")) {
			t.Errorf("kept in clear: %q, %v", sealed, err)
		}
		if err := s.Choose(ctx, system, "nobody", Choices{}); err == nil {
			t.Error("nobody has chosen")
		}
	})
}

func TestHowAPersonIsShown(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	ctx, s := t.Context(), service(t, d, nil)
	anna := add(t, s)
	for name, c := range map[string]struct {
		choices     Choices
		username    string
		want, email string
	}{
		"nothing chosen":         {Choices{}, "annab", "Anna", "anna@example.org"},
		"without the address":    {Choices{HideEmail: true}, "annab", "Anna", ""},
		"by user name":           {Choices{ByUsername: true}, "annab", "annab", "anna@example.org"},
		"by a user name that is": {Choices{ByUsername: true}, "", "Anna", "anna@example.org"},
	} {
		if err := errors.Join(s.Choose(ctx, self(anna), anna.ID, c.choices), s.SetProfile(ctx, self(anna), anna.ID, "Anna", Profile{Username: c.username})); err != nil {
			t.Fatal(err)
		}
		if got, email, err := s.Shown(ctx, anna.ID); err != nil || got != c.want || email != c.email {
			t.Errorf("%s: %q, %q, %v", name, got, email, err)
		}
	}
	if _, _, err := s.Shown(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestZones(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d, nil)
	anna := add(t, s)
	for zone, good := range map[string]bool{"": true, "Europe/Rome": true, "UTC": true, "Local": false, "Mars/Phobos": false, "../../etc/passwd": false, "/etc/localtime": false} {
		if err := s.SetProfile(t.Context(), self(anna), anna.ID, "Anna", Profile{Zone: zone}); (err == nil) != good || err != nil && !errors.Is(err, ErrZone) {
			t.Errorf("%q: %v", zone, err)
		}
	}
	if got := (Profile{Zone: "Mars/Phobos"}).Location().String(); got != "UTC" {
		t.Errorf("a zone that is gone is read as %s", got)
	}
}

// An address is one person's, whether it is the first or a further one.
func TestAddressesAreThereOnce(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		anna, berta := add(t, s), addAs(t, s, "berta@example.org")
		if err := s.AddAddress(ctx, self(anna), anna.ID, "Anna@Example.net"); err != nil {
			t.Fatal(err)
		}
		all, err := s.Further(ctx, anna.ID)
		if err != nil || len(all) != 1 || all[0].Email != "Anna@Example.net" || all[0].ProvedAt.IsZero() {
			t.Fatalf("Further = %+v, %v", all, err)
		}
		if u, err := s.Find(ctx, "anna@example.NET"); err != nil || u.ID != anna.ID || u.Email != anna.Email {
			t.Errorf("found by it: %+v, %v", u, err)
		}
		if u, err := s.Verify(ctx, "anna@example.net", good); err != nil || u.ID != anna.ID {
			t.Errorf("signed in by it: %+v, %v", u, err)
		}
		_, addErr := s.Add(ctx, system, "anna@example.net", "Mallory", good)
		taker, signUpErr := s.SignUp(ctx, "anna@example.net", "Mallory", good)
		if taker.ID != anna.ID {
			t.Errorf("signing up with it tells of %q", taker.ID)
		}
		for name, err := range map[string]error{
			"a new account":      addErr,
			"signing up":         signUpErr,
			"another's first":    s.SetEmail(ctx, self(berta), berta.ID, "anna@example.net"),
			"another's further":  s.AddAddress(ctx, self(berta), berta.ID, "anna@example.net"),
			"the same again":     s.AddAddress(ctx, self(anna), anna.ID, "ANNA@example.net"),
			"another's address":  s.AddAddress(ctx, self(anna), anna.ID, berta.Email),
			"one's own first":    s.AddAddress(ctx, self(anna), anna.ID, anna.Email),
			"whether it is free": s.CheckEmail(ctx, "anna@example.net"),
		} {
			if !errors.Is(err, ErrTaken) {
				t.Errorf("%s: %v, want %v", name, err, ErrTaken)
			}
		}
		if err := s.AddAddress(ctx, self(anna), anna.ID, "nonsense"); !errors.Is(err, ErrEmail) {
			t.Errorf("nonsense: %v", err)
		}
		if _, err := s.Prefer(ctx, self(berta), berta.ID, all[0].ID); !errors.Is(err, ErrNoAddress) {
			t.Errorf("a stranger prefers it: %v", err)
		}
		if err := s.DropAddress(ctx, self(berta), berta.ID, all[0].ID); !errors.Is(err, ErrNoAddress) {
			t.Errorf("a stranger removes it: %v", err)
		}
		for _, want := range []string{"Anna@Example.net", "anna@example.org"} { // there and back
			before, err := s.Prefer(ctx, self(anna), anna.ID, all[0].ID)
			u, err2 := s.Get(ctx, anna.ID)
			if err := errors.Join(err, err2); err != nil || u.Email != want || before == want {
				t.Errorf("preferred: %q, before %q, %v", u.Email, before, err)
			}
			now, err := s.Further(ctx, anna.ID)
			if err != nil || len(now) != 1 || now[0].Email != before {
				t.Errorf("further ones now: %+v, %v", now, err)
			}
			if u, err := s.Find(ctx, before); err != nil || u.ID != anna.ID {
				t.Errorf("found by the one before: %+v, %v", u, err)
			}
		}
		if r, err := s.needs.Store.further(ctx, anna.ID); err != nil || bytes.Contains(r[0].sealed, []byte("xample")) {
			t.Errorf("kept in clear: %+v, %v", r, err)
		}
		for i := range maxAddresses - 1 {
			if err := s.AddAddress(ctx, self(anna), anna.ID, fmt.Sprintf("anna%d@example.net", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.AddAddress(ctx, self(anna), anna.ID, "more@example.net"); !errors.Is(err, ErrAddresses) {
			t.Errorf("one too many: %v", err)
		}
		if err := errors.Join(s.DropAddress(ctx, self(anna), anna.ID, all[0].ID), s.AddAddress(ctx, self(berta), berta.ID, "Anna@example.net")); err != nil {
			t.Errorf("an address that was removed is free: %v", err)
		}
	})
}

// Nothing of choices and addresses outlives the account, and the addresses are free again.
func TestErasureTakesChoicesAndAddresses(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		anna := add(t, s)
		if err := errors.Join(s.Choose(ctx, self(anna), anna.ID, Choices{HideEmail: true}), s.AddAddress(ctx, self(anna), anna.ID, "anna@example.net")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Erase(ctx, system, anna.ID); err != nil {
			t.Fatal(err)
		}
		sealed, err := s.needs.Store.choices(ctx, anna.ID)
		all, err2 := s.needs.Store.further(ctx, anna.ID)
		if err := errors.Join(err, err2); err != nil || sealed != nil || len(all) != 0 {
			t.Errorf("left over: %q, %+v, %v", sealed, all, err)
		}
		addAs(t, s, "anna@example.net")
	})
}

func TestAFrozenAccountIsOpenedByTheOperator(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		anna := add(t, s)
		if err := s.Freeze(ctx, system, anna.ID); err != nil {
			t.Fatal(err)
		}
		frozen, _ := s.Get(ctx, anna.ID)
		if err := s.Unfreeze(ctx, system, anna.ID); err != nil {
			t.Fatal(err)
		}
		u, err := s.Verify(ctx, anna.Email, good)
		if err != nil || u.Frozen() || u.Epoch != frozen.Epoch || u.Epoch == anna.Epoch {
			t.Errorf("after it: %+v, %v", u, err)
		}
		if err := s.Unfreeze(ctx, system, "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// Whatever a profile's fields are, it is refused or is as clean as it says, and its time zone is one.
func FuzzProfile(f *testing.F) {
	f.Add("anna", "+39 011", "it", "Europe/Rome", "Torino")
	f.Add("", "", "", "../../etc/passwd", "\x00")
	f.Add(" a ", "1", "xxx", "Local", "\xff")
	f.Fuzz(func(t *testing.T, username, phone, lang, zone, city string) {
		p, err := Profile{Username: username, Phone: phone, Lang: lang, Zone: zone, Shipping: Address{City: city}}.trimmed()
		if err != nil {
			return
		}
		again, err := p.trimmed()
		if err != nil || again != p {
			t.Fatalf("%+v is %+v when looked at again, %v", p, again, err)
		}
		if l := p.Location(); p.Zone != "" && l.String() != p.Zone || p.Zone == "" && l != time.UTC {
			t.Fatalf("the zone %q is %s", p.Zone, l)
		}
	})
}
