package trigger

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// killEnv makes this test binary the process that TestKilled kills.
const killEnv = "ARDESIA_TEST_TRIGGER_CHILD"

// A killJob tells the child what to do.
type killJob struct {
	Dir                    string
	Core, History, Keyring dbConfig
	Thing                  string
	Properties             []string
	Next                   []int // by property: the first value that was not acknowledged
	Last                   int   // values of each property
	Quiet                  int   // values between two that fulfil the condition
	Rate                   int   // values of each property in a second; 0: as fast as can be
}

type dbConfig struct {
	Engine db.Engine
	Path   string
	Key    []byte
	DSN    string
}

func (c dbConfig) open(ctx context.Context, name string) (*db.DB, error) {
	return schema.Open(ctx, db.Config{Engine: c.Engine, Schema: name, Path: c.Path, Key: c.Key, DSN: c.DSN, Now: time.Now})
}

func TestMain(m *testing.M) {
	if text := os.Getenv(killEnv); text != "" {
		fmt.Fprintln(os.Stderr, reportUntilKilled(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// value is the n-th of a property: now and then one above the bound, which is another each time.
func (j *killJob) value(n int) float64 {
	if n%j.Quiet == j.Quiet-1 {
		return float64(1000 + n)
	}
	return float64(n % j.Quiet % 7)
}

// stack is the house on the job's data, and how to close that.
func (j *killJob) stack(ctx context.Context, log *slog.Logger) (k *stack, end func() error, err error) {
	set := setting{Ground: fleettest.Ground{Dir: j.Dir, Now: time.Now, Log: log}, config: Config{Rate: -1, Retry: 50 * time.Millisecond},
		web: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	for _, one := range []struct {
		config dbConfig
		name   string
		into   **db.DB
	}{{j.Core, schema.Core, &set.Core}, {j.History, schema.History, &set.Ground.History}, {j.Keyring, schema.Keyring, &set.Keyring}} {
		if *one.into, err = one.config.open(ctx, one.name); err != nil {
			return nil, nil, err
		}
	}
	k, err = newStack(ctx, set)
	return k, func() error { return errors.Join(set.Core.Close(), set.Ground.History.Close(), set.Keyring.Close()) }, err
}

// reportUntilKilled says the values of all properties, and which ones were acknowledged, until nothing is left to do.
func reportUntilKilled(text string) error {
	var job killJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	ctx := context.Background()
	k, _, err := job.stack(ctx, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	// What was stored before the kill and not acknowledged is not said a second time: it would be another value.
	for i, id := range job.Properties {
		stored := 0
		if p, ok := k.History.Last(id); ok {
			stored = int(p.At.Sub(noon)/time.Millisecond) + 1
		}
		switch {
		case stored < job.Next[i]:
			return fmt.Errorf("%d values of %s were acknowledged, and %d are there", job.Next[i], id, stored)
		case stored > job.Next[i]:
			fmt.Println(i, stored-1)
			job.Next[i] = stored
		}
	}
	k.Service.tick = 20 * time.Millisecond // cleans up often, so that a kill may come there too
	ended := make(chan error, 4)
	for _, run := range []func(context.Context) error{k.History.Run, k.Service.Run} {
		go func() { ended <- run(ctx) }()
	}
	start := time.Now()
	for n, left := 0, true; left; n++ {
		left = false
		for i, id := range job.Properties {
			at := job.Next[i] + n
			if at >= job.Last {
				continue
			}
			left = true
			p := series.Point{Series: id, Thing: job.Thing, Space: space, At: noon.Add(time.Duration(at) * time.Millisecond), Value: series.Value{Kind: series.Float, Num: job.value(at)}}
			k.History.Enqueue([]series.Point{p}, func(err error) {
				if err == nil {
					_, err = os.Stdout.WriteString(strconv.Itoa(i) + " " + strconv.Itoa(at) + "\n")
				}
				if err != nil {
					ended <- err
				}
			})
		}
		var pace <-chan time.Time
		if job.Rate > 0 {
			pace = time.After(time.Until(start.Add(time.Duration(n) * time.Second / time.Duration(job.Rate))))
		} else {
			passed := make(chan time.Time)
			close(passed)
			pace = passed
		}
		select {
		case err := <-ended:
			return err
		case <-pace:
		}
	}
	return <-ended // whoever reads kills us
}

// A tally is what a receiver was told: how many deliveries of a trigger there were for each value, by their keys.
type tally struct {
	mu     sync.Mutex
	keys   map[string]map[string]bool // guarded by mu; by trigger and value
	calls  int                        // guarded by mu
	failed int                        // guarded by mu
}

func (c *tally) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var e wireEvent
	if err := json.NewDecoder(r.Body).Decode(&e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A receiver fails at times.
	if c.calls++; c.calls%97 == 0 {
		c.failed++
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	what := e.Trigger.ID + " " + string(e.Property.Value)
	if c.keys[what] == nil {
		c.keys[what] = map[string]bool{}
	}
	c.keys[what][r.Header.Get("Idempotency-Key")] = true
}

func (c *tally) events() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys)
}

// A server with 1,000 triggers, each of which sees 100 values a second (in the long form: ARDESIA_SOAK), is killed twice.
// Every time that a condition comes to hold there is exactly one delivery for each trigger, and it arrives.
func TestKilled(t *testing.T) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			properties, each := 10, 100
			job := killJob{Dir: t.TempDir(), Last: 120, Quiet: 40}
			switch {
			case os.Getenv("ARDESIA_SOAK") == "" && e == db.Postgres:
				each = 10 // making a thousand of them takes half a minute
			case os.Getenv("ARDESIA_SOAK") != "":
				job.Last, job.Quiet, job.Rate = 60_000, 500, 100
			}
			for _, one := range []struct {
				engine db.Engine
				name   string
				into   *dbConfig
			}{{e, dbtest.Core, &job.Core}, {e, dbtest.History, &job.History}, {db.SQLite, dbtest.Keyring, &job.Keyring}} {
				c := dbtest.Config(t, one.engine, one.name)
				if one.engine == db.Postgres {
					c.DSN = dbtest.Postgres(t, dbtest.Durable())
				}
				*one.into = dbConfig{c.Engine, c.Path, c.Key, c.DSN}
			}
			told := &tally{keys: map[string]map[string]bool{}}
			receiver := httptest.NewServer(told)
			defer receiver.Close()
			job.prepare(t, receiver.URL, properties, each)
			total := properties * job.Last
			want := properties * each * (job.Last / job.Quiet)
			job.runAndKill(t, told, func(acks int) bool { return acks >= total/3 })
			job.runAndKill(t, told, func(acks int) bool { return acks >= total*2/3 && told.events() > want/8 })
			job.runAndKill(t, told, func(acks int) bool { return acks == total && told.events() == want })
			told.mu.Lock()
			defer told.mu.Unlock()
			t.Logf("%d values, %d deliveries, %d calls of which %d failed", total, want, told.calls, told.failed)
			if len(told.keys) != want {
				t.Errorf("%d events were told, want %d", len(told.keys), want)
			}
			for what, keys := range told.keys {
				if len(keys) != 1 {
					t.Fatalf("%s has %d deliveries", what, len(keys))
				}
			}
		})
	}
}

// prepare makes the thing and its triggers.
func (j *killJob) prepare(t *testing.T, url string, properties, each int) {
	t.Helper()
	ctx := t.Context()
	k, end, err := j.stack(ctx, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	th := thing.Thing{Name: "pond", Timezone: "Europe/Rome"}
	for i := range properties {
		th.Properties = append(th.Properties, thing.Property{Name: "p" + strconv.Itoa(i), Type: thing.TypeOf("FLOAT"), Permission: thing.ReadOnly, Strategy: thing.OnChange, Persist: true})
	}
	if th, err = k.Things.Create(ctx, editor, th, false); err != nil {
		t.Fatal(err)
	}
	j.Thing = th.ID
	for _, p := range th.Properties {
		j.Properties, j.Next = append(j.Properties, p.ID), append(j.Next, 0)
		for i := range each {
			_, err := k.Create(ctx, editor, Trigger{Name: "t" + strconv.Itoa(i), Active: true, Property: p.ID, Condition: &Condition{Operator: Greater, Value: json.RawMessage("500"), Hysteresis: 100},
				Actions: []Action{{Kind: Webhook, content: content{Name: "hook", Webhook: &Address{URL: url}}}}})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
}

// runAndKill lets a child say values until enough says so.
func (j *killJob) runAndKill(t *testing.T, told *tally, enough func(acks int) bool) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+string(text))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var i, n int
			if _, err := fmt.Sscan(lines.Text(), &i, &n); err != nil {
				t.Errorf("child says %q", lines.Text())
				return
			}
			mu.Lock()
			j.Next[i] = n + 1
			mu.Unlock()
		}
	}()
	acks := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, one := range j.Next {
			n += one
		}
		return n
	}
	const patience = 2 * time.Minute // with a child that does nothing any more; a slow machine may take as long as it needs
	idle := time.NewTimer(patience)
	defer idle.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for had := 0; !enough(acks()); {
		select {
		case <-tick.C:
			if has := acks() + told.events(); has > had {
				had = has
				idle.Reset(patience)
			}
		case <-read:
			t.Fatal("the child has ended by itself")
		case <-idle.C:
			t.Fatalf("nothing happens any more after %d values and %d events", acks(), told.events())
		}
	}
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	<-read
	_ = cmd.Wait() // it was killed
}
