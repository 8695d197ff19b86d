package homeassistant

import (
	"math"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A platform is what Home Assistant makes of a property.
type platform string

// Those that we use.
const (
	switches      platform = "switch"
	binarySensor  platform = "binary_sensor"
	number        platform = "number"
	sensor        platform = "sensor"
	texts         platform = "text"
	light         platform = "light"
	deviceTracker platform = "device_tracker"
)

// A component is one entity in a discovery message. The keys are Home Assistant's, of its MQTT platforms.
type component struct {
	Platform            platform `json:"platform"`
	UniqueID            string   `json:"unique_id,omitempty"`
	Name                string   `json:"name,omitempty"`
	StateTopic          string   `json:"state_topic,omitempty"`
	CommandTopic        string   `json:"command_topic,omitempty"`
	DeviceClass         string   `json:"device_class,omitempty"`
	StateClass          string   `json:"state_class,omitempty"`
	Unit                string   `json:"unit_of_measurement,omitempty"`
	ValueTemplate       string   `json:"value_template,omitempty"`
	JSONAttributesTopic string   `json:"json_attributes_topic,omitempty"`

	Min  *float64 `json:"min,omitempty"`
	Max  *float64 `json:"max,omitempty"`
	Step float64  `json:"step,omitempty"`
	Mode string   `json:"mode,omitempty"`

	Schema          string   `json:"schema,omitempty"`
	Brightness      bool     `json:"brightness,omitempty"`
	BrightnessScale int      `json:"brightness_scale,omitempty"`
	ColorModes      []string `json:"supported_color_modes,omitempty"`
	Flash           *bool    `json:"flash,omitempty"`
	Transition      *bool    `json:"transition,omitempty"`

	SourceType string `json:"source_type,omitempty"`
}

// An entity is a property as Home Assistant has it.
type entity struct {
	thing.Property
	platform platform
}

// entityOf says what becomes of a property. It is written to only where writes says so.
func entityOf(p thing.Property, writes bool) entity {
	writes = writes && p.Writable() && !p.Type.ReadOnly
	e := entity{p, sensor}
	switch p.Type.Kind {
	case thing.Bool:
		switch {
		case !writes:
			e.platform = binarySensor
		case plainName(p.Type.Name) == "HOME_LIGHT":
			e.platform = light
		default:
			e.platform = switches
		}
	case thing.DimmedLight, thing.ColoredLight:
		e.platform = binarySensor
		if writes {
			e.platform = light
		}
	case thing.Int, thing.Float, thing.Time:
		if writes {
			e.platform = number
		}
	case thing.Text:
		if writes {
			e.platform = texts
		}
	case thing.Location:
		e.platform = deviceTracker
	}
	return e
}

// commanded says whether Home Assistant may write to it.
func (e *entity) commanded() bool {
	switch e.platform {
	case switches, light, number, texts:
		return true
	}
	return false
}

// key is the name of the component in the message of its thing. What becomes another platform is another component.
func (e *entity) key() string { return componentKey(e.platform, e.ID) }

func componentKey(p platform, property string) string { return string(p) + "-" + property }

// longestState is how many characters Home Assistant takes for a state.
const longestState = 255

// cut is the template that makes a state of what may be too long for one.
const cut = "{{ value[:255] }}"

// component describes the entity.
func (s *Setup) component(e *entity) component {
	state := s.stateTopic(e.Thing, e.Variable)
	c := component{Platform: e.platform, UniqueID: objectID(e.ID), Name: e.Name, StateTopic: state}
	if e.commanded() {
		c.CommandTopic = s.commandTopic(e.Thing, e.Variable)
	}
	m := measureOf(e.Type)
	switch e.platform {
	case switches:
		switch plainName(e.Type.Name) {
		case "HOME_SMART_PLUG":
			c.DeviceClass = "outlet"
		case "HOME_SWITCH":
			c.DeviceClass = "switch"
		}
	case binarySensor:
		c.binary(e, state)
	case light:
		c.light(e)
	case number:
		c.DeviceClass, c.Unit = m.class, m.unit
		c.limits(e)
	case texts:
		c.ValueTemplate = "{{ value_json }}"
	case deviceTracker:
		// Its state is made of the attributes; a topic of its own for that is going away.
		c.StateTopic, c.JSONAttributesTopic, c.SourceType = "", state, "gps"
	case sensor:
		switch e.Type.Kind {
		case thing.Int, thing.Float, thing.Time:
			c.DeviceClass, c.Unit, c.StateClass = m.class, m.unit, "measurement"
			if m.total() {
				c.StateClass = "total"
			}
		case thing.Text:
			c.ValueTemplate = "{{ value_json }}"
		default:
			c.ValueTemplate, c.JSONAttributesTopic = cut, state
		}
	}
	return c
}

func (c *component) binary(e *entity, state string) {
	switch plainName(e.Type.Name) {
	case "HOME_CONTACT_SENSOR":
		c.DeviceClass = "opening"
	case "HOME_MOTION_SENSOR":
		c.DeviceClass = "motion"
	case "HOME_SMART_PLUG":
		c.DeviceClass = "plug"
	case "HOME_LIGHT":
		c.DeviceClass = "light"
	}
	if e.Type.Kind != thing.Bool {
		c.DeviceClass, c.ValueTemplate, c.JSONAttributesTopic = "light", "{{ value_json.state }}", state
	}
}

func (c *component) light(e *entity) {
	no := false
	switch e.Type.Kind {
	case thing.DimmedLight:
		c.ColorModes = []string{"brightness"}
	case thing.ColoredLight:
		c.ColorModes = []string{"hs"}
	default:
		return // on and off, by the usual schema
	}
	c.Schema, c.Brightness, c.BrightnessScale, c.Flash, c.Transition = "json", true, 100, &no, &no
}

// Numbers that have no bounds of their own need some all the same, or Home Assistant takes 1 to 100.
const (
	mostInt   = math.MaxInt32 // what boards have
	mostFloat = 1e9
)

// limits are what may be set, and in which steps.
func (c *component) limits(e *entity) {
	low, high := -mostFloat, float64(mostFloat)
	switch {
	case e.Type.Kind == thing.Time:
		low, high = 0, math.MaxUint32
	case e.Type.Kind == thing.Int:
		low, high = math.MinInt32, mostInt
	case c.Unit == "%":
		low, high = 0, 100
	}
	bounded := c.Unit == "%"
	if !math.IsNaN(e.Min) && !math.IsInf(e.Min, 0) {
		low = e.Min
	}
	if !math.IsNaN(e.Max) && !math.IsInf(e.Max, 0) {
		high, bounded = e.Max, bounded || !math.IsNaN(e.Min)
	}
	if low >= high { // bounds are for people to read, and may be anything
		low, high, bounded = min(low, -mostFloat), max(high, mostFloat), false
	}
	c.Min, c.Max = &low, &high
	switch span := high - low; {
	case e.Type.Kind != thing.Float:
		c.Step = 1
	case bounded && span > 1000:
		c.Step = 1
	case bounded && span > 10:
		c.Step = 0.1
	default:
		c.Step = 0.001
	}
	if !bounded {
		c.Mode = "box" // a slider over all numbers hits none
	}
}
