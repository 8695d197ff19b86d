package device

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/sdk/go/internal/mqtt"
)

// Why a connection ends on our side.
var (
	errSilence     = errors.New("device: nothing was heard from the cloud")
	errNoAnswer    = errors.New("device: the cloud did not answer in time")
	errNoThing     = errors.New("device: the cloud does not tell the device's thing")
	errNoValues    = errors.New("device: the cloud does not tell the last values, or no time zone that is valid")
	errUnpublished = errors.New("device: the cloud does not acknowledge our values")
)

// RefusedError is a cloud that does not let the device in.
type RefusedError struct {
	Code byte // of MQTT 3.1.1, table 3.1: 4 and 5 are wrong credentials
}

func (e RefusedError) Error() string {
	switch e.Code {
	case 4, 5:
		return "device: the cloud refused the device's credentials"
	}
	return fmt.Sprintf("device: the cloud refused the connection with code %d", e.Code)
}

// phase is how far the thing is.
type phase int

const (
	unasked   phase = iota
	asking          // for last values
	following       // last values were told, and the time zone is valid
)

// A session is one connection. Only the goroutine of Run uses it.
type session struct {
	*Client
	link    *link
	lastID  uint16
	backlog []mqtt.Packet // what arrived while we waited for an answer

	// The device: what is it attached to?
	thing      string // "": to nothing
	registered bool   // the cloud said that there is no thing
	answered   bool   // the cloud said anything
	attach     patience
	attachDue  *time.Timer

	// The thing: its last values.
	phase     phase
	asked     int         // questions for last values
	valuesDue *time.Timer // when the next one may follow
	valuesOld bool        // valuesDue has fired

	ping      *time.Timer // the next one
	silence   *time.Timer // since the last packet
	published *time.Timer // since the last PUBACK, while some are missing
	zone      *time.Timer // the end of the time zone's validity
}

func newSession(c *Client, conn net.Conn) *session {
	t := c.config.Timing
	s := &session{
		Client: c, link: newLink(conn, t.Write),
		attachDue: stopped(), valuesDue: stopped(), published: stopped(), ping: stopped(), zone: stopped(),
		silence: time.NewTimer(t.Silence),
	}
	s.begin()
	return s
}

// stopped is a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(math.MaxInt64)
	t.Stop()
	return t
}

// begin forgets what the cloud said about the thing.
func (s *session) begin() {
	s.attach = patience{first: s.config.Timing.Attach, most: s.config.Timing.AttachMax}
	s.registered = false
}

func (s *session) end() {
	for _, t := range []*time.Timer{s.attachDue, s.valuesDue, s.published, s.ping, s.silence, s.zone} {
		t.Stop()
	}
	s.link.close()
}

// hello is CONNECT and its answer.
func (s *session) hello(ctx context.Context) error {
	user := ""
	if s.config.SecretKey != "" {
		user = s.config.DeviceID
	}
	seconds := uint16(min(s.config.Timing.KeepAlive/time.Second, math.MaxUint16))
	if err := s.link.write(mqtt.AppendConnect(nil, s.config.DeviceID, user, s.config.SecretKey, seconds)); err != nil {
		return err
	}
	p, err := s.await(ctx, mqtt.ConnAck, 0)
	if err != nil {
		return err
	}
	if p.Code != 0 {
		return RefusedError{p.Code}
	}
	s.ping.Reset(s.config.Timing.KeepAlive)
	return nil
}

// await waits for one answer; what else arrives meanwhile is kept for later, as are values.
func (s *session) await(ctx context.Context, t mqtt.Type, id uint16) (mqtt.Packet, error) {
	timeout := time.NewTimer(s.config.Timing.Answer)
	defer timeout.Stop()
	for {
		select {
		case <-ctx.Done():
			return mqtt.Packet{}, ctx.Err()
		case <-timeout.C:
			return mqtt.Packet{}, errNoAnswer
		case p, is := <-s.link.packets:
			if !is {
				return mqtt.Packet{}, s.link.err
			}
			s.silence.Reset(s.config.Timing.Silence)
			if p.Type == t && p.ID == id {
				return p, nil
			}
			s.backlog = append(s.backlog, p)
		case <-s.wake:
			s.collect()
		case <-s.sampling.C:
			s.collect()
		}
	}
}

