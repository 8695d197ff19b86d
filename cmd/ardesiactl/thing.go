package main

import (
	"fmt"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
)

var thingColumns = []string{"id", "name", "device", "timezone", "properties"}

func thingRow(t client.Thing) []string {
	return []string{t.ID, t.Name, t.DeviceName, t.Timezone, strconv.Itoa(max(t.Count, len(t.Properties)))}
}

func (a *app) thing() *cobra.Command {
	return group("thing", "What devices are for: properties and a time zone", a.thingList(), a.thingShow(), a.thingCreate(), a.thingBind(), a.thingUpdate(), a.thingSketch(), a.thingWebhook(), a.thingScrape(), a.tag(things),
		a.deletes(things, "Delete things with their properties", " with its properties"))
}

func (a *app) thingList() *cobra.Command {
	return listing(a, things, "All things of the space", thingColumns, thingRow, nil)
}

func (a *app) thingUpdate() *cobra.Command {
	var timezone, webhook string
	var active bool
	return a.updates(things, "POST", "Change the same of many things", "  ardesiactl thing update --tag room=attic --timezone Europe/Rome --yes",
		func(c *cobra.Command) {
			c.Flags().StringVar(&timezone, "timezone", "", "IANA time zone")
			c.Flags().StringVar(&webhook, "webhook-uri", "", "address that hears of values; empty for none")
			c.Flags().BoolVar(&active, "webhook-active", true, "whether it is called")
		},
		func(c *cobra.Command) map[string]any {
			return changed(c, map[string]any{"timezone": timezone, "webhook-uri": webhook, "webhook-active": active})
		})
}

func (a *app) thingShow() *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "One thing with its properties and last values", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var t client.Thing
		if err := s.Do(c.Context(), "GET", "/iot/v2/things/"+url.PathEscape(given[0]), nil, &t); err != nil {
			return err
		}
		if a.format != "text" {
			return a.print(c, t, nil, nil)
		}
		fmt.Fprintf(c.OutOrStdout(), "%s  %s  device %s  %s\n\n", t.ID, t.Name, output.Value(t.DeviceName), t.Timezone)
		return a.print(c, t, propertyColumns, propertyRows(t.Properties))
	}}
}

func (a *app) thingCreate() *cobra.Command {
	var name, device, timezone string
	var properties []string
	c := &cobra.Command{
		Use: "create --name NAME", Short: "A new thing, with properties if you like",
		Example: "  ardesiactl thing create --name Greenhouse --timezone Europe/Rome --device ID --property temperature:FLOAT --property lamp:STATUS:rw",
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			in := map[string]any{"name": name, "timezone": timezone}
			if device != "" {
				in["device_id"] = device
			}
			var defs []any
			for _, p := range properties {
				def, err := parseProperty(p)
				if err != nil {
					return usage{err}
				}
				defs = append(defs, def)
			}
			if defs != nil {
				in["properties"] = defs
			}
			var t client.Thing
			if err := s.Do(c.Context(), "PUT", "/iot/v2/things?force=true", in, &t); err != nil {
				return err
			}
			return a.print(c, t, thingColumns, [][]string{thingRow(t)})
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "the thing's name, unique in its space")
	f.StringVar(&device, "device", "", "id of the device to attach")
	f.StringVar(&timezone, "timezone", "America/New_York", "IANA time zone")
	f.StringArrayVar(&properties, "property", nil, "name:TYPE[:rw], repeated; types as in the API (FLOAT, INT, STATUS, CHARSTRING, LOCATION …)")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) thingBind() *cobra.Command {
	var device string
	c := &cobra.Command{Use: "bind ID --device ID", Short: "Attach a device to a thing, away from where it was", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var t client.Thing
		if err := s.Do(c.Context(), "POST", "/iot/v2/things/"+url.PathEscape(given[0])+"?force=true", map[string]any{"device_id": device}, &t); err != nil {
			return err
		}
		return a.print(c, t, thingColumns, [][]string{thingRow(t)})
	}}
	c.Flags().StringVar(&device, "device", "", "id of the device")
	_ = c.MarkFlagRequired("device")
	return c
}
