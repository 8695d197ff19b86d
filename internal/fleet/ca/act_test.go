package ca

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var errCut = errors.New("the power is off")

// cutAfter makes s lose its power after one step of one act.
func cutAfter(s *Service, act string, step int) {
	s.cut = func(a string, n int) error {
		if a == act && n == step {
			return errCut
		}
		return nil
	}
}

// check says what holds at any time after a start, whatever happened before.
func (h *house) check(s *Service) {
	h.t.Helper()
	pending, err := SQL(h.db).pending(h.t.Context())
	if err != nil || len(pending) > 0 {
		h.t.Errorf("%d certificates are pending after a start (%v)", len(pending), err)
	}
	all, err := s.Status(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	active := 0
	for i, g := range all {
		if g.Number != i+1 {
			h.t.Errorf("generation %d stands at %d", g.Number, i)
		}
		switch g.Phase {
		case Active:
			active++
			if i != len(all)-1 || !g.AcceptedUntil.IsZero() {
				h.t.Errorf("generation %d of %d is active, until %v", g.Number, len(all), g.AcceptedUntil)
			}
		case Replaced:
			if g.AcceptedUntil.IsZero() {
				h.t.Errorf("generation %d is replaced and accepted for ever", g.Number)
			}
		default:
			h.t.Errorf("generation %d is %s after a start", g.Number, g.Phase)
		}
		key, err := h.ring.Signer(h.t.Context(), g.KeyName)
		if err != nil {
			h.t.Fatal(err)
		}
		if want, ok := g.Certificate.PublicKey.(interface{ Equal(x any) bool }); ok && !want.Equal(key.Public()) {
			h.t.Errorf("generation %d has a root of another key", g.Number)
		}
	}
	if active != 1 {
		h.t.Errorf("%d generations are active", active)
	}
	if !bytes.Equal(h.onDisk(), s.PEM()) {
		h.t.Error("the file of roots is not what is accepted")
	}
	if _, err := journal.Verify(h.t.Context(), h.db); err != nil {
		h.t.Errorf("journal: %v", err)
	}
}

func TestFirstStartSurvivesPowerCut(t *testing.T) {
	for step := 2; step <= 5; step++ {
		t.Run(fmt.Sprint("after step ", step), func(t *testing.T) {
			eachHouse(t, func(t *testing.T, h *house) {
				s := h.make()
				cutAfter(s, "rotate", step)
				if err := s.Repair(t.Context()); !errors.Is(err, errCut) {
					t.Fatalf("Repair = %v", err)
				}
				again := h.start()
				h.check(again)
				if g, err := again.active(); err != nil || g.Number != 1 {
					t.Errorf("active is %d, %v", g.Number, err)
				}
				if got, want := h.actions(), "ca:rotate ca:activate"; got != want {
					t.Errorf("journal has %q, want %q", got, want)
				}
			})
		})
	}
}

func TestIssueSurvivesPowerCut(t *testing.T) {
	for step := 1; step <= 4; step++ {
		t.Run(fmt.Sprint("after step ", step), func(t *testing.T) {
			eachHouse(t, func(t *testing.T, h *house) {
				s, d, key := h.start(), newDevice(), newKey(t)
				request := Request{Device: d, CSR: csr(t, key, d.ID), Enabled: true}
				cutAfter(s, "issue", step)
				if _, err := s.Issue(t.Context(), editor, request); !errors.Is(err, errCut) {
					t.Fatalf("Issue = %v", err)
				}
				again := h.start()
				h.check(again)
				left := h.certificates(d)
				switch {
				case step == 1 && len(left) != 0:
					t.Errorf("there is %+v", left)
				case (step == 2 || step == 3) && (len(left) != 1 || left[0].State != Abandoned || left[0].DER != nil):
					t.Errorf("there is %+v, want one that is abandoned", left)
				case step == 4 && (len(left) != 1 || left[0].State != Issued):
					t.Errorf("there is %+v, want one that is issued", left)
				}
				// The client asks again with the same request.
				c, err := again.Issue(t.Context(), editor, request)
				if err != nil {
					t.Fatalf("asking again: %v", err)
				}
				if step == 4 && c.ID != left[0].ID {
					t.Error("asking again made another certificate")
				}
				if got, err := again.Check(t.Context(), leaf(t, c), noon); err != nil || got.Device != d.ID {
					t.Errorf("Check = %q, %v", got.Device, err)
				}
			})
		})
	}
}

// A certificate that was signed when another start rolled it back is not handed out.
func TestIssueLosesAgainstRepair(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		s.cut = func(act string, step int) error {
			if act == "issue" && step == 3 {
				h.start()
			}
			return nil
		}
		if _, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: csr(t, newKey(t), d.ID), Enabled: true}); !errors.Is(err, ErrInterrupted) {
			t.Errorf("Issue = %v, want %v", err, ErrInterrupted)
		}
	})
}

