package series_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// crashEnv makes this test binary the process that TestKilled kills.
const crashEnv = "ARDESIA_TEST_SERIES_CHILD"

// A crashJob tells the child what to do.
type crashJob struct {
	Engine db.Engine
	Path   string
	Key    []byte
	DSN    string
	Next   [crashSeries]int // the first message of each series that was not acknowledged
}

const (
	crashSeries = 3
	crashPoints = 4   // new ones in a message
	crashBack   = 200 // how far back a message writes one value anew
)

func TestMain(m *testing.M) {
	if text := os.Getenv(crashEnv); text != "" {
		fmt.Fprintln(os.Stderr, writeUntilKilled(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// message is number n of a series: some points, and an older one once more.
func message(i, n int) []series.Point {
	id := fmt.Sprint("p", i)
	all := points(id, n*crashPoints, (n+1)*crashPoints)
	all[0], all[1] = all[1], all[0] // boards do not send in order
	if old := n*crashPoints - crashBack; old >= 0 {
		all = append(all, point(id, old, number(float64(-old))))
	}
	return all
}

func writeUntilKilled(text string) error {
	var job crashJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	migrations, err := schema.Of(schema.History)
	if err != nil {
		return err
	}
	ctx := context.Background()
	d, err := db.Open(ctx, db.Config{Engine: job.Engine, Schema: schema.History, Path: job.Path, Key: job.Key, DSN: job.DSN, Migrations: migrations, Now: time.Now})
	if err != nil {
		return err
	}
	s, err := series.New(ctx, series.Needs{
		Store: series.SQL(d), Keys: new(seriestest.Keys), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Now: time.Now,
		Config: series.Config{FlushPoints: 1500, QueuePoints: 200},
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for n := 0; ; n++ {
		for i := range crashSeries {
			s.Enqueue(message(i, job.Next[i]+n), func(err error) {
				if err == nil {
					_, err = os.Stdout.WriteString(strconv.Itoa(i) + " " + strconv.Itoa(job.Next[i]+n) + "\n")
				}
				if err != nil {
					ended <- err
				}
			})
		}
		select {
		case err := <-ended:
			return err
		default:
		}
	}
}

// A server is killed again and again, at any moment. No point that was acknowledged is
// lost, wrong or there twice, although each new server sends again what the one before
// may have stored.
func TestKilled(t *testing.T) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			c := dbtest.Config(t, e, dbtest.History)
			if e == db.Postgres {
				c.DSN = dbtest.Postgres(t, dbtest.Durable())
			}
			job := crashJob{Engine: e, Path: c.Path, Key: c.Key, DSN: c.DSN}
			total := 0
			for kill := 0; kill < 20; kill++ {
				total += runAndKill(t, &job, 20+rand.IntN(400))
				if kill%5 == 4 {
					checkKilled(t, c, job)
				}
			}
			t.Logf("%d messages were acknowledged", total)
		})
	}
}

// runAndKill lets a child write until it has acknowledged so many messages.
func runAndKill(t *testing.T, job *crashJob, acks int) int {
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+string(text))
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() {
		once.Do(func() {
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
		})
	}
	defer kill()
	n := 0
	for lines := bufio.NewScanner(out); lines.Scan(); n++ {
		var i, m int
		if _, err := fmt.Sscan(lines.Text(), &i, &m); err != nil {
			t.Fatalf("child says %q", lines.Text())
		}
		if m != job.Next[i] {
			t.Fatalf("message %d of series %d is acknowledged before message %d", m, i, job.Next[i])
		}
		job.Next[i]++
		if n == acks {
			kill() // what it wrote until then is read to its end
		}
	}
	err = cmd.Wait()
	if n < acks {
		t.Fatalf("child ended by itself after %d messages: %v", n, err)
	}
	return n
}

// checkKilled looks at what the killed server left, with a new one.
func checkKilled(t *testing.T, c db.Config, job crashJob) {
	t.Helper()
	d, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := open(t, d, series.Config{})
	defer func() { h.stop() }()
	for i, next := range job.Next {
		got := h.all(fmt.Sprint("p", i), "s")
		if len(got) < next*crashPoints {
			t.Fatalf("series %d has %d points, %d are acknowledged", i, len(got), next*crashPoints)
		}
		for n, p := range got {
			want := float64(n)
			again := n%crashPoints == 0 && n+crashBack < next*crashPoints // acknowledged to have been written anew
			mayBe := n%crashPoints == 0 && n+crashBack < len(got)
			if ok := p.Value.Num == -want && (again || mayBe) || p.Value.Num == want && !again; !ok || !p.At.Equal(noon.Add(time.Duration(n)*time.Second)) {
				t.Fatalf("series %d, point %d of %d (%d acknowledged): %v at %v", i, n, len(got), next*crashPoints, p.Value.Num, p.At)
			}
		}
	}
}
