package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
)

var deviceColumns = []string{"id", "name", "type", "status", "last seen", "thing"}

func deviceRow(d client.Device) []string {
	thing := ""
	if d.Thing != nil {
		thing = d.Thing.Name
	}
	return []string{d.ID, d.Name, d.Type, d.Status, ago(d.LastActivityAt), thing}
}

func ago(t *time.Time) string {
	if t == nil || t.IsZero() {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}

func (a *app) device() *cobra.Command {
	return group("device", "Boards and programs that connect", a.deviceList(), a.deviceShow(), a.deviceCreate(), a.deviceDelete())
}

func (a *app) deviceList() *cobra.Command {
	var tags []string
	c := &cobra.Command{Use: "list", Short: "All devices of the space", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		devices := []client.Device{}
		if err := s.Do(c.Context(), "GET", "/iot/v2/devices"+query(url.Values{"tags": tags}), nil, &devices); err != nil {
			return err
		}
		var rows [][]string
		for _, d := range devices {
			rows = append(rows, deviceRow(d))
		}
		return a.print(c, devices, deviceColumns, rows)
	}}
	c.Flags().StringSliceVar(&tags, "tags", nil, "only those with all of these, key:value")
	return c
}

func (a *app) deviceShow() *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "One device", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var d client.Device
		if err := s.Do(c.Context(), "GET", "/iot/v2/devices/"+url.PathEscape(given[0]), nil, &d); err != nil {
			return err
		}
		return a.print(c, d, deviceColumns, [][]string{deviceRow(d)})
	}}
}

// created is what a new device needs to connect.
type created struct {
	client.Device `yaml:",inline"`
	SecretKey     string `json:"secret_key" yaml:"secret_key"`
}

func (a *app) deviceCreate() *cobra.Command {
	var name, kind, fqbn string
	c := &cobra.Command{
		Use: "create --name NAME", Short: "A new device with a secret key, which is shown once",
		Long: "A new device with a secret key: any program with the Python, JavaScript, MicroPython or ESP32 client.\nThe secret key is shown once and cannot be read again.",
		Args: args(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := a.server()
			if err != nil {
				return err
			}
			var out created
			in := map[string]any{"name": name, "type": kind, "fqbn": fqbn, "serial": ""}
			if err := s.Do(c.Context(), "PUT", "/iot/v2/devices", in, &out.Device); err != nil {
				return err
			}
			path := "/iot/v2/devices/" + out.ID + "/pass"
			var pass struct {
				Suggested string `json:"suggested_password"`
			}
			if err := s.Do(c.Context(), "GET", path+"?suggested_password=true", nil, &pass); err != nil {
				return fmt.Errorf("device %s was created, but has no secret key yet: %w", out.ID, err)
			}
			if err := s.Do(c.Context(), "PUT", path, map[string]any{"password": pass.Suggested}, nil); err != nil {
				return fmt.Errorf("device %s was created, but has no secret key yet: %w", out.ID, err)
			}
			out.SecretKey = pass.Suggested
			return a.print(c, out, []string{"device id", "name", "secret key"}, [][]string{{out.ID, out.Name, out.SecretKey}})
		},
	}
	c.Flags().StringVar(&name, "name", "", "the device's name")
	c.Flags().StringVar(&kind, "type", "generic_device_secretkey", "type, as in the API")
	c.Flags().StringVar(&fqbn, "fqbn", "generic:generic:generic", "fully qualified board name")
	_ = c.MarkFlagRequired("name")
	return c
}

func (a *app) deviceDelete() *cobra.Command {
	return &cobra.Command{Use: "delete ID", Short: "Delete a device; its connection is closed", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		if err := a.confirm(c, "device "+given[0]); err != nil {
			return err
		}
		return s.Do(c.Context(), "DELETE", "/iot/v2/devices/"+url.PathEscape(given[0]), nil, nil)
	}}
}

// query is "?" and what is set, or nothing.
func query(v url.Values) string {
	for k, list := range v {
		if len(list) == 0 {
			delete(v, k)
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}
