// Package outbound is the way out to addresses that somebody else chose: a person's
// webhook, a program's sign-out address, a broker, what a provider's document names.
//
// Invariants:
//   - The address that a name resolves to is judged when it is connected to, so that a
//     name cannot lead elsewhere afterwards. Only public addresses are reached, and what
//     a Rule allows besides.
//   - Nobody is followed elsewhere, and no proxy stands between.
//   - Whatever is waited for has an end, and headers a bound. Bodies are the caller's to
//     bound.
//
// Which addresses are public is told by code.dny.dev/ssrf, from IANA's registries of
// special-purpose addresses.
package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

const (
	dialTime = 5 * time.Second // for a connection, and once more for TLS
	maxHead  = 64 << 10        // bytes
)

// A Rule says who may be called.
type Rule struct {
	Ports    []uint16       // none: any port
	Allow    []netip.Prefix // not public, and reached all the same
	Anywhere bool           // addresses need not be public, and ports do not matter
	Roots    *x509.CertPool // nil: the machine's
	Timeout  time.Duration  // of a whole call, its answer's body included
	// Redirect is what a call ends with that is answered with a redirect; nil: the answer is given as it is.
	Redirect error
	// Keep leaves connections open for the next call, at most 4 to one host and 64 to all.
	Keep bool
	// Own keeps to what Allow names, public addresses included: for what travels in clear.
	Own bool
}

// Dialer connects by the rule.
func Dialer(r Rule) *net.Dialer {
	dial := &net.Dialer{Timeout: dialTime}
	switch {
	case r.Anywhere:
	case r.Own:
		dial.Control = r.own
	default:
		dial.Control = guard(r).Safe
	}
	return dial
}

// Trust is how a connection by the rule is made safe towards a name or an address.
func (r Rule) Trust(name string) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.Roots, ServerName: name}
}

// errNotOwn is an address that Rule.Own keeps from.
var errNotOwn = errors.New("the address is none that is allowed")

func (r Rule) own(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return errNotOwn
	}
	a := to.Addr().Unmap().WithZone("")
	if len(r.Ports) > 0 && !slices.Contains(r.Ports, to.Port()) || !slices.ContainsFunc(r.Allow, func(p netip.Prefix) bool { return p.Contains(a) }) {
		return errNotOwn
	}
	return nil
}

// Client calls by the rule.
func Client(r Rule) *http.Client {
	dial := Dialer(r)
	redirect := r.Redirect
	if redirect == nil {
		redirect = http.ErrUseLastResponse
	}
	way := &http.Transport{
		DialContext: dial.DialContext, TLSClientConfig: r.Trust(""), ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: r.Timeout, MaxResponseHeaderBytes: maxHead, DisableKeepAlives: !r.Keep,
	}
	if r.Keep {
		way.MaxIdleConns, way.MaxIdleConnsPerHost, way.MaxConnsPerHost, way.IdleConnTimeout = 64, 4, 16, 30*time.Second
	}
	return &http.Client{Timeout: r.Timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return redirect }, Transport: way}
}

func guard(r Rule) *ssrf.Guardian {
	var four, six []netip.Prefix
	for _, p := range r.Allow {
		if p.Addr().Is4() {
			four = append(four, p)
		} else {
			six = append(six, p)
		}
	}
	ports := ssrf.WithAnyPort()
	if len(r.Ports) > 0 {
		ports = ssrf.WithPorts(r.Ports...)
	}
	return ssrf.New(ports, ssrf.WithAllowedV4Prefixes(four...), ssrf.WithAllowedV6Prefixes(six...))
}

// Forbidden says whether a call failed since its rule does not allow the address.
func Forbidden(err error) bool {
	return errors.Is(err, errNotOwn) || errors.Is(err, ssrf.ErrProhibitedIP) || errors.Is(err, ssrf.ErrProhibitedNetwork) || errors.Is(err, ssrf.ErrProhibitedPort)
}
