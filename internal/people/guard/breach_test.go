package guard

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 as in breach.go
)

var newWords = flag.String("words", "", "make words.bin of this file, one password a line")

func TestWordsAreThere(t *testing.T) {
	if *newWords != "" {
		text, err := os.ReadFile(*newWords)
		if err != nil {
			t.Fatal(err)
		}
		file, err := packFilter(strings.Split(strings.TrimSpace(string(text)), "\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("words.bin", file, 0o644); err != nil {
			t.Fatal(err)
		}
		wordsFile = file
	}
	if n := len(words().rest) / restSize; n < 40_000 || len(wordsFile) > 2<<20 {
		t.Errorf("%d passwords in %d bytes", n, len(wordsFile))
	}
	for password, want := range map[string]bool{
		"qwertyuiop":                   true,
		"Password1":                    true,
		"PASSWORD1":                    true,
		"qwertyuiop2031!":              true,
		"football!!!!!!!":              true,
		"seven purple kettles sing":    false,
		"correct horse battery staple": false,
		"":                             false,
		"111111":                       false, // shorter than any password may be, so not on the list
		"a1234567890123456":            false,
	} {
		if got := Breached(password); got != want {
			t.Errorf("Breached(%q) = %v, want %v", password, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Breached("seven purple kettles sing") }); n > 2 {
		t.Errorf("one question costs %v allocations", n)
	}
}

func TestFilterHasWhatWasPutIn(t *testing.T) {
	var in []string
	for i := range 5000 {
		in = append(in, fmt.Sprintf("password number %d", i))
	}
	file, err := packFilter(append(in, in[0], strings.ToUpper(in[1])))
	if err != nil {
		t.Fatal(err)
	}
	f, err := readFilter(file)
	if err != nil || len(f.rest) != len(in)*restSize {
		t.Fatalf("%d words, %v", len(f.rest)/restSize, err)
	}
	wrong := 0
	for i, w := range in {
		if !f.has(w) {
			t.Fatalf("%q is not in it", w)
		}
		if f.has(fmt.Sprintf("another %d", i)) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d others are taken for one of them", wrong, len(in))
	}
	for name, file := range map[string][]byte{"nothing": nil, "cut": file[:len(file)-1], "short": file[:100], "more": append(slices.Clone(file), 1, 2, 3)} {
		if _, err := readFilter(file); err == nil {
			t.Errorf("%s: a damaged list was read", name)
		}
	}
}

func hashes(passwords []string, sum func(string) []byte, after string) string {
	var all []string
	for _, p := range passwords {
		all = append(all, strings.ToUpper(hex.EncodeToString(sum(p)))+after)
	}
	slices.Sort(all)
	return strings.Join(all, "\n") + "\n"
}

func sha(p string) []byte { h := sha1.Sum([]byte(p)); return h[:] }

func ntlm(p string) []byte {
	h := md4.New()
	for _, u := range utf16.Encode([]rune(p)) {
		h.Write([]byte{byte(u), byte(u >> 8)})
	}
	return h.Sum(nil)
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOperatorsList(t *testing.T) {
	var in []string
	for i := range 1000 {
		in = append(in, fmt.Sprintf("stolen %d ü", i))
	}
	for name, text := range map[string]string{
		"SHA-1":                hashes(in, sha, ""),
		"SHA-1 with counts":    hashes(in, sha, ":42"),
		"NTLM with counts":     hashes(in, ntlm, ":7"),
		"Windows' ends":        strings.ReplaceAll(hashes(in, sha, ":1"), "\n", "\r\n"),
		"small letters":        strings.ToLower(hashes(in, sha, "")),
		"no newline at end":    strings.TrimSuffix(hashes(in, sha, ":3"), "\n"),
		"counts of any length": strings.ReplaceAll(hashes(in, sha, ":5"), "7\n", "7000000\n"),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := openList(write(t, text))
			if err != nil {
				t.Fatal(err)
			}
			defer l.close()
			for i, p := range in {
				if yes, err := l.has(p); err != nil || !yes {
					t.Fatalf("%q: %v, %v", p, yes, err)
				}
				if yes, err := l.has(fmt.Sprintf("own %d", i)); err != nil || yes {
					t.Fatalf("own %d: %v, %v", i, yes, err)
				}
			}
		})
	}
	// MD4 of "password" as the world knows it.
	if got := hex.EncodeToString(ntlm("password")); got != "8846f7eaee8fb117ad06bdd830b7586c" {
		t.Errorf("NTLM of password is %s", got)
	}
}

func TestOperatorsListIsRefused(t *testing.T) {
	good := hashes([]string{"a", "b", "c", "d"}, sha, ":1")
	lines := strings.SplitAfter(good, "\n")
	slices.Reverse(lines)
	for name, text := range map[string]string{
		"empty":          "",
		"not hashes":     "password\n123456\n",
		"not in order":   strings.Join(lines, ""),
		"two kinds":      good + hashes([]string{"z"}, ntlm, ""),
		"an endless one": strings.Repeat("A", 1<<20),
	} {
		if l, err := openList(write(t, text)); err == nil {
			t.Errorf("%s: taken", name)
			_ = l.close()
		}
	}
	if _, err := openList(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there was opened")
	}
	if _, err := openList(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
}

// Whatever the file is and whatever is looked for, the search ends, and finds a line only if it is there.
func FuzzSorted(f *testing.F) {
	f.Add([]byte("a\nb\nc\n"), "b")
	f.Add([]byte("a\r\nb"), "a")
	f.Add([]byte("\n\n\n"), "")
	f.Add(bytes.Repeat([]byte("x"), 3000), "x")
	f.Fuzz(func(t *testing.T, text []byte, want string) {
		s := &sorted{at: bytes.NewReader(text), size: int64(len(text))}
		found, err := s.last(0, func(line []byte) (bool, error) { return string(line) > want, nil })
		lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
		if err != nil {
			if !slices.ContainsFunc(strings.Split(string(text), "\n"), func(l string) bool { return len(l) > maxLine }) {
				t.Fatalf("%v in %q", err, text)
			}
			return
		}
		if found != nil && !slices.Contains(strings.Split(strings.ReplaceAll(string(text), "\r", ""), "\n"), strings.ReplaceAll(string(found), "\r", "")) {
			t.Fatalf("found %q in %q", found, text)
		}
		if !strings.Contains(string(text), "\r") && len(lines) > 1 && lines[len(lines)-1] == "" && slices.IsSorted(lines[:len(lines)-1]) {
			in := slices.Contains(lines[:len(lines)-1], want)
			if in != (found != nil && string(found) == want) {
				t.Fatalf("%q in %q: found %q", want, text, found)
			}
		}
	})
}
