package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
)

// How "ardesia audit verify" ends, beside 0 and 1. Scripts rely on them.
const (
	exitAltered = 2 // something is not as it was written
	exitBroken  = 3 // all is as it was written, and log or database went back more often than the operator knows of
)

// auditFormats are the values of --format.
var auditFormats = []string{"text", "json", "jsonmini", "yaml"}

func audits() *cobra.Command {
	return group("audit", "The journal as it was, and the proof of it", auditShow(), auditVerify(), auditCheckpoint())
}

// auditVerb is a verb whose answer is printed by text, or as the other formats have it.
func auditVerb(use, short, act string, in func() (any, error), text func(w io.Writer, answer json.RawMessage) error) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			format, _ := c.Flags().GetString("format")
			if !slices.Contains(auditFormats, format) {
				return fmt.Errorf("--format %q is none of %s", format, strings.Join(auditFormats, ", "))
			}
			data, err := in()
			if err != nil {
				return err
			}
			answer, err := call(c, act, data)
			if err != nil {
				return err
			}
			if format == "text" {
				return text(c.OutOrStdout(), answer)
			}
			if err := writeFormat(c.OutOrStdout(), format, answer); err != nil {
				return err
			}
			return text(io.Discard, answer) // for how it ends
		},
	}
	adminFlags(c)
	c.Flags().String("format", "text", strings.Join(auditFormats, ", "))
	return c
}

func writeFormat(w io.Writer, format string, answer json.RawMessage) error {
	switch format {
	case "jsonmini":
		_, err := fmt.Fprintf(w, "%s\n", answer)
		return err
	case "yaml":
		dec := json.NewDecoder(strings.NewReader(string(answer)))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil {
			return err
		}
		return yaml.NewEncoder(w).Encode(whole(v))
	}
	return writeJSON(w, answer)
}

// whole makes whole numbers of those that are: YAML would write large ones with an exponent.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, of := range v {
			v[k] = whole(of)
		}
	case []any:
		for i, of := range v {
			v[i] = whole(of)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	}
	return v
}

func auditShow() *cobra.Command {
	var in struct {
		Since  string `json:"since"`
		Until  string `json:"until"`
		Actor  string `json:"actor"`
		Space  string `json:"space"`
		Action string `json:"action"`
		ID     string `json:"id"`
		Limit  int    `json:"limit"`
	}
	c := auditVerb("show", "Who changed what, and what was refused, the newest first", "audit.show", func() (any, error) { return in, nil }, func(w io.Writer, answer json.RawMessage) error {
		var all []struct {
			Number                   int64
			At                       time.Time
			Actor, Text, ID, Space   string
			Resource, Action, Detail json.RawMessage
		}
		if err := json.Unmarshal(answer, &all); err != nil {
			return err
		}
		if len(all) == 0 {
			_, err := fmt.Fprintln(w, "Nothing found.")
			return err
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "NUMBER\tAT\tWHAT\tACTOR\tID\tSPACE")
		for _, e := range all {
			fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", e.Number, e.At.Format(time.RFC3339), e.Text, cell(e.Actor), orDash(e.ID), orDash(e.Space))
		}
		return t.Flush()
	})
	c.Long = `Who changed what, and what was refused, the newest first: ids only, never names or values.
The other formats than text have the action's code and the details as well.

A time is a date (2027-01-31), a date with a time (2027-01-31T12:00:00Z), or how long ago (36h).`
	f := c.Flags()
	f.StringVar(&in.Since, "since", "", "from this time on")
	f.StringVar(&in.Until, "until", "", "before this time")
	f.StringVar(&in.Actor, "actor", "", "e-mail address or id of a person, whose API keys are meant too, or an actor as the journal has it (\"system\")")
	f.StringVar(&in.Space, "space", "", "in this space (id)")
	f.StringVar(&in.Action, "action", "", "of this action, such as \"apikey:create\"")
	f.StringVar(&in.ID, "id", "", "on the device, thing, account … of this id")
	f.IntVar(&in.Limit, "limit", 100, "at most this many, up to 1000")
	return c
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return cell(text)
}

