package sketch

import (
	"context"
	"errors"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Things is what this room needs of the room of things.
type Things interface {
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
}

// Devices is the same of the room of devices.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Things  Things
	Devices Devices
	// Place is where programs find this server now. It is asked for each program.
	Place func() Place
}

// A Service writes programs for things.
type Service struct{ needs Needs }

// New makes the room.
func New(needs Needs) (*Service, error) {
	if needs.Things == nil || needs.Devices == nil || needs.Place == nil {
		return nil, errors.New("sketches need Things, Devices and Place")
	}
	return &Service{needs}, nil
}

// Make writes the program of a thing, for the device that is attached to it and as q says. Errors are those of the rooms of
// things and devices, and this room's.
func (s *Service) Make(ctx context.Context, who access.Actor, id string, q Query) (Program, error) {
	t, err := s.needs.Things.Get(ctx, who, id, false)
	if err != nil {
		return Program{}, err
	}
	var d *device.Device
	if t.Device != "" {
		one, err := s.needs.Devices.Get(ctx, who, who.Space, t.Device, false)
		switch {
		case errors.Is(err, device.ErrNotFound): // is being deleted, and will be detached
		case err != nil:
			return Program{}, err
		default:
			d = &one
		}
	}
	spec, err := specFor(q, d)
	if err != nil {
		return Program{}, err
	}
	spec.Thing, spec.Properties, spec.Place = t.Name, t.Living(), s.needs.Place()
	return Generate(spec)
}
