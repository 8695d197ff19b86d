package audit

import (
	"fmt"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// Entries go from the journal to a checkpoint that signs them; entries/s is what a house
// catches up with. At least 5,000 are asked for. An operation is one entry where -benchtime leaves room for that many.
func BenchmarkCatchUp(b *testing.B) {
	for _, n := range []int{1_000, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newHouse(b, db.SQLite)
			h.act(1)
			h.followed()
			b.ReportAllocs()
			b.ResetTimer()
			done := 0
			for done < b.N {
				b.StopTimer()
				h.act(n)
				b.StartTimer()
				h.followed()
				done += n
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "entries/s")
			if r := h.verified(nil); !r.Whole() || r.Signed != uint64(done)+1 {
				b.Errorf("report is %+v", r)
			}
		})
	}
}

// An operation is the way of one entry from its commit to a checkpoint that signs it,
// while Run works; at most 0.5 s is asked for.
func BenchmarkTimeToPublished(b *testing.B) {
	h := newHouse(b, db.SQLite)
	ctx, stop := withCancel(b)
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var worst time.Duration
	want := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		h.act(1)
		want++
		start := time.Now()
		for {
			if c, _, err := h.Checkpoint(); err == nil && c.Size >= want {
				break
			}
			<-time.After(time.Millisecond)
		}
		worst = max(worst, time.Since(start))
	}
	b.ReportMetric(worst.Seconds(), "worst-s")
	stop()
	<-done
}

// leaves/s is how fast a log is proved, with its journal.
func BenchmarkVerify(b *testing.B) {
	h := newHouse(b, db.SQLite)
	const n = 20_000
	h.act(n)
	h.followed()
	b.ReportAllocs()
	b.ResetTimer()
	done := 0
	for done < b.N {
		if r := h.verified(nil); !r.Whole() {
			b.Fatalf("report is %+v", r)
		}
		done += n
	}
	b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "leaves/s")
}
