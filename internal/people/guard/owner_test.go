package guard

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// mmdb is a file of autonomous systems, as those write it who sell them.
func mmdb(t testing.TB, kind string, networks map[string]uint32) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: kind, RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, number := range networks {
		_, network, err := net.ParseCIDR(text)
		if err == nil {
			err = tree.Insert(network, mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(number), "autonomous_system_organization": mmdbtype.String("somebody")})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := tree.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var networks = map[string]uint32{"198.18.0.0/16": 64500, "203.0.113.0/24": 64501, "192.0.2.0/24": 64502, "2001:db8::/32": 64503}

func TestToWhomNetworksBelong(t *testing.T) {
	o, err := readOwners(mmdb(t, "GeoLite2-ASN", networks))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]uint32{"198.18.200.3": 64500, "::ffff:203.0.113.9": 64501, "198.19.0.1": 0, "2001:db8::1": 64503, "fe80::1%eth0": 0} {
		if got := o.of(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s belongs to %d, want %d", text, got, want)
		}
	}
	if (*owners)(nil).of(here) != 0 || o.of(netip.Addr{}) != 0 {
		t.Error("what nobody knows belongs to somebody")
	}
	file := filepath.Join(t.TempDir(), "asn.mmdb")
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"cities":        {mmdb(t, "GeoLite2-City", networks), "no table of autonomous systems"},
		"text":          {[]byte("network,asn\n"), "no MaxMind DB file"},
		"nothing":       {nil, "no MaxMind DB file"},
		"half of it":    {mmdb(t, "GeoLite2-ASN", networks)[:300], "no MaxMind DB file"},
		"one that fits": {mmdb(t, "DBIP-ASN-Lite", networks), ""},
	} {
		if err := os.WriteFile(file, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := openOwners(file)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := openOwners(file + "x"); err == nil {
		t.Error("a file that there is not")
	}
}

// owned is a house with a table of owners.
func owned(t *testing.T, d *db.DB) *house {
	t.Helper()
	file := filepath.Join(t.TempDir(), "asn.mmdb")
	if err := os.WriteFile(file, mmdb(t, "GeoLite2-ASN", networks), 0o600); err != nil {
		t.Fatal(err)
	}
	return open(t, SQL(d), &clock{at: noon}, Config{ASN: file})
}

// from is the i-th address of AS64500, each in a neighbourhood of its own.
func from(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 18, byte(i), byte(i)}) }

// Far more failures than usual from one owner's networks are told of, and slow its strangers down for a
// while, whatever account they try; who is known is not slowed, nor is anybody elsewhere.
func TestAnOwnersNetworksAreSeenAndSlowed(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		h := owned(t, d)
		h.lesson(24)
		told := h.Events.Subscribe(1000)
		defer told.Close()
		for i := range 120 {
			h.miss(another(Password, h.Who(fmt.Sprint("user ", i)), from(i)), 1)
			h.pass(2 * time.Second)
		}
		var seen []Event
		for len(told.C()) > 0 {
			if e := <-told.C(); e.Kind == NetworkOwner {
				seen = append(seen, e)
			}
		}
		if len(seen) != 1 || seen[0].Subject != "AS64500" || seen[0].Failures < ownerLeast || seen[0].Addresses < ownerLeast || seen[0].Accounts < ownerLeast {
			t.Fatalf("events %+v", seen)
		}
		stranger := try(Password, h.Who("anna"), from(250))
		if v, err := h.hit(stranger); err != nil || v.Wait != ownerWait {
			t.Errorf("a stranger from there: %+v, %v", v, err)
		}
		known := stranger
		known.Known = true
		if v, err := h.hit(known); err != nil || v.Wait != 0 {
			t.Errorf("who is known: %+v, %v", v, err)
		}
		if v, err := h.hit(try(Password, h.Who("anna"), netip.MustParseAddr("203.0.113.5"))); err != nil || v.Wait != 0 {
			t.Errorf("a stranger elsewhere: %+v, %v", v, err)
		}
		if v, err := h.hit(try(Token, "0123456789abcdef0123456789abcdef", from(250))); err != nil || v.Wait != 0 {
			t.Errorf("a program from there: %+v, %v", v, err)
		}
		h.pass(lookBack + time.Second)
		if v, err := h.hit(stranger); err != nil || v.Wait != 0 {
			t.Errorf("when it is over: %+v, %v", v, err)
		}
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := journal.List(t.Context(), d, journal.Query{Action: "guard:network-owner"})
		if err != nil || len(all) != 1 || all[0].ID != "AS64500" {
			t.Errorf("journal %+v, %v", all, err)
		}
	})
}

// What is usual for an owner, or comes from few addresses, is no event.
func TestWhatIsUsualForAnOwnerIsQuiet(t *testing.T) {
	for name, c := range map[string]struct {
		before int // failures in each ten minutes of two days
		now    int
		from   func(i int) netip.Addr
		want   bool
	}{
		"a large carrier as always":        {60, 200, from, false},
		"the same, far above that":         {60, 400, from, true},
		"a small one, all of a sudden":     {0, 120, from, true},
		"few addresses":                    {0, 300, func(i int) netip.Addr { return from(i % 5) }, false},
		"an owner of whom nobody knows it": {0, 300, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 19, byte(i), byte(i)}) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, err := readOwners(mmdb(t, "GeoLite2-ASN", networks))
			if err != nil {
				t.Fatal(err)
			}
			w, now, told := newWatch(), noon.UnixNano(), false
			fail := func(i int) {
				a := c.from(i)
				for _, one := range w.failed(failure{now, uint64(i), uint64(a.As4()[3]) + 1, uint64(i), o.of(a)}, nil) {
					told = told || one.kind == NetworkOwner
				}
			}
			for range 2 * 24 * 6 {
				for i := range c.before {
					fail(i)
					now += int64(lookBack) / int64(c.before)
				}
				if c.before == 0 {
					now += int64(lookBack)
				}
			}
			if told {
				t.Fatal("an event before anything happened")
			}
			for i := range c.now {
				fail(i)
				now += int64(time.Second)
			}
			if told != c.want {
				t.Errorf("told %v, want %v", told, c.want)
			}
		})
	}
}

func TestOwnersAreBounded(t *testing.T) {
	w := newWatch()
	for i := range uint32(3 * ownerCap) {
		w.failed(failure{at: noon.UnixNano(), who: uint64(i), owner: i + 1}, nil)
	}
	if len(w.owners) != ownerCap {
		t.Errorf("%d owners are remembered, want %d", len(w.owners), ownerCap)
	}
}

// Whatever the operator's file holds, reading it never panics, and what it says of an address is a number.
func FuzzOwners(f *testing.F) {
	f.Add(mmdb(f, "GeoLite2-ASN", networks), []byte{198, 18, 0, 1})
	f.Add([]byte("\xab\xcd\xefMaxMind.com"), []byte{1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, text, addr []byte) {
		if len(text) > 1<<20 {
			return
		}
		o, err := readOwners(text)
		if err != nil {
			return
		}
		if a, ok := netip.AddrFromSlice(addr); ok {
			o.of(a)
		}
	})
}
