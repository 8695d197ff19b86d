package mqtttest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"
)

// patience is how long a Client waits for the server before it closes the
// connection, which a test then sees as an error.
const patience = 20 * time.Second

// A Client is one connection. Its methods that write may be called from one
// goroutine and Read from another.
type Client struct {
	Conn    net.Conn
	Version byte // 4 or 5
	r       *bufio.Reader
	wmu     sync.Mutex
}

// New speaks over conn, which it owns.
func New(conn net.Conn, version byte) *Client {
	return &Client{Conn: conn, Version: version, r: bufio.NewReader(conn)}
}

// Options are the fields of a CONNECT.
type Options struct {
	ClientID  string
	Username  string
	Password  string
	Unclean   bool // clean session (clean start) is off
	KeepAlive uint16
	Props     []byte // MQTT 5: encoded properties, without their length
	Will      string // topic of a will; its message is "gone"
}

// ConnectPacket is the CONNECT for o.
func ConnectPacket(o Options, version byte) []byte {
	var flags byte
	if !o.Unclean {
		flags |= 0x02
	}
	if o.Will != "" {
		flags |= 0x04
	}
	if o.Username != "" {
		flags |= 0x80
	}
	if o.Password != "" {
		flags |= 0x40
	}
	body := append(Text(nil, "MQTT"), version, flags)
	body = binary.BigEndian.AppendUint16(body, o.KeepAlive)
	if version >= 5 {
		body = append(Length(body, len(o.Props)), o.Props...)
	}
	body = Text(body, o.ClientID)
	if o.Will != "" {
		if version >= 5 {
			body = append(body, 0)
		}
		body = Text(Text(body, o.Will), "gone")
	}
	if o.Username != "" {
		body = Text(body, o.Username)
	}
	if o.Password != "" {
		body = Text(body, o.Password)
	}
	return Frame(Connect<<4, body)
}

// Write sends bytes as they are.
func (c *Client) Write(p []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	_, err := c.Conn.Write(p)
	return err
}

// Read waits for the next packet.
func (c *Client) Read() (Packet, error) {
	late := time.AfterFunc(patience, func() { c.Conn.Close() })
	defer late.Stop()
	return ReadPacket(c.r, c.Version)
}

// Expect reads the next packet, which must be of a type.
func (c *Client) Expect(kind byte) (Packet, error) {
	p, err := c.Read()
	if err == nil && p.Type != kind {
		err = fmt.Errorf("got packet type %d (%q, code %d), want %d", p.Type, p.Topic, p.Code, kind)
	}
	return p, err
}

// Connect sends CONNECT and waits for CONNACK, which may be a refusal.
func (c *Client) Connect(o Options) (Packet, error) {
	if err := c.Write(ConnectPacket(o, c.Version)); err != nil {
		return Packet{}, err
	}
	return c.Expect(Connack)
}

// A Filter is one line of a SUBSCRIBE. Options of MQTT 5 go into the upper bits.
type Filter struct {
	Name string
	QoS  byte
}

// SubscribePacket asks for filters. props are encoded properties of MQTT 5.
func SubscribePacket(id uint16, version byte, props []byte, filters ...Filter) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	if version >= 5 {
		body = append(Length(body, len(props)), props...)
	}
	for _, f := range filters {
		body = append(Text(body, f.Name), f.QoS)
	}
	return Frame(Subscribe<<4|2, body)
}

// Subscribe sends SUBSCRIBE and waits for SUBACK.
func (c *Client) Subscribe(id uint16, filters ...Filter) (Packet, error) {
	if err := c.Write(SubscribePacket(id, c.Version, nil, filters...)); err != nil {
		return Packet{}, err
	}
	return c.Expect(Suback)
}

// Unsubscribe sends UNSUBSCRIBE and waits for UNSUBACK.
func (c *Client) Unsubscribe(id uint16, names ...string) (Packet, error) {
	body := binary.BigEndian.AppendUint16(nil, id)
	if c.Version >= 5 {
		body = append(body, 0)
	}
	for _, n := range names {
		body = Text(body, n)
	}
	if err := c.Write(Frame(Unsubscribe<<4|2, body)); err != nil {
		return Packet{}, err
	}
	return c.Expect(Unsuback)
}

// PublishPacket is a PUBLISH. props are encoded properties of MQTT 5.
func PublishPacket(version byte, topic string, payload []byte, qos byte, id uint16, dup bool, props ...byte) []byte {
	first := byte(Publish<<4) | qos<<1
	if dup {
		first |= 8
	}
	body := Text(nil, topic)
	if qos > 0 {
		body = binary.BigEndian.AppendUint16(body, id)
	}
	if version >= 5 {
		body = append(Length(body, len(props)), props...)
	}
	return Frame(first, append(body, payload...))
}

// Publish sends a message and waits for nothing.
func (c *Client) Publish(topic string, payload []byte, qos byte, id uint16) error {
	return c.Write(PublishPacket(c.Version, topic, payload, qos, id, false))
}

// AckPacket is PUBACK, PUBREC, PUBREL or PUBCOMP.
func AckPacket(kind byte, id uint16) []byte {
	first := kind << 4
	if kind == Pubrel {
		first |= 2
	}
	return []byte{first, 2, byte(id >> 8), byte(id)}
}

// Ack sends PUBACK, PUBREC, PUBREL or PUBCOMP.
func (c *Client) Ack(kind byte, id uint16) error { return c.Write(AckPacket(kind, id)) }

// Ping sends PINGREQ and waits for PINGRESP; messages on the way are dropped.
func (c *Client) Ping() error {
	if err := c.Write([]byte{Pingreq << 4, 0}); err != nil {
		return err
	}
	for {
		if p, err := c.Read(); err != nil || p.Type == Pingresp {
			return err
		}
	}
}

// Disconnect says goodbye and closes.
func (c *Client) Disconnect() error {
	err := c.Write([]byte{Disconnect << 4, 0})
	c.Conn.Close()
	return err
}
