package mqtt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"
)

// A Kind is what sort of identity a session belongs to.
type Kind string

const (
	Device Kind = "device" // one session at a time; its client ID is its ID
	User   Kind = "user"   // many sessions at a time, whatever their client IDs
)

// An Identity is who a session belongs to, as the Authenticator found out.
type Identity struct {
	Kind Kind
	ID   string
	// Session is the Authenticator's own; the broker carries it to the Handler.
	Session any
	// Until is when the session ends whatever happens; zero for never. An access
	// token's end need not be one: an open session outlives it by default.
	Until time.Time
}

// An Authenticator says who a peer is. Each error that is a problem refuses the
// CONNECT by its kind: Unauthenticated, Forbidden, NotFound and Invalid as bad
// credentials, Limited, Unavailable and Internal as a server that cannot answer
// now, so that a board tries again. The context ends with the CONNECT's deadline.
type Authenticator interface {
	// Certificate knows a peer by the leaf that TLS has verified.
	Certificate(ctx context.Context, leaf *x509.Certificate, clientID string, remote netip.Addr) (Identity, error)
	// Password knows a device by its ID and its secret key.
	Password(ctx context.Context, username, password, clientID string, remote netip.Addr) (Identity, error)
	// Token knows a user by his ID and an access token in place of a password.
	Token(ctx context.Context, username, token, clientID string, remote netip.Addr) (Identity, error)
}

// A Handler is what the broker asks and tells. Its methods are called from many
// goroutines; calls for one session are made one after the other, except that
// MaySubscribe is also asked by whoever calls Send.
type Handler interface {
	// MayPublish and MaySubscribe are asked for one exact topic, without
	// wildcards. MaySubscribe is also asked with the topic of each message that a
	// wildcard subscription selects. Answers are kept: see Broker.Recheck.
	MayPublish(id Identity, topic string) bool
	MaySubscribe(id Identity, topic string) bool
	// Publish takes a message. payload is the broker's again when Publish
	// returns. done is called exactly once, from any goroutine, also from
	// within Publish: with nil when the value is on disk, which sends the
	// acknowledgement, or with why not, which closes the connection without one.
	// Publish may block: then this connection is read no further. After a
	// reconnect a message may come again, as QoS 1 has it.
	Publish(id Identity, topic string, payload []byte, qos byte, done func(error))
	// Subscribed is called after SUBACK is on its way, once for each topic that
	// was asked for by name and that id may hear.
	Subscribed(id Identity, topic string, qos byte)
	// Connected is called after CONNACK is on its way and before any packet is
	// read. Disconnected follows exactly once; err is nil after a DISCONNECT. For
	// a device Disconnected of the old session comes before Connected of the new.
	Connected(id Identity, remote string)
	Disconnected(id Identity, err error)
}

// A Mode is how the peers of a listener prove who they are.
type Mode uint8

const (
	ByCertificate Mode = iota // TLS client certificate
	ByPassword                // device ID and secret key
	ByToken                   // user ID and access token; WebSocket is always so
)

// A Listener is one door.
type Listener struct {
	Name string       // in Session and in logs, for example "mqtt-cert"
	Net  net.Listener // the broker closes it
	// TLS is the caller's business: for ByCertificate it must require and verify a
	// client certificate. nil is plain text and never goes with ByCertificate.
	TLS  *tls.Config
	Mode Mode
}

// Config is what New needs.
type Config struct {
	Listeners     []Listener
	Authenticator Authenticator
	Handler       Handler
	Limits        Limits
	Log           *slog.Logger
	Now           func() time.Time // for Session.Since and Identity.Until; deadlines do not use it

	// Relay says which messages of whom are passed on to subscribers by the broker
	// itself, after done(nil). nil relays nothing.
	Relay func(id Identity, topic string) bool
	// TakenOver is told when a session of a device ends because another address
	// connected as the same device: a board that moved, or a cloned certificate.
	TakenOver func(id Identity, from, by netip.Addr)
	// Forbidden is told which topic id reached for in vain; once per session and
	// topic until the answer is asked anew. Stats counts every attempt.
	Forbidden func(id Identity, topic string, publish bool)
}

// Why a session ended, as Handler.Disconnected is told. Everything else that it
// is told comes from the Handler itself, from Drop, or is a protocol error.
var (
	ErrTakenOver  = errors.New("mqtt: the device connected again")
	ErrKeepAlive  = errors.New("mqtt: nothing was heard for one and a half times the keep-alive")
	ErrHalfPacket = errors.New("mqtt: a packet was begun and not finished")
	ErrSlow       = errors.New("mqtt: the client does not read what it subscribed to")
	ErrExpired    = errors.New("mqtt: the identity's time is over")
	ErrStopping   = errors.New("mqtt: the server is stopping")
	ErrNetwork    = errors.New("mqtt: the connection was lost")
	ErrProtocol   = errors.New("mqtt: the client broke the protocol")
)

// A Session is one connection as an operator sees it.
type Session struct {
	Identity  Identity
	ClientID  string // as the client gave it
	Remote    netip.AddrPort
	Listener  string
	Version   int // 4 is MQTT 3.1.1, 5 is MQTT 5
	Since     time.Time
	KeepAlive time.Duration // as the client asked for; 0 is none
	BytesIn   uint64        // on the wire, TLS included
	BytesOut  uint64
}
