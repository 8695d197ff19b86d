package oauth

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A person signs in to a program that is registered here: sign-in page, consent page, code, tokens.
func TestCodeBecomesTokens(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.authorize(t, s.request(s.app.ID, with("login_hint", "anna@example.org")))
		if a.status != http.StatusSeeOther || a.to.Path != "/sign-in" || s.hints[0].LoginHint != "anna@example.org" {
			t.Fatalf("nobody is signed in, and the browser goes to %v (%d)", a.to, a.status)
		}
		s.signIn()
		a = s.get(t, a.param("return_to"))
		if a.to == nil || a.to.Path != "/consent" {
			t.Fatalf("the browser goes to %v", a.to)
		}
		want, err := s.Asked(t.Context(), anna, a.param("id"))
		if err != nil || want.Client.Name != "An app" || !slices.Equal(want.Scopes, Scopes()) {
			t.Fatalf("Asked = %+v, %v", want, err)
		}
		a = s.agree(t, a)
		if got := a.to.Query(); !strings.HasPrefix(a.to.String(), appBack+"&") || got.Get("state") != "a-state" || got.Get("iss") != s.origin || got.Get("tenant") != "1" {
			t.Fatalf("the browser goes back to %v", a.to)
		}
		a = s.post(t, "/oauth2/token", s.app.ID, exchange(a.param("code"), appBack))
		if a.status != http.StatusOK || a.text("token_type") != "Bearer" || a.json["expires_in"] != userLife.Seconds() || a.text("refresh_token") == "" {
			t.Fatalf("tokens: %d %s", a.status, a.body)
		}
		head, body := claimsOf(t, a.text("access_token"))
		if head["typ"] != "at+jwt" || head["alg"] != "ES256" || body["client_id"] != s.app.ID || body["iss"] != s.origin || body["sub"] != anna {
			t.Errorf("access token %v %v", head, body)
		}
		who, err := s.Verify(t.Context(), a.text("access_token"))
		if err != nil || who.Kind != access.User || who.ID != anna {
			t.Fatalf("Verify = %+v, %v", who, err)
		}
		if who, err = s.Enter(t.Context(), who, school); err != nil || who.Space != school || who.Role != access.Viewer {
			t.Errorf("Enter = %+v, %v", who, err)
		}
		_, id := claimsOf(t, a.text("id_token"))
		if id["nonce"] != "a-nonce" || id["aud"] != s.app.ID || id["acr"] != "1" || id["auth_time"] != float64(s.now.Unix()) || id["at_hash"] == nil || id["sid"] == "browser-1" {
			t.Errorf("ID token %v", id)
		}
		info := s.get(t, "/oauth2/userinfo", "Authorization", "Bearer "+a.text("access_token"))
		if info.text("sub") != anna || info.text("name") != "Anna" || info.text("email") != "anna@example.org" || info.json["email_verified"] != true {
			t.Errorf("userinfo: %d %s", info.status, info.body)
		}
	})
}

func TestConsentIsRememberedAndWithdrawn(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.signIn()
		little := with("scope", "openid")
		token := s.tokens(t, s.app.ID, little).text("access_token")
		if a := s.authorize(t, s.request(s.app.ID, little)); a.param("code") == "" {
			t.Errorf("asked a second time: %v", a.to)
		}
		if a := s.authorize(t, s.request(s.app.ID, little, with("prompt", "consent"))); a.to.Path != "/consent" {
			t.Errorf("prompt=consent goes to %v", a.to)
		}
		more := s.authorize(t, s.request(s.app.ID, with("scope", "openid iot")))
		if more.to.Path != "/consent" {
			t.Errorf("more is not asked for: %v", more.to)
		}
		next, err := s.Consent(t.Context(), anna, more.param("id"), false)
		if err != nil {
			t.Fatal(err)
		}
		if a := s.get(t, next); a.param("error") != "access_denied" || a.param("iss") != s.origin {
			t.Errorf("a no becomes %v", a.to)
		}
		all, err := s.Consents(t.Context(), anna)
		if err != nil || len(all) != 1 || all[0].Client.Name != "An app" || !slices.Equal(all[0].Scopes, []string{"openid"}) {
			t.Errorf("Consents = %+v, %v", all, err)
		}
		if err := s.Withdraw(t.Context(), person(anna), anna, s.app.ID); err != nil {
			t.Fatal(err)
		}
		if a := s.get(t, "/oauth2/userinfo", "Authorization", "Bearer "+token); a.status != http.StatusUnauthorized {
			t.Errorf("a token outlives its consent: %d", a.status)
		}
		if a := s.authorize(t, s.request(s.app.ID, little)); a.to.Path != "/consent" {
			t.Errorf("after the withdrawal: %v", a.to)
		}
		if a := s.authorize(t, s.request("web")); a.param("code") == "" {
			t.Errorf("a part of Ardesia asks for consent: %v", a.to)
		}
	})
}

