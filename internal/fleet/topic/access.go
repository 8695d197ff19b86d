package topic

// What a device may do with each kind of topic, when the topic is its own (for
// device topics) or its thing's (for thing topics). Each kind has one direction;
// device-protocol reference, section 2.
var (
	devicePublishes  = [Kinds]bool{CommandUp: true, DeviceOut: true, ThingOut: true, ShadowOut: true}
	deviceSubscribes = [Kinds]bool{CommandDown: true, DeviceIn: true, ThingIn: true, ShadowIn: true}
)

// What a user may do with the topics of a thing that he may read or write. The
// names are from the device's point of view: a user's write is the device's input.
// Device topics and the shadow carry the conversation between a board and the
// server; no client of a user takes part in it.
var (
	userPublishes  = [Kinds]bool{ThingIn: true}
	userSubscribes = [Kinds]bool{ThingIn: true, ThingOut: true}
)

// A Permit is how far somebody's rights on one thing go.
type Permit uint8

const (
	Nothing Permit = iota // as if the thing did not exist
	Read                  // sees values
	Write                 // sees and sets values
)

// DeviceMayPublish says whether the device with ID device, which is attached to
// the thing with ID thing or to none (""), may send to the topic name.
func DeviceMayPublish(device, thing, name string) bool {
	t, ok := Parse(name)
	return ok && devicePublishes[t.Kind] && belongs(t, device, thing)
}

// DeviceMaySubscribe says whether that device may receive what filter selects.
// It holds for one delivery as well: then filter is the message's topic.
func DeviceMaySubscribe(device, thing, filter string) bool {
	t, ok := Parse(filter)
	return ok && deviceSubscribes[t.Kind] && belongs(t, device, thing)
}

// UserMayPublish says whether somebody whose rights on a thing are told by permit
// may send to the topic name. permit is asked at most once, with the ID of a thing.
func UserMayPublish(name string, permit func(thing string) Permit) bool {
	t, ok := Parse(name)
	return ok && userPublishes[t.Kind] && permit(t.ID) >= Write
}

// UserMaySubscribe says whether that person may receive what filter selects.
// It holds for one delivery as well: then filter is the message's topic.
func UserMaySubscribe(filter string, permit func(thing string) Permit) bool {
	t, ok := Parse(filter)
	return ok && userSubscribes[t.Kind] && permit(t.ID) >= Read
}

// belongs says whether t is the device's own topic or that of its thing. An empty
// thing matches nothing, because Parse never yields an empty ID.
func belongs(t Topic, device, thing string) bool {
	if t.OfDevice() {
		return t.ID == device
	}
	return t.ID == thing
}
