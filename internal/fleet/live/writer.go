package live

import (
	"errors"
	"math"
	"net/http"
	"sync"
	"time"
)

// A writer is the way to one client. But for cut it belongs to the goroutine that serves the request.
type writer struct {
	w        http.ResponseWriter
	control  *http.ResponseController // not every writer has deadlines
	patience time.Duration            // for the client to take what is written
	late     *time.Timer
	b        []byte // what is to be sent next

	mu      sync.Mutex
	writing bool // guarded by mu; outside of a write nobody may touch control, which ends with the request
	over    bool // guarded by mu: nothing is written any more
}

func newWriter(w http.ResponseWriter, patience time.Duration) *writer {
	o := &writer{w: w, control: http.NewResponseController(w), patience: patience}
	o.late = time.AfterFunc(math.MaxInt64, o.cut) // it is set by each write
	o.late.Stop()
	return o
}

// cut ends a write that a client keeps waiting, if there is one, and has no other begin.
func (o *writer) cut() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over = true
	if o.writing {
		_ = o.control.SetWriteDeadline(time.Unix(1, 0)) // in the past, whatever this house's clock shows
	}
}

// begin says whether there may be a write, which is under way until ended.
func (o *writer) begin() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = !o.over
	return o.writing
}

func (o *writer) ended() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.writing = false
}

// send writes what is to be sent.
func (o *writer) send() error {
	b := o.b
	o.b = nil
	return o.write(b)
}

func (o *writer) write(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	if !o.begin() {
		return errOver
	}
	defer o.ended()
	o.late.Reset(o.patience)
	defer o.late.Stop()
	_, err := o.w.Write(b)
	if err == nil {
		err = o.control.Flush()
	}
	if err != nil {
		return errors.Join(errOver, err) // the client has gone, or does not read
	}
	return nil
}
