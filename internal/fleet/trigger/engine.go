package trigger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// An event is what a trigger fires about. It is sealed with a delivery.
type event struct {
	At       time.Time       `json:"at"`
	Property string          `json:"property,omitempty"`
	Thing    string          `json:"thing,omitempty"`
	Value    json.RawMessage `json:"value,omitempty"`
	Device   string          `json:"device,omitempty"` // whose status it is about
	Online   bool            `json:"online,omitempty"`
}

// A delivery is one thing to do, as it is stored. Times are µs since 1970.
type delivery struct {
	id, trigger, action, space, part string
	kind                             Kind
	target                           string
	sealed                           []byte
	at, from, stamp, next, tries     int64 // from: it is tried for a day since then
	revision                         int64 // of the trigger; not stored
}

// A decision is what the engine makes of values or comings: one transaction.
type decision struct {
	seq   int64            // values up to here were looked at; 0 says nothing
	works map[*state]*work // one rule takes the place of another while values are looked at, and has its state
	rows  []delivery
	usage map[string]*use // by space
	day   int64
}

// A work is what a revision of a trigger will remember when the decision is on disk.
type work struct {
	state
	trigger  string
	revision int64
	told     map[string]bool // how far the status of devices was told, where that changes
}

// A presence is a device as a trigger sees it.
type presence struct{ trigger, device string }

// A use is how often the triggers of a space did something on a day.
type use struct{ fired, held int64 }

func (s *Service) decision() *decision {
	return &decision{works: map[*state]*work{}, usage: map[string]*use{}, day: day(s.now())}
}

func day(at time.Time) int64 { return at.Unix() / 86400 }

// work is what a rule will remember when the decision is on disk.
func (d *decision) work(r *rule) *work {
	w := d.works[r.state]
	if w == nil {
		w = &work{state: *r.state, trigger: r.id, revision: r.revision, told: map[string]bool{}}
		d.works[r.state] = w
	}
	return w
}

// online says which status of a device was told, or is about to be.
func (d *decision) online(r *rule, device string) bool {
	if w := d.works[r.state]; w != nil {
		if told, ok := w.told[device]; ok {
			return told
		}
	}
	return r.state.online[device]
}

func (d *decision) used(space string) *use {
	u := d.usage[space]
	if u == nil {
		u = &use{}
		d.usage[space] = u
	}
	return u
}

func (d *decision) empty() bool { return len(d.works) == 0 && len(d.rows) == 0 }

// rulesOf are those that wait for points of a series. The list is not to be changed.
func (s *Service) rulesOf(series string) []*rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index[series]
}

