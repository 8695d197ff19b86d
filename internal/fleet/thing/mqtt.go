package thing

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// DevicePublish takes what a device sends to a topic of its thing: values, or the
// question for the last ones. payload is the caller's again when it returns. done
// is called exactly once, from any goroutine: with nil when everything that can be
// kept is on disk and listeners to Changes have been told.
//
// It may block while history is slower than devices; then the caller reads this
// connection no further.
func (s *Service) DevicePublish(device string, t topic.Topic, payload []byte, done func(error)) {
	s.routes.passing.RLock()
	defer s.routes.passing.RUnlock()
	r, err := s.routes.ofDevice(device)
	switch {
	case err != nil:
		s.counts.failed.Add(1)
		done(err)
	case r == nil || r.thing != t.ID:
		// A device that was detached may not know it yet.
		s.counts.foreign.Add(1)
		done(nil)
	case t.Kind == topic.ThingOut:
		s.mqttValues(r, payload, false, deviceWriter+device, done)
	case t.Kind == topic.ShadowOut:
		s.mqttShadow(r, payload)
		done(nil)
	default:
		s.counts.foreign.Add(1)
		done(nil)
	}
}

// UserPublish takes what a person writes to a thing's device. It counts like a
// write over HTTP: the values are kept, the device and all live clients get them,
// also the one that wrote them, for which this is the confirmation.
func (s *Service) UserPublish(who access.Actor, t topic.Topic, payload []byte, done func(error)) {
	s.routes.passing.RLock()
	defer s.routes.passing.RUnlock()
	r, err := s.routes.of(t.ID)
	switch {
	case err != nil:
		s.counts.failed.Add(1)
		done(err)
	case r == nil || t.Kind != topic.ThingIn || s.permit(who, r) < topic.Write:
		s.counts.foreign.Add(1)
		done(nil)
	default:
		s.mqttValues(r, payload, true, who.ID, done)
	}
}

// packs are record slices for messages that are being read.
var packs = sync.Pool{New: func() any { return new([]senml.Record) }}

// mqttValues is a value's way in: decode, find the properties, hand over to
// history, and when history has it, tell everyone.
func (s *Service) mqttValues(r *route, payload []byte, down bool, by string, done func(error)) {
	pack := packs.Get().(*[]senml.Record)
	records, err := senml.AppendDecode((*pack)[:0], payload)
	if err != nil {
		packs.Put(pack)
		// It would be as bad the next time: a device that waits for its
		// acknowledgement must not be kept from its next message.
		s.counts.malformed.Add(1)
		done(nil)
		return
	}
	rd := reader{route: r, memory: s, arrival: s.now(), down: down}
	points := rd.read(make([]series.Point, 0, len(records)), records)
	clear(records) // its texts share the memory of the whole message
	*pack = records[:0]
	packs.Put(pack)

	s.counts.messages.Add(1)
	s.counts.values.Add(int64(len(points)))
	if rd.unknown != 0 {
		s.counts.unknown.Add(int64(rd.unknown))
	}
	if rd.refused != 0 {
		s.counts.refused.Add(int64(rd.refused))
	}
	if len(points) == 0 {
		done(nil)
		return
	}
	for i := range points {
		points[i].By = by
	}
	if !r.meter.Take(len(points), rd.arrival) {
		// As with what cannot be read: the board must get on to what it sends tomorrow.
		s.counts.over.Add(int64(len(points)))
		r.doubt(points)
		done(nil)
		return
	}
	s.needs.Series.Enqueue(s.kept(r, points), func(err error) {
		if err != nil {
			s.counts.failed.Add(1)
			r.doubt(points)
		} else {
			s.tell(r, points, down)
		}
		done(err)
	})
}

// kept are points as history keeps them: those of properties without history in
// their own form, and only when they are newer than what is there.
func (s *Service) kept(r *route, points []series.Point) []series.Point {
	first := slices.IndexFunc(points, func(p series.Point) bool { return !r.byID[p.Series].persist })
	if first < 0 {
		return points
	}
	all := slices.Clone(points[:first])
	for _, p := range points[first:] {
		if r.byID[p.Series].persist {
			all = append(all, p)
		} else if last, ok := s.last(p.Series, false); !ok || !last.At.After(p.At) {
			all = append(all, wrap(p))
		}
	}
	return all
}

// doubt makes the lines of values that were not kept look at the disk again.
func (r *route) doubt(points []series.Point) {
	for _, p := range points {
		if p.Value.Kind == series.Object {
			l := r.byID[p.Series]
			l.mu.Lock()
			l.known = false
			l.mu.Unlock()
		}
	}
}

// tell makes values known that are on disk now. cloud says that people wrote them,
// so that the device has to hear of them.
func (s *Service) tell(r *route, points []series.Point, cloud bool) {
	s.Changes.Publish(Change{Space: r.space, Thing: r.thing, Cloud: cloud, Points: points})
	if !cloud || r.device == "" {
		return
	}
	if pack := r.pack(points); pack != nil {
		s.send(topic.Name(topic.ThingIn, r.thing), pack, 1)
	}
}

