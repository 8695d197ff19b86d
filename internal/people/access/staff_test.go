package access

import (
	"errors"
	"testing"
)

// Who keeps the server gets at nothing of a space: not as a stranger, not when an error elsewhere puts
// them into it with the highest role, and not with a grant for another space. Nobody permits
// them anything with a grant either, yet, and never what is a person's own.
func TestStaffKeepOutOfSpaces(t *testing.T) {
	p := newPolicy(t)
	for name, who := range map[string]Actor{
		"outside":                      {Kind: Staff, ID: "s1"},
		"inside with a role":           {Kind: Staff, ID: "s1", Space: "school", Role: Admin},
		"with a grant":                 {Kind: Staff, ID: "s1", Space: "school", Role: Admin, Grant: "school"},
		"with a grant of another":      {Kind: Staff, ID: "s1", Space: "school", Role: Admin, Grant: "other"},
		"with a key":                   {Kind: Staff, ID: "s1", Space: "school", Role: Admin, Client: "k1"},
		"with the space of no tenant":  {Kind: Staff, ID: "s1", Space: "", Role: Admin, Grant: ""},
		"who is a member as a person,": {Kind: Staff, ID: "u1", Space: "school", Role: Admin},
	} {
		for _, right := range Rights() {
			for _, a := range right.Actions {
				for _, r := range []Resource{{Type: "Thing", ID: "t", Space: "school", Owner: "u1"}, {Type: "Thing", ID: "t", Space: "school", Owner: "s1"}, {Type: "Thing", ID: "t"}} {
					if err := p.Allow(who, a, r); !errors.Is(err, ErrDenied) {
						t.Errorf("%s, %s on %+v: %v", name, a, r, err)
					}
				}
			}
		}
	}
}

// The standing forbids hold against a permit that somebody may write: a grant is for its space
// alone, and opens nothing that is personal.
func TestStaffNeedAGrantWhateverIsPermitted(t *testing.T) {
	p, err := parse([]byte(string(policyText) + "\n@id(\"too-much\")\npermit (principal is Staff, action, resource);\n"))
	if err != nil {
		t.Fatal(err)
	}
	in := Actor{Kind: Staff, ID: "s1", Space: "school"}
	granted := in
	granted.Grant = "school"
	for name, c := range map[string]struct {
		who  Actor
		a    Action
		r    Resource
		want error
	}{
		"without a grant":               {in, "thing:read", Resource{Type: "Thing", ID: "t", Space: "school"}, ErrDenied},
		"with one":                      {granted, "thing:read", Resource{Type: "Thing", ID: "t", Space: "school"}, nil},
		"with one, elsewhere":           {granted, "thing:read", Resource{Type: "Thing", ID: "t", Space: "other"}, ErrDenied},
		"with one, what is a person's":  {granted, "apikey:list", Resource{Type: "ApiKey", ID: "k", Space: "school", Owner: "s1"}, ErrDenied},
		"with one, somebody's factors":  {granted, "factor:read", Resource{Type: "Factor", ID: "f", Space: "school", Owner: "s1"}, ErrDenied},
		"without one, what is nobody's": {Actor{Kind: Staff, ID: "s1"}, "thing:read", Resource{Type: "Thing", ID: "t"}, ErrDenied},
	} {
		if err := p.Allow(c.who, c.a, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
