// Package secret holds values that must not be seen: they print, log and marshal
// as dots, compare in constant time, and are only had by asking for them by name.
package secret

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// dots stand for a secret wherever one would be printed. Their number says
// nothing about the secret's length.
const dots = "••••••"

// ErrDots is what UnmarshalText says to its own output: a configuration that was
// shown and then pasted back must not turn six dots into a password.
var ErrDots = errors.New("secret: these are the dots that stand for a secret, not the secret")

// A String is a secret text. The zero value is the empty secret, which prints as
// nothing, so that people can see that it is not set.
//
// The text stands behind a pointer: fmt does not call methods of unexported
// fields, and prints such a pointer as an address instead of the text. For the
// same reason == asks whether two are the same variable; use Equal.
type String struct{ text *string }

// New makes a secret of text.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{&text}
}

// Reveal returns the text itself. Search for this name to find every use.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says whether the secret is empty. encoding/json asks it for "omitzero".
func (s String) IsZero() bool { return s.text == nil }

// Equal compares in a time that depends on neither text.
func (s String) Equal(other String) bool { return Equal(s.Reveal(), other.Reveal()) }

// String returns dots.
func (s String) String() string {
	if s.text == nil {
		return ""
	}
	return dots
}

// Format prints dots for every verb and flag.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue logs dots.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText writes dots, in JSON, TOML, YAML and all that knows text.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the secret out of a configuration.
func (s *String) UnmarshalText(text []byte) error {
	if string(text) == dots {
		return ErrDots
	}
	*s = New(string(text))
	return nil
}

// Equal compares two texts, of which one is secret, in a time that depends on
// neither their content nor on whether their lengths differ.
func Equal[A, B ~string | ~[]byte](a A, b B) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// Random returns n unpredictable bytes. It cannot fail: crypto/rand ends the
// program when the system has no randomness.
func Random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// alphabet is what Letters draws from: safe in URLs, headers and shells, and
// selected as one word by a double click.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Letters returns n unpredictable letters and digits, each of the 62 equally
// likely: log2(62) = 5.95 bits per character.
func Letters(n int) string {
	const fair = 256 - 256%len(alphabet) // bytes from here on would favour the first letters
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range Random(n - len(out) + 8) {
			if int(b) < fair && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}
