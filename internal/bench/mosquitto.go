package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// A relay is Mosquitto under test: one process that asks for passwords and one that asks
// for certificates. What is published over the first goes to one subscriber.
type relay struct {
	target
	dir       string
	ca        *authority
	programs  []*program
	subscribe *conn
	passed    atomic.Int64 // messages that the subscriber has got
}

func newRelay(dir string) (*relay, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	r := &relay{dir: dir, ca: ca}
	r.name, r.roots, r.heard = "mosquitto", ca.pool(), r.passed.Load
	return r, nil
}

// start starts Mosquitto for n boards.
func (r *relay) start(ctx context.Context, n int) error {
	for i := len(r.boards); i < n; i++ {
		id := fmt.Sprintf("%08x-0000-4000-8000-%012x", i, i) // as long as Ardesia's
		r.boards = append(r.boards, board{id: id, user: id, pass: "a-secret-key-for-benchmarks", topic: "/a/t/" + id + "/e/o"})
	}
	var failed errs
	each(n, 2, func(i int) {
		b := &r.boards[i]
		if b.cert == nil {
			var err error
			b.cert, err = r.ca.issue(b.id)
			failed.add(err)
		}
	})
	if err := failed.first(); err != nil {
		return err
	}
	open, err := r.run(ctx, "passwords", false)
	if err != nil {
		return err
	}
	closed, err := r.run(ctx, "certificates", true)
	if err != nil {
		return err
	}
	r.addr, r.mutual = open, closed
	r.pid, r.pidTLS = r.programs[0].cmd.Process.Pid, r.programs[1].cmd.Process.Pid
	return r.listen()
}

func (r *relay) stop() {
	if r.subscribe != nil {
		r.subscribe.Close()
	}
	for _, p := range r.programs {
		p.stop()
	}
	r.programs = nil
}

func (r *relay) restart(ctx context.Context, n int) error {
	r.stop()
	return r.start(ctx, n)
}

// run starts Debian's Mosquitto as people set it up: TLS, a password file and a rule that
// lets each device use its own topics only; with mutual, client certificates instead of
// passwords. Its QoS 1 is a relay: nothing is on disk.
func (r *relay) run(ctx context.Context, name string, mutual bool) (addr string, err error) {
	dir := filepath.Join(r.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if addr, err = freeAddr(); err != nil {
		return "", err
	}
	_, port, _ := net.SplitHostPort(addr)
	file := func(name string) string { return filepath.Join(dir, name) }
	conf := fmt.Sprintf(`per_listener_settings false
listener %s 127.0.0.1
certfile %s
keyfile %s
tls_version tlsv1.2
acl_file %s
allow_anonymous false
max_inflight_messages 1000
max_queued_messages 0
set_tcp_nodelay true
persistence false
log_type error
user root
`, port, file("server.pem"), file("server.key"), file("acl"))
	var users strings.Builder
	if mutual {
		conf += fmt.Sprintf("cafile %s\nrequire_certificate true\nuse_identity_as_username true\n", file("ca.pem"))
	} else {
		conf += fmt.Sprintf("password_file %s\n", file("users"))
		for _, b := range r.boards {
			fmt.Fprintf(&users, "%s:%s\n", b.id, b.pass)
		}
		users.WriteString("reader:reader-secret\n")
	}
	if err := r.ca.write(dir); err != nil {
		return "", err
	}
	acl := "pattern write /a/t/%u/e/o\npattern read /a/d/%u/e/i\nuser reader\ntopic read /a/t/#\n"
	for name, body := range map[string]string{"users": users.String(), "acl": acl, "mosquitto.conf": conf} {
		if err := os.WriteFile(file(name), []byte(body), 0o600); err != nil {
			return "", err
		}
	}
	if !mutual {
		if out, err := exec.CommandContext(ctx, "mosquitto_passwd", "-U", file("users")).CombinedOutput(); err != nil {
			return "", fmt.Errorf("mosquitto_passwd: %w: %s", err, out)
		}
	}
	p, err := start(dir, "mosquitto", "-c", file("mosquitto.conf"))
	if err != nil {
		return "", err
	}
	r.programs = append(r.programs, p)
	return addr, p.listening(ctx, addr)
}

// listen is the subscriber: it reads everything with QoS 1 and acknowledges it.
func (r *relay) listen() error {
	reader := target{name: r.name, addr: r.addr, roots: r.roots, boards: []board{{id: "reader", user: "reader", pass: "reader-secret"}}}
	k, err := reader.dial(0, false, 64<<10)
	if err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	if err := k.subscribe("/a/t/#", 1); err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	r.subscribe = k
	go func() {
		var acks []byte
		for {
			kind, body, err := k.read()
			if err != nil {
				return
			}
			if kind>>4 == 3 && kind>>1&3 == 1 {
				at := 2 + int(body[0])<<8 + int(body[1])
				acks = append(acks, 0x40, 2, body[at], body[at+1])
				r.passed.Add(1)
			}
			if k.r.Buffered() > 0 && len(acks) < 4096 {
				continue // one record for all of them
			}
			if _, err := k.Write(acks); err != nil {
				return
			}
			acks = acks[:0]
		}
	}()
	return nil
}
