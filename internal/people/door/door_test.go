package door

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

var errSpace = problem.New(problem.Forbidden, "no-such-space", "You are not in that space.")

// testHouse is a door with two things behind it; "good" is the token of an editor in space s1.
type testHouse struct {
	http.Handler
	door *Door
	log  *bytes.Buffer
	now  atomic.Int64 // seconds after noon
	last atomic.Pointer[access.Actor]
}

type wireThing struct {
	Name string `json:"name" rule:"required,length=1..8"`
}

func newHouse(t testing.TB, cfg Config) *testHouse {
	t.Helper()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	h := &testHouse{log: new(bytes.Buffer)}
	h.door, err = New(cfg, Needs{
		Log:    slog.New(slog.NewTextHandler(h.log, nil)),
		Now:    func() time.Time { return noon.Add(time.Duration(h.now.Load()) * time.Second) },
		Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			switch token {
			case "good":
				return access.Actor{Kind: access.APIKey, ID: "u1", Client: "k1"}, nil
			case "viewer":
				return access.Actor{Kind: access.User, ID: "u2"}, nil
			case "broken":
				return access.Actor{}, errors.New("the database is away")
			}
			return access.Actor{}, ErrToken
		},
		Enter: func(_ context.Context, who access.Actor, organization string) (access.Actor, error) {
			if organization != "" && organization != "s1" {
				return who, errSpace
			}
			who.Space, who.Role = "s1", access.Editor
			if who.ID == "u2" {
				who.Role = access.Viewer
			}
			return who, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if h.Handler, err = h.door.Handler(h.routes()); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *testHouse) routes() []Route {
	thing := func(r *http.Request, who access.Actor) (access.Resource, error) {
		switch r.PathValue("id") {
		case "t1":
			return access.Resource{Type: "Thing", ID: "t1", Space: "s1"}, nil
		case "t2":
			return access.Resource{Type: "Thing", ID: "t2", Space: "s2"}, nil
		}
		return access.Resource{}, access.ErrDenied
	}
	ok := func(w http.ResponseWriter, r *http.Request, who access.Actor) error {
		h.last.Store(&who)
		return rest.Write(w, http.StatusOK, rest.Media("thing"), map[string]string{"id": r.PathValue("id")})
	}
	create := func(w http.ResponseWriter, r *http.Request, who access.Actor) error {
		var in wireThing
		if err := rest.Read(r, &in); err != nil {
			return err
		}
		return rest.Write(w, http.StatusCreated, rest.Media("thing"), in)
	}
	return []Route{
		{Pattern: "GET /iot/v2/things/{id}", Action: "thing:read", Resource: thing, Do: ok},
		{Pattern: "DELETE /iot/v2/things/{id}", Action: "thing:write", Resource: thing, Do: ok},
		{Pattern: "PUT /iot/v2/things", Action: "thing:write", In: wireThing{}, MaxBody: 100, Status: 201, Do: create},
		{Pattern: "GET /iot/v1/lora-devices/", Action: "device:read", Do: ok},
		{Pattern: "GET /v1/spaces/{id}", Space: "id", Action: "org:read", Do: ok},
		{Pattern: "GET /iot/v1/open", Open: true, Do: ok},
		{Pattern: "GET /iot/v1/panic", Action: "thing:read", Do: func(http.ResponseWriter, *http.Request, access.Actor) error { panic("oh") }},
		{Pattern: "GET /iot/v1/half", Action: "thing:read", Do: func(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
			_, _ = io.WriteString(w, "half of")
			return errors.New("the other half is missing")
		}},
		{Pattern: "GET /iot/v1/error", Action: "thing:read", Do: func(http.ResponseWriter, *http.Request, access.Actor) error {
			return errors.New("secret detail")
		}},
		{Pattern: "GET /iot/v1/slow", Action: "thing:read", Timeout: time.Millisecond, Do: func(_ http.ResponseWriter, r *http.Request, _ access.Actor) error {
			<-r.Context().Done()
			return fmt.Errorf("read: %w", r.Context().Err())
		}},
	}
}

func (h *testHouse) do(method, target, token, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", strings.NewReader(body))
	u, err := url.ParseRequestURI(target)
	if err != nil {
		panic(err)
	}
	r.URL = u
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOrderOfTheDoor(t *testing.T) {
	h := newHouse(t, Config{})
	for name, c := range map[string]struct {
		method, target, token, body string
		want                        int
		code                        string
	}{
		"member":                        {"GET", "/iot/v2/things/t1", "good", "", 200, ""},
		"no token":                      {"GET", "/iot/v2/things/t1", "", "", 401, "unauthenticated"},
		"bad token":                     {"GET", "/iot/v2/things/t1", "bad", "", 401, "unauthenticated"},
		"no token, unknown id":          {"GET", "/iot/v2/things/t9", "", "", 401, "unauthenticated"},
		"no token, unknown route":       {"GET", "/iot/v2/nothing", "", "", 404, "no-such-route"},
		"unknown route":                 {"GET", "/iot/v2/nothing", "good", "", 404, "no-such-route"},
		"unknown id":                    {"GET", "/iot/v2/things/t9", "good", "", 404, "not-found"},
		"another's id":                  {"GET", "/iot/v2/things/t2", "good", "", 404, "not-found"},
		"role too low":                  {"DELETE", "/iot/v2/things/t1", "viewer", "", 403, "forbidden"},
		"role too low, another's id":    {"DELETE", "/iot/v2/things/t2", "viewer", "", 404, "not-found"},
		"role too low, body wrong":      {"PUT", "/iot/v2/things", "viewer", "nonsense", 403, "forbidden"},
		"create":                        {"PUT", "/iot/v2/things", "good", `{"name":"a"}`, 201, ""},
		"field missing":                 {"PUT", "/iot/v2/things", "good", `{}`, 400, "invalid-request"},
		"no body":                       {"PUT", "/iot/v2/things", "good", ``, 400, "invalid-body"},
		"body too large":                {"PUT", "/iot/v2/things", "good", `{"name":"` + strings.Repeat("a", 200) + `"}`, 413, "body-too-large"},
		"no token, body too large":      {"PUT", "/iot/v2/things", "", strings.Repeat("a", 200), 401, "unauthenticated"},
		"our fault":                     {"GET", "/iot/v1/error", "good", "", 500, "internal"},
		"our fault at the door":         {"GET", "/iot/v1/error", "broken", "", 500, "internal"},
		"panic":                         {"GET", "/iot/v1/panic", "good", "", 500, "internal"},
		"too slow":                      {"GET", "/iot/v1/slow", "good", "", 503, "too-slow"},
		"double slash":                  {"GET", "//iot//v2/things/t1", "good", "", 200, ""},
		"double iot":                    {"GET", "/iot/iot/v2/things/t1", "good", "", 200, ""},
		"double slash, double iot":      {"GET", "//iot//iot/v2/things/t1/", "good", "", 200, ""},
		"final slash":                   {"GET", "/iot/v2/things/t1/", "good", "", 200, ""},
		"final slash left out":          {"GET", "/iot/v1/lora-devices", "good", "", 200, ""},
		"final slash declared":          {"GET", "/iot/v1/lora-devices/", "good", "", 200, ""},
		"not below a declared slash":    {"GET", "/iot/v1/lora-devices/x", "good", "", 404, "no-such-route"},
		"head":                          {"HEAD", "/iot/v2/things/t1", "good", "", 200, ""},
		"open":                          {"GET", "/iot/v1/open", "", "", 200, ""},
		"open with a bad token":         {"GET", "/iot/v1/open", "bad", "", 200, ""},
		"dot segments":                  {"GET", "/iot/v1/../v2/things/t1", "good", "", 404, "no-such-route"},
		"NUL in the path":               {"GET", "/iot/v2/things/%00", "good", "", 400, "invalid-address"},
		"not UTF-8 in the query":        {"GET", "/iot/v2/things/t1?a=%ff", "good", "", 400, "invalid-address"},
		"bad escape in the query":       {"GET", "/iot/v2/things/t1?a=%zz", "good", "", 400, "invalid-address"},
		"encoded slash is no separator": {"GET", "/iot/v2/things%2Ft1", "good", "", 404, "no-such-route"},
		"encoded slash stays in its id": {"GET", "/iot/v2/things/t1%2F", "good", "", 404, "not-found"},
		"encoded dots stay in their id": {"GET", "/iot/v2/things/%2e%2e", "good", "", 404, "not-found"},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.do(c.method, c.target, c.token, c.body)
			if w.Code != c.want {
				t.Fatalf("status %d, want %d: %s", w.Code, c.want, w.Body)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Request-Id") == "" {
				t.Errorf("headers %v", w.Header())
			}
			if c.code == "" {
				return
			}
			var got struct {
				ID, Code, Detail string
				Status           int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", w.Body, err)
			}
			if got.Code != c.code || got.Status != c.want || got.ID != w.Header().Get("X-Request-Id") || got.Detail == "" {
				t.Errorf("error %+v, want code %s and status %d", got, c.code, c.want)
			}
			if ct := w.Header().Get("Content-Type"); ct != "application/vnd.goa.error+json" {
				t.Errorf("content type %q", ct)
			}
			if strings.Contains(w.Body.String(), "secret detail") {
				t.Error("the text of our own fault left the server")
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (c.want == 401) {
				t.Errorf("WWW-Authenticate %q with %d", challenge, c.want)
			}
		})
	}
}

func TestPanicIsLoggedOnce(t *testing.T) {
	h := newHouse(t, Config{})
	w := h.do("GET", "/iot/v1/panic", "good", "")
	if n := strings.Count(h.log.String(), w.Header().Get("X-Request-Id")); w.Code != 500 || n != 1 {
		t.Errorf("status %d, logged %d times: %s", w.Code, n, h.log)
	}
}

// An answer that was begun and cannot be finished is broken off, so that it does not look whole.
func TestHalfAnAnswerIsBrokenOff(t *testing.T) {
	h := newHouse(t, Config{})
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("recovered %v, want %v", got, http.ErrAbortHandler)
		}
		if !strings.Contains(h.log.String(), "the other half is missing") {
			t.Errorf("log: %s", h.log)
		}
	}()
	h.do("GET", "/iot/v1/half", "good", "")
}

