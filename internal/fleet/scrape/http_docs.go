package scrape

import (
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// docs are what the document of the API says about the routes of this room.
var docs = door.Words{
	"GET /v1/integrations/prometheus": {
		ID: "integrations#prometheus", Summary: "What the things of a space are now, as Prometheus reads it",
		More: "ardesia_property_value has numbers, booleans as 0 and 1, and the attributes of values that have several by the label part; ardesia_property_updated_timestamp_seconds has when the last value came, " +
			"ardesia_device_up whether a thing's device is connected. Texts are no labels: a series would be made of each. A scrape has at most 20000 series; make several jobs, by tag or thing, for more.",
		Query: askScrape{},
		Gives: kinds,
		Fails: []*problem.Problem{ErrTooManySeries, rest.ErrQuery, thing.ErrID},
	},
}

// The parameters of the query, for the document; the handler reads them.
type askScrape struct {
	Tag   []string `json:"tag" says:"KEY:VALUE, which a thing must have; all of them if there are several"`
	Thing []string `json:"thing" says:"only these things, by id"`
}
