package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

const (
	// abreast is how many properties are asked for in one request: at ten requests a second, 100,000 values a second.
	abreast = 10
	// A batch that is written has at most so many values and bytes; internal/fleet/thing takes 10,000 and 4 MiB.
	batchValues = 10_000
	batchBytes  = 3 << 20
	// gathered is how many bytes of values are held until they are written, of all properties together.
	gathered = 16 << 20
	// timeBytes is about what the time of a value takes in a request.
	timeBytes = 32
)

// beginning is before all values: boards have no clock before it, and the target takes none.
var beginning = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// A track is the history of one property on its way.
type track struct {
	source cloud.Property
	thing  string // the copy's
	id     string // the copy's
	past   *Past

	points  []cloud.Point // read and not written yet
	bytes   int
	read    Past      // what was counted of these, but for what the target says
	next    time.Time // where to go on reading
	strange int       // how many answers in a row had nothing of what was asked for
	end     bool      // there is nothing more to read
	lost    bool      // the target does not know the property any more
}

// tracks are the properties whose past is to be copied.
func (t *Transfer) tracks() (all []*track) {
	since := beginning
	if !t.cfg.Since.IsZero() {
		since = t.cfg.Since.UTC()
	}
	for _, one := range t.source.things {
		for _, p := range one.Properties {
			id, known := t.ids[p.ID]
			if !known {
				if t.cfg.DryRun {
					all = append(all, &track{source: p})
				}
				continue
			}
			past := t.state.Past[id]
			if past == nil || since.Before(past.Since) {
				past = &Past{Since: since}
				if !t.cfg.DryRun {
					t.state.Past[id] = past
				}
			}
			if past.Next.Before(since) {
				past.Next = since
			}
			all = append(all, &track{source: p, thing: t.owner[id], id: id, past: past, next: past.Next})
		}
	}
	return all
}

func (t *Transfer) copyHistory(ctx context.Context) error {
	all := t.tracks()
	t.report.History.Properties = len(all)
	if t.cfg.DryRun {
		return nil
	}
	defer t.sumUp(all)
	var open []*track
	for _, k := range all {
		if !k.source.Keeps() {
			if err := t.copyLast(ctx, k); err != nil {
				return fmt.Errorf("property %s: %w", k.source.ID, err)
			}
			continue
		}
		k.past.Failed = ""
		if k.past.Next.Before(t.state.Until) {
			open = append(open, k)
		}
	}
	var group []*track
	for {
		n := min(abreast-len(group), len(open))
		group, open = append(group, open[:n]...), open[n:]
		if len(group) == 0 {
			return nil
		}
		if err := t.gather(ctx, group); err != nil {
			return err
		}
		if err := t.pour(ctx, group); err != nil {
			return err
		}
		group = slices.DeleteFunc(group, func(k *track) bool { return k.end })
		t.tellHistory(all)
	}
}

// gather reads parts of all histories of a group, until a batch is full or they end.
func (t *Transfer) gather(ctx context.Context, group []*track) error {
	for {
		var windows []cloud.Window
		var asked []*track
		held := 0
		for _, k := range group {
			held += k.bytes
			if !k.end && len(k.points)+cloud.PageLimit <= batchValues && k.bytes < batchBytes {
				asked = append(asked, k)
				windows = append(windows, cloud.Window{Property: k.source.ID, From: k.next, To: t.state.Until})
			}
		}
		if len(asked) == 0 || held > gathered || slices.ContainsFunc(group, func(k *track) bool { return !k.end && !slices.Contains(asked, k) }) {
			return nil
		}
		parts, err := t.cfg.Source.Past(ctx, windows)
		if err != nil {
			return fmt.Errorf("source: %w", err)
		}
		for i, k := range asked {
			k.take(&parts[i])
		}
	}
}

// maxStrange is how many answers in a row may have nothing of what was asked for. A server that knows whole seconds gives one such.
const maxStrange = 60

func (k *track) take(p *cloud.Part) {
	if p.Failed != "" {
		k.end, k.past.Failed = true, "the source: "+p.Failed
		return
	}
	if p.Read == 0 || p.Odd < p.Read {
		k.strange = 0
	} else if k.strange++; k.strange > maxStrange {
		k.end, k.past.Failed = true, "the source: it answers with values of other times than those that it is asked for"
		return
	}
	k.points = append(k.points, p.Points...)
	for _, one := range p.Points {
		k.bytes += len(one.Value) + timeBytes
	}
	k.read.Read += int64(p.Read)
	k.read.Nulls += int64(p.Nulls)
	k.read.Odd += int64(p.Odd)
	k.read.Double += int64(p.Double)
	k.next, k.end = p.Next, p.Done
}

