package cloud

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	// PageLimit is how many values of one property an answer has at most; cloud-api reference, section 6.9.
	PageLimit = 1000
	// maxPage is how many we believe.
	maxPage = 20_000
	// maxValue is how long one value may be, in bytes of JSON.
	maxValue = 256 << 10
)

// A Window asks for the oldest values of a property from From to before To.
type Window struct {
	Property string
	From, To time.Time
}

// A Point is one value.
type Point struct {
	At    time.Time
	Value json.RawMessage
}

// A Part answers a Window: its oldest values, in order of time and at most one for each microsecond,
// and where to go on.
type Part struct {
	Points []Point
	Read   int       // values of the answer
	Nulls  int       // of these, those that say nothing
	Odd    int       // of these, those with a time that cannot be read, or that was not asked for
	Double int       // of these, those at the microsecond of another
	Next   time.Time // where the next Window begins
	Done   bool      // there is nothing more before To
	Failed string    // why the property cannot be read; nothing else is set then
}

// Past reads a part of the history of each window, all in one request.
func (s *Server) Past(ctx context.Context, windows []Window) ([]Part, error) {
	type query struct {
		Q     string `json:"q"`
		From  string `json:"from"`
		To    string `json:"to"`
		Limit int    `json:"series_limit"`
		Sort  string `json:"sort"`
	}
	in := struct {
		Requests []query `json:"requests"`
		Version  int     `json:"resp_version"`
	}{Version: 1}
	for _, w := range windows {
		in.Requests = append(in.Requests, query{"property." + w.Property, w.From.Format(time.RFC3339Nano), w.To.Format(time.RFC3339Nano), PageLimit, "ASC"})
	}
	raw, err := s.ask(ctx, http.MethodPost, "/iot/v2/series/batch_query_raw", in)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return readPast(raw, windows)
}

type wireSeries struct {
	Query   string            `json:"query"`
	Status  string            `json:"status"`
	Message string            `json:"message"`
	To      json.RawMessage   `json:"to_date"`
	Times   []json.RawMessage `json:"times"`
	Values  []json.RawMessage `json:"values"`
}

// readResponses reads the responses of a batch in the order of its queries.
func readResponses(raw json.RawMessage, queries []string) ([]wireSeries, error) {
	var in struct {
		Responses []wireSeries `json:"responses"`
	}
	if err := decode(raw, &in); err != nil {
		return nil, err
	}
	if len(in.Responses) != len(queries) {
		return nil, shape("%d answers to %d queries", len(in.Responses), len(queries))
	}
	for i, r := range in.Responses {
		if r.Query != "" && !strings.EqualFold(r.Query, queries[i]) {
			return nil, shape("the answer to %s is about %.64q", queries[i], r.Query)
		}
		if len(r.Times) != len(r.Values) {
			return nil, shape("%d values at %d times", len(r.Values), len(r.Times))
		}
		if len(r.Times) > maxPage {
			return nil, shape("%d values at once", len(r.Times))
		}
	}
	return in.Responses, nil
}

// failed says why a query was not answered; "" if it was.
func (r *wireSeries) failed() string {
	if r.Status == "" || strings.EqualFold(r.Status, "ok") {
		return ""
	}
	why := r.Status
	if r.Message != "" {
		why += ": " + r.Message
	}
	return strings.ToValidUTF8(why[:min(len(why), 500)], "")
}

func readPast(raw json.RawMessage, windows []Window) ([]Part, error) {
	queries := make([]string, len(windows))
	for i, w := range windows {
		queries[i] = "property." + w.Property
	}
	responses, err := readResponses(raw, queries)
	if err != nil {
		return nil, err
	}
	all := make([]Part, len(windows))
	for i := range responses {
		if why := responses[i].failed(); why != "" {
			all[i] = Part{Failed: why}
		} else {
			all[i] = readPart(&responses[i], windows[i])
		}
	}
	return all, nil
}

