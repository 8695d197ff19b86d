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
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestSpaceThatIsErasedTakesNoOneIn(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, system, "anna", "School")
		must(t, err)
		other, err := s.AddShared(ctx, system, "anna", "Home")
		must(t, err)
		must(t, s.SetRole(ctx, system, sp.ID, "boris", access.Editor))
		// Roles and names are kept for a while; an erasure counts at once.
		for _, user := range []string{"anna", "boris"} {
			_, err := s.Role(ctx, sp.ID, user)
			must(t, err)
		}
		_, err = s.Organization(ctx, sp.ID)
		must(t, err)

		began, err := s.Erase(ctx, system, sp.ID, Size{Things: 3, Devices: 2, Keys: 1})
		must(t, err)
		want := Erasure{Space: sp.ID, Actor: "system", Size: Size{Things: 3, Devices: 2, Members: 2, Keys: 1}, BeganAt: noon}
		if began != want || began.Done() {
			t.Errorf("Erase = %+v, want %+v", began, want)
		}
		for _, user := range []string{"anna", "boris"} {
			if role, err := s.Role(ctx, sp.ID, user); role != access.NoRole || !errors.Is(err, ErrNotMember) {
				t.Errorf("%s is still %q there, %v", user, role, err)
			}
		}
		for name, ask := range map[string]func() error{
			"Get":          func() error { _, err := s.Get(ctx, sp.ID); return err },
			"Organization": func() error { _, err := s.Organization(ctx, sp.ID); return err },
			"SetRole":      func() error { return s.SetRole(ctx, system, sp.ID, "carla", access.Admin) },
		} {
			if err := ask(); !errors.Is(err, ErrNotFound) {
				t.Errorf("%s of a space that is being erased: %v, want %v", name, err, ErrNotFound)
			}
		}
		// Whoever had looked before the erasure lets nobody in after it.
		late := s.needs.Store.setRole(ctx, sp.ID, "carla", access.Admin, 0, noon, s.entry(system, "member:update", sp.ID, nil))
		if members, err := s.Members(ctx, sp.ID); !errors.Is(late, ErrNotFound) || len(members) != 0 || err != nil {
			t.Errorf("somebody got in late: %v; members %v, %v", late, members, err)
		}
		all, err := s.List(ctx)
		must(t, err)
		of, err := s.Of(ctx, "anna")
		must(t, err)
		if len(all) != 1 || len(of) != 1 || all[0].ID != other.ID || of[0].ID != other.ID {
			t.Errorf("listed: %+v; for Anna: %+v", all, of)
		}

		// Nothing changes when it is decided again, whatever is counted then.
		if again, err := s.Erase(ctx, system, sp.ID, Size{}); again != want || err != nil {
			t.Errorf("Erase again = %+v, %v", again, err)
		}
		if pending, err := s.Erasures(ctx); len(pending) != 1 || pending[0] != want || err != nil {
			t.Errorf("Erasures = %+v, %v", pending, err)
		}
		want.DoneAt = noon
		for range 2 {
			if done, err := s.Erased(ctx, system, sp.ID); done != want || err != nil {
				t.Errorf("Erased = %+v, %v, want %+v", done, err, want)
			}
		}
		if e, err := s.Erasure(ctx, sp.ID); e != want || err != nil {
			t.Errorf("Erasure = %+v, %v", e, err)
		}
		if pending, err := s.Erasures(ctx); len(pending) != 0 || err != nil {
			t.Errorf("Erasures = %+v, %v after the proof", pending, err)
		}
		entries, err := journal.List(ctx, d, journal.Query{Space: sp.ID})
		must(t, err)
		var actions []string
		for _, e := range entries {
			actions = append(actions, e.Action)
		}
		if got := strings.Join(actions, " "); got != "org:create member:update org:erase org:erased" || entries[3].Detail["things"] != "3" || entries[3].Detail["members"] != "2" {
			t.Errorf("journal: %s, the proof says %v", got, entries[len(entries)-1].Detail)
		}
	})
}

func TestWhatCannotBeErased(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		private := uuid.NewString()
		must(t, s.AddPrivate(ctx, "anna", private, "Private"))
		for name, c := range map[string]struct {
			id   string
			want error
		}{
			"a private space": {private, ErrErasePrivate}, "no space": {uuid.NewString(), ErrNotFound}, "nonsense": {"", ErrNotFound},
		} {
			if _, err := s.Erase(ctx, system, c.id, Size{}); !errors.Is(err, c.want) {
				t.Errorf("Erase of %s: %v, want %v", name, err, c.want)
			}
			if _, err := s.Erasure(ctx, c.id); !errors.Is(err, ErrNotFound) {
				t.Errorf("Erasure of %s: %v", name, err)
			}
			if _, err := s.Erased(ctx, system, c.id); !errors.Is(err, ErrNotFound) {
				t.Errorf("Erased of %s: %v", name, err)
			}
		}
		if role, err := s.Role(ctx, private, "anna"); role != access.Admin || err != nil {
			t.Errorf("Anna is %q in her space, %v", role, err)
		}
		if n, err := journal.Verify(ctx, d); n != 1 || err != nil {
			t.Errorf("journal: %d entries, %v, want 1", n, err)
		}
	})
}

// erasedRing has lost the key of one space.
type erasedRing struct {
	ring
	gone string
}

func (r erasedRing) Space(ctx context.Context, id string) (keys.Sealer, error) {
	if id == r.gone {
		return nil, keys.ErrErased
	}
	return r.ring.Space(ctx, id)
}

// An old archive brings back the row of an erased space, and never its key: its
// members must still find their other spaces.
func TestSpaceWithoutAKeyIsNotListed(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d)
	gone, err := s.AddShared(t.Context(), system, "anna", "School")
	must(t, err)
	kept, err := s.AddShared(t.Context(), system, "anna", "Home")
	must(t, err)
	s, err = New(needs(t, d, erasedRing{gone: gone.ID}))
	must(t, err)
	of, err := s.Of(t.Context(), "anna")
	must(t, err)
	all, err := s.List(t.Context())
	must(t, err)
	if len(of) != 1 || of[0].ID != kept.ID || len(all) != 1 || all[0].ID != kept.ID {
		t.Errorf("listed: %+v; for Anna: %+v", all, of)
	}
}