// pour writes what was gathered, and then remembers that it is written. Killed in between, it writes the same again, of
// which the target says that it is there.
func (t *Transfer) pour(ctx context.Context, group []*track) error {
	errs := make([]error, len(group))
	var writing sync.WaitGroup
	for i, k := range group {
		writing.Go(func() { errs[i] = t.pourOne(ctx, k) })
	}
	writing.Wait()
	for i, k := range group {
		if errs[i] == nil && !k.lost {
			k.settle()
		}
	}
	if err := t.state.save(); err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// settle makes what was counted of a batch a part of what is remembered.
func (k *track) settle() {
	p, r := k.past, &k.read
	p.Read, p.Nulls, p.Odd, p.Double = p.Read+r.Read, p.Nulls+r.Nulls, p.Odd+r.Odd, p.Double+r.Double
	p.Written, p.Same, p.Occupied, p.Expired, p.Refused = p.Written+r.Written, p.Same+r.Same, p.Occupied+r.Occupied, p.Expired+r.Expired, p.Refused+r.Refused
	if p.Why == "" {
		p.Why = r.Why
	}
	if p.First.IsZero() && len(k.points) > 0 {
		p.First = k.points[0].At
	}
	p.Next = k.next
	k.points, k.bytes, k.read = k.points[:0], 0, Past{}
}

// filled is the target's answer to a batch.
type filled struct {
	Written  int64 `json:"written"`
	Same     int64 `json:"same"`
	Occupied int64 `json:"occupied"`
	Expired  int64 `json:"expired"`
	Refused  []struct {
		Index  int    `json:"index"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	} `json:"refused"`
}

func (t *Transfer) pourOne(ctx context.Context, k *track) error {
	for rest := k.points; len(rest) > 0; {
		n, bytes := 0, 0
		for n < len(rest) && n < batchValues && (n == 0 || bytes+len(rest[n].Value)+timeBytes <= batchBytes) {
			bytes += len(rest[n].Value) + timeBytes
			n++
		}
		done, err := t.fill(ctx, k, rest[:n])
		if k.isLost(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("target: history of property %s: %w", k.id, err)
		}
		k.read.count(done, rest[:n])
		rest = rest[n:]
	}
	return nil
}

// isLost says whether err is that the property is not there any more at the target, and remembers it.
func (k *track) isLost(err error) bool {
	var e *client.Error
	if !errors.As(err, &e) || e.Status != http.StatusNotFound {
		return false
	}
	k.end, k.lost, k.past.Failed = true, true, "the target: "+e.Error()
	return true
}

func (p *Past) count(done filled, points []cloud.Point) {
	p.Written += done.Written
	p.Same += done.Same
	p.Occupied += done.Occupied
	p.Expired += done.Expired
	p.Refused += int64(len(done.Refused))
	if len(done.Refused) > 0 && p.Why == "" {
		first := done.Refused[0]
		p.Why = first.Detail
		if first.Index >= 0 && first.Index < len(points) {
			value := points[first.Index].Value
			p.Why = fmt.Sprintf("%s, %.60s: %s", points[first.Index].At.Format(time.RFC3339Nano), value, first.Detail)
		}
	}
}

func (t *Transfer) fill(ctx context.Context, k *track, points []cloud.Point) (done filled, err error) {
	in := struct {
		Times  []time.Time       `json:"times"`
		Values []json.RawMessage `json:"values"`
	}{make([]time.Time, len(points)), make([]json.RawMessage, len(points))}
	for i, p := range points {
		in.Times[i], in.Values[i] = p.At, p.Value
	}
	err = t.do(ctx, http.MethodPost, "/v1/things/"+url.PathEscape(k.thing)+"/properties/"+url.PathEscape(k.id)+"/history", in, &done)
	return done, err
}

// copyLast brings the last value of a property that keeps no history.
func (t *Transfer) copyLast(ctx context.Context, k *track) error {
	at, value := k.source.LastAt, k.source.Last
	if at == nil || len(value) == 0 || string(value) == "null" || !k.past.Next.Before(*at) {
		k.past.Next = t.state.Until
		return nil
	}
	point := cloud.Point{At: at.UTC().Truncate(time.Microsecond), Value: value}
	k.past.Failed = ""
	done, err := t.fill(ctx, k, []cloud.Point{point})
	if k.isLost(err) {
		return t.state.save()
	}
	if err != nil {
		return err
	}
	k.read.Read = 1
	k.read.count(done, []cloud.Point{point})
	k.points, k.next = []cloud.Point{point}, later(t.state.Until, *at)
	k.settle()
	return t.state.save()
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tellHistory says how far it is. How many values there are nobody knows; how much of the time is done everybody does.
func (t *Transfer) tellHistory(all []*track) {
	var done, whole int64
	var values int64
	for _, k := range all {
		first := k.past.First
		if first.IsZero() {
			first = later(k.past.Since, t.state.Until.AddDate(-1, 0, 0))
		}
		span := max(t.state.Until.Sub(first).Milliseconds(), 1)
		whole += span
		done += min(max(k.past.Next.Sub(first).Milliseconds(), 0), span)
		values += k.past.Read
	}
	t.progress(History, done, whole, fmt.Sprintf("%d values", values))
}

func (t *Transfer) sumUp(all []*track) {
	h := &t.report.History
	for _, k := range all {
		p := k.past
		if p.Failed != "" {
			h.Failed = append(h.Failed, Line{k.source.ID, k.source.Name, p.Failed})
		} else if !p.Next.Before(t.state.Until) {
			h.Complete++
		}
		if p.Why != "" {
			h.Notes = append(h.Notes, Line{k.source.ID, k.source.Name, fmt.Sprintf("%d values, the first at %s", p.Refused, p.Why)})
		}
		h.Read += p.Read
		h.Written += p.Written
		h.Same += p.Same
		h.Occupied += p.Occupied
		h.Expired += p.Expired
		h.Refused += p.Refused
		h.Nulls += p.Nulls
		h.Odd += p.Odd
		h.Double += p.Double
	}
}