func TestWrongMethodSaysWhichAreRight(t *testing.T) {
	h := newHouse(t, Config{})
	w := h.do("PATCH", "/iot/v2/things/t1", "good", "")
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "DELETE, GET, HEAD" || w.Body.Len() != 0 {
		t.Errorf("status %d, allow %q, body %q", w.Code, w.Header().Get("Allow"), w.Body)
	}
	w = h.do("OPTIONS", "/iot/v2/things/t1", "", "")
	if w.Code != http.StatusNoContent || w.Header().Get("Allow") != "DELETE, GET, HEAD" {
		t.Errorf("OPTIONS: status %d, allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestOrganizationHeader(t *testing.T) {
	h := newHouse(t, Config{})
	for name, c := range map[string]struct {
		organization string
		want         int
	}{"own": {"s1", 200}, "spaces around": {" s1 ", 200}, "in capitals": {"S1", 200}, "empty": {"", 200}, "another's": {"s2", 403}} {
		if w := h.do("GET", "/iot/v2/things/t1", "good", "", "X-Organization", c.organization); w.Code != c.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, c.want)
		}
	}
	if who := h.last.Load(); who.Space != "s1" || who.Role != access.Editor || who.Client != "k1" || who.Request == "" {
		t.Errorf("actor %+v", who)
	}
}

