package device

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
)

// firmware is a program in memory.
type firmware struct {
	bytes.Buffer
	open, write, apply error
}

func (f *firmware) SHA256() [32]byte               { return [32]byte{1} }
func (f *firmware) Magic() uint32                  { return uint32(otafile.ESP32) }
func (f *firmware) Store() (io.WriteCloser, error) { f.Reset(); return f, f.open }
func (f *firmware) Apply() error                   { return f.apply }
func (f *firmware) Close() error                   { return nil }

func (f *firmware) Write(p []byte) (int, error) {
	if f.write != nil {
		return 0, f.write
	}
	return f.Buffer.Write(p)
}

// What goes wrong with a download is told by the code that Arduino's library has for it, and what goes well is the image.
func TestUpdateCodes(t *testing.T) {
	t.Parallel()
	image := bytes.Repeat([]byte("a program "), 3000)
	file, err := otafile.Encode(image, otafile.ESP32)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := otafile.Encode(image, 0x23418057)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(file)
	damaged[100] ^= 1
	whole := func(b []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
		}
	}
	nothing := errors.New("as it was told to")
	for name, c := range map[string]struct {
		serve http.HandlerFunc
		url   string
		sha   [32]byte
		board firmware
		code  int32 // 0: it works
	}{
		"it works":                 {serve: whole(file)},
		"no announcement":          {serve: whole(file), sha: [32]byte{}},
		"another image":            {serve: whole(file), sha: [32]byte{9}, code: -6},
		"a damaged file":           {serve: whole(damaged), code: -6},
		"a file that was cut off":  {serve: whole(file[:len(file)-1]), code: -5},
		"a file for another board": {serve: whole(foreign), code: -7},
		"no file":                  {serve: http.NotFound, code: -14},
		"another place":            {serve: http.RedirectHandler("/x", http.StatusFound).ServeHTTP, code: -14},
		"without a length": {serve: func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(file[:10])
			w.(http.Flusher).Flush()
		}, code: -11},
		"no ranges": {serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000000")
			_, _ = w.Write(file[:len(file)/2])
		}, code: -14},
		"nobody there":      {url: "https://127.0.0.1:1/x", code: -10},
		"no address":        {url: "ftp://x/y", code: -9},
		"no host":           {url: "https:///y", code: -9},
		"no place":          {serve: whole(file), board: firmware{open: nothing}, code: -19},
		"a full disk":       {serve: whole(file), board: firmware{write: nothing}, code: -20},
		"it cannot start":   {serve: whole(file), board: firmware{apply: nothing}, code: -15},
		"a code of its own": {serve: whole(file), board: firmware{apply: &UpdateError{-3, nothing}}, code: -3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fetcher := &http.Client{}
			if c.serve != nil {
				s := httptest.NewTLSServer(c.serve)
				defer s.Close()
				c.url, fetcher = s.URL+"/file", s.Client()
			}
			if c.sha == [32]byte{} && name != "no announcement" {
				c.sha = sha256.Sum256(image)
			}
			board := &c.board
			client, err := New(Config{Host: "localhost", DeviceID: "x", SecretKey: "secret", Now: time.Now, Firmware: board, HTTP: fetcher})
			if err != nil {
				t.Fatal(err)
			}
			err = client.replace(context.Background(), command.OtaUpdate{URL: c.url, FinalSHA: c.sha})
			var coded *UpdateError
			switch {
			case c.code == 0 && (err != nil || !bytes.Equal(board.Bytes(), image)):
				t.Errorf("%d bytes, %v", board.Len(), err)
			case c.code != 0 && (!errors.As(err, &coded) || coded.Code != c.code):
				t.Errorf("%v, want code %d", err, c.code)
			}
			var states []string
			for len(client.updates.reports) > 0 {
				states = append(states, (<-client.updates.reports).State.String())
			}
			if text := strings.Join(states, " "); !strings.HasPrefix(text, "available start") || c.code == 0 && text != "available start fetch fetch flash reboot" {
				t.Errorf("it told %s", text)
			}
		})
	}
}

// The secret of a device goes over TLS only.
func TestUpdatesComeOverTLSOnly(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("the server was asked with %q", r.Header.Get("Authorization"))
	}))
	defer s.Close()
	client, err := New(Config{Host: "localhost", DeviceID: "x", SecretKey: "secret", Now: time.Now, Firmware: &firmware{}})
	if err != nil {
		t.Fatal(err)
	}
	err = client.replace(t.Context(), command.OtaUpdate{URL: s.URL + "/file"})
	if coded := (*UpdateError)(nil); !errors.As(err, &coded) || coded.Code != codeURL {
		t.Errorf("%v, want code %d", err, codeURL)
	}
}

// A server that falls silent ends no update: the download goes on over another connection. One that never says a word ends this one, and the
// next may come.
func TestSilentServers(t *testing.T) {
	t.Parallel()
	image := bytes.Repeat([]byte("a program "), 3000)
	file, err := otafile.Encode(image, otafile.ESP32)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		serve func(w http.ResponseWriter, r *http.Request, ask int64)
		code  int32 // 0: it works
		asks  int64
	}{
		"in the middle": {func(w http.ResponseWriter, r *http.Request, ask int64) {
			if ask > 1 {
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file))
				return
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(file)))
			_, _ = w.Write(file[:len(file)/2])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, 0, 2},
		"after the header, always": {func(w http.ResponseWriter, r *http.Request, _ int64) {
			w.Header().Set("Content-Length", strconv.Itoa(len(file)))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, codeDownload, resumesOf + 1},
		"from the beginning": {func(_ http.ResponseWriter, r *http.Request, _ int64) { <-r.Context().Done() }, codeConnect, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var asks atomic.Int64
				wire := wire{make(chan net.Conn), make(chan struct{}), new(sync.Once)}
				s := &httptest.Server{Listener: wire, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, asks.Add(1)) })}}
				s.StartTLS()
				defer s.Close()
				over := s.Client()
				over.Transport.(*http.Transport).DialContext = wire.dial
				board := &firmware{}
				client, err := New(Config{Host: "localhost", DeviceID: "x", SecretKey: "secret", Now: time.Now, Firmware: board, HTTP: over})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				err = client.replace(ctx, command.OtaUpdate{URL: s.URL + "/file", FinalSHA: sha256.Sum256(image)})
				var coded *UpdateError
				switch {
				case ctx.Err() != nil:
					t.Error("it waits for ever")
				case c.code == 0 && (err != nil || !bytes.Equal(board.Bytes(), image)):
					t.Errorf("%d bytes, %v", board.Len(), err)
				case c.code != 0 && (!errors.As(err, &coded) || coded.Code != c.code || !errors.Is(err, errStalled)):
					t.Errorf("%v, want code %d", err, c.code)
				}
				if got := asks.Load(); got != c.asks {
					t.Errorf("the server was asked %d times, want %d", got, c.asks)
				}
			})
		})
	}
}

// A wire is a listener without a network, so that time can be the test's.
type wire struct {
	conns  chan net.Conn
	closed chan struct{}
	once   *sync.Once
}

func (w wire) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case w.conns <- there:
		return here, nil
	case <-w.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w wire) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w wire) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// Addr is one that the certificate of httptest names.
func (w wire) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }
