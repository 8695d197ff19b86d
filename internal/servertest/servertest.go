// Package servertest runs the whole house inside a test: real data in a temporary
// directory, real TLS sockets on loopback, and real time, which a test may let go on faster.
package servertest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/server"
)

// A House is a server that runs until its test ends.
type House struct {
	home
	Server *server.Server
	said   *said
	seen   *watch
	ahead  atomic.Int64 // of this machine's clock, in ns
	end    func() error // stops it, once
}

// A home is what clients and operators see of a house, wherever it runs.
type home struct {
	Config server.Config
	At     server.Addresses
	t      testing.TB
	stop   func()
	now    func() time.Time
	idle   clients
	act    func(ctx context.Context, name string, in []byte) (json.RawMessage, error)
}

// A Key is what programs show.
type Key struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

// Start runs a server on new data, as change leaves its configuration, and stops it when t ends; a
// server that does not stop cleanly fails t.
func Start(t testing.TB, change ...func(*server.Config)) *House {
	t.Helper()
	return Open(t, config(t, change))
}

// On is the configuration of a house on the directory dir and free ports.
func On(dir string) server.Config {
	free := "127.0.0.1:0"
	return server.Config{
		Data: dir, Dev: true,
		HTTPS: free, MQTTCert: free, MQTTLegacy: free, MQTTPassword: free, Metrics: free, LogLevel: "warn",
	}
}

// config is that of a house on new data and free ports.
func config(t testing.TB, change []func(*server.Config)) server.Config {
	t.Helper()
	cfg := On(filepath.Join(t.TempDir(), "data"))
	for _, fn := range change {
		fn(&cfg)
	}
	cfg, err := cfg.Filled()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Open runs a server on the data that cfg names, which may be there already.
func Open(t testing.TB, cfg server.Config) *House {
	t.Helper()
	h, err := Try(t, cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Stop)
	return h
}

// Try is Open for data that may be damaged: its error is what the operator would read.
// Whoever gets a House ends it.
func Try(t testing.TB, cfg server.Config, log *slog.Logger) (*House, error) {
	t.Helper()
	cfg, err := cfg.Filled()
	if err != nil {
		return nil, err
	}
	h := &House{home: home{Config: cfg, t: t}, said: &said{}}
	h.now = h.Now
	seen := &watch{t: t}
	t.Cleanup(func() { finished(t) })
	s, err := server.New(t.Context(), cfg, server.World{Log: log, Now: h.Now, Around: seen.around, Out: h.said})
	if err != nil {
		return nil, err
	}
	if err := seen.learn(s); err != nil {
		return nil, errors.Join(err, s.Close(context.Background()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	h.Server, h.act, h.seen = s, s.Admin, seen
	h.end = sync.OnceValue(func() error {
		h.idle.close()
		cancel()
		return errors.Join(<-ran, s.Close(context.Background()))
	})
	h.stop = sync.OnceFunc(func() {
		defer func() {
			for _, text := range h.Wrong() {
				t.Error(text)
			}
		}()
		if err := h.end(); err != nil {
			t.Errorf("server stopped with %v", err)
		}
		check(t, s, cfg)
	})
	ready, late := context.WithTimeout(t.Context(), 30*time.Second)
	defer late()
	opened := make(chan error, 1)
	go func() {
		at, err := s.Addresses(ready)
		h.At = at
		opened <- err
	}()
	select {
	case err := <-ran:
		late()
		<-opened
		ran <- nil
		return nil, errors.Join(errEarly, err, h.end())
	case err := <-opened:
		if err != nil {
			return nil, fmt.Errorf("the server was not ready in time: %w", errors.Join(err, h.end()))
		}
		houses.Add(1)
		return h, nil
	}
}

var errEarly = errors.New("the server ended before it was ready")

// End stops a server that Try gave, now, and says what it ended with.
func (h *House) End() error {
	defer houses.Add(-1)
	return h.end()
}

// Stop stops the server now; one that does not stop cleanly, or leaves something behind, fails the test.
func (h *home) Stop() { h.stop() }

// Greeting is what the server has told whoever started it, such as the link that makes the first account.
func (h *House) Greeting() string { return h.said.String() }

// said keeps what a server prints.
type said struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Again runs another server on the data of one that was stopped.
func (h *House) Again() *House { return Open(h.t, h.Config) }

// Now is the time in this house.
func (h *House) Now() time.Time { return time.Now().Add(time.Duration(h.ahead.Load())) }

// Pass lets time go on in this house, without waiting for it: what was issued before is
// older by d. What waits for a timer still waits as long.
func (h *House) Pass(d time.Duration) { h.ahead.Add(int64(d)) }

// Admin runs an administrative act and decodes its answer into out, if not nil.
func (h *home) Admin(act string, in, out any) {
	h.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		h.t.Fatal(err)
	}
	answer, err := h.act(h.t.Context(), act, body)
	if err != nil {
		h.t.Fatalf("%s: %v", act, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Person adds an account and an API key for it.
func (h *home) Person(email string) (user string, key Key) {
	h.t.Helper()
	var u struct {
		ID string `json:"id"`
	}
	h.Admin("user.add", map[string]string{"email": email, "name": "Somebody", "password": rand.Text()}, &u)
	h.Admin("apikey.add", map[string]string{"user": u.ID, "name": "test"}, &key)
	return u.ID, key
}

// CA is the file that clients trust.
func (h *home) CA() string { return filepath.Join(h.Config.Data, "tls", "ca.pem") }

// URL is the address of the API, by the house's name.
func (h *home) URL() string { return "https://localhost:" + h.Port("https") }

// Port is the port of a listener.
func (h *home) Port(name string) string {
	_, port, err := net.SplitHostPort(h.At[name])
	if err != nil {
		h.t.Fatalf("no listener %s: %v", name, h.At)
	}
	return port
}

// Client is the Go client with a key.
func (h *home) Client(key Key) *client.Client {
	h.t.Helper()
	return h.ClientIn(h.t, key, "")
}

// ClientIn is Client in a space, for the test t, which may be a part of this home's.
func (h *home) ClientIn(t testing.TB, key Key, space string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: h.URL(), ID: key.ID, Secret: key.Secret, CAFile: h.CA(), Space: space}, h.now)
	if err != nil {
		t.Fatal(err)
	}
	h.idle.add(c)
	return c
}

// clients are those that hang up before their server stops: it would wait a second for
// each connection over HTTP/2.
type clients struct {
	mu  sync.Mutex
	all []*client.Client // guarded by mu
}

func (c *clients) add(one *client.Client) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, one)
}

func (c *clients) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.all {
		one.Close()
	}
}
