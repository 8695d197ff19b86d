package device

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

// MayPublish says whether the device of x may send to a topic. What it may not is
// acknowledged and not heard: a client that is refused reconnects for ever.
func (s *Service) MayPublish(x *Session, name string) bool {
	thing, _ := s.things.Attached(x.Device)
	return topic.DeviceMayPublish(x.Device, thing, name)
}

// MaySubscribe says whether the device of x may receive what comes on a topic.
func (s *Service) MaySubscribe(x *Session, name string) bool {
	thing, _ := s.things.Attached(x.Device)
	return topic.DeviceMaySubscribe(x.Device, thing, name)
}

// Published takes a message that the device of x sent on one of its own topics. It
// keeps no reference to payload. done is called exactly once, possibly before
// Published returns: with nil when what was reported is on disk. acknowledged says
// that somebody waits for that (QoS 1 and 2); otherwise reports are saved with the next batch.
//
// A message that cannot be read is dropped and is no error: closing the connection
// would only make the board say it again.
func (s *Service) Published(ctx context.Context, x *Session, to topic.Topic, payload []byte, acknowledged bool, done func(error)) {
	x.Touch(s.needs.Now())
	if to.ID != x.Device {
		done(nil)
		return
	}
	switch to.Kind {
	case topic.CommandUp:
		s.command(ctx, x, payload, acknowledged, done)
	case topic.DeviceOut:
		s.output(ctx, x, payload, acknowledged, done)
	default:
		done(nil)
	}
}

// command acts on one command of generation 2; device-protocol reference, section 3.6.
func (s *Service) command(ctx context.Context, x *Session, payload []byte, acknowledged bool, done func(error)) {
	c, err := command.Decode(payload)
	if err != nil {
		s.needs.Log.DebugContext(ctx, "a device sent a command that cannot be read", "device", x.Device, "err", err)
		done(nil)
		return
	}
	switch c := c.(type) {
	case command.ThingBegin:
		x.mu.Lock()
		x.asked = true
		x.mu.Unlock()
		err := s.tellThing(x)
		s.updates.Listens(x.Device)
		done(err)
	case command.LastValuesBegin:
		done(s.tellLastValues(ctx, x))
	case command.DeviceBegin:
		s.learn(ctx, x, facts{LibVersion: c.Version}, acknowledged, done)
	case command.WiFiFWVersion:
		s.learn(ctx, x, facts{WiFiFW: c.Version}, acknowledged, done)
	case command.DeviceNetConfig:
		s.learn(ctx, x, facts{NetConfig: netConfig(c)}, acknowledged, done)
	case command.OtaBegin:
		done = both(done)
		s.learn(ctx, x, facts{OTASHA256: hex.EncodeToString(c.SHA256[:])}, acknowledged, done)
		s.updates.Runs(x.Device, c.SHA256, done)
	case command.OtaProgress:
		s.updates.Progress(x.Device, c, done)
	default:
		// TimezoneUp is never sent by known boards; the rest is what only we send.
		done(nil)
	}
}

// facts are reports before they have a time.
type facts map[Fact]string

// learn takes what a device says of itself. What we know already costs nothing:
// boards say all of it at every connect.
func (s *Service) learn(ctx context.Context, x *Session, f facts, acknowledged bool, done func(error)) {
	now := s.now()
	x.mu.Lock()
	if err := s.recall(ctx, x); err != nil {
		x.mu.Unlock()
		done(err)
		return
	}
	var news Reported
	for fact, value := range f {
		value = cut(value, maxFact)
		if was, known := x.reported[fact]; known && was.Value == value {
			continue
		}
		if news == nil {
			news = make(Reported, len(f))
		}
		news[fact] = Report{value, now}
	}
	if news != nil {
		x.reported = x.reported.merge(news)
	}
	x.mu.Unlock()
	switch {
	case acknowledged:
		s.report(x, news, done) // without news it waits for what is on its way
	case news != nil:
		s.report(x, news, nil)
		done(nil)
	default:
		done(nil)
	}
}

// recall opens what is stored of x's reports, once: a board that only connects costs no
// key. The caller holds x.mu.
func (s *Service) recall(ctx context.Context, x *Session) error {
	if x.sealed == nil {
		return nil
	}
	seal, err := s.key(ctx, x.Space, x.Device)
	if err != nil {
		return err
	}
	r := row{Device: Device{ID: x.Device}, reported: x.sealed}
	if x.reported, err = r.openReported(seal); err != nil {
		return err
	}
	x.sealed = nil
	return nil
}

// netConfig is the network of a device as one line of JSON. There are no passwords in it.
func netConfig(c command.DeviceNetConfig) string {
	text := func(a netip.Addr) string {
		if !a.IsValid() {
			return ""
		}
		return a.String()
	}
	line, err := json.Marshal(struct {
		Type    string `json:"type"`
		Name    string `json:"name,omitempty"`
		Login   string `json:"login,omitempty"`
		IP      string `json:"ip,omitempty"`
		DNS     string `json:"dns,omitempty"`
		Gateway string `json:"gateway,omitempty"`
		Netmask string `json:"netmask,omitempty"`
	}{c.Network.String(), cut(c.Name, 100), cut(c.Login, 64), text(c.IP), text(c.DNS), text(c.Gateway), text(c.Netmask)})
	if err != nil {
		return "" // strings always marshal
	}
	return string(line)
}

