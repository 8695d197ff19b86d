package rest

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A picture is a picture, and is sent once.
func TestImage(t *testing.T) {
	r := httptest.NewRequest("GET", "/x", nil)
	w := httptest.NewRecorder()
	Image(w, r, "image/png", []byte("pixels"))
	for name, want := range map[string]string{"Content-Type": "image/png", "Content-Length": "6", "Content-Security-Policy": "default-src 'none'; sandbox", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	Image(again, r, "image/png", []byte("pixels"))
	if w.Code != http.StatusOK || again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("%d, then %d %q", w.Code, again.Code, again.Body)
	}
}
