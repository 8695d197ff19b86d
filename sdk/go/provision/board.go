package provision

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/sdk/element"
)

// A Host is the cloud as a board reaches it.
type Host struct {
	URL  string       // https://host[:port]
	HTTP *http.Client // that trusts the cloud
}

// Pace is how patient a board is. Zero fields are as in Arduino's provisioning sketch.
type Pace struct {
	Answer  time.Duration // for an answer of the cloud; 5 s
	Again   time.Duration // between two tries, times the number of those so far; 12 s
	Slow    time.Duration // between two tries after the fifteenth; 180 s
	Attempt int           // tries before Serve gives up; 0: never, as boards do
}

// A Board is a simulated board that is to be provisioned. All fields but Networks, Join and Pace must be set.
type Board struct {
	Identity   element.Identity // its keys and, in the end, its certificate
	HardwareID string           // 64 lower-case hex digits; see element.HardwareID
	Cloud      Host
	Now        func() time.Time // its clock, once it has been told the time

	BLEMAC   BLEMAC   // zero: it has no Bluetooth
	WiFiFW   string   // version of its radio's firmware; "": it has no Wi-Fi
	Sketch   string   // version of its sketch; "": the oldest that does all this
	Networks Networks // that it sees

	// Join connects to the network that the client told; nil: any works.
	Join func(ctx context.Context, network Message) error
	Pace Pace
}

// sketchVersion is that of the provisioning sketch which Board behaves like.
const sketchVersion = "0.6.2"

// Serve answers a client over a line until the board has a network, and then gets its certificate from the cloud, as a board
// does in its provisioning sketch. It returns the id of the device that the board is now. The line is closed.
func (b *Board) Serve(ctx context.Context, line io.ReadWriteCloser) (device string, err error) {
	if err := b.Identity.Prepare(); err != nil {
		return "", err
	}
	l := NewLink(line, b.Now)
	defer l.Close()
	s := served{board: b, link: l}
	for !s.joined {
		in, err := l.Receive(ctx)
		if err != nil {
			return "", err
		}
		switch {
		case in.Transmit == Connect:
			err = s.greet()
		case in.Transmit == 0:
			err = s.answer(ctx, in.Message)
		}
		if err != nil {
			return "", err
		}
	}
	return b.Provision(ctx)
}

// served is one conversation with a client.
type served struct {
	board   *Board
	link    *Link
	timed   bool    // it was told the time
	network Message // that it was told; nil before
	joined  bool
}

// greet says what the board sees, or what it misses.
func (s *served) greet() error {
	if s.board.WiFiFW == "" {
		return s.link.Send(Missing)
	}
	return s.link.Send(s.board.Networks)
}

