package ota

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrNoFile is an address that leads to no file, or does so no more.
var ErrNoFile = problem.New(problem.NotFound, "ota-no-file", "There is no file at this address, or it is there no more.")

// ErrBoard is a download for another device than asks for it.
var ErrBoard = problem.New(problem.Unauthenticated, "ota-board", "The device's credentials are not good for this file.")

// The path of a file is "/ota/" and 43 characters, so that an address fits into the 128 that small boards have
// for it (device-protocol reference, section 7.3) as long as the host has no more than 70.
const (
	downloadPath = "/ota/"
	proofBytes   = 16 // 128 bits that nobody can guess
)

var tokenCode = base64.RawURLEncoding

// proof binds an address to one attempt of one update of one device.
func (s *Service) proof(u Update) []byte {
	var attempt [8]byte
	binary.BigEndian.PutUint64(attempt[:], uint64(u.Attempt))
	return s.needs.MAC(keys.Place("ota-file", u.ID, u.Device, string(attempt[:])))[:proofBytes]
}

// address is where the device of u finds its file.
func (s *Service) address(u Update) string {
	id := uuid.MustParse(u.ID)
	return s.needs.Address(downloadPath + tokenCode.EncodeToString(append(id[:], s.proof(u)...)))
}

// A Credential is what a board shows besides the address; only some do. ID is "" for none.
type Credential struct{ ID, Secret string }

// File opens the file that an address leads to: while the update lasts, and for its device.
func (s *Service) File(ctx context.Context, token string, c Credential) (*blob.Reader, error) {
	b, err := tokenCode.DecodeString(token)
	if err != nil || len(b) != 16+proofBytes {
		return nil, ErrNoFile
	}
	u, err := s.needs.Store.anywhere(ctx, uuid.UUID(b[:16]).String())
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(b[16:], s.proof(u)) || u.Status != InProgress {
		return nil, ErrNoFile
	}
	if c.ID != "" {
		system := access.Actor{Kind: access.System}
		if c.ID != u.Device || s.needs.Devices.CheckSecret(ctx, system, u.Space, u.Device, c.Secret) != nil {
			return nil, ErrBoard
		}
	}
	i, err := s.needs.Store.image(ctx, u.Space, u.Image)
	if errors.Is(err, ErrImageNotFound) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	return s.needs.Blobs.Open(ctx, u.Space, i.blob)
}
