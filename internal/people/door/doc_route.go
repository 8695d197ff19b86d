package door

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Doc is what people and programs read about a route, as data. Nothing of it changes what the route does; tests
// hold each answer of it against this.
type Doc struct {
	// ID names the operation, as "things_v2#list": what stands before the # is the group that it is shown in. Where
	// the compatible API has such an operation it is that one's name.
	ID      string
	Summary string // what it does, in one line of plain English
	More    string // what else one has to know; sentences
	// Query is a zero value whose fields are the parameters of the query, with the tags of a Schema and says:"…". The
	// room reads them by itself; what it clamps it does not refuse.
	Query any
	Takes string // the body's media type where it is not JSON
	Form  any    // a zero value whose fields are those of a form, in the same way; Takes says of which kind
	Gives string // Content-Type of success; "" is application/json if the route has an Out, and otherwise no body
	Also  []int  // statuses that are neither its success nor a problem: 200 beside 202, a redirect
	// Fails are problems that it answers besides those that the door has for every route.
	Fails []*problem.Problem
	// Silent is a status that may come without body, because clients of the compatible API want none; 0 is none.
	Silent int
	// Plain errors are not in our form but in that of a standard: OAuth's, or an empty body.
	Plain bool
	// Pages are for browsers that people sit at; the document leaves them out.
	Page bool
}

// Words are Docs by the pattern of their route.
type Words map[string]Doc

// Tell gives each route its words. Words about a route that is not there become a route that does nothing, which no Door takes.
func (words Words) Tell(routes []Route) []Route {
	told := make(map[string]bool, len(words))
	for i, r := range routes {
		if doc, ok := words[r.Pattern]; ok {
			routes[i].Doc, told[r.Pattern] = doc, true
		}
	}
	for pattern, doc := range words {
		if !told[pattern] {
			routes = append(routes, Route{Pattern: pattern, Doc: doc})
		}
	}
	return routes
}

// Problems are what r may answer if it does not do what it is asked for, sorted by kind and code: the door's and its
// room's. Those of whoever says who comes, and where they may enter, are not among them.
func (r Route) Problems() []*problem.Problem {
	all := append([]*problem.Problem{ErrAddress, ErrLimited, ErrSlow, problem.Of(errOurs)}, r.Doc.Fails...)
	if !r.Open {
		all = append(all, ErrToken, access.ErrForbidden)
		if strings.Contains(r.Pattern, "{") {
			all = append(all, access.ErrDenied)
		}
	}
	if r.Space != "" {
		all = append(all, ErrTwoSpaces)
	}
	if r.In != nil {
		all = append(all, ErrField, rest.ErrBody)
	}
	if r.In != nil || r.Doc.Takes != "" {
		all = append(all, rest.ErrTooLarge)
	}
	slices.SortStableFunc(all, func(a, b *problem.Problem) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Code, b.Code))
	})
	return slices.CompactFunc(all, func(a, b *problem.Problem) bool { return a.Kind == b.Kind && a.Code == b.Code })
}

// errOurs is anything that is not the client's fault.
var errOurs = errors.New("our own fault")
