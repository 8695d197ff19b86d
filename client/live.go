package client

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

const (
	keepAlive = 30 * time.Second
	maxPacket = 64 << 10 // bytes, as the server's own bound
)

// ErrEnded is a live connection that was open and is not any more: the server may
// be restarting. Whoever wants to see more connects again, after a while.
var ErrEnded = errors.New("the live connection ended")

var errSession = errors.New("the server refused the session")

// Watch calls each with the records of a thing's messages as they arrive, until
// ctx ends (nil) or the connection does (ErrEnded). It is the session that browsers have:
// MQTT 3.1.1 over WebSocket, user name and client id = user id, password = token.
// The server does not say whether there is such a thing: ask before.
func (c *Client) Watch(ctx context.Context, address, thing string, each func([]senml.Record)) error {
	token, err := c.Token(ctx)
	if err != nil {
		return err
	}
	user, err := userOf(token)
	if err != nil {
		return err
	}
	conn, err := c.dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	if err := open(conn, user, token, "/a/t/"+thing+"/e/o"); err != nil {
		return err
	}
	done := make(chan struct{})
	defer close(done)
	go ping(conn, done)
	opened, err := read(conn, each)
	if ctx.Err() != nil {
		return nil
	}
	if opened {
		return fmt.Errorf("%w: %w", ErrEnded, err)
	}
	if errors.Is(err, errSession) {
		// The token that we kept is good for some minutes more, unless it was revoked.
		c.refuse(token)
	}
	return fmt.Errorf("open the live connection: %w", err)
}

func (c *Client) dial(ctx context.Context, address string) (net.Conn, error) {
	if address == "" {
		address = c.base.Host
	}
	trust := c.http.Transport.(*http.Transport).TLSClientConfig.Clone()
	trust.NextProtos = nil
	ws, _, err := websocket.Dial(ctx, "wss://"+address+"/mqtt", &websocket.DialOptions{
		Subprotocols: []string{"mqtt"},
		HTTPClient:   &http.Client{Transport: &http.Transport{TLSClientConfig: trust, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}},
	})
	if err != nil {
		return nil, fmt.Errorf("live connection to %s: %w", address, err)
	}
	ws.SetReadLimit(maxPacket)
	return websocket.NetConn(context.WithoutCancel(ctx), ws, websocket.MessageBinary), nil
}

// open sends CONNECT and SUBSCRIBE (MQTT 3.1.1, sections 3.1 and 3.8).
func open(conn net.Conn, user, token, topic string) error {
	body := appendText(nil, "MQTT")
	body = append(body, 4, 0b1100_0010) // level 3.1.1; user name, password, clean session
	body = binary.BigEndian.AppendUint16(body, uint16(keepAlive/time.Second))
	for _, s := range []string{user, user, token} {
		body = appendText(body, s)
	}
	if _, err := conn.Write(packet(0x10, body)); err != nil {
		return err
	}
	sub := append(appendText([]byte{0, 1}, topic), 0)
	_, err := conn.Write(packet(0x82, sub))
	return err
}

func ping(conn net.Conn, done <-chan struct{}) {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if _, err := conn.Write([]byte{0xc0, 0}); err != nil {
				return
			}
		}
	}
}

// read hands on what arrives. opened says whether the server had let us in.
func read(conn net.Conn, each func([]senml.Record)) (opened bool, err error) {
	r := bufio.NewReader(conn)
	for {
		kind, body, err := readPacket(r)
		if err != nil {
			return opened, err
		}
		switch kind >> 4 {
		case 2: // CONNACK
			if len(body) < 2 || body[1] != 0 {
				return opened, errSession
			}
		case 9: // SUBACK
			if len(body) < 3 || body[2] == 0x80 {
				return opened, errors.New("the server refused to show this thing")
			}
			opened = true
		case 3: // PUBLISH, QoS 0 as subscribed
			if len(body) < 2 || len(body) < 2+int(binary.BigEndian.Uint16(body)) {
				return opened, errors.New("malformed message")
			}
			records, err := senml.Decode(body[2+int(binary.BigEndian.Uint16(body)):])
			if err != nil {
				return opened, err
			}
			each(records)
		}
	}
}

// readPacket reads one packet (section 2.2): the first byte and what follows the length.
func readPacket(r *bufio.Reader) (kind byte, body []byte, err error) {
	if kind, err = r.ReadByte(); err != nil {
		return 0, nil, err
	}
	length, shift := 0, 0
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		length |= int(b&0x7f) << shift
		if b < 0x80 {
			break
		}
		if shift += 7; shift > 21 {
			return 0, nil, errors.New("malformed packet length")
		}
	}
	if length > maxPacket {
		return 0, nil, fmt.Errorf("packet of %d bytes", length)
	}
	body = make([]byte, length)
	_, err = io.ReadFull(r, body)
	return kind, body, err
}

func packet(kind byte, body []byte) []byte {
	out := []byte{kind}
	for n := len(body); ; {
		b := byte(n & 0x7f)
		if n >>= 7; n > 0 {
			out = append(out, b|0x80)
			continue
		}
		return append(append(out, b), body...)
	}
}

func appendText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// userOf reads the user's id from a token that our own server has just given us.
func userOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("the server's token is not a JWT")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", fmt.Errorf("the server's token: %w", err)
	}
	var claims struct {
		ID string `json:"http://arduino.cc/id"`
	}
	if err := json.Unmarshal(text, &claims); err != nil || claims.ID == "" {
		return "", errors.New("the server's token names no user")
	}
	return claims.ID, nil
}
