package live

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// manyThings are things all of which may be seen, and whose last values are those of the change.
type manyThings struct{}

func (manyThings) Views(_ context.Context, who access.Actor, things []string) (map[string]thing.View, error) {
	all := map[string]thing.View{}
	for _, id := range things {
		all[id] = thing.View{Space: who.Space, Whole: true}
	}
	return all, nil
}

func (manyThings) Latest(c thing.Change, fn func(series.Point)) error {
	for _, p := range c.Points {
		fn(p)
	}
	return nil
}

func (manyThings) Watch(func(context.Context, thing.Thing)) {}

func (manyThings) Showing(context.Context, access.Actor, string) (dashboard.Showing, error) {
	return dashboard.Showing{}, dashboard.ErrNotFound
}

// nowhere takes what is written to nobody.
type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) WriteHeader(int)             {}
func (nowhere) Flush()                      {}

// What it costs that a message of 50 values reaches so many clients, the network not counted: op is one message to all of them.
func BenchmarkDelivery(b *testing.B) {
	for _, clients := range []int{1, 1000} {
		b.Run(fmt.Sprintf("clients=%d", clients), func(b *testing.B) { benchmark(b, clients, 50) })
	}
}

// bare is this room without those below.
func bare(t testing.TB, cfg Config, values *feed.Feed[thing.Change]) *Service {
	t.Helper()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Needs{
		Things: manyThings{}, Dashboards: manyThings{}, Policy: policy, Values: values, Presences: new(feed.Feed[device.Presence]), Devices: new(feed.Feed[device.Change]),
		Shown: new(feed.Feed[dashboard.Change]), Again: func(*http.Request) (access.Actor, error) { return editor, nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Config: cfg,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func benchmark(b *testing.B, clients, properties int) {
	var values feed.Feed[thing.Change]
	s := bare(b, Config{PerPerson: clients, PerSpace: clients, Pace: time.Nanosecond}, &values)
	ctx, stop := context.WithCancel(b.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	all.Go(func() { _ = s.Run(ctx) })
	for range clients {
		r := httptest.NewRequestWithContext(ctx, "GET", "/v1/live", nil)
		x, err := s.open(newWriter(nowhere{}, time.Minute), r, editor, Wish{})
		if err != nil {
			b.Fatal(err)
		}
		all.Go(func() {
			defer x.close()
			_ = x.serve(ctx, "")
		})
	}
	b.ReportAllocs()
	b.ResetTimer()
	begin, told := time.Now(), s.Counts().Values
	for n := range b.N {
		message := thing.Change{Space: editor.Space, Thing: anID, Points: make([]series.Point, properties)}
		for i := range message.Points {
			message.Points[i] = series.Point{Series: fmt.Sprintf("6ba7b810-9dad-41d1-80b4-%012d", i), Thing: anID, Space: editor.Space,
				At: begin.Add(time.Duration(n) * time.Millisecond), Value: series.Value{Kind: series.Float, Num: float64(n) + 0.25}}
		}
		values.Publish(message)
		for told += int64(clients * properties); s.Counts().Values < told; {
			if clients == 1 {
				runtime.Gosched() // a timer would take longer than what is measured
			} else {
				<-time.After(100 * time.Microsecond) // the processors are for the clients
			}
		}
	}
	b.ReportMetric(float64(b.N*clients*properties)/time.Since(begin).Seconds(), "values/s")
}
