package board

import (
	"context"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// often lets a test ask as often as it likes.
func often(c *server.Config) { c.APIRate = -1 }

// A simulation is what the API says of one.
type simulation struct {
	Running bool       `json:"running"`
	Until   *time.Time `json:"until"`
}

func (o owner) simulation(id string) (now simulation) {
	o.t.Helper()
	o.do("GET", "/v1/devices/"+id+"/simulation", nil, &now)
	return now
}

func (o owner) status(id string) string {
	o.t.Helper()
	var d struct {
		Status string `json:"device_status"`
	}
	o.do("GET", "/iot/v2/devices/"+id, nil, &d)
	return d.Status
}

// valueOf is the last value of a property of a thing, nil before the first.
func (o owner) valueOf(th client.Thing, variable string) any {
	o.t.Helper()
	var all []struct {
		Variable string `json:"variable_name"`
		Last     any    `json:"last_value"`
		At       string `json:"value_updated_at"`
	}
	o.do("GET", "/iot/v2/things/"+th.ID+"/properties", nil, &all)
	for _, p := range all {
		if p.Variable == variable && p.At != "" {
			return p.Last
		}
	}
	return nil
}

// The server is a board: its values come as a board's do and what is set arrives, until somebody stops it.
func TestTheServerSimulatesABoard(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, often)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("simulated")
	th := o.thing("Greenhouse", id, map[string]string{"temperature": "TEMPERATURE", "led": "STATUS"})
	begin := time.Now()
	var now simulation
	o.do("POST", "/v1/devices/"+id+"/simulation", map[string]string{"secret_key": secretKey}, &now)
	if !now.Running || now.Until == nil || now.Until.Sub(begin) < 59*time.Minute || now.Until.Sub(begin) > 61*time.Minute {
		t.Errorf("started: %+v", now)
	}
	eventually(t, "a temperature came", func() bool { return o.valueOf(th, "temperature") != nil })
	t.Logf("the first value came %v after it was asked for", time.Since(begin).Round(time.Millisecond))
	o.publish(th, "led", true)
	eventually(t, "the led is on", func() bool { return o.valueOf(th, "led") == true })
	o.do("DELETE", "/v1/devices/"+id+"/simulation", nil, nil)
	eventually(t, "it left", func() bool { return o.status(id) == "OFFLINE" })
	if o.simulation(id).Running {
		t.Error("it runs still")
	}
}

// Whoever else connects as the device is the real one: the simulation ends, and drives nobody out.
func TestARealBoardEndsItsSimulation(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, often)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("simulated")
	th := o.thing("Greenhouse", id, map[string]string{"temperature": "TEMPERATURE"})
	o.do("POST", "/v1/devices/"+id+"/simulation", map[string]string{"secret_key": secretKey}, nil)
	eventually(t, "a temperature came", func() bool { return o.valueOf(th, "temperature") != nil })
	roots, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	lost := make(chan device.Event, 64)
	value := device.Float("temperature", device.ReadOnly)
	c, err := device.New(device.Config{Host: "localhost", Address: h.At["mqtt-password"], DeviceID: id, SecretKey: secretKey, Roots: roots, Now: h.Now, Properties: []device.Property{value}, OnEvent: func(e device.Event) {
		if e.Kind == device.Disconnected || e.Kind == device.Failed {
			select {
			case lost <- e:
			default:
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	stop := fleettest.Run(t, func(ctx context.Context) error { return c.Run(ctx) })
	defer stop()
	value.Set(-40)
	eventually(t, "the simulation ended", func() bool { return !o.simulation(id).Running })
	value.Set(-41)
	eventually(t, "the real board is heard", func() bool { return o.valueOf(th, "temperature") == -41.0 })
	select {
	case e := <-lost:
		t.Errorf("the real board was driven out: %v", e)
	default:
	}
	if o.status(id) != "ONLINE" {
		t.Error("the real board is offline")
	}
}

// After a restart none is simulated: the key was nowhere but in memory.
func TestASimulationEndsWithTheServer(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t, often)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("simulated")
	o.do("POST", "/v1/devices/"+id+"/simulation", map[string]string{"secret_key": secretKey}, nil)
	eventually(t, "it is online", func() bool { return o.status(id) == "ONLINE" })
	h.Stop()
	again := h.Again()
	o = owner{t, again, again.Client(o.key), o.key}
	if o.simulation(id).Running {
		t.Error("it runs after a restart")
	}
	o.do("POST", "/v1/devices/"+id+"/simulation", map[string]string{"secret_key": secretKey}, nil)
	eventually(t, "it is online again", func() bool { return o.status(id) == "ONLINE" })
}
