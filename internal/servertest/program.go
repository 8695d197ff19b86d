package servertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/server"
)

// Build compiles a program of cmd into dir and says where it is: without C, as it is released, and of what the tests
// are made of, so that nothing is compiled twice.
func Build(dir, name string) (string, error) {
	bin := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-o", bin, "github.com/ardesia-iot/ardesia/cmd/"+name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, text)
	}
	return bin, nil
}

// A Program is a house that is a process of its own, so that it can be killed. A
// test of it may start, stop and kill it as often as it likes; only one goroutine may.
type Program struct {
	home
	bin    string
	child  *exec.Cmd     // nil while none runs
	exited chan struct{} // closed when child has ended and all that it said was read
	result error         // of child; set before exited is closed
}

// NewProgram is a house of the program bin on new data, as change leaves its configuration.
// Nothing runs yet; what runs when t ends is stopped.
func NewProgram(t testing.TB, bin string, change ...func(*server.Config)) *Program {
	t.Helper()
	p := &Program{bin: bin}
	p.home = home{Config: config(t, change), t: t, stop: p.stopChild, now: time.Now, act: func(ctx context.Context, name string, in []byte) (json.RawMessage, error) {
		return server.Call(ctx, p.Config.Data, name, in)
	}}
	t.Cleanup(p.stopChild)
	return p
}

// Launch starts the process and does not wait until it is ready.
func (p *Program) Launch() {
	p.t.Helper()
	// What a killed server announced is true no more.
	if err := os.Remove(p.announcement()); err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	cmd := exec.Command(p.bin, append([]string{"serve"}, p.flags()...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no ARDESIA_… of whoever runs the tests
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said, err := cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	p.child, p.exited = cmd, exited
	go func() {
		defer close(exited)
		p.listen(said)
		p.result = cmd.Wait()
	}()
}

// listen passes on what the program says. What it calls an error is one.
func (p *Program) listen(said io.Reader) {
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		fmt.Fprintln(p.t.Output(), lines.Text())
		if strings.Contains(lines.Text(), `"level":"ERROR"`) {
			p.t.Errorf("the server says: %s", lines.Text())
		}
	}
}

func (p *Program) flags() []string {
	var all []string
	for _, s := range server.Settings(&p.Config) {
		switch v := s.Value.(type) {
		case *string:
			if *v != "" {
				all = append(all, "--"+s.Name, *v)
			}
		case *bool:
			if *v {
				all = append(all, "--"+s.Name)
			}
		case *int:
			if *v != 0 {
				all = append(all, "--"+s.Name, fmt.Sprint(*v))
			}
		case *[]string:
			for _, one := range *v {
				all = append(all, "--"+s.Name, one)
			}
		}
	}
	if len(p.Config.Social) > 0 {
		all = append(all, "--config", p.socialFile())
	}
	return all
}

// socialFile writes what can be said in a file only.
func (p *Program) socialFile() string {
	p.t.Helper()
	var text strings.Builder
	for _, one := range p.Config.Social {
		text.WriteString("[[social]]\n")
		for _, s := range server.SocialSettings(&one) {
			switch v := s.Value.(type) {
			case *string:
				fmt.Fprintf(&text, "%s = %q\n", s.Key(), *v)
			case *bool:
				fmt.Fprintf(&text, "%s = %v\n", s.Key(), *v)
			}
		}
	}
	path := filepath.Join(p.t.TempDir(), "ardesia.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

func (p *Program) announcement() string { return filepath.Join(p.Config.Data, "addresses.json") }

// Start launches the program and waits until devices can connect.
func (p *Program) Start() {
	p.t.Helper()
	p.Launch()
	late := time.After(time.Minute)
	for {
		text, err := os.ReadFile(p.announcement())
		if err == nil {
			p.At = nil
			if err := json.Unmarshal(text, &p.At); err != nil {
				p.t.Fatal(err)
			}
			return
		}
		select {
		case <-p.exited:
			p.t.Fatalf("the program ended before it was ready: %v", p.result)
		case <-late:
			p.t.Fatal("the program was not ready in time")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Running says whether there is a process, which may have ended by itself.
func (p *Program) Running() bool { return p.child != nil }

// Kill ends the process as kill -9 does. It is an error if it has ended by itself.
func (p *Program) Kill() {
	p.t.Helper()
	select {
	case <-p.exited:
		p.t.Fatalf("the program ended by itself: %v", p.result)
	default:
	}
	if err := p.child.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.exited
	p.child = nil
}

// KillStopping tells the process to stop and kills it if it has not after a while.
func (p *Program) KillStopping(after time.Duration) {
	p.t.Helper()
	if err := p.child.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.exited:
		if p.result != nil {
			p.t.Fatalf("the program stopped with %v", p.result)
		}
	case <-time.After(after):
		_ = p.child.Process.Kill() // it may have stopped just now
		<-p.exited
	}
	p.child = nil
}

// stopChild ends the process as an operator does.
func (p *Program) stopChild() {
	if p.child == nil {
		return
	}
	p.idle.close()
	_ = p.child.Process.Signal(syscall.SIGTERM) // it may have ended by itself, which is found next
	select {
	case <-p.exited:
		if p.result != nil {
			p.t.Errorf("the program stopped with %v", p.result)
		}
	case <-time.After(time.Minute):
		_ = p.child.Process.Kill()
		<-p.exited
		p.t.Error("the program did not stop in a minute")
	}
	p.child = nil
}

// Doctor lets "ardesia doctor" look at the installation, and fails if anything must be mended.
func (p *Program) Doctor() {
	p.t.Helper()
	text, err := exec.Command(p.bin, append([]string{"doctor"}, p.flags()...)...).CombinedOutput()
	if err != nil {
		p.t.Errorf("ardesia doctor: %v\n%s", err, text)
	}
}
