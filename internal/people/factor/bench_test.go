package factor

import (
	"context"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// The whole check: read, open, compare, and one write that is on disk.
func BenchmarkCheckTOTP(b *testing.B) {
	h := newHouse(b, db.SQLite)
	key, _ := h.app(b, anna)
	b.ReportAllocs()
	for b.Loop() {
		h.pass(totpPeriod * time.Second)
		if err := h.CheckTOTP(b.Context(), anna, codeAt(b, key, h.now())); err != nil {
			b.Fatal(err)
		}
	}
}

// What guessing costs us: nothing is written.
func BenchmarkCheckTOTPWrong(b *testing.B) {
	h := newHouse(b, db.SQLite)
	h.app(b, anna)
	b.ReportAllocs()
	for b.Loop() {
		if h.CheckTOTP(b.Context(), anna, "000 000 ") == nil {
			h.pass(time.Hour) // one guess in 333,333 is right
		}
	}
}

// A wrong code with a right beginning, with the hash that passwords have.
func BenchmarkCheckRecovery(b *testing.B) {
	h := newHouse(b, db.SQLite)
	people, err := account.New(account.Needs{
		Store: account.SQL(h.core), Keys: h.ring, Now: h.now,
		Settle: func(context.Context, string, string, string) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	h.needs.Hasher = people
	_, list := h.app(b, anna)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.CheckRecovery(b.Context(), anna, list[0][:4]+"00000000000000000000"); err == nil {
			b.Fatal("a wrong code was right")
		}
	}
}

// The whole assertion of a P-256 passkey: parse, find, open, verify, and one write that is on disk.
func BenchmarkFinishAssertion(b *testing.B) {
	h := newHouse(b, db.SQLite)
	k := newKey()
	h.passkey(b, anna, k)
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		options, state, err := h.BeginAssertion(b.Context(), "")
		if err != nil {
			b.Fatal(err)
		}
		response := k.get(b, options)
		b.StartTimer()
		if _, _, err := h.FinishAssertion(b.Context(), state, response); err != nil {
			b.Fatal(err)
		}
	}
}

// The same without the write: the last bit that is checked, the signature, is bent.
func BenchmarkVerifyAssertion(b *testing.B) {
	h := newHouse(b, db.SQLite)
	k := newKey()
	h.passkey(b, anna, k)
	options, state, err := h.BeginAssertion(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	response := flipped(b, k.get(b, options), "signature")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.FinishAssertion(b.Context(), state, response); err == nil {
			b.Fatal("a bent signature was good")
		}
	}
}
