package guard

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// owners says to whom the network of an address belongs: a table of autonomous systems in the
// format of MaxMind DB (version 2.0 of its specification), all of it in memory.
type owners struct{ db *maxminddb.Reader }

// maxOwnerFile bounds such a file, in bytes: ten times what those that can be had have.
const maxOwnerFile = 256 << 20

func openOwners(path string) (*owners, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxOwnerFile+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	o, err := readOwners(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func readOwners(text []byte) (*owners, error) {
	if len(text) > maxOwnerFile {
		return nil, errors.New("it has more than 256 MiB")
	}
	db, err := maxminddb.OpenBytes(text)
	if err != nil {
		return nil, fmt.Errorf("it is no MaxMind DB file: %w", err)
	}
	if kind := db.Metadata.DatabaseType; !strings.Contains(strings.ToUpper(kind), "ASN") {
		return nil, fmt.Errorf("it is no table of autonomous systems, but %q: one of the kind ASN is wanted", kind)
	}
	return &owners{db}, nil
}

// of is the number of the autonomous system of an address; 0 when nobody knows.
func (o *owners) of(a netip.Addr) (number uint32) {
	a = a.Unmap().WithZone("")
	if o == nil || !a.IsValid() {
		return 0
	}
	if err := o.db.Lookup(a).DecodePath(&number, "autonomous_system_number"); err != nil {
		return 0 // a damaged entry is one that is not there
	}
	return number
}

// What the detector of owners looks at. Thresholds are ours: a school behind one carrier stays far below.
const (
	ownerLeast = 100  // failures in one time of lookBack
	ownerHosts = 10   // different addresses: of fewer the rules of each address take care
	ownerCap   = 4096 // owners that are remembered
	ownerEvery = 16   // failures after which addresses are counted again
	// ownerWait is how late answers are to strangers from such an owner's networks, for lookBack from the last alarm on.
	ownerWait = 2 * time.Second
)

// An owner is what is known of the failures from one autonomous system. It learns what is usual from each whole time of
// lookBack, as watch does; a start learns anew.
type owner struct {
	period int64 // number of the time of lookBack that is under way
	bad    int   // in it
	last   int   // in the one before
	usual  float64
	slow   int64 // until then
	said   int64 // when it was last told
}

func (o *owner) turn(now int64) {
	p := now / int64(lookBack)
	for ; o.period < p && (o.bad > 0 || o.last > 0 || o.usual > 0.01); o.period++ {
		bad := float64(o.bad)
		if now < o.slow {
			bad = min(bad, 2*o.usual) // an attack is learnt slowly, else it would soon be usual
		}
		o.usual += (bad - o.usual) / 10
		o.last, o.bad = o.bad, 0
	}
	o.period = p
}

// lately is how many failures there were in the lookBack that ends at now, if those of the time before were spread evenly.
func (o *owner) lately(now int64) float64 {
	over := float64(now%int64(lookBack)) / float64(lookBack)
	return float64(o.bad) + float64(o.last)*(1-over)
}

// ownerFailed counts a failure from an owner's networks, and says whether it is one too many.
func (w *watch) ownerFailed(f failure) (a alarm, told bool) {
	if f.owner == 0 {
		return a, false
	}
	o := w.owners[f.owner]
	if o == nil {
		if len(w.owners) >= ownerCap {
			w.forgetOwner(f.at)
		}
		o = &owner{period: f.at / int64(lookBack)}
		w.owners[f.owner] = o
	}
	o.turn(f.at)
	o.bad++
	if n := o.lately(f.at); n < ownerLeast || n <= unusual*o.usual {
		return a, false
	}
	if f.at < o.slow {
		o.slow = f.at + int64(lookBack)
		if f.at-o.said < int64(mute[NetworkOwner]) {
			return a, false
		}
	}
	if o.bad%ownerEvery != 0 {
		return a, false // counting addresses costs a look at all failures
	}
	who, from, sum := map[uint64]struct{}{}, map[uint64]struct{}{}, 0
	for i := range w.size {
		if one := w.ring[(w.first+i)%len(w.ring)]; one.owner == f.owner {
			who[one.who], from[one.from] = struct{}{}, struct{}{}
			sum++
		}
	}
	if len(from) < ownerHosts {
		return a, false
	}
	o.slow, o.said = f.at+int64(lookBack), f.at
	return alarm{kind: NetworkOwner, subject: uint64(f.owner), accounts: len(who), addresses: len(from), failures: sum}, true
}

// forgetOwner makes room for another one: somebody of whom nothing is feared.
func (w *watch) forgetOwner(now int64) {
	var any uint32
	for n, o := range w.owners {
		if any = n; o.slow <= now {
			break
		}
	}
	delete(w.owners, any)
}

// slows says whether strangers from an owner's networks are answered late.
func (w *watch) slows(n uint32, now int64) bool {
	o := w.owners[n]
	return o != nil && now < o.slow
}

// Owned says whether the detector of owners of networks has a table to look at.
func (s *Service) Owned() bool { return s.owners != nil }
