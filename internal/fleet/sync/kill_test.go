package sync

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
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
const killEnv = "ARDESIA_TEST_SYNC_CHILD"

// A killJob tells the child what to do.
type killJob struct {
	Dir                    string
	Core, History, Keyring dbConfig
	Things, Properties     []string // that are kept the same
	Next                   int      // the first value that is not there
}

type dbConfig struct {
	Engine db.Engine
	Path   string
	Key    []byte
	DSN    string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(killEnv); text != "" {
		fmt.Fprintln(os.Stderr, sayUntilKilled(text))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func (j *killJob) stack(ctx context.Context, log *slog.Logger) (k *stack, end func() error, err error) {
	set := setting{Ground: fleettest.Ground{Dir: j.Dir, Now: time.Now, Log: log}}
	for _, one := range []struct {
		config dbConfig
		name   string
		into   **db.DB
	}{{j.Core, schema.Core, &set.Core}, {j.History, schema.History, &set.Ground.History}, {j.Keyring, schema.Keyring, &set.Keyring}} {
		c := one.config
		if *one.into, err = schema.Open(ctx, db.Config{Engine: c.Engine, Schema: one.name, Path: c.Path, Key: c.Key, DSN: c.DSN, Now: time.Now}); err != nil {
			return nil, nil, err
		}
	}
	k, err = newStack(ctx, set)
	return k, func() error { return errors.Join(set.Core.Close(), set.Ground.History.Close(), set.Keyring.Close()) }, err
}

// sayUntilKilled has boards say values in turns, some at a time, and says which are on disk.
func sayUntilKilled(text string) error {
	var job killJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		return err
	}
	ctx := context.Background()
	k, _, err := job.stack(ctx, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return err
	}
	ended := make(chan error, 4)
	for _, run := range []func(context.Context) error{k.History.Run, k.Service.Run} {
		go func() { ended <- run(ctx) }()
	}
	slots := make(chan struct{}, 16)
	var last time.Time
	for n := job.Next; ; n++ {
		i := n / 50 % len(job.Things) // each has its turn for a while
		slots <- struct{}{}
		// Of two values at one instant the later one counts, so none is at the instant of a copy.
		if now := time.Now().UTC().Truncate(time.Microsecond).Add(time.Millisecond); now.After(last) {
			last = now
		} else {
			last = last.Add(time.Microsecond)
		}
		p := series.Point{Series: job.Properties[i], Thing: job.Things[i], Space: space, At: last, Value: series.Value{Kind: series.Int, Int: int64(n)}, By: "device:x"}
		k.History.Enqueue([]series.Point{p}, func(err error) {
			if err == nil {
				_, err = os.Stdout.WriteString(strconv.Itoa(n) + "\n")
			}
			if err != nil {
				ended <- err
			}
			<-slots
		})
		select {
		case err := <-ended:
			return err
		default:
		}
	}
}

// A server is killed while boards say values: whatever is there of one is there once of all, in the same order.
func TestKilled(t *testing.T) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			job := killJob{Dir: t.TempDir()}
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
			ctx, quiet := t.Context(), slog.New(slog.NewTextHandler(t.Output(), nil))
			k, end, err := job.stack(ctx, quiet)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				th, err := k.Things.Create(ctx, editor, thing.Thing{Name: "t" + strconv.Itoa(n), Timezone: "UTC", Properties: []thing.Property{{Name: "n", Type: thing.TypeOf("INT"),
					Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: true}}}, false)
				if err != nil {
					t.Fatal(err)
				}
				job.Things, job.Properties = append(job.Things, th.ID), append(job.Properties, th.Properties[0].ID)
			}
			if _, err := k.Create(ctx, editor, "", job.Properties); err != nil {
				t.Fatal(err)
			}
			if err := end(); err != nil {
				t.Fatal(err)
			}
			for kill := range 2 {
				acked := job.runAndKill(t, job.Next+150+kill*37)
				if k, end, err = job.stack(ctx, quiet); err != nil {
					t.Fatal(err)
				}
				for i, id := range job.Properties {
					all, err := k.History.Raw(ctx, series.Query{Series: id, Space: space, From: noon.AddDate(-10, 0, 0), To: noon.AddDate(10, 0, 0), Limit: 100_000})
					if err != nil {
						t.Fatal(err)
					}
					for n, p := range all {
						if p.Value.Int != int64(n) {
							t.Fatalf("after kill %d property %d has %d as its value %d", kill, i, p.Value.Int, n)
						}
					}
					if len(all) <= acked || i > 0 && len(all) != job.Next {
						t.Fatalf("after kill %d property %d has %d values; %d were acknowledged, and the first has %d", kill, i, len(all), acked, job.Next)
					}
					job.Next = len(all)
				}
				if err := end(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// runAndKill lets a child say values until one is acknowledged, and says which was the last.
func (j *killJob) runAndKill(t *testing.T, until int) (acked int) {
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
	killed := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			break // cut by the kill
		}
		if acked = n; n >= until && !killed {
			killed = true
			if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Error(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
	if !killed {
		t.Fatalf("the child has ended by itself, after %d values", acked)
	}
	return acked
}
