package house

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// from is a client whose connections come from an address of this machine.
func from(t *testing.T, h place, address string) *http.Client {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	tr := http.DefaultTransport.(*http.Transport).Clone()
	tr.TLSClientConfig.RootCAs = pool
	tr.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: patience}).DialContext
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

// A replied is what a client sees of an answer that could tell something.
type replied struct {
	status int
	body   string
	header http.Header
}

func send(t *testing.T, c *http.Client, address, kind, body string, headers ...string) replied {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return replied{got.StatusCode, string(text), got.Header}
}

// fetch asks for a token as the key says, and reads whatever comes.
func fetch(t *testing.T, h *servertest.House, c *http.Client, key servertest.Key, headers ...string) replied {
	t.Helper()
	return send(t, c, "https://127.0.0.1:"+h.Port("https")+"/iot/v1/clients/token", "application/x-www-form-urlencoded",
		url.Values{"grant_type": {"client_credentials"}, "client_id": {key.ID}, "client_secret": {key.Secret}}.Encode(), headers...)
}

func wrong(key servertest.Key, i int) servertest.Key {
	return servertest.Key{ID: key.ID, Secret: fmt.Sprintf("%064d", i)}
}

// events are the kinds of what the house noticed.
func events(h *servertest.House) map[string]int {
	var all []struct {
		Kind string `json:"kind"`
	}
	h.Admin("guard.events", map[string]string{}, &all)
	kinds := map[string]int{}
	for _, e := range all {
		kinds[e.Kind]++
	}
	return kinds
}

// checked is how many secrets of API keys were compared in vain: what the house itself counts.
func checked(t *testing.T, h *servertest.House) int { return failed(t, h, "token") }

// A guessing program gets ten guesses for a client from one address, however it sends them;
// the owner is let in from elsewhere meanwhile.
func TestHydra(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	// hydra takes a 401 for another kind of page and gives up, so what it talks to hands requests on
	// as they are and says 403 instead.
	to, err := url.Parse("https://127.0.0.1:" + h.Port("https"))
	if err != nil {
		t.Fatal(err)
	}
	form := httptest.NewServer(&httputil.ReverseProxy{
		Transport: from(t, h, "127.0.0.1").Transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusUnauthorized {
				r.StatusCode = http.StatusForbidden
			}
			return nil
		},
	})
	defer form.Close()
	_, port, err := net.SplitHostPort(form.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	hydra := func(threads string, guesses []string) (found bool) {
		t.Helper()
		dir := t.TempDir()
		list := filepath.Join(dir, "guesses")
		if err := os.WriteFile(list, []byte(strings.Join(guesses, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "hydra", "-I", "-l", key.ID, "-P", list, "-t", threads, "-f", "-s", port, "127.0.0.1", "http-post-form",
			"/iot/v1/clients/token:grant_type=client_credentials&client_id=^USER^&client_secret=^PASS^:S=access_token")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), "finished") {
			t.Fatalf("hydra (install it: scripts/need hydra=hydra): %v\n%s", err, out)
		}
		return strings.Contains(string(out), "password: "+key.Secret)
	}
	list := func(n, right int) (all []string) {
		for i := range n {
			if all = append(all, wrong(key, i).Secret); i == right {
				all[i] = key.Secret
			}
		}
		return all
	}
	if !hydra("1", list(12, 5)) {
		t.Fatal("hydra does not find what is among the first ten: this test proves nothing")
	}
	before := checked(t, h)
	if hydra("1", list(25, 20)) {
		t.Error("hydra found the 21st guess")
	}
	if n := checked(t, h) - before; n < 1 || n > 10 {
		t.Errorf("%d guesses came as far as the secret, want 10", n)
	}
	if got := fetch(t, h, from(t, h, "127.0.0.2"), key); got.status != http.StatusOK {
		t.Errorf("the owner, elsewhere: %d %s", got.status, got.body)
	}
	if got := fetch(t, h, from(t, h, "127.0.0.1"), key); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("the address that guessed: %d %s", got.status, got.body)
	}
	var lifted struct {
		Lifted int `json:"lifted"`
	}
	h.Admin("guard.lift", map[string]string{"client_id": key.ID, "address": "127.0.0.1"}, &lifted)
	if lifted.Lifted == 0 {
		t.Error("nothing to lift")
	}
	before = checked(t, h)
	if hydra("8", list(80, 60)) {
		t.Error("eight hydras at once found the 61st guess")
	}
	if n := checked(t, h) - before; n < 1 || n > 10 {
		t.Errorf("%d guesses at once came as far as the secret, want 10", n)
	}
	if got := events(h)["token-guessing"]; got == 0 {
		t.Errorf("nobody noticed: %v", events(h))
	}
}

