package main

import (
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	device "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/simulated"
)

// keyVariable is where the device's secret key is read from: what is on a command line others see.
const keyVariable = "DEVICE_KEY"

func (a *app) deviceSimulate() *cobra.Command {
	c := device.Config{Now: time.Now}
	var ca string
	var every time.Duration
	cmd := &cobra.Command{
		Use: "simulate ID", Short: "Be a board: a program that connects as a device and says what its sensors measure",
		Long: `Be a board, to try a server without one: it connects with the device's id and secret key, as a real one does,
and says what its sensors measure until Ctrl-C. Its thing may have the variables temperature, humidity, led,
lamp (a colored light), place (a location) and plan (a schedule). The secret key is read from DEVICE_KEY.
Nobody needs to be logged in for this.`,
		Example: "  DEVICE_KEY=SECRET ardesiactl device simulate ID --host ardesia.example.org --ca ca.pem",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, given []string) error {
			c.DeviceID, c.SecretKey = given[0], os.Getenv(keyVariable)
			if c.SecretKey == "" {
				return usage{errors.New("put the device's secret key into the environment as " + keyVariable)}
			}
			if ca != "" {
				roots, err := device.RootsFromFile(ca)
				if err != nil {
					return usage{err}
				}
				c.Roots = roots
			}
			c.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return simulated.Run(cmd.Context(), c, every, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&c.Host, "host", "localhost", "name of the server, as in its certificate")
	cmd.Flags().IntVar(&c.Port, "port", device.SecretKeyPort, "port for devices with a secret key")
	cmd.Flags().StringVar(&ca, "ca", "", "file with the server's CA (default: the system's CAs)")
	cmd.Flags().DurationVar(&every, "every", time.Second, "between two measurements")
	return cmd
}
