package org

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A post is letters that were sent, and a clock.
type post struct {
	*Service
	now     time.Time
	broken  bool
	letters []string // address and link
}

var errPost = errors.New("the post is closed")

func newPost(t *testing.T, d *db.DB) *post {
	t.Helper()
	p := &post{now: noon}
	n := needs(t, d, ring{})
	n.Now = func() time.Time { return p.now }
	n.Limits[Members] = 3
	n.Invite = func(_ context.Context, space Space, address, link string) error {
		if p.broken {
			return errPost
		}
		p.letters = append(p.letters, space.Name+" "+address+" "+link)
		return nil
	}
	var err error
	p.Service, err = New(n)
	must(t, err)
	return p
}

// token is what stands behind # in a link, or in the last letter.
func (p *post) token(link string) string {
	if link == "" {
		link = p.letters[len(p.letters)-1]
	}
	_, token, _ := strings.Cut(link, "#")
	return token
}

func person(id string) access.Actor { return access.Actor{Kind: access.User, ID: id, Space: "home"} }

func TestInvitationByMailIsForOneAddress(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, p := t.Context(), newPost(t, d)
		sp, err := p.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		in, link, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Address: "boris@Example.org", Role: access.Editor}, 0)
		must(t, err)
		if link != "" || len(p.letters) != 1 || !strings.HasPrefix(p.letters[0], "School boris@Example.org https://here/invitation#") || in.Uses != 1 || !in.ExpiresAt.Equal(noon.Add(7*24*time.Hour)) {
			t.Errorf("invited %+v, told %q, sent %q", in, link, p.letters)
		}
		_, _, err = p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Address: "BORIS@example.org", Role: access.Viewer}, 0)
		if !errors.Is(err, ErrInvited) {
			t.Errorf("the same address again: %v", err)
		}
		first := p.token("")
		// Whoever else has the token learns no more than who has none.
		for name, c := range map[string]struct {
			who   access.Actor
			token string
		}{
			"somebody else":         {person("carla"), first},
			"nobody that is known":  {access.Actor{}, first},
			"a device":              {access.Actor{Kind: access.Device, ID: "boris"}, first},
			"a made-up token":       {person("boris"), strings.Repeat("A", len(first))},
			"a token that is short": {person("boris"), first[1:]},
			"no token":              {person("boris"), ""},
		} {
			_, err := p.Look(ctx, c.who, c.token)
			if _, again := p.Accept(ctx, c.who, c.token); !errors.Is(err, ErrInvitation) || !errors.Is(again, ErrInvitation) || err.Error() != again.Error() || err.Error() != ErrInvitation.Error() {
				t.Errorf("%s: %v and %v, want %v", name, err, again, ErrInvitation)
			}
		}
		// Sent again, the first link is dead.
		p.now = p.now.Add(24 * time.Hour)
		again, err := p.Resend(ctx, person("anna"), sp.ID, in.ID)
		must(t, err)
		if len(p.letters) != 2 || again.Address != "boris@Example.org" || !again.ExpiresAt.Equal(p.now.Add(7*24*time.Hour)) {
			t.Errorf("sent again: %+v, %q", again, p.letters)
		}
		if _, err := p.Accept(ctx, person("boris"), first); !errors.Is(err, ErrInvitation) {
			t.Errorf("the first link: %v", err)
		}
		if m, err := p.Look(ctx, person("boris"), p.token("")); m.Name != "School" || m.Role != access.Editor || err != nil {
			t.Errorf("Look = %+v, %v", m, err)
		}
		m, err := p.Accept(ctx, person("boris"), p.token(""))
		if m.ID != sp.ID || m.Role != access.Editor || err != nil {
			t.Errorf("Accept = %+v, %v", m, err)
		}
		if role, err := p.Role(ctx, sp.ID, "boris"); role != access.Editor || err != nil {
			t.Errorf("Boris is %q, %v", role, err)
		}
		if _, err := p.Accept(ctx, person("boris"), p.token("")); !errors.Is(err, ErrInvitation) {
			t.Errorf("taken twice: %v", err)
		}
		entries, err := journal.List(ctx, d, journal.Query{Space: sp.ID})
		must(t, err)
		var actions []string
		for _, e := range entries {
			actions = append(actions, e.Action)
			for _, v := range e.Detail {
				if strings.Contains(v, "@") || strings.Contains(v, p.token("")) {
					t.Errorf("the journal holds %q", v)
				}
			}
		}
		if got := strings.Join(actions, " "); got != "org:create invitation:create invitation:resend invitation:accept" || entries[3].Actor != "user:boris" {
			t.Errorf("journal: %s by %s", got, entries[len(entries)-1].Actor)
		}
	})
}

