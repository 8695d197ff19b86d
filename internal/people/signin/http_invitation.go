package signin

import (
	"context"
	"net/url"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Invited is what an invitation leads to.
type Invited struct {
	Space string // its name
	Role  string // admin, editor, viewer, service
}

// Invitations is what the page of an invitation needs of the room of spaces. It may be
// missing: then there is no such page.
type Invitations interface {
	Look(ctx context.Context, who access.Actor, token string) (Invited, error)
	Accept(ctx context.Context, who access.Actor, token string) (Invited, error)
}

func (s *Service) invitationPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{"GET /invitation": s.getInvitation, "POST /invitation": s.postInvitation}
}

// InvitationPage is the address of the page on which an invitation is taken.
func (s *Service) InvitationPage(token string) string { return s.link("/invitation", token) }

type invitationData struct {
	Token   string
	Invited Invited
}

// getInvitation shows what the invitation is to; only the form takes it, because programs that look into
// mail follow links.
func (s *Service) getInvitation(v *visit) error {
	token := v.r.URL.Query().Get("token")
	in, err := s.needs.Invitations.Look(v.r.Context(), v.who(), token)
	if err != nil {
		return err
	}
	return s.show(v, "invitation", view{Home: true, Data: invitationData{token, in}}, nil)
}

func (s *Service) postInvitation(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if _, err := s.needs.Invitations.Accept(v.r.Context(), v.who(), v.r.PostForm.Get("token")); err != nil {
		return err
	}
	v.redirect("/account?" + url.Values{"done": {"joined"}}.Encode())
	return nil
}
