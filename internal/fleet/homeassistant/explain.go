package homeassistant

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/ardesia-iot/ardesia/internal/base/mqttclient"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
)

// explain is what people read of why a broker is not reached, or says no, and what to do.
func (b *bridge) explain(err error) string {
	var (
		no       *mqttclient.Refusal
		name     *net.DNSError
		unknown  x509.UnknownAuthorityError
		host     x509.HostnameError
		invalid  x509.CertificateInvalidError
		verified *tls.CertificateVerificationError
		notTLS   tls.RecordHeaderError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &no):
		return b.refused(no)
	case outbound.Forbidden(err) && strings.HasPrefix(b.u.Broker, "mqtt:"):
		return "Without TLS (mqtt://) only brokers at addresses that the operator allows with webhook-allow are called."
	case outbound.Forbidden(err):
		return "The broker's address is not public. The operator can allow addresses of own networks with webhook-allow."
	case errors.As(err, &name):
		return fmt.Sprintf("Nobody knows the name %q of the broker.", name.Name)
	case errors.As(err, &unknown):
		return "The broker's certificate is signed by nobody that is trusted here. Give its CA."
	case errors.As(err, &host):
		return "The broker's certificate is for another name than its address has."
	case errors.As(err, &invalid), errors.As(err, &verified):
		return "The broker's certificate is not valid: it may have run out, or its CA is not one."
	case errors.As(err, &notTLS):
		return "There is no TLS at the broker's address. Is it the right port?"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Nothing listens at the broker's address."
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), timeout(err):
		return "The broker does not answer in time."
	case errors.Is(err, mqttclient.ErrTongue):
		return "Whoever answers at the broker's address speaks no MQTT 5, or hung up. Is it the right port, and does it want TLS?"
	case errors.Is(err, mqttclient.ErrPoor):
		return "The broker keeps no retained messages, or has no QoS 1 or wildcards, which Home Assistant needs, too."
	case errors.Is(err, mqttclient.ErrLost):
		return "The connection to the broker was lost."
	}
	var dial *net.OpError
	if errors.As(err, &dial) {
		return "The broker cannot be reached."
	}
	return "This server could not read what it announces. It tries again."
}

func timeout(err error) bool {
	var late net.Error
	return errors.As(err, &late) && late.Timeout()
}

// Reason codes of MQTT 5, section 2.4.
const (
	codeVersion     = 0x84
	codeClientID    = 0x85
	codePassword    = 0x86
	codeRight       = 0x87
	codeUnavailable = 0x88
	codeBusy        = 0x89
	codeBanned      = 0x8a
	codeStopping    = 0x8b
	codeTakenOver   = 0x8e
)

func (b *bridge) refused(no *mqttclient.Refusal) string {
	switch no.Wish {
	case mqttclient.Publish:
		return fmt.Sprintf("The broker does not let this user write to %s (code %d): it needs to write below %s/ and %s/device/.", no.Topic, no.Code, b.u.Topics, b.u.Discovery)
	case mqttclient.Subscribe:
		return fmt.Sprintf("The broker does not let this user read %s (code %d).", no.Topic, no.Code)
	}
	switch no.Code {
	case codePassword, codeRight:
		return "The broker does not take the user name or the password."
	case codeTakenOver:
		return "Somebody else has come to the broker as this bridge. Is there a second server with the same data?"
	case codeVersion:
		return "The broker speaks no MQTT 5."
	case codeClientID:
		return "The broker does not take " + objectID(b.u.Space) + " as the name of a client."
	case codeUnavailable, codeBusy, codeStopping:
		return "The broker is busy or stops."
	case codeBanned:
		return "The broker has banned this bridge."
	}
	return fmt.Sprintf("The broker says no, with the code %d.", no.Code)
}
