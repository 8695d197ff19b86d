package main

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
)

var (
	syncColumns   = []string{"id", "type", "properties"}
	memberColumns = []string{"property", "name", "thing", "permission", "state"}
)

func syncRow(g client.Sync) []string {
	return []string{g.ID, g.Type, strconv.Itoa(len(g.Properties))}
}

func memberRows(all []client.SyncMember) [][]string {
	var rows [][]string
	for _, m := range all {
		rows = append(rows, []string{m.ID, m.Name, m.ThingName, m.Permission, m.State})
	}
	return rows
}

func (a *app) sync() *cobra.Command {
	return group("sync", "Groups of properties that are kept the same", a.syncList(), a.syncShow(), a.syncAdd(), a.syncRemove())
}

func syncPath(id string) string { return "/iot/v1/sync/" + url.PathEscape(id) }

func (a *app) syncList() *cobra.Command {
	return &cobra.Command{Use: "list", Short: "All groups of the space", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		all := []client.Sync{}
		if err := s.Do(c.Context(), "GET", "/iot/v1/sync", nil, &all); err != nil {
			return err
		}
		var rows [][]string
		for _, g := range all {
			rows = append(rows, syncRow(g))
		}
		return a.print(c, all, syncColumns, rows)
	}}
}

func (a *app) syncShow() *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "One group: its properties, and whether each takes part", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var g client.Sync
		if err := s.Do(c.Context(), "GET", syncPath(given[0]), nil, &g); err != nil {
			return err
		}
		return a.print(c, g, memberColumns, memberRows(g.Properties))
	}}
}

func (a *app) syncAdd() *cobra.Command {
	var to string
	c := &cobra.Command{
		Use: "add PROPERTY PROPERTY...", Short: "Keep properties the same (PROPERTY is an id), in a new group or with those of another",
		Example: "  ardesiactl sync add 0c9f3c9e-7c1b-4c0e-9a55-3f1f6d0f5a01 0c9f3c9e-7c1b-4c0e-9a55-3f1f6d0f5a02",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			var g client.Sync
			if to == "" {
				if err := s.Do(c.Context(), "PUT", "/iot/v1/sync", map[string]any{"properties": given}, &g); err != nil {
					return err
				}
				return a.print(c, g, memberColumns, memberRows(g.Properties))
			}
			if err := s.Do(c.Context(), "GET", syncPath(to), nil, &g); err != nil {
				return err
			}
			ids := g.IDs()
			for _, id := range given {
				if !slices.Contains(ids, strings.ToLower(id)) {
					ids = append(ids, id)
				}
			}
			if err := s.Do(c.Context(), "POST", syncPath(to), map[string]any{"properties": ids}, &g); err != nil {
				return err
			}
			return a.print(c, g, memberColumns, memberRows(g.Properties))
		},
	}
	c.Flags().StringVar(&to, "to", "", "id of a group that is there")
	return c
}

func (a *app) syncRemove() *cobra.Command {
	var properties []string
	c := &cobra.Command{Use: "remove ID", Short: "Take properties out of a group, or remove it; values stay as they are", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if len(properties) == 0 {
			if err := a.confirm(c, "group "+given[0]); err != nil {
				return err
			}
			return s.Do(c.Context(), "DELETE", syncPath(given[0]), nil, nil)
		}
		var g client.Sync
		if err := s.Do(c.Context(), "GET", syncPath(given[0]), nil, &g); err != nil {
			return err
		}
		ids := g.IDs()
		for _, id := range properties {
			i := slices.Index(ids, strings.ToLower(id))
			if i < 0 {
				return usage{fmt.Errorf("the property %s is not in this group", id)}
			}
			ids = slices.Delete(ids, i, i+1)
		}
		if err := s.Do(c.Context(), "POST", syncPath(given[0]), map[string]any{"properties": ids}, &g); err != nil {
			return err
		}
		return a.print(c, g, memberColumns, memberRows(g.Properties))
	}}
	c.Flags().StringSliceVar(&properties, "property", nil, "only this one, by its id; repeated")
	return c
}
