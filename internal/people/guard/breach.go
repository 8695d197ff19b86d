package guard

import (
	"bytes"
	"crypto/sha1"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //lint:ignore SA1019 it is what the file's hashes were made with; nothing is protected by it
)

// words.bin has passwords that guessing programs try first: those of eight and more letters in
// the lists of zxcvbn and of zxcvbn-ts (MIT, see words.txt), in lower case. It is made of
// their SHA-1: how many begin with each value of two bytes, one byte each, and then of each
// hash the three bytes that follow, in order. Two passwords that differ agree by chance
// once in 25 million.
//
//go:embed words.bin
var wordsFile []byte

const (
	prefixes = 1 << 16
	restSize = 3
)

// A filter is an embedded list.
type filter struct {
	start []uint32 // of each prefix, and one more
	rest  []byte
}

var errFilter = errors.New("it is not a list of passwords")

func readFilter(file []byte) (*filter, error) {
	if len(file) < prefixes {
		return nil, errFilter
	}
	f := &filter{start: make([]uint32, prefixes+1), rest: file[prefixes:]}
	for i, n := range file[:prefixes] {
		f.start[i+1] = f.start[i] + uint32(n)
	}
	if int(f.start[prefixes])*restSize != len(f.rest) {
		return nil, errFilter
	}
	return f, nil
}

// packFilter makes a file for readFilter.
func packFilter(words []string) ([]byte, error) {
	var all [][5]byte
	for _, w := range words {
		sum := sha1.Sum([]byte(strings.ToLower(w)))
		all = append(all, [5]byte(sum[:5]))
	}
	slices.SortFunc(all, func(a, b [5]byte) int { return bytes.Compare(a[:], b[:]) })
	all = slices.Compact(all)
	file := make([]byte, prefixes, prefixes+restSize*len(all))
	for _, h := range all {
		p := binary.BigEndian.Uint16(h[:])
		if file[p] == 255 {
			return nil, fmt.Errorf("more than 255 of %d words begin with one prefix", len(all))
		}
		file[p]++
		file = append(file, h[2:]...)
	}
	return file, nil
}

func (f *filter) has(password string) bool {
	sum := sha1.Sum([]byte(strings.ToLower(password)))
	p := binary.BigEndian.Uint16(sum[:])
	low, high := f.start[p], f.start[uint32(p)+1]
	for ; low < high; low++ { // one or two
		if bytes.Equal(f.rest[low*restSize:(low+1)*restSize], sum[2:2+restSize]) {
			return true
		}
	}
	return false
}

var words = sync.OnceValue(func() *filter {
	f, err := readFilter(wordsFile)
	if err != nil {
		panic("guard: words.bin: " + err.Error()) // TestWordsAreThere
	}
	return f
})

// Breached says whether a password is on the list that the program carries: in any
// letter case, and with digits and marks at its end or without.
func Breached(password string) bool {
	f := words()
	if f.has(password) {
		return true
	}
	stem := strings.TrimRight(password, "0123456789!?.,;:-_#*+$ ")
	return len(stem) >= 8 && stem != password && f.has(stem)
}

// Breached says whether a password is on the list that the program carries or on the
// operator's. A file that cannot be read is logged, and keeps nobody from a password.
func (s *Service) Breached(password string) bool {
	if Breached(password) {
		return true
	}
	if s.breached == nil {
		return false
	}
	yes, err := s.breached.has(password)
	if err != nil {
		s.needs.Log.Error("the list of breached passwords cannot be read", "file", s.needs.Config.Breached, "err", err)
	}
	return yes
}

// A list is a file of hashes in hexadecimal digits, one a line and in order, as Have I Been
// Pwned gives it: SHA-1 or NTLM (MD4 of UTF-16), what follows a colon is not read.
type list struct {
	file   *sorted
	digits int // of a hash: 40 or 32
}

func openList(path string) (*list, error) {
	file, err := openSorted(path)
	if err != nil {
		return nil, err
	}
	l := &list{file: file}
	line, _, _, err := file.lineAt(0, make([]byte, maxLine+2))
	if err == nil {
		l.digits = len(hashOf(line))
		if l.digits != 2*sha1.Size && l.digits != 2*md4.Size {
			err = errors.New("its first line is no SHA-1 (40 digits) and no NTLM hash (32 digits)")
		}
	}
	if err == nil {
		err = file.check(0, func(before, line []byte) (int, error) {
			h, err := l.read(line)
			return bytes.Compare(bytes.ToUpper(hashOf(before)), h), err
		})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.close())
	}
	return l, nil
}

func (l *list) close() error {
	if l == nil {
		return nil
	}
	return l.file.close()
}

func hashOf(line []byte) []byte {
	h, _, _ := bytes.Cut(line, []byte(":"))
	return h
}

// read is the hash of a line in capitals.
func (l *list) read(line []byte) ([]byte, error) {
	h := bytes.ToUpper(hashOf(line))
	if len(h) != l.digits || bytes.ContainsFunc(h, func(r rune) bool { return (r < '0' || r > '9') && (r < 'A' || r > 'F') }) {
		return nil, errors.New("it has a line without a hash at its beginning")
	}
	return h, nil
}

func (l *list) has(password string) (bool, error) {
	var sum []byte
	if l.digits == 2*sha1.Size {
		h := sha1.Sum([]byte(password))
		sum = h[:]
	} else {
		h := md4.New()
		for _, u := range utf16.Encode([]rune(password)) {
			h.Write([]byte{byte(u), byte(u >> 8)})
		}
		sum = h.Sum(nil)
	}
	want := []byte(strings.ToUpper(hex.EncodeToString(sum)))
	line, err := l.file.last(0, func(line []byte) (bool, error) {
		h, err := l.read(line)
		return bytes.Compare(h, want) > 0, err
	})
	return line != nil && bytes.Equal(bytes.ToUpper(hashOf(line)), want), err
}
