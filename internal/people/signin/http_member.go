package signin

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

type membersData struct {
	Members []memberRow
	Manage  bool
	Roles   []roleView
}

type memberRow struct {
	org.Companion
	You   bool
	Email string // for who administers the space
	Other []access.Role
}

// A roleView is a role and what it may do, as keys of texts.
type roleView struct {
	Role   access.Role
	Rights []string
}

func (s *Service) getMembers(v *visit, in inSpace) error { return s.showMembers(v, in, nil) }

func (s *Service) showMembers(v *visit, in inSpace, told error) error {
	all, err := s.needs.Spaces.People(v.r.Context(), in.ID)
	if err != nil {
		return err
	}
	d := membersData{Manage: in.Kind == org.Shared && s.allows(in, "member:update")}
	for _, m := range all {
		row := memberRow{Companion: m, You: m.User == in.who.ID}
		if d.Manage {
			row.Email, row.Other = m.Email, access.Roles()
		}
		d.Members = append(d.Members, row)
	}
	for _, role := range access.Roles() {
		d.Roles = append(d.Roles, roleView{role, s.rightsOf(role)})
	}
	return s.showSpace(v, in, "members", d, told)
}

func (s *Service) postRole(v *visit, in inSpace) error {
	if err := v.form(); err != nil {
		return err
	}
	role, err := access.ParseRole(v.r.PostForm.Get("role"))
	if err == nil {
		err = s.needs.Spaces.SetRole(v.r.Context(), in.who, in.ID, v.r.PostForm.Get("user"), role)
	}
	return s.changedMember(v, in, err, "role")
}

func (s *Service) postRemove(v *visit, in inSpace) error {
	if err := v.form(); err != nil {
		return err
	}
	return s.changedMember(v, in, s.needs.Spaces.SetRole(v.r.Context(), in.who, in.ID, v.r.PostForm.Get("user"), access.NoRole), "put-out")
}

func (s *Service) changedMember(v *visit, in inSpace, err error, done string) error {
	if err != nil {
		return spaceProblem(err, func(told error) error { return s.showMembers(v, in, told) })
	}
	if _, err := s.needs.Spaces.Role(v.r.Context(), in.ID, in.who.ID); err != nil {
		v.redirect("/account/spaces?done=left") // one removed oneself
		return nil
	}
	return v.backTo(in, "/members", done)
}

func (s *Service) getInvitations(v *visit, in inSpace) error { return s.showInvitations(v, in, nil) }

func (s *Service) showInvitations(v *visit, in inSpace, told error) error {
	all, err := s.needs.Spaces.Invitations(v.r.Context(), in.ID)
	if err != nil {
		return err
	}
	return s.showSpace(v, in, "invitations", all, told)
}

// aboutInvitation is what a form of the list of invitations did.
func (s *Service) aboutInvitation(v *visit, in inSpace, done string, do func(id string) error) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := do(v.r.PostForm.Get("id")); err != nil {
		return spaceProblem(err, func(told error) error { return s.showInvitations(v, in, told) })
	}
	return v.backTo(in, "/invitations", done)
}

func (s *Service) postAgainInvite(v *visit, in inSpace) error {
	return s.aboutInvitation(v, in, "resent", func(id string) error {
		_, err := s.needs.Spaces.Resend(v.r.Context(), in.who, in.ID, id)
		return err
	})
}

func (s *Service) postUninvite(v *visit, in inSpace) error {
	return s.aboutInvitation(v, in, "withdrawn", func(id string) error {
		return s.needs.Spaces.Uninvite(v.r.Context(), in.who, in.ID, id)
	})
}

type inviteData struct {
	Email, Role, Uses, Days string
	Roles                   []roleView
}

func (s *Service) getInvite(v *visit, in inSpace) error {
	return s.showInvite(v, in, inviteData{Role: string(access.Viewer), Uses: "1", Days: "7"}, nil)
}

func (s *Service) showInvite(v *visit, in inSpace, d inviteData, told error) error {
	for _, role := range access.Roles() {
		d.Roles = append(d.Roles, roleView{role, s.rightsOf(role)})
	}
	return s.showSpace(v, in, "invite", d, told)
}

func (s *Service) postInvite(v *visit, in inSpace) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm.Get
	d := inviteData{Email: bounded(strings.TrimSpace(f("email"))), Role: f("role"), Uses: bounded(f("uses")), Days: bounded(f("days"))}
	again := func(told error) error { return s.showInvite(v, in, d, told) }
	uses, err := strconv.Atoi(d.Uses)
	if err != nil {
		return again(org.ErrUses)
	}
	days, err := strconv.Atoi(d.Days)
	if err != nil || days < 1 {
		return again(org.ErrExpiry)
	}
	if d.Email != "" {
		uses = 1
	}
	_, link, err := s.needs.Spaces.Invite(v.r.Context(), in.who, org.Invitation{Space: in.ID, Address: d.Email, Role: access.Role(d.Role), Uses: uses}, days)
	if err != nil {
		return spaceProblem(err, again)
	}
	if link != "" {
		return s.showSpace(v, in, "invitelink", link, nil)
	}
	return v.backTo(in, "/invitations", "invited")
}

type ownerData struct {
	Others []org.Companion
	Heir   string // name of who was asked; "" for nobody
}

func (s *Service) getOwner(v *visit, in inSpace) error { return s.showOwner(v, in, nil) }

func (s *Service) showOwner(v *visit, in inSpace, told error) error {
	all, err := s.needs.Spaces.People(v.r.Context(), in.ID)
	if err != nil {
		return err
	}
	var d ownerData
	for _, m := range all {
		if m.User == in.Heir {
			d.Heir = m.Name
		}
	}
	d.Others = slices.DeleteFunc(all, func(m org.Companion) bool { return m.User == in.who.ID })
	return s.showSpace(v, in, "owner", d, told)
}

func (s *Service) postOwner(v *visit, in inSpace) error {
	if err := v.form(); err != nil {
		return err
	}
	user := v.r.PostForm.Get("user")
	if user == "" {
		user = in.who.ID // which withdraws what was offered
	}
	done, err := s.needs.Spaces.HandOver(v.r.Context(), in.who, in.ID, user)
	switch {
	case err != nil:
		return spaceProblem(err, func(told error) error { return s.showOwner(v, in, told) })
	case user == in.who.ID:
		return v.backTo(in, "/settings", "saved")
	case done:
		return v.backTo(in, "", "handed")
	}
	return v.backTo(in, "/settings", "offered")
}
