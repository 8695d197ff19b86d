package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
)

const tino = ".tino"

var templateColumns = []string{"id", "name", "things", "dashboards", "triggers", "sketches", "updated"}

func templateRow(t client.Template) []string {
	id := t.ID
	if t.Slug != "" {
		id = t.Slug
	}
	return []string{id, t.Name, strconv.Itoa(t.Things), strconv.Itoa(t.Dashboards), strconv.Itoa(t.Triggers), strconv.Itoa(t.Sketches), t.UpdatedAt.Format("2006-01-02 15:04")}
}

func (a *app) template() *cobra.Command {
	return group("template", "Things with their sketches, dashboards and triggers, to be made anew elsewhere", a.templateList(), a.templateShow(), a.templateExport(), a.templateImport(),
		a.templateApply(), a.templateCreate(), a.templateRename(), a.templateDelete())
}

func templatePath(id string) string { return "/v1/templates/" + url.PathEscape(id) }

func (a *app) templateList() *cobra.Command {
	var gallery bool
	c := &cobra.Command{Use: "list", Short: "All templates of the space, or of the gallery that every server has", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		path := "/v1/templates"
		if gallery {
			path += "/gallery"
		}
		all := []client.Template{}
		if err := s.Do(c.Context(), "GET", path, nil, &all); err != nil {
			return err
		}
		var rows [][]string
		for _, t := range all {
			rows = append(rows, templateRow(t))
		}
		return a.print(c, all, templateColumns, rows)
	}}
	c.Flags().BoolVar(&gallery, "gallery", false, "those of the gallery")
	return c
}

