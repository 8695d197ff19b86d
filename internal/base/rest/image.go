package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
)

// Image answers r with a picture of a media type and nothing else, whatever a browser makes of its
// bytes. The browser keeps it, and asks each time whether it is still the same.
func Image(w http.ResponseWriter, r *http.Request, kind string, image []byte) {
	h := w.Header()
	sum := sha256.Sum256(image)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache")
	h.Set("Vary", "Authorization, X-Organization")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(image)))
	h.Set("Content-Disposition", "inline")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(image) // a client that has gone away is nobody's error
}
