package topic

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
	return ok && declared[t.Kind].DevicePublishes && belongs(t, device, thing)
}

// DeviceMaySubscribe says whether that device may receive what filter selects.
// It holds for one delivery as well: then filter is the message's topic.
func DeviceMaySubscribe(device, thing, filter string) bool {
	t, ok := Parse(filter)
	return ok && declared[t.Kind].DeviceSubscribes && belongs(t, device, thing)
}

// UserMayPublish says whether somebody whose rights on a thing are told by permit
// may send to the topic name. permit is asked at most once, with the ID of a thing.
func UserMayPublish(name string, permit func(thing string) Permit) bool {
	t, ok := Parse(name)
	return ok && declared[t.Kind].UserPublishes && permit(t.ID) >= Write
}

// UserMaySubscribe says whether that person may receive what filter selects.
// It holds for one delivery as well: then filter is the message's topic.
func UserMaySubscribe(filter string, permit func(thing string) Permit) bool {
	t, ok := Parse(filter)
	return ok && declared[t.Kind].UserSubscribes && permit(t.ID) >= Read
}

// belongs says whether t is the device's own topic or that of its thing. An empty
// thing matches nothing, because Parse never yields an empty ID.
func belongs(t Topic, device, thing string) bool {
	if t.OfDevice() {
		return t.ID == device
	}
	return t.ID == thing
}