// readPart reads what came for one window, and finds where to go on so that every request comes further,
// whatever the server says.
func readPart(r *wireSeries, w Window) Part {
	p := Part{Read: len(r.Times)}
	for i, text := range r.Times {
		at, ok := moment(text)
		value := r.Values[i]
		switch {
		case !ok || at.Before(w.From) || !at.Before(w.To):
			p.Odd++
		case len(value) == 0 || string(value) == "null":
			p.Nulls++
			p.Next = later(p.Next, at.Truncate(time.Microsecond).Add(time.Microsecond))
		case len(value) > maxValue:
			p.Odd++
			p.Next = later(p.Next, at.Truncate(time.Microsecond).Add(time.Microsecond))
		default:
			p.Points = append(p.Points, Point{at.Truncate(time.Microsecond), value})
			p.Next = later(p.Next, at.Truncate(time.Microsecond).Add(time.Microsecond))
		}
	}
	slices.SortStableFunc(p.Points, func(a, b Point) int { return a.At.Compare(b.At) })
	distinct := p.Points[:0]
	for _, one := range p.Points {
		if n := len(distinct); n > 0 && distinct[n-1].At.Equal(one.At) {
			p.Double++
			continue
		}
		distinct = append(distinct, one)
	}
	p.Points = distinct
	to, told := moment(r.To)
	switch {
	case !p.Next.IsZero():
		// Whether that was all is told by an empty answer alone: a server may send less than it is asked for.
	case p.Read > 0:
		// Only what was not asked for: a server that knows whole seconds begins with the same values again.
		p.Next = w.From.Truncate(time.Second).Add(time.Second)
	case told && to.After(w.From) && to.Before(w.To):
		p.Next = to // it looked at a part of what was asked for
	default:
		p.Next, p.Done = w.To, true
	}
	if !p.Next.Before(w.To) {
		p.Next, p.Done = w.To, true
	}
	return p
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// A Tally is what can be said of many values without reading them.
type Tally struct {
	Count         int64
	Sum, Min, Max float64
	Known         bool // false where the server cannot say it
}

// tallySpan is as many days as an answer has bins of a day, less one, as bins begin at whole days; cloud-api
// reference, section 6.9.
const tallySpan = 999 * 24 * time.Hour

// Tally asks a server to count and to sum up the numbers of a property.
func (s *Server) Tally(ctx context.Context, property string, from, to time.Time) (Tally, error) {
	all := Tally{Known: true}
	for at := from; at.Before(to); at = at.Add(tallySpan) {
		part, err := s.tally(ctx, property, at, earlier(at.Add(tallySpan), to))
		if err != nil || !part.Known {
			return Tally{}, err
		}
		if part.Count == 0 {
			continue
		}
		if all.Count == 0 {
			all.Min, all.Max = part.Min, part.Max
		}
		all.Count += part.Count
		all.Sum += part.Sum
		all.Min, all.Max = min(all.Min, part.Min), max(all.Max, part.Max)
	}
	return all, nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func (s *Server) tally(ctx context.Context, property string, from, to time.Time) (Tally, error) {
	type query struct {
		Q           string `json:"q"`
		From        string `json:"from"`
		To          string `json:"to"`
		Interval    int    `json:"interval"`
		Limit       int    `json:"series_limit"`
		Aggregation string `json:"aggregation"`
	}
	in := struct {
		Requests []query `json:"requests"`
		Version  int     `json:"resp_version"`
	}{Version: 1}
	queries := []string{}
	for _, how := range []string{"COUNT", "SUM", "MIN", "MAX"} {

		in.Requests = append(in.Requests, query{"property." + property, from.Format(time.RFC3339Nano), to.Format(time.RFC3339Nano), 86400, 1000, how})
		queries = append(queries, "property."+property)
	}
	raw, err := s.ask(ctx, http.MethodPost, "/iot/v2/series/batch_query", in)
	switch status(err) {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusNotImplemented:
		return Tally{}, nil
	}
	if err != nil {
		return Tally{}, fmt.Errorf("count history: %w", err)
	}
	return readTally(raw, queries)
}

func readTally(raw json.RawMessage, queries []string) (t Tally, err error) {
	responses, err := readResponses(raw, queries)
	if err != nil {
		return t, err
	}
	t.Known = true
	for i, r := range responses {
		if r.failed() != "" {
			return Tally{}, nil
		}
		for n, text := range r.Values {
			var v float64
			if err := json.Unmarshal(text, &v); err != nil {
				return Tally{}, shape("the count %.32q", text)
			}
			switch {
			case i == 0:
				t.Count += int64(v)
			case i == 1:
				t.Sum += v
			case i == 2 && n == 0:
				t.Min = v
			case i == 2:
				t.Min = min(t.Min, v)
			case n == 0:
				t.Max = v
			default:
				t.Max = max(t.Max, v)
			}
		}
	}
	return t, nil
}
