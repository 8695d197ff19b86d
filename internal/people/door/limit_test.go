package door

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// A space is limited over all its keys, at a rate that may change, and each answer that was counted says where its
// client stands: by the limit of which least is left.
func TestRateOfOneSpace(t *testing.T) {
	h := newHouse(t, Config{KeyRate: Rate{PerMinute: 600, Burst: 100}})
	limit := 18
	h.door.needs.Spaces = NewSpaces(func(context.Context, string) (int, error) { return limit, nil }, h.door.needs.Now)
	// where is limit, remaining and reset of the headers.
	get := func(token string) (status int, where [3]string, policies string) {
		w := h.do("GET", "/iot/v2/things/t1", token, "")
		of := w.Header().Get
		return w.Code, [3]string{of("X-RateLimit-Limit"), of("X-RateLimit-Remaining"), of("X-RateLimit-Reset")}, of("Ratelimit-Policy") + " " + of("Ratelimit")
	}
	for i, want := range [][3]string{{"3", "2", "4"}, {"3", "1", "7"}, {"3", "0", "10"}} {
		token := []string{"good", "viewer", "good"}[i]
		status, where, policies := get(token)
		if status != http.StatusOK || where != want {
			t.Errorf("request %d of the space: %d %v, want %v", i, status, where, want)
		}
		if i == 2 && policies != `"key";q=600;w=60, "space";q=18;w=60 "key";r=98, "space";r=0` {
			t.Errorf("the limits are told as %s", policies)
		}
	}
	w := h.do("GET", "/iot/v2/things/t1", "viewer", "")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "4" || w.Header().Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("a request too many: %d %v", w.Code, w.Header())
	}
	if used := h.door.needs.Spaces.Used("s1"); used != 3 {
		t.Errorf("%d are used", used)
	}
	limit = 60
	h.now.Add(4) // what was not there yet comes at the old rate
	if status, where, _ := get("good"); status != http.StatusOK || where[0] != "10" {
		t.Errorf("after the limit was raised: %d %v", status, where)
	}
	limit = 0
	if status, where, _ := get("good"); status != http.StatusOK || where[0] != "100" {
		t.Errorf("without a limit of the space: %d %v", status, where)
	}
}

// What no limiter counts says nothing of limits; HEAD is counted as GET is, and a refused token by its address.
func TestWhatIsCounted(t *testing.T) {
	h := newHouse(t, Config{})
	for name, c := range map[string]struct {
		method, target, token string
		counted               bool
	}{
		"head":            {"HEAD", "/iot/v2/things/t1", "good", true},
		"open to anyone":  {"GET", "/iot/v1/open", "", true},
		"a wrong token":   {"GET", "/iot/v2/things/t1", "bad", true},
		"options":         {"OPTIONS", "/iot/v2/things/t1", "", false},
		"no such address": {"GET", "/nowhere", "good", false},
	} {
		if got := h.do(c.method, c.target, c.token, "").Header().Get("X-RateLimit-Limit") != ""; got != c.counted {
			t.Errorf("%s: counted %v", name, got)
		}
	}
}

func TestUsedOfNobody(t *testing.T) {
	s := NewSpaces(func(context.Context, string) (int, error) { return 1, nil }, func() time.Time { return noon })
	if s.Used("nobody") != 0 {
		t.Error("who never asked has used something")
	}
}
