package edge

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ring keeps keys in memory, as base/keys keeps them sealed.
type ring map[string]crypto.Signer

func (r ring) Signer(_ context.Context, name string) (crypto.Signer, error) {
	if r[name] == nil {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		r[name] = k
	}
	return r[name], nil
}

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func wall(t *testing.T, dir string, keys ring, now time.Time, names ...string) *Wall {
	t.Helper()
	w, err := New(t.Context(), Config{Dir: dir, Names: names}, keys, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestNames(t *testing.T) {
	for name, c := range map[string]struct {
		host string
		more []string
		want string
	}{
		"a name has service names": {"iot.example.org", nil, "127.0.0.1 api-media.iot.example.org api.iot.example.org boards-int.iot.example.org boards-v2.iot.example.org id.iot.example.org iot.example.org localhost media.iot.example.org mqtts-sa.iot.example.org mqtts-up.iot.example.org wss.iot.example.org"},
		"an address has none":      {"192.168.1.5", []string{"pi.local"}, "127.0.0.1 192.168.1.5 localhost pi.local"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(Names(c.host, c.more), " "); got != c.want {
				t.Errorf("Names = %s, want %s", got, c.want)
			}
		})
	}
}

// What ArduinoIoTCloud's BearSSL profile asks of a server certificate.
func TestCertificateIsOneThatBoardsAccept(t *testing.T) {
	w := wall(t, t.TempDir(), ring{}, noon, Names("iot.example.org", nil)...)
	root, leaf := w.Root(), w.Leaf()
	for what, c := range map[string]*x509.Certificate{"root": root, "leaf": leaf} {
		key, ok := c.PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			t.Errorf("the %s's key is not P-256", what)
		}
		if c.SignatureAlgorithm != x509.ECDSAWithSHA256 {
			t.Errorf("the %s is signed with %v", what, c.SignatureAlgorithm)
		}
	}
	if err := leaf.CheckSignatureFrom(root); err != nil {
		t.Errorf("the leaf is not signed directly by the root: %v", err)
	}
	for _, n := range []string{"iot.example.org", "wss.iot.example.org", "127.0.0.1"} {
		found := false
		for _, d := range leaf.DNSNames {
			found = found || d == n
		}
		if !found {
			t.Errorf("no dNSName %s", n)
		}
	}
	if len(w.leaf.Load().Certificate[0])+len(w.leaf.Load().Certificate[1]) > 2048 {
		t.Error("the chain does not fit a board's small buffer")
	}
}

func TestRestartKeepsTheCertificate(t *testing.T) {
	dir, keys := t.TempDir(), ring{}
	first := wall(t, dir, keys, noon, "a.example")
	again := wall(t, dir, keys, noon.Add(time.Hour), "a.example")
	if !first.Leaf().Equal(again.Leaf()) || !first.Root().Equal(again.Root()) {
		t.Error("a restart made other certificates")
	}
	renamed := wall(t, dir, keys, noon, "a.example", "b.example")
	if renamed.Leaf().Equal(first.Leaf()) || !renamed.Root().Equal(first.Root()) {
		t.Error("a new name needs a new leaf under the same root")
	}
	late := wall(t, dir, keys, noon.Add(leafLife*3/4), "a.example", "b.example")
	if late.Leaf().Equal(renamed.Leaf()) {
		t.Error("a leaf in its last third was not renewed")
	}
}

