package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A program is a server under test that we have started.
type program struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// start runs a program whose log goes to a file in dir; it dies with us.
func start(dir, name string, args ...string) (*program, error) {
	log, err := os.Create(filepath.Join(dir, filepath.Base(name)+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &program{cmd, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

func (p *program) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// listening waits until something answers at addr.
func (p *program) listening(ctx context.Context, addr string) error {
	for {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it listened", p.cmd.Path)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freeAddr is a loopback address that was free a moment ago.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// mosquitto starts Debian's Mosquitto as people set it up: TLS, a password file
// and a rule that lets each device use its own topics only; with mutual, client
// certificates instead of passwords. Its QoS 1 is a relay: nothing is on disk.
func mosquitto(ctx context.Context, dir string, authority *authority, boards []board, mutual bool) (*target, *program, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	file := func(name string) string { return filepath.Join(dir, name) }
	var users strings.Builder
	for _, b := range boards {
		fmt.Fprintf(&users, "%s:%s\n", b.id, b.pass)
	}
	users.WriteString("reader:reader-secret\n")
	acl := "pattern write /bench/%u/e/o\nuser reader\ntopic read /bench/#\n"
	conf := fmt.Sprintf(`per_listener_settings false
listener %s 127.0.0.1
certfile %s
keyfile %s
acl_file %s
allow_anonymous false
max_inflight_messages 1000
max_queued_messages 0
persistence false
log_type error
user root
`, port, file("server.pem"), file("server.key"), file("acl"))
	if mutual {
		conf += fmt.Sprintf("cafile %s\nrequire_certificate true\nuse_identity_as_username true\n", file("ca.pem"))
	} else {
		conf += fmt.Sprintf("password_file %s\n", file("users"))
	}
	if err := authority.write(dir); err != nil {
		return nil, nil, err
	}
	for name, body := range map[string]string{"users": users.String(), "acl": acl, "mosquitto.conf": conf} {
		if err := os.WriteFile(file(name), []byte(body), 0o600); err != nil {
			return nil, nil, err
		}
	}
	if out, err := exec.CommandContext(ctx, "mosquitto_passwd", "-U", file("users")).CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("mosquitto_passwd: %w: %s", err, out)
	}
	p, err := start(dir, "mosquitto", "-c", file("mosquitto.conf"))
	if err != nil {
		return nil, nil, err
	}
	if err := p.listening(ctx, addr); err != nil {
		p.stop()
		return nil, nil, err
	}
	t := &target{name: "mosquitto", addr: addr, tls: authority.client(), pid: p.cmd.Process.Pid}
	for _, b := range boards {
		b.user = b.id
		b.topic = "/bench/" + b.id + "/e/o"
		if mutual {
			b.user, b.pass = "", ""
			if b.cert, err = authority.issue(b.id); err != nil {
				p.stop()
				return nil, nil, err
			}
		}
		t.boards = append(t.boards, b)
	}
	return t, p, nil
}
