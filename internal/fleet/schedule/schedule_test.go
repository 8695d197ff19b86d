package schedule

import (
	"math/rand/v2"
	"testing"
	"time"
	_ "time/tzdata"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// clock is what a wall clock that shows a date counts.
func clock(text string) uint32 {
	at, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		panic(err)
	}
	return uint32(at.Unix())
}

// Masks that the reference has from boards and from the cloud (vectors A18 and A23).
func TestMasksAreThoseOfBoards(t *testing.T) {
	every, ok := MaskEvery(20 * time.Minute)
	if !ok || every != 0x44000014 {
		t.Errorf("every 20 minutes is %#x", every)
	}
	weekdays := MaskWeekly(time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday)
	if got := Mask(0x08003eff); got.Kind() != Weekly || len(got.Days()) != 7 {
		t.Errorf("vector A18 is %s on %v", got.Kind(), got.Days())
	}
	for name, c := range map[string]struct {
		mask  Mask
		kind  Kind
		step  time.Duration
		days  int
		month time.Month
		day   int
	}{
		"once":                    {MaskOnce(), Once, 0, 0, 0, 0},
		"every 20 minutes":        {every, Every, 20 * time.Minute, 0, 0, 0},
		"every 3 days":            {3<<30 | 1<<26 | 3, Every, 72 * time.Hour, 0, 0, 0},
		"on weekdays":             {weekdays, Weekly, 0, 5, 0, 0},
		"on the 31st":             {MaskMonthly(31), Monthly, 0, 0, 0, 31},
		"on 24 December":          {MaskYearly(time.December, 24), Yearly, 0, 0, time.December, 24},
		"yearly as a board does":  {7 << 26, 7, 0, 0, 0, 0},
		"what nobody knows":       {15 << 26, 15, 0, 0, 0, 0},
		"weekly with other bits":  {2<<26 | 0x3e00 | 1, Weekly, 0, 1, 0, 0},
		"month that is not there": {4<<26 | 12<<8 | 1, Yearly, 0, 0, 13, 1},
	} {
		month, day := c.mask.Day()
		if c.mask.Kind() != c.kind || c.mask.Step() != c.step || len(c.mask.Days()) != c.days || month != c.month || day != c.day {
			t.Errorf("%s: %s, step %v, days %v, %v %d", name, c.mask.Kind(), c.mask.Step(), c.mask.Days(), month, day)
		}
	}
	for _, step := range []time.Duration{0, -time.Second, time.Millisecond, 1500 * time.Millisecond, 1<<26*time.Second + time.Second} {
		if m, ok := MaskEvery(step); ok {
			t.Errorf("every %v is %#x", step, m)
		}
	}
	for k := range kinds {
		if k.String() == "unknown" || k.String() == "" {
			t.Errorf("kind %d has no name", k)
		}
	}
}

