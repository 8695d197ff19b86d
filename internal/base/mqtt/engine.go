package mqtt

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// mute is where subscriptions go that are granted and lead nowhere. Nobody
// publishes to it, and being a $-topic no wildcard selects it.
const mute = "$mute"

// An engine is mochi's server without its listeners, loops and QoS flows: it
// decodes and answers the control packets of sessions and keeps the tree of
// subscriptions. Serve is never called, so it has no goroutines, no $SYS topics
// and no sweep over all clients.
type engine struct{ srv *mochi.Server }

func newEngine(l Limits) (*engine, error) {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumPacketSize = uint32(l.PacketBytes)
	c.ReceiveMaximum = uint16(l.InFlight)
	c.MaximumClientWritesPending = 1 // its queue is not used: see outbound.go
	c.MinimumProtocolVersion = 4
	c.TopicAliasMaximum = 0
	c.RetainAvailable = 0
	c.SharedSubAvailable = 0
	c.Compatibilities.NoInheritedPropertiesOnAck = true
	srv := mochi.New(&mochi.Options{
		Capabilities: c,
		// Its log prints whole packets, with payloads and CONNECT data.
		Logger: slog.New(slog.DiscardHandler),
		// Each packet is one Write: with any larger buffer mochi joins several.
		ClientNetWriteBufferSize: 1,
	})
	if err := srv.AddHook(new(grants), nil); err != nil {
		return nil, err
	}
	return &engine{srv}, nil
}

// grants lets mochi store every subscription that it is shown; rights are asked
// by deliver, for each message.
type grants struct{ mochi.HookBase }

func (grants) ID() string                                  { return "grants" }
func (grants) Provides(hook byte) bool                     { return hook == mochi.OnACLCheck }
func (grants) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// A client is what mochi knows of one session.
type client = mochi.Client

// A connect is what a CONNECT asks for.
type connect struct {
	version       byte
	clean         bool
	will          bool
	keepAlive     uint16 // seconds
	clientID      string
	username      string
	password      string
	authMethod    string
	expiry        uint32 // seconds that the session outlives the connection, MQTT 5
	receive       uint16 // QoS 1 and 2 messages that the client takes at once, MQTT 5; 0 is no limit
	maxPacket     uint32 // bytes of a packet that the client takes, MQTT 5; 0 is no limit
	noProblemInfo bool   // the client wants no reason strings, MQTT 5
}

// decodeConnect reads the body of a CONNECT. With codeVersion and codeClientID
// the version is set, so that the refusal can be told.
func decodeConnect(body []byte) (c connect, err error) {
	defer recovered(&err)
	pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Connect, Remaining: len(body)}}
	err = pk.ConnectDecode(body)
	c.version = pk.ProtocolVersion
	if known := string(pk.Connect.ProtocolName); known != "MQTT" && known != "MQIsdp" {
		return c, codeProtocol // not our protocol: no answer would be understood
	} else if known != "MQTT" || (c.version != 4 && c.version != 5) {
		if c.version < 5 {
			c.version = 4
		} else {
			c.version = 5
		}
		return c, codeVersion
	}
	if err != nil {
		return c, unread(err)
	}
	if v := pk.ConnectValidate(); v != packets.CodeSuccess {
		return c, codeOf(v)
	}
	props := pk.Properties
	// The text is copied: mochi's strings share the packet's memory.
	c.clean = pk.Connect.Clean
	c.will = pk.Connect.WillFlag
	c.keepAlive = pk.Connect.Keepalive
	c.clientID = strings.Clone(pk.Connect.ClientIdentifier)
	c.username = string(pk.Connect.Username)
	c.password = string(pk.Connect.Password)
	c.authMethod = strings.Clone(props.AuthenticationMethod)
	c.expiry = props.SessionExpiryInterval
	c.receive = props.ReceiveMaximum
	c.maxPacket = props.MaximumPacketSize
	c.noProblemInfo = props.RequestProblemInfoFlag && props.RequestProblemInfo == 0
	if c.version == 4 && c.clientID == "" && !c.clean {
		return c, codeClientID // MQTT 3.1.1, section 3.1.3.1
	}
	return c, nil
}

// client makes mochi's side of a session that writes to conn, under an ID of our
// own: with the client's, mochi would let strangers inherit each other's state.
func (e *engine) client(id string, conn net.Conn, c connect) *client {
	cl := e.srv.NewClient(nil, "", id, false)
	cl.Net.Conn = conn
	cl.Properties.ProtocolVersion = c.version
	cl.Properties.Clean = true
	cl.Properties.Props.MaximumPacketSize = c.maxPacket
	if c.noProblemInfo {
		cl.Properties.Props.RequestProblemInfoFlag = true
	}
	return cl
}

// A welcome is what CONNACK tells beside success.
type welcome struct {
	present    bool   // the session that was asked for is there
	assignedID string // when the client gave none
	expiry     uint32 // seconds, MQTT 5
}

// connack answers a CONNECT on cl's connection.
func (e *engine) connack(cl *client, c code, w welcome) error {
	props := packets.Properties{}
	if c == codeSuccess {
		props = packets.Properties{
			AssignedClientID:          w.assignedID,
			SessionExpiryInterval:     w.expiry,
			SessionExpiryIntervalFlag: true,
			MaximumPacketSize:         e.srv.Options.Capabilities.MaximumPacketSize,
			RetainAvailableFlag:       true, // 0: not available
			SharedSubAvailableFlag:    true, // 0: not available
		}
	}
	reason := packets.Code{Code: byte(c)}
	if c != codeSuccess && cl.Properties.ProtocolVersion < 5 {
		reason.Code = c.v3()
	}
	// mochi clears its own ServerKeepalive and sets the receive maximum.
	return e.srv.SendConnack(cl, reason, w.present, &props)
}

