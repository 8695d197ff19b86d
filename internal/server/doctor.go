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
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/sqlite"
	"github.com/ardesia-iot/ardesia/internal/edge"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/schema"
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

// wireFinding is a Finding as scripts and the admin socket read it.
type wireFinding struct {
	Grade Grade  `json:"grade"` // ok, warn or BAD
	Text  string `json:"text"`
	Cure  string `json:"cure,omitempty"`
}

// MarshalJSON writes f for scripts.
func (f Finding) MarshalJSON() ([]byte, error) { return json.Marshal(wireFinding(f)) }

// leastSpace is how much of the disk should be free, in bytes: an hour of a
// thousand devices at one value per second and its write-ahead log.
const leastSpace = 1 << 30

// Examine checks the installation that cfg describes, whether the server runs or not.
func Examine(ctx context.Context, cfg Config, now func() time.Time) []Finding {
	var all []Finding
	add := func(f Finding) { all = append(all, f) }
	add(examineDirectory(cfg.Data))
	for _, f := range examineKeyFiles(cfg.Data) {
		add(f)
	}
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
		for _, f := range askRunning(ctx, cfg) {
			add(f)
		}
	}
	for _, f := range examineCertificates(cfg, now()) {
		add(f)
	}
	add(examineMail(ctx, cfg, now))
	for _, f := range examineSocial(ctx, cfg, now) {
		add(f)
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

// examineKeyFiles looks for what would keep the next start from opening the keys.
func examineKeyFiles(dir string) []Finding {
	var all []Finding
	for _, name := range []string{"keys", "keys/root.key", "keys/keys.json"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 == 0 {
			continue // what is missing is told by whoever opens it
		}
		mode := info.Mode().Perm() &^ 0o077
		all = append(all, Finding{Bad, fmt.Sprintf("%s has mode %04o, so others may read the keys; the next start refuses it.", path, info.Mode().Perm()), fmt.Sprintf("chmod %o %s", mode, path)})
	}
	return all
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
	free := int64(st.Bavail) * int64(st.Bsize)
	text := fmt.Sprintf("%.1f GiB are free on the disk of %s.", float64(free)/(1<<30), dir)
	if free < leastSpace {
		return Finding{Bad, text, "free some, or move the data directory to a larger disk"}
	}
	return Finding{Good, text, ""}
}

// examineClock compares the clock with what this installation has seen before.
func examineClock(dir string, now time.Time) Finding {
	for _, name := range []string{"core.db", "core.db-wal", "history.db", "history.db-wal"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil && info.ModTime().After(now.Add(time.Minute)) {
			return Finding{Bad, "The clock is behind what was last written (" + info.ModTime().UTC().Format(time.RFC3339) + ").", "set the clock: timedatectl set-ntp true"}
		}
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

// examineData opens everything as a start would, and reads all of it.
func examineData(ctx context.Context, cfg Config, now func() time.Time) []Finding {
	if _, err := os.Stat(filepath.Join(cfg.Data, "keys")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	d, err := openData(ctx, cfg, now)
	if err != nil {
		return []Finding{{Bad, "The data cannot be opened: " + err.Error(), cure(err)}}
	}
	defer d.close()
	all := []Finding{{Good, "Keys and databases can be opened (" + databaseName(cfg) + ").", ""}}
	all = append(all, d.examine(ctx)...)
	all = append(all, examineGuardOf(ctx, d, cfg, now)...)
	log, err := newAudit(ctx, cfg, d, audit.Needs{Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return append(all, Finding{Bad, "The audit log cannot be opened: " + err.Error(), restoreIt})
	}
	all = append(all, examineAudit(ctx, log))
	// What boards were told is on disk is replayed, as a start would. Where a server runs, it did that.
	if _, err := series.New(ctx, series.Needs{Store: series.SQL(d.history), Keys: d.ring, Log: slog.New(slog.DiscardHandler), Now: now}); err != nil {
		return append(all, Finding{Bad, "The history cannot be read: " + err.Error(), restoreIt})
	}
	return append(all, Finding{Good, "The history's log can be replayed.", ""})
}

const restoreIt = "restore a backup: ardesia restore --help, docs/acts/restore.md"

// cure says what to do about err where its own text does not.
func cure(err error) string {
	if errors.Is(err, sqlite.ErrDamaged) {
		return restoreIt
	}
	return ""
}

// examine reads every page of every database and the whole journal.
func (d *data) examine(ctx context.Context) []Finding {
	var all []Finding
	for _, each := range []struct {
		name string
		db   *db.DB
	}{{schema.Keyring, d.keyring}, {schema.Core, d.core}, {schema.History, d.history}} {
		if err := each.db.Check(ctx); err != nil {
			all = append(all, Finding{Bad, "The database " + each.name + " is not as it was written: " + err.Error(), restoreIt})
		}
	}
	if all == nil {
		all = append(all, Finding{Good, "Every page of every database is as it was written.", ""})
	}
	n, err := journal.Verify(ctx, d.core)
	switch {
	case errors.Is(err, journal.ErrBroken):
		all = append(all, Finding{Bad, problem.Of(err).Detail, "find out who can write to the database; keep a copy of it as it is, and compare with a backup"})
	case err != nil:
		all = append(all, Finding{Bad, "The journal cannot be read: " + err.Error(), restoreIt})
	default:
		all = append(all, Finding{Good, fmt.Sprintf("The journal's chain of %d entries is whole.", n), ""})
	}
	return all
}

// askRunning has the running server read its data, which nobody else may open.
func askRunning(ctx context.Context, cfg Config) []Finding {
	answer, err := Call(ctx, cfg.Data, "check", []byte("{}"))
	var found []wireFinding
	if err == nil {
		err = json.Unmarshal(answer, &found)
	}
	if err != nil {
		return []Finding{{Bad, "The running server cannot check its data: " + err.Error(), "read the server's log"}}
	}
	all := make([]Finding, 0, len(found))
	for _, f := range found {
		all = append(all, Finding(f))
	}
	return all
}

func examinePorts(cfg Config) []Finding {
	d, err := listen(cfg)
	if err != nil {
		return []Finding{{Bad, "A port cannot be used: " + err.Error(), ""}} // the text says what to do
	}
	d.close()
	return []Finding{{Good, "All ports are free.", ""}}
}

// authorities are who may have signed the server's certificate.
func authorities(cfg Config) (*x509.CertPool, error) {
	if cfg.TLSCert == "" {
		text, err := os.ReadFile(filepath.Join(cfg.Data, "tls", "ca.pem"))
		pool := x509.NewCertPool()
		if err == nil && !pool.AppendCertsFromPEM(text) {
			err = errors.New("tls/ca.pem holds no certificate")
		}
		return pool, err
	}
	text, err := os.ReadFile(cfg.TLSCert)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a machine without any
	}
	pool.AppendCertsFromPEM(text) // an authority that only this house's clients know
	return pool, nil
}

// examineDoors connects to each listener of the running server as a client would.
func examineDoors(ctx context.Context, cfg Config, a Addresses) []Finding {
	pool, err := authorities(cfg)
	if err != nil {
		return []Finding{{Bad, "No authority to check the server's certificate with: " + err.Error(), "put the file back from a backup"}}
	}
	trust := &tls.Config{RootCAs: pool, ServerName: cfg.Host, MinVersion: tls.VersionTLS12}
	var all []Finding
	for _, name := range []string{"https", "wss", "mqtt-password", "mqtt-cert", "mqtt-cert-legacy"} {
		addr, ok := a[name]
		if !ok {
			continue
		}
		if err := knock(ctx, addr, trust); err != nil {
			all = append(all, Finding{Bad, fmt.Sprintf("%s on %s does not answer as it should: %v", name, addr, err), "read the server's log"})
			continue
		}
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

// knock looks at the certificate that the listener at addr shows. That some want one of
// ours as well, which we do not have, comes after that and is no failure.
func knock(ctx context.Context, addr string, trust *tls.Config) error {
	shown := false
	t := trust.Clone()
	t.VerifyConnection = func(tls.ConnectionState) error { shown = true; return nil }
	c, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: t}).DialContext(ctx, "tcp", addr)
	if err == nil {
		return c.Close()
	}
	if shown {
		return nil
	}
	return err
}

func examineCertificates(cfg Config, now time.Time) []Finding {
	if cfg.TLSCert != "" {
		f := examineCertificate(cfg.TLSCert, "certificate", now, "put a new one into "+cfg.TLSCert+" and restart the server", "put the file back")
		if f.Text == "" {
			f = Finding{Bad, "The server's certificate " + cfg.TLSCert + " is not there.", "put the file back, or name another with --tls-cert"}
		}
		return []Finding{f}
	}
	var all []Finding
	for _, c := range []struct{ name, what, renew string }{
		{"tls/ca.pem", "authority", "docs/operate.md, \"When the authority ends\""},
		{"tls/server.pem", "certificate", "restart the server; it renews its certificate by itself"},
	} {
		f := examineCertificate(filepath.Join(cfg.Data, c.name), c.what, now, c.renew, "put "+c.name+" back from a backup")
		if f.Text != "" { // before the first start there is none
			all = append(all, f)
		}
	}
	return all
}

func examineCertificate(path, what string, now time.Time, renew, replace string) Finding {
	c, err := edge.ReadCertificate(path)
	switch {
	case err != nil:
		return Finding{Bad, "The server's " + what + " cannot be read: " + err.Error(), replace}
	case c == nil:
		return Finding{}
	case now.After(c.NotAfter):
		return Finding{Bad, fmt.Sprintf("The server's %s ended on %s: nobody can connect.", what, c.NotAfter.Format(time.DateOnly)), renew}
	case now.Before(c.NotBefore):
		return Finding{Bad, fmt.Sprintf("The server's %s is not good before %s, or the clock is behind.", what, c.NotBefore.Format(time.DateOnly)), "set the clock: timedatectl set-ntp true"}
	case now.After(c.NotAfter.Add(-30 * 24 * time.Hour)):
		return Finding{Warn, fmt.Sprintf("The server's %s ends on %s.", what, c.NotAfter.Format(time.DateOnly)), renew}
	}
	return Finding{Good, fmt.Sprintf("The server's %s is good until %s.", what, c.NotAfter.Format(time.DateOnly)), ""}
}