func auditVerify() *cobra.Command {
	var against string
	var known int
	read := func() (any, error) {
		if against == "" {
			return struct{}{}, nil
		}
		text, err := os.ReadFile(against)
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint that was kept elsewhere: %w", err)
		}
		return map[string]any{"against": text}, nil
	}
	c := auditVerb("verify", "Prove that journal and audit log are what was written", "audit.verify", read, func(w io.Writer, answer json.RawMessage) error {
		var r wireReport
		if err := json.Unmarshal(answer, &r); err != nil {
			return err
		}
		r.print(w, known)
		return r.end(known)
	})
	c.Long = `Prove that journal and audit log are what was written, while the server runs or not. The log's tree is
computed anew from all its entries; its checkpoint's signature is checked; each entry is
compared with the journal in the database, and the journal's own chain of hashes too.

Somebody who has the whole machine, keys included, can write all of it anew. What they cannot change is a
checkpoint that you keep elsewhere: "ardesia audit checkpoint -o FILE" now, "--against FILE" later.

Ends with
  0  all is as it was written
  1  it could not be looked at
  2  something was altered, deleted, cut off or forged: each line says what and where
  3  all is as it was written, but the log or the database went back (a restore of a backup, a
     log that was moved away) more often than --known says`
	c.Flags().StringVar(&against, "against", "", "file with a checkpoint that was kept elsewhere")
	c.Flags().IntVar(&known, "known", 0, "how many restores and losses of the log you know of")
	return c
}

// wireReport is what audit.verify answers.
type wireReport struct {
	Entries, Waiting, Leaves, Signed, Outside int64
	Root, Key                                 string
	Breaks                                    []struct {
		Entry int64
		At    time.Time
		Text  string
	}
	Findings []struct{ Code, Text string }
	// Unreported are findings beyond those that are named.
	Unreported int
}

func (r wireReport) print(w io.Writer, known int) {
	for _, f := range r.Findings {
		fmt.Fprintf(w, "BAD   %s\n      (%s)\n", f.Text, f.Code)
	}
	if r.Unreported > 0 {
		fmt.Fprintf(w, "BAD   %d more findings.\n", r.Unreported)
	}
	for _, b := range r.Breaks {
		when := "at an unknown time"
		if !b.At.IsZero() {
			when = b.At.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "note  %s, entry %d: %s\n", when, b.Entry, b.Text)
	}
	if len(r.Findings) == 0 {
		fmt.Fprintf(w, "ok    %d entries of the journal and %d leaves of the log are as they were written.\n", r.Entries, r.Leaves)
		if r.Signed > 0 {
			fmt.Fprintf(w, "ok    The checkpoint of %d leaves bears the signature of this house: root %s\n", r.Signed, r.Root)
		}
		if r.Outside > 0 {
			fmt.Fprintf(w, "ok    Its first %d leaves are those of the checkpoint that was kept elsewhere.\n", r.Outside)
		}
	}
	if r.Waiting > 0 {
		fmt.Fprintf(w, "note  %d entries are not in the log yet; a running server appends them within a second.\n", r.Waiting)
	}
	if n := len(r.Breaks); n > known {
		fmt.Fprintf(w, "note  %d restores or losses are noted, and you know of %d (--known).\n", n, known)
	}
}

// end is how the verb ends.
func (r wireReport) end(known int) error {
	switch {
	case len(r.Findings) > 0:
		return exit{exitAltered, errors.New("the audit log or the journal is not as it was written; keep a copy of the data directory before anything else (docs/acts/audit.md)")}
	case len(r.Breaks) > known:
		return exit{exitBroken, errors.New("the log or the database went back, as noted above")}
	}
	return nil
}

func auditCheckpoint() *cobra.Command {
	var file string
	c := auditVerb("checkpoint", "Print what the log is now, signed, to keep it elsewhere", "audit.checkpoint", func() (any, error) { return struct{}{}, nil }, func(w io.Writer, answer json.RawMessage) error {
		var a struct{ Checkpoint string }
		if err := json.Unmarshal(answer, &a); err != nil {
			return err
		}
		if file == "" {
			_, err := io.WriteString(w, a.Checkpoint)
			return err
		}
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // an older one is worth more
		if err != nil {
			return err
		}
		_, err = io.WriteString(f, a.Checkpoint)
		return errors.Join(err, f.Sync(), f.Close())
	})
	c.Long = `Print the audit log's checkpoint: how many leaves it has, the root of their tree, and the house's
signature. Keep it where nobody who has this machine can change it: on paper, in a mail, with
somebody else. "ardesia audit verify --against FILE" proves later that nothing before it was changed.

--format json has the key as well with which others can check the signature (c2sp.org/tlog-checkpoint).`
	c.Flags().StringVarP(&file, "out", "o", "", "file that gets it instead; must not be there")
	return c
}
