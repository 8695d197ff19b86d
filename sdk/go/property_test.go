package device

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

func integer(name string, v int64) senml.Record {
	return senml.Record{Name: name, Kind: senml.Int, Int: v}
}
func number(name string, v float64) senml.Record { return senml.Record{Name: name, Num: v} }
func flag(name string, v bool) senml.Record {
	r := senml.Record{Name: name, Kind: senml.Bool}
	if v {
		r.Int = 1
	}
	return r
}
func text(name, v string) senml.Record { return senml.Record{Name: name, Kind: senml.Text, Text: v} }

// steady starts a device whose start-up is over and forgotten.
func steady(t *testing.T, change func(*Config), properties ...Property) (*broker, *Client) {
	t.Helper()
	b := newBroker(t)
	c := config(b, properties...)
	if change != nil {
		change(&c)
	}
	client := run(t, c)
	sleep(time.Second)
	b.forget()
	return b, client
}

func TestWritesAreEchoed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []int64
		v := Int("n")
		v.OnWrite(func(n int64) { told = append(told, n) })
		b, _ := steady(t, nil, v)
		b.write(thingA, integer("n", 7))
		b.write(thingA, integer("n", 7))
		synctest.Wait()
		equal(t, "told at each write", told, []int64{7, 7})
		equal(t, "echoes, without any pace", b.log(), []string{"A/e/o n=7", "A/e/o n=7"})
		if v.Get() != 7 {
			t.Errorf("n = %d", v.Get())
		}
		b.push(publish("/a/t/"+thingA+"/e/i", senml.Append(nil, []senml.Record{integer("n", 8)}), 1))
		synctest.Wait()
		equal(t, "QoS 1", b.log(), []string{"PUBACK 77", "A/e/o n=8"})
	})
}

func TestACallbackMayAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		echo := Int("doubled", ReadOnly)
		v := Int("n")
		v.OnWrite(func(n int64) { echo.Set(2 * n) })
		limited := Int("limited")
		limited.OnWrite(func(n int64) { limited.Set(min(n, 10)) })
		b, _ := steady(t, nil, v, echo, limited)
		b.write(thingA, integer("n", 4), integer("limited", 99))
		sleep(time.Second)
		equal(t, "what the device did", b.log(), []string{"A/e/o n=4 doubled=8 limited=10"})
	})
}

func TestPermissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, out := Int("in", WriteOnly), Int("out", ReadOnly)
		out.Set(1)
		b, _ := steady(t, nil, in, out)
		b.write(thingA, integer("in", 5), integer("out", 5))
		in.Publish()
		sleep(time.Second)
		if in.Get() != 5 || out.Get() != 1 {
			t.Errorf("in = %d, out = %d", in.Get(), out.Get())
		}
		in.Set(6)
		sleep(time.Second)
		b.push(commandTo(command.LastValuesUpdate{Pack: zone(7200, time.Now().Add(time.Hour), integer("out", 9))}))
		sleep(time.Second)
		if out.Get() != 1 {
			t.Errorf("out = %d", out.Get())
		}
		equal(t, "what the device did", b.log(), nil)
	})
}

