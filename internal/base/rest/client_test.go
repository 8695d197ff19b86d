package rest

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func proxies(t testing.TB, all ...string) Proxies {
	t.Helper()
	p, err := ParseProxies(all)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClientBehindProxies(t *testing.T) {
	trusted := []string{"10.0.0.0/8", "2001:db8::1"}
	for name, c := range map[string]struct {
		remote  string
		headers []string
		want    string
	}{
		"nobody between":                 {"203.0.113.9:4711", nil, "203.0.113.9"},
		"a stranger's claim":             {"203.0.113.9:4711", []string{"198.51.100.1"}, "203.0.113.9"},
		"a proxy's word":                 {"10.1.2.3:4711", []string{"198.51.100.1"}, "198.51.100.1"},
		"a client's invention":           {"10.1.2.3:4711", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		"its invention of a proxy":       {"10.1.2.3:4711", []string{"192.0.2.66, 10.9.9.9, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":                    {"10.1.2.3:4711", []string{"198.51.100.1, 10.7.7.7"}, "198.51.100.1"},
		"two headers":                    {"10.1.2.3:4711", []string{"198.51.100.1", "10.7.7.7"}, "198.51.100.1"},
		"a port and blanks":              {"10.1.2.3:4711", []string{" 198.51.100.1:99 "}, "198.51.100.1"},
		"IPv6 in brackets with a port":   {"10.1.2.3:4711", []string{"[2001:db8::9]:99"}, "2001:db8::9"},
		"IPv4 in IPv6":                   {"[::ffff:10.1.2.3]:4711", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"a proxy of IPv6":                {"[2001:db8::1]:4711", []string{"198.51.100.1"}, "198.51.100.1"},
		"its neighbour":                  {"[2001:db8::2]:4711", []string{"198.51.100.1"}, "2001:db8::2"},
		"a proxy that says nothing":      {"10.1.2.3:4711", nil, "10.1.2.3"},
		"a proxy that does not know":     {"10.1.2.3:4711", []string{"unknown"}, "10.1.2.3"},
		"proxies only":                   {"10.1.2.3:4711", []string{"10.0.0.1"}, "10.0.0.1"},
		"no address at all":              {"@", []string{"198.51.100.1"}, "invalid IP"},
		"an entry that is none, further": {"10.1.2.3:4711", []string{"198.51.100.1, x, 10.7.7.7"}, "10.7.7.7"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = c.remote
			for _, h := range c.headers {
				r.Header.Add("X-Forwarded-For", h)
			}
			p := proxies(t, trusted...)
			if got := p.Client(r).String(); got != c.want {
				t.Errorf("Client = %s, want %s", got, c.want)
			}
			var seen string
			p.Behind(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = Client(r).String() })).ServeHTTP(httptest.NewRecorder(), r)
			if seen != c.want {
				t.Errorf("behind the proxy it is %s, want %s", seen, c.want)
			}
			if r.RemoteAddr != c.remote {
				t.Errorf("the request itself was changed to %s", r.RemoteAddr)
			}
		})
	}
	if _, err := ParseProxies([]string{"10.0.0.0/99"}); err == nil {
		t.Error("a prefix that is none was taken")
	}
}

// Whatever stands in X-Forwarded-For: without a trusted proxy it changes nothing, and with
// one the answer is the proxy's address or one that stands there.
func FuzzForwarded(f *testing.F) {
	f.Add("10.1.2.3:1", "198.51.100.1, 10.7.7.7", "x")
	f.Add("203.0.113.9:1", "[2001:db8::9]:99", ",,,")
	f.Add("[fe80::1%eth0]:1", "::ffff:1.2.3.4", "1.2.3.4:99999")
	p := proxies(f, "10.0.0.0/8")
	f.Fuzz(func(t *testing.T, remote, one, two string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {one, two}}}
		from, got := Client(r), p.Client(r)
		if !netip.MustParsePrefix("10.0.0.0/8").Contains(from) && got != from {
			t.Fatalf("a stranger at %s is taken for %s", from, got)
		}
		if from.IsValid() && !got.IsValid() {
			t.Fatalf("%q with %q, %q has no address", remote, one, two)
		}
		if got.Is4In6() || got.Zone() != "" {
			t.Fatalf("%s would count twice", got)
		}
	})
}
