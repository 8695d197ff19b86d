// Command bench measures Ardesia side by side with Mosquitto on one machine in one
// go, and prints ratios. Run it as "make bench"; figures of one machine mean little
// beside those of another, ratios mean something.
package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

func main() {
	rounds := flag.Int("rounds", 5, "how often each is measured; medians are printed")
	last := flag.Duration("last", 4*time.Second, "how long one measurement takes")
	conns := flag.Int("max", 1000, "connections of the larger runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := compare(ctx, *rounds, *last, *conns); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A scenario is one line of the comparison.
type scenario struct {
	name   string
	conns  int
	window int
	bytes  int
}

func compare(ctx context.Context, rounds int, last time.Duration, most int) error {
	dir, err := os.MkdirTemp("", "ardesia-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ours, house, err := ardesia(ctx, filepath.Join(dir, "ardesia"), most)
	if err != nil {
		return fmt.Errorf("ardesia: %w", err)
	}
	defer house.stop()
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	boards := make([]board, most)
	for i := range boards {
		boards[i] = board{id: fmt.Sprintf("board-%d", i), pass: fmt.Sprintf("secret-%d", i)}
	}
	other := filepath.Join(dir, "mosquitto")
	if err := os.Mkdir(other, 0o700); err != nil {
		return err
	}
	theirs, relay, err := mosquitto(ctx, other, ca, boards, false)
	if err != nil {
		return fmt.Errorf("mosquitto: %w", err)
	}
	defer relay.stop()
	stopReading, err := theirs.subscriber("reader", "reader-secret", "/bench/#")
	if err != nil {
		return err
	}
	defer stopReading()

	fmt.Printf("QoS 1 over TLS 1.2; Ardesia: decoded, authorised, stored with fdatasync before PUBACK; Mosquitto: relayed to one QoS 1 subscriber, nothing stored\n")
	fmt.Printf("%-34s %12s %12s %7s %10s %10s %22s %22s\n", "medians of "+fmt.Sprint(rounds), "ardesia/s", "mosquitto/s", "ratio", "cpu µs", "cpu µs", "ardesia p50/p99", "mosquitto p50/p99")
	for _, sc := range []scenario{{"100 boards, 50 B", 100, 10, 50}, {"100 boards, 200 B", 100, 10, 200}, {fmt.Sprintf("%d boards, 50 B", most), most, 10, 50}, {fmt.Sprintf("%d boards, 200 B", most), most, 10, 200}} {
		if err := sc.run(ctx, ours, theirs, rounds, last, 0); err != nil {
			return err
		}
	}
	paced := scenario{"100 boards, 50 B, 5,000/s", 100, 100, 50}
	return paced.run(ctx, ours, theirs, rounds, last, 5000)
}

func (sc scenario) run(ctx context.Context, ours, theirs *target, rounds int, last time.Duration, rate float64) error {
	var a, m []result
	for range rounds { // in turns, so that noise meets both
		for _, side := range []struct {
			t   *target
			all *[]result
		}{{ours, &a}, {theirs, &m}} {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, err := side.t.publish(sc.conns, sc.window, rate, last, payloadOf(sc.bytes))
			if err != nil {
				return err
			}
			if r.failed > 0 {
				return fmt.Errorf("%s: %d connections failed", side.t.name, r.failed)
			}
			*side.all = append(*side.all, r)
		}
	}
	x, y := median(a), median(m)
	fmt.Printf("%-34s %12.0f %12.0f %7.2f %10.1f %10.1f %22s %22s\n", sc.name, x.rate, y.rate, x.rate/y.rate, x.cpu, y.cpu,
		fmt.Sprintf("%s/%s", x.p50.Round(10*time.Microsecond), x.p99.Round(10*time.Microsecond)), fmt.Sprintf("%s/%s", y.p50.Round(10*time.Microsecond), y.p99.Round(10*time.Microsecond)))
	return nil
}

// median takes each figure's median by itself.
func median(all []result) result {
	of := func(get func(result) float64) float64 {
		v := make([]float64, len(all))
		for i, r := range all {
			v[i] = get(r)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return result{
		rate: of(func(r result) float64 { return r.rate }), cpu: of(func(r result) float64 { return r.cpu }),
		p50: time.Duration(of(func(r result) float64 { return float64(r.p50) })), p99: time.Duration(of(func(r result) float64 { return float64(r.p99) })),
	}
}

// payloadOf makes packs of about n bytes: a float, and text to fill up.
func payloadOf(n int) func(int) []byte {
	value := 20.0
	pack := func(fill string) []byte {
		return senml.Append(nil, []senml.Record{{Name: "temperature", Kind: senml.Float, Num: value}, {Name: "note", Kind: senml.Text, Text: fill}})
	}
	fill := strings.Repeat("x", max(0, n-len(pack(""))))
	whole := pack(fill)
	return func(int) []byte { return whole }
}

// ardesia starts the house with n boards that have things, through its API.
func ardesia(ctx context.Context, dir string, n int) (*target, *program, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	data := filepath.Join(dir, "data")
	free := "127.0.0.1:0"
	p, err := start(dir, "bin/ardesia", "serve", "--dev", "--data", data, "--https-addr", free, "--mqtt-cert-addr", free,
		"--mqtt-cert-legacy-addr", free, "--mqtt-password-addr", free, "--metrics-addr", free, "--log-level", "warn")
	if err != nil {
		return nil, nil, err
	}
	t, err := populate(ctx, p, data, n)
	if err != nil {
		p.stop()
		return nil, nil, err
	}
	return t, p, nil
}

func populate(ctx context.Context, p *program, data string, n int) (*target, error) {
	at, err := p.addresses(ctx, data)
	if err != nil {
		return nil, err
	}
	var key struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	add := exec.CommandContext(ctx, "bin/ardesia", "user", "add", "--data", data, "--email", "bench@example.org", "--name", "Bench", "--password-stdin")
	add.Stdin = strings.NewReader("a long password for a benchmark\n")
	if out, err := add.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("user add: %w: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, "bin/ardesia", "apikey", "add", "--data", data, "--user", "bench@example.org", "--name", "bench", "--format", "json").Output()
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &key); err != nil {
		return nil, err
	}
	caFile := filepath.Join(data, "tls", "ca.pem")
	c, err := client.New(client.Config{URL: "https://" + at["https"], ID: key.ID, Secret: key.Secret, CAFile: caFile}, time.Now)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	t := &target{name: "ardesia", addr: at["mqtt-password"], tls: boardTLS(pool), pid: p.cmd.Process.Pid}
	for i := range n {
		b, err := enroll(ctx, c, i)
		if err != nil {
			return nil, fmt.Errorf("board %d: %w", i, err)
		}
		t.boards = append(t.boards, b)
	}
	return t, nil
}

func enroll(ctx context.Context, c *client.Client, i int) (board, error) {
	var d client.Device
	if err := retry(ctx, func() error {
		return c.Do(ctx, "PUT", "/iot/v2/devices", map[string]any{"name": fmt.Sprintf("board-%d", i), "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	}); err != nil {
		return board{}, err
	}
	b := board{id: d.ID, user: d.ID, pass: "a-secret-key-for-benchmarks"}
	if err := retry(ctx, func() error {
		return c.Do(ctx, "PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": b.pass}, nil)
	}); err != nil {
		return board{}, err
	}
	property := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "type": kind, "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"}
	}
	var th client.Thing
	err := retry(ctx, func() error {
		return c.Do(ctx, "PUT", "/iot/v2/things", map[string]any{"name": fmt.Sprintf("Thing %d", i), "device_id": d.ID,
			"properties": []any{property("temperature", "FLOAT"), property("note", "CHARSTRING")}}, &th)
	})
	b.topic = "/a/t/" + th.ID + "/e/o"
	return b, err
}

// retry waits when the server's own limits say so.
func retry(ctx context.Context, do func() error) error {
	for {
		err := do()
		var e *client.Error
		if !errors.As(err, &e) || e.Status != 429 {
			return err
		}
		wait, _ := time.ParseDuration(e.Retry + "s")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(wait, 100*time.Millisecond)):
		}
	}
}

// addresses waits until the house says where its doors are.
func (p *program) addresses(ctx context.Context, data string) (map[string]string, error) {
	for {
		text, err := os.ReadFile(filepath.Join(data, "addresses.json"))
		var at map[string]string
		if err == nil && json.Unmarshal(text, &at) == nil {
			return at, nil
		}
		select {
		case <-p.done:
			return nil, errors.New("it ended before it was ready")
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// subscriber reads everything on topic and acknowledges it, until stop is called.
func (t *target) subscriber(user, pass, topic string) (stop func(), err error) {
	k, err := t.dial(board{id: user, user: user, pass: pass})
	if err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	if err := k.subscribe(topic, 1); err != nil {
		return nil, err
	}
	go func() {
		for {
			kind, body, err := k.read()
			if err != nil {
				return
			}
			if kind>>4 == 3 && kind>>1&3 == 1 {
				at := 2 + int(body[0])<<8 + int(body[1])
				if _, err := k.Write([]byte{0x40, 2, body[at], body[at+1]}); err != nil {
					return
				}
			}
		}
	}()
	return func() { k.Close() }, nil
}
