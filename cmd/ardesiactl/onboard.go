package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/sdk/go/provision"
)

// usb is what a board on a cable says of itself; "" for what is not known.
type usb struct{ VID, PID, Serial string }

// fqbn is the kind of board with these numbers, "" when it is none that we know.
func (u usb) fqbn() string {
	for _, b := range otafile.Boards {
		if strings.EqualFold(u.VID+u.PID, fmt.Sprintf("%08x", uint32(b.Magic))) {
			return b.FQBN
		}
	}
	return ""
}

// of is the numbers of a kind of board.
func (u usb) of(fqbn string) (usb, error) {
	magic, ok := otafile.ByFQBN(fqbn)
	if !ok || magic == otafile.ESP32 {
		return u, usage{fmt.Errorf("%q is not a board that comes in by a token of its own; say which it is with --fqbn, such as arduino:samd:nano_33_iot", fqbn)}
	}
	u.VID, u.PID = fmt.Sprintf("%04x", uint32(magic)>>16), fmt.Sprintf("%04x", uint32(magic)&0xffff)
	return u, nil
}

// onboardFlags are what people say of a board and its network.
type onboardFlags struct {
	port, name, fqbn            string
	wifi, apn, pin, login, pass string
	connection                  string
	locked                      bool
}

// network is how the board is to be connected.
func (f onboardFlags) network(in io.Reader) (provision.Message, error) {
	secret := ""
	if f.pass != "" {
		var err error
		if secret, err = firstLine(f.pass, in); err != nil {
			return nil, usage{err}
		}
	}
	cellular := provision.Cellular{PIN: f.pin, APN: f.apn, Login: f.login, Password: secret}
	switch f.connection {
	case "wifi":
		if f.wifi == "" {
			return nil, usage{errors.New("say which Wi-Fi: --wifi, and its password with --password-file")}
		}
		return provision.WiFi{SSID: f.wifi, Password: secret}, nil
	case "eth":
		return provision.Ethernet{}, nil
	case "cellular":
		return cellular, nil
	case "gsm":
		return provision.GSM(cellular), nil
	case "nb":
		return provision.NBIoT(cellular), nil
	case "catm1":
		return provision.CatM1{PIN: f.pin, APN: f.apn, Login: f.login, Password: secret}, nil
	}
	return nil, usage{fmt.Errorf("--connection %q is none of wifi, eth, cellular, gsm, nb, catm1", f.connection)}
}

// firstLine is the first line of a file, or of in for "-".
func firstLine(path string, in io.Reader) (string, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, 4096))
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(bytes.TrimSuffix(line, []byte("\r"))), nil
}

// onboarded is a board that has come in.
type onboarded struct {
	client.Device `yaml:",inline"`
	HardwareID    string `json:"unique_hardware_id" yaml:"unique_hardware_id"`
}

// untilBoards is how long is waited for boards. Tests are less patient.
var untilBoards provision.Patience

func (a *app) deviceOnboard() *cobra.Command {
	var f onboardFlags
	c := &cobra.Command{
		Use: "onboard --port PORT", Short: "Bring in a board that is on a cable, with a key of its own",
		Long: `Bring in a board that is on a cable: Arduino's boards with a secure element, which run the sketch
Provisioning_2.0 of the library ArduinoIoTCloud, built for this server. The board is claimed with a
token that its element signs, told its network, and fetches its certificate by itself.
The Wi-Fi's password is the first line of a file, or of the standard input with -.`,
		Example: "  ardesiactl device onboard --port /dev/ttyACM0 --name gate --wifi School --password-file wifi.txt\n  ardesiactl device onboard --port /dev/ttyACM0 --connection eth --fqbn arduino:mbed_opta:opta",
		Args:    args(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return a.onboard(c, f) },
	}
	c.Flags().StringVar(&f.port, "port", "", "the board's serial port")
	c.Flags().StringVar(&f.name, "name", "", "the device's name (default: one is made up)")
	c.Flags().StringVar(&f.fqbn, "fqbn", "", "fully qualified board name (default: as USB tells)")
	c.Flags().StringVar(&f.connection, "connection", "wifi", "how the board is connected: wifi, eth, cellular, gsm, nb or catm1")
	c.Flags().StringVar(&f.wifi, "wifi", "", "name of the Wi-Fi")
	c.Flags().StringVar(&f.pass, "password-file", "", "file whose first line is the network's password")
	c.Flags().StringVar(&f.apn, "apn", "", "access point of the mobile network")
	c.Flags().StringVar(&f.pin, "pin", "", "PIN of the SIM card")
	c.Flags().StringVar(&f.login, "login", "", "user name at the mobile network")
	c.Flags().BoolVar(&f.locked, "locked", false, "nobody in another space may claim the board while it is this device")
	_ = c.MarkFlagRequired("port")
	return c
}

