package house

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/jsonschema"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/openapi"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A twist is one way to ask an operation for what it may not want.
type twist struct {
	name  string
	param map[string]string // instead of what the caller owns, by wildcard
	ask   sample
}

// A contract is the document, and somebody who asks for odd things.
type contract struct {
	*caller
	doc    *openapi.Document
	random *rand.Rand // nil for the short form
}

// The document drives this: each operation is asked with unknown ids, without what it requires, with the wrong types, at
// its bounds and beyond, with huge numbers and odd letters, with another content type and with no JSON at all. It answers
// with statuses that it declares (the house's watch looks at each), it never fails, and what it refuses changes nothing.
func TestContract(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, func(c *server.Config) {
		c.APIRate, c.OpenRate, c.TokenRate, c.Quota = -1, -1, -1, []string{"requests=0", "triggers=0", "notices=0", "dashboards=0"}
	})
	doc, err := h.Server.Document()
	if err != nil {
		t.Fatal(err)
	}
	c := &contract{caller: newCaller(t, h), doc: doc}
	rounds := 1
	if os.Getenv("ARDESIA_SOAK") != "" {
		rounds = 5
	}
	asked := 0
	for round := range rounds {
		if round > 0 {
			c.random = rand.New(rand.NewPCG(uint64(round), 24))
		}
		for _, d := range door.Table(h.Server.Routes()) {
			op := doc.Paths[d.Path][strings.ToLower(d.Method)]
			if op == nil {
				continue
			}
			asked += c.hold(d, op)
		}
	}
	if asked < 1500 {
		t.Errorf("only %d requests: the document says too little", asked)
	}
	t.Logf("%d requests", asked)
}

// hold asks one operation in all ways.
func (c *contract) hold(d door.Declaration, op *openapi.Operation) (asked int) {
	c.t.Helper()
	twists := c.twists(d, op)
	var refused []twist
	changed := false
	for _, w := range twists {
		got := c.twisted(d, w)
		asked++
		if got.status >= 300 {
			refused = append(refused, w)
		} else {
			changed = true
		}
	}
	if d.Method == "GET" || d.Open {
		return asked
	}
	if changed {
		c.settleFor(d)
	}
	c.path(d, ours) // makes what it names, if it is not there
	// Those that were refused again, and nothing between them: whatever there is stays as it is.
	before := c.everything()
	for _, w := range refused {
		if got := c.twisted(d, w); got.status < 300 {
			c.settleFor(d) // it depends on what was there
			c.path(d, ours)
			before = c.everything()
		}
		asked++
	}
	for what, now := range c.everything() {
		if now != before[what] {
			c.t.Errorf("%s %s: requests that were refused changed %s from %s to %s", d.Method, d.Path, what, before[what], now)
		}
	}
	return asked
}

