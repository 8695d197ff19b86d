package thing

// A Type is one of the property types that the compatible API accepts; cloud-api
// reference, section 5.1. Labels, units and successors are ours where no public
// source tells them.
type Type struct {
	Name        string   // as the API spells it: "TEMPERATURE_C"
	Kind        Kind     // what its values look like
	Label       string   // for people; "" for types that are accepted and not described
	Declaration string   // what a sketch declares
	Units       []string // symbols, the usual one first
	Superseded  string   // by which type; only for deprecated ones, and not for all of them
	Deprecated  bool
	ReadOnly    bool     // values come from the device only
	Assistants  []string // voice services that know the type
	Tags        []string // groups in a list of types
}

// Described says whether the catalogue of types shows it.
func (t *Type) Described() bool { return t.Label != "" }

// TypeOf finds a type by its name; nil when there is none.
func TypeOf(name string) *Type { return typesByName[name] }

// Types are all types, in the order of the catalogue.
func Types() []Type { return types }

var typesByName = func() map[string]*Type {
	m := make(map[string]*Type, len(types))
	for i := range types {
		m[types[i].Name] = &types[i]
	}
	return m
}()

// types is the catalogue: basic, dimension, complex and home types first, then
// the units that they superseded, then names that are only accepted.
var types = func() []Type {
	all := make([]Type, 0, 132)
	basic := func(name string, k Kind, label, declaration string) {
		all = append(all, Type{Name: name, Kind: k, Label: label, Declaration: declaration, Tags: []string{"basic"}})
	}
	dimension := func(name string, k Kind, label, declaration string, units ...string) {
		all = append(all, Type{Name: name, Kind: k, Label: label, Declaration: declaration, Units: units, Tags: []string{"dimension"}})
	}
	composite := func(name string, k Kind, label, declaration string) {
		all = append(all, Type{Name: name, Kind: k, Label: label, Declaration: declaration, Tags: []string{"complex"}})
	}
	home := func(name string, k Kind, label, declaration string, readOnly bool, units ...string) {
		all = append(all, Type{Name: name, Kind: k, Label: label, Declaration: declaration, Units: units, ReadOnly: readOnly,
			Assistants: []string{"ALEXA", "GOOGLE"}, Tags: []string{"home"}})
	}
	unit := func(name, label, superseded string, units ...string) {
		all = append(all, Type{Name: name, Kind: Float, Label: label, Declaration: "float", Units: units,
			Superseded: superseded, Deprecated: true, Tags: []string{"unit"}})
	}
	accepted := func(k Kind, names ...string) {
		for _, n := range names {
			all = append(all, Type{Name: n, Kind: k, Deprecated: true})
		}
	}

	basic("STATUS", Bool, "Boolean", "bool")
	basic("CHARSTRING", Text, "Character String", "String")
	basic("FLOAT", Float, "Floating Point Number", "float")
	basic("INT", Int, "Integer Number", "int")

	dimension("ACCELERATION", Float, "Acceleration", "CloudAcceleration", "m/s²")
	dimension("ANGLE", Float, "Angle", "CloudAngle", "rad", "°")
	dimension("AREA", Float, "Area", "CloudArea", "m²")
	dimension("CAPACITANCE", Float, "Capacitance", "CloudCapacitance", "F")
	dimension("COUNT", Int, "Counter", "CloudCounter")
	dimension("DATA_RATE", Float, "Data Rate", "CloudDataRate", "bit/s")
	dimension("ELECTRIC_CURRENT", Float, "Electric Current", "CloudElectricCurrent", "A")
	dimension("ELECTRIC_POTENTIAL", Float, "Electric Potential", "CloudElectricPotential", "V")
	dimension("ELECTRICAL_RESISTANCE", Float, "Electric Resistance", "CloudElectricResistance", "Ω")
	dimension("ENERGY", Float, "Energy", "CloudEnergy", "J", "Wh", "kWh")
	dimension("FLOW_RATE", Float, "Flow Rate", "CloudFlowRate", "m³/s", "l/s")
	dimension("FORCE", Float, "Force", "CloudForce", "N")
	dimension("FREQUENCY", Float, "Frequency", "CloudFrequency", "Hz")
	dimension("HEART_BEATS", Float, "Heart Rate", "CloudHeartRate", "beat/min")
	dimension("ILLUMINANCE", Float, "Illuminance", "CloudIlluminance", "lx")
	dimension("INFORMATION_CONTENT", Int, "Information Content", "CloudInformationContent", "bit", "B")
	dimension("LENGTH", Float, "Length", "CloudLength", "m", "cm", "in")
	dimension("LOGARITHMIC_QUANTITY", Float, "Logarithmic Quantity", "CloudLogarithmicQuantity", "dB", "dBW", "B")
	dimension("LUMINANCE", Float, "Luminance", "CloudLuminance", "cd/m²")
	dimension("LUMINOUS_FLUX", Float, "Luminous Flux", "CloudLuminousFlux", "lm")
	dimension("LUMINOUS_INTENSITY", Float, "Luminous Intensity", "CloudLuminousIntensity", "cd")
	dimension("MASS", Float, "Mass", "CloudMass", "kg", "g")
	dimension("PERCENTAGE", Float, "Percentage", "CloudPercentage", "%")
	dimension("PERCENTAGE_RELATIVE_HUMIDITY", Float, "Relative Humidity", "CloudRelativeHumidity", "%RH")
	dimension("POWER", Float, "Power", "CloudPower", "W")
	dimension("PRESSURE", Float, "Pressure", "CloudPressure", "Pa")
	dimension("TEMPERATURE", Float, "Temperature", "CloudTemperature", "°C", "°F", "K")
	dimension("TIME", Time, "Time", "CloudTime", "s")
	dimension("VELOCITY", Float, "Velocity", "CloudVelocity", "m/s")
	dimension("VOLUME", Float, "Volume", "CloudVolume", "l", "m³")

	composite("COLOR_HSB", Color, "Color", "CloudColor")
	composite("LOCATION", Location, "Location", "CloudLocation")
	composite("SCHEDULE", Schedule, "Schedule", "CloudSchedule")

	home("HOME_COLORED_LIGHT", ColoredLight, "Colored Light", "CloudColoredLight", false)
	home("HOME_CONTACT_SENSOR", Bool, "Contact Sensor", "CloudContactSensor", true)
	home("HOME_DIMMED_LIGHT", DimmedLight, "Dimmed Light", "CloudDimmedLight", false)
	home("HOME_LIGHT", Bool, "Light", "CloudLight", false)
	home("HOME_MOTION_SENSOR", Bool, "Motion Sensor", "CloudMotionSensor", true)
	home("HOME_SMART_PLUG", Bool, "Smart Plug", "CloudSmartPlug", false)
	home("HOME_SWITCH", Bool, "Switch", "CloudSwitch", false)
	home("HOME_TELEVISION", Television, "Television", "CloudTelevision", false)
	home("HOME_TEMPERATURE_C", Float, "Temperature Sensor (Celsius)", "CloudTemperatureSensor", false, "°C")
	home("HOME_TEMPERATURE_F", Float, "Temperature Sensor (Fahrenheit)", "CloudTemperatureSensor", false, "°F")

	unit("AMPERE", "Ampere", "ELECTRIC_CURRENT", "A")
	unit("BECQUEREL", "Becquerel", "", "Bq")
	unit("BEL", "Bel", "LOGARITHMIC_QUANTITY", "B")
	unit("BIT", "Bit", "INFORMATION_CONTENT", "bit")
	unit("BIT_PER_SECOND", "Bit per Second", "DATA_RATE", "bit/s")
	unit("CANDELA", "Candela", "LUMINOUS_INTENSITY", "cd")
	unit("CANDELA_PER_SQUARE_METER", "Candela per Square Meter", "LUMINANCE", "cd/m²")
	unit("COULOMB", "Coulomb", "", "C")
	unit("CUBIC_METER", "Cubic Meter", "VOLUME", "m³")
	unit("CUBIC_METER_PER_SECOND", "Cubic Meter per Second", "FLOW_RATE", "m³/s")
	unit("DECIBEL", "Decibel", "LOGARITHMIC_QUANTITY", "dB")
	unit("DECIBEL_1W", "Decibel relative to 1 W", "LOGARITHMIC_QUANTITY", "dBW")
	unit("DEGREES_LATITUDE", "Degrees Latitude", "LOCATION", "lat")
	unit("DEGREES_LONGITUDE", "Degrees Longitude", "LOCATION", "lon")
	unit("EVENT_RATE_MINUTE", "Event Rate per Minute", "FREQUENCY", "1/min")
	unit("EVENT_RATE_SECOND", "Event Rate per Second", "FREQUENCY", "1/s")
	unit("FARAD", "Farad", "CAPACITANCE", "F")
	unit("GRAM", "Gram", "MASS", "g")
	unit("GRAY", "Gray", "", "Gy")
	unit("HEART_RATE", "Heart Rate", "HEART_BEATS", "beat/min")
	unit("HENRY", "Henry", "", "H")
	unit("HERTZ", "Hertz", "FREQUENCY", "Hz")
	unit("JOULE", "Joule", "ENERGY", "J")
	unit("KATAL", "Katal", "", "kat")
	unit("KELVIN", "Kelvin", "TEMPERATURE", "K")
	unit("KILOGRAM", "Kilogram", "MASS", "kg")
	unit("LENGHT_C", "Length (Centimeters)", "LENGTH", "cm")
	unit("LENGHT_I", "Length (Inches)", "LENGTH", "in")
	unit("LENGHT_M", "Length (Meters)", "LENGTH", "m")
	unit("LITER", "Liter", "VOLUME", "l")
	unit("LITER_PER_SECOND", "Liter per Second", "FLOW_RATE", "l/s")
	unit("LUMEN", "Lumen", "LUMINOUS_FLUX", "lm")
	unit("LUX", "Lux", "ILLUMINANCE", "lx")
	unit("METER_PER_SECOND", "Meter per Second", "VELOCITY", "m/s")
	unit("METER_PER_SQUARE_SECOND", "Meter per Square Second", "ACCELERATION", "m/s²")
	unit("MOLE", "Mole", "", "mol")
	unit("NEWTON", "Newton", "FORCE", "N")
	unit("OHM", "Ohm", "ELECTRICAL_RESISTANCE", "Ω")
	unit("PASCAL", "Pascal", "PRESSURE", "Pa")
	unit("PERCENTAGE_BATTERY_LEVEL", "Battery Level (Percentage)", "PERCENTAGE", "%EL")
	unit("PH_VALUE", "pH Value", "", "pH")
	unit("RADIAN", "Radian", "ANGLE", "rad")
	unit("RATIO_DIV", "Ratio", "", "/")
	unit("SECONDS_BATTERY_LEVEL", "Battery Level (Seconds)", "", "EL")
	unit("SIEMENS", "Siemens", "", "S")
	unit("SIEMENS_PER_METER", "Siemens per Meter", "", "S/m")
	unit("SIEVERT", "Sievert", "", "Sv")
	unit("SQUARE_METER", "Square Meter", "AREA", "m²")
	unit("STERADIAN", "Steradian", "", "sr")
	unit("TEMPERATURE_C", "Temperature (Celsius)", "TEMPERATURE", "°C")
	unit("TEMPERATURE_F", "Temperature (Fahrenheit)", "TEMPERATURE", "°F")
	unit("TESLA", "Tesla", "", "T")
	unit("VOLT", "Volt", "ELECTRIC_POTENTIAL", "V")
	unit("WATT", "Watt", "POWER", "W")
	unit("WATT_PER_SQUARE_METER", "Watt per Square Meter", "", "W/m²")
	unit("WEBER", "Weber", "", "Wb")
	all = append(all, Type{Name: "GENERIC_COMPLEX_PROPERTY", Kind: Free, Label: "Generic Complex Property",
		Declaration: "CloudComplexProperty", Deprecated: true, Tags: []string{"complex"}})

	accepted(Float, "ANALOG", "METER", "SECOND", "DEGREES_CELSIUS", "RATIO_MOD",
		"HOME_TEMPERATURE", "GOOGLE_HOME_TEMPERATURE", "GOOGLE_HOME_TEMPERATURE_C", "GOOGLE_HOME_TEMPERATURE_F",
		"SMART_HOME_TEMPERATURE", "SMART_HOME_TEMPERATURE_C", "SMART_HOME_TEMPERATURE_F")
	accepted(Bool, "GOOGLE_HOME_LIGHT", "GOOGLE_HOME_CONTACT_SENSOR", "GOOGLE_HOME_MOTION_SENSOR", "GOOGLE_HOME_SMART_PLUG",
		"GOOGLE_HOME_SWITCH", "SMART_HOME_LIGHT", "SMART_HOME_CONTACT_SENSOR", "SMART_HOME_MOTION_SENSOR",
		"SMART_HOME_SMART_PLUG", "SMART_HOME_SWITCH")
	accepted(ColoredLight, "GOOGLE_HOME_COLORED_LIGHT", "SMART_HOME_COLORED_LIGHT")
	accepted(DimmedLight, "GOOGLE_HOME_DIMMED_LIGHT", "SMART_HOME_DIMMED_LIGHT")
	accepted(Television, "SMART_HOME_TELEVISION")
	accepted(Free, "COLOR_RGB") // its attributes are described nowhere
	return all
}()