func (a *app) onboard(c *cobra.Command, f onboardFlags) error {
	network, err := f.network(c.InOrStdin())
	if err != nil {
		return err
	}
	board := usbOf(f.port)
	fqbn := f.fqbn
	if fqbn == "" {
		fqbn = board.fqbn()
	}
	if board, err = board.of(fqbn); err != nil {
		return err
	}
	s, err := a.server()
	if err != nil {
		return err
	}
	sketch, radio, err := leastVersions(c.Context(), s, fqbn)
	if err != nil {
		return err
	}
	line, err := openSerial(f.port)
	if err != nil {
		return usage{fmt.Errorf("open %s: %w", f.port, err)}
	}
	person := provision.Client{
		Cloud: s, Now: time.Now, Name: f.name, Connection: f.connection, Network: network, Locked: f.locked,
		VID: board.VID, PID: board.PID, Serial: board.Serial, MinSketch: sketch, MinWiFi: radio,
		Step: func(what string) { fmt.Fprintln(c.ErrOrStderr(), what) }, Patience: untilBoards,
	}
	got, err := person.Onboard(c.Context(), line)
	if err != nil {
		return err
	}
	out := onboarded{HardwareID: got.HardwareID}
	if err := s.Do(c.Context(), "GET", "/iot/v2/devices/"+url.PathEscape(got.Device), nil, &out.Device); err != nil {
		return err
	}
	return a.print(c, out, []string{"device id", "name", "type", "board"}, [][]string{{out.ID, out.Name, out.Type, out.HardwareID}})
}

// leastVersions are the oldest versions of a board's sketch and radio that the server wants, "" for any.
func leastVersions(ctx context.Context, s *client.Client, fqbn string) (sketch, radio string, err error) {
	var all []struct {
		FQBN   string `json:"fqbn"`
		Sketch string `json:"min_provisioning_sketch_version"`
		WiFi   string `json:"min_provisioning_wifi_version"`
	}
	if err := s.Do(ctx, "GET", "/iot/v1/supported/devices", nil, &all); err != nil {
		return "", "", err
	}
	for _, b := range all {
		if b.FQBN == fqbn {
			return b.Sketch, b.WiFi, nil
		}
	}
	return "", "", nil
}

func (a *app) onboarding() *cobra.Command {
	return group("onboarding", "Boards that were claimed and are on their way", a.onboardingList(), a.onboardingDrop())
}

// onboarding is one of them, as the API tells it.
type onboarding struct {
	ID            string `json:"id" yaml:"id"`
	HardwareID    string `json:"unique_hardware_id" yaml:"unique_hardware_id"`
	Name          string `json:"device_name" yaml:"device_name"`
	Connection    string `json:"connection_type" yaml:"connection_type"`
	DeviceID      string `json:"device_id" yaml:"device_id"`
	UserID        string `json:"user_id" yaml:"user_id"`
	OrgID         string `json:"org_id" yaml:"org_id"`
	BLEMAC        string `json:"ble_mac" yaml:"ble_mac"`
	FQBN          string `json:"fqbn" yaml:"fqbn"`
	ClaimedAt     string `json:"claimed_at" yaml:"claimed_at"`
	ProvisionedAt string `json:"provisioned_at" yaml:"provisioned_at"`
	EndedAt       string `json:"ended_at" yaml:"ended_at"`
}

func (o onboarding) state() string {
	switch {
	case o.EndedAt != "":
		return "done"
	case o.ProvisionedAt != "":
		return "has its certificate"
	}
	return "claimed"
}

func (a *app) onboardingList() *cobra.Command {
	var all bool
	c := &cobra.Command{Use: "list", Short: "Those that you claimed; --all shows everybody's, and those that are done", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		out := struct {
			Onboardings []onboarding `json:"onboardings"`
		}{}
		path := "/provisioning/v1/onboarding"
		if all {
			path += "?all=true"
		}
		if err := s.Do(c.Context(), "GET", path, nil, &out); err != nil {
			return err
		}
		var rows [][]string
		for _, o := range out.Onboardings {
			rows = append(rows, []string{o.ID, o.Name, o.FQBN, o.state(), o.ClaimedAt, o.DeviceID})
		}
		return a.print(c, out.Onboardings, []string{"id", "name", "board", "state", "claimed", "device"}, rows)
	}}
	c.Flags().BoolVar(&all, "all", false, "everybody's, and those that are done")
	return c
}

func (a *app) onboardingDrop() *cobra.Command {
	return &cobra.Command{Use: "drop ID", Short: "Drop one; a device that it made and that never connected goes with it", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if err := a.confirm(c, "onboarding "+given[0]); err != nil {
			return err
		}
		return s.Do(c.Context(), "DELETE", "/provisioning/v1/onboarding/"+url.PathEscape(given[0]), nil, nil)
	}}
}
