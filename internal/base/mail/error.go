package mail

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
	"unicode"
)

// A Step is how far a letter came.
type Step int

const (
	Connecting   Step = iota // to the server
	Greeting                 // it says who it is, and what it can
	Encrypting               // TLS
	Proving                  // user and password
	FromSender               // MAIL FROM
	ForRecipient             // RCPT TO
	Content                  // DATA and its end

	steps
)

var stepNames = [steps]string{
	Connecting: "connect", Greeting: "greeting", Encrypting: "encryption", Proving: "sign-in",
	FromSender: "sender", ForRecipient: "recipient", Content: "content",
}

func (s Step) String() string { return stepNames[s] }

// An Error is a letter that the server did not take.
type Error struct {
	Server string // host:port
	Step   Step
	Code   int    // of the server's reply (RFC 5321, section 4.2.3); 0 when it made none
	Status string // RFC 3463: "5.1.1"; "" when it told none
	// Reply is the server's text. It may name the recipient: for the operator who asks, and for no log.
	Reply string
	err   error // when there was no reply
}

// Error tells what happened without the server's words, so that it may be logged.
func (e *Error) Error() string {
	if e.Code == 0 {
		return fmt.Sprintf("mail server %s: %s: %v", e.Server, e.Step, e.err)
	}
	text := fmt.Sprintf("mail server %s: %s: refused with %d", e.Server, e.Step, e.Code)
	if e.Status != "" {
		text += " " + e.Status
	}
	return text
}

// Detail is Error and what the server said.
func (e *Error) Detail() string {
	if e.Reply == "" {
		return e.Error()
	}
	return e.Error() + ": " + e.Reply
}

// Unwrap is the cause when the server made no reply.
func (e *Error) Unwrap() error { return e.err }

// Permanent says whether err is about this letter and stays: the server refused the recipient
// or the content for good (5xx), or nothing can be made of the letter. That the server cannot be
// reached, or does not take our name, password or sender, is for its operator to mend, and the letter can
// wait; so are matters of trust (5.7.x; RFC 3463, section 3.8), as a server that carries nothing for us.
func Permanent(err error) bool {
	if errors.Is(err, ErrAddress) || errors.Is(err, ErrMessage) {
		return true
	}
	var e *Error
	return errors.As(err, &e) && e.Code/100 == 5 && !strings.HasPrefix(e.Status, "5.7.") && (e.Step == ForRecipient || e.Step == Content)
}

// status is RFC 3463, section 2.
var status = regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// maxReply is how much of what a server says is kept, in bytes.
const maxReply = 400

// failed makes an Error of what came back at a step.
func failed(server string, at Step, err error) *Error {
	e := &Error{Server: server, Step: at, err: err}
	var said *textproto.Error
	if errors.As(err, &said) && said.Code >= 400 && said.Code <= 599 {
		e.Code, e.Status = said.Code, status.FindString(said.Msg)
		e.Reply = strings.TrimSpace(strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return ' '
			}
			return r
		}, said.Msg[len(e.Status):min(len(said.Msg), maxReply)]))
	}
	return e
}
