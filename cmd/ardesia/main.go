// Command ardesia is the platform: "ardesia serve" is everything, the other
// verbs keep it. See "ardesia --help".
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "ardesia:", err)
		code := 1
		if e := (exit{}); errors.As(err, &e) {
			code = e.code
		}
		os.Exit(code)
	}
}

// exit is an error after which the program ends with another code than 1.
type exit struct {
	code int
	error
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "ardesia",
		Short: "A cloud for Arduino boards on your own machine",
		Long: `A cloud for Arduino boards on your own machine: devices, things, values and their
history, over the protocols that Arduino boards and the Arduino Cloud's clients speak.

Start with:  ardesia serve --dev --demo --data ./data
Then:        ardesia user add --data ./data --email you@example.org --name You`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(serve(), doctor(), backups(), restores(), config(), user(), space(), apikey(), clients(), device(), ca(), key(), guards(), journals(), letters(), dataMap(), audits())
	return root
}

// version is the commit that this was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, changed := "", ""
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				changed = " with changes"
			}
		}
	}
	if commit == "" {
		return info.Main.Version
	}
	return commit + changed
}
