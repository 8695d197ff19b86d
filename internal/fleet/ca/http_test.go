package ca

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// api is the room behind a door; tokens are "editor" and "viewer" of space, and "other".
func api(t testing.TB, h *house, s *Service, known Device) http.Handler {
	t.Helper()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	d, err := door.New(door.Config{}, door.Needs{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: h.clock, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			who := access.Actor{Kind: access.User, ID: editor.ID, Space: space, Role: access.Role(token)}
			if token == "other" {
				who.Space, who.Role = "51000000-0000-4000-8000-000000000002", access.Admin
			}
			return who, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := d.Handler(s.Routes(func(r *http.Request, who access.Actor) (access.Resource, error) {
		if r.PathValue("id") != known.ID || who.Space != known.Space {
			return access.Resource{}, access.ErrDenied
		}
		return access.Resource{Type: "Device", ID: known.ID, Space: known.Space}, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	return handler
}

func call(t testing.TB, handler http.Handler, token, method, path string, body any) (int, []byte) {
	t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, path, in)
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

func TestCertificatesOverHTTP(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d, key := h.start(), newDevice(), newKey(t)
		handler := api(t, h, s, d)
		path := "/iot/v2/devices/" + d.ID + "/certs"
		// What the command line tool sends.
		request := map[string]any{"ca": "Arduino_v2", "csr": string(csr(t, key, d.ID)), "enabled": true}
		for token, want := range map[string]int{"viewer": 403, "other": 404} {
			if status, body := call(t, handler, token, "PUT", path, request); status != want {
				t.Errorf("PUT by %s = %d %s, want %d", token, status, body, want)
			}
		}
		status, body := call(t, handler, "editor", "PUT", path, request)
		if status != http.StatusCreated {
			t.Fatalf("PUT = %d %s", status, body)
		}
		var got wireCertificate
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		// The fields must be enough to build the certificate again, as a board does.
		rebuilt, err := slots(t, got).Rebuild(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		der, err := base64.StdEncoding.DecodeString(got.DER)
		if err != nil {
			t.Fatal(err)
		}
		if got.Compressed.NotBefore != "2026-10-17T13:00:00Z" || got.Compressed.NotAfter != "2057-10-17T13:00:00Z" {
			t.Errorf("dates are %s and %s", got.Compressed.NotBefore, got.Compressed.NotAfter)
		}
		if block, _ := pem.Decode([]byte(got.PEM)); !bytes.Equal(rebuilt, der) || block == nil || !bytes.Equal(block.Bytes, der) {
			t.Errorf("rebuilt\n%x, want\n%x and %s", rebuilt, der, got.PEM)
		}
		if got.CA != "Arduino_v2" || got.Href != path+"/"+got.ID || !got.Enabled {
			t.Errorf("answered %+v", got)
		}
		one := path + "/" + got.ID
		if status, body := call(t, handler, "viewer", "GET", one, nil); status != 200 || !bytes.Contains(body, []byte(got.Compressed.Serial)) {
			t.Errorf("GET = %d %s", status, body)
		}
		if status, body := call(t, handler, "editor", "POST", one, map[string]any{"enabled": false}); status != 200 || !bytes.Contains(body, []byte(`"enabled":false`)) {
			t.Errorf("POST = %d %s", status, body)
		}
		var list []wireCertificate
		if status, body := call(t, handler, "editor", "GET", path, nil); status != 200 || json.Unmarshal(body, &list) != nil || len(list) != 1 {
			t.Errorf("GET list = %d %s", status, body)
		}
		if status, body := call(t, handler, "viewer", "DELETE", one, nil); status != 403 {
			t.Errorf("DELETE by a viewer = %d %s", status, body)
		}
		if status, body := call(t, handler, "editor", "DELETE", one, nil); status != 200 || len(body) != 0 {
			t.Errorf("DELETE = %d %s", status, body)
		}
		for _, method := range []string{"GET", "DELETE"} {
			if status, _ := call(t, handler, "editor", method, one, nil); status != 404 {
				t.Errorf("%s of what was revoked = %d, want 404", method, status)
			}
		}
		if status, body := call(t, handler, "editor", "GET", path, nil); status != 200 || string(bytes.TrimSpace(body)) != "[]" {
			t.Errorf("GET empty list = %d %s", status, body)
		}
		if status, _ := call(t, handler, "editor", "PUT", path, map[string]any{"csr": "no", "enabled": true}); status != 400 {
			t.Errorf("PUT of nonsense = %d, want 400", status)
		}
	})
}

// slots is what a provisioning client writes into a secure element.
func slots(t testing.TB, w wireCertificate) (s boardcert.Slots) {
	t.Helper()
	fill := func(to []byte, text string) {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(to) {
			t.Fatalf("%q has %d bytes, want %d (%v)", text, len(b), len(to), err)
		}
		copy(to, b)
	}
	fill(s.Certificate[:32], w.Compressed.SignatureX)
	fill(s.Certificate[32:64], w.Compressed.SignatureY)
	fill(s.Certificate[:64], w.Compressed.Signature)
	at, err := time.Parse("2006-01-02T15:00:00Z", w.Compressed.NotBefore)
	if err != nil {
		t.Fatal(err)
	}
	bits := (at.Year()-2000)<<19 | int(at.Month())<<15 | at.Day()<<10 | at.Hour()<<5 | 31
	copy(s.Certificate[64:], []byte{byte(bits >> 16), byte(bits >> 8), byte(bits)})
	fill(s.Issuer[:16], w.Compressed.Serial)
	fill(s.Issuer[16:], w.Compressed.AuthorityKeyIdentifier)
	copy(s.DeviceID[:], w.DeviceID)
	return s
}

// What a reconnecting board costs here: a look into the cache and a comparison.
func BenchmarkCheck(b *testing.B) {
	h := newHouse(b, dbtest.Open(b, dbtest.Config(b, db.SQLite, dbtest.Core)))
	s, d := h.start(), newDevice()
	l := leaf(b, issue(b, s, d, newKey(b)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Check(b.Context(), l, noon); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIssue(b *testing.B) {
	h := newHouse(b, dbtest.Open(b, dbtest.Config(b, db.SQLite, dbtest.Core)))
	s, key := h.start(), newKey(b)
	s.needs.Limits.PerSpaceDay = 1 << 30
	d := newDevice()
	request := Request{Device: d, CSR: csr(b, key, d.ID), Enabled: true}
	b.ReportAllocs()
	for b.Loop() {
		c, err := s.Issue(b.Context(), editor, request)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Revoke(b.Context(), editor, d, c.ID, Superseded); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever a client sends to a route of certificates, the door refuses it as the
// client's fault or reads what stays within the bounds.
func FuzzBodies(f *testing.F) {
	var routes []door.Route
	for _, r := range (&Service{}).Routes(nil) {
		if r.In == nil {
			continue
		}
		schema, err := door.SchemaOf(r.In)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(len(routes)), schema.Sample())
		routes = append(routes, r)
	}
	f.Add(uint8(0), []byte(`{"ca":"Arduino","csr":"-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n","enabled":true}`))
	f.Add(uint8(1), []byte(`{"CA":"\u0000","enabled":null,"csr":0}`))
	f.Fuzz(func(t *testing.T, n uint8, body []byte) {
		in, err := door.Decode(routes[int(n)%len(routes)], body)
		if err != nil {
			if status := rest.Status(err); status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
				t.Fatalf("status %d for %v", status, err)
			}
			return
		}
		var name, csr string
		switch in := in.(type) {
		case *wireCreate:
			name, csr = in.CA, in.CSR
		case *wireUpdate:
			name, csr = in.CA, in.CSR
		default:
			t.Fatalf("%T is new", in)
		}
		if utf8.RuneCountInString(name) > 64 || utf8.RuneCountInString(csr) > 1024 {
			t.Fatalf("%d and %d characters are accepted", len(name), len(csr))
		}
	})
}