// A filter is one line of a SUBSCRIBE.
type filter struct {
	name string
	qos  byte
}

// subscribe answers a SUBSCRIBE. Each filter that keep does not want is granted
// and led to mute. The result is what was kept. SUBACK has been written when it
// returns.
func (e *engine) subscribe(cl *client, body []byte, keep func(filter) bool) (kept []filter, err error) {
	defer recovered(&err)
	pk, err := decodeControl(cl, packets.Subscribe, body, (*packets.Packet).SubscribeDecode)
	if err != nil {
		return nil, err
	}
	for i := range pk.Filters {
		f := filter{pk.Filters[i].Filter, pk.Filters[i].Qos}
		if keep(f) {
			kept = append(kept, f)
		} else {
			pk.Filters[i].Filter = mute
		}
	}
	return kept, codeOf(e.srv.InjectPacket(cl, pk))
}

// unsubscribe answers an UNSUBSCRIBE.
func (e *engine) unsubscribe(cl *client, body []byte) (err error) {
	defer recovered(&err)
	pk, err := decodeControl(cl, packets.Unsubscribe, body, (*packets.Packet).UnsubscribeDecode)
	if err != nil {
		return err
	}
	return codeOf(e.srv.InjectPacket(cl, pk))
}

// subscriptions is how many filters cl has in the tree.
func (e *engine) subscriptions(cl *client) int { return cl.State.Subscriptions.Len() }

func (e *engine) subscribed(cl *client, name string) bool {
	_, has := cl.State.Subscriptions.Get(name)
	return has
}

// inherit gives the subscriptions of from, which has the same ID, to to.
func (e *engine) inherit(to, from *client) {
	for name, sub := range from.State.Subscriptions.GetAll() {
		to.State.Subscriptions.Add(name, sub)
	}
}

// forget takes cl's subscriptions out of the tree.
func (e *engine) forget(cl *client) { e.srv.UnsubscribeClient(cl) }

// A hearer is a session state that a message selects.
type hearer struct {
	id      string
	qos     byte
	noLocal bool
	subIDs  []int
}

// hearers calls yield for everyone whose subscriptions select topic, with the
// highest QoS among them.
func (e *engine) hearers(topic string, yield func(hearer)) {
	for id, sub := range e.srv.Topics.Subscribers(topic).Subscriptions {
		h := hearer{id: id, qos: sub.Qos, noLocal: sub.NoLocal}
		for _, n := range sub.Identifiers {
			if n > 0 {
				h.subIDs = append(h.subIDs, n)
			}
		}
		yield(h)
	}
}

// checkPublishProperties checks the properties of a PUBLISH, length included.
func checkPublishProperties(b []byte) (err error) {
	defer recovered(&err)
	var p packets.Properties
	if _, err := p.Decode(packets.Publish, bytes.NewBuffer(b)); err != nil {
		return unread(err)
	}
	switch {
	case p.TopicAliasFlag:
		return codeTopicAlias
	case len(p.SubscriptionIdentifier) > 0:
		return codeProtocol
	}
	return nil
}

// decodeControl decodes body, of which mochi may keep parts.
func decodeControl(cl *client, kind byte, body []byte, decode func(*packets.Packet, []byte) error) (packets.Packet, error) {
	pk := packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: kind, Remaining: len(body), Qos: 1},
		ProtocolVersion: cl.Properties.ProtocolVersion,
	}
	err := decode(&pk, bytes.Clone(body))
	return pk, unread(err)
}

// decodeDisconnect reads a DISCONNECT of MQTT 5. expiry is nil when it leaves the
// session's end as CONNECT set it.
func decodeDisconnect(body []byte) (c code, expiry *uint32, err error) {
	defer recovered(&err)
	pk := packets.Packet{
		FixedHeader:     packets.FixedHeader{Type: packets.Disconnect, Remaining: len(body)},
		ProtocolVersion: 5,
	}
	if err := pk.DisconnectDecode(body); err != nil {
		return 0, nil, unread(err)
	}
	if pk.Properties.SessionExpiryIntervalFlag {
		expiry = &pk.Properties.SessionExpiryInterval
	}
	return code(pk.ReasonCode), expiry, nil
}

// recovered turns a panic into a malformed packet: mochi's decoders index past
// the end of a SUBSCRIBE that was cut off.
func recovered(err *error) {
	if recover() != nil {
		*err = codeMalformed
	}
}

// unread is why mochi's decoders refused a packet. What has no code of its own, such
// as properties that end early, is malformed.
func unread(err error) error {
	err = codeOf(err)
	if c := code(0); err != nil && !errors.As(err, &c) {
		return codeMalformed
	}
	return err
}

// codeOf keeps mochi's error types inside this file.
func codeOf(err error) error {
	if err == nil {
		return nil
	}
	var c packets.Code
	if errors.As(err, &c) && c.Code >= packets.ErrUnspecifiedError.Code {
		return code(c.Code)
	}
	return err
}
