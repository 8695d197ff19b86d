package main

import (
	"errors"
	"net/url"

	"github.com/spf13/cobra"
)

// thingScrape shows what a job of Prometheus gets, so that its filters can be tried.
func (a *app) thingScrape() *cobra.Command {
	var tags []string
	c := &cobra.Command{
		Use: "scrape [THING...]", Short: "What Prometheus reads of things, in its text form",
		Long:    "What Prometheus reads of things, in its text form: all of them, or those that the params of a job choose\n(tag: [\"KEY:VALUE\"], thing: [\"ID\"]).",
		Example: "  ardesiactl thing scrape --tag room=greenhouse",
		RunE: func(c *cobra.Command, given []string) error {
			if a.format != "text" {
				return usage{errors.New("a scrape is text: leave --format out")}
			}
			q := url.Values{"thing": given}
			for _, text := range tags {
				key, value, err := tagOf(text)
				if err != nil {
					return err
				}
				q.Add("tag", key+":"+value)
			}
			s, err := a.server()
			if err != nil {
				return err
			}
			var text []byte
			if err := s.Do(c.Context(), "GET", "/v1/integrations/prometheus?"+q.Encode(), nil, &text); err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
	c.Flags().StringArrayVar(&tags, "tag", nil, "only those with this tag, KEY=VALUE; repeated: with all of them")
	return c
}
