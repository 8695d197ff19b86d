package openapi

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/jsonschema"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// Needs are what a document is made of besides routes.
type Needs struct {
	Title, Version string
	Server         string // https:// address; "" for none
	Token          string // where tokens are, a path
	Groups         []Group
	// Entering are problems of whoever says who comes and what they may enter: any route that needs a token may answer them.
	Entering []*problem.Problem
}

// A Group is a chapter: operations whose IDs begin with one of Of and a #.
type Group struct {
	Name, Text string
	Of         []string
}

// MediaError is the Content-Type of problems.
const MediaError = "application/vnd.goa.error+json"

const about = `This is the API of this server, and also that of the Arduino Cloud: programs that were written for one talk to the other. ` +
	`What Ardesia adds is below /v1.

Get a token with the id and secret of an API key, and send it as a bearer token; the answer 401 says to get the next one. ` +
	`Requests act in the key owner's own space unless X-Organization names another.

Times are RFC 3339, ids are UUIDs. A member of a request that may be left out may be null too, and what is not declared is skipped. ` +
	`A path may end in a slash. Problems are one JSON object everywhere: code is for programs, detail for people, id is what the server's log has.`

// Build writes routes down. Its error says which declaration is wrong.
func Build(routes []door.Route, n Needs) (*Document, error) {
	d := &Document{
		OpenAPI: "3.1.1", Dialect: "https://json-schema.org/draft/2020-12/schema",
		Info:     Info{Title: n.Title, Version: n.Version, Description: about, License: map[string]string{"name": "Apache-2.0", "identifier": "Apache-2.0"}},
		Security: []map[string][]string{{"bearer": {}}, {"key": {}}},
		Paths:    map[string]map[string]*Operation{},
		Components: Components{
			Security: map[string]any{
				"bearer": map[string]any{"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An access token: of an API key, or of a program that a person let in."},
				"key": map[string]any{"type": "oauth2", "description": "The id and secret of an API key are exchanged for a token.",
					"flows": map[string]any{"clientCredentials": map[string]any{"tokenUrl": n.Server + n.Token, "scopes": map[string]string{}}}},
			},
			Parameters: map[string]*Parameter{"X-Organization": {Name: "X-Organization", In: "header", Schema: &jsonschema.Schema{Type: jsonschema.Types{"string"}, Format: "uuid"},
				Description: "The space to act in. Without it that is the one which the token is for, and else the owner's own."}},
			Headers: headers(),
		},
	}
	if n.Server != "" {
		d.Servers = []Server{{URL: n.Server}}
	}
	b := builder{d: d, n: n, shapes: door.Shapes{}, used: map[string]string{}}
	for _, r := range routes {
		if r.Doc.Page {
			continue
		}
		if err := b.add(r); err != nil {
			return nil, fmt.Errorf("route %q: %w", r.Pattern, err)
		}
	}
	d.Components.Schemas = maps.Clone(b.shapes.All)
	if d.Components.Schemas == nil {
		d.Components.Schemas = map[string]*jsonschema.Schema{}
	}
	d.Components.Schemas["Error"] = problemShape()
	b.group()
	return d, nil
}

func problemShape() *jsonschema.Schema {
	text := func(says string) *jsonschema.Schema {
		return &jsonschema.Schema{Type: jsonschema.Types{"string"}, Description: says}
	}
	return &jsonschema.Schema{Type: jsonschema.Types{"object"}, Required: []string{"code", "detail", "id", "status"}, Members: map[string]*jsonschema.Schema{
		"id": text("of the request, as in the server's log"), "code": text("what is wrong, for programs; it does not change"),
		"detail": text("what is wrong and what to do, for people"), "status": {Type: jsonschema.Types{"integer"}, Description: "the HTTP status again"},
	}}
}

