package door

import (
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Route is one address of a room. What it leaves out is the strict choice:
// members only, the space as resource, a body of at most DefaultBody bytes.
type Route struct {
	Pattern string // as http.ServeMux reads it, with a method: "GET /iot/v2/things/{id}"; a final slash never matters
	Action  access.Action
	// Resource finds what Action is about; nil means SpaceOf. It runs after
	// authentication and before the body is read, and answers access.ErrDenied,
	// or its room's own NotFound, for what is not there.
	Resource Loader
	Open     bool          // anyone may come, without token; then Action and Resource stay empty
	MaxBody  int64         // bytes; 0 is DefaultBody
	Timeout  time.Duration // for the whole request; 0 is DefaultTimeout
	// In and Out are zero values of the wire types. When In is set the body is
	// checked against it before Do runs: see Schema for the tags.
	In, Out any
	Status  int // of success; 0 is 200
	Do      func(w http.ResponseWriter, r *http.Request, who access.Actor) error
}

// A Loader finds the resource of a request. who is authenticated and in a space.
type Loader func(r *http.Request, who access.Actor) (access.Resource, error)

// SpaceOf is the Loader of collections: what is asked for is the actor's space itself.
func SpaceOf(_ *http.Request, who access.Actor) (access.Resource, error) {
	return access.Resource{Type: "Space", ID: who.Space, Space: who.Space}, nil
}

const (
	DefaultBody    = 64 << 10         // bytes of a request's body
	DefaultTimeout = 30 * time.Second // of a request, body included
)
