package access

import (
	"errors"
	"testing"
)

// Whatever anyone may do elsewhere, what a person has beside a password is the person's.
func TestFactorsAreTheirPersons(t *testing.T) {
	p := newPolicy(t)
	mine := Resource{Type: "Factor", ID: "u1", Space: "s", Owner: "u1"}
	for name, c := range map[string]struct {
		who  Actor
		want error
	}{
		"the person":                    {Actor{Kind: User, ID: "u1", Space: "s"}, nil},
		"the person, as a viewer":       {Actor{Kind: User, ID: "u1", Space: "s", Role: Viewer}, nil},
		"an admin of the space":         {Actor{Kind: User, ID: "u2", Space: "s", Role: Admin}, ErrDenied},
		"a stranger":                    {Actor{Kind: User, ID: "u2", Space: "x", Role: Admin}, ErrDenied},
		"the person's own key":          {Actor{Kind: APIKey, ID: "u1", Space: "s", Client: "k", Role: Admin}, ErrForbidden},
		"the administrator":             {Actor{Kind: System}, ErrDenied},
		"the administrator, as someone": {Actor{Kind: System, ID: "u1", Space: "s", Role: Admin}, ErrDenied},
		"a device":                      {Actor{Kind: Device, ID: "u1", Space: "s"}, ErrDenied},
		"nobody":                        {Actor{}, ErrDenied},
	} {
		for _, action := range []Action{"factor:create", "factor:read", "factor:update", "factor:delete"} {
			t.Run(name+"/"+string(action), func(t *testing.T) {
				if !Known(action) {
					t.Fatal("the policy does not know this action")
				}
				if got := p.Allow(c.who, action, mine); !same(got, c.want) {
					t.Errorf("Allow = %v, want %v", got, c.want)
				}
			})
		}
	}
}

// The forbid does not hang on what is permitted: it also wins over a permit that a
// later policy adds for the administrator.
func TestNoPermitReachesFactors(t *testing.T) {
	text := string(policyText) + "\n@id(\"support\")\npermit (principal is System, action in Action::\"factor:*\", resource);\n"
	p, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := p.Allow(Actor{Kind: System}, "factor:delete", Resource{Type: "Factor", ID: "u1", Space: "s", Owner: "u1"})
	if !errors.Is(got, ErrDenied) {
		t.Errorf("Allow = %v, want %v", got, ErrDenied)
	}
}
