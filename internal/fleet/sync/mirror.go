package sync

import (
	"context"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A member is a property that takes part, in memory. It never changes.
type member struct {
	property thing.Property
	space    string
	state    State // Part or Gives
}

// A pool is a group in memory. It never changes.
type pool struct {
	group   Group
	members []*member
}

func (s *Service) funcs() series.MirrorFuncs {
	return series.MirrorFuncs{Watched: s.watched, Copies: s.copies, Kept: s.kept, End: s.end}
}

func (s *Service) watched(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.series[id] != nil
}

// A desk is what the committer remembers of values that are not visible yet, and of what boards were told.
type desk struct {
	news   map[string]series.Point // by property: the last values of the commit that is under way
	echoes map[string]echoes       // by property
	swept  time.Time               // when echoes were last looked through
}

// sweepEchoes is how often what boards have not confirmed is forgotten.
const sweepEchoes = time.Minute

// copies are the values that others become with one.
func (s *Service) copies(p series.Point, came time.Time) (all []series.Point) {
	s.mu.RLock()
	from := s.series[p.Series]
	s.mu.RUnlock()
	own, ok := thing.Reading(p)
	if from == nil || !ok {
		return nil
	}
	id := own.Series
	last, had := s.last(from, id)
	if had && own.At.Before(last.At) {
		return nil // history, and no change
	}
	s.desk.news[id] = own
	if _, device := thing.Writer(p.By); device {
		left, confirms := s.desk.echoes[id].said(own.Value, came)
		s.keepEchoes(id, left)
		if confirms {
			s.counts.echoes.Add(1)
			return nil
		}
	} else {
		s.keepEchoes(id, s.desk.echoes[id].told(own.Value, came))
	}
	for _, m := range from.members {
		if m.property.ID == id || m.state != Part {
			continue
		}
		if !m.property.Type.Kind.Takes(own.Value) {
			s.counts.unfit.Add(1)
			continue
		}
		at := came.UTC().Truncate(time.Microsecond)
		if last, ok := s.last(from, m.property.ID); ok {
			if thing.Same(last.Value, own.Value) {
				continue
			}
			if !last.At.Before(at) {
				at = last.At.Add(time.Microsecond)
			}
		}
		c := thing.Kept(m.property, m.space, at, own.Value, p.By)
		s.desk.news[m.property.ID], _ = thing.Reading(c)
		s.keepEchoes(m.property.ID, s.desk.echoes[m.property.ID].told(own.Value, came))
		all = append(all, c)
	}
	s.counts.copies.Add(uint64(len(all)))
	return all
}

func (s *Service) keepEchoes(id string, e echoes) {
	if len(e) == 0 {
		delete(s.desk.echoes, id)
		return
	}
	s.desk.echoes[id] = e
}

// last is the last value of a member, with those of the commit that is under way.
func (s *Service) last(g *pool, id string) (series.Point, bool) {
	if p, ok := s.desk.news[id]; ok {
		return p, true
	}
	for _, m := range g.members {
		if m.property.ID == id {
			return s.needs.Things.Last(m.property)
		}
	}
	return series.Point{}, false
}

func (s *Service) end() {
	clear(s.desk.news)
	now := s.needs.Now()
	if now.Sub(s.desk.swept) < sweepEchoes {
		return
	}
	s.desk.swept = now
	for id, e := range s.desk.echoes {
		s.keepEchoes(id, e.since(now))
	}
}

// maxLater is how many copies may wait for the database so that their boards can be told. What is beyond they hear when they ask for
// the last values, or with the next.
const maxLater = 1 << 14

// kept tells boards and live clients of copies that are on disk.
func (s *Service) kept(copies []series.Point) {
	for _, p := range s.needs.Things.Deliver(copies) {
		select {
		case s.late <- p:
		default:
			s.counts.untold.Add(1)
		}
	}
}

// Run tells of copies for things that had to be looked up, and looks anew at groups that could not be looked at, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-s.late:
			if err := s.needs.Things.DeliverLater([]series.Point{p}); err != nil && ctx.Err() == nil {
				s.needs.Log.ErrorContext(ctx, "a board was not told of a value; it hears of it when it asks for its last values", "err", err)
			}
		case <-again.C:
			s.mend(ctx)
		}
	}
}

// lookAgain is how often is tried what has failed.
const lookAgain = 5 * time.Second

// mend looks anew at groups that could not be looked at.
func (s *Service) mend(ctx context.Context) {
	s.mu.Lock()
	stale := s.stale
	s.stale = map[string]string{}
	s.mu.Unlock()
	for id, space := range stale {
		s.renew(ctx, space, id)
	}
}

// changed looks anew at the groups of a thing.
func (s *Service) changed(ctx context.Context, t thing.Thing) {
	s.mu.RLock()
	ids := make([]string, 0, len(s.things[t.ID]))
	for id := range s.things[t.ID] {
		ids = append(ids, id)
	}
	s.mu.RUnlock()
	for _, id := range ids {
		s.renew(ctx, t.Space, id)
	}
}

// renew reads a group and puts it into memory as it is now. What cannot be read stays as it was, and is tried again.
func (s *Service) renew(ctx context.Context, space, id string) {
	s.renewing.Lock()
	defer s.renewing.Unlock()
	g, err := s.read(ctx, space, id)
	if err != nil {
		s.needs.Log.ErrorContext(ctx, "a group of synchronised properties could not be looked at; trying again", "sync", id, "err", err)
		s.mu.Lock()
		s.stale[id] = space
		s.mu.Unlock()
		return
	}
	s.place(id, g)
}

// read makes a group as it is in memory; nil for one that is not there.
func (s *Service) read(ctx context.Context, space, id string) (*pool, error) {
	g, err := s.needs.Store.find(ctx, space, id)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", id, err)
	}
	all, err := s.look(ctx, &g)
	if err != nil {
		return nil, err
	}
	p := &pool{group: g}
	for _, m := range all {
		if m.State == Part || m.State == Gives {
			p.members = append(p.members, &member{property: m.property, space: g.Space, state: m.State})
		}
	}
	return p, nil
}

// place puts a group in the place of what was there.
func (s *Service) place(id string, g *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.pools[id]; old != nil {
		delete(s.pools, id)
		for _, p := range old.group.Members {
			if s.groups[p.Property] == id { // else another group has it by now
				delete(s.groups, p.Property)
				for _, name := range thing.SeriesOf(p.Property) {
					delete(s.series, name)
				}
			}
			if delete(s.things[p.Thing], id); len(s.things[p.Thing]) == 0 {
				delete(s.things, p.Thing)
			}
		}
	}
	if g != nil {
		s.pools[id] = g
		for _, p := range g.group.Members {
			s.groups[p.Property] = id
			if s.things[p.Thing] == nil {
				s.things[p.Thing] = map[string]bool{}
			}
			s.things[p.Thing][id] = true
		}
		for _, m := range g.members {
			for _, name := range thing.SeriesOf(m.property.ID) {
				s.series[name] = g
			}
		}
	}
	if s.mirror != nil {
		s.mirror.Changed()
	}
}
