package db

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// ErrText is a statement that does not mean the same on both engines.
var ErrText = errors.New("this statement is not portable")

// maxParams is what SQLite (32,766) and PostgreSQL (65,535) both take.
const maxParams = 32766

// Rewrite turns the parameters $1..$n of a statement into ?1..?n, as SQLite wants
// them: SQLite takes $2 for a name and would bind by order of appearance. It
// refuses with ErrText what the two engines read differently: a $n inside a
// literal or a quoted name, a bare ?, dollar quotes, backslash strings, numbers
// that leave a gap, and quotes or comments that do not end.
func Rewrite(text string) (string, error) {
	var (
		out  strings.Builder
		seen = map[int]bool{}
		high int
	)
	out.Grow(len(text))
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\'' || c == '"':
			end, err := quoted(text, i)
			if err != nil {
				return "", err
			}
			out.WriteString(text[i:end])
			i = end
		case strings.HasPrefix(text[i:], "--"):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				end = len(text) - i
			}
			i += end // the line break stays
		case strings.HasPrefix(text[i:], "/*"):
			inside, _, ends := strings.Cut(text[i+2:], "*/")
			if !ends {
				return "", fmt.Errorf("%w: a comment does not end", ErrText)
			}
			if strings.Contains(inside, "/*") { // they nest on PostgreSQL only
				return "", fmt.Errorf("%w: comment in a comment", ErrText)
			}
			out.WriteByte(' ')
			i += len("/*") + len(inside) + len("*/")
		case c == '?':
			return "", fmt.Errorf("%w: a bare ?, name parameters $1, $2, …", ErrText)
		case c == '`' || c == '[' || c == ']':
			return "", fmt.Errorf("%w: %q quotes on SQLite only", ErrText, c)
		case c == '$':
			end := i + 1
			for end < len(text) && isDigit(text[end]) {
				end++
			}
			n, err := strconv.Atoi(text[i+1 : end])
			if err != nil || n < 1 || n > maxParams || text[i+1] == '0' || (end < len(text) && isWord(text[end])) || (i > 0 && isWord(text[i-1])) {
				return "", fmt.Errorf("%w: %q is no parameter", ErrText, text[i:min(end+1, len(text))])
			}
			seen[n], high = true, max(high, n)
			out.WriteByte('?')
			out.WriteString(text[i+1 : end])
			i = end
		default:
			out.WriteByte(c)
			i++
		}
	}
	if len(seen) != high {
		return "", fmt.Errorf("%w: the highest parameter is $%d, but %d are used", ErrText, high, len(seen))
	}
	return out.String(), nil
}

// quoted returns where the literal or name that begins at i ends. A doubled
// quote needs no care: it ends one literal and begins the next.
func quoted(text string, i int) (int, error) {
	if i > 0 && isWord(text[i-1]) && text[i] == '\'' && !strings.ContainsRune("xX", rune(text[i-1])) {
		return 0, fmt.Errorf("%w: %q begins a special string", ErrText, text[i-1:i+1])
	}
	if i > 1 && text[i-1] == '&' && strings.ContainsRune("uU", rune(text[i-2])) {
		return 0, fmt.Errorf("%w: %q begins a special string", ErrText, text[i-2:i+1])
	}
	length := strings.IndexByte(text[i+1:], text[i])
	if length < 0 {
		return 0, fmt.Errorf("%w: a quote does not end", ErrText)
	}
	inside := text[i+1 : i+1+length]
	for j := range len(inside) - 1 {
		if inside[j] == '$' && isDigit(inside[j+1]) {
			return 0, fmt.Errorf("%w: a parameter stands inside quotes: %q", ErrText, inside)
		}
	}
	return i + 1 + length + 1, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return isDigit(c) || c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// texts remembers what Rewrite said. At its bound it forgets everything: the
// texts of a program are few, and the rest are built from filters.
type texts struct {
	mu   sync.RWMutex
	seen map[string]rewritten // guarded by mu
}

type rewritten struct {
	text string
	err  error
}

const maxTexts = 4096

func (t *texts) rewrite(text string) (string, error) {
	t.mu.RLock()
	r, ok := t.seen[text]
	t.mu.RUnlock()
	if ok {
		return r.text, r.err
	}
	r.text, r.err = Rewrite(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen == nil || len(t.seen) >= maxTexts {
		t.seen = make(map[string]rewritten)
	}
	t.seen[text] = r
	return r.text, r.err
}
