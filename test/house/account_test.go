package house

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
)

var flowField = regexp.MustCompile(`<input type="hidden" name="(flow|step)" value="([^"]*)">`)

// person signs in with a browser and fills in the profile, with a canary in each field.
func (c *canaries) person(t *testing.T, h place, email, password string) {
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
	browser := &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	post := func(path string, form url.Values) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", "https://localhost:"+h.Port("https")+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != 200 {
			t.Fatalf("POST %s: %s %s", path, answer.Status, body)
		}
		return string(body)
	}
	fields := url.Values{"password": {password}}
	for _, m := range flowField.FindAllStringSubmatch(post("/signin", url.Values{"email": {email}}), -1) {
		fields.Set(m[1], m[2])
	}
	post("/signin/password", fields)
	u, err := url.Parse("https://localhost:" + h.Port("https"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cookie := range jar.Cookies(u) {
		c.keys["cookie "+cookie.Name] = cookie.Value
	}
	fields = url.Values{"name": {c.word("new name of a person")}, "username": {c.word("user name")}}
	for _, kind := range []string{"shipping", "billing"} {
		for _, name := range []string{"name", "street", "extra", "postcode", "city", "region", "country"} {
			fields.Set(kind+"-"+name, c.word(kind+" "+name))
		}
	}
	page := post("/account/profile", fields)
	for name, v := range fields {
		if !strings.Contains(page, v[0]) {
			t.Fatalf("the field %s was not kept: %s", name, page)
		}
	}
	if c.issuer == nil {
		return
	}
	// The person links an account elsewhere.
	c.issuer.Become(socialtest.Person{Subject: c.word("subject elsewhere"), Email: c.word("address elsewhere") + "@example.org", Name: c.word("name elsewhere"), Verified: true})
	page = post("/account/links/add", url.Values{"provider": {"school"}})
	m := regexp.MustCompile(`<a class="button main" href="([^"]+)">`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("nothing leads to the provider: %s", page)
	}
	_, back := c.issuer.Visit(t, html.UnescapeString(m[1]))
	answer, err := browser.Get("https://localhost:" + h.Port("https") + "/signin/with/school?" + back.Encode())
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil || !strings.Contains(string(body), "It is linked") {
		t.Fatalf("coming back: %s %s, %v", answer.Status, body, err)
	}
	for n, text := range c.issuer.Issued() { // S-13: nothing of a provider's is kept
		c.keys[fmt.Sprint("code or token ", n)] = text
	}
	if len(c.issuer.Issued()) != 4 {
		t.Fatalf("the provider gave out %d texts", len(c.issuer.Issued()))
	}
}
