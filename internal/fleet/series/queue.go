package series

import (
	"context"
	"sync"
	"time"
)

// An entry is one call of Enqueue.
type entry struct {
	points []Point
	text   int // bytes
	quiet  bool
	done   func(error)
	err    error // why it is refused

	at     time.Time // when Enqueue was called; zero without a Mirror
	copies []Point   // what is kept with its points; the committer's
}

// A queue holds what waits for the committer. It is bounded in points and bytes; an
// entry that is larger than the bound gets in when the queue is empty.
type queue struct {
	maxPoints, maxBytes int

	mu      sync.Mutex
	entries []entry       // guarded by mu
	first   int           // guarded by mu; entries before this one are taken
	points  int           // guarded by mu
	bytes   int           // guarded by mu
	busy    bool          // guarded by mu; the committer has taken entries and not finished them
	stopped bool          // guarded by mu
	room    chan struct{} // guarded by mu; closed when there is room again, nil while nobody waits
	many    int           // guarded by mu; how many entries gather waits for
	enough  chan struct{} // guarded by mu; closed when there are so many, nil while nobody waits

	work chan struct{} // holds one token when there is something to do
}

func newQueue(maxPoints, maxBytes int) *queue {
	return &queue{maxPoints: maxPoints, maxBytes: maxBytes, work: make(chan struct{}, 1)}
}

// add waits for room, at most until ctx ends, and says ErrStopped after stop.
func (q *queue) add(ctx context.Context, e entry) error {
	for {
		q.mu.Lock()
		if q.stopped {
			q.mu.Unlock()
			return ErrStopped
		}
		if q.first == len(q.entries) || q.points+len(e.points) <= q.maxPoints && q.bytes+e.text <= q.maxBytes {
			break
		}
		if q.room == nil {
			q.room = make(chan struct{})
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	q.entries = append(q.entries, e)
	q.points += len(e.points)
	q.bytes += e.text
	alone := len(q.entries) == q.first+1
	if len(q.entries)-q.first >= q.many {
		q.enoughLocked()
	}
	q.mu.Unlock()
	if alone {
		q.wake()
	}
	return nil
}

func (q *queue) wake() {
	select {
	case q.work <- struct{}{}:
	default:
	}
}

// take appends what waits to into, in order, up to about the bound of one commit. It
// blocks while nothing does, and returns nothing once the queue is stopped and empty.
func (q *queue) take(into []entry, maxPoints, maxBytes int) []entry {
	for {
		q.mu.Lock()
		q.busy = false
		points, bytes, n := 0, 0, q.first
		for n < len(q.entries) {
			e := &q.entries[n]
			if n > q.first && (points+len(e.points) > maxPoints || bytes+e.text > maxBytes) {
				break
			}
			points += len(e.points)
			bytes += e.text
			n++
		}
		if n > q.first {
			into = append(into, q.entries[q.first:n]...)
			clear(q.entries[q.first:n])
			if q.first = n; n > len(q.entries)/2 {
				rest := copy(q.entries, q.entries[n:])
				clear(q.entries[rest:])
				q.entries, q.first = q.entries[:rest], 0
			}
			q.points -= points
			q.bytes -= bytes
			q.busy = true
			if q.room != nil {
				close(q.room)
				q.room = nil
			}
			q.mu.Unlock()
			return into
		}
		stopped := q.stopped
		q.mu.Unlock()
		if stopped {
			return into
		}
		<-q.work
	}
}

// stop lets nothing more in. What waits is still taken.
func (q *queue) stop() {
	q.mu.Lock()
	q.stopped = true
	q.enoughLocked()
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	q.mu.Unlock()
	q.wake()
}

// gather waits until n entries wait, or the queue is stopped, at most for a time.
func (q *queue) gather(n int, most time.Duration) {
	enough := make(chan struct{})
	q.mu.Lock()
	if q.stopped || len(q.entries)-q.first >= n {
		q.mu.Unlock()
		return
	}
	q.many, q.enough = n, enough
	q.mu.Unlock()
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-enough:
	case <-late.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enough = nil
}

// enoughLocked ends gather. q.mu is held.
func (q *queue) enoughLocked() {
	if q.enough != nil {
		close(q.enough)
		q.enough = nil
	}
}

// idle says whether all that was added is done.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.busy && q.first == len(q.entries)
}
