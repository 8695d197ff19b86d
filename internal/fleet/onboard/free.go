package onboard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Free makes a board anybody's who has it, whatever was claimed in its name before: for operators, when somebody has brought a false
// board in under the hardware id of a true one. Its onboarding is dropped; the device that stands for it stays, without the board and without
// the certificates that came with it; its key is forgotten. It returns that device and its space, "" if there was none. Each step can be repeated: what was
// interrupted is asked for again.
func (s *Service) Free(ctx context.Context, who access.Actor, hardwareID string) (space, id string, err error) {
	if who.Kind != access.System {
		return "", "", access.ErrDenied
	}
	if hardwareID = strings.ToLower(hardwareID); !hardwareForm.MatchString(hardwareID) {
		return "", "", ErrInvalid.With("A unique hardware id is 64 hex digits.")
	}
	index := s.needs.MAC([]byte(hardwareID))
	// 1. Its way, if it is on one.
	r, err := s.needs.Store.last(ctx, index)
	if err == nil && r.EndedAt.IsZero() {
		err = s.drop(ctx, who, r, time.Time{}, "onboarding:drop")
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", "", err
	}
	release, err := s.turn(ctx, index)
	if err != nil {
		return "", "", err
	}
	defer release()
	b, err := s.needs.Store.board(ctx, index)
	known := err == nil
	if err != nil && !errors.Is(err, errNoBoard) {
		return "", "", err
	}
	// 2. The device that stands for it.
	held, proved, err := s.holder(ctx, b, hardwareID)
	if err != nil {
		return "", "", err
	}
	if held.ID != "" {
		if proved {
			if err := s.needs.Certificates.RevokeDevice(ctx, who, ca.Device{ID: held.ID, Space: held.Space}, ca.Superseded); err != nil {
				return "", "", fmt.Errorf("revoke the certificates of device %s: %w", held.ID, err)
			}
		}
		_, err := s.needs.Devices.RemoveHardwareID(ctx, who, held.Space, held.ID)
		if err != nil && !errors.Is(err, device.ErrNoHardware) && !errors.Is(err, device.ErrNotFound) {
			return "", "", err
		}
	}
	if !known && held.ID == "" {
		return "", "", ErrNotFound.With("Nobody has claimed or registered a board with that hardware id.")
	}
	if !known {
		return held.Space, held.ID, nil
	}
	// 3. Its key.
	e := s.entry(who, b.space, "board:free", shown(index), nil)
	e.Resource = "board"
	return held.Space, held.ID, s.needs.Store.free(ctx, b, e)
}
