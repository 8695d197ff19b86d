package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// The steps of docs/acts/erase-person.md after which the power goes off; those without
// a word before them are of the private space, in step 4.
var personSteps = []string{
	"person 2", "person 3.1", "person 3.2", "person 3.3", "3.1", "3.2", "3.3", "5", "6.1", "6.2", "6.3",
	"person 4", "person 5", "person 6.1", "person 6.2", "person 6.3",
}

const secretWords = "seven purple kettles sing"

type wirePerson struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Space string `json:"space"`
}

func addPerson(h *servertest.House, email string) (u wirePerson, key servertest.Key) {
	h.Admin("user.add", map[string]string{"email": email, "name": "Berta", "password": secretWords}, &u)
	h.Admin("apikey.add", map[string]string{"user": u.ID, "name": "test"}, &key)
	return u, key
}

// The power goes off between any two steps, and the next start brings it to its end;
// nobody gets in meanwhile, and others keep what is theirs.
func TestPersonErasureSurvivesPowerCut(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *servertest.House) {
		anna, annasKey := h.Person("anna@example.org")
		kept := settle(t, h, anna, annasKey, "kept")
		for _, step := range personSteps {
			u, key := addPerson(h, "berta@example.org") // the address is free again each time
			h.Admin("space.member", map[string]string{"space": kept.id, "user": u.ID, "role": "editor"}, nil)
			if err := h.Server.AddTo(t.Context(), u.Space, u.ID); err != nil {
				t.Fatal(err)
			}
			b := newBrowser(t, h)
			b.signIn(u.Email, secretWords)
			if code := b.api("GET", "", nil); code != 200 {
				t.Fatalf("before: %d", code)
			}
			if err := h.Server.Leave(t.Context(), u.ID); err != nil {
				t.Fatal(err)
			}
			if err := server.EraseDue(h.Server, t.Context()); err != nil {
				t.Fatal(err)
			}
			if code := b.api("GET", "", nil); code != 200 {
				t.Errorf("erased before the days of grace are over: %d", code)
			}
			h.Pass(7*24*time.Hour + time.Second)
			reached := false
			h.Server.CutErasure(func(s string) error {
				reached = reached || s == step
				if reached {
					return errCut
				}
				return nil
			})
			if err := server.EraseDue(h.Server, t.Context()); !errors.Is(err, errCut) || !reached {
				t.Fatalf("cut after step %s: %v", step, err)
			}
			if err := h.ClientIn(t, key, "").Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err == nil {
				t.Errorf("cut after step %s, the API key works", step)
			}
			if code := b.api("GET", "", nil); code != 401 {
				t.Errorf("cut after step %s, the browser gets %d", step, code)
			}
			h.Stop()
			h = h.Again()
			if err := h.Server.Gone(t.Context(), u.ID, u.Space); err != nil {
				t.Errorf("cut after step %s, after the start: %v", step, err)
			}
			if err := kept.there(t, h, annasKey); err != nil {
				t.Errorf("cut after step %s, another person: %v", step, err)
			}
		}
	})
}

// Who is the only administrator of a space that others share is asked to see to it first.
func TestTheLastAdministratorOfASharedSpaceStays(t *testing.T) {
	h := servertest.Start(t)
	anna, key := h.Person("anna@example.org")
	shared := settle(t, h, anna, key, "shared")
	if err := h.Server.Leave(t.Context(), anna); err == nil || !strings.Contains(err.Error(), "only administrator") {
		t.Errorf("Leave = %v", err)
	}
	u, _ := addPerson(h, "berta@example.org")
	h.Admin("space.member", map[string]string{"space": shared.id, "user": u.ID, "role": "admin"}, nil)
	if err := h.Server.Leave(t.Context(), anna); err != nil {
		t.Errorf("with another one: %v", err)
	}
}

// A browser keeps cookies.
type browser struct {
	t    *testing.T
	h    *servertest.House
	http *http.Client
}

func newBrowser(t *testing.T, h *servertest.House) *browser {
	t.Helper()
	pem, err := os.ReadFile(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, h, &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}}
}

func (b *browser) do(method, path string, header map[string]string, form url.Values) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.h.URL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

var field = regexp.MustCompile(`<input type="hidden" name="(flow|step|token)" value="([^"]*)">`)

func (b *browser) signIn(email, password string) {
	b.t.Helper()
	_, page := b.do("POST", "/signin", nil, url.Values{"email": {email}})
	form := url.Values{"password": {password}}
	for _, m := range field.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	if code, page := b.do("POST", "/signin/password", nil, form); code != 200 || !strings.Contains(page, email) {
		b.t.Fatalf("signing in: %d %s", code, page)
	}
}

// api asks for the things of a space, or makes one.
func (b *browser) api(method, space string, header map[string]string) int {
	b.t.Helper()
	all := map[string]string{}
	if space != "" {
		all["X-Organization"] = space
	}
	for name, value := range header {
		all[name] = value
	}
	r := method
	if method == "PUT" {
		all["Content-Type"] = "application/json"
	}
	code, _ := b.do(r, "/iot/v2/things", all, nil)
	return code
}

