package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

var propertyColumns = []string{"id", "name", "type", "permission", "value", "since"}

func propertyRows(all []client.Property) [][]string {
	var rows [][]string
	for _, p := range all {
		rows = append(rows, []string{p.ID, p.Name, p.Type, p.Permission, output.Value(p.LastValue), ago(p.LastAt)})
	}
	return rows
}

func (a *app) property() *cobra.Command {
	return group("property", "Values: read, write, watch, history (PROPERTY is an id or a name)", a.propertyCreate(), a.propertyList(), a.propertyGet(), a.propertySet(), a.propertyWatch(), a.propertyHistory(), a.propertyDelete())
}

// parseProperty reads name:TYPE[:rw].
func parseProperty(text string) (map[string]any, error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return nil, fmt.Errorf("property %q is not name:TYPE or name:TYPE:rw", text)
	}
	permission := "READ_ONLY"
	if len(parts) == 3 {
		switch strings.ToLower(parts[2]) {
		case "rw":
			permission = "READ_WRITE"
		case "ro":
		default:
			return nil, fmt.Errorf("property %q: %q is neither ro nor rw", text, parts[2])
		}
	}
	return map[string]any{"name": parts[0], "type": strings.ToUpper(parts[1]), "permission": permission, "update_strategy": "ON_CHANGE"}, nil
}

func propertiesPath(thing string) string {
	return "/iot/v2/things/" + url.PathEscape(thing) + "/properties"
}

// find is the property of a thing that text names: by its id, its name, or its
// variable in the sketch.
func find(c *cobra.Command, s *client.Client, thing, text string) (client.Property, error) {
	all := []client.Property{}
	if err := s.Do(c.Context(), "GET", propertiesPath(thing), nil, &all); err != nil {
		return client.Property{}, err
	}
	var names []string
	for _, by := range []func(client.Property) string{
		func(p client.Property) string { return p.ID },
		func(p client.Property) string { return p.Name },
		func(p client.Property) string { return p.Variable },
	} {
		for _, p := range all {
			if by(p) == text {
				return p, nil
			}
		}
	}
	for _, p := range all {
		names = append(names, p.Name)
	}
	return client.Property{}, missing{fmt.Errorf("the thing has no property %q; it has: %s", text, strings.Join(names, ", "))}
}

func propertyPath(p client.Property, thing string) string {
	return propertiesPath(thing) + "/" + url.PathEscape(p.ID)
}

func (a *app) propertyCreate() *cobra.Command {
	return &cobra.Command{Use: "create THING name:TYPE[:rw]", Short: "A new property", Args: args(cobra.ExactArgs(2)), RunE: func(c *cobra.Command, given []string) error {
		in, err := parseProperty(given[1])
		if err != nil {
			return usage{err}
		}
		s, err := a.server()
		if err != nil {
			return err
		}
		var p client.Property
		if err := s.Do(c.Context(), "PUT", propertiesPath(given[0]), in, &p); err != nil {
			return err
		}
		return a.print(c, p, propertyColumns, propertyRows([]client.Property{p}))
	}}
}

func (a *app) propertyList() *cobra.Command {
	return &cobra.Command{Use: "list THING", Short: "All properties of a thing with their last values", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		all := []client.Property{}
		if err := s.Do(c.Context(), "GET", propertiesPath(given[0]), nil, &all); err != nil {
			return err
		}
		return a.print(c, all, propertyColumns, propertyRows(all))
	}}
}

func (a *app) propertyGet() *cobra.Command {
	return &cobra.Command{Use: "get THING PROPERTY", Short: "The last value", Args: args(cobra.ExactArgs(2)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		p, err := find(c, s, given[0], given[1])
		if err != nil {
			return err
		}
		if a.format == "text" {
			_, err := fmt.Fprintln(c.OutOrStdout(), output.Value(p.LastValue))
			return err
		}
		return a.print(c, p, nil, nil)
	}}
}

func (a *app) propertySet() *cobra.Command {
	return &cobra.Command{
		Use: "set THING PROPERTY VALUE", Short: "Write a value; the device gets it too",
		Long:    "Write a value; the device gets it too. VALUE is JSON; what is not JSON is a string.",
		Example: "  ardesiactl property set THING temperature 21.5\n  ardesiactl property set THING lamp '{\"hue\":210,\"sat\":50,\"bri\":75}'",
		Args:    args(cobra.ExactArgs(3)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			p, err := find(c, s, given[0], given[1])
			if err != nil {
				return err
			}
			return s.Do(c.Context(), "PUT", propertyPath(p, given[0])+"/publish", map[string]any{"value": parseValue(given[2])}, nil)
		},
	}
}

func parseValue(text string) any {
	var v any
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if !json.Valid([]byte(text)) || dec.Decode(&v) != nil {
		return text
	}
	return v
}

// seen is one line of watch, in every format.
type seen struct {
	Name  string    `json:"name" yaml:"name"`
	Value any       `json:"value" yaml:"value"`
	At    time.Time `json:"at" yaml:"at"`
}

