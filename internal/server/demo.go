package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	board "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/simulated"
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
	sender := make(chan error, 1)
	go func() {
		c := board.Config{DeviceID: deviceID, SecretKey: key, QoS: 1, Now: s.world.Now, Log: s.log, Dial: s.dialOwn}
		sender <- simulated.Run(ctx, c, time.Second, io.Discard)
	}()
	for {
		select {
		case <-ctx.Done():
			<-sender
			return ctx.Err()
		case err := <-sender:
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
	t, err := s.demoThing(ctx, who, d.ID)
	if err != nil {
		return "", "", "", err
	}
	return t.ID, d.ID, key, s.demoDashboard(ctx, who, t)
}

func (s *Server) demoThing(ctx context.Context, who access.Actor, device string) (thing.Thing, error) {
	return s.things.Create(ctx, who, thing.Thing{Name: "Greenhouse", Timezone: "Europe/Rome", Device: device, Properties: []thing.Property{
		{Name: "temperature", Variable: "temperature", Type: thing.TypeOf("TEMPERATURE"), Permission: thing.ReadOnly, Strategy: thing.OnChange, Min: math.NaN(), Max: math.NaN(), Persist: true},
	}}, true)
}

// demoDashboard shows the sample thing.
func (s *Server) demoDashboard(ctx context.Context, who access.Actor, t thing.Thing) error {
	temperature := []string{t.Properties[0].ID}
	_, err := s.dashboards.Create(ctx, who, dashboard.Dashboard{Name: "Greenhouse", Widgets: []dashboard.Widget{
		{ID: uuid.NewString(), Type: "Gauge", Name: "Now", Place: dashboard.Place{X: 0, Y: 0, Width: 4, Height: 4}, Options: []byte(`{"min":10,"max":35}`), Variables: temperature},
		{ID: uuid.NewString(), Type: "Chart", Name: "Today", Place: dashboard.Place{X: 4, Y: 0, Width: 8, Height: 4}, Options: []byte(`{}`), Variables: temperature},
		{ID: uuid.NewString(), Type: "Sticky Note", Name: "About", Place: dashboard.Place{X: 0, Y: 4, Width: 12, Height: 2}, Options: []byte(`{"text":"A simulated board sends these values."}`)},
	}})
	return err
}
