package web

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// What somebody may be asked for between the link that a first start prints and a live chart.
const (
	mostClicks = 12
	mostFields = 4
)

// A hand counts what a person does by hand.
type hand struct {
	*screen
	clicks, fields int
}

func (p *hand) click(text string) {
	p.T.Helper()
	p.clicks++
	p.press(text)
}

func (p *hand) fill(label, text string) {
	p.T.Helper()
	p.fields++
	p.screen.fill(label, text)
}

// begin is a new house, and a person who has its link and makes the first account.
func begin(t *testing.T) (*home, *hand) {
	t.Helper()
	house := servertest.Start(t)
	h := &home{House: house, t: t, front: newFront(t, house)}
	link := regexp.MustCompile(`/setup\?token=[A-Za-z0-9_-]{43}`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for link.FindString(house.Greeting()) == "" {
		if err := pause(ctx); err != nil {
			t.Fatalf("the server printed no link: %q", house.Greeting())
		}
	}
	token := link.FindString(house.Greeting())
	p := &hand{screen: &screen{browsertest.Open(t, browsertest.Look{Width: 1280, Keeps: true}), h}}
	p.Ignore("/v1/spaces")
	p.Run(chromedp.Navigate(h.front.at() + token))
	p.fill("Name", "Anna Bianchi")
	p.fill("E-mail address", "anna@example.org")
	p.fill("New password", password)
	p.click("Set up this server")
	p.says("Your account is ready")
	p.everywhere("five-ready")
	p.Resize(browsertest.Look{Width: 1280})
	p.click("Later: to the first device")
	p.says("Add your first device")
	return h, p
}

// chart goes to the chart of the first value, which grows while one looks.
func (p *hand) chart(name string) {
	p.T.Helper()
	p.click("See its chart")
	p.until(`document.querySelector("main canvas, main svg.chart") !== null`)
	p.says("Live")
	p.Judge(pictures, "five-"+name)
	p.T.Logf("from the link to a live chart (%s): %d clicks, %d fields", name, p.clicks, p.fields)
	if p.clicks > mostClicks || p.fields > mostFields {
		p.T.Errorf("%s takes %d clicks and %d fields, more than %d and %d", name, p.clicks, p.fields, mostClicks, mostFields)
	}
}

// reads points at the end of the chart until it says a value.
func (p *hand) reads(value string) {
	p.T.Helper()
	edge := browsertest.Eval[[]float64](p.Screen, `(r => [r.right - 2, r.y + r.height / 2])(document.querySelector(".u-over").getBoundingClientRect())`)
	ctx, cancel := context.WithTimeout(p.Ctx, 20*time.Second)
	defer cancel()
	for p.Text(`document.querySelector(".readout").innerText.split("\n")[0].trim()`) != value {
		p.Run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, edge[0]-5, edge[1]), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, edge[0], edge[1]))
		if err := pause(ctx); err != nil {
			p.T.Fatalf("the chart says %q, want %s", p.Text(`document.querySelector(".readout").innerText`), value)
		}
	}
}

// From the link that a first start prints to a live chart, with a board on a cable.
func TestFiveMinutesByCable(t *testing.T) {
	const secret = "correct horse battery"
	h, p := begin(t)
	b := h.newcomer(secret)
	p.Ignore("/onboarding/claim")
	p.plug(unoR4, h.onCable(b, 23.25))
	p.Run(chromedp.Reload()) // the port is there from now on
	p.click("Arduino board on a cable")
	p.click("Choose the board")
	p.clicks++ // in the browser's own window, which the emulated port does not open
	p.fill("Password of the network", secret)
	p.click("Bring it in")
	p.says("The first value: temperature 23.25")
	p.chart("cable")
}

