package series_test

import (
	"context"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
	"os"
	"testing"
	"time"
)

func TestMany100k(t *testing.T) {
	if os.Getenv("MANY") == "" {
		t.Skip()
	}
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			h := open(t, dbtest.Open(t, dbtest.Config(t, e, dbtest.History)), series.Config{})
			f := seriestest.NewFleet(1, 100_000, noon, time.Minute)
			worst := time.Duration(0)
			began := time.Now()
			n := 0
			slow := 0
			for range 30 {
				b := f.Next(nil)
				for i := 0; i < len(b); i += 1000 {
					x := time.Now()
					h.append(b[i : i+1000]...)
					d := time.Since(x)
					worst = max(worst, d)
					if d > 50*time.Millisecond {
						slow++
					}
					n += 1000
				}
			}
			t.Logf("%d points in %v, worst append %v, %d of %d over 50 ms; stats %+v", n, time.Since(began), worst, slow, n/1000, h.Stats())
			h.stop()
			x := time.Now()
			h.start()
			t.Logf("start %v: %+v", time.Since(x), h.Stats())
			x = time.Now()
			if err := h.Flush(context.Background()); err != nil {
				t.Fatal(err)
			}
			t.Logf("flush %v", time.Since(x))
			h.stop()
			x = time.Now()
			h.start()
			t.Logf("start %v", time.Since(x))
		})
	}
}