// prompt, max_age, acr_values and id_token_hint: who must sign in, and who must not be asked.
func TestWhenToSignIn(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.signIn()
		hint := s.tokens(t, "web").text("id_token")
		hour := s.now.Add(-time.Hour)
		for name, c := range map[string]struct {
			login *Login
			ask   []func(url.Values)
			want  string // path of the page, or the error, or "code"
		}{
			"nobody":                         {nil, nil, "/sign-in"},
			"nobody, silently":               {nil, []func(url.Values){with("prompt", "none")}, "login_required"},
			"somebody":                       {&Login{User: anna, At: hour}, nil, "code"},
			"somebody, silently":             {&Login{User: anna, At: hour}, []func(url.Values){with("prompt", "none")}, "code"},
			"in any case":                    {&Login{User: anna, At: hour}, []func(url.Values){with("prompt", "login")}, "/sign-in"},
			"another account":                {&Login{User: anna, At: hour}, []func(url.Values){with("prompt", "select_account")}, "/sign-in"},
			"too long ago":                   {&Login{User: anna, At: hour}, []func(url.Values){with("max_age", "3599")}, "/sign-in"},
			"too long ago, silently":         {&Login{User: anna, At: hour}, []func(url.Values){with("max_age", "3599"), with("prompt", "none")}, "login_required"},
			"just in time":                   {&Login{User: anna, At: hour}, []func(url.Values){with("max_age", "3600")}, "code"},
			"max_age=0 is prompt=login":      {&Login{User: anna, At: hour}, []func(url.Values){with("max_age", "0")}, "/sign-in"},
			"too weak":                       {&Login{User: anna, At: hour, ACR: "1"}, []func(url.Values){with("acr_values", "2")}, "/sign-in"},
			"too weak, silently":             {&Login{User: anna, At: hour, ACR: "1"}, []func(url.Values){with("acr_values", "2"), with("prompt", "none")}, "interaction_required"},
			"strong enough":                  {&Login{User: anna, At: hour, ACR: "3"}, []func(url.Values){with("acr_values", "2")}, "code"},
			"the person of the hint":         {&Login{User: anna, At: hour}, []func(url.Values){with("id_token_hint", hint)}, "code"},
			"another person than the hint's": {&Login{User: alien, At: hour}, []func(url.Values){with("id_token_hint", hint), with("prompt", "none")}, "login_required"},
		} {
			t.Run(name, func(t *testing.T) {
				if s.login = c.login; c.login != nil {
					s.login.Session, s.login.Epoch = "browser-1", s.epoch
				}
				a := s.authorize(t, s.request("web", c.ask...))
				got := a.to.Path
				if a.param("error") != "" {
					got = a.param("error")
				} else if a.param("code") != "" {
					got = "code"
				}
				if got != c.want {
					t.Errorf("the browser goes to %v", a.to)
				}
				if got != "/sign-in" {
					return
				}
				s.signIn()
				if a := s.get(t, a.param("return_to")); a.param("code") == "" {
					t.Errorf("after signing in the browser goes to %v", a.to)
				}
			})
		}
		s.login = &Login{User: anna, At: hour, Session: "browser-1", Epoch: s.epoch}
		a := s.authorize(t, s.request("web", with("prompt", "login")))
		if again := s.get(t, a.param("return_to")); again.to.Path != "/sign-in" {
			t.Errorf("who comes back without having signed in goes to %v", again.to)
		}
	})
}

