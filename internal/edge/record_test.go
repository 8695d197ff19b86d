package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// serveWeb runs Serve on loopback with TLS and says how to reach it.
func serveWeb(t *testing.T, h http.Handler) (addr string, roots *x509.CertPool) {
	t.Helper()
	w := wall(t, t.TempDir(), ring{}, time.Now(), "iot.example.org")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, tls.NewListener(l, w.Web()), h, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve ended with %v", err)
		}
	})
	roots = x509.NewCertPool()
	roots.AddCert(w.Root())
	return l.Addr().String(), roots
}

// The trap is the third in section 0 of the device-protocol reference. The broker's
// listeners have a test of the same name.
func TestTrap03RecordsAtMost4096(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 200_000/16)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /at-once", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	mux.HandleFunc("GET /with-length", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(big)))
		_, _ = w.Write(big)
	})
	mux.HandleFunc("GET /in-parts", func(w http.ResponseWriter, _ *http.Request) {
		for part := range slices.Chunk(big, 5003) {
			_, _ = w.Write(part)
			_ = http.NewResponseController(w).Flush()
		}
	})
	mux.HandleFunc("GET /copied", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, bytes.NewReader(big)) })
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "firmware.ota", time.Time{}, bytes.NewReader(big))
	})
	mux.HandleFunc("GET /taken-over", func(w http.ResponseWriter, _ *http.Request) {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = both.WriteString("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
		_, _ = both.Write(big[:100_000])
		_ = both.Flush()
		_, _ = conn.Write(big[100_000:])
	})
	addr, roots := serveWeb(t, mux)

	for name, c := range map[string]*tls.Config{
		"TLS 1.2": mqtttest.BoardTLS(roots, "iot.example.org"),
		"TLS 1.3": {RootCAs: roots, ServerName: "iot.example.org", MinVersion: tls.VersionTLS13},
	} {
		for _, path := range []string{"/at-once", "/with-length", "/in-parts", "/copied", "/file", "/taken-over"} {
			t.Run(name+path, func(t *testing.T) {
				raw, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				tap := mqtttest.NewTap(raw, c.MinVersion == tls.VersionTLS13)
				web := http.Client{Transport: &http.Transport{
					DisableKeepAlives: true,
					DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
						return tls.Client(tap, c), nil
					},
				}, Timeout: 60 * time.Second}
				answer, err := web.Get("https://iot.example.org" + path)
				if err != nil {
					t.Fatal(err)
				}
				defer answer.Body.Close()
				got, err := io.ReadAll(answer.Body)
				if err != nil || !bytes.Equal(got, big) {
					t.Fatalf("got %d bytes, want %d (%v)", len(got), len(big), err)
				}
				if records := tap.Records(); len(records) < len(big)/4096 || slices.Max(records) > 4096 {
					t.Errorf("%d bytes came in %d records of up to %d bytes", len(big), len(records), slices.Max(records))
				}
			})
		}
	}
}

// Browsers go on speaking HTTP/2.
func TestHTTP2(t *testing.T) {
	addr, roots := serveWeb(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+strings.Repeat(".", 50_000))
	}))
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "iot.example.org"}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: 60 * time.Second}).Get("https://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if got, err := io.ReadAll(answer.Body); err != nil || !strings.HasPrefix(string(got), "HTTP/2.0.") || len(got) < 50_000 {
		t.Errorf("got %.20q, %d bytes (%v)", got, len(got), err)
	}
}
