package dashboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/picture"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrImage is a file that is no picture that we show.
	ErrImage = problem.New(problem.Invalid, "dashboard-image", "A picture is a PNG, JPEG or WebP file that can be read. SVG and animations are not taken.")
	// ErrImageSize is a picture with too many pixels.
	ErrImageSize = problem.New(problem.Invalid, "dashboard-image-size", fmt.Sprintf("A picture has at most %d by %d pixels: make it smaller.", maxSide, maxSide))
	// ErrImageBytes is a picture that is too large, before or after it was written anew.
	ErrImageBytes = problem.New(problem.TooLarge, "dashboard-image-bytes", fmt.Sprintf("A picture has at most %d KiB: make it smaller.", MaxImage>>10))
	// ErrStorage is a space whose files take all the room that they may.
	ErrStorage = problem.New(problem.Precondition, "dashboard-storage", "The files of this space take all the room that they may: remove pictures or images that nobody needs, or ask whoever runs this server for more (ardesia space quota).")
	// ErrNoImage is a picture that is not there.
	ErrNoImage = problem.New(problem.NotFound, "dashboard-no-image", "The dashboard has no such picture.")
	// ErrTooManyImages is a dashboard that has as many pictures as it may have.
	ErrTooManyImages = problem.New(problem.Precondition, "too-many-dashboard-images", "A dashboard has at most 30 pictures. Remove one first.")
)

const (
	MaxImage  = 1 << 20 // bytes, as it comes and as it is kept
	maxSide   = 2048    // pixels: 16 MiB of memory while it is read
	easels    = 1       // pictures that are read at once
	maxImages = 30      // of one dashboard, its cover among them
)

// An Image is a picture on a dashboard: its cover, or what a widget shows.
type Image struct {
	ID, Dashboard string
	Kind          string // media type
	Bytes         []byte // sealed in the Store
	At            time.Time
}

// pictures is the part of Store about images.
type pictures interface {
	// addImage is ErrStorage when the pictures of the space would have more than room bytes.
	addImage(ctx context.Context, space string, i Image, room int64, e journal.Entry) error
	imageBytes(ctx context.Context, space string) (int64, error)
	image(ctx context.Context, dashboard, id string) (Image, error)
	dropImage(ctx context.Context, space, dashboard, id string, e journal.Entry) error
}

const picturePrefix = "/v1/dashboards/"

// imagePath is the address of a picture.
func imagePath(dashboard, id string) string { return picturePrefix + dashboard + "/images/" + id }

// AddImage keeps a picture for a dashboard of who's space. Its pixels are kept and nothing else.
func (s *Service) AddImage(ctx context.Context, who access.Actor, id string, raw []byte) (Image, error) {
	d, err := s.own(ctx, who, id)
	if err != nil {
		return Image{}, err
	}
	// A picture takes some 30 MiB and a part of a second: those who wait cost nothing.
	select {
	case s.easel <- struct{}{}:
	case <-ctx.Done():
		return Image{}, ctx.Err()
	}
	kind, clean, err := func() (string, []byte, error) {
		defer func() { <-s.easel }()
		return picture.Clean(raw, MaxImage, maxSide)
	}()
	switch {
	case errors.Is(err, picture.ErrSide):
		return Image{}, ErrImageSize
	case errors.Is(err, picture.ErrBytes):
		return Image{}, ErrImageBytes
	case err != nil:
		return Image{}, ErrImage
	}
	i := Image{ID: uuid.NewString(), Dashboard: id, Kind: kind, At: s.now()}
	seal, err := s.needs.Keys.Space(ctx, d.Space)
	if err != nil {
		return Image{}, fmt.Errorf("key of space %s: %w", d.Space, err)
	}
	if i.Bytes, err = seal.Seal(clean, imagePlace(i)); err != nil {
		return Image{}, err
	}
	room, err := s.needs.Room(ctx, d.Space)
	if err != nil {
		return Image{}, err
	}
	return i, s.needs.Store.addImage(ctx, d.Space, i, room, s.entry(who, "dashboard:image", d.Space, id, map[string]string{"image": i.ID}))
}

// Bytes is how much the pictures of a space have together, as they are kept; those of deleted dashboards count.
func (s *Service) Bytes(ctx context.Context, space string) (int64, error) {
	n, err := s.needs.Store.imageBytes(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("count the pictures of space %s: %w", space, err)
	}
	return n, nil
}

func imagePlace(i Image) []byte { return keys.Place("dashboard_image", "image", i.Dashboard, i.ID) }

// Image is a picture of a dashboard that who may see.
func (s *Service) Image(ctx context.Context, who access.Actor, id, image string) (Image, error) {
	d, err := s.Get(ctx, who, id)
	if err != nil {
		return Image{}, err
	}
	return s.open(ctx, d, image)
}

// SharedImage is a picture of the dashboard that a public link shows.
func (s *Service) SharedImage(ctx context.Context, token, from, image string) (Image, error) {
	d, err := s.public(ctx, token, from)
	if err != nil {
		return Image{}, err
	}
	return s.open(ctx, d, image)
}

func (s *Service) open(ctx context.Context, d Dashboard, image string) (Image, error) {
	i, err := s.needs.Store.image(ctx, d.ID, image)
	if err != nil {
		return Image{}, err
	}
	seal, err := s.needs.Keys.Space(ctx, d.Space)
	if err != nil {
		return Image{}, fmt.Errorf("key of space %s: %w", d.Space, err)
	}
	if i.Bytes, err = seal.Open(i.Bytes, imagePlace(i)); err != nil {
		return Image{}, fmt.Errorf("picture %s: %w", i.ID, err)
	}
	return i, nil
}

// SetCover keeps a picture and makes it the cover of the dashboard. The one that was the cover before goes, if it was kept here.
func (s *Service) SetCover(ctx context.Context, who access.Actor, id string, raw []byte) (Dashboard, error) {
	i, err := s.AddImage(ctx, who, id, raw)
	if err != nil {
		return Dashboard{}, err
	}
	old := ""
	d, err := s.Update(ctx, who, id, func(d *Dashboard) error {
		old, d.Cover = d.Cover, imagePath(id, i.ID)
		return nil
	})
	if err != nil {
		return Dashboard{}, errors.Join(err, s.DropImage(ctx, who, id, i.ID))
	}
	if before, ours := imageOf(id, old); ours {
		if err = s.DropImage(ctx, who, id, before); errors.Is(err, ErrNoImage) {
			err = nil
		}
	}
	return d, err
}

// imageOf reads the address of a picture of a dashboard.
func imageOf(dashboard, address string) (id string, ours bool) {
	root := imagePath(dashboard, "")
	if len(address) != len(root)+36 || address[:len(root)] != root {
		return "", false
	}
	return address[len(root):], isUUID(address[len(root):])
}

// DropImage removes a picture.
func (s *Service) DropImage(ctx context.Context, who access.Actor, id, image string) error {
	if _, err := s.own(ctx, who, id); err != nil {
		return err
	}
	return s.needs.Store.dropImage(ctx, who.Space, id, image, s.entry(who, "dashboard:image", who.Space, id, map[string]string{"image": image, "removed": "true"}))
}
