package guard

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A spot is where an address is said to be, to a tenth of a degree.
type spot struct {
	Country string  `json:"country"`
	Lat     float64 `json:"lat"` // degrees
	Lon     float64 `json:"lon"`
}

// Nobody travels faster than an airliner; tables of addresses are often wrong by less
// than near, in km.
const (
	fastest = 900.0 // km/h
	near    = 200.0 // km
	earth   = 6371.0
)

// distance is the way over the globe, in km.
func (a spot) distance(b spot) float64 {
	rad := math.Pi / 180
	dLat, dLon := (b.Lat-a.Lat)*rad, (b.Lon-a.Lon)*rad
	h := math.Pow(math.Sin(dLat/2), 2) + math.Cos(a.Lat*rad)*math.Cos(b.Lat*rad)*math.Pow(math.Sin(dLon/2), 2)
	return 2 * earth * math.Asin(math.Min(1, math.Sqrt(h)))
}

// tooFar says whether nobody can have gone from a to b in that time.
func (a spot) tooFar(b spot, took time.Duration) bool {
	far := a.distance(b)
	return far > near && far > fastest*max(took, 0).Hours()
}

// An atlas says where addresses are: a CSV file in the order of the addresses, searched where it
// is. Its first line names the columns: "network" (a prefix), or "ip_start" and "ip_end" (first and
// last); "country"; "latitude" and "longitude". Others are not read.
type atlas struct {
	file                                    *sorted
	header                                  int64 // bytes
	network, first, end, country, lat, long int   // columns; -1 if it has none
}

var columnNames = map[string]string{"network": "network", "ip_start": "first", "start_ip": "first", "ip_end": "end", "end_ip": "end",
	"country": "country", "country_code": "country", "country_iso_code": "country", "latitude": "lat", "longitude": "lon"}

