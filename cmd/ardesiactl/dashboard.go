package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/client"
)

var dashboardColumns = []string{"id", "name", "widgets", "updated"}

func dashboardRow(d client.Dashboard) []string {
	return []string{d.ID, d.Name, strconv.Itoa(len(d.Widgets)), d.UpdatedAt.Format("2006-01-02 15:04")}
}

func (a *app) dashboard() *cobra.Command {
	return group("dashboard", "What people see of their things, and with whom it is shared", a.dashboardList(), a.dashboardExtract(), a.dashboardCreate(), a.tag(dashboards),
		a.deletes(dashboards, "Delete dashboards; their things stay as they are", ""),
		a.dashboardShare(), a.dashboardPublish())
}

func (a *app) dashboardList() *cobra.Command {
	var name string
	return listing(a, dashboards, "All dashboards of the space, and those that others share with you", dashboardColumns, dashboardRow, func(c *cobra.Command) func(url.Values) {
		c.Flags().StringVar(&name, "name", "", "as --filter")
		return func(q url.Values) {
			if name != "" {
				q.Set("name", name)
			}
			if !q.Has("sort") {
				q.Set("sort", "name")
			}
		}
	})
}

func (a *app) dashboardExtract() *cobra.Command {
	var file string
	c := &cobra.Command{Use: "extract ID", Short: "A dashboard as a template, in YAML", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var tree any
		if err := s.Do(c.Context(), "GET", "/iot/v3/dashboards/"+url.PathEscape(given[0])+"/template", nil, &tree); err != nil {
			return err
		}
		text, err := yaml.Marshal(tree)
		if err != nil {
			return err
		}
		if file != "" {
			return os.WriteFile(file, text, 0o644)
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}}
	c.Flags().StringVar(&file, "outfile", "", "where to write it, instead of here")
	return c
}

// readTemplate reads a template in JSON or YAML as the server takes it.
func readTemplate(file string) (any, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, missing{err}
	}
	if json.Valid(text) {
		return json.RawMessage(text), nil
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, usage{fmt.Errorf("%s is neither JSON nor YAML: %w", file, err)}
	}
	return tree, nil
}

func (a *app) dashboardCreate() *cobra.Command {
	var name, template string
	var override []string
	c := &cobra.Command{
		Use: "create --template FILE", Short: "A dashboard like a template, with your things",
		Example: "  ardesiactl dashboard create --template dashboard.yml --override greenhouse-1-2547e=ID --name Mine",
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			tree, err := readTemplate(template)
			if err != nil {
				return err
			}
			q := url.Values{}
			for _, one := range override {
				if slug, id, ok := strings.Cut(one, "="); !ok || slug == "" || id == "" {
					return usage{errors.New("--override is written THING=ID: how the template calls a thing, and the id of yours")}
				}
				q.Add("override", one)
			}
			if name != "" {
				q.Set("name", name)
			}
			var d client.Dashboard
			if err := s.Do(c.Context(), "POST", "/v1/dashboards/import"+query(q), tree, &d); err != nil {
				return err
			}
			return a.print(c, d, dashboardColumns, [][]string{dashboardRow(d)})
		},
	}
	c.Flags().StringVar(&template, "template", "", "file with the template, YAML or JSON")
	c.Flags().StringVar(&name, "name", "", "the dashboard's name, instead of the template's")
	c.Flags().StringSliceVar(&override, "override", nil, "THING=ID, repeated or with commas: which thing stands for one that the template names")
	_ = c.MarkFlagRequired("template")
	return c
}

func (a *app) dashboardShare() *cobra.Command {
	var may string
	var end bool
	c := &cobra.Command{
		Use: "share ID [PERSON]", Short: "Let somebody see a dashboard who is no member of the space, or tell with whom it is shared",
		Example: "  ardesiactl dashboard share ID gino@example.org --access read",
		Args:    args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			id := url.PathEscape(given[0])
			var all []client.DashboardShare
			look := func() error { return s.Do(c.Context(), "GET", "/v1/dashboards/"+id+"/shares", nil, &all) }
			if len(given) == 2 && !end {
				in := map[string]any{"username": given[1], "access": may}
				if err := s.Do(c.Context(), "PUT", "/iot/v2/dashboards/"+id+"/shares", in, nil); err != nil {
					return err
				}
			}
			if err := look(); err != nil {
				return err
			}
			if end {
				if len(given) != 2 {
					return usage{errors.New("say from whom it is taken back")}
				}
				for _, one := range all {
					if one.Username == given[1] || one.UserID == given[1] {
						return s.Do(c.Context(), "DELETE", "/iot/v2/dashboards/"+id+"/shares/"+url.PathEscape(one.UserID), nil, nil)
					}
				}
				return missing{fmt.Errorf("the dashboard is not shared with %s: ardesiactl dashboard share ID tells with whom it is", given[1])}
			}
			var rows [][]string
			for _, one := range all {
				rows = append(rows, []string{one.UserID, one.Username, one.Access, one.SharedAt.Format("2006-01-02 15:04")})
			}
			return a.print(c, all, []string{"user", "name", "access", "since"}, rows)
		},
	}
	c.Flags().StringVar(&may, "access", "write", "read, or write: also to write values by its widgets")
	c.Flags().BoolVar(&end, "end", false, "take it back from this person")
	return c
}

func (a *app) dashboardPublish() *cobra.Command {
	var days int
	var end bool
	c := &cobra.Command{
		Use: "publish ID", Short: "Make a public link by which anybody may look at a dashboard, in place of the one that it had",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			path := "/v1/dashboards/" + url.PathEscape(given[0]) + "/link"
			if end {
				return s.Do(c.Context(), "DELETE", path, nil, nil)
			}
			var made struct {
				Link string `json:"link"`
			}
			if err := s.Do(c.Context(), "PUT", path, map[string]any{"days": days}, &made); err != nil {
				return err
			}
			return a.print(c, made, []string{"link"}, [][]string{{made.Link}})
		},
	}
	c.Flags().IntVar(&days, "days", 0, "how long it lasts; 0: until it is revoked")
	c.Flags().BoolVar(&end, "end", false, "revoke it")
	return c
}
