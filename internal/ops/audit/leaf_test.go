package audit

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"golang.org/x/mod/sumdb/note"
)

func anEntry() journal.Entry {
	return journal.Entry{Number: 7, At: noon, Actor: "apikey:u1/k1", Space: "s1", Action: "thing:create", Resource: "thing", ID: "t1", Detail: map[string]string{"b": "2", "a": "<1>"}}
}

// The bytes of a leaf are a format: those that are on disk must be read for ever.
func TestLeavesHaveAFixedForm(t *testing.T) {
	hash := bytes.Repeat([]byte{0xab}, 4)
	b, err := encodeEntry(anEntry(), hash)
	const want = `{"number":7,"at":1893585600000000,"actor":"apikey:u1/k1","space":"s1","action":"thing:create","resource":"thing","id":"t1","detail":{"a":"\u003c1\u003e","b":"2"},"hash":"abababab"}`
	if err != nil || string(b) != want {
		t.Errorf("the leaf is\n%s, %v, want\n%s", b, err, want)
	}
	l, err := parseLeaf(b)
	if err != nil || !reflect.DeepEqual(l.entry, anEntry()) || !bytes.Equal(l.hash, hash) || l.mark {
		t.Errorf("read back: %+v, %v", l, err)
	}
	if got := string(encodeMark(80)); got != `{"back_to":80}` {
		t.Errorf("the mark is %s", got)
	}
	if l, err := parseLeaf(encodeMark(80)); err != nil || !l.mark || l.back != 80 {
		t.Errorf("read back: %+v, %v", l, err)
	}
	e := anEntry()
	e.Detail = nil
	if b, err := encodeEntry(e, nil); err != nil || !bytes.Contains(b, []byte(`"detail":{}`)) {
		t.Errorf("an entry without detail: %s, %v", b, err)
	}
	e.ID = string(bytes.Repeat([]byte("x"), maxLeaf))
	if _, err := encodeEntry(e, nil); err == nil {
		t.Error("a leaf above the bound is made")
	}
}

// Whatever lies in the log, parseLeaf reads exactly what encodeEntry or encodeMark wrote,
// or refuses it with errLeaf.
func FuzzLeaf(f *testing.F) {
	b, _ := encodeEntry(anEntry(), []byte{1, 2})
	f.Add(b)
	f.Add(encodeMark(80))
	f.Add([]byte(`{"back_to":-1}`))
	f.Add([]byte(`{"back_to":1,"back_to":2}`))
	f.Add([]byte(`{"number":1,"detail":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLeaf(b)
		if err != nil {
			if !errors.Is(err, errLeaf) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		again := encodeMark(l.back)
		if !l.mark {
			if again, err = encodeEntry(l.entry, l.hash); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%q is read as %q", b, again)
		}
	})
}

// Whatever somebody hands over as a checkpoint, it is refused with one of our errors, or
// it is one that this house signed.
func FuzzCheckpoint(f *testing.F) {
	seed := make([]byte, ed25519.SeedSize)
	s, err := newSigner("h", ed25519.NewKeyFromSeed(seed))
	if err != nil {
		f.Fatal(err)
	}
	const text = "ardesia-audit/h\n3\nnCMTkgcc5nk8X3mZ3menruZbRUHHN9i7IZw2EX3AW1A=\n"
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		f.Fatal(err)
	}
	if c, err := s.open(signed); err != nil || c.Size != 3 {
		f.Fatalf("our own: %+v, %v", c, err)
	}
	f.Add(signed)
	f.Add([]byte(text + "\n"))
	f.Add(bytes.Replace(signed, []byte("\n3\n"), []byte("\n03\n"), 1))
	f.Add(bytes.Replace(signed, []byte("/h\n"), []byte("/g\n"), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := s.open(b)
		if err != nil {
			if !errors.Is(err, errNote) && !errors.Is(err, errOther) && !errors.Is(err, errForged) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if c.Size != 3 || !bytes.HasPrefix(b, []byte(text)) {
			t.Fatalf("%q is taken for a checkpoint of ours", b)
		}
	})
}

// No bit of a leaf can change unnoticed.
func TestEveryBitOfALeafCounts(t *testing.T) {
	b, err := encodeEntry(anEntry(), bytes.Repeat([]byte{0xab}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		c := bytes.Clone(b)
		c[rand.IntN(len(c))] ^= 1 << rand.IntN(8)
		l, err := parseLeaf(c)
		if err == nil && difference(l.entry, anEntry()) == "" && l.entry.Number == 7 && bytes.Equal(l.hash, bytes.Repeat([]byte{0xab}, 32)) {
			t.Fatalf("%s reads as the original", c)
		}
	}
}

func TestWordsAreListed(t *testing.T) {
	for want, words := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := list(words); got != want {
			t.Errorf("list(%q) = %q, want %q", words, got, want)
		}
	}
}
