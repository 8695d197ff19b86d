package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// hold starts both servers with their boards, writes down who these are, and waits until
// ctx ends: for load tools other than ours.
//
// In dir are then, for each side, NAME.csv with the columns id, secret, thing, and the files
// ID.crt and ID.key of each board in a folder NAME.
func (b *bench) hold(ctx context.Context, n int, dir string) error {
	if _, err := b.house.populate(ctx, n); err != nil {
		return err
	}
	if err := b.relay.start(ctx, n); err != nil {
		return err
	}
	for i, t := range []*target{&b.house.target, &b.relay.target} {
		if err := t.describe(dir); err != nil {
			return err
		}
		ca := []string{filepath.Join(b.house.data, "tls", "ca.pem"), filepath.Join(b.relay.dir, "passwords", "ca.pem")}[i]
		fmt.Printf("%s: passwords %s (process %d), certificates %s (process %d), CA %s\n", t.name, t.addr, t.pid, t.mutual, t.pidTLS, ca)
	}
	<-ctx.Done()
	return nil
}

func (t *target) describe(dir string) error {
	folder := filepath.Join(dir, t.name)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var csv strings.Builder
	csv.WriteString("id,secret,thing\n")
	for _, b := range t.boards {
		thing := b.thing
		if thing == "" {
			thing = b.id
		}
		fmt.Fprintf(&csv, "%s,%s,%s\n", b.id, b.pass, thing)
		der, err := x509.MarshalECPrivateKey(b.cert.PrivateKey.(*ecdsa.PrivateKey))
		if err != nil {
			return err
		}
		put := func(name, kind string, der []byte) error {
			return os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err := errors.Join(put(b.id+".crt", "CERTIFICATE", b.cert.Certificate[0]), put(b.id+".key", "EC PRIVATE KEY", der)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, t.name+".csv"), []byte(csv.String()), 0o600)
}
