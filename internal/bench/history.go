package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// history measures questions about a day with one value a second, and how many bytes
// a value takes.
func (b *bench) history(ctx context.Context) error {
	progress("history: a day with one value a second")
	n := len(b.house.boards)
	// Without a certificate: a space gets 10,000 of them a day, and the others have them.
	one, err := b.house.enroll(ctx, n, false, new(atomic.Int64))
	if err != nil {
		return err
	}
	b.house.boards = append(b.house.boards, one)
	today := time.Now().Truncate(time.Second)
	from := today.Add(-24 * time.Hour)
	if err := b.fill(n, from); err != nil {
		return err
	}
	fresh, err := b.ask(ctx, n, from)
	if err != nil {
		return err
	}
	// A backup moves everything from the log to chunks first.
	out := filepath.Join(b.house.dir, "backup")
	if text, err := exec.CommandContext(ctx, "bin/ardesia", "backup", "--data", b.house.data, "--out", out).CombinedOutput(); err != nil {
		return fmt.Errorf("backup: %w: %s", err, text)
	}
	settle(b.house.pid)
	stored, err := b.ask(ctx, n, from)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		result
	}{{"while the day is in the log still", fresh}, {"from chunks", stored}} {
		b.report.history = append(b.report.history, fmt.Sprintf(
			"| 300 averages over 24 h of one value a second, `POST /iot/v2/series/batch_query` over HTTPS, %s | %.2f ms of the server's processor; p50 %.2f ms, p99 %.2f ms |",
			c.name, float64(c.cpu.Microseconds())/1000, float64(c.p50.Microseconds())/1000, float64(c.p99.Microseconds())/1000))
	}
	return b.sizes(ctx)
}

// daySeconds are the values of a day at one a second.
const daySeconds = 86_400

// fill sends a day of a thermometer with noise as board i, with the board's own times.
func (b *bench) fill(i int, from time.Time) error {
	k, err := b.house.dial(i, false, 512)
	if err != nil {
		return err
	}
	defer k.Close()
	const pack = 400
	rng := rand.New(rand.NewPCG(24, 1))
	var records []senml.Record
	for s := range daySeconds {
		v := 21 + 4*math.Sin(2*math.Pi*float64(s)/daySeconds) + rng.NormFloat64()*0.05
		records = append(records, senml.Record{Name: "temperature", Kind: senml.Float, Num: v, At: float64(from.Unix() + int64(s))})
		if len(records) < pack && s < daySeconds-1 {
			continue
		}
		if err := k.publish(b.house.boards[i].topic, 1, senml.Append(nil, records)); err != nil {
			return err
		}
		if _, err := k.ack(); err != nil {
			return err
		}
		records = records[:0]
	}
	return nil
}

// ask asks for 300 averages of that day, many times, and checks the answers.
func (b *bench) ask(ctx context.Context, i int, from time.Time) (result, error) {
	const bins, times, interval = 300, 300, 288
	in := map[string]any{"requests": []any{map[string]any{
		"q": "property." + b.house.boards[i].property, "from": from, "to": from.Add(24 * time.Hour), "interval": interval, "aggregation": "AVG", "series_limit": bins + 1,
	}}}
	var lat histogram
	var m measure
	for n := range times + 20 {
		if n == 20 { // warm
			settle(b.house.pid)
			m = meter(b.house.pid)
		}
		var out struct {
			Responses []struct {
				Status, Message string
				Values          []float64
			}
		}
		began := time.Now()
		if err := b.house.api.Do(ctx, "POST", "/iot/v2/series/batch_query", in, &out); err != nil {
			return result{}, err
		}
		if n >= 20 {
			lat.add(time.Since(began))
		}
		if len(out.Responses) != 1 || len(out.Responses[0].Values) < bins {
			return result{}, fmt.Errorf("asked for %d bins, got %+v", bins, out)
		}
	}
	return m.result(times, time.Since(m.at), &lat), nil
}

var metric = regexp.MustCompile(`([0-9.e+-]+) ((?:file-)?bytes/point)`)

// sizes has the benchmark of the series say what a value takes on disk: the generator of
// its data is internal/fleet/series/seriestest.
func (b *bench) sizes(ctx context.Context) error {
	progress("history: bytes for each value")
	test := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "BytesPerPoint/sqlite", "-benchtime", "1x", "./internal/fleet/series")
	out, err := test.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", test, err, out)
	}
	found := metric.FindAllSubmatch(out, -1)
	if len(found) != 2 {
		return fmt.Errorf("%s says nothing of bytes: %s", test, bytes.TrimSpace(out))
	}
	names := map[string]string{"bytes/point": "in chunks with their keys, sealed", "file-bytes/point": "of the whole database file"}
	for _, f := range found {
		b.report.history = append(b.report.history, fmt.Sprintf("| bytes for each value of a mixed fleet (`seriestest.Fleet`), %s | %s |", names[string(f[2])], f[1]))
	}
	return nil
}