// A space that the address names is entered; a header may not name another.
func TestSpaceInTheAddress(t *testing.T) {
	h := newHouse(t, Config{})
	for name, c := range map[string]struct {
		path, header string
		want         int
		says         string
	}{
		"by address":                 {"/v1/spaces/s1", "", 200, ""},
		"in capitals":                {"/v1/spaces/S1", "", 200, ""},
		"by both":                    {"/v1/spaces/s1", "S1", 200, ""},
		"another's":                  {"/v1/spaces/s2", "", 403, "space"},
		"another's, and the own one": {"/v1/spaces/s2", "s1", 400, "two-spaces"},
		"the own one, and another's": {"/v1/spaces/s1", "s2", 400, "two-spaces"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", c.path, nil)
			r.Header.Set("Authorization", "Bearer good")
			if c.header != "" {
				r.Header.Set("X-Organization", c.header)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, c.want, c.says)
			}
		})
	}
}

func TestOpenRouteKnowsNobody(t *testing.T) {
	h := newHouse(t, Config{})
	h.do("GET", "/iot/v1/open", "good", "")
	if who := h.last.Load(); who.Kind != access.Anonymous || who.ID != "" || who.Request == "" {
		t.Errorf("actor %+v", who)
	}
}

func TestAuthorizationHeader(t *testing.T) {
	h := newHouse(t, Config{})
	for header, want := range map[string]int{
		"Bearer good": 200, "bearer good": 200, "BEARER  good": 200, "good": 401, "Bearer": 401, "Bearer ": 401,
		"Basic good": 401, "Bearer good more": 401, "Bearer " + strings.Repeat("a", 5000): 401,
	} {
		if w := h.do("GET", "/iot/v2/things/t1", "", "", "Authorization", header); w.Code != want {
			t.Errorf("%.20q: status %d, want %d", header, w.Code, want)
		}
	}
}

