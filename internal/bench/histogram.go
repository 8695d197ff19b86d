package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// steps is how many buckets each doubling has: a figure is right within 3 %.
const steps = 32

// A histogram counts durations of up to some hours.
type histogram struct {
	buckets [44 * steps]atomic.Uint32
	worst   atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	v := uint64(max(d, 0)) / 64 // in units of 64 ns
	i := int(v)
	if v >= steps {
		shift := bits.Len64(v) - bits.Len64(steps)
		i = (shift+1)*steps + int(v>>shift) - steps
	}
	h.buckets[min(i, len(h.buckets)-1)].Add(1)
	for old := h.worst.Load(); int64(d) > old && !h.worst.CompareAndSwap(old, int64(d)); {
		old = h.worst.Load()
	}
}

// at is the duration that a share of all do not exceed.
func (h *histogram) at(share float64) time.Duration {
	var all, sum uint64
	for i := range h.buckets {
		all += uint64(h.buckets[i].Load())
	}
	for i := range h.buckets {
		sum += uint64(h.buckets[i].Load())
		if float64(sum) >= share*float64(all) && sum > 0 {
			return upper(i)
		}
	}
	return 0
}

// upper is the end of a bucket.
func upper(i int) time.Duration {
	v := uint64(i + 1)
	if i >= steps {
		shift := i/steps - 1
		v = uint64(steps+i%steps+1) << shift
	}
	return time.Duration(v * 64)
}
