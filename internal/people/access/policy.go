package access

import (
	_ "embed"
	"fmt"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
)

//go:embed policy.cedar
var policyText []byte

// verbs are the groups that policy.cedar speaks of. A verb that is not here
// makes an action unknown, and unknown actions are refused when routes are
// declared and denied when asked about.
var verbs = map[string]string{
	"read": "read", "list": "read", "query": "read", "export": "read", "watch": "read",

	"write": "write", "create": "write", "update": "write", "delete": "write", "publish": "write", "import": "write",
	"clone": "write", "restore": "write", "tag": "write", "attach": "write", "detach": "write",
	"claim": "write", "issue": "write", "revoke": "write", "upload": "write", "cancel": "write",
	"accept": "write", "leave": "write", "apply": "write",

	"manage": "manage", "invite": "manage", "remove": "manage", "rotate": "manage", "erase": "manage",

	"report": "report", "record": "report",
}

// nouns whose actions fall in another group than their verb's.
var nouns = map[string]map[string]string{
	"account": {"read": "personal", "write": "personal"},
	"apikey":  {"read": "personal", "write": "personal"},
	"factor":  {"read": "personal", "write": "personal"},
	// Browsers that take notices.
	"push":   {"read": "personal", "write": "personal"},
	"org":    {"read": "read", "write": "manage", "manage": "manage"},
	"member": {"read": "read", "write": "manage", "manage": "manage"},
	// What a person does about being in spaces: make one, join one, leave one.
	"membership": {"read": "personal", "write": "personal"},
	"invitation": {"read": "manage", "write": "manage", "manage": "manage"},
	// Keys that are bound to a space, whoever made them.
	"spacekey": {"read": "manage", "write": "manage"},
	"journal":  {"read": "manage"},
	// What takes a dashboard out of its space: guests, and public links. Who may change
	// dashboards sees it too.
	"share": {"read": "write", "write": "write"},
	// Where values go besides: an address and the secrets that sign may be seen by who may change them.
	"webhook": {"read": "write", "write": "write"},
	// A bridge takes the values of a whole space elsewhere, and lets others write them.
	"homeassistant": {"read": "manage", "write": "manage"},
	// What anybody may do about dashboards of others: ask to see one.
	"sharerequest": {"write": "personal"},
	"ca":           {"read": "read", "write": "manage", "manage": "manage"},
}

// group of an action; "" when it is none that we know.
func (a Action) group() string {
	noun, verb := a.split()
	g := verbs[verb]
	if special, ok := nouns[noun]; ok {
		return special[g]
	}
	return g
}

// Known reports whether a is an action that the policy can decide about.
func Known(a Action) bool { return a.group() != "" }

// A Policy decides. It is read once and never changes; all methods may be called
// from any goroutine.
type Policy struct {
	set   *cedar.PolicySet
	roles map[types.EntityUID]types.Entity
}

// New reads the policy that is built into this binary.
func New() (*Policy, error) { return parse(policyText) }

func parse(text []byte) (*Policy, error) {
	list, err := cedar.NewPolicyListFromBytes("policy.cedar", text)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	set := cedar.NewPolicySet()
	for _, p := range list {
		id := string(p.Annotations()["id"])
		if id == "" {
			return nil, fmt.Errorf("read policy: the one at %v has no @id", p.Position())
		}
		if !set.Add(cedar.PolicyID(id), p) {
			return nil, fmt.Errorf("read policy: two are called %q", id)
		}
	}
	roles := make(map[types.EntityUID]types.Entity)
	for role, in := range map[Role][]types.EntityUID{
		Viewer:  nil,
		Editor:  {roleUID(Viewer)},
		Admin:   {roleUID(Editor), roleUID(Viewer)},
		Service: {roleUID(Editor), roleUID(Viewer)},
	} {
		roles[roleUID(role)] = types.Entity{UID: roleUID(role), Parents: types.NewEntityUIDSet(in...)}
	}
	return &Policy{set: set, roles: roles}, nil
}

func roleUID(r Role) types.EntityUID { return types.NewEntityUID("Role", types.String(r)) }

// cedarKind names the principal types of policy.cedar.
var cedarKind = [kinds]types.EntityType{"Anonymous", "User", "ApiKey", "Device", "Staff", "System"}

// Allow answers nil when who may do a to r. Otherwise it is ErrForbidden for a
// member of r's space whose role is too low, and ErrDenied for everyone else, so
// that a stranger learns nothing.
func (p *Policy) Allow(who Actor, a Action, r Resource) error {
	if p.decide(who, a, r) {
		return nil
	}
	member := (who.Kind == User || who.Kind == APIKey) && who.Role != NoRole &&
		who.Space != "" && who.Space == r.Space
	if r.Guest != "" && r.Guest == who.ID && who.Kind != Device {
		member = true // knows that it is there
	}
	if !member || a.group() == "personal" && r.Owner != who.ID {
		return ErrDenied
	}
	return ErrForbidden
}

func (p *Policy) decide(who Actor, a Action, r Resource) bool {
	noun, _ := a.split()
	group := a.group()
	if group == "" || who.Kind <= Anonymous || who.Kind >= kinds || r.Type == "" {
		return false
	}
	if who.ID == "" && who.Kind != System {
		return false
	}
	w := world{policy: p}
	action := types.NewEntityUID("Action", types.String(a))
	w.action = types.Entity{UID: action, Parents: types.NewEntityUIDSet(
		types.NewEntityUID("Action", types.String(group)),
		types.NewEntityUID("Action", types.String(noun+":*")),
	)}
	w.principal = types.Entity{
		UID: types.NewEntityUID(cedarKind[who.Kind], types.String(who.ID)),
		Attributes: types.NewRecord(types.RecordMap{
			"space":   types.String(who.Space),
			"user":    types.String(who.ID),
			"bound":   types.Boolean(who.Only != ""),
			"grant":   types.String(who.Grant),
			"program": types.Boolean(who.Kind == User && who.Client != ""),
		}),
	}
	if who.Role != NoRole && (who.Kind == User || who.Kind == APIKey) {
		w.principal.Parents = types.NewEntityUIDSet(roleUID(who.Role))
	}
	w.resource = types.Entity{
		// The noun's own type is prefixed, so that no resource can pass for a principal or a role.
		UID: types.NewEntityUID(types.EntityType("Resource::"+r.Type), types.String(r.ID)),
		Attributes: types.NewRecord(types.RecordMap{
			"space": types.String(r.Space),
			"owner": types.String(r.Owner),
			"guest": types.String(r.Guest),
			"lent":  types.String(r.Lent),
		}),
	}
	decision, diagnostic := cedar.Authorize(p.set, &w, cedar.Request{
		Principal: w.principal.UID, Action: action, Resource: w.resource.UID,
	})
	// A policy that could not be evaluated may have been the forbid that counts.
	return decision == cedar.Allow && len(diagnostic.Errors) == 0
}

// world is what one decision knows: the request's three entities and the roles.
type world struct {
	policy                      *Policy
	principal, action, resource types.Entity
}

// Get is cedar's question for an entity.
func (w *world) Get(uid types.EntityUID) (types.Entity, bool) {
	switch uid {
	case w.principal.UID:
		return w.principal, true
	case w.action.UID:
		return w.action, true
	case w.resource.UID:
		return w.resource, true
	}
	e, ok := w.policy.roles[uid]
	return e, ok
}
