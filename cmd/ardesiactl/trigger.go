package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
)

func (a *app) trigger() *cobra.Command {
	return group("trigger", "What happens by itself when a value or a device's status changes", a.triggerList(), a.triggerUpdate(), a.tag(triggers),
		a.deletes(triggers, "Delete triggers with their actions", " with its actions"))
}

func (a *app) triggerList() *cobra.Command {
	return listing(a, triggers, "All triggers of the space", []string{"id", "name", "active", "actions"}, func(t client.Trigger) []string {
		return []string{t.ID, t.Name, strconv.FormatBool(t.Active), strconv.Itoa(len(t.Actions))}
	}, nil)
}

func (a *app) triggerUpdate() *cobra.Command {
	var active bool
	return a.updates(triggers, "PATCH", "Arm triggers, or disarm them", "  ardesiactl trigger update --tag room=attic --active=false --yes",
		func(c *cobra.Command) {
			c.Flags().BoolVar(&active, "active", true, "whether they do anything")
		},
		func(c *cobra.Command) map[string]any { return changed(c, map[string]any{"active": active}) })
}
