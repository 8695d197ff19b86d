package secret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = "hunter2-canary"

func TestNothingPrintsASecret(t *testing.T) {
	type config struct {
		Shown  String
		hidden String
		Any    any
		List   []String
		Map    map[string]String
		Ptr    *String
	}
	s := New(canary)
	c := config{s, s, s, []String{s}, map[string]String{"k": s}, &s}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T %v", "%10s", "%-3q", "%p", "%!"} {
		for _, v := range []any{s, &s, c, &c, []any{s, c}} {
			got := fmt.Sprintf(format, v)
			if strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) || strings.Contains(got, fmt.Sprintf("%X", canary)) {
				t.Errorf("%s of %T printed %q", format, v, got)
			}
		}
	}
	if got := fmt.Sprint(s); got != dots {
		t.Errorf("printed %q, want %q", got, dots)
	}
	if got := fmt.Sprintf("[%v]", String{}); got != "[]" {
		t.Errorf("the empty secret printed %q, want %q", got, "[]")
	}
	if err := fmt.Errorf("sign in with %v: %s", s, s); strings.Contains(err.Error(), canary) {
		t.Errorf("an error carries the secret: %v", err)
	}
}

func TestNothingLogsASecret(t *testing.T) {
	var out bytes.Buffer
	s := New(canary)
	for name, h := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&out, nil),
		"json": slog.NewJSONHandler(&out, nil),
	} {
		out.Reset()
		slog.New(h).Info("x", "secret", s, "in", struct{ S String }{s}, "ptr", &s, "group", slog.GroupValue(slog.Any("s", s)))
		if strings.Contains(out.String(), canary) {
			t.Errorf("%s logged %s", name, out.String())
		}
		if !strings.Contains(out.String(), dots) {
			t.Errorf("%s logged no dots: %s", name, out.String())
		}
	}
}

func TestMarshalsAsDotsAndRefusesThemBack(t *testing.T) {
	type config struct {
		Pass String `json:"pass"`
		None String `json:"none,omitzero"`
	}
	var c config
	if err := json.Unmarshal([]byte(`{"pass":"`+canary+`"}`), &c); err != nil {
		t.Fatal(err)
	}
	if got := c.Pass.Reveal(); got != canary {
		t.Errorf("read %q, want %q", got, canary)
	}
	out, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), `{"pass":"`+dots+`"}`; got != want {
		t.Errorf("wrote %s, want %s", got, want)
	}
	if err := json.Unmarshal(out, &c); !errors.Is(err, ErrDots) {
		t.Errorf("reading the dots back gave %v, want %v", err, ErrDots)
	}
}

func TestEqual(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		want bool
	}{
		"same":           {"abc", "abc", true},
		"both empty":     {"", "", true},
		"other content":  {"abc", "abd", false},
		"prefix":         {"abc", "ab", false},
		"empty and some": {"", "a", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := New(c.a).Equal(New(c.b)); got != c.want {
				t.Errorf("String.Equal = %v, want %v", got, c.want)
			}
			if got := Equal([]byte(c.a), c.b); got != c.want {
				t.Errorf("Equal = %v, want %v", got, c.want)
			}
		})
	}
}

func TestLettersAreOfTheLengthAndFair(t *testing.T) {
	for _, n := range []int{0, 1, 32, 64} {
		if got := len(Letters(n)); got != n {
			t.Errorf("Letters(%d) has %d", n, got)
		}
	}
	const n = 62 * 2000
	count := map[rune]int{}
	for _, r := range Letters(n) {
		count[r]++
	}
	if len(count) != len(alphabet) {
		t.Errorf("%d different letters, want %d", len(count), len(alphabet))
	}
	for r, got := range count {
		// 2,000 expected, standard deviation 45: eight of them apart is no chance.
		if got < 2000-360 || got > 2000+360 {
			t.Errorf("%q came %d times, want about 2000", r, got)
		}
	}
	if bytes.Equal(Random(16), Random(16)) {
		t.Error("two random values are the same")
	}
}
