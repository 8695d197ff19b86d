package topic

// A Kind is what a topic is for. The zero Kind is no topic of ours.
type Kind uint8

const (
	None Kind = iota
	CommandUp
	CommandDown
	DeviceOut
	DeviceIn
	ThingOut
	ThingIn
	ShadowOut
	ShadowIn

	Kinds // how many there are; tables over kinds have this length
)

// A Topic is one address: what it is for, and the device or thing that it belongs to.
type Topic struct {
	Kind Kind
	ID   string // of a device or a thing, by Kind: a UUID in lower case
}

const (
	devicePrefix = "/a/d/"
	thingPrefix  = "/a/t/"
	prefixLen    = len(devicePrefix)
	idLen        = 36
)

// form is how the topics of one kind are spelled around the ID.
type form struct{ prefix, suffix string }

var forms = [Kinds]form{
	CommandUp:   {devicePrefix, "/c/up"},
	CommandDown: {devicePrefix, "/c/dw"},
	DeviceOut:   {devicePrefix, "/e/o"},
	DeviceIn:    {devicePrefix, "/e/i"},
	ThingOut:    {thingPrefix, "/e/o"},
	ThingIn:     {thingPrefix, "/e/i"},
	ShadowOut:   {thingPrefix, "/shadow/o"},
	ShadowIn:    {thingPrefix, "/shadow/i"},
}

// Parse reads a topic name or a filter. It is false for everything that is not
// exactly one of our topics; a filter with a wildcard never is.
// The result shares its ID with name.
func Parse(name string) (Topic, bool) {
	if len(name) <= prefixLen+idLen {
		return Topic{}, false
	}
	prefix, id, suffix := name[:prefixLen], name[prefixLen:prefixLen+idLen], name[prefixLen+idLen:]
	for kind := None + 1; kind < Kinds; kind++ {
		if f := forms[kind]; f.suffix == suffix && f.prefix == prefix {
			if !IsID(id) {
				return Topic{}, false
			}
			return Topic{Kind: kind, ID: id}, true
		}
	}
	return Topic{}, false
}

// String is the name of the topic on the wire; "" for the zero Topic.
func (t Topic) String() string {
	if t.Kind == None || t.Kind >= Kinds {
		return ""
	}
	return forms[t.Kind].prefix + t.ID + forms[t.Kind].suffix
}

// Name is the topic of kind that belongs to id, as it is spelled on the wire.
func Name(kind Kind, id string) string { return Topic{kind, id}.String() }

// OfDevice says whether the topic belongs to a device rather than to a thing.
func (t Topic) OfDevice() bool { return t.Kind >= CommandUp && t.Kind <= DeviceIn }

// IsID says whether id is a UUID as we write it: 36 characters, lower-case hex
// digits, hyphens in their four places (RFC 9562, section 4). The nil UUID is not
// one: it belongs to nobody.
func IsID(id string) bool {
	if len(id) != idLen || id == nilID {
		return false
	}
	for i := 0; i < idLen; i++ {
		switch c := id[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

const nilID = "00000000-0000-0000-0000-000000000000"
