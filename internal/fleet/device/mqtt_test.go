package device

import (
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// say publishes on one of the device's own topics and waits for the acknowledgement.
func (r *rig) say(x *Session, kind topic.Kind, payload []byte, acknowledged bool) error {
	r.h.t.Helper()
	told := make(chan error, 2)
	r.Published(r.h.t.Context(), x, topic.Topic{Kind: kind, ID: x.Device}, payload, acknowledged, func(err error) { told <- err })
	err := <-told
	select {
	case <-told:
		r.h.t.Error("acknowledged twice")
	default:
	}
	return err
}

// thingID is the record by which generation 1 learns its thing.
func thingID(thing string) string {
	return string(senml.Append(nil, []senml.Record{{Name: "thing_id", Kind: senml.Text, Text: thing}}))
}

func update(t testing.TB, c command.Command) string {
	t.Helper()
	b, err := command.Append(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func wantSent(t *testing.T, what string, got []sent, want ...sent) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: sent %x, want %x", what, got, want)
	}
}

// The start of a board of generation 2, with the bytes of the reference (C2 to C14, C18).
func TestGenerationTwoStart(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		r.run()
		d := r.withSecret()
		x := r.enter(d.ID)
		down := topic.Name(topic.CommandDown, d.ID)
		for _, vector := range []string{
			"da00010000815820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
			"da000107008165322e392e30",
			"da00011100850644c0a80132440808080844c0a8010144ffffff00",
			"da000120148165312e362e30",
		} {
			if err := r.say(x, topic.CommandUp, bytesOf(t, vector), false); err != nil {
				t.Errorf("%s: %v", vector, err)
			}
		}
		// Not attached: it is told so, and asks for nothing.
		if err := r.say(x, topic.CommandUp, bytesOf(t, "da000103008160"), false); err != nil {
			t.Fatal(err)
		}
		wantSent(t, "ThingBegin without a thing", r.line.take(), sent{down, string(bytesOf(t, "da000104008160")), 0})
		if err := r.say(x, topic.CommandUp, bytesOf(t, "da0001050080"), false); err != nil {
			t.Fatal(err)
		}
		wantSent(t, "LastValuesBegin without a thing", r.line.take())
		// The user attaches a thing.
		r.above.attach(d.ID, thingA)
		if err := r.Attached(t.Context(), d.ID, thingA); err != nil {
			t.Fatal(err)
		}
		attach := string(bytesOf(t, "da0001040081782438633266306231652d326437612d346634332d396337652d356438663063346237613131"))
		wantSent(t, "attached", r.line.take(), sent{down, attach, 0})
		if err := r.say(x, topic.CommandUp, bytesOf(t, "da0001050080"), false); err != nil {
			t.Fatal(err)
		}
		values := sent{down, string(bytesOf(t, "da00010600814781a20061690205")), 0}
		wantSent(t, "LastValuesBegin", r.line.take(), values)
		// Another thing: the board does not ask again, so it is given the values as well.
		r.above.attach(d.ID, thingB)
		if err := r.Attached(t.Context(), d.ID, thingB); err != nil {
			t.Fatal(err)
		}
		wantSent(t, "attached to another", r.line.take(), sent{down, update(t, command.ThingUpdate{ThingID: thingB}), 0}, values)
		r.above.attach(d.ID, "")
		if err := r.Detached(t.Context(), d.ID, thingB); err != nil {
			t.Fatal(err)
		}
		wantSent(t, "detached", r.line.take(), sent{down, update(t, command.ThingDetach{ThingID: thingB}), 0})
		if r.line.lastDrop() != nil {
			t.Errorf("closed for %v", r.line.lastDrop())
		}

		got, err := r.Get(t.Context(), editor, space, d.ID, false)
		if err != nil {
			t.Fatal(err)
		}
		for fact, want := range map[Fact]string{
			OTASHA256: "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", LibVersion: "2.9.0", WiFiFW: "1.6.0",
			NetConfig: `{"type":"eth","ip":"192.168.1.50","dns":"8.8.8.8","gateway":"192.168.1.1","netmask":"255.255.255.0"}`,
		} {
			if got.Reported[fact].Value != want {
				t.Errorf("%s is %q, want %q", fact, got.Reported[fact].Value, want)
			}
		}
		if got.WiFiFW != "1.6.0" {
			t.Errorf("wifi_fw_version is %q", got.WiFiFW)
		}
		if wire := toWire(got); !wire.OTAAvailable && wire.OTACompatible {
			t.Error("it told its image and cannot be updated")
		}
	})
}

