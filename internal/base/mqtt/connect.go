package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/google/uuid"
)

// open brings a connection from its first byte to its end. late aborts it when
// CONNECT takes too long.
func (b *Broker) open(s *session, mode Mode, state *tls.ConnectionState, late *time.Timer) {
	c, why, err := b.welcome(s, mode, state)
	stopped := late.Stop()
	if why != 0 {
		if !stopped && why == RefusedMalformed {
			why = RefusedTimeout
		}
		b.tell(s, c, err)
		b.refuse(s, why)
		b.wg.Done()
		return
	}
	present, err := b.attach(s, c)
	if err != nil {
		b.tell(s, c, codeQuota)
		b.refuse(s, RefusedUserSessions)
		b.wg.Done()
		return
	}
	w := welcome{present: present}
	if c.clientID == "" {
		w.assignedID = s.clientID
	}
	if s.state.kept {
		w.expiry = uint32(s.state.keepFor)
	}
	_ = b.engine.connack(s.client, codeSuccess, w) // a connection that is gone is found out by the first read
	s.guest.answered()
	s.limit = b.limits.PacketBytes
	s.heard.Store(b.tick.Load())
	b.handler.Connected(s.who, s.remote.String())
	if present {
		s.state.resume(s)
	}
	s.run()
}

// welcome reads CONNECT and finds out who it is.
func (b *Broker) welcome(s *session, mode Mode, state *tls.ConnectionState) (c connect, why Refusal, err error) {
	first, body, err := s.next()
	if err != nil {
		return c, RefusedMalformed, nil
	}
	if first>>4 != typeConnect {
		return c, RefusedMalformed, nil
	}
	c, err = decodeConnect(body)
	s.version = c.version
	switch {
	case errors.Is(err, codeVersion) && err == error(codeVersion):
		return c, RefusedVersion, codeVersion
	case err == error(codeClientID):
		return c, RefusedClientID, codeClientID
	case err != nil:
		return c, RefusedMalformed, nil
	case c.authMethod != "":
		return c, RefusedCredentials, codeAuthMethod
	case b.closing.Load():
		return c, RefusedStopping, codeStopping
	}
	if c.will {
		b.count.wills.Add(1)
	}
	s.clientID = c.clientID
	if s.clientID == "" {
		s.clientID = uuid.NewString()
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.limits.ConnectTimeout)
	defer cancel()
	if s.who, err = b.identify(ctx, s, c, mode, state); err != nil {
		told := refusalOf(err)
		if told == codeUnavailable {
			return c, RefusedUnavailable, told
		}
		return c, RefusedCredentials, told
	}
	if s.who.Kind == Device && c.clientID != s.who.ID {
		return c, RefusedClientID, codeClientID
	}
	s.keepAlive = time.Duration(c.keepAlive) * time.Second
	s.maxPacket = c.maxPacket
	s.since = b.cfg.Now()
	return c, 0, nil
}

var errNoCertificate = errors.New("mqtt: no certificate")

func (b *Broker) identify(ctx context.Context, s *session, c connect, mode Mode, state *tls.ConnectionState) (Identity, error) {
	a, addr := b.cfg.Authenticator, s.remote.Addr()
	switch mode {
	case ByCertificate:
		if state == nil || len(state.PeerCertificates) == 0 {
			return Identity{}, errNoCertificate
		}
		return a.Certificate(ctx, state.PeerCertificates[0], c.clientID, addr)
	case ByToken:
		return a.Token(ctx, c.username, c.password, c.clientID, addr)
	}
	return a.Password(ctx, c.username, c.password, c.clientID, addr)
}

// tell answers CONNECT with a refusal, where there is one to tell.
func (b *Broker) tell(s *session, c connect, err error) {
	told, ok := err.(code)
	if !ok || s.version == 0 {
		return
	}
	_ = b.engine.connack(b.engine.client("", packetConn{s.conn, s}, c), told, welcome{}) // it may be gone
}

// refuse ends a connection that has not become a session.
func (b *Broker) refuse(s *session, why Refusal) {
	b.count.refused[why].Add(1)
	_ = s.conn.Close()
	s.abort()
	s.guest.leave()
}
