package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
)

// A house is Ardesia under test, with its data.
type house struct {
	target
	dir, data string
	database  string            // PostgreSQL, "" for the embedded one
	addr      map[string]string // of the doors, kept over restarts
	program   *program
	key       struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	api    *client.Client
	stored int64 // messages that were acknowledged, and so are in the history
}

// newHouse starts Ardesia on an empty directory and database, as a user would, but without limits
// on how often the API is asked: those are what they are set to.
func newHouse(ctx context.Context, dir, database string) (*house, error) {
	h := &house{dir: dir, data: filepath.Join(dir, "data"), database: database, addr: map[string]string{}}
	h.target.name = "ardesia"
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, door := range []string{"https", "mqtt-cert", "mqtt-cert-legacy", "mqtt-password", "metrics"} {
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		h.addr[door] = addr
	}
	h.target.addr, h.mutual = h.addr["mqtt-password"], h.addr["mqtt-cert"]
	if _, err := h.start(ctx); err != nil {
		return nil, err
	}
	if err := h.account(ctx); err != nil {
		h.program.stop()
		return nil, err
	}
	return h, nil
}

// start starts the server and says how long it took until devices can connect.
func (h *house) start(ctx context.Context) (time.Duration, error) {
	args := []string{"serve", "--dev", "--data", h.data, "--log-level", "warn", "--api-rate", "-1", "--open-rate", "-1", "--token-rate", "-1", "--quota", "requests=0", "--trusted-proxies", "127.0.0.1"}
	for door, addr := range h.addr {
		args = append(args, "--"+door+"-addr", addr)
	}
	if h.database != "" {
		args = append(args, "--database", h.database)
	}
	began := time.Now()
	p, err := start(h.dir, "bin/ardesia", args...)
	if err != nil {
		return 0, err
	}
	h.program, h.pid, h.pidTLS = p, p.cmd.Process.Pid, p.cmd.Process.Pid
	if err := p.listening(ctx, h.addr["https"]); err != nil {
		return 0, h.explain(err)
	}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer web.CloseIdleConnections()
	for { // the doors are bound before they are served
		r, err := web.Get("https://" + h.addr["https"] + "/readyz")
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return time.Since(began), nil
			}
		}
		select {
		case <-p.done:
			return 0, h.explain(errors.New("it ended before it was ready"))
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// explain adds what the server said.
func (h *house) explain(err error) error {
	log, _ := os.ReadFile(filepath.Join(h.dir, "ardesia.log")) // the error is told anyway
	return fmt.Errorf("%w: %s", err, bytes.TrimSpace(log))
}

func (h *house) restart(ctx context.Context) error {
	h.program.stop()
	_, err := h.start(ctx)
	return err
}

// account makes a user with a key.
func (h *house) account(ctx context.Context) error {
	add := exec.CommandContext(ctx, "bin/ardesia", "user", "add", "--data", h.data, "--email", "bench@example.org", "--name", "Bench", "--password-stdin")
	add.Stdin = strings.NewReader("a long password for a benchmark\n")
	if out, err := add.CombinedOutput(); err != nil {
		return fmt.Errorf("user add: %w: %s", err, out)
	}
	out, err := exec.CommandContext(ctx, "bin/ardesia", "apikey", "add", "--data", h.data, "--user", "bench@example.org", "--name", "bench", "--format", "json").Output()
	if err != nil {
		return fmt.Errorf("apikey add: %w", err)
	}
	if err := json.Unmarshal(out, &h.key); err != nil {
		return err
	}
	caFile := filepath.Join(h.data, "tls", "ca.pem")
	if h.api, err = client.New(client.Config{URL: "https://" + h.addr["https"], ID: h.key.ID, Secret: h.key.Secret, CAFile: caFile}, time.Now); err != nil {
		return err
	}
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return err
	}
	h.roots = x509.NewCertPool()
	h.roots.AppendCertsFromPEM(pem)
	return nil
}

