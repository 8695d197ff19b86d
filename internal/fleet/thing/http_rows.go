package thing

import (
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// A wireRow is one value; tables write it without going through this.
type wireRow struct {
	Time     time.Time       `json:"time"`
	Thing    string          `json:"thing"`    // its name
	Property string          `json:"property"` // likewise
	Value    json.RawMessage `json:"value"`
}

// rowKeys are what the names in a row are called.
var rowKeys = [2]string{"thing", "property"}

// rowRoutes are ours: answers for programs that draw tables and charts and want neither batches nor columns.
func (s *Service) rowRoutes() []door.Route {
	return []door.Route{
		{Pattern: "GET /v1/series/rows", Action: "series:query", Timeout: 60 * time.Second, Out: []wireRow{}, Do: s.httpRows},
	}
}

func (s *Service) httpRows(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	q, err := readRows(r, s.now())
	if err != nil {
		return err
	}
	format, err := tableFormat(r, asJSON)
	if err != nil {
		return err
	}
	a, err := s.rows(r.Context(), who, q)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaTypes[format])
	if format == asCSV {
		w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": "values.csv"}))
	}
	t := newTable(w, format, rowKeys)
	for _, one := range a.rows {
		p := &a.properties[one.of]
		if err := t.write(one.at, [2]string{a.targets.things[p.Thing].Name, p.Name}, one.value); err != nil {
			return err
		}
	}
	return t.end()
}

// readRows reads a question for rows, at the time now.
func readRows(r *http.Request, now time.Time) (q rowsQuery, err error) {
	asked := r.URL.Query()
	if q.properties, err = readIDs(asked["property"]); err != nil {
		return q, err
	}
	if q.things, err = readIDs(asked["thing"]); err != nil {
		return q, err
	}
	q.names = given(asked["name"])
	switch {
	case len(q.names) > 0 && len(q.things) == 0:
		return q, rest.ErrQuery.With("The parameter \"name\" is about properties of a thing: say thing=ID too.")
	case len(q.names) > rowProperties:
		return q, ErrTooManyRows
	}
	if q.to, err = instant(r, "to", now); err != nil {
		return q, err
	}
	if q.from, err = instant(r, "from", q.to.Add(-rowSpan)); err != nil {
		return q, err
	}
	if err := checkRange(q.from, q.to); err != nil {
		return q, err
	}
	if text := asked.Get("interval"); text != "" {
		if q.interval, err = readInterval(text); err != nil {
			return q, err
		}
	}
	if q.how, err = readHow(asked.Get("aggregation")); err != nil {
		return q, err
	}
	q.points = pointsDefault
	if q.interval > 0 {
		q.points = pointsMax
	}
	if text := asked.Get("points"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > pointsMax {
			return q, rest.ErrQuery.With("The parameter \"points\" is a whole number from 1 to " + strconv.Itoa(pointsMax) + ".")
		}
		q.points = n
	}
	return q, nil
}

// readIDs reads a parameter that is repeated, or has commas: Grafana cannot repeat one for each value of a variable.
func readIDs(values []string) ([]string, error) {
	var all []string
	for _, text := range values {
		for id := range strings.SplitSeq(text, ",") {
			id = strings.ToLower(strings.TrimSpace(id))
			switch {
			case id == "":
				continue
			case !topic.IsID(id):
				return nil, ErrID
			case len(all) == rowProperties:
				return nil, ErrTooManyRows
			}
			all = append(all, id)
		}
	}
	return all, nil
}

// instant is moment for programs that count: milliseconds since 1970 do as well.
func instant(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	if ms, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64); err == nil {
		return time.UnixMilli(ms).UTC(), nil
	}
	t, err := moment(r, name, otherwise)
	if err != nil {
		return t, rest.ErrQuery.With("The parameter \"" + name + "\" is a date and time as in RFC 3339, or milliseconds since 1970.")
	}
	return t, nil
}

const (
	day         = 24 * time.Hour
	maxInterval = 366 * day
)

// readInterval reads a number of seconds, or a length of time as Go and Grafana write it: 90s, 1h30m, 250ms, 1d, 2w.
func readInterval(text string) (time.Duration, error) {
	length, err := time.ParseDuration(text)
	if n, notNumber := strconv.ParseInt(text, 10, 32); notNumber == nil {
		length, err = time.Duration(n)*time.Second, nil
	}
	for unit, of := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if count, ok := strings.CutSuffix(text, unit); ok {
			var n int64
			if n, err = strconv.ParseInt(count, 10, 16); err == nil {
				length = time.Duration(n) * of
			}
		}
	}
	if err != nil || length < time.Millisecond || length > maxInterval {
		return 0, rest.ErrQuery.With("The parameter \"interval\" is a number of seconds or a length of time as 250ms, 30s, 5m, 1h30m, 1d, 2w: at least 1ms, at most 366d.")
	}
	return length.Truncate(time.Microsecond), nil
}

// readHow reads the name of an aggregation, in whichever case.
func readHow(text string) (string, error) {
	name := strings.ToUpper(text)
	if _, known := series.ParseAggregation(name); !known && name != "" && name != howLast {
		return "", ErrAggregation.With(strings.TrimSuffix(ErrAggregation.Detail, ".") + ", and here " + howLast + ", too.")
	}
	return name, nil
}
