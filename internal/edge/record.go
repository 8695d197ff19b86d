package edge

import (
	"bufio"
	"net"
	"net/http"
)

// maxRecord is how many bytes are given to TLS at once on HTTP/1.1: boards that
// download, or ask for a certificate, have a buffer of 8 KB for a record, and Go
// ignores that they ask for short ones (device-protocol reference, section 0, trap
// 3). Boards do not speak HTTP/2, whose frames may be longer.
const maxRecord = 4096

// short makes next's answers over TLS come in records that boards can take.
func short(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && r.ProtoMajor == 1 {
			w = &shortWriter{w}
		}
		next.ServeHTTP(w, r)
	})
}

// A shortWriter writes at most maxRecord bytes at once. net/http collects up to
// 4096 bytes before it writes to the connection, and passes by its buffer only what
// is longer: so nothing longer ever reaches TLS. It has no ReadFrom, which would
// write as much as it likes.
type shortWriter struct{ http.ResponseWriter }

func (w *shortWriter) Write(p []byte) (int, error) { return writeShort(w.ResponseWriter.Write, p) }

// Unwrap lets http.ResponseController reach deadlines and flushing.
func (w *shortWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack is how a WebSocket takes the connection over.
func (w *shortWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	raw, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	conn := &shortConn{raw}
	return conn, bufio.NewReadWriter(buffered.Reader, bufio.NewWriter(conn)), nil
}

// A shortConn writes at most maxRecord bytes at once.
type shortConn struct{ net.Conn }

func (c *shortConn) Write(p []byte) (int, error) { return writeShort(c.Conn.Write, p) }

func writeShort(write func([]byte) (int, error), p []byte) (n int, err error) {
	for {
		part := p[n:min(n+maxRecord, len(p))]
		wrote, err := write(part)
		n += wrote
		if err != nil || n >= len(p) {
			return n, err
		}
	}
}