func TestCORS(t *testing.T) {
	for name, c := range map[string]struct {
		origins []string
		origin  string
		want    string
	}{
		"none configured": {nil, "https://app.example", ""},
		"configured":      {[]string{"https://app.example"}, "https://app.example", "https://app.example"},
		"another":         {[]string{"https://app.example"}, "https://evil.example", ""},
		"another port":    {[]string{"https://app.example"}, "https://app.example:444", ""},
		"another scheme":  {[]string{"https://app.example"}, "http://app.example", ""},
		"prefix":          {[]string{"https://app.example"}, "https://app.example.evil", ""},
		"null":            {[]string{"https://app.example"}, "null", ""},
		"any":             {[]string{"*"}, "https://app.example", "*"},
		"no origin":       {[]string{"https://app.example"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, Config{Origins: c.origins})
			w := h.do("OPTIONS", "/iot/v2/things/t1", "", "", "Origin", c.origin, "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "authorization,x-organization")
			if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != 204 || got != c.want {
				t.Errorf("preflight: status %d, origin %q, want %q", w.Code, got, c.want)
			}
			allowed := w.Header().Get("Access-Control-Allow-Headers")
			if c.want != "" && (!strings.Contains(allowed, "Authorization") || !strings.Contains(allowed, "X-Organization")) {
				t.Errorf("headers %q", allowed)
			}
			w = h.do("GET", "/iot/v2/things/t1", "", "", "Origin", c.origin)
			if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != 401 || got != c.want {
				t.Errorf("request: status %d, origin %q, want %q", w.Code, got, c.want)
			}
			if w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed, and there are none")
			}
		})
	}
	for _, bad := range []string{"app.example", "https://app.example/", "https://", "https://a@b", "https://a?b"} {
		if _, err := newCORS([]string{bad}); err == nil {
			t.Errorf("origin %q was accepted", bad)
		}
	}
}

func TestRateOfOneKey(t *testing.T) {
	h := newHouse(t, Config{KeyRate: Rate{PerMinute: 60, Burst: 2}})
	get := func(token string) *httptest.ResponseRecorder { return h.do("GET", "/iot/v2/things/t1", token, "") }
	for i := range 2 {
		w := get("good")
		if got, want := w.Header().Get("Ratelimit"), fmt.Sprintf(`"key";r=%d`, 1-i); w.Code != 200 || got != want {
			t.Fatalf("request %d: status %d, Ratelimit %q, want %q", i, w.Code, got, want)
		}
	}
	w := get("good")
	if w.Code != 429 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("third: status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	if w := get("viewer"); w.Code != 200 {
		t.Errorf("another key: status %d", w.Code)
	}
	h.now.Add(1)
	if w := get("good"); w.Code != 200 {
		t.Errorf("a second later: status %d", w.Code)
	}
}

func TestRateOfOneAddress(t *testing.T) {
	h := newHouse(t, Config{OpenRate: Rate{PerMinute: 60, Burst: 1}, GuessRate: Rate{PerMinute: 60, Burst: 1}})
	for name, c := range map[string]struct {
		target, token string
		want          int
	}{"open": {"/iot/v1/open", "", 200}, "guess": {"/iot/v2/things/t1", "bad", 401}} {
		for i, want := range []int{c.want, 429} {
			if w := h.do("GET", c.target, c.token, ""); w.Code != want {
				t.Errorf("%s %d: status %d, want %d", name, i, w.Code, want)
			}
		}
	}
	// Who shares the address with a guesser gets in.
	if w := h.do("GET", "/iot/v2/things/t1", "good", ""); w.Code != 200 {
		t.Errorf("good token: status %d", w.Code)
	}
}

