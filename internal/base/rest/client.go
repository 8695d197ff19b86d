package rest

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Client is the address that a request came from, the zero Addr if it cannot be read.
// Behind proxies it is the client's own, if Proxies.Behind has seen the request.
func Client(r *http.Request) netip.Addr {
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	at, err := netip.ParseAddr(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Unmap().WithZone("")
}

// Proxies are who may say for whom they ask.
type Proxies []netip.Prefix

// ParseProxies reads addresses and prefixes.
func ParseProxies(all []string) (Proxies, error) {
	var p Proxies
	for _, text := range all {
		one, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, fmt.Errorf("%q is neither an address nor a prefix (192.0.2.0/24)", text)
			}
			one = netip.PrefixFrom(a, a.BitLen())
		}
		p = append(p, one.Masked())
	}
	return p, nil
}

// Trusts says whether what somebody at a says about others is believed.
func (p Proxies) Trusts(a netip.Addr) bool {
	for _, one := range p {
		if one.Contains(a) {
			return true
		}
	}
	return false
}

// maxHops bounds how many entries of X-Forwarded-For are looked at.
const maxHops = 16

// Client is the address of the client for whom a trusted proxy asks: the last entry of
// X-Forwarded-For that no trusted proxy wrote about another. Everything before it may be the
// client's own invention. Without a trusted proxy the header says nothing.
func (p Proxies) Client(r *http.Request) netip.Addr {
	at := Client(r)
	if !p.Trusts(at) {
		return at
	}
	entries := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	for range maxHops {
		rest, last := "", entries
		if i := strings.LastIndexByte(entries, ','); i >= 0 {
			rest, last = entries[:i], entries[i+1:]
		}
		next, ok := parseHop(strings.TrimSpace(last))
		if !ok {
			return at // whoever is behind does not say; the proxy answers for it
		}
		if at = next; !p.Trusts(at) {
			return at
		}
		if entries = rest; entries == "" {
			return at
		}
	}
	return at
}

// parseHop reads an entry as proxies write it: an address, some add a port or brackets.
func parseHop(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return a, false
		}
		a = at.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// Behind hands requests on with the address of the client in RemoteAddr, so that
// whatever counts or logs addresses means clients and not proxies.
func (p Proxies) Behind(next http.Handler) http.Handler {
	if len(p) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at := p.Client(r); at.IsValid() && at != Client(r) {
			c := *r
			c.RemoteAddr = net.JoinHostPort(at.String(), "0")
			r = &c
		}
		next.ServeHTTP(w, r)
	})
}
