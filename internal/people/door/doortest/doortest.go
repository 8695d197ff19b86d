// Package doortest asks a room's routes as a client does, inside a test.
package doortest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Do asks for path with the bearer token as ("" for none). body is sent as it is if it is a string or bytes, as
// JSON otherwise; nil is no body. The answer to a success is read into out, if not nil.
func Do(t testing.TB, to http.Handler, as, method, path string, body, out any) *httptest.ResponseRecorder {
	t.Helper()
	var in []byte
	switch body := body.(type) {
	case nil:
	case string:
		in = []byte(body)
	case []byte:
		in = body
	default:
		var err error
		if in, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, bytes.NewReader(in))
	if as != "" {
		r.Header.Set("Authorization", "Bearer "+as)
	}
	w := httptest.NewRecorder()
	to.ServeHTTP(w, r)
	if out != nil && w.Code < 300 {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			t.Fatalf("%s %s: %v in %s", method, path, err, w.Body)
		}
	}
	return w
}

// Want is Do that fails the test when the status is another one.
func Want(t testing.TB, to http.Handler, status int, as, method, path string, body, out any) *httptest.ResponseRecorder {
	t.Helper()
	w := Do(t, to, as, method, path, body, out)
	if w.Code != status {
		t.Fatalf("%s %s as %q = %d %s, want %d", method, path, as, w.Code, w.Body, status)
	}
	return w
}
