package provision

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A half is one end of a line in memory that has room, as a serial port has, and may spoil what goes over it.
type half struct {
	in, out *pipe
	spoil   func(n int, b []byte) []byte // what becomes of the n-th write
	writes  int
}

type pipe struct {
	mu     sync.Mutex
	more   *sync.Cond
	data   []byte // guarded by mu
	closed bool   // guarded by mu
}

func newPipe() *pipe {
	p := &pipe{}
	p.more = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.data) == 0 {
		if p.closed {
			return 0, io.EOF
		}
		p.more.Wait()
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	p.data = append(p.data, b...)
	p.more.Broadcast()
	return len(b), nil
}

func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.more.Broadcast()
	return nil
}

// wire are the two ends of a line.
func wire() (a, b *half) {
	one, other := newPipe(), newPipe()
	return &half{in: one, out: other}, &half{in: other, out: one}
}

func (e *half) Read(b []byte) (int, error) { return e.in.Read(b) }
func (e *half) Write(b []byte) (int, error) {
	e.writes++
	if e.spoil != nil {
		if _, err := e.out.Write(e.spoil(e.writes, append([]byte(nil), b...))); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return e.out.Write(b)
}
func (e *half) Close() error { return errors.Join(e.in.Close(), e.out.Close()) }

func links(t *testing.T) (a, b *Link, left, right *half) {
	t.Helper()
	left, right = wire()
	a, b = NewLink(left, time.Now), NewLink(right, time.Now)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b, left, right
}

func receive(t *testing.T, l *Link) Incoming {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	in, err := l.Receive(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func TestLinkSendsAgainWhatWasDamaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, left, _ := links(t)
		left.spoil = func(n int, b []byte) []byte {
			if n == 2 {
				b[len(b)/2] ^= 0x10
			}
			return b
		}
		for _, m := range []Message{CommandSketch, CommandID} {
			if err := a.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		if got := receive(t, b); got.Message != CommandSketch {
			t.Errorf("first came %+v", got)
		}
		// The second was damaged, so both come again: what was not answered.
		if got := receive(t, b); got.Message != CommandSketch {
			t.Errorf("then came %+v", got)
		}
		if got := receive(t, b); got.Message != CommandID {
			t.Errorf("and then came %+v", got)
		}
		if err := b.Send(Sketch("1")); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, a); got.Message != Sketch("1") {
			t.Errorf("the answer is %+v", got)
		}
		synctest.Wait()
		// It was heard: nothing is sent again.
		a.mu.Lock()
		if len(a.sent) != 0 {
			t.Errorf("%d frames are kept", len(a.sent))
		}
		a.mu.Unlock()
	})
}

func TestLinkForgetsWhatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, left, _ := links(t)
		left.spoil = func(int, []byte) []byte { return nil } // lost
		if err := a.Send(CommandID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(unanswered + time.Second)
		left.spoil = nil
		if err := b.Say(Nack); err != nil {
			t.Fatal(err)
		}
		if err := a.Say(Connect); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, b); got.Transmit != Connect {
			t.Errorf("came %+v, which is old", got)
		}
	})
}

func TestLinkEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, _, _ := links(t)
		if err := a.Send(CommandID); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, b); got.Message != CommandID {
			t.Errorf("what came before the end: %+v", got)
		}
		if _, err := b.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the end: %v", err)
		}
		if _, err := a.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after Close: %v", err)
		}
		if err := a.Send(CommandID); err == nil {
			t.Error("sent after Close")
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		c, _, _, _ := links(t)
		if _, err := c.Receive(gone); !errors.Is(err, context.Canceled) {
			t.Errorf("Receive = %v", err)
		}
	})
}
