package board

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
	device "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/provision"
)

// newcomer is a board that nobody knows, with its element, and a cloud that it reaches as small boards do: TLS 1.2, one suite, and a
// name of the cloud's that it was built with.
func newcomer(t testing.TB, h *servertest.House, layout element.Layout) *provision.Board {
	t.Helper()
	chip, err := twin.Create(filepath.Join(t.TempDir(), "element"), []byte("of a test"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	serial, err := chip.Serial()
	if err != nil {
		t.Fatal(err)
	}
	cfg := boardTLS(t, h)
	cfg.ServerName = "boards-v2.localhost"
	web := &http.Transport{TLSClientConfig: cfg, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", h.At["https"])
	}}
	t.Cleanup(web.CloseIdleConnections)
	return &provision.Board{
		Identity: element.Identity{Element: chip, Layout: layout}, HardwareID: element.HardwareID([]byte(rand.Text()), []byte{1, 2, 3, 4, 5, 6}, serial),
		Cloud: provision.Host{URL: "https://boards-v2.localhost", HTTP: &http.Client{Transport: web}}, Now: h.Now,
		BLEMAC: provision.BLEMAC{0xa0, 1, 2, 3, 4, 5}, WiFiFW: "1.6.0", Networks: provision.Networks{{SSID: "School", RSSI: -50}},
		Pace: provision.Pace{Again: 300 * time.Millisecond, Attempt: 5},
	}
}

// A board comes in by its serial line: what a person types, what the board does, and what comes of it, up to a value.
func TestBoardComesInByItself(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	for name, layout := range map[string]element.Layout{"ECCX08": element.ECCX08, "SoftSE": element.SoftSE} {
		t.Run(name, func(t *testing.T) {
			b := newcomer(t, h, layout)
			joins := 0
			b.Join = func(_ context.Context, n provision.Message) error {
				if joins++; n != (provision.WiFi{SSID: "School", Password: "correct horse"}) {
					return errors.New("another network")
				}
				return nil
			}
			var steps []string
			person := provision.Client{
				Cloud: o.api, Now: h.Now, Name: "gate " + name, Connection: "wifi", Network: provision.WiFi{SSID: "School", Password: "correct horse"},
				VID: "2341", PID: "8057", Serial: "0A1B", MinSketch: "0.6.2", MinWiFi: "1.6.0", Locked: true,
				Step: func(what string) { steps = append(steps, what) }, Patience: provision.Patience{Poll: 100 * time.Millisecond, Polls: 600},
			}
			near, far := net.Pipe()
			type served struct {
				id  string
				err error
			}
			done := make(chan served, 1)
			go func() {
				id, err := b.Serve(t.Context(), far)
				done <- served{id, err}
			}()
			got, err := person.Onboard(t.Context(), near)
			if err != nil {
				t.Fatalf("after %q: %v", steps, err)
			}
			board := <-done
			if board.err != nil || board.id != got.Device || got.HardwareID != b.HardwareID || joins != 1 {
				t.Fatalf("the board: %+v; the person: %+v; %d joins", board, got, joins)
			}
			if joined := strings.Join(steps, "; "); !strings.Contains(joined, "registering") {
				t.Errorf("steps: %s", joined)
			}
			var d struct {
				client.Device
				Hardware string `json:"unique_hardware_id"`
				BLEMAC   string `json:"ble_mac"`
				Way      string `json:"connection_type"`
				WiFiFW   string `json:"wifi_fw_version"`
				Locked   bool   `json:"locked"`
				Serial   string `json:"serial"`
			}
			o.do("GET", "/iot/v2/devices/"+got.Device, nil, &d)
			if d.Hardware != b.HardwareID || d.BLEMAC != "A0:01:02:03:04:05" || d.Way != "wifi" || d.Name != "gate "+name || d.FQBN != "arduino:samd:nano_33_iot" ||
				d.Type != "nano_33_iot" || d.WiFiFW != "1.6.0" || !d.Locked || d.Serial != "0A1B" {
				t.Errorf("the device is %+v", d)
			}
			comesOnline(t, h, o, b.Identity, got.Device)
			// Somebody else who gets hold of the board cannot take it: it is locked.
			thief := person
			thief.Cloud = newOwner(t, h, "mallory-"+strings.ToLower(name)+"@example.org").api
			near, far = net.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				_, err := b.Serve(ctx, far)
				done <- served{"", err}
			}()
			h.Pass(time.Second) // the next token is another one
			var refused *client.Error
			if got, err := thief.Onboard(t.Context(), near); !errors.As(err, &refused) || refused.Code != "board-locked" || refused.Status != 409 {
				t.Errorf("somebody else: %+v, %v", got, err)
			}
			cancel()
			<-done
			// It was not even reset: it is what it was.
			comesOnline(t, h, o, b.Identity, got.Device)
		})
	}
}

