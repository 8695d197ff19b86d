package main

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/output"
)

var webhookColumns = []string{"id", "uri", "state", "waiting", "delivered", "dropped", "last"}

func webhookRow(w client.Webhook) []string {
	last := w.Health.LastResult
	if w.Health.LastStatus != nil {
		last += " " + strconv.FormatInt(*w.Health.LastStatus, 10)
	}
	n := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{w.ID, w.URI, w.Health.State, n(w.Health.Queued), n(w.Health.Delivered), n(w.Health.Dropped + w.Health.Dead), output.Value(last)}
}

func (a *app) thingWebhook() *cobra.Command {
	return group("webhook", "Who is told of a thing's values", a.webhookShow(), a.webhookSet(), a.webhookSwitch("on", "Tell it", true), a.webhookSwitch("off", "Tell it nothing; what waits is dropped", false), a.webhookRemove(), a.webhookRotate())
}

func webhookPath(thing string) string { return "/v1/things/" + url.PathEscape(thing) + "/webhook" }

func (a *app) webhookShow() *cobra.Command {
	return &cobra.Command{Use: "show THING", Short: "The webhook of a thing and how it does; --format json has the secret", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		return a.printWebhook(c, given[0], "GET", "")
	}}
}

// printWebhook asks something of the webhook of a thing and shows it.
func (a *app) printWebhook(c *cobra.Command, thing, method, act string) error {
	s, err := a.server()
	if err != nil {
		return err
	}
	var w client.Webhook
	if err := s.Do(c.Context(), method, webhookPath(thing)+act, nil, &w); err != nil {
		return err
	}
	return a.print(c, w, webhookColumns, [][]string{webhookRow(w)})
}

// changeWebhook changes what the thing itself says, and shows what became of it.
func (a *app) changeWebhook(c *cobra.Command, thing string, in map[string]any) error {
	s, err := a.server()
	if err != nil {
		return err
	}
	if err := s.Do(c.Context(), "POST", "/iot/v2/things/"+url.PathEscape(thing), in, nil); err != nil {
		return err
	}
	if in["webhook_uri"] == "" {
		return nil
	}
	return a.printWebhook(c, thing, "GET", "")
}

func (a *app) webhookSet() *cobra.Command {
	return &cobra.Command{Use: "set THING URL", Short: "Tell an address of each message of a thing's values", Args: args(cobra.ExactArgs(2)),
		Example: "  ardesiactl thing webhook set 0c9f3c9e-7c1b-4c0e-9a55-3f1f6d0f5a01 https://example.org/hook",
		RunE: func(c *cobra.Command, given []string) error {
			return a.changeWebhook(c, given[0], map[string]any{"webhook_uri": given[1], "webhook_active": true})
		}}
}

func (a *app) webhookSwitch(name, short string, on bool) *cobra.Command {
	return &cobra.Command{Use: name + " THING", Short: short, Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		return a.changeWebhook(c, given[0], map[string]any{"webhook_active": on})
	}}
}

func (a *app) webhookRemove() *cobra.Command {
	return &cobra.Command{Use: "remove THING", Short: "Forget the address and its secret", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		if err := a.confirm(c, "the webhook of thing "+given[0]); err != nil {
			return err
		}
		return a.changeWebhook(c, given[0], map[string]any{"webhook_uri": "", "webhook_active": false})
	}}
}

func (a *app) webhookRotate() *cobra.Command {
	return &cobra.Command{Use: "rotate THING", Short: "A new secret; the old one signs beside it for a day", Args: args(cobra.ExactArgs(1)), RunE: func(c *cobra.Command, given []string) error {
		return a.printWebhook(c, given[0], "POST", "/secret")
	}}
}
