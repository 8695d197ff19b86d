// Command ardesiactl drives an Ardesia server from the command line: devices,
// things, properties and their values. See "ardesiactl --help".
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/store"
)

// What a script can rely on; "ardesiactl exit-codes" prints it.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitNotFound = 3
	exitLogin    = 4
	exitNetwork  = 5
	exitConflict = 6
	exitRefused  = 7
	exitStopped  = 130
)

const exitHelp = `Every command ends with one of these codes:

  0    it worked
  1    it failed for another reason
  2    the command line is not understood
  3    the object is not there (or not yours)
  4    log in first, or again
  5    the server cannot be reached or is not trusted
  6    it collides with something that exists
  7    your role or the server's limits do not allow it
  130  stopped by Ctrl-C
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	code := exitCode(ctx, err)
	if err != nil && code != exitStopped { // who pressed Ctrl-C knows why it ended
		fmt.Fprintln(os.Stderr, "ardesiactl:", explain(err))
	}
	return code
}

// usage is a command line that is not understood.
type usage struct{ error }

// missing is something that the command line names and that is not there.
type missing struct{ error }

func exitCode(ctx context.Context, err error) int {
	var (
		e       *client.Error
		u       usage
		m       missing
		network net.Error
	)
	switch {
	case err == nil:
		return exitOK
	case ctx.Err() != nil:
		return exitStopped
	case errors.As(err, &u):
		return exitUsage
	case errors.As(err, &m):
		return exitNotFound
	case ended(err):
		return exitLogin
	case errors.As(err, &e):
		switch e.Status {
		case 400:
			return exitUsage
		case 401:
			return exitLogin
		case 403, 412, 429:
			return exitRefused
		case 404:
			return exitNotFound
		case 409:
			return exitConflict
		}
		return exitFailure
	case errors.As(err, &network), untrusted(err):
		return exitNetwork
	}
	return exitFailure
}

func untrusted(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
	)
	return errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &name)
}

// explain adds what to do to what went wrong.
func explain(err error) string {
	text := err.Error()
	var e *client.Error
	switch {
	case untrusted(err):
		text += "\nIf this is your own server, give its CA: ardesiactl login --ca DIR/tls/ca.pem, or install it: ardesiactl trust install DIR/tls/ca.pem"
	case errors.As(err, &e) && e.Status == 401:
		text += "\nThe key may have been revoked, or the sign-in have ended: ardesiactl login"
	case errors.As(err, &e) && e.Retry != "":
		text += "\nTry again in " + e.Retry + " s."
	}
	return text
}

// app is what the verbs share.
type app struct {
	format string
	yes    bool
}

func newRoot() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:           "ardesiactl",
		Short:         "Devices, things and their values on your Ardesia server",
		Long:          "Devices, things and their values on your Ardesia server.\n\nStart with:  ardesiactl login https://your-server\n\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          args(cobra.NoArgs),
		PersistentPreRunE: func(c *cobra.Command, _ []string) error {
			if err := errors.Join(c.ValidateRequiredFlags(), c.ValidateFlagGroups()); err != nil {
				return usage{fmt.Errorf("%w\nusage: %s", err, c.UseLine())}
			}
			for _, f := range output.Formats {
				if f == a.format {
					return nil
				}
			}
			return usage{fmt.Errorf("--format %q is none of %v", a.format, output.Formats)}
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().StringVar(&a.format, "format", "text", "text, json, jsonmini or yaml")
	root.PersistentFlags().BoolVarP(&a.yes, "yes", "y", false, "do not ask before something is deleted")
	_ = root.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(output.Formats, cobra.ShellCompDirectiveNoFileComp))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	root.AddCommand(a.login(), a.logout(), a.device(), a.thing(), a.dashboard(), a.template(), a.trigger(), a.property(), a.sync(), a.integration(), a.ota(), a.onboarding(), a.space(), a.imports(), a.trust(),
		&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Args: args(cobra.NoArgs), Run: func(c *cobra.Command, _ []string) { fmt.Fprint(c.OutOrStdout(), exitHelp) }})
	return root
}

// args wraps cobra's checks so that their failures are usage errors.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := check(c, given); err != nil {
			return usage{fmt.Errorf("%w\nusage: %s", err, c.UseLine())}
		}
		return nil
	}
}

// group is a noun; its verbs do the work.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	g.AddCommand(verbs...)
	return g
}

// server is the client for the server that the user has logged in to.
func (a *app) server() (*client.Client, error) {
	l, err := store.Load()
	if err != nil {
		return nil, err
	}
	return clientOf(l)
}

func clientOf(l store.Login) (*client.Client, error) {
	cfg := client.Config{URL: l.URL, ID: l.ID, Secret: l.Secret, Space: l.Space, CAFile: l.CAFile}
	if l.Person {
		cfg.Source = renewer()
	}
	return client.New(cfg, time.Now)
}

// print shows data, as a table of columns and rows when a person asked.
func (a *app) print(c *cobra.Command, data any, columns []string, rows [][]string) error {
	return output.Print(c.OutOrStdout(), a.format, data, columns, rows)
}
