package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/edge"
)

// ErrNotRunning is a data directory on which no server works now.
var ErrNotRunning = errors.New("no server runs on this data directory")

const (
	socketName = "admin.sock"
	maxAdmin   = 1 << 20 // bytes of one act's arguments or answer
)

// socket is the path of the administration socket. A Unix socket's path is at
// most 107 bytes (unix(7)), a data directory's may be longer: so the directory is
// opened and named by its descriptor.
func socket(dir string) (path string, release func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketName), func() { d.Close() }, nil
}

// Call asks the server that works on dir to run one administrative act and
// returns its JSON answer. ErrNotRunning says that there is none.
func Call(ctx context.Context, dir, name string, in []byte) (json.RawMessage, error) {
	path, release, err := socket(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, err
	}
	defer release()
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer c.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://admin/act/"+name, bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	answer, err := c.Do(r)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return nil, ErrNotRunning
	case err != nil:
		return nil, fmt.Errorf("ask the running server: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAdmin))
	if err != nil {
		return nil, fmt.Errorf("read the running server's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New(string(bytes.TrimSpace(text)))
	}
	return text, nil
}

// listenSocket binds DIR/admin.sock. It is bound with the doors, so that whoever has seen
// them open can administer. release closes it if nobody has.
func listenSocket(dir string) (_ net.Listener, release func(), err error) {
	path, leave, err := socket(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			leave()
		}
	}()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err // the lock is ours, so a socket that is there is left from a crash
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, nil, fmt.Errorf("administration socket %s: %w", filepath.Join(dir, socketName), err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, func() {
		_ = l.Close() // closed already if it was served
		leave()
	}, nil
}

// runSocket serves administrative acts and profiles on DIR/admin.sock until ctx
// ends. Who may open the directory may do everything: that is the file system's word.
func (s *Server) runSocket(ctx context.Context, l net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /act/{name}", s.serveAct)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	return edge.Serve(ctx, l, mux, s.log)
}

func (s *Server) serveAct(w http.ResponseWriter, r *http.Request) {
	// The time limits of edge are for strangers. A backup takes as long as it takes.
	if err := errors.Join(http.NewResponseController(w).SetReadDeadline(time.Time{}), http.NewResponseController(w).SetWriteDeadline(time.Time{})); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	in, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdmin))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := s.Admin(r.Context(), r.PathValue("name"), in)
	if err != nil {
		// The operator sees the whole error: this socket is theirs alone.
		status := http.StatusInternalServerError
		if problem.Of(err).Kind != problem.Internal {
			status = http.StatusBadRequest
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}
