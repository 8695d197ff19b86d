package oauth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// small is a site on the engine that starts faster.
func small(t testing.TB) *site {
	t.Helper()
	return open(t, build(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))))
}

// Whatever a browser is sent here with, it goes to a page of ours or to an address that
// the client has registered, or stays; and nobody gets a code without a person's consent.
func FuzzAuthorizeRequest(f *testing.F) {
	s := small(f)
	s.signIn()
	f.Add(s.request("web").Encode())
	f.Add(s.request("cli", with("redirect_uri", "http://[::1]:7/callback")).Encode())
	f.Add(s.request(s.app.ID, with("prompt", "none"), with("max_age", "5")).Encode())
	f.Add(s.request(s.spa.ID, with("redirect_uri", "https://spa.example/cb/../x")).Encode())
	f.Add("client_id=web&request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3Ax")
	f.Add("continue=AAAA")
	f.Add("waiting=AAAA")
	f.Add("client_id=web;redirect_uri=x")
	f.Fuzz(func(t *testing.T, query string) {
		r := httptest.NewRequest(http.MethodGet, pathAuthorize, nil)
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		s.door.ServeHTTP(w, r)
		to := w.Header().Get("Location")
		switch {
		case w.Code == http.StatusBadRequest && to == "":
			return
		case w.Code != http.StatusSeeOther:
			t.Fatalf("%q: status %d %s", query, w.Code, w.Body)
		case strings.HasPrefix(to, "/sign-in?"), strings.HasPrefix(to, "/consent?"):
			return
		}
		asked, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q cannot be read, and leads to %s", query, to)
		}
		back := asked.Get("redirect_uri")
		loop := strings.HasPrefix(back, "http://127.0.0.1") || strings.HasPrefix(back, "http://[::1]")
		registered := slices.Contains([]string{appBack, "https://app.example/other", spaBack, s.origin + webBack}, back)
		if !strings.HasPrefix(to, back) || !registered && !(loop && strings.HasSuffix(back, "/callback")) {
			t.Fatalf("%q leads to %s", query, to)
		}
		if strings.Contains(to[len(back):], "code=") && (asked.Get("client_id") != "web" && asked.Get("client_id") != "cli" || asked.Get("code_challenge_method") != "S256") {
			t.Fatalf("%q is given a code", query)
		}
	})
}

// Whatever is sent to the token endpoint without a right secret, code or token, is
// refused as its sender's fault, and nothing is given.
func FuzzTokenRequest(f *testing.F) {
	s := small(f)
	const kind = "application/x-www-form-urlencoded"
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("web:web%27s secret"))
	f.Add(kind, basic, "grant_type=authorization_code&code=x&redirect_uri=y&code_verifier="+verifier)
	f.Add(kind, basic, "grant_type=refresh_token&refresh_token=x&scope=openid")
	f.Add(kind, "", "grant_type="+url.QueryEscape(grantDevice)+"&device_code=x&client_id=cli")
	f.Add(kind, "", "grant_type=client_credentials&client_id="+strings.Repeat("a", 32)+"&client_secret=b")
	f.Add(kind+"; charset=utf-8", "Basic !", "grant_type=password")
	f.Add("multipart/form-data; boundary=x", basic, "--x\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\nrefresh_token\r\n--x--")
	f.Add("application/json", "", `{"grant_type":"refresh_token"}`)
	f.Add(kind, "Bearer x", "grant_type=a&grant_type=b")
	f.Fuzz(func(t *testing.T, kind, proof, body string) {
		for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header["Content-Type"], r.Header["Authorization"] = []string{kind}, []string{proof}
			w := httptest.NewRecorder()
			s.door.ServeHTTP(w, r)
			if w.Code >= http.StatusInternalServerError || strings.Contains(w.Body.String(), "access_token\":") || strings.Contains(w.Body.String(), `"active":true`) {
				t.Fatalf("%s %q %q %q: status %d %s", path, kind, proof, body, w.Code, w.Body)
			}
			if path == "/oauth2/token" && w.Code == http.StatusOK {
				t.Fatalf("%q %q %q is given something: %s", kind, proof, body, w.Body)
			}
		}
	})
}

// An address that is allowed is a registered one, or differs from one in its port alone.
func FuzzRedirectAllowed(f *testing.F) {
	registered := []string{"https://a.example/cb", "http://127.0.0.1/cb", "http://[::1]:80/cb?x=1"}
	for _, text := range []string{"https://a.example/cb", "http://127.0.0.1:1/cb", "http://[::1]/cb?x=1", "http://127.0.0.1:80@evil.example/cb", "http://127.0.0.1:065535/cb", "http://127.0.0.1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		if !redirectAllowed(registered, asked) || slices.Contains(registered, asked) {
			return
		}
		u, err := url.Parse(asked)
		if err != nil {
			t.Fatalf("%q is allowed and cannot be read", asked)
		}
		u.Host = map[string]string{"127.0.0.1": "127.0.0.1", "::1": "[::1]:80"}[u.Hostname()]
		if got := u.String(); !slices.Contains(registered, got) || u.User != nil {
			t.Fatalf("%q is allowed: without its port it is %q", asked, got)
		}
	})
}

// A user code that is read has eight letters of the twenty.
func FuzzUserCode(f *testing.F) {
	f.Add("WDJB-MJHT")
	f.Add("wdjb mjht")
	f.Add("ſdjb-mjht") // a letter that becomes S
	f.Fuzz(func(t *testing.T, text string) {
		plain, ok := plainUserCode(text)
		if !ok {
			return
		}
		again, ok := plainUserCode(plain[:4] + "-" + plain[4:])
		if !ok || again != plain || len(plain) != userLength || strings.Trim(plain, userLetters) != "" {
			t.Fatalf("%q is read as %q, and that as %q", text, plain, again)
		}
	})
}
