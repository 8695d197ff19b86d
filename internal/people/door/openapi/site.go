package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

//go:embed style.css
var style []byte

//go:embed find.js
var find []byte

// A Site shows a document to programs and people. It is made when it is first asked for, and kept.
type Site struct {
	doc   *Document
	files map[string]func() (file, error) // by path
}

// A file is what is at one address.
type file struct {
	kind, tag string
	body      []byte
}

// NewSite makes the site of d, which stays as it is from now on.
func NewSite(d *Document) *Site {
	s := &Site{doc: d, files: map[string]func() (file, error){}}
	for path, one := range map[string]struct {
		kind string
		make func() ([]byte, error)
	}{
		"/openapi.json":      {"application/json", d.JSON},
		"/openapi.yaml":      {"application/yaml", d.YAML},
		"/apidocs":           {"text/html; charset=utf-8", d.Page},
		"/apidocs/style.css": {"text/css; charset=utf-8", func() ([]byte, error) { return style, nil }},
		"/apidocs/find.js":   {"text/javascript; charset=utf-8", func() ([]byte, error) { return find, nil }},
	} {
		s.files[path] = sync.OnceValues(func() (file, error) {
			body, err := one.make()
			sum := sha256.Sum256(body)
			return file{one.kind, `"` + hex.EncodeToString(sum[:16]) + `"`, body}, err
		})
	}
	return s
}

// Pages are the site's addresses, open to anyone.
func (s *Site) Pages() map[string]http.HandlerFunc {
	all := map[string]http.HandlerFunc{}
	for path, made := range s.files {
		all["GET "+path] = func(w http.ResponseWriter, r *http.Request) { serve(w, r, made) }
	}
	return all
}

func serve(w http.ResponseWriter, r *http.Request, made func() (file, error)) {
	f, err := made()
	if err != nil {
		http.Error(w, "the document cannot be made", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Strict-Transport-Security", "max-age=63072000")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	if strings.HasPrefix(f.kind, "application/") {
		h.Set("Access-Control-Allow-Origin", "*") // it tells nothing that is not the same for everyone
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	} else {
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
	}
	// It changes with the server's version only; whoever has it asks whether it is still the same.
	h.Set("Cache-Control", "public, max-age=300, must-revalidate")
	h.Set("ETag", f.tag)
	for known := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(known), "W/") == f.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(f.body)))
	_, _ = w.Write(f.body) // a client that has gone away is nobody's error
}

// JSON is d as a document of OpenAPI 3.1.
func (d *Document) JSON() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(d)
	return out.Bytes(), err
}

// YAML is the same, for people who prefer it.
func (d *Document) YAML() ([]byte, error) {
	text, err := d.JSON()
	if err != nil {
		return nil, err
	}
	var root yaml.Node // keeps the order; JSON is YAML
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, err
	}
	plain(&root)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&root); err != nil {
		return nil, err
	}
	return out.Bytes(), enc.Close()
}

// plain takes away the braces and quotes of JSON; the encoder quotes what needs it.
func plain(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		plain(c)
	}
}
