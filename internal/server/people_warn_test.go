package server_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A server that stops between an act and the letter about it writes the letter when it starts again, and once.
func TestLettersAreMadeUpFor(t *testing.T) {
	h := servertest.Start(t)
	anna, _ := h.Person("anna@example.org")
	if err := h.Server.Unwarned(t.Context(), anna, "another good one for anna", "anna@example.net"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h.Stop()
		h = h.Again()
		letterSaying(t, h, "anna@example.org", "e-mail address")
		letterSaying(t, h, "anna@example.net", "The password of your account was changed")
		letterSaying(t, h, "anna@example.net", "unheard of")
	}
	folder := mail.NewFolder(filepath.Join(h.Config.Data, "mail"))
	all, err := folder.List()
	if err != nil {
		t.Fatal(err)
	}
	times := map[string]int{}
	for _, name := range all {
		kept, err := folder.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		times[kept.Subject]++
		if strings.Contains(kept.Text, "<no value>") {
			t.Errorf("%s", kept.Text)
		}
	}
	// The letter about the key may have left before it was as if it had not been written.
	for subject, most := range map[string]int{"Your password was changed": 1, "Your account has another e-mail address": 1, "An API key was made for your account": 2} {
		if got := times[subject]; got < 1 || got > most {
			t.Errorf("%d letters say %q, want at most %d", got, subject, most)
		}
	}
}
