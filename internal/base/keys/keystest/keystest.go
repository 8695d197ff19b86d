// Package keystest seals for tests of rooms: what it seals can be read, but only at the
// place for which it was sealed, so that a test sees whether it is where it belongs.
package keystest

import (
	"bytes"
	"context"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A Ring has a key for every space, thing, device and person.
type Ring struct{}

// Space is the key of a space.
func (Ring) Space(_ context.Context, id string) (keys.Sealer, error) { return label(id), nil }

// Person is the key of a person.
func (Ring) Person(_ context.Context, id string) (keys.Sealer, error) { return label(id), nil }

// Thing is the key of a thing.
func (Ring) Thing(_ context.Context, space, id string) (keys.Sealer, error) {
	return label(space + "/thing/" + id), nil
}

// Device is the key of a device.
func (Ring) Device(_ context.Context, space, id string) (keys.Sealer, error) {
	return label(space + "/device/" + id), nil
}

// A label is a key: whose it is.
type label string

func (l label) Seal(plain, aad []byte) ([]byte, error) {
	return append([]byte(string(l)+"|"+string(aad)+"|"), plain...), nil
}

func (l label) Open(sealed, aad []byte) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(string(l)+"|"+string(aad)+"|"))
	if !ok {
		return nil, keys.ErrSeal
	}
	return plain, nil
}