// What a schedule is in the four kinds of time zones that there are: two that change by an hour, one that changes by half of
// one, one that never does. Wall clocks, and what UTC says then.
func TestSchedulesKeepToTheWallClock(t *testing.T) {
	daily := func(from string, length uint32) Schedule {
		m, _ := MaskEvery(24 * time.Hour)
		return Schedule{clock(from), 0, length, m}
	}
	week := func(from string, length uint32, days ...time.Weekday) Schedule {
		return Schedule{clock(from), 0, length, MaskWeekly(days...)}
	}
	half, _ := MaskEvery(30 * time.Minute)
	for name, c := range map[string]struct {
		zone    string
		s       Schedule
		at      string // UTC
		active  bool
		on, off string // UTC
	}{
		"Rome, the evening before spring": {"Europe/Rome", daily("2026-01-01 07:00:00", 3599), "2026-03-28T20:00:00Z", false, "2026-03-29T05:00:00Z", "2026-03-29T06:00:00Z"},
		"Rome, the day before that":       {"Europe/Rome", daily("2026-01-01 07:00:00", 3599), "2026-03-27T20:00:00Z", false, "2026-03-28T06:00:00Z", "2026-03-28T07:00:00Z"},
		"Rome, an hour that is not there": {"Europe/Rome", daily("2026-01-01 02:00:00", 3599), "2026-03-29T00:00:00Z", false, "2026-03-30T00:00:00Z", "2026-03-30T01:00:00Z"},
		"Rome, half of it is there":       {"Europe/Rome", daily("2026-01-01 02:30:00", 3599), "2026-03-29T00:00:00Z", false, "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"},
		"Rome, autumn":                    {"Europe/Rome", daily("2026-01-01 07:00:00", 3599), "2026-10-24T20:00:00Z", false, "2026-10-25T06:00:00Z", "2026-10-25T07:00:00Z"},
		"Rome, an hour that comes twice":  {"Europe/Rome", daily("2026-01-01 02:00:00", 3599), "2026-10-24T22:00:00Z", false, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
		"Rome, half of it comes twice":    {"Europe/Rome", daily("2026-01-01 02:00:00", 1799), "2026-10-25T00:10:00Z", true, "2026-10-25T01:00:00Z", "2026-10-25T00:30:00Z"},

		"New York, spring":                    {"America/New_York", daily("2026-01-01 07:00:00", 3599), "2026-03-08T05:00:00Z", false, "2026-03-08T11:00:00Z", "2026-03-08T12:00:00Z"},
		"New York, an hour that is not there": {"America/New_York", daily("2026-01-01 02:00:00", 3599), "2026-03-08T06:30:00Z", false, "2026-03-09T06:00:00Z", "2026-03-09T07:00:00Z"},
		"New York, autumn":                    {"America/New_York", daily("2026-01-01 07:00:00", 3599), "2026-11-01T04:00:00Z", false, "2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z"},
		"New York, an hour that comes twice":  {"America/New_York", daily("2026-01-01 01:00:00", 3599), "2026-11-01T05:30:00Z", true, "2026-11-02T06:00:00Z", "2026-11-01T07:00:00Z"},

		"Lord Howe, spring, 30 minutes":    {"Australia/Lord_Howe", daily("2026-01-01 07:00:00", 3599), "2026-10-03T14:00:00Z", false, "2026-10-03T20:00:00Z", "2026-10-03T21:00:00Z"},
		"Lord Howe, the day before":        {"Australia/Lord_Howe", daily("2026-01-01 07:00:00", 3599), "2026-10-02T14:00:00Z", false, "2026-10-02T20:30:00Z", "2026-10-02T21:30:00Z"},
		"Lord Howe, 02:00 is not there":    {"Australia/Lord_Howe", daily("2026-01-01 02:00:00", 3599), "2026-10-03T15:00:00Z", false, "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},
		"Lord Howe, autumn":                {"Australia/Lord_Howe", daily("2026-01-01 07:00:00", 3599), "2026-04-04T14:00:00Z", false, "2026-04-04T20:30:00Z", "2026-04-04T21:30:00Z"},
		"Lord Howe, 01:30 comes twice":     {"Australia/Lord_Howe", daily("2026-01-01 01:30:00", 1799), "2026-04-04T14:00:00Z", false, "2026-04-04T14:30:00Z", "2026-04-04T15:30:00Z"},
		"Kolkata, when others change":      {"Asia/Kolkata", daily("2026-01-01 07:00:00", 3599), "2026-03-29T00:00:00Z", false, "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"},
		"Kolkata, when they change back":   {"Asia/Kolkata", daily("2026-01-01 07:00:00", 3599), "2026-10-25T02:00:00Z", true, "2026-10-26T01:30:00Z", "2026-10-25T02:30:00Z"},
		"Kolkata, every half an hour":      {"Asia/Kolkata", Schedule{clock("2026-01-01 00:10:00"), 0, 59, half}, "2026-06-01T00:00:30Z", false, "2026-06-01T00:10:00Z", "2026-06-01T00:11:00Z"},
		"Rome, on weekdays, on a Friday":   {"Europe/Rome", week("2026-01-01 08:00:00", 1799, 1, 2, 3, 4, 5), "2026-07-10T06:30:00Z", false, "2026-07-13T06:00:00Z", "2026-07-13T06:30:00Z"},
		"Rome, midnight ends a day's turn": {"Europe/Rome", week("2026-01-01 23:00:00", 7199, 1), "2026-07-13T21:30:00Z", true, "2026-07-19T22:00:00Z", "2026-07-13T22:00:00Z"},
		"Rome, the last second counts":     {"Europe/Rome", daily("2026-01-01 07:00:00", 3600), "2026-07-01T06:00:00Z", true, "2026-07-02T05:00:00Z", "2026-07-01T06:00:01Z"},
		"once, before":                     {"Europe/Rome", Schedule{clock("2026-07-01 12:00:00"), 0, 9, 0}, "2026-06-01T00:00:00Z", false, "2026-07-01T10:00:00Z", "2026-07-01T10:00:10Z"},
		"once, after":                      {"Europe/Rome", Schedule{clock("2026-07-01 12:00:00"), 0, 9, 0}, "2026-07-01T10:00:10Z", false, "", ""},
		"an end within an activation":      {"Europe/Rome", Schedule{clock("2026-07-01 12:00:00"), clock("2026-07-01 12:00:05"), 9, 0}, "2026-07-01T10:00:00Z", true, "", "2026-07-01T10:00:05Z"},
		"on for ever":                      {"Europe/Rome", Schedule{clock("2026-07-01 12:00:00"), 0, 1799, half}, "2026-08-01T00:00:00Z", true, "", ""},
		"on the 31st":                      {"Europe/Rome", Schedule{clock("2026-01-01 12:00:00"), 0, 9, MaskMonthly(31)}, "2026-08-31T20:00:00Z", false, "2026-10-31T11:00:00Z", "2026-10-31T11:00:10Z"},
		"on 29 February":                   {"Europe/Rome", Schedule{clock("2026-01-01 12:00:00"), 0, 9, MaskYearly(time.February, 29)}, "2026-08-31T20:00:00Z", false, "2028-02-29T11:00:00Z", "2028-02-29T11:00:10Z"},
		"on 30 February":                   {"Europe/Rome", Schedule{clock("2026-01-01 12:00:00"), 0, 9, MaskYearly(time.February, 30)}, "2026-08-31T20:00:00Z", false, "", ""},
		"on 29 February, over a century":   {"Asia/Kolkata", Schedule{clock("2026-01-01 12:00:00"), 0, 9, MaskYearly(time.February, 29)}, "2096-03-01T00:00:00Z", false, "2104-02-29T06:30:00Z", "2104-02-29T06:30:10Z"},
		"over the end of a leap year":      {"Europe/Rome", Schedule{clock("2029-01-01 12:00:00"), 0, 9, 0}, "2028-08-31T20:00:00Z", false, "2029-01-01T11:00:00Z", "2029-01-01T11:00:10Z"},
		"on no day":                        {"Europe/Rome", week("2026-01-01 08:00:00", 1799), "2026-07-10T06:30:00Z", false, "", ""},
		"every nothing":                    {"Europe/Rome", Schedule{clock("2026-01-01 12:00:00"), 0, 9, 1 << 26}, "2026-08-31T20:00:00Z", false, "", ""},
		"a kind that no board knows":       {"Europe/Rome", Schedule{clock("2026-01-01 12:00:00"), 0, 9, 7 << 26}, "2026-08-31T20:00:00Z", false, "", ""},
		"nothing was said":                 {"Europe/Rome", Schedule{}, "2026-08-31T20:00:00Z", false, "", ""},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		z := zone(t, c.zone)
		show := func(at time.Time) string {
			if at.IsZero() {
				return ""
			}
			return at.UTC().Format(time.RFC3339)
		}
		on, off := c.s.Next(at, z)
		if active := c.s.Active(at, z); active != c.active || show(on) != c.on || show(off) != c.off {
			t.Errorf("%s: active %v, on %q, off %q; want %v, %q, %q", name, active, show(on), show(off), c.active, c.on, c.off)
		}
	}
}

// boards says whether a schedule is on, as the library for boards has it, on a clock that others made.
func boards(s Schedule, at time.Time, z *time.Location) bool {
	l := at.In(z)
	now := time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC).Unix()
	if now < int64(s.From) || s.To != 0 && now >= int64(s.To) {
		return false
	}
	past, day := now-int64(s.From), int64(86400)
	switch kind := uint32(s.Mask) >> 26 & 15; kind {
	case 0:
		return past <= int64(s.Length)
	case 1:
		step := int64(uint32(s.Mask)&0x3ffffff) * []int64{1, 60, 3600, 86400}[uint32(s.Mask)>>30]
		return step > 0 && past%step <= int64(s.Length)
	case 2:
		return uint32(s.Mask)>>int(l.Weekday())&1 == 1 && past%day <= int64(s.Length)
	case 3:
		return l.Day() == int(s.Mask&255) && past%day <= int64(s.Length)
	case 4:
		return l.Day() == int(s.Mask&255) && int(l.Month())-1 == int(s.Mask>>8&255) && past%day <= int64(s.Length)
	}
	return false
}

// A model that looks at every second says the same, around the hours at which clocks change.
func TestEverySecondIsAsBoardsSay(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 0))
	for name, change := range map[string]string{
		"Europe/Rome": "2026-03-29T01:00:00Z", "America/New_York": "2026-11-01T06:00:00Z", "Australia/Lord_Howe": "2026-10-03T15:30:00Z", "Asia/Kolkata": "2026-03-29T01:00:00Z",
	} {
		z := zone(t, name)
		middle, err := time.Parse(time.RFC3339, change)
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			start := middle.Add(-time.Duration(rnd.IntN(6*3600)) * time.Second)
			s := some(rnd, wall(start.In(z)))
			const seconds = 8 * 3600
			var states [seconds]bool
			for i := range states {
				states[i] = boards(s, start.Add(time.Duration(i)*time.Second), z)
			}
			first := func(from int, state bool) int {
				for ; from < seconds; from++ {
					if states[from] == state {
						return from
					}
				}
				return seconds
			}
			for i := 0; i < seconds; i += 1 + rnd.IntN(1200) {
				at := start.Add(time.Duration(i) * time.Second)
				if got := s.Active(at, z); got != states[i] {
					t.Fatalf("%s: %+v at %v is %v, a board says %v", name, s, at, got, states[i])
				}
				on, off := s.Next(at, z)
				firstOff, firstOn := 0, 0
				if states[i] {
					firstOff = first(i, false)
					firstOn = first(firstOff, true)
				} else {
					firstOn = first(i, true)
					firstOff = first(firstOn, false)
				}
				for what, c := range map[string]struct {
					got  time.Time
					want int
				}{"on": {on, firstOn}, "off": {off, firstOff}} {
					beyond := c.got.IsZero() || !c.got.Before(start.Add(seconds*time.Second))
					if c.want == seconds && !beyond || c.want < seconds && !c.got.Equal(start.Add(time.Duration(c.want)*time.Second)) {
						t.Fatalf("%s: %+v at %v is next %s at %v, a board says after %d of %d seconds", name, s, at, what, c.got, c.want, i)
					}
				}
			}
		}
	}
}

