package thing

import (
	"errors"
	"math"
	"testing"
	"time"
	_ "time/tzdata"
)

func TestOffset(t *testing.T) {
	at := func(text string) time.Time {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		zone  string
		now   string
		want  int64
		until string // "" is the horizon
	}{
		"Rome in summer":               {"Europe/Rome", "2026-07-01T12:00:00Z", 7200, "2026-10-25T01:00:00Z"},
		"Rome in winter":               {"Europe/Rome", "2026-12-01T12:00:00Z", 3600, "2027-03-28T01:00:00Z"},
		"Rome at the switch":           {"Europe/Rome", "2026-10-25T01:00:00Z", 3600, "2027-03-28T01:00:00Z"},
		"Rome a second before":         {"Europe/Rome", "2026-10-25T00:59:59Z", 7200, "2026-10-25T01:00:00Z"},
		"New York":                     {"America/New_York", "2026-07-01T12:00:00Z", -14400, "2026-11-01T06:00:00Z"},
		"Lord Howe, half an hour":      {"Australia/Lord_Howe", "2026-07-01T12:00:00Z", 37800, "2026-10-03T15:30:00Z"},
		"Kathmandu, never again":       {"Asia/Kathmandu", "2026-07-01T12:00:00Z", 20700, ""},
		"UTC":                          {"UTC", "2026-07-01T12:00:00Z", 0, ""},
		"Rome far ahead of the tables": {"Europe/Rome", "2099-07-01T12:00:00Z", 7200, "2099-10-25T01:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			zone, err := loadZone(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			now := at(c.now)
			want := now.Add(zoneHorizon)
			if c.until != "" {
				want = at(c.until)
			}
			if got := offsetAt(zone, now); got.seconds != c.want || got.until != want.Unix() {
				t.Errorf("offset %d until %v, want %d until %v", got.seconds, time.Unix(got.until, 0).UTC(), c.want, want)
			}
		})
	}
}

func TestOffsetIsAlwaysInTheFutureAndFits(t *testing.T) {
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range []string{"Europe/Rome", "America/New_York", "Asia/Kathmandu", "UTC", "Africa/Casablanca", "Pacific/Apia", "America/Sao_Paulo"} {
		zone, err := loadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for now := start; now.Year() < 2105; now = now.Add(37 * 24 * time.Hour) {
			if o := offsetAt(zone, now); o.until <= now.Unix() || o.until > math.MaxUint32 || o.seconds < -86400 || o.seconds > 86400 {
				t.Fatalf("%s at %v: %+v", name, now, o)
			}
		}
	}
}

func TestZoneNames(t *testing.T) {
	for name, want := range map[string]error{
		"Europe/Rome": nil, "UTC": nil, "": ErrTimezone, "Local": ErrTimezone, "Mars/Olympus": ErrTimezone,
		"../../etc/passwd": ErrTimezone, "/etc/localtime": ErrTimezone,
	} {
		if _, err := loadZone(name); !errors.Is(err, want) {
			t.Errorf("loadZone(%q) = %v, want %v", name, err, want)
		}
	}
}
