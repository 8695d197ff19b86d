package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// A sorted is a text file whose lines are in order. It is searched where it is: nothing of it is held.
type sorted struct {
	at   io.ReaderAt
	size int64
	file *os.File // nil in tests
}

// maxLine bounds a line, in bytes.
const maxLine = 1024

var (
	errLine  = errors.New("it has a line of more than 1024 bytes")
	errOrder = errors.New("its lines are not in order")
)

func openSorted(path string) (*sorted, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &sorted{at: f, size: info.Size(), file: f}, nil
}

func (s *sorted) close() error {
	if s == nil || s.file == nil {
		return nil
	}
	return s.file.Close()
}

// lineAt reads the first line that begins at from or later, and says where it begins
// and where the next one does. At the end of the file the line is nil.
func (s *sorted) lineAt(from int64, buffer []byte) (line []byte, begin, next int64, err error) {
	begin = from
	for first := from > 0; ; first = false {
		at := begin
		if first {
			at-- // a line begins here only if the byte before ends one
		}
		n, err := s.at.ReadAt(buffer[:min(int64(len(buffer)), max(0, s.size-at))], at)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, 0, err
		}
		text := buffer[:n]
		end := bytes.IndexByte(text, '\n')
		if first {
			if end < 0 && at+int64(n) < s.size {
				return nil, 0, 0, errLine
			}
			if end < 0 {
				return nil, s.size, s.size, nil
			}
			begin = at + int64(end) + 1
			continue
		}
		if n == 0 {
			return nil, s.size, s.size, nil
		}
		if end < 0 {
			if begin+int64(n) < s.size {
				return nil, 0, 0, errLine
			}
			return bytes.TrimSuffix(text, []byte("\r")), begin, s.size, nil
		}
		return bytes.TrimSuffix(text[:end], []byte("\r")), begin, begin + int64(end) + 1, nil
	}
}

// last finds the last line from the byte from on for which after is false, provided that no line before
// one of those is after. It is nil if all are.
func (s *sorted) last(from int64, after func(line []byte) (bool, error)) ([]byte, error) {
	buffer := make([]byte, maxLine+2)
	low, high := from, s.size // the answer begins before high; a line that begins before low is not after
	var found []byte
	for low < high {
		middle := low + (high-low)/2
		line, begin, next, err := s.lineAt(middle, buffer)
		if err != nil {
			return nil, err
		}
		if line == nil || begin >= high {
			high = middle
			continue
		}
		is, err := after(line)
		if err != nil {
			return nil, err
		}
		if is {
			high = middle
		} else {
			found, low = bytes.Clone(line), next
		}
	}
	return found, nil
}

// check looks at lines all over the file: each must be readable, and none smaller than the one before.
func (s *sorted) check(from int64, compare func(before, line []byte) (int, error)) error {
	const looks = 256
	buffer := make([]byte, maxLine+2)
	var before []byte
	at := int64(-1)
	for i := range int64(looks) {
		line, begin, _, err := s.lineAt(from+(s.size-from)*i/looks, buffer)
		if err != nil {
			return err
		}
		if line == nil {
			break
		}
		if begin == at {
			continue
		}
		n, err := compare(before, line)
		if err != nil {
			return err
		}
		if before != nil && n > 0 {
			return errOrder
		}
		before, at = bytes.Clone(line), begin
	}
	if before == nil {
		return errors.New("it is empty")
	}
	return nil
}
