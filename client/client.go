// Package client talks to the HTTP API of an Ardesia server, which is also that
// of the Arduino Cloud. It fetches and renews tokens by itself.
//
// Times are UTC, identifiers are lower-case UUIDs. Every method returns *Error
// for an answer that is not a success; other errors mean that there was no answer.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// Audience is what clients of the Arduino Cloud ask a token for.
const Audience = "https://api2.arduino.cc/iot"

// maxAnswer bounds what is read of one answer, in bytes: 100 things with 100
// properties each are about 5 MiB.
const maxAnswer = 64 << 20

// Config says which server, as whom.
type Config struct {
	URL    string // https://host[:port]
	ID     string // client id of an API key, 32 characters
	Secret string // its secret, 64 characters
	Space  string // a shared space's id; "" is the key owner's own space
	CAFile string // PEM file to trust besides the system's; "" for none
	// Source gives access tokens instead of ID and Secret, and says until when each is to
	// be used. refused is one that the server did not accept, "" for none.
	Source func(ctx context.Context, refused string) (token string, until time.Time, err error)
}

// A Client may be used from any goroutine.
type Client struct {
	cfg  Config
	base *url.URL
	http *http.Client
	now  func() time.Time

	mu    sync.Mutex
	token string    // guarded by mu
	until time.Time // guarded by mu: when to fetch the next one
	bad   string    // guarded by mu: the last one that the server refused
}

// Error is an answer that says no.
type Error struct {
	Status int    `json:"status"`   // HTTP
	Code   string `json:"code"`     // for programs
	Detail string `json:"detail"`   // for people
	ID     string `json:"id"`       // the request's, as in the server's log
	Number int    `json:"err_code"` // by which boards' claims are refused (1: register the board first); 0 elsewhere

	Retry string `json:"-"` // the Retry-After header
}

func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = http.StatusText(e.Status)
	}
	if e.Status >= 500 && e.ID != "" {
		text += " (request " + e.ID + ")"
	}
	return text
}

// New checks cfg; it does not connect.
func New(cfg Config, now func() time.Time) (*Client, error) {
	base, err := url.Parse(strings.TrimSuffix(cfg.URL, "/"))
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		return nil, fmt.Errorf("%q is not the address of a server (https://host)", cfg.URL)
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		if trust.RootCAs, err = Trust(cfg.CAFile); err != nil {
			return nil, err
		}
	}
	return &Client{
		cfg: cfg, base: base, now: now,
		http: &http.Client{
			Timeout: time.Minute,
			// What is sent is for this server alone: a key's secret, a token, values.
			CheckRedirect: func(r *http.Request, via []*http.Request) error {
				if len(via) >= 10 || r.URL.Host != base.Host || r.URL.Scheme != base.Scheme {
					return http.ErrUseLastResponse
				}
				return nil
			},
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true},
		},
	}, nil
}

// Close ends connections that nothing is under way on. A later call makes new ones.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Trust is the system's authorities and those in the PEM file.
func Trust(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate in PEM form", file)
	}
	return pool, nil
}

// Token returns a token that is good for at least half a minute.
func (c *Client) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && c.now().Before(c.until) {
		return c.token, nil
	}
	if c.cfg.Source != nil {
		token, until, err := c.cfg.Source(ctx, c.bad)
		if err != nil {
			return "", err
		}
		c.token, c.until = token, until
		return token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "audience": {Audience}, "client_id": {c.cfg.ID}, "client_secret": {c.cfg.Secret}}
	if c.cfg.Space != "" {
		form.Set("organization_id", c.cfg.Space)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base.JoinPath("/iot/v1/clients/token").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"` // seconds
	}
	if err := c.send(r, &answer); err != nil {
		return "", err
	}
	c.token = answer.Token
	c.until = c.now().Add(time.Duration(answer.Expires)*time.Second - 30*time.Second)
	return c.token, nil
}

// Do sends in as JSON (nothing when nil) and decodes the answer into out (when
// not nil; a *[]byte gets it as it came). path may have a query. A token that the server no longer accepts is
// fetched again once.
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	kind := ""
	if body != nil {
		kind = "application/json"
	}
	return c.Send(ctx, method, path, kind, body, out)
}

// Send is Do for a body of another kind, such as a form with a file.
func (c *Client) Send(ctx context.Context, method, path, kind string, body []byte, out any) error {
	token, err := c.try(ctx, method, path, kind, body, out)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized {
		c.refuse(token)
		_, err = c.try(ctx, method, path, kind, body, out)
	}
	return err
}

// refuse remembers that the server did not accept a token.
func (c *Client) refuse(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token { // else somebody has fetched the next one already
		c.token, c.bad = "", token
	}
}

// try sends a request with the token that it returns.
func (c *Client) try(ctx context.Context, method, path, kind string, body []byte, out any) (token string, err error) {
	token, err = c.Token(ctx)
	if err != nil {
		return token, err
	}
	where, err := c.base.Parse(path)
	if err != nil {
		return token, err
	}
	r, err := http.NewRequestWithContext(ctx, method, where.String(), bytes.NewReader(body))
	if err != nil {
		return token, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if c.cfg.Space != "" && !strings.HasPrefix(path, "/v1/spaces/") { // such an address names its space itself
		r.Header.Set("X-Organization", c.cfg.Space)
	}
	return token, c.send(r, out)
}

func (c *Client) send(r *http.Request, out any) error {
	answer, err := c.http.Do(r)
	if err != nil {
		return fmt.Errorf("no answer from %s: %w", c.base.Host, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.base.Host, err)
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("the answer of %s is larger than %d bytes", c.base.Host, maxAnswer)
	}
	if answer.StatusCode >= 300 {
		e := &Error{}
		_ = json.Unmarshal(text, e) // some answers have no body; the status says enough
		e.Status, e.Retry = answer.StatusCode, answer.Header.Get("Retry-After")
		if to := answer.Header.Get("Location"); e.Status < 400 && e.Detail == "" && to != "" {
			e.Detail = fmt.Sprintf("%s sends on to %.200q, where nothing is sent; if that is right, give that address", c.base.Host, to)
		}
		return e
	}
	if out == nil {
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = text
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the answer of %s to %s is not what this version expects: %w", c.base.Host, r.URL.Path, err)
	}
	return nil
}
