package main

import (
	"strings"
	"testing"
)

// The filters of a job are tried before Prometheus has them.
func TestThingScrape(t *testing.T) {
	home(t)
	var things [2]string
	for i, name := range []string{"Greenhouse", "Shed"} {
		things[i] = made(t, "thing", "create", "--name", name, "--property", "temperature:FLOAT:rw")
		if r := call(t, "", "property", "set", things[i], "temperature", "21.5"); r.code != exitOK {
			t.Fatalf("set: %+v", r)
		}
	}
	if r := call(t, "", "thing", "tag", "add", "room=glass", "--id", things[0], "--yes"); r.code != exitOK {
		t.Fatalf("tag: %+v", r)
	}
	for name, c := range map[string]struct {
		args []string
		want string // of "Greenhouse" and "Shed"
	}{
		"all":               {nil, "Greenhouse Shed"},
		"by a tag":          {[]string{"--tag", "room=glass"}, "Greenhouse"},
		"by an id":          {[]string{things[1]}, "Shed"},
		"by both":           {[]string{things[1], "--tag", "room:glass"}, ""},
		"by one and by two": {things[:], "Greenhouse Shed"},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, "", append([]string{"thing", "scrape"}, c.args...)...)
			var got []string
			for _, name := range []string{"Greenhouse", "Shed"} {
				if strings.Contains(r.out, `thing="`+name+`"`) && strings.Contains(r.out, " 21.5\n") {
					got = append(got, name)
				}
			}
			if r.code != exitOK || strings.Join(got, " ") != c.want {
				t.Errorf("%v: %+v", got, r)
			}
		})
	}
	for name, args := range map[string][]string{"no tag": {"--tag", "room"}, "no id": {"Greenhouse"}, "another form": {"--format", "json"}} {
		if r := call(t, "", append([]string{"thing", "scrape"}, args...)...); r.code != exitUsage {
			t.Errorf("%s: %+v", name, r)
		}
	}
}
