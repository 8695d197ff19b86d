package series

import (
	"context"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// recover fills memory from the database.
//
// What follows from the steps of a flush: a point in the log may be in a chunk too, and
// then counts once; and what is left of the log when a flush was interrupted is its end,
// so that replaying it in order never puts an older value over a newer one.
func (s *Service) recover(ctx context.Context) error {
	m := s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	byID := make(map[int64]*state)
	sealers := make(map[*thing]keys.Sealer)
	lost := 0
	var plain []byte

	series := func(r seriesRow) error {
		st := &state{id: r.id, property: r.property, thing: m.thing(r.thing, r.space)}
		if r.last != nil {
			st.has, st.lastAt, st.sealed = true, r.lastAt, r.last
		}
		m.know(st)
		byID[r.id] = st
		m.nextID = max(m.nextID, r.id+1)
		return nil
	}
	row := func(r logRow) error {
		switch {
		case r.seq < 0:
			m.carry = min(m.carry, r.seq)
		case m.seq == 0:
			m.seq, m.cut = r.seq, r.seq-1
		case r.seq != m.seq+1:
			return fmt.Errorf("history log: row %d is missing", m.seq+1)
		default:
			m.seq = r.seq
		}
		m.bytes += len(r.body)
		next, err := eachSection(r.body, func(id string, sealed []byte) error {
			th := m.things[id]
			if th == nil {
				lost++ // its series were erased, and their points were not cut yet
				return nil
			}
			key, known := sealers[th]
			if !known {
				var err error
				key, err = s.keys.Thing(ctx, th.space, id)
				if err != nil && !errors.Is(err, keys.ErrErased) {
					return err
				}
				sealers[th] = key // nil for a thing that was erased: nobody can read its points
			}
			if key == nil {
				lost++
				return nil
			}
			var err error
			if plain, err = open(key, plain[:0], sealed, logPlace(nil, r.seq, id)); err != nil {
				return err
			}
			return readSection(plain, func(number, at int64, v Value) error {
				m.points++
				st := byID[number]
				if st == nil {
					lost++ // the series was erased, and its points were not cut yet
					return nil
				}
				if st.thing != th {
					return errCodec
				}
				st.record(at, v)
				m.touch(st)
				return nil
			})
		})
		if err != nil {
			return fmt.Errorf("history log, row %d: %w", r.seq, err)
		}
		m.nextID = max(m.nextID, next)
		return nil
	}
	if err := s.store.load(ctx, series, row); err != nil {
		return err
	}
	s.log.Debug("history is read", "series", len(m.series), "points", m.points, "erased", lost)
	return nil
}
