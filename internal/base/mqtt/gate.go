package mqtt

import (
	"container/list"
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxVisitors bounds the addresses that the gate remembers at once; above it only
// addresses with an open connection are kept.
const maxVisitors = 1 << 16

// A gate counts connections in total and by address, and lets only so many be
// between accept and CONNACK.
type gate struct {
	limits Limits
	slots  chan struct{} // one for each connection between accept and CONNACK

	mu       sync.Mutex
	now      time.Time // guarded by mu: the janitor's clock, in whole seconds
	open     int       // guarded by mu
	opening  int       // guarded by mu: of those, before CONNACK
	visitors map[netip.Prefix]*visitor
	quiet    *list.List // guarded by mu: *guest, who has not sent a byte yet, the oldest first
	guests   map[*guest]struct{}
}

// A visitor is one address.
type visitor struct {
	prefix  netip.Prefix
	open    int
	opening int
	rate    *rate.Limiter
}

// A guest is one connection's place in the counts.
type guest struct {
	gate    *gate
	from    *visitor // nil for an address without limits
	abort   func()
	element *list.Element // in quiet, guarded by gate.mu
	opening bool          // guarded by gate.mu: holds a slot
	early   bool          // guarded by gate.mu: was sent away before CONNACK
}

func newGate(l Limits) *gate {
	return &gate{
		limits:   l,
		slots:    make(chan struct{}, l.Opening),
		now:      time.Unix(0, 0),
		visitors: make(map[netip.Prefix]*visitor),
		quiet:    list.New(),
		guests:   make(map[*guest]struct{}),
	}
}

// slot waits until one more connection may be accepted. When all slots are taken
// it sends away who has been silent for longest: that is what a flood of
// connections looks like, and a board speaks as soon as it is connected.
func (g *gate) slot(ctx context.Context) bool {
	select {
	case g.slots <- struct{}{}:
		return true
	default:
	}
	g.mu.Lock()
	if oldest := g.quiet.Front(); oldest != nil {
		oldest.Value.(*guest).sendAwayLocked()
	}
	g.mu.Unlock()
	select {
	case g.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// enter takes in a connection that has a slot. abort closes it. When the result
// is nil the connection is refused for the reason told, and the slot is free.
func (g *gate) enter(addr netip.Addr, abort func()) (*guest, Refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	v, why := g.admit(addr)
	if why != 0 {
		<-g.slots
		return nil, why
	}
	g.open++
	g.opening++
	if v != nil {
		v.open++
		v.opening++
	}
	in := &guest{gate: g, from: v, abort: abort, opening: true}
	in.element = g.quiet.PushBack(in)
	g.guests[in] = struct{}{}
	return in, 0
}

// admit finds the visitor of addr and asks the limits. g.mu is held.
func (g *gate) admit(addr netip.Addr) (*visitor, Refusal) {
	if g.open >= g.limits.Connections {
		return nil, RefusedFull
	}
	prefix, limited := prefixOf(addr)
	if !limited {
		return nil, 0
	}
	v := g.visitors[prefix]
	if v == nil {
		if len(g.visitors) >= maxVisitors {
			return nil, RefusedFull
		}
		v = &visitor{prefix: prefix, rate: rate.NewLimiter(rate.Limit(g.limits.ConnectRate), g.limits.ConnectBurst)}
		g.visitors[prefix] = v
	}
	switch {
	case v.open >= g.limits.PerAddress || v.opening >= g.limits.OpeningPerAddress:
		return nil, RefusedAddressFull
	case !v.rate.AllowN(g.now, 1):
		return nil, RefusedAddressRate
	}
	return v, 0
}

// prefixOf is what is counted as one address; false for who has no limits.
func prefixOf(addr netip.Addr) (netip.Prefix, bool) {
	addr = addr.Unmap().WithZone("")
	if !addr.IsValid() || addr.IsLoopback() {
		return netip.Prefix{}, false
	}
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	return p, err == nil
}

// heard notes that in has sent its first byte.
func (in *guest) heard() {
	in.gate.mu.Lock()
	defer in.gate.mu.Unlock()
	in.unquiet()
}

func (in *guest) unquiet() {
	if in.element != nil {
		in.gate.quiet.Remove(in.element)
		in.element = nil
	}
}

// sendAway closes the connection before CONNACK.
func (in *guest) sendAway() {
	in.gate.mu.Lock()
	defer in.gate.mu.Unlock()
	in.sendAwayLocked()
}

func (in *guest) sendAwayLocked() {
	if in.opening {
		in.early = true
		in.unquiet()
		in.abort()
	}
}

// sentAway says whether that happened.
func (in *guest) sentAway() bool {
	in.gate.mu.Lock()
	defer in.gate.mu.Unlock()
	return in.early
}

// answered gives the slot back: CONNACK is on its way, or never will be.
func (in *guest) answered() {
	in.gate.mu.Lock()
	defer in.gate.mu.Unlock()
	in.unquiet()
	if in.opening {
		in.opening = false
		in.gate.opening--
		if in.from != nil {
			in.from.opening--
		}
		<-in.gate.slots
	}
}

// leave takes the connection out of all counts.
func (in *guest) leave() {
	in.answered()
	in.gate.mu.Lock()
	defer in.gate.mu.Unlock()
	if _, here := in.gate.guests[in]; !here {
		return
	}
	delete(in.gate.guests, in)
	in.gate.open--
	if in.from != nil {
		in.from.open--
	}
}

// tick moves the gate's clock and forgets addresses that are back to normal.
func (g *gate) tick(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = now
	for p, v := range g.visitors {
		if v.open == 0 && (len(g.visitors) >= maxVisitors || v.rate.TokensAt(now) >= float64(g.limits.ConnectBurst)) {
			delete(g.visitors, p)
		}
	}
}

// counts are the connections that are open, and those of them without CONNACK.
func (g *gate) counts() (open, opening int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open, g.opening
}

// abortOpening closes what has no CONNACK yet.
func (g *gate) abortOpening() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for in := range g.guests {
		in.sendAwayLocked()
	}
}

// addrPortOf is conn's peer; the zero value when it is not an Internet address.
func addrPortOf(a net.Addr) netip.AddrPort {
	if t, ok := a.(*net.TCPAddr); ok {
		p := t.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	if a == nil {
		return netip.AddrPort{}
	}
	p, _ := netip.ParseAddrPort(a.String()) // a pipe has no address
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}
