package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// spaceVerbs are what operators do about spaces beside adding and erasing them.
func spaceVerbs() []*cobra.Command {
	one := func(given []string) (any, error) { return map[string]any{"space": given[0]}, nil }
	show := verb("show SPACE", "One space", "space.show", []string{"id", "name", "kind", "owner", "offered_to", "require", "keep_days", "logo"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	members := verb("members SPACE", "Who is in a space", "space.members", []string{"user", "name", "email", "role", "owner", "since_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	usage := verb("usage SPACE", "What a space has of all that is limited", "space.usage", []string{"quota", "used", "limit", "own"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	invites := verb("invitations SPACE", "Open invitations of a space", "space.invites", []string{"id", "role", "email", "uses", "expires_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	uninvite := verb("uninvite SPACE INVITATION", "Withdraw an invitation", "space.uninvite", []string{"id"}, cobra.ExactArgs(2),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "invitation": given[1]}, nil
		})
	return []*cobra.Command{show, spaceRename(), members, spaceOwner(), spaceRequire(), spaceQuota(), usage, spaceInvite(), invites, uninvite}
}

func spaceRename() *cobra.Command {
	var name string
	c := verb("rename SPACE", "Give a space another name", "space.rename", []string{"id", "name"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "name": name}, nil
		})
	c.Flags().StringVar(&name, "name", "", "the new name")
	_ = c.MarkFlagRequired("name")
	return c
}

func spaceOwner() *cobra.Command {
	var user string
	c := verb("owner SPACE", "Make a member the owner of a shared space, and its administrator", "space.owner", []string{"id", "owner"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "user": user}, nil
		})
	c.Flags().StringVar(&user, "user", "", "e-mail address or id of a member")
	_ = c.MarkFlagRequired("user")
	return c
}

func spaceRequire() *cobra.Command {
	return verb("require SPACE LEVEL", "Say how people must sign in to enter: password, two-step or passkey", "space.require", []string{"id", "require"}, cobra.ExactArgs(2),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "level": given[1]}, nil
		})
}

func spaceQuota() *cobra.Command {
	c := verb("quota SPACE KIND=NUMBER", "Give a space a limit of its own", "space.quota", []string{"quota", "used", "limit", "own"}, cobra.ExactArgs(2),
		func(_ *cobra.Command, given []string) (any, error) {
			kind, text, _ := strings.Cut(given[1], "=")
			if text == "default" {
				return map[string]any{"space": given[0], "quota": kind, "default": true}, nil
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("%q is not KIND=NUMBER, such as devices=500 (0: any number; devices=default: the server's own)", given[1])
			}
			return map[string]any{"space": given[0], "quota": kind, "limit": n}, nil
		})
	c.Long = `Give a space a limit of its own. KIND is devices, things, properties, members, apikeys or dashboards;
NUMBER 0 is without limit, and KIND=default goes back to the server's own limit (setting
quota). What a space has beyond a new limit stays; nothing more is made.`
	return c
}

func spaceInvite() *cobra.Command {
	var email, role string
	var uses, days int
	c := verb("invite SPACE", "Invite people: by mail, or by a link that you hand over", "space.invite", []string{"id", "role", "email", "uses", "expires_at", "link"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "email": email, "role": role, "uses": uses, "days": days}, nil
		})
	c.Flags().StringVar(&email, "email", "", "the only address that may take it (default: whoever has the link)")
	c.Flags().StringVar(&role, "role", "Viewer", "Admin, Editor, Viewer or Service")
	c.Flags().IntVar(&uses, "uses", 1, "how many may take the link, 1 to 500")
	c.Flags().IntVar(&days, "days", 7, "for how long it counts, 1 to 30")
	return c
}
