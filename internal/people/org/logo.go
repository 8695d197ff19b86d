package org

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/picture"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrLogo is a file that is no picture that we show.
	ErrLogo = problem.New(problem.Invalid, "space-logo", "A logo is a PNG, JPEG or WebP picture that can be read. SVG and animations are not taken.")
	// ErrLogoSize is a picture with too many or too few pixels.
	ErrLogoSize = problem.New(problem.Invalid, "space-logo-size", fmt.Sprintf("A logo has at most %d by %d pixels: make it smaller.", maxSide, maxSide))
	// ErrLogoBytes is a picture that is too large, before or after it was written anew.
	ErrLogoBytes = problem.New(problem.TooLarge, "space-logo-bytes", fmt.Sprintf("A logo has at most %d KiB: make it smaller or take fewer colours.", MaxLogo>>10))
	// ErrNoLogo is a space without one.
	ErrNoLogo = problem.New(problem.NotFound, "space-no-logo", "This space has no logo.")
)

const (
	MaxLogo = 256 << 10 // bytes, as it comes and as it is kept
	maxSide = 1024      // pixels: 4 MiB of memory while it is read
	easels  = 2         // pictures that are read at once
)

// A Logo is the picture of a space.
type Logo struct {
	Kind      string // media type
	Image     []byte
	UpdatedAt time.Time
}

type logoRow struct {
	kind      string
	image     []byte // sealed
	updatedAt int64  // µs since 1970
}

// cleanLogo reads a picture and writes it anew: base/picture says why.
func cleanLogo(raw []byte) (kind string, clean []byte, err error) {
	kind, clean, err = picture.Clean(raw, MaxLogo, maxSide)
	switch {
	case errors.Is(err, picture.ErrSide):
		err = ErrLogoSize
	case errors.Is(err, picture.ErrBytes):
		err = ErrLogoBytes
	case err != nil:
		err = ErrLogo
	}
	return kind, clean, err
}

// SetLogo gives a space a picture.
func (s *Service) SetLogo(ctx context.Context, who access.Actor, space string, raw []byte) error {
	// A picture takes some 10 MiB and a tenth of a second: those who wait cost nothing.
	select {
	case s.easel <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	kind, clean, err := func() (string, []byte, error) {
		defer func() { <-s.easel }()
		return cleanLogo(raw)
	}()
	if err != nil {
		return err
	}
	seal, err := s.needs.Keys.Space(ctx, space)
	if err != nil {
		return fmt.Errorf("key of space %s: %w", space, err)
	}
	r := logoRow{kind: kind, updatedAt: s.needs.Now().UnixMicro()}
	if r.image, err = seal.Seal(clean, keys.Place("org_logo", "image", space)); err != nil {
		return err
	}
	return s.needs.Store.setLogo(ctx, space, r, s.entry(who, "org:logo", space, nil))
}

// DropLogo takes a space's picture away. It is repeatable.
func (s *Service) DropLogo(ctx context.Context, who access.Actor, space string) error {
	return s.needs.Store.dropLogo(ctx, space, s.entry(who, "org:logo", space, map[string]string{"removed": "true"}))
}

// Logo is the picture of a space, or ErrNoLogo.
func (s *Service) Logo(ctx context.Context, space string) (Logo, error) {
	r, err := s.needs.Store.logo(ctx, space)
	if err != nil {
		return Logo{}, err
	}
	seal, err := s.needs.Keys.Space(ctx, space)
	if err != nil {
		return Logo{}, fmt.Errorf("key of space %s: %w", space, err)
	}
	clean, err := seal.Open(r.image, keys.Place("org_logo", "image", space))
	if err != nil {
		return Logo{}, fmt.Errorf("logo of space %s: %w", space, err)
	}
	return Logo{r.kind, clean, time.UnixMicro(r.updatedAt).UTC()}, nil
}

// HasLogo says whether a space has a picture, without reading it.
func (s *Service) HasLogo(ctx context.Context, space string) (bool, error) {
	return s.needs.Store.hasLogo(ctx, space)
}
