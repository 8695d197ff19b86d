package mqtt

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// startWeb serves the broker's WebSocket and returns its address.
func startWeb(t *testing.T, change ...func(*Config, *keeper)) (*stage, string) {
	t.Helper()
	s := start(t, change...)
	web := httptest.NewServer(s.b.WebSocket("wss"))
	t.Cleanup(web.Close)
	return s, web.URL
}

// browse opens a WebSocket with a sub-protocol.
func browse(t *testing.T, url string, protocols ...string) (*websocket.Conn, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{Subprotocols: protocols, HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}}})
	if err == nil {
		t.Cleanup(func() { ws.CloseNow() })
		ws.SetReadLimit(1 << 20)
	}
	return ws, err
}

// overWeb connects a user.
func overWeb(t *testing.T, url, id string, version byte) *mqtttest.Client {
	t.Helper()
	ws, err := browse(t, url, "mqtt")
	if err != nil {
		t.Fatal(err)
	}
	c := mqtttest.New(websocket.NetConn(context.Background(), ws, websocket.MessageBinary), version)
	ack := must(t)(c.Connect(mqtttest.Options{ClientID: id, Username: id, Password: "token of " + id, KeepAlive: 60}))
	if ack.Code != 0 {
		t.Fatalf("refused with %d", ack.Code)
	}
	return c
}

func TestUsersComeByWebSocket(t *testing.T) {
	s, url := startWeb(t)
	for _, version := range []byte{4, 5} {
		id := fmt.Sprint("anna", version)
		a, b := overWeb(t, url, id, version), overWeb(t, url, id, version) // the same client ID
		must(t)(a.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 1}))
		must(t)(b.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 0}))
		large := strings.Repeat("0123456789", 5000)
		s.b.Send("/x", []byte(large), 1)
		for _, c := range []*mqtttest.Client{a, b} {
			if p := must(t)(c.Expect(mqtttest.Publish)); string(p.Payload) != large {
				t.Errorf("got %d bytes", len(p.Payload))
			}
		}
		ok(t, a.Ack(mqtttest.Puback, 1))
		ok(t, a.Publish("/x", []byte("write"), 1, 7))
		if p := must(t)(a.Expect(mqtttest.Puback)); p.ID != 7 {
			t.Errorf("PUBACK of %d", p.ID)
		}
		if x := s.b.Sessions(); len(x) != 2 || x[0].Listener != "wss" || x[0].Identity.Kind != User || !x[0].Remote.IsValid() {
			t.Errorf("sessions are %+v", x)
		}
		ok(t, a.Disconnect())
		b.Conn.Close()
		eventually(t, "both sessions end", func() bool { return !s.b.Online(User, id) })
	}
}

// Packets may be cut and joined at will (MQTT 3.1.1, section 6).
func TestWebSocketMessagesAreOneStream(t *testing.T) {
	_, url := startWeb(t)
	ws, err := browse(t, url, "mqtt")
	if err != nil {
		t.Fatal(err)
	}
	o := mqtttest.Options{ClientID: "anna", Username: "anna", Password: "token of anna"}
	all := append(mqtttest.ConnectPacket(o, 4), mqtttest.PublishPacket(4, "/x", make([]byte, 3000), 1, 1, false)...)
	all = append(all, mqtttest.PublishPacket(4, "/x", nil, 1, 2, false)...)
	for _, piece := range [][]byte{all[:1], all[1:20], nil, all[20:2000], all[2000:]} {
		ok(t, ws.Write(t.Context(), websocket.MessageBinary, piece))
	}
	for _, want := range []string{"20020000", "40020001", "40020002"} {
		kind, got, err := ws.Read(t.Context())
		if err != nil || kind != websocket.MessageBinary || fmt.Sprintf("%x", got) != want {
			t.Fatalf("got %v % x, %v, want the packet %s as one message", kind, got, err, want)
		}
	}
}

func TestWebSocketRefuses(t *testing.T) {
	s, url := startWeb(t, func(c *Config, _ *keeper) { c.Limits.Connections = 2 })
	t.Run("without the sub-protocol", func(t *testing.T) {
		if _, err := browse(t, url); err == nil {
			t.Error("it is open")
		}
		if _, err := browse(t, url, "wamp"); err == nil {
			t.Error("it is open")
		}
	})
	t.Run("no WebSocket", func(t *testing.T) {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		req.Header.Set("Sec-WebSocket-Protocol", "mqtt")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("status %d", res.StatusCode)
		}
	})
	t.Run("text", func(t *testing.T) {
		ws, err := browse(t, url, "mqtt")
		if err != nil {
			t.Fatal(err)
		}
		ok(t, ws.Write(t.Context(), websocket.MessageText, []byte("hello")))
		if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusUnsupportedData {
			t.Errorf("ended with %v", err)
		}
	})
	t.Run("wrong token", func(t *testing.T) {
		ws, err := browse(t, url, "mqtt")
		if err != nil {
			t.Fatal(err)
		}
		c := mqtttest.New(websocket.NetConn(context.Background(), ws, websocket.MessageBinary), 4)
		if ack := must(t)(c.Connect(mqtttest.Options{ClientID: "anna", Username: "anna", Password: "secret of anna"})); ack.Code != 4 {
			t.Errorf("CONNACK says %d", ack.Code)
		}
		closed(t, c)
	})
	t.Run("too many", func(t *testing.T) {
		eventually(t, "the others are gone", func() bool { return s.b.Stats().Open == 0 })
		overWeb(t, url, "a", 4)
		overWeb(t, url, "b", 4)
		if _, err := browse(t, url, "mqtt"); err == nil {
			t.Error("a third is open")
		}
	})
}

func TestWebSocketHasADeadlineForConnect(t *testing.T) {
	s, url := startWeb(t, func(c *Config, _ *keeper) { c.Limits.ConnectTimeout = 100 * time.Millisecond })
	ws, err := browse(t, url, "mqtt")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.Read(t.Context()); err == nil {
		t.Error("it said something")
	}
	eventually(t, "it is counted", func() bool { return s.b.Stats().Refused[RefusedTimeout] == 1 && s.b.Stats().Open == 0 })
}

func TestWebSocketOfAClientThatIsGoneIsClosed(t *testing.T) {
	s, url := startWeb(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n")
	eventually(t, "it is open", func() bool { return s.b.Stats().Open == 1 })
	conn.Close()
	eventually(t, "it is closed", func() bool { return s.b.Stats().Open == 0 })
}

func TestWebSocketStopsWithTheBroker(t *testing.T) {
	s, url := startWeb(t)
	c := overWeb(t, url, "anna", 5)
	var wait sync.WaitGroup
	wait.Go(func() { ok(t, s.stop()) })
	if p := must(t)(c.Expect(mqtttest.Disconnect)); p.Code != byte(codeStopping) {
		t.Errorf("DISCONNECT with 0x%x", p.Code)
	}
	wait.Wait()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if _, err := browse(t, url, "mqtt"); err == nil {
		t.Error("it is open")
	}
}
