package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

const demoEmail = "demo@localhost.localdomain"

// runDemo keeps a sample account with a thing, and a simulated board that
// connects over TLS with id and secret key, as a real one does, and sends a
// temperature each second. It prints what arrives.
func (s *Server) runDemo(ctx context.Context) error {
	thingID, deviceID, key, err := s.demoAccount(ctx)
	if err != nil {
		return fmt.Errorf("sample account: %w", err)
	}
	news := s.things.Changes.Subscribe(16)
	defer news.Close()
	board := make(chan error, 1)
	go func() { board <- s.demoBoard(ctx, thingID, deviceID, key) }()
	for {
		select {
		case <-ctx.Done():
			<-board
			return ctx.Err()
		case err := <-board:
			return fmt.Errorf("simulated board: %w", err)
		case c := <-news.C():
			if s.world.Out == nil || c.Thing != thingID {
				continue
			}
			for _, p := range c.Points {
				fmt.Fprintf(s.world.Out, "%s  temperature = %.1f °C\n", p.At.Local().Format(time.TimeOnly), p.Value.Num)
			}
		}
	}
}

// demoAccount finds or makes the sample account, its thing and its device. The
// device gets another secret key at each start, so none is kept anywhere.
func (s *Server) demoAccount(ctx context.Context) (thingID, deviceID, key string, err error) {
	u, err := s.accounts.Find(ctx, demoEmail)
	if errors.Is(err, account.ErrNotFound) {
		u, err = s.accounts.Add(ctx, operator, demoEmail, "Demo", secret.Letters(40)) // nobody signs in with it
	}
	if err != nil {
		return "", "", "", err
	}
	who := access.Actor{Kind: access.User, ID: u.ID, Space: u.Space, Role: access.Admin}
	devices, err := s.devices.List(ctx, who, u.Space, device.Filter{})
	if err != nil {
		return "", "", "", err
	}
	var d device.Device
	if len(devices) > 0 {
		d = devices[0]
	} else if d, err = s.devices.Create(ctx, who, device.Device{Name: "simulated-board", Type: "login_and_secretkey_wifi", FQBN: "esp32:esp32:esp32"}); err != nil {
		return "", "", "", err
	}
	key = secret.Letters(32)
	if err := s.devices.SetSecret(ctx, who, u.Space, d.ID, key); err != nil {
		return "", "", "", err
	}
	things, err := s.things.List(ctx, who, thing.Filter{Devices: []string{d.ID}})
	if err != nil {
		return "", "", "", err
	}
	if len(things) > 0 {
		return things[0].ID, d.ID, key, nil
	}
	t, err := s.things.Create(ctx, who, thing.Thing{Name: "Greenhouse", Timezone: "Europe/Rome", Device: d.ID, Properties: []thing.Property{
		{Name: "temperature", Variable: "temperature", Type: thing.TypeOf("TEMPERATURE"), Permission: thing.ReadOnly, Strategy: thing.OnChange, Min: math.NaN(), Max: math.NaN(), Persist: true},
	}}, true)
	return t.ID, d.ID, key, err
}

// demoBoard sends until ctx ends, and connects again when it is cut off.
func (s *Server) demoBoard(ctx context.Context, thingID, deviceID, key string) error {
	a, err := s.Addresses(ctx)
	if err != nil {
		return err
	}
	for {
		err := s.demoSession(ctx, a["mqtt-password"], thingID, deviceID, key)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.log.Warn("the simulated board was cut off; it connects again", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
}

func (s *Server) demoSession(ctx context.Context, addr, thingID, deviceID, key string) error {
	trust := &tls.Config{ServerName: s.cfg.Host, MinVersion: tls.VersionTLS12}
	if root := s.wall.Root(); root != nil {
		trust.RootCAs = x509.NewCertPool()
		trust.RootCAs.AddCert(root)
	}
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: trust}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	// CONNECT with clean session, user name and password (MQTT 3.1.1, section 3.1).
	body := mqttText(nil, "MQTT")
	body = append(body, 4, 0b1100_0010, 0, 30)
	for _, field := range []string{deviceID, deviceID, key} {
		body = mqttText(body, field)
	}
	if _, err := conn.Write(mqttPacket(0x10, body)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	ack := make([]byte, 4)
	if err := readAll(r, ack); err != nil || ack[0] != 0x20 || ack[3] != 0 {
		return errors.Join(err, fmt.Errorf("not let in: % x", ack))
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := uint16(1); ; n++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		at := float64(s.world.Now().Unix()%600) / 600 * 2 * math.Pi
		value := math.Round((21.5+3*math.Sin(at)+0.4*math.Sin(17*at))*10) / 10
		pack := senml.Append(nil, []senml.Record{{Name: "temperature", Kind: senml.Float, Num: value}})
		msg := mqttText(nil, topic.Name(topic.ThingOut, thingID))
		msg = append(binary.BigEndian.AppendUint16(msg, max(n, 1)), pack...)
		if _, err := conn.Write(mqttPacket(0x32, msg)); err != nil {
			return err
		}
		if err := readAll(r, ack); err != nil { // PUBACK: the value is on disk
			return err
		}
	}
}

func mqttText(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// mqttPacket joins a first byte, the length (the same form as a uvarint; section 2.2.3) and a body.
func mqttPacket(first byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{first}, uint64(len(body))), body...)
}

func readAll(r *bufio.Reader, p []byte) error {
	for i := range p {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		p[i] = b
	}
	return nil
}
