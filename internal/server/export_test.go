package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// CutErasure has fn asked after each step of an erasure; its error ends it there, as a
// power cut would.
func (s *Server) CutErasure(fn func(step string) error) {
	s.erasures <- struct{}{} // not while another try is under way
	s.cut = fn
	<-s.erasures
}

// EraseAgain is what follows a failed erasure after a minute.
var EraseAgain = (*Server).repairErasures

// AddTo makes a device and a thing in a space as a request does that was let in before.
func (s *Server) AddTo(ctx context.Context, space, user string) error {
	who := access.Actor{Kind: access.User, ID: user, Space: space, Role: access.Admin}
	d, err := s.devices.Create(ctx, who, device.Device{Name: "late", Type: "login_and_secretkey_wifi"})
	if err != nil {
		return err
	}
	_, err = s.things.Create(ctx, who, thing.Thing{Name: "late", Timezone: "UTC", Device: d.ID}, false)
	return err
}

// Unerased counts the erasures that are decided and not done.
func (s *Server) Unerased(ctx context.Context) (int, error) {
	all, err := s.orgs.Erasures(ctx)
	return len(all), err
}

// Left counts the devices, things and dashboards of a space.
func (s *Server) Left(ctx context.Context, space string) (int, error) {
	z, err := s.sizeOf(ctx, space)
	if err != nil {
		return 0, err
	}
	n, err := s.dashboards.Count(ctx, space)
	return z.Devices + z.Things + n, err
}

// EraseDue erases the people whose time is over, as a part of Run does every few minutes.
var EraseDue = (*Server).eraseDue

// Leave has a person erased at the end of the days of grace.
func (s *Server) Leave(ctx context.Context, user string) error {
	if err := s.mayLeave(ctx, user); err != nil {
		return err
	}
	_, err := s.accounts.Leave(ctx, access.Actor{Kind: access.User, ID: user}, user)
	return err
}

// LinkTo has a person be somebody of a provider.
func (s *Server) LinkTo(ctx context.Context, user, subject string) error {
	return s.social.Link(ctx, access.Actor{Kind: access.User, ID: user}, user, social.Claim{Provider: "google", Issuer: "https://accounts.google.com", Subject: subject})
}

// Gone says what is left of a person: nil when the proof is written and the key is gone.
func (s *Server) Gone(ctx context.Context, user, space string) error {
	e, err := s.accounts.Erasure(ctx, user)
	if err != nil {
		return err
	}
	if !e.Done() {
		return errors.New("there is no proof")
	}
	if _, err := s.data.ring.Person(ctx, user); !errors.Is(err, keys.ErrErased) {
		return fmt.Errorf("the person's key: %w", err)
	}
	if _, err := s.data.ring.Space(ctx, space); !errors.Is(err, keys.ErrErased) {
		return fmt.Errorf("the space's key: %w", err)
	}
	if all, err := s.signin.Sessions(ctx, user); err != nil || len(all) > 0 {
		return fmt.Errorf("%d sessions are left: %w", len(all), err)
	}
	if all, err := s.social.Of(ctx, user); err != nil || len(all) > 0 {
		return fmt.Errorf("%d links are left: %w", len(all), err)
	}
	if ids, err := s.apikeys.Living(ctx, user); err != nil || len(ids) > 0 {
		return fmt.Errorf("%d API keys are left: %w", len(ids), err)
	}
	if all, err := s.orgs.Of(ctx, user); err != nil || len(all) > 0 {
		return fmt.Errorf("a member of %d spaces: %w", len(all), err)
	}
	if n, err := s.Left(ctx, space); err != nil || n > 0 {
		return fmt.Errorf("%d things and devices are left: %w", n, err)
	}
	return nil
}

// Unwarned does to a person's account what letters tell of, as if the server stopped before it wrote them.
func (s *Server) Unwarned(ctx context.Context, user, password, email string) error {
	who := access.Actor{Kind: access.User, ID: user}
	if err := s.accounts.SetPassword(ctx, who, user, password); err != nil {
		return err
	}
	if err := s.accounts.SetEmail(ctx, who, user, email); err != nil {
		return err
	}
	k, _, err := s.apikeys.Add(ctx, who, user, "", access.NoRole, "unheard of")
	if err != nil {
		return err
	}
	for { // that letter is written by somebody else, who must be done
		if queued, err := s.letters.Has(ctx, keyLetter(k)); err != nil || queued {
			break
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		runtime.Gosched()
	}
	return s.data.core.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from post where kind = 'key-added'`)
		return err
	})
}
