package thing

import (
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const (
	// A download has as many values as there are, so it has no length that could
	// bound its time. downloadTime is for a few hundred million of them.
	downloadTime = time.Hour
	// downloadPart is how many values are written between two extensions of the
	// time that a client may take to read them, downloadWait.
	downloadPart = 4096
	downloadWait = 60 * time.Second
)

// downloadRoutes are ours: the compatible API mails a history, as CSV in a zip.
func (s *Service) downloadRoutes() []door.Route {
	return []door.Route{
		{Pattern: "GET /v1/things/{id}/history", Action: "series:export", Resource: s.resource, Timeout: downloadTime, Do: s.httpDownload},
	}
}

// httpDownload writes all values of a thing's properties, or of those that
// "property" names (by ID, variable name or name, repeatedly), from "from" to
// before "to": one property behind the other, the oldest value first. "format" is
// csv or json. An answer that ends early breaks the connection, so that nobody
// takes a part for the whole.
func (s *Service) httpDownload(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	all, err := t.chosen(r.URL.Query()["property"])
	if err != nil {
		return err
	}
	// Times are as far as points can lie, so that an open end is the end.
	from, err := moment(r, "from", series.Earliest)
	if err != nil {
		return err
	}
	to, err := moment(r, "to", series.Latest)
	if err != nil {
		return err
	}
	if err := checkRange(from, to); err != nil {
		return err
	}
	format, err := tableFormat(r, asCSV)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaTypes[format])
	w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": slug(t.Name) + "." + format}))
	d := newTable(w, format, [2]string{"property_id", "property"})
	patience := http.NewResponseController(w)
	written := 0
	for _, p := range all {
		q := series.Query{Series: p.ID, Space: t.Space, From: from, To: to}
		err := s.needs.Series.Each(r.Context(), q, func(point series.Point) error {
			if written%downloadPart == 0 {
				_ = patience.SetWriteDeadline(s.now().Add(downloadWait)) // not every writer has deadlines
			}
			written++
			return d.write(point.At, [2]string{p.ID, p.Variable}, point.Value)
		})
		if err != nil {
			return err
		}
	}
	return d.end()
}

// chosen finds living properties by their ID, variable name or name; all when none
// is named.
func (t *Thing) chosen(names []string) ([]Property, error) {
	living := t.Living()
	if len(names) == 0 {
		return living, nil
	}
	all := make([]Property, 0, len(names))
	for _, name := range names {
		p := called(living, name)
		if p == nil {
			return nil, ErrPropertyNotFound
		}
		all = append(all, *p)
	}
	return all, nil
}

// called finds the property with an ID or variable name, or else a name, among all; nil when there is none.
func called(all []Property, name string) *Property {
	if p := findBy(all, func(p *Property) bool { return p.ID == strings.ToLower(name) || p.Variable == name }); p != nil {
		return p
	}
	return findBy(all, func(p *Property) bool { return p.Name == name })
}

func findBy(all []Property, is func(p *Property) bool) *Property {
	for i := range all {
		if is(&all[i]) {
			return &all[i]
		}
	}
	return nil
}
