package provision

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/client"
)

// A Cloud is where boards are claimed: *client.Client.
type Cloud interface {
	Do(ctx context.Context, method, path string, in, out any) error
}

// Patience is how long a Client waits. Zero fields are as in Arduino's command line tool.
type Patience struct {
	Greeting time.Duration // for a sign of life; 30 s
	Answer   time.Duration // for an answer of the board; 30 s
	Network  time.Duration // for the board to join its network; 200 s
	Poll     time.Duration // between two looks whether the board has come; 10 s
	Polls    int           // looks before it gives up; 20
}

// A Client brings one board in.
type Client struct {
	Cloud Cloud
	Now   func() time.Time

	Name       string  // of the device; "": the cloud makes one up
	Connection string  // wifi, eth, nb, gsm, lora, catm1 or cellular
	Network    Message // how the board joins it: WiFi, Ethernet and so on
	Locked     bool    // nobody in another space may claim the board while it is this device

	VID, PID string // USB vendor and product, in hexadecimal digits
	Serial   string // the board's serial number, as USB tells it; may be ""
	// MinSketch and MinWiFi are the oldest versions that will do, as the cloud tells them; "": any.
	MinSketch, MinWiFi string

	Step     func(what string) // is told what is done, in words; may be nil
	Patience Patience
}

// A Result is a board that has become a device.
type Result struct {
	Device     string
	Onboarding string
	HardwareID string
}

var (
	// ErrFlash is a board whose program does not speak this, or too old a version: it needs the provisioning sketch.
	ErrFlash = errors.New("provision: the board does not run a provisioning sketch that is new enough; put that on the board first")
	// ErrRadio is a board whose radio has too old a firmware.
	ErrRadio = errors.New("provision: the firmware of the board's radio is too old; update it first")
	// ErrLate is a board that has joined its network and does not come.
	ErrLate = errors.New("provision: the board has a network, but it has not come to the cloud: it may not trust the server, or not reach it")
)

// A BoardError is a status by which a board refuses something.
type BoardError struct {
	Doing  string
	Status Status
}

func (e *BoardError) Error() string { return fmt.Sprintf("%s: the board says: %v", e.Doing, e.Status) }

const onboardings = "/provisioning/v1/onboarding"

// Onboard brings the board at the other end of a line in. On an error what was begun in the cloud is dropped. The line is closed.
func (c *Client) Onboard(ctx context.Context, line io.ReadWriteCloser) (Result, error) {
	l := NewLink(line, c.Now)
	defer l.Close()
	s := talk{c: c, link: l}
	r, err := s.onboard(ctx)
	if err != nil && r.Onboarding != "" {
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, c.Cloud.Do(late, "DELETE", onboardings+"/"+r.Onboarding, nil, nil))
		r.Onboarding = ""
	}
	return r, err
}

// talk is one conversation with a board.
type talk struct {
	c    *Client
	link *Link
}

func (s *talk) step(what string) {
	if s.c.Step != nil {
		s.c.Step(what)
	}
}

func (s *talk) onboard(ctx context.Context) (r Result, err error) {
	mac, err := s.meet(ctx)
	if err != nil {
		return r, err
	}
	s.step("asking the board who it is")
	if err := s.link.Send(Timestamp(s.c.Now())); err != nil {
		return r, err
	}
	key, err := ask[PublicKey](ctx, s, "ask who it is", CommandID)
	if err != nil {
		return r, err
	}
	id, err := await[HardwareID](ctx, s, "ask who it is", s.c.Patience.answer())
	if err != nil {
		return r, err
	}
	token, err := await[Token](ctx, s, "ask who it is", s.c.Patience.answer())
	if err != nil {
		return r, err
	}
	r.HardwareID = hex.EncodeToString(id[:])
	s.step("claiming board " + r.HardwareID[:8] + "…")
	if r.Onboarding, err = s.claim(ctx, string(key), r.HardwareID, string(token), mac); err != nil {
		return r, err
	}
	if err := s.connect(ctx); err != nil {
		return r, err
	}
	s.step("waiting for the board to come")
	r.Device, err = s.arrive(ctx, r.Onboarding)
	return r, err
}

// meet finds out whether the board speaks this, and its BLE address.
func (s *talk) meet(ctx context.Context) (mac string, err error) {
	s.step("looking for the board")
	if err := s.link.Say(Connect); err != nil {
		return "", err
	}
	if _, err := s.receive(ctx, s.c.Patience.greeting()); err != nil {
		return "", errors.Join(ErrFlash, err)
	}
	version, err := ask[Sketch](ctx, s, "ask for the version of its sketch", CommandSketch)
	var refused *BoardError
	silent := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if silent || errors.As(err, &refused) && refused.Status == InvalidRequest || err == nil && older(string(version), s.c.MinSketch) {
		return "", ErrFlash
	}
	if err != nil {
		return "", err
	}
	radio, err := ask[WiFiFW](ctx, s, "ask for the version of its radio", CommandWiFiFW)
	if err != nil && !(errors.As(err, &refused) && refused.Status == InvalidRequest) { // it may have no Wi-Fi
		return "", err
	}
	if err == nil && older(string(radio), s.c.MinWiFi) {
		return "", fmt.Errorf("%w: it has %s, and needs %s", ErrRadio, radio, s.c.MinWiFi)
	}
	address, err := ask[BLEMAC](ctx, s, "ask for its Bluetooth address", CommandBLEMAC)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(address))
	for i, b := range address {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":"), nil
}

