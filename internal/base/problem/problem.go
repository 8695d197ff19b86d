// Package problem is the one error type that a caller can act on: a kind, which
// decides the status on every protocol, a code, which programs compare, and a
// detail, which people read. Everything that is not a Problem is our own fault.
package problem

import (
	"errors"
	"time"
)

// A Kind says whose turn it is to act. Each protocol maps it once to its own status.
type Kind int

const (
	Internal        Kind = iota // our fault; the text never leaves the server
	Invalid                     // the request cannot be understood or breaks a rule of its noun
	Unauthenticated             // no credentials, or credentials that are no longer good
	Forbidden                   // known, but the role is too low
	NotFound                    // is not there, or must look so to this caller
	Conflict                    // collides with something that exists
	Precondition                // a state that the request needs does not hold
	TooLarge                    // above a bound
	Limited                     // too often; Retry says when again
	Unavailable                 // a part that we need is down for now
	Unsupported                 // understood, but not something that this server does

	Kinds // how many there are; tables over kinds have this length
)

// A Problem is an error that is told to the caller.
type Problem struct {
	Kind   Kind
	Code   string        // lower-case words joined by "-", stable, for programs
	Detail string        // one sentence for people: what is wrong and what to do
	Retry  time.Duration // when trying again may help; 0 says nothing
}

// New declares a problem. Declare it once, beside its noun.
func New(kind Kind, code, detail string) *Problem {
	return &Problem{Kind: kind, Code: code, Detail: detail}
}

func (p *Problem) Error() string { return p.Detail }

// Is makes a copy with another detail the same problem.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && t.Code == p.Code
}

// With returns the same problem with a detail that names what this request got wrong.
func (p *Problem) With(detail string) *Problem {
	q := *p
	q.Detail = detail
	return &q
}

// After returns the same problem with a time after which to try again.
func (p *Problem) After(d time.Duration) *Problem {
	q := *p
	q.Retry = d
	return &q
}

var internal = New(Internal, "internal", "Something went wrong on the server. The request's ID is in its log.")

// Of returns the problem that err wraps, or the one that stands for everything
// that is our own fault. It is nil for nil.
func Of(err error) *Problem {
	if err == nil {
		return nil
	}
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	return internal
}
