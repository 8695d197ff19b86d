package fault

import (
	"context"
	"net"
	"sync"
	"testing"
)

// A wire is a network between boards and the house that can be cut.
type wire struct {
	t    *testing.T
	l    net.Listener
	to   func(ctx context.Context) (net.Conn, error)
	work sync.WaitGroup

	mu      sync.Mutex
	dead    bool                  // guarded by mu, as all below; nothing gets through, and nobody is told
	deaf    bool                  // boards hear nothing, and are heard
	refuse  bool                  // connections are closed at once
	linger  bool                  // the house is not told when a board goes
	over    bool                  // the test ends
	changed chan struct{}         // closed when any of the above changes
	ends    map[net.Conn]struct{} // all that are open, on either side
	inside  int                   // connections to the house that are open
}

// newWire is one to a listener of the house.
func newWire(t *testing.T, to func(ctx context.Context) (net.Conn, error)) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{t: t, l: l, to: to, changed: make(chan struct{}), ends: map[net.Conn]struct{}{}}
	w.work.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.become(func() { w.over = true })
		w.closeAll()
		w.work.Wait()
	})
	return w
}

// dial is how boards come to the wire.
func (w *wire) dial(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", w.l.Addr().String())
}

// become changes what the wire does.
func (w *wire) become(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	close(w.changed)
	w.changed = make(chan struct{})
}

// silence lets nothing through any more, as a router does that has lost its power:
// neither side hears of it.
func (w *wire) silence() { w.become(func() { w.dead = true }) }

// deafen lets through only what boards say.
func (w *wire) deafen() { w.become(func() { w.deaf = true }) }

// unplug ends all connections and lets no new one through.
func (w *wire) unplug() {
	w.become(func() { w.refuse = true })
	w.closeAll()
}

// mend makes the wire one that works. What was sent into the silence arrives late.
func (w *wire) mend() { w.become(func() { w.dead, w.deaf, w.refuse = false, false, false }) }

func (w *wire) closeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.ends {
		c.Close()
	}
}

// pass waits while nothing gets through; down is to boards.
func (w *wire) pass(down bool) {
	for {
		w.mu.Lock()
		stuck, changed := (w.dead || w.deaf && down) && !w.over, w.changed
		w.mu.Unlock()
		if !stuck {
			return
		}
		<-changed
	}
}

func (w *wire) accept() {
	for {
		board, err := w.l.Accept()
		if err != nil {
			return
		}
		w.work.Go(func() { w.serve(board) })
	}
}

func (w *wire) serve(board net.Conn) {
	defer board.Close()
	w.pass(false)
	w.mu.Lock()
	refuse := w.refuse || w.over
	w.mu.Unlock()
	if refuse {
		return
	}
	house, err := w.to(context.Background())
	if err != nil {
		return // the house is down
	}
	w.count(1, board, house)
	var both sync.WaitGroup
	both.Go(func() {
		w.copy(house, board, false)
		w.mu.Lock()
		stay := w.linger && !w.over
		w.mu.Unlock()
		if !stay {
			house.Close()
		}
	})
	both.Go(func() {
		w.copy(board, house, true)
		board.Close()
		house.Close()
	})
	both.Wait()
	w.count(-1, board, house)
}

func (w *wire) count(n int, ends ...net.Conn) {
	w.become(func() {
		w.inside += n
		for _, c := range ends {
			if n > 0 {
				w.ends[c] = struct{}{}
			} else {
				delete(w.ends, c)
			}
		}
	})
}

// copy carries bytes one way until an end is closed; what does not get through includes that.
func (w *wire) copy(to, from net.Conn, down bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		w.pass(down)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// awaitInside waits until so many connections to the house are open.
func (w *wire) awaitInside(n int) {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), patience)
	defer stop()
	for {
		w.mu.Lock()
		got, changed := w.inside, w.changed
		w.mu.Unlock()
		if got == n {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			w.t.Fatalf("%d connections to the house stay open, want %d", got, n)
		}
	}
}