func TestPushedRequest(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		s.signIn()
		f := s.request("web")
		f.Del("client_id")
		a := s.post(t, "/oauth2/par", "web", f)
		uri := a.text("request_uri")
		if a.status != http.StatusCreated || a.json["expires_in"] != pushedLife.Seconds() || !strings.HasPrefix(uri, prefixPushed) {
			t.Fatalf("push: %d %s", a.status, a.body)
		}
		ask := url.Values{"client_id": {"web"}, "request_uri": {uri}, "scope": {"nothing"}}
		a = s.authorize(t, ask)
		if a.param("code") == "" || a.param("state") != "a-state" {
			t.Fatalf("authorize: %v", a.to)
		}
		if got := s.post(t, "/oauth2/token", "web", exchange(a.param("code"), s.back("web"))); got.status != http.StatusOK {
			t.Errorf("token: %s", got.body)
		}
	})
}

func TestRefreshTokenRotates(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		first := s.tokens(t, "cli")
		second := s.renew(t, "cli", first.text("refresh_token"))
		if second.status != http.StatusOK || second.text("refresh_token") == first.text("refresh_token") || second.text("id_token") == "" {
			t.Fatalf("refresh: %d %s", second.status, second.body)
		}
		s.now = s.now.Add(overlap - time.Second)
		if again := s.renew(t, "cli", first.text("refresh_token")); again.status != http.StatusOK {
			t.Errorf("an answer that got lost: %d %s", again.status, again.body)
		}
		less := s.post(t, "/oauth2/token", "cli", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {second.text("refresh_token")}, "scope": {"openid"}})
		if less.text("scope") != "openid" {
			t.Errorf("less: %s", less.body)
		}
		if _, err := s.Verify(t.Context(), less.text("access_token")); !errors.Is(err, ErrScope) {
			t.Errorf("without iot: %v", err)
		}
		for name, end := range map[string]func(){
			"unused for too long": func() { s.now = s.now.Add(refreshIdle) },
			"a new password":      func() { s.epoch++ },
			"the person is out":   func() { s.out = true },
		} {
			s.out = false
			s.login = nil
			token := s.tokens(t, "cli").text("refresh_token")
			end()
			if a := s.renew(t, "cli", token); a.text("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}

// A family ends after its whole life, however often it was renewed.
func TestRefreshFamilyEnds(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		start, token := s.now, s.tokens(t, "cli").text("refresh_token")
		for s.now.Sub(start) < refreshLife-refreshIdle {
			s.now = s.now.Add(refreshIdle - time.Hour)
			a := s.renew(t, "cli", token)
			if token = a.text("refresh_token"); token == "" {
				t.Fatalf("after %v: %s", s.now.Sub(start), a.body)
			}
		}
		s.now = start.Add(refreshLife)
		if a := s.renew(t, "cli", token); a.text("error") != "invalid_grant" {
			t.Errorf("after its whole life: %d %s", a.status, a.body)
		}
	})
}

// What is not offline ends with the browser's session, what is does not.
func TestTokensEndWithTheirSession(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		short, long := s.tokens(t, "web", with("scope", "openid iot")), s.tokens(t, "web")
		if !s.alive(t, short.text("access_token")) {
			t.Fatal("dead before its session ended")
		}
		s.ended["browser-1"] = true
		if s.alive(t, short.text("access_token")) {
			t.Error("the access token outlives its session")
		}
		if err := s.SessionEnded(t.Context(), "browser-1"); err != nil {
			t.Fatal(err)
		}
		if a := s.renew(t, "web", short.text("refresh_token")); a.text("error") != "invalid_grant" {
			t.Errorf("the refresh token outlives its session: %s", a.body)
		}
		if a := s.renew(t, "web", long.text("refresh_token")); a.status != http.StatusOK {
			t.Errorf("offline: %s", a.body)
		}
	})
}

func TestDeviceGrant(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		begin := func() answer {
			t.Helper()
			a := s.post(t, "/oauth2/device", "cli", url.Values{"scope": {"openid offline_access iot"}})
			if a.status != http.StatusOK || a.text("verification_uri") != s.origin+pathDevice || a.json["interval"] != 5.0 || a.json["expires_in"] != 600.0 {
				t.Fatalf("device: %d %s", a.status, a.body)
			}
			return a
		}
		ask := func(a answer, wait time.Duration) answer {
			s.now = s.now.Add(wait)
			return s.post(t, "/oauth2/token", "cli", url.Values{"grant_type": {grantDevice}, "device_code": {a.text("device_code")}})
		}
		a := begin()
		for i, c := range []struct {
			wait time.Duration
			want string
		}{{0, "authorization_pending"}, {pollEvery, "authorization_pending"}, {time.Second, "slow_down"}, {pollEvery, "slow_down"}, {4 * pollEvery, "authorization_pending"}} {
			if got := ask(a, c.wait).text("error"); got != c.want {
				t.Errorf("question %d: %s, want %s", i, got, c.want)
			}
		}
		want, err := s.Pending(t.Context(), strings.ToLower(a.text("user_code")))
		if err != nil || want.Client.ID != "cli" || len(want.Scopes) != 3 {
			t.Fatalf("Pending = %+v, %v", want, err)
		}
		s.signIn()
		if err := s.Approve(t.Context(), *s.login, a.text("user_code")); err != nil {
			t.Fatal(err)
		}
		got := ask(a, 5*pollEvery)
		if got.status != http.StatusOK || got.text("refresh_token") == "" || got.text("id_token") == "" || !s.alive(t, got.text("access_token")) {
			t.Fatalf("tokens: %d %s", got.status, got.body)
		}
		if again := ask(a, 5*pollEvery); again.text("error") != "invalid_grant" {
			t.Errorf("a second time: %s", again.body)
		}
		if err := s.Approve(t.Context(), *s.login, a.text("user_code")); !errors.Is(err, ErrUserCode) {
			t.Errorf("a second yes: %v", err)
		}
		a = begin()
		if err := s.Deny(t.Context(), *s.login, a.text("user_code")); err != nil {
			t.Fatal(err)
		}
		if got := ask(a, 0); got.text("error") != "access_denied" {
			t.Errorf("after a no: %s", got.body)
		}
		a = begin()
		if got := ask(a, deviceLife); got.text("error") != "expired_token" {
			t.Errorf("too late: %s", got.body)
		}
		if _, err := s.Pending(t.Context(), a.text("user_code")); !errors.Is(err, ErrUserCode) {
			t.Errorf("too late: %v", err)
		}
	})
}

func TestUserCodes(t *testing.T) {
	for text, want := range map[string]bool{
		"WDJB-MJHT": true, "wdjbmjht": true, " WDJB MJHT ": true, "W.D-J_BMJHT": true,
		"": false, "WDJB-MJH": false, "WDJB-MJHTT": false, "ADJB-MJHT": false, "WDJB-MJH0": false, "WDJB-MJHÉ": false, strings.Repeat("W", 65): false,
	} {
		if _, got := plainUserCode(text); got != want {
			t.Errorf("plainUserCode(%q) = %v", text, got)
		}
	}
	seen := map[rune]int{}
	for range 1000 {
		c := newUserCode()
		plain, ok := plainUserCode(c)
		if !ok || len(c) != userLength+1 || c[4] != '-' {
			t.Fatalf("%q is no user code", c)
		}
		for _, r := range plain {
			seen[r]++
		}
	}
	for _, r := range userLetters {
		if seen[r] < 250 { // of 400 on average; 7 standard deviations
			t.Errorf("%c comes %d times in 8000 letters", r, seen[r])
		}
	}
}

func TestIntrospectionAndRevocation(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tokens(t, s.app.ID)
		for _, kind := range []string{"access_token", "refresh_token"} {
			got := s.post(t, "/oauth2/introspect", s.app.ID, url.Values{"token": {a.text(kind)}})
			if got.json["active"] != true || got.text("client_id") != s.app.ID || got.text("sub") != anna {
				t.Errorf("%s: %d %s", kind, got.status, got.body)
			}
			other := s.post(t, "/oauth2/introspect", "web", url.Values{"token": {a.text(kind)}})
			if other.body != `{"active":false}`+"\n" && other.body != `{"active":false}` {
				t.Errorf("another client learns of a %s: %s", kind, other.body)
			}
		}
		who, err := s.Verify(t.Context(), a.text("access_token"))
		if err != nil {
			t.Fatal(err)
		}
		ended := s.Ended.Subscribe(1)
		defer ended.Close()
		if got := s.post(t, "/oauth2/revoke", s.app.ID, url.Values{"token": {a.text("access_token")}, "token_type_hint": {"refresh_token"}}); got.status != http.StatusOK {
			t.Fatalf("revoke: %d %s", got.status, got.body)
		}
		select {
		case id := <-ended.C():
			if id != who.Client {
				t.Errorf("%s is told to have ended, want %s", id, who.Client)
			}
		default:
			t.Error("nobody is told that the grant ended")
		}
		for _, kind := range []string{"access_token", "refresh_token"} {
			if got := s.post(t, "/oauth2/introspect", s.app.ID, url.Values{"token": {a.text(kind)}}); got.json["active"] != false {
				t.Errorf("%s after it was revoked: %s", kind, got.body)
			}
		}
		if s.alive(t, a.text("access_token")) || s.renew(t, s.app.ID, a.text("refresh_token")).status == http.StatusOK {
			t.Error("what was revoked still counts")
		}
		if got := s.post(t, "/oauth2/revoke", s.app.ID, url.Values{"token": {"nothing"}}); got.status != http.StatusOK {
			t.Errorf("revoke what is not there: %d", got.status)
		}
	})
}

func TestAPIKeyAtTheProvider(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		id, given := s.key(t, "")
		s.secret[id] = given
		a := s.post(t, "/oauth2/token", id, url.Values{"grant_type": {"client_credentials"}, "audience": {Audience}})
		if a.status != http.StatusOK || a.json["expires_in"] != life.Seconds() || a.text("scope") != "iot" {
			t.Fatalf("token: %d %s", a.status, a.body)
		}
		who, err := s.Verify(t.Context(), a.text("access_token"))
		if err != nil || who.Kind != access.APIKey || who.Client != id {
			t.Errorf("Verify = %+v, %v", who, err)
		}
		if got := s.post(t, "/oauth2/introspect", id, url.Values{"token": {a.text("access_token")}}); got.json["active"] != true {
			t.Errorf("introspect: %s", got.body)
		}
	})
}

func TestSignOut(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		hint := s.tokens(t, s.app.ID).text("id_token")
		ask := func(f url.Values) answer { return s.get(t, "/oauth2/logout?"+f.Encode()) }
		bye := url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://app.example/bye"}, "state": {"x"}}
		if a := ask(url.Values{}); a.to == nil || a.to.Path != "/sign-out" || s.login == nil {
			t.Errorf("without a hint: %d %v", a.status, a.to)
		}
		if a := ask(url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {"https://app.example/byebye"}}); a.status != http.StatusBadRequest || s.login == nil {
			t.Errorf("an address that is not registered: %d %v", a.status, a.to)
		}
		s.login.Session = "browser-2"
		if a := ask(bye); a.to == nil || a.to.Path != "/sign-out" {
			t.Errorf("a hint of another session: %d %v", a.status, a.to)
		}
		s.login.Session = "browser-1"
		if a := s.do(t, http.MethodPost, pathLogout, bye.Encode()); a.to == nil || a.to.String() != pathLogout+"?"+bye.Encode() || s.login == nil {
			t.Errorf("by POST: %d %v", a.status, a.to)
		}
		if a := ask(bye); a.to == nil || a.to.String() != "https://app.example/bye?state=x" || s.login != nil || !s.ended["browser-1"] {
			t.Errorf("sign out: %d %v", a.status, a.to)
		}
		if a := ask(bye); a.to == nil || a.to.Host != "app.example" {
			t.Errorf("a second time: %d %v", a.status, a.to)
		}
	})
}

