package mqtt

import "sync/atomic"

// A Refusal is why a connection did not become a session.
type Refusal uint8

const (
	_                   Refusal = iota
	RefusedFull                 // as many connections as there may be
	RefusedAddressFull          // as many as one address may have
	RefusedAddressRate          // new ones from this address come too fast
	RefusedHandshake            // TLS failed: wrong certificate, another protocol, gone
	RefusedTimeout              // no whole CONNECT in time, or sent away as the longest silent
	RefusedGone                 // the connection was lost before CONNACK
	RefusedMalformed            // the first packet is no CONNECT that we understand, or too large
	RefusedVersion              // neither MQTT 3.1.1 nor 5
	RefusedClientID             // a device's client ID is not its ID
	RefusedCredentials          // the Authenticator said no
	RefusedUnavailable          // the Authenticator could not answer
	RefusedUserSessions         // as many as one user may have
	RefusedStopping             // the broker is stopping
	Refusals                    // how many there are; tables over refusals have this length
)

var refusalNames = [Refusals]string{
	RefusedFull:         "full",
	RefusedAddressFull:  "address-full",
	RefusedAddressRate:  "address-rate",
	RefusedHandshake:    "handshake",
	RefusedTimeout:      "timeout",
	RefusedGone:         "gone",
	RefusedMalformed:    "malformed",
	RefusedVersion:      "version",
	RefusedClientID:     "client-id",
	RefusedCredentials:  "credentials",
	RefusedUnavailable:  "unavailable",
	RefusedUserSessions: "user-sessions",
	RefusedStopping:     "stopping",
}

// String is a label for metrics.
func (r Refusal) String() string {
	if r >= Refusals {
		return ""
	}
	return refusalNames[r]
}

// An Ending is why a session ended.
type Ending uint8

const (
	EndedClean     Ending = iota // DISCONNECT
	EndedNetwork                 // the connection was lost
	EndedTakenOver               // the device connected again
	EndedKeepAlive               // nothing was heard
	EndedHalf                    // a packet was begun and not finished
	EndedProtocol                // the client broke the protocol or a limit
	EndedSlow                    // the client does not read
	EndedHandler                 // the Handler failed a message
	EndedDropped                 // Drop
	EndedExpired                 // Identity.Until
	EndedStopping                // the broker stopped
	Endings                      // how many there are; tables over endings have this length
)

var endingNames = [Endings]string{
	EndedClean:     "clean",
	EndedNetwork:   "network",
	EndedTakenOver: "taken-over",
	EndedKeepAlive: "keep-alive",
	EndedHalf:      "half-packet",
	EndedProtocol:  "protocol",
	EndedSlow:      "slow",
	EndedHandler:   "handler",
	EndedDropped:   "dropped",
	EndedExpired:   "expired",
	EndedStopping:  "stopping",
}

// String is a label for metrics.
func (e Ending) String() string {
	if e >= Endings {
		return ""
	}
	return endingNames[e]
}

// Stats are counts since New, and how many there are now.
type Stats struct {
	Open     int // connections
	Opening  int // of those, before CONNACK
	Sessions int // after CONNACK
	Offline  int // unclean sessions of devices that are not connected

	Accepted uint64 // connections
	Refused  [Refusals]uint64
	Ended    [Endings]uint64

	Received           uint64 // messages that went to the Handler
	Acknowledged       uint64 // PUBACK and PUBREC
	Sent               uint64 // messages that were written
	Lost               uint64 // messages that a bound or a right kept from a subscriber
	ForbiddenPublish   uint64
	ForbiddenSubscribe uint64
	WillsIgnored       uint64
	DoneTwice          uint64 // mistakes of the Handler
	AcceptErrors       uint64
	Panics             uint64 // mistakes of the Handler or ours; each ended one session
}

// counters is Stats while it is counted.
type counters struct {
	accepted, received, acknowledged, sent, lost           atomic.Uint64
	forbiddenPublish, forbiddenSubscribe, wills, doneTwice atomic.Uint64
	acceptErrors, panics                                   atomic.Uint64
	refused                                                [Refusals]atomic.Uint64
	ended                                                  [Endings]atomic.Uint64
}

// Stats is a snapshot for metrics.
func (b *Broker) Stats() Stats {
	c := &b.count
	s := Stats{
		Accepted:           c.accepted.Load(),
		Received:           c.received.Load(),
		Acknowledged:       c.acknowledged.Load(),
		Sent:               c.sent.Load(),
		Lost:               c.lost.Load(),
		ForbiddenPublish:   c.forbiddenPublish.Load(),
		ForbiddenSubscribe: c.forbiddenSubscribe.Load(),
		WillsIgnored:       c.wills.Load(),
		DoneTwice:          c.doneTwice.Load(),
		AcceptErrors:       c.acceptErrors.Load(),
		Panics:             c.panics.Load(),
	}
	for i := range s.Refused {
		s.Refused[i] = c.refused[i].Load()
	}
	for i := range s.Ended {
		s.Ended[i] = c.ended[i].Load()
	}
	s.Open, s.Opening = b.gate.counts()
	s.Sessions, s.Offline = b.house.counts()
	return s
}
