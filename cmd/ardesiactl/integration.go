package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
)

const homeAssistantPath = "/v1/integrations/homeassistant"

// settleTime is how long is waited for a broker to let a new bridge in.
const settleTime = 10 * time.Second

func (a *app) integration() *cobra.Command {
	return group("integration", "Other programs that values go to, and that write some",
		group("homeassistant", "The bridge of the space to Home Assistant, at a broker of yours", a.homeSet(), a.homeShow(), a.homeRemove()))
}

var homeColumns = []string{"broker", "status", "since", "things", "entities", "sent", "taken", "refused", "refusal", "error"}

func homeRow(h client.HomeAssistant) []string {
	since := "-"
	if h.State.ConnectedSince != nil {
		since = h.State.ConnectedSince.Format(time.RFC3339)
	}
	wrong := h.State.LastError
	if h.State.ConnectedSince != nil && h.State.LastErrorAt != nil && h.State.LastErrorAt.Before(*h.State.ConnectedSince) {
		wrong = "" // it is over
	}
	n := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{h.Broker, h.State.Status, since, strconv.Itoa(h.State.Things), strconv.Itoa(h.State.Entities), n(h.State.MessagesSent), n(h.State.CommandsTaken),
		n(h.State.CommandsRefused), output.Value(h.State.LastRefusal), output.Value(wrong)}
}

func (a *app) homeShow() *cobra.Command {
	return &cobra.Command{Use: "show", Short: "The bridge, whether it is connected, and what it did", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		s, err := a.server()
		if err != nil {
			return err
		}
		var h client.HomeAssistant
		if err := s.Do(c.Context(), "GET", homeAssistantPath, nil, &h); err != nil {
			return err
		}
		return a.print(c, h, homeColumns, [][]string{homeRow(h)})
	}}
}

func (a *app) homeSet() *cobra.Command {
	var user, caFile, discovery, topics string
	var tags []string
	var passwordStdin, readOnly, disabled bool
	c := &cobra.Command{
		Use:   "set BROKER",
		Short: "Set up the bridge, or change it",
		Long: `Set up the bridge of the space to Home Assistant, or change it. BROKER is the MQTT broker that your Home
Assistant uses: mqtts://host:port, or mqtt://host:port in a network that the server's operator allows.

The password is asked for, or read with --password-stdin; it is never a flag, because others on this machine can
see flags. Where it is not given, the one that is there stays. All else that is not given is as usual.`,
		Example: "  ardesiactl integration homeassistant set mqtts://broker.example.org --user ardesia",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, given []string) error {
			for i, text := range tags {
				key, value, err := tagOf(text)
				if err != nil {
					return err
				}
				tags[i] = key + ":" + value
			}
			in := map[string]any{"broker": given[0], "user": user, "discovery_prefix": discovery, "topic_prefix": topics, "tags": tags, "writes": !readOnly, "enabled": !disabled}
			if caFile != "" {
				pem, err := os.ReadFile(caFile)
				if err != nil {
					return usage{err}
				}
				in["ca"] = string(pem)
			}
			password, said, err := brokerPassword(c, user, passwordStdin)
			if err != nil {
				return err
			}
			if said {
				in["password"] = password
			}
			return a.setHome(c, in)
		},
	}
	f := c.Flags()
	f.StringVar(&user, "user", "", "who the bridge is to the broker")
	f.BoolVar(&passwordStdin, "password-stdin", false, "read the password from standard input")
	f.StringVar(&caFile, "ca", "", "PEM file of who signed the broker's certificate, if the server's machine does not trust it")
	f.StringVar(&discovery, "discovery-prefix", "", "where Home Assistant looks for what there is (default homeassistant)")
	f.StringVar(&topics, "topic-prefix", "", "below which values and commands go (default ardesia)")
	f.StringArrayVar(&tags, "tag", nil, "only things with this tag, KEY=VALUE; repeated: with all of them")
	f.BoolVar(&readOnly, "read-only", false, "Home Assistant may not write")
	f.BoolVar(&disabled, "disabled", false, "keep what is set up, and do not connect")
	return c
}

// brokerPassword is what a person says, if they are asked or send it.
func brokerPassword(c *cobra.Command, user string, fromStdin bool) (password string, said bool, err error) {
	switch {
	case fromStdin:
		text, err := sent(bufio.NewReader(c.InOrStdin()), "password")
		return text, err == nil, err
	case user != "" && interactive():
		text, err := unseen(c, fmt.Sprintf("Password of %s at the broker (not shown; nothing: as it is): ", output.Printable(user)))
		return text, text != "", err
	}
	return "", false, nil
}

// setHome sets the bridge up, and waits a while for the broker's word.
func (a *app) setHome(c *cobra.Command, in map[string]any) error {
	s, err := a.server()
	if err != nil {
		return err
	}
	var h client.HomeAssistant
	if err := s.Do(c.Context(), "PUT", homeAssistantPath, in, &h); err != nil {
		return err
	}
	late := time.NewTimer(settleTime)
	defer late.Stop()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for h.State.Status == "connecting" {
		select {
		case <-c.Context().Done():
			return c.Context().Err()
		case <-late.C:
			return a.print(c, h, homeColumns, [][]string{homeRow(h)})
		case <-again.C:
		}
		if err := s.Do(c.Context(), "GET", homeAssistantPath, nil, &h); err != nil {
			return err
		}
	}
	return a.print(c, h, homeColumns, [][]string{homeRow(h)})
}

func (a *app) homeRemove() *cobra.Command {
	return &cobra.Command{Use: "remove", Short: "Remove the bridge, and what it announced at the broker", Args: args(cobra.NoArgs), RunE: func(c *cobra.Command, _ []string) error {
		if err := a.confirm(c, "the bridge to Home Assistant"); err != nil {
			return err
		}
		s, err := a.server()
		if err != nil {
			return err
		}
		var out struct {
			Cleared bool `json:"cleared"`
		}
		if err := s.Do(c.Context(), "DELETE", homeAssistantPath, nil, &out); err != nil {
			return err
		}
		if !out.Cleared {
			fmt.Fprintln(c.ErrOrStderr(), "The broker could not be told: what was announced stays there until you remove it.")
		}
		return nil
	}}
}