// A board of generation 1 says LIB_VERSION before it asks, so it understands "not yet".
func TestGenerationOneStart(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		x := r.enter(d.ID)
		in := topic.Topic{Kind: topic.DeviceIn, ID: d.ID}
		pack := senml.AppendBoard(nil, []senml.Record{
			{Name: "LIB_VERSION", Kind: senml.Text, Text: "1.15.1"}, {Name: "OTA_CAP", Kind: senml.Bool, Int: 1},
			{Name: "OTA_ERROR", Kind: senml.Int, Int: -100}, {Name: "OTA_SHA256", Kind: senml.Text, Text: strings.Repeat("AB", 32)},
			{Name: "unknown", Kind: senml.Int, Int: 1}, {Name: "OTA_URL", Kind: senml.Int, Int: 1},
		})
		if err := r.say(x, topic.DeviceOut, pack, false); err != nil {
			t.Fatal(err)
		}
		r.Subscribed(x, in, 0)
		wantSent(t, "asked without a thing", r.line.take(), sent{in.String(), thingID(""), 0})
		r.above.attach(d.ID, thingA)
		if err := r.Attached(t.Context(), d.ID, thingA); err != nil {
			t.Fatal(err)
		}
		wantSent(t, "attached", r.line.take(), sent{in.String(), thingID(thingA), 0})
		r.Subscribed(x, in, 0)
		wantSent(t, "asked with a thing", r.line.take(), sent{in.String(), thingID(thingA), 0})
		r.above.attach(d.ID, "")
		if err := r.Detached(t.Context(), d.ID, thingA); err != nil {
			t.Fatal(err)
		}
		wantSent(t, "detached", r.line.take(), sent{in.String(), thingID(""), 0})
		got, err := r.Get(t.Context(), editor, space, d.ID, false)
		if err != nil || len(got.Reported) != 4 || got.Reported[LibVersion].Value != "1.15.1" || got.Reported[OTACap].Value != "true" ||
			got.Reported[OTAError].Value != "-100" || got.Reported[OTASHA256].Value != strings.Repeat("ab", 32) {
			t.Errorf("reported %v, %v", got.Reported, err)
		}
	})
}

// The Python client (QoS 1) must not be told an empty ID, and the JavaScript client
// (QoS 0, says nothing before) neither.
func TestClientsThatCannotReadAnEmptyThing(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		for what, qos := range map[string]byte{"Python": 1, "JavaScript": 0} {
			r := h.start()
			d := r.withSecret()
			x := r.enter(d.ID)
			in := topic.Topic{Kind: topic.DeviceIn, ID: d.ID}
			r.Subscribed(x, in, qos)
			wantSent(t, what+" without a thing", r.line.take())
			r.above.attach(d.ID, thingA)
			if err := r.Attached(t.Context(), d.ID, thingA); err != nil {
				t.Fatal(err)
			}
			wantSent(t, what+" attached", r.line.take(), sent{in.String(), thingID(thingA), qos})
			if err := r.Attached(t.Context(), d.ID, thingA); err != nil {
				t.Fatal(err)
			}
			if r.line.lastDrop() != nil {
				t.Errorf("%s: closed for %v", what, r.line.lastDrop())
			}
			r.above.attach(d.ID, "")
			if err := r.Detached(t.Context(), d.ID, thingA); err != nil {
				t.Fatal(err)
			}
			if !errors.Is(r.line.lastDrop(), ErrReattached) {
				t.Errorf("%s: detached, and closed for %v", what, r.line.lastDrop())
			}
		}
	})
}

// A Python client that has a thing takes no other one; it has to start anew.
func TestPythonClientIsClosedForAnotherThing(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		r.above.attach(d.ID, thingA)
		x := r.enter(d.ID)
		r.Subscribed(x, topic.Topic{Kind: topic.DeviceIn, ID: d.ID}, 1)
		r.above.attach(d.ID, thingB)
		if err := r.Attached(t.Context(), d.ID, thingB); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(r.line.lastDrop(), ErrReattached) {
			t.Errorf("closed for %v", r.line.lastDrop())
		}
	})
}

// An acknowledgement at QoS 1 means that the report is on disk, also when the same was
// said a moment before.
func TestAcknowledgedReportsAreOnDisk(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		x := r.enter(d.ID)
		version := bytesOf(t, "da00010700816b312e342e312d6173796e63") // the Python client's DeviceBegin
		told := make(chan error, 2)
		for range 2 {
			r.Published(t.Context(), x, topic.Topic{Kind: topic.CommandUp, ID: d.ID}, version, true, func(err error) { told <- err })
		}
		select {
		case err := <-told:
			t.Fatalf("acknowledged before anything was saved: %v", err)
		default:
		}
		r.run()
		for range 2 {
			if err := <-told; err != nil {
				t.Fatal(err)
			}
		}
		raw, err := SQL(h.db).byID(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		seal, err := h.ring.Device(t.Context(), space, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		if facts, err := raw.openReported(seal); err != nil || facts[LibVersion].Value != "1.4.1-async" {
			t.Errorf("on disk: %v, %v", facts, err)
		}
		// A later session knows it, and what is known is not written again.
		y := r.enter(d.ID)
		if err := r.save(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		if err := r.say(y, topic.CommandUp, version, true); err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.pending) != 0 {
			t.Errorf("%d devices are pending", len(r.pending))
		}
	})
}

