package thing

import (
	"math"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrTimezone is a time zone that the tz database does not know.
var ErrTimezone = problem.New(problem.Invalid, "invalid-timezone", "The time zone is an IANA name such as Europe/Rome.")

// DefaultTimezone is that of a thing whose maker said nothing; cloud-api reference, section 5.7.
const DefaultTimezone = "America/New_York"

// zoneHorizon is how far ahead an offset is promised when the zone will not
// change it earlier. Boards ask again when the promise has passed.
const zoneHorizon = 10 * 365 * 24 * time.Hour

// zones are the time zones that were found, by name: as many as the tz database has, at
// most. One takes 3 KiB, and thousands of things are in the same.
var zones sync.Map

// loadZone finds a time zone by its IANA name. "Local" is the server's business
// and no zone of a thing.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "Local" || len(name) > 64 {
		return nil, ErrTimezone
	}
	if zone, known := zones.Load(name); known {
		return zone.(*time.Location), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrTimezone
	}
	kept, _ := zones.LoadOrStore(name, zone)
	return kept.(*time.Location), nil
}

// An offset is how far local time is ahead of UTC, in seconds, daylight saving
// included, and until which second since 1970 this holds.
type offset struct{ seconds, until int64 }

// offsetAt tells the offset of a zone at a moment. until is the next moment at
// which the offset differs, at most zoneHorizon ahead and always below 2^32:
// boards keep it unsigned in 32 bits, and one in the past makes them ask for ever
// (device-protocol reference, section 0, trap 1).
func offsetAt(zone *time.Location, now time.Time) offset {
	_, seconds := now.In(zone).Zone()
	limit := now.Add(zoneHorizon)
	until := limit
	for t := now; ; {
		_, next := t.In(zone).ZoneBounds()
		if next.IsZero() {
			break
		}
		if !next.After(t) {
			// Where a zone goes on by rule alone the bounds that Go tells end with a year
			// of 365 days: on the last day of a leap year they lie in the past.
			next = t.Add(24 * time.Hour)
		}
		if !next.Before(limit) {
			break
		}
		// Some zones change only their abbreviation.
		if _, then := next.In(zone).Zone(); then != seconds {
			until = next
			break
		}
		t = next
	}
	return offset{seconds: int64(seconds), until: min(until.Unix(), math.MaxUint32)}
}
