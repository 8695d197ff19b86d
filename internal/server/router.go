package server

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// router leads what comes over MQTT to its room: devices' own topics to the room
// of devices, things' topics to that of things.
type router struct {
	now     func() time.Time
	devices *device.Service
	things  *thing.Service
	// identify says who brings a token, as for HTTP, and in which space.
	identify func(ctx context.Context, token string) (access.Actor, error)
	// refused is told of a device that was not let in, and what it called itself.
	refused func(id string, err error)
}

var errUser = problem.New(problem.Unauthenticated, "user-name", "The user name must be the id of the token's owner.")

// Certificate lets a board in by its certificate.
func (r *router) Certificate(ctx context.Context, leaf *x509.Certificate, clientID string, remote netip.Addr) (mqtt.Identity, error) {
	x, err := r.devices.AuthenticateCertificate(ctx, leaf, clientID, remote)
	if err != nil {
		r.refused(clientID, err)
		return mqtt.Identity{}, err
	}
	return mqtt.Identity{Kind: mqtt.Device, ID: x.Device, Session: x}, nil
}

// Password lets a board in by its id and secret key.
func (r *router) Password(ctx context.Context, username, password, clientID string, remote netip.Addr) (mqtt.Identity, error) {
	x, err := r.devices.Authenticate(ctx, username, password, clientID, remote)
	if err != nil {
		r.refused(username, err)
		return mqtt.Identity{}, err
	}
	return mqtt.Identity{Kind: mqtt.Device, ID: x.Device, Session: x}, nil
}

// Token lets a person's program in by an access token.
func (r *router) Token(ctx context.Context, username, token, _ string, _ netip.Addr) (mqtt.Identity, error) {
	who, err := r.identify(ctx, token)
	if err != nil {
		return mqtt.Identity{}, err
	}
	if username != who.ID {
		return mqtt.Identity{}, errUser
	}
	return mqtt.Identity{Kind: mqtt.User, ID: who.ID, Session: who}, nil
}

func (r *router) MayPublish(id mqtt.Identity, name string) bool {
	switch s := id.Session.(type) {
	case *device.Session:
		return r.devices.MayPublish(s, name)
	case access.Actor:
		return topic.UserMayPublish(name, func(thing string) topic.Permit { return r.things.Permit(s, thing) })
	}
	return false
}

func (r *router) MaySubscribe(id mqtt.Identity, name string) bool {
	switch s := id.Session.(type) {
	case *device.Session:
		return r.devices.MaySubscribe(s, name)
	case access.Actor:
		return topic.UserMaySubscribe(name, func(thing string) topic.Permit { return r.things.Permit(s, thing) })
	}
	return false
}

// Publish hands a message to its room. The broker has asked MayPublish.
func (r *router) Publish(id mqtt.Identity, name string, payload []byte, qos byte, done func(error)) {
	t, ok := topic.Parse(name)
	if !ok {
		done(nil)
		return
	}
	switch s := id.Session.(type) {
	case *device.Session:
		if t.OfDevice() {
			r.devices.Published(context.Background(), s, t, payload, qos > 0, done)
			return
		}
		s.Touch(r.now())
		r.things.DevicePublish(s.Device, t, payload, done)
	case access.Actor:
		r.things.UserPublish(s, t, payload, done)
	default:
		done(nil)
	}
}

func (r *router) Subscribed(id mqtt.Identity, name string, qos byte) {
	if s, ok := id.Session.(*device.Session); ok {
		if t, ok := topic.Parse(name); ok {
			r.devices.Subscribed(s, t, qos)
		}
	}
}

func (r *router) Connected(id mqtt.Identity, _ string) {
	if s, ok := id.Session.(*device.Session); ok {
		r.devices.Connected(s)
	}
}

func (r *router) Disconnected(id mqtt.Identity, _ error) {
	if s, ok := id.Session.(*device.Session); ok {
		r.devices.Disconnected(s)
	}
}

// takenOver tells the room of devices that two addresses use one identity.
func (r *router) takenOver(id mqtt.Identity, from, by netip.Addr) {
	if s, ok := id.Session.(*device.Session); ok {
		r.devices.TakenOver(s, from, by)
	}
}
