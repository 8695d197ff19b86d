package post

import (
	"errors"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
)

const leave = "https://ardesia.example.org/v1/unsubscribe/abc"

// What somebody wrote into a trigger, and what a board sent, is text and nothing else.
func FuzzTriggerLetter(f *testing.F) {
	all, err := readForms()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Pond", "It has 31.5 degrees\nat 12:30", "warm")
	f.Add("<b>", "https://evil.example/ <script>", "=?utf-8?q?=0D=0A?=")
	f.Add("\r\nBcc: x@example.org", "{{.link}}", strings.Repeat("è.", 300))
	f.Fuzz(func(t *testing.T, title, text, trigger string) {
		fields, err := Letter{Kind: Trigger, Fields: map[string]string{"title": title, "text": text, "trigger": trigger}}.check("en")
		if err != nil {
			t.Skip()
		}
		fields["link"] = leave
		m, err := all.write(Trigger, "en", "Anna", "ardesia.example.org", fields)
		if err != nil {
			t.Fatal(err)
		}
		if strings.TrimSpace(m.Subject) == "" {
			t.Skip() // sendLetters never asks for that
		}
		if n := strings.Count(m.HTML, "<a "); n != 2 {
			t.Fatalf("%d links in %s", n, m.HTML)
		}
		if n := strings.Count(m.Text, "://"); n != 1 {
			t.Fatalf("%d links in %s", n, m.Text)
		}
		m.ID, m.From, m.To, m.Unsubscribe = "a@example.org", mail.Address{Addr: "a@example.org"}, mail.Address{Addr: "b@example.org"}, leave
		m.At = m.At.AddDate(2030, 0, 0)
		wire, err := m.Bytes()
		if err != nil {
			t.Fatalf("cannot be sent: %v", err)
		}
		back, err := mail.Parse(wire)
		if err != nil || back.Unsubscribe != leave {
			t.Fatalf("is read as %+v, %v", back, err)
		}
	})
}

func TestNumbersStayAsTheyAre(t *testing.T) {
	const j = "\u2060"
	for text, want := range map[string]string{
		"21.5 °C at 12:30":        "21.5 °C at 12:30",
		"evil.example":            "evil." + j + "example",
		"1.example":               "1." + j + "example",
		"Pond: warm. Or a/b.":     "Pond: warm. Or a/" + j + "b.",
		"a\r\n\nb.c":              "a\nb." + j + "c",
		strings.Repeat("a\n", 90): strings.TrimSuffix(strings.Repeat("a\n", maxLines), "\n"),
	} {
		if got := tameText(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := tameTitle(strings.Repeat("è", 300)); len(got) > maxTitle {
		t.Errorf("a title of %d bytes", len(got))
	}
}

// A letter with a key is one letter, however often it is asked for, and says how to get no more.
func TestLettersWithAKeyAreSentOnce(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		l := Letter{Kind: Trigger, To: anna, Key: "delivery/anna", Unsubscribe: leave, Fields: map[string]string{"title": "Warm", "text": "31.5", "trigger": "Pond"}}
		for range 30 { // more than there may be in an hour
			if err := k.Send(t.Context(), l); err != nil {
				t.Fatal(err)
			}
		}
		l.Key = "another/anna"
		if err := k.Send(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		k.turn()
		l.Key = "delivery/anna"
		if err := k.Send(t.Context(), l); err != nil { // it has been sent meanwhile
			t.Fatal(err)
		}
		k.turn()
		l.Unsubscribe = "javascript:alert(1)"
		if err := k.Send(t.Context(), l); !errors.Is(err, ErrLetter) {
			t.Errorf("a bad address is taken: %v", err)
		}
		got := k.carrier.all()
		if len(got) != 2 {
			t.Fatalf("%d letters, want 2", len(got))
		}
		for _, m := range got {
			if m.Unsubscribe != leave || !strings.Contains(m.Text, leave) || m.Subject != "Warm" {
				t.Errorf("%+v", m)
			}
		}
	})
}
