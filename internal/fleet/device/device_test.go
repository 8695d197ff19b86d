package device

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestDeviceCheck(t *testing.T) {
	good := Device{Name: "kitchen", Type: "mkrwifi1010"}
	with := func(change func(d *Device)) Device {
		d := good
		change(&d)
		return d
	}
	for name, c := range map[string]struct {
		d    Device
		want error
	}{
		"good":                            {good, nil},
		"a name with spaces":              {with(func(d *Device) { d.Name = "GH Dash" }), nil},
		"a name with one good character":  {with(func(d *Device) { d.Name = "öäü 1" }), nil},
		"a name without a good character": {with(func(d *Device) { d.Name = "öäü" }), ErrInvalid},
		"no name":                         {with(func(d *Device) { d.Name = "" }), ErrInvalid},
		"64 characters of two bytes":      {with(func(d *Device) { d.Name = "1" + strings.Repeat("ö", 63) }), nil},
		"65 characters":                   {with(func(d *Device) { d.Name = strings.Repeat("x", 65) }), ErrInvalid},
		"NUL in the name":                 {with(func(d *Device) { d.Name = "a\x00" }), ErrInvalid},
		"broken UTF-8":                    {with(func(d *Device) { d.Name = "a\xff" }), ErrInvalid},
		"no serial":                       {with(func(d *Device) { d.Serial = "" }), nil},
		"a serial":                        {with(func(d *Device) { d.Serial = "01233A7B5C" }), nil},
		"a serial of blanks":              {with(func(d *Device) { d.Serial = "  " }), ErrInvalid},
		"no type":                         {with(func(d *Device) { d.Type = "" }), ErrInvalid},
		"an unknown type":                 {with(func(d *Device) { d.Type = "toaster" }), ErrInvalid},
		"a LoRa board":                    {with(func(d *Device) { d.Type = "mkrwan1310" }), ErrInvalid},
		"a LoRa board that exists":        {with(func(d *Device) { d.Type, d.CreatedAt = "mkrwan1310", noon }), nil},
		"a connection":                    {with(func(d *Device) { d.ConnectionType = "catm1" }), nil},
		"an unknown connection":           {with(func(d *Device) { d.ConnectionType = "pigeon" }), ErrInvalid},
		"an address":                      {with(func(d *Device) { d.BLEMAC = "01:23:45:67:89:aB" }), nil},
		"half an address":                 {with(func(d *Device) { d.BLEMAC = "01:23:45" }), ErrInvalid},
		"a hardware id":                   {with(func(d *Device) { d.HardwareID = strings.Repeat("0f", 32) }), nil},
		"a short hardware id":             {with(func(d *Device) { d.HardwareID = "0f" }), ErrInvalid},
		"a version":                       {with(func(d *Device) { d.WiFiFW = "1.5.0" }), nil},
		"no version":                      {with(func(d *Device) { d.WiFiFW = "newest" }), ErrInvalid},
		"an fqbn":                         {with(func(d *Device) { d.FQBN = "esp32:esp32:esp32" }), nil},
		"a very long fqbn":                {with(func(d *Device) { d.FQBN = strings.Repeat("a", 129) }), ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.d.Check(); !errors.Is(got, c.want) {
				t.Errorf("Check = %v, want %v", got, c.want)
			}
		})
	}
}

func TestEighteenTypesCanBeCreated(t *testing.T) {
	n, seen := 0, map[string]bool{}
	for _, k := range Kinds {
		if seen[k.Type] || k.Label == "" {
			t.Errorf("kind %+v is there twice or has no label", k)
		}
		seen[k.Type] = true
		if k.Create {
			n++
		}
	}
	if n != 18 {
		t.Errorf("%d types can be created, want 18", n)
	}
}

func TestTags(t *testing.T) {
	for text, want := range map[string]error{
		"a:b": nil, "room.1:@home": nil, "a": ErrTag, ":b": ErrTag, "a:": ErrTag, "a b:c": ErrTag, "a:b:c": ErrTag,
		"a:" + strings.Repeat("x", 65): ErrTag, "ä:b": ErrTag,
	} {
		if _, err := ParseTag(text); !errors.Is(err, want) {
			t.Errorf("ParseTag(%q) = %v, want %v", text, err, want)
		}
	}
	d := Device{Tags: map[string]string{"a": "1", "b": "2"}}
	for _, c := range []struct {
		tags []Tag
		want bool
	}{{nil, true}, {[]Tag{{"a", "1"}}, true}, {[]Tag{{"a", "1"}, {"b", "2"}}, true}, {[]Tag{{"a", "1"}, {"b", "1"}}, false}, {[]Tag{{"c", ""}}, false}} {
		if got := d.Matches(c.tags); got != c.want {
			t.Errorf("matches(%v) = %v, want %v", c.tags, got, c.want)
		}
	}
}

func TestNewerReportsWin(t *testing.T) {
	old := Reported{LibVersion: {"1", noon}, WiFiFW: {"a", noon.Add(time.Hour)}}
	got := old.merge(Reported{LibVersion: {"2", noon.Add(time.Second)}, WiFiFW: {"b", noon}, OTACap: {"true", noon}})
	if len(got) != 3 || got[LibVersion].Value != "2" || got[WiFiFW].Value != "a" || got[OTACap].Value != "true" {
		t.Errorf("merge = %v", got)
	}
	if len(old) != 2 || old[LibVersion].Value != "1" {
		t.Errorf("merge changed what it was given: %v", old)
	}
}

// Whatever a board says of itself, what is kept is text of bounded length that
// both engines can store.
func FuzzCut(f *testing.F) {
	f.Add("1.4.1-async", 10)
	f.Add("\x00\xff\xfe", 512)
	f.Add(strings.Repeat("ö", 300), 511)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n %= 1024
		if n < 0 {
			n = -n
		}
		got := cut(s, n)
		if len(got) > n || !utf8.ValidString(got) || !printable(got) {
			t.Fatalf("cut(%q, %d) = %q", s, n, got)
		}
		if len(s) <= n && printable(s) && got != s {
			t.Fatalf("cut(%q, %d) = %q although it fits", s, n, got)
		}
	})
}