func headers() map[string]*Header {
	whole := func(says string) *Header {
		return &Header{Description: says, Schema: &jsonschema.Schema{Type: jsonschema.Types{"integer"}}}
	}
	return map[string]*Header{
		"Retry-After":           whole("Seconds after which to try again."),
		"X-RateLimit-Limit":     whole("How many requests may come at once, of that limit of which least is left: the key's, the space's, or the address's. Ratelimit-Policy says of each how many a minute come back."),
		"X-RateLimit-Remaining": whole("How many of them are left at this moment."),
		"X-RateLimit-Reset":     whole("Seconds until all of them are there again, if nothing more is asked."),
	}
}

type builder struct {
	d      *Document
	n      Needs
	shapes door.Shapes
	used   map[string]string // pattern by operation
}

var wildcard = regexp.MustCompile(`\{(\w+)(?:\.\.\.)?\}`)

func (b *builder) add(r door.Route) error {
	method, path, _ := strings.Cut(r.Pattern, " ")
	path = wildcard.ReplaceAllString(path, "{$1}")
	op := &Operation{
		ID: cmp.Or(r.Doc.ID, r.Pattern), Summary: r.Doc.Summary, Description: r.Doc.More, Open: r.Open, Method: method, Path: path,
		Responses: map[string]*Response{}, plain: r.Doc.Plain, told: r.Doc.ID != "",
	}
	if other, twice := b.used[op.ID]; twice {
		return fmt.Errorf("the operation %s is %q too", op.ID, other)
	}
	b.used[op.ID] = r.Pattern
	if r.Open {
		op.Security = []map[string][]string{{}}
	}
	if err := b.parameters(op, r); err != nil {
		return err
	}
	if err := b.body(op, r); err != nil {
		return err
	}
	if err := b.success(op, r); err != nil {
		return err
	}
	b.problems(op, r)
	if b.d.Paths[path] == nil {
		b.d.Paths[path] = map[string]*Operation{}
	}
	b.d.Paths[path][strings.ToLower(method)] = op
	return nil
}

func (b *builder) parameters(op *Operation, r door.Route) error {
	for _, m := range wildcard.FindAllStringSubmatch(op.Path, -1) {
		op.Parameters = append(op.Parameters, &Parameter{Name: m[1], In: "path", Required: true, Schema: &jsonschema.Schema{Type: jsonschema.Types{"string"}}})
	}
	query, err := door.Parameters(r.Doc.Query)
	if err != nil {
		return err
	}
	for _, p := range query {
		c := *p.Schema
		c.Description = ""
		op.Parameters = append(op.Parameters, &Parameter{Name: p.Name, In: "query", Required: p.Required, Explode: p.Many, Description: p.Description, Schema: &c})
	}
	if !r.Open {
		op.Parameters = append(op.Parameters, &Parameter{Ref: "#/components/parameters/X-Organization"})
	}
	return nil
}

func (b *builder) body(op *Operation, r door.Route) error {
	switch {
	case r.In != nil:
		shape, err := b.shapes.Taken(r.In)
		if err != nil {
			return err
		}
		op.Body = &Body{Required: true, Content: map[string]*Media{"application/json": {shape}}}
	case r.Doc.Form != nil:
		form, err := door.Parameters(r.Doc.Form)
		if err != nil {
			return err
		}
		shape := &jsonschema.Schema{Type: jsonschema.Types{"object"}, Members: map[string]*jsonschema.Schema{}}
		for _, f := range form {
			shape.Members[f.Name] = f.Schema
			if f.Required {
				shape.Required = append(shape.Required, f.Name)
			}
		}
		op.Body = &Body{Required: len(shape.Required) > 0, Content: map[string]*Media{}}
		for _, kind := range strings.Split(r.Doc.Takes, ", ") {
			op.Body.Content[kind] = &Media{shape}
		}
	case r.Doc.Takes != "":
		op.Body = &Body{Required: true, Content: map[string]*Media{}}
		for _, kind := range strings.Split(r.Doc.Takes, ", ") {
			op.Body.Content[kind] = &Media{}
		}
	}
	return nil
}

