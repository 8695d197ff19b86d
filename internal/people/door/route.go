package door

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
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
	// Space is the wildcard of Pattern that names the space to enter, instead of
	// X-Organization, which may name the same one.
	Space   string
	Open    bool          // anyone may come, without token; then Action and Resource stay empty
	MaxBody int64         // bytes; 0 is DefaultBody
	Timeout time.Duration // for the whole request; 0 is DefaultTimeout
	// In and Out are zero values of the wire types. When In is set the body is
	// checked against it before Do runs: see Schema for the tags. Out is for
	// those who read the declarations; tests hold each answer against it, nothing does at run time.
	In, Out any
	Status  int // of success; 0 is 200
	Doc     Doc
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
	answerTime     = 30 * time.Second // for a client to take the answer of a route with a longer Timeout, after that
)

// check says what is wrong with a declaration.
func (r Route) check() error {
	method, path, ok := strings.Cut(r.Pattern, " ")
	switch {
	case !ok || method == "" || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/"):
		return fmt.Errorf("route %q: the pattern is not a method and a path", r.Pattern)
	case r.Do == nil:
		return fmt.Errorf("route %q: nothing to do", r.Pattern)
	case r.Open && (r.Action != "" || r.Resource != nil):
		return fmt.Errorf("route %q: open to anyone, and yet about an action or a resource", r.Pattern)
	case !r.Open && !access.Known(r.Action):
		return fmt.Errorf("route %q: the policy does not know the action %q", r.Pattern, r.Action)
	case r.Open && r.Space != "":
		return fmt.Errorf("route %q: open to anyone, and yet in a space", r.Pattern)
	case r.Space != "" && !strings.Contains(path, "{"+r.Space+"}"):
		return fmt.Errorf("route %q: there is no {%s} to name a space", r.Pattern, r.Space)
	case r.MaxBody < 0 || r.Timeout < 0:
		return fmt.Errorf("route %q: a bound is negative", r.Pattern)
	}
	return nil
}

// registered is the pattern without its final slash, since requests come without.
func (r Route) registered() string {
	method, path, _ := strings.Cut(r.Pattern, " ")
	if path == "/" {
		return method + " /{$}"
	}
	return method + " " + strings.TrimSuffix(path, "/")
}

// A Declaration is what is known about a route without running it: one line of
// the list that a golden file keeps, one row of the matrix that tests walk.
type Declaration struct {
	Method  string
	Path    string   // with its wildcards
	Params  []string // the wildcards' names, in order
	Action  access.Action
	Open    bool
	Space   string // the wildcard that names the space; "" leaves it to X-Organization
	MaxBody int64  // bytes
	Timeout time.Duration
	Status  int  // of success
	Checked bool // the body is checked against a schema
}

// Table lists routes by path and method.
func Table(routes []Route) []Declaration {
	all := make([]Declaration, 0, len(routes))
	for _, r := range routes {
		method, path, _ := strings.Cut(r.Pattern, " ")
		d := Declaration{
			Method: method, Path: path, Action: r.Action, Open: r.Open, Space: r.Space, Checked: r.In != nil,
			MaxBody: cmp.Or(r.MaxBody, DefaultBody), Timeout: cmp.Or(r.Timeout, DefaultTimeout),
			Status: cmp.Or(r.Status, http.StatusOK),
		}
		for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
			d.Params = append(d.Params, m[1])
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Declaration) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
	return all
}

var wildcard = regexp.MustCompile(`\{(\w+)(?:\.\.\.)?\}`)

// String is the route's line in a golden file.
func (d Declaration) String() string {
	who := string(d.Action)
	if d.Open {
		who = "OPEN"
	}
	body := "-"
	if d.Checked {
		body = "checked"
	}
	return fmt.Sprintf("%s %s %s %d %s %d", d.Method, d.Path, who, d.MaxBody, body, d.Status)
}

// Fill replaces the wildcards of the path by what param says.
func (d Declaration) Fill(param func(name string) string) string {
	return wildcard.ReplaceAllStringFunc(d.Path, func(m string) string {
		return url.PathEscape(param(wildcard.FindStringSubmatch(m)[1]))
	})
}