// described is what is in a template, as far as a table has room.
type described struct {
	ID     string   `json:"template_id"`
	Name   string   `json:"name"`
	Text   string   `json:"description"`
	Boards []string `json:"compatible_boards"`
	Things []struct {
		ID        string `json:"id"`
		Name      string `json:"name"`
		Variables []struct {
			Name string `json:"variable_name"`
		} `json:"variables"`
	} `json:"thing_templates"`
	Dashboards []struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Widgets []any  `json:"widgets"`
	} `json:"dashboard_templates"`
	Triggers []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"trigger_templates"`
}

func (d described) rows() (rows [][]string) {
	for _, t := range d.Things {
		var names []string
		for _, v := range t.Variables {
			names = append(names, v.Name)
		}
		rows = append(rows, []string{"thing", t.ID, t.Name, strings.Join(names, " ")})
	}
	for _, one := range d.Dashboards {
		rows = append(rows, []string{"dashboard", one.ID, one.Name, strconv.Itoa(len(one.Widgets)) + " widgets"})
	}
	for _, t := range d.Triggers {
		rows = append(rows, []string{"trigger", t.ID, t.Name, ""})
	}
	return rows
}

func (a *app) templateShow() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "What is in a template; the gallery's go by their names",
		Example: "  ardesiactl template show thermostat",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			path := "/storage/template/v1/" + url.PathEscape(given[0])
			var d described
			if err := s.Do(c.Context(), "GET", path, nil, &d); err != nil {
				return err
			}
			var all any
			if a.format != "text" {
				if err := s.Do(c.Context(), "GET", path, nil, &all); err != nil {
					return err
				}
			}
			return a.print(c, all, []string{"part", "id", "name", "has"}, d.rows())
		},
	}
}

func (a *app) templateExport() *cobra.Command {
	var file, folder string
	var force bool
	c := &cobra.Command{
		Use: "export ID", Short: "Write a template to a .tino file, or its sketches into a folder",
		Example: "  ardesiactl template export ID --outfile farm.tino\n  ardesiactl template export thermostat --sketches .",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			text, err := s.ExportTemplate(c.Context(), given[0])
			if err != nil {
				return err
			}
			if folder != "" {
				names, err := writeSketches(text, folder, force)
				if err != nil {
					return err
				}
				var rows [][]string
				for _, name := range names {
					rows = append(rows, []string{name})
				}
				return a.print(c, map[string]any{"files": names}, []string{"file"}, rows)
			}
			if file == "" {
				file = filepath.Base(given[0]) + tino
			}
			how := os.O_WRONLY | os.O_CREATE | os.O_EXCL
			if force {
				how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
			}
			f, err := os.OpenFile(file, how, 0o644)
			if errors.Is(err, os.ErrExist) {
				return usage{fmt.Errorf("%s is there already: give another --outfile, or --overwrite", file)}
			}
			if err != nil {
				return err
			}
			_, err = f.Write(text)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
			return a.print(c, map[string]any{"file": file, "bytes": len(text)}, []string{"file", "bytes"}, [][]string{{file, strconv.Itoa(len(text))}})
		},
	}
	c.Flags().StringVar(&file, "outfile", "", "where to write it, instead of ID.tino")
	c.Flags().StringVar(&folder, "sketches", "", "folder to write the sketches of the template into, instead of a .tino file")
	c.Flags().BoolVar(&force, "overwrite", false, "in place of files that are there")
	c.MarkFlagsMutuallyExclusive("outfile", "sketches")
	return c
}

// maxSketchFile bounds what is unpacked of one file of a sketch, in bytes: no template has more.
const maxSketchFile = 24 << 20

// writeSketches writes the sketches of a .tino file into a folder, and nothing elsewhere: the folder is a root that no name
// gets out of. Nothing is written when a file is there already, unless force is set.
func writeSketches(text []byte, folder string, force bool) ([]string, error) {
	z, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return nil, fmt.Errorf("the server's answer is no .tino file: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	files, names := map[string]*zip.File{}, []string{}
	for _, f := range z.File {
		name, ok := strings.CutPrefix(f.Name, "resources/sketches/")
		if !ok || strings.HasSuffix(name, "/") {
			continue
		}
		if _, err := root.Stat(name); err == nil && !force {
			return nil, usage{fmt.Errorf("%s is there already: give another folder, or --overwrite", filepath.Join(folder, name))}
		}
		files[name], names = f, append(names, name)
	}
	if len(names) == 0 {
		return nil, missing{errors.New("the template has no sketch")}
	}
	for _, name := range names {
		if err := writeSketchFile(root, name, files[name]); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func writeSketchFile(root *os.Root, name string, f *zip.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, maxSketchFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxSketchFile {
		return fmt.Errorf("%s is larger than a template may be", name)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return root.WriteFile(name, text, 0o644)
}

func (a *app) templateImport() *cobra.Command {
	return &cobra.Command{
		Use: "import FILE", Short: "Keep the template of a .tino file in the space",
		Example: "  ardesiactl template import farm.tino",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			text, err := os.ReadFile(given[0])
			if err != nil {
				return missing{err}
			}
			id, err := s.ImportTemplate(c.Context(), filepath.Base(given[0]), text)
			if err != nil {
				return err
			}
			return a.templateAnswer(c, s, "GET", templatePath(id), nil)
		},
	}
}

// templateAnswer prints what the server says of a template.
func (a *app) templateAnswer(c *cobra.Command, s *client.Client, method, path string, in any) error {
	var t client.Template
	if err := s.Do(c.Context(), method, path, in, &t); err != nil {
		return err
	}
	return a.print(c, t, templateColumns, [][]string{templateRow(t)})
}

func (a *app) templateApply() *cobra.Command {
	var prefix string
	var devices, secrets []string
	c := &cobra.Command{
		Use: "apply ID", Short: "Make all that is in a template, or nothing if a part of it cannot be",
		Long: "Make all that is in a template: things, dashboards and triggers, or nothing if a part of it cannot be made. ID is that of a template of the space, or a name of the gallery. " +
			"Where the template has one thing, --device and --secret need not say which.",
		Example: "  ardesiactl template apply thermostat --prefix Bedroom --device thermostat=ID\n  ardesiactl template apply ID --device ID --secret SECRET_SSID=net",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			var d described
			if err := s.Do(c.Context(), "GET", "/storage/template/v1/"+url.PathEscape(given[0]), nil, &d); err != nil {
				return err
			}
			options, err := d.options(devices, secrets)
			if err != nil {
				return err
			}
			if prefix != "" && !strings.HasSuffix(prefix, " ") {
				prefix += " "
			}
			in := map[string]any{"template_name": "", "custom_template_id": d.ID, "things_options": options, "prefix_name": prefix}
			var made client.Applied
			if err := s.Do(c.Context(), "PUT", "/iot/v1/templates", in, &made); err != nil {
				return err
			}
			var rows [][]string
			for _, t := range made.Things {
				rows = append(rows, []string{"thing", t.ID, t.DeviceID})
			}
			for _, id := range made.Dashboards {
				rows = append(rows, []string{"dashboard", id, ""})
			}
			for _, id := range made.Triggers {
				rows = append(rows, []string{"trigger", id, ""})
			}
			return a.print(c, made, []string{"part", "id", "device"}, rows)
		},
	}
	c.Flags().StringVar(&prefix, "prefix", "", "a word before all names, with a space between")
	c.Flags().StringSliceVar(&devices, "device", nil, "THING=ID or ID, repeated or with commas: for which device a thing of the template is")
	c.Flags().StringArrayVar(&secrets, "secret", nil, "THING:NAME=VALUE or NAME=VALUE, repeated: a secret of a thing's sketch")
	return c
}

// options are those of the things of a template, from the command line.
func (d described) options(devices, secrets []string) (map[string]client.ThingOption, error) {
	all := map[string]client.ThingOption{}
	only := ""
	if len(d.Things) == 1 {
		only = d.Things[0].ID
	}
	for _, one := range devices {
		thing, id, ok := strings.Cut(one, "=")
		if !ok {
			thing, id = only, one
		}
		if thing == "" || id == "" {
			return nil, usage{errors.New("--device is written THING=ID: ardesiactl template show tells what the template calls its things")}
		}
		o := all[thing]
		o.DeviceID = id
		all[thing] = o
	}
	for _, one := range secrets {
		name, value, ok := strings.Cut(one, "=")
		thing, rest, named := strings.Cut(name, ":")
		if named {
			name = rest
		} else {
			thing = only
		}
		if !ok || thing == "" || name == "" {
			return nil, usage{errors.New("--secret is written THING:NAME=VALUE: ardesiactl template show tells what the template calls its things")}
		}
		o := all[thing]
		if o.Secrets == nil {
			o.Secrets = map[string]string{}
		}
		o.Secrets[name] = value
		all[thing] = o
	}
	return all, nil
}

func (a *app) templateCreate() *cobra.Command {
	var name, text string
	var things, dashboards, triggers []string
	c := &cobra.Command{
		Use: "create --name NAME", Short: "Make a template of things, dashboards and triggers of the space",
		Long: "Make a template of things, dashboards and triggers of the space. What the dashboards show and the triggers are about must be among the things. " +
			"People, secrets and the pictures of dashboards stay behind.",
		Example: "  ardesiactl template create --name Farm --thing ID --thing ID --dashboard ID",
		Args:    args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			in := map[string]any{"name": name, "description": text, "things": orNone(things), "dashboards": orNone(dashboards), "triggers": orNone(triggers)}
			return a.templateAnswer(c, s, "POST", "/v1/templates", in)
		},
	}
	c.Flags().StringVar(&name, "name", "", "what it is called")
	c.Flags().StringVar(&text, "description", "", "what it is for")
	c.Flags().StringSliceVar(&things, "thing", nil, "ID of a thing, repeated or with commas")
	c.Flags().StringSliceVar(&dashboards, "dashboard", nil, "ID of a dashboard, repeated or with commas")
	c.Flags().StringSliceVar(&triggers, "trigger", nil, "ID of a trigger, repeated or with commas")
	_ = c.MarkFlagRequired("name")
	return c
}

func orNone(all []string) []string { return append([]string{}, all...) }

func (a *app) templateRename() *cobra.Command {
	return &cobra.Command{Use: "rename ID NAME", Short: "Give a template another name", Args: args(cobra.ExactArgs(2)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		return a.templateAnswer(c, s, "PATCH", templatePath(given[0]), map[string]any{"name": given[1]})
	}}
}

func (a *app) templateDelete() *cobra.Command {
	return &cobra.Command{Use: "delete ID", Short: "Delete a template; what was made of it stays", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if err := a.confirm(c, "template "+given[0]); err != nil {
			return err
		}
		return s.Do(c.Context(), "DELETE", templatePath(given[0]), nil, nil)
	}}
}