// 200 accounts with a guess each raise an event while it happens, and the journal keeps it.
func TestSprayingIsNoticed(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	victim := from(t, h, "127.0.0.1")
	if got := fetch(t, h, victim, key); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	began, guesser := h.Now(), from(t, h, "127.0.0.1")
	answers := map[int]int{}
	for i := range 200 {
		answers[fetch(t, h, guesser, servertest.Key{ID: fmt.Sprintf("%032d", i), Secret: key.Secret}).status]++
	}
	if answers[401] < 20 || answers[401]+answers[429] != 200 {
		t.Errorf("answers %v", answers)
	}
	kinds := events(h)
	if kinds["spraying"] == 0 {
		t.Errorf("after %v and 200 guesses: %v", h.Now().Sub(began), kinds)
	}
	if got := fetch(t, h, victim, key); got.status != http.StatusOK {
		t.Errorf("a key that was used at that address before: %d %s", got.status, got.body)
	}
	h.Stop()
	again := h.Again()
	var journal []struct {
		Action string            `json:"action"`
		Detail map[string]string `json:"detail"`
	}
	again.Admin("journal.list", map[string]any{}, &journal)
	kept := 0
	for _, e := range journal {
		if e.Action == "guard:spraying" {
			kept++
		}
	}
	if kept != kinds["spraying"] {
		t.Errorf("%d events in the journal, %d happened", kept, kinds["spraying"])
	}
	if got := fetch(t, again, from(t, again, "127.0.0.1"), servertest.Key{ID: strings.Repeat("x", 32), Secret: key.Secret}); got.status != http.StatusTooManyRequests {
		t.Errorf("after a restart the guesser is let in: %d %s", got.status, got.body)
	}
}

// A found secret ends its key at once, and whoever reports cannot learn whether it was one.
func TestLeakedKey(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	finder := from(t, h, "127.0.0.2")
	api := h.Client(key)
	if err := api.Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err != nil {
		t.Fatal(err)
	}
	report := func(k servertest.Key) replied {
		t.Helper()
		body, err := json.Marshal(map[string]string{"client_id": k.ID, "client_secret": k.Secret})
		if err != nil {
			t.Fatal(err)
		}
		return send(t, finder, h.URL()+"/v1/apikeys/leaked", "application/json", string(body))
	}
	wrongOne := report(wrong(key, 1))
	if err := api.Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err != nil {
		t.Fatalf("after a wrong report: %v", err)
	}
	right := report(key)
	after := report(key)
	for name, got := range map[string]replied{"wrong": wrongOne, "right": right, "once more": after} {
		if got.status != http.StatusAccepted || got.body != right.body || len(got.header) != len(right.header) {
			t.Errorf("%s: %d %s %v", name, got.status, got.body, got.header)
		}
	}
	h.Pass(2e9) // an answer that a token counts is believed for a second
	if err := api.Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err == nil {
		t.Error("a token of the key still counts")
	}
	if got := fetch(t, h, from(t, h, "127.0.0.1"), key); got.status != http.StatusUnauthorized {
		t.Errorf("the key: %d %s", got.status, got.body)
	}
	if got := events(h); got["leaked-key"] != 1 {
		t.Errorf("events %v", got)
	}
	for i := range 30 {
		right = report(wrong(key, i))
	}
	if right.status != http.StatusTooManyRequests {
		t.Errorf("the 33rd report: %d", right.status)
	}
}

// Behind a proxy clients are told apart by what it says, and nobody else is believed.
func TestClientsBehindAProxy(t *testing.T) {
	h := servertest.Start(t, func(c *server.Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	_, key := h.Person("anna@example.org")
	proxy, stranger := from(t, h, "127.0.0.1"), from(t, h, "127.0.0.2")
	status := func(c *http.Client, k servertest.Key, forwarded string) int {
		t.Helper()
		return fetch(t, h, c, k, "X-Forwarded-For", forwarded).status
	}
	for i := range 10 {
		if got := status(proxy, wrong(key, i), "203.0.113.7"); got != http.StatusUnauthorized {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	for name, c := range map[string]struct {
		client    *http.Client
		forwarded string
		want      int
	}{
		"the guesser":                         {proxy, "203.0.113.7", http.StatusTooManyRequests},
		"the guesser with an invention":       {proxy, "198.51.100.1, 203.0.113.7", http.StatusTooManyRequests},
		"another client of the proxy":         {proxy, "198.51.100.9", http.StatusOK},
		"a stranger who claims to be another": {stranger, "203.0.113.7", http.StatusOK},
	} {
		if got := status(c.client, key, c.forwarded); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	for i := range 11 {
		status(stranger, wrong(key, i), fmt.Sprint("198.51.100.", i))
	}
	if got := status(stranger, key, "198.51.100.200"); got != http.StatusTooManyRequests {
		t.Errorf("a stranger who claims another address for each guess: %d", got)
	}
}
