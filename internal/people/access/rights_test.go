package access

import (
	"slices"
	"testing"
)

// What people read about roles is what the policy decides, for every action: no right
// is allowed in part.
func TestWordsAboutRolesAreThePolicysDecisions(t *testing.T) {
	p := newPolicy(t)
	// Which rights each role has is written here a second time, to be read when it changes.
	want := map[Role][]int{
		Admin:   {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27},
		Editor:  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 19, 20, 21, 22, 23, 24, 25, 26},
		Viewer:  {0, 1, 2, 3, 6, 8, 10, 19, 20, 21, 22, 23, 26},
		Service: {0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 19, 20, 21, 22, 23, 24},
	}
	for _, role := range Roles() {
		can := p.Can(role)
		for i, right := range Rights() {
			may := slices.Contains(want[role], i)
			if got := slices.Contains(can, right.Words); got != may {
				t.Errorf("%s may %s: %v, want %v", role, right.Words, got, may)
			}
			for _, a := range right.Actions {
				for _, kind := range []Kind{User, APIKey} {
					who := Actor{Kind: kind, ID: "u", Space: "s", Role: role}
					got := p.Allow(who, a, Resource{Type: "X", ID: "x", Space: "s", Owner: "u"}) == nil
					if got != may {
						t.Errorf("%s as %s may %s: %v, but its right says %v", kind, role, a, got, may)
					}
				}
			}
		}
	}
	if can := p.Can(NoRole); len(can) != 0 {
		t.Errorf("who is no member may %v", can)
	}
}

func TestEachActionIsInOneRight(t *testing.T) {
	seen := map[Action]string{}
	for _, r := range Rights() {
		for _, a := range r.Actions {
			if other, twice := seen[a]; twice {
				t.Errorf("%s is in %q and in %q", a, other, r.Words)
			}
			if seen[a] = r.Words; !Known(a) {
				t.Errorf("%s is unknown", a)
			}
		}
	}
}

// A role is at most another one exactly if the policy allows it nothing that it does not
// allow the other.
func TestRolesHoldOneAnother(t *testing.T) {
	p := newPolicy(t)
	for _, a := range Roles() {
		for _, b := range Roles() {
			less := true
			for _, words := range p.Can(a) {
				less = less && slices.Contains(p.Can(b), words)
			}
			if got := AtMost(a, b); got != less {
				t.Errorf("AtMost(%s, %s) = %v, and the policy says %v", a, b, got, less)
			}
			want := NoRole
			switch {
			case less:
				want = a
			case AtMost(b, a):
				want = b
			}
			if got := Lesser(a, b); got != want {
				t.Errorf("Lesser(%s, %s) = %q, want %q", a, b, got, want)
			}
		}
		if got := Lesser(a, "owner"); got != NoRole {
			t.Errorf("Lesser(%s, made-up) = %q", a, got)
		}
	}
}

// Who steals a key of one space gets neither its person's other keys nor other spaces.
func TestBoundKeysKeepToTheirSpace(t *testing.T) {
	p := newPolicy(t)
	for _, role := range Roles() {
		who := Actor{Kind: APIKey, ID: "u", Client: "k", Space: "s", Only: "s", Role: role}
		for _, r := range Rights() {
			for _, a := range r.Actions {
				noun, _ := a.split()
				own := Resource{Type: "X", ID: "x", Space: "s", Owner: "u"}
				free := who
				free.Only = ""
				want := p.Allow(free, a, own) == nil && noun != "apikey" && noun != "membership" && noun != "push" && noun != "sharerequest" && a != "org:erase" && a != "org:manage"
				if got := p.Allow(who, a, own) == nil; got != want {
					t.Errorf("%s of a bound key as %s: %v, want %v", a, role, got, want)
				}
			}
		}
	}
}