func openAtlas(path string) (*atlas, error) {
	file, err := openSorted(path)
	if err != nil {
		return nil, err
	}
	a := &atlas{file: file, network: -1, first: -1, end: -1, country: -1, lat: -1, long: -1}
	line, _, next, err := file.lineAt(0, make([]byte, maxLine+2))
	var names []string
	if err == nil {
		names, err = fields(line)
	}
	places := map[string]*int{"network": &a.network, "first": &a.first, "end": &a.end, "country": &a.country, "lat": &a.lat, "lon": &a.long}
	for i, name := range names {
		if to := places[columnNames[strings.ToLower(strings.TrimSpace(name))]]; to != nil {
			*to = i
		}
	}
	if err == nil && (a.network < 0 && (a.first < 0 || a.end < 0) || a.country < 0 || a.lat < 0 || a.long < 0) {
		err = errors.New("its first line does not name the columns network (or ip_start and ip_end), country, latitude and longitude")
	}
	a.header = next
	if err == nil {
		err = file.check(next, func(before, line []byte) (int, error) {
			f, _, _, err := a.read(line)
			if err != nil || before == nil {
				return 0, err
			}
			b, _, _, err := a.read(before)
			return b.Compare(f), err
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.close())
	}
	return a, nil
}

func (a *atlas) close() error {
	if a == nil {
		return nil
	}
	return a.file.close()
}

func fields(line []byte) ([]string, error) {
	r := csv.NewReader(bytes.NewReader(line))
	return r.Read()
}

// read takes a line apart. A spot without coordinates is where nobody knows.
func (a *atlas) read(line []byte) (first, end netip.Addr, at *spot, err error) {
	all, err := fields(line)
	if err != nil || len(all) <= max(a.network, a.first, a.end, a.country, a.lat, a.long) {
		return first, end, nil, errors.New("it has a line with fewer columns than its first")
	}
	if a.network >= 0 {
		p, err := netip.ParsePrefix(all[a.network])
		if err != nil {
			return first, end, nil, errors.New("it has a line without a network")
		}
		first, end = p.Masked().Addr(), lastOf(p)
	} else {
		var e1, e2 error
		first, e1 = netip.ParseAddr(all[a.first])
		end, e2 = netip.ParseAddr(all[a.end])
		if errors.Join(e1, e2) != nil {
			return first, end, nil, errors.New("it has a line without addresses")
		}
	}
	lat, e1 := strconv.ParseFloat(all[a.lat], 64)
	lon, e2 := strconv.ParseFloat(all[a.long], 64)
	if errors.Join(e1, e2) != nil || math.Abs(lat) > 90 || math.Abs(lon) > 180 || math.IsNaN(lat+lon) {
		return first, end, nil, nil
	}
	country := all[a.country]
	if len(country) > 64 {
		country = country[:64]
	}
	return first, end, &spot{strings.ToValidUTF8(country, ""), math.Round(lat*10) / 10, math.Round(lon*10) / 10}, nil
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// find says where an address is; nil when the file does not.
func (a *atlas) find(addr netip.Addr) (*spot, error) {
	addr = addr.Unmap().WithZone("")
	if a == nil || !addr.IsValid() {
		return nil, nil
	}
	text, err := a.file.last(a.header, func(line []byte) (bool, error) {
		first, _, _, err := a.read(line)
		return first.Compare(addr) > 0, err
	})
	if err != nil || text == nil {
		return nil, err
	}
	_, end, at, err := a.read(text)
	if err != nil || end.Compare(addr) < 0 {
		return nil, err
	}
	return at, nil
}

// An arrival is the last time that a person came in, as it is kept.
type arrival struct {
	At *spot `json:"at,omitempty"`
}

// Arrived is told when a person has come in, every proof included. known says that the browser had
// been here before. It tells of a new device, unless it is the person's first, and of a
// journey that nobody can make, if the operator gave a table of addresses.
func (s *Service) Arrived(ctx context.Context, account string, from netip.Addr, known bool) error {
	now := s.needs.Now()
	at, sealed, err := s.needs.Store.place(ctx, account)
	if err != nil {
		return fmt.Errorf("where account %s came from last: %w", account, err)
	}
	seal, err := s.needs.Keys.Person(ctx, account)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", account, err)
	}
	var before, here arrival
	where := keys.Place("guard_place", "place", account)
	if at != 0 {
		text, err := seal.Open(sealed, where)
		if err == nil {
			err = json.Unmarshal(text, &before)
		}
		if err != nil {
			return fmt.Errorf("where account %s came from last: %w", account, err)
		}
	}
	if here.At, err = s.geo.find(from); err != nil {
		s.needs.Log.ErrorContext(ctx, "the table of addresses cannot be read", "file", s.needs.Config.Geo, "err", err)
	}
	if here.At == nil {
		here.At = before.At // until it is known better
	}
	text, err := json.Marshal(here)
	if err != nil {
		return err
	}
	if sealed, err = seal.Seal(text, where); err != nil {
		return err
	}
	if err := s.needs.Store.setPlace(ctx, account, now.UnixMicro(), sealed); err != nil {
		return fmt.Errorf("keep where account %s came from: %w", account, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick()
	if at != 0 && !known {
		s.tell(Event{Kind: NewDevice, Account: account, Subject: account, To: here.country()})
	}
	if before.At != nil && here.At != nil && before.At.tooFar(*here.At, now.Sub(time.UnixMicro(at))) {
		s.tell(Event{Kind: Travel, Account: account, Subject: account, From: before.country(), To: here.country()})
	}
	return nil
}

func (a arrival) country() string {
	if a.At == nil {
		return ""
	}
	return a.At.Country
}

// Forget forgets where a person came from. What was counted about them goes with time.
func (s *Service) Forget(ctx context.Context, account string) error {
	if err := s.needs.Store.forget(ctx, account); err != nil {
		return fmt.Errorf("forget where account %s came from: %w", account, err)
	}
	return nil
}

// Located says whether the detector of impossible travel has a table to look at.
func (s *Service) Located() bool { return s.geo != nil }
