package transfer

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

// verify asks both sides the same questions about each history that was copied, and compares the answers: count, sum, least
// and greatest where the source can tell them, else value by value.
func (t *Transfer) verify(ctx context.Context) error {
	target := cloud.New(t.cfg.Target, t.cfg.Pace)
	proof := &Proof{}
	t.report.Verified = proof
	all := t.tracks()
	for i, k := range all {
		t.progress("verifying", int64(i), int64(len(all)), k.source.Name)
		if !k.source.Keeps() || k.past.Failed != "" {
			continue
		}
		proof.Properties++
		if k.past.Read == 0 {
			if at := k.source.LastAt; at != nil && at.After(k.past.Since) && at.Before(t.state.Until) {
				proof.Notes = append(proof.Notes, Line{k.source.ID, k.source.Name, "the source has no history of it, but a last value of " + at.Format(time.RFC3339)})
			}
			continue
		}
		wrong, err := t.compare(ctx, target, k, proof)
		if err != nil {
			return fmt.Errorf("verify property %s: %w", k.source.ID, err)
		}
		if wrong != "" {
			proof.Wrong = append(proof.Wrong, Line{k.source.ID, k.source.Name, wrong})
		}
	}
	t.progress("verifying", int64(len(all)), int64(len(all)), "done")
	return nil
}

func (t *Transfer) compare(ctx context.Context, target *cloud.Server, k *track, proof *Proof) (wrong string, err error) {
	from, to := k.past.First, t.state.Until
	if from.IsZero() { // all that it had was null
		from = k.past.Since
	}
	theirs, err := t.cfg.Source.Tally(ctx, k.source.ID, from, to)
	if err != nil {
		return "", err
	}
	if !theirs.Known || theirs.Count == 0 {
		proof.Compared++
		return t.compareValues(ctx, target, k, from, to, proof)
	}
	ours, err := target.Tally(ctx, k.id, from, to)
	if err != nil {
		return "", err
	}
	proof.Counted++
	proof.Values += ours.Count
	wrong, note := judge(theirs, ours, k.past)
	if note != "" {
		proof.Notes = append(proof.Notes, Line{k.source.ID, k.source.Name, note})
	}
	return wrong, nil
}

// judge compares what both sides counted of a history of which some values are known not to have come.
func judge(theirs, ours cloud.Tally, p *Past) (wrong, note string) {
	left := p.Expired + p.Refused + p.Double + p.Nulls + p.Odd
	switch {
	case !ours.Known:
		return "the target does not count it", ""
	case ours.Count < theirs.Count-left:
		return fmt.Sprintf("the source has %d values, the target %d, and %d are known not to fit", theirs.Count, ours.Count, left), ""
	case ours.Count > theirs.Count:
		return "", fmt.Sprintf("the target has %d values, the source %d: the target has had others, or the source has forgotten some", ours.Count, theirs.Count)
	case left > 0 || p.Occupied > 0 || ours.Count != theirs.Count:
		return "", ""
	}
	// The order in which numbers are added up is the server's own.
	slack := 1e-12 * float64(theirs.Count) * math.Max(math.Abs(theirs.Min), math.Abs(theirs.Max))
	if ours.Min != theirs.Min || ours.Max != theirs.Max || math.Abs(ours.Sum-theirs.Sum) > slack {
		return fmt.Sprintf("of %d values the source says sum %v, least %v, greatest %v, and the target %v, %v, %v", theirs.Count, theirs.Sum, theirs.Min, theirs.Max, ours.Sum, ours.Min, ours.Max), ""
	}
	return "", ""
}

// A stream is a history, one value after the other.
type stream struct {
	server *cloud.Server
	window cloud.Window
	points []cloud.Point
	end    bool
}

func (s *stream) peek(ctx context.Context) (*cloud.Point, error) {
	for len(s.points) == 0 {
		if s.end {
			return nil, nil
		}
		parts, err := s.server.Past(ctx, []cloud.Window{s.window})
		if err != nil {
			return nil, err
		}
		if parts[0].Failed != "" {
			return nil, fmt.Errorf("%s", parts[0].Failed)
		}
		s.points, s.window.From, s.end = parts[0].Points, parts[0].Next, parts[0].Done
	}
	return &s.points[0], nil
}

func (t *Transfer) compareValues(ctx context.Context, target *cloud.Server, k *track, from, to time.Time, proof *Proof) (wrong string, err error) {
	theirs := &stream{server: t.cfg.Source, window: cloud.Window{Property: k.source.ID, From: from, To: to}}
	ours := &stream{server: target, window: cloud.Window{Property: k.id, From: from, To: to}}
	var missing, other, more int64
	var first time.Time
	for {
		a, err := theirs.peek(ctx)
		if err != nil {
			return "", err
		}
		b, err := ours.peek(ctx)
		if err != nil {
			return "", err
		}
		switch {
		case a == nil && b == nil:
			if more > 0 {
				proof.Notes = append(proof.Notes, Line{k.source.ID, k.source.Name, fmt.Sprintf("the target has %d values that the source has not", more)})
			}
			if p := k.past; missing > p.Expired+p.Refused || other > p.Occupied+p.Double {
				return fmt.Sprintf("the target lacks %d values, of which %d are known not to fit, and has %d others instead, of which %d are known; the first of %s",
					missing, p.Expired+p.Refused, other, p.Occupied+p.Double, first.Format(time.RFC3339Nano)), nil
			}
			return "", nil
		case b == nil || a != nil && a.At.Before(b.At):
			missing++
			if first.IsZero() {
				first = a.At
			}
			theirs.points = theirs.points[1:]
		case a == nil || b.At.Before(a.At):
			more++
			proof.Values++
			ours.points = ours.points[1:]
		default:
			if !same(a.Value, b.Value) {
				other++
				if first.IsZero() {
					first = a.At
				}
			}
			proof.Values++
			theirs.points, ours.points = theirs.points[1:], ours.points[1:]
		}
	}
}

// same says whether two values mean the same: numbers whatever their spelling, and objects of which the second may say
// more than the first, as the target keeps composites whole.
func same(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && covers(x, y)
}

func covers(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, is := b.(map[string]any)
		if !is {
			return false
		}
		for key, v := range a {
			w, has := b[key]
			if !has || !covers(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, is := b.([]any)
		if !is || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !covers(a[i], b[i]) {
				return false
			}
		}
		return true
	}
	return a == b
}
