package bridge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// patience is how long a test waits for what must come. Nothing is measured by it.
const patience = 90 * time.Second

// A place is a house with a person's space, a board that is connected, and what the board stands for.
type place struct {
	*servertest.House
	api   *client.Client
	key   servertest.Key // of a Viewer, bound to the space
	space string
	board client.Device
	thing client.Thing
	life  *life
}

// settle makes a house in which a board says what it measures, and a key for whoever only reads.
func settle(t *testing.T) *place {
	t.Helper()
	p := &place{House: servertest.Start(t)}
	user, key := p.Person("owner@example.org")
	var space struct {
		ID string `json:"id"`
	}
	p.Admin("space.add", map[string]string{"user": user, "name": "Garden"}, &space)
	p.Admin("apikey.add", map[string]string{"user": user, "name": "reader", "space": space.ID, "role": "Viewer"}, &p.key)
	p.space, p.api = space.ID, p.ClientIn(t, key, space.ID)
	p.do(t, "PUT", "/iot/v2/devices", map[string]any{"name": "Board 1", "type": "generic_device_secretkey"}, &p.board)
	p.do(t, "PUT", "/iot/v2/devices/"+p.board.ID+"/pass", map[string]any{"password": secretKey}, nil)
	var properties []any
	for _, one := range [][2]string{{"temperature", "HOME_TEMPERATURE_C"}, {"door", "STATUS"}, {"note", "CHARSTRING"}} {
		properties = append(properties, map[string]any{"name": one[0], "type": one[1], "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"})
	}
	p.do(t, "PUT", "/iot/v2/things", map[string]any{"name": "Greenhouse", "device_id": p.board.ID, "timezone": "Europe/Rome",
		"tags": []any{map[string]string{"key": "room", "value": "greenhouse"}}, "properties": properties}, &p.thing)
	p.life = p.live(t)
	return p
}

const secretKey = "a-secret-key-of-the-board"

func (p *place) do(t *testing.T, method, path string, in, out any) {
	t.Helper()
	if err := p.api.Do(t.Context(), method, path, in, out); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
}

// life is the SDK on a board with three variables.
type life struct {
	temperature *device.Variable[float64]
	door        *device.Variable[bool]
	note        *device.Variable[string]
	acked       chan string // names, once the cloud has acknowledged a value
	stop        func()
}

// live connects the board until the test ends, or stop is called.
func (p *place) live(t *testing.T) *life {
	t.Helper()
	roots, err := device.RootsFromFile(p.CA())
	if err != nil {
		t.Fatal(err)
	}
	b := &life{
		temperature: device.Float("temperature", device.ReadOnly), door: device.Bool("door", device.ReadOnly), note: device.String("note", device.ReadOnly),
		acked: make(chan string, 1024),
	}
	c, err := device.New(device.Config{
		Host: "localhost", Address: p.At["mqtt-password"], DeviceID: p.board.ID, SecretKey: secretKey, Roots: roots, Now: time.Now, QoS: 1, Pace: time.Millisecond,
		Properties: []device.Property{b.temperature, b.door, b.note},
		Acknowledged: func(all []device.Sample) {
			for _, s := range all {
				b.acked <- s.Name
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ran sync.WaitGroup
	ran.Go(func() {
		if err := c.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("the board ended with %v", err)
		}
	})
	b.stop = sync.OnceFunc(func() {
		cancel()
		ran.Wait()
	})
	t.Cleanup(b.stop)
	return b
}

// say sets all variables, and waits until the cloud has acknowledged them.
func (b *life) say(t *testing.T, temperature float64, door bool, note string) {
	t.Helper()
	b.temperature.Set(temperature)
	b.door.Set(door)
	b.note.Set(note)
	late := time.After(patience)
	for waits := map[string]bool{"temperature": true, "door": true, "note": true}; len(waits) > 0; {
		select {
		case name := <-b.acked:
			delete(waits, name)
		case <-late:
			t.Fatalf("the board waited in vain for %v", waits)
		}
	}
}

// documented reads a file of docs/integrations and puts in what replaces says, each of which must be there.
func documented(t *testing.T, name string, replaces ...string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "docs", "integrations", name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(replaces); i += 2 {
		if !strings.Contains(text, replaces[i]) {
			t.Fatalf("%s has no %q to put something in for", name, replaces[i])
		}
		text = strings.ReplaceAll(text, replaces[i], replaces[i+1])
	}
	return text
}

// write puts a file into a folder.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program to its end, with text as its input, and fails the test if it does.
func run(t *testing.T, dir, input, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// start runs a program until the test ends, and then shows what it said if the test failed.
func start(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	said := &lines{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("%s ended with %v", name, err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said)
		}
	})
}

// lines are what a program says.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// freePort is one that nobody has at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// eventually waits until ok says that it is so; it says what is so instead.
func eventually(t *testing.T, what string, ok func() (bool, string)) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		so, instead := ok()
		if so {
			return
		}
		select {
		case <-late.C:
			t.Fatalf("waited in vain for %s: %s", what, instead)
		case <-tick.C:
		}
	}
}

// readAll reads an answer's body and closes it.
func readAll(t *testing.T, body io.ReadCloser) string {
	t.Helper()
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// refused runs a program that must fail, and gives what it says.
func refused(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}
