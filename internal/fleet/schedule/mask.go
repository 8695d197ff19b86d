package schedule

import (
	"math"
	"time"
)

// A Mask says how often a schedule comes: the attribute msk. Bits 31:30 are a Unit, 29:26 a Kind; the rest depends on
// the kind (device-protocol reference, section 3.2).
type Mask uint32

// A Kind is how a schedule repeats. The numbers are on the wire; boards take any other for never.
type Kind uint8

// The kinds.
const (
	Once    Kind = iota
	Every        // so many units after From, and so on
	Weekly       // on some days of the week
	Monthly      // on one day of each month
	Yearly       // on one day of a year
	kinds        // how many there are
)

// String is what the API calls it.
func (k Kind) String() string {
	if k < kinds {
		return [kinds]string{"once", "every", "weekly", "monthly", "yearly"}[k]
	}
	return "unknown"
}

// Bits of a Mask.
const (
	unitShift, kindShift, monthShift = 30, 26, 8

	repetitionBits = 1<<kindShift - 1
	dayBits        = 1<<monthShift - 1
	weekBits       = 1<<7 - 1
)

// units are what Every counts, by the number of a unit.
var units = [4]time.Duration{time.Second, time.Minute, time.Hour, 24 * time.Hour}

// MaskOnce comes once.
func MaskOnce() Mask { return 0 }

// MaskEvery comes in steps: the mask says how many seconds, minutes, hours or days each is, in the largest unit that
// it is a whole number of. False for a step that no mask can say.
func MaskEvery(step time.Duration) (Mask, bool) {
	for i := len(units) - 1; i >= 0; i-- {
		if n := step / units[i]; step > 0 && step%units[i] == 0 && n <= repetitionBits {
			return Mask(i)<<unitShift | Mask(Every)<<kindShift | Mask(n), true
		}
	}
	return 0, false
}

// MaskWeekly comes on some days of the week.
func MaskWeekly(days ...time.Weekday) Mask {
	m := Mask(Weekly) << kindShift
	for _, d := range days {
		m |= 1 << d & weekBits
	}
	return m
}

// MaskMonthly comes on a day of each month that has it, from 1.
func MaskMonthly(day int) Mask { return Mask(Monthly)<<kindShift | Mask(day)&dayBits }

// MaskYearly comes on a day of a month, from 1.
func MaskYearly(month time.Month, day int) Mask {
	return Mask(Yearly)<<kindShift | Mask(month-1)&dayBits<<monthShift | Mask(day)&dayBits
}

// Kind is how the schedule repeats.
func (m Mask) Kind() Kind { return Kind(m >> kindShift & 0xf) }

// Step is the time between two activations of the kind Every; 0 for others.
func (m Mask) Step() time.Duration {
	if m.Kind() != Every {
		return 0
	}
	return time.Duration(m&repetitionBits) * units[m>>unitShift]
}

// Days are the days of the kind Weekly, from Sunday; none for others.
func (m Mask) Days() (all []time.Weekday) {
	for d := time.Sunday; m.Kind() == Weekly && d <= time.Saturday; d++ {
		if m>>d&1 != 0 {
			all = append(all, d)
		}
	}
	return all
}

// Day is the day of the month of the kinds Monthly and Yearly, and the month of Yearly; 0 for others.
func (m Mask) Day() (month time.Month, day int) {
	switch m.Kind() {
	case Monthly:
		return 0, int(m & dayBits)
	case Yearly:
		return time.Month(m>>monthShift&dayBits) + 1, int(m & dayBits)
	}
	return 0, 0
}

// daily says whether the kind asks which day it is.
func (m Mask) daily() bool {
	k := m.Kind()
	return k == Weekly || k == Monthly || k == Yearly
}

// period is how many seconds after an activation there may be the next; 0 for never.
func (m Mask) period() int64 {
	switch k := m.Kind(); {
	case k == Once:
		return math.MaxUint32 + 1 // longer than any length
	case k == Every:
		return int64(m.Step() / time.Second)
	case m.daily():
		return daySeconds
	}
	return 0
}

// matches says whether a schedule may be on on the day that a wall clock shows.
func (m Mask) matches(now int64) bool {
	at := time.Unix(now, 0).UTC()
	switch m.Kind() {
	case Once, Every:
		return true
	case Weekly:
		return m>>at.Weekday()&1 != 0
	case Monthly:
		return at.Day() == int(m&dayBits)
	case Yearly:
		month, day := m.Day()
		return at.Month() == month && at.Day() == day
	}
	return false
}