// When another process rotates between the check of a request and its signature,
// the certificate is of the new generation.
func TestIssueFollowsForeignRotation(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, other, d := h.start(), h.start(), newDevice()
		if _, err := other.Rotate(t.Context(), system, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if c := issue(t, s, d, newKey(t)); c.Generation != 2 {
			t.Errorf("issued by generation %d, want 2", c.Generation)
		}
	})
}

func TestRevokeSurvivesPowerCut(t *testing.T) {
	for step := 1; step <= 4; step++ {
		t.Run(fmt.Sprint("after step ", step), func(t *testing.T) {
			eachHouse(t, func(t *testing.T, h *house) {
				s, d := h.start(), newDevice()
				c := issue(t, s, d, newKey(t))
				if _, err := s.Check(t.Context(), leaf(t, c), noon); err != nil {
					t.Fatal(err)
				}
				cutAfter(s, "revoke", step)
				if err := s.Revoke(t.Context(), editor, d, c.ID, Unspecified); !errors.Is(err, errCut) {
					t.Fatalf("Revoke = %v", err)
				}
				again := h.start()
				h.check(again)
				want := error(ErrRevoked)
				if step == 1 {
					want = nil // it was not done, and nobody was told that it was
				}
				if _, err := again.Check(t.Context(), leaf(t, c), noon); !errors.Is(err, want) {
					t.Errorf("Check = %v, want %v", err, want)
				}
				if err := again.Revoke(t.Context(), editor, d, c.ID, Unspecified); err != nil {
					t.Errorf("asking again: %v", err)
				}
				if _, err := again.Check(t.Context(), leaf(t, c), noon); !errors.Is(err, ErrRevoked) {
					t.Errorf("after asking again: %v", err)
				}
			})
		})
	}
}

func TestRotateSurvivesPowerCut(t *testing.T) {
	until := noon.Add(24 * time.Hour)
	for step := 1; step <= 5; step++ {
		t.Run(fmt.Sprint("after step ", step), func(t *testing.T) {
			eachHouse(t, func(t *testing.T, h *house) {
				s, d := h.start(), newDevice()
				old := issue(t, s, d, newKey(t))
				cutAfter(s, "rotate", step)
				if _, err := s.Rotate(t.Context(), system, until); !errors.Is(err, errCut) {
					t.Fatalf("Rotate = %v", err)
				}
				again := h.start()
				h.check(again)
				g, err := again.active()
				if err != nil {
					t.Fatal(err)
				}
				want := 2
				if step == 1 {
					want = 1 // nothing was decided
				}
				if g.Number != want {
					t.Errorf("active is generation %d, want %d", g.Number, want)
				}
				if _, err := again.Check(t.Context(), leaf(t, old), noon); err != nil {
					t.Errorf("old certificate before the date: %v", err)
				}
				if step > 1 {
					if _, err := again.Check(t.Context(), leaf(t, old), until.Add(time.Second)); !errors.Is(err, ErrEnded) {
						t.Errorf("old certificate after the date: %v, want %v", err, ErrEnded)
					}
				}
				fresh := issue(t, again, d, newKey(t))
				if fresh.Generation != want {
					t.Errorf("issued by generation %d, want %d", fresh.Generation, want)
				}
			})
		})
	}
}

// A rotation that failed while the server ran is finished by the next one.
func TestRotateFinishesWhatFailed(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s := h.start()
		cutAfter(s, "rotate", 2)
		if _, err := s.Rotate(t.Context(), system, noon); !errors.Is(err, errCut) {
			t.Fatalf("Rotate = %v", err)
		}
		s.cut = func(string, int) error { return nil }
		if _, err := s.Rotate(t.Context(), system, noon); !errors.Is(err, ErrRotating) {
			t.Errorf("Rotate = %v, want %v", err, ErrRotating)
		}
		h.check(s)
		if g, err := s.active(); err != nil || g.Number != 2 {
			t.Errorf("active is %d, %v", g.Number, err)
		}
	})
}

func TestOldGenerationEnds(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		old := issue(t, s, d, newKey(t))
		before := s.Pool()
		until := noon.Add(time.Hour)
		g, err := s.Rotate(t.Context(), system, until)
		if err != nil || g.Number != 2 || g.Phase != Active {
			t.Fatalf("Rotate = %+v, %v", g, err)
		}
		if s.Pool() == before {
			t.Error("the pool is the old one")
		}
		fresh := issue(t, s, d, newKey(t))
		count := func() (n int) {
			for rest := h.onDisk(); ; n++ {
				var b *pem.Block
				if b, rest = pem.Decode(rest); b == nil {
					return n
				}
			}
		}
		if got := count(); got != 2 {
			t.Errorf("the file has %d roots, want 2", got)
		}
		status, err := s.Status(t.Context())
		if err != nil || len(status) != 2 || status[0].Devices != 1 || status[0].Certificates != 1 || status[1].Certificates != 1 || !status[0].Accepted {
			t.Errorf("Status = %+v, %v", status, err)
		}
		for _, c := range []Certificate{old, fresh} {
			if _, err := s.Check(t.Context(), leaf(t, c), noon); err != nil {
				t.Errorf("generation %d: %v", c.Generation, err)
			}
		}
		// It is ended earlier than planned.
		h.pass(time.Minute)
		if err := s.Accept(t.Context(), system, 1, h.clock()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check(t.Context(), leaf(t, old), h.clock()); !errors.Is(err, ErrEnded) {
			t.Errorf("Check = %v, want %v", err, ErrEnded)
		}
		if got := count(); got != 1 {
			t.Errorf("the file has %d roots, want 1", got)
		}
		if err := s.Accept(t.Context(), system, 2, h.clock()); !errors.Is(err, ErrGeneration) {
			t.Errorf("ending the active generation: %v, want %v", err, ErrGeneration)
		}
		h.check(s)
	})
}

