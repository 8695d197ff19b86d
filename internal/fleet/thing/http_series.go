package thing

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ErrNoExport is what we cannot do yet.
var ErrNoExport = problem.New(problem.Unsupported, "export-unsupported", "This server sends no mail, so it cannot mail an export. Download the values with GET /v1/things/{id}/history.")

// respVersion is the form of the answers below. Clients say which one they want,
// also 0; there is only this one.
const respVersion = 1

type (
	wireTimeseries struct {
		Data []wireBin `json:"data"`
	}
	wireBin struct {
		Time  time.Time `json:"time"`
		Value float64   `json:"value"`
	}

	inBatch struct {
		Requests    []inQuery `json:"requests" rule:"required,items=0..1000"`
		RespVersion int64     `json:"resp_version"`
	}
	inQuery struct {
		Aggregation string    `json:"aggregation"`
		From        time.Time `json:"from" rule:"required"`
		Interval    *int64    `json:"interval"` // seconds
		Q           string    `json:"q" rule:"required"`
		SeriesLimit *int64    `json:"series_limit"`
		To          time.Time `json:"to" rule:"required"`
	}

	inOpenBatch struct {
		Requests    []inOpenQuery `json:"requests" rule:"required,items=0..1000"`
		RespVersion int64         `json:"resp_version"`
	}
	// inOpenQuery is a query for raw or for sampled values.
	inOpenQuery struct {
		From        *time.Time `json:"from"`
		Interval    *int64     `json:"interval"` // seconds, of sampled values
		Q           string     `json:"q" rule:"required"`
		SeriesLimit *int64     `json:"series_limit"`
		Sort        string     `json:"sort" rule:"enum=|ASC|DESC"` // of raw values
		To          *time.Time `json:"to"`
	}

	inLastBatch struct {
		Requests []inLastQuery `json:"requests" rule:"required,items=0..1000"`
	}
	inLastQuery struct {
		PropertyID string `json:"property_id" rule:"required"`
		ThingID    string `json:"thing_id" rule:"required"`
	}

	inExport struct {
		From       time.Time `json:"from" rule:"required"`
		Properties []string  `json:"properties" rule:"required,items=1..,format=uuid"`
		To         time.Time `json:"to" rule:"required"`
	}

	// wireAnswer is what the answers to all queries have.
	wireAnswer struct {
		CountValues  int         `json:"count_values"`
		FromDate     time.Time   `json:"from_date"`
		Message      string      `json:"message,omitempty"`
		PropertyID   string      `json:"property_id,omitempty"`
		PropertyName string      `json:"property_name,omitempty"`
		PropertyType string      `json:"property_type,omitempty"`
		Query        string      `json:"query"`
		RespVersion  int64       `json:"resp_version"`
		SeriesLimit  int         `json:"series_limit,omitempty"`
		Status       string      `json:"status"`
		ThingID      string      `json:"thing_id,omitempty"`
		Times        []time.Time `json:"times"`
		ToDate       time.Time   `json:"to_date"`
	}
	wireBins struct {
		wireAnswer
		Aggregation string    `json:"aggregation,omitempty"`
		Interval    int64     `json:"interval"`
		Values      []float64 `json:"values"`
	}
	wireRaw struct {
		wireAnswer
		Series wireMetric        `json:"series"`
		Sort   string            `json:"sort"`
		Values []json.RawMessage `json:"values"`
	}
	wireSampled struct {
		wireAnswer
		Interval int64             `json:"interval"`
		Values   []json.RawMessage `json:"values"`
	}
	wireMetric struct {
		Metric string `json:"metric"` // required, and mostly empty in the original
	}
	wireLast struct {
		CountValues int               `json:"count_values"`
		PropertyID  string            `json:"property_id"`
		ThingID     string            `json:"thing_id"`
		Times       []time.Time       `json:"times"`
		Values      []json.RawMessage `json:"values"`
	}

	wireBatch[T any] struct {
		RespVersion int64 `json:"resp_version"`
		Responses   []T   `json:"responses"`
	}
	wireLastBatch struct {
		Responses []wireLast `json:"responses"`
		Status    string     `json:"status"`
	}
)

