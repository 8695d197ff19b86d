package audit

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// A leaf of the log is an entry of the journal, or a mark.
type leaf struct {
	entry journal.Entry
	hash  []byte // of the journal's row, which chains it to the row before

	mark bool
	// back is what a mark says: from here on the log follows a journal that has only its
	// entries up to back in common with what the log had before.
	back int64
}

// wireEntry is an entry as the log has it. The order of its fields is part of the format.
type wireEntry struct {
	Number   int64             `json:"number"`
	At       int64             `json:"at"` // µs since 1970, UTC
	Actor    string            `json:"actor"`
	Space    string            `json:"space"`
	Action   string            `json:"action"`
	Resource string            `json:"resource"`
	ID       string            `json:"id"`
	Detail   map[string]string `json:"detail"`
	Hash     string            `json:"hash"` // hexadecimal
}

// wireMark is a mark as the log has it.
type wireMark struct {
	BackTo *int64 `json:"back_to"`
}

// maxLeaf is how long a leaf may be, in bytes: c2sp.org/tlog-tiles counts them in 16 bits.
const maxLeaf = 1<<16 - 1

var errLeaf = errors.New("this is no leaf of ours")

// encodeEntry is the leaf of a row. It is the same at each time and on each machine.
func encodeEntry(e journal.Entry, hash []byte) ([]byte, error) {
	detail := e.Detail
	if detail == nil {
		detail = map[string]string{}
	}
	b, err := json.Marshal(wireEntry{e.Number, e.At.UnixMicro(), e.Actor, e.Space, e.Action, e.Resource, e.ID, detail, hex.EncodeToString(hash)})
	if err != nil {
		return nil, err
	}
	if len(b) > maxLeaf {
		return nil, fmt.Errorf("entry %d of the journal has %d bytes as a leaf, more than %d", e.Number, len(b), maxLeaf)
	}
	return b, nil
}

func encodeMark(back int64) []byte {
	return fmt.Appendf(nil, `{"back_to":%d}`, back)
}

// parseLeaf reads an opened leaf that encodeEntry or encodeMark made; any other, of one
// byte's difference, is errLeaf.
func parseLeaf(b []byte) (leaf, error) {
	if bytes.HasPrefix(b, []byte(`{"back_to":`)) {
		var m wireMark
		if err := json.Unmarshal(b, &m); err != nil || m.BackTo == nil || *m.BackTo < 0 || !bytes.Equal(encodeMark(*m.BackTo), b) {
			return leaf{}, errLeaf
		}
		return leaf{mark: true, back: *m.BackTo}, nil
	}
	var w wireEntry
	if err := json.Unmarshal(b, &w); err != nil || w.Number < 1 {
		return leaf{}, errLeaf
	}
	hash, err := hex.DecodeString(w.Hash)
	if err != nil {
		return leaf{}, errLeaf
	}
	l := leaf{hash: hash, entry: journal.Entry{
		Number: w.Number, At: time.UnixMicro(w.At).UTC(), Actor: w.Actor, Space: w.Space, Action: w.Action, Resource: w.Resource, ID: w.ID, Detail: w.Detail,
	}}
	if again, err := encodeEntry(l.entry, hash); err != nil || !bytes.Equal(again, b) {
		return leaf{}, errLeaf
	}
	return l, nil
}

// difference names the fields in which two entries of one number differ.
func difference(a, b journal.Entry) string {
	var names []string
	for _, f := range []struct {
		name string
		same bool
	}{
		{"time", a.At.Equal(b.At)}, {"actor", a.Actor == b.Actor}, {"space", a.Space == b.Space}, {"action", a.Action == b.Action},
		{"resource", a.Resource == b.Resource}, {"id", a.ID == b.ID}, {"detail", sameDetail(a.Detail, b.Detail)},
	} {
		if !f.same {
			names = append(names, f.name)
		}
	}
	return list(names)
}

func sameDetail(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// list joins words as people do: "a, b and c".
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		text := words[0]
		for _, w := range words[1 : n-1] {
			text += ", " + w
		}
		return text + " and " + words[n-1]
	}
}
