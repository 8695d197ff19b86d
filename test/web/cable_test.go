package web

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
	device "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/provision"
)

//go:embed cable.js
var cableScript string

// A port is what a browser would tell of a serial port, and whether it can be opened.
type port struct {
	VID    uint16 `json:"vid"`
	PID    uint16 `json:"pid"`
	Taken  bool   `json:"taken"`
	Nobody bool   `json:"nobody"` // chooses it
}

// unoR4 is the port of an Arduino UNO R4 WiFi.
var unoR4 = port{VID: 0x2341, PID: 0x1002}

// A cable is an emulated serial port of a screen, with a board at its other end.
type cable struct {
	s     *screen
	serve func(ctx context.Context, baud int, line io.ReadWriteCloser) // is the board, each time that the port is opened
	seen  func(wire []byte)                                            // is told what the page writes; may be nil
	told  chan string                                                  // what the page does with the port

	chosen, opened, closed atomic.Int64
	boards                 sync.WaitGroup
}

// plug gives the pages that s opens from now on a serial port.
func (s *screen) plug(p port, serve func(ctx context.Context, baud int, line io.ReadWriteCloser)) *cable {
	s.T.Helper()
	c := &cable{s: s, serve: serve, told: make(chan string, 1024)}
	wish, err := json.Marshal(p)
	if err != nil {
		s.T.Fatal(err)
	}
	if err := chromedp.Listen(s.Ctx, func(event any) {
		if e, is := event.(*runtime.EventBindingCalled); is && e.Name == "toBoard" {
			c.told <- e.Payload
		}
	}); err != nil {
		s.T.Fatal(err)
	}
	browsertest.Call(s.Screen, runtime.Enable, cdp.Empty{})
	browsertest.Call(s.Screen, runtime.AddBinding, runtime.AddBindingParams{Name: "toBoard"})
	browsertest.Call(s.Screen, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: strings.Replace(cableScript, "CABLE", string(wish), 1)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.carry(ctx)
	}()
	s.T.Cleanup(func() {
		cancel()
		<-done
		c.boards.Wait()
	})
	return c
}

// carry takes what the page writes to the board, in order.
func (c *cable) carry(ctx context.Context) {
	var line io.WriteCloser = closed{}
	defer func() { _ = line.Close() }()
	for {
		var what struct {
			Open   int    `json:"open"`
			Write  []byte `json:"write"`
			Close  bool   `json:"close"`
			Chosen bool   `json:"chosen"`
		}
		select {
		case <-ctx.Done():
			return
		case text := <-c.told:
			if err := json.Unmarshal([]byte(text), &what); err != nil {
				c.s.T.Error(err)
				return
			}
		}
		switch {
		case what.Chosen:
			c.chosen.Add(1)
		case what.Open > 0:
			c.opened.Add(1)
			near, far := newWire(), newWire()
			line = near
			c.boards.Go(func() { c.serve(ctx, what.Open, twoWay{near, far}) })
			c.boards.Go(func() { c.back(far) })
			context.AfterFunc(ctx, func() { _ = near.Close(); _ = far.Close() })
		case what.Close:
			c.closed.Add(1)
			_ = line.Close()
		default:
			if c.seen != nil {
				c.seen(what.Write)
			}
			_, _ = line.Write(what.Write) // who has gone reads nothing
		}
	}
}

