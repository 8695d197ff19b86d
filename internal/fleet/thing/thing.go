package thing

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	ErrNotFound    = problem.New(problem.NotFound, "thing-not-found", "There is no such thing here.")
	ErrNameTaken   = problem.New(problem.Conflict, "thing-name-taken", "Another thing in this space has that name.")
	ErrIDTaken     = problem.New(problem.Conflict, "thing-id-taken", "That ID is already in use.")
	ErrIDErased    = problem.New(problem.Conflict, "thing-id-erased", "A thing with that ID was erased, and its key destroyed: the ID cannot be used again. Leave it out and a new one is made.")
	ErrDeviceTaken = problem.New(problem.Conflict, "device-attached", "The device is attached to another thing. Send force=true to move it here.")
	ErrName        = problem.New(problem.Invalid, "invalid-thing-name", "A thing's name has 1 to 64 letters, digits, dots, underscores, hyphens and spaces.")
	ErrID          = problem.New(problem.Invalid, "invalid-id", "An ID is a UUID.")
	ErrAssistant   = problem.New(problem.Invalid, "invalid-assistant", "An assistant is one of ALEXA, GOOGLE, NONE.")
	ErrWebhook     = problem.New(problem.Invalid, "invalid-webhook", "A webhook is an http or https address of at most 2048 characters.")
	ErrTag         = problem.New(problem.Invalid, "invalid-tag", "A tag's key and value have up to 64 letters, digits and _ . @ -; the key is not empty.")
	ErrSketch      = problem.New(problem.Invalid, "invalid-sketch-version", "A sketch version is v1 or v2.")
	ErrNoSketch    = problem.New(problem.NotFound, "sketch-not-found", "The thing has no such sketch.")
	ErrTooManyTags = problem.New(problem.Precondition, "too-many-tags", "A thing has at most 256 tags.")
)

const (
	maxName    = 64   // characters; cloud-api reference, sections 6.6 and 6.7
	maxTags    = 256  // of one thing; the compatible API knows no bound, we need one
	maxWebhook = 2048 // bytes of an address
)

// Assistants of voice services, as the API spells them.
const (
	Alexa       = "ALEXA"
	Google      = "GOOGLE"
	NoAssistant = "NONE"
)

// A Thing is what a device is meant to be: named values and what belongs to them.
type Thing struct {
	ID       string
	Space    string
	Owner    string // user ID of who made it
	Name     string
	Timezone string // IANA name
	Device   string // ID of the attached device; "" for none
	// Assistant is Alexa, Google, NoAssistant or "" when nobody said.
	Assistant     string
	Webhook       string // address that hears of values; "" for none
	WebhookActive bool
	Sketch        string // ID of the generated sketch; "" for none
	SketchVersion string // v1 or v2; "" when there is no sketch
	Template      string // ID of the template that it came from; "" for none

	Tags       []Tag      // by key
	Properties []Property // by number; soft-deleted ones among them
	Count      int        // living properties, also where Properties were not asked for

	CreatedAt, UpdatedAt time.Time
	DeletedAt            time.Time // zero while it lives
}

// Deleted says whether the thing is soft-deleted.
func (t *Thing) Deleted() bool { return !t.DeletedAt.IsZero() }

// Property finds a living property by its ID.
func (t *Thing) Property(id string) (*Property, error) {
	for i := range t.Properties {
		if p := &t.Properties[i]; p.ID == id && !p.Deleted() {
			return p, nil
		}
	}
	return nil, ErrPropertyNotFound
}

// Living are the properties that are not deleted.
func (t *Thing) Living() []Property {
	all := make([]Property, 0, len(t.Properties))
	for _, p := range t.Properties {
		if !p.Deleted() {
			all = append(all, p)
		}
	}
	return all
}

// A Tag is a word that people put on a thing to find it again.
type Tag struct{ Key, Value string }

var (
	namePattern = regexp.MustCompile(`^[a-zA-Z0-9_. -]+$`)
	tagPattern  = regexp.MustCompile(`^[a-zA-Z0-9_.@-]*$`)
)

// checkName says what is wrong with a thing's name.
func checkName(name string) error {
	if len(name) > maxName || !namePattern.MatchString(name) {
		return ErrName
	}
	return nil
}

func checkAssistant(a string) error {
	if a != "" && a != Alexa && a != Google && a != NoAssistant {
		return ErrAssistant
	}
	return nil
}

func checkWebhook(address string) error {
	if address == "" {
		return nil
	}
	u, err := url.Parse(address)
	if err != nil || len(address) > maxWebhook || !utf8.ValidString(address) || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return ErrWebhook
	}
	return nil
}

// ParseTag reads "key:value".
func ParseTag(text string) (Tag, error) {
	key, value, ok := strings.Cut(text, ":")
	if !ok {
		return Tag{}, ErrTag.With("A tag is written key:value.")
	}
	t := Tag{key, value}
	return t, t.check()
}

// Tagged says whether the thing has all of some tags.
func (t *Thing) Tagged(tags []Tag) bool {
	for _, tag := range tags {
		if !slices.Contains(t.Tags, tag) {
			return false
		}
	}
	return true
}

func (t Tag) check() error {
	if t.Key == "" || len(t.Key) > 64 || len(t.Value) > 64 || !tagPattern.MatchString(t.Key) || !tagPattern.MatchString(t.Value) {
		return ErrTag
	}
	return nil
}

// Check says what is wrong with a thing as it is about to be kept.
func (t *Thing) Check() error {
	if err := checkName(t.Name); err != nil {
		return err
	}
	if _, err := loadZone(t.Timezone); err != nil {
		return err
	}
	if err := checkAssistant(t.Assistant); err != nil {
		return err
	}
	if err := checkWebhook(t.Webhook); err != nil {
		return err
	}
	if len(t.Tags) > maxTags {
		return ErrTooManyTags
	}
	for _, tag := range t.Tags {
		if err := tag.check(); err != nil {
			return err
		}
	}
	return t.checkProperties()
}

// setTag puts a tag on the thing, in place of the one with the same key.
func (t *Thing) setTag(tag Tag) error {
	if err := tag.check(); err != nil {
		return err
	}
	i, found := slices.BinarySearchFunc(t.Tags, tag.Key, func(have Tag, key string) int { return strings.Compare(have.Key, key) })
	if found {
		t.Tags[i] = tag
		return nil
	}
	if len(t.Tags) >= maxTags {
		return ErrTooManyTags
	}
	t.Tags = slices.Insert(t.Tags, i, tag)
	return nil
}

// dropTag takes the tag with this key away; nothing happens when there is none.
func (t *Thing) dropTag(key string) {
	t.Tags = slices.DeleteFunc(t.Tags, func(have Tag) bool { return have.Key == key })
}

// untitled is the n-th name, from 1, for a thing whose maker gave none.
func untitled(n int) string {
	if n == 1 {
		return "Untitled"
	}
	return "Untitled " + strconv.Itoa(n)
}

// slug is a friendly ID made of a name: lower-case letters and digits, with
// hyphens between them.
func slug(name string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(name) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte('-')
			gap = false
		}
		b.WriteRune(r)
	}
	if b.Len() == 0 {
		return "thing"
	}
	return b.String()
}