func (c *contract) twisted(d door.Declaration, w twist) answer {
	c.t.Helper()
	token, err := c.api.Token(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	path := c.path(d, func(name, own string) string {
		if odd, ok := w.param[name]; ok {
			return odd
		}
		return own
	})
	full := sample{c.fillIn(w.ask.query), w.ask.kind, c.fillIn(w.ask.body)}
	got := c.send(d.Method, path, full, "Bearer "+token, nil)
	if err := got.judge(d, full); err != nil {
		c.t.Errorf("%s %s?%s, %s, with %.200q: %d %s: %v", d.Method, path, full.query, w.name, full.body, got.status, got.body, err)
	}
	return got
}

// unsteady is what changes by itself: times of use, and values that are in the air.
var unsteady = regexp.MustCompile(`"(last_activity_at|last_used_at|last_used|used_at|value_updated_at|device_status|last_value|events?)":("[^"]*"|[^,}\]]+|\[[^\]]*\]),?`)

var anID = regexp.MustCompile(`"id":"[^"]*"`)

// everything is what the caller has, by list.
func (c *contract) everything() map[string]string {
	c.t.Helper()
	all := map[string]string{}
	for _, path := range []string{
		"/iot/v2/things?show_properties=true&show_deleted=true", "/iot/v2/devices?show_deleted=true", "/iot/v2/devices/{device}/certs", "/iot/v2/devices/{device}/pass",
		"/iot/v2/dashboards", "/v1/dashboards/{dashboard}/shares", "/iot/v1/triggers?show_deleted=true", "/iot/v1/actions", "/v1/ota/images", "/v1/ota/campaigns", "/ota/v1/ota",
		"/v1/spaces", "/v1/spaces/{space}", "/v1/spaces/{space}/members", "/v1/spaces/{space}/invitations", "/v1/apikeys", "/v1/push",
	} {
		got := c.ask("GET", c.fillIn(path), sample{})
		if got.status >= 500 {
			c.t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
		all[path] = unsteady.ReplaceAllString(string(got.body), "")
		if strings.Contains(path, "/ota") { // updates go on by themselves, and end: which there are stays
			all[path] = fmt.Sprint(anID.FindAllString(string(got.body), -1))
		}
		if got.status >= 300 {
			all[path] = fmt.Sprint(got.status)
		}
	}
	return all
}

const unknownID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

// odd are texts that few expect.
var odd = []string{"", " ", "é漢字😀\u202e\u200b", "\u0001\u001f\u007f", "'\"<script>&{{7*7}}%s\\", strings.Repeat("long ", 2000), "../../etc/passwd", "null", "-1", "1e999"}

func (c *contract) twists(d door.Declaration, op *openapi.Operation) []twist {
	good := samplesOf(d)[0]
	var all []twist
	for _, name := range d.Params {
		for i, id := range []string{unknownID, "é漢😀", strings.Repeat("a", 500), "x"} {
			if i == 0 || c.random != nil || len(d.Params) == 1 {
				all = append(all, twist{fmt.Sprintf("an odd %s (%d)", name, i), map[string]string{name: id}, good})
			}
		}
	}
	for _, p := range op.Parameters {
		if p.In == "query" {
			for _, v := range wrongQuery(p) {
				all = append(all, twist{"an odd " + p.Name, nil, sample{p.Name + "=" + url.QueryEscape(v), good.kind, good.body}})
			}
		}
	}
	all = append(all, twist{"an unknown parameter", nil, sample{"nobody=knows&" + good.query, good.kind, good.body}})
	if op.Body == nil {
		return all
	}
	if d.Path != "/iot/v1/clients/token" && !strings.HasPrefix(d.Path, "/oauth2/") && d.Path != "/v1/apikeys/leaked" {
		all = append(all, twist{"another content type", nil, sample{good.query, "text/x-nothing; charset=utf-7", good.body}})
	}
	for _, body := range []string{"", "null", "[]", "7", `"x"`, "{", "{}", `{"name":"\u0000"}`, "\xff\xfe", strings.Repeat("[", 500), strings.Repeat(" ", int(min(d.MaxBody+1, 200<<10)))} {
		all = append(all, twist{"a body of its own", nil, sample{good.query, good.kind, body}})
	}
	media := op.Body.Content["application/json"]
	if media == nil || media.Schema == nil || good.kind != isJSON {
		return all
	}
	var body any
	if err := json.Unmarshal([]byte(c.fillIn(good.body)), &body); err != nil {
		c.t.Fatalf("%s %s: the sample is not JSON: %v", d.Method, d.Path, err)
	}
	s, wrap := c.shape(media.Schema), func(m map[string]any) any { return m }
	if list, ok := body.([]any); ok && len(list) > 0 { // a list of objects: the first is changed
		body, s = list[0], c.shape(s.Items)
		wrap = func(m map[string]any) any { return []any{m} }
	}
	base, ok := body.(map[string]any)
	if !ok {
		return all
	}
	for _, changed := range c.members(s, base, 0) {
		text, err := json.Marshal(wrap(changed.body))
		if err != nil {
			c.t.Fatal(err)
		}
		all = append(all, twist{changed.name, nil, sample{good.query, good.kind, string(text)}})
	}
	return all
}

func (c *contract) shape(s *jsonschema.Schema) *jsonschema.Schema {
	if s.Ref != "" {
		return c.doc.Components.Schemas[strings.TrimPrefix(s.Ref, jsonschema.Root)]
	}
	return s
}

func wrongQuery(p *openapi.Parameter) []string {
	s := p.Schema
	if s.Items != nil {
		return []string{"x", "é:漢"}
	}
	switch {
	case s.Type[0] == "boolean":
		return []string{"maybe", "2"}
	case s.Type[0] == "integer":
		return []string{"-1", "x", "99999999999999999999", "0", "1000000000"}
	case s.Format != "", len(s.Enum) > 0:
		return []string{"x", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+23:59"}
	}
	return []string{"é漢😀", strings.Repeat("a", 3000)}
}

type changedBody struct {
	name string
	body map[string]any
}

// members are copies of base in which one member is not as s has it, or just so.
func (c *contract) members(s *jsonschema.Schema, base map[string]any, depth int) []changedBody {
	var all []changedBody
	with := func(name string, v any, why string) {
		m := maps.Clone(base)
		m[name] = v
		all = append(all, changedBody{name + " " + why, m})
	}
	names := slices.Sorted(maps.Keys(s.Members))
	for i, name := range names {
		m := c.shape(s.Members[name])
		if slices.Contains(s.Required, name) {
			less := maps.Clone(base)
			delete(less, name)
			all = append(all, changedBody{"without " + name, less})
			with(name, nil, "null")
		}
		if len(m.Type) > 0 {
			with(name, otherKind(m.Type[0]), "of another kind")
		}
		switch {
		case m.Type == nil:
			with(name, map[string]any{"x": []any{nil, 1e300}}, "odd")
		case m.Type[0] == "string":
			if m.MaxLength != nil {
				with(name, strings.Repeat("a", *m.MaxLength), "of full length")
				with(name, strings.Repeat("a", *m.MaxLength+1), "too long")
			}
			if depth == 0 {
				with(name, odd[3], "of controls")
			}
			v := odd[i%len(odd)]
			if c.random != nil {
				v = odd[c.random.IntN(len(odd))]
			}
			with(name, v, "odd")
		case m.Type[0] == "integer", m.Type[0] == "number":
			huge := []any{-1, json.Number("1e308"), json.Number("99999999999999999999"), 0, 0.5}
			for j, v := range huge {
				if c.random != nil || (i+j)%2 == 0 {
					with(name, v, "odd")
				}
			}
			for _, bound := range []*float64{m.Minimum, m.Maximum} {
				if bound != nil {
					with(name, *bound, "at a bound")
				}
			}
		case m.Type[0] == "array":
			with(name, []any{}, "empty")
			with(name, []any{nil}, "of nothing")
			if m.MaxItems != nil && *m.MaxItems <= 2000 {
				with(name, slices.Repeat([]any{"x"}, *m.MaxItems+1), "too long")
			}
		}
		// One step into what is inside, where the sample has it.
		inner, list := base[name], false
		if items, ok := inner.([]any); ok && len(items) > 0 {
			inner, list = items[0], true
		}
		if object, ok := inner.(map[string]any); ok && depth < 2 {
			of := m
			if list && m.Items != nil {
				of = c.shape(m.Items)
			}
			deeper := c.members(of, object, depth+1)
			if c.random == nil && len(deeper) > 12 { // every third in the short form
				var some []changedBody
				for j := depth; j < len(deeper); j += 3 {
					some = append(some, deeper[j])
				}
				deeper = some
			}
			for _, one := range deeper {
				var v any = one.body
				if list {
					v = []any{one.body}
				}
				with(name, v, "with "+one.name)
			}
		}
	}
	if c.random != nil && len(names) > 1 && depth == 0 { // several at once
		for range 10 {
			m := maps.Clone(base)
			for range 2 + c.random.IntN(3) {
				m[names[c.random.IntN(len(names))]] = []any{odd[c.random.IntN(len(odd))], nil, -1, true, []any{}, map[string]any{}, 1e300}[c.random.IntN(7)]
			}
			all = append(all, changedBody{"at random", m})
		}
	}
	return all
}

func otherKind(kind string) any {
	switch kind {
	case "string":
		return 7
	case "integer", "number":
		return "seven"
	case "boolean":
		return "maybe"
	case "array":
		return map[string]any{}
	}
	return []any{1}
}

// What is declared of a query is what is read: the words about parameters and the code agree.
func TestContractHasQueries(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	doc, err := h.Server.Document()
	if err != nil {
		t.Fatal(err)
	}
	c := newCaller(t, h)
	for _, d := range door.Table(h.Server.Routes()) {
		op := doc.Paths[d.Path][strings.ToLower(d.Method)]
		if op == nil {
			continue
		}
		declared := map[string]bool{}
		for _, p := range op.Parameters {
			declared[p.Name] = p.In == "query"
		}
		for _, s := range samplesOf(d) {
			q, err := url.ParseQuery(c.fillIn(s.query))
			if err != nil {
				t.Fatal(err)
			}
			for name := range q {
				if !declared[name] && !strings.HasPrefix(d.Path, "/oauth2/") {
					t.Errorf("%s %s is asked with %s, which is not declared", d.Method, d.Path, name)
				}
			}
		}
		// A flag, a number, a time or a word that is none is refused: somebody reads it.
		for _, p := range op.Parameters {
			if p.In != "query" || p.Schema.Items != nil || strings.HasPrefix(p.Description, "is taken") {
				continue
			}
			if kind := p.Schema.Type[0]; kind == "string" && p.Schema.Format == "" && len(p.Schema.Enum) == 0 {
				continue
			}
			good := samplesOf(d)[0]
			path := c.path(d, ours)
			got := c.ask(d.Method, path, sample{p.Name + "=~none~", good.kind, c.fillIn(good.body)})
			if got.status != http.StatusBadRequest {
				t.Errorf("%s %s?%s=~none~ answers %d %s: nobody reads it", d.Method, path, p.Name, got.status, got.body)
			}
		}
	}
}
