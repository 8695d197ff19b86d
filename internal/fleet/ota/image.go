package ota

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// imageName is a name as people may give it.
func imageName(name string) (string, error) {
	name = strings.TrimSpace(name)
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "", ErrInvalid.With(fmt.Sprintf("An image's name has at most %d printable characters.", maxName))
	}
	return name, nil
}

// left is how many bytes the next file of a space may have, of room for all of them.
func (s *Service) left(ctx context.Context, space string, room int64) (int64, error) {
	used, err := s.needs.Blobs.Bytes(ctx, space)
	if err != nil {
		return 0, err
	}
	if used >= room {
		return 0, ErrStorage
	}
	return min(otafile.MaxFile, room-used), nil
}

// upload stores and checks in one pass. room is for all files of the space.
func (s *Service) upload(ctx context.Context, who access.Actor, space, name string, lasting bool, r io.Reader, room int64) (Image, error) {
	most, err := s.left(ctx, space, room)
	if err != nil {
		return Image{}, err
	}
	// What is read for the check is what is stored.
	pipe, stored := io.Pipe()
	type put struct {
		blob blob.Blob
		err  error
	}
	done := make(chan put, 1)
	go func() {
		b, err := s.needs.Blobs.Put(ctx, space, pipe, most)
		_ = pipe.CloseWithError(err)
		done <- put{b, err}
	}()
	info, err := otafile.Check(io.TeeReader(r, stored), nil)
	_ = stored.CloseWithError(err) // nil is the end of the file
	kept := <-done
	if errors.Is(kept.err, blob.ErrTooLarge) {
		return Image{}, ErrStorage
	}
	if err := errors.Join(kept.err, err); err != nil {
		if kept.err == nil {
			s.drop(ctx, kept.blob.ID)
		}
		return Image{}, err
	}
	i := Image{ID: uuid.NewString(), Space: space, Owner: who.ID, Name: name, blob: kept.blob.ID, Info: info, Lasting: lasting, CreatedAt: s.now(), UsedAt: s.now()}
	there, err := s.needs.Store.imageOf(ctx, space, info.FileSHA)
	switch {
	case err == nil:
		s.drop(ctx, i.blob)
		if lasting && !there.Lasting {
			there.Lasting = true
			err = s.needs.Store.last(ctx, there)
		}
		return there, err
	case !errors.Is(err, ErrImageNotFound):
		s.drop(ctx, i.blob)
		return Image{}, err
	}
	err = s.needs.Store.addImage(ctx, i, room, s.entry(who, space, "ota:upload", "ota-image", i.ID, map[string]string{"board": i.Magic.String()}))
	if err != nil {
		s.drop(ctx, i.blob)
		return Image{}, fmt.Errorf("keep image %s: %w", i.ID, err)
	}
	return i, nil
}

// drop removes a file that nobody refers to. If that fails it goes within a day.
func (s *Service) drop(ctx context.Context, id string) {
	if err := s.needs.Blobs.Drop(context.WithoutCancel(ctx), id); err != nil {
		s.needs.Log.WarnContext(ctx, "a file that nobody refers to is still there; it goes within a day", "file", id, "err", err)
	}
}

// UploadImage is Upload for a plain image, which it encodes for a board.
func (s *Service) UploadImage(ctx context.Context, who access.Actor, space, name, fqbn string, lasting bool, image []byte) (Image, error) {
	magic, ok := otafile.ByFQBN(fqbn)
	if !ok {
		return Image{}, ErrInvalid.With("The fqbn is not that of a board that is updated over the air, such as \"arduino:samd:nano_33_iot\".")
	}
	file, err := otafile.Encode(image, magic)
	if err != nil {
		return Image{}, err
	}
	return s.Upload(ctx, who, space, name, lasting, strings.NewReader(string(file)))
}

// Images tells the images of a space, the newest first.
func (s *Service) Images(ctx context.Context, who access.Actor, space string) ([]Image, error) {
	if err := ours(who, space); err != nil {
		return nil, err
	}
	all, err := s.needs.Store.images(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("list images of space %s: %w", space, err)
	}
	return all, nil
}

// Image tells one image.
func (s *Service) Image(ctx context.Context, who access.Actor, space, id string) (Image, error) {
	if err := ours(who, space); err != nil {
		return Image{}, err
	}
	return s.needs.Store.image(ctx, space, id)
}

// DeleteImage removes an image and its file. Updates that it was used for stay in the history.
func (s *Service) DeleteImage(ctx context.Context, who access.Actor, space, id string) error {
	i, err := s.Image(ctx, who, space, id)
	if err != nil {
		return err
	}
	return s.needs.Store.deleteImage(ctx, i, s.entry(who, space, "ota:delete", "ota-image", id, nil))
}

// Count is how many bytes the files of a space have.
func (s *Service) Count(ctx context.Context, space string) (int64, error) {
	return s.needs.Blobs.Bytes(ctx, space)
}

// EraseSpace removes images, updates and files of a space. It needs no key of the space, which may be gone, and is
// repeatable; who is System.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	if who.Kind != access.System {
		return access.ErrDenied
	}
	if err := s.needs.Store.clear(ctx, space, s.entry(who, space, "ota:erase", "space", space, nil)); err != nil {
		return fmt.Errorf("remove updates of space %s: %w", space, err)
	}
	return s.needs.Blobs.Clear(ctx, space)
}

// Forget removes the updates of a device that is gone for good. It is repeatable.
func (s *Service) Forget(ctx context.Context, device string) error {
	if err := s.needs.Store.forget(ctx, device); err != nil {
		return fmt.Errorf("remove updates of device %s: %w", device, err)
	}
	return nil
}

// Repair removes the updates of devices that went while nobody listened; there says whether a device is still there.
func (s *Service) Repair(ctx context.Context, there func(ctx context.Context, devices []string) (map[string]bool, error)) error {
	all, err := s.needs.Store.devices(ctx)
	if err != nil {
		return fmt.Errorf("look for devices with updates: %w", err)
	}
	living, err := there(ctx, all)
	if err != nil {
		return err
	}
	for _, id := range all {
		if living[id] {
			continue
		}
		if err := s.Forget(ctx, id); err != nil {
			return err
		}
	}
	return nil
}
