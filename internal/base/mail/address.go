package mail

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrAddress is a text that no letter can be sent to.
var ErrAddress = problem.New(problem.Invalid, "mail-address", "This is not an e-mail address that a letter can be sent to.")

// Bounds of an address: RFC 5321, sections 4.5.3.1.1 to 4.5.3.1.3, less the angle brackets.
const (
	maxLocal   = 64  // bytes
	maxAddress = 254 // bytes
	maxName    = 128 // characters
)

// An Address is where a letter goes to or comes from.
type Address struct {
	Name string // of the person, for the reader; may be empty
	Addr string // local@domain
}

// Addresses are a dot-atom at a domain (RFC 5322, section 3.4.1), with the letters of other
// scripts that RFC 6531 adds. Quoted local parts and domains that are numbers are legal, and nobody has one.
var (
	local = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\x{80}-\\x{10FFFF}-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\x{80}-\\x{10FFFF}-]+)*$")
	label = regexp.MustCompile(`^[A-Za-z0-9\x{80}-\x{10FFFF}]([A-Za-z0-9\x{80}-\x{10FFFF}-]{0,61}[A-Za-z0-9\x{80}-\x{10FFFF}])?$`)
)

// ParseAddress reads "local@domain" or "Name <local@domain>". Anything else is ErrAddress.
func ParseAddress(text string) (Address, error) {
	a := Address{Addr: text}
	if name, rest, ok := strings.Cut(text, "<"); ok {
		addr, ends := strings.CutSuffix(rest, ">")
		name = strings.TrimSpace(name)
		if inner, quoted := strings.CutPrefix(name, `"`); quoted {
			if name, quoted = strings.CutSuffix(inner, `"`); !quoted {
				return Address{}, ErrAddress
			}
		}
		if !ends || strings.ContainsAny(name, `"\<>`) {
			return Address{}, ErrAddress
		}
		a = Address{Name: name, Addr: addr}
	}
	if err := a.Check(); err != nil {
		return Address{}, err
	}
	return a, nil
}

// Check is nil or ErrAddress.
func (a Address) Check() error {
	at := strings.LastIndexByte(a.Addr, '@')
	if at < 1 || at > maxLocal || len(a.Addr) > maxAddress || !utf8.ValidString(a.Addr) || strings.ContainsFunc(a.Addr, odd) || !local.MatchString(a.Addr[:at]) {
		return ErrAddress
	}
	for part := range strings.SplitSeq(a.Addr[at+1:], ".") {
		if !label.MatchString(part) {
			return ErrAddress
		}
	}
	if utf8.RuneCountInString(a.Name) > maxName || !clean(a.Name) {
		return ErrAddress.With("The name beside an e-mail address has at most 128 characters, and none that controls a terminal.")
	}
	return nil
}

// odd are characters that nobody sees: what is in an address must be seen.
func odd(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// clean says whether text is one line of UTF-8 without control characters, and does not look like an
// encoded word (RFC 2047), which readers would take for something else, line breaks included.
func clean(text string) bool {
	return utf8.ValidString(text) && !strings.Contains(text, "=?") && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

// ascii says whether every mail server knows such an address.
func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}
