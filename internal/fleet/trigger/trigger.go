package trigger

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

var (
	ErrNotFound = problem.New(problem.NotFound, "trigger-not-found", "There is no such trigger here.")
	ErrIDTaken  = problem.New(problem.Conflict, "trigger-id-taken", "That ID is already in use.")
	ErrID       = problem.New(problem.Invalid, "invalid-id", "An ID is a UUID.")
	ErrName     = problem.New(problem.Invalid, "invalid-trigger-name", "A trigger's name has 1 to 256 printable characters.")
	ErrText     = problem.New(problem.Invalid, "invalid-trigger-description", "A description has at most 1000 characters.")
	ErrSource   = problem.New(problem.Invalid, "invalid-trigger-source", "A trigger watches either a property (property_id) or the status of devices (device_status_source).")
	ErrStatus   = problem.New(problem.Invalid, "invalid-device-status-source", "A device status source has the criteria INCLUDE or EXCLUDE, at most 1000 devices, and grace periods of 0 to 1209600 seconds.")
	ErrFull     = problem.New(problem.Precondition, "trigger-limit", "The space has as many triggers as it may have.")
)

const (
	maxName        = 256  // characters; cloud-api reference, section 6.12
	maxDescription = 1000 // characters; the compatible API knows no bound, we need one
	maxDevices     = 1000 // of one list; likewise
	// MaxGrace is the longest that a device's status must last before it counts; cloud-api reference, section 6.12.
	MaxGrace   = 14 * 24 * time.Hour
	maxActions = 20 // of one trigger; ours
)

// The sources of triggers, as the API spells them.
const (
	SourceProperty = "PROPERTY"
	SourceInclude  = "DEVICE_INCLUDE"
	SourceExclude  = "DEVICE_EXCLUDE"
)

// A Trigger watches one property, or the status of devices.
type Trigger struct {
	ID          string
	Space       string
	Owner       string // user id of who changed it last
	Name        string
	Description string
	Property    string     // ID; "" when Status is set
	Thing       string     // ID of the thing that has the property
	Condition   *Condition // nil for what suits the type of the property
	Status      *Status
	Active      bool
	Revision    int64
	Since       int64 // commits of values up to here are not its business
	Actions     []Action
	Tags        device.Tags // ours: the compatible API has none on triggers

	CreatedAt, UpdatedAt time.Time
	DeletedAt            time.Time // zero while it lives
}

// A Status says of which devices comings and goings count.
type Status struct {
	Exclude bool     `json:"exclude,omitempty"` // all of the space but Devices, else Devices alone
	Devices []string `json:"devices,omitempty"`
	// How long, in seconds, a device must be online, or offline, until it counts; nil when that
	// direction does not count. Both nil is both at once.
	Online  *int64 `json:"online,omitempty"`
	Offline *int64 `json:"offline,omitempty"`
}

// grace is how long a device must hold a status, and whether that counts at all.
func (s *Status) grace(online bool) (time.Duration, bool) {
	if s.Online == nil && s.Offline == nil {
		return 0, true
	}
	seconds := s.Offline
	if online {
		seconds = s.Online
	}
	if seconds == nil {
		return 0, false
	}
	return time.Duration(*seconds) * time.Second, true
}

// has says whether a device's status counts. Who asks often asks among.
func (s *Status) has(device string) bool { return slices.Contains(s.Devices, device) != s.Exclude }

// among is has for many devices.
func (s *Status) among() func(device string) bool {
	listed := make(map[string]bool, len(s.Devices))
	for _, id := range s.Devices {
		listed[id] = true
	}
	return func(device string) bool { return listed[device] != s.Exclude }
}

func (s *Status) check() error {
	if len(s.Devices) > maxDevices {
		return ErrStatus
	}
	for _, seconds := range []*int64{s.Online, s.Offline} {
		if seconds != nil && (*seconds < 0 || *seconds > int64(MaxGrace/time.Second)) {
			return ErrStatus
		}
	}
	return nil
}

// Deleted says whether the trigger is soft-deleted.
func (t *Trigger) Deleted() bool { return !t.DeletedAt.IsZero() }

// Source is the kind of its source, as the API spells it.
func (t *Trigger) Source() string {
	switch {
	case t.Status == nil:
		return SourceProperty
	case t.Status.Exclude:
		return SourceExclude
	}
	return SourceInclude
}

// Check says what is wrong with a trigger as it is about to be kept, but for its actions.
func (t *Trigger) Check() error {
	switch {
	case !readable(t.Name, 1, maxName, false):
		return ErrName
	case !readable(t.Description, 0, maxDescription, true):
		return ErrText
	case t.Tags.Check() != nil:
		return t.Tags.Check()
	case (t.Property == "") == (t.Status == nil):
		return ErrSource
	case t.Status != nil && t.Condition != nil:
		return ErrCondition.With("A condition is for values of a property, not for the status of devices.")
	}
	if t.Status != nil {
		return t.Status.check()
	}
	return nil
}

// readable says whether text can be shown to people: of so many characters, on one line unless lines is set.
func readable(text string, least, most int, lines bool) bool {
	if n := utf8.RuneCountInString(text); n < least || n > most || !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && (!lines || r != '\n' && r != '\r' && r != '\t')
	})
}
