package factor

import (
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
