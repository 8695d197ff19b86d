package series_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
)

// each runs a benchmark on both engines, PostgreSQL with its disk in earnest.
func each(b *testing.B, cfg series.Config, run func(b *testing.B, h *house)) {
	for _, e := range dbtest.Engines {
		b.Run(e.String(), func(b *testing.B) {
			c := dbtest.Config(b, e, dbtest.History)
			if e == db.Postgres {
				c.DSN = dbtest.Postgres(b, dbtest.Durable())
			}
			b.ReportAllocs()
			run(b, open(b, dbtest.Open(b, c), cfg))
		})
	}
}

// cpu is the processor time that this process has used; of PostgreSQL it knows only our half.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// timed runs fn and reports per point.
func timed(b *testing.B, points func() int, fn func()) {
	b.ResetTimer()
	used := cpu(b)
	fn()
	used = cpu(b) - used
	b.StopTimer()
	n := float64(points())
	b.ReportMetric(n/b.Elapsed().Seconds()/1000, "kpoints/s")
	b.ReportMetric(float64(used.Nanoseconds())/n, "cpu-ns/point")
}

// Durable batches of 1,000 points, one after the other.
func BenchmarkAppend(b *testing.B) {
	each(b, series.Config{}, func(b *testing.B, h *house) {
		f := seriestest.NewFleet(1, 1000, noon, time.Second)
		var batches [][]series.Point
		for range 64 {
			batches = append(batches, f.Next(nil))
		}
		i := 0
		timed(b, func() int { return i * 1000 }, func() {
			for b.Loop() {
				batch := batches[i%len(batches)]
				for j := range batch {
					batch[j].At = batch[j].At.Add(64 * time.Second)
				}
				h.append(batch...)
				i++
			}
		})
	})
}

// Messages of 5 points with 4,096 of them in flight, as from many boards at once.
func BenchmarkEnqueue(b *testing.B) {
	each(b, series.Config{}, func(b *testing.B, h *house) {
		const size, flying = 5, 4096
		f := seriestest.NewFleet(1, 1000, noon, time.Second)
		var all []series.Point
		for range 100 {
			all = f.Next(all)
		}
		room := make(chan struct{}, flying)
		var failed error
		done := func(err error) {
			if err != nil {
				failed = err
			}
			<-room
		}
		i := 0
		timed(b, func() int { return i * size }, func() {
			for b.Loop() {
				from := i * size % len(all)
				m := all[from : from+size]
				if i >= len(all)/size {
					m = append([]series.Point(nil), m...)
					for j := range m {
						m[j].At = m[j].At.Add(time.Duration(i*size/len(all)) * 100 * time.Second)
					}
				}
				room <- struct{}{}
				h.Enqueue(m, done)
				i++
			}
			for range flying { // all are back
				room <- struct{}{}
			}
		})
		if failed != nil {
			b.Fatal(failed)
		}
	})
}

// day fills a property with 24 hours at one value per second.
func day(b *testing.B, h *house, property, space string, kind int) {
	f := seriestest.NewFleet(uint64(kind), kind+1, noon, time.Second)
	var points, batch []series.Point
	for range 86_400 {
		batch = f.Next(batch[:0])
		p := batch[kind]
		p.Series, p.Thing, p.Space = property, "t", space
		if points = append(points, p); len(points) == 3600 {
			h.append(points...)
			points = points[:0]
		}
	}
	if err := h.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// 300 bins over 24 hours of one value per second.
func BenchmarkDayInBins(b *testing.B) {
	kinds := map[string]int{"thermometer": 0, "converter": 4, "float64": 6, "counter": 7, "jitter": 12}
	each(b, series.Config{}, func(b *testing.B, h *house) {
		for name, kind := range kinds {
			day(b, h, name, "s", kind)
		}
		for name := range kinds {
			for _, a := range []series.Aggregation{series.Avg, series.Pct95} {
				b.Run(fmt.Sprint(name, "/", a), func(b *testing.B) {
					b.ReportAllocs()
					used := cpu(b)
					for b.Loop() {
						bins, err := h.Aggregate(context.Background(), series.Query{
							Series: name, Space: "s", From: noon, To: noon.Add(24 * time.Hour), Interval: 288 * time.Second, Aggregation: a,
						})
						if err != nil || len(bins) < 300 {
							b.Fatal(len(bins), err)
						}
					}
					b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(b.N)/1000, "cpu-ms/op")
				})
			}
		}
	})
}