// comesOnline lets a device connect with the certificate in its element, and sends a value from there to its thing.
func comesOnline(t *testing.T, h *servertest.House, o owner, identity element.Identity, id string) {
	t.Helper()
	cert, err := identity.TLS()
	if err != nil {
		t.Fatal(err)
	}
	th := o.thing("thing of "+rand.Text(), id, map[string]string{"answer": "INT"})
	answer := device.Int("answer", device.ReadOnly)
	answer.Set(42)
	kept := make(chan struct{}, 1)
	c, err := device.New(device.Config{
		Host: "localhost", Address: h.At["mqtt-cert"], DeviceID: id, Certificate: &cert, Roots: roots(t, h), Now: h.Now, QoS: 1, Properties: []device.Property{answer},
		Acknowledged: func([]device.Sample) {
			select {
			case kept <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	select {
	case <-kept:
	case <-time.After(30 * time.Second):
		t.Error("the device's value was not acknowledged")
	}
	cancel()
	<-ran
	var now client.Thing
	o.do("GET", "/iot/v2/things/"+th.ID+"?show_properties=true", nil, &now)
	for _, p := range now.Properties {
		if p.Variable == "answer" && p.LastValue != 42.0 {
			t.Errorf("the thing has %v", p.LastValue)
		}
	}
	o.do("DELETE", "/iot/v2/things/"+th.ID, nil, nil)
}

// busy is a cloud that loses the answers to some requests of a board, or is too busy for them.
type busy struct {
	http.RoundTripper
	fail func(n int, path string) (status int, lost bool)
	n    int
}

func (b *busy) RoundTrip(r *http.Request) (*http.Response, error) {
	b.n++
	status, lost := b.fail(b.n, r.URL.Path)
	if status != 0 {
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: http.NoBody, Request: r}, nil
	}
	answer, err := b.RoundTripper.RoundTrip(r)
	if lost && err == nil {
		answer.Body.Close()
		return nil, errors.New("the answer is lost")
	}
	return answer, err
}

// A board whose answers are lost asks again, and is one device in the end, with one certificate.
func TestBoardAsksAgain(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	b := newcomer(t, h, element.ECCX08)
	b.Pace.Attempt = 20
	line := &busy{RoundTripper: b.Cloud.HTTP.Transport, fail: func(n int, path string) (int, bool) {
		switch {
		case n == 1:
			return 500, false
		case strings.HasSuffix(path, "csr"):
			return 0, n == 2 || n == 3
		}
		return map[int]int{5: 503, 6: 429}[n], n == 7 // after which it begins again with the certificate
	}}
	b.Cloud.HTTP.Transport = line
	id, err := hex.DecodeString(b.HardwareID)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Identity.Prepare(); err != nil {
		t.Fatal(err)
	}
	key, err := b.Identity.BoardKey()
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.Identity.Token(h.Now(), hex.EncodeToString(id))
	if err != nil {
		t.Fatal(err)
	}
	o.do("POST", "/provisioning/v1/boards/register", map[string]any{"pid": "8054", "vid": "2341", "public_key": string(key), "unique_hardware_id": b.HardwareID}, nil)
	o.do("POST", "/provisioning/v1/onboarding/claim", map[string]any{"board_token": token, "connection_type": "wifi", "device_name": "gate", "ble_mac": "FF:FF:FF:FF:FF:FF"}, nil)
	got, err := b.Provision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if line.n < 9 {
		t.Errorf("it asked %d times only", line.n)
	}
	var devices []client.Device
	o.do("GET", "/iot/v2/devices?unique_hardware_id="+b.HardwareID, nil, &devices)
	if len(devices) != 1 || devices[0].ID != got {
		t.Errorf("devices %+v, want %s", devices, got)
	}
	var certificates []map[string]any
	o.do("GET", "/iot/v2/devices/"+got+"/certs", nil, &certificates)
	if len(certificates) != 1 {
		t.Errorf("%d certificates", len(certificates))
	}
	comesOnline(t, h, o, b.Identity, got)
	// A server with another name does not get the board's token: it checks whom it talks to.
	b.Cloud.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{ServerName: "elsewhere.example", RootCAs: roots(t, h)}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", h.At["https"])
	}}}
	b.Pace.Attempt = 1
	if _, err := b.Provision(t.Context()); err == nil {
		t.Error("the board talks to anybody")
	}
}
