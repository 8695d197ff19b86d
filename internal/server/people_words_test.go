package server

import (
	"testing"

	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// The page of activity says every action of the journal in every language, in English as the API does;
// and who wants no reminders gets none, but all other letters.
func TestPeopleAreToldInTheirWords(t *testing.T) {
	s := built(t)
	actions := audit.Actions()
	if len(actions) < 100 {
		t.Fatalf("only %d actions have words: this test looks in the wrong place", len(actions))
	}
	for _, a := range actions {
		if got := s.signin.Say("en", a); got != audit.Say(a) {
			t.Errorf("%s in English: %q, want %q", a, got, audit.Say(a))
		}
		if got := s.signin.Say("it", a); got == a || got == audit.Say(a) {
			t.Errorf("%s in Italian: %q", a, got)
		}
	}

	ctx := t.Context()
	u, err := s.accounts.Add(ctx, operator, "anna@example.org", "Anna", "seven purple kettles sing")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		choice account.Choices
		letter post.Letter
		want   uint64
	}{
		{account.Choices{}, post.Letter{Kind: post.RecoveryLow, To: u.ID, Fields: map[string]string{"left": "2"}}, 1},
		{account.Choices{NoReminders: true}, post.Letter{Kind: post.RecoveryLow, To: u.ID, Fields: map[string]string{"left": "2"}}, 0},
		{account.Choices{NoReminders: true}, post.Letter{Kind: post.ManyFailures, To: u.ID, Fields: map[string]string{"count": "2"}}, 1},
	} {
		before := s.letters.Counts().Queued
		if err := s.accounts.Choose(ctx, operator, u.ID, c.choice); err != nil {
			t.Fatal(err)
		}
		if err := s.remind(ctx, c.letter); err != nil {
			t.Fatal(err)
		}
		if got := s.letters.Counts().Queued - before; got != c.want {
			t.Errorf("%s with %+v: %d letters, want %d", c.letter.Kind, c.choice, got, c.want)
		}
	}
}