// pack writes points as one message; nil when nothing of them can be said.
func (r *route) pack(points []series.Point) []byte {
	var room [16]senml.Record
	records := room[:0]
	for _, p := range points {
		if l := r.byID[p.Series]; l != nil {
			records = l.kind.appendRecords(records, l.variable, p.Value, p.At)
		}
	}
	if len(records) == 0 {
		return nil
	}
	return senml.Append(nil, records)
}

// last is the last value of a property that is on disk.
func (s *Service) last(property string, persist bool) (series.Point, bool) {
	if persist {
		return s.needs.Series.Last(property)
	}
	p, ok := s.needs.Series.Last(fleeting(property))
	if !ok {
		return series.Point{}, false
	}
	return unwrap(p)
}

// lastOf is the last value of a line; the zero Value when there is none.
func (s *Service) lastOf(l *line) series.Value {
	p, _ := s.last(l.property, l.persist)
	return p.Value
}

// stamp is the time of what people write: now, but always after the last value,
// so that a device whose clock is ahead does not hide what they wrote.
func (s *Service) stamp(l *line, now time.Time) time.Time {
	if p, ok := s.last(l.property, l.persist); ok && !p.At.Before(now) {
		return p.At.Add(time.Microsecond)
	}
	return now
}

// mqttShadow answers a device of generation 1 that asks for the last values.
func (s *Service) mqttShadow(r *route, payload []byte) {
	if !bytes.Equal(payload, []byte(senml.LastValuesRequest)) {
		records, err := senml.Decode(payload)
		asks := func(rec senml.Record) bool { return rec.Name == nameRequest && rec.Text == "getLastValues" }
		if err != nil || !slices.ContainsFunc(records, asks) {
			s.counts.malformed.Add(1)
			return
		}
	}
	s.send(topic.Name(topic.ShadowIn, r.thing), s.lastValues(r), 1)
}

const (
	// lastValuesBytes is how large an answer is made with values that a device does
	// not need: boards copy a message to their stack (device-protocol reference, section 1.4).
	lastValuesBytes = 2 << 10
	// lastValuesMax is how large it is made with values that the cloud may write. What
	// is beyond is left out, in the order of the properties' numbers: the device hears of it when
	// it is written again.
	lastValuesMax = 4 << 10
)

// lastValues writes the last values of a thing: those that the cloud may write,
// then the others, then the local time, without which boards ask for ever
// (device-protocol reference, section 0, trap 1). Each has the time at which it
// was true, for sketches that let the newer value win.
func (s *Service) lastValues(r *route) []byte {
	now := s.now()
	records := offsetRecords(nil, offsetAt(r.zone, now), seconds(now))
	size := len(senml.Append(nil, records)) + 2 // the head of a longer array
	records = records[:0]
	var one []senml.Record
	var scratch []byte
	for _, writable := range []bool{true, false} {
		limit := lastValuesBytes
		if writable {
			limit = lastValuesMax
		}
		for _, l := range r.lines {
			if l.writable != writable {
				continue
			}
			p, ok := s.last(l.property, l.persist)
			if !ok {
				continue
			}
			one = l.kind.appendRecords(one[:0], l.variable, p.Value, p.At)
			scratch = senml.Append(scratch[:0], one)
			if size+len(scratch) > limit {
				continue
			}
			size += len(scratch)
			records = append(records, one...)
		}
	}
	return senml.Append(nil, offsetRecords(records, offsetAt(r.zone, now), seconds(now)))
}

// sendOffset tells the device of a thing its local time.
func (s *Service) sendOffset(thing, zone string) {
	location, err := loadZone(zone)
	if err != nil {
		return
	}
	now := s.now()
	records := offsetRecords(nil, offsetAt(location, now), seconds(now))
	s.send(topic.Name(topic.ThingIn, thing), senml.Append(nil, records), 1)
}

// Attached tells which thing a device belongs to. It answers from memory, but for
// the first time.
func (s *Service) Attached(device string) (thing string, ok bool) {
	r, err := s.routes.ofDevice(device)
	if err != nil || r == nil {
		return "", false
	}
	return r.thing, true
}

// Permit says how far somebody's rights on a thing's topics go.
func (s *Service) Permit(who access.Actor, thing string) topic.Permit {
	r, err := s.routes.of(thing)
	if err != nil || r == nil {
		return topic.Nothing
	}
	return s.permit(who, r)
}

func (s *Service) permit(who access.Actor, r *route) topic.Permit {
	resource := access.Resource{Type: "Thing", ID: r.thing, Space: r.space}
	switch {
	case s.needs.Policy.Allow(who, "thing:publish", resource) == nil:
		return topic.Write
	case s.needs.Policy.Allow(who, "thing:watch", resource) == nil:
		return topic.Read
	}
	return topic.Nothing
}

// lookTime bounds the look for a route that is not in memory.
const lookTime = 10 * time.Second

func lookContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), lookTime)
}