func TestNoRate(t *testing.T) {
	h := newHouse(t, Config{KeyRate: Rate{PerMinute: -1}})
	for range 1000 {
		if w := h.do("GET", "/iot/v2/things/t1", "good", ""); w.Code != 200 {
			t.Fatalf("status %d", w.Code)
		}
	}
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:4711":              "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:4711": "2001:db8:1:2::/64",
		"[::ffff:192.0.2.1]:4711":     "192.0.2.1",
		"[fe80::1%eth0]:4711":         "fe80::/64",
		"@":                           "@",
	} {
		if got := Address(&http.Request{RemoteAddr: remote}); got != want {
			t.Errorf("Address(%s) = %s, want %s", remote, got, want)
		}
	}
}

func TestDenialsArePublished(t *testing.T) {
	h := newHouse(t, Config{})
	news := h.door.Denials.Subscribe(4)
	defer news.Close()
	h.do("GET", "/iot/v2/things/t2", "good", "")
	select {
	case d := <-news.C():
		if d.Resource.ID != "t2" || d.Who.Client != "k1" || d.Action != "thing:read" {
			t.Errorf("denial %+v", d)
		}
	default:
		t.Error("nothing was published")
	}
}

func TestDoneIsTold(t *testing.T) {
	h := newHouse(t, Config{})
	var told []string
	h.door.needs.Done = func(pattern string, status int, _ time.Duration) {
		told = append(told, fmt.Sprint(pattern, " ", status))
	}
	h.do("GET", "/iot/v2/things/t1/", "good", "")
	h.do("GET", "/nowhere", "good", "")
	h.do("GET", "/iot/v1/panic", "good", "")
	want := "GET /iot/v2/things/{id} 200, 404,GET /iot/v1/panic 500"
	if got := strings.Join(told, ","); got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestHandlerRefusesDeclarations(t *testing.T) {
	do := func(http.ResponseWriter, *http.Request, access.Actor) error { return nil }
	good := Route{Pattern: "GET /a", Action: "thing:read", Do: do}
	change := func(f func(*Route)) []Route {
		r := good
		f(&r)
		return []Route{r}
	}
	h := newHouse(t, Config{})
	for name, routes := range map[string][]Route{
		"no method":              change(func(r *Route) { r.Pattern = "/a" }),
		"no path":                change(func(r *Route) { r.Pattern = "GET a" }),
		"no action":              change(func(r *Route) { r.Action = "" }),
		"unknown action":         change(func(r *Route) { r.Action = "thing:fly" }),
		"nothing to do":          change(func(r *Route) { r.Do = nil }),
		"open with an action":    change(func(r *Route) { r.Open = true }),
		"open with a resource":   change(func(r *Route) { r.Open, r.Action, r.Resource = true, "", SpaceOf }),
		"open in a space":        change(func(r *Route) { r.Pattern, r.Open, r.Action, r.Space = "GET /a/{id}", true, "", "id" }),
		"a space that is not in": change(func(r *Route) { r.Space = "id" }),
		"negative body":          change(func(r *Route) { r.MaxBody = -1 }),
		"type without a schema":  change(func(r *Route) { r.In = make(chan int) }),
		"bad wildcard":           change(func(r *Route) { r.Pattern = "GET /a/{" }),
		"twice":                  {good, good},
		"twice, but for a slash": {good, {Pattern: "GET /a/", Action: "thing:read", Do: do}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := h.door.Handler(routes); err == nil {
				t.Error("Handler accepted it")
			}
		})
	}
	if _, err := h.door.Handler([]Route{good, {Pattern: "GET /", Open: true, Do: do}}); err != nil {
		t.Errorf("Handler = %v", err)
	}
}

func TestNewRefusesMissingNeeds(t *testing.T) {
	if _, err := New(Config{}, Needs{}); err == nil {
		t.Error("New accepted nothing")
	}
}

