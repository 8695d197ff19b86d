package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// Addresses are where the doors are open, by the name of their setting without
// "-addr". A port that was asked for as 0 is here with its number.
type Addresses map[string]string

// doors are the listeners, all bound before anything is served, so that a port
// that is taken is found out before a board is told to come in.
type doors struct {
	open  map[string]net.Listener
	dir   string
	order []string
}

// listen binds what cfg names.
func listen(cfg Config) (*doors, error) {
	d := &doors{open: map[string]net.Listener{}, dir: cfg.Data}
	for _, want := range []struct{ name, addr string }{
		{"https", cfg.HTTPS}, {"wss", cfg.WebSocket}, {"redirect", cfg.Redirect}, {"mqtt-cert", cfg.MQTTCert},
		{"mqtt-cert-legacy", cfg.MQTTLegacy}, {"mqtt-password", cfg.MQTTPassword}, {"metrics", cfg.Metrics},
	} {
		if want.addr == "" {
			continue
		}
		l, err := net.Listen("tcp", want.addr)
		if err != nil {
			d.close()
			return nil, listenError(want.name, want.addr, err)
		}
		d.open[want.name] = l
		d.order = append(d.order, want.name)
	}
	return d, nil
}

func listenError(name, addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another program: choose another address with --%s-addr, or stop that program", addr, name)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("ports below 1024 need a privilege to bind %s: choose another address with --%s-addr, or allow it (setcap cap_net_bind_service=+ep ardesia)", addr, name)
	}
	return fmt.Errorf("listen for %s: %w", name, err)
}

// addresses says where the doors are.
func (d *doors) addresses() Addresses {
	all := Addresses{}
	for name, l := range d.open {
		all[name] = l.Addr().String()
	}
	return all
}

// announce writes DIR/addresses.json, which scripts read to find port 0's number.
func (d *doors) announce() error {
	text, err := json.MarshalIndent(d.addresses(), "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(d.dir, "addresses.json")
	tmp := path + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// close closes what is still open and takes the announcement back.
func (d *doors) close() {
	for _, l := range d.open {
		_ = l.Close() // closed already by whom it served is fine
	}
	_ = os.Remove(filepath.Join(d.dir, "addresses.json"))
}
