package series_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
)

// How many commits there are for what comes, and how long one waits at most.
func TestCommitsGather(t *testing.T) {
	const takes = 300 * time.Microsecond
	for name, c := range map[string]struct {
		atOnce  int           // batches that come at one instant
		every   time.Duration // from one such instant to the next
		rounds  int
		commits [2]int // at least, at most
		within  time.Duration
	}{
		"one now and then waits for nobody":  {1, 10 * time.Millisecond, 100, [2]int{100, 100}, takes},
		"one after the other does not wait":  {1, takes, 100, [2]int{50, 100}, 2 * takes},
		"some at once share commits":         {5, time.Millisecond, 1000, [2]int{300, 800}, 2*takes + time.Millisecond},
		"many at once fill commits as it is": {100, takes, 1000, [2]int{900, 1300}, 2*takes + time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &series.Slow{Takes: takes}
				s, err := series.New(t.Context(), series.Needs{
					Store: store, Keys: &seriestest.Keys{}, Log: slog.New(slog.DiscardHandler), Now: time.Now})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				var worst time.Duration
				left := c.atOnce * c.rounds
				answered := make(chan time.Duration, left)
				for range c.rounds {
					began := time.Now()
					for i := range c.atOnce {
						s.Enqueue([]series.Point{point(fmt.Sprint(i), left, number(1))}, func(err error) {
							if err != nil {
								t.Error(err)
							}
							answered <- time.Since(began)
						})
					}
					<-time.After(c.every)
				}
				for range left {
					worst = max(worst, <-answered)
				}
				if n := store.Commits; n < c.commits[0] || n > c.commits[1] {
					t.Errorf("%d commits, want %d to %d", n, c.commits[0], c.commits[1])
				}
				if worst > c.within {
					t.Errorf("the slowest answer took %s, want %s at most", worst, c.within)
				}
				stop()
				<-ended
			})
		})
	}
}