func (s *Service) seriesRoutes() []door.Route {
	// A batch of a thousand queries takes about 200 bytes each, and some time.
	const body, wait = 512 << 10, 60 * time.Second
	return []door.Route{
		{Pattern: "POST /iot/v2/series/batch_query", Action: "series:query", MaxBody: body, Timeout: wait, In: inBatch{}, Out: wireBatch[wireBins]{}, Do: s.httpBatch},
		{Pattern: "POST /iot/v2/series/batch_query_raw", Action: "series:query", MaxBody: body, Timeout: wait, In: inOpenBatch{}, Out: wireBatch[wireRaw]{}, Do: s.httpRaw},
		{Pattern: "POST /iot/v2/series/batch_query_raw/lastvalue", Action: "series:query", MaxBody: body, In: inLastBatch{}, Out: wireLastBatch{}, Do: s.httpLast},
		{Pattern: "POST /iot/v2/series/batch_query_sampling", Action: "series:query", MaxBody: body, Timeout: wait, In: inOpenBatch{}, Out: wireBatch[wireSampled]{}, Do: s.httpSampling},
		{Pattern: "POST /iot/v2/series/historic_data", Action: "series:export", In: inExport{}, Do: s.httpExport},
	}
}

// A batch answers queries one by one.
type batch struct {
	s       *Service
	r       *http.Request
	space   string
	targets targets
	left    int // values that may still be told
}

func (s *Service) newBatch(r *http.Request, who access.Actor, queries []string) (*batch, error) {
	t, err := s.lookUp(r.Context(), who, queries)
	return &batch{s: s, r: r, space: who.Space, targets: t, left: batchBudget}, err
}

// each calls answer for each property that q is about; only for numeric ones when q
// is about a whole thing and numeric is set. refuse is called when that fails.
func (b *batch) each(q string, numeric bool, answer func(t target, p Property) (count int, err error), refuse func(p Property, status, message string)) error {
	t, err := b.targets.of(q)
	if err != nil {
		t.all = []Property{{}}
	}
	for _, p := range t.all {
		if t.whole && numeric && !p.Type.Kind.numeric() {
			continue
		}
		n, err := 0, err
		if err == nil && b.left <= 0 {
			err = ErrBudget
		}
		if err == nil {
			n, err = answer(t, p)
		}
		if err != nil {
			status, message, fatal := statusOf(err)
			if fatal != nil {
				return fatal
			}
			refuse(p, status, message)
			continue
		}
		b.left -= n
	}
	return nil
}

// about fills in what an answer says of its property; q stands for one that was not found.
func about(p Property, q string, from, to time.Time) wireAnswer {
	a := wireAnswer{FromDate: from.UTC(), ToDate: to.UTC(), Query: q, RespVersion: respVersion, Status: "ok", Times: []time.Time{}}
	if p.ID != "" {
		a.Query, a.PropertyID, a.PropertyName, a.PropertyType, a.ThingID = "property."+p.ID, p.ID, p.Name, p.Type.Name, p.Thing
	}
	return a
}

func (s *Service) httpBatch(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inBatch
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	queries := make([]string, len(in.Requests))
	for i, q := range in.Requests {
		queries[i] = q.Q
	}
	b, err := s.newBatch(r, who, queries)
	if err != nil {
		return err
	}
	out := wireBatch[wireBins]{RespVersion: respVersion, Responses: []wireBins{}}
	for _, q := range in.Requests {
		err := b.each(q.Q, true, func(t target, p Property) (int, error) {
			one, err := b.bins(q, t, p)
			if err == nil {
				out.Responses = append(out.Responses, one)
			}
			return one.CountValues, err
		}, func(p Property, status, message string) {
			one := wireBins{wireAnswer: about(p, q.Q, q.From, q.To), Values: []float64{}}
			one.Status, one.Message = status, message
			out.Responses = append(out.Responses, one)
		})
		if err != nil {
			return err
		}
	}
	return rest.Write(w, http.StatusOK, rest.Media("series.batch"), out)
}

