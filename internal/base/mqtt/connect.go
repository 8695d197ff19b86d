package mqtt

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// open reads CONNECT and makes a session of the connection, or refuses it.
func (b *Broker) open(ctx context.Context, s *session, mode Mode) {
	asked := b.house.move()
	c, why, told := b.introduce(ctx, s, mode)
	if why == 0 {
		why, told = b.attach(s, c, asked)
	}
	if why != 0 {
		if told != codeSuccess {
			cl := b.engine.client("", packetConn{s.conn, s}, c)
			_ = b.engine.connack(cl, told, welcome{}) // it may be gone
		}
		b.refuse(s, why)
		return
	}
	s.limit = b.limits.PacketBytes
	s.heard.Store(b.tick.Load())
	b.wg.Add(1)
	go s.run()
}

// introduce finds out who wants to come in. With a Refusal, a code is what CONNACK
// tells; without one there is nothing that the peer would understand.
func (b *Broker) introduce(ctx context.Context, s *session, mode Mode) (connect, Refusal, code) {
	first, body, err := s.next()
	if broken := new(code); errors.As(err, broken) || (err == nil && first>>4 != typeConnect) {
		return connect{}, RefusedMalformed, 0
	} else if err != nil {
		return connect{}, RefusedGone, 0
	}
	c, err := decodeConnect(body)
	s.version = c.version
	switch {
	case err == error(codeVersion):
		return c, RefusedVersion, codeVersion
	case err == error(codeClientID):
		return c, RefusedClientID, codeClientID
	case err != nil:
		return c, RefusedMalformed, 0
	case c.authMethod != "":
		return c, RefusedCredentials, codeAuthMethod
	case b.closing.Load():
		return c, RefusedStopping, codeStopping
	}
	if c.will {
		b.count.wills.Add(1)
	}
	ctx, cancel := context.WithTimeout(ctx, b.limits.ConnectTimeout)
	defer cancel()
	s.who, err = b.identify(ctx, s, c, mode)
	if err != nil {
		told, why := refusalOf(err), RefusedCredentials
		if told == codeUnavailable {
			why = RefusedUnavailable
			b.log.Error("a connection could not be authenticated", "listener", s.listener, "remote", s.remote, "err", err)
		}
		return c, why, told
	}
	if s.who.Kind == Device && c.clientID != s.who.ID {
		return c, RefusedClientID, codeClientID
	}
	s.clientID = c.clientID
	if s.clientID == "" {
		s.clientID = "anonymous-" + strconv.FormatUint(b.count.accepted.Load(), 36) // nothing is found by it
	}
	s.keepAlive = time.Duration(c.keepAlive) * time.Second
	s.maxPacket = c.maxPacket
	s.since = b.now()
	return c, 0, codeSuccess
}

var errNoCertificate = problem.New(problem.Unauthenticated, "no-certificate", "This listener wants a client certificate.")

// identify asks the Authenticator.
func (b *Broker) identify(ctx context.Context, s *session, c connect, mode Mode) (Identity, error) {
	addr := s.remote.Addr()
	switch mode {
	case ByCertificate:
		state := tlsStateOf(s.conn)
		if state == nil || len(state.PeerCertificates) == 0 {
			return Identity{}, errNoCertificate
		}
		return b.auth.Certificate(ctx, state.PeerCertificates[0], c.clientID, addr)
	case ByToken:
		return b.auth.Token(ctx, c.username, c.password, c.clientID, addr)
	}
	return b.auth.Password(ctx, c.username, c.password, c.clientID, addr)
}

// refuse ends a connection that has not become a session.
func (b *Broker) refuse(s *session, why Refusal) {
	switch {
	case b.closing.Load():
		why = RefusedStopping
	case s.guest.sentAway():
		why = RefusedTimeout
	}
	b.count.refused[why].Add(1)
	b.log.Debug("refused", "why", why.String(), "listener", s.listener, "remote", s.remote)
	_ = s.conn.Close() // says goodbye over TLS; it may be gone
	s.abort()
	s.guest.leave()
}
