package house

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// The token endpoint as real clients call it.
func TestTokenEndpoint(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	user, key := h.Person("anna@example.org")
	var space struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": user, "name": "School"}, &space)
	c := web(t, h)
	form := func(pairs ...string) string {
		v := url.Values{"grant_type": {"client_credentials"}, "audience": {"https://api2.arduino.cc/iot"}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v.Encode()
	}
	const asForm, asJSON = "application/x-www-form-urlencoded", "application/json"
	for name, call := range map[string]struct {
		basic          bool
		mediaType      string
		body           string
		path, org      string
		want           int
		organizationID string
	}{
		"Go's OAuth library: Basic, no id in the body": {true, asForm, form(), "/iot/v1/clients/token", "", 200, ""},
		"a form":                              {false, asForm, form("client_id", key.ID, "client_secret", key.Secret), "/iot/v1/clients/token", "", 200, ""},
		"the audience of the Go README":       {false, asForm, form("client_id", key.ID, "client_secret", key.Secret, "audience", "https://api2.arduino.cc"), "/iot/v1/clients/token", "", 200, ""},
		"JSON":                                {false, asJSON, `{"grant_type":"client_credentials","client_id":"` + key.ID + `","client_secret":"` + key.Secret + `"}`, "/iot/v1/clients/token", "", 200, ""},
		"a base URL that ends in a slash":     {true, asForm, form(), "//iot/v1/clients/token", "", 200, ""},
		"a shared space in the form":          {true, asForm, form("organization_id", space.ID), "/iot/v1/clients/token", "", 200, space.ID},
		"a shared space in the header":        {true, asForm, form(), "/iot/v1/clients/token", space.ID, 200, space.ID},
		"a shared space in capitals":          {true, asForm, form("organization_id", strings.ToUpper(space.ID)), "/iot/v1/clients/token", "", 200, space.ID},
		"a header in capitals":                {true, asForm, form(), "/iot/v1/clients/token", strings.ToUpper(space.ID), 200, space.ID},
		"a space that one is not a member of": {true, asForm, form("organization_id", "6ba7b810-9dad-41d1-80b4-00c04fd430c8"), "/iot/v1/clients/token", "", 403, ""},
		"a wrong secret":                      {false, asForm, form("client_id", key.ID, "client_secret", strings.Repeat("x", 64)), "/iot/v1/clients/token", "", 401, ""},
		"an unknown key":                      {false, asForm, form("client_id", strings.Repeat("x", 32), "client_secret", key.Secret), "/iot/v1/clients/token", "", 401, ""},
		"no credentials":                      {false, asForm, form(), "/iot/v1/clients/token", "", 400, ""},
		"another grant":                       {true, asForm, form("grant_type", "password"), "/iot/v1/clients/token", "", 400, ""},
		"a body that is too large":            {true, asForm, strings.Repeat("a", 9000), "/iot/v1/clients/token", "", 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "POST", h.URL()+call.path, strings.NewReader(call.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", call.mediaType)
			if call.basic {
				r.SetBasicAuth(key.ID, key.Secret)
			}
			if call.org != "" {
				r.Header.Set("X-Organization", call.org)
			}
			answer, err := c.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode != call.want {
				t.Fatalf("%d %s, want %d", answer.StatusCode, text, call.want)
			}
			if call.want != 200 {
				var e struct {
					Status int `json:"status"`
				}
				if err := json.Unmarshal(text, &e); err != nil || e.Status != call.want {
					t.Errorf("error is %s, want its status as a number", text)
				}
				return
			}
			var got struct {
				Token   string `json:"access_token"`
				Expires int    `json:"expires_in"`
				Type    string `json:"token_type"`
			}
			if err := json.Unmarshal(text, &got); err != nil || got.Expires != 300 || got.Type != "Bearer" {
				t.Errorf("answer is %s", text)
			}
			claims := payload(t, got.Token)
			if claims["http://arduino.cc/id"] != user {
				t.Errorf("the token is of %v, want %s", claims["http://arduino.cc/id"], user)
			}
			if org, _ := claims["organization_id"].(string); org != call.organizationID {
				t.Errorf("the token is for space %q, want %q", org, call.organizationID)
			}
			if kind := answer.Header.Get("Content-Type"); kind != "application/vnd.arduino.token+json" {
				t.Errorf("Content-Type is %s", kind)
			}
		})
	}
}

// A key that was made for one space enters no other, also where its person may.
func TestKeyOfOneSpaceEntersNoOther(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	user, _ := h.Person("anna@example.org")
	var school struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": user, "name": "School"}, &school)
	var people []struct {
		ID    string `json:"id"`
		Space string `json:"space"`
	}
	h.Admin("user.list", nil, &people)
	spaces := map[string]string{"the private space": people[0].Space, "a shared space": school.ID}
	c := web(t, h)
	for name, space := range spaces {
		var key servertest.Key
		h.Admin("apikey.add", map[string]string{"user": user, "space": space, "name": "bound"}, &key)
		tok := token(t, h, key)
		for other, id := range spaces {
			want := http.StatusForbidden
			if id == space {
				want = http.StatusOK
			}
			get := func(method, path string, header http.Header, body string) int {
				r, err := http.NewRequestWithContext(t.Context(), method, h.URL()+path, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = header
				answer, err := c.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				return answer.StatusCode
			}
			if got := get("GET", "/iot/v2/things", http.Header{"Authorization": {"Bearer " + tok}, "X-Organization": {id}}, ""); got != want {
				t.Errorf("with a token for %s, X-Organization of %s: %d, want %d", name, other, got, want)
			}
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {key.ID}, "client_secret": {key.Secret}, "organization_id": {id}}
			if got := get("POST", "/iot/v1/clients/token", http.Header{"Content-Type": {isForm}}, form.Encode()); got != want {
				t.Errorf("with a key for %s, a token for %s: %d, want %d", name, other, got, want)
			}
		}
		if got, text := call(t, c, "GET", h.URL()+"/iot/v2/things", tok, ""); got != http.StatusOK {
			t.Errorf("a key for %s, without a word about the space: %d %s", name, got, text)
		}
	}
}
