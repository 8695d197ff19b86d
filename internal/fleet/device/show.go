package device

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Show is devices of who's space as the API tells of them, ready to be encoded.
func (s *Service) Show(ctx context.Context, who access.Actor, all []Device) ([]any, error) {
	wire, err := s.wire(ctx, who, all)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(wire))
	for i := range wire {
		out[i] = wire[i]
	}
	return out, nil
}
