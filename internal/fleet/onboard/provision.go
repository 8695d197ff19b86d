package onboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// An Identity is what a board needs to be a device: docs/acts/claim-board.md.
type Identity struct {
	Device      string
	Certificate boardcert.Profile
	Signature   boardcert.Signature
}

// board finds the onboarding of the board that has signed a token: the open one, or the one that ended a short time ago.
// Anything that does not let the board in is ErrToken or ErrNoClaim. address is where it comes from.
func (s *Service) board(ctx context.Context, address, text string) (row, board, error) {
	if err := s.failures.Spent(address); err != nil {
		return row{}, board{}, err
	}
	r, b, err := s.identify(ctx, text)
	if errors.Is(err, ErrToken) || errors.Is(err, ErrNoClaim) {
		s.refused.Add(1)
		_ = s.failures.Take(nil, address) // what is above the rate was refused before
	}
	if err != nil {
		return row{}, board{}, err
	}
	return r, b, s.boards.Take(nil, string(b.index))
}

func (s *Service) identify(ctx context.Context, text string) (row, board, error) {
	t, err := readToken(text)
	if err != nil {
		return row{}, board{}, err
	}
	index := s.needs.MAC([]byte(t.Hardware))
	b, err := s.needs.Store.board(ctx, index)
	if errors.Is(err, errNoBoard) {
		return row{}, board{}, ErrToken // a stranger learns nothing
	}
	if err != nil {
		return row{}, board{}, fmt.Errorf("look for a board: %w", err)
	}
	if err := t.verify(b.key); err != nil {
		return row{}, board{}, err
	}
	if !t.fresh(s.now()) {
		return row{}, board{}, ErrToken
	}
	r, err := s.needs.Store.last(ctx, index)
	if errors.Is(err, ErrNotFound) {
		return row{}, board{}, ErrNoClaim
	}
	if err != nil {
		return row{}, board{}, err
	}
	if hash := t.hash(); bytes.Equal(hash[:], r.tokenHash) {
		return row{}, board{}, ErrToken // whoever claimed has this one: it does not speak for the board
	}
	now := s.now()
	if !r.open(now) && (r.EndedAt.IsZero() || now.After(r.EndedAt.Add(repeatLife))) {
		return row{}, board{}, ErrNoClaim
	}
	return r, b, nil
}

// Provision certifies the key of a board that was claimed, and makes its device: docs/acts/claim-board.md. The same key has the same
// answer; another one while the onboarding is open replaces the certificate before, which is revoked.
func (s *Service) Provision(ctx context.Context, address, token string, request []byte) (Identity, error) {
	// 1. Check the token, the claim and the request.
	r, _, err := s.board(ctx, address, token)
	if err != nil {
		return Identity{}, err
	}
	release, err := s.turn(ctx, r.index)
	if err != nil {
		return Identity{}, err
	}
	defer release()
	// Again, now that nobody else is at it.
	r, b, err := s.identify(ctx, token)
	if err != nil {
		return Identity{}, err
	}
	csr, hash, err := readRequest(request, r.HardwareID, b.key)
	if err != nil {
		return Identity{}, err
	}
	if !r.EndedAt.IsZero() {
		return s.repeat(ctx, r, hash[:], csr)
	}
	if err := s.mayStill(ctx, r); err != nil {
		return Identity{}, err
	}
	held, proved, err := s.holder(ctx, b, r.HardwareID)
	if err != nil {
		return Identity{}, fmt.Errorf("look whose a board is: %w", err)
	}
	if err := mayTake(held, proved, r.Space); err != nil {
		return Identity{}, err
	}
	if err := s.cut("provision", 1); err != nil {
		return Identity{}, err
	}
	if r, err = s.choose(ctx, r, held); err != nil {
		return Identity{}, err
	}
	if err := s.cut("provision", 2); err != nil {
		return Identity{}, err
	}
	if err := s.free(ctx, r, held, proved); err != nil {
		return Identity{}, err
	}
	if err := s.cut("provision", 3); err != nil {
		return Identity{}, err
	}
	if err := s.settle(ctx, &r, b); err != nil {
		return Identity{}, err
	}
	if err := s.cut("provision", 4); err != nil {
		return Identity{}, err
	}
	return s.certify(ctx, r, b, request, hash[:])
}