// serve does what is to be done until the connection or ctx ends.
func (s *session) serve(ctx context.Context) error {
	err := s.start(ctx)
	for err == nil {
		err = s.step(ctx)
		if err != nil {
			break
		}
		if len(s.backlog) > 0 {
			p := s.backlog[0]
			s.backlog = s.backlog[1:]
			err = s.handle(ctx, p)
			continue
		}
		err = s.listen(ctx)
	}
	if ctx.Err() != nil {
		s.link.write(mqtt.AppendEmpty(nil, mqtt.Disconnect)) // politeness; the connection ends anyway
		return ctx.Err()
	}
	return err
}

// listen waits for one thing to happen.
func (s *session) listen(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case p, is := <-s.link.packets:
		if !is {
			return s.link.err
		}
		s.silence.Reset(s.config.Timing.Silence)
		return s.handle(ctx, p)
	case <-s.silence.C:
		return errSilence
	case <-s.published.C:
		return errUnpublished
	case <-s.ping.C:
		s.ping.Reset(s.config.Timing.KeepAlive)
		return s.link.write(mqtt.AppendEmpty(nil, mqtt.PingReq))
	case <-s.attachDue.C:
		return s.askAgain(ctx)
	case p := <-s.updates.reports:
		return s.tellUpdate(p)
	case <-s.updates.due:
		return s.leave()
	case <-s.valuesDue.C:
		s.valuesOld = true
	case <-s.zone.C:
	case <-s.wake:
	case <-s.sampling.C:
	}
	return nil // to step
}

// start is what follows an accepted CONNECT.
func (s *session) start(ctx context.Context) error {
	if s.config.Generation == 1 {
		return s.startFirst(ctx)
	}
	if _, err := s.subscribe(ctx, s.topic("c/dw")); err != nil {
		return err // the granted QoS is not looked at
	}
	if err := s.beginUpdates(); err != nil {
		return err
	}
	return s.ask()
}

func (s *session) topic(tail string) string { return "/a/d/" + s.config.DeviceID + "/" + tail }

func thingTopic(thing, tail string) string { return "/a/t/" + thing + "/" + tail }

// ask tells what the device is and asks for its thing. The eleventh question is the last one.
func (s *session) ask() error {
	commands := []command.Command{command.DeviceBegin{Version: s.config.Version}}
	if s.config.SSID != "" {
		commands = append(commands, command.DeviceNetConfig{Network: command.WiFi, Name: s.config.SSID})
	}
	for _, c := range append(commands, command.ThingBegin{}) {
		if err := s.send(c); err != nil {
			return err
		}
	}
	return s.countAsk()
}

// countAsk counts a question for the thing and sets the timer for the next.
func (s *session) countAsk() error {
	s.attachDue.Reset(s.attach.next())
	if s.attach.count >= tries {
		return errNoThing
	}
	return nil
}

// askAgain asks once more when the answer is late, or when a device without a thing has waited.
func (s *session) askAgain(ctx context.Context) error {
	if s.config.Generation == 1 {
		return s.askFirst(ctx)
	}
	if s.registered {
		s.attach.first, s.attach.most = s.config.Timing.Detached, s.config.Timing.DetachedMax
		s.attach.reload()
	}
	return s.ask()
}

// send writes a command.
func (s *session) send(c command.Command) error {
	payload, err := command.Append(nil, c)
	if err != nil {
		return err
	}
	return s.link.write(mqtt.AppendPublish(nil, s.topic("c/up"), payload, 0, 0))
}

