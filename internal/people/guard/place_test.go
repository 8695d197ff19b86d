package guard

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

var (
	turin  = spot{"IT", 45.1, 7.7}
	milan  = spot{"IT", 45.5, 9.2}
	sydney = spot{"AU", -33.9, 151.2}
)

func TestDistances(t *testing.T) {
	for name, c := range map[string]struct {
		a, b spot
		want float64 // km
	}{
		"Turin to Milan":    {turin, milan, 125},
		"Turin to Sydney":   {turin, sydney, 16_450},
		"nowhere":           {turin, turin, 0},
		"across the date":   {spot{"", 0, 179.9}, spot{"", 0, -179.9}, 22},
		"from pole to pole": {spot{"", 90, 0}, spot{"", -90, 0}, 20_015},
	} {
		if got := c.a.distance(c.b); math.Abs(got-c.want) > c.want/50+1 {
			t.Errorf("%s: %.0f km, want %.0f", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		a, b spot
		took time.Duration
		want bool
	}{
		"by train, at once":   {turin, milan, 0, false}, // tables are no more exact
		"by air":              {turin, sydney, 22 * time.Hour, false},
		"in an hour":          {turin, sydney, time.Hour, true},
		"by a clock set back": {turin, sydney, -time.Hour, true},
	} {
		if got := c.a.tooFar(c.b, c.took); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

const byNetwork = `network,continent,country,city,latitude,longitude
198.51.100.0/24,EU,IT,"Torino, Centro",45.0703,7.6869
203.0.113.0/25,OC,AU,Sydney,-33.8688,151.2093
203.0.113.128/25,EU,IT,Milano,45.4642,9.19
2001:db8::/32,EU,IT,Torino,45.0703,7.6869
2001:db9::/48,,,,,
`

const byRange = "ip_start,ip_end,country,latitude,longitude\r\n" +
	"198.51.100.0,198.51.100.255,IT,45.0703,7.6869\r\n" +
	"203.0.113.0,203.0.113.127,AU,-33.8688,151.2093\r\n" +
	"203.0.113.128,203.0.113.255,IT,45.4642,9.19\r\n" +
	"2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,IT,45.0703,7.6869\r\n"

func TestTableOfAddresses(t *testing.T) {
	for name, text := range map[string]string{"networks": byNetwork, "ranges": byRange} {
		t.Run(name, func(t *testing.T) {
			a, err := openAtlas(write(t, text))
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			for from, want := range map[string]string{
				"198.51.100.0": "IT 45.1 7.7", "198.51.100.255": "IT 45.1 7.7", "203.0.113.127": "AU -33.9 151.2", "203.0.113.128": "IT 45.5 9.2",
				"::ffff:203.0.113.1": "AU -33.9 151.2", "2001:db8:1::1": "IT 45.1 7.7",
				"198.51.99.255": "", "198.51.101.0": "", "203.0.114.0": "", "10.0.0.1": "", "2001:db7::": "", "2001:db9::1": "", "255.255.255.255": "", "::": "",
			} {
				at, err := a.find(netip.MustParseAddr(from))
				got := ""
				if at != nil {
					got = fmt.Sprint(at.Country, " ", at.Lat, " ", at.Lon)
				}
				if err != nil || got != want {
					t.Errorf("%s is at %q, %v, want %q", from, got, err, want)
				}
			}
		})
	}
	for name, text := range map[string]string{
		"empty":         "",
		"no header":     "198.51.100.0/24,IT,1,2\n",
		"header only":   "network,country,latitude,longitude\n",
		"not in order":  "network,country,latitude,longitude\n203.0.113.0/24,IT,1,2\n198.51.100.0/24,IT,1,2\n",
		"not addresses": "network,country,latitude,longitude\nx,IT,1,2\n",
		"short lines":   "network,country,latitude,longitude\n203.0.113.0/24,IT\n",
	} {
		if a, err := openAtlas(write(t, text)); err == nil {
			t.Errorf("%s: taken", name)
			_ = a.close()
		}
	}
}

// Whatever a table has in its lines, looking an address up ends, and what it finds is on the globe.
func FuzzAtlas(f *testing.F) {
	f.Add([]byte(strings.SplitN(byNetwork, "\n", 2)[1]), uint32(0xcb007101))
	f.Add([]byte("\"\n,,,,,\n198.51.100.0/24,a,b,c,1e999,NaN\n"), uint32(1))
	f.Fuzz(func(t *testing.T, body []byte, from uint32) {
		head := "network,continent,country,city,latitude,longitude\n"
		text := append([]byte(head), body...)
		a := &atlas{file: &sorted{at: bytes.NewReader(text), size: int64(len(text))}, header: int64(len(head)), network: 0, first: -1, end: -1, country: 2, lat: 4, long: 5}
		at, err := a.find(netip.AddrFrom4([4]byte{byte(from >> 24), byte(from >> 16), byte(from >> 8), byte(from)}))
		if err != nil && at != nil {
			t.Fatalf("%v and %v", at, err)
		}
		if at != nil && !(math.Abs(at.Lat) <= 90 && math.Abs(at.Lon) <= 180 && len(at.Country) <= 64) {
			t.Fatalf("%+v is nowhere", at)
		}
	})
}

func TestArrivals(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		inTurin, inSydney, unknown := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("10.0.0.1")
		c := &clock{at: noon}
		file := write(t, byNetwork)
		h := open(t, SQL(d), c, Config{Geo: file})
		told := h.Events.Subscribe(16)
		defer told.Close()
		come := func(from netip.Addr, known bool) {
			t.Helper()
			if err := h.Arrived(t.Context(), anna, from, known); err != nil {
				t.Fatal(err)
			}
			c.pass(2 * time.Minute)
		}
		come(inTurin, false)
		none(t, told.C()) // the first of all is nothing new
		come(inTurin, true)
		none(t, told.C())
		come(inSydney, true)
		if e := one(t, told.C()); e.Kind != Travel || e.Account != anna || e.From != "IT" || e.To != "AU" {
			t.Errorf("event %+v", e)
		}
		come(unknown, false)
		if e := one(t, told.C()); e.Kind != NewDevice || e.Account != anna {
			t.Errorf("event %+v", e)
		}
		none(t, told.C())
		c.pass(24 * time.Hour)
		h = open(t, SQL(d), c, Config{Geo: file}) // a restart
		told = h.Events.Subscribe(16)
		come(inTurin, true) // a day after Sydney
		none(t, told.C())
		_, sealed, err := SQL(d).place(t.Context(), anna)
		if err != nil || !strings.HasPrefix(string(sealed), anna+"|") || strings.Contains(string(sealed), "198.51") {
			t.Errorf("what is kept: %q, %v", sealed, err)
		}
		if err := h.Forget(t.Context(), anna); err != nil {
			t.Fatal(err)
		}
		come(inSydney, false)
		none(t, told.C())
		without := open(t, SQL(d), c, Config{})
		if without.Located() || !h.Located() {
			t.Error("who says that it has a table?")
		}
		if err := without.Arrived(t.Context(), bert, inTurin, false); err != nil {
			t.Error(err)
		}
	})
}