func TestSyncPolicies(t *testing.T) {
	const device, cloud = 1, 2
	for name, c := range map[string]struct {
		policy SyncPolicy
		set    bool          // before Run
		later  bool          // also after the first connection
		since  time.Duration // the cloud's change after the device's
		want   int64
		told   bool
	}{
		"cloud wins":                         {CloudWins, true, false, 0, cloud, true},
		"device wins":                        {DeviceWins, true, false, 0, device, false},
		"most recent: set before the start":  {MostRecentWins, true, false, 0, cloud, true},
		"most recent: cloud later":           {MostRecentWins, true, true, time.Second, cloud, true},
		"most recent: device later":          {MostRecentWins, true, true, -time.Second, device, false},
		"most recent: at the same second":    {MostRecentWins, true, true, 0, device, false},
		"cloud wins, after a change offline": {CloudWins, true, true, -time.Hour, cloud, true},
		"device wins, but has nothing":       {DeviceWins, false, false, 0, cloud, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				told := false
				v := Int("n", c.policy).OnWrite(func(int64) { told = true })
				if c.set {
					v.Set(device)
				}
				changed := time.Now()
				values := func() ([]byte, bool) {
					r := integer("n", cloud)
					r.At = float64(changed.Add(c.since).Unix())
					return zone(0, time.Now().Add(time.Hour), r), true
				}
				if !c.later {
					b.values = values
				}
				run(t, config(b, v))
				if c.later {
					sleep(time.Hour - time.Minute)
					b.set(func(b *broker) { b.refuse = errors.New("no route"); b.values = values })
					b.cut()
					v.Set(0)
					v.Set(device)
					changed, told = time.Now(), false
					sleep(10 * time.Second)
					b.set(func(b *broker) { b.refuse = nil })
					b.forget()
				}
				sleep(10 * time.Second)
				if v.Get() != c.want || told != c.told {
					t.Errorf("n = %d, told: %v, want %d, %v", v.Get(), told, c.want, c.told)
				}
				all := strings.Join(b.log(), "\n")
				if !strings.Contains(all, fmt.Sprintf("n=%d", c.want)) {
					t.Errorf("the cloud is not told %d:\n%s", c.want, all)
				}
			})
		})
	}
}

func TestEqualLastValuesAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := false
		v := Int("n").OnWrite(func(int64) { told = true })
		v.Set(3)
		b, _ := steady(t, nil, v)
		b.push(commandTo(command.LastValuesUpdate{Pack: zone(7200, time.Now().Add(time.Hour), integer("n", 3))}))
		sleep(time.Second)
		equal(t, "what the device did", b.log(), nil)
		if told {
			t.Errorf("the callback ran")
		}
	})
}

func TestOnChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := Float("t", MinDelta(0.5))
		v.Set(20)
		b, _ := steady(t, nil, v)
		for _, x := range []float64{20.2, 20.4, 19.6, 20.5, math.NaN(), math.NaN(), 20, math.Inf(1), math.Inf(1)} {
			v.Set(x)
			sleep(time.Second)
		}
		equal(t, "what the device did", b.log(), []string{"A/e/o t=20.5", "A/e/o t=NaN", "A/e/o t=20", "A/e/o t=+Inf"})
	})
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := Int("one"), Int("two")
		b, _ := steady(t, nil, one, two)
		for i := range 13 {
			one.Set(int64(i + 1))
			sleep(90 * time.Millisecond)
		}
		two.Set(1)
		sleep(5 * time.Second)
		equal(t, "at most twice a second, the last value in the end", b.times("A/e/o one"), []float64{1, 1.5, 2, 2.5})
		equal(t, "values", b.log(), []string{"A/e/o one=1", "A/e/o one=6", "A/e/o one=12", "A/e/o two=1", "A/e/o one=13"})
	})
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := Int("n", Every(10*time.Second))
		v.Set(1)
		b, _ := steady(t, nil, v)
		sleep(15 * time.Second)
		v.Set(2)
		v.Set(3)
		sleep(20 * time.Second)
		equal(t, "times", b.times("A/e/o"), []float64{10, 20, 30})
		equal(t, "values", without(b.log(), "PING"), []string{"A/e/o n=1", "A/e/o n=3", "A/e/o n=3"})
	})
}

func TestOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := Int("n", OnDemand)
		v.Set(1)
		b, _ := steady(t, nil, v)
		v.Set(2)
		sleep(20 * time.Second)
		v.Publish()
		synctest.Wait()
		equal(t, "values", b.log(), []string{"A/e/o n=2"})
	})
}

