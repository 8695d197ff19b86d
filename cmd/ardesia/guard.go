package main

import "github.com/spf13/cobra"

func guards() *cobra.Command {
	show := verb("show", "Who is refused or watched after too many wrong tries", "guard.show", []string{"rule", "subject", "count", "limit", "refused_until"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
	events := verb("events", "What was noticed since the start", "guard.events", []string{"at", "kind", "subject", "account", "client_id", "accounts", "addresses", "failures"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
	var user, client, address string
	lift := verb("lift", "Forget the wrong tries of a person, an API key or an address", "guard.lift", []string{"lifted"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			return map[string]any{"user": user, "client_id": client, "address": address}, nil
		})
	lift.Flags().StringVar(&user, "user", "", "e-mail address or id")
	lift.Flags().StringVar(&client, "client-id", "", "of an API key")
	lift.Flags().StringVar(&address, "address", "", "IP address; what counts for its neighbourhood goes too")
	lift.MarkFlagsOneRequired("user", "client-id", "address")
	return group("guard", "Protection against guessing", show, events, lift)
}
