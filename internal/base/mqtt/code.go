package mqtt

import (
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Types of control packets; MQTT 5, section 2.1.2.
const (
	typeConnect     = 1
	typePublish     = 3
	typePuback      = 4
	typePubrec      = 5
	typePubrel      = 6
	typePubcomp     = 7
	typeSubscribe   = 8
	typeUnsubscribe = 10
	typePingreq     = 12
	typeDisconnect  = 14
)

// A code is a reason code of MQTT 5, section 2.4. As an error it says that the
// client broke the protocol or a limit, and how to tell it.
type code byte

const (
	codeSuccess         code = 0x00
	codeUnspecified     code = 0x80
	codeMalformed       code = 0x81
	codeProtocol        code = 0x82
	codeImplementation  code = 0x83
	codeVersion         code = 0x84
	codeClientID        code = 0x85
	codeCredentials     code = 0x86
	codeNotAuthorized   code = 0x87
	codeUnavailable     code = 0x88
	codeBusy            code = 0x89
	codeStopping        code = 0x8b
	codeAuthMethod      code = 0x8c
	codeKeepAlive       code = 0x8d
	codeTakenOver       code = 0x8e
	codeUnknownPacketID code = 0x92
	codeReceiveMaximum  code = 0x93
	codeTopicAlias      code = 0x94
	codeTooLarge        code = 0x95
	codeQuota           code = 0x97
	codeAdministrative  code = 0x98
	codePayload         code = 0x99
	codeConnectTime     code = 0xa0
)

func (c code) Error() string { return fmt.Sprintf("mqtt: reason code 0x%02x", byte(c)) }

// Is makes each code that ends a session an ErrProtocol.
func (c code) Is(target error) bool { return target == ErrProtocol }

// v3 is the return code of CONNACK in MQTT 3.1.1, section 3.2.2.3. Boards retry
// after any of them, so the difference is for people who read a log.
func (c code) v3() byte {
	switch c {
	case codeVersion:
		return 1
	case codeClientID:
		return 2
	case codeUnavailable, codeBusy, codeStopping, codeQuota:
		return 3
	case codeCredentials:
		return 4
	}
	return 5
}

// refusalOf is how CONNACK tells an Authenticator's error.
func refusalOf(err error) code {
	switch problem.Of(err).Kind {
	case problem.Unauthenticated, problem.NotFound, problem.Invalid:
		return codeCredentials
	case problem.Forbidden, problem.Precondition, problem.Unsupported, problem.Conflict:
		return codeNotAuthorized
	case problem.Limited, problem.TooLarge:
		return codeQuota
	}
	return codeUnavailable
}

// failureOf is how DISCONNECT tells the Handler's error about a message.
func failureOf(err error) code {
	switch problem.Of(err).Kind {
	case problem.Invalid:
		return codePayload
	case problem.TooLarge:
		return codeTooLarge
	case problem.Limited:
		return codeQuota
	case problem.Unavailable:
		return codeBusy
	case problem.Forbidden, problem.NotFound, problem.Unauthenticated:
		return codeNotAuthorized
	}
	return codeImplementation
}
