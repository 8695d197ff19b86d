package server

import (
	"context"
	"fmt"
	"path/filepath"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

var (
	errLocked   = problem.New(problem.Invalid, "key-lock", "Say how the key is to be locked: by a passphrase, or by the file's mode alone.")
	errTooShort = problem.New(problem.Invalid, "key-passphrase", fmt.Sprintf("A passphrase for a key has at least %d characters.", keys.MinPassphrase))
)

// wireLock says what locks a new key file.
type wireLock struct {
	Passphrase string `json:"passphrase"`
	Plain      bool   `json:"plain"` // no passphrase: the file's mode alone
	File       string `json:"file"`  // of a recovery key
}

func (l wireLock) check() error {
	switch {
	case (l.Passphrase == "") != l.Plain:
		return errLocked
	case !l.Plain && utf8.RuneCountInString(l.Passphrase) < keys.MinPassphrase:
		return errTooShort
	}
	return nil
}

// keyRotate takes a new root key. The numbers are those of docs/acts/rotate-root-key.md;
// steps 3 to 5 are keys.Root's.
func (s *Server) keyRotate(ctx context.Context, in wireLock) (any, error) {
	// 1. The old root key is open; the new passphrase can be used.
	if err := in.check(); err != nil {
		return nil, err
	}
	root := s.data.root
	old := root.RootID()
	// 2. The intent.
	if err := s.record(ctx, "keys:rotate", old); err != nil {
		return nil, err
	}
	if err := root.Rotate(ctx, keys.Options{Passphrase: secret.New(in.Passphrase), Now: s.world.Now}); err != nil {
		return nil, err
	}
	// 6. Which one it is now.
	if err := s.record(ctx, "keys:rotated", root.RootID()); err != nil {
		return nil, err
	}
	return map[string]any{"old": old, "new": root.RootID(), "file": filepath.Join(s.cfg.Data, "keys", "root.key")}, nil
}

// keyRecovery makes a key that opens all backups from now on, and is kept elsewhere.
func (s *Server) keyRecovery(ctx context.Context, in wireLock) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	signer, err := s.data.ring.Signer(ctx, "backup") // of the archives, as ops/backup names it
	if err != nil {
		return nil, err
	}
	if err := s.record(ctx, "keys:recovery", s.data.root.RootID()); err != nil {
		return nil, err
	}
	if err := s.data.root.NewRecovery(ctx, in.File, signer.Public(), secret.New(in.Passphrase)); err != nil {
		return nil, err
	}
	return map[string]any{"file": in.File}, nil
}

// record writes a journal entry about the installation's own keys.
func (s *Server) record(ctx context.Context, action, id string) error {
	return s.data.core.Write(ctx, func(tx *db.Tx) error {
		return journal.Record(ctx, tx, journal.Entry{At: s.world.Now(), Actor: operator.String(), Action: action, Resource: "keys", ID: id})
	})
}
