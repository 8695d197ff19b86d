package web

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
)

// A site is the application alone, and what it was told.
type site struct {
	*App
	t       *testing.T
	mux     *http.ServeMux
	reports []Report
	limit   error
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, mux: http.NewServeMux()}
	var err error
	s.App, err = NewApp(Needs{
		Place: func() Place {
			return Place{Host: "house.lan", Web: "house.lan", Secret: "house.lan:8884", Fingerprint: "AA"}
		},
		Account: func() string { return "https://id.house.lan" },
		Limit:   func(http.Header, *http.Request) error { return s.limit },
		Reports: func(_ *http.Request, all []Report) { s.reports = append(s.reports, all...) },
		Fail:    func(w http.ResponseWriter, _ *http.Request, err error) { w.WriteHeader(rest.Status(err)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for pattern, page := range s.Routes() {
		s.mux.HandleFunc(pattern, page)
	}
	return s
}

func (s *site) get(path string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	return w
}

// What a page's own code is in is loaded with the first page, and no other's.
func TestPagesNameTheirCode(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string]string{
		"/app/": "", "/app/things/": "things.js", "/app/things": "things.js", "/app/things/x": "values.js", "/app/things/x/history": "history.js", "/app/devices/new": "new.js",
		"/app/devices/x": "device.js", "/app/dashboards/x": "dashboard.js", "/app/dashboards/x/y": "dashboard.js", "/app/triggers/x/edit": "edit.js", "/app/nothing/of/that/kind": "", "/app/shared/token": "",
	} {
		body := s.get(path).Body.String()
		for _, file := range []string{"things.js", "values.js", "history.js", "new.js", "device.js", "dashboard.js", "edit.js"} {
			if has := strings.Contains(body, `rel="modulepreload" href="`+s.prefix()+file+`"`); has != (file == want) {
				t.Errorf("%s names %s: %v", path, file, has)
			}
		}
		files := regexp.MustCompile(`href="([^"]+\.js)"`).FindAllString(body, -1)
		slices.Sort(files)
		if len(slices.Compact(slices.Clone(files))) != len(files) {
			t.Errorf("%s names a file twice: %v", path, files)
		}
	}
}

func TestAppNeedsAll(t *testing.T) {
	if _, err := NewApp(Needs{}); err == nil {
		t.Error("an application without anything was made")
	}
}

func TestFirstPage(t *testing.T) {
	s := newSite(t)
	w := s.get("/app/things/anything")
	page := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-cache" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	for _, want := range []string{`<html lang="en" data-theme="system" data-account="https://id.house.lan">`, s.prefix() + "main.js", s.prefix() + "app.css", `rel="modulepreload" href="` + s.prefix() + "en.js"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if strings.Contains(page, "ARDESIA_") || strings.Contains(page, "/a/-/") || foreign.MatchString(strings.NewReplacer(`<script type="module" src="/a/`, "", `href="https://id.house.lan/account"`, "").Replace(page)) {
		t.Errorf("the page has what nobody filled in, or script or style in its text:\n%s", page)
	}
	if again := s.get("/app/things/anything", "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("again: %d", again.Code)
	}
	for name, c := range map[string]struct{ header, value, want string }{
		"Italian by the browser":    {"Accept-Language", "it-IT,en", `lang="it"`},
		"Italian by choice":         {"Cookie", cookieTongue + "=it; " + cookieLang + "=en", `lang="it"`},
		"as the account's pages":    {"Cookie", cookieLang + "=it", `lang="it"`},
		"no such language":          {"Cookie", cookieLang + `="><script>`, `lang="en"`},
		"dark by choice":            {"Cookie", cookieTheme + "=dark", `data-theme="dark"`},
		"a look that nobody offers": {"Cookie", cookieTheme + "=pink", `data-theme="system"`},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.get("/app/", c.header, c.value)
			if !strings.Contains(w.Body.String(), c.want) {
				t.Errorf("the page lacks %s", c.want)
			}
			if w.Header().Get("ETag") == "" || !strings.Contains(strings.Join(w.Header().Values("Vary"), ", "), "Cookie") {
				t.Errorf("headers %v", w.Header())
			}
		})
	}
	if w := s.get("/app"); w.Code != http.StatusPermanentRedirect || w.Header().Get("Location") != "/app/" {
		t.Errorf("/app: %d %s", w.Code, w.Header().Get("Location"))
	}
}

