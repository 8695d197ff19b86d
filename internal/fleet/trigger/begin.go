package trigger

import (
	"bytes"
	"context"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// A beginning is the newest value of what a trigger watches, once its values were followed. What the trigger remembers was
// found before, and values may have come in between that nobody followed.
type beginning struct {
	rule *rule
	seq  int64 // the newest commit that value knows of
	last series.Value
}

// begin reads the value that is the newest when a rule is in its place, for the engine.
func (s *Service) begin(ctx context.Context, r *rule) error {
	if err := s.tap.Settled(ctx); err != nil {
		return fmt.Errorf("wait for a commit: %w", err)
	}
	_, p, err := s.needs.Things.Property(ctx, system(r.space), r.property)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		seq := s.tap.Seq()
		last, ok := s.needs.Things.Last(p)
		if seq != s.tap.Seq() {
			continue // another came in between
		}
		if ok && r.test.suits(r.kind, last.Value) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.begun = append(s.begun, beginning{r, seq, last.Value})
		}
		return nil
	}
	return ctx.Err()
}

// amend corrects what triggers remember that began with a value up to a commit which was looked at, and says whether
// that changes anything. Who has looked at a value since knows more.
func (s *Service) amend(d *decision, seen int64) bool {
	s.mu.Lock()
	var some, rest []beginning
	for _, b := range s.begun {
		if b.seq <= seen {
			some = append(some, b)
		} else {
			rest = append(rest, b)
		}
	}
	s.begun = rest
	s.mu.Unlock()
	changed := false
	for _, b := range some {
		r := s.current(b.rule.id)
		if r == nil || r.revision != b.rule.revision || r.state.looked {
			continue
		}
		if r.test.op == Any {
			if is := s.seenOf(r.id, b.last.Text); !bytes.Equal(is, r.state.seen) {
				d.work(r).seen, changed = is, true
			}
		} else if is := r.test.holds(b.last, r.state.holds); is != r.state.holds {
			d.work(r).holds, changed = is, true
		}
	}
	return changed
}
