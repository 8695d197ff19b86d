package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// unanswered is how long a frame is kept to be sent again.
const unanswered = 30 * time.Second

// maxUnanswered is how many frames are kept; a board sends three in a row at most.
const maxUnanswered = 16

// An Incoming is what came over a Link: a message, or what a frame of type Transmit said.
type Incoming struct {
	Message  Message // nil when Transmit is set
	Transmit byte    // Connect or Disconnect; 0 for a message
}

// A Link carries messages over a line that may lose bytes: what the other side could not read it says, and is sent again. Close ends it.
type Link struct {
	line io.ReadWriteCloser
	now  func() time.Time
	in   chan Incoming
	done chan struct{} // closed when nothing more comes; err is set before
	stop chan struct{} // closed by Close
	once sync.Once
	err  error

	mu   sync.Mutex // held while something is written
	sent []sent     // guarded by mu: what the other side has not answered yet
}

type sent struct {
	wire []byte
	at   time.Time
}

// NewLink begins to read from a line. Close must be called in the end; it closes the line.
func NewLink(line io.ReadWriteCloser, now func() time.Time) *Link {
	l := &Link{line: line, now: now, in: make(chan Incoming, 64), done: make(chan struct{}), stop: make(chan struct{})}
	go l.read()
	return l
}

// Close closes the line, and waits until nobody reads from it.
func (l *Link) Close() error {
	var err error
	l.once.Do(func() {
		close(l.stop)
		err = l.line.Close()
	})
	<-l.done
	return err
}

// Send writes a message, and keeps it until something came back.
func (l *Link) Send(m Message) error {
	payload, err := Marshal(m)
	if err != nil {
		return err
	}
	wire, err := Append(nil, Frame{Data, payload})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sent) == maxUnanswered {
		l.sent = l.sent[1:]
	}
	l.sent = append(l.sent, sent{wire, l.now()})
	return l.write(wire)
}

// Say writes a frame of type Transmit.
func (l *Link) Say(what byte) error {
	wire, err := Append(nil, Frame{Transmit, []byte{what}})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(wire)
}

// write is called with mu held.
func (l *Link) write(wire []byte) error {
	if _, err := l.line.Write(wire); err != nil {
		return fmt.Errorf("write to the line: %w", err)
	}
	return nil
}

// Receive waits for what comes next. When the line has ended it says so with io.EOF, or with what went wrong.
func (l *Link) Receive(ctx context.Context) (Incoming, error) {
	select {
	case i := <-l.in:
		return i, nil
	default:
	}
	select {
	case i := <-l.in:
		return i, nil
	case <-ctx.Done():
		return Incoming{}, ctx.Err()
	case <-l.done:
		select {
		case i := <-l.in: // it came before the end
			return i, nil
		default:
			return Incoming{}, l.err
		}
	}
}

// read takes what comes until the line ends.
func (l *Link) read() {
	defer close(l.done)
	var frames Reader
	buffer := make([]byte, 1024)
	for {
		n, err := l.line.Read(buffer)
		whole, bad := frames.Feed(buffer[:n], l.now())
		for _, f := range whole {
			l.take(f)
		}
		if bad > 0 {
			// The other side sends again what is missing, or does not know what we mean. Either is its business.
			_ = l.Say(Nack)
		}
		if err != nil {
			if l.err = err; !errors.Is(err, io.EOF) {
				l.err = fmt.Errorf("read from the line: %w", err)
			}
			return
		}
	}
}

// take acts on a frame. Types that it does not know are older boards'.
func (l *Link) take(f Frame) {
	switch f.Type {
	case Data:
		l.mu.Lock()
		l.sent = nil // it has heard us
		l.mu.Unlock()
		// What came whole and cannot be read would be no better if it were sent again.
		if m, err := Unmarshal(f.Payload); err == nil {
			l.deliver(Incoming{Message: m})
		}
	case Transmit:
		switch {
		case len(f.Payload) != 1:
		case f.Payload[0] == Nack:
			l.again()
		default:
			l.deliver(Incoming{Transmit: f.Payload[0]})
		}
	}
}

// deliver waits for whoever receives: the line is slow, and pushes back.
func (l *Link) deliver(i Incoming) {
	select {
	case l.in <- i:
	case <-l.stop:
	}
}

// again sends what was not answered.
func (l *Link) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		if l.now().Sub(s.at) <= unanswered {
			_ = l.write(s.wire) // a line that has ended says so to who reads
		}
	}
}