// unknownBoard are the numbers by which a cloud says that a board is to be registered.
var unknownBoard = map[int]bool{1: true, 2: true, 15: true}

// claim claims the board, which is registered if the cloud does not know it.
func (s *talk) claim(ctx context.Context, key, id, token, mac string) (onboarding string, err error) {
	in := map[string]any{"ble_mac": mac, "board_token": token, "connection_type": s.c.Connection, "device_name": s.c.Name}
	if s.c.Locked {
		in["locked"] = true
	}
	var out struct {
		ID string `json:"id"`
	}
	err = s.c.Cloud.Do(ctx, "POST", onboardings+"/claim", in, &out)
	var refused *client.Error
	if !errors.As(err, &refused) || !unknownBoard[refused.Number] {
		return out.ID, err
	}
	s.step("registering the board")
	board := map[string]any{"pid": s.c.PID, "vid": s.c.VID, "public_key": key, "serial": s.c.Serial, "unique_hardware_id": id}
	if err := s.c.Cloud.Do(ctx, "POST", "/provisioning/v1/boards/register", board, nil); err != nil {
		return "", fmt.Errorf("register the board: %w", err)
	}
	err = s.c.Cloud.Do(ctx, "POST", onboardings+"/claim", in, &out)
	return out.ID, err
}

// connect lets the board forget what it was, tells it the network, and waits until it is there.
func (s *talk) connect(ctx context.Context) error {
	s.step("telling the board its network")
	if err := s.expect(ctx, "forget what it was", CommandReset, ResetDone); err != nil {
		return err
	}
	if err := s.link.Send(s.c.Network); err != nil {
		return err
	}
	if err := s.expect(ctx, "join the network", CommandConnect, Connecting); err != nil {
		return err
	}
	for {
		status, err := await[Status](ctx, s, "join the network", s.c.Patience.network())
		if err != nil || status == Connected {
			return err
		}
	}
}

// arrive waits until the board has its certificate.
func (s *talk) arrive(ctx context.Context, onboarding string) (device string, err error) {
	for range s.c.Patience.polls() {
		var all struct {
			Onboardings []struct {
				ID     string  `json:"id"`
				Device *string `json:"device_id"`
			} `json:"onboardings"`
		}
		if err := s.c.Cloud.Do(ctx, "GET", onboardings+"?all=true", nil, &all); err != nil {
			return "", err
		}
		for _, o := range all.Onboardings {
			if o.ID == onboarding && o.Device != nil {
				return *o.Device, nil
			}
		}
		if err := pause(ctx, or(s.c.Patience.Poll, 10*time.Second)); err != nil {
			return "", err
		}
	}
	return "", ErrLate
}

// receive waits for a message.
func (s *talk) receive(ctx context.Context, patience time.Duration) (Message, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		in, err := s.link.Receive(ctx)
		if err != nil {
			return nil, err
		}
		if in.Message != nil {
			return in.Message, nil
		}
		if in.Transmit == Disconnect {
			return nil, errors.New("provision: the board has hung up")
		}
	}
}

// await waits for a message of one type. A status below zero is a BoardError; what else comes, such as a list of networks, is skipped.
func await[M Message](ctx context.Context, s *talk, doing string, patience time.Duration) (M, error) {
	var none M
	for {
		m, err := s.receive(ctx, patience)
		if err != nil {
			return none, fmt.Errorf("%s: %w", doing, err)
		}
		if status, is := m.(Status); is && status < 0 {
			return none, &BoardError{doing, status}
		}
		if want, is := m.(M); is {
			return want, nil
		}
	}
}

// ask sends a command and waits for its answer.
func ask[M Message](ctx context.Context, s *talk, doing string, what Command) (M, error) {
	if err := s.link.Send(what); err != nil {
		var none M
		return none, err
	}
	return await[M](ctx, s, doing, s.c.Patience.answer())
}

// expect sends a command and waits for the status that says that it is done.
func (s *talk) expect(ctx context.Context, doing string, what Command, want Status) error {
	got, err := ask[Status](ctx, s, doing, what)
	for err == nil && got != want {
		got, err = await[Status](ctx, s, doing, s.c.Patience.answer())
	}
	return err
}

// older says whether a version comes before another one; what cannot be read does. Any is new enough for "".
func older(version, least string) bool {
	if least == "" {
		return false
	}
	have, need := strings.Split(version, "."), strings.Split(least, ".")
	for i := range need {
		if i >= len(have) {
			return true
		}
		a, errA := strconv.Atoi(have[i])
		b, errB := strconv.Atoi(need[i])
		if errA != nil || errB != nil || a < b {
			return true
		}
		if a > b {
			return false
		}
	}
	return false
}

func (p Patience) greeting() time.Duration { return or(p.Greeting, 30*time.Second) }
func (p Patience) answer() time.Duration   { return or(p.Answer, 30*time.Second) }
func (p Patience) network() time.Duration  { return or(p.Network, 200*time.Second) }

func (p Patience) polls() int {
	if p.Polls > 0 {
		return p.Polls
	}
	return 20
}