func (b *builder) success(op *Operation, r door.Route) error {
	status := cmp.Or(r.Status, http.StatusOK)
	good := &Response{Description: http.StatusText(status), Headers: rateHeaders()}
	kind := r.Doc.Gives
	if r.Out != nil {
		shape, err := b.shapes.Given(r.Out)
		if err != nil {
			return err
		}
		good.Content = map[string]*Media{}
		for _, one := range strings.Split(cmp.Or(kind, "application/json"), ", ") {
			media := &Media{}
			if strings.Contains(one, "json") {
				media.Schema = shape
			}
			good.Content[one] = media
		}
	} else if kind != "" {
		good.Content = map[string]*Media{}
		for _, one := range strings.Split(kind, ", ") {
			good.Content[one] = &Media{}
		}
	}
	if status < http.StatusBadRequest {
		op.Responses[strconv.Itoa(status)] = good
	}
	for _, also := range r.Doc.Also {
		c := *good
		c.Description = http.StatusText(also)
		if also >= 300 || also == http.StatusNoContent {
			c.Content = nil
		}
		op.Responses[strconv.Itoa(also)] = &c
	}
	if r.Doc.Silent != 0 {
		op.silent = strconv.Itoa(r.Doc.Silent)
	}
	return nil
}

func rateHeaders() map[string]*Header {
	all := map[string]*Header{}
	for _, name := range []string{"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} {
		all[name] = &Header{Ref: "#/components/headers/" + name}
	}
	return all
}

// problems lists what else may be answered, by status.
func (b *builder) problems(op *Operation, r door.Route) {
	all := r.Problems()
	if !r.Open {
		all = append(all, b.n.Entering...)
	}
	for _, p := range all {
		status := strconv.Itoa(rest.Status(p))
		had := op.Responses[status]
		if had == nil {
			had = &Response{Description: http.StatusText(rest.Status(p)), Content: map[string]*Media{MediaError: {&jsonschema.Schema{Ref: jsonschema.Root + "Error"}}}}
			if r.Doc.Plain {
				had.Content = nil
			}
			if p.Kind == problem.Limited || p.Kind == problem.Unavailable {
				had.Headers = map[string]*Header{"Retry-After": {Ref: "#/components/headers/Retry-After"}}
			}
			op.Responses[status] = had
		}
		if !slices.Contains(had.Codes, p.Code) {
			had.Codes = append(had.Codes, p.Code)
			had.Description += "\n\n`" + p.Code + "`: " + p.Detail
		}
	}
	for _, had := range op.Responses {
		slices.Sort(had.Codes)
	}
}

// group tags the operations, and lists the groups that have any.
func (b *builder) group() {
	rest := map[string]bool{}
	groups := slices.Clone(b.n.Groups)
	has := map[string]bool{}
	for _, op := range b.d.Operations() {
		prefix, _, _ := strings.Cut(op.ID, "#")
		i := slices.IndexFunc(b.n.Groups, func(g Group) bool { return slices.Contains(g.Of, prefix) })
		name := "Others"
		if i >= 0 {
			name = b.n.Groups[i].Name
		} else if !rest[name] {
			rest[name] = true
			groups = append(groups, Group{Name: name})
		}
		op.Tags, has[name] = []string{name}, true
	}
	for _, g := range groups {
		if has[g.Name] {
			b.d.Tags = append(b.d.Tags, Tag{g.Name, g.Text})
		}
	}
}

// methods in the order in which people think of them.
var methods = []string{"get", "post", "put", "patch", "delete"}

// Operations are all of d, by path and method.
func (d *Document) Operations() []*Operation {
	var all []*Operation
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, m := range methods {
			if op := d.Paths[path][m]; op != nil {
				all = append(all, op)
			}
		}
	}
	return all
}

// Untold are the operations that nobody has written a word about.
func (d *Document) Untold() []*Operation {
	return slices.DeleteFunc(d.Operations(), func(op *Operation) bool { return op.told && op.Summary != "" })
}