// output takes a pack of generation 1 on /a/d/{device}/e/o; section 4.3.
func (s *Service) output(ctx context.Context, x *Session, payload []byte, acknowledged bool, done func(error)) {
	x.mu.Lock()
	x.talks = true
	x.mu.Unlock()
	records, err := senml.Decode(payload)
	if err != nil {
		done(nil)
		return
	}
	f := make(facts)
	for _, r := range records {
		switch fact := Fact(r.Name); fact {
		case LibVersion, OTAURL:
			if r.Kind == senml.Text {
				f[fact] = r.Text
			}
		case OTASHA256:
			if r.Kind == senml.Text && hardwareForm.MatchString(strings.ToLower(r.Text)) {
				f[fact] = strings.ToLower(r.Text)
			}
		case OTACap, OTAReq:
			if r.Kind == senml.Bool {
				f[fact] = strconv.FormatBool(r.Int != 0)
			}
		case OTAError:
			if r.Kind == senml.Int {
				f[fact] = strconv.FormatInt(r.Int, 10)
			}
		}
	}
	about := f.aboutUpdates()
	if about != nil {
		done = both(done)
	}
	s.learn(ctx, x, f, acknowledged, done)
	if about != nil {
		s.updates.Told(x.Device, about, done)
	}
}

// Subscribed is told that the device of x listens on a topic, after the broker has
// confirmed it. Listening on its input topic is how generation 1 asks for its thing.
func (s *Service) Subscribed(x *Session, to topic.Topic, qos byte) {
	if to.Kind != topic.DeviceIn || to.ID != x.Device {
		return
	}
	thing, attached := s.things.Attached(x.Device)
	x.mu.Lock()
	x.input = atMost
	if qos > 0 {
		x.input = atLeast
	}
	talks := x.talks
	x.mu.Unlock()
	// An empty ID makes the Python client (QoS 1) wait on a topic without a name for
	// ever, and the JavaScript client take it for a thing. Only boards, which have
	// said LIB_VERSION before they ask, understand it as "not yet".
	if attached || qos == 0 && talks {
		s.sendThing(x, thing, qos)
	}
	if talks {
		s.updates.Listens(x.Device)
	}
}

// tellThing answers ThingBegin.
func (s *Service) tellThing(x *Session) error {
	thing, _ := s.things.Attached(x.Device)
	x.mu.Lock()
	x.told = thing
	x.mu.Unlock()
	return s.sendCommand(x.Device, command.ThingUpdate{ThingID: thing})
}

// tellLastValues answers LastValuesBegin. A device without a thing gets no answer
// and asks again.
func (s *Service) tellLastValues(ctx context.Context, x *Session) error {
	pack, err := s.things.LastValues(ctx, x.Device)
	if err != nil {
		return fmt.Errorf("last values for device %s: %w", x.Device, err)
	}
	if pack == nil {
		return nil
	}
	return s.sendCommand(x.Device, command.LastValuesUpdate{Pack: pack})
}

func (s *Service) sendCommand(device string, c command.Command) error {
	payload, err := command.Append(nil, c)
	if err != nil {
		return fmt.Errorf("command for device %s: %w", device, err)
	}
	s.line.Send(device, topic.Name(topic.CommandDown, device), payload, 0)
	return nil
}

// sendThing tells a device of generation 1 its thing. The message holds nothing
// else: the JavaScript client takes the first value of any record for the ID.
func (s *Service) sendThing(x *Session, thing string, qos byte) {
	x.mu.Lock()
	x.told = thing
	x.mu.Unlock()
	pack := senml.Append(nil, []senml.Record{{Name: "thing_id", Kind: senml.Text, Text: thing}})
	s.line.Send(x.Device, topic.Name(topic.DeviceIn, x.Device), pack, min(qos, 1))
}

// Attached tells a connected device that it has a thing now; the room of things
// calls it when that is on disk and its Attached agrees. A device that is not connected learns it
// when it connects.
func (s *Service) Attached(ctx context.Context, device, thing string) error {
	x := s.sessionOf(device)
	if x == nil {
		return nil
	}
	x.mu.Lock()
	asked, input, before := x.asked, x.input, x.told
	x.mu.Unlock()
	var failed error
	if asked {
		failed = s.tellThing(x)
		if failed == nil && before != "" && before != thing {
			// A board that had another thing does not ask for values again; section 4.1.
			failed = s.tellLastValues(ctx, x)
		}
	}
	switch {
	case input == atMost:
		s.sendThing(x, thing, 0)
	case input == atLeast && before == "":
		s.sendThing(x, thing, 1)
	case input == atLeast && before != thing:
		s.line.Drop(device, ErrReattached) // the Python client takes a thing once in its life
	}
	return failed
}

// Detached tells a connected device that the thing is no longer its own.
func (s *Service) Detached(_ context.Context, device, thing string) error {
	x := s.sessionOf(device)
	if x == nil {
		return nil
	}
	x.mu.Lock()
	asked, input, before, talks := x.asked, x.input, x.told, x.talks
	x.told = ""
	x.mu.Unlock()
	var failed error
	if asked {
		failed = s.sendCommand(device, command.ThingDetach{ThingID: thing})
	}
	switch {
	case input == atMost && talks:
		s.sendThing(x, "", 0)
	case input != deaf && before != "":
		s.line.Drop(device, ErrReattached)
	}
	return failed
}

func (s *Service) sessionOf(device string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[device]
}
