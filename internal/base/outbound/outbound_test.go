package outbound

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWhoIsCalled(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/elsewhere":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/head":
			w.Header().Set("X-Long", strings.Repeat("x", maxHead))
		case "/slow":
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, "here")
	}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	port, own := uint16(n), []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	moved := errors.New("moved")
	for name, c := range map[string]struct {
		rule   Rule
		url    string
		status int   // 0: there is no answer
		err    error // of the call, if not nil
		no     bool  // the rule forbids it
	}{
		"an address that is not public":        {Rule{}, s.URL, 0, nil, true},
		"a name of one":                        {Rule{}, "https://localhost:" + u.Port(), 0, nil, true},
		"the address of a cloud's secrets":     {Rule{}, "http://169.254.169.254/latest/meta-data", 0, nil, true},
		"one in the coat of the other family":  {Rule{}, "https://[::ffff:127.0.0.1]:" + u.Port(), 0, nil, true},
		"one that is allowed":                  {Rule{Allow: own}, s.URL, 200, nil, false},
		"one that is allowed, at another port": {Rule{Allow: own, Ports: []uint16{443}}, s.URL, 0, nil, true},
		"one that is allowed, at its port":     {Rule{Allow: own, Ports: []uint16{443, port}}, s.URL, 200, nil, false},
		"anywhere":                             {Rule{Anywhere: true}, s.URL, 200, nil, false},
		"one's own, and it is":                 {Rule{Own: true, Allow: own}, s.URL, 200, nil, false},
		"one's own, and nothing is":            {Rule{Own: true}, s.URL, 0, nil, true},
		"a public address is nobody's own":     {Rule{Own: true, Allow: own}, "http://9.9.9.9", 0, nil, true},
		"one's own, at another port":           {Rule{Own: true, Allow: own, Ports: []uint16{443}}, s.URL, 0, nil, true},
		"a redirect":                           {Rule{Anywhere: true}, s.URL + "/elsewhere", 302, nil, false},
		"a redirect that is an error":          {Rule{Anywhere: true, Redirect: moved}, s.URL + "/elsewhere", 0, moved, false},
		"a head without end":                   {Rule{Anywhere: true}, s.URL + "/head", 0, nil, false},
		"connections are kept":                 {Rule{Allow: own, Keep: true}, s.URL, 200, nil, false},
	} {
		c.rule.Roots, c.rule.Timeout = roots, 10*time.Second
		web := Client(c.rule)
		answer, err := web.Get(c.url)
		status := 0
		if err == nil {
			status = answer.StatusCode
			_ = answer.Body.Close()
		}
		web.CloseIdleConnections()
		if status != c.status || c.err != nil && !errors.Is(err, c.err) || Forbidden(err) != c.no {
			t.Errorf("%s: %d, %v; want %d, forbidden %v", name, status, err, c.status, c.no)
		}
	}
	web := Client(Rule{Anywhere: true, Roots: roots, Timeout: 20 * time.Millisecond})
	var late net.Error
	if _, err := web.Get(s.URL + "/slow"); !errors.As(err, &late) || !late.Timeout() {
		t.Errorf("a server that says nothing: %v", err)
	}
	if _, err := Client(Rule{Anywhere: true, Timeout: time.Second}).Get(s.URL); err == nil || Forbidden(err) {
		t.Errorf("a certificate of nobody that we trust: %v", err)
	}
}