// some is a schedule that is likely to change around a time.
func some(rnd *rand.Rand, near int64) Schedule {
	s := Schedule{From: uint32(near - int64(rnd.IntN(4*daySeconds)) + 7200), Length: uint32(rnd.IntN(3 * 3600))}
	if rnd.IntN(3) == 0 {
		s.To = uint32(near + int64(rnd.IntN(8*3600)))
	}
	l := time.Unix(near, 0).UTC()
	switch rnd.IntN(6) {
	case 0:
		s.Mask = MaskOnce()
	case 1:
		s.Mask, _ = MaskEvery(time.Duration(1+rnd.IntN(3*3600)) * time.Second)
	case 2:
		s.Mask, _ = MaskEvery(24 * time.Hour)
	case 3:
		s.Mask = MaskWeekly(l.Weekday(), time.Weekday(rnd.IntN(7)))
	case 4:
		s.Mask = MaskMonthly(l.Day())
	default:
		s.Mask = MaskYearly(l.Month(), l.Day())
	}
	return s
}

// Whatever four numbers say, what is told agrees with itself, and takes no time.
func FuzzSchedule(f *testing.F) {
	f.Add(uint32(1700000000), uint32(0), uint32(3600), uint32(0x08003eff), int64(1774746000), uint8(0))
	f.Add(uint32(0x5a5a4400), uint32(0x5f8a00ff), uint32(600), uint32(0x44000014), int64(1600000000), uint8(2))
	f.Add(uint32(0), uint32(0), uint32(0xffffffff), uint32(0x0800007f), int64(0), uint8(1))
	f.Add(uint32(4000000000), uint32(8982), uint32(4000000000), uint32(2188060672), int64(8538438355), uint8(2))
	f.Add(uint32(0xffffffff), uint32(0xffffffff), uint32(0), uint32(4<<26|1<<8|29), int64(4102444800), uint8(3))
	zones := []string{"Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}
	f.Fuzz(func(t *testing.T, from, to, length, mask uint32, second int64, in uint8) {
		z := zone(t, zones[int(in)%len(zones)])
		at := time.Unix(second%(1<<33), 0)
		s := Schedule{from, to, length, Mask(mask)}
		active := s.Active(at, z)
		if active != boards(s, at, z) {
			t.Fatalf("%+v at %v is %v, not as boards have it", s, at, active)
		}
		on, off := s.Next(at, z)
		if !on.IsZero() && (!on.After(at) || !s.Active(on, z) || s.Active(on.Add(-time.Second), z)) {
			t.Fatalf("%+v at %v is not turned on at %v", s, at, on)
		}
		if !off.IsZero() && (!off.After(at) || s.Active(off, z) || !s.Active(off.Add(-time.Second), z)) {
			t.Fatalf("%+v at %v is not turned off at %v", s, at, off)
		}
		if active && off.IsZero() && !on.IsZero() || !active && on.IsZero() && !off.IsZero() || !on.IsZero() && !off.IsZero() && active != off.Before(on) {
			t.Fatalf("%+v at %v, which is active %v: on %v, off %v", s, at, active, on, off)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	z := zone(b, "Europe/Rome")
	at := time.Date(2026, 8, 31, 20, 0, 0, 0, time.UTC)
	for name, s := range map[string]Schedule{
		"weekdays": {clock("2026-01-01 08:00:00"), 0, 1799, MaskWeekly(1, 2, 3, 4, 5)}, "never": {clock("2026-01-01 12:00:00"), 0, 9, MaskYearly(time.February, 30)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Next(at, z)
			}
		})
	}
}
