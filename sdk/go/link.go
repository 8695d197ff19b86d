package device

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/sdk/go/internal/mqtt"
)

// maxPacket is the largest packet that we read: last values in a command, and their topic.
const maxPacket = 128 << 10

// errSlow is a network that does not take a message in time.
var errSlow = errors.New("device: the network does not take our message")

// A link is one connection: a goroutine that reads packets, and a way to write them.
type link struct {
	conn    net.Conn
	packets chan mqtt.Packet // closed when the connection ends; err says why
	quit    chan struct{}    // closed by close
	timeout time.Duration

	once sync.Once
	done sync.WaitGroup
	err  error // set before packets is closed
}

func newLink(conn net.Conn, timeout time.Duration) *link {
	l := &link{conn: conn, packets: make(chan mqtt.Packet, 16), quit: make(chan struct{}), timeout: timeout}
	l.done.Go(l.read)
	return l
}

func (l *link) read() {
	defer close(l.packets)
	r := bufio.NewReader(l.conn)
	for {
		p, err := mqtt.Read(r, maxPacket)
		if err != nil {
			l.err = fmt.Errorf("connection lost: %w", err)
			return
		}
		select {
		case l.packets <- p:
		case <-l.quit:
			l.err = net.ErrClosed
			return
		}
	}
}

// write hands one packet to the network in one piece: with TLS that is one record, as
// servers and clients of this protocol expect.
func (l *link) write(packet []byte) error {
	// A deadline would be taken from the system's clock, which need not be ours.
	stuck := time.AfterFunc(l.timeout, func() { l.conn.Close() })
	_, err := l.conn.Write(packet)
	if !stuck.Stop() {
		return errSlow
	}
	if err != nil {
		return fmt.Errorf("connection lost: %w", err)
	}
	return nil
}

// close ends the connection and waits for the reader.
func (l *link) close() {
	l.once.Do(func() { close(l.quit) })
	l.conn.Close()
	l.done.Wait()
}

// open dials without holding up the caller: the answer comes on the channel.
func open(ctx context.Context, dial func(context.Context) (net.Conn, error), timeout time.Duration) <-chan dialed {
	answer := make(chan dialed, 1)
	go func() {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		conn, err := dial(ctx)
		answer <- dialed{conn, err}
	}()
	return answer
}

type dialed struct {
	conn net.Conn
	err  error
}