func (b *batch) bins(q inQuery, t target, p Property) (wireBins, error) {
	if err := checkRange(q.From, q.To); err != nil {
		return wireBins{}, err
	}
	limit := clamp(q.SeriesLimit, binsDefault, binsMax, t)
	interval := binsFor(q.From, q.To, limit)
	if q.Interval != nil && *q.Interval > 0 {
		interval = time.Duration(min(*q.Interval, int64(intervalMax/time.Second))) * time.Second
	}
	a, err := aggregationOf(q.Aggregation, p.Type)
	if err != nil {
		return wireBins{}, err
	}
	bins, err := b.s.aggregate(b.r.Context(), b.targets.space(p, b.space), p, aggregate{from: q.From, to: q.To, interval: interval, limit: limit, aggregation: a})
	if err != nil {
		return wireBins{}, err
	}
	one := wireBins{wireAnswer: about(p, q.Q, q.From, q.To), Aggregation: a.String(), Interval: int64(interval / time.Second), Values: make([]float64, 0, len(bins))}
	for _, bin := range bins {
		one.Times, one.Values = append(one.Times, bin.At), append(one.Values, bin.Value)
	}
	one.CountValues, one.SeriesLimit = len(bins), limit
	return one, nil
}

func (s *Service) httpRaw(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	b, in, err := s.openBatch(r, who)
	if err != nil {
		return err
	}
	out := wireBatch[wireRaw]{RespVersion: respVersion, Responses: []wireRaw{}}
	for _, q := range in.Requests {
		from, to := time.Unix(0, 0), s.now()
		if q.From != nil {
			from = *q.From
		}
		if q.To != nil {
			to = *q.To
		}
		if q.Sort == "" {
			q.Sort = "DESC"
		}
		err := b.each(q.Q, false, func(t target, p Property) (int, error) {
			query := series.Query{Series: p.ID, Space: b.targets.space(p, b.space), Limit: clamp(q.SeriesLimit, rawDefault, rawMax, t), Desc: q.Sort == "DESC"}
			if err := checkRange(from, to); err != nil {
				return 0, err
			}
			if q.From != nil {
				query.From = from
			}
			if q.To != nil {
				query.To = to
			}
			points, err := s.needs.Series.Raw(r.Context(), query)
			if err != nil {
				return 0, err
			}
			one := wireRaw{wireAnswer: about(p, q.Q, from, to), Sort: q.Sort}
			one.Values = one.tell(points)
			one.SeriesLimit = query.Limit
			out.Responses = append(out.Responses, one)
			return len(points), nil
		}, func(p Property, status, message string) {
			one := wireRaw{wireAnswer: about(p, q.Q, from, to), Sort: q.Sort, Values: []json.RawMessage{}}
			one.Status, one.Message = status, message
			out.Responses = append(out.Responses, one)
		})
		if err != nil {
			return err
		}
	}
	return rest.Write(w, http.StatusOK, rest.Media("series.raw.batch"), out)
}

func (s *Service) openBatch(r *http.Request, who access.Actor) (*batch, inOpenBatch, error) {
	var in inOpenBatch
	if err := rest.Read(r, &in); err != nil {
		return nil, in, err
	}
	queries := make([]string, len(in.Requests))
	for i, q := range in.Requests {
		queries[i] = q.Q
	}
	b, err := s.newBatch(r, who, queries)
	return b, in, err
}

// tell puts points into an answer and returns their values.
func (a *wireAnswer) tell(points []series.Point) []json.RawMessage {
	values := make([]json.RawMessage, len(points))
	for i, p := range points {
		a.Times = append(a.Times, p.At)
		values[i] = appendJSON(nil, p.Value)
	}
	a.CountValues = len(points)
	return values
}

