package mqttclient

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// packet is one with a body of n bytes.
func packet(n int) []byte {
	b := []byte{0x30}
	for size := n; ; size >>= 7 {
		if size < 0x80 {
			b = append(b, byte(size))
			break
		}
		b = append(b, byte(size)|0x80)
	}
	return append(b, make([]byte, n)...)
}

// However a stream is cut, all of it passes until the first packet that is too long, and nothing of that.
func FuzzHeads(f *testing.F) {
	f.Add(append(packet(3), packet(200)...), uint8(1), uint16(300))
	f.Add(packet(301), uint8(2), uint16(300))
	f.Add([]byte{0x30, 0xff, 0xff, 0xff, 0xff, 0x01}, uint8(3), uint16(9))
	f.Add([]byte{0x20, 0xff, 0xff, 0xff, 0x7f}, uint8(1), uint16(65535))
	f.Fuzz(func(t *testing.T, stream []byte, cut uint8, most uint16) {
		want := true
		for rest := stream; want && len(rest) > 1; {
			length, digits := 0, 0
			for digits < len(rest)-1 && digits < 4 {
				c := rest[1+digits]
				length |= int(c&0x7f) << (7 * digits)
				digits++
				if c&0x80 == 0 {
					break
				}
			}
			if last := rest[digits]; last&0x80 != 0 {
				want = digits < 4
				break // the length goes on beyond the stream, or for ever
			}
			want = length <= int(most)
			rest = rest[min(len(rest), 1+digits+length):]
		}
		var h heads
		got, step := true, int(cut)+1
		for rest := stream; got && len(rest) > 0; rest = rest[min(step, len(rest)):] {
			got = h.pass(rest[:min(step, len(rest))], uint32(most))
		}
		if got != want {
			t.Fatalf("% x in steps of %d, at most %d: passes %v, want %v", stream, step, most, got, want)
		}
	})
}

func TestNothingOfWhatIsTooLongIsRead(t *testing.T) {
	here, there := net.Pipe()
	l := &line{Conn: here, most: 100, patience: time.Minute}
	go func() {
		_, _ = there.Write(packet(100))
		_, _ = there.Write(packet(101)[:3])
		_ = there.Close()
	}()
	got, err := io.ReadAll(l)
	if !bytes.Equal(got, packet(100)) || !errors.Is(err, errTooLong) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func TestAStalledWriteEnds(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	l := &line{Conn: here, most: 100, patience: time.Millisecond}
	if _, err := l.Write([]byte("to nobody")); err == nil {
		t.Error("it was written")
	}
}
