package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
)

// The example of Standard Webhooks 1.0.0, as its libraries test it.
func TestSignIsThatOfStandardWebhooks(t *testing.T) {
	got := Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("Sign = %q, want %q", got, want)
	}
	for _, none := range []string{"", "whsec_", "whsec_!"} {
		if got := Sign(none, "id", time.Unix(0, 0), nil); got != "" {
			t.Errorf("the secret %q signs %q", none, got)
		}
	}
	if a, b := NewSecret(), NewSecret(); a == b || Sign(a, "id", time.Unix(0, 0), nil) == "" {
		t.Errorf("secrets %q and %q", a, b)
	}
}

func TestAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"https://example.org/hook?x=1": true, "http://192.168.1.2:8080": true, "ftp://example.org": false, "https://": false, "example.org": false, "": false,
		"https://me:secret@example.org": false, "https://example.org/#part": false, "https://example.org/" + strings.Repeat("x", MaxURL): false, "https://example.org/\xff": false,
	} {
		if got := CheckURL(address); got != want {
			t.Errorf("CheckURL(%.40q) = %v", address, got)
		}
	}
}

// What a receiver gets, and what its answers mean.
func TestCall(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	m := Message{ID: "e1", Secrets: []string{NewSecret(), NewSecret()}, Body: []byte(`{"a":1}`)}
	answer := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		want := Sign(m.Secrets[0], "e1", at, body) + " " + Sign(m.Secrets[1], "e1", at, body)
		if r.Method != "POST" || string(body) != `{"a":1}` || r.Header.Get("Idempotency-Key") != "e1" || r.Header.Get("Webhook-Id") != "e1" ||
			r.Header.Get("Webhook-Timestamp") != strconv.FormatInt(at.Unix(), 10) || r.Header.Get("Webhook-Signature") != want || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %v %s", r.Method, r.Header, body)
		}
		w.WriteHeader(answer)
	}))
	defer s.Close()
	own := outbound.Client(outbound.Rule{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: 10 * time.Second})
	for status, want := range map[int]Result{200: Taken, 204: Taken, 302: Later, 400: Later, 410: Unasked, 429: Later, 500: Later} {
		answer = status
		if got := Call(t.Context(), own, s.URL, m, at); got.Result != want || got.Status != status || (got.Err == nil) != (want == Taken) {
			t.Errorf("status %d is %+v", status, got)
		}
	}
	if got := Call(t.Context(), outbound.Client(outbound.Rule{Timeout: 10 * time.Second}), s.URL, m, at); got.Result != Banned {
		t.Errorf("an address of this machine is %+v", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Call(ended, own, s.URL, m, at); got.Result != Later || !errors.Is(got.Err, context.Canceled) {
		t.Errorf("after the end: %+v", got)
	}
	for r := range results {
		if r.String() == "unknown" {
			t.Errorf("result %d has no name", r)
		}
	}
}

func TestPausesGrow(t *testing.T) {
	for tries, want := range map[int64]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 30: time.Hour, 0: time.Hour} {
		if got := Pause(time.Second, time.Hour, tries); got < want || got > want+want/5 {
			t.Errorf("after %d tries: %v, want about %v", tries, got, want)
		}
	}
}