func (s *Service) httpSampling(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	b, in, err := s.openBatch(r, who)
	if err != nil {
		return err
	}
	out := wireBatch[wireSampled]{RespVersion: respVersion, Responses: []wireSampled{}}
	for _, q := range in.Requests {
		to := s.now()
		if q.To != nil {
			to = *q.To
		}
		from := to.Add(-sampleWindow)
		if q.From != nil {
			from = *q.From
		}
		interval := sampleDefault
		if q.Interval != nil && *q.Interval > 0 {
			interval = min(max(time.Duration(min(*q.Interval, int64(intervalMax/time.Second)))*time.Second, sampleMin), intervalMax)
		}
		err := b.each(q.Q, false, func(t target, p Property) (int, error) {
			if err := checkRange(from, to); err != nil {
				return 0, err
			}
			query := series.Query{Series: p.ID, Space: b.targets.space(p, b.space), From: from, To: to, Interval: interval, Limit: clamp(q.SeriesLimit, binsDefault, binsMax, t)}
			points, err := s.needs.Series.Sample(r.Context(), query)
			if err != nil {
				return 0, err
			}
			one := wireSampled{wireAnswer: about(p, q.Q, from, to), Interval: int64(interval / time.Second)}
			one.Values = one.tell(points)
			one.SeriesLimit = query.Limit
			out.Responses = append(out.Responses, one)
			return len(points), nil
		}, func(p Property, status, message string) {
			one := wireSampled{wireAnswer: about(p, q.Q, from, to), Interval: int64(interval / time.Second), Values: []json.RawMessage{}}
			one.Status, one.Message = status, message
			out.Responses = append(out.Responses, one)
		})
		if err != nil {
			return err
		}
	}
	return rest.Write(w, http.StatusOK, rest.Media("series.batch.sampled"), out)
}

func (s *Service) httpLast(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inLastBatch
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	queries := make([]string, len(in.Requests))
	for i, q := range in.Requests {
		queries[i] = "property." + q.PropertyID
	}
	found, err := s.lookUp(r.Context(), who, queries)
	if err != nil {
		return err
	}
	out := wireLastBatch{Responses: []wireLast{}, Status: "ok"}
	for _, q := range in.Requests {
		one := wireLast{PropertyID: q.PropertyID, ThingID: q.ThingID, Times: []time.Time{}, Values: []json.RawMessage{}}
		p, known := found.properties[strings.ToLower(q.PropertyID)]
		if known && p.Thing == strings.ToLower(q.ThingID) {
			if last, ok := s.last(p.ID, p.Persist); ok {
				one.CountValues = 1
				one.Times = append(one.Times, last.At)
				one.Values = append(one.Values, appendJSON(nil, last.Value))
			}
		}
		out.Responses = append(out.Responses, one)
	}
	return rest.Write(w, http.StatusOK, rest.Media("series.raw.batch.lastvalue"), out)
}

func (s *Service) httpExport(http.ResponseWriter, *http.Request, access.Actor) error {
	return ErrNoExport
}

func (s *Service) httpTimeseries(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	who, _, err := s.inside(r, who)
	if err != nil {
		return err
	}
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	p, err := t.Property(pathProperty(r))
	if err != nil {
		return err
	}
	a := aggregate{limit: timeseriesLimit}
	if a.desc, err = rest.Flag(r, "desc"); err != nil {
		return err
	}
	if a.to, err = moment(r, "to", s.now()); err != nil {
		return err
	}
	if a.from, err = moment(r, "from", a.to.Add(-timeseriesSpan)); err != nil {
		return err
	}
	if err := checkRange(a.from, a.to); err != nil {
		return err
	}
	a.interval = binsFor(a.from, a.to, timeseriesLimit)
	if text := r.URL.Query().Get("interval"); text != "" {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 1 {
			return rest.ErrQuery.With("The parameter \"interval\" is a whole number of seconds, at least 1.")
		}
		a.interval = time.Duration(n) * time.Second
	}
	name := r.URL.Query().Get("aggregation")
	if name == "" {
		name = series.Avg.String()
	}
	if a.aggregation, err = aggregationOf(name, p.Type); err != nil {
		return err
	}
	bins, err := s.aggregate(r.Context(), who.Space, *p, a)
	if err != nil {
		return err
	}
	out := wireTimeseries{Data: make([]wireBin, len(bins))}
	for i, bin := range bins {
		out.Data[i] = wireBin{Time: bin.At, Value: bin.Value}
	}
	return rest.Write(w, http.StatusOK, rest.Media("timeseriesmedia"), out)
}

// moment reads a time of the query.
func moment(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	t, err := readMoment(text)
	if err != nil {
		return time.Time{}, rest.ErrQuery.With("The parameter \"" + name + "\" is a date and time as in RFC 3339.")
	}
	return t, nil
}

// readMoment reads a time as clients write it in a query. The plus of an offset
// that they did not escape has become a space.
func readMoment(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, strings.ReplaceAll(text, " ", "+"))
	return t.UTC(), err
}