// All files that pages name are there, packed where that is a gain, and never asked for again.
func TestFiles(t *testing.T) {
	s := newSite(t)
	named := regexp.MustCompile(`/a/[0-9a-f]+/[^"]+`)
	found := map[string]bool{}
	for _, page := range []string{"/app/", "/app/keeper", "/app/manifest.webmanifest", "/app/worker.js"} {
		for _, path := range named.FindAllString(s.get(page).Body.String(), -1) {
			found[path] = true
		}
	}
	if len(found) < 15 {
		t.Errorf("only %d files are named: this test looks in the wrong place", len(found))
	}
	for path := range found {
		plain, packed := s.get(path), s.get(path, "Accept-Encoding", "gzip, br")
		if plain.Code != http.StatusOK || plain.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || plain.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, plain.Code, plain.Header())
		}
		body := packed.Body.Bytes()
		var err error
		switch packed.Header().Get("Content-Encoding") {
		case "br":
			body, err = io.ReadAll(brotli.NewReader(bytes.NewReader(body)))
		case "gzip":
			var z *gzip.Reader
			if z, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
				body, err = io.ReadAll(z)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(body, plain.Body.Bytes()) {
			t.Errorf("%s is another file when it is packed", path)
		}
	}
	for _, path := range []string{"/a/000000000000/main.js", s.prefix() + "nothing.js", s.prefix() + "index.html", s.prefix() + "..%2fapp.go"} {
		if w := s.get(path); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if w := s.get(s.prefix() + "licences.txt"); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "--- preact\n") || !strings.Contains(w.Body.String(), "--- uplot\n") {
		t.Errorf("licences: %d", w.Code)
	}
}

