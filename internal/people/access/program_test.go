package access

import (
	"errors"
	"testing"
)

// A program that a person signed in to acts for her on the fleet, and not on what is hers alone.
func TestProgramOfAPerson(t *testing.T) {
	p := newPolicy(t)
	herself := Actor{Kind: User, ID: "u1", Space: "s", Role: Admin}
	program := herself
	program.Client = "grant"
	for name, c := range map[string]struct {
		action   Action
		resource Resource
		personal bool
	}{
		"look at a thing":   {"thing:read", Resource{Type: "Thing", ID: "t", Space: "s", Owner: ""}, false},
		"change a thing":    {"thing:write", Resource{Type: "Thing", ID: "t", Space: "s", Owner: ""}, false},
		"manage a space":    {"org:write", Resource{Type: "Space", ID: "s", Space: "s", Owner: ""}, false},
		"read the account":  {"account:read", Resource{Type: "Account", ID: "u1", Space: "s", Owner: "u1"}, true},
		"write the account": {"account:write", Resource{Type: "Account", ID: "u1", Space: "s", Owner: "u1"}, true},
		"make an API key":   {"apikey:create", Resource{Type: "ApiKey", ID: "k", Space: "s", Owner: "u1"}, true},
		"list API keys":     {"apikey:list", Resource{Type: "ApiKey", ID: "k", Space: "s", Owner: "u1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if err := p.Allow(herself, c.action, c.resource); err != nil {
				t.Fatalf("she herself may not: %v", err)
			}
			if err := p.Allow(program, c.action, c.resource); (err != nil) != c.personal || c.personal && !errors.Is(err, ErrForbidden) {
				t.Errorf("Allow = %v", err)
			}
		})
	}
}
