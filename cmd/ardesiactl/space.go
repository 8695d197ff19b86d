package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
)

// space is about where this user may work, and who else may.
func (a *app) space() *cobra.Command {
	return group("space", "Spaces that you are a member of", a.spaceList(), a.spaceCreate(), a.spaceRename(), a.spaceMembers(), a.spaceInvite(), a.spaceInvitations(),
		a.spaceResend(), a.spaceUninvite(), a.spaceAccept(), a.spaceRole(), a.spaceRemove(), a.spaceLeave(), a.spaceUsage(), a.spaceRoles())
}

// at is the address of a space.
func at(space string, more ...string) string {
	path := "/v1/spaces/" + url.PathEscape(space)
	for _, m := range more {
		path += "/" + url.PathEscape(m)
	}
	return path
}

var spaceColumns = []string{"id", "name", "kind", "role"}

func spaceRow(sp client.Space) []string { return []string{sp.ID, sp.Name, sp.Kind, sp.Role} }

// asks makes a verb of one request, whose answer it shows.
func asks[Out any](a *app, use, short string, check cobra.PositionalArgs, columns []string, row func(Out) []string,
	request func(given []string) (method, path string, in any)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args(check), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		method, path, in := request(given)
		var out Out
		if err := s.Do(c.Context(), method, path, in, &out); err != nil {
			return err
		}
		return a.print(c, out, columns, [][]string{row(out)})
	}}
}

// lists is asks for an answer of many rows.
func lists[Out any](a *app, use, short string, check cobra.PositionalArgs, columns []string, row func(Out) []string, path func(given []string) string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args(check), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		all := []Out{}
		if err := s.Do(c.Context(), "GET", path(given), nil, &all); err != nil {
			return err
		}
		var rows [][]string
		for _, one := range all {
			rows = append(rows, row(one))
		}
		return a.print(c, all, columns, rows)
	}}
}

// does is a verb of one request without an answer; lost names what it would take away, "" if nothing.
func (a *app) does(use, short string, check cobra.PositionalArgs, lost string, request func(given []string) (method, path string, in any)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: args(check), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if lost != "" {
			if err := a.confirm(c, fmt.Sprintf(lost, given[len(given)-1])); err != nil {
				return err
			}
		}
		method, path, in := request(given)
		return s.Do(c.Context(), method, path, in, nil)
	}}
}

func (a *app) spaceList() *cobra.Command {
	return lists(a, "list", "Spaces that you are a member of", cobra.NoArgs, spaceColumns, spaceRow, func([]string) string { return "/v1/spaces" })
}

func (a *app) spaceCreate() *cobra.Command {
	var name string
	c := asks(a, "create --name NAME", "A new shared space, with you as its owner", cobra.NoArgs, spaceColumns, spaceRow,
		func([]string) (string, string, any) { return "POST", "/v1/spaces", map[string]any{"name": name} })
	c.Flags().StringVar(&name, "name", "", "the space's name")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) spaceRename() *cobra.Command {
	var name string
	c := asks(a, "rename SPACE --name NAME", "Give a space another name", cobra.ExactArgs(1), spaceColumns, spaceRow,
		func(given []string) (string, string, any) { return "PATCH", at(given[0]), map[string]any{"name": name} })
	c.Flags().StringVar(&name, "name", "", "the new name")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) spaceMembers() *cobra.Command {
	return lists(a, "members SPACE", "Who is in a space", cobra.ExactArgs(1), []string{"user", "name", "email", "role", "owner"},
		func(m client.Member) []string {
			return []string{m.User, m.Name, m.Email, m.Role, strconv.FormatBool(m.Owner)}
		},
		func(given []string) string { return at(given[0], "members") })
}

var invitationColumns = []string{"id", "role", "email", "uses", "expires", "link"}

func invitationRow(in client.Invitation) []string {
	return []string{in.ID, in.Role, in.Email, strconv.Itoa(in.Uses), in.ExpiresAt.Format("2006-01-02"), in.Link}
}

