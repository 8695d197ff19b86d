package signin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// The two origins: names of httptest's certificate.
const appOrigin, signOrigin = "https://example.com", "https://id.example.com"

// apart is a house whose application has an origin of its own, and a way to its browsers' answers.
func apart(t *testing.T, h *house) (visitor func() *tourist) {
	t.Helper()
	h.needs.Origin, h.needs.Web = func() string { return signOrigin }, func() string { return appOrigin }
	sign, app := http.NewServeMux(), http.NewServeMux()
	for pattern, page := range h.Pages() {
		sign.Handle(pattern, page)
	}
	for pattern, page := range h.AppPages() {
		app.Handle(pattern, page)
	}
	who := func(w http.ResponseWriter, r *http.Request) {
		a, ok, err := h.Actor(r)
		fmt.Fprint(w, a.ID, " ", ok, " ", err)
	}
	sign.HandleFunc("GET /who", who)
	app.HandleFunc("GET /who", who)
	app.HandleFunc("GET /app/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "the application") })
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "https://"+r.Host == signOrigin {
			sign.ServeHTTP(w, r)
			return
		}
		app.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return func() *tourist {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := server.Client().Transport.(*http.Transport).Clone()
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
		}
		return &tourist{t: t, Client: &http.Client{Transport: transport, Jar: jar}}
	}
}

// A tourist is a browser that goes from origin to origin.
type tourist struct {
	*http.Client
	t     *testing.T
	at    string // where the last answer came from
	body  string
	moves []string // what led there
}

func (b *tourist) send(method, where string, form url.Values) int {
	b.t.Helper()
	b.moves = nil
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		b.moves = append(b.moves, r.URL.String())
		return nil
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, where, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", signOrigin)
	}
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.body, b.at = string(text), answer.Request.URL.String()
	return answer.StatusCode
}

// fill posts the form that is shown.
func (b *tourist) fill(path string, fields url.Values) {
	b.t.Helper()
	forms, _, _ := strings.Cut(b.body, "<footer>")
	for _, m := range hidden.FindAllStringSubmatch(forms, -1) {
		fields.Set(m[1], strings.ReplaceAll(m[2], "&amp;", "&"))
	}
	b.send("POST", signOrigin+path, fields)
}

// asked is a word that was asked for and not brought.
func (b *tourist) asked() (word string) {
	b.t.Helper()
	once := *b.Client
	once.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/app/session" {
			word = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	answer, err := once.Get(appOrigin + "/app/signin")
	if err != nil {
		b.t.Fatal(err)
	}
	answer.Body.Close()
	return word
}

// without is a copy of the application's and the other origin's cookies but for one.
func without(t *testing.T, jar http.CookieJar, name string) http.CookieJar {
	t.Helper()
	less, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, origin := range []string{appOrigin, signOrigin} {
		at, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		less.SetCookies(at, slices.DeleteFunc(jar.Cookies(at), func(c *http.Cookie) bool { return c.Name == name }))
	}
	return less
}

// word is that of the last hand-over.
func (b *tourist) word() string {
	b.t.Helper()
	for _, at := range b.moves {
		if u, err := url.Parse(at); err == nil && u.Path == "/app/session" {
			return at
		}
	}
	b.t.Fatalf("nothing was handed over: %q", b.moves)
	return ""
}

func (b *tourist) who(origin string) string {
	b.t.Helper()
	b.send("GET", origin+"/who", nil)
	return b.body
}

const nobody = " false <nil>"

