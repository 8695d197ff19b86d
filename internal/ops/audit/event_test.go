package audit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// What is refused again and again is one entry a minute, with a count.
func TestRefusalsAreCountedByTheMinute(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		denied := Event{Action: AccessDenied, Actor: "user:u1", Space: "s1", Resource: "thing", Of: "thing:delete"}
		for range 1000 {
			h.Note(denied)
		}
		h.Note(Event{Action: KeyRefused, Resource: "apikey", ID: "k1", Account: "u2"})
		if err := h.follow(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		h.whole(0)
		h.pass(time.Minute)
		if err := h.follow(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		h.whole(2)
		h.NoteMany(denied, 5)
		h.NoteMany(denied, 0)
		h.pass(time.Minute)
		if err := h.follow(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		h.whole(3)
		all, err := h.Show(t.Context(), journal.Query{Action: AccessDenied})
		if err != nil || len(all) != 2 {
			t.Fatalf("denials are %v, %v", all, err)
		}
		e := all[0]
		if e.Actor != "user:u1" || e.Space != "s1" || e.Resource != "thing" || e.ID != "" || e.Detail["count"] != "1000" || e.Detail["of"] != "thing:delete" || e.Detail["since"] != "2030-01-02T12:00:00Z" {
			t.Errorf("the entry is %+v", e)
		}
		if all[1].Detail["count"] != "5" {
			t.Errorf("the second minute has %s", all[1].Detail["count"])
		}
		if st := h.Stats(); st.Events != 1006 {
			t.Errorf("%d events are counted, want 1006", st.Events)
		}
		key, err := h.Show(t.Context(), journal.Query{Action: KeyRefused})
		if err != nil || len(key) != 1 || key[0].Actor != "anonymous" || key[0].Detail["account"] != "u2" {
			t.Errorf("the refused key is %v, %v", key, err)
		}
	})
}

// Whoever comes with ever new identities does not fill the log: the minute and the day
// are bounded, and every try is counted all the same.
func TestNobodyCanFloodTheLog(t *testing.T) {
	h := newHouse(t, db.SQLite)
	var (
		tally   tally
		now     = noon
		entries int
		tried   int
		counted int
	)
	for minute := range 24 * 60 {
		for i := range 100 {
			tally.add(Event{Action: DeviceRefused, Resource: "device", ID: fmt.Sprintf("d%d-%d", minute, i)}, 1, now)
			tally.add(Event{Action: fmt.Sprintf("made:up-%d", i), Actor: "user:u1"}, 1, now)
			tried += 2
		}
		now = now.Add(time.Minute)
		all, _ := tally.take(now, false)
		if len(all) > perMinute+perActions+1 {
			t.Fatalf("minute %d has %d entries", minute, len(all))
		}
		entries += len(all)
		for _, n := range all {
			counted += n
		}
	}
	all, _ := tally.take(now, true)
	for _, n := range all {
		counted += n
	}
	entries += len(all)
	if bound := perDay + (24+1)*(perMinute+perActions+1); entries > bound {
		t.Errorf("a day has %d entries, more than %d", entries, bound)
	}
	if counted != tried {
		t.Errorf("%d were counted of %d", counted, tried)
	}
	// The day after, they are told apart again.
	now = now.Add(24 * time.Hour)
	tally.add(Event{Action: DeviceRefused, Resource: "device", ID: "d"}, 1, now)
	if all, _ := tally.take(now.Add(time.Minute), false); all[Event{Action: DeviceRefused, Resource: "device", ID: "d", Actor: nobody}] != 1 {
		t.Errorf("the day after: %v", all)
	}

	// The entry of those that are not told apart is a good one.
	for i := range 40 {
		h.Note(Event{Action: DeviceRefused, Resource: "device", ID: fmt.Sprint(i)})
	}
	h.followed()
	some, err := h.Show(t.Context(), journal.Query{Action: DeviceRefused})
	if err != nil || len(some) != perMinute+1 {
		t.Errorf("%d entries, %v, want %d", len(some), err, perMinute+1)
	}
	for _, e := range some {
		if e.ID == "" && (e.Detail["count"] != "8" || e.Resource != "house") {
			t.Errorf("the rest is %+v", e)
		}
	}
}

// What could not be recorded is counted on.
func TestRefusalsOutliveADatabaseThatIsAway(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.NoteMany(Event{Action: AccessDenied, Actor: "user:u1", Resource: "thing", Of: "bad@example.org"}, 3)
	if err := h.Follow(t.Context()); err == nil || !strings.Contains(err.Error(), "record what was refused") {
		t.Fatalf("an entry that the journal refuses: %v", err)
	}
	all, _ := h.events.take(h.clock(), true)
	if n := all[Event{Action: AccessDenied, Actor: "user:u1", Resource: "thing", Of: "bad@example.org"}]; n != 3 {
		t.Errorf("%d are counted, want 3: %v", n, all)
	}
}