func (a *app) spaceInvite() *cobra.Command {
	var email, role string
	var uses, days int
	c := asks(a, "invite SPACE", "Invite people: by mail, or by a link that you hand over", cobra.ExactArgs(1), invitationColumns, invitationRow,
		func(given []string) (string, string, any) {
			return "POST", at(given[0], "invitations"), map[string]any{"email": email, "role": strings.ToLower(role), "uses": uses, "days": days}
		})
	c.Example = "  ardesiactl space invite SPACE --role editor --uses 20 --days 14"
	c.Flags().StringVar(&email, "email", "", "the only address that may take it (default: whoever has the link)")
	c.Flags().StringVar(&role, "role", "viewer", "admin, editor, viewer or service")
	c.Flags().IntVar(&uses, "uses", 1, "how many may take the link, 1 to 500")
	c.Flags().IntVar(&days, "days", 7, "for how long it counts, 1 to 30")
	return c
}

func (a *app) spaceInvitations() *cobra.Command {
	return lists(a, "invitations SPACE", "Open invitations of a space", cobra.ExactArgs(1), invitationColumns, invitationRow,
		func(given []string) string { return at(given[0], "invitations") })
}

func (a *app) spaceResend() *cobra.Command {
	return asks(a, "resend SPACE INVITATION", "Send an invitation by mail again; the link of before counts no more", cobra.ExactArgs(2), invitationColumns, invitationRow,
		func(given []string) (string, string, any) {
			return "POST", at(given[0], "invitations", given[1], "resend"), nil
		})
}

func (a *app) spaceUninvite() *cobra.Command {
	return a.does("uninvite SPACE INVITATION", "Withdraw an invitation", cobra.ExactArgs(2), "",
		func(given []string) (string, string, any) {
			return "DELETE", at(given[0], "invitations", given[1]), nil
		})
}

func (a *app) spaceAccept() *cobra.Command {
	return asks(a, "accept LINK", "Take an invitation", cobra.ExactArgs(1), spaceColumns, spaceRow,
		func(given []string) (string, string, any) {
			token := given[0]
			if link, err := url.Parse(token); err == nil && link.Query().Has("token") {
				token = link.Query().Get("token")
			}
			return "POST", "/v1/invitations/accept", map[string]any{"token": token}
		})
}

func (a *app) spaceRole() *cobra.Command {
	return a.does("role SPACE USER ROLE", "Give a member another role: admin, editor, viewer or service", cobra.ExactArgs(3), "",
		func(given []string) (string, string, any) {
			return "PATCH", at(given[0], "members", given[1]), map[string]any{"role": strings.ToLower(given[2])}
		})
}

func (a *app) spaceRemove() *cobra.Command {
	return a.does("remove SPACE USER", "Take a member out of a space", cobra.ExactArgs(2), "member %s",
		func(given []string) (string, string, any) { return "DELETE", at(given[0], "members", given[1]), nil })
}

func (a *app) spaceLeave() *cobra.Command {
	return a.does("leave SPACE", "Leave a space", cobra.ExactArgs(1), "your own place in space %s",
		func(given []string) (string, string, any) { return "POST", at(given[0], "leave"), nil })
}

func (a *app) spaceUsage() *cobra.Command {
	return lists(a, "usage SPACE", "What a space has of all that is limited", cobra.ExactArgs(1), []string{"quota", "used", "limit"},
		func(u client.Usage) []string {
			limit := "none"
			if u.Limit != nil {
				limit = strconv.Itoa(*u.Limit)
			}
			return []string{u.Quota, strconv.Itoa(u.Used), limit}
		},
		func(given []string) string { return at(given[0], "usage") })
}

func (a *app) spaceRoles() *cobra.Command {
	return lists(a, "roles", "What each role may do", cobra.NoArgs, []string{"role", "may"},
		func(r client.Role) []string { return []string{r.Role, strings.Join(r.May, "; ")} },
		func([]string) string { return "/v1/roles" })
}
