package house

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

const words = "seven purple kettles sing"

// A person with a browser at an address of this machine.
func browse(t *testing.T, h *servertest.House, address string) *http.Client {
	t.Helper()
	c := from(t, h, address)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Jar = jar
	return c
}

// signInWith sends the form of the sign-in page as a program that keeps passwords fills it in.
func signInWith(t *testing.T, h *servertest.House, c *http.Client, email, password string) replied {
	t.Helper()
	return send(t, c, h.URL()+"/signin", isForm, url.Values{"email": {email}, "password": {password}}.Encode())
}

// hydra guesses at the sign-in page over HTTPS, names by names and words by words, and says what it took
// for right. It collects cookies from the page, follows redirects, and knows success by the cookie of a
// session. It takes an answer of 401 for another kind of page and gives up, so that a proxy with TLS stands between, which
// hands everything on as it is and says 403 instead.
func hydraAtThePage(t *testing.T, h *servertest.House, names, guesses []string, options ...string) (found []string) {
	t.Helper()
	to, err := url.Parse("https://127.0.0.1:" + h.Port("https"))
	if err != nil {
		t.Fatal(err)
	}
	form := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Transport: from(t, h, "127.0.0.1").Transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = "localhost" },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusUnauthorized {
				r.StatusCode = http.StatusForbidden
			}
			return nil
		},
	})
	form.Config.ErrorLog = log.New(io.Discard, "", 0) // hydra breaks connections off
	form.StartTLS()
	defer form.Close()
	_, port, err := net.SplitHostPort(form.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, lines := range map[string][]string{"names": names, "guesses": guesses} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := append([]string{"-I", "-L", "names", "-P", "guesses", "-s", port}, options...)
	cmd := exec.CommandContext(t.Context(), "hydra", append(args, "127.0.0.1", "https-post-form",
		"/signin:email=^USER^&password=^PASS^:c=/signin:S=__Host-ardesia=")...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), "finished") {
		t.Fatalf("hydra (install it: scripts/need hydra=hydra): %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if _, pair, ok := strings.Cut(line, "login: "); ok && strings.Contains(line, "[http-post-form]") {
			found = append(found, strings.Join(strings.Fields(pair), " "))
		}
	}
	return found
}

// tried is how many passwords were compared in vain: what the house itself counts.
func tried(t *testing.T, h *servertest.House) int { return failed(t, h, "password") }

// A guessing program at the sign-in page gets ten guesses for an account from its address, one after the other
// or all at once, while the account's person comes in from a browser that was here before, at that
// same address, and from elsewhere. Guesses at 200 accounts raise an event while they happen.
func TestHydraAtTheSignInPage(t *testing.T) {
	h := servertest.Start(t)
	people := map[string]string{}
	for _, name := range []string{"anna", "berta"} {
		email := name + "@example.org"
		h.Admin("user.add", map[string]string{"email": email, "name": name, "password": words}, nil)
		people[name] = email
	}
	list := func(n, right int) (all []string) {
		for i := range n {
			if all = append(all, fmt.Sprintf("a wrong guess %d", i)); i == right {
				all[i] = words
			}
		}
		return all
	}
	victim := browse(t, h, "127.0.0.1")
	enters := func(c *http.Client) error {
		got := signInWith(t, h, c, people["berta"], words)
		if got.status != http.StatusOK || !strings.Contains(got.body, people["berta"]) {
			return fmt.Errorf("%d %s", got.status, got.body)
		}
		out := send(t, c, h.URL()+"/signout", isForm, "")
		if out.status != http.StatusOK {
			return errors.New("signing out: " + out.body)
		}
		return nil
	}
	if err := enters(victim); err != nil {
		t.Fatalf("before: %v", err)
	}
	if found := hydraAtThePage(t, h, []string{people["anna"]}, list(4, 2), "-t", "1"); len(found) != 1 {
		t.Fatalf("hydra does not find what is among the first three, but %v: this test proves nothing", found)
	}
	before := tried(t, h)
	if found := hydraAtThePage(t, h, []string{people["berta"]}, list(24, 20), "-t", "8"); len(found) != 0 {
		t.Errorf("hydra found %v as the 21st guess", found)
	}
	if n := tried(t, h) - before; n < 1 || n > 10 {
		t.Errorf("%d guesses came as far as the password, want 1 to 10", n)
	}
	if err := enters(victim); err != nil {
		t.Errorf("the victim's own browser, at the address that guesses: %v", err)
	}
	if got := signInWith(t, h, browse(t, h, "127.0.0.1"), people["berta"], words); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("another browser at that address: %d %s", got.status, got.body)
	}
	if err := enters(browse(t, h, "127.0.0.2")); err != nil {
		t.Errorf("the victim elsewhere: %v", err)
	}

	// 200 accounts with a guess each.
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("somebody.%d@example.org", i)
	}
	began, over, in := h.Now(), make(chan struct{}), make(chan int, 1)
	go func() {
		n := 0
		defer func() { in <- n }()
		for n < 10 { // beyond that a browser is sending too much itself
			select {
			case <-over:
				return
			default:
			}
			if err := enters(victim); err != nil {
				t.Errorf("the victim's own browser meanwhile: %v", err)
				return
			}
			n++
		}
	}()
	hydraAtThePage(t, h, names, []string{"a wrong guess"}, "-t", "4", "-u")
	took := h.Now().Sub(began)
	close(over)
	if n := <-in; n == 0 {
		t.Error("the victim did not come in while the house was guessed at")
	}
	if kinds := events(h); kinds["spraying"] == 0 || took > 60e9 {
		t.Errorf("after %v and 200 guesses: %v", took, kinds)
	}
	if err := enters(victim); err != nil {
		t.Errorf("the victim's own browser after that: %v", err)
	}
}

// failed is how many tries of an act were wrong, as the metrics count them.
func failed(t *testing.T, h *servertest.House, act string) int {
	t.Helper()
	got, err := http.Get("http://" + h.At["metrics"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), `guard_try_total{act="`+act+`",result="failed"} `)
	n := 0
	if _, err := fmt.Sscan(rest, &n); err != nil || !ok {
		t.Fatalf("no count of tries in the metrics: %v", err)
	}
	return n
}
