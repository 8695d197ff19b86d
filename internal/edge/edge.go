package edge

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Signers gives private keys by name and keeps them sealed (base/keys).
type Signers interface {
	Signer(ctx context.Context, name string) (crypto.Signer, error)
}

// Config says who this server is towards its clients.
type Config struct {
	Dir   string   // the data directory; tls/ca.pem and tls/server.pem are kept below it
	Names []string // every name in the certificate; see Names
	// Cert and Key are PEM files of a certificate that somebody else issued.
	// When they are set no local authority is made, and both are read again
	// when they change.
	Cert, Key string
}

// A Wall owns the server's certificate. Its methods may be called from any goroutine.
type Wall struct {
	cfg     Config
	signers Signers
	log     *slog.Logger
	now     func() time.Time

	leaf atomic.Pointer[tls.Certificate]
	root atomic.Pointer[x509.Certificate] // nil when Cert and Key are given
	seen time.Time                        // modification time of cfg.Cert when it was read; only Run and New touch it
}

// New makes or reads the server's certificate. On the first start that is a new
// authority, whose certificate is written to DIR/tls/ca.pem.
func New(ctx context.Context, cfg Config, signers Signers, log *slog.Logger, now func() time.Time) (*Wall, error) {
	w := &Wall{cfg: cfg, signers: signers, log: log, now: now}
	if cfg.Cert != "" || cfg.Key != "" {
		return w, w.readFiles()
	}
	return w, w.renewLocal(ctx)
}

// CAFile is the file that clients are told to trust; "" when somebody else
// issued the certificate.
func (w *Wall) CAFile() string {
	if w.root.Load() == nil {
		return ""
	}
	return filepath.Join(w.cfg.Dir, "tls", "ca.pem")
}

// Root is the certificate that clients trust, nil when somebody else issued ours.
func (w *Wall) Root() *x509.Certificate { return w.root.Load() }

// Leaf is the certificate that the listeners show now.
func (w *Wall) Leaf() *x509.Certificate { return w.leaf.Load().Leaf }

// Web is the TLS of HTTPS and WebSocket.
func (w *Wall) Web() *tls.Config {
	c := serverTLS(w.leaf.Load)
	c.NextProtos = []string{"h2", "http/1.1"}
	return c
}

// Secret is the TLS of boards that show an id and a secret key.
func (w *Wall) Secret() *tls.Config { return serverTLS(w.leaf.Load) }

// Mutual is the TLS of boards that show a certificate of one of authorities,
// which is asked at each connection, so that a new generation counts at once.
//
// known says whether exactly this certificate was issued here. Then its chain is not
// computed again: that would tell nothing new and cost a fifth of a connection. It may be nil.
// Either way the board has to prove that it has the key.
func (w *Wall) Mutual(authorities func() *x509.CertPool, known func(*x509.Certificate) bool) *tls.Config {
	c := serverTLS(w.leaf.Load)
	c.ClientAuth = tls.RequireAnyClientCert // and VerifyConnection
	c.Time = w.now
	outer := c.Clone()
	outer.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		own := c.Clone()
		own.ClientCAs = authorities() // boards are told whose certificates we take
		own.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyBoard(state.PeerCertificates, own.ClientCAs, known, w.now())
		}
		return own, nil
	}
	return outer
}

// verifyBoard does what crypto/tls does for RequireAndVerifyClientCert, unless the
// certificate is known.
func verifyBoard(shown []*x509.Certificate, authorities *x509.CertPool, known func(*x509.Certificate) bool, at time.Time) error {
	if len(shown) == 0 {
		return errNoCertificate
	}
	if known != nil && known(shown[0]) {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	_, err := shown[0].Verify(x509.VerifyOptions{
		Roots: authorities, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

var errNoCertificate = errors.New("no certificate was shown")

// Run renews the certificate in time, until ctx ends.
func (w *Wall) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			err := w.renew(ctx)
			if err != nil {
				// The old certificate still serves; an operator has days to look.
				w.log.Error("the server's certificate cannot be renewed", "err", err, "until", w.Leaf().NotAfter)
			}
		}
	}
}

func (w *Wall) renew(ctx context.Context) error {
	if w.cfg.Cert == "" {
		return w.renewLocal(ctx)
	}
	info, err := os.Stat(w.cfg.Cert)
	if err != nil {
		return err
	}
	if info.ModTime().Equal(w.seen) {
		return nil
	}
	return w.readFiles()
}

func (w *Wall) readFiles() error {
	info, err := os.Stat(w.cfg.Cert)
	if err != nil {
		return fmt.Errorf("the certificate that tls-cert names: %w", err)
	}
	pair, err := tls.LoadX509KeyPair(w.cfg.Cert, w.cfg.Key)
	if err != nil {
		return fmt.Errorf("read the certificate %s with the key %s: %w", w.cfg.Cert, w.cfg.Key, err)
	}
	w.seen = info.ModTime()
	w.leaf.Store(&pair)
	return nil
}

// renewLocal makes what is missing of: root key, root, ca.pem, leaf key, leaf.
// Each step can be repeated; a stop between two of them costs nothing.
func (w *Wall) renewLocal(ctx context.Context) error {
	dir := filepath.Join(w.cfg.Dir, "tls")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	rootKey, err := w.signers.Signer(ctx, "tls-root")
	if err != nil {
		return fmt.Errorf("key of the server's authority: %w", err)
	}
	leafKey, err := w.signers.Signer(ctx, "tls-leaf")
	if err != nil {
		return fmt.Errorf("key of the server's certificate: %w", err)
	}
	root, err := w.localRoot(filepath.Join(dir, "ca.pem"), rootKey)
	if err != nil {
		return err
	}
	w.root.Store(root)

	path := filepath.Join(dir, "server.pem")
	leaf, err := ReadCertificate(path)
	if err != nil {
		return err
	}
	if !serves(leaf, root, leafKey.Public(), w.cfg.Names, w.now()) {
		der, err := newLeaf(root, rootKey, leafKey, w.cfg.Names, w.now())
		if err != nil {
			return fmt.Errorf("certificate for %v: %w", w.cfg.Names, err)
		}
		if leaf, err = x509.ParseCertificate(der); err != nil {
			return err
		}
		if err := WriteFile(path, encodePEM(der)); err != nil {
			return err
		}
		w.log.Info("new server certificate", "names", w.cfg.Names, "until", leaf.NotAfter)
	}
	w.leaf.Store(&tls.Certificate{Certificate: [][]byte{leaf.Raw, root.Raw}, PrivateKey: leafKey, Leaf: leaf})
	return nil
}

func (w *Wall) localRoot(path string, key crypto.Signer) (*x509.Certificate, error) {
	root, err := ReadCertificate(path)
	if err != nil {
		return nil, err
	}
	if root != nil {
		public, ok := root.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		if !ok || !public.Equal(key.Public()) {
			return nil, fmt.Errorf("%s is not the certificate of this server's authority; put the right file back, or remove it to have it written again (clients must then trust the new one)", path)
		}
		return root, nil
	}
	der, err := newRoot(key, w.now())
	if err != nil {
		return nil, fmt.Errorf("root of the server's authority: %w", err)
	}
	if err := WriteFile(path, encodePEM(der)); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// ReadCertificate reads the first certificate of a PEM file. It is nil without an error when the file is not there.
func ReadCertificate(path string) (*x509.Certificate, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := parsePEM(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// WriteFile replaces path as a whole: a reader, or a power cut, sees the old
// content or the new one.
func WriteFile(path string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(tmp.Name(), path)
}
