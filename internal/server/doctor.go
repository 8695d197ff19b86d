package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/edge"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// A Grade is how much a finding matters.
type Grade string

const (
	Good Grade = "ok"
	Warn Grade = "warn" // works, and will not for ever
	Bad  Grade = "BAD"  // must be mended
)

// A Finding is one thing that doctor looked at.
type Finding struct {
	Grade Grade
	Text  string
	Cure  string // what to do; "" when it is good
}

// leastSpace is how much of the disk should be free, in bytes: an hour of a
// thousand devices at one value per second and its write-ahead log.
const leastSpace = 1 << 30

// Examine checks the installation that cfg describes, whether the server runs or not.
func Examine(ctx context.Context, cfg Config, now func() time.Time) []Finding {
	var all []Finding
	add := func(f Finding) { all = append(all, f) }
	add(examineDirectory(cfg.Data))
	add(examineSpace(cfg.Data))
	add(examineClock(cfg.Data, now()))
	addresses, running := readAddresses(cfg.Data)
	if _, err := Call(ctx, cfg.Data, "ping", []byte("{}")); errors.Is(err, ErrNotRunning) {
		running = false
	}
	if !running {
		add(Finding{Warn, "No server runs on " + cfg.Data + ".", "ardesia serve --data " + cfg.Data})
		for _, f := range examineData(ctx, cfg, now) {
			add(f)
		}
		for _, f := range examinePorts(cfg) {
			add(f)
		}
	} else {
		add(Finding{Good, "A server runs on " + cfg.Data + ".", ""})
		for _, f := range examineDoors(ctx, cfg, addresses) {
			add(f)
		}
	}
	if cfg.TLSCert == "" {
		for _, f := range examineCertificates(cfg, now()) {
			add(f)
		}
	}
	if !loopback(cfg.Metrics) {
		add(Finding{Warn, "Metrics on " + cfg.Metrics + " can be read by others, without TLS.", "--metrics-addr 127.0.0.1:9464"})
	}
	return all
}

func examineDirectory(dir string) Finding {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Finding{Warn, dir + " is not there yet; the first start makes it.", "ardesia serve --data " + dir}
	case err != nil:
		return Finding{Bad, "The data directory cannot be looked at: " + err.Error(), "run this as the user that the server runs as"}
	case info.Mode().Perm()&0o077 != 0:
		return Finding{Bad, fmt.Sprintf("%s can be read by others (mode %04o), and it holds keys.", dir, info.Mode().Perm()), "chmod 700 " + dir}
	}
	return Finding{Good, "Only the server's user can read " + dir + ".", ""}
}

func examineSpace(dir string) Finding {
	var st syscall.Statfs_t
	for p := dir; ; p = filepath.Dir(p) { // the directory may not be there yet
		if err := syscall.Statfs(p, &st); err == nil {
			break
		} else if p == filepath.Dir(p) {
			return Finding{Warn, "Free space cannot be found out: " + err.Error(), "look with df -h"}
		}
	}
	free := int64(st.Bavail) * st.Bsize
	text := fmt.Sprintf("%.1f GiB are free on the disk of %s.", float64(free)/(1<<30), dir)
	if free < leastSpace {
		return Finding{Bad, text, "free some, or move the data directory to a larger disk"}
	}
	return Finding{Good, text, ""}
}

// examineClock compares the clock with what this installation has seen before.
func examineClock(dir string, now time.Time) Finding {
	info, err := os.Stat(filepath.Join(dir, "core.db"))
	if err == nil && info.ModTime().After(now.Add(time.Minute)) {
		return Finding{Bad, "The clock is behind what was last written (" + info.ModTime().UTC().Format(time.RFC3339) + ").", "set the clock: timedatectl set-ntp true"}
	}
	if now.Year() < 2026 {
		return Finding{Bad, "The clock says " + now.Format(time.RFC3339) + ": certificates would be refused.", "set the clock: timedatectl set-ntp true"}
	}
	return Finding{Good, "The clock says " + now.UTC().Format(time.RFC3339) + ".", ""}
}

func readAddresses(dir string) (Addresses, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "addresses.json"))
	if err != nil {
		return nil, false
	}
	var a Addresses
	return a, json.Unmarshal(text, &a) == nil
}