func TestTable(t *testing.T) {
	h := newHouse(t, Config{})
	var lines []string
	for _, d := range Table(h.routes()) {
		lines = append(lines, d.String())
	}
	want := `GET /iot/v1/error thing:read 65536 - 200
GET /iot/v1/half thing:read 65536 - 200
GET /iot/v1/lora-devices/ device:read 65536 - 200
GET /iot/v1/open OPEN 65536 - 200
GET /iot/v1/panic thing:read 65536 - 200
GET /iot/v1/slow thing:read 65536 - 200
PUT /iot/v2/things thing:write 100 checked 201
DELETE /iot/v2/things/{id} thing:write 65536 - 200
GET /iot/v2/things/{id} thing:read 65536 - 200
GET /v1/spaces/{id} org:read 65536 - 200`
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("table:\n%s\nwant:\n%s", got, want)
	}
	d := Table(h.routes())[8]
	if got := d.Fill(func(name string) string { return "<" + name + ">/" }); got != "/iot/v2/things/%3Cid%3E%2F" || d.Params[0] != "id" {
		t.Errorf("Fill = %s, Params = %v", got, d.Params)
	}
}

// A client that does not send the body that it announced gets an answer when the route's time is up.
func TestSlowBodyEnds(t *testing.T) {
	h := newHouse(t, Config{})
	handler, err := h.door.Handler([]Route{{
		Pattern: "PUT /a", Action: "thing:write", In: wireThing{}, Timeout: 50 * time.Millisecond,
		Do: func(http.ResponseWriter, *http.Request, access.Actor) error { return nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	// A plain connection: http.Client would wait for its own body.
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "PUT /a HTTP/1.1\r\nHost: house\r\nAuthorization: Bearer good\r\nContent-Length: 10\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != 503 || !answer.Close {
		t.Errorf("status %d, connection kept %v; want 503 and closed", answer.StatusCode, !answer.Close)
	}
}

// A route that says that it takes its time has it, whatever the server's own deadlines are.
func TestLongRoutesOutliveTheServersDeadlines(t *testing.T) {
	t.Parallel()
	h := newHouse(t, Config{})
	const deadline = 50 * time.Millisecond
	handler, err := h.door.Handler([]Route{{
		Pattern: "GET /a", Action: "thing:write", Timeout: 2 * DefaultTimeout,
		Do: func(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
			wait := time.NewTimer(4 * deadline)
			defer wait.Stop()
			select {
			case <-wait.C:
				return rest.Write(w, http.StatusOK, "application/json", "here it is")
			case <-r.Context().Done():
				return fmt.Errorf("wait: %w", r.Context().Err())
			}
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ReadTimeout, server.Config.WriteTimeout = deadline, deadline
	server.Start()
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/a", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer good")
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("status %d, %s, %v", answer.StatusCode, body, err)
	}
}

// Whatever arrives at whatever address, the answer is not our fault.
func FuzzDoor(f *testing.F) {
	h := newHouse(f, Config{KeyRate: Rate{PerMinute: -1}, OpenRate: Rate{PerMinute: -1}, GuessRate: Rate{PerMinute: -1}})
	f.Add("GET", "/iot/v2/things/t1", "Bearer good", "")
	f.Add("PUT", "//iot/iot/v2/things/", "Bearer good", `{"name":"a"}`)
	f.Add("OPTIONS", "/%2e%2e/%00?%zz", "Basic", "")
	f.Add("CONNECT", "/*", "bearer", "")
	f.Fuzz(func(t *testing.T, method, target, authorization, body string) {
		r := httptest.NewRequest("GET", "/", strings.NewReader(body))
		u, err := url.ParseRequestURI(target)
		if err != nil || strings.Contains(target, "panic") || strings.Contains(target, "error") || strings.Contains(target, "half") || strings.Contains(target, "slow") {
			return
		}
		r.Method, r.URL = method, u
		r.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Fatalf("%s %q: status %d: %s", method, target, w.Code, w.Body)
		}
	})
}

func BenchmarkDoor(b *testing.B) {
	h := newHouse(b, Config{KeyRate: Rate{PerMinute: 1 << 30, Burst: 1 << 30}})
	r := httptest.NewRequest("GET", "/iot/v2/things/t1", nil)
	r.Header.Set("Authorization", "Bearer good")
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r.Clone(b.Context()))
		if w.Code != 200 {
			b.Fatal(w.Code)
		}
	}
}
