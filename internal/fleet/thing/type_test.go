package thing

import (
	"slices"
	"strings"
	"testing"
)

// accepted are the names of cloud-api reference, section 5.1, in its order.
const accepted = `
ANALOG CHARSTRING FLOAT INT LENGHT_C LENGHT_I LENGHT_M PERCENTAGE STATUS TEMPERATURE_C TEMPERATURE_F METER
KILOGRAM GRAM SECOND AMPERE KELVIN CANDELA MOLE HERTZ RADIAN STERADIAN NEWTON PASCAL JOULE WATT COULOMB VOLT
FARAD OHM SIEMENS WEBER TESLA HENRY DEGREES_CELSIUS LUMEN LUX BECQUEREL GRAY SIEVERT KATAL SQUARE_METER
CUBIC_METER LITER METER_PER_SECOND METER_PER_SQUARE_SECOND CUBIC_METER_PER_SECOND LITER_PER_SECOND
WATT_PER_SQUARE_METER CANDELA_PER_SQUARE_METER BIT BIT_PER_SECOND DEGREES_LATITUDE DEGREES_LONGITUDE PH_VALUE
DECIBEL DECIBEL_1W BEL COUNT RATIO_DIV RATIO_MOD PERCENTAGE_RELATIVE_HUMIDITY PERCENTAGE_BATTERY_LEVEL
SECONDS_BATTERY_LEVEL EVENT_RATE_SECOND EVENT_RATE_MINUTE HEART_RATE HEART_BEATS SIEMENS_PER_METER LOCATION
COLOR_HSB COLOR_RGB GENERIC_COMPLEX_PROPERTY HOME_COLORED_LIGHT HOME_DIMMED_LIGHT HOME_LIGHT
HOME_CONTACT_SENSOR HOME_MOTION_SENSOR HOME_SMART_PLUG HOME_TEMPERATURE HOME_TEMPERATURE_C HOME_TEMPERATURE_F
HOME_SWITCH HOME_TELEVISION GOOGLE_HOME_COLORED_LIGHT GOOGLE_HOME_DIMMED_LIGHT GOOGLE_HOME_LIGHT
GOOGLE_HOME_CONTACT_SENSOR GOOGLE_HOME_MOTION_SENSOR GOOGLE_HOME_SMART_PLUG GOOGLE_HOME_TEMPERATURE
GOOGLE_HOME_TEMPERATURE_C GOOGLE_HOME_TEMPERATURE_F GOOGLE_HOME_SWITCH SMART_HOME_COLORED_LIGHT
SMART_HOME_DIMMED_LIGHT SMART_HOME_LIGHT SMART_HOME_CONTACT_SENSOR SMART_HOME_MOTION_SENSOR
SMART_HOME_SMART_PLUG SMART_HOME_TEMPERATURE SMART_HOME_TEMPERATURE_C SMART_HOME_TEMPERATURE_F
SMART_HOME_SWITCH SMART_HOME_TELEVISION ENERGY FORCE TEMPERATURE POWER ELECTRIC_CURRENT ELECTRIC_POTENTIAL
ELECTRICAL_RESISTANCE CAPACITANCE TIME FREQUENCY DATA_RATE ACCELERATION AREA LENGTH VELOCITY MASS VOLUME
FLOW_RATE ANGLE ILLUMINANCE LUMINOUS_FLUX LUMINANCE LUMINOUS_INTENSITY LOGARITHMIC_QUANTITY PRESSURE
INFORMATION_CONTENT SCHEDULE`

// undescribed are those that the catalogue does not show, from the same place.
const undescribed = `
ANALOG METER SECOND DEGREES_CELSIUS RATIO_MOD COLOR_RGB HOME_TEMPERATURE GOOGLE_HOME_COLORED_LIGHT
GOOGLE_HOME_DIMMED_LIGHT GOOGLE_HOME_LIGHT GOOGLE_HOME_CONTACT_SENSOR GOOGLE_HOME_MOTION_SENSOR
GOOGLE_HOME_SMART_PLUG GOOGLE_HOME_TEMPERATURE GOOGLE_HOME_TEMPERATURE_C GOOGLE_HOME_TEMPERATURE_F
GOOGLE_HOME_SWITCH SMART_HOME_COLORED_LIGHT SMART_HOME_DIMMED_LIGHT SMART_HOME_LIGHT SMART_HOME_CONTACT_SENSOR
SMART_HOME_MOTION_SENSOR SMART_HOME_SMART_PLUG SMART_HOME_TEMPERATURE SMART_HOME_TEMPERATURE_C
SMART_HOME_TEMPERATURE_F SMART_HOME_SWITCH SMART_HOME_TELEVISION`

func TestTypesAreTheAcceptedOnes(t *testing.T) {
	want := strings.Fields(accepted)
	if len(want) != 132 || len(Types()) != 132 {
		t.Fatalf("%d types of %d names, want 132", len(Types()), len(want))
	}
	hidden := strings.Fields(undescribed)
	for _, name := range want {
		typ := TypeOf(name)
		if typ == nil {
			t.Errorf("%s is missing", name)
			continue
		}
		if got, want := typ.Described(), !slices.Contains(hidden, name); got != want {
			t.Errorf("%s is described: %v, want %v", name, got, want)
		}
	}
	if got := len(wireTypes()); got != 104 {
		t.Errorf("the catalogue has %d types, want 104", got)
	}
	if TypeOf("TEMPERATUR") != nil {
		t.Error("a type that does not exist was found")
	}
}

func TestTypesFitTogether(t *testing.T) {
	for _, typ := range Types() {
		if typ.Kind >= kinds {
			t.Errorf("%s has no kind", typ.Name)
		}
		if typ.Superseded != "" {
			next := TypeOf(typ.Superseded)
			if next == nil || next.Deprecated || !typ.Deprecated {
				t.Errorf("%s is superseded by %q, which is no current type", typ.Name, typ.Superseded)
			}
		}
		if typ.Described() && typ.Declaration == "" {
			t.Errorf("%s is described and cannot be declared", typ.Name)
		}
	}
	for name, want := range map[string]Kind{
		"STATUS": Bool, "SMART_HOME_SWITCH": Bool, "INT": Int, "COUNT": Int, "TIME": Time, "INFORMATION_CONTENT": Int,
		"CHARSTRING": Text, "FLOAT": Float, "HOME_TEMPERATURE_C": Float, "BIT": Float, "LOCATION": Location, "COLOR_HSB": Color,
		"COLOR_RGB": Free, "HOME_DIMMED_LIGHT": DimmedLight, "GOOGLE_HOME_COLORED_LIGHT": ColoredLight,
		"SMART_HOME_TELEVISION": Television, "SCHEDULE": Schedule, "GENERIC_COMPLEX_PROPERTY": Free,
	} {
		if got := TypeOf(name).Kind; got != want {
			t.Errorf("%s has kind %d, want %d", name, got, want)
		}
	}
}

func TestEveryKindIsKnownEverywhere(t *testing.T) {
	for k := range kinds {
		if k.description() == "" || k.description() == "an object with " {
			t.Errorf("kind %d has no description", k)
		}
		if len(fields[k]) > maxFields {
			t.Errorf("kind %d has %d attributes, and a whole holds %d", k, len(fields[k]), maxFields)
		}
		if len(sortedFields[k]) != len(fields[k]) {
			t.Errorf("kind %d has %d attributes, %d of them in order", k, len(fields[k]), len(sortedFields[k]))
		}
	}
}
