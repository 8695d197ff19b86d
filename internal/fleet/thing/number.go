package thing

import "github.com/ardesia-iot/ardesia/internal/fleet/series"

// A Part is one number of a value: the value itself, and then it has no name, or an attribute of a composite.
type Part struct {
	Name   string // "lat"; "" for the value itself
	Number float64
}

// Parts appends the numbers of a kept value of kind k to all; booleans are 0 and 1. Texts and free objects have
// none, nor has a value of another kind, which was kept before the property got its type.
func (k Kind) Parts(all []Part, v series.Value) []Part {
	switch {
	case k.composite():
		w, told := k.told(v)
		for i, f := range fields[k] {
			if told[i] {
				all = append(all, Part{f.name, w[i]})
			}
		}
	case !k.numeric() || !k.fits(v):
	case v.Kind == series.Float:
		all = append(all, Part{"", v.Num})
	default:
		all = append(all, Part{"", float64(v.Int)})
	}
	return all
}
