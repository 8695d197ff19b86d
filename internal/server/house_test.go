package server

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// book is a log that is read while the server writes it.
type book struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// config is a house on loopback with free ports, on data that is not there yet.
func config(t *testing.T) Config {
	t.Helper()
	free := "127.0.0.1:0"
	cfg, err := Config{Data: filepath.Join(t.TempDir(), "data"), Dev: true, HTTPS: free, MQTTCert: free, MQTTLegacy: free, MQTTPassword: free, Metrics: free}.Filled()
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// built is a house that is put together and does not run, until the test's end.
func built(t *testing.T) *Server {
	t.Helper()
	s, err := New(t.Context(), config(t), World{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// running is a house that runs until stop, or the test's end.
type running struct {
	*Server
	at   Addresses
	log  *book
	stop func()
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	r := &running{log: &book{}}
	var err error
	log := slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if r.Server, err = New(t.Context(), cfg, World{Log: log, Now: time.Now}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- r.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			t.Errorf("stopped with %v", err)
		}
		if err := r.Close(context.Background()); err != nil {
			t.Errorf("closed with %v", err)
		}
	})
	t.Cleanup(r.stop)
	ready, late := context.WithTimeout(t.Context(), time.Minute)
	defer late()
	if r.at, err = r.Addresses(ready); err != nil {
		t.Fatalf("not ready: %v\n%s", err, r.log)
	}
	return r
}

// admin runs an act over the socket and decodes its answer.
func (r *running) admin(t *testing.T, act string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := Call(t.Context(), r.cfg.Data, act, body)
	if err != nil {
		t.Fatalf("%s: %v", act, err)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *running) url(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(r.at["https"])
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + port
}
