package trigger

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// Whatever somebody writes into a text and whatever the values are: nothing that was filled in is read again, and the result is bounded.
func FuzzFill(f *testing.F) {
	f.Add("{thing.name}: {{t}} ${t} {t", "t", "{t}{thing.name}")
	f.Add("%v is %v", "%v", "%v%v")
	f.Add("", "{", "}")
	f.Fuzz(func(t *testing.T, text, placeholder, value string) {
		e := Expression{Text: text, Variables: []Variable{{Placeholder: placeholder, Entity: "PROPERTY", Attribute: "VALUE"}}}
		if e.check(maxBody) != nil {
			t.Skip()
		}
		asked := 0
		got := e.Fill(maxTold, func(Variable) string { asked++; return value })
		if n := utf8.RuneCountInString(got); n > maxTold {
			t.Fatalf("%d characters", n)
		}
		if asked > len(text) {
			t.Fatalf("%d places in a text of %d bytes", asked, len(text))
		}
		if asked == 0 && got != text {
			t.Fatalf("%q became %q", text, got)
		}
		// With values that name nothing the same places are found.
		again := 0
		e.Fill(maxTold, func(Variable) string { again++; return "" })
		if again != asked {
			t.Fatalf("%d places, then %d", asked, again)
		}
	})
}

// A link is good for the trigger and the person that it was made for, and nobody makes another of it.
func FuzzUnsubscribeToken(f *testing.F) {
	s := &Service{token: func(msg []byte) []byte {
		mac := make([]byte, 32)
		for i, b := range msg {
			mac[i%32] = mac[i%32]*31 + b + byte(i)
		}
		return mac
	}}
	good := s.unsubscribeToken(space, editor.ID)
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add("")
	f.Add(strings.Repeat("A", 64))
	f.Fuzz(func(t *testing.T, token string) {
		trigger, user, err := s.readToken(token)
		if err != nil {
			if !errors.Is(err, ErrToken) || trigger != "" || user != "" {
				t.Fatalf("%q: %s, %s, %v", token, trigger, user, err)
			}
			return
		}
		if again := s.unsubscribeToken(trigger, user); again != token {
			t.Fatalf("%q is read as that of %s and %s, whose is %q", token, trigger, user, again)
		}
	})
}

// A condition that is taken can be held against any value of its kind; after it came to hold, hysteresis only ever keeps it so.
func FuzzCondition(f *testing.F) {
	f.Add(`{"operator":"GT","value":30,"hysteresis":2}`, uint8(3), 29.5)
	f.Add(`{"operator":"BETWEEN","value":-1,"upper":1e308,"hysteresis":1e308}`, uint8(3), math.NaN())
	f.Add(`{"operator":"EQ","value":true}`, uint8(0), 1.0)
	f.Add(`{"operator":"NEQ","value":"x"}`, uint8(4), 0.0)
	f.Fuzz(func(t *testing.T, text string, kind uint8, n float64) {
		var c Condition
		if json.Unmarshal([]byte(text), &c) != nil {
			t.Skip()
		}
		k := thing.Kind(kind % 12)
		made, err := c.compile(k)
		if err != nil {
			if !errors.Is(err, ErrCondition) && !errors.Is(err, ErrKind) {
				t.Fatal(err)
			}
			return
		}
		v := series.Value{Kind: series.Float, Num: n}
		switch k {
		case thing.Bool:
			v = series.Value{Kind: series.Bool, Int: int64(kind >> 7)}
		case thing.Text:
			v = series.Value{Kind: series.Text, Text: text}
		}
		if !made.suits(k, v) {
			t.Fatalf("a value of its own kind does not suit %s", text)
		}
		if made.op != Any && made.holds(v, false) && !made.holds(v, true) {
			t.Fatalf("%s holds for %v, and not when it held before", text, v)
		}
	})
}

// A subscription is one that notices can be sealed for, or is refused.
func FuzzBrowser(f *testing.F) {
	good := newBrowser(f)
	f.Add("https://push.example.org/x", good.key.PublicKey().Bytes(), good.auth, "text")
	f.Add("http://push.example.org/x", []byte{4}, []byte{}, "")
	f.Fuzz(func(t *testing.T, endpoint string, p256dh, auth []byte, text string) {
		b := Browser{Endpoint: endpoint, P256DH: p256dh, Auth: auth}
		if b.check() != nil {
			return
		}
		sealed, err := b.seal([]byte(text))
		if (err != nil) != (len(text) > maxNotice) || len(sealed) > recordSize {
			t.Fatalf("%d bytes sealed as %d: %v", len(text), len(sealed), err)
		}
	})
}
