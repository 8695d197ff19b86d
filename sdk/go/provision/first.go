package provision

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
)

// Commands of the first generation, in frames of type Request: one byte, and what belongs to it (device-protocol reference,
// section 6.2). Those below firstStore make the board's key; the others write its certificate, part by part.
const (
	firstCSR       = 2 // the device's id
	firstStore     = 6
	firstDevice    = 7
	firstYear      = 8
	firstMonth     = 9
	firstDay       = 10
	firstHour      = 11
	firstValidity  = 12
	firstSerial    = 13
	firstAuthority = 14
	firstSignature = 15
	firstEnd       = 16
	firstBuild     = 17
)

// Answers of the first generation, in frames of type Transmit.
const (
	firstAck  = 2
	firstFail = 4
)

// ServeFirst answers a client as the provisioning sketch of the first generation does, until the board has its certificate, and
// returns the id of the device that it is now. Of b it needs Identity and Now. The line is closed.
func (b *Board) ServeFirst(ctx context.Context, line io.ReadWriteCloser) (device string, err error) {
	if err := b.Identity.Prepare(); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = line.Close() }) // ends what is read
	defer stop()
	defer line.Close()
	s := firstServed{board: b, line: line}
	var frames Reader
	buffer := make([]byte, 1024)
	for {
		n, err := line.Read(buffer)
		whole, _ := frames.Feed(buffer[:n], b.Now())
		for _, f := range whole {
			if f.Type != Request || len(f.Payload) == 0 {
				continue
			}
			if err := s.answer(f.Payload[0], f.Payload[1:]); err != nil {
				return "", err
			}
			if s.built {
				return s.profile.DeviceID, nil
			}
		}
		if err != nil {
			return "", errors.Join(ctx.Err(), fmt.Errorf("read from the line: %w", err))
		}
	}
}

// firstServed is one conversation with a client.
type firstServed struct {
	board                  *Board
	line                   io.Writer
	profile                boardcert.Profile
	signature              boardcert.Signature
	year, month, day, hour int
	built                  bool
}

// answer does what a command wants. What the board does not do it says; an error ends the conversation.
func (s *firstServed) answer(command byte, in []byte) error {
	if command == firstCSR {
		return s.request(string(in))
	}
	said := byte(firstAck)
	if err := s.store(command, in); err != nil {
		said = firstFail
	}
	return s.say(Frame{Transmit, []byte{said}})
}

func (s *firstServed) say(f Frame) error {
	wire, err := Append(nil, f)
	if err != nil {
		return err
	}
	if _, err := s.line.Write(wire); err != nil {
		return fmt.Errorf("write to the line: %w", err)
	}
	return nil
}

func (s *firstServed) request(id string) error {
	text, err := s.board.Identity.Request(id, true)
	if err != nil {
		return errors.Join(err, s.say(Frame{Transmit, []byte{firstFail}}))
	}
	s.profile.DeviceID = id
	return s.say(Frame{Data, text})
}

// errPart is a part of a certificate that is none.
var errPart = errors.New("provision: not a part of a certificate")

func (s *firstServed) store(command byte, in []byte) error {
	number := func(to *int, digits int) error {
		n, err := strconv.Atoi(string(in))
		if err != nil || len(in) != digits || n < 0 {
			return errPart
		}
		*to = n
		return nil
	}
	part := func(to []byte) error {
		if len(in) != len(to) {
			return errPart
		}
		copy(to, in)
		return nil
	}
	switch command {
	case firstStore, firstEnd:
		return nil
	case firstDevice:
		s.profile.DeviceID = string(in)
		return nil
	case firstYear:
		return number(&s.year, 4)
	case firstMonth:
		return number(&s.month, 2)
	case firstDay:
		return number(&s.day, 2)
	case firstHour:
		return number(&s.hour, 2)
	case firstValidity:
		return number(&s.profile.Years, 2)
	case firstSerial:
		return part(s.profile.Serial[:])
	case firstAuthority:
		return part(s.profile.AKI[:])
	case firstSignature:
		return part(s.signature[:])
	case firstBuild:
		return s.build()
	}
	return errPart
}

// build puts the certificate together and keeps it.
func (s *firstServed) build() error {
	var err error
	s.profile.NotBefore = time.Date(s.year, time.Month(s.month), s.day, s.hour, 0, 0, 0, time.UTC)
	if s.profile.Key, err = s.board.Identity.Element.PublicKey(s.board.Identity.Layout.Key); err != nil {
		return err
	}
	der, err := s.profile.Join(s.signature)
	if err == nil {
		err = s.board.Identity.Save(der)
	}
	s.built = err == nil
	return err
}
