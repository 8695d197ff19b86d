package homeassistant

import (
	"regexp"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

// What the last word of a topic says.
const (
	wordState        = "state"
	wordSet          = "set"
	wordAvailability = "availability"
)

// What is said of who is there.
const (
	online  = "online"
	offline = "offline"
)

// variablePattern is what a variable is called, as things have it.
var variablePattern = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`)

// stateTopic has the value of a property: PREFIX/THING/VARIABLE/state. It is retained.
func (s *Setup) stateTopic(thing, variable string) string {
	return s.Topics + "/" + thing + "/" + variable + "/" + wordState
}

// commandTopic takes what Home Assistant writes: PREFIX/THING/VARIABLE/set.
func (s *Setup) commandTopic(thing, variable string) string {
	return s.Topics + "/" + thing + "/" + variable + "/" + wordSet
}

// availabilityTopic says whether the device of a thing is connected, and with the ID of the space, whether the bridge is:
// PREFIX/ID/availability. It is retained.
func (s *Setup) availabilityTopic(id string) string {
	return s.Topics + "/" + id + "/" + wordAvailability
}

// configTopic has what a thing is, as Home Assistant's discovery of whole devices has it. It is retained.
func (s *Setup) configTopic(thing string) string {
	return s.Discovery + "/device/" + objectID(thing) + "/config"
}

// objectID is what Home Assistant knows a thing or property by: letters, digits, _ and - only.
func objectID(id string) string { return "ardesia-" + id }

// birthTopics are where Home Assistant says that it is there. Its usual topic stays the same where the prefix of discovery is another.
func (s *Setup) birthTopics() []string {
	usual := DefaultDiscovery + "/status"
	if own := s.Discovery + "/status"; own != usual {
		return []string{usual, own}
	}
	return []string{usual}
}

// read takes a topic below the prefix apart: of a state or a command, with the word that tells which; false for any other.
func (s *Setup) read(name string) (thing, variable, word string, ok bool) {
	rest, below := strings.CutPrefix(name, s.Topics+"/")
	parts := strings.Split(rest, "/")
	if !below || len(parts) != 3 || !topic.IsID(parts[0]) || !variablePattern.MatchString(parts[1]) || parts[2] != wordState && parts[2] != wordSet {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}
