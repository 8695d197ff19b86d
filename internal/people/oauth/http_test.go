package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
)

// Whatever a client sends as a token request, in either form, it is read or refused as
// the client's fault; what is read as a form is what the form says.
func FuzzReadRequest(f *testing.F) {
	const form, object = "application/x-www-form-urlencoded", "application/json"
	f.Add(form, "grant_type=client_credentials&client_id=a&client_secret=b%20c&audience=https%3A%2F%2Fapi2.arduino.cc%2Fiot&organization_id=x")
	f.Add(form, "grant_type=%zz")
	f.Add(form, "grant_type=a;grant_type=b")
	f.Add(object, `{"grant_type":"client_credentials","client_id":"a","client_secret":"b","organization_id":null}`)
	f.Add(object+"; charset=utf-8", `{"grant_type":1}`)
	f.Add(object, `{} {}`)
	f.Add("Application/JSON", `{"%X":"0"}`)
	f.Add("", "")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest(http.MethodPost, "/iot/v1/clients/token", strings.NewReader(body))
		r.Header["Content-Type"] = []string{kind}
		in, err := readRequest(r)
		if err != nil {
			if status := rest.Status(err); status != http.StatusBadRequest {
				t.Fatalf("status %d for %v", status, err)
			}
			return
		}
		if strings.Contains(strings.ToLower(kind), "json") {
			return
		}
		want, err := url.ParseQuery(body)
		if err != nil || in.GrantType != want.Get("grant_type") || in.ClientID != want.Get("client_id") || in.ClientSecret != want.Get("client_secret") {
			t.Fatalf("%q is read as %+v (%v)", body, in, err)
		}
	})
}
