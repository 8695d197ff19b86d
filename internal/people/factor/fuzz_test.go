package factor

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// Whatever a browser answers, FinishAssertion refuses it with a problem that says
// whose turn it is, and FinishPasskey with it; neither panics. Only an answer that was
// signed by a passkey for this challenge names anyone, and the fuzzer has no key.
func FuzzResponse(f *testing.F) {
	h := newHouse(f, db.SQLite)
	k := newKey()
	h.passkey(f, anna, k)
	options, state, err := h.BeginAssertion(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	making, register, err := h.BeginPasskey(f.Context(), is(anna), anna, "anna@example.org", "Anna")
	if err != nil {
		f.Fatal(err)
	}
	elsewhere := newKey()
	elsewhere.at.Origin = "https://evil.example.org"
	elsewhere.cred = k.cred
	f.Add(string(elsewhere.get(f, options)))
	f.Add(string(flipped(f, k.get(f, options), "signature")))
	f.Add(string(elsewhere.create(f, making)))
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`)
	f.Add(strings.Repeat("[", maxResponse))
	f.Fuzz(func(t *testing.T, response string) {
		user, verified, err := h.FinishAssertion(t.Context(), state, []byte(response))
		if !errors.Is(err, ErrResponse) && !errors.Is(err, ErrPasskey) || user != "" || verified {
			t.Fatalf("FinishAssertion = %q, %v, %v", user, verified, err)
		}
		// Without attestation anyone can make a key; it must be for this challenge and this site.
		if p, err := h.FinishPasskey(t.Context(), is(anna), anna, register, []byte(response), "fuzz"); err == nil {
			if err := h.RemovePasskey(t.Context(), is(anna), anna, p.ID); err != nil {
				t.Fatal(err)
			}
		} else if !errors.Is(err, ErrResponse) && !errors.Is(err, ErrPasskey) && !errors.Is(err, ErrCeremony) && !errors.Is(err, ErrTaken) {
			t.Fatalf("FinishPasskey = %v", err)
		}
	})
}

// Whatever is typed, digits answers with the digits in it or refuses it.
func FuzzDigits(f *testing.F) {
	for _, text := range []string{"012 345", "1234 5678 9012 3456 7890 1234", "", "-", "٠١٢٣٤٥", "\xff", "12345\x00"} {
		f.Add(text, 6)
		f.Add(text, 24)
	}
	f.Fuzz(func(t *testing.T, typed string, n int) {
		if n < 1 || n > 64 {
			return
		}
		got, ok := digits(typed, n)
		if ok != (len(got) == n) && ok || strings.Trim(got, "0123456789") != "" {
			t.Fatalf("digits(%q, %d) = %q, %v", typed, n, got, ok)
		}
		if kept := strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return r
			}
			return -1
		}, typed); ok && kept != got {
			t.Fatalf("digits(%q, %d) = %q, want %q", typed, n, got, kept)
		}
	})
}

// The same, with the parts of an answer where they are read: the fuzzer need not find
// out how JSON and base64url are written.
func FuzzAuthenticator(f *testing.F) {
	h := newHouse(f, db.SQLite)
	k := newKey()
	h.passkey(f, anna, k)
	options, state, err := h.BeginAssertion(f.Context(), "")
	if err != nil {
		f.Fatal(err)
	}
	making, register, err := h.BeginPasskey(f.Context(), is(anna), anna, "anna@example.org", "Anna")
	if err != nil {
		f.Fatal(err)
	}
	part := func(response []byte, name string) (raw []byte) {
		changed(f, response, func(_, inner map[string]any) {
			if raw, err = base64.RawURLEncoding.DecodeString(inner[name].(string)); err != nil {
				f.Fatal(err)
			}
		})
		return raw
	}
	elsewhere := newKey()
	elsewhere.at.Origin = "https://evil.example.org"
	asserted, made := flipped(f, k.get(f, options), "signature"), elsewhere.create(f, making)
	f.Add(part(asserted, "clientDataJSON"), part(asserted, "authenticatorData"), part(asserted, "signature"), part(made, "attestationObject"))
	f.Add(part(made, "clientDataJSON"), part(asserted, "authenticatorData"), []byte{0x30, 6, 2, 1, 1, 2, 1, 1}, part(newKey().create(f, making), "attestationObject"))
	f.Add([]byte(`{}`), []byte{}, []byte{}, []byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, client, authenticator, signature, object []byte) {
		text := base64.RawURLEncoding.EncodeToString
		answer := func(response map[string]any) []byte {
			b, err := json.Marshal(map[string]any{"id": text(k.cred.ID), "rawId": text(k.cred.ID), "type": "public-key", "response": response})
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		user, verified, err := h.FinishAssertion(t.Context(), state, answer(map[string]any{
			"clientDataJSON": text(client), "authenticatorData": text(authenticator), "signature": text(signature), "userHandle": text(k.auth.Options.UserHandle),
		}))
		if !errors.Is(err, ErrResponse) && !errors.Is(err, ErrPasskey) || user != "" || verified {
			t.Fatalf("FinishAssertion = %q, %v, %v", user, verified, err)
		}
		p, err := h.FinishPasskey(t.Context(), is(anna), anna, register, answer(map[string]any{
			"clientDataJSON": text(client), "attestationObject": text(object),
		}), "fuzz")
		if err == nil {
			err = h.RemovePasskey(t.Context(), is(anna), anna, p.ID)
		}
		if err != nil && !errors.Is(err, ErrResponse) && !errors.Is(err, ErrPasskey) && !errors.Is(err, ErrCeremony) && !errors.Is(err, ErrTaken) {
			t.Fatalf("FinishPasskey = %v", err)
		}
	})
}