func TestForeignRootIsRefused(t *testing.T) {
	dir := t.TempDir()
	wall(t, dir, ring{}, noon, "a.example")
	_, err := New(t.Context(), Config{Dir: dir, Names: []string{"a.example"}}, ring{}, slog.New(slog.DiscardHandler), func() time.Time { return noon })
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "tls", "ca.pem")) {
		t.Errorf("New = %v, want an error that names ca.pem", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tls", "ca.pem"), []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = New(t.Context(), Config{Dir: dir, Names: []string{"a.example"}}, ring{}, slog.New(slog.DiscardHandler), func() time.Time { return noon })
	if err == nil || !strings.Contains(err.Error(), "ca.pem") {
		t.Errorf("New on a damaged ca.pem = %v, want an error that names it", err)
	}
}

// A board: TLS 1.2, one suite, P-256, and no reliance on SNI.
func TestBoardHandshake(t *testing.T) {
	w := wall(t, t.TempDir(), ring{}, time.Now(), "iot.example.org", "127.0.0.1")
	roots := x509.NewCertPool()
	roots.AddCert(w.Root())
	for name, c := range map[string]*tls.Config{
		"BearSSL":        {RootCAs: roots, ServerName: "iot.example.org", MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, CurvePreferences: []tls.CurveID{tls.CurveP256}},
		"Python":         {InsecureSkipVerify: true},
		"current client": {RootCAs: roots, ServerName: "iot.example.org", MinVersion: tls.VersionTLS13},
		"by address":     {RootCAs: roots, ServerName: "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := handshake(t, w.Secret(), c); err != nil {
				t.Error(err)
			}
		})
	}
	old := &tls.Config{RootCAs: roots, ServerName: "iot.example.org", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if err := handshake(t, w.Secret(), old); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestMutualFollowsItsAuthorities(t *testing.T) {
	now := time.Now()
	w := wall(t, t.TempDir(), ring{}, now, "iot.example.org")
	roots := x509.NewCertPool()
	roots.AddCert(w.Root())
	ours, theirs := newBoardCA(t), newBoardCA(t)
	board, expired, foreign := ours.issue(t, now.Add(time.Hour)), ours.issue(t, now.Add(-time.Hour)), theirs.issue(t, now.Add(time.Hour))
	stolen := tls.Certificate{Certificate: board.Certificate, PrivateKey: foreign.PrivateKey}
	knows := func(all ...tls.Certificate) func(*x509.Certificate) bool {
		return func(leaf *x509.Certificate) bool {
			return slices.ContainsFunc(all, func(c tls.Certificate) bool { return bytes.Equal(c.Certificate[0], leaf.Raw) })
		}
	}
	for name, c := range map[string]struct {
		show  []tls.Certificate
		pool  []*x509.Certificate
		known func(*x509.Certificate) bool
		in    bool
	}{
		"no certificate":                {nil, []*x509.Certificate{ours.cert}, knows(board), false},
		"ours":                          {[]tls.Certificate{board}, []*x509.Certificate{ours.cert}, nil, true},
		"ours, not known":               {[]tls.Certificate{board}, []*x509.Certificate{ours.cert}, knows(expired), true},
		"ours, known":                   {[]tls.Certificate{board}, []*x509.Certificate{ours.cert}, knows(board), true},
		"of an authority that is gone":  {[]tls.Certificate{board}, []*x509.Certificate{theirs.cert}, nil, false},
		"foreign":                       {[]tls.Certificate{foreign}, []*x509.Certificate{ours.cert}, knows(board), false},
		"expired":                       {[]tls.Certificate{expired}, []*x509.Certificate{ours.cert}, knows(board), false},
		"known, with another's key":     {[]tls.Certificate{stolen}, []*x509.Certificate{ours.cert}, knows(board), false},
		"not known, with another's key": {[]tls.Certificate{stolen}, []*x509.Certificate{ours.cert}, nil, false},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprint(name, "/", tls.VersionName(version)), func(t *testing.T) {
				pool := x509.NewCertPool()
				server := w.Mutual(func() *x509.CertPool { return pool }, c.known)
				for _, a := range c.pool { // the wall must ask when somebody comes
					pool.AddCert(a)
				}
				client := &tls.Config{RootCAs: roots, ServerName: "iot.example.org", MinVersion: version, MaxVersion: version, Certificates: c.show}
				if err := handshake(t, server, client); (err == nil) != c.in {
					t.Errorf("handshake = %v, want success: %v", err, c.in)
				}
			})
		}
	}
}

// A boardCA issues certificates as the device authority does.
type boardCA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newBoardCA(t *testing.T) boardCA {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return boardCA{cert, key}
}

func (a boardCA) issue(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-23 * time.Hour), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	answered := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			answered <- err
			return
		}
		defer c.Close()
		answered <- c.(*tls.Conn).Handshake()
	}()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", l.Addr().String(), client)
	if err == nil {
		c.Close()
	}
	if other := <-answered; err == nil {
		err = other
	}
	return err
}

func TestRedirect(t *testing.T) {
	h := Redirect("iot.example.org")
	for name, c := range map[string]struct {
		method, auth string
		status       int
		location     string
	}{
		"a browser":           {"GET", "", http.StatusPermanentRedirect, "https://iot.example.org/things?a=1"},
		"an API key in clear": {"GET", "Bearer x", http.StatusForbidden, ""},
		"a form":              {"POST", "", http.StatusForbidden, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "http://iot.example.org/things?a=1", nil)
			if c.auth != "" {
				r.Header.Set("Authorization", c.auth)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status || w.Header().Get("Location") != c.location {
				t.Errorf("got %d to %q, want %d to %q", w.Code, w.Header().Get("Location"), c.status, c.location)
			}
		})
	}
}
