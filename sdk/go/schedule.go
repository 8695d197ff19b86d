package device

import "time"

// ScheduleValue is a schedule as the cloud's editor makes it. Times are local: seconds
// since 1970 as if the local time were UTC.
type ScheduleValue struct {
	From   uint32 // the first activation
	To     uint32 // the end; 0 is never
	Length uint32 // of one activation, in seconds
	Mask   uint32 // when it repeats; see below
}

// The mask: unit in bits 31:30, type in 29:26, and below what the type needs.
const (
	scheduleOnce    = 0
	scheduleDelta   = 1 // every N units, N in bits 25:0
	scheduleWeekly  = 2 // bit 0 Sunday … bit 6 Saturday
	scheduleMonthly = 3 // day of the month in bits 7:0
	scheduleYearly  = 4 // month 0 to 11 in bits 15:8, day in bits 7:0
	// Boards that make a yearly mask themselves or the monthly type into it.
	scheduleYearlyOfBoards = 7
)

const secondsOfDay = 24 * 60 * 60

// scheduleUnits are seconds, minutes, hours and days.
var scheduleUnits = [4]int64{1, 60, 60 * 60, secondsOfDay}

// Active tells whether the schedule is on at t, in t's own time zone: give Client.LocalTime.
func (s ScheduleValue) Active(t time.Time) bool {
	_, offset := t.Zone()
	now := t.Unix() + int64(offset)
	since := now - int64(s.From)
	if since < 0 || s.To != 0 && now >= int64(s.To) {
		return false
	}
	low := s.Mask & (1<<26 - 1)
	period := int64(secondsOfDay)
	switch s.Mask >> 26 & 0xf {
	case scheduleOnce:
		return since <= int64(s.Length)
	case scheduleDelta:
		period = int64(low) * scheduleUnits[s.Mask>>30]
		if period == 0 {
			return false
		}
	case scheduleWeekly:
		if low>>t.Weekday()&1 == 0 {
			return false
		}
	case scheduleMonthly:
		if int(low&0xff) != t.Day() {
			return false
		}
	case scheduleYearly, scheduleYearlyOfBoards:
		if int(low&0xff) != t.Day() || time.Month(low>>8&0xff)+time.January != t.Month() {
			return false
		}
	default:
		return false
	}
	return since%period <= int64(s.Length)
}
