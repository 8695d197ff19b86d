package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/client"
)

// tokens measures how many tokens a second the house gives.
func (b *bench) tokens(ctx context.Context) error {
	for _, c := range []struct {
		name string
		keep bool
	}{{"kept", true}, {"a new one each time, TLS 1.3 in full", false}} {
		progress("tokens: connections %s", c.name)
		var all []result
		for range b.rounds {
			r, err := b.fetch(ctx, c.keep)
			if err != nil {
				return err
			}
			all = append(all, r)
		}
		mid := func(get func(result) time.Duration) float64 {
			return spanOf(all, func(r result) float64 { return ms(get(r)) }).mid
		}
		b.report.tokens = append(b.report.tokens, fmt.Sprintf("| %s | %s | %.0f | %.2f | %.2f | %.0f | %.0f |", c.name, spanOf(all, rateOf).counts(), spanOf(all, cpuOfOne).mid,
			mid(func(r result) time.Duration { return r.p50 }), mid(func(r result) time.Duration { return r.p99 }),
			spanOf(all, func(r result) float64 { return r.allocs }).mid, spanOf(all, func(r result) float64 { return r.bytes }).mid))
	}
	return nil
}

// fetch has 8 clients ask for tokens with the client's credentials.
func (b *bench) fetch(ctx context.Context, keep bool) (result, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "audience": {client.Audience}, "client_id": {b.house.key.ID}, "client_secret": {b.house.key.Secret}}.Encode()
	return b.drive(b.house, 8, func(int) (func() error, func()) {
		web := &http.Client{Transport: &http.Transport{DisableKeepAlives: !keep, TLSClientConfig: &tls.Config{RootCAs: b.house.roots, ServerName: "localhost"}}}
		return func() error {
			return fetchToken(ctx, web, "https://"+b.house.addr["https"]+"/iot/v1/clients/token", form)
		}, web.CloseIdleConnections
	})
}

func fetchToken(ctx context.Context, web *http.Client, where, form string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, where, strings.NewReader(form))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := web.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
	if err == nil && (answer.StatusCode != http.StatusOK || !strings.Contains(string(text), "access_token")) {
		err = fmt.Errorf("token: %s: %s", answer.Status, text)
	}
	return err
}
