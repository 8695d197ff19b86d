package dashboard

import (
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A Mark is what is wrong with what a widget shows.
type Mark string

const (
	Missing    Mark = "missing"    // the property is gone, or deleted
	WrongType  Mark = "type"       // the property is of a type that the widget cannot show
	ReadOnly   Mark = "permission" // people write by the widget, and the property may not be written
	Unlinked   Mark = "unlinked"   // it shows nothing, and should
	NoDevice   Mark = "no-device"  // nobody sets the property: its thing has no device
	Offline    Mark = "offline"    // its device is not connected
	NeverHeard Mark = "no-value"   // it has no value yet
)

// A Finding is one Mark of a widget. Property is "" for Unlinked.
type Finding struct {
	Widget, Property string
	Mark             Mark
	LastAt           time.Time // of the property's last value; zero for none
}

// marks of one variable, without those of devices.
func (w *Widget) marks(v thing.Variable, there bool) []Mark {
	if !there {
		return []Mark{Missing}
	}
	k, known := kindOf(w.Type)
	if !known {
		return nil
	}
	var all []Mark
	if !slices.Contains(k.takes, v.Type.Kind) {
		all = append(all, WrongType)
	}
	if k.writes && !v.Writable() {
		all = append(all, ReadOnly)
	}
	return all
}

// flags are the marks that the API shows with each widget.
func (w *Widget) flags(variables map[string]thing.Variable) (unlinked, wrongType, readOnly bool) {
	for _, id := range w.Variables {
		v, there := variables[id]
		for _, m := range w.marks(v, there) {
			unlinked, wrongType, readOnly = unlinked || m == Missing, wrongType || m == WrongType, readOnly || m == ReadOnly
		}
	}
	return unlinked, wrongType, readOnly
}

// findings are all marks of a dashboard, in the order of its widgets. status tells of a device
// whether it is connected; a device of which it knows nothing gets no mark.
func (d *Dashboard) findings(variables map[string]thing.Variable, status map[string]device.Status) []Finding {
	var all []Finding
	for i := range d.Widgets {
		w := &d.Widgets[i]
		if k, known := kindOf(w.Type); known && k.most > 0 && len(w.Variables) == 0 {
			all = append(all, Finding{Widget: w.ID, Mark: Unlinked})
		}
		for _, id := range w.Variables {
			v, there := variables[id]
			marks := w.marks(v, there)
			switch {
			case !there:
			case v.Device == "":
				marks = append(marks, NoDevice)
			case status[v.Device] == device.Offline:
				marks = append(marks, Offline)
			}
			if there && v.Last == nil {
				marks = append(marks, NeverHeard)
			}
			for _, m := range marks {
				all = append(all, Finding{Widget: w.ID, Property: id, Mark: m, LastAt: v.LastAt})
			}
		}
	}
	return all
}