func TestTheApplicationTakesASessionOver(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		visitor := apart(t, h)
		u := h.person("anna@example.org")
		anna := u.ID + " true <nil>"
		b := visitor()
		if got := b.who(appOrigin); got != nobody {
			t.Fatalf("before: %s", got)
		}
		b.send("GET", appOrigin+"/app/signin?to=/app/things%3Fa=b", nil)
		if !strings.HasPrefix(b.at, signOrigin+"/signin?") {
			t.Fatalf("led to %s", b.at)
		}
		b.fill("/signin", url.Values{"email": {u.Email}})
		b.fill("/signin/password", url.Values{"password": {good}})
		if b.at != appOrigin+"/app/things?a=b" || b.body != "the application" {
			t.Fatalf("led to %s: %s", b.at, b.body)
		}
		word := b.word()
		if got := b.who(appOrigin); got != anna {
			t.Errorf("at the application: %s", got)
		}
		if got := b.who(signOrigin); got != anna {
			t.Errorf("where she signed in: %s", got)
		}

		// A word counts once, in no other browser, and never after one has brought it. Who is in already goes on.
		if b.send("GET", word, nil); b.at != appOrigin+"/app/things?a=b" {
			t.Errorf("again: %s", b.at)
		}
		thief := visitor()
		thief.send("GET", appOrigin+"/app/signin", nil) // with what a browser has to bring, but for another word
		word = b.asked()
		if code := thief.send("GET", word, nil); code != 400 || !strings.Contains(thief.body, ErrHand.Detail) || !strings.Contains(thief.body, appOrigin+"/app/") {
			t.Errorf("in another browser: %d %s", code, thief.body)
		}
		if got := thief.who(appOrigin); got != nobody {
			t.Errorf("the thief is %s", got)
		}
		if got := b.who(appOrigin); got != anna {
			t.Errorf("after a word that was not taken: %s", got)
		}
		out := &tourist{Client: &http.Client{Transport: b.Transport, Jar: without(t, b.Jar, cookieApp)}, t: t}
		if code := out.send("GET", word, nil); code != 400 {
			t.Errorf("after the thief: %d", code)
		}
		word = out.asked()
		h.Pass(handLife + time.Second)
		if code := out.send("GET", word, nil); code != 400 {
			t.Errorf("too late: %d", code)
		}

		// The application's cookie opens no page where people sign in.
		app, err := url.Parse(appOrigin)
		if err != nil {
			t.Fatal(err)
		}
		stolen := visitor()
		for _, c := range b.Jar.Cookies(app) {
			if c.Name == cookieApp {
				stolen.Jar.SetCookies(&url.URL{Scheme: "https", Host: "id.example.com"}, []*http.Cookie{{Name: CookieSession, Value: c.Value, Secure: true, Path: "/"}})
			}
		}
		if stolen.send("GET", signOrigin+"/account", nil); !strings.HasPrefix(stolen.at, signOrigin+"/signin") {
			t.Errorf("the application's cookie opens %s", stolen.at)
		}

		// A second time replaces the first, and the end of the session is the end of both.
		old := b.Jar.Cookies(app)
		b.send("GET", appOrigin+"/app/signin?to=//evil.example", nil)
		if b.at != appOrigin+"/app/" {
			t.Errorf("led to %s", b.at)
		}
		late := visitor()
		late.Jar.SetCookies(app, old)
		if got := late.who(appOrigin); got != nobody {
			t.Errorf("with the cookie of before: %s", got)
		}
		// Each proof takes the session from the application, as from whoever had its cookie.
		all, err := h.Sessions(t.Context(), u.ID)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d sessions, %v", len(all), err)
		}
		cookie, err := h.Follow(t.Context(), all[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.who(appOrigin); got != nobody {
			t.Errorf("after another proof: %s", got)
		}
		b.Jar.SetCookies(&url.URL{Scheme: "https", Host: "id.example.com"}, []*http.Cookie{{Name: CookieSession, Value: cookie, Secure: true, Path: "/"}})
		// Of two tabs that ask at once, each gets on, and a cookie of another time is in nobody's way.
		app.Path = "/"
		b.Jar.SetCookies(app, []*http.Cookie{{Name: CookieSession, Value: old[0].Value, Secure: true, Path: "/"}})
		one, two := b.asked(), b.asked()
		for _, word := range []string{two, one} {
			if b.send("GET", word, nil); b.at != appOrigin+"/app/" {
				t.Errorf("a tab is led to %s: %s", b.at, b.body)
			}
		}
		if got := b.who(appOrigin); got != anna {
			t.Errorf("after two tabs: %s", got)
		}
		for range 2 * maxHands {
			b.asked()
		}
		var left int
		if err := h.db.One(t.Context(), func(r db.Row) error { return r.Scan(&left) }, `select count(1) from signin_app where expires_at <> 0`); err != nil || left > maxHands {
			t.Errorf("%d words are kept, %v", left, err)
		}
		if err := h.EndSession(t.Context(), person(u.ID), all[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := b.who(appOrigin); got != nobody {
			t.Errorf("after the end: %s", got)
		}
		h.Pass(handLife + time.Second)
		if err := h.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.db.One(t.Context(), func(r db.Row) error { return r.Scan(&left) }, `select count(1) from signin_app`); err != nil || left != 0 {
			t.Errorf("%d rows are left, %v", left, err)
		}
	})
}

func TestOneOriginNeedsNoHandOver(t *testing.T) {
	h := embedded(t)
	visitor := apart(t, h)
	h.needs.Web = func() string { return signOrigin }
	b := visitor()
	if b.send("GET", appOrigin+"/app/signin?to=/app/things", nil); len(b.moves) == 0 || b.moves[0] != appOrigin+"/signin?to=%2Fapp%2Fthings" {
		t.Errorf("led by %q", b.moves)
	}
	u := h.person("anna@example.org")
	for _, path := range []string{"/session/hand", "/session/hand?for=x"} {
		if b.send("GET", signOrigin+path, nil); !strings.HasPrefix(b.at, signOrigin+"/signin") {
			t.Errorf("%s led to %s", path, b.at)
		}
	}
	b.send("GET", signOrigin+"/signin", nil)
	b.fill("/signin", url.Values{"email": {u.Email}})
	b.fill("/signin/password", url.Values{"password": {good}})
	if code := b.send("GET", signOrigin+"/session/hand?for="+strings.Repeat("A", 43), nil); code != 400 {
		t.Errorf("a hand-over that nobody needs: %d", code)
	}
}

// The application's cookie lives as long as that of the session: without "keep me signed in" until the browser ends.
func TestTheApplicationKeepsWhatWasToBeKept(t *testing.T) {
	h := embedded(t)
	visitor := apart(t, h)
	u := h.person("anna@example.org")
	for _, keep := range []bool{false, true} {
		b := visitor()
		b.send("GET", appOrigin+"/app/signin", nil)
		b.fill("/signin", url.Values{"email": {u.Email}})
		fields := url.Values{"password": {good}}
		if keep {
			fields.Set("keep", "yes")
		}
		kept := map[string]bool{}
		transport := b.Transport
		b.Transport = watched(func(r *http.Request) (*http.Response, error) {
			answer, err := transport.RoundTrip(r)
			if err == nil {
				for _, c := range answer.Cookies() {
					kept[c.Name] = c.MaxAge > 0
				}
			}
			return answer, err
		})
		b.fill("/signin/password", fields)
		if app, there := kept[cookieApp]; !there || app != keep || kept[CookieSession] != keep {
			t.Errorf("keep %v: %v", keep, kept)
		}
	}
}

type watched func(r *http.Request) (*http.Response, error)

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }
