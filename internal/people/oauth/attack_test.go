package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
)

// want says that an answer refuses with a code, and gives nothing.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.text("error") != code || a.text("access_token") != "" {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

// wantBack says that the browser goes back to its client with an error and no code.
func (a answer) wantBack(t *testing.T, code string) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.param("error") != code || a.param("code") != "" || a.param("iss") == "" {
		t.Errorf("got %d %v %s, want %s", a.status, a.to, a.body, code)
	}
}

// wantPage says that the browser stays: nothing is sent anywhere.
func (a answer) wantPage(t *testing.T) {
	t.Helper()
	if a.status != http.StatusBadRequest || a.to != nil {
		t.Errorf("got %d %v %s, want a page that says no", a.status, a.to, a.body)
	}
}

// redirectTo asks for a code that is sent elsewhere than the app has registered.
func redirectTo(to string) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		s.signIn()
		s.authorize(t, s.request(s.app.ID, with("redirect_uri", to))).wantPage(t)
	}
}

// cliRedirectTo is the same of a client with a loopback address.
func cliRedirectTo(to string) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		s.signIn()
		s.authorize(t, s.request("cli", with("redirect_uri", to))).wantPage(t)
	}
}

// asks is an authorisation request that its client is told is wrong.
func asks(code string, change ...func(url.Values)) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		s.signIn()
		s.authorize(t, s.request("web", change...)).wantBack(t, code)
	}
}

// exchanges is a token request for a good code that is wrong; the code stays good for its owner.
func exchanges(code string, change ...func(url.Values)) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		given := s.code(t, "web")
		s.post(t, "/oauth2/token", "web", exchange(given, s.back("web"), change...)).want(t, http.StatusBadRequest, code)
		if a := s.post(t, "/oauth2/token", "web", exchange(given, s.back("web"))); a.status != http.StatusOK {
			t.Errorf("its owner cannot use the code any more: %s", a.body)
		}
	}
}

// forged is a token like a good one of Anna's, changed and signed as an attacker would.
func forged(change func(body map[string]any), sign func(t *testing.T, s *site, body []byte) string) func(t *testing.T, s *site) {
	return func(t *testing.T, s *site) {
		good := s.tokens(t, "web").text("access_token")
		if !s.alive(t, good) {
			t.Fatal("the token that is forged after was not good")
		}
		_, body := claimsOf(t, good)
		change(body)
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		bad := sign(t, s, text)
		if _, err := s.Verify(t.Context(), bad); !errors.Is(err, ErrToken) {
			t.Errorf("Verify = %v", err)
		}
		if a := s.get(t, "/oauth2/userinfo", "Authorization", "Bearer "+bad); a.status != http.StatusUnauthorized {
			t.Errorf("userinfo: %d %s", a.status, a.body)
		}
	}
}

func same(map[string]any) {}

