package series

import "unsafe"

// A column of texts is written as one form byte and what it says.
const (
	listForm    = iota // lengths, then all bytes
	setForm            // the different texts as a list, in order of appearance, and the index of each point's
	patternForm        // texts that differ in their numbers only: see chunk_pattern.go
)

// appendTexts writes a column.
func (s *scratch) appendTexts(dst []byte, texts []string) []byte {
	if len(texts) == 0 {
		return dst
	}
	set := make(map[string]int64)
	var distinct []string
	index := s.cols[2][:0]
	for _, t := range texts {
		i, known := set[t]
		if !known {
			i = int64(len(distinct))
			set[t] = i
			distinct = append(distinct, t)
		}
		index = append(index, i)
	}
	s.cols[2] = index
	if len(distinct)*2 <= len(texts) {
		dst = appendUint(append(dst, setForm), uint64(len(distinct)))
		dst = s.appendList(dst, distinct)
		return s.appendInts(dst, index, false, false)
	}
	if out := s.appendPattern(append(dst, patternForm), texts); out != nil {
		return out
	}
	return s.appendList(append(dst, listForm), texts)
}

// appendList writes the lengths of texts, the form of the bytes (0 as they are, 1
// compressed) and all bytes.
func (s *scratch) appendList(dst []byte, texts []string) []byte {
	lengths := make([]int64, 0, len(texts))
	s.bytes = s.bytes[:0]
	for _, t := range texts {
		lengths = append(lengths, int64(len(t)))
		s.bytes = append(s.bytes, t...)
	}
	dst = s.appendInts(dst, lengths, false, false)
	if len(s.bytes) > 24 {
		s.form = squeeze(s.form[:0], s.bytes)
		if len(s.form) < len(s.bytes) {
			return append(append(dst, 1), s.form...)
		}
	}
	return append(append(dst, 0), s.bytes...)
}

// texts reads a column of n texts.
func (r *reader) texts(n int) []string {
	if n == 0 {
		return nil
	}
	switch r.byte() {
	case listForm:
		return r.list(n)
	case setForm:
		distinct := r.list(r.size(n))
		index := r.ints(nil, n, false)
		if r.bad {
			return nil
		}
		out := make([]string, n)
		for i, x := range index {
			if uint64(x) >= uint64(len(distinct)) {
				r.fail()
				return nil
			}
			out[i] = distinct[x]
		}
		return out
	case patternForm:
		return r.pattern(n)
	}
	r.fail()
	return nil
}

func (r *reader) list(n int) []string {
	if n == 0 {
		return nil
	}
	lengths := r.ints(nil, n, false)
	total := 0
	for _, l := range lengths {
		if l < 0 || l > MaxText {
			r.fail()
			break
		}
		total += int(l)
	}
	if total > maxChunkText {
		r.fail()
	}
	var all string // one allocation for all texts of the column
	switch form := r.byte(); {
	case r.bad || form > 1:
		r.fail()
	case form == 0:
		all = string(r.bytes(total))
	default:
		b := r.unsqueeze()
		all = unsafe.String(unsafe.SliceData(b), len(b)) // b is ours alone and never written again
	}
	if len(all) != total {
		r.fail()
	}
	if r.bad {
		return nil
	}
	out := make([]string, n)
	for i, l := range lengths {
		out[i], all = all[:l], all[l:]
	}
	return out
}
