package main

import "github.com/spf13/cobra"

func letters() *cobra.Command {
	var lang string
	test := verb("test ADDRESS", "Send a letter to see whether letters arrive", "mail.test", []string{"to", "by", "message_id"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"address": given[0], "lang": lang}, nil
		})
	test.Long = `Send a letter to ADDRESS at once, as the running server sends letters to people, and say
plainly what went wrong if the mail server does not take it. When no server runs, the
settings of --config and of the environment count.`
	test.Flags().StringVar(&lang, "lang", "", "en or it (default en)")
	return group("mail", "Letters to people", test)
}
