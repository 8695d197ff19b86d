package org

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

var (
	// ErrInvitation is a token that lets nobody in, or not this person. Which it is, is not told.
	ErrInvitation = problem.New(problem.NotFound, "invitation", "This invitation does not count, or is not for your account: it may be used up, withdrawn or too old. Ask for another one.")
	// ErrNoInvitation is an invitation that an administrator names and that is not there.
	ErrNoInvitation = problem.New(problem.NotFound, "invitation-not-found", "There is no such invitation. It may have been used, withdrawn or be too old.")
	// ErrInvited is an address that was invited already.
	ErrInvited = problem.New(problem.Conflict, "invitation-exists", "This address is invited already: send that invitation again, or withdraw it first.")
	// ErrInvitations is a space with too many open invitations.
	ErrInvitations = problem.New(problem.Precondition, "invitation-limit", fmt.Sprintf("A space has at most %d open invitations: withdraw some first.", maxInvitations))
	// ErrAddress is a text that is no e-mail address.
	ErrAddress = problem.New(problem.Invalid, "invitation-address", "This is not an e-mail address.")
	// ErrUses is a link for nobody, or for too many.
	ErrUses = problem.New(problem.Invalid, "invitation-uses", fmt.Sprintf("A link serves 1 to %d people; an invitation by mail serves one.", maxUses))
	// ErrExpiry is an invitation that is too short or too long.
	ErrExpiry = problem.New(problem.Invalid, "invitation-days", fmt.Sprintf("An invitation counts for 1 to %d days.", maxInviteDays))
	// ErrNoMail is a server that cannot send letters.
	ErrNoMail = problem.New(problem.Precondition, "invitation-no-mail", "This server sends no mail: invite by link, and hand the link over yourself.")
	// ErrResend is a link that nobody was sent.
	ErrResend = problem.New(problem.Precondition, "invitation-no-address", "This invitation is a link, which nobody was sent: make another one.")
	// ErrMember is somebody who is in already.
	ErrMember = problem.New(problem.Conflict, "space-member", "You are a member of this space already.")
)

const (
	maxInvitations = 50 // open ones of one space
	maxUses        = 500
	maxInviteDays  = 30
	inviteDays     = 7 // when nobody says
	tokenBytes     = 32
	maxAddress     = 254 // bytes; RFC 5321, section 4.5.3.1.3
)

// An Invitation is a way into a space that somebody has not taken yet.
type Invitation struct {
	ID        string // UUID
	Space     string
	Address   string // the only address that may take it; "" for whoever has the link
	Role      access.Role
	Uses      int    // how many may still take it
	MadeBy    string // user id; "" for the operator
	CreatedAt time.Time
	ExpiresAt time.Time
}

// inviteRow is an invitation as the database has it: the address sealed.
type inviteRow struct {
	id, space            string
	token                []byte // SHA-256
	address, index       []byte // nil without one
	role                 access.Role
	uses                 int
	madeBy               string
	createdAt, expiresAt int64 // µs since 1970
}

// SameAddress says whether two texts are the same address.
func SameAddress(a, b string) bool { return secret.Equal(account.Normal(a), account.Normal(b)) }

func checkAddress(address string) error {
	a, err := mail.ParseAddress(address)
	if err != nil || a.Address != address || len(address) > maxAddress || !utf8.ValidString(address) {
		return ErrAddress
	}
	return nil
}

// newToken makes a token of 256 random bits, and what is kept of it.
func newToken() (text string, kept []byte) {
	text = base64.RawURLEncoding.EncodeToString(secret.Random(tokenBytes))
	return text, tokenHash(text)
}

