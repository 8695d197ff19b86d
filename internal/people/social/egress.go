package social

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
)

// Bounds of one call to a provider. Discovery documents and key sets have some kilobytes.
const (
	callTime = 10 * time.Second
	maxReply = 1 << 20 // bytes
)

var (
	errLong     = errors.New("the answer is longer than 1 MiB")
	errRedirect = errors.New("the provider leads elsewhere instead of answering")
)

// client speaks to one provider, and unless the operator allows it otherwise at public addresses only: a document
// of a provider cannot have us ask our neighbours.
func client(c Config) *http.Client {
	ports := []uint16{443}
	if u, err := url.Parse(c.Issuer); err == nil {
		if port, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			ports = append(ports, uint16(port))
		}
	}
	// None of the addresses that we ask is one that leads on, and people come seldom.
	web := outbound.Client(outbound.Rule{Ports: ports, Anywhere: c.AllowPrivate, Roots: c.Roots, Timeout: callTime, Redirect: errRedirect})
	web.Transport = bounded{web.Transport}
	return web
}

// bounded reads no answer beyond maxReply.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", "Ardesia") // GitHub answers nobody without one
	answer, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &limited{answer.Body, maxReply}
	return answer, nil
}

// limited is a body that may have left more bytes.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		var one [1]byte
		if n, err := l.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errLong
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.ReadCloser.Read(p)
	l.left -= int64(n)
	return n, err
}

// get reads a JSON answer, of status 200 only, as it is.
func get(ctx context.Context, c *http.Client, address string, header map[string]string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.New("GET " + address + ": " + answer.Status)
	}
	return text, nil
}