// The newest 1,000 points of 24 hours.
func BenchmarkRaw(b *testing.B) {
	each(b, series.Config{}, func(b *testing.B, h *house) {
		day(b, h, "p", "s", 0)
		for b.Loop() {
			points, err := h.Raw(context.Background(), series.Query{Series: "p", Space: "s", Limit: 1000, Desc: true})
			if err != nil || len(points) != 1000 {
				b.Fatal(len(points), err)
			}
		}
	})
}

// Many boards with few properties each, which report rarely: what costs is how many
// chunks a flush touches.
func BenchmarkManySeries(b *testing.B) {
	each(b, series.Config{}, func(b *testing.B, h *house) {
		f := seriestest.NewFleet(1, 10_000, noon, time.Minute)
		var wait sync.WaitGroup
		n := 0
		timed(b, func() int { return n }, func() {
			for b.Loop() {
				batch := f.Next(nil)
				n += len(batch)
				wait.Add(1)
				h.Enqueue(batch, func(error) { wait.Done() })
			}
			wait.Wait()
		})
	})
}

// How many bytes a point takes once it is in chunks, for a data set like a real one: in
// chunks alone, and, where there is one, of the database file, with its index, its free pages
// and what a flush leaves of the log.
func BenchmarkBytesPerPoint(b *testing.B) {
	for _, e := range dbtest.Engines {
		b.Run(e.String(), func(b *testing.B) {
			c := dbtest.Config(b, e, dbtest.History)
			h := open(b, dbtest.Open(b, c), series.Config{})
			const hours = 24
			f := seriestest.NewFleet(1, 2*seriestest.Variety, noon, time.Second)
			n := 0
			timed(b, func() int { return n }, func() {
				for range b.N {
					for range hours * 60 {
						var batch []series.Point
						for range 60 {
							batch = f.Next(batch)
						}
						h.append(batch...)
						n += len(batch)
					}
					if err := h.Flush(context.Background()); err != nil {
						b.Fatal(err)
					}
				}
			})
			for i := range seriestest.Variety {
				size, points := chunkBytes(b, h.db, f.Series(i))
				b.Logf("kind %2d: %.2f bytes per point", i, float64(size)/float64(points))
			}
			size, points := chunkBytes(b, h.db, "")
			b.ReportMetric(float64(size)/float64(points), "bytes/point")
			if c.Path == "" {
				return
			}
			var file int64
			for _, name := range []string{c.Path, c.Path + "-wal"} {
				if info, err := os.Stat(name); err == nil {
					file += info.Size()
					b.Logf("%s: %.2f bytes per point", filepath.Base(name), float64(info.Size())/float64(points))
				}
			}
			var free int64
			if err := h.db.Read(b.Context(), func(tx *db.Tx) error {
				return tx.QueryRow(b.Context(), `PRAGMA freelist_count`).Scan(&free)
			}); err != nil {
				b.Fatal(err)
			}
			b.Logf("pages that are free to be used again: %.2f bytes per point", float64(free*4096)/float64(points))
			b.ReportMetric(float64(file)/float64(points), "file-bytes/point")
		})
	}
}

// A year of one thermometer at one value per second.
func BenchmarkYear(b *testing.B) {
	each(b, series.Config{}, func(b *testing.B, h *house) {
		if testing.Short() {
			b.Skip("loads 31 million points")
		}
		f := seriestest.NewFleet(1, 1, noon, time.Second)
		began := cpu(b)
		var batch []series.Point
		for range 365 * 24 {
			batch = batch[:0]
			for range 3600 {
				batch = f.Next(batch)
			}
			h.append(batch...)
		}
		if err := h.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.Logf("loading took %s of processor time", cpu(b)-began)
		size, points := chunkBytes(b, h.db, "")
		for b.Loop() {
			bins, err := h.Aggregate(context.Background(), series.Query{Series: f.Series(0), Space: f.Space(0), Interval: 29 * time.Hour, Limit: 1000})
			if err != nil || len(bins) < 300 {
				b.Fatal(len(bins), err)
			}
		}
		b.ReportMetric(float64(size)/float64(points), "bytes/point")
		b.ReportMetric(float64(size)/1e6, "MB")
	})
}

// chunkBytes is what chunks take, of one series or of all.
func chunkBytes(t testing.TB, d *db.DB, property string) (size, points int64) {
	t.Helper()
	err := d.Read(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(), `
			SELECT SUM(LENGTH(head) + LENGTH(body) + 40), SUM(points) FROM series_chunk
			WHERE $1 = '' OR series IN (SELECT id FROM series WHERE property = $1)`, property).Scan(&size, &points)
	})
	if err != nil {
		t.Fatal(err)
	}
	return size, points
}
