package audit

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A Checkpoint says how many leaves a log has and what the root of their tree is.
type Checkpoint struct {
	Size uint64
	Root []byte // SHA-256, RFC 6962 section 2.1
	Text []byte // the signed note, as c2sp.org/tlog-checkpoint has it
}

var (
	errOther  = errors.New("the checkpoint is of another log")
	errForged = errors.New("the checkpoint does not bear this house's signature")
	errNote   = errors.New("this is no checkpoint")
)

// maxNote bounds a checkpoint, in bytes; ours have about 200.
const maxNote = 64 << 10

// signer signs checkpoints: note.Signer over a key that cannot be read.
type signer struct {
	key    crypto.Signer
	origin string
	check  note.Verifier
	public string // as programs that check notes want it: name, hash and key
}

// newSigner makes the signer of the log of a house, whose name every checkpoint bears.
func newSigner(house string, key crypto.Signer) (*signer, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("checkpoints are signed by Ed25519 keys")
	}
	s := &signer{key: key, origin: "ardesia-audit/" + house}
	var err error
	if s.public, err = note.NewEd25519VerifierKey(s.origin, public); err != nil {
		return nil, fmt.Errorf("key that checkpoints are checked with: %w", err)
	}
	if s.check, err = note.NewVerifier(s.public); err != nil {
		return nil, fmt.Errorf("key that checkpoints are checked with: %w", err)
	}
	return s, nil
}

// Name implements note.Signer.
func (s *signer) Name() string { return s.origin }

// KeyHash implements note.Signer.
func (s *signer) KeyHash() uint32 { return s.check.KeyHash() }

// Sign implements note.Signer.
func (s *signer) Sign(msg []byte) ([]byte, error) { return s.key.Sign(nil, msg, crypto.Hash(0)) }

// open reads a checkpoint that this house signed: else errNote, errOther or errForged.
func (s *signer) open(text []byte) (Checkpoint, error) {
	c, origin, err := parseCheckpoint(text)
	switch {
	case err != nil:
		return Checkpoint{}, err
	case origin != s.origin:
		return Checkpoint{}, errOther
	}
	if _, err := note.Open(text, note.VerifierList(s.check)); err != nil {
		return Checkpoint{}, errForged
	}
	return c, nil
}

// parseCheckpoint reads what a checkpoint says, without looking at who signed it.
func parseCheckpoint(text []byte) (c Checkpoint, origin string, err error) {
	if len(text) > maxNote {
		return c, "", errNote
	}
	body, _, ok := bytes.Cut(text, []byte("\n\n"))
	if !ok {
		return c, "", errNote
	}
	lines := strings.Split(string(body), "\n") // further lines are extensions, and signed as well
	if len(lines) < 3 || lines[0] == "" {
		return c, "", errNote
	}
	c.Text = text
	if c.Size, err = strconv.ParseUint(lines[1], 10, 63); err != nil || strconv.FormatUint(c.Size, 10) != lines[1] {
		return c, "", errNote
	}
	if c.Root, err = base64.StdEncoding.Strict().DecodeString(lines[2]); err != nil || len(c.Root) != sha256.Size {
		return c, "", errNote
	}
	return c, lines[0], nil
}
