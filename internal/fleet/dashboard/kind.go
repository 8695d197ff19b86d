package dashboard

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A kind is what we know of widgets of one type. How types are spelt follows the labels of
// menus where no client shows it, and so do options that no client shows; cloud-api
// reference, section 5.8, and product-features, section 2.3.
type kind struct {
	name  string // as the API spells it
	most  int    // variables
	takes []thing.Kind
	// writes says that people write by it: its variables must be writable.
	writes bool
	// history says that it shows the past of its variables, not only their last values.
	history bool
	// ranged says that min, max and step are numbers that belong together.
	ranged  bool
	options map[string]option
}

// An option is what values of one option may be.
type option struct {
	words string // completes "is"
	holds func(v any) bool
}

var (
	anyFlag   = option{"true or false", func(v any) bool { _, ok := v.(bool); return ok }}
	anyNumber = option{"a number", func(v any) bool { _, ok := numberOf(v); return ok }}
	anyText   = option{"a text", func(v any) bool { _, ok := v.(string); return ok }}
	anyObject = option{"an object", func(v any) bool { _, ok := v.(map[string]any); return ok }}
	anyList   = option{"a list", func(v any) bool { _, ok := v.([]any); return ok }}
	positive  = option{"a number that is more than 0", func(v any) bool { f, ok := numberOf(v); return ok && f > 0 }}
	objects   = option{"a list of objects", func(v any) bool {
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(one any) bool { _, ok := one.(map[string]any); return !ok })
	}}
	labelled = option{"a list of objects with a label, which is a text, and a value, which is a number, a text, true or false", func(v any) bool {
		list, ok := v.([]any)
		return ok && !slices.ContainsFunc(list, func(one any) bool { return !isLabelled(one) })
	}}
	// An address of a picture: HTTPS, or HTTP in one's own network, or one of this server.
	address = option{"an address that begins with https://, http:// or /, or empty", func(v any) bool {
		text, ok := v.(string)
		return ok && len(text) <= 2048 && (text == "" || strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://") || strings.HasPrefix(text, "/"))
	}}
)

func isLabelled(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	if label, given := m["label"]; given && label != nil {
		if _, ok := label.(string); !ok {
			return false
		}
	}
	switch m["value"].(type) {
	case nil, bool, string, json.Number:
		return true
	}
	return false
}

// oneOf is a text from a list.
func oneOf(words ...string) option {
	return option{"one of " + strings.Join(words, ", "), func(v any) bool {
		text, ok := v.(string)
		return ok && slices.Contains(words, text)
	}}
}

// Types with options that name properties.
const (
	advancedChart = "Advanced Chart"
	imageMap      = "Image Map"
)

var (
	booleans = []thing.Kind{thing.Bool}
	numbers  = []thing.Kind{thing.Int, thing.Float}
	choices  = []thing.Kind{thing.Int, thing.Text}
)

// kinds are the types of widgets that we know, W1 to W24 in product-features, section 2.3.
var kinds = []kind{
	{name: "Switch", most: 1, takes: booleans, writes: true, options: map[string]option{"showLabels": anyFlag, "labelOn": anyText, "labelOff": anyText}},
	{name: "Push Button", most: 1, takes: booleans, writes: true, options: map[string]option{"showLabels": anyFlag, "label": anyText}},
	{name: "Slider", most: 1, takes: numbers, writes: true, ranged: true, options: map[string]option{"min": anyNumber, "max": anyNumber, "step": anyNumber, "showValue": anyFlag}},
	{name: "Stepper", most: 1, takes: numbers, writes: true, ranged: true, options: map[string]option{"min": anyNumber, "max": anyNumber, "step": anyNumber}},
	{name: "Time Picker", most: 1, takes: []thing.Kind{thing.Time}, writes: true, options: map[string]option{"showDate": anyFlag, "showTime": anyFlag}},
	{name: "Messenger", most: 1, takes: []thing.Kind{thing.Text}, writes: true, options: map[string]option{"showHistory": anyFlag, "placeholder": anyText}},
	{name: "Color", most: 1, takes: []thing.Kind{thing.Color}, writes: true},
	{name: "Dimmed Light", most: 1, takes: []thing.Kind{thing.DimmedLight}, writes: true},
	{name: "Colored Light", most: 1, takes: []thing.Kind{thing.ColoredLight}, writes: true},
	{name: "Value", most: 1, takes: []thing.Kind{thing.Bool, thing.Int, thing.Time, thing.Float, thing.Text, thing.Location, thing.Color, thing.Free},
		options: map[string]option{"decimals": anyNumber, "unit": anyText}},
	{name: "Status", most: 1, takes: booleans, options: map[string]option{"style": anyText, "labelOn": anyText, "labelOff": anyText, "colorOn": anyText, "colorOff": anyText, "iconOn": anyText, "iconOff": anyText}},
	{name: "Gauge", most: 1, takes: numbers, ranged: true, options: map[string]option{"min": anyNumber, "max": anyNumber, "unit": anyText, "decimals": anyNumber}},
	{name: "Percentage", most: 1, takes: numbers, ranged: true, options: map[string]option{"min": anyNumber, "max": anyNumber, "threshold": anyNumber, "icon": anyText, "colorAbove": anyText, "colorBelow": anyText}},
	{name: "LED", most: 1, takes: booleans, options: map[string]option{"color": anyText}},
	{name: "Map", most: 1, takes: []thing.Kind{thing.Location}, options: map[string]option{"zoom": anyNumber}},
	{name: "Advanced Map", most: 1, takes: []thing.Kind{thing.Location}, history: true, options: map[string]option{"zoom": anyNumber, "showLine": anyFlag, "line": anyObject, "pin": anyObject, "range": anyText}},
	{name: "Chart", most: 1, takes: []thing.Kind{thing.Bool, thing.Int, thing.Float, thing.Text}, history: true, options: map[string]option{"range": anyText}},
	{name: advancedChart, most: 5, takes: numbers, history: true, options: map[string]option{"aggregation": anyObject, "format": anyObject, "axes": anyObject, "showLegend": anyFlag, "range": anyText}},
	{name: "Scheduler", most: 1, takes: []thing.Kind{thing.Schedule}, writes: true},
	{name: "Sticky Note", most: 0, options: map[string]option{"text": anyText, "color": anyText}},
	{name: "Value Selector", most: 1, takes: choices, writes: true, options: map[string]option{"values": labelled}},
	{name: "Value Dropdown", most: 1, takes: choices, writes: true, options: map[string]option{"values": labelled}},
	{name: "Image", most: 0, options: map[string]option{"url": address, "refresh": positive, "fit": oneOf("fill", "fit"), "background": anyFlag}},
	{name: imageMap, most: maxVariables, takes: []thing.Kind{thing.Bool, thing.Int}, options: map[string]option{"url": address, markers: objects, "layers": anyList}},
}

var kindsByName = func() map[string]*kind {
	all := make(map[string]*kind, len(kinds))
	for i := range kinds {
		all[kinds[i].name] = &kinds[i]
	}
	return all
}()

// kindOf is what we know of a type of widget.
func kindOf(name string) (*kind, bool) {
	k, known := kindsByName[name]
	return k, known
}
