package device

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/sdk/go/internal/mqtt"
)

// The first generation of the protocol: no commands; the thing is told as a record on a
// topic of the device, and last values on a shadow topic of the thing.

var errRefusedTopics = errors.New("device: the cloud refuses the topics of the thing")

// resumes is how often subscriptions that are refused are tried again.
const resumes = 10

// startFirst tells the version, and asks for the thing by a subscription.
func (s *session) startFirst(ctx context.Context) error {
	hello := []senml.Record{{Name: "LIB_VERSION", Kind: senml.Text, Text: s.config.Version}}
	if f := s.config.Firmware; f != nil {
		hello = append(hello, senml.Record{Name: "OTA_CAP", Kind: senml.Bool, Int: 1}, senml.Record{Name: "OTA_ERROR", Kind: senml.Int, Int: s.updates.error1.Load()},
			senml.Record{Name: "OTA_SHA256", Kind: senml.Text, Text: fmt.Sprintf("%X", f.SHA256())})
	}
	pack := senml.AppendBoard(nil, hello)
	if err := s.link.write(mqtt.AppendPublish(nil, s.topic("e/o"), pack, 0, 0)); err != nil {
		return err
	}
	return s.askFirst(ctx)
}

// askFirst subscribes, again if needed: the subscription is the question.
func (s *session) askFirst(ctx context.Context) error {
	if s.attach.count > 0 {
		if err := s.unsubscribe(ctx, s.topic("e/i")); err != nil {
			return err
		}
	}
	if _, err := s.subscribe(ctx, s.topic("e/i")); err != nil {
		return err
	}
	return s.countAsk()
}

func (s *session) messageFirst(ctx context.Context, p mqtt.Packet) error {
	switch {
	case p.Topic == s.topic("e/i"):
		records, err := senml.Decode(p.Payload)
		if err != nil {
			return nil
		}
		for i := range records {
			if records[i].Name == "thing_id" && records[i].Kind == senml.Text {
				return s.told(ctx, records[i].Text)
			}
			if records[i].Name == "OTA_URL" && records[i].Kind == senml.Text {
				return s.offeredFirst(records[i].Text)
			}
		}
	case s.thing != "" && p.Topic == thingTopic(s.thing, "shadow/i") && s.phase == asking:
		s.lastValues(p.Payload) // at other times nobody asked
	}
	return nil
}

// told attaches to a thing, or to none if it is "".
func (s *session) told(ctx context.Context, thing string) error {
	s.answered = true
	if thing != "" && thing == s.thing {
		return nil
	}
	if s.thing != "" {
		old := s.thing
		if err := s.detach(ctx); err != nil {
			return err
		}
		if err := s.unsubscribe(ctx, thingTopic(old, "shadow/i")); err != nil {
			return err
		}
		s.begin()
		s.attach.count = 1 // the subscription to the device's topic is there
	}
	s.phase, s.asked, s.valuesOld = unasked, 0, false
	if thing == "" {
		s.registered = true
		s.attach.first, s.attach.most = s.config.Timing.Detached, s.config.Timing.DetachedMax
		s.attach.wait = 0
		s.attachDue.Reset(s.attach.reload())
		return nil
	}
	s.attachDue.Stop()
	for try := 0; ; try++ {
		granted, err := s.subscribeFirst(ctx, thing)
		if err != nil {
			return err
		}
		if granted {
			break
		}
		if try == resumes {
			return errRefusedTopics
		}
		if err := s.rest(ctx, s.config.Timing.Resume); err != nil {
			return err
		}
	}
	s.thing, s.registered = thing, true
	s.event(Event{Kind: Attached, Thing: thing})
	return nil
}

func (s *session) subscribeFirst(ctx context.Context, thing string) (granted bool, err error) {
	for _, tail := range []string{"e/i", "shadow/i"} {
		granted, err := s.subscribe(ctx, thingTopic(thing, tail))
		if err != nil || !granted {
			return false, err
		}
	}
	return true, nil
}

// rest waits while packets are kept for later.
func (s *session) rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return nil
		case p, is := <-s.link.packets:
			if !is {
				return s.link.err
			}
			s.silence.Reset(s.config.Timing.Silence)
			s.backlog = append(s.backlog, p)
		}
	}
}

// offeredFirst takes an update by its address. This generation is not told which image it is: what the file says of itself counts.
func (s *session) offeredFirst(url string) error {
	if s.config.Firmware == nil {
		return nil
	}
	echo := senml.AppendBoard(nil, []senml.Record{{Name: "OTA_URL", Kind: senml.Text, Text: url}})
	if err := s.link.write(mqtt.AppendPublish(nil, s.topic("e/o"), echo, 0, 0)); err != nil {
		return err
	}
	s.offered(s.updates.life, command.OtaUpdate{URL: url})
	return nil
}

// tellUpdateFirst says that the download begins, or failed.
func (s *session) tellUpdateFirst(p command.OtaProgress) error {
	var said senml.Record
	switch p.State {
	case command.OtaStart:
		said = senml.Record{Name: "OTA_REQ", Kind: senml.Bool}
	case command.OtaFail:
		s.updates.error1.Store(1)
		said = senml.Record{Name: "OTA_ERROR", Kind: senml.Int, Int: 1}
	default:
		return nil
	}
	return s.link.write(mqtt.AppendPublish(nil, s.topic("e/o"), senml.AppendBoard(nil, []senml.Record{said}), 0, 0))
}
