package audit

import (
	"strconv"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// An Event is something that was refused, and so changed nothing. Its texts are
// identifiers of what is known here: what a stranger says of himself is left empty, or
// he could write into the log whatever he likes.
//
// Events are counted, and each minute becomes one entry of the journal for each Event that came. However
// many come, and of however many kinds, the entries of a day are bounded: by perMinute,
// and by perDay, after which what comes is counted together by the hour.
type Event struct {
	Action   string // what the journal calls it: one of those below, or another with a sentence in word.go
	Actor    string // access.Actor.String(); "" for somebody who is not known
	Space    string
	Resource string // the noun
	ID       string // of the noun
	Account  string // the person whom it concerns
	Of       string // what was asked for, where that says more: an access.Action
}

// What the house's own doors refuse.
const (
	AccessDenied  = "access:denied"  // somebody who is known may not do that
	KeyRefused    = "apikey:refused" // an API key's secret was wrong
	DeviceRefused = "device:refused" // a device's credentials were not good
)

const (
	perMinute  = 32    // kinds of events that are told apart within a minute
	perDay     = 4_096 // entries; above that, one an hour and action
	perActions = 16    // actions of events that are told apart in any case
	aMinute    = time.Minute
	anHour     = time.Hour
	aDay       = 24 * time.Hour
)

// nobody is the actor of what a stranger tried.
const nobody = "anonymous"

// a tally counts events until they are recorded.
type tally struct {
	mu     sync.Mutex
	counts map[Event]int // guarded by mu
	since  time.Time     // guarded by mu: the first of counts; zero for none
	day    time.Time     // guarded by mu: when spent began to be counted
	spent  int           // guarded by mu: entries since then
}

// add counts n events. It is cheap and never waits for a disk.
func (t *tally) add(e Event, n int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[Event]int{}
	}
	if now.Sub(t.day) >= aDay {
		t.day, t.spent = now, 0
	}
	if e.Actor == "" {
		e.Actor = nobody
	}
	if _, counted := t.counts[e]; !counted && (len(t.counts) >= perMinute || t.spent >= perDay) {
		e = Event{Action: e.Action, Actor: nobody} // whoever it was, it is counted
		if _, counted := t.counts[e]; !counted && len(t.counts) >= perMinute+perActions {
			e.Action = AccessDenied
		}
	}
	t.counts[e] += n
	if t.since.IsZero() {
		t.since = now
	}
}

// take hands over what is due, or everything. What could not be recorded is handed
// back by add.
func (t *tally) take(now time.Time, everything bool) (map[Event]int, time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := aMinute
	if t.spent >= perDay {
		wait = anHour
	}
	if len(t.counts) == 0 || (!everything && now.Sub(t.since) < wait) {
		return nil, time.Time{}
	}
	all, since := t.counts, t.since
	t.counts, t.since = nil, time.Time{}
	t.spent += len(all)
	return all, since
}

// entry is what the journal says of n events.
func (e Event) entry(n int, since, at time.Time) journal.Entry {
	detail := map[string]string{"count": strconv.Itoa(n), "since": since.UTC().Format(time.RFC3339)}
	if e.Account != "" {
		detail["account"] = e.Account
	}
	if e.Of != "" {
		detail["of"] = e.Of
	}
	noun := e.Resource
	if noun == "" {
		noun = "house"
	}
	return journal.Entry{At: at, Actor: e.Actor, Space: e.Space, Action: e.Action, Resource: noun, ID: e.ID, Detail: detail}
}
