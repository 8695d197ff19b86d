package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/store"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/transfer"
)

var errIncomplete = errors.New("not everything could be copied: the report says what and why")

func (a *app) imports() *cobra.Command {
	return group("import", "Bring along what you have elsewhere", a.importCloud())
}

// arrival is where things go, when that is not the server of the log-in.
type arrival struct{ url, id, space, ca string }

func (a *app) importCloud() *cobra.Command {
	var (
		from         client.Config
		to           arrival
		only         []string
		since, until string
		cfg          transfer.Config
		rate, toRate float64
		secretStdin  bool
		report       string
	)
	c := &cobra.Command{
		Use: "arduino-cloud", Short: "Copy devices, things, dashboards, history and triggers from the Arduino Cloud",
		Long: `Copy devices, things with their properties, dashboards, the history of values, and triggers with their
actions from the Arduino Cloud, or another server with its API, to the server that you are logged in
to. An API key of the source is needed: its id by --client-id, its secret by the environment variable
ARDUINO_CLOUD_SECRET, with --secret-stdin, or when asked; it is never a flag, because others on this
machine can see flags.

It may be stopped at any moment: the same command goes on where it was, and nothing is copied
twice. How far it is stands in a state file; what was made has the tag "imported-from" with the ID of
its source. Nothing is changed on the source.

Devices with a secret key get a new one, told once in the file --keys. Boards with a certificate have to be
provisioned for the new server: their private keys cannot move, and the report lists them. Code of sketches
stays in the editor of the source. Values of the past fire no triggers and call no webhooks; they
count for the quota of values a day, if your space has one.

The last lines are a report, which is also written as JSON beside the state file. The exit code is 1 when
something could not be copied that should have been.`,
		Example: "  ardesiactl import arduino-cloud --client-id ID --dry-run\n  ardesiactl import arduino-cloud --client-id ID --verify\n  ardesiactl import arduino-cloud --client-id ID --only history --since 2026-01-01T00:00:00Z",
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			for _, part := range only {
				if !slices.Contains(transfer.Parts(), part) {
					return usage{fmt.Errorf("--only %q is none of %s", part, strings.Join(transfer.Parts(), ", "))}
				}
			}
			for text, at := range map[*string]*time.Time{&since: &cfg.Since, &until: &cfg.Until} {
				if *text == "" {
					continue
				}
				t, err := parseWhen(*text)
				if err != nil {
					return usage{err}
				}
				*at = t
			}
			if !cfg.Until.IsZero() && !cfg.Since.Before(cfg.Until) {
				return usage{errors.New("--since lies before --until")}
			}
			if err := departure(c, &from, secretStdin); err != nil {
				return err
			}
			source, err := client.New(from, time.Now)
			if err != nil {
				return usage{err}
			}
			target, login, err := a.arrive(to)
			if err != nil {
				return err
			}
			cfg.From, cfg.Organization, cfg.To, cfg.Space = from.URL, from.Space, login.URL, login.Space
			cfg.Only, cfg.Now = only, time.Now
			if cfg.Keys == "" {
				cfg.Keys = beside(cfg.State, "keys")
			}
			if report == "" {
				report = beside(cfg.State, "report")
			}
			show := newImportBar(newBar(c.ErrOrStderr()))
			defer show.bar.end()
			paceOf := func(perSecond float64) *cloud.Pace {
				p := cloud.NewPace(perSecond, time.Now)
				p.Note = show.waits
				return p
			}
			cfg.Source, cfg.Target, cfg.Pace, cfg.Progress = cloud.New(source, paceOf(rate)), target, paceOf(toRate), show.tell
			told, err := transfer.Run(c.Context(), cfg)
			show.bar.end()
			if err != nil {
				if !cfg.DryRun {
					fmt.Fprintf(c.ErrOrStderr(), "What was copied so far stays, and the same command goes on from there (%s).\n", cfg.State)
				}
				return err
			}
			return a.tellImport(c, told, report)
		},
	}
	f := c.Flags()
	f.StringVar(&from.URL, "from", "https://api2.arduino.cc", "address of the source")
	f.StringVar(&from.ID, "client-id", os.Getenv("ARDUINO_CLOUD_CLIENT"), "id of an API key of the source (environment ARDUINO_CLOUD_CLIENT)")
	f.BoolVar(&secretStdin, "secret-stdin", false, "read the key's secret from standard input")
	f.StringVar(&from.Space, "organization", os.Getenv("ARDUINO_CLOUD_ORGANIZATION"), "id of a shared space of the source (environment ARDUINO_CLOUD_ORGANIZATION; default: the key owner's own)")
	f.StringVar(&from.CAFile, "from-ca", "", "PEM file of the source's CA, if the system does not trust it")
	f.StringVar(&to.url, "to", "", "address of the server to copy to (default: the one that you are logged in to)")
	f.StringVar(&to.id, "to-client-id", os.Getenv("ARDESIA_CLIENT_ID"), "with --to: id of an API key there; its secret is in ARDESIA_CLIENT_SECRET")
	f.StringVar(&to.space, "to-space", "", "id of the space to copy to (default: that of the log-in, or of --to the key owner's own)")
	f.StringVar(&to.ca, "to-ca", "", "with --to: PEM file of that server's CA")
	f.StringSliceVar(&only, "only", nil, "copy only some of: "+strings.Join(transfer.Parts(), ","))
	f.StringVar(&since, "since", "", "history from here: RFC 3339, or how long ago (default: all)")
	f.StringVar(&until, "until", "", "history to before here (default: when it was first started)")
	f.BoolVar(&cfg.DryRun, "dry-run", false, "tell what would be copied, and change nothing")
	f.BoolVar(&cfg.Verify, "verify", false, "compare both sides when all is copied")
	f.Float64Var(&rate, "rate", 10, "requests a second to the source, at most; 1 for the Arduino Cloud's free plans; 0 for any number")
	f.Float64Var(&toRate, "to-rate", 10, "requests a second to your own server, at most; 0 for any number")
	f.StringVar(&cfg.State, "state", "ardesia-import.json", "where to remember how far it is, mode 0600")
	f.StringVar(&cfg.Keys, "keys", "", "where new secret keys are told, mode 0600 (default: beside the state file)")
	f.StringVar(&report, "report", "", "where the report is written as JSON, mode 0600 (default: beside the state file)")
	return c
}

