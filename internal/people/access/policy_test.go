package access

import (
	"errors"
	"strings"
	"testing"
)

func newPolicy(t testing.TB) *Policy {
	t.Helper()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Every role meets every group of actions, on its own space and on another's.
func TestRolesAndActions(t *testing.T) {
	p := newPolicy(t)
	const own, other = "space-1", "space-2"
	member := func(k Kind, r Role) Actor { return Actor{Kind: k, ID: "u1", Space: own, Role: r} }
	ok, no, gone := error(nil), error(ErrForbidden), error(ErrDenied)

	groups := map[string]struct {
		action   Action
		resource Resource
	}{
		"look":       {"thing:read", Resource{Type: "Thing", ID: "t", Space: own, Owner: "u9"}},
		"change":     {"thing:write", Resource{Type: "Thing", ID: "t", Space: own, Owner: "u9"}},
		"publish":    {"property:publish", Resource{Type: "Property", ID: "p", Space: own, Owner: ""}},
		"certify":    {"device:issue", Resource{Type: "Device", ID: "d", Space: own, Owner: ""}},
		"see people": {"member:list", Resource{Type: "Space", ID: own, Space: own, Owner: ""}},
		"people":     {"member:write", Resource{Type: "Space", ID: own, Space: own, Owner: ""}},
		"space":      {"org:write", Resource{Type: "Space", ID: own, Space: own, Owner: ""}},
		"ca":         {"ca:rotate", Resource{Type: "CA", ID: "1", Space: own, Owner: ""}},
		"own key":    {"apikey:write", Resource{Type: "ApiKey", ID: "k", Space: own, Owner: "u1"}},
		"other key":  {"apikey:read", Resource{Type: "ApiKey", ID: "k", Space: own, Owner: "u9"}},
		"account":    {"account:write", Resource{Type: "Account", ID: "u1", Space: own, Owner: "u1"}},
		"report":     {"property:record", Resource{Type: "Property", ID: "p", Space: own, Owner: "u1"}},
		"unknown":    {"thing:explode", Resource{Type: "Thing", ID: "t", Space: own, Owner: ""}},
	}
	for name, c := range map[string]struct {
		who  Actor
		want map[string]error
	}{
		"admin": {member(User, Admin), map[string]error{
			"look": ok, "change": ok, "publish": ok, "certify": ok, "see people": ok, "people": ok, "space": ok, "ca": ok,
			"own key": ok, "other key": gone, "account": ok, "report": no, "unknown": no}},
		"editor": {member(User, Editor), map[string]error{
			"look": ok, "change": ok, "publish": ok, "certify": ok, "see people": ok, "people": no, "space": no, "ca": no,
			"own key": ok, "other key": gone, "account": ok, "report": no, "unknown": no}},
		"viewer": {member(User, Viewer), map[string]error{
			"look": ok, "change": no, "publish": no, "certify": no, "see people": ok, "people": no, "space": no, "ca": no,
			"own key": ok, "other key": gone, "account": ok, "report": no, "unknown": no}},
		"service": {member(User, Service), map[string]error{
			"look": ok, "change": ok, "publish": ok, "certify": ok, "see people": no, "people": no, "space": no, "ca": no,
			"own key": ok, "other key": gone, "account": ok, "report": no, "unknown": no}},
		"key of an admin": {member(APIKey, Admin), map[string]error{
			"look": ok, "change": ok, "publish": ok, "certify": ok, "see people": ok, "people": ok, "space": ok, "ca": ok,
			"own key": ok, "other key": gone, "account": no, "report": no, "unknown": no}},
		"key of a viewer": {member(APIKey, Viewer), map[string]error{
			"look": ok, "change": no, "publish": no, "certify": no, "see people": ok, "people": no, "space": no, "ca": no,
			"own key": ok, "other key": gone, "account": no, "report": no, "unknown": no}},
		"without a role": {member(User, NoRole), map[string]error{
			"look": gone, "change": gone, "publish": gone, "certify": gone, "see people": gone, "people": gone, "space": gone, "ca": gone,
			"own key": gone, "other key": gone, "account": gone, "report": gone, "unknown": gone}},
		"made-up role": {member(User, "owner"), map[string]error{
			"look": no, "change": no, "publish": no, "certify": no, "see people": no, "people": no, "space": no, "ca": no,
			"own key": no, "other key": gone, "account": no, "report": no, "unknown": no}},
		"device": {Actor{Kind: Device, ID: "u1", Space: own}, map[string]error{
			"look": gone, "change": gone, "publish": gone, "certify": gone, "see people": gone, "people": gone, "space": gone, "ca": gone,
			"own key": gone, "other key": gone, "account": gone, "report": ok, "unknown": gone}},
		"device that says it is an admin": {Actor{Kind: Device, ID: "u1", Space: own, Role: Admin}, map[string]error{
			"look": gone, "change": gone, "publish": gone, "certify": gone, "see people": gone, "people": gone, "space": gone, "ca": gone,
			"own key": gone, "other key": gone, "account": gone, "report": ok, "unknown": gone}},
		"nobody": {Actor{}, map[string]error{
			"look": gone, "change": gone, "publish": gone, "certify": gone, "see people": gone, "people": gone, "space": gone, "ca": gone,
			"own key": gone, "other key": gone, "account": gone, "report": gone, "unknown": gone}},
		"nobody with a role": {Actor{Kind: Anonymous, ID: "u1", Space: own, Role: Admin}, map[string]error{
			"look": gone, "change": gone, "publish": gone, "certify": gone, "see people": gone, "people": gone, "space": gone, "ca": gone,
			"own key": gone, "other key": gone, "account": gone, "report": gone, "unknown": gone}},
		"system": {Actor{Kind: System}, map[string]error{
			"look": ok, "change": ok, "publish": ok, "certify": ok, "see people": ok, "people": ok, "space": ok, "ca": ok,
			"own key": ok, "other key": ok, "account": ok, "report": ok, "unknown": gone}},
	} {
		for group, g := range groups {
			t.Run(name+"/"+group, func(t *testing.T) {
				want, listed := c.want[group]
				if !listed {
					t.Fatal("the table does not say")
				}
				if got := p.Allow(c.who, g.action, g.resource); !same(got, want) {
					t.Errorf("Allow(%s) = %v, want %v", g.action, got, want)
				}
				if c.who.Kind == System {
					return
				}
				foreign := g.resource
				foreign.Space = other
				if got := p.Allow(c.who, g.action, foreign); !same(got, ErrDenied) {
					t.Errorf("Allow(%s) in another space = %v, want %v", g.action, got, ErrDenied)
				}
				foreign.Space = ""
				if got := p.Allow(c.who, g.action, foreign); !same(got, ErrDenied) {
					t.Errorf("Allow(%s) on what belongs to nobody = %v, want %v", g.action, got, ErrDenied)
				}
			})
		}
	}
}

func same(got, want error) bool {
	if want == nil {
		return got == nil
	}
	return errors.Is(got, want)
}

// An actor without a space is in no tenant, even if the resource is in none either.
func TestNoSpaceIsNoTenant(t *testing.T) {
	p := newPolicy(t)
	who := Actor{Kind: User, ID: "u1", Role: Admin}
	if got := p.Allow(who, "thing:read", Resource{Type: "Thing", ID: "t"}); !errors.Is(got, ErrDenied) {
		t.Errorf("Allow = %v, want %v", got, ErrDenied)
	}
}

// A resource cannot pass for a role or a principal by its type and id.
func TestResourceIsNoPrincipal(t *testing.T) {
	p := newPolicy(t)
	who := Actor{Kind: User, ID: "u1", Space: "s"}
	for _, r := range []Resource{{Type: "Role", ID: "admin", Space: "s", Owner: "u1"}, {Type: "User", ID: "u1", Space: "s", Owner: "u1"}, {Type: "System", ID: "", Space: "s", Owner: "u1"}} {
		if p.Allow(who, "thing:read", r) == nil {
			t.Errorf("Allow on %+v is nil", r)
		}
	}
}

// A policy that errs denies, also when another one permits.
func TestCedarErrorDenies(t *testing.T) {
	text := string(policyText) + "\n@id(\"broken\")\nforbid (principal, action, resource) when { principal.nothing };\n"
	p, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	who := Actor{Kind: User, ID: "u1", Space: "s", Role: Admin}
	if got := p.Allow(who, "thing:read", Resource{Type: "Thing", ID: "t", Space: "s"}); got == nil {
		t.Error("Allow = nil although a forbid could not be evaluated")
	}
}

func TestPolicyIsRefusedWithoutNames(t *testing.T) {
	for name, text := range map[string]string{
		"no id":    "permit (principal, action, resource);",
		"same id":  "@id(\"a\") permit (principal, action, resource); @id(\"a\") permit (principal, action, resource);",
		"not even": "permit everything",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := parse([]byte(text)); err == nil {
				t.Error("parse accepted it")
			}
		})
	}
}