func TestRemovedClientLosesAll(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tokens(t, s.app.ID)
		if err := s.RemoveClient(t.Context(), access.Actor{Kind: access.System}, s.app.ID); err != nil {
			t.Fatal(err)
		}
		if s.alive(t, a.text("access_token")) {
			t.Error("its access token still counts")
		}
		if got := s.renew(t, s.app.ID, a.text("refresh_token")); got.text("error") != "invalid_client" {
			t.Errorf("refresh: %s", got.body)
		}
		if got := s.authorize(t, s.request(s.app.ID)); got.status != http.StatusBadRequest {
			t.Errorf("authorize: %d", got.status)
		}
		if err := s.RemoveClient(t.Context(), access.Actor{Kind: access.System}, s.app.ID); !errors.Is(err, ErrClient) {
			t.Errorf("a second time: %v", err)
		}
		all, err := s.Clients(t.Context(), "")
		if err != nil || len(all) != 1 || all[0].ID != s.spa.ID || !all[0].Public() {
			t.Errorf("Clients = %+v, %v", all, err)
		}
	})
}

func TestClientsAreChecked(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		for name, c := range map[string]struct {
			client Client
			public bool
			want   error
		}{
			"right":                        {Client{Name: "x", Redirects: []string{"https://a.example/"}}, false, nil},
			"a device without a redirect":  {Client{Name: "x", Device: true}, true, nil},
			"a scheme of its own":          {Client{Name: "x", Redirects: []string{"org.example.app:/cb"}}, true, nil},
			"loopback":                     {Client{Name: "x", Redirects: []string{"http://127.0.0.1/cb"}}, true, nil},
			"no name":                      {Client{Redirects: []string{"https://a.example/"}}, false, ErrClientName},
			"no redirect":                  {Client{Name: "x"}, false, ErrRedirects},
			"too many":                     {Client{Name: "x", Redirects: make([]string, maxRedirects+1)}, false, ErrRedirects},
			"http":                         {Client{Name: "x", Redirects: []string{"http://a.example/"}}, false, ErrRedirect},
			"a wildcard":                   {Client{Name: "x", Redirects: []string{"https://*.a.example/"}}, false, ErrRedirect},
			"a fragment":                   {Client{Name: "x", Redirects: []string{"https://a.example/#x"}}, false, ErrRedirect},
			"a user":                       {Client{Name: "x", Redirects: []string{"https://u@a.example/"}}, false, ErrRedirect},
			"dots":                         {Client{Name: "x", Redirects: []string{"https://a.example/x/../y"}}, false, ErrRedirect},
			"a script":                     {Client{Name: "x", Redirects: []string{"javascript:alert(1)"}}, true, ErrRedirect},
			"its own scheme with a secret": {Client{Name: "x", Redirects: []string{"org.example.app:/cb"}}, false, ErrRedirect},
			"a path of ours":               {Client{Name: "x", Redirects: []string{"/cb"}}, false, ErrRedirect},
			"a scope of nobody":            {Client{Name: "x", Redirects: []string{"https://a.example/"}, Scopes: []string{"root"}}, false, ErrScopes},
		} {
			t.Run(name, func(t *testing.T) {
				got, given, err := s.AddClient(t.Context(), access.Actor{Kind: access.System}, c.client, c.public)
				if !errors.Is(err, c.want) {
					t.Fatalf("AddClient = %v, want %v", err, c.want)
				}
				if err == nil && (got.Public() != c.public || given.IsZero() != c.public) {
					t.Errorf("client %+v", got)
				}
			})
		}
	})
}

