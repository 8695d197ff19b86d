package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ardesia-iot/ardesia/internal/server"
)

func serve() *cobra.Command {
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the platform",
		Long: `Run the platform: web and API, MQTT for boards, everything that they need.

The first start on an empty data directory makes keys, databases and both
certificate authorities. Every flag is also an environment variable (ARDESIA_HTTPS_ADDR …)
and a key of the TOML file (https_addr …); "ardesia config show" says what holds and why.
Port 0 takes any free port; DIR/addresses.json then tells all of them.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(c.Flags(), os.LookupEnv)
			if err != nil {
				return err
			}
			if cfg, err = cfg.Filled(); err != nil {
				return err
			}
			log := logger(os.Stderr, cfg)
			s, err := server.New(c.Context(), cfg, server.World{Log: log, Now: time.Now, Out: c.OutOrStdout(), Program: program(), Version: version(), Terminal: isTerminal(c.OutOrStdout())})
			if errors.Is(err, context.Canceled) {
				log.Info("stopped before it was ready", "err", err)
				return nil // as asked; the next start goes on
			}
			if err != nil {
				return err
			}
			err = s.Run(c.Context())
			return errors.Join(err, s.Close(context.WithoutCancel(c.Context())))
		},
	}
	addFlags(c.Flags())
	return c
}

// program is how this program is called from where it was started.
func program() string {
	if _, err := exec.LookPath("ardesia"); err == nil {
		return "ardesia"
	}
	return os.Args[0]
}

// isTerminal says whether somebody sees at once what is written to w.
func isTerminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}

func logger(w io.Writer, cfg server.Config) *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // Filled has checked it
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" || (cfg.LogFormat == "" && !isTerminal(w)) {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func config() *cobra.Command {
	var origins bool
	load := func(c *cobra.Command) (server.Config, origin, error) {
		cfg, from, err := loadConfig(c.Flags(), os.LookupEnv)
		if err != nil {
			return cfg, from, err
		}
		if cfg.Data == "" {
			cfg.Data = "(not set)" // show and check are about the rest as well
		}
		cfg, err = cfg.Filled()
		return cfg, from, err
	}
	showIt := &cobra.Command{Use: "show", Short: "What holds, and why", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		cfg, from, err := load(c)
		t := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
		for _, s := range server.Settings(&cfg) {
			fmt.Fprintf(t, "%s\t%s", s.Key(), s.Text())
			if origins {
				why := from[s.Name]
				if why == "" {
					why = "default"
				}
				fmt.Fprintf(t, "\t%s", why)
			}
			fmt.Fprintln(t)
		}
		for _, p := range cfg.Social {
			for _, s := range server.SocialSettings(&p) {
				if s.Text() == "" {
					continue
				}
				fmt.Fprintf(t, "social.%s.%s\t%s", p.ID, s.Key(), s.Text())
				if origins {
					fmt.Fprintf(t, "\t%s", from[socialKey])
				}
				fmt.Fprintln(t)
			}
		}
		return errors.Join(t.Flush(), err)
	}}
	showIt.Flags().BoolVar(&origins, "origin", false, "say where each value comes from")
	check := &cobra.Command{Use: "check", Short: "Whether the settings can be used", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		if _, _, err := load(c); err != nil {
			return err
		}
		for _, name := range unread(os.Environ()) {
			fmt.Fprintf(c.ErrOrStderr(), "ardesia: %s is set, and nothing reads it\n", name)
		}
		fmt.Fprintln(c.OutOrStdout(), "The settings can be used.")
		return nil
	}}
	for _, c := range []*cobra.Command{showIt, check} {
		addFlags(c.Flags())
	}
	return group("config", "The settings", showIt, check)
}

func doctor() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "doctor", Short: "Check the installation and say what to do", Args: cobra.NoArgs,
		Long: `Check the installation and say what to do. The server may run meanwhile or not; give
the same flags or configuration as to "serve". Every page of the databases and the whole
journal are read, so it takes as long as reading the data directory once.

Ends with 0 when all is well or only something to keep in mind was found (warn), with 1
when something must be mended (BAD).`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, _, err := loadConfig(c.Flags(), os.LookupEnv)
			if err != nil {
				return err
			}
			if cfg, err = cfg.Filled(); err != nil {
				return err
			}
			if err := checkFormat(format); err != nil {
				return err
			}
			findings := server.Examine(c.Context(), cfg, time.Now)
			if err := showFindings(c.OutOrStdout(), format, findings); err != nil {
				return err
			}
			if slices.ContainsFunc(findings, func(f server.Finding) bool { return f.Grade == server.Bad }) {
				return errors.New("something must be mended before this installation can be relied on")
			}
			return nil
		},
	}
	addFlags(c.Flags())
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return c
}

func showFindings(w io.Writer, format string, findings []server.Finding) error {
	if format == "json" {
		return writeJSON(w, findings)
	}
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%-5s %s\n", f.Grade, f.Text); err != nil {
			return err
		}
		if f.Cure != "" {
			if _, err := fmt.Fprintf(w, "      → %s\n", f.Cure); err != nil {
				return err
			}
		}
	}
	return nil
}
