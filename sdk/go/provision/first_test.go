package provision

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
)

// A client of the first generation, as far as a test goes: it says a command and gives what comes back.
type firstClient struct {
	t      *testing.T
	line   net.Conn
	frames Reader
}

func (c *firstClient) ask(command byte, in []byte) Frame {
	c.t.Helper()
	wire, err := Append(nil, Frame{Request, append([]byte{command}, in...)})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.line.Write(wire); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 1024)
	for {
		n, err := c.line.Read(b)
		if err != nil {
			c.t.Fatal(err)
		}
		if all, _ := c.frames.Feed(b[:n], time.Unix(0, 0)); len(all) > 0 {
			return all[0]
		}
	}
}

// A board of the first generation keeps the certificate whose parts it was told, for the key that it has made; what is no part is refused.
func TestFirstGeneration(t *testing.T) {
	const id = "8c2f0b1e-2b1f-4b53-9c1a-0d1e2f3a4b5c"
	chip, err := twin.Create(filepath.Join(t.TempDir(), "element"), []byte("of a test"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := Board{Identity: element.Identity{Element: chip, Layout: element.ECCX08}, Now: func() time.Time { return time.Unix(0, 0) }}
	near, far := net.Pipe()
	type served struct {
		id  string
		err error
	}
	done := make(chan served, 1)
	go func() {
		id, err := b.ServeFirst(t.Context(), far)
		done <- served{id, err}
	}()
	c := firstClient{t: t, line: near}
	answer := c.ask(firstCSR, []byte(id))
	request, err := boardcert.ParseCSR(answer.Payload)
	if err != nil || answer.Type != Data || request.Name != id {
		t.Fatalf("the request is %+v, %v", answer, err)
	}
	authority, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := boardcert.Profile{DeviceID: id, Serial: [16]byte{1, 2, 3}, AKI: [20]byte{4, 5, 6}, NotBefore: time.Date(2026, 10, 7, 3, 0, 0, 0, time.UTC), Years: boardcert.Years, Key: request.Key}
	der, err := boardcert.Issue(rand.Reader, authority, p)
	if err != nil {
		t.Fatal(err)
	}
	_, signature, err := boardcert.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	ack := func(want byte, command byte, in []byte) {
		t.Helper()
		if f := c.ask(command, in); f.Type != Transmit || len(f.Payload) != 1 || f.Payload[0] != want {
			t.Errorf("command %d: %+v, want %d", command, f, want)
		}
	}
	ack(firstAck, firstStore, nil)
	ack(firstFail, firstYear, []byte("26"))
	ack(firstFail, firstSerial, []byte{1})
	ack(firstFail, 99, nil)
	ack(firstFail, firstBuild, nil) // nothing is there to build of
	for _, one := range []struct {
		command byte
		in      []byte
	}{
		{firstDevice, []byte(id)}, {firstYear, []byte("2026")}, {firstMonth, []byte("10")}, {firstDay, []byte("07")}, {firstHour, []byte("03")}, {firstValidity, fmt.Append(nil, boardcert.Years)},
		{firstSerial, p.Serial[:]}, {firstAuthority, p.AKI[:]}, {firstSignature, signature[:]}, {firstEnd, nil}, {firstBuild, nil},
	} {
		ack(firstAck, one.command, one.in)
	}
	if got := <-done; got.err != nil || got.id != id {
		t.Errorf("the board: %+v", got)
	}
	if got, err := b.Identity.Certificate(); err != nil || string(got) != string(der) {
		t.Errorf("the element has %x, %v, want %x", got, err, der)
	}
	// It ends with its context, and with its line.
	ctx, cancel := context.WithCancel(t.Context())
	_, far = net.Pipe()
	cancel()
	if _, err := b.ServeFirst(ctx, far); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

// Whatever a client sends, a board of the first generation keeps only what is part of a certificate, and never more than that.
func FuzzFirst(f *testing.F) {
	f.Add(byte(firstYear), []byte("2026"))
	f.Add(byte(firstSerial), make([]byte, 16))
	f.Add(byte(firstSignature), make([]byte, 65))
	f.Add(byte(firstMonth), []byte("-1"))
	f.Fuzz(func(t *testing.T, command byte, in []byte) {
		if command == firstBuild {
			return // needs an element
		}
		var s firstServed
		if err := s.store(command, in); err != nil && !errors.Is(err, errPart) {
			t.Errorf("%d with % x: %v", command, in, err)
		}
		if s.year < 0 || s.year > 9999 || s.month < 0 || s.month > 99 || s.profile.Years < 0 || s.profile.Years > 99 {
			t.Errorf("%d with % x makes %+v", command, in, s)
		}
	})
}