func TestForgetLeavesNothing(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tokens(t, s.app.ID)
		s.authorize(t, s.request(s.spa.ID)) // waits for consent
		for range 2 {
			if err := s.Forget(t.Context(), anna); err != nil {
				t.Fatal(err)
			}
		}
		if s.alive(t, a.text("access_token")) {
			t.Error("a token of somebody who is forgotten counts")
		}
		if all, err := s.Consents(t.Context(), anna); err != nil || len(all) != 0 {
			t.Errorf("Consents = %v, %v", all, err)
		}
	})
}

// What has ended is removed a day later, and what stands stays.
func TestSweep(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		gone, stays := s.tokens(t, s.app.ID), s.tokens(t, "cli")
		if got := s.post(t, "/oauth2/revoke", s.app.ID, url.Values{"token": {gone.text("refresh_token")}}); got.status != http.StatusOK {
			t.Fatal(got.body)
		}
		s.now = s.now.Add(kept + time.Minute)
		if err := s.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, _, err := SQL(s.d).refresh(t.Context(), sum(gone.text("refresh_token"))); !errors.Is(err, errNoGrant) {
			t.Errorf("what was revoked is still there: %v", err)
		}
		if a := s.renew(t, "cli", stays.text("refresh_token")); a.status != http.StatusOK {
			t.Errorf("what stands is gone: %s", a.body)
		}
	})
}

// Many clients renew at the same moment: each gets its own, and none is lost.
func TestManyAtOnce(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		var tokens []string
		for range 24 {
			tokens = append(tokens, s.tokens(t, "cli").text("refresh_token"))
		}
		var all sync.WaitGroup
		next := make([]string, len(tokens))
		for i, token := range tokens {
			all.Go(func() { next[i] = s.renew(t, "cli", token).text("refresh_token") })
		}
		all.Wait()
		for i, token := range next {
			if token == "" || s.renew(t, "cli", token).status != http.StatusOK {
				t.Errorf("family %d is lost", i)
			}
		}
	})
}

// Whatever changes what programs may do stands in the journal, by whom and without secrets.
func TestChangesAreInTheJournal(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		a := s.tokens(t, s.app.ID)
		d := s.post(t, "/oauth2/device", "cli", url.Values{"scope": {"iot"}})
		if err := s.Approve(t.Context(), *s.login, d.text("user_code")); err != nil {
			t.Fatal(err)
		}
		if got := s.post(t, "/oauth2/token", "cli", url.Values{"grant_type": {grantDevice}, "device_code": {d.text("device_code")}}); got.status != http.StatusOK {
			t.Fatal(got.body)
		}
		if got := s.post(t, "/oauth2/revoke", s.app.ID, url.Values{"token": {a.text("refresh_token")}}); got.status != http.StatusOK {
			t.Fatal(got.body)
		}
		if err := s.Withdraw(t.Context(), person(anna), anna, s.app.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.RemoveClient(t.Context(), access.Actor{Kind: access.System}, s.app.ID); err != nil {
			t.Fatal(err)
		}
		all, err := journal.List(t.Context(), s.d, journal.Query{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range all {
			got = append(got, e.Actor+" "+e.Action)
			for name, text := range e.Detail {
				if strings.Contains(text, a.text("refresh_token")) || strings.Contains(text, "anna@example.org") {
					t.Errorf("%s: %s has %q", e.Action, name, text)
				}
			}
		}
		want := []string{
			"system client:create", "system client:create", "user:" + anna + " consent:give", "user:" + anna + " grant:begin",
			"user:" + anna + " device-code:approve", "user:" + anna + " grant:begin", "user:" + anna + " grant:end",
			"user:" + anna + " consent:withdraw", "system client:delete",
		}
		if !slices.Equal(got, want) {
			t.Errorf("the journal has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if _, err := journal.Verify(t.Context(), s.d); err != nil {
			t.Error(err)
		}
	})
}