// id gives numbers to packets; those of messages that are not acknowledged are not given again.
func (s *session) id() uint16 {
	for {
		s.lastID++
		taken := s.lastID == 0
		for _, b := range s.queue.flight {
			taken = taken || b.id == s.lastID
		}
		if !taken {
			return s.lastID
		}
	}
}

func (s *session) subscribe(ctx context.Context, topic string) (granted bool, err error) {
	id := s.id()
	if err := s.link.write(mqtt.AppendSubscribe(nil, id, topic, 0)); err != nil {
		return false, err
	}
	p, err := s.await(ctx, mqtt.SubAck, id)
	return p.Code != mqtt.Refused, err
}

func (s *session) unsubscribe(ctx context.Context, topic string) error {
	id := s.id()
	if err := s.link.write(mqtt.AppendUnsubscribe(nil, id, topic)); err != nil {
		return err
	}
	_, err := s.await(ctx, mqtt.UnsubAck, id)
	return err
}

// step does what can be done now: ask for last values, send values, see that the time zone is still valid.
func (s *session) step(ctx context.Context) error {
	if s.thing == "" {
		s.synced = false
		s.collect()
		return nil
	}
	if s.phase == following {
		s.synced = true
		if err := s.flush(); err != nil { // makes room
			return err
		}
		s.collect()
		if err := s.flush(); err != nil {
			return err
		}
		left := time.Unix(s.until.Get(), 0).Sub(s.config.Now())
		if left >= 0 {
			s.zone.Reset(min(left, time.Hour) + time.Second) // the clock may be set meanwhile
			return nil
		}
		// As a board does, which therefore sends its values once per answer.
		s.phase = asking
	}
	s.synced = false
	s.collect()
	if s.phase == asking && !s.valuesOld {
		return nil
	}
	if s.asked >= tries {
		return errNoValues
	}
	s.phase, s.valuesOld = asking, false
	s.asked++
	s.valuesDue.Reset(s.config.Timing.LastValues)
	if s.config.Generation == 1 {
		return s.link.write(mqtt.AppendPublish(nil, thingTopic(s.thing, "shadow/o"), []byte(senml.LastValuesRequest), 0, 0))
	}
	return s.send(command.LastValuesBegin{})
}

// flush sends what waits.
func (s *session) flush() error {
	for len(s.queue.waiting) > 0 {
		if s.config.QoS == 1 && len(s.queue.flight) >= s.config.InFlight {
			return nil
		}
		wire, n := s.queue.next(s.config.PackBytes, s.config.Timestamps || s.config.Queue > 0)
		if wire == nil {
			lost := s.queue.shift(1)[0].sample
			s.count(func(n *Stats) { n.TooLarge++ })
			s.config.Log.Warn("value fits into no message", "device", s.config.DeviceID, "property", lost.Name)
			continue
		}
		b := batch{items: s.queue.shift(n)}
		if s.config.QoS == 1 {
			b.id = s.id()
			if len(s.queue.flight) == 0 {
				s.published.Reset(s.config.Timing.Publish)
			}
		}
		// In flight before it is written: what fails half-way is sent again.
		s.queue.flight = append(s.queue.flight, b)
		err := s.link.write(mqtt.AppendPublish(nil, thingTopic(s.thing, "e/o"), wire, s.config.QoS, b.id))
		if err != nil {
			return err
		}
		if s.config.QoS == 0 {
			s.queue.acknowledge(0)
		}
		s.count(func(c *Stats) { c.Sent += n })
	}
	return nil
}

// acknowledged forgets a batch that the cloud has.
func (s *session) acknowledged(id uint16) {
	b, is := s.queue.acknowledge(id)
	if !is {
		return
	}
	s.published.Stop()
	if len(s.queue.flight) > 0 {
		s.published.Reset(s.config.Timing.Publish)
	}
	s.count(func(c *Stats) { c.Acknowledged += len(b.items) })
	if s.config.Acknowledged == nil {
		return
	}
	samples := make([]Sample, len(b.items))
	for n, i := range b.items {
		samples[n] = i.sample
	}
	s.config.Acknowledged(samples)
}