func TestLinkServesSoMany(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, p := t.Context(), newPost(t, d)
		sp, err := p.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		// More than one link at once: neither has an address that could collide.
		_, other, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Role: access.Viewer}, 1)
		must(t, err)
		in, link, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Role: access.Viewer, Uses: 2}, 30)
		must(t, err)
		if _, err := p.Accept(ctx, person("anna"), p.token(link)); !errors.Is(err, ErrMember) {
			t.Errorf("a member takes it: %v", err)
		}
		if _, err := p.Accept(ctx, person("boris"), p.token(link)); err != nil {
			t.Errorf("the first: %v", err)
		}
		if _, err := p.Accept(ctx, person("carla"), p.token(link)); err != nil {
			t.Errorf("the second: %v", err)
		}
		if _, err := p.Accept(ctx, person("dora"), p.token(link)); !errors.Is(err, ErrInvitation) {
			t.Errorf("the third: %v", err)
		}
		// There are as many as the space may have: the other link stays for later.
		_, err = p.Accept(ctx, person("dora"), p.token(other))
		if !errors.Is(err, ErrQuota) || !strings.Contains(err.Error(), "3 of at most 3 members") {
			t.Errorf("the fourth member: %v", err)
		}
		must(t, p.SetLimit(ctx, system, sp.ID, Members, 4, false))
		if _, err := p.Accept(ctx, person("dora"), p.token(other)); err != nil {
			t.Errorf("with a higher limit: %v", err)
		}
		if _, err := p.Resend(ctx, person("anna"), sp.ID, in.ID); !errors.Is(err, ErrNoInvitation) {
			t.Errorf("Resend of a link that is used up: %v", err)
		}
		if all, err := p.Invitations(ctx, sp.ID); len(all) != 0 || err != nil {
			t.Errorf("open: %+v, %v", all, err)
		}
	})
}

func TestInvitationsEnd(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, p := t.Context(), newPost(t, d)
		sp, err := p.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		other, err := p.AddShared(ctx, person("carla"), "carla", "Home")
		must(t, err)
		invite := func() (Invitation, string) {
			t.Helper()
			in, link, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Role: access.Viewer}, 1)
			must(t, err)
			return in, p.token(link)
		}
		in, token := invite()
		if err := p.Uninvite(ctx, person("carla"), other.ID, in.ID); !errors.Is(err, ErrNoInvitation) {
			t.Errorf("withdrawn from another space: %v", err)
		}
		if _, err := p.Resend(ctx, person("anna"), sp.ID, in.ID); !errors.Is(err, ErrResend) {
			t.Errorf("Resend of a link: %v", err)
		}
		must(t, p.Uninvite(ctx, person("anna"), sp.ID, in.ID))
		if _, err := p.Accept(ctx, person("boris"), token); !errors.Is(err, ErrInvitation) {
			t.Errorf("withdrawn: %v", err)
		}
		_, token = invite()
		p.now = p.now.Add(24*time.Hour - time.Microsecond)
		if _, err := p.Look(ctx, person("boris"), token); err != nil {
			t.Errorf("at the last moment: %v", err)
		}
		p.now = p.now.Add(time.Microsecond)
		if _, err := p.Accept(ctx, person("boris"), token); !errors.Is(err, ErrInvitation) {
			t.Errorf("after its day: %v", err)
		}
		// Those that have ended take no room.
		for range maxInvitations {
			invite()
		}
		if _, _, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Role: access.Viewer}, 1); !errors.Is(err, ErrInvitations) {
			t.Errorf("one too many: %v", err)
		}
		p.now = p.now.Add(24 * time.Hour)
		_, token = invite()
		// A letter that could not be sent leaves nothing open.
		p.broken = true
		if _, _, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Address: "boris@example.org", Role: access.Viewer}, 1); !errors.Is(err, errPost) {
			t.Errorf("with the post closed: %v", err)
		}
		if all, err := p.Invitations(ctx, sp.ID); len(all) != 1 || err != nil {
			t.Errorf("open: %d, %v, want 1", len(all), err)
		}
		// An erased space invites nobody.
		_, err = p.Erase(ctx, system, sp.ID, Size{})
		must(t, err)
		if _, err := p.Accept(ctx, person("boris"), token); !errors.Is(err, ErrInvitation) {
			t.Errorf("into an erased space: %v", err)
		}
	})
}

