package fault

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// program is the real one, built once.
var program string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ardesia-fault-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if program, err = servertest.Build(dir, "ardesia"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// soak is what takes too long for every run.
func soak() bool { return os.Getenv("ARDESIA_SOAK") != "" }

// chance is seeded by ARDESIA_SEED, or by chance, and says how to do the same again.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("ARDESIA_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ARDESIA_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// on makes a configuration one for an engine.
func on(t *testing.T, e db.Engine) func(*server.Config) {
	t.Helper()
	dsn := ""
	if e == db.Postgres {
		var options []dbtest.Option
		if soak() {
			options = append(options, dbtest.Durable()) // slower; PostgreSQL itself lives on when the house is killed
		}
		dsn = dbtest.Postgres(t, options...)
	}
	return func(c *server.Config) {
		c.Database = dsn
		c.HistoryFlush = 1500 // so that flushes are under way all the time
	}
}

// The server is killed again and again, at any moment: while it starts, while it
// commits and flushes, right after an acknowledgement, while it stops. Boards and somebody who uses the API go on. In
// the end what they were told is there, and of boards nothing else.
func TestKilled(t *testing.T) {
	kills := 20
	if soak() {
		kills = 200
	}
	if text := os.Getenv("ARDESIA_KILLS"); text != "" {
		kills, _ = strconv.Atoi(text)
	}
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel() // most of it is waiting
			r := chance(t)
			p := servertest.NewProgram(t, program, on(t, e))
			firstStart(p, r)
			v := newVictim(t, p, r)
			for range kills {
				v.kill()
			}
			v.p.Start()
			v.settle()
			v.p.Stop()
			v.p.Doctor()
			v.p.Start()
			v.settle()
			n := 0
			for _, b := range v.boards {
				n += b.acknowledgedCount()
			}
			t.Logf("%d kills, of which %d while it started and %d after new acknowledgements; %d values acknowledged, %d stored", kills, v.early, v.fruitful, n, v.stored)
			if v.fruitful < kills/10 { // on a slow machine many come before boards are back
				t.Errorf("only %d of %d kills came after new acknowledgements", v.fruitful, kills)
			}
			v.clerk.rest()
			settled(t, p, v.boards)
		})
	}
}

// firstStart kills the server while it makes its keys, databases and authorities. What it
// has left is no obstacle.
func firstStart(p *servertest.Program, r *rand.Rand) {
	for range 5 {
		p.Launch()
		<-time.After(time.Duration(r.IntN(200)) * time.Millisecond)
		p.Kill()
	}
	p.Start()
}

// A victim is a server that gets killed, and who depends on it.
type victim struct {
	t      *testing.T
	p      *servertest.Program
	r      *rand.Rand
	place  *place
	owner  *owner
	clerk  *clerk
	boards []*board
	things []client.Thing

	early, fruitful, stored int
}

// newVictim puts boards of both generations to work on a server that runs.
func newVictim(t *testing.T, p *servertest.Program, r *rand.Rand) *victim {
	t.Helper()
	v := &victim{t: t, p: p, r: r, place: new(place), owner: newOwner(t, p)}
	v.place.set(p.At)
	v.clerk = newClerk(t, p)
	for i, generation := range []int{2, 1, 2} {
		id := v.owner.device(fmt.Sprint("board ", i))
		v.things = append(v.things, v.owner.thing(fmt.Sprint("thing ", i), id))
		v.boards = append(v.boards, newBoard(t, v.place, p.CA(), id, recipe{generation: generation, every: 4 * time.Millisecond}))
	}
	for _, b := range v.boards {
		b.on()
	}
	return v
}

// kill lets the server live a little, and looks first whether the death before has cost anything.
func (v *victim) kill() {
	v.t.Helper()
	before := v.told()
	if !v.p.Running() && v.r.IntN(10) < 3 {
		v.early++
		v.p.Launch()
		<-time.After(time.Duration(v.r.IntN(250)) * time.Millisecond)
		v.p.Kill()
		return
	}
	v.start()
	if v.r.IntN(2) == 0 {
		v.boards[v.r.IntN(len(v.boards))].awaitValues(1 + v.r.IntN(500))
	} else {
		<-time.After(time.Duration(v.r.IntN(700)) * time.Millisecond)
	}
	if v.r.IntN(6) == 0 {
		v.p.KillStopping(time.Duration(v.r.IntN(60)) * time.Millisecond)
	} else {
		v.p.Kill()
	}
	if v.told() > before {
		v.fruitful++
	}
}

// start starts the server and asks it at once for the last values.
func (v *victim) start() {
	v.t.Helper()
	if v.p.Running() {
		return
	}
	var lasts []map[string]device.Sample
	for _, b := range v.boards {
		lasts = append(lasts, b.lasts())
	}
	v.p.Start()
	v.place.set(v.p.At)
	v.owner.find(v.p)
	v.clerk.find(v.p)
	for i, th := range v.things {
		v.owner.recent(th, lasts[i])
	}
}

func (v *victim) told() (n int) {
	for _, b := range v.boards {
		n += b.acknowledgedCount()
	}
	return n
}

// settle waits until nothing is under way and compares.
func (v *victim) settle() {
	v.t.Helper()
	v.place.set(v.p.At)
	v.owner.find(v.p)
	v.clerk.find(v.p)
	v.clerk.check()
	v.stored = 0
	for i, b := range v.boards {
		b.drain()
		h := v.owner.stored(v.things[i])
		same(v.t, b.told(), h)
		v.owner.recent(v.things[i], b.lasts())
		v.stored += h.len()
	}
}
