package house

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// web is an HTTP client that trusts the house and keeps nothing.
func web(t testing.TB, h *servertest.House) *http.Client {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// call sends one request and returns its status and body.
func call(t *testing.T, c *http.Client, method, url, token, body string) (int, string) {
	t.Helper()
	for {
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		answer, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusTooManyRequests {
			return answer.StatusCode, string(text)
		}
		wait, err := time.ParseDuration(answer.Header.Get("Retry-After") + "s")
		if err != nil {
			t.Fatalf("429 without Retry-After: %v", err)
		}
		<-time.After(wait)
	}
}

func token(t testing.TB, h *servertest.House, key servertest.Key) string {
	t.Helper()
	text, err := h.Client(key).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// belongings makes one of everything for the person with key, and says which ID
// stands for which wildcard of a route.
func belongings(t *testing.T, h *servertest.House, key servertest.Key) map[string]string {
	t.Helper()
	c := h.Client(key)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	var th client.Thing
	do("PUT", "/iot/v2/devices", map[string]any{"name": "canary-board", "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	do("PUT", "/iot/v2/things", map[string]any{"name": "canary thing", "device_id": d.ID, "properties": []any{
		map[string]any{"name": "canary", "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	p := th.Properties[0]
	do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+p.ID+"/publish", map[string]any{"value": 4711.25}, nil)
	return map[string]string{"device": d.ID, "thing": th.ID, "property": p.ID}
}

// fill replaces the wildcards of a route by what belongs to somebody.
func fill(d door.Declaration, own map[string]string) string {
	return d.Fill(func(name string) string {
		switch name {
		case "id":
			if strings.HasPrefix(d.Path, "/iot/v2/devices/") {
				return own["device"]
			}
			return own["thing"]
		case "pid":
			return own["property"]
		case "key":
			return "room"
		}
		return "6ba7b810-9dad-41d1-80b4-00c04fd430c8" // certificates and sketches
	})
}

// The table is made of the declarations: a route that is added is tested.
func TestTenantsCannotSeeEachOther(t *testing.T) {
	h, elsewhere := servertest.Start(t), servertest.Start(t)
	_, anna := h.Person("anna@example.org")
	_, mallory := h.Person("mallory@example.org")
	_, foreign := elsewhere.Person("anna@example.org")
	_, gone := h.Person("gone@example.org")
	own := belongings(t, h, anna)
	c := web(t, h)
	annas, strangers, others, revoked := token(t, h, anna), token(t, h, mallory), token(t, elsewhere, foreign), token(t, h, gone)
	h.Admin("apikey.revoke", map[string]string{"client_id": gone.ID}, nil)
	half := annas[:len(annas)-8] + "AAAAAAAA"

	// A body that every route of the fleet can read, with the ids of Anna's things.
	body := fmt.Sprintf(`{"name":"x","type":"FLOAT","permission":"READ_WRITE","update_strategy":"ON_CHANGE","value":1,"key":"room","password":"a-secret-key",
		"properties":[{"name":"canary","property":"canary","type":"infer","value":1}],"device_id":%q,"csr":"x","enabled":true,"resp_version":1,"from":"2020-01-01T00:00:00Z","to":"2040-01-01T00:00:00Z",
		"requests":[{"q":"property.%s","from":"2020-01-01T00:00:00Z","to":"2040-01-01T00:00:00Z","thing_id":%q,"property_id":%q}]}`, own["device"], own["property"], own["thing"], own["property"])

	table := door.Table(h.Server.Routes())
	if len(table) < 50 {
		t.Fatalf("only %d routes are declared", len(table))
	}
	for _, d := range table {
		if d.Open || d.Path == "/iot/v1/property_types" {
			continue
		}
		url := h.URL() + fill(d, own)
		for who, tok := range map[string]string{"nobody": "", "another environment": others, "a revoked key": revoked, "a forged signature": half} {
			if got, _ := call(t, c, d.Method, url, tok, body); got != http.StatusUnauthorized {
				t.Errorf("%s %s by %s: %d, want 401", d.Method, d.Path, who, got)
			}
		}
		got, text := call(t, c, d.Method, url, strangers, body)
		if len(d.Params) > 0 && got != http.StatusNotFound {
			t.Errorf("%s %s by a stranger: %d %s, want 404", d.Method, d.Path, got, text)
		}
		for what, id := range own {
			if strings.Contains(text, id) && got < 300 && !strings.Contains(text, `"status":"not-found"`) && !empty(text) {
				t.Errorf("%s %s shows Anna's %s to a stranger: %s", d.Method, d.Path, what, text)
			}
		}
		if strings.Contains(text, "4711.25") || strings.Contains(text, "canary") {
			t.Errorf("%s %s shows Anna's data to a stranger: %s", d.Method, d.Path, text)
		}
	}

	// After all that, everything of Anna's is as it was.
	if got, text := call(t, c, "GET", h.URL()+"/iot/v2/things/"+own["thing"], annas, ""); got != http.StatusOK || !strings.Contains(text, "4711.25") || !strings.Contains(text, `"device_id":"`+own["device"]) {
		t.Errorf("Anna's thing is now %d %s", got, text)
	}
}

// empty says whether an answer about history only repeats what was asked.
func empty(text string) bool {
	return !strings.Contains(text, `"count_values":`) || strings.Contains(text, `"count_values":0`)
}