// back takes what the board writes to the page.
func (c *cable) back(from io.Reader) {
	b := make([]byte, 512)
	for {
		n, err := from.Read(b)
		if n > 0 {
			if _, lost := chromedp.Run(c.s.Ctx, chromedp.Evaluate[chromedp.Void](`fromBoard("`+base64.StdEncoding.EncodeToString(b[:n])+`")`)); lost != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// closed is a line that nobody has opened.
type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (closed) Close() error              { return nil }

// twoWay is the board's end of two wires.
type twoWay struct{ in, out *wire }

func (t twoWay) Read(b []byte) (int, error)  { return t.in.Read(b) }
func (t twoWay) Write(b []byte) (int, error) { return t.out.Write(b) }
func (t twoWay) Close() error                { return errors.Join(t.in.Close(), t.out.Close()) }

// A wire carries bytes one way and has room, as a serial port has.
type wire struct {
	mu   sync.Mutex
	more *sync.Cond
	data []byte // guarded by mu
	over bool   // guarded by mu
}

func newWire() *wire {
	w := &wire{}
	w.more = sync.NewCond(&w.mu)
	return w
}

func (w *wire) Read(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.data) == 0 {
		if w.over {
			return 0, io.EOF
		}
		w.more.Wait()
	}
	n := copy(b, w.data)
	w.data = w.data[n:]
	return n, nil
}

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return 0, io.ErrClosedPipe
	}
	w.data = append(w.data, b...)
	w.more.Broadcast()
	return len(b), nil
}

func (w *wire) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.more.Broadcast()
	return nil
}

// newcomer is a board that nobody knows, with its element, which sees two networks and joins the one with this password.
func (h *home) newcomer(password string) *provision.Board {
	h.t.Helper()
	roots, err := client.Trust(h.CA())
	if err != nil {
		h.t.Fatal(err)
	}
	chip, err := twin.Create(filepath.Join(h.t.TempDir(), "element"), []byte("of a test"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		h.t.Fatal(err)
	}
	web := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", h.At["https"])
	}}
	h.t.Cleanup(web.CloseIdleConnections)
	return &provision.Board{
		Identity: element.Identity{Element: chip, Layout: element.SoftSE}, HardwareID: element.HardwareID([]byte(rand.Text()), []byte("2"), []byte("3")), Now: h.Now, WiFiFW: "0.6.0",
		Networks: provision.Networks{{SSID: "Neighbour's", RSSI: -80}, {SSID: "Home & Garden", RSSI: -40}},
		Cloud:    provision.Host{URL: "https://localhost", HTTP: &http.Client{Transport: web}}, Pace: provision.Pace{Again: 300 * time.Millisecond, Attempt: 20},
		Join: func(_ context.Context, n provision.Message) error {
			if n != (provision.WiFi{SSID: "Home & Garden", Password: password}) {
				return errors.New("another network, or another password")
			}
			return nil
		},
	}
}

// live is what a board does once it is a device: it connects with its certificate and says its temperature. It ends with ctx.
func (h *home) live(ctx context.Context, b *provision.Board, id string, temperature float64) {
	roots, err := client.Trust(h.CA())
	if err != nil {
		h.t.Error(err)
		return
	}
	cert, err := b.Identity.TLS()
	if err != nil {
		h.t.Error(err)
		return
	}
	value := device.Float("temperature", device.ReadOnly)
	value.Set(temperature)
	c, err := device.New(device.Config{Host: "localhost", Address: h.At["mqtt-cert"], DeviceID: id, Certificate: &cert, Roots: roots, Now: h.Now, Properties: []device.Property{value}})
	if err != nil {
		h.t.Error(err)
		return
	}
	if err := c.Run(ctx); err != nil && ctx.Err() == nil {
		h.t.Error(err)
	}
}

// onCable is a board on a cable that comes in, and then lives.
func (h *home) onCable(b *provision.Board, temperature float64) func(context.Context, int, io.ReadWriteCloser) {
	return func(ctx context.Context, _ int, line io.ReadWriteCloser) {
		id, err := b.Serve(ctx, line)
		if err != nil {
			return // the page says what it made of that
		}
		h.live(ctx, b, id, temperature)
	}
}

// neverTells makes sure that nothing that the page asks of any server has a text in it.
func (s *screen) neverTells(secret string) {
	s.T.Helper()
	if err := chromedp.Listen(s.Ctx, func(event any) {
		e, is := event.(*network.EventRequestWillBeSent)
		if !is {
			return
		}
		if all, err := json.Marshal(e.Request); err != nil || strings.Contains(string(all), secret) {
			s.T.Errorf("%s %s tells it (%v)", e.Request.Method, e.Request.URL, err)
		}
		for _, part := range e.Request.PostDataEntries {
			if strings.Contains(string(part.Bytes), secret) {
				s.T.Errorf("%s %s tells it", e.Request.Method, e.Request.URL)
			}
		}
	}); err != nil {
		s.T.Fatal(err)
	}
}