// The clock of a board may be set while it runs.
func TestTheClockMayJump(t *testing.T) {
	for name, jump := range map[string]time.Duration{"back": -time.Hour, "forth": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, periodic := Int("n"), Int("p", Every(10*time.Second))
				periodic.Set(1)
				offset := time.Duration(0)
				b, _ := steady(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(offset) } }, v, periodic)
				v.Set(1)
				sleep(time.Second)
				offset = jump
				b.forget()
				v.Set(2)
				sleep(time.Second)
				v.Set(3)
				sleep(30 * time.Second)
				all := strings.Join(b.log(), " ")
				if !strings.Contains(all, "n=2") || !strings.Contains(all, "n=3") || strings.Count(all, "p=1") < 3 {
					t.Errorf("after the jump: %s", all)
				}
				equal(t, "connections", b.times("CONNECT"), nil)
			})
		})
	}
}

func TestTimestamps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := Location("loc")
		b, _ := steady(t, func(c *Config) { c.Timestamps = true }, v)
		at := float64(time.Now().UnixMilli()) / 1000
		v.Set(LocationValue{1, 2})
		sleep(100 * time.Millisecond)
		v.Set(LocationValue{1, 3})
		sleep(2 * time.Second)
		equal(t, "values", b.log(), []string{
			fmt.Sprintf("A/e/o loc:lat=1@%.3f loc:lon=2@%.3f", at, at),
			fmt.Sprintf("A/e/o loc:lat=1@%.3f loc:lon=3@%.3f", at+0.1, at+0.1), // of the change, not of the message
		})
	})
}

func TestAllTypesGoBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flags, n, f, s := Bool("sw"), Int("n"), Float("t"), String("s")
		loc, rgb, cl, dl := Location("loc"), Color("rgb"), ColoredLight("cl"), DimmedLight("dl")
		tv, sch := Television("tv"), Schedule("sch")
		flags.Set(true)
		n.Set(-1)
		f.Set(21.5)
		s.Set("ciao")
		loc.Set(LocationValue{45.5, 7.5})
		rgb.Set(ColorValue{210, 50, 75})
		cl.Set(ColoredLightValue{true, 210, 50, 75})
		dl.Set(DimmedLightValue{true, 80})
		tv.Set(DefaultTelevision)
		sch.Set(ScheduleValue{1700000000, 0, 3600, 0x0800003e})
		b := newBroker(t)
		run(t, config(b, flags, n, f, s, loc, rgb, cl, dl, tv, sch))
		want := `A/e/o sw=true n=-1 t=21.5 s="ciao" loc:lat=45.5 loc:lon=7.5 rgb:hue=210 rgb:sat=50 rgb:bri=75 ` +
			`cl:swi=true cl:hue=210 cl:sat=50 cl:bri=75 dl:swi=true dl:bri=80 ` +
			`tv:swi=false tv:vol=0 tv:mut=false tv:pbc=255 tv:inp=55 tv:cha=0 ` +
			`sch:frm=1700000000 sch:to=0 sch:len=3600 sch:msk=134217790 tz_offset=`
		if got := b.log(); !strings.HasPrefix(got[len(got)-1], want) {
			t.Errorf("sent\n%s, want\n%s", got[len(got)-1], want)
		}
		b.write(thingA, flag("sw", false), integer("n", 42), integer("t", 3), text("s", "a"),
			number("loc:lat", 1), number("rgb:hue", 1), flag("cl:swi", false), number("cl:bri", 2), number("dl:bri", 3),
			integer("tv:vol", 4), flag("tv:mut", true), integer("tv:cha", 5), integer("sch:msk", 6), integer("sch:to", 7))
		synctest.Wait()
		got := fmt.Sprint(flags.Get(), n.Get(), f.Get(), s.Get(), loc.Get(), rgb.Get(), cl.Get(), dl.Get(), tv.Get(), sch.Get())
		if want := "false 42 3a{1 7.5} {1 50 75} {false 210 50 2} {true 3} {false 4 true 255 55 5} {1700000000 7 3600 6}"; got != want {
			t.Errorf("values\n%s, want\n%s", got, want)
		}
	})
}

