package device

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// maxPack is the largest pack that the cloud reads.
const maxPack = senml.MaxBytes

// A Sample is one value at one time, as it is sent.
type Sample struct {
	Name  string
	Value any // bool, int64, float64, string, or one of the …Value types
	At    time.Time
}

// An item is a sample on its way.
type item struct {
	from    Property
	sample  Sample
	records []senml.Record
}

// A batch is the items of one message.
type batch struct {
	id    uint16 // of QoS 1
	items []item
}

// A queue holds the items that are to be sent, the oldest first, and the batches that
// are not acknowledged yet. Only the goroutine of Run uses it.
type queue struct {
	limit   int // of waiting; 0: none is kept beyond a connection
	waiting []item
	flight  []batch // in the order of sending
	dropped int
}

func (q *queue) add(i item) {
	q.waiting = append(q.waiting, i)
	q.bound()
}

// bound drops the oldest items above the limit.
func (q *queue) bound() {
	if over := len(q.waiting) - q.limit; q.limit > 0 && over > 0 {
		clear(q.waiting[:over]) // so that the values can be freed
		q.waiting = q.waiting[over:]
		q.dropped += over
	}
}

// next packs as many of the oldest items as fit into most bytes, with no variable
// twice: those who take a pack apart may expect that. n is how many items are in wire; wire is nil when
// the first one alone is too large, or there is none.
func (q *queue) next(most int, times bool) (wire []byte, n int) {
	seen := map[Property]bool{}
	var records []senml.Record
	for i := range q.waiting {
		it := &q.waiting[i]
		if seen[it.from] {
			break
		}
		seen[it.from] = true
		for _, r := range it.records {
			if times {
				r.At = float64(it.sample.At.UnixMilli()) / 1000
			}
			records = append(records, r)
		}
		longer := senml.AppendBoard(nil, records)
		if len(longer) > most || len(records) > senml.MaxRecords {
			break
		}
		wire, n = longer, i+1
	}
	return wire, n
}

// shift takes the first n items away.
func (q *queue) shift(n int) []item {
	taken := make([]item, n)
	copy(taken, q.waiting)
	clear(q.waiting[:n])
	q.waiting = q.waiting[n:]
	return taken
}

// acknowledge takes a batch away, if there is one with this id.
func (q *queue) acknowledge(id uint16) (batch, bool) {
	for n, b := range q.flight {
		if b.id == id {
			q.flight = append(q.flight[:n], q.flight[n+1:]...)
			return b, true
		}
	}
	return batch{}, false
}

// disconnected makes everything that was not acknowledged wait again, in front. Without a limit
// nothing waits: the variables are told to send their values of then.
func (q *queue) disconnected() {
	var all []item
	for _, b := range q.flight {
		all = append(all, b.items...)
	}
	q.flight, q.waiting = nil, append(all, q.waiting...)
	if q.limit == 0 {
		for _, i := range q.waiting {
			i.from.again()
		}
		q.waiting = nil
	}
	q.bound()
}
