package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/store"
)

func (a *app) login() *cobra.Command {
	var l store.Login
	var secretStdin, noRing, byKey, byCode bool
	c := &cobra.Command{
		Use:   "login URL",
		Short: "Sign in to a server, or remember an API key for it",
		Long: `Sign in to a server: in the browser of this machine, or, where there is none and with
--device, with a code that you type in any browser. The sign-in is renewed by itself; it ends
after two weeks in which it is not used, after sixty days, and with "ardesiactl logout".

Programs use an API key: give --client-id, or --api-key to be asked. The key is checked before
it is kept. Its secret is asked for, or read with --secret-stdin, or taken from the environment
variable ARDESIA_CLIENT_SECRET; it is never a flag, because others on this machine can see flags.
Keys are made on the server:  ardesia apikey add --user you@example.org --name laptop`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			l.URL = strings.TrimSuffix(given[0], "/")
			if !strings.Contains(l.URL, "://") {
				l.URL = "https://" + l.URL
			}
			if l.CAFile != "" {
				abs, err := filepath.Abs(l.CAFile)
				if err != nil {
					return err
				}
				l.CAFile = abs
			}
			if !byKey && !secretStdin && l.ID == "" {
				return a.loginPerson(c, l, byCode, !noRing)
			}
			if err := ask(c, &l, secretStdin); err != nil {
				return err
			}
			s, err := client.New(client.Config{URL: l.URL, ID: l.ID, Secret: l.Secret, Space: l.Space, CAFile: l.CAFile}, time.Now)
			if err != nil {
				return usage{err}
			}
			if _, err := s.Token(c.Context()); err != nil {
				return err
			}
			inRing, err := store.Save(l, !noRing)
			if err != nil {
				return err
			}
			return kept(c, l, "the secret", inRing)
		},
	}
	f := c.Flags()
	f.StringVar(&l.ID, "client-id", os.Getenv("ARDESIA_CLIENT_ID"), "API key id, 32 characters (environment ARDESIA_CLIENT_ID)")
	f.BoolVar(&secretStdin, "secret-stdin", false, "read the secret from standard input")
	f.StringVar(&l.Space, "space", "", "id of a shared space to work in (default: your own)")
	f.StringVar(&l.CAFile, "ca", "", "PEM file of the server's CA, if the system does not trust it")
	f.BoolVar(&byKey, "api-key", false, "ask for an API key instead of signing in")
	f.BoolVar(&byCode, "device", false, "sign in with a code that you type in any browser, also where this machine has one")
	c.MarkFlagsMutuallyExclusive("api-key", "device")
	f.BoolVar(&noRing, "no-keyring", false, "keep the secret in a file of mode 0600 even if there is a key ring")
	return c
}

// kept says where what was given is now.
func kept(c *cobra.Command, l store.Login, what string, inRing bool) (err error) {
	where := "the system's key ring"
	if !inRing {
		if where, err = store.Path(); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(c.ErrOrStderr(), "Logged in to %s; %s is kept in %s.\n", l.URL, what, where)
	return err
}

// loginPerson signs in and keeps the tokens as a key's secret is kept.
func (a *app) loginPerson(c *cobra.Command, l store.Login, byCode, useRing bool) error {
	if !byCode && !interactive() && os.Getenv("BROWSER") == "" {
		return usage{fmt.Errorf("no terminal to sign in at: give --device, or an API key with --client-id and --secret-stdin")}
	}
	t, err := signIn(c, l, byCode)
	if err != nil {
		return err
	}
	l.Person = true
	if l.Secret, err = writeTokens(t); err != nil {
		return err
	}
	inRing, err := store.Save(l, useRing)
	if err != nil {
		return err
	}
	return kept(c, l, "the sign-in", inRing)
}

func ask(c *cobra.Command, l *store.Login, secretStdin bool) error {
	in := bufio.NewReader(c.InOrStdin())
	if l.ID == "" {
		if !interactive() {
			return usage{fmt.Errorf("no API key: give --client-id and --secret-stdin")}
		}
		fmt.Fprint(c.ErrOrStderr(), "Client id: ")
		text, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		l.ID = strings.TrimSpace(text)
	}
	var err error
	l.Secret, err = keySecret(c, in, secretStdin, "ARDESIA_CLIENT_SECRET", "Client secret (not shown): ")
	return err
}

func (a *app) logout() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Forget the server and its key on this machine, and end a sign-in", Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			l, err := store.Load()
			if err == nil && l.Person {
				if err := signOut(c.Context(), l); err != nil {
					fmt.Fprintf(c.ErrOrStderr(), "The server could not be told; there the sign-in ends by itself in two weeks: %v\n", err)
				}
			}
			return store.Forget()
		},
	}
}

// confirm asks before something is lost; without a terminal it wants --yes.
func (a *app) confirm(c *cobra.Command, what string) error { return a.agree(c, "delete", what) }
