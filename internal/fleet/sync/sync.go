package sync

import (
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

var (
	ErrNotFound = problem.New(problem.NotFound, "sync-not-found", "There is no such group of synchronised properties here.")
	ErrMembers  = problem.New(problem.Invalid, "invalid-sync", fmt.Sprintf("A group has %d to %d different properties.", minMembers, maxMembers))
	ErrType     = problem.New(problem.Invalid, "sync-type", "All properties of a group have one type.")
	ErrReadOnly = problem.New(problem.Invalid, "sync-read-only", "Nothing could follow in this group: give at least one of its properties the permission READ_WRITE.")
	ErrTaken    = problem.New(problem.Conflict, "sync-property-taken", "A property can be in one group only, and one of these is in another.")
	ErrFull     = problem.New(problem.Precondition, "sync-limit", "The space has as many groups of synchronised properties as it may have.")
)

// Bounds of a group: each value is stored and sent once for each of the others.
const (
	minMembers = 2
	maxMembers = 32
)

// A Group is properties that are kept the same.
type Group struct {
	ID      string
	Space   string
	Owner   string // user id of who changed it last
	Type    string // of its properties, as the API spells it
	Members []Seat // in the order in which people gave them

	CreatedAt, UpdatedAt time.Time
}

// A Seat is the place of a property in a group. Thing has it for ever.
type Seat struct{ Property, Thing string }

// A State is whether a member takes part, and why not.
type State string

// The states.
const (
	Part    State = "OK"        // gives and takes
	Gives   State = "GIVES"     // only its board may set it: it gives and does not take
	Deleted State = "DELETED"   // it or its thing is; it may come back
	Retyped State = "RETYPED"   // it has another type now
	Gone    State = "NOT_FOUND" // erased for good
)

// States are all of them.
func States() []State { return []State{Part, Gives, Deleted, Retyped, Gone} }

// stateOf is the state of a member as it is now.
func (g *Group) stateOf(t *thing.Thing, p *thing.Property) State {
	switch {
	case p.Deleted() || t.Deleted():
		return Deleted
	case p.Type.Name != g.Type:
		return Retyped
	case !p.Writable():
		return Gives
	}
	return Part
}

// echoTime is how long after a board was told of a value it may confirm that. Boards do so within a second or two; what is said later is a
// change.
const echoTime = 10 * time.Second

// maxEchoes is of how many values of one property a confirmation may be waited for: boards send at most two a second of each.
const maxEchoes = 32

// echoes are what a board was told of one property and has not confirmed, the oldest first.
type echoes []echo

type echo struct {
	value series.Value
	at    time.Time
}

// told notes a value that goes to the board.
func (e echoes) told(v series.Value, at time.Time) echoes {
	e = e.since(at)
	if len(e) == maxEchoes {
		e = append(e[:0], e[1:]...)
	}
	v.Text = strings.Clone(v.Text) // it is a part of a message that would stay with it
	return append(e, echo{v, at})
}

// since is what may still be confirmed at a time.
func (e echoes) since(at time.Time) echoes {
	old := 0
	for old < len(e) && at.Sub(e[old].at) > echoTime {
		old++
	}
	return append(e[:0], e[old:]...)
}

// said says whether a value that comes from the board confirms one that it was told. What it was told before that it will not confirm any
// more. A value that confirms nothing is a change that was made at the board, after all that the board had heard of.
func (e echoes) said(v series.Value, at time.Time) (left echoes, confirms bool) {
	e = e.since(at)
	for i, one := range e {
		if thing.Same(one.value, v) {
			return e[i+1:], true
		}
	}
	return nil, false
}
