package access

import "slices"

// A Right is something that people may do, in their words, and the actions that it
// is made of. Which roles have it is the policy's to say.
type Right struct {
	Words   string // completes "may"
	Actions []Action
}

// rights are all that members can be allowed. Each action that anything asks about
// stands in exactly one of them.
var rights = []Right{
	{"see devices, things, properties and their values, live and from the past", []Action{
		"device:read", "device:list", "thing:read", "thing:list", "thing:watch", "property:read", "property:list", "propertytype:list", "board:list",
		"series:query", "ota:read", "ota:list", "certificate:read", "certificate:list", "credential:list", "simulation:read"}},
	{"take the values out as a file", []Action{"series:export"}},
	{"see the space, its limits, and what roles may do", []Action{"org:read", "org:list", "role:list"}},
	{"see who the other members are", []Action{"member:list"}},
	{"write values to things", []Action{"thing:publish", "property:publish", "series:import"}},
	{"make, change and delete things and their properties", []Action{
		"thing:create", "thing:write", "thing:update", "thing:delete", "thing:clone", "thing:tag", "property:create", "property:update", "property:delete"}},
	{"see templates, and take them out as a file", []Action{"template:read", "template:list"}},
	{"make, import, rename and delete templates, and make what is in them", []Action{"template:create", "template:update", "template:delete", "template:apply"}},
	{"see triggers and what became of what they did", []Action{"trigger:read", "trigger:list", "action:read", "action:list"}},
	{"make, change and delete triggers, which write to members, call webhooks and set properties", []Action{
		"trigger:create", "trigger:update", "trigger:delete", "action:create", "action:update", "action:delete"}},
	{"see which properties are kept the same", []Action{"sync:read", "sync:list"}},
	{"say which properties are kept the same", []Action{"sync:create", "sync:update", "sync:delete"}},
	{"see and change webhooks of things and devices, and what signs what they tell", []Action{"webhook:read", "webhook:create", "webhook:update", "webhook:delete"}},
	{"add, claim, change and delete devices, and update them over the air", []Action{
		"device:create", "device:claim", "device:write", "device:update", "device:delete", "device:tag",
		"ota:upload", "ota:create", "ota:cancel", "ota:delete", "simulation:create", "simulation:delete"}},
	{"issue and revoke certificates of devices", []Action{"certificate:issue", "certificate:update", "certificate:revoke"}},
	{"rename the space, give it a logo, and say how surely people must sign in", []Action{"org:update"}},
	{"invite people, give them roles and remove them", []Action{
		"invitation:list", "invitation:create", "invitation:update", "invitation:revoke", "member:update", "member:remove"}},
	{"see and revoke everybody's API keys of this space", []Action{"spacekey:list", "spacekey:revoke"}},
	{"hand the space over to somebody else, or disband it for ever, if they own it", []Action{"org:manage", "org:erase"}},
	{"make, change and revoke API keys of their own", []Action{"apikey:list", "apikey:create", "apikey:update", "apikey:delete"}},
	{"make other spaces, accept invitations, and leave this space", []Action{"membership:create", "membership:read", "membership:accept", "membership:leave"}},
	{"have notices shown by browsers of their own", []Action{"push:list", "push:create", "push:delete"}},
	{"see what they did themselves and what was done with their account", []Action{"account:read"}},
	{"see dashboards, and what they show", []Action{"dashboard:read", "dashboard:list"}},
	{"make, change, copy and delete dashboards", []Action{"dashboard:create", "dashboard:update", "dashboard:delete", "dashboard:clone"}},
	{"share dashboards with people who are no members, and by a public link", []Action{"share:list", "share:create", "share:revoke", "share:leave"}},
	{"ask to see dashboards of others", []Action{"sharerequest:create"}},
	{"see and set up the bridge to Home Assistant, which shows it the space's values and lets it write them", []Action{"homeassistant:read", "homeassistant:update", "homeassistant:delete"}},
}

// Rights is the list, in the order in which people read it.
func Rights() []Right { return slices.Clone(rights) }

// Can says in words what a signed-in person may do who is role in a space, as the
// policy decides it.
func (p *Policy) Can(role Role) []string {
	// Personal rights are over what is one's own.
	who := Actor{Kind: User, ID: "u", Space: "s", Role: role}
	var all []string
	for _, r := range rights {
		if !slices.ContainsFunc(r.Actions, func(a Action) bool {
			return p.Allow(who, a, Resource{Type: "Space", ID: "s", Space: "s", Owner: "u"}) != nil
		}) {
			all = append(all, r.Words)
		}
	}
	return all
}
