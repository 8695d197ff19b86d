package main

import (
	"fmt"
	"os"

	"github.com/smallstep/truststore"
	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
)

func (a *app) trust() *cobra.Command {
	return group("trust", "This machine's trust in a server's own CA", a.trustChange("install", "Trust", truststore.InstallFile), a.trustChange("uninstall", "No longer trust", truststore.UninstallFile))
}

func (a *app) trustChange(verb, does string, change func(string, ...truststore.Option) error) *cobra.Command {
	return &cobra.Command{
		Use: verb + " FILE", Short: does + " the CA in FILE (DIR/tls/ca.pem of the server), system-wide",
		Long: does + " the CA in FILE (DIR/tls/ca.pem of the server) in this system's store and, where there is one, in Firefox's and Chromium's.\nThis usually needs administrator rights.",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			if _, err := client.Trust(given[0]); err != nil {
				return usage{err}
			}
			if err := change(given[0], truststore.WithFirefox()); err != nil {
				if os.Geteuid() != 0 {
					return fmt.Errorf("%w (try with sudo)", err)
				}
				return err
			}
			fmt.Fprintln(c.ErrOrStderr(), "Done. Restart browsers that are open.")
			return nil
		},
	}
}
