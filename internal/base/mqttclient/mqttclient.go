// Package mqttclient is a guest at somebody else's MQTT broker, which a person named and which is believed nothing.
//
// Invariants:
//   - A packet that is longer than was agreed ends the connection before it is read.
//   - Whatever is waited for has an end: a connection, an answer, and room to write in.
//   - Nothing is kept for a broker that is away: a session begins clean, and who lost one says all that counts again.
//
// It speaks MQTT 5, by github.com/eclipse/paho.golang, which is imported here alone.
package mqttclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

const (
	answerTime = 10 * time.Second // for TLS, and for each answer of the broker
	stallTime  = 30 * time.Second // for the broker to make room for what is written
	keepAlive  = 30 * time.Second // of silence; then the broker is asked whether it is there
	// underWay is how many messages the broker may send before they are taken.
	underWay = 32
)

var (
	// ErrLost is a connection that ended without a word.
	ErrLost = errors.New("the connection to the broker was lost")
	// ErrTongue is somebody who answers, and not as a broker of MQTT 5 does.
	ErrTongue = errors.New("no MQTT 5 is spoken there")
	// ErrPoor is a broker that keeps no messages, acknowledges none, or has no wildcards.
	ErrPoor = errors.New("the broker lacks retained messages, QoS 1 or wildcards")
)

// A Message is one of MQTT.
type Message struct {
	Topic   string
	Payload []byte
	Retain  bool // as the broker keeps it; of what is received: it was there before
}

// A Wish is what somebody wants of a broker, for a Refusal.
type Wish string

// All wishes.
const (
	Enter     Wish = "enter"
	Stay      Wish = "stay" // it ended the connection
	Subscribe Wish = "subscribe"
	Publish   Wish = "publish"
)

// A Refusal is the broker's no.
type Refusal struct {
	Wish  Wish
	Topic string // "" for Enter and Stay
	Code  byte   // MQTT 5, section 2.4
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("the broker refuses to let us %s %s: code %#02x", r.Wish, r.Topic, r.Code)
}

// Config is how to come in.
type Config struct {
	Address string // host:port
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	TLS     *tls.Config // nil: in clear
	// ClientID is who we are: a broker ends the session of who has the same.
	ClientID string
	User     string // "" for nobody
	Password secret.String
	Will     Message // what the broker says when we are gone without a word
	// MaxPacket is how many bytes a packet of the broker may have.
	MaxPacket uint32
	// Received gets each message, in order, and may keep it. It must not block.
	Received func(Message)
}

// A Conn is a connection that was let in. Its methods may be called from any goroutine.
type Conn struct {
	client *paho.Client
	raw    net.Conn
	once   sync.Once
	ended  chan struct{} // closed when it has ended
	err    error         // why; set before ended is closed
}

// Connect comes in. What fails is a Refusal, ErrTongue, or what dialling and TLS say.
func Connect(ctx context.Context, cfg Config) (*Conn, error) {
	raw, err := cfg.Dial(ctx, "tcp", cfg.Address)
	if err != nil {
		return nil, err
	}
	if cfg.TLS != nil {
		safe := tls.Client(raw, cfg.TLS)
		hand, late := context.WithTimeout(ctx, answerTime)
		defer late()
		if err := safe.HandshakeContext(hand); err != nil {
			return nil, errors.Join(err, raw.Close())
		}
		raw = safe
	}
	c := &Conn{raw: raw, ended: make(chan struct{})}
	bounded := &line{Conn: raw, most: cfg.MaxPacket, patience: stallTime}
	c.client = paho.NewClient(paho.ClientConfig{
		Conn: bounded, PacketTimeout: answerTime, AuthHandler: noExchange{bounded},
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			cfg.Received(Message{p.Packet.Topic, p.Packet.Payload, p.Packet.Retain})
			return true, nil
		}},
		OnServerDisconnect: func(d *paho.Disconnect) { c.end(&Refusal{Wish: Stay, Code: d.ReasonCode}) },
		OnClientError:      func(err error) { c.end(errors.Join(ErrLost, err)) },
	})
	answer, err := c.client.Connect(ctx, hello(cfg))
	switch {
	case err == nil:
		if p := answer.Properties; p != nil && (p.MaximumQoS != nil && *p.MaximumQoS < 1 || !p.RetainAvailable || !p.WildcardSubAvailable) {
			return nil, errors.Join(ErrPoor, c.Close())
		}
		return c, nil
	case answer != nil && answer.ReasonCode >= refused:
		return nil, &Refusal{Wish: Enter, Code: answer.ReasonCode}
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, errors.Join(ErrTongue, err) // the library has hung up
}