func tokenHash(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// Invite makes an invitation as in says: to one address, which gets a letter, or for
// in.Uses people who have the link. days is for how long; 0 is 7. The link is told when it
// is for whoever has it: the one to an address is in the letter alone.
func (s *Service) Invite(ctx context.Context, who access.Actor, in Invitation, days int) (_ Invitation, link string, err error) {
	role, err := access.ParseRole(string(in.Role))
	if err != nil {
		return Invitation{}, "", err
	}
	if days == 0 {
		days = inviteDays
	}
	if in.Uses == 0 {
		in.Uses = 1
	}
	switch {
	case days < 1 || days > maxInviteDays:
		return Invitation{}, "", ErrExpiry
	case in.Uses < 1 || in.Uses > maxUses || in.Address != "" && in.Uses != 1:
		return Invitation{}, "", ErrUses
	case in.Address != "" && s.needs.Invite == nil:
		return Invitation{}, "", ErrNoMail
	}
	if _, err := s.sharedSpace(ctx, in.Space); err != nil {
		return Invitation{}, "", err
	}
	now := s.needs.Now()
	text, kept := newToken()
	r := inviteRow{id: uuid.NewString(), space: in.Space, token: kept, role: role, uses: in.Uses, madeBy: who.ID,
		createdAt: now.UnixMicro(), expiresAt: now.Add(time.Duration(days) * 24 * time.Hour).UnixMicro()}
	how := "link"
	if in.Address != "" {
		how = "mail"
		if err := checkAddress(in.Address); err != nil {
			return Invitation{}, "", err
		}
		seal, err := s.needs.Keys.Space(ctx, in.Space)
		if err != nil {
			return Invitation{}, "", fmt.Errorf("key of space %s: %w", in.Space, err)
		}
		if r.address, err = seal.Seal([]byte(in.Address), keys.Place("org_invite", "address", r.id)); err != nil {
			return Invitation{}, "", err
		}
		r.index = s.index(in.Space, in.Address)
		if err := s.letters.take(in.Space, s.index("", in.Address)); err != nil {
			return Invitation{}, "", err
		}
	}
	detail := map[string]string{"invitation": r.id, "role": string(role), "by": how}
	if err := s.needs.Store.invite(ctx, r, now.UnixMicro(), s.entry(who, "invitation:create", in.Space, detail)); err != nil {
		return Invitation{}, "", err
	}
	in = r.plain(in.Address)
	link = s.needs.Link(text)
	if in.Address == "" {
		return in, link, nil
	}
	if err := s.send(ctx, in, link); err != nil {
		// What was not sent must not stay open.
		return Invitation{}, "", errors.Join(err, s.Uninvite(ctx, who, in.Space, in.ID))
	}
	return in, "", nil
}

// index is the keyed hash by which an address is found again in a space; with space "" the
// one by which it is known in all of them.
func (s *Service) index(space, address string) []byte {
	return s.addressIndex([]byte(space + "\x00" + account.Normal(address)))
}

func (s *Service) send(ctx context.Context, in Invitation, link string) error {
	sp, err := s.Get(ctx, in.Space)
	if err != nil {
		return err
	}
	if err := s.needs.Invite(ctx, sp, in.Address, link); err != nil {
		return fmt.Errorf("send invitation %s: %w", in.ID, err)
	}
	return nil
}

func (r inviteRow) plain(address string) Invitation {
	return Invitation{r.id, r.space, address, r.role, r.uses, r.madeBy, time.UnixMicro(r.createdAt).UTC(), time.UnixMicro(r.expiresAt).UTC()}
}

func (s *Service) openInvite(ctx context.Context, r inviteRow) (Invitation, error) {
	if r.address == nil {
		return r.plain(""), nil
	}
	seal, err := s.needs.Keys.Space(ctx, r.space)
	if err != nil {
		return Invitation{}, fmt.Errorf("key of space %s: %w", r.space, err)
	}
	address, err := seal.Open(r.address, keys.Place("org_invite", "address", r.id))
	if err != nil {
		return Invitation{}, fmt.Errorf("address of invitation %s: %w", r.id, err)
	}
	return r.plain(string(address)), nil
}

// Invitations tells the open invitations of a space, the oldest first.
func (s *Service) Invitations(ctx context.Context, space string) ([]Invitation, error) {
	rows, err := s.needs.Store.invites(ctx, space, s.needs.Now().UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("invitations of space %s: %w", space, err)
	}
	all := make([]Invitation, 0, len(rows))
	for _, r := range rows {
		in, err := s.openInvite(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

// Resend sends an invitation to an address again, with another link: the one before
// counts no more. It counts for 7 days from now.
func (s *Service) Resend(ctx context.Context, who access.Actor, space, id string) (Invitation, error) {
	if s.needs.Invite == nil {
		return Invitation{}, ErrNoMail
	}
	all, err := s.Invitations(ctx, space)
	if err != nil {
		return Invitation{}, err
	}
	i := slices.IndexFunc(all, func(in Invitation) bool { return in.ID == id })
	switch {
	case i < 0:
		return Invitation{}, ErrNoInvitation
	case all[i].Address == "":
		return Invitation{}, ErrResend
	}
	if err := s.letters.take(space, s.index("", all[i].Address)); err != nil {
		return Invitation{}, err
	}
	now := s.needs.Now()
	text, kept := newToken()
	r, err := s.needs.Store.reinvite(ctx, space, id, kept, now.UnixMicro(), now.Add(inviteDays*24*time.Hour).UnixMicro(),
		s.entry(who, "invitation:resend", space, map[string]string{"invitation": id}))
	if err != nil {
		return Invitation{}, err
	}
	in, err := s.openInvite(ctx, r)
	if err != nil {
		return Invitation{}, err
	}
	return in, s.send(ctx, in, s.needs.Link(text))
}

// Uninvite withdraws an invitation.
func (s *Service) Uninvite(ctx context.Context, who access.Actor, space, id string) error {
	return s.needs.Store.uninvite(ctx, space, id, s.entry(who, "invitation:revoke", space, map[string]string{"invitation": id}))
}

// invited finds the invitation that a token is for, if who may take it: else ErrInvitation,
// whatever the reason.
func (s *Service) invited(ctx context.Context, who access.Actor, token string) (inviteRow, error) {
	if who.ID == "" || who.Kind != access.User && who.Kind != access.APIKey || len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return inviteRow{}, ErrInvitation
	}
	r, err := s.needs.Store.inviteByToken(ctx, tokenHash(token), s.needs.Now().UnixMicro())
	if err != nil {
		return inviteRow{}, err
	}
	in, err := s.openInvite(ctx, r)
	if errors.Is(err, keys.ErrErased) {
		return inviteRow{}, ErrInvitation
	}
	if err != nil || in.Address == "" {
		return r, err
	}
	reads, err := s.needs.Reads(ctx, who.ID, in.Address)
	if err != nil {
		return inviteRow{}, fmt.Errorf("addresses of account %s: %w", who.ID, err)
	}
	if !reads {
		return inviteRow{}, ErrInvitation
	}
	return r, nil
}

// Look tells what a token invites who to.
func (s *Service) Look(ctx context.Context, who access.Actor, token string) (Membership, error) {
	r, err := s.invited(ctx, who, token)
	if err != nil {
		return Membership{}, err
	}
	sp, err := s.Get(ctx, r.space)
	if errors.Is(err, ErrNotFound) {
		err = ErrInvitation
	}
	return Membership{sp, r.role}, err
}

// Accept makes who a member of the space that a token invites to.
func (s *Service) Accept(ctx context.Context, who access.Actor, token string) (Membership, error) {
	r, err := s.invited(ctx, who, token)
	if err != nil {
		return Membership{}, err
	}
	most, err := s.Limit(ctx, r.space, Members)
	if err != nil {
		return Membership{}, err
	}
	detail := map[string]string{"invitation": r.id, "account": who.ID, "role": string(r.role)}
	if err := s.needs.Store.accept(ctx, r, who.ID, most, s.needs.Now(), s.entry(who, "invitation:accept", r.space, detail)); err != nil {
		return Membership{}, err
	}
	s.changed(r.space, who.ID)
	sp, err := s.Get(ctx, r.space)
	return Membership{sp, r.role}, err
}
