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

// space lists where this user may work.
func (a *app) space() *cobra.Command {
	return group("space", "Spaces that you are a member of", &cobra.Command{Use: "list", Short: "Spaces that you are a member of", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		spaces := []client.Space{}
		if err := s.Do(c.Context(), "GET", "/v1/spaces", nil, &spaces); err != nil {
			return err
		}
		var rows [][]string
		for _, sp := range spaces {
			rows = append(rows, []string{sp.ID, sp.Name, sp.Kind, sp.Role})
		}
		return a.print(c, spaces, []string{"id", "name", "kind", "role"}, rows)
	}})
}
