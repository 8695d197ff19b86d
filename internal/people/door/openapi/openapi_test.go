package openapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

type (
	inLamp struct {
		Name  string   `json:"name" rule:"required,length=1..64" pattern:"^[a-z]+$" says:"as people call it"`
		Level int      `json:"level" rule:"range=0..100"`
		Tags  []string `json:"tags" rule:"items=..3,length=..5"`
		Mode  string   `json:"mode" rule:"enum=ON|OFF"`
	}
	wirePart struct {
		ID string `json:"id"`
	}
	wireLamp struct {
		Name  string         `json:"name"`
		Part  *wirePart      `json:"part"`
		Parts []wirePart     `json:"parts"`
		More  map[string]int `json:"more,omitempty"`
	}
	askLamps struct {
		Lit  bool     `json:"lit" says:"only those"`
		Tags []string `json:"tags"`
	}
)

var errDark = problem.New(problem.Conflict, "lamp-dark", "The lamp is dark.")

func do(http.ResponseWriter, *http.Request, access.Actor) error { return nil }

func lamps(t *testing.T) *Document {
	t.Helper()
	routes := door.Words{
		"GET /lamps":      {ID: "lamps#list", Summary: "List lamps", Query: askLamps{}},
		"PUT /lamps/{id}": {ID: "lamps#set", Summary: "Set a lamp", Gives: "application/vnd.lamp+json", Fails: []*problem.Problem{errDark}, Silent: 400},
		"GET /signin":     {ID: "signin", Page: true},
	}.Tell([]door.Route{
		{Pattern: "GET /lamps", Action: "thing:list", Out: []wireLamp{}, Do: do},
		{Pattern: "PUT /lamps/{id}", Action: "thing:update", In: inLamp{}, Out: wireLamp{}, Status: 201, Do: do},
		{Pattern: "DELETE /lamps/{id}", Action: "thing:delete", Do: do},
		{Pattern: "GET /signin", Open: true, Do: do},
	})
	d, err := Build(routes, Needs{Title: "Lamps", Version: "1", Server: "https://lamps.example", Groups: []Group{{Name: "Lamps", Text: "They are lit.", Of: []string{"lamps"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Everything that is declared is in the document.
func TestBuild(t *testing.T) {
	d := lamps(t)
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"openapi.LampInput":{"type":"object","properties":{"level":{"type":"integer","minimum":0,"maximum":100},"mode":{"type":"string","enum":["ON","OFF"]},"name":{"type":"string","description":"as people call it","pattern":"^[a-z]+$","minLength":1,"maxLength":64},"tags":{"type":"array","maxItems":3,"items":{"type":"string","maxLength":5}}},"required":["name"]}`,
		`"openapi.Lamp":{"type":"object","properties":{"more":{"type":"object","additionalProperties":{"type":"integer"}},"name":{"type":"string"},"part":{"anyOf":[{"type":"null"},{"$ref":"#/components/schemas/openapi.Part"}]},"parts":{"type":"array","items":{"$ref":"#/components/schemas/openapi.Part"}}},"required":["name","part","parts"]}`,
		`{"name":"lit","in":"query","description":"only those","schema":{"type":"boolean"}},{"name":"tags","in":"query","explode":true,"schema":{"type":"array","items":{"type":"string"}}},{"$ref":"#/components/parameters/X-Organization"}`,
		`"x-codes":["lamp-dark"]`, `"operationId":"lamps#set","tags":["Lamps"]`, `{"name":"id","in":"path","required":true,`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %s:\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "signin") {
		t.Error("a page for browsers is in the document")
	}
	if u := d.Untold(); len(u) != 1 || u[0].Method != "DELETE" {
		t.Errorf("without words are %v", u)
	}
}

// Words about nothing, a name twice and a parameter that no query can have are refused.
func TestBuildRefuses(t *testing.T) {
	route := door.Route{Pattern: "GET /a", Action: "thing:list", Do: do, Doc: door.Doc{ID: "a"}}
	other := route
	other.Pattern = "GET /b"
	odd := route
	odd.Doc.Query = struct{ Part wirePart }{}
	for name, routes := range map[string][]door.Route{"a name twice": {route, other}, "an object in a query": {odd}} {
		if _, err := Build(routes, Needs{}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	house, err := door.New(door.Config{}, door.Needs{})
	if err == nil {
		t.Fatal(house)
	}
	if all := (door.Words{"GET /nowhere": {ID: "x"}}).Tell(nil); len(all) != 1 || all[0].Do != nil {
		t.Errorf("words about no route are lost: %v", all)
	}
}

// An answer that is not as it is declared is found.
func TestCheck(t *testing.T) {
	d := lamps(t)
	const put, kind = "PUT /lamps/{id}", "application/vnd.lamp+json"
	const lamp = `{"name":"x","part":null,"parts":[{"id":"1"}]}`
	fail := func(status, inside string) string {
		return `{"id":"r","code":"lamp-dark","detail":"x","status":` + inside + `}`
	}
	for name, c := range map[string]struct {
		pattern, method string
		status          int
		kind, body      string
		good            bool
	}{
		"as it should be":         {put, "PUT", 201, kind, lamp, true},
		"another status":          {put, "PUT", 200, kind, lamp, false},
		"another media type":      {put, "PUT", 201, "application/json", lamp, false},
		"no body":                 {put, "PUT", 201, kind, "", false},
		"a member too few":        {put, "PUT", 201, kind, `{"name":"x","part":null}`, false},
		"a member too many":       {put, "PUT", 201, kind, `{"name":"x","part":null,"parts":[],"y":1}`, false},
		"null for a list":         {put, "PUT", 201, kind, `{"name":"x","part":null,"parts":null}`, false},
		"a problem":               {put, "PUT", 409, MediaError, fail("409", "409"), true},
		"with another status":     {put, "PUT", 409, MediaError, fail("409", "404"), false},
		"with a text for status":  {put, "PUT", 409, MediaError, fail("409", `"409"`), false},
		"an undeclared problem":   {put, "PUT", 418, MediaError, fail("418", "418"), false},
		"a silent problem":        {put, "PUT", 400, "", "", true},
		"another without a body":  {put, "PUT", 404, "", "", false},
		"a head":                  {"GET /lamps", "HEAD", 200, "application/json", "", true},
		"of a route without word": {"DELETE /lamps/{id}", "DELETE", 418, "", "", true},
		"of a page":               {"GET /signin", "GET", 418, "", "", true},
	} {
		err := d.Check(c.pattern, c.method, Answer{c.status, http.Header{"Content-Type": {c.kind}}, []byte(c.body)})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who has the document already gets nothing again, and both forms say the same.
func TestSite(t *testing.T) {
	pages := NewSite(lamps(t)).Pages()
	get := func(path, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("If-None-Match", tag)
		w := httptest.NewRecorder()
		pages["GET "+path](w, r)
		return w
	}
	first := get("/openapi.json", "")
	if first.Code != 200 || !json.Valid(first.Body.Bytes()) || first.Header().Get("Cache-Control") == "" {
		t.Errorf("%d %v %s", first.Code, first.Header(), first.Body)
	}
	if again := get("/openapi.json", `"x", W/`+first.Header().Get("ETag")); again.Code != 304 || again.Body.Len() > 0 {
		t.Errorf("again it is %d %s", again.Code, again.Body)
	}
	if y := get("/openapi.yaml", ""); !strings.Contains(y.Body.String(), "\n  /lamps/{id}:\n") || strings.Contains(y.Body.String(), `{"`) {
		t.Errorf("YAML is %s", y.Body)
	}
	page := get("/apidocs", "").Body.String()
	for _, want := range []string{"Set a lamp", `id="op-lamps-set"`, "lamp-dark", `href="#shape-openapi-LampInput"`, `-d &#39;{&#34;name&#34;:&#34;kitchen&#34;}&#39;`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