// The same with a secret key, by the code that the page gives.
func TestFiveMinutesBySecretKey(t *testing.T) {
	h, p := begin(t)
	p.fill("What it is", "generic:generic:generic")
	p.click("Make it")
	p.says("This key is shown once.")
	p.until(`document.querySelector("figure.code pre")?.innerText.includes("SECRET_DEVICE_KEY")`)
	p.click("Copy: arduino_secrets.py")
	code := p.Text(`document.querySelector("figure.code pre").innerText`)
	say := h.program(p.Text(`document.querySelector(".credentials code").innerText`), code)
	say(20.5)
	p.says("The first value: temperature 20.5")
	p.chart("secret")
	say(21.75)
	p.reads("21.75")
}

// program runs what the file of secrets that the page shows is for: the device with that id and key. What it gives says a temperature.
func (h *home) program(id, code string) func(temperature float64) {
	h.t.Helper()
	key := regexp.MustCompile(`SECRET_DEVICE_KEY = "([^"]+)"`).FindStringSubmatch(code)
	if key == nil {
		h.t.Fatalf("there is no key in %s", code)
	}
	return h.sensor(id, key[1])
}

// sensor is a device that says a temperature by its own connection, with its secret key.
func (h *home) sensor(id, key string) func(temperature float64) {
	h.t.Helper()
	roots, err := client.Trust(h.CA())
	if err != nil {
		h.t.Fatal(err)
	}
	value := device.Float("temperature", device.ReadOnly)
	c, err := device.New(device.Config{Host: "localhost", Address: h.At["mqtt-password"], DeviceID: id, SecretKey: key, Roots: roots, Now: h.Now, Properties: []device.Property{value}})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	h.t.Cleanup(func() {
		cancel()
		<-ran
	})
	return func(temperature float64) { value.Set(temperature) }
}

// The third way: a simulated board, which the server is by itself.
func TestFiveMinutesSimulated(t *testing.T) {
	_, p := begin(t)
	p.click("Simulated board")
	p.click("Start it")
	p.says("The first value: temperature")
	p.says("This server acts as the board until")
	for _, look := range []browsertest.Look{{Width: 360}, {Width: 1280}} {
		p.Resize(look)
		p.Judge(pictures, "five-simulated-"+look.String())
	}
	p.chart("simulated")
}

// The page of a device starts and stops its simulation; a command that the first page gives takes over from the server, and runs as it is.
func TestSimulatingADevice(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, desk)
	s.open("/app/devices/new")
	s.click("Simulated board")
	s.click("Start it")
	s.says("The first value: temperature")
	s.click("Run it yourself instead")
	command := s.Text(`document.querySelector("figure.code pre").innerText`)
	s.Judge(pictures, "simulated-command")
	h.simulate(command)
	s.says("A board or a program is connected as this device.")

	var made struct {
		ID string `json:"id"`
	}
	h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": "On the page", "type": "generic_device_secretkey"}, &made)
	s.open("/app/devices/" + made.ID)
	s.says("This server can act as it for an hour")
	s.click("Simulate it")
	s.says("It gets a new secret key, which this server uses.")
	s.Judge(pictures, "simulation-asked")
	s.Run(chromedp.Click(chromedp.CSS(`dialog .button.main`)))
	s.says("This server acts as the board until")
	s.says("Online")
	for _, look := range []browsertest.Look{{Width: 360}, {Width: 1280, Dark: true}, desk} {
		s.Resize(look)
		s.Judge(pictures, "device-simulated-"+look.String())
	}
	s.click("Stop it")
	s.says("This server can act as it for an hour")
	s.says("Offline")
	s.click("Simulate it") // the page has the key that it made
	s.says("This server acts as the board until")
}

// simulate types a command at a machine that has ardesiactl and ca.pem.
func (h *home) simulate(command string) {
	h.t.Helper()
	dir := h.t.TempDir()
	if _, err := servertest.Build(dir, "ardesiactl"); err != nil {
		h.t.Fatal(err)
	}
	ca, err := os.ReadFile(h.CA())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, h.t.Output(), h.t.Output()
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the shell and what it runs end together
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was interrupted
	})
}