// The pages of a browser are the API's clients: by the cookie, and only from our own origin.
func TestABrowserUsesTheAPIByItsCookie(t *testing.T) {
	h := servertest.Start(t)
	u, _ := addPerson(h, "berta@example.org")
	anna, key := h.Person("anna@example.org")
	shared := settle(t, h, anna, key, "shared")
	foreign := settle(t, h, anna, key, "foreign")
	h.Admin("space.member", map[string]string{"space": shared.id, "user": u.ID, "role": "viewer"}, nil)
	b := newBrowser(t, h)
	if code := b.api("GET", "", nil); code != 401 {
		t.Errorf("before signing in: %d", code)
	}
	b.signIn(u.Email, secretWords)
	for name, c := range map[string]struct {
		method, space string
		header        map[string]string
		want          int
	}{
		"the private space":             {"GET", "", nil, 200},
		"a shared one":                  {"GET", shared.id, nil, 200},
		"one of others":                 {"GET", foreign.id, nil, 403},
		"writing without a body":        {"PUT", "", nil, 400},
		"a viewer writes":               {"PUT", shared.id, nil, 403},
		"another site writes":           {"PUT", "", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 401},
		"a neighbour of the site":       {"GET", "", map[string]string{"Sec-Fetch-Site": "same-site"}, 401},
		"a bad token beside the cookie": {"GET", "", map[string]string{"Authorization": "Bearer nonsense"}, 401},
		"no bearer beside the cookie":   {"GET", "", map[string]string{"Authorization": "Basic YTpi"}, 401},
	} {
		if got := b.api(c.method, c.space, c.header); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if code, _ := b.do("POST", "/signout", nil, url.Values{}); code != 200 {
		t.Errorf("signing out: %d", code)
	}
	if code := b.api("GET", "", nil); code != 401 {
		t.Errorf("after signing out: %d", code)
	}
}

// Without a mail server letters are files that only the operator reads.
func TestLettersAreFilesWithoutAMailServer(t *testing.T) {
	h := servertest.Start(t)
	b := newBrowser(t, h)
	if code, page := b.do("POST", "/signup", nil, url.Values{"email": {"berta@example.org"}, "name": {"Berta"}, "password": {secretWords}}); code != 200 {
		t.Fatalf("signing up: %d %s", code, page)
	}
	file, text := letter(t, h)
	link := regexp.MustCompile(regexp.QuoteMeta(h.URL()) + `(/verify)\?token=([A-Za-z0-9_-]{43})`).FindStringSubmatch(text)
	if link == nil {
		t.Fatalf("the letter is %q", text)
	}
	for path, want := range map[string]os.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v, want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if code, page := b.do("POST", link[1], nil, url.Values{"token": {link[2]}}); code != 200 || !strings.Contains(page, "Your address is confirmed") {
		t.Errorf("the link: %d %s", code, page)
	}
	b.signIn("berta@example.org", secretWords)
}

// letter waits for the first letter of a house without a mail server.
func letter(t *testing.T, h *servertest.House) (file, text string) {
	t.Helper()
	dir := filepath.Join(h.Config.Data, "mail")
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for range 1500 {
		<-look.C
		all, err := mail.NewFolder(dir).List()
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			continue
		}
		kept, err := mail.NewFolder(dir).Open(all[0])
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, all[0]), kept.Text
	}
	t.Fatal("no letter has come")
	return "", ""
}

func TestSignUpIsClosedByTheOperator(t *testing.T) {
	h := servertest.Start(t, func(c *server.Config) { c.SignUp = "closed" })
	if code, _ := newBrowser(t, h).do("GET", "/signup", nil, nil); code != 403 {
		t.Errorf("GET /signup = %d", code)
	}
}

// said is what the server tells whoever started it. Only it writes, and only before it is ready.
type said struct{ bytes.Buffer }

// A first start prints the one link that makes the first account; later ones print none.
func TestTheFirstStartPrintsALinkThatMakesTheFirstAccount(t *testing.T) {
	cfg, err := servertest.On(filepath.Join(t.TempDir(), "data")).Filled()
	if err != nil {
		t.Fatal(err)
	}
	for _, first := range []bool{true, false} {
		var out said
		s, err := server.New(t.Context(), cfg, server.World{Log: slog.New(slog.DiscardHandler), Now: time.Now, Out: &out})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- s.Run(ctx) }()
		if _, err := s.Addresses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if first {
			if _, err := s.Admin(t.Context(), "user.add", []byte(`{"email":"anna@example.org","name":"Anna","password":"`+secretWords+`"}`)); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if err := errors.Join(<-ran, s.Close(context.Background())); err != nil {
			t.Fatal(err)
		}
		link := regexp.MustCompile(`https://localhost:\d+/setup\?token=[A-Za-z0-9_-]{43}\n`).FindString(out.String())
		if (link != "") != first {
			t.Errorf("first start %v: it says %s", first, out.String())
		}
	}
}
