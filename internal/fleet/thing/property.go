package thing

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	ErrPropertyNotFound  = problem.New(problem.NotFound, "property-not-found", "The thing has no such property.")
	ErrPropertyNameTaken = problem.New(problem.Conflict, "property-name-taken", "Another property of this thing has that name.")
	ErrVariableTaken     = problem.New(problem.Conflict, "variable-name-taken", "Another property of this thing has that variable name.")
	ErrNumberTaken       = problem.New(problem.Conflict, "property-tag-taken", "Another property of this thing has that tag.")
	ErrPropertyName      = problem.New(problem.Invalid, "invalid-property-name", "A property's name has 1 to 64 printable characters.")
	ErrVariable          = problem.New(problem.Invalid, "invalid-variable-name", "A variable name has up to 64 letters, digits and underscores and does not begin with a digit.")
	ErrReserved          = problem.New(problem.Invalid, "reserved-variable-name", "Devices use the names tz_offset and tz_dst_until themselves.")
	ErrType              = problem.New(problem.Invalid, "invalid-property-type", "This is none of the property types; GET /iot/v1/property_types lists them.")
	ErrPermission        = problem.New(problem.Invalid, "invalid-permission", "A permission is READ_ONLY or READ_WRITE.")
	ErrStrategy          = problem.New(problem.Invalid, "invalid-update-strategy", "An update strategy is ON_CHANGE or TIMED.")
	ErrParameter         = problem.New(problem.Invalid, "invalid-update-parameter", "An update parameter is a number that is not negative.")
	ErrNumber            = problem.New(problem.Invalid, "invalid-property-tag", "A property's tag is a whole number from 1 to 65535.")
	ErrTooManyProperties = problem.New(problem.Precondition, "too-many-properties", "A thing has at most 100 properties.")
	ErrReadOnly          = problem.New(problem.Invalid, "property-read-only", "Only the device sets this property. Send its device_id to speak for it.")
	ErrNotAttached       = problem.New(problem.Invalid, "device-not-attached", "That device is not attached to this thing.")
)

const (
	// MaxProperties of a thing, soft-deleted ones not counted; cloud-api reference, section 6.7.
	MaxProperties = 100
	maxNumber     = math.MaxUint16 // of a property's tag: what LoRa devices can say
)

// Permissions and update strategies, as the API spells them.
const (
	ReadOnly  = "READ_ONLY"
	ReadWrite = "READ_WRITE"
	OnChange  = "ON_CHANGE"
	Timed     = "TIMED"
)

// Names that belong to the conversation between devices and cloud; device-protocol
// reference, section 3.3.
const (
	nameOffset  = "tz_offset"
	nameUntil   = "tz_dst_until"
	nameRequest = "r:m"
)

// A Property is one named value of a Thing.
type Property struct {
	ID       string
	Thing    string // ID of the thing that it belongs to
	Name     string // for people
	Variable string // as the sketch and the messages of the device spell it
	Type     *Type  // never nil
	// Permission says whether the cloud may write to the device.
	Permission string
	Strategy   string  // when the device reports: OnChange or Timed
	Parameter  float64 // seconds between reports, or the least change that counts
	Min, Max   float64 // for people to read; NaN for none
	Persist    bool    // keep history, not only the last value
	Number     int64   // stands for the name in LoRa messages; "tag" on the wire

	CreatedAt, UpdatedAt time.Time
	DeletedAt            time.Time // zero while it lives
}

// Deleted says whether the property is soft-deleted.
func (p *Property) Deleted() bool { return !p.DeletedAt.IsZero() }

// Writable says whether the cloud may write to the device.
func (p *Property) Writable() bool { return p.Permission == ReadWrite }

var variablePattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func reserved(name string) bool {
	return name == nameOffset || name == nameUntil || name == nameRequest
}

// Check says what is wrong with a property as it is about to be kept.
func (p *Property) Check() error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case p.Name == "" || !utf8.ValidString(p.Name) || utf8.RuneCountInString(p.Name) > maxName || strings.ContainsFunc(p.Name, unprintable):
		return ErrPropertyName
	case len(p.Variable) > maxName || !variablePattern.MatchString(p.Variable):
		return ErrVariable
	case reserved(p.Variable):
		return ErrReserved
	case p.Type == nil:
		return ErrType
	case p.Permission != ReadOnly && p.Permission != ReadWrite:
		return ErrPermission
	case p.Strategy != OnChange && p.Strategy != Timed:
		return ErrStrategy
	case p.Parameter < 0 || math.IsNaN(p.Parameter) || math.IsInf(p.Parameter, 0):
		return ErrParameter
	case p.Number < 1 || p.Number > maxNumber:
		return ErrNumber
	}
	return nil
}

// checkProperties says what is wrong with the living properties of a thing, one by
// one and among themselves.
func (t *Thing) checkProperties() error {
	names, variables, numbers := map[string]bool{}, map[string]bool{}, map[int64]bool{}
	living := 0
	for i := range t.Properties {
		p := &t.Properties[i]
		if p.Deleted() {
			continue
		}
		living++
		if err := p.Check(); err != nil {
			return err
		}
		switch {
		case names[p.Name]:
			return ErrPropertyNameTaken
		case variables[p.Variable]:
			return ErrVariableTaken
		case numbers[p.Number]:
			return ErrNumberTaken
		}
		names[p.Name], variables[p.Variable], numbers[p.Number] = true, true, true
	}
	if living > MaxProperties {
		return ErrTooManyProperties
	}
	return nil
}

// addProperty gives p a variable name and a number when it has none, and adds it.
func (t *Thing) addProperty(p Property) {
	if p.Variable == "" {
		p.Variable = t.variableFor(p.Name)
	}
	if p.Number <= 0 {
		p.Number = 1
		for _, have := range t.Properties { // deleted ones too: an old LoRa device may still use theirs
			p.Number = max(p.Number, have.Number+1)
		}
	}
	at := len(t.Properties)
	for at > 0 && t.Properties[at-1].Number > p.Number {
		at--
	}
	t.Properties = slices.Insert(t.Properties, at, p)
}

// variableFor makes a variable name of a property's name: what a sketch could not
// spell becomes an underscore, and a name that is taken or reserved gets a number.
func (t *Thing) variableFor(name string) string {
	taken := func(v string) bool {
		return reserved(v) || slices.ContainsFunc(t.Properties, func(p Property) bool { return p.Variable == v && !p.Deleted() })
	}
	base := variableName(name)
	v := base
	for n := 2; taken(v); n++ {
		suffix := "_" + strconv.Itoa(n)
		v = base[:min(len(base), maxName-len(suffix))] + suffix
	}
	return v
}

func variableName(name string) string {
	b := make([]byte, 0, maxName)
	for _, r := range name {
		switch {
		case r == '_', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			if len(b) == 0 && r >= '0' && r <= '9' {
				b = append(b, '_')
			}
			b = append(b, byte(r))
		default:
			b = append(b, '_')
		}
		if len(b) >= maxName {
			return string(b[:maxName])
		}
	}
	if len(b) == 0 {
		return "_"
	}
	return string(b)
}