func (s *served) answer(ctx context.Context, m Message) error {
	b := s.board
	switch m := m.(type) {
	case Timestamp:
		s.timed = true
		return nil
	case WiFi, LoRa, GSM, NBIoT, CatM1, Ethernet, Cellular:
		s.network = m
		return nil
	case Command:
		switch m {
		case CommandSketch:
			if b.Sketch != "" {
				return s.link.Send(Sketch(b.Sketch))
			}
			return s.link.Send(Sketch(sketchVersion))
		case CommandWiFiFW:
			if b.WiFiFW == "" {
				return s.link.Send(InvalidRequest)
			}
			return s.link.Send(WiFiFW(b.WiFiFW))
		case CommandBLEMAC:
			if b.BLEMAC == (BLEMAC{}) {
				return s.link.Send(BLEMAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
			}
			return s.link.Send(b.BLEMAC)
		case CommandID:
			return s.identify()
		case CommandReset:
			if err := b.Identity.Reset(); err != nil {
				return errors.Join(err, s.link.Send(StorageError))
			}
			return s.link.Send(ResetDone)
		case CommandScan:
			return errors.Join(s.link.Send(Scanning), s.link.Send(b.Networks))
		case CommandConnect:
			return s.join(ctx)
		}
	}
	return s.link.Send(InvalidRequest)
}

// identify tells who the board is: its key, its number, and a token that is signed now.
func (s *served) identify() error {
	if !s.timed {
		return s.link.Send(Missing)
	}
	raw, err := hex.DecodeString(s.board.HardwareID)
	if err != nil || len(raw) != 32 {
		return s.link.Send(HardwareIDError)
	}
	key, err := s.board.Identity.BoardKey()
	if err != nil {
		return errors.Join(err, s.link.Send(ElementInit))
	}
	token, err := s.board.Identity.Token(s.board.Now(), s.board.HardwareID)
	if err != nil {
		return errors.Join(err, s.link.Send(ElementInit))
	}
	return errors.Join(s.link.Send(PublicKey(key)), s.link.Send(HardwareID(raw)), s.link.Send(Token(token)))
}

func (s *served) join(ctx context.Context) error {
	if s.network == nil {
		return s.link.Send(Missing)
	}
	if err := s.link.Send(Connecting); err != nil {
		return err
	}
	if s.board.Join != nil {
		if err := s.board.Join(ctx, s.network); err != nil {
			s.network = nil
			return s.link.Send(FailedToConnect)
		}
	}
	s.joined = true
	return s.link.Send(Connected)
}

// errAnswer is an answer of the cloud that is none.
var errAnswer = errors.New("provision: the cloud's answer cannot be read")

// Provision makes a key, lets the cloud certify it, and tells it when that is stored. It tries until it has succeeded, as boards do, or
// until ctx ends or Pace says so.
func (b *Board) Provision(ctx context.Context) (device string, err error) {
	request, err := b.Identity.Request(b.HardwareID, true)
	if err != nil {
		return "", err
	}
	var tries int
	for {
		if device, err = b.attempt(ctx, request); err == nil || ctx.Err() != nil {
			return device, err
		}
		tries++
		if b.Pace.Attempt > 0 && tries >= b.Pace.Attempt {
			return "", fmt.Errorf("after %d tries: %w", tries, err)
		}
		wait := b.Pace.again() * time.Duration(tries)
		if tries > 15 {
			wait = b.Pace.slow()
		}
		if err := pause(ctx, wait); err != nil {
			return "", err
		}
	}
}

// attempt asks for the certificate, stores it and says so, which is tried a few times when the cloud is busy.
func (b *Board) attempt(ctx context.Context, request []byte) (device string, err error) {
	text, _, err := b.post(ctx, "csr", map[string]string{"csr": string(request)})
	if err != nil {
		return "", err
	}
	der, device, err := b.certificate(text)
	if err != nil {
		return "", err
	}
	if err := b.Identity.Save(der); err != nil {
		return "", err
	}
	for tries := 1; ; tries++ {
		_, status, err := b.post(ctx, "complete", map[string]string{"wifi_fw_version": b.WiFiFW})
		if err == nil {
			return device, nil
		}
		if status != http.StatusTooManyRequests && status != http.StatusServiceUnavailable || tries >= 15 {
			return "", err // and begins again with the same request
		}
		if err := pause(ctx, b.Pace.again()*time.Duration(tries)); err != nil {
			return "", err
		}
	}
}

// certificate reads the line of six fields that the cloud answers, and puts together what the board makes of it.
func (b *Board) certificate(line string) (der []byte, device string, err error) {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) != 6 || len(parts[0]) != 36 || len(parts[1]) != 40 || len(parts[2]) < 13 || len(parts[3]) != 32 || len(parts[4]) != 64 || len(parts[5]) != 64 {
		return nil, "", errAnswer
	}
	p := boardcert.Profile{DeviceID: parts[0], Years: boardcert.Years}
	if p.NotBefore, err = time.Parse("2006-01-02T15", parts[2][:13]); err != nil {
		return nil, "", errAnswer
	}
	var signature boardcert.Signature
	for _, f := range []struct {
		to   []byte
		text string
	}{{p.AKI[:], parts[1]}, {p.Serial[:], parts[3]}, {signature[:32], parts[4]}, {signature[32:], parts[5]}} {
		raw, err := hex.DecodeString(f.text)
		if err != nil {
			return nil, "", errAnswer
		}
		copy(f.to, raw)
	}
	if p.Key, err = b.Identity.Element.PublicKey(b.Identity.Layout.Key); err != nil {
		return nil, "", err
	}
	der, err = p.Join(signature)
	return der, parts[0], err
}

// maxAnswer bounds what the cloud may answer, in bytes.
const maxAnswer = 4096

// post asks the cloud for a step, with a token that is signed now. An error comes with the status, 0 without an answer.
func (b *Board) post(ctx context.Context, step string, in any) (text string, status int, err error) {
	token, err := b.Identity.Token(b.Now(), b.HardwareID)
	if err != nil {
		return "", 0, err
	}
	body, err := json.Marshal(in)
	if err != nil {
		return "", 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, b.Pace.answer())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(b.Cloud.URL, "/")+"/provisioning/v1/onboarding/provision/"+step, bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	r.Close = true
	r.Header.Set("Content-Type", "application/json;charset=UTF-8")
	r.Header.Set("Authorization", "Bearer "+token)
	w, err := b.Cloud.HTTP.Do(r)
	if err != nil {
		return "", 0, fmt.Errorf("provision %s: %w", step, err)
	}
	defer w.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(w.Body, maxAnswer))
	if err != nil {
		return "", w.StatusCode, fmt.Errorf("provision %s: %w", step, err)
	}
	if w.StatusCode != http.StatusOK {
		return "", w.StatusCode, fmt.Errorf("provision %s: %s: %s", step, w.Status, strings.TrimSpace(string(answer)))
	}
	return string(answer), w.StatusCode, nil
}

func or(d, standard time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return standard
}

func (p Pace) answer() time.Duration { return or(p.Answer, 5*time.Second) }
func (p Pace) again() time.Duration  { return or(p.Again, 12*time.Second) }
func (p Pace) slow() time.Duration   { return or(p.Slow, 180*time.Second) }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