func TestNonsenseIsAcknowledgedAndDropped(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		x := r.enter(d.ID)
		for _, c := range []struct {
			kind    topic.Kind
			payload string
		}{
			{topic.CommandUp, ""}, {topic.CommandUp, "ff"}, {topic.CommandUp, "da0001040081f6"}, {topic.CommandUp, "da00ffffff80"},
			{topic.CommandUp, "da0001080080"}, {topic.CommandUp, "da000104008160"}, {topic.DeviceOut, ""}, {topic.DeviceOut, "9f"},
			{topic.CommandDown, "00"}, {topic.ThingOut, "80"},
		} {
			if err := r.say(x, c.kind, bytesOf(t, c.payload), true); err != nil {
				t.Errorf("%d %q: %v", c.kind, c.payload, err)
			}
		}
		told := false
		r.Published(t.Context(), x, topic.Topic{Kind: topic.CommandUp, ID: thingB}, bytesOf(t, "da000103008160"), true, func(err error) { told = err == nil })
		if !told {
			t.Error("a message on another device's topic was not acknowledged")
		}
		wantSent(t, "nonsense", r.line.take())
	})
}

// When nobody knows the last values, the message is not acknowledged: the board asks again.
func TestLastValuesThatFailAreNotAcknowledged(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		x := r.enter(d.ID)
		r.above.attach(d.ID, thingA)
		r.above.failed = errDisk
		if err := r.say(x, topic.CommandUp, bytesOf(t, "da0001050080"), true); !errors.Is(err, errDisk) {
			t.Errorf("told %v, want %v", err, errDisk)
		}
	})
}

func TestRightsFollowTheAttachment(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		d := r.withSecret()
		x := r.enter(d.ID)
		out, in := topic.Name(topic.ThingOut, thingA), topic.Name(topic.ThingIn, thingA)
		if r.MayPublish(x, out) || r.MaySubscribe(x, in) {
			t.Error("without a thing it may use one")
		}
		r.above.attach(d.ID, thingA)
		if !r.MayPublish(x, out) || !r.MaySubscribe(x, in) || r.MayPublish(x, in) {
			t.Error("it may not use its thing as it should")
		}
		r.above.attach(d.ID, thingB)
		if r.MayPublish(x, out) || r.MaySubscribe(x, in) {
			t.Error("it may use the thing that it has left")
		}
		if !r.MayPublish(x, topic.Name(topic.CommandUp, d.ID)) || r.MaySubscribe(x, topic.Name(topic.CommandDown, thingB)) {
			t.Error("its own topics are wrong")
		}
	})
}

// Whatever a device sends on its own topics, it is acknowledged exactly once and
// the room lives; what it says of itself stays within bounds.
func FuzzPublished(f *testing.F) {
	for _, v := range []string{
		"da000103008160", "da0001050080", "da000107008165322e392e30", "da000111008201664d7957694669", "da000120148165312e362e30",
		"da00010000815820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "da0001040081f6",
	} {
		f.Add(true, bytesOf(f, v))
	}
	f.Add(false, senml.AppendBoard(nil, []senml.Record{{Name: "LIB_VERSION", Kind: senml.Text, Text: "1.15.1"}, {Name: "OTA_CAP", Kind: senml.Bool, Int: 1}}))
	f.Fuzz(func(t *testing.T, up bool, payload []byte) {
		s := &Service{things: &above{things: map[string]string{}}, line: &line{}, updates: noUpdates{}, pending: map[string]*saving{}, sessions: map[string]*Session{}, wake: make(chan struct{}, 1)}
		s.needs.Now = func() time.Time { return noon }
		s.needs.Log = slog.New(slog.DiscardHandler)
		x := &Session{Device: thingA, Space: space}
		kind := topic.DeviceOut
		if up {
			kind = topic.CommandUp
		}
		n := 0
		s.Published(t.Context(), x, topic.Topic{Kind: kind, ID: thingA}, payload, false, func(error) { n++ })
		if n != 1 {
			t.Fatalf("acknowledged %d times", n)
		}
		for fact, v := range x.reported {
			if len(v.Value) > maxFact || !printable(v.Value) {
				t.Fatalf("%s is %q", fact, v.Value)
			}
		}
	})
}
