package hook

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
)

var (
	ErrNotFound = problem.New(problem.NotFound, "webhook-not-found", "There is no such webhook here. That of a thing comes with its webhook_uri.")
	ErrURL      = problem.New(problem.Invalid, "invalid-webhook", "A webhook is an http or https address of at most 2048 characters, without a user or a fragment.")
	ErrTooMany  = problem.New(problem.Precondition, "too-many-webhooks", "A device has at most 10 webhooks.")
)

const (
	maxHooks  = 10             // of one device
	maxQueue  = 1000           // events of one webhook that wait
	maxBytes  = 8 << 20        // the same in bytes
	maxValues = 100            // of one event: the properties of a thing
	keepOld   = 24 * time.Hour // as long a secret signs beside the one that took its place
	tryFor    = 24 * time.Hour // then an event is given up
	failFor   = 3 * 24 * time.Hour
	maxPause  = 30 * time.Minute
)

// A Hook is a webhook of a thing or of a device.
type Hook struct {
	ID     string // webhook_id
	Space  string
	Owner  string // user id of who made it
	Thing  string // ID; "" for those of a device
	Device string // ID; "" for those of a thing
	content
	Active bool
	Since  int64 // values up to here, in the order of their commits, are not its business

	Health
	CreatedAt time.Time
}

// content is what is sealed of a Hook.
type content struct {
	URL         string    `json:"url"`    // of a thing: what the thing says
	Secret      string    `json:"secret"` // "whsec_" and base64 of 32 bytes: the key of signatures
	Before      string    `json:"before,omitempty"`
	BeforeUntil time.Time `json:"before_until,omitzero"` // until then Before signs, too
}

// secrets are those that sign at a time, the newest first.
func (c *content) secrets(now time.Time) []string {
	all := []string{c.Secret}
	if c.Before != "" && now.Before(c.BeforeUntil) {
		all = append(all, c.Before)
	}
	return all
}

// rotate puts a new secret in the place of the old one, which signs for a while longer.
func (c *content) rotate(now time.Time) {
	c.Before, c.BeforeUntil, c.Secret = c.Secret, now.Add(keepOld), webhook.NewSecret()
}

// Health is how a Hook does.
type Health struct {
	Queued       int64 // events that wait
	QueuedBytes  int64
	Tries        int64     // of the oldest event
	NextAt       time.Time // of the next try; zero for at once
	FailingSince time.Time // zero: the last try was taken, or there was none
	DisabledAt   time.Time // zero: not given up
	LastAt       time.Time // of the last try; zero: none
	LastStatus   int64     // its HTTP status; 0: none
	LastResult   string    // of the last try, in a word
	Delivered    int64
	Dropped      int64 // did not fit in the queue, or waited when it was turned off
	Dead         int64 // nobody took them in a day
}

// State is how a Hook does, in a word.
func (h *Hook) State() string {
	switch {
	case !h.DisabledAt.IsZero() && !h.Active:
		return "disabled"
	case !h.Active:
		return "off"
	case !h.FailingSince.IsZero():
		return "failing"
	}
	return "ok"
}

// turn turns a Hook on or off. What waits when it goes off is not told any more.
func (h *Hook) turn(on bool, since int64) {
	if h.Active == on {
		return
	}
	h.Active = on
	if on {
		h.Since, h.DisabledAt = since, time.Time{}
		h.mend()
		return
	}
	h.Dropped += h.Queued
	h.Queued, h.QueuedBytes = 0, 0
	h.mend()
}

// mend forgets what went wrong: there is another receiver, or another try.
func (h *Hook) mend() { h.Tries, h.NextAt, h.FailingSince = 0, time.Time{}, time.Time{} }