// The vectors of the device protocol reference, section 8.3, as a board takes them over.
func TestVectorsAreTakenOver(t *testing.T) {
	n, f, b, s, co := Int("i"), Float("f"), Bool("b"), String("s"), Color("co")
	co.Set(ColorValue{1, 50, 75})
	for name, c := range map[string]struct {
		p       Property
		records []senml.Record
		got     func() any
		want    any
	}{
		"D5 a number for an integer":      {n, []senml.Record{number("i", 99.9)}, func() any { return n.Get() }, int64(99)},
		"D6 1 for a flag":                 {b, []senml.Record{integer("b", 1)}, func() any { return b.Get() }, true},
		"0.0 for a flag":                  {b, []senml.Record{number("b", 0)}, func() any { return b.Get() }, false},
		"D10 one attribute":               {co, []senml.Record{number("co:hue", 210)}, func() any { return co.Get() }, ColorValue{210, 50, 75}},
		"D16 is not cut to 32 bits":       {n, []senml.Record{integer("i", 1<<40)}, func() any { return n.Get() }, int64(1 << 40)},
		"an integer for a number":         {f, []senml.Record{integer("f", 20)}, func() any { return f.Get() }, 20.0},
		"an attribute that is not there":  {n, []senml.Record{integer("i:x", 1)}, func() any { return n.Get() }, nil},
		"2 for a flag":                    {b, []senml.Record{integer("b", 2)}, func() any { return b.Get() }, nil},
		"text for a number":               {f, []senml.Record{text("f", "1")}, func() any { return f.Get() }, nil},
		"a flag for a number":             {f, []senml.Record{flag("f", true)}, func() any { return f.Get() }, nil},
		"a number for text":               {s, []senml.Record{number("s", 1)}, func() any { return s.Get() }, nil},
		"NaN for an integer":              {n, []senml.Record{number("i", math.NaN())}, func() any { return n.Get() }, nil},
		"infinity for an integer":         {n, []senml.Record{number("i", math.Inf(1))}, func() any { return n.Get() }, nil},
		"text for a flag":                 {b, []senml.Record{text("b", "true")}, func() any { return b.Get() }, nil},
		"the whole name of no attributes": {co, []senml.Record{number("co", 1)}, func() any { return co.Get() }, nil},
	} {
		before := c.got()
		if c.want == nil {
			c.want = before
		}
		c.p.apply(c.records, false)
		if got := c.got(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	negative := Schedule("sch")
	negative.apply([]senml.Record{integer("sch:frm", -1), integer("sch:to", 1<<32)}, false)
	if negative.Get() != (ScheduleValue{}) {
		t.Errorf("schedule %v", negative.Get())
	}
}

func TestScheduleActive(t *testing.T) {
	rome := time.FixedZone("", 7200)
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", text, rome)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	local := func(text string) uint32 { _, o := at(text).Zone(); return uint32(at(text).Unix() + int64(o)) }
	from := local("2026-10-05 08:00:00") // a Monday
	const weekly, monthly, yearly, delta = 2 << 26, 3 << 26, 4 << 26, 1 << 26
	for name, c := range map[string]struct {
		s    ScheduleValue
		at   string
		want bool
	}{
		"before":                      {ScheduleValue{from, 0, 3600, 0}, "2026-10-05 07:59:59", false},
		"once, at its first second":   {ScheduleValue{from, 0, 3600, 0}, "2026-10-05 08:00:00", true},
		"once, at its last second":    {ScheduleValue{from, 0, 3600, 0}, "2026-10-05 09:00:00", true},
		"once, afterwards":            {ScheduleValue{from, 0, 3600, 0}, "2026-10-05 09:00:01", false},
		"beyond the end":              {ScheduleValue{from, from + 10, 3600, 0}, "2026-10-05 08:00:10", false},
		"every 20 minutes, on":        {ScheduleValue{from, 0, 60, delta | 1<<30 | 20}, "2026-10-05 10:20:30", true},
		"every 20 minutes, off":       {ScheduleValue{from, 0, 60, delta | 1<<30 | 20}, "2026-10-05 10:25:00", false},
		"every 2 days, on":            {ScheduleValue{from, 0, 60, delta | 3<<30 | 2}, "2026-10-09 08:00:59", true},
		"every 2 days, off":           {ScheduleValue{from, 0, 60, delta | 3<<30 | 2}, "2026-10-08 08:00:59", false},
		"every 0 seconds":             {ScheduleValue{from, 0, 60, delta}, "2026-10-05 08:00:00", false},
		"Monday to Friday, on":        {ScheduleValue{from, 0, 3600, weekly | 0x3e}, "2026-10-09 08:30:00", true},
		"Monday to Friday, Sunday":    {ScheduleValue{from, 0, 3600, weekly | 0x3e}, "2026-10-11 08:30:00", false},
		"Monday to Friday, too late":  {ScheduleValue{from, 0, 3600, weekly | 0x3e}, "2026-10-09 10:30:00", false},
		"on the 9th, on":              {ScheduleValue{from, 0, 3600, monthly | 9}, "2027-02-09 08:30:00", true},
		"on the 9th, the 10th":        {ScheduleValue{from, 0, 3600, monthly | 9}, "2027-02-10 08:30:00", false},
		"on 9 February, on":           {ScheduleValue{from, 0, 3600, yearly | 1<<8 | 9}, "2027-02-09 08:30:00", true},
		"on 9 February, March":        {ScheduleValue{from, 0, 3600, yearly | 1<<8 | 9}, "2027-03-09 08:30:00", false},
		"yearly as boards say, on":    {ScheduleValue{from, 0, 3600, 7<<26 | 1<<8 | 9}, "2027-02-09 08:30:00", true},
		"a type that is not there":    {ScheduleValue{from, 0, 3600, 9 << 26}, "2026-10-05 08:00:00", false},
		"nothing set, now is the day": {ScheduleValue{}, "2026-10-05 08:00:00", false},
	} {
		if got := c.s.Active(at(c.at)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestDevicesThatCannotBe(t *testing.T) {
	good := func() Config {
		return Config{Host: "h", DeviceID: deviceID, SecretKey: "x", Now: time.Now}
	}
	if c, err := New(good()); err != nil {
		t.Error(err)
	} else if c.config.Port != SecretKeyPort {
		t.Errorf("port %d", c.config.Port)
	}
	for name, change := range map[string]func(*Config){
		"no clock":              func(c *Config) { c.Now = nil },
		"no id":                 func(c *Config) { c.DeviceID = "" },
		"an id with a slash":    func(c *Config) { c.DeviceID = "a/b" },
		"no host":               func(c *Config) { c.Host = "" },
		"no proof":              func(c *Config) { c.SecretKey = "" },
		"QoS 2":                 func(c *Config) { c.QoS = 2 },
		"generation 3":          func(c *Config) { c.Generation = 3 },
		"a variable twice":      func(c *Config) { c.Properties = []Property{Int("a"), Bool("a")} },
		"a variable without":    func(c *Config) { c.Properties = []Property{Int("")} },
		"a variable with colon": func(c *Config) { c.Properties = []Property{Int("a:b")} },
		"a reserved name":       func(c *Config) { c.Properties = []Property{Int("tz_offset")} },
		"a long key":            func(c *Config) { c.SecretKey = strings.Repeat("x", 1025) },
	} {
		c := good()
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestEventsHaveNames(t *testing.T) {
	for k := Failed; k <= Disconnected; k++ {
		if k.String() == "unknown" {
			t.Errorf("event %d has no name", k)
		}
	}
	if EventKind(-1).String() != "unknown" || EventKind(99).String() != "unknown" {
		t.Error("no event has a name")
	}
}
