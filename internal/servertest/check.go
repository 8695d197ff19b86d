package servertest

import (
	"context"
	"encoding/json"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/server"
)

// houses run in this process: what they leave can be told only when none runs.
var houses atomic.Int32

// check looks at what a house that was stopped leaves behind: no session, nothing
// for the doctor to mend, no goroutine.
func check(t testing.TB, s *server.Server, cfg server.Config) {
	t.Helper()
	if names := sessions(t, s.Admin); len(names) > 0 {
		t.Errorf("a stopped server still has the sessions of %v", names)
	}
	examine(t, cfg)
	if houses.Add(-1) > 0 {
		return
	}
	var left []string
	for late := time.Now().Add(10 * time.Second); ; {
		if left = ours(); len(left) == 0 || houses.Load() > 0 {
			return
		}
		if time.Now().After(late) {
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines of a stopped server go on, such as\n%s", len(left), left[0])
}

// examine lets the doctor look at the data of a server that does not run.
func examine(t testing.TB, cfg server.Config) {
	t.Helper()
	// Not t.Context: it has ended when this runs as the test's last act.
	for _, f := range server.Examine(context.Background(), cfg, time.Now) {
		if f.Grade == server.Bad {
			t.Errorf("the doctor says of the stopped server: %s", f.Text)
		}
	}
}

// ours are the stacks of goroutines that only a server starts.
func ours() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var all []string
	for i, stack := range strings.Split(string(buf), "\n\n") {
		if i == 0 {
			continue // this one
		}
		for _, room := range []string{"server.", "edge.", "base/mqtt.", "base/db.", "base/run.", "fleet/", "people/"} {
			if strings.Contains(stack, "created by github.com/ardesia-iot/ardesia/internal/"+room) {
				all = append(all, stack)
				break
			}
		}
	}
	return all
}

// Sessions are the ids of who is connected over MQTT.
func (h *home) Sessions() []string {
	h.t.Helper()
	return sessions(h.t, h.act)
}

func sessions(t testing.TB, act func(context.Context, string, []byte) (json.RawMessage, error)) []string {
	t.Helper()
	answer, err := act(context.Background(), "device.sessions", []byte("{}"))
	if err != nil {
		t.Errorf("list sessions: %v", err)
		return nil
	}
	var all []struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &all); err != nil {
		t.Errorf("list sessions: %v", err)
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.ID
	}
	return ids
}