// look decides what follows from values.
func (s *Service) look(ctx context.Context, some []series.Tapped) (*decision, error) {
	d := s.decision()
	for _, b := range some {
		if err := s.lookAt(ctx, d, b); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// lookAt is look for the values of one commit.
func (s *Service) lookAt(ctx context.Context, d *decision, b series.Tapped) error {
	s.amend(d, b.Seq-1)
	nth := map[*state]int{}
	for i := range b.Points {
		for _, r := range s.rulesOf(b.Points[i].Series) {
			if b.Seq <= r.since {
				continue
			}
			p, ok := thing.Reading(b.Points[i])
			if !ok || !r.test.suits(r.kind, p.Value) || !s.fires(d, r, p.Value) {
				continue
			}
			e := event{At: p.At, Property: p.Series, Thing: p.Thing, Value: thing.JSON(p.Value)}
			nth[r.state]++
			key := strconv.FormatInt(b.Seq, 10) + "/" + strconv.Itoa(nth[r.state])
			if err := s.fire(ctx, d, r, e, "thing:"+p.Thing, key); err != nil {
				return err
			}
		}
	}
	d.seq = b.Seq
	return nil
}

// fires says whether a value makes a rule fire, and remembers it.
func (s *Service) fires(d *decision, r *rule, v series.Value) bool {
	now := r.state
	r.state.looked = true
	if w := d.works[r.state]; w != nil {
		now = &w.state
	}
	if r.test.op == Any {
		seen := s.seenOf(r.id, v.Text)
		if bytes.Equal(seen, now.seen) {
			return false
		}
		d.work(r).seen = seen
		return true
	}
	holds := r.test.holds(v, now.holds)
	if holds == now.holds {
		return false
	}
	d.work(r).holds = holds
	return holds
}

// Rates of what reaches people: so many at once, then one in each pause. No person gets more than
// 20 letters of one kind in an hour anyway (people/post).
const (
	tellBurst = 10
	tellPause = 3 * time.Minute
)

// allowed takes one from a rate, of which free is when all that was taken is paid back.
func allowed(free *int64, now time.Time, burst int, pause time.Duration) bool {
	at := max(*free, now.UnixMicro())
	if at-now.UnixMicro() > int64(burst-1)*pause.Microseconds() {
		return false
	}
	*free = at + pause.Microseconds()
	return true
}

// fire adds to d what a rule does. key tells this time from all others. Only the end of ctx is an error.
func (s *Service) fire(ctx context.Context, d *decision, r *rule, e event, part, key string) error {
	w, u, now := d.work(r), d.used(r.space), s.now()
	w.firedAt = now.UnixMicro()
	if len(r.actions) == 0 {
		return nil
	}
	if s.cfg.Rate > 0 && !allowed(&w.freeAt, now, s.cfg.Rate, time.Minute/time.Duration(s.cfg.Rate)) {
		u.held += int64(len(r.actions))
		return nil
	}
	var most int
	var seal keys.Sealer
	err := s.insist(ctx, "what a trigger may do cannot be looked up; trying again", func() (err error) {
		if _, most, err = s.needs.Limit(ctx, r.space); err != nil {
			return fmt.Errorf("limit of space %s: %w", r.space, err)
		}
		if most > 0 && s.today(d.day)[r.space] == nil {
			had, err := s.needs.Store.used(ctx, r.space, d.day)
			if err != nil {
				return err
			}
			s.today(d.day)[r.space] = &had
		}
		if seal, err = s.partKey(ctx, r.space, part); errors.Is(err, keys.ErrErased) {
			seal, err = nil, nil // nobody could read what happened
		}
		return err
	})
	if err != nil || seal == nil {
		return err
	}
	told, asked := false, false
	for _, to := range r.actions {
		if to.kind.people() {
			if !asked {
				asked, told = true, s.cfg.Rate < 0 || allowed(&w.tellAt, now, tellBurst, tellPause)
			}
			if !told {
				u.held++
				continue
			}
		}
		if most > 0 && s.today(d.day)[r.space].fired+u.fired >= int64(most) {
			u.held++
			continue
		}
		row := delivery{trigger: r.id, revision: r.revision, action: to.id, space: r.space, part: part, kind: to.kind, at: now.UnixMicro(), from: now.UnixMicro(), next: now.UnixMicro()}
		row.id = uuid.NewSHA1(deliveries, keys.Place(r.id, strconv.FormatInt(r.revision, 10), key, to.id)).String()
		if row.sealed, err = sealEvent(seal, row.id, e); err != nil {
			return err
		}
		d.rows = append(d.rows, row)
		u.fired++
	}
	return nil
}

// deliveries is the name space of their IDs: what was decided twice would be one delivery.
var deliveries = uuid.MustParse("6d0f3a52-6a3b-4b0a-9d6e-2f5c8f0a7b11")

func sealEvent(key keys.Sealer, id string, e event) ([]byte, error) {
	return seal(key, e, "trigger_delivery", id)
}

// today is what spaces have used on a day, as far as the engine asked and has decided since.
func (s *Service) today(day int64) map[string]*use {
	if s.usedDay != day {
		s.usedDay, s.usedNow = day, map[string]*use{}
	}
	return s.usedNow
}

// partKey is the key of "thing:ID" or "device:ID".
func (s *Service) partKey(ctx context.Context, space, part string) (keys.Sealer, error) {
	var key keys.Sealer
	var err error
	if id, ok := strings.CutPrefix(part, "device:"); ok {
		key, err = s.needs.Keys.Device(ctx, space, id)
	} else {
		id, _ := strings.CutPrefix(part, "thing:")
		key, err = s.needs.Keys.Thing(ctx, space, id)
	}
	if err != nil {
		return nil, fmt.Errorf("key of %s: %w", part, err)
	}
	return key, nil
}

// keep puts a decision on disk, however often that takes, and then into memory. Only the end of ctx is an error.
func (s *Service) keep(ctx context.Context, d *decision) error {
	err := s.insist(ctx, "what triggers decided cannot be kept; trying again", func() error { return s.needs.Store.decide(ctx, d) })
	if err != nil {
		return err
	}
	for st, w := range d.works {
		w.looked = st.looked
		*st = w.state
		for id, online := range w.told {
			if online {
				st.online[id] = true
			} else {
				delete(st.online, id)
			}
		}
	}
	for space, u := range d.usage {
		s.counts.fired.Add(uint64(u.fired))
		s.counts.held.Add(uint64(u.held))
		if had := s.today(d.day)[space]; had != nil {
			had.fired += u.fired
		}
	}
	s.position = max(s.position, d.seq)
	if len(d.rows) > 0 {
		s.poke()
	}
	return nil
}

// insist does something until it succeeds or ctx ends.
func (s *Service) insist(ctx context.Context, what string, do func() error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.needs.Log.ErrorContext(ctx, what, "err", err)
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}
