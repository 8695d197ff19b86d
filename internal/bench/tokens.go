package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
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
	const clients = 8
	form := url.Values{"grant_type": {"client_credentials"}, "audience": {client.Audience}, "client_id": {b.house.key.ID}, "client_secret": {b.house.key.Secret}}.Encode()
	var phase atomic.Int32
	var counted atomic.Int64
	var lat histogram
	var failed errs
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			web := &http.Client{Transport: &http.Transport{DisableKeepAlives: !keep, TLSClientConfig: &tls.Config{RootCAs: b.house.roots, ServerName: "localhost"}}}
			defer web.CloseIdleConnections()
			for phase.Load() != ending && failed.first() == nil {
				began := time.Now()
				if err := fetchToken(ctx, web, "https://"+b.house.addr["https"]+"/iot/v1/clients/token", form); err != nil {
					failed.add(err)
					return
				}
				if phase.Load() == measuring {
					counted.Add(1)
					lat.add(time.Since(began))
				}
			}
		})
	}
	sleep(b.warm)
	m := meter(b.house.pid)
	made := b.house.allocated()
	phase.Store(measuring)
	sleep(b.last)
	phase.Store(ending)
	took := time.Since(m.at)
	n := counted.Load()
	wg.Wait()
	if err := failed.first(); err != nil {
		return result{}, err
	}
	after := b.house.allocated()
	r := m.result(n, took, &lat)
	r.alloc(made, after, n)
	return r, nil
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
