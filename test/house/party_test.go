package house

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// patience is how long a test waits for what must come. Nothing is measured by it.
const patience = time.Minute

// A place is a house, in this process or in one of its own.
type place interface {
	Admin(act string, in, out any)
	Person(email string) (user string, key servertest.Key)
	Client(key servertest.Key) *client.Client
	Port(listener string) string
	CA() string
}

// newProgram is a house that can be killed.
func newProgram(t *testing.T, change ...func(*server.Config)) *servertest.Program {
	t.Helper()
	bin, err := servertest.Build(t.TempDir(), "ardesia")
	if err != nil {
		t.Fatal(err)
	}
	return servertest.NewProgram(t, bin, change...)
}

// Credentials are what somebody shows at a door for MQTT.
type credentials struct {
	door               string // of the addresses; "https" is MQTT over WebSocket
	id, name, password string
	cert               *tls.Certificate
	key                *client.Client // whose token is the password; it is renewed when a test takes long
}

// dial opens a connection to the broker, TLS and WebSocket included.
func dial(t *testing.T, h place, who credentials) (net.Conn, error) {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if who.door == "https" {
		plain := &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: pool},
			TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{}, // WebSocket is HTTP/1.1
		}
		ws, _, err := websocket.Dial(ctx, "wss://localhost:"+h.Port("https")+"/mqtt", &websocket.DialOptions{
			Subprotocols: []string{"mqtt"}, HTTPClient: &http.Client{Transport: plain},
		})
		if err != nil {
			return nil, err
		}
		ws.SetReadLimit(-1)
		return websocket.NetConn(context.Background(), ws, websocket.MessageBinary), nil
	}
	conf := mqtttest.BoardTLS(pool, "localhost")
	if who.cert != nil {
		conf.Certificates = []tls.Certificate{*who.cert}
	}
	raw, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", h.Port(who.door)))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, conf)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return conn, nil
}

// A party is somebody who is connected, with everything that was heard.
type party struct {
	t *testing.T
	c *mqtttest.Client

	mu    sync.Mutex
	heard []mqtttest.Packet // guarded by mu: messages
	acks  []mqtttest.Packet // guarded by mu: everything else
	gone  error             // guarded by mu: why the connection ended
	news  chan struct{}     // guarded by mu: closed at the next change
	id    uint16
	pings int
}

var errRefused = errors.New("refused")

// enter connects. The error says that who was not let in, at whichever step.
func enter(t *testing.T, h place, version byte, who credentials) (*party, error) {
	t.Helper()
	if who.key != nil {
		var err error
		if who.password, err = who.key.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := dial(t, h, who)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	p := &party{t: t, c: mqtttest.New(conn, version), news: make(chan struct{})}
	t.Cleanup(func() { conn.Close() })
	go p.listen(bufio.NewReader(conn))
	if err := p.c.Write(mqtttest.ConnectPacket(mqtttest.Options{ClientID: who.id, Username: who.name, Password: who.password}, version)); err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	answer, err := p.answer(mqtttest.Connack, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRefused, err)
	}
	if answer.Code != 0 {
		return nil, fmt.Errorf("%w with code %d", errRefused, answer.Code)
	}
	return p, nil
}

// mustEnter connects somebody who must be let in.
func mustEnter(t *testing.T, h place, version byte, who credentials) *party {
	t.Helper()
	p, err := enter(t, h, version, who)
	if err != nil {
		t.Fatalf("%s at %s: %v", who.id, who.door, err)
	}
	return p
}

func (p *party) listen(r *bufio.Reader) {
	for {
		packet, err := mqtttest.ReadPacket(r, p.c.Version)
		if err == nil && packet.Type == mqtttest.Publish && packet.QoS == 1 {
			err = p.c.Ack(mqtttest.Puback, packet.ID)
		}
		p.mu.Lock()
		switch {
		case err != nil:
			p.gone = err
		case packet.Type == mqtttest.Publish:
			p.heard = append(p.heard, packet)
		default:
			p.acks = append(p.acks, packet)
		}
		close(p.news)
		p.news = make(chan struct{})
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// wait waits until good, which is called with p.mu held.
func (p *party) wait(what string, good func() bool) error {
	late := time.After(patience)
	for {
		p.mu.Lock()
		ok, gone, news := good(), p.gone, p.news
		p.mu.Unlock()
		switch {
		case ok:
			return nil
		case gone != nil:
			return gone
		}
		select {
		case <-news:
		case <-late:
			return fmt.Errorf("waited a minute for %s", what)
		}
	}
}

// answer waits for a packet of a type; id is 0 for any.
func (p *party) answer(kind byte, id uint16) (mqtttest.Packet, error) {
	var found mqtttest.Packet
	err := p.wait(fmt.Sprintf("packet %d", kind), func() bool {
		i := slices.IndexFunc(p.acks, func(a mqtttest.Packet) bool { return a.Type == kind && (id == 0 || a.ID == id) })
		if i >= 0 {
			found = p.acks[i]
		}
		return i >= 0
	})
	return found, err
}

func (p *party) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// publish sends a message with QoS 1, asks to retain it, and waits until it is acknowledged.
func (p *party) publish(topic string, payload []byte) {
	p.t.Helper()
	p.id++
	packet := mqtttest.PublishPacket(p.c.Version, topic, payload, 1, p.id, false)
	packet[0] |= 1
	p.must(p.c.Write(packet))
	_, err := p.answer(mqtttest.Puback, p.id)
	p.must(err)
}

// subscribe asks for filters, one in each packet, and waits until the broker has
// acted on all.
func (p *party) subscribe(filters ...string) {
	p.t.Helper()
	for _, f := range filters {
		p.id++
		p.must(p.c.Write(mqtttest.SubscribePacket(p.id, p.c.Version, nil, mqtttest.Filter{Name: f, QoS: 1})))
		_, err := p.answer(mqtttest.Suback, p.id)
		p.must(err)
	}
	p.ping()
}

func (p *party) unsubscribe(filters ...string) {
	p.t.Helper()
	for _, f := range filters {
		p.id++
		body := []byte{byte(p.id >> 8), byte(p.id)}
		if p.c.Version >= 5 {
			body = append(body, 0)
		}
		p.must(p.c.Write(mqtttest.Frame(mqtttest.Unsubscribe<<4|2, mqtttest.Text(body, f))))
		_, err := p.answer(mqtttest.Unsuback, p.id)
		p.must(err)
	}
}

// ping waits until the broker has acted on all that p sent, and p has read what
// was under way.
func (p *party) ping() {
	p.t.Helper()
	p.pings++
	p.must(p.c.Write([]byte{mqtttest.Pingreq << 4, 0}))
	p.must(p.wait("PINGRESP", func() bool {
		n := 0
		for _, a := range p.acks {
			if a.Type == mqtttest.Pingresp {
				n++
			}
		}
		return n >= p.pings
	}))
}

// hears waits for a message.
func (p *party) hears(what string, is func(mqtttest.Packet) bool) {
	p.t.Helper()
	p.must(p.wait(what, func() bool { return slices.ContainsFunc(p.heard, is) }))
}

// take is everything that p heard since it was last taken.
func (p *party) take() []mqtttest.Packet {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := p.heard
	p.heard = nil
	return all
}

func (p *party) leave() { p.c.Conn.Close() }
