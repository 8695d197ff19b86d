package scrape

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// MaxSeries is how many series one scrape has: about 7 MB as text, and a few hundred ms of work.
const MaxSeries = 20_000

// ErrTooManySeries is a space, or what a filter leaves of it, that is too large for one scrape.
var ErrTooManySeries = problem.New(problem.TooLarge, "too-many-series", "That is more than "+strconv.Itoa(MaxSeries)+" series, which one scrape has at most. "+
	"Make several jobs that each take a part: with params of tag: [\"key:value\"], or thing: [\"ID\"].")

const (
	helpValue   = "Last value of a property: a number, or 0 and 1 for a boolean; part names an attribute of a value that has several."
	helpUpdated = "When the last value of a property came, in seconds since 1970; of texts, too."
	helpUp      = "Whether the device of a thing is connected."
)

// What a series says whose it is.
var (
	ofProperty = []string{"thing", "thing_id", "property", "variable", "property_id"}
	ofDevice   = []string{"device", "device_id", "thing", "thing_id"}
)

var (
	updated = prometheus.NewDesc("ardesia_property_updated_timestamp_seconds", helpUpdated, ofProperty, nil)
	up      = prometheus.NewDesc("ardesia_device_up", helpUp, ofDevice, nil)

	// values are those of types without and with a unit, and of whole values and parts: an empty label is noise.
	values = func() (all [2][2]*prometheus.Desc) {
		for unit := range 2 {
			for part := range 2 {
				labels := append([]string{}, ofProperty...)
				labels = append(labels, "type")
				if unit == 1 {
					labels = append(labels, "unit")
				}
				if part == 1 {
					labels = append(labels, "part")
				}
				all[unit][part] = prometheus.NewDesc("ardesia_property_value", helpValue, labels, nil)
			}
		}
		return all
	}()
)

// A sample is one line of a scrape.
type sample struct {
	desc   *prometheus.Desc
	labels []string // in the order of desc
	value  float64
}

// samples are a scrape. As a Collector they describe nothing beforehand: which labels a value has depends on its type.
type samples []sample

// Describe tells nothing, and so makes it an unchecked Collector; what it collects is checked all the same.
func (samples) Describe(chan<- *prometheus.Desc) {}

// Collect hands all of them over.
func (all samples) Collect(to chan<- prometheus.Metric) {
	for i := range all {
		m, err := prometheus.NewConstMetric(all[i].desc, prometheus.GaugeValue, all[i].value, all[i].labels...)
		if err != nil {
			m = prometheus.NewInvalidMetric(all[i].desc, err)
		}
		to <- m
	}
}

// add appends a sample, unless there are too many.
func (all *samples) add(one sample) error {
	if len(*all) == MaxSeries {
		return ErrTooManySeries
	}
	*all = append(*all, one)
	return nil
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