// signedBy signs with the house's own key, or another, under another head.
func signedBy(alg jose.SignatureAlgorithm, kind string, key func(s *site) any) func(t *testing.T, s *site, body []byte) string {
	return func(t *testing.T, s *site, body []byte) string {
		t.Helper()
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key(s)}, (&jose.SignerOptions{}).WithType(jose.ContentType(kind)).WithHeader("kid", s.PublicKeys().Keys[0].KeyID))
		if err != nil {
			t.Fatal(err)
		}
		signed, err := signer.Sign(body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func ours(s *site) any { return cryptosigner.Opaque(s.signers.all[signerName(1)]) }

func publicAsSecret(s *site) any {
	text, _ := json.Marshal(s.PublicKeys().Keys[0]) // a key of ours always has JSON
	return text
}

// bare builds a token without a signature.
func bare(head string) func(t *testing.T, s *site, body []byte) string {
	return func(_ *testing.T, _ *site, body []byte) string {
		return base64.RawURLEncoding.EncodeToString([]byte(head)) + "." + base64.RawURLEncoding.EncodeToString(body) + "."
	}
}

func set(name string, value any) func(map[string]any) {
	return func(body map[string]any) { body[name] = value }
}

// Attacks, each by the section that describes it. All are refused.
func TestAttacks(t *testing.T) {
	attacks := map[string]func(t *testing.T, s *site){
		// Redirect addresses: RFC 9700, sections 2.1, 4.1 and 4.11.
		"RFC 9700 4.1: a longer address":            redirectTo(appBack + "&next=https://evil.example"),
		"RFC 9700 4.1: a prefix":                    redirectTo("https://app.example/cb"),
		"RFC 9700 4.1: another host that begins so": redirectTo("https://app.example.evil.example/cb?tenant=1"),
		"RFC 9700 4.1: a subdomain":                 redirectTo("https://x.app.example/cb?tenant=1"),
		"RFC 9700 4.1: path traversal":              redirectTo("https://app.example/cb/../other?tenant=1"),
		"RFC 9700 4.1: encoded path traversal":      redirectTo("https://app.example/cb%2f..%2fother?tenant=1"),
		"RFC 9700 4.1: an encoded letter":           redirectTo("https://app.example/c%62?tenant=1"),
		"RFC 9700 4.1: a user name":                 redirectTo("https://app.example@evil.example/cb?tenant=1"),
		"RFC 9700 4.1: a user name before the host": redirectTo("https://evil@app.example/cb?tenant=1"),
		"RFC 9700 4.1: a fragment":                  redirectTo(appBack + "#x"),
		"RFC 9700 4.1: another port":                redirectTo("https://app.example:444/cb?tenant=1"),
		"RFC 9700 4.1: the port by name":            redirectTo("https://app.example:443/cb?tenant=1"),
		"RFC 9700 4.1: the case of the host":        redirectTo("https://APP.example/cb?tenant=1"),
		"RFC 9700 4.1: the case of the path":        redirectTo("https://app.example/CB?tenant=1"),
		"RFC 9700 4.1: without TLS":                 redirectTo("http://app.example/cb?tenant=1"),
		"RFC 9700 4.1: a backslash":                 redirectTo(`https://app.example\@evil.example/cb?tenant=1`),
		"RFC 9700 4.1: a script":                    redirectTo("javascript:alert(1)"),
		"RFC 9700 4.1: nothing to compare with":     redirectTo(""),
		"RFC 9700 4.1: another client's address":    redirectTo(spaBack),
		"RFC 9700 4.11.2: an open redirector":       redirectTo("https://app.example/cb?tenant=1?next=//evil.example"),
		"RFC 8252 7.3: localhost for 127.0.0.1":     cliRedirectTo("http://localhost:40123/callback"),
		"RFC 8252 7.3: another path on loopback":    cliRedirectTo("http://127.0.0.1:40123/callback/x"),
		"RFC 8252 7.3: an encoded path on loopback": cliRedirectTo("http://127.0.0.1:40123/c%61llback"),
		"RFC 8252 7.3: a query on loopback":         cliRedirectTo("http://127.0.0.1:40123/callback?x"),
		"RFC 8252 7.3: another loopback address":    cliRedirectTo("http://127.0.0.2:40123/callback"),
		"RFC 8252 7.3: a user name on loopback":     cliRedirectTo("http://evil@127.0.0.1:40123/callback"),
		"RFC 8252 7.3: a host that begins so":       cliRedirectTo("http://127.0.0.1.evil.example:40123/callback"),
		"RFC 8252 7.3: a port that is a host":       cliRedirectTo("http://127.0.0.1:80@evil.example/callback"),
		"RFC 8252 7.3: a port that is none":         cliRedirectTo("http://127.0.0.1:99999/callback"),
		"RFC 8252 7.3: TLS where there was none":    cliRedirectTo("https://127.0.0.1:40123/callback"),
		"RFC 6749 3.1.2.4: an unknown client": func(t *testing.T, s *site) {
			s.authorize(t, s.request("web", with("client_id", "nobody"))).wantPage(t)
		},
		"RFC 9700 4.12: a redirect that keeps the form": func(t *testing.T, s *site) {
			s.signIn()
			a := s.do(t, http.MethodPost, pathAuthorize, s.request("web").Encode())
			if a.status != http.StatusSeeOther {
				t.Fatalf("status %d", a.status)
			}
			if a = s.get(t, a.to.String()); a.status != http.StatusSeeOther || a.param("code") == "" {
				t.Errorf("status %d, to %v", a.status, a.to)
			}
		},

		// What may be asked for: RFC 9700, sections 2.1.1 and 2.1.2.
		"RFC 9700 2.1.2: response_type token":       asks("unsupported_response_type", with("response_type", "token")),
		"RFC 9700 2.1.2: response_type id_token":    asks("unsupported_response_type", with("response_type", "id_token")),
		"RFC 9700 2.1.2: code and token":            asks("unsupported_response_type", with("response_type", "code token")),
		"RFC 6749 3.1.1: no response_type":          asks("unsupported_response_type", with("response_type", "")),
		"RFC 9700 4.3.1: the code in a fragment":    asks("unsupported_response_mode", with("response_mode", "fragment")),
		"RFC 9700 4.3.1: the code in a form":        asks("unsupported_response_mode", with("response_mode", "form_post")),
		"RFC 9700 2.1.1: without PKCE":              asks("invalid_request", with("code_challenge", ""), with("code_challenge_method", "")),
		"RFC 9700 2.1.1: PKCE plain":                asks("invalid_request", with("code_challenge_method", "plain"), with("code_challenge", verifier)),
		"RFC 7636 4.3: PKCE without a method":       asks("invalid_request", with("code_challenge_method", "")),
		"RFC 7636 4.2: a challenge that is none":    asks("invalid_request", with("code_challenge", "short")),
		"RFC 6749 3.3: a scope that nobody has":     asks("invalid_scope", with("scope", "openid root")),
		"RFC 6749 3.3: no scope":                    asks("invalid_scope", with("scope", "")),
		"RFC 9101 10.2: a request object":           asks("request_not_supported", with("request", "eyJhbGciOiJub25lIn0.e30.")),
		"RFC 9101 10.4: a request by reference":     asks("request_uri_not_supported", with("request_uri", "https://evil.example/request")),
		"OIDC Core 3.1.2.1: none beside others":     asks("invalid_request", with("prompt", "none login")),
		"OIDC Core 3.1.2.1: a made-up hint":         asks("invalid_request", with("id_token_hint", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.")),
		"OIDC Core 3.1.2.1: a max_age that is none": asks("invalid_request", with("max_age", "-1")),
		"OIDC Core 3.1.2.1: a hint of another client": func(t *testing.T, s *site) {
			hint := s.tokens(t, "cli").text("id_token")
			s.authorize(t, s.request("web", with("id_token_hint", hint))).wantBack(t, "invalid_request")
		},
		"RFC 6749 3.1: a parameter twice": func(t *testing.T, s *site) {
			s.signIn()
			s.get(t, pathAuthorize+"?"+s.request("web").Encode()+"&redirect_uri=https://evil.example").wantPage(t)
			s.get(t, pathAuthorize+"?"+s.request("web").Encode()+"&state=b").wantPage(t)
		},
		"RFC 9700 4.7: state comes back as it was": func(t *testing.T, s *site) {
			s.signIn()
			odd := "a+b c&iss=https://evil.example&code=x%00"[:38]
			a := s.authorize(t, s.request("web", with("state", odd)))
			if a.param("state") != odd || a.param("iss") != s.origin || len(a.to.Query()["iss"]) != 1 || len(a.to.Query()["code"]) != 1 {
				t.Errorf("the browser goes to %v", a.to)
			}
			if a := s.authorize(t, s.request("web", with("state", ""))); a.param("code") == "" || a.to.Query().Has("state") {
				t.Errorf("without a state: %v", a.to)
			}
		},
		"RFC 9207 2: answers name their issuer": func(t *testing.T, s *site) {
			s.signIn()
			for name, a := range map[string]answer{"a code": s.authorize(t, s.request("web")), "an error": s.authorize(t, s.request("web", with("scope", "root")))} {
				if a.param("iss") != s.origin {
					t.Errorf("%s: %v", name, a.to)
				}
			}
			if a := s.get(t, "/.well-known/openid-configuration"); a.text("issuer") != s.origin || a.json["authorization_response_iss_parameter_supported"] != true {
				t.Errorf("discovery: %s", a.body)
			}
		},
		"RFC 9700 4.16: framing": func(t *testing.T, s *site) {
			for path, a := range map[string]answer{"authorize": s.authorize(t, s.request("web")), "logout": s.get(t, "/oauth2/logout"), "a page": s.get(t, pathAuthorize)} {
				if !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || a.header.Get("X-Frame-Options") != "DENY" || a.header.Get("Referrer-Policy") != "no-referrer" {
					t.Errorf("%s may be framed: %v", path, a.header)
				}
			}
		},
		"RFC 9700 2.6: another site's script": func(t *testing.T, s *site) {
			s.signIn()
			if a := s.get(t, pathAuthorize+"?"+s.request("web").Encode(), "Origin", "https://evil.example"); a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("a script of another site may read the answer: %v", a.header)
			}
		},
		"bounds: a request that is too large": func(t *testing.T, s *site) {
			s.get(t, pathAuthorize+"?"+s.request("web", with("state", strings.Repeat("x", maxField+1))).Encode()).wantPage(t)
			s.post(t, "/oauth2/token", "web", exchange(strings.Repeat("x", maxForm), s.back("web"))).want(t, http.StatusBadRequest, "invalid_request")
			many := s.request("web")
			for i := range maxNames {
				many.Set("x"+strings.Repeat("y", i), "1")
			}
			s.authorize(t, many).wantPage(t)
		},
		"bounds: the largest request comes back from signing in": func(t *testing.T, s *site) {
			large := s.request("web", with("state", strings.Repeat("x", maxField)), with("ui_locales", strings.Repeat("y", 3000)))
			a := s.authorize(t, large)
			s.signIn()
			if a = s.get(t, a.param("return_to")); a.param("code") == "" || len(a.param("state")) != maxField {
				t.Errorf("the browser goes to %d %s", a.status, a.body)
			}
		},
		"a request that was changed on its way back": func(t *testing.T, s *site) {
			a := s.authorize(t, s.request("web"))
			s.signIn()
			back := a.param("return_to")
			s.get(t, back[:len(back)-8]+"AAAAAAAA").wantPage(t)
			s.now = s.now.Add(waitLife + time.Second)
			s.get(t, back).wantPage(t)
		},
		"RFC 8252 8.6: another program on the person's machine": func(t *testing.T, s *site) {
			s.tokens(t, "cli") // she has agreed once
			if a := s.authorize(t, s.request("cli", with("redirect_uri", "http://127.0.0.1:666/callback"))); a.to == nil || a.to.Path != "/consent" {
				t.Errorf("whoever listens on a port is given a code: %v", a.to)
			}
			s.authorize(t, s.request("cli", with("prompt", "none"))).wantBack(t, "consent_required")
		},
		"another person's consent": func(t *testing.T, s *site) {
			s.signIn()
			a := s.authorize(t, s.request(s.spa.ID, with("prompt", "consent")))
			if _, err := s.Consent(t.Context(), alien, a.param("id"), true); !errors.Is(err, ErrAsked) {
				t.Errorf("somebody else agreed: %v", err)
			}
			next, err := s.Consent(t.Context(), anna, a.param("id"), true)
			if err != nil {
				t.Fatal(err)
			}
			s.login.User = alien
			if a := s.get(t, next); a.to == nil || a.to.Path != "/consent" {
				t.Errorf("somebody else uses Anna's consent: %v", a.to)
			}
			s.login.User = anna
			if a := s.get(t, next); a.param("code") == "" {
				t.Errorf("Anna cannot go on: %v", a.to)
			}
			s.get(t, next).wantPage(t) // once
		},

		// Codes: RFC 9700, section 4.5; RFC 6749, sections 4.1.2 and 4.1.3.
		"RFC 6749 4.1.2: a code that comes twice ends all that came of it": func(t *testing.T, s *site) {
			given := s.code(t, "web")
			a := s.post(t, "/oauth2/token", "web", exchange(given, s.back("web")))
			if !s.alive(t, a.text("access_token")) {
				t.Fatalf("tokens: %d %s", a.status, a.body)
			}
			heard := s.Replayed.Subscribe(1)
			defer heard.Close()
			s.post(t, "/oauth2/token", "web", exchange(given, s.back("web"))).want(t, http.StatusBadRequest, "invalid_grant")
			if s.alive(t, a.text("access_token")) {
				t.Error("the access token outlives the replay")
			}
			s.renew(t, "web", a.text("refresh_token")).want(t, http.StatusBadRequest, "invalid_grant")
			if len(heard.C()) != 1 {
				t.Error("nobody is told")
			}
		},
		"RFC 6749 4.1.2: an expired code": func(t *testing.T, s *site) {
			given := s.code(t, "web")
			s.now = s.now.Add(codeLife)
			s.post(t, "/oauth2/token", "web", exchange(given, s.back("web"))).want(t, http.StatusBadRequest, "invalid_grant")
		},
		"RFC 9700 4.5.3: a code that was injected into another session": exchanges("invalid_grant", with("code_verifier", strings.Repeat("b", 50))),
		"RFC 9700 4.8.2: the verifier left out":                         exchanges("invalid_grant", with("code_verifier", "")),
		"RFC 7636 4.1: the challenge for a verifier":                    exchanges("invalid_grant", with("code_verifier", challenge(verifier))),
		"RFC 7636 4.1: a short verifier":                                exchanges("invalid_grant", with("code_verifier", "short")),
		"RFC 6749 4.1.3: another redirect address":                      exchanges("invalid_grant", with("redirect_uri", "https://app.example/other")),
		"RFC 6749 4.1.3: no redirect address":                           exchanges("invalid_grant", with("redirect_uri", "")),
		"RFC 6749 4.1.3: another client's code": func(t *testing.T, s *site) {
			given := s.code(t, "web")
			s.post(t, "/oauth2/token", s.app.ID, exchange(given, s.back("web"))).want(t, http.StatusBadRequest, "invalid_grant")
			s.post(t, "/oauth2/token", "cli", exchange(given, s.back("web"))).want(t, http.StatusBadRequest, "invalid_grant")
		},
		"RFC 6749 4.1.3: a code that is none":     exchanges("invalid_grant", with("code", "nothing")),
		"RFC 6749 5.2: a grant that is none":      exchanges("unsupported_grant_type", with("grant_type", "implicit")),
		"RFC 9700 2.4: the password grant":        exchanges("unsupported_grant_type", with("grant_type", "password"), with("username", "anna"), with("password", "x")),
		"RFC 7523 2.1: a JWT as a grant":          exchanges("unsupported_grant_type", with("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), with("assertion", "x.y.z")),
		"RFC 6749 3.2: a parameter twice, posted": exchanges("invalid_request", func(f url.Values) { f.Add("code", "x") }),

		// Clients: RFC 6749, section 2.3; RFC 9700, section 2.5.
		"RFC 6749 2.3.1: a wrong secret": func(t *testing.T, s *site) {
			given := s.code(t, "web")
			for name, head := range map[string]string{"wrong": "web:wrong", "empty": "web:", "nobody's": "nobody:x"} {
				a := s.do(t, http.MethodPost, "/oauth2/token", exchange(given, s.back("web")).Encode(), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(head)))
				a.want(t, http.StatusUnauthorized, "invalid_client")
				if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic") {
					t.Errorf("%s: no challenge", name)
				}
			}
			f := exchange(given, s.back("web"), with("client_id", "web"))
			s.do(t, http.MethodPost, "/oauth2/token", f.Encode()).want(t, http.StatusUnauthorized, "invalid_client")
		},
		"RFC 6749 2.3: two proofs at once": func(t *testing.T, s *site) {
			s.post(t, "/oauth2/token", "web", exchange(s.code(t, "web"), s.back("web"), with("client_secret", "web's secret"))).want(t, http.StatusBadRequest, "invalid_request")
		},
		"RFC 6749 2.3.1: guessing a secret": func(t *testing.T, s *site) {
			const guesses = 10 // as the guard counts them
			f := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {s.app.ID}, "client_secret": {"guess"}}
			from := func(address string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodPost, "/oauth2/token", strings.NewReader(f.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.RemoteAddr = address + ":40000"
				w := httptest.NewRecorder()
				s.door.ServeHTTP(w, r)
				return w
			}
			for range guesses {
				if w := from("192.0.2.66"); w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "invalid_client") {
					t.Fatalf("a guess: %d %s", w.Code, w.Body)
				}
			}
			if w := from("192.0.2.66"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
				t.Errorf("after %d guesses: %d %s", guesses, w.Code, w.Body)
			}
			// The client itself, elsewhere, is not kept out by it.
			f.Set("client_secret", s.secret[s.app.ID])
			if w := from("192.0.2.9"); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "invalid_grant") {
				t.Errorf("the client itself: %d %s", w.Code, w.Body)
			}
		},
		"RFC 7523 2.2: a client that proves itself with alg none": func(t *testing.T, s *site) {
			f := exchange("x", s.back("web"), with("client_id", "web"), with("client_assertion", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3ZWIifQ."),
				with("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"))
			s.do(t, http.MethodPost, "/oauth2/token", f.Encode()).want(t, http.StatusUnauthorized, "invalid_client")
		},
		"RFC 6749 2.3.1: secrets in the address": func(t *testing.T, s *site) {
			f := exchange(s.code(t, "web"), s.back("web"), with("client_id", "web"), with("client_secret", "web's secret"))
			s.do(t, http.MethodPost, "/oauth2/token?"+f.Encode(), "x=1").want(t, http.StatusBadRequest, "invalid_request")
		},
		"RFC 6749 4.4: a client that acts for itself": func(t *testing.T, s *site) {
			s.post(t, "/oauth2/token", "web", url.Values{"grant_type": {"client_credentials"}}).want(t, http.StatusBadRequest, "unauthorized_client")
			s.post(t, "/oauth2/token", "cli", url.Values{"grant_type": {"client_credentials"}}).want(t, http.StatusBadRequest, "unauthorized_client")
		},
		"RFC 8707 2: a token for somebody else's API": func(t *testing.T, s *site) {
			id, given := s.key(t, "")
			s.secret[id] = given
			s.post(t, "/oauth2/token", id, url.Values{"grant_type": {"client_credentials"}, "audience": {"https://evil.example"}}).want(t, http.StatusBadRequest, "invalid_target")
			s.post(t, "/oauth2/token", id, url.Values{"grant_type": {"client_credentials"}, "resource": {"https://evil.example"}}).want(t, http.StatusBadRequest, "invalid_target")
			s.post(t, "/oauth2/token", id, url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}).want(t, http.StatusBadRequest, "invalid_scope")
		},

		// Refresh tokens: RFC 9700, section 4.14.
		"RFC 9700 4.14.2: a refresh token that comes again ends its family": func(t *testing.T, s *site) {
			first := s.tokens(t, "cli")
			second := s.renew(t, "cli", first.text("refresh_token"))
			s.now = s.now.Add(overlap)
			s.renew(t, "cli", first.text("refresh_token")).want(t, http.StatusBadRequest, "invalid_grant")
			s.renew(t, "cli", second.text("refresh_token")).want(t, http.StatusBadRequest, "invalid_grant")
			for _, a := range []answer{first, second} {
				if s.alive(t, a.text("access_token")) {
					t.Error("an access token of the family is alive")
				}
			}
		},
		"RFC 9700 4.14.2: another client's refresh token": func(t *testing.T, s *site) {
			s.renew(t, s.app.ID, s.tokens(t, "cli").text("refresh_token")).want(t, http.StatusBadRequest, "invalid_grant")
		},
		"RFC 6749 6: more than was granted": func(t *testing.T, s *site) {
			token := s.tokens(t, "cli", with("scope", "openid offline_access")).text("refresh_token")
			s.post(t, "/oauth2/token", "cli", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {"openid iot"}}).want(t, http.StatusBadRequest, "invalid_scope")
		},
		"RFC 6749 10.4: an access token for a refresh token": func(t *testing.T, s *site) {
			s.renew(t, "cli", s.tokens(t, "cli").text("access_token")).want(t, http.StatusBadRequest, "invalid_grant")
		},

		// Tokens: RFC 8725, RFC 9068, section 4, and RFC 9700, section 4.9.
		"RFC 8725 3.1: alg none":                              forged(same, bare(`{"alg":"none","typ":"at+jwt"}`)),
		"RFC 8725 3.1: alg nOnE":                              forged(same, bare(`{"alg":"nOnE","typ":"at+jwt"}`)),
		"RFC 8725 2.1: our public key as a secret":            forged(same, signedBy(jose.HS256, typeAccess, publicAsSecret)),
		"RFC 8725 3.11: an access token that says it is none": forged(same, signedBy(jose.ES256, typeJWT, ours)),
		"RFC 9068 4: another issuer":                          forged(set("iss", "https://evil.example"), signedBy(jose.ES256, typeAccess, ours)),
		"RFC 9068 4: expired":                                 forged(set("exp", 1), signedBy(jose.ES256, typeAccess, ours)),
		"RFC 9068 4: from the future":                         forged(set("iat", float64(1<<40)), signedBy(jose.ES256, typeAccess, ours)),
		"RFC 9068 4: of a grant that is none":                 forged(set("grant", "x"), signedBy(jose.ES256, typeAccess, ours)),
		"RFC 9068 4: another audience": func(t *testing.T, s *site) {
			token := s.tokens(t, "web", with("scope", "openid")).text("access_token")
			if _, err := s.Verify(t.Context(), token); !errors.Is(err, ErrScope) {
				t.Errorf("a token for userinfo opens the API: %v", err)
			}
			token = s.tokens(t, "web", with("scope", "iot")).text("access_token")
			if a := s.get(t, "/oauth2/userinfo", "Authorization", "Bearer "+token); a.status != http.StatusForbidden || !strings.Contains(a.header.Get("WWW-Authenticate"), "insufficient_scope") {
				t.Errorf("a token for the API opens userinfo: %d", a.status)
			}
		},
		"RFC 8725 2.8: an ID token at the API": func(t *testing.T, s *site) {
			token := s.tokens(t, "web").text("id_token")
			if _, err := s.Verify(t.Context(), token); !errors.Is(err, ErrToken) {
				t.Errorf("Verify = %v", err)
			}
		},
		"RFC 8725 2.8: an API key's token as a hint": func(t *testing.T, s *site) {
			s.signIn()
			s.authorize(t, s.request("web", with("id_token_hint", s.token(t, "", "")))).wantBack(t, "invalid_request")
			s.get(t, "/oauth2/logout?id_token_hint="+s.token(t, "", "")).wantPage(t)
			if s.login == nil {
				t.Error("somebody was signed out")
			}
		},
		"RFC 9700 4.3.2: a token in the address": func(t *testing.T, s *site) {
			token := s.tokens(t, "web").text("access_token")
			if a := s.get(t, "/oauth2/userinfo?access_token="+token); a.status != http.StatusUnauthorized {
				t.Errorf("status %d", a.status)
			}
		},
		"RFC 7662 4: asking without a proof": func(t *testing.T, s *site) {
			token := s.tokens(t, "cli").text("access_token")
			for _, id := range []string{"cli", s.spa.ID, "nobody"} {
				s.post(t, "/oauth2/introspect", id, url.Values{"token": {token}}).want(t, http.StatusUnauthorized, "invalid_client")
			}
		},
		"RFC 7009 2.1: revoking another client's token": func(t *testing.T, s *site) {
			a := s.tokens(t, "cli")
			s.post(t, "/oauth2/revoke", "web", url.Values{"token": {a.text("refresh_token")}}).want(t, http.StatusBadRequest, "unauthorized_client")
			if !s.alive(t, a.text("access_token")) {
				t.Error("it was revoked")
			}
		},

		// Pushed requests and devices: RFC 9126, section 7; RFC 8628, section 5.
		"RFC 9126 7.3: a pushed request that comes twice": func(t *testing.T, s *site) {
			s.signIn()
			ask := url.Values{"client_id": {"web"}, "request_uri": {s.post(t, "/oauth2/par", "web", s.request("web")).text("request_uri")}}
			if a := s.authorize(t, ask); a.param("code") == "" {
				t.Fatalf("the first time: %v %s", a.to, a.body)
			}
			s.authorize(t, ask).wantPage(t)
		},
		"RFC 9126 7.1: another client's pushed request": func(t *testing.T, s *site) {
			s.signIn()
			uri := s.post(t, "/oauth2/par", "web", s.request("web")).text("request_uri")
			s.authorize(t, url.Values{"client_id": {"cli"}, "request_uri": {uri}}).wantPage(t)
			s.authorize(t, url.Values{"client_id": {"web"}, "request_uri": {uri[:len(uri)-1] + "!"}}).wantPage(t)
		},
		"RFC 9126 2.2: a pushed request that is too old": func(t *testing.T, s *site) {
			s.signIn()
			uri := s.post(t, "/oauth2/par", "web", s.request("web")).text("request_uri")
			s.now = s.now.Add(pushedLife)
			s.authorize(t, url.Values{"client_id": {"web"}, "request_uri": {uri}}).wantPage(t)
		},
		"RFC 9126 2.1: pushed for another address, without a proof, or by reference": func(t *testing.T, s *site) {
			s.post(t, "/oauth2/par", "web", s.request("web", with("redirect_uri", "https://evil.example"))).want(t, http.StatusBadRequest, "invalid_request")
			s.do(t, http.MethodPost, "/oauth2/par", s.request("web").Encode()).want(t, http.StatusUnauthorized, "invalid_client")
			s.post(t, "/oauth2/par", "web", s.request("web", with("request_uri", prefixPushed+"x"))).want(t, http.StatusBadRequest, "request_uri_not_supported")
			s.post(t, "/oauth2/par", "web", s.request("web", with("client_id", "cli"))).want(t, http.StatusBadRequest, "invalid_request")
		},
		"RFC 8628 5.2: another client's device code": func(t *testing.T, s *site) {
			a := s.post(t, "/oauth2/device", "cli", url.Values{"scope": {"iot"}})
			s.signIn()
			if err := s.Approve(t.Context(), *s.login, a.text("user_code")); err != nil {
				t.Fatal(err)
			}
			s.post(t, "/oauth2/token", s.app.ID, url.Values{"grant_type": {grantDevice}, "device_code": {a.text("device_code")}}).want(t, http.StatusBadRequest, "invalid_grant")
		},
		"RFC 8628 3.1: a client without the device grant": func(t *testing.T, s *site) {
			s.post(t, "/oauth2/device", s.spa.ID, url.Values{"scope": {"iot"}}).want(t, http.StatusBadRequest, "unauthorized_client")
			s.post(t, "/oauth2/token", s.spa.ID, url.Values{"grant_type": {grantDevice}, "device_code": {"x"}}).want(t, http.StatusBadRequest, "unauthorized_client")
		},
		"RFC 8628 5.1: approved by nobody": func(t *testing.T, s *site) {
			a := s.post(t, "/oauth2/device", "cli", url.Values{"scope": {"iot"}})
			if err := s.Approve(t.Context(), Login{}, a.text("user_code")); err == nil {
				t.Error("nobody agreed, and the device got in")
			}
		},
		"OIDC logout 3: an address that is not registered": func(t *testing.T, s *site) {
			hint := s.tokens(t, s.app.ID).text("id_token")
			s.get(t, "/oauth2/logout?id_token_hint="+hint+"&post_logout_redirect_uri="+url.QueryEscape("https://evil.example/")).wantPage(t)
			s.get(t, "/oauth2/logout?post_logout_redirect_uri="+url.QueryEscape("https://app.example/bye")).wantPage(t)
			if s.login == nil {
				t.Error("somebody was signed out")
			}
		},
	}
	if len(attacks) < 40 {
		t.Errorf("only %d attacks", len(attacks))
	}
	sites(t, func(t *testing.T, s *site) {
		for name, attack := range attacks {
			t.Run(name, func(t *testing.T) {
				s.now, s.login, s.ended = s.now.Add(time.Minute), nil, map[string]bool{} // those who guessed may try again
				attack(t, s)
			})
		}
	})
}