// noExchange is for a broker that begins an exchange of credentials (MQTT 5, section 4.12), for which nobody has asked. The library
// calls its handler without looking whether there is one.
type noExchange struct{ net.Conn }

// Authenticate hangs up.
func (c noExchange) Authenticate(*paho.Auth) *paho.Auth {
	_ = c.Close() // what is written next fails
	return &paho.Auth{Properties: &paho.AuthProperties{}}
}

// Authenticated is what a broker says at the end of an exchange that was none.
func (noExchange) Authenticated() {}

// refused is the least reason code that is a no.
const refused = 0x80

func hello(cfg Config) *paho.Connect {
	most, under := cfg.MaxPacket, uint16(underWay)
	cp := &paho.Connect{
		ClientID: cfg.ClientID, CleanStart: true, KeepAlive: uint16(keepAlive / time.Second),
		Properties: &paho.ConnectProperties{MaximumPacketSize: &most, ReceiveMaximum: &under},
	}
	if cfg.User != "" {
		cp.UsernameFlag, cp.Username = true, cfg.User
	}
	if password := cfg.Password.Reveal(); password != "" {
		cp.PasswordFlag, cp.Password = true, []byte(password)
	}
	if cfg.Will.Topic != "" {
		cp.WillMessage = &paho.WillMessage{Topic: cfg.Will.Topic, Payload: cfg.Will.Payload, Retain: cfg.Will.Retain, QoS: 1}
	}
	return cp
}

func (c *Conn) end(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.ended)
	})
}

// Ended is closed when the connection has ended.
func (c *Conn) Ended() <-chan struct{} { return c.ended }

// Err is why it has ended, as a Refusal or ErrLost; nil while it has not.
func (c *Conn) Err() error {
	select {
	case <-c.ended:
		return c.err
	default:
		return nil
	}
}

// Send sends a message that may be lost with the connection. It blocks while the broker does not read.
func (c *Conn) Send(ctx context.Context, m Message) error {
	_, err := c.client.Publish(ctx, &paho.Publish{Topic: m.Topic, Payload: m.Payload, Retain: m.Retain})
	return c.failed(err)
}

// Deliver sends a message and waits until the broker has it, or refuses it.
func (c *Conn) Deliver(ctx context.Context, m Message) error {
	answer, err := c.client.Publish(ctx, &paho.Publish{Topic: m.Topic, Payload: m.Payload, Retain: m.Retain, QoS: 1})
	if answer != nil && answer.ReasonCode >= refused {
		return &Refusal{Wish: Publish, Topic: m.Topic, Code: answer.ReasonCode}
	}
	return c.failed(err)
}

// Subscribe asks for the messages of filters, also those that come from here, and waits for the answer.
func (c *Conn) Subscribe(ctx context.Context, filters ...string) error {
	s := &paho.Subscribe{}
	for _, f := range filters {
		s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: f, QoS: 1})
	}
	answer, err := c.client.Subscribe(ctx, s)
	if answer != nil {
		for i, code := range answer.Reasons {
			if code >= refused && i < len(filters) {
				return &Refusal{Wish: Subscribe, Topic: filters[i], Code: code}
			}
		}
	}
	return c.failed(err)
}

// Unsubscribe wants no more messages of filters, and waits for the answer.
func (c *Conn) Unsubscribe(ctx context.Context, filters ...string) error {
	_, err := c.client.Unsubscribe(ctx, &paho.Unsubscribe{Topics: filters})
	return c.failed(err)
}

// Abort hangs up without a word: what waits for the broker ends at once. The broker says the will.
func (c *Conn) Abort() {
	c.end(ErrLost)
	_ = c.raw.Close() // Close says the rest
}

// failed is why something was not done: the end of the connection, where there is one.
func (c *Conn) failed(err error) error {
	if err == nil {
		return nil
	}
	if ended := c.Err(); ended != nil {
		return ended
	}
	return errors.Join(ErrLost, err)
}

// Close says goodbye, which the broker answers with nothing: the will is not said. It may be called after the end.
func (c *Conn) Close() error {
	err := c.client.Disconnect(&paho.Disconnect{})
	ended := c.Err() != nil
	c.end(ErrLost)
	if ended {
		return nil // there was nobody to say it to
	}
	return err
}