// beside is the name of a file that belongs to the state file.
func beside(state, what string) string {
	ext := filepath.Ext(state)
	return strings.TrimSuffix(state, ext) + "-" + what + ".json"
}

// departure completes what is known of the source.
func departure(c *cobra.Command, from *client.Config, secretStdin bool) error {
	from.URL = strings.TrimSuffix(from.URL, "/")
	if !strings.Contains(from.URL, "://") {
		from.URL = "https://" + from.URL
	}
	address, err := url.Parse(from.URL)
	if err != nil || address.Host == "" {
		return usage{fmt.Errorf("--from %q is no address of a server", from.URL)}
	}
	if address.Scheme != "https" && !loopback(address.Hostname()) {
		return usage{fmt.Errorf("--from %s: the key's secret would be readable on the way; it needs https", from.URL)}
	}
	if from.ID == "" {
		return usage{errors.New("no API key of the source: give --client-id, or set ARDUINO_CLOUD_CLIENT")}
	}
	from.Secret, err = keySecret(c, bufio.NewReader(c.InOrStdin()), secretStdin, "ARDUINO_CLOUD_SECRET",
		fmt.Sprintf("Secret of the API key of %s (not shown): ", address.Host))
	return err
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// arrive is the client of the target.
func (a *app) arrive(to arrival) (*client.Client, store.Login, error) {
	l := store.Login{URL: strings.TrimSuffix(to.url, "/"), ID: to.id, Space: to.space, CAFile: to.ca, Secret: os.Getenv("ARDESIA_CLIENT_SECRET")}
	if to.url == "" {
		kept, err := store.Load()
		if err != nil {
			return nil, l, err
		}
		if to.space != "" {
			kept.Space = to.space
		}
		s, err := clientOf(kept)
		return s, kept, err
	}
	if l.ID == "" || l.Secret == "" {
		return nil, l, usage{errors.New("--to needs --to-client-id, and the secret in ARDESIA_CLIENT_SECRET")}
	}
	s, err := clientOf(l)
	if err != nil {
		err = usage{err}
	}
	return s, l, err
}

func (a *app) tellImport(c *cobra.Command, r *transfer.Report, file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if !r.DryRun {
		if err := transfer.Write(file, append(text, '\n')); err != nil {
			return err
		}
	}
	if a.format == "text" {
		var b bytes.Buffer
		if err := r.Text(&b, output.Printable); err != nil {
			return err
		}
		if _, err := c.OutOrStdout().Write(b.Bytes()); err != nil {
			return err
		}
	} else if err := a.print(c, r, nil, nil); err != nil {
		return err
	}
	if r.Failures() > 0 {
		return errIncomplete
	}
	return nil
}

// An importBar shows how far an import is, and for how long it will go on.
type importBar struct {
	bar   *bar
	part  string
	began time.Time
}

func newImportBar(b *bar) *importBar { return &importBar{bar: b} }

func (b *importBar) tell(p transfer.Progress) {
	if b.part != p.Part {
		b.part, b.began = p.Part, time.Now()
	}
	words := p.Part + ": " + output.Printable(p.Words)
	if left, known := remaining(p.Done, p.Whole, time.Since(b.began)); known {
		words += ", " + left.String() + " left"
	}
	b.bar.draw(p.Done, p.Whole, words)
}

// remaining is how long the rest takes if it goes on like this; it is not known at the beginning.
func remaining(done, whole int64, took time.Duration) (time.Duration, bool) {
	if took < 2*time.Second || done <= 0 || done >= whole {
		return 0, false
	}
	return time.Duration(float64(took) / float64(done) * float64(whole-done)).Round(time.Second), true
}

// waits says why nothing seems to happen.
func (b *importBar) waits(why error, d time.Duration) {
	if d >= time.Second {
		b.bar.draw(0, 1, fmt.Sprintf("%s: waits %v, because of: %.100s", b.part, d.Round(time.Second), output.Printable(why.Error())))
	}
}