func TestWhatCannotBeInvited(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	ctx, p := t.Context(), newPost(t, d)
	sp, err := p.AddShared(ctx, person("anna"), "anna", "School")
	must(t, err)
	private := uuid.NewString()
	must(t, p.AddPrivate(ctx, "anna", private, "Private"))
	for name, c := range map[string]struct {
		in   Invitation
		days int
		want error
	}{
		"no role":            {Invitation{Space: sp.ID}, 1, access.ErrRole},
		"a made-up role":     {Invitation{Space: sp.ID, Role: "owner"}, 1, access.ErrRole},
		"too long":           {Invitation{Space: sp.ID, Role: access.Viewer}, 31, ErrExpiry},
		"for no time":        {Invitation{Space: sp.ID, Role: access.Viewer}, -1, ErrExpiry},
		"for too many":       {Invitation{Space: sp.ID, Role: access.Viewer, Uses: 501}, 1, ErrUses},
		"one letter for two": {Invitation{Space: sp.ID, Role: access.Viewer, Uses: 2, Address: "a@example.org"}, 1, ErrUses},
		"no address":         {Invitation{Space: sp.ID, Role: access.Viewer, Address: "boris"}, 1, ErrAddress},
		"a name before it":   {Invitation{Space: sp.ID, Role: access.Viewer, Address: "B <b@example.org>"}, 1, ErrAddress},
		"a line break":       {Invitation{Space: sp.ID, Role: access.Viewer, Address: "b@example.org\r\nBcc: c@example.org"}, 1, ErrAddress},
		"a private space":    {Invitation{Space: private, Role: access.Viewer}, 1, ErrPrivate},
		"no space":           {Invitation{Space: uuid.NewString(), Role: access.Viewer}, 1, ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := p.Invite(ctx, person("anna"), c.in, c.days); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	without := service(t, d)
	if _, _, err := without.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Role: access.Viewer, Address: "b@example.org"}, 1); !errors.Is(err, ErrNoMail) {
		t.Errorf("by mail without mail: %v", err)
	}
	if _, err := without.Resend(ctx, person("anna"), sp.ID, "x"); !errors.Is(err, ErrNoMail) {
		t.Errorf("Resend without mail: %v", err)
	}
}

// What is kept of an invitation tells neither its address nor its token.
func TestNothingOfAnInvitationIsInClear(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	ctx, p := t.Context(), newPost(t, d)
	sp, err := p.AddShared(ctx, person("anna"), "anna", "School")
	must(t, err)
	in, _, err := p.Invite(ctx, person("anna"), Invitation{Space: sp.ID, Address: "boris@example.org", Role: access.Viewer}, 0)
	must(t, err)
	rows, err := p.needs.Store.invites(ctx, sp.ID, 0)
	must(t, err)
	if r := rows[0]; len(r.token) != 32 || strings.Contains(string(r.token), p.token("")) || !strings.HasPrefix(string(r.address), sp.ID+"|") ||
		!strings.HasPrefix(string(r.index), "invitation-address|") || !strings.Contains(string(r.address), "org_invite") || !strings.Contains(string(r.address), in.ID) {
		t.Errorf("kept: %+v", r)
	}
}

// Nobody's mailbox is filled by inviting and withdrawing in turns.
func TestLettersAreFew(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	ctx, p := t.Context(), newPost(t, d)
	var spaces []string
	for range 2 {
		sp, err := p.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		spaces = append(spaces, sp.ID)
	}
	invite := func(space, address string) (Invitation, error) {
		in, _, err := p.Invite(ctx, person("anna"), Invitation{Space: space, Address: address, Role: access.Viewer}, 0)
		return in, err
	}
	first, err := invite(spaces[0], "boris@example.org")
	must(t, err)
	if _, err := invite(spaces[1], "Boris@Example.org"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Resend(ctx, person("anna"), spaces[0], first.ID); err != nil {
		t.Fatal(err)
	}
	token := p.token("")
	if _, err := p.Resend(ctx, person("anna"), spaces[0], first.ID); !errors.Is(err, ErrLetters) {
		t.Errorf("the fourth letter: %v", err)
	}
	if _, err := p.Look(ctx, person("boris"), token); err != nil {
		t.Errorf("what was not sent again has ended: %v", err)
	}
	must(t, p.Uninvite(ctx, person("anna"), spaces[0], first.ID))
	if _, err := invite(spaces[0], "boris@example.org"); !errors.Is(err, ErrLetters) {
		t.Errorf("invited anew: %v", err)
	}
	if _, err := invite(spaces[0], "carla@example.org"); err != nil {
		t.Errorf("somebody else: %v", err)
	}
	p.now = p.now.Add(8 * time.Hour)
	if _, err := invite(spaces[0], "boris@example.org"); err != nil {
		t.Errorf("8 hours later: %v", err)
	}
	for i := range 2 * lettersFrom {
		in, err := invite(spaces[1], fmt.Sprintf("pupil-%d@example.org", i))
		if errors.Is(err, ErrLetters) {
			if i < lettersFrom-1 || i > lettersFrom {
				t.Errorf("refused after %d letters", i)
			}
			return
		}
		must(t, err)
		must(t, p.Uninvite(ctx, person("anna"), spaces[1], in.ID))
	}
	t.Error("one space may send any number of letters")
}

// Addresses are one if they differ in the case of ASCII letters only: what Unicode lowers to the same is another mailbox.
func TestSameAddress(t *testing.T) {
	for other, want := range map[string]bool{
		"Kim.Victim@Example.org": true, " kim.victim@example.org ": true,
		"kim.v\u0130ctim@example.org": false, "\u212Aim.victim@example.org": false, "kim@example.org": false,
	} {
		if got := SameAddress("kim.victim@example.org", other); got != want {
			t.Errorf("%q: %v, want %v", other, got, want)
		}
	}
}
