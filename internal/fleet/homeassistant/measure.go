package homeassistant

import (
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A measure is how Home Assistant understands a number: a class that it knows the units of, "" for none, and the unit as it writes it.
type measure struct{ class, unit string }

// measures are those of property types for which a class fits, with a unit that this class admits (Home Assistant's
// SensorDeviceClass and NumberDeviceClass of 2024.11, the first version with discovery of whole devices; those that came
// later would make an older one refuse the whole entity).
var measures = map[string]measure{
	"TEMPERATURE":                  {"temperature", "°C"},
	"TEMPERATURE_C":                {"temperature", "°C"},
	"TEMPERATURE_F":                {"temperature", "°F"},
	"DEGREES_CELSIUS":              {"temperature", "°C"},
	"KELVIN":                       {"temperature", "K"},
	"HOME_TEMPERATURE":             {"temperature", "°C"},
	"HOME_TEMPERATURE_C":           {"temperature", "°C"},
	"HOME_TEMPERATURE_F":           {"temperature", "°F"},
	"PERCENTAGE_RELATIVE_HUMIDITY": {"humidity", "%"},
	"PERCENTAGE_BATTERY_LEVEL":     {"battery", "%"},
	"SECONDS_BATTERY_LEVEL":        {"duration", "s"},
	"SECOND":                       {"duration", "s"},
	"ELECTRIC_CURRENT":             {"current", "A"},
	"AMPERE":                       {"current", "A"},
	"ELECTRIC_POTENTIAL":           {"voltage", "V"},
	"VOLT":                         {"voltage", "V"},
	"POWER":                        {"power", "W"},
	"WATT":                         {"power", "W"},
	"ENERGY":                       {"energy", "J"},
	"JOULE":                        {"energy", "J"},
	"PRESSURE":                     {"pressure", "Pa"},
	"PASCAL":                       {"pressure", "Pa"},
	"ILLUMINANCE":                  {"illuminance", "lx"},
	"LUX":                          {"illuminance", "lx"},
	"WATT_PER_SQUARE_METER":        {"irradiance", "W/m²"},
	"FREQUENCY":                    {"frequency", "Hz"},
	"HERTZ":                        {"frequency", "Hz"},
	"LENGTH":                       {"distance", "m"},
	"METER":                        {"distance", "m"},
	"LENGHT_M":                     {"distance", "m"},
	"LENGHT_C":                     {"distance", "cm"},
	"LENGHT_I":                     {"distance", "in"},
	"MASS":                         {"weight", "kg"},
	"KILOGRAM":                     {"weight", "kg"},
	"GRAM":                         {"weight", "g"},
	"VELOCITY":                     {"speed", "m/s"},
	"METER_PER_SECOND":             {"speed", "m/s"},
	"VOLUME":                       {"volume_storage", "L"},
	"LITER":                        {"volume_storage", "L"},
	"CUBIC_METER":                  {"volume_storage", "m³"},
	"DATA_RATE":                    {"data_rate", "bit/s"},
	"BIT_PER_SECOND":               {"data_rate", "bit/s"},
	"INFORMATION_CONTENT":          {"data_size", "bit"},
	"BIT":                          {"data_size", "bit"},
	"PH_VALUE":                     {"ph", ""},
}

// units are those that Home Assistant writes otherwise than the catalogue of types.
var units = map[string]string{"l": "L", "l/s": "L/s", "%RH": "%", "%EL": "%", "/": ""}

// plainName is the name of a type without the services of voice that the same type was once made for.
func plainName(name string) string {
	for _, service := range []string{"GOOGLE_", "SMART_"} {
		if rest, ok := strings.CutPrefix(name, service); ok {
			return rest
		}
	}
	return name
}

func measureOf(t *thing.Type) measure {
	if m, ok := measures[plainName(t.Name)]; ok {
		return m
	}
	if len(t.Units) == 0 {
		return measure{}
	}
	if unit, other := units[t.Units[0]]; other {
		return measure{unit: unit}
	}
	return measure{unit: t.Units[0]}
}

// total says whether values of a class are amounts that were used, not what there is now: Home Assistant wants energy so.
func (m measure) total() bool { return m.class == "energy" }
