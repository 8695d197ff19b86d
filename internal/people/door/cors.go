package door

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cors lets browser apps of configured origins call the API with a token. It never
// allows credentials, and cookies count for requests of our own origin only, so a
// wildcard gives a foreign page nothing that it does not bring itself.
type cors struct {
	any     bool
	origins []string // scheme://host[:port], lower case
}

func newCORS(origins []string) (cors, error) {
	var c cors
	for _, o := range origins {
		if o == "*" {
			c.any = true
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return cors{}, fmt.Errorf("origin %q is not scheme://host or scheme://host:port", o)
		}
		c.origins = append(c.origins, strings.ToLower(o))
	}
	return c, nil
}

// The methods and headers that clients of the compatible API use; User-Agent is
// what the JavaScript client sets.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
	corsHeaders = "Accept, Authorization, Content-Type, Last-Event-Id, User-Agent, X-Organization"
	corsExposed = "Content-Disposition, Ratelimit, Ratelimit-Policy, Retry-After, X-Ratelimit-Limit, X-Ratelimit-Remaining, X-Ratelimit-Reset, X-Request-Id"
)

// admit writes the headers for r's origin.
func (c cors) admit(h http.Header, r *http.Request) {
	if !c.any && len(c.origins) == 0 {
		return
	}
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" || !c.any && !slices.Contains(c.origins, strings.ToLower(origin)) {
		return
	}
	if c.any {
		origin = "*"
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
	if preflight(r) {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", "600") // seconds
	}
}

func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
