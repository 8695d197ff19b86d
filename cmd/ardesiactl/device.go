package main

import (
	"fmt"
	"net/url"
	"os"
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
	return group("device", "Boards and programs that connect", a.deviceList(), a.deviceShow(), a.deviceCreate(), a.deviceOnboard(), a.deviceCertify(), a.deviceSimulate(), a.tag(devices),
		a.deletes(devices, "Delete devices; their connections are closed", ""))
}

func (a *app) deviceList() *cobra.Command {
	return listing(a, devices, "All devices of the space", deviceColumns, deviceRow, nil)
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

// certificate is what the server issued. Fields as in ArduinoDevicev2Cert.
type certificate struct {
	ID         string            `json:"id" yaml:"id"`
	DeviceID   string            `json:"device_id" yaml:"device_id"`
	PEM        string            `json:"pem" yaml:"pem"`
	DER        string            `json:"der" yaml:"der"`
	Compressed map[string]string `json:"compressed" yaml:"compressed"`
}

func (a *app) deviceCertify() *cobra.Command {
	var csr string
	c := &cobra.Command{
		Use: "certify ID --csr FILE", Short: "A certificate for a device that made its own key",
		Long: `A certificate for a device that made its own key. FILE holds the request (PEM) that the
device, or sdk/go/examples/certificate, made; its common name is the device's id. What is
printed is the certificate in PEM; --format json has the fields of a secure element as well.`,
		Example: "  ardesiactl device create --name gate --type mkrwifi1010 --fqbn arduino:samd:mkrwifi1010\n  ardesiactl device certify ID --csr device.csr > device.pem",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			request, err := os.ReadFile(csr)
			if err != nil {
				return usage{err}
			}
			s, err := a.server()
			if err != nil {
				return err
			}
			var out certificate
			in := map[string]any{"csr": string(request), "ca": "Arduino", "enabled": true}
			if err := s.Do(c.Context(), "PUT", "/iot/v2/devices/"+url.PathEscape(given[0])+"/certs", in, &out); err != nil {
				return err
			}
			if a.format == "text" {
				_, err := fmt.Fprint(c.OutOrStdout(), out.PEM)
				return err
			}
			return a.print(c, out, nil, nil)
		},
	}
	c.Flags().StringVar(&csr, "csr", "", "file with the certificate request, PEM")
	_ = c.MarkFlagRequired("csr")
	return c
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
