package access

import (
	"errors"
	"testing"
)

// A guest reaches what was lent, as it was lent, and nothing else of the space that it is of;
// whoever it was not lent to, and a key that was made for another space, reach none of it.
func TestGuests(t *testing.T) {
	p := newPolicy(t)
	const own, other = "space-1", "space-2"
	lent := func(how string) Resource {
		return Resource{Type: "Dashboard", ID: "d", Space: other, Owner: "u9", Guest: "u1", Lent: how}
	}
	guest := Actor{Kind: User, ID: "u1", Space: own, Role: Viewer}
	for name, c := range map[string]struct {
		who   Actor
		reads bool // and how it is answered where it may not: as one who knows, or as a stranger
		knows bool
	}{
		"the guest":                       {guest, true, true},
		"the guest, as an admin at home":  {Actor{Kind: User, ID: "u1", Space: own, Role: Admin}, true, true},
		"a program of the guest":          {Actor{Kind: User, ID: "u1", Space: own, Role: Admin, Client: "grant"}, true, true},
		"the guest's key":                 {Actor{Kind: APIKey, ID: "u1", Space: own, Role: Admin, Client: "k"}, true, true},
		"the guest's key for a space":     {Actor{Kind: APIKey, ID: "u1", Space: own, Role: Admin, Client: "k", Only: own}, false, true},
		"somebody else":                   {Actor{Kind: User, ID: "u2", Space: own, Role: Admin}, false, false},
		"a device with the guest's id":    {Actor{Kind: Device, ID: "u1", Space: own}, false, false},
		"nobody":                          {Actor{}, false, false},
		"the guest, who is in no space":   {Actor{Kind: User, ID: "u1", Role: Admin}, false, true},
		"the guest, as a service account": {Actor{Kind: APIKey, ID: "u1", Space: own, Role: Service, Client: "k", Only: own, Cap: Service}, false, true},
	} {
		no := error(ErrDenied)
		if c.knows {
			no = ErrForbidden
		}
		for action, needs := range map[Action]string{
			"dashboard:read": Read, "property:read": Read, "series:query": Read, "property:publish": Write, "share:leave": Read,

			"dashboard:list": "never", "dashboard:update": "never", "dashboard:delete": "never", "dashboard:clone": "never",
			"share:list": "never", "share:create": "never", "share:revoke": "never", "thing:read": "never", "thing:list": "never",
			"thing:publish": "never", "thing:update": "never", "thing:watch": "never", "series:export": "never", "property:update": "never",
			"property:list": "never", "device:read": "never", "member:list": "never", "org:read": "never",
		} {
			for _, how := range []string{Read, Write, ""} {
				want := no
				if c.reads && (needs == Read && how != "" || needs == Write && how == Write) {
					want = nil
				}
				if got := p.Allow(c.who, action, lent(how)); !same(got, want) {
					t.Errorf("%s, lent to %q: %s = %v, want %v", name, how, action, got, want)
				}
			}
		}
	}
	// What was lent to nobody is nobody's, whatever the actor is called.
	if got := p.Allow(Actor{Kind: User, Space: own, Role: Admin}, "dashboard:read", Resource{Type: "Dashboard", ID: "d", Space: other}); !errors.Is(got, ErrDenied) {
		t.Errorf("an actor without an id: %v", got)
	}
}

// Who shares what is not a program's business.
func TestServiceAccountsDoNotShare(t *testing.T) {
	p := newPolicy(t)
	for _, action := range []Action{"share:list", "share:create", "share:revoke", "sharerequest:create"} {
		who := Actor{Kind: APIKey, ID: "u1", Client: "k", Space: "s", Only: "s", Role: Service}
		if got := p.Allow(who, action, Resource{Type: "Dashboard", ID: "d", Space: "s", Owner: "u1"}); !errors.Is(got, ErrForbidden) {
			t.Errorf("%s = %v, want %v", action, got, ErrForbidden)
		}
	}
}