// readRequest reads the request of a board for a certificate: one that its own key has signed, in the board's name, for another
// key than tokensKey, which signs its tokens. hash is of the key's point.
func readRequest(text []byte, hardwareID string, tokensKey []byte) (csr boardcert.CSR, hash [sha256.Size]byte, err error) {
	if csr, err = boardcert.ParseCSR(text); err != nil {
		return csr, hash, err
	}
	if csr.Name != hardwareID {
		return csr, hash, ErrName
	}
	point, err := csr.Key.Bytes()
	if err != nil {
		return csr, hash, boardcert.ErrCSR
	}
	if bytes.Equal(point, tokensKey) {
		return csr, hash, ca.ErrWeakKey.With("The certificate request is for the key that signs the board's tokens. Let the board make one of its own for the device.")
	}
	return csr, sha256.Sum256(point), nil
}

// mayStill says whether who claimed may still bring boards into the space.
func (s *Service) mayStill(ctx context.Context, r row) error {
	role, err := s.needs.Role(ctx, r.Space, r.Owner)
	if err == nil {
		who := access.Actor{Kind: access.User, ID: r.Owner, Space: r.Space, Role: role}
		err = s.needs.Policy.Allow(who, "device:claim", access.Resource{Type: "Space", ID: r.Space, Space: r.Space})
	}
	if err != nil && !internal(err) {
		return ErrNoClaim.With("Who claimed this board may not bring devices into that space any more. Claim it again.")
	}
	return err
}

// choose takes step 2: which device it will be. The one that stands for the board in this space stays the board's; otherwise the
// ID that was chosen before, or a new one.
func (s *Service) choose(ctx context.Context, r row, held device.Device) (row, error) {
	want := r.Device
	if held.ID != "" && held.Space == r.Space {
		want = held.ID
	}
	if want == r.Device && want != "" {
		return r, nil
	}
	r.made = want == ""
	if r.Device = want; want == "" {
		r.Device = uuid.NewString()
	}
	e := s.entry(system, r.Space, "onboarding:provision", r.ID, map[string]string{"device": r.Device, "board": shown(r.index)})
	return r, s.needs.Store.change(ctx, r, &e)
}

// free takes step 3: the device that the board was in another space stays there, without the board and its certificates.
func (s *Service) free(ctx context.Context, r row, held device.Device, proved bool) error {
	if held.ID == "" || held.ID == r.Device {
		return nil
	}
	if proved {
		if err := s.needs.Certificates.RevokeDevice(ctx, system, ca.Device{ID: held.ID, Space: held.Space}, ca.Superseded); err != nil {
			return fmt.Errorf("revoke the certificates of device %s, whose board goes: %w", held.ID, err)
		}
	}
	_, err := s.needs.Devices.RemoveHardwareID(ctx, system, held.Space, held.ID)
	if err != nil && !errors.Is(err, device.ErrNoHardware) && !errors.Is(err, device.ErrNotFound) {
		return fmt.Errorf("take the board off device %s: %w", held.ID, err)
	}
	return nil
}

// settle takes step 4: the device is there, and stands for the board.
func (s *Service) settle(ctx context.Context, r *row, b board) error {
	fill := func(d *device.Device) error {
		if !d.DeletedAt.IsZero() {
			return device.ErrNotFound // hidden: it lets nobody in
		}
		d.HardwareID, d.ConnectionType, d.FQBN, d.Type = r.HardwareID, r.ConnectionType, r.FQBN, typeOf(r.FQBN)
		d.BLEMAC, d.Locked = r.BLEMAC, d.Locked || r.Locked
		if r.Name != "" {
			d.Name = r.Name
		}
		if b.serial != "" {
			d.Serial = b.serial
		}
		return nil
	}
	for range 2 {
		_, err := s.needs.Devices.Update(ctx, system, r.Space, r.Device, fill)
		if !errors.Is(err, device.ErrNotFound) {
			return err
		}
		d := device.Device{ID: r.Device, Space: r.Space, Owner: r.Owner}
		if err := fill(&d); err != nil {
			return err
		}
		if _, err = s.needs.Devices.Claim(ctx, system, d); !errors.Is(err, device.ErrIDTaken) {
			return err
		}
		// It was there before, and somebody has deleted it meanwhile.
		again := *r
		again.Device = ""
		if *r, err = s.choose(ctx, again, device.Device{}); err != nil {
			return err
		}
	}
	return device.ErrIDTaken
}