func TestKnown(t *testing.T) {
	for action, want := range map[Action]bool{
		"thing:read": true, "thing:": false, ":read": false, "thing": false, "": false, "thing:read:all": false,
		"thing:fly": false, "apikey:write": true, "apikey:record": false, "journal:write": false, "ca:rotate": true,
	} {
		if got := Known(action); got != want {
			t.Errorf("Known(%q) = %v, want %v", action, got, want)
		}
	}
}

func TestParseRole(t *testing.T) {
	for text, want := range map[string]Role{"admin": Admin, "Editor": Editor, "VIEWER": Viewer, "service": Service} {
		if got, err := ParseRole(text); got != want || err != nil {
			t.Errorf("ParseRole(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"", "owner", "admin "} {
		if _, err := ParseRole(text); !errors.Is(err, ErrRole) {
			t.Errorf("ParseRole(%q) = %v, want %v", text, err, ErrRole)
		}
	}
}

func TestActorString(t *testing.T) {
	for want, a := range map[string]Actor{
		"user:u1":      {Kind: User, ID: "u1"},
		"apikey:u1/k1": {Kind: APIKey, ID: "u1", Client: "k1"},
		"system":       {Kind: System},
		"anonymous":    {},
		"device:d1":    {Kind: Device, ID: "d1"},
	} {
		if got := a.String(); got != want {
			t.Errorf("String = %q, want %q", got, want)
		}
	}
	if got := Kind(99).String(); got != "unknown" {
		t.Errorf("Kind(99) = %q", got)
	}
}

func BenchmarkAllow(b *testing.B) {
	p := newPolicy(b)
	who := Actor{Kind: APIKey, ID: "u1", Space: strings.Repeat("s", 36), Role: Editor}
	r := Resource{Type: "Thing", ID: "t", Space: who.Space}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Allow(who, "thing:write", r); err != nil {
			b.Fatal(err)
		}
	}
}