func (a *app) propertyWatch() *cobra.Command {
	var address string
	c := &cobra.Command{
		Use: "watch THING [PROPERTY]", Short: "Values as they arrive, one a line, until Ctrl-C",
		Long: "Values as they arrive, one a line, until Ctrl-C. When the connection ends, as when the server\nrestarts, it is made again; what was sent meanwhile is in the history.",
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			variable := "" // as it is called on the wire; "" for all
			if len(given) == 2 {
				p, err := find(c, s, given[0], given[1])
				if err != nil {
					return err
				}
				variable = orElse(p.Variable, p.Name)
			} else if err := s.Do(c.Context(), "GET", propertiesPath(given[0]), nil, nil); err != nil {
				return err // the live connection would be silent for ever
			}
			return again(c, func(ctx context.Context) error {
				return s.Watch(ctx, address, given[0], func(records []senml.Record) {
					for _, r := range records {
						name, _, _ := strings.Cut(r.Name, ":")
						if variable == "" || name == variable {
							a.printSeen(c, seen{r.Name, recordValue(r), recordTime(r)})
						}
					}
				})
			})
		},
	}
	c.Flags().StringVar(&address, "wss-addr", "", "host:port of MQTT over WebSocket (default: the server's own)")
	return c
}

const (
	firstWait = time.Second
	longest   = 30 * time.Second
)

// again watches until Ctrl-C. A connection that has been open is made again, with
// growing pauses; one that never opened, or that the server no longer wants, is an error.
func again(c *cobra.Command, watch func(context.Context) error) error {
	ctx, wait, opened := c.Context(), firstWait, false
	for {
		err := watch(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var refused *client.Error
		switch {
		case errors.Is(err, client.ErrEnded):
			opened, wait = true, firstWait
		case !opened, untrusted(err), ended(err), errors.As(err, &refused) && refused.Status < 500:
			return err
		}
		fmt.Fprintf(c.ErrOrStderr(), "ardesiactl: %v; trying again in %v\n", err, wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func (a *app) printSeen(c *cobra.Command, v seen) {
	if a.format == "text" {
		fmt.Fprintf(c.OutOrStdout(), "%s  %s = %s\n", v.At.Local().Format(time.DateTime), v.Name, output.Value(v.Value))
		return
	}
	_ = a.print(c, v, nil, nil) // a closed pipe ends the command by its signal
}

func recordTime(r senml.Record) time.Time {
	if r.At == 0 {
		return time.Now().UTC()
	}
	return time.UnixMicro(int64(r.At * 1e6)).UTC()
}

func recordValue(r senml.Record) any {
	switch r.Kind {
	case senml.Bool:
		return r.Int != 0
	case senml.Text:
		return r.Text
	case senml.Int:
		return r.Int
	}
	return r.Num
}

func (a *app) propertyHistory() *cobra.Command {
	var from, to, aggregation string
	var interval time.Duration
	var limit int
	c := &cobra.Command{
		Use: "history THING PROPERTY", Short: "Past values, or aggregates over intervals",
		Example: "  ardesiactl property history THING temperature --from 24h\n  ardesiactl property history THING temperature --from 2026-01-01T00:00:00Z --interval 1h --aggregation MAX",
		Args:    args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, given []string) error {
			start, err := parseWhen(from)
			if err != nil {
				return usage{err}
			}
			end, err := parseWhen(to)
			if err != nil {
				return usage{err}
			}
			s, err := a.server()
			if err != nil {
				return err
			}
			p, err := find(c, s, given[0], given[1])
			if err != nil {
				return err
			}
			q := map[string]any{"q": "property." + p.ID, "from": start, "to": end, "series_limit": limit}
			path := "/iot/v2/series/batch_query_raw"
			if interval > 0 {
				path = "/iot/v2/series/batch_query"
				q["interval"], q["aggregation"] = int(interval/time.Second), strings.ToUpper(aggregation)
			} else {
				q["sort"] = "ASC"
			}
			var answer struct {
				Responses []client.Series `json:"responses"`
			}
			if err := s.Do(c.Context(), "POST", path, map[string]any{"resp_version": 1, "requests": []any{q}}, &answer); err != nil {
				return err
			}
			return a.printSeries(c, answer.Responses)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "24h", "start: RFC 3339, or how long ago (90m, 24h)")
	f.StringVar(&to, "to", "0s", "end: RFC 3339, or how long ago")
	f.DurationVar(&interval, "interval", 0, "aggregate over intervals of this length; 0 for every value")
	f.StringVar(&aggregation, "aggregation", "AVG", "AVG, MIN, MAX, SUM, COUNT, PCT_50 …")
	f.IntVar(&limit, "limit", 1000, "at most this many")
	return c
}

func (a *app) printSeries(c *cobra.Command, all []client.Series) error {
	var rows [][]string
	for _, s := range all {
		if s.Status != "ok" {
			return fmt.Errorf("%s: %s", s.Status, s.Message)
		}
		for i, t := range s.Times {
			rows = append(rows, []string{t.Format(time.RFC3339Nano), output.Value(s.Values[i])})
		}
	}
	return a.print(c, all, []string{"time", "value"}, rows)
}

// parseWhen reads a time, or a duration before now.
func parseWhen(text string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time (2026-01-02T15:04:05Z) nor how long ago (24h)", text)
	}
	return time.Now().Add(-d).UTC(), nil
}

func (a *app) propertyDelete() *cobra.Command {
	return &cobra.Command{Use: "delete THING PROPERTY", Short: "Delete a property", Args: args(cobra.ExactArgs(2)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		p, err := find(c, s, given[0], given[1])
		if err != nil {
			return err
		}
		if err := a.confirm(c, "property "+p.Name+" ("+p.ID+")"); err != nil {
			return err
		}
		return s.Do(c.Context(), "DELETE", propertyPath(p, given[0]), nil, nil)
	}}
}
