// Command bench measures Ardesia side by side with Mosquitto on one machine in one go,
// and prints its figures as Markdown. Run it as "make bench"; docs/performance.md says how
// to read them. Figures of one machine mean little beside those of another, ratios mean
// something.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what the flags say.
type options struct {
	rounds  int
	warm    time.Duration
	last    time.Duration
	devices []int
	dir     string
	profile string
	hold    string
	skip    []string
}

func (o options) skips(section string) bool { return slices.Contains(o.skip, section) }

func main() {
	var o options
	var devices, skip string
	flag.IntVar(&o.rounds, "rounds", 5, "how often each is measured, both sides in turns; medians are printed")
	flag.DurationVar(&o.warm, "warm", time.Second, "what of a round is not measured")
	flag.DurationVar(&o.last, "last", 3*time.Second, "what of a round is measured")
	flag.StringVar(&devices, "devices", "100,1000,10000", "how many devices the steps of growth have")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where the data goes; must be on a disk")
	flag.StringVar(&o.profile, "profile", "", "directory for CPU profiles of the server; they cost rounds of their own")
	flag.StringVar(&o.hold, "hold", "", "measure nothing: start both servers with the last number of devices, describe these in this directory, and wait")
	flag.StringVar(&skip, "skip", "", "sections to leave out: connect, ingest, paced, crash, history, api, tokens, signin, policy")
	flag.Parse()
	if skip != "" {
		o.skip = strings.Split(skip, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := o.read(devices)
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) read(devices string) error {
	for s := range strings.SplitSeq(devices, ",") {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number of devices", s)
		}
		o.devices = append(o.devices, n)
	}
	if !slices.IsSorted(o.devices) || o.rounds < 1 || o.last <= 0 {
		return errors.New("devices must grow, and rounds and last be above nothing")
	}
	return nil
}

// A bench is one run.
type bench struct {
	options
	house  *house
	relay  *relay
	report report
	room   int // files that this process may have open
}

// spareFiles are those that are no connection of a board.
const spareFiles = 200

func run(ctx context.Context, o options) (err error) {
	most := o.devices[len(o.devices)-1]
	room := files()
	if room < most+spareFiles {
		return fmt.Errorf("%d open files are too few for %d devices (ulimit -n)", room, most)
	}
	dir, err := os.MkdirTemp(o.dir, "ardesia-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if kind, _ := where(dir); kind == "tmpfs" || kind == "ramfs" {
		return fmt.Errorf("%s is in memory: what is written there is on no disk (choose another with -dir)", dir)
	}
	b := &bench{options: o, room: room}
	began := time.Now()
	b.report.conditions(dir, o)
	if b.house, err = newHouse(ctx, filepath.Join(dir, "ardesia"), ""); err != nil {
		return fmt.Errorf("ardesia: %w", err)
	}
	defer func() { b.house.program.stop() }()
	if b.relay, err = newRelay(filepath.Join(dir, "mosquitto")); err != nil {
		return fmt.Errorf("mosquitto: %w", err)
	}
	defer func() { b.relay.stop() }()
	if o.hold != "" {
		return b.hold(ctx, most, o.hold)
	}
	err = b.measure(ctx)
	b.report.print() // what there is, also when something failed
	fmt.Printf("\nThe run took %s.\n", time.Since(began).Round(time.Second))
	return err
}

func (b *bench) measure(ctx context.Context) error {
	for _, n := range b.devices {
		if err := b.stage(ctx, n); err != nil {
			return fmt.Errorf("with %d devices: %w", n, err)
		}
	}
	for _, part := range []struct {
		name string
		run  func(context.Context) error
	}{{"history", b.history}, {"api", b.apis}, {"tokens", b.tokens}, {"signin", b.signIns}, {"policy", b.decisions}} {
		if b.skips(part.name) {
			continue
		}
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// stage measures everything that grows with the number of devices.
func (b *bench) stage(ctx context.Context, n int) error {
	progress("%d devices: make them", n)
	began, used := time.Now(), cpuOf(b.house.pid)
	asked, err := b.house.populate(ctx, n)
	if err != nil {
		return err
	}
	b.report.add(n, "API requests/s while they were made, 16 at once", "%.0f", float64(asked)/time.Since(began).Seconds())
	b.report.add(n, "CPU µs for each of them", "%.0f", float64((cpuOf(b.house.pid)-used).Microseconds())/float64(max(1, asked)))
	if err := errors.Join(b.house.restart(ctx), b.relay.restart(ctx, n)); err != nil {
		return err
	}
	if !b.skips("connect") {
		if err := b.connects(ctx, n); err != nil {
			return err
		}
	}
	since := time.Now().Add(-time.Second)
	stay := b.room >= 2*n+spareFiles
	ours, theirs := &lane{t: &b.house.target, n: n, stay: stay}, &lane{t: &b.relay.target, n: n, stay: stay}
	defer ours.leave()
	defer theirs.leave()
	if err := b.idle(ctx, n, ours, theirs); err != nil {
		return err
	}
	if err := b.ingest(ctx, n, ours, theirs); err != nil {
		return err
	}
	progress("%d devices: is everything stored that was acknowledged?", n)
	if err := b.house.verify(ctx, ours.counts(), since); err != nil {
		return err
	}
	b.report.add(n, "messages that Ardesia acknowledged in this step, all found in its history", "%s", count(int(ours.sum())))
	ours.leave()
	theirs.leave()
	if b.skips("crash") {
		return nil
	}
	return b.crash(ctx, n, ours.counts(), since)
}

// idle restarts both and connects all devices, which then are silent.
func (b *bench) idle(ctx context.Context, n int, ours, theirs *lane) error {
	progress("%d devices: memory", n)
	if err := errors.Join(b.house.restart(ctx), b.relay.restart(ctx, n)); err != nil {
		return err
	}
	for _, side := range []struct {
		name string
		pid  int
		*lane
	}{{"Ardesia", b.house.pid, ours}, {"Mosquitto", b.relay.pid, theirs}} {
		settle(side.pid)
		before, used := residentOf(side.pid), cpuOf(side.pid)
		began := time.Now()
		f, err := side.t.connect(n, true)
		if err != nil {
			return err
		}
		side.f = f
		took := time.Since(began)
		sleep(15 * time.Second)
		after, cpu := residentOf(side.pid), cpuOf(side.pid)-used
		side.rest()
		b.report.add(n, "s until all were connected by password, 32 at once: "+side.name, "%.2f", took.Seconds())
		b.report.add(n, "CPU µs for each of them: "+side.name, "%.0f", float64(cpu.Microseconds())/float64(n))
		b.report.add(n, "KiB of memory for each idle TLS connection: "+side.name, "%.1f", float64(after-before)/float64(n)/1024)
		b.report.add(n, "MiB of memory with all connected: "+side.name, "%.0f", float64(after)/(1<<20))
	}
	return nil
}

// crash kills the server and says how long the next start takes.
func (b *bench) crash(ctx context.Context, n int, acked []int64, since time.Time) error {
	progress("%d devices: crash", n)
	_ = b.house.program.cmd.Process.Kill() // ended already is what we want
	<-b.house.program.done
	took, err := b.house.start(ctx)
	if err != nil {
		return err
	}
	b.report.add(n, "ms from a start after kill -9 until devices can connect", "%.0f", float64(took.Microseconds())/1000)
	return b.house.verify(ctx, acked, since)
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s "+format+"\n", append([]any{time.Now().UTC().Format("15:04:05")}, args...)...)
}
