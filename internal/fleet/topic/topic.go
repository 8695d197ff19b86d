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

// A Declaration is all that is known of one kind of topic: how it is spelled around
// the ID, and who may do what with it. What is not declared here does not exist:
// Parse and the rules of access read nothing else, and neither does the test that
// walks every topic as every kind of client.
//
// The names are from the device's point of view: a user's write is the device's
// input. Device topics and the shadow carry the conversation between a board and
// the server; no client of a user takes part in it.
type Declaration struct {
	Kind           Kind
	Prefix, Suffix string

	// What a device may do when the topic is its own (for device topics) or its
	// thing's (for thing topics); device-protocol reference, section 2.
	DevicePublishes, DeviceSubscribes bool
	// What a user may do with the topics of a thing that he may write (to publish) or read.
	UserPublishes, UserSubscribes bool
}

var declared = [Kinds]Declaration{
	CommandUp:   {Prefix: devicePrefix, Suffix: "/c/up", DevicePublishes: true},
	CommandDown: {Prefix: devicePrefix, Suffix: "/c/dw", DeviceSubscribes: true},
	DeviceOut:   {Prefix: devicePrefix, Suffix: "/e/o", DevicePublishes: true},
	DeviceIn:    {Prefix: devicePrefix, Suffix: "/e/i", DeviceSubscribes: true},
	ThingOut:    {Prefix: thingPrefix, Suffix: "/e/o", DevicePublishes: true, UserSubscribes: true},
	ThingIn:     {Prefix: thingPrefix, Suffix: "/e/i", DeviceSubscribes: true, UserPublishes: true, UserSubscribes: true},
	ShadowOut:   {Prefix: thingPrefix, Suffix: "/shadow/o", DevicePublishes: true},
	ShadowIn:    {Prefix: thingPrefix, Suffix: "/shadow/i", DeviceSubscribes: true},
}

// Declared lists the topics that exist, by kind.
func Declared() []Declaration {
	all := make([]Declaration, 0, Kinds-1)
	for kind := None + 1; kind < Kinds; kind++ {
		d := declared[kind]
		d.Kind = kind
		all = append(all, d)
	}
	return all
}

// Name is the declared topic that belongs to id.
func (d Declaration) Name(id string) string { return d.Prefix + id + d.Suffix }

// OfDevice says whether the topic belongs to a device rather than to a thing.
func (d Declaration) OfDevice() bool { return d.Prefix == devicePrefix }

// String is the topic with a placeholder for the ID.
func (d Declaration) String() string {
	if d.OfDevice() {
		return d.Name("{d}")
	}
	return d.Name("{t}")
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
		if d := &declared[kind]; d.Suffix == suffix && d.Prefix == prefix {
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
	return declared[t.Kind].Name(t.ID)
}

// Name is the topic of kind that belongs to id, as it is spelled on the wire.
func Name(kind Kind, id string) string { return Topic{kind, id}.String() }

// OfDevice says whether the topic belongs to a device rather than to a thing.
func (t Topic) OfDevice() bool { return t.Kind > None && t.Kind < Kinds && declared[t.Kind].OfDevice() }

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
