package org

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

func (s *Service) logoRoutes() []door.Route {
	return []door.Route{
		{Pattern: "GET /v1/spaces/{id}/logo", Space: "id", Action: "org:read", Do: s.httpLogo},
		{Pattern: "PUT /v1/spaces/{id}/logo", Space: "id", Action: "org:update", MaxBody: MaxLogo, Status: http.StatusNoContent, Do: s.httpSetLogo},
		{Pattern: "DELETE /v1/spaces/{id}/logo", Space: "id", Action: "org:update", Status: http.StatusNoContent, Do: s.httpDropLogo},
	}
}

func (s *Service) httpLogo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	logo, err := s.Logo(r.Context(), who.Space)
	if err != nil {
		return err
	}
	h := w.Header()
	sum := sha256.Sum256(logo.Image)
	tag := `"` + hex.EncodeToString(sum[:16]) + `"`
	h.Set("ETag", tag)
	h.Set("Cache-Control", "private, no-cache") // kept by the browser, and asked for again each time
	h.Set("Vary", "Authorization, X-Organization")
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	// What is shown is a picture and nothing else, whatever a browser makes of its bytes.
	h.Set("Content-Type", logo.Kind)
	h.Set("Content-Length", strconv.Itoa(len(logo.Image)))
	h.Set("Content-Disposition", "inline")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write(logo.Image) // a client that has gone away is nobody's error
	return nil
}

func (s *Service) httpSetLogo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	raw, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return ErrLogoBytes
	}
	if err != nil {
		return err
	}
	return done(w, s.SetLogo(r.Context(), who, who.Space, raw))
}

func (s *Service) httpDropLogo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.DropLogo(r.Context(), who, who.Space))
}