// handle takes one packet.
func (s *session) handle(ctx context.Context, p mqtt.Packet) error {
	switch p.Type {
	case mqtt.PubAck:
		s.acknowledged(p.ID)
		return nil
	case mqtt.Publish:
		if p.QoS == 1 {
			if err := s.link.write(mqtt.AppendPubAck(nil, p.ID)); err != nil {
				return err
			}
		}
		return s.message(ctx, p)
	case mqtt.PingResp:
		return nil
	}
	return fmt.Errorf("%w: type %d out of order", mqtt.ErrMalformed, p.Type)
}

func (s *session) message(ctx context.Context, p mqtt.Packet) error {
	switch {
	case s.thing != "" && p.Topic == thingTopic(s.thing, "e/i"):
		s.values(p.Payload, false)
		return nil
	case s.config.Generation == 1:
		return s.messageFirst(ctx, p)
	case p.Topic == s.topic("c/dw"):
		return s.command(ctx, p.Payload)
	}
	return nil
}

// command takes a command; what we do not understand is ignored, as boards do.
func (s *session) command(ctx context.Context, payload []byte) error {
	c, err := command.Decode(payload)
	if err != nil {
		s.config.Log.Debug("command ignored", "device", s.config.DeviceID, "err", err)
		return nil
	}
	switch c := c.(type) {
	case command.ThingUpdate:
		s.answered = true
		if c.ThingID == "" {
			s.registered = true
			return nil
		}
		return s.attachTo(ctx, c.ThingID)
	case command.ThingDetach:
		// Whichever thing it names.
		if err := s.detach(ctx); err != nil {
			return err
		}
		s.begin()
		return s.ask()
	case command.LastValuesUpdate:
		s.lastValues(c.Pack)
	case command.OtaUpdate:
		s.offered(s.updates.life, c)
	}
	// TimezoneDown has no effect on boards: they believe the properties tz_offset and tz_dst_until.
	return nil
}

// attachTo subscribes to a thing. The same one again has no effect; for another one last
// values are not asked for again, as boards do: the cloud sends them.
func (s *session) attachTo(ctx context.Context, thing string) error {
	if s.thing == thing {
		return nil
	}
	if err := s.detach(ctx); err != nil {
		return err
	}
	granted, err := s.subscribe(ctx, thingTopic(thing, "e/i"))
	if err != nil {
		return err
	}
	if !granted {
		s.config.Log.Warn("the cloud refused the topic of the thing", "device", s.config.DeviceID, "thing", thing)
		return nil // the next answer may be better
	}
	s.thing, s.registered = thing, true
	s.attachDue.Stop()
	s.event(Event{Kind: Attached, Thing: thing})
	return nil
}

func (s *session) detach(ctx context.Context) error {
	if s.thing == "" {
		return nil
	}
	thing := s.thing
	s.thing, s.synced = "", false
	err := s.unsubscribe(ctx, thingTopic(thing, "e/i"))
	s.event(Event{Kind: Detached, Thing: thing})
	return err
}

func (s *session) lastValues(pack []byte) {
	if s.phase == asking {
		s.phase = following
	}
	s.everSynced = true
	s.values(pack, true)
	s.event(Event{Kind: Synced, Thing: s.thing})
}

// values applies a pack, neighbours of one variable together.
func (s *session) values(pack []byte, last bool) {
	records, err := senml.Decode(pack)
	if err != nil {
		s.config.Log.Debug("values ignored", "device", s.config.DeviceID, "err", err)
		return
	}
	for len(records) > 0 {
		name, n := property(records[0].Name), 1
		for n < len(records) && property(records[n].Name) == name {
			n++
		}
		if p, known := s.byName[name]; known {
			if callback := p.apply(records[:n], last); callback != nil {
				callback()
			}
		}
		records = records[n:]
	}
}
