package main

import "github.com/spf13/cobra"

// userVerbs are what operators do about people beside adding them.
func userVerbs() []*cobra.Command {
	one := func(given []string) (any, error) { return map[string]any{"user": given[0]}, nil }
	show := verb("show USER", "One person: addresses, second steps, browsers, keys and spaces", "user.show",
		[]string{"id", "email", "name", "further_emails", "email_verified_at", "disabled", "frozen_at", "erased_at", "authenticator_app", "passkeys", "recovery_codes", "sessions", "api_keys"},
		cobra.ExactArgs(1), func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	freeze := verb("freeze USER", "Shut an account until its person sets a new password by mail", "user.freeze", []string{"id", "frozen_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"user": given[0], "frozen": true}, nil
		})
	freeze.Long = `Shut an account, as its person does who follows "this was not me" in a letter: all browsers,
programs and tokens are signed out at once, and the password lets nobody in. The person opens it by
setting a new password by mail ("ardesia user reset"), you with "ardesia user unfreeze". To keep a
person out for good use "ardesia user disable".`
	unfreeze := verb("unfreeze USER", "Open a frozen account again with the password that it has", "user.freeze", []string{"id", "frozen_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return map[string]any{"user": given[0]}, nil })
	reset := verb("reset USER", "Send a person the link that sets a new password", "user.reset", []string{"id", "to", "by", "minutes"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	reset.Long = `Send a person the link that sets a new password. It works once, for 20 minutes, and leaves second
steps as they are. Without a mail server the letter goes into DIR/mail.`
	del := verb("delete USER", "Erase a person after seven days; the person is told by mail", "user.delete", []string{"id", "erased_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return one(given) })
	del.Long = `Erase a person after seven days, with the private space and all that is in it, as the person can
from the pages of the account: docs/acts/erase-person.md. Until then the person may stay, and you may say
"ardesia user undelete". The only administrator of a shared space cannot be erased.`
	undelete := verb("undelete USER", "Let a person stay after all", "user.delete", []string{"id", "erased_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"user": given[0], "undo": true}, nil
		})
	return []*cobra.Command{show, freeze, unfreeze, userSessions(), reset, del, undelete}
}

func userSessions() *cobra.Command {
	var end string
	var all bool
	c := verb("sessions USER", "Browsers in which a person is signed in; ends one or all", "user.sessions", []string{"id", "device", "address", "since", "last_used_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"user": given[0], "end": end, "all": all}, nil
		})
	c.Flags().StringVar(&end, "end", "", "id of a session to sign out; those that stay are listed")
	c.Flags().BoolVar(&all, "end-all", false, "sign the person out everywhere")
	c.MarkFlagsMutuallyExclusive("end", "end-all")
	return c
}
