package signin

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// lost asks for a link that sets a new password, and tells where it went; "" for nowhere.
func (h *house) lost(typed string) (to string, l Letter) {
	h.t.Helper()
	if err := h.Lost(h.t.Context(), tab, typed); err != nil {
		h.t.Fatal(err)
	}
	for _, l := range h.post() {
		if l.Kind != "reset" {
			continue
		}
		if l.Address != "" {
			return l.Address, l
		}
		u, err := h.accounts.Get(h.t.Context(), l.To)
		if err != nil {
			h.t.Fatal(err)
		}
		return u.Email, l
	}
	return "", Letter{}
}

// U+0130 and U+212A are lowered to i and k, and are other mailboxes.
func TestALinkGoesToTheAddressAsItIsStored(t *testing.T) {
	h := embedded(t)
	u := h.person("Kim.Victim@example.org")
	if err := h.accounts.AddAddress(t.Context(), person(u.ID), u.ID, "Kim@example.net"); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"Kim.Victim@example.org": "Kim.Victim@example.org", "kim.victim@EXAMPLE.org": "Kim.Victim@example.org",
		"kim@example.NET":             "Kim@example.net",
		"kim.v\u0130ctim@example.org": "", "\u212Aim.victim@example.org": "", "k\u0130m@example.net": "", "\u212Aim@example.net": "",
	} {
		if to, l := h.lost(typed); to != want {
			t.Errorf("%q: the link went to %q, want %q", typed, to, want)
		} else if l.Address != "" && l.Address != want {
			t.Errorf("%q: the letter goes to %q", typed, l.Address)
		}
	}
}

func (h *house) freeze(u account.User) {
	h.t.Helper()
	if err := h.accounts.Freeze(h.t.Context(), person(u.ID), u.ID); err != nil {
		h.t.Fatal(err)
	}
}

// Whoever was at work in an account loses what they added, even when nothing else is left of the person's addresses.
func TestAnAccountIsTakenBack(t *testing.T) {
	for name, intrude := range map[string]func(h *house, u account.User) error{
		"an address is added": func(h *house, u account.User) error {
			return h.accounts.AddAddress(h.t.Context(), person(u.ID), u.ID, "thief@example.net")
		},
		"the person's is removed": func(h *house, u account.User) error {
			ctx, who := h.t.Context(), person(u.ID)
			err := h.accounts.AddAddress(ctx, who, u.ID, "thief@example.net")
			all, err2 := h.accounts.Further(ctx, u.ID)
			if err := errors.Join(err, err2); err != nil {
				return err
			}
			_, err = h.accounts.Prefer(ctx, who, u.ID, all[0].ID)
			u, err2 = h.accounts.Get(ctx, u.ID)
			return errors.Join(err, err2, h.Dropped(ctx, tab, u, all[0].ID))
		},
		"the person's is replaced": func(h *house, u account.User) error {
			return h.accounts.SetEmail(h.t.Context(), person(u.ID), u.ID, "thief@example.net")
		},
	} {
		for age, old := range map[string]time.Duration{"old": 30 * 24 * time.Hour, "young": time.Hour} {
			t.Run(age+" account, "+name, func(t *testing.T) {
				on := each
				if age == "young" { // it asks the store nothing else
					on = func(t *testing.T, test func(t *testing.T, h *house)) { test(t, embedded(t)) }
				}
				on(t, func(t *testing.T, h *house) {
					ctx := t.Context()
					u := h.person("anna@example.org")
					h.Pass(old)
					if err := intrude(h, u); err != nil {
						t.Fatal(err)
					}
					h.Pass(time.Hour)
					h.freeze(u)
					h.Pass(8 * 24 * time.Hour) // as long as it is frozen nothing is forgotten
					if err := h.accounts.Tidy(ctx); err != nil {
						t.Fatal(err)
					}
					h.post()
					if to, _ := h.lost("thief@example.net"); to != "" {
						t.Fatalf("a link went to %q", to)
					}
					if err := h.SendReset(ctx, access.Actor{Kind: access.System}, u.ID); err != nil {
						t.Fatal(err)
					}
					if l := h.letter("reset"); l.Address == "thief@example.net" {
						t.Error("the operator's link goes to the thief")
					}
					to, l := h.lost("ANNA@example.org")
					if to != u.Email {
						t.Fatalf("the link went to %q", to)
					}
					_, tok := token(t, l.Fields["link"])
					h.added = Added{Links: []string{"Google"}, App: true, Passkeys: []string{"K1", "K2"}, Keys: []string{"script"}}
					if _, err := h.Reset(ctx, tab, tok, "weak"); !errors.Is(err, account.ErrWeak) || !h.since.IsZero() {
						t.Errorf("a weak password: %v; asked to take back since %v", err, h.since)
					}
					if _, err := h.Reset(ctx, tab, tok, other); err != nil {
						t.Fatal(err)
					}
					now, err := h.accounts.Get(ctx, u.ID)
					further, err2 := h.accounts.Further(ctx, u.ID)
					if err := errors.Join(err, err2); err != nil || now.Email != u.Email || len(further) != 0 || now.Frozen() {
						t.Errorf("now %+v with %v, %v", now, further, err)
					}
					if l := h.letter("taken-back"); l.To != u.ID || l.Address != "" || l.Fields["addresses"] != "thief@example.net" || l.Fields["services"] != "Google" || l.Fields["factor"] == "" || l.Fields["passkeys"] != "K1, K2" || l.Fields["keys"] != "script" {
						t.Errorf("the letter says %+v", l)
					}
					if _, err := h.walk(tab, "thief@example.net", other, ""); !errors.Is(err, account.ErrCredentials) {
						t.Errorf("by the thief's address: %v", err)
					}
					h.inWithOther(u.Email)
					h.post()
					if to, _ := h.lost("thief@example.net"); to != "" {
						t.Errorf("afterwards a link went to %q", to)
					}
				})
			})
		}
	}
}

