package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// letterWith waits for the first letter that has part in it.
func letterWith(t *testing.T, h *servertest.House, part string) string {
	t.Helper()
	folder := mail.NewFolder(filepath.Join(h.Config.Data, "mail"))
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for range 1500 {
		<-look.C
		all, err := folder.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range all {
			if kept, err := folder.Open(file); err == nil && strings.Contains(kept.Text, part) {
				return kept.Text
			}
		}
	}
	t.Fatalf("no letter with %q has come", part)
	return ""
}

// An account that is guessed at from everywhere is never shut: its person's own browser comes in as
// always, a stranger's with the right password needs the mail too, and the person is told.
func TestAnAccountThatIsGuessedAtAsksStrangersForTheMail(t *testing.T) {
	h := servertest.Start(t, func(c *server.Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	u, _ := addPerson(h, "berta@example.org")
	victim := newBrowser(t, h)
	victim.signIn(u.Email, secretWords)
	victim.do("POST", "/signout", nil, url.Values{})
	for i := range 50 {
		from := map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.%d.7", i/2)} // two each: no answer is late yet
		code, page := newBrowser(t, h).do("POST", "/signin", from, url.Values{"email": {u.Email}, "password": {"a guess that is wrong"}})
		if code != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d %s", i, code, page)
		}
	}
	victim.signIn(u.Email, secretWords)
	b := newBrowser(t, h)
	page := b.password(u.Email)
	if !strings.Contains(page, `action="/signin/mail"`) || b.api("GET", "", nil) != http.StatusUnauthorized {
		t.Fatalf("a stranger's browser with the right password: %s", page)
	}
	code := regexp.MustCompile(`Code: +(\d{4} \d{4})`).FindStringSubmatch(letterWith(t, h, "enter this code there"))
	if code == nil {
		t.Fatalf("no code in %s", letterWith(t, h, "enter this code there"))
	}
	if _, home := b.do("POST", "/signin/mail", nil, hidden(page, "code", code[1])); !strings.Contains(home, u.Email) || b.api("GET", "", nil) != http.StatusOK {
		t.Errorf("with the code: %s", home)
	}
	letterWith(t, h, "There were many attempts")
}

// A key that was made by password alone does not enter a space that asks for two steps; one that
// was made after two steps does.
func TestAKeyIsNoWayAroundWhatASpaceAsksFor(t *testing.T) {
	h := servertest.Start(t)
	u, _ := addPerson(h, "berta@example.org")
	anna, key := h.Person("anna@example.org")
	shared := settle(t, h, anna, key, "shared")
	h.Admin("space.member", map[string]string{"space": shared.id, "user": u.ID, "role": "editor"}, nil)
	b := newBrowser(t, h)
	b.signIn(u.Email, secretWords)
	weak := b.key()
	old := h.ClientIn(t, weak, shared.id)
	if err := old.Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err != nil {
		t.Fatalf("before the space asks: %v", err)
	}
	h.Admin("space.require", map[string]string{"space": shared.id, "level": "two-step"}, nil)
	var refused *client.Error
	if err := old.Do(t.Context(), "GET", "/iot/v2/things", nil, nil); !errors.As(err, &refused) || refused.Status != http.StatusForbidden || !strings.Contains(err.Error(), "make a new key") {
		t.Errorf("with the token of before: %v", err)
	}
	if err := h.ClientIn(t, weak, shared.id).Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err == nil {
		t.Error("a new token opens it")
	}
	if err := h.ClientIn(t, weak, "").Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err != nil {
		t.Errorf("the private space: %v", err)
	}
	secret := b.enrol()
	h.Pass(time.Minute) // a code counts once
	b = newBrowser(t, h)
	b.do("POST", "/signin/second", nil, hidden(b.password(u.Email), "code", b.code(secret)))
	if err := h.ClientIn(t, b.key(), shared.id).Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err != nil {
		t.Errorf("a key that was made after two steps: %v", err)
	}
}

// key makes an API key as the page of a browser does.
func (b *browser) key() (key servertest.Key) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", b.h.URL()+"/v1/apikeys", strings.NewReader(`{"name":"robot"}`))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	answer, err := b.http.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := errors.Join(err, json.Unmarshal(body, &made)); err != nil || answer.StatusCode != http.StatusCreated {
		b.t.Fatalf("making a key: %d %s %v", answer.StatusCode, body, err)
	}
	return servertest.Key{ID: made.ID, Secret: made.Secret}
}

// The operator's limit of values a day holds for writers, who hear when to come back; the space's
// administrators get a letter, and what is used is shown.
func TestValuesOfADayAreLimited(t *testing.T) {
	h := servertest.Start(t, func(c *server.Config) { c.Quota = []string{"values=2"} })
	u, key := addPerson(h, "berta@example.org")
	api := h.ClientIn(t, key, "")
	var th client.Thing
	if err := api.Do(t.Context(), "PUT", "/iot/v2/things", map[string]any{"name": "thing", "properties": []any{
		map[string]any{"name": "x", "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th); err != nil {
		t.Fatal(err)
	}
	write := func() error {
		return api.Do(t.Context(), "PUT", "/iot/v2/things/"+th.ID+"/properties/"+th.Properties[0].ID+"/publish", map[string]any{"value": 1}, nil)
	}
	if err := errors.Join(write(), write()); err != nil {
		t.Fatal(err)
	}
	var refused *client.Error
	if err := write(); !errors.As(err, &refused) || refused.Status != http.StatusTooManyRequests || !strings.Contains(err.Error(), "ardesia space quota") {
		t.Errorf("the third value: %v", err)
	}
	var usage []struct {
		Quota       string
		Used, Limit int
	}
	h.Admin("space.usage", map[string]string{"space": u.Space}, &usage)
	if last := usage[len(usage)-1]; last.Quota != "values" || last.Used != 2 || last.Limit != 2 {
		t.Errorf("usage %+v", usage)
	}
	h.Admin("space.quota", map[string]any{"space": u.Space, "quota": "values", "limit": 3}, nil)
	if err := write(); err != nil {
		t.Errorf("after one more was allowed: %v", err)
	}
	if err := write(); err == nil {
		t.Error("the fourth value is taken")
	}
	letterWith(t, h, "as many values today as it may")
}
