package factor

import (
	"errors"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

func TestLevelOfWhatAPersonHas(t *testing.T) {
	for name, c := range map[string]struct {
		set  Set
		want Level
	}{
		"nothing":                     {Set{}, PasswordOnly},
		"only recovery codes":         {Set{RecoveryLeft: 10}, PasswordOnly},
		"an app":                      {Set{TOTP: true}, TwoSteps},
		"a key without PIN":           {Set{Passkeys: []Passkey{{}}}, TwoSteps},
		"a passkey":                   {Set{Passkeys: []Passkey{{}, {Verified: true}}}, ByPasskey},
		"an app and a passkey":        {Set{TOTP: true, Passkeys: []Passkey{{Verified: true}}}, ByPasskey},
		"an app and a key without it": {Set{TOTP: true, Passkeys: []Passkey{{}}}, TwoSteps},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.set.Level(); got != c.want {
				t.Errorf("Level = %v, want %v", got, c.want)
			}
		})
	}
}

// All 32 proofs against all levels, by rules that are written another way.
func TestWhoHasASecondStepMustShowOne(t *testing.T) {
	for bits := range 32 {
		p := Proof{bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0, bits&16 != 0}
		alone := p.Passkey && p.Verified
		second := p.Code || p.Recovery || p.Passkey
		for l := NoLevel; l < levels; l++ {
			want := alone || p.Password && (second || l <= PasswordOnly)
			if got := l.Admits(p); got != want {
				t.Errorf("%v.Admits(%+v) = %v, want %v", l, p, got, want)
			}
		}
		want := NoLevel
		switch {
		case alone:
			want = ByPasskey
		case p.Password && second:
			want = TwoSteps
		case p.Password:
			want = PasswordOnly
		}
		if got := p.Level(); got != want {
			t.Errorf("%+v.Level() = %v, want %v", p, got, want)
		}
	}
}

func TestLevelsReadAsTheyAreWritten(t *testing.T) {
	for l := PasswordOnly; l < levels; l++ {
		if got, err := ParseLevel(l.String()); got != l || err != nil {
			t.Errorf("ParseLevel(%q) = %v, %v", l, got, err)
		}
	}
	for _, text := range []string{"", "none", "unknown", "Passkey", "passkey "} {
		if got, err := ParseLevel(text); got != NoLevel || !errors.Is(err, ErrLevel) {
			t.Errorf("ParseLevel(%q) = %v, %v, want ErrLevel", text, got, err)
		}
	}
	for w := What(0); w < whats; w++ {
		if w.String() == "" {
			t.Errorf("event %d has no name", w)
		}
	}
}

func TestDigitsAreReadAsPeopleTypeThem(t *testing.T) {
	for name, c := range map[string]struct {
		typed string
		want  string
		ok    bool
	}{
		"plain":            {"012345", "012345", true},
		"as apps show it":  {"012 345", "012345", true},
		"pasted with more": {" 012-345\r\n", "012345", true},
		"hard space":       {"012\u00a0345", "012345", true},
		"too few":          {"01234", "01234", false},
		"too many":         {"0123456", "0123456", false},
		"a letter":         {"O12345", "", false},
		"other digits":     {"٠١٢٣٤٥", "", false},
		"empty":            {"", "", false},
		"very long":        {strings.Repeat(" ", 1<<20) + "012345", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got, ok := digits(c.typed, 6); got != c.want || ok != c.ok {
				t.Errorf("digits = %q, %v, want %q, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	for name, c := range map[string]struct {
		label, want string
		err         error
	}{
		"plain":         {"  Anna's phone ", "Anna's phone", nil},
		"longest":       {strings.Repeat("é", maxLabel), strings.Repeat("é", maxLabel), nil},
		"too long":      {strings.Repeat("é", maxLabel+1), "", ErrLabel},
		"only space":    {" \t ", "", ErrLabel},
		"two lines":     {"a\nb", "", ErrLabel},
		"not UTF-8":     {"a\xff", "", ErrLabel},
		"with NUL byte": {"a\x00b", "", ErrLabel},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := checkLabel(c.label); got != c.want || !errors.Is(err, c.err) {
				t.Errorf("checkLabel = %q, %v, want %q, %v", got, err, c.want, c.err)
			}
		})
	}
}

// Each digit is drawn equally often: 24,000 draws of ten have a standard deviation of
// 46; six of them are passed once in a hundred million runs.
func TestDigitsAreDrawnFairly(t *testing.T) {
	var seen [10]int
	for range 1000 {
		code := randomDigits(24)
		if len(code) != 24 {
			t.Fatalf("%d digits, want 24", len(code))
		}
		for _, c := range code {
			seen[c-'0']++
		}
	}
	for d, n := range seen {
		if n < 2400-6*47 || n > 2400+6*47 {
			t.Errorf("digit %d was drawn %d times of 24,000", d, n)
		}
	}
}

func TestSetupPrintsAsDots(t *testing.T) {
	s := Setup{Secret: secret.New("JBSWY3DPEHPK3PXP"), URL: secret.New("otpauth://totp/x?secret=JBSWY3DPEHPK3PXP")}
	if text := strings.ToLower(s.Secret.String() + s.URL.String()); strings.Contains(text, "jbsw") {
		t.Errorf("a set-up prints as %s", text)
	}
}
