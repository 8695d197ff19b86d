// Package livetest hears a live connection as a client does, inside a test.
package livetest

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Patience is how long a test waits for what must come. Nothing is measured by it.
const Patience = time.Minute

// An Event is one that came. A comment is an event here, called "comment" and what it says.
type Event struct{ Name, ID, Data string }

// A Value is one of an event of values.
type Value struct {
	Thing    string          `json:"thing"`
	Property string          `json:"property"`
	Value    json.RawMessage `json:"value"`
	At       time.Time       `json:"at"`
}

// Values are those of an event.
func (e Event) Values(t testing.TB) (all []Value) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.Data), &all); err != nil || e.Name != "values" {
		t.Fatalf("%+v is no event of values (%v)", e, err)
	}
	return all
}

// A Listener is a client that reads one answer.
type Listener struct {
	Last string // id of what was heard last

	t      testing.TB
	hangUp context.CancelFunc
	events chan Event // closed at the end
}

// Ask sends a request, whose answer ends when hangUp is called, and with the test.
func Ask(t testing.TB, c *http.Client, r *http.Request) (answer *http.Response, hangUp context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	answer, err := c.Do(r.Clone(ctx))
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	return answer, cancel
}

// Listen sends a request for a stream and waits for its hello.
func Listen(t testing.TB, c *http.Client, r *http.Request) (*Listener, Event) {
	t.Helper()
	answer, hangUp := Ask(t, c, r)
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/event-stream" {
		hangUp()
		t.Fatalf("a stream is answered with %d %q", answer.StatusCode, answer.Header.Get("Content-Type"))
	}
	l := &Listener{t: t, hangUp: hangUp, events: make(chan Event, 10_000)}
	go l.read(answer)
	t.Cleanup(l.Leave)
	return l, l.Next("hello")
}

// Leave hangs up.
func (l *Listener) Leave() {
	l.hangUp()
	for range l.events { // until it has ended
	}
}

func (l *Listener) read(answer *http.Response) {
	defer close(l.events)
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 16<<20)
	var e Event
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "event":
			e.Name = value
		case field == "id":
			e.ID = value
		case field == "data":
			e.Data = value
		case value != "":
			e.Name = cmp.Or(e.Name, "comment "+value)
		default:
			l.events <- e
			e = Event{}
		}
	}
}

// Each is the next event, comments too; false at the end.
func (l *Listener) Each() (e Event, open bool) {
	l.t.Helper()
	return l.next(func(Event) bool { return true })
}

// Any is Each without comments.
func (l *Listener) Any() (e Event, open bool) {
	l.t.Helper()
	return l.next(func(e Event) bool { return !strings.HasPrefix(e.Name, "comment") })
}

// next is the next event that is wanted.
func (l *Listener) next(wanted func(e Event) bool) (e Event, open bool) {
	l.t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		select {
		case e, open = <-l.events:
			if !open {
				return e, false
			}
			l.Last = e.ID
			if wanted(e) {
				return e, true
			}
		case <-late.C:
			l.t.Fatal("nothing came")
		}
	}
}

// Next is the next event, which must be one of a name.
func (l *Listener) Next(name string) Event {
	l.t.Helper()
	e, open := l.Any()
	if !open || e.Name != name || e.ID == "" {
		l.t.Fatalf("came %+v (open: %v), want %s", e, open, name)
	}
	return e
}

// Ends waits for the end of the stream, whatever comes before.
func (l *Listener) Ends() {
	l.t.Helper()
	for open := true; open; {
		_, open = l.Any()
	}
}

// Until collects values until a property has one. That anything else comes is a failure.
func (l *Listener) Until(property, value string) (all []Value) {
	l.t.Helper()
	for {
		for _, v := range l.Next("values").Values(l.t) {
			all = append(all, v)
			if v.Property == property && string(v.Value) == value {
				return all
			}
		}
	}
}
