package main

import "github.com/spf13/cobra"

// clients registers programs that sign people in with this server.
func clients() *cobra.Command {
	var (
		redirects, logouts, scopes []string
		name, backchannel          string
		public, device             bool
	)
	add := verb("add", "Register a program; its secret is shown once", "client.add", []string{"client_id", "client_secret"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			return map[string]any{"name": name, "redirects": redirects, "logouts": logouts, "backchannel_logout": backchannel, "scopes": scopes, "public": public, "device": device}, nil
		})
	add.Long = `Register a program that signs people in with this server (OAuth 2.0, OpenID Connect).

The program finds all else at the issuer's /.well-known/openid-configuration. It uses the code
grant with PKCE (S256). Addresses are compared letter by letter; only the port of
http://127.0.0.1 and http://[::1] is free.`
	f := add.Flags()
	f.StringVar(&name, "name", "", "what people read when they are asked for consent")
	f.StringArrayVar(&redirects, "redirect", nil, "where people may be sent back to; may be given up to 16 times")
	f.StringArrayVar(&logouts, "logout-redirect", nil, "where they may be sent after signing out")
	f.StringVar(&backchannel, "backchannel-logout", "", "https:// address where it is told that somebody's session has ended")
	f.StringSliceVar(&scopes, "scope", nil, "the most that it may ask for: openid, profile, email, offline_access, iot (default all)")
	f.BoolVar(&public, "public", false, "it cannot keep a secret: a program on people's machines, or a page without a server")
	f.BoolVar(&device, "device", false, "it may sign in where there is no browser, with a code that people type elsewhere")
	_ = add.MarkFlagRequired("name")
	list := verb("list", "Registered programs", "client.list", []string{"client_id", "name", "public", "redirects", "scopes", "created_at"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
	remove := verb("remove CLIENT_ID", "Remove a program, and end all that it was given, at once", "client.remove", []string{"client_id"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"client_id": given[0]}, nil
		})
	return group("client", "Other programs that sign people in with this server", add, list, remove)
}
