package live

import (
	"sync"
	"sync/atomic"
	"time"
)

// A kind says what an item is about.
type kind uint8

const (
	aValue     kind = iota // a property has another last value
	aPresence              // a device came or went
	aThing                 // a thing, or a property of it, was made, changed or deleted
	aDevice                // a device was made, or has gone
	aDashboard             // a dashboard is another
)

// A key is what an item is about: of a value the property, else the noun of its kind.
type key struct {
	kind kind
	id   string
}

// A news is what there is to tell about one key. It is never changed.
type news struct {
	key
	space string // of the board
	thing string // of a value: ID of its thing
	seq   int64  // its place; see clock
	frame []byte // of a value or a presence: as it stands in an event
}

// itemBytes is about what an item needs beside its frame.
const itemBytes = 320

func (n *news) size() int { return itemBytes + len(n.frame) }

// An item is the newest news about its key, in the list of its board.
type item struct {
	news
	older, newer *item
}

// A board has what is to be told in one space: the newest about each key, in the order in which it became known. How far each
// of those who listen has read is theirs to know. All methods may be called from any goroutine.
type board struct {
	space string
	clock *clock

	mu     sync.Mutex
	items  map[key]*item             // guarded by mu
	of     map[string]map[*item]bool // guarded by mu: items of values by their thing
	oldest *item                     // guarded by mu
	newest *item                     // guarded by mu
	bytes  int                       // guarded by mu: of all items
	since  int64                     // guarded by mu: of what was known up to here some is not on the board any more
	idle   map[*stream]struct{}      // guarded by mu: have read everything, and wait

	readers int       // guarded by Service.mu
	leftAt  time.Time // guarded by Service.mu: when the last reader went
}

func newBoard(space string, c *clock) *board {
	return &board{space: space, clock: c, items: map[key]*item{}, of: map[string]map[*item]bool{}, idle: map[*stream]struct{}{}, since: c.now()}
}

// A clock gives places in what is told: each is later than the one before. They are µs since 1970, so that the place of one space
// says nothing about how much goes on in others.
type clock struct {
	wall func() time.Time
	last atomic.Int64
}

// next is a place that nothing has.
func (c *clock) next() int64 { return c.step(1) }

// now is a place behind everything that there is, and before all that comes.
func (c *clock) now() int64 { return c.step(0) }

func (c *clock) step(n int64) int64 {
	wall := c.wall().UnixMicro()
	for {
		last := c.last.Load()
		at := max(wall, last+n)
		if at == last && n == 0 || c.last.CompareAndSwap(last, at) {
			return at
		}
	}
}

// put makes n the newest of the board, in place of what there was about its key, and calls those who wait. What says the
// same as before is no news. limit is how many bytes the board may have.
func (b *board) put(n news, limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	it := b.items[n.key]
	if it != nil {
		if len(n.frame) > 0 && string(it.frame) == string(n.frame) {
			return
		}
		b.unlink(it)
		b.bytes -= it.size()
	} else {
		it = &item{}
		b.items[n.key] = it
		if n.kind == aValue {
			if b.of[n.thing] == nil {
				b.of[n.thing] = map[*item]bool{}
			}
			b.of[n.thing][it] = true
		}
	}
	n.space, n.seq = b.space, b.clock.next() // under mu, so that whoever reads up to a place has all that came before it
	it.news = n
	b.bytes += it.size()
	it.older, it.newer = b.newest, nil
	if b.newest != nil {
		b.newest.newer = it
	} else {
		b.oldest = it
	}
	b.newest = it
	b.cut(limit)
	b.wake()
}

// trim drops the oldest until the board has no more than limit bytes, or one item.
func (b *board) trim(limit int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut(limit)
}

// cut is trim with b.mu held.
func (b *board) cut(limit int) {
	for b.bytes > limit && b.oldest != b.newest {
		b.since = b.oldest.seq
		b.remove(b.oldest)
	}
}

// forget drops the values of those properties of a thing that living does not name.
func (b *board) forget(thing string, living map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for it := range b.of[thing] {
		if !living[it.id] {
			b.remove(it)
		}
	}
}

// lose empties the board, since there was something that is not on it.
func (b *board) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.items)
	clear(b.of)
	b.oldest, b.newest, b.bytes = nil, nil, 0
	b.since = b.clock.next()
	b.wake()
}

// knows says whether the board still has all that came after a place.
func (b *board) knows(after int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return after >= b.since && after <= b.clock.now()
}

// A reading is how far somebody has read a board.
type reading struct {
	upTo int64
	lost bool // something before was not there any more; then nothing was read
	more bool // there is more than fitted
}

// read adds to all what came after a place and is wanted, the oldest first, up to about most bytes. Unless there is more, who
// is called when something comes.
func (b *board) read(all []news, after int64, who *stream, most int) ([]news, reading) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from := b.newest
	switch {
	case after < b.since:
		b.idle[who] = struct{}{}
		return all, reading{upTo: b.clock.now(), lost: true}
	case from == nil || from.seq <= after:
		b.idle[who] = struct{}{}
		return all, reading{upTo: b.clock.now()}
	}
	for from.older != nil && from.older.seq > after {
		from = from.older
	}
	upTo, size := after, 0
	for it := from; it != nil; it = it.newer {
		if who.wants(&it.news) {
			if size > 0 && size+it.size() > most {
				return all, reading{upTo: upTo, more: true}
			}
			size += it.size()
			all = append(all, it.news)
		}
		upTo = it.seq
	}
	b.idle[who] = struct{}{}
	return all, reading{upTo: b.clock.now()}
}

// leave has who called no more.
func (b *board) leave(who *stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.idle, who)
}

// wake calls those who wait. b.mu is held.
func (b *board) wake() {
	for who := range b.idle {
		word(who.call)
	}
	clear(b.idle)
}

// remove takes an item from the board. b.mu is held.
func (b *board) remove(it *item) {
	b.unlink(it)
	b.bytes -= it.size()
	delete(b.items, it.key)
	if it.kind == aValue {
		delete(b.of[it.thing], it)
		if len(b.of[it.thing]) == 0 {
			delete(b.of, it.thing)
		}
	}
}

func (b *board) unlink(it *item) {
	if it.older != nil {
		it.older.newer = it.newer
	} else if b.oldest == it {
		b.oldest = it.newer
	}
	if it.newer != nil {
		it.newer.older = it.older
	} else if b.newest == it {
		b.newest = it.older
	}
	it.older, it.newer = nil, nil
}

// word leaves a word for whoever listens, unless there is one.
func word(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