// examineData opens everything as a start would.
func examineData(ctx context.Context, cfg Config, now func() time.Time) []Finding {
	if _, err := os.Stat(filepath.Join(cfg.Data, "keys")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := openData(ctx, cfg, now)
	if err != nil {
		return []Finding{{Bad, "The data cannot be opened: " + err.Error(), "restore the file that is named from a backup (ardesia restore --help)"}}
	}
	defer d.close()
	if err := d.check(ctx); err != nil {
		return []Finding{{Bad, "The data cannot be read: " + err.Error(), "restore the file that is named from a backup (ardesia restore --help)"}}
	}
	for _, open := range []*db.DB{d.keyring, d.core, d.history} {
		if err := open.Check(ctx); err != nil {
			return []Finding{{Bad, "A database is damaged: " + err.Error(), "restore the file that is named from a backup (ardesia restore --help)"}}
		}
	}
	// What boards were told is on disk is replayed, as a start would.
	if _, err := series.New(ctx, series.Needs{Store: series.SQL(d.history), Keys: d.ring, Log: slog.New(slog.DiscardHandler), Now: now}); err != nil {
		return []Finding{{Bad, "The history cannot be read: " + err.Error(), "restore the file that is named from a backup (ardesia restore --help)"}}
	}
	return []Finding{{Good, "Keys can be opened; databases and history are whole (" + databaseName(cfg) + ").", ""}}
}

func examinePorts(cfg Config) []Finding {
	d, err := listen(cfg)
	if err != nil {
		return []Finding{{Bad, "A port cannot be used: " + err.Error(), ""}}
	}
	d.close()
	return []Finding{{Good, "All ports are free.", ""}}
}

// examineDoors connects to each listener of the running server as a client would.
func examineDoors(ctx context.Context, cfg Config, a Addresses) []Finding {
	var all []Finding
	pool := x509.NewCertPool()
	if text, err := os.ReadFile(filepath.Join(cfg.Data, "tls", "ca.pem")); err == nil {
		pool.AppendCertsFromPEM(text)
	} else if pool, err = x509.SystemCertPool(); err != nil {
		return []Finding{{Bad, "No authority to check the server's certificate with.", "put tls/ca.pem back"}}
	}
	trust := &tls.Config{RootCAs: pool, ServerName: cfg.Host, MinVersion: tls.VersionTLS12}
	for _, name := range []string{"https", "wss", "mqtt-password"} {
		addr, ok := a[name]
		if !ok {
			continue
		}
		c, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: trust}).DialContext(ctx, "tcp", addr)
		if err != nil {
			all = append(all, Finding{Bad, fmt.Sprintf("%s on %s does not answer as it should: %v", name, addr, err), "read the server's log"})
			continue
		}
		c.Close()
		all = append(all, Finding{Good, fmt.Sprintf("%s answers on %s with a certificate for %s.", name, addr, cfg.Host), ""})
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: trust}}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+a["https"]+"/readyz", nil)
	if err != nil {
		return append(all, Finding{Bad, "addresses.json has no address for https.", "restart the server"})
	}
	answer, err := client.Do(r)
	if err != nil {
		return append(all, Finding{Bad, "/readyz: " + err.Error(), "read the server's log"})
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return append(all, Finding{Bad, "Devices cannot connect: /readyz answers " + answer.Status + ".", "read the server's log"})
	}
	return append(all, Finding{Good, "Devices can connect.", ""})
}

func examineCertificates(cfg Config, now time.Time) []Finding {
	var all []Finding
	for name, what := range map[string]string{"tls/ca.pem": "authority", "tls/server.pem": "certificate"} {
		c, err := edge.ReadCertificate(filepath.Join(cfg.Data, name))
		switch {
		case err != nil:
			all = append(all, Finding{Bad, "The server's " + what + " cannot be read: " + err.Error(), "put " + name + " back from a backup"})
		case c == nil: // before the first start
		case now.After(c.NotAfter.Add(-30 * 24 * time.Hour)):
			all = append(all, Finding{Warn, fmt.Sprintf("The server's %s ends on %s.", what, c.NotAfter.Format(time.DateOnly)), "restart the server; it renews its certificate by itself"})
		default:
			all = append(all, Finding{Good, fmt.Sprintf("The server's %s is good until %s.", what, c.NotAfter.Format(time.DateOnly)), ""})
		}
	}
	return all
}
