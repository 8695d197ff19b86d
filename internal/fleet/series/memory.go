package series

import (
	"strings"
	"sync"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A state is what memory holds of one series. What may change is guarded by memory.mu.
type state struct {
	id       int64
	property string
	thing    *thing

	gone   bool // erased: what still arrives for it is dropped
	has    bool // there is a last value
	lastAt int64
	last   Value
	sealed []byte // last, as read at start and not asked for yet; nil when last is there

	now     *batch // points that are on disk in the log only
	old     *batch // older ones, which a flush is writing to chunks
	dirty   bool   // is in memory.dirty
	carried uint8  // flushes in a row that left the points in the log

	asked    uint64 // version of what Taps watch that followed is of; the committer's
	followed uint32 // bits of the Taps that follow; likewise
	inquired uint64 // version of the Mirror that mirrored is of; likewise
	mirrored bool   // likewise

	tail tail // of the chunks on disk; only for who holds Service.maintain
}

// A tail is what is known of the newest chunk of a series.
type tail struct {
	known      bool
	start, end int64
	points     int // 0: there is no chunk
}

// A thing is shared by all its series. The fields below the first two belong to the committer.
type thing struct {
	id     string
	space  string
	series int // guarded by memory.mu: how many of it are in memory.series

	sect  section
	tap   section // of what is followed
	tapBy string  // who wrote the last point of tap
	stamp uint64  // of the commit that sect and key belong to
	key   keys.Sealer
}

// A batch is points of one series on their way to chunks. Its columns only ever grow,
// so that a copy of their headers is a snapshot.
type batch struct {
	run  span // in order of time
	late span // in order of arrival; where run has the same instant, late counts
}

func (b *batch) len() int {
	if b == nil {
		return 0
	}
	return b.run.len() + b.late.len()
}

// points is all points in order of time.
func (b *batch) points() span {
	if b.late.len() == 0 {
		return b.run
	}
	late := sorted(&b.late)
	return merge(&b.run, &late)
}

// freeze is b as it is now. The caller holds memory.mu, for reading at least.
func (b *batch) freeze() batch {
	if b == nil {
		return batch{}
	}
	return batch{b.run.slice(0, b.run.len()), b.late.slice(0, b.late.len())}
}

// record takes a point that is on disk. The caller holds memory.mu.
func (st *state) record(at int64, v Value) {
	if !v.Kind.numeric() {
		v.Text = strings.Clone(v.Text) // it may be a small part of a large message
	}
	if !st.has || at >= st.lastAt {
		st.has, st.lastAt, st.last, st.sealed = true, at, v, nil
	}
	if st.now == nil {
		st.now = new(batch)
	}
	if run := &st.now.run; run.len() == 0 || at > run.at[run.len()-1] {
		run.push(at, v)
	} else {
		st.now.late.push(at, v)
	}
}

// memory holds all states.
type memory struct {
	mu      sync.RWMutex
	series  map[string]*state // guarded by mu; by property
	ids     map[int64]*state  // guarded by mu; the same by number
	things  map[string]*thing // guarded by mu
	nextID  int64             // guarded by mu; numbers from here on were never used
	dirty   []*state          // guarded by mu; those with pending points
	seq     int64             // guarded by mu; the newest row of the log that is applied
	carry   int64             // guarded by mu; carried rows of the log have the numbers from here to -1
	cut     int64             // guarded by mu; rows of the log from 1 to here are gone
	points  int               // guarded by mu; in the log
	bytes   int               // guarded by mu; in the log
	flushes uint64            // guarded by mu; how many have begun
	shrunk  chan struct{}     // guarded by mu; closed when the log has become shorter
}

func newMemory() *memory {
	return &memory{series: make(map[string]*state), ids: make(map[int64]*state), things: make(map[string]*thing), nextID: 1, shrunk: make(chan struct{})}
}

// thing returns the one for id, which belongs to space when nobody knew it. The caller holds mu for writing.
func (m *memory) thing(id, space string) *thing {
	th := m.things[id]
	if th == nil {
		th = &thing{id: strings.Clone(id), space: strings.Clone(space)}
		m.things[th.id] = th
	}
	return th
}

// know makes a series one that is found. The caller holds mu for writing.
func (m *memory) know(st *state) {
	m.series[st.property] = st
	m.ids[st.id] = st
	st.thing.series++
}

// unknow is the opposite: with its last series a thing is forgotten.
func (m *memory) unknow(st *state) {
	delete(m.series, st.property)
	if m.ids[st.id] == st {
		delete(m.ids, st.id)
	}
	if st.thing.series--; st.thing.series == 0 && m.things[st.thing.id] == st.thing {
		delete(m.things, st.thing.id)
	}
}

// touch puts st on the list of those with pending points. The caller holds mu for writing.
func (m *memory) touch(st *state) {
	if !st.dirty {
		st.dirty = true
		m.dirty = append(m.dirty, st)
	}
}
