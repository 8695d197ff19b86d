package live

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/quick"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/live/livetest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

const (
	anID    = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
	otherID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
)

func TestReadWish(t *testing.T) {
	many := func(name string, n int) string {
		var all []string
		for i := range n {
			all = append(all, name+"=3f2504e0-4f89-41d3-9a0c-0305e82c3"+strconv.Itoa(100+i))
		}
		return strings.Join(all, "&")
	}
	for name, c := range map[string]struct {
		query string
		want  Wish
		all   bool
		bad   bool
	}{
		"nothing":          {"", Wish{}, true, false},
		"a thing":          {"thing=" + anID, Wish{Things: []string{anID}}, false, false},
		"in upper case":    {"thing=" + strings.ToUpper(anID), Wish{Things: []string{anID}}, false, false},
		"twice":            {"thing=" + anID + "&thing=" + anID, Wish{Things: []string{anID}}, false, false},
		"a dashboard":      {"dashboard=" + anID, Wish{Dashboard: anID}, false, false},
		"a device":         {"device=" + anID, Wish{Devices: []string{anID}}, true, false},
		"all devices":      {"devices=all", Wish{AllDevices: true}, true, false},
		"something else":   {"nobody=knows", Wish{}, true, false},
		"200 things":       {many("thing", 200), Wish{}, false, false},
		"201 things":       {many("thing", 201), Wish{}, false, true},
		"201 devices":      {many("device", 201), Wish{}, false, true},
		"no id":            {"thing=x", Wish{}, false, true},
		"an empty id":      {"thing=", Wish{}, false, true},
		"two dashboards":   {"dashboard=" + anID + "&dashboard=" + otherID, Wish{}, false, true},
		"some devices":     {"devices=some", Wish{}, false, true},
		"all devices, all": {"devices=all&devices=all", Wish{}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := url.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			w, err := ReadWish(q)
			if c.bad {
				if err == nil {
					t.Errorf("read %+v, want an error", w)
				}
				return
			}
			if name == "200 things" {
				c.want.Things = w.Things
			}
			if err != nil || !slices.Equal(w.Things, c.want.Things) || !slices.Equal(w.Devices, c.want.Devices) || w.Dashboard != c.want.Dashboard ||
				w.AllDevices != c.want.AllDevices || w.AllThings() != c.all {
				t.Errorf("read %+v (%v), want %+v", w, err, c.want)
			}
		})
	}
}

// Whatever stands in a query, ReadWish refuses it or reads what is within the bounds and would be read so again.
func FuzzReadWish(f *testing.F) {
	f.Add("")
	f.Add("thing=" + anID + "&device=" + otherID + "&devices=all&dashboard=" + anID)
	f.Add("thing=%zz&thing=&devices=none")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		w, err := ReadWish(q)
		if err != nil {
			return
		}
		if len(w.Things) > maxThings || len(w.Devices) > maxDevices {
			t.Fatalf("%q names %d things and %d devices", query, len(w.Things), len(w.Devices))
		}
		back := url.Values{"thing": w.Things, "device": w.Devices}
		if w.Dashboard != "" {
			back.Set("dashboard", w.Dashboard)
		}
		if w.AllDevices {
			back.Set("devices", "all")
		}
		again, err := ReadWish(back)
		if err != nil || !slices.Equal(again.Things, w.Things) || !slices.Equal(again.Devices, w.Devices) || again.Dashboard != w.Dashboard || again.AllDevices != w.AllDevices {
			t.Fatalf("%q is %+v, then %+v (%v)", query, w, again, err)
		}
	})
}

// Whatever a client sends as its last id, ReadMark takes nothing but what String writes.
func FuzzReadMark(f *testing.F) {
	f.Add(Mark{"ABCDEFGHIJKLM", 1_790_000_000_000_000}.String())
	f.Add("ABCDEFGHIJKLM-0")
	f.Add("ABCDEFGHIJKLM--1")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		m, ok := ReadMark(text)
		if ok && (m.String() != text || m.At < 0 || len(text) > maxMark || strings.ContainsAny(text, "\r\n \x00")) {
			t.Fatalf("%q is read as %+v", text, m)
		}
		if !ok && m != (Mark{}) {
			t.Fatalf("%q is refused, and yet %+v", text, m)
		}
	})
}

func TestMarksComeBack(t *testing.T) {
	if err := quick.Check(func(at int64) bool {
		m := Mark{"ABCDEFGHIJK27", max(at, -(at + 1))}
		back, ok := ReadMark(m.String())
		return ok && back == m
	}, nil); err != nil {
		t.Error(err)
	}
}

// An event is one line of JSON, whatever a device has sent as an object.
func TestEventsAreOneLine(t *testing.T) {
	at := fleetNoon()
	for name, v := range map[string]series.Value{
		"an object with line ends": {Kind: series.Object, Text: "{\n\"a\":\r\n1}"},
		"a text with line ends":    {Kind: series.Text, Text: "one\r\ntwo\u2028\x00"},
		"a number":                 {Kind: series.Float, Num: 21.5},
	} {
		t.Run(name, func(t *testing.T) {
			frame := appendValue(nil, series.Point{Thing: anID, Series: otherID, At: at, Value: v})
			b := appendList(nil, "values", Mark{"ABCDEFGHIJKLM", 7}, [][]byte{frame, frame})
			lines := strings.Split(string(b), "\n")
			if len(lines) != 5 || lines[0] != "event: values" || lines[1] != "id: ABCDEFGHIJKLM-7" || bytes.ContainsRune(b, '\r') {
				t.Fatalf("the event is %q", b)
			}
			var all []livetest.Value
			if err := json.Unmarshal([]byte(strings.TrimPrefix(lines[2], "data: ")), &all); err != nil || len(all) != 2 {
				t.Fatalf("%q: %v", lines[2], err)
			}
			var got, want any
			if json.Unmarshal(all[1].Value, &got) != nil || json.Unmarshal(thing.JSON(v), &want) != nil || !all[1].At.Equal(at) {
				t.Errorf("%q is not %s at %v", lines[2], thing.JSON(v), at)
			}
		})
	}
	got := string(appendPresence(nil, device.Presence{Space: "s", Device: anID, Status: device.Online, At: at}))
	if want := `{"device":"` + anID + `","status":"ONLINE","at":"2026-10-17T12:00:00.000000Z"}`; got != want {
		t.Errorf("a presence is %s, want %s", got, want)
	}
	got = string(appendReload(appendHello(nil, Mark{"ABCDEFGHIJKLM", 35}, at, true), Mark{"ABCDEFGHIJKLM", 36}, OfThing, anID))
	if want := "event: hello\nid: ABCDEFGHIJKLM-z\ndata: {\"at\":\"2026-10-17T12:00:00.000000Z\",\"resumed\":true}\n\n" +
		"event: reload\nid: ABCDEFGHIJKLM-10\ndata: {\"reason\":\"thing\",\"thing\":\"" + anID + "\"}\n\n"; got != want {
		t.Errorf("hello and reload are %q, want %q", got, want)
	}
}
