package homeassistant

import (
	"bytes"
	"encoding/json"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A document is what Home Assistant is told of a whole thing, in one message.
type document struct {
	Device           wireDevice           `json:"device"`
	Origin           wireOrigin           `json:"origin"`
	Components       map[string]component `json:"components"`
	Availability     []wireAvailability   `json:"availability"`
	AvailabilityMode string               `json:"availability_mode"`
	QoS              int                  `json:"qos"`
}

type wireDevice struct {
	Identifiers []string `json:"identifiers"`
	Name        string   `json:"name"`
	Model       string   `json:"model,omitempty"`
}

type wireOrigin struct {
	Name    string `json:"name"`
	Version string `json:"sw_version,omitempty"`
	URL     string `json:"support_url,omitempty"`
}

type wireAvailability struct {
	Topic string `json:"topic"`
}

// origin is this server, as Home Assistant shows it.
type origin struct{ version, url string }

// describe writes down a thing with its entities. gone are components that it had and has no more: named with nothing but
// their platform they are removed. The same things make the same bytes.
func (s *Setup) describe(t *thing.Thing, model string, entities []entity, gone map[string]platform, from origin) ([]byte, error) {
	d := document{
		Device:     wireDevice{Identifiers: []string{objectID(t.ID)}, Name: t.Name, Model: model},
		Origin:     wireOrigin{"Ardesia", from.version, from.url},
		Components: make(map[string]component, len(entities)+len(gone)),
		// The bridge must be there, and the board.
		Availability:     []wireAvailability{{s.availabilityTopic(s.Space)}, {s.availabilityTopic(t.ID)}},
		AvailabilityMode: "all",
		QoS:              1,
	}
	for key, p := range gone {
		d.Components[key] = component{Platform: p}
	}
	for i := range entities {
		d.Components[entities[i].key()] = s.component(&entities[i])
	}
	return plain(d)
}

// plain is JSON as people read it.
func plain(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