// A board on a cable comes in by the page alone: it is chosen, refuses a wrong password, joins its network, fetches its certificate,
// connects, and its value lights the page up. The password is told to the board alone, and the port is free afterwards.
func TestABoardOnACable(t *testing.T) {
	const secret = "correct horse battery"
	h := newHome(t)
	s := h.screen(t, browsertest.Look{Width: 360})
	s.Ignore("/onboarding/claim") // does not know the board, and has it registered
	s.neverTells(secret)
	b := h.newcomer(secret)
	c := s.plug(unoR4, h.onCable(b, 23.25))
	var frames provision.Reader
	var clock atomic.Int64
	c.seen = func(wire []byte) {
		whole, _ := frames.Feed(wire, h.Now())
		for _, f := range whole {
			if m, err := provision.Unmarshal(f.Payload); err == nil {
				if at, is := m.(provision.Timestamp); is {
					clock.Store(time.Time(at).Unix())
				}
			}
		}
	}
	// The machine of whoever sits here is two hours ahead.
	browsertest.Call(s.Screen, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `{ const now = Date.now; Date.now = () => now() + 72e5 }`})
	s.open("/app/devices/new")
	s.click("Arduino board on a cable")
	s.says("Connect the board")
	s.everywhere("usb-choose")
	s.press("Choose the board")
	s.says("Arduino UNO R4 WiFi")
	s.says("Bring it in")
	if first := s.Text(`document.querySelector(".start form select").value`); first != "Home & Garden" {
		t.Errorf("the first network is %q, want the strongest", first)
	}
	s.everywhere("usb-network")
	s.fill("Name of the device", "Gate")
	s.fill("Password of the network", "wrong horse")
	s.press("Bring it in")
	s.says("The board could not join that network. Check its name and password")
	s.Judge(pictures, "usb-wrong")
	s.fill("Password of the network", secret)
	s.press("Bring it in")
	s.says("The first value: temperature 23.25")
	s.says("Gate is online")
	s.everywhere("usb-done")
	if off := clock.Load() - time.Now().Unix(); off < -5 || off > 5 {
		t.Errorf("the board's clock was set %d s off", off)
	}
	if c.opened.Load() != 1 || c.closed.Load() != 1 {
		t.Errorf("the port was opened %d times and closed %d times", c.opened.Load(), c.closed.Load())
	}
	kept := s.Text(`JSON.stringify([{...localStorage}, {...sessionStorage}, document.documentElement.outerHTML, [...document.querySelectorAll("input")].map(i => i.value)])`)
	if strings.Contains(kept, secret) {
		t.Error("the page keeps the password of the network")
	}
	s.click("To the thing")
	s.until(valueOf("temperature") + ` === "23.25"`)
	var all struct {
		Onboardings []struct {
			Ended *string `json:"ended_at"`
		} `json:"onboardings"`
	}
	h.ask(http.MethodGet, "/provisioning/v1/onboarding?all=true", nil, &all)
	if len(all.Onboardings) != 2 && len(all.Onboardings) != 1 || all.Onboardings[0].Ended == nil {
		t.Errorf("onboardings: %+v", all)
	}
}

// A board that runs the sketch of the first generation says nothing to the second; it comes in all the same.
func TestAnOlderBoardOnACable(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	s := h.screen(t, desk)
	b := h.newcomer("")
	b.Identity.Layout = element.ECCX08
	c := s.plug(port{VID: 0x2341, PID: 0x8057}, func(ctx context.Context, baud int, line io.ReadWriteCloser) {
		if id, err := b.ServeFirst(ctx, line); err == nil {
			if baud != 57600 {
				t.Errorf("at %d baud", baud)
			}
			h.live(ctx, b, id, 7.5)
		}
	})
	s.open("/app/devices/new")
	s.click("Arduino board on a cable")
	s.press("Choose the board")
	s.says("The board does not answer.")
	s.Judge(pictures, "usb-silent")
	s.press("It runs the older provisioning sketch")
	s.says("The first value: temperature 7.5")
	if c.opened.Load() != 2 || c.closed.Load() != 2 {
		t.Errorf("the port was opened %d times and closed %d times", c.opened.Load(), c.closed.Load())
	}
	var devices []struct {
		Name, Type string
	}
	h.ask(http.MethodGet, "/iot/v2/devices", nil, &devices)
	if len(devices) != 1 || devices[0].Type != "nano_33_iot" {
		t.Errorf("devices: %+v", devices)
	}
}