// The replay of a stolen CA: the key signs certificates that were never issued, and
// after an immediate rotation it signs nothing at all.
func TestStolenKeyIsWorthNothingAfterRotation(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		real := issue(t, s, d, newKey(t))
		if _, err := s.Rotate(t.Context(), system, h.clock()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check(t.Context(), leaf(t, real), h.clock()); !errors.Is(err, ErrEnded) {
			t.Errorf("Check = %v, want %v", err, ErrEnded)
		}
		if c := issue(t, s, d, newKey(t)); c.Generation != 2 {
			t.Errorf("issued by generation %d", c.Generation)
		}
	})
}

func TestRotateIsTheAdministratorsOnly(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s := h.start()
		admin := access.Actor{Kind: access.User, ID: editor.ID, Space: space, Role: access.Admin}
		if _, err := s.Rotate(t.Context(), admin, noon); !errors.Is(err, access.ErrDenied) {
			t.Errorf("Rotate = %v, want %v", err, access.ErrDenied)
		}
		if err := s.Accept(t.Context(), admin, 1, noon); !errors.Is(err, access.ErrDenied) {
			t.Errorf("Accept = %v, want %v", err, access.ErrDenied)
		}
		if _, err := s.Rotate(t.Context(), system, noon.AddDate(60, 0, 0)); !errors.Is(err, ErrDate) {
			t.Errorf("far ahead: %v, want %v", err, ErrDate)
		}
	})
}

// Run tells everyone when a generation's time has come, without anyone asking.
func TestRunEndsGenerations(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s := h.start()
		if _, err := s.Rotate(t.Context(), system, noon.Add(20*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		news := s.Changes.Subscribe(8)
		defer news.Close()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		h.pass(10 * time.Millisecond)
		go func() { ended <- s.Run(ctx) }()
		h.pass(10 * time.Millisecond)
		select {
		case c := <-news.C():
			if c != (Change{}) {
				t.Errorf("published %+v", c)
			}
		case <-time.After(10 * time.Second):
			t.Error("nobody was told")
		}
		if !bytes.Equal(h.onDisk(), s.PEM()) || bytes.Count(h.onDisk(), []byte("BEGIN")) != 1 {
			t.Errorf("the file has %q", h.onDisk())
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
	})
}

// Two generations bear one name: TLS must let devices of both in, by the pool that
// a listener takes for each connection.
func TestListenersTakeBothGenerations(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		oldKey, newerKey, serverKey := newKey(t), newKey(t), newKey(t)
		old := issue(t, s, d, oldKey)
		server := issue(t, s, newDevice(), serverKey) // any certificate will do for the other side
		if _, err := s.Rotate(t.Context(), system, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		fresh := issue(t, s, d, newerKey)
		config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{
				MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
				ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.Pool(), Time: h.clock,
				Certificates: []tls.Certificate{{Certificate: [][]byte{server.DER}, PrivateKey: serverKey}},
			}, nil
		}}
		shake := func(client tls.Certificate) error {
			a, b := net.Pipe()
			defer a.Close()
			defer b.Close()
			go func() {
				c := tls.Client(a, &tls.Config{Certificates: []tls.Certificate{client}, InsecureSkipVerify: true})
				_ = c.Handshake()
			}()
			conn := tls.Server(b, config)
			if err := conn.HandshakeContext(t.Context()); err != nil {
				return err
			}
			_, err := s.Check(t.Context(), conn.ConnectionState().PeerCertificates[0], h.clock())
			return err
		}
		oldPair := tls.Certificate{Certificate: [][]byte{old.DER}, PrivateKey: oldKey}
		if err := shake(oldPair); err != nil {
			t.Errorf("old generation: %v", err)
		}
		if err := shake(tls.Certificate{Certificate: [][]byte{fresh.DER}, PrivateKey: newerKey}); err != nil {
			t.Errorf("new generation: %v", err)
		}
		if err := s.Accept(t.Context(), system, 1, h.clock()); err != nil {
			t.Fatal(err)
		}
		if err := shake(oldPair); err == nil {
			t.Error("old generation is let in after its end")
		}
	})
}