// inWithOther signs in with the other password.
func (h *house) inWithOther(email string) {
	h.t.Helper()
	if g, err := h.walk(tab, email, other, ""); err != nil || g == nil {
		h.t.Errorf("signing in: %v, %v", g, err)
	}
}

// Without any address of before nobody is sent a link, and the operator is told what to do.
func TestAYoungAddressAloneOpensNothing(t *testing.T) {
	h := embedded(t)
	ctx := t.Context()
	u := h.person("anna@example.org")
	h.Pass(30 * 24 * time.Hour)
	if err := h.accounts.SetEmail(ctx, person(u.ID), u.ID, "thief@example.net"); err != nil {
		t.Fatal(err)
	}
	if err := h.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from account_former`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h.freeze(u)
	if to, _ := h.lost("thief@example.net"); to != "" {
		t.Errorf("a link went to %q", to)
	}
	if err := h.SendReset(ctx, access.Actor{Kind: access.System}, u.ID); !errors.Is(err, ErrYoung) || len(h.post()) != 0 {
		t.Errorf("the operator: %v", err)
	}
}

// A request that is refused does not push out the links that were sent to the person.
func TestRefusedRequestsEvictNothing(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.Pass(30 * 24 * time.Hour)
	if err := h.accounts.AddAddress(t.Context(), person(u.ID), u.ID, "thief@example.net"); err != nil {
		t.Fatal(err)
	}
	h.freeze(u)
	_, l := h.lost(u.Email)
	_, tok := token(t, l.Fields["link"])
	for range 5 {
		h.Pass(time.Second)
		h.lost("thief@example.net")
	}
	if _, err := h.accounts.Link(t.Context(), account.LinkReset, tok); err != nil {
		t.Errorf("the person's link: %v", err)
	}
}

// Links that were sent to an address end with it.
func TestLinksEndWithTheAddress(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		u := h.person("anna@example.org")
		who := person(u.ID)
		links := func() (all []string) {
			for _, l := range []account.Link{{Purpose: account.LinkReset}, {Purpose: account.LinkEmail, Text: "x@example.org"}, {Purpose: account.LinkAddress, Text: "y@example.org"}} {
				l.Account = u.ID
				tok, err := h.accounts.Invite(ctx, who, l)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, tok.Reveal())
			}
			return all
		}
		alive := func(all []string) string {
			var left []string
			for i, p := range []account.Purpose{account.LinkReset, account.LinkEmail, account.LinkAddress} {
				if _, err := h.accounts.Link(ctx, p, all[i]); err == nil {
					left = append(left, string(p))
				}
			}
			return strings.Join(left, " ")
		}
		further := func() string {
			all, err := h.accounts.Further(ctx, u.ID)
			if err != nil || len(all) != 1 {
				t.Fatalf("further: %v, %v", all, err)
			}
			return all[0].ID
		}
		if err := h.accounts.AddAddress(ctx, who, u.ID, "anna@example.net"); err != nil {
			t.Fatal(err)
		}
		made := links()
		if got := alive(made); got != "reset email address" {
			t.Fatalf("before: %s", got)
		}
		if _, err := h.accounts.Prefer(ctx, who, u.ID, further()); err != nil {
			t.Fatal(err)
		}
		if got := alive(made); got != "email address" {
			t.Errorf("after another was made the first: %s", got)
		}
		made = links()
		if err := h.accounts.DropAddress(ctx, who, u.ID, further()); err != nil {
			t.Fatal(err)
		}
		if got := alive(made); got != "" {
			t.Errorf("after one was removed: %s", got)
		}
		made = links()
		if err := h.accounts.SetEmail(ctx, who, u.ID, "anna@example.com"); err != nil {
			t.Fatal(err)
		}
		if got := alive(made); got != "email address" {
			t.Errorf("after it was replaced: %s", got)
		}
	})
}

// An address that was removed opens nothing while the account is not frozen, and is free for others.
func TestAFormerAddressIsNobodysWhileNothingIsFrozen(t *testing.T) {
	h := embedded(t)
	ctx := t.Context()
	u := h.person("anna@example.org")
	if err := h.accounts.SetEmail(ctx, person(u.ID), u.ID, "anna@example.net"); err != nil {
		t.Fatal(err)
	}
	if to, _ := h.lost("anna@example.org"); to != "" {
		t.Errorf("a link went to %q", to)
	}
	h.freeze(u)
	berta := h.person("anna@example.org")
	if _, l := h.lost("anna@example.org"); l.To != berta.ID {
		t.Errorf("the link is %+v, want for the one who has the address", l)
	}
	h.Pass(8 * 24 * time.Hour)
	if err := errors.Join(h.accounts.Unfreeze(ctx, person(u.ID), u.ID), h.accounts.Tidy(ctx)); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := h.db.One(ctx, func(r db.Row) error { return r.Scan(&n) }, `select count(1) from account_former`); err != nil || n != 0 {
		t.Errorf("%d former addresses are kept, %v", n, err)
	}
}

// Proofs after the first are counted for the account, by whichever of its addresses the sign-in began.
func TestSecondProofsAreCountedForTheAccount(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	if err := h.accounts.AddAddress(t.Context(), person(u.ID), u.ID, "anna@example.net"); err != nil {
		t.Fatal(err)
	}
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	for _, typed := range []string{"anna@example.org", "anna@example.net"} {
		if _, err := h.walk(tab, typed, good, "000000"); !errors.Is(err, ErrCode) {
			t.Fatal(err)
		}
	}
	var codes, words []string
	for _, try := range h.tries {
		if try.Account != u.ID {
			t.Errorf("a try for %q", try.Account)
		}
		if try.Act == ActCode {
			codes = append(codes, try.Who)
		} else {
			words = append(words, try.Who)
		}
	}
	if len(codes) != 2 || codes[0] != codes[1] || len(words) != 2 || slices.Contains(words, codes[0]) || words[0] == words[1] {
		t.Errorf("codes are counted for %v, passwords for %v", codes, words)
	}
}

// What the page says of a frozen account names what the new password takes away.
func TestAFrozenPageNamesWhatIsTakenAway(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	if err := h.Warn(t.Context(), "", "address-added", u.ID, "", nil); err != nil {
		t.Fatal(err)
	}
	path, tok := token(t, h.letter("address-added").Fields["link"])
	b := h.browser()
	b.get(path + "?token=" + tok)
	b.submit(path, url.Values{})
	b.sees("Your account is frozen", "other services, addresses, an authenticator app, passkeys and API keys")
}