// What goes wrong is said in words that say what to do, and leaves nothing behind.
func TestWhatGoesWrongOnACable(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.screen(t, desk) // signs in
	nobody := func(context.Context, int, io.ReadWriteCloser) {}
	for name, c := range map[string]struct {
		port  port
		serve func(context.Context, int, io.ReadWriteCloser)
		want  string
	}{
		"another board": {port{VID: 0x2341, PID: 0x0043}, nobody, "This is no board with a key of its own (USB 2341:0043)."},
		"in use":        {port{VID: 0x2341, PID: 0x1002, Taken: true}, nobody, "The port is in use."},
		"no choice":     {port{VID: 0x2341, PID: 0x1002, Nobody: true}, nobody, "Plug the board in"},
		"older sketch": {unoR4, func(ctx context.Context, _ int, line io.ReadWriteCloser) {
			l := provision.NewLink(line, h.Now)
			defer l.Close()
			for {
				in, err := l.Receive(ctx)
				if err != nil || l.Send(provision.InvalidRequest) != nil {
					return
				}
				_ = in
			}
		}, "The board's program is too old, or another one."},
		"a fault": {unoR4, func(ctx context.Context, _ int, line io.ReadWriteCloser) {
			l := provision.NewLink(line, h.Now)
			defer l.Close()
			for {
				if _, err := l.Receive(ctx); err != nil || l.Send(provision.Networks{}) != nil || l.Send(provision.ElementInit) != nil {
					return
				}
			}
		}, "The board reports a fault (status -150)."},
	} {
		t.Run(name, func(t *testing.T) {
			s := h.screen(t, desk)
			wires := s.plug(c.port, c.serve)
			s.open("/app/devices/new")
			s.click("Arduino board on a cable")
			s.press("Choose the board")
			s.until(fmt.Sprintf(`document.querySelector(".start").innerText.includes(%q)`, c.want))
			for wires.chosen.Load() == 0 || wires.opened.Load() != wires.closed.Load() {
				if err := pause(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			s.Look(pictures, "usb-"+strings.ReplaceAll(name, " ", "-"))
		})
	}
	t.Run("pulled out", func(t *testing.T) {
		s := h.screen(t, desk)
		b := h.newcomer("x")
		wires := s.plug(unoR4, func(ctx context.Context, _ int, line io.ReadWriteCloser) { _, _ = b.Serve(ctx, line) })
		s.open("/app/devices/new")
		s.click("Arduino board on a cable")
		s.press("Choose the board")
		s.says("Bring it in")
		browsertest.Eval[chromedp.Void](s.Screen, `pullCable()`)
		s.press("Bring it in")
		s.says("The board has gone.")
		if wires.opened.Load() != 1 {
			t.Errorf("opened %d times", wires.opened.Load())
		}
	})
	var all struct {
		Onboardings []any `json:"onboardings"`
	}
	h.ask(http.MethodGet, "/provisioning/v1/onboarding?all=true", nil, &all)
	if len(all.Onboardings) != 0 {
		t.Errorf("left behind: %+v", all)
	}
}

// A browser without serial ports says so, and how it goes all the same.
func TestABrowserWithoutSerialPorts(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, desk)
	browsertest.Call(s.Screen, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `delete Navigator.prototype.serial`})
	s.open("/app/devices/new")
	s.click("Arduino board on a cable")
	s.says("This browser does not reach serial ports.")
	s.says("ardesiactl device onboard")
	s.everywhere("usb-none")
}
