package access

import (
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrDenied is what a stranger gets: it does not tell whether the thing exists.
	ErrDenied = problem.New(problem.NotFound, "not-found", "There is no such thing here.")
	// ErrForbidden is what a member of the space gets whose role does not allow it.
	ErrForbidden = problem.New(problem.Forbidden, "forbidden", "Your role in this space does not allow this.")
)

// A Kind says what sort of actor it is.
type Kind int

const (
	Anonymous Kind = iota // nobody that we know; only open routes admit them
	User                  // a person, signed in
	APIKey                // a program that acts for a person with a key
	Device                // a board
	Staff                 // somebody who keeps this server for others; see policy.cedar
	System                // this server itself and its administrator at the admin socket

	kinds // how many there are
)

var kindNames = [kinds]string{"anonymous", "user", "apikey", "device", "staff", "system"}

func (k Kind) String() string {
	if k < 0 || k >= kinds {
		return "unknown"
	}
	return kindNames[k]
}

// A Role is what a member of a space may do there. The text is what the
// database and the command line say.
type Role string

const (
	NoRole  Role = ""        // not a member
	Admin   Role = "admin"   // everything, also members and the space itself
	Editor  Role = "editor"  // everything but members, certificates' generations and the space itself
	Viewer  Role = "viewer"  // looks
	Service Role = "service" // a Service Account: programs; as Editor on the fleet, and nothing of people
)

// Roles are all roles that a member can have.
func Roles() []Role { return []Role{Admin, Editor, Viewer, Service} }

// Lesser is what somebody may do who is a and may not be more than b: the lower of
// the two. Neither a Viewer's nor a Service Account's rights hold the other's, so of
// those two it is NoRole, as with a role that is none.
func Lesser(a, b Role) Role {
	switch {
	case AtMost(a, b):
		return a
	case AtMost(b, a):
		return b
	}
	return NoRole
}

// AtMost says whether everything that a may do b may do too.
func AtMost(a, b Role) bool { return slices.Contains(within[b], a) }

// within are the roles that a role holds. A test holds it against the policy.
var within = map[Role][]Role{
	Admin: {Admin, Editor, Viewer, Service}, Editor: {Editor, Viewer, Service}, Viewer: {Viewer}, Service: {Service},
}

// ErrRole is a role that is none of Roles.
var ErrRole = problem.New(problem.Invalid, "invalid-role", "A role is one of admin, editor, viewer, service.")

// ParseRole reads a role as people and the database write it.
func ParseRole(text string) (Role, error) {
	for _, r := range Roles() {
		if strings.EqualFold(text, string(r)) {
			return r, nil
		}
	}
	return NoRole, ErrRole
}

// An Actor is who does something. The zero Actor is nobody.
type Actor struct {
	Kind    Kind
	ID      string // user id, or device id
	Space   string // the space acted in: the tenant handle; always set for User and APIKey
	Client  string // API key id; of a User, the id of what a program was granted, "" in our own pages
	Only    string // the only space that the API key enters; "" for all of its person's
	Cap     Role   // the most that a service account's key may be in Only; "" for all that its person is
	Role    Role   // in Space
	Grant   string // the space that its people have opened to a Staff, and that for now; "" for none
	ACR     string // how surely a User, or who made an APIKey, has signed in: "1" one proof, "2" two, "3" one that cannot be phished; else ""
	Request string // the request's ID, for the journal and the log
}

// Edits says whether who's role is to change the fleet of its space: who only looks is shown no
// address of a webhook, since many hold a secret.
func (a Actor) Edits() bool { return AtMost(Service, a.Role) }

// String names an actor in the journal: "user:UUID", "apikey:UUID/CLIENT", "system".
func (a Actor) String() string {
	switch {
	case a.ID == "":
		return a.Kind.String()
	case a.Client != "":
		return a.Kind.String() + ":" + a.ID + "/" + a.Client
	}
	return a.Kind.String() + ":" + a.ID
}

// An Action is "noun:verb", for instance "thing:read". The verb is one of
// Verbs; it decides which role is enough. The noun says of what, so that
// policy.cedar can make exceptions for it.
type Action string

// Noun and verb of an action; both are empty when it is not "noun:verb".
func (a Action) split() (noun, verb string) {
	noun, verb, ok := strings.Cut(string(a), ":")
	if !ok || noun == "" || verb == "" || strings.Contains(verb, ":") {
		return "", ""
	}
	return noun, verb
}

// A Resource is what an action is about. Space is whose it is: "" belongs to nobody
// and is denied to everyone but System.
type Resource struct {
	Type  string // Thing, Device, Property, Series, Space, ApiKey, … as policy.cedar spells it
	ID    string
	Space string
	Owner string // user id of who made it, where it matters; for a device: its device id
	// Guest is the user id of whom the resource was lent to, who is no member of Space; ""
	// for nobody. Lent is how: Read or Write.
	Guest, Lent string
}

// How something is lent to a guest.
const (
	Read  = "read"  // to look at
	Write = "write" // also to write values
)