// certify takes steps 5 to 8.
func (s *Service) certify(ctx context.Context, r row, b board, request, hash []byte) (Identity, error) {
	// 5. The certificate.
	d := ca.Device{ID: r.Device, Space: r.Space}
	c, err := s.needs.Certificates.Issue(ctx, system, ca.Request{Device: d, CSR: request, Enabled: true})
	if err != nil {
		return Identity{}, err
	}
	if err := s.cut("provision", 5); err != nil {
		return Identity{}, err
	}
	// 6. No other certificate of the device counts: their keys are not in the board any more.
	live, err := s.needs.Certificates.List(ctx, system, d, false)
	if err != nil {
		return Identity{}, err
	}
	for _, old := range live {
		if old.ID == c.ID {
			continue
		}
		if err := s.needs.Certificates.Revoke(ctx, system, d, old.ID, ca.Superseded); err != nil {
			return Identity{}, fmt.Errorf("revoke the certificate before: %w", err)
		}
	}
	if err := s.cut("provision", 6); err != nil {
		return Identity{}, err
	}
	// 7. The board is the device's, with its key, and whoever claimed sees it.
	if b.device != r.Device || b.space != r.Space {
		was := b.space
		b.device, b.space = r.Device, r.Space
		e := s.entry(system, was, "board:move", shown(b.index), nil)
		e.Resource = "board"
		entry := &e
		if was == r.Space {
			entry = nil
		}
		if err := s.needs.Store.moved(ctx, b, entry); err != nil {
			return Identity{}, err
		}
	}
	if r.ProvisionedAt.IsZero() || !bytes.Equal(r.keyHash, hash) {
		r.ProvisionedAt, r.keyHash = s.now(), hash
		e := s.entry(system, r.Space, "onboarding:certify", r.ID, map[string]string{"device": r.Device, "certificate": c.ID})
		if err := s.needs.Store.change(ctx, r, &e); err != nil {
			return Identity{}, err
		}
	}
	if err := s.cut("provision", 7); err != nil {
		return Identity{}, err
	}
	// 8. Answer.
	return identityOf(c)
}

// repeat answers a board that has said it has everything and lost the answer to that: with the certificate that it has.
func (s *Service) repeat(ctx context.Context, r row, hash []byte, csr boardcert.CSR) (Identity, error) {
	if !bytes.Equal(hash, r.keyHash) {
		return Identity{}, ErrNoClaim
	}
	live, err := s.needs.Certificates.List(ctx, system, ca.Device{ID: r.Device, Space: r.Space}, false)
	if err != nil {
		return Identity{}, err
	}
	for _, c := range live {
		if i, err := identityOf(c); err == nil && i.Certificate.Key.Equal(csr.Key) {
			return i, nil
		}
	}
	return Identity{}, ErrNoClaim
}

func identityOf(c ca.Certificate) (Identity, error) {
	p, signature, err := boardcert.Parse(c.DER)
	return Identity{Device: c.Device, Certificate: p, Signature: signature}, err
}

// Complete ends the onboarding of a board that has its certificate: docs/acts/claim-board.md. It may say so more than once.
func (s *Service) Complete(ctx context.Context, address, token, wifiFW string) error {
	// 1. Check the token and the claim.
	r, _, err := s.board(ctx, address, token)
	if err != nil {
		return err
	}
	release, err := s.turn(ctx, r.index)
	if err != nil {
		return err
	}
	defer release()
	if r, _, err = s.identify(ctx, token); err != nil {
		return err
	}
	if !r.EndedAt.IsZero() {
		return nil
	}
	if r.ProvisionedAt.IsZero() {
		return ErrNoClaim.With("The board has no certificate yet. Ask for one first.")
	}
	if err := s.cut("complete", 1); err != nil {
		return err
	}
	// 2. What it says of its radio.
	if wifiFW != "" {
		_, err := s.needs.Devices.Update(ctx, system, r.Space, r.Device, func(d *device.Device) error {
			d.WiFiFW = wifiFW
			return nil
		})
		if err != nil && !errors.Is(err, device.ErrInvalid) { // what is no version is not worth a board
			return err
		}
	}
	if err := s.cut("complete", 2); err != nil {
		return err
	}
	// 3. The end and the journal, in one transaction.
	r.EndedAt = s.now()
	e := s.entry(system, r.Space, "onboarding:complete", r.ID, map[string]string{"device": r.Device})
	if err := s.needs.Store.change(ctx, r, &e); err != nil {
		return err
	}
	s.completed.Add(1)
	return s.cut("complete", 3)
}
