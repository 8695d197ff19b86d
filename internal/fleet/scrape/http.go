package scrape

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// formats are those that a scrape may be written as. Text is what people and older programs get.
var formats = []expfmt.Format{expfmt.FmtOpenMetrics_1_0_0, expfmt.FmtText}

// kinds are the Content-Types of formats. Each names how names would be escaped that have other letters than ours.
var kinds = func() string {
	var all []string
	for _, f := range formats {
		for _, how := range []string{model.AllowUTF8, model.EscapeUnderscores, model.EscapeDots, model.EscapeValues} {
			all = append(all, string(f)+"; "+model.EscapingKey+"="+how)
		}
	}
	return strings.Join(all, ", ")
}()

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	return docs.Tell([]door.Route{
		{Pattern: "GET /v1/integrations/prometheus", Action: "thing:list", Do: s.httpScrape},
	})
}

func (s *Service) httpScrape(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := readFilter(r)
	if err != nil {
		return err
	}
	families, err := s.Scrape(r.Context(), who, f)
	if err != nil {
		return err
	}
	// Whatever can go wrong has, so that the library has nothing to say in its own words.
	ready := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	promhttp.HandlerFor(ready, promhttp.HandlerOpts{AcceptedFormats: formats}).ServeHTTP(w, r)
	return nil
}

// readFilter reads which things are asked for.
func readFilter(r *http.Request) (thing.Filter, error) {
	q := r.URL.Query()
	f, err := thing.ReadFilter(q["thing"], q["tag"])
	if err != nil {
		return f, err
	}
	for _, id := range f.IDs {
		if !topic.IsID(id) {
			return f, thing.ErrID
		}
	}
	return f, nil
}
