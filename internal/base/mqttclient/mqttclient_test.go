package mqttclient

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// says is a broker that answers CONNECT with some bytes, then hears what comes, until it is hung up on.
func says(t *testing.T, answer ...byte) Config {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		if _, err := packets.ReadPacket(c); err != nil {
			return
		}
		_, _ = c.Write(answer)
		_, _ = io.Copy(io.Discard, c)
	}()
	return Config{Address: l.Addr().String(), Dial: new(net.Dialer).DialContext, ClientID: "guest", MaxPacket: 1 << 10, Received: func(Message) {}}
}

// connack lets in, with properties; MQTT 5, section 3.2.
func connack(properties ...byte) []byte {
	n := byte(len(properties))
	return append([]byte{0x20, 3 + n, 0, 0, n}, properties...)
}

// Whatever a broker answers, nothing but the connection ends.
func TestABrokerIsBelievedNothing(t *testing.T) {
	for name, c := range map[string]struct {
		answer []byte
		want   error // of Connect
		stays  bool
	}{
		"it lets in": {connack(), nil, true},
		"as after an exchange that was not asked for": {connack(0x15, 0, 1, 'x'), nil, true},
		"an exchange that was not asked for":          {[]byte{0xf0, 2, 0x18, 0}, ErrTongue, false},
		"the same, without a word":                    {[]byte{0xf0, 0}, ErrTongue, false},
		"the same, with a method":                     {[]byte{0xf0, 6, 0x18, 4, 0x15, 0, 1, 'x'}, ErrTongue, false},
		"an exchange once it has let in":              {append(connack(), 0xf0, 2, 0x18, 0), nil, false},
		"it acknowledges nothing":                     {connack(0x24, 0), ErrPoor, false},
		"it keeps nothing":                            {connack(0x25, 0), ErrPoor, false},
		"it has no wildcards":                         {connack(0x28, 0), ErrPoor, false},
		"another protocol":                            {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), ErrTongue, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := Connect(t.Context(), says(t, c.answer...))
			if !errors.Is(err, c.want) {
				t.Fatalf("Connect: %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if c.stays {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}
			select {
			case <-conn.Ended():
			case <-time.After(answerTime + stallTime):
				t.Error("it does not end")
			}
		})
	}
}

// What waits for a broker that says nothing more ends with Abort.
func TestAbort(t *testing.T) {
	conn, err := Connect(t.Context(), says(t, connack()...))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, conn.Abort)
	if err := conn.Deliver(context.Background(), Message{Topic: "a", Payload: []byte("b")}); !errors.Is(err, ErrLost) {
		t.Errorf("Deliver: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}