// populate brings the house to n boards, each with a secret key, a certificate and a
// thing, through the API. It says how many requests that were.
func (h *house) populate(ctx context.Context, n int) (int64, error) {
	have := len(h.boards)
	more := make([]board, max(0, n-have))
	var failed errs
	var requests atomic.Int64
	each(len(more), 16, func(i int) {
		if failed.first() != nil || ctx.Err() != nil {
			return
		}
		b, err := h.enroll(ctx, have+i, true, &requests)
		if err != nil {
			failed.add(fmt.Errorf("board %d: %w", have+i, err))
		}
		more[i] = b
	})
	if err := errors.Join(failed.first(), ctx.Err()); err != nil {
		return 0, err
	}
	h.boards = append(h.boards, more...)
	return requests.Load(), nil
}

// enroll makes board i, with a certificate or with its secret key alone.
func (h *house) enroll(ctx context.Context, i int, certified bool, requests *atomic.Int64) (board, error) {
	do := func(method, path string, in, out any) error {
		requests.Add(1)
		return h.api.Do(ctx, method, path, in, out)
	}
	var d client.Device
	if err := do("PUT", "/iot/v2/devices", map[string]any{"name": fmt.Sprintf("board-%d", i), "type": "login_and_secretkey_wifi", "serial": ""}, &d); err != nil {
		return board{}, err
	}
	b := board{id: d.ID, user: d.ID, pass: "a-secret-key-for-benchmarks"}
	if err := do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": b.pass}, nil); err != nil {
		return board{}, err
	}
	if certified {
		var err error
		requests.Add(1)
		if b.cert, err = h.certify(ctx, d.ID); err != nil {
			return board{}, err
		}
	}
	property := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "type": kind, "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"}
	}
	var th client.Thing
	err := do("PUT", "/iot/v2/things", map[string]any{"name": fmt.Sprintf("Thing %d", i), "device_id": d.ID,
		"properties": []any{property("temperature", "FLOAT"), property("note", "CHARSTRING")}}, &th)
	if err != nil {
		return board{}, err
	}
	b.thing, b.topic = th.ID, "/a/t/"+th.ID+"/e/o"
	for _, p := range th.Properties {
		if p.Name == "temperature" {
			b.property = p.ID
		}
	}
	if b.property == "" {
		return board{}, fmt.Errorf("thing %s was made without its property", th.ID)
	}
	return b, nil
}

// certify asks for a certificate as a board does.
func (h *house) certify(ctx context.Context, id string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	csr, err := boardcert.MakeCSR(rand.Reader, key, id)
	if err != nil {
		return nil, err
	}
	var cert struct {
		DER string `json:"der"`
	}
	if err := h.api.Do(ctx, "PUT", "/iot/v2/devices/"+id+"/certs", map[string]any{"ca": "Arduino", "csr": string(csr), "enabled": true}, &cert); err != nil {
		return nil, err
	}
	der, err := base64.StdEncoding.DecodeString(cert.DER)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// verify asks the API how many values of each board it has since a time, and compares
// with how many were acknowledged.
func (h *house) verify(ctx context.Context, acked []int64, since time.Time) error {
	type query struct {
		Q           string    `json:"q"`
		From        time.Time `json:"from"`
		To          time.Time `json:"to"`
		Interval    int       `json:"interval"`
		Aggregation string    `json:"aggregation"`
	}
	const day, batch = 86_400, 100
	to := time.Now().Add(time.Minute)
	for from := 0; from < len(acked); from += batch {
		some := acked[from:min(from+batch, len(acked))]
		in := struct {
			Requests []query `json:"requests"`
		}{}
		for i := range some {
			in.Requests = append(in.Requests, query{"property." + h.boards[from+i].property, since, to, day, "COUNT"})
		}
		var out struct {
			Responses []struct {
				Status, Message string
				Values          []float64
			}
		}
		if err := h.api.Do(ctx, "POST", "/iot/v2/series/batch_query", in, &out); err != nil {
			return fmt.Errorf("ask what is stored: %w", err)
		}
		if len(out.Responses) != len(some) {
			return fmt.Errorf("%d answers to %d queries", len(out.Responses), len(some))
		}
		for i, r := range out.Responses {
			var stored int64
			for _, v := range r.Values {
				stored += int64(v)
			}
			if stored != some[i] {
				return fmt.Errorf("board %d: %d messages were acknowledged and %d are stored (%s %s)", from+i, some[i], stored, r.Status, r.Message)
			}
			h.stored += stored
		}
	}
	return nil
}
