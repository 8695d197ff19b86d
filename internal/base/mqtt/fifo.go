package mqtt

// A fifo is a queue in a ring that grows as it must and is given back when it
// has been large and is empty. The zero value is ready.
type fifo[T any] struct {
	ring []T
	head int
	n    int
}

const (
	fifoStart = 4
	fifoKeep  = 64 // capacity that an empty queue may keep
)

func (q *fifo[T]) len() int { return q.n }

func (q *fifo[T]) push(v T) {
	if q.n == len(q.ring) {
		bigger := make([]T, max(fifoStart, 2*len(q.ring)))
		for i := range q.n {
			bigger[i] = q.ring[(q.head+i)%len(q.ring)]
		}
		q.ring, q.head = bigger, 0
	}
	q.ring[(q.head+q.n)%len(q.ring)] = v
	q.n++
}

// peek is the oldest value. There must be one.
func (q *fifo[T]) peek() T { return q.ring[q.head] }

// pop takes the oldest value. There must be one.
func (q *fifo[T]) pop() T {
	var none T
	v := q.ring[q.head]
	q.ring[q.head] = none
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	if q.n == 0 && len(q.ring) > fifoKeep {
		q.ring, q.head = nil, 0
	}
	return v
}
