package schedule

import (
	"math"
	"time"
)

// A Schedule is a value of the type SCHEDULE; device-protocol reference, section 3.2. Times are seconds since
// 1970 as the wall clock of the thing counts them: a clock in Rome that shows 1970-01-01 01:00 says 3600.
type Schedule struct {
	From   uint32 // first activation
	To     uint32 // end; 0 is never
	Length uint32 // seconds that it is on, each time; a board counts the last one in
	Mask   Mask
}

const (
	daySeconds = 24 * 60 * 60
	// farDays is how far ahead is looked: a 29 February comes again after 8 years at most, where a century has none.
	farDays = 9 * 366
	// forever is beyond all that a schedule can say.
	forever = math.MaxInt64 / 4
)

// Active says whether the schedule is on at a moment, in the time zone of its thing.
func (s Schedule) Active(at time.Time, zone *time.Location) bool {
	return s.on(wall(at.In(zone)))
}

// Next says when the schedule is next turned on and when off, after a moment: the zero time where that does not
// come within nine years of the moment and of From. While it is on, off comes before on; else on comes before off.
func (s Schedule) Next(at time.Time, zone *time.Location) (on, off time.Time) {
	at = at.In(zone).Truncate(time.Second)
	if s.on(wall(at)) {
		if off = s.seek(at, zone, s.off); !off.IsZero() {
			on = s.seek(off, zone, s.turn)
		}
		return on, off
	}
	if on = s.seek(at, zone, s.turn); !on.IsZero() {
		off = s.seek(on, zone, s.off)
	}
	return on, off
}

// wall is what a clock on the wall says, as boards count it.
func wall(at time.Time) int64 {
	_, offset := at.Zone()
	return at.Unix() + int64(offset)
}

// seek finds the first moment from at on for which find, which looks at a wall clock that does not jump, finds its
// own time; the zero time when there is none.
func (s Schedule) seek(at time.Time, zone *time.Location, find func(from, to int64) int64) time.Time {
	last := max(wall(at), int64(s.From)) + farDays*daySeconds
	for {
		_, end := at.ZoneBounds()
		if !end.IsZero() && !end.After(at) {
			end = at.Add(time.Hour) // time.Time.ZoneBounds of Go 1.26 ends before it began on the last day of a leap year
		}
		from, to := wall(at), last+1
		if !end.IsZero() {
			to = min(to, from+end.Unix()-at.Unix())
		}
		if found := find(from, to); found < to {
			return at.Add(time.Duration(found-from) * time.Second)
		}
		if to > last {
			return time.Time{}
		}
		at = end.In(zone)
	}
}

// on says whether a board takes the schedule for on when its wall clock shows now.
func (s Schedule) on(now int64) bool {
	from := int64(s.From)
	if now < from || s.To != 0 && now >= int64(s.To) || !s.Mask.matches(now) {
		return false
	}
	period := s.Mask.period()
	return period > 0 && (now-from)%period <= int64(s.Length)
}

// turn is the first time from now on, before end, at which the schedule is on; else end.
func (s Schedule) turn(now, end int64) int64 {
	from, period := int64(s.From), s.Mask.period()
	if s.To != 0 {
		end = min(end, int64(s.To))
	}
	if period == 0 {
		return forever
	}
	for now = max(now, from); now < end; {
		if !s.Mask.matches(now) {
			now = nextDay(now)
			continue
		}
		r := (now - from) % period
		if r <= int64(s.Length) {
			return now
		}
		day := now
		if now += period - r; !s.Mask.daily() {
			continue
		}
		now = min(now, nextDay(day)) // which may be none of its days
	}
	return forever
}

// off is the first time from now on, before end, at which the schedule is not on; else end or later.
func (s Schedule) off(now, end int64) int64 {
	from, period := int64(s.From), s.Mask.period()
	for now < end {
		if !s.on(now) {
			return now
		}
		left := int64(s.Length) - (now-from)%period // it is on for so long, and a second
		switch {
		case s.Mask.daily():
			now = min(now+left+1, nextDay(now))
		case int64(s.Length) >= period-1:
			now = forever
		default:
			now += left + 1
		}
		if s.To != 0 {
			now = min(now, int64(s.To))
		}
	}
	return now
}

func nextDay(now int64) int64 { return now - now%daySeconds + daySeconds }