func TestPolicies(t *testing.T) {
	s := newSite(t)
	for path, want := range map[string][]string{
		"/app/":                {"trusted-types 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "report-uri /app/csp-report"},
		"/app/keeper":          {"trusted-types worker;", "worker-src 'self'", "frame-ancestors 'self'"},
		"/app/worker.js":       {"default-src 'none'", "trusted-types 'none'"},
		s.prefix() + "main.js": {"default-src 'none'"}, "/app/place.json": {"default-src 'none'"},
	} {
		w := s.get(path)
		csp := w.Header().Get("Content-Security-Policy")
		for _, part := range append(want, "require-trusted-types-for 'script'", "base-uri 'none'", "form-action 'none'", "report-to csp") {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy lacks %q: %s", path, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "nonce") || strings.Contains(csp, "*") {
			t.Errorf("%s: %s", path, csp)
		}
		if !strings.HasPrefix(w.Header().Get("Permissions-Policy"), "serial=(self),") || w.Header().Get("Reporting-Endpoints") == "" {
			t.Errorf("%s: %v", path, w.Header())
		}
	}
}

func TestPlace(t *testing.T) {
	s := newSite(t)
	var p wirePlace
	if err := json.Unmarshal(s.get("/app/place.json").Body.Bytes(), &p); err != nil || p != (wirePlace{Host: "house.lan", Web: "house.lan", Secret: "house.lan:8884", CA: true}) {
		t.Errorf("place %+v, %v", p, err)
	}
}

func TestReports(t *testing.T) {
	const old = `{"csp-report":{"document-uri":"https://house.lan/app/things?secret=1","effective-directive":"script-src-elem","blocked-uri":"https://evil.example/x.js?k=v","source-file":"https://house.lan/a/1/main.js","line-number":7}}`
	const recent = `[{"type":"csp-violation","body":{"documentURL":"https://house.lan/app/","effectiveDirective":"style-src-attr","blockedURL":"inline","lineNumber":3}},{"type":"deprecation","body":{}}]`
	for name, c := range map[string]struct {
		kind, body string
		status     int
		want       []Report
	}{
		"report-uri":    {"application/csp-report", old, 204, []Report{{"script-src-elem", "https://house.lan/app/things", "https://evil.example/x.js", "https://house.lan/a/1/main.js", 7}}},
		"reporting":     {"application/reports+json", recent, 204, []Report{{"style-src-attr", "https://house.lan/app/", "inline", "", 3}}},
		"an invention":  {"application/csp-report", `{"csp-report":{"document-uri":"x","effective-directive":"drop table"}}`, 204, []Report{{"other", "x", "", "", 0}}},
		"another kind":  {"text/plain", old, 400, nil},
		"no kind":       {"", old, 400, nil},
		"no JSON":       {"application/csp-report", `{`, 400, nil},
		"no report":     {"application/csp-report", `{}`, 400, nil},
		"too many":      {"application/reports+json", "[" + strings.Repeat(`{},`, maxReports) + "{}]", 400, nil},
		"too long":      {"application/csp-report", strings.Repeat(" ", maxReportBody+1), 413, nil},
		"control codes": {"application/csp-report", `{"csp-report":{"document-uri":"a\u0000\nb\u001b[2J"}}`, 204, []Report{{"other", "ab[2J", "", "", 0}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			r := httptest.NewRequest("POST", "/app/csp-report", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			w := httptest.NewRecorder()
			s.mux.ServeHTTP(w, r)
			if w.Code != c.status || !slices.Equal(s.reports, c.want) {
				t.Errorf("%d %+v, want %d %+v", w.Code, s.reports, c.status, c.want)
			}
		})
	}
	s := newSite(t)
	s.limit = problem.New(problem.Limited, "rate-limited", "Too often.")
	r := httptest.NewRequest("POST", "/app/csp-report", strings.NewReader(old))
	r.Header.Set("Content-Type", "application/csp-report")
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if w.Code != http.StatusTooManyRequests || len(s.reports) > 0 {
		t.Errorf("beyond the limit: %d %v", w.Code, s.reports)
	}
}

// Whatever anyone sends as a report: it is refused, or becomes a few bounded lines without control characters, queries
// or unknown directives.
func FuzzReadReports(f *testing.F) {
	f.Add("application/csp-report", []byte(`{"csp-report":{"document-uri":"https://house.lan/app/?x","violated-directive":"script-src 'self'"}}`))
	f.Add("application/reports+json", []byte(`[{"type":"csp-violation","body":{"documentURL":"https://u:p@house.lan/","effectiveDirective":"img-src","lineNumber":-9}}]`))
	f.Add("application/reports+json; charset=utf-8", []byte(`[null,{},[]]`))
	f.Add("", []byte{0xff})
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		all, err := ReadReports(kind, body)
		if err != nil {
			if all != nil {
				t.Fatalf("refused with %v", all)
			}
			return
		}
		if len(all) > maxReports {
			t.Fatalf("%d reports", len(all))
		}
		for _, r := range all {
			text := fmt.Sprint(r.Directive, r.Page, r.Blocked, r.Source)
			if !slices.Contains(Directives, r.Directive) || r.Line < 0 || len(text) > 4*maxReportText || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }) ||
				strings.ContainsAny(r.Page, "?#") {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// What a first visit loads is small: scripts, style and texts, as they are sent.
func TestWeight(t *testing.T) {
	s := newSite(t)
	const most = 90 << 10 // bytes, of the first page with all that it names and its first list
	w := s.get("/app/", "Accept-Encoding", "gzip, br")
	raw := map[string][]byte{}
	for name, one := range s.files {
		raw[name] = one.text
	}
	for _, list := range []string{"things.js", "dashboards.js", "devices.js"} { // where one may begin
		sum, files := w.Body.Len(), map[string]bool{list: true, "app.css": true, "mark.svg": true}
		for _, m := range regexp.MustCompile(`(?:src|href)="`+s.prefix()+`([^"]+\.(?:js|css))"`).FindAllStringSubmatch(w.Body.String(), -1) {
			files[m[1]] = true
		}
		for _, name := range imports(list, directImports(raw)) {
			files[name] = true
		}
		for name := range files {
			sum += s.get(s.prefix()+name, "Accept-Encoding", "gzip, br").Body.Len()
		}
		t.Logf("with %s: %d bytes in %d files", list, sum, len(files)+1)
		if sum > most || sum < 20<<10 {
			t.Errorf("the first page with %s takes %d bytes, want at most %d", list, sum, most)
		}
	}
}
