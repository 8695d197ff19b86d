package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"log/slog"
	"maps"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const space = "51000000-0000-4000-8000-000000000001"

var (
	noon   = time.Date(2026, 10, 17, 13, 20, 30, 123456789, time.UTC)
	system = access.Actor{Kind: access.System}
	editor = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: space, Role: access.Editor}
)

// A house is a CA that can be started again on what a power cut has left.
type house struct {
	t    testing.TB
	db   *db.DB
	ring *keys.Ring

	mu        sync.Mutex
	now       time.Time // guarded by mu
	published []byte    // guarded by mu: what DIR/ca/device-ca.pem would hold
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, newHouse(t, d)) })
}

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{t: t, db: d, now: noon}
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring)))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) onDisk() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.published
}

// make builds a CA as a process does when it starts, and does not repair it yet.
func (h *house) make() *Service {
	h.t.Helper()
	s, err := New(Needs{
		Store: SQL(h.db), Keys: h.ring, Now: h.clock, Log: slog.New(slog.NewTextHandler(h.t.Output(), nil)),
		Publish: func(pem []byte) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.published = pem
			return nil
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// start is make and Repair.
func (h *house) start() *Service {
	h.t.Helper()
	s := h.make()
	if err := s.Repair(h.t.Context()); err != nil {
		h.t.Fatalf("Repair = %v", err)
	}
	return s
}

// actions are what the journal says, oldest first.
func (h *house) actions() string {
	h.t.Helper()
	var all []string
	err := h.db.Read(h.t.Context(), func(tx *db.Tx) error {
		all = nil
		rows, err := tx.Query(h.t.Context(), `select action from journal order by number`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a string
			if err := rows.Scan(&a); err != nil {
				return err
			}
			all = append(all, a)
		}
		return rows.Err()
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func (h *house) certificates(device Device) []Certificate {
	h.t.Helper()
	all, err := SQL(h.db).list(h.t.Context(), device.Space, device.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func newDevice() Device { return Device{ID: uuid.NewString(), Space: space} }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func csr(t testing.TB, key *ecdsa.PrivateKey, name string) []byte {
	t.Helper()
	text, err := boardcert.MakeCSR(rand.Reader, key, name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func issue(t testing.TB, s *Service, d Device, key *ecdsa.PrivateKey) Certificate {
	t.Helper()
	c, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: csr(t, key, d.ID), Enabled: true})
	if err != nil {
		t.Fatalf("Issue = %v", err)
	}
	return c
}

func leaf(t testing.TB, c Certificate) *x509.Certificate {
	t.Helper()
	l, err := x509.ParseCertificate(c.DER)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFirstStartMakesGenerationOne(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s := h.make()
		if _, err := s.Issue(t.Context(), editor, Request{Device: Device{"c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab", space}, CSR: csr(t, newKey(t), "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab")}); !errors.Is(err, ErrNotReady) {
			t.Errorf("Issue before the first Repair = %v, want %v", err, ErrNotReady)
		}
		if err := s.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := s.Status(t.Context())
		if err != nil || len(all) != 1 || all[0].Number != 1 || all[0].Phase != Active || !all[0].Accepted {
			t.Fatalf("Status = %+v, %v", all, err)
		}
		root := all[0].Certificate
		if !bytes.Equal(root.RawSubject, boardcert.Issuer()) || root.NotAfter.Before(noon.AddDate(boardcert.Years, 0, 0)) {
			t.Errorf("root is %v until %v", root.Subject, root.NotAfter)
		}
		block, rest := pem.Decode(h.onDisk())
		if block == nil || len(rest) != 0 || !bytes.Equal(block.Bytes, root.Raw) {
			t.Errorf("published %q", h.onDisk())
		}
		// A second start finds all of it and changes nothing.
		again := h.start()
		if g, err := again.active(); err != nil || !bytes.Equal(g.Certificate.Raw, root.Raw) {
			t.Errorf("second start has generation %+v, %v", g, err)
		}
		if got, want := h.actions(), "ca:rotate ca:activate"; got != want {
			t.Errorf("journal has %q, want %q", got, want)
		}
	})
}

func TestIssuedCertificateLetsItsDeviceIn(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d, key := h.start(), newDevice(), newKey(t)
		c := issue(t, s, d, key)
		l := leaf(t, c)
		if _, err := l.Verify(x509.VerifyOptions{Roots: s.Pool(), CurrentTime: noon, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("chain: %v", err)
		}
		if _, err := boardcert.Compress(c.DER); err != nil {
			t.Errorf("a board cannot rebuild it: %v", err)
		}
		if want := time.Date(2026, 10, 17, 13, 0, 0, 0, time.UTC); !l.NotBefore.Equal(want) || !l.NotAfter.Equal(want.AddDate(31, 0, 0)) {
			t.Errorf("valid from %v to %v", l.NotBefore, l.NotAfter)
		}
		for range 2 { // from the database, then from the cache
			got, err := s.Check(t.Context(), l, noon)
			if err != nil || got.Device != d.ID || got.Space != space {
				t.Errorf("Check = %q in %q, %v", got.Device, got.Space, err)
			}
		}
		if got, want := h.actions(), "ca:rotate ca:activate ca:issue"; got != want {
			t.Errorf("journal has %q, want %q", got, want)
		}
		// What a lost answer makes a client do.
		if again := issue(t, s, d, key); again.ID != c.ID || !bytes.Equal(again.DER, c.DER) {
			t.Errorf("the same request was answered with %s and %s", c.ID, again.ID)
		}
		h.pass(time.Second)
		if other := issue(t, s, d, newKey(t)); other.ID == c.ID {
			t.Error("another key was answered with the same certificate")
		}
		listed, err := s.List(t.Context(), editor, d, false)
		if err != nil || len(listed) != 2 || listed[0].ID != c.ID {
			t.Errorf("List = %+v, %v", listed, err)
		}
		if known, err := s.Known(t.Context(), d.ID); err != nil || !known {
			t.Errorf("Known = %v, %v", known, err)
		}
	})
}

// Whether few devices are asked about or many, the answer is the same.
func TestIssuersAreThoseOfGoodCertificates(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s := h.start()
		devices := map[string]Device{}
		for _, name := range []string{"one", "two", "disabled", "revoked", "none", "elsewhere"} {
			devices[name] = newDevice()
		}
		named := func(name, ca string) Certificate {
			t.Helper()
			d := devices[name]
			c, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: csr(t, newKey(t), d.ID), CA: ca, Enabled: true})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		named("one", "Arduino")
		named("two", "Arduino")
		h.pass(time.Second)
		named("two", "Arduino_v2")
		if _, err := s.SetEnabled(t.Context(), editor, devices["disabled"], named("disabled", "Arduino").ID, false, ""); err != nil {
			t.Fatal(err)
		}
		if err := s.Revoke(t.Context(), editor, devices["revoked"], named("revoked", "Arduino").ID, Unspecified); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{devices["one"].ID: "Arduino", devices["two"].ID: "Arduino_v2"}
		var all []string
		for name, d := range devices {
			got, err := s.Issuers(t.Context(), space, []string{d.ID})
			if err != nil || got[d.ID] != want[d.ID] || len(got) > 1 {
				t.Errorf("%s: Issuers = %v, %v, want %q", name, got, err, want[d.ID])
			}
			if got, err := s.Issuers(t.Context(), "another", []string{d.ID}); err != nil || len(got) != 0 {
				t.Errorf("%s: Issuers in another space = %v, %v", name, got, err)
			}
			all = append(all, d.ID)
		}
		for len(all) <= fewDevices {
			all = append(all, newDevice().ID)
		}
		if got, err := s.Issuers(t.Context(), space, all); err != nil || !maps.Equal(got, want) {
			t.Errorf("Issuers of all = %v, %v, want %v", got, err, want)
		}
	})
}

// What is known lets TLS go on without the chain, so it must be the very certificate.
func TestKnowsOnlyTheVeryCertificate(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d, key := h.start(), newDevice(), newKey(t)
		c := issue(t, s, d, key)
		l := leaf(t, c)
		for range 2 { // from the database, then from the cache
			if !s.Knows(l) {
				t.Error("an issued certificate is not known")
			}
		}
		forged, err := x509.CreateCertificate(rand.Reader, l, l, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		f, err := x509.ParseCertificate(forged)
		if err != nil {
			t.Fatal(err)
		}
		if f.SerialNumber.Cmp(l.SerialNumber) != 0 || s.Knows(f) {
			t.Errorf("known: a certificate that the board has signed itself with the serial number of its own")
		}
		if err := s.Revoke(t.Context(), editor, d, c.ID, Unspecified); err != nil {
			t.Fatal(err)
		}
		if s.Knows(l) {
			t.Error("a revoked certificate is known")
		}
	})
}

// rawCSR is a request that MakeCSR would not make.
func rawCSR(t testing.TB, key any, template x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func scalarKey(t testing.TB, scalar []byte) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestIssueRefuses(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, victim, d := h.start(), newDevice(), newDevice()
		taken := newKey(t)
		issue(t, s, victim, taken)
		p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		name := pkix.Name{CommonName: d.ID}
		good := csr(t, newKey(t), d.ID)
		swapped := bytes.Replace(good, good[200:204], []byte("AAAA"), 1)
		highEnd := new(big.Int).Sub(elliptic.P256().Params().N, big.NewInt(200)).Bytes()
		caFlag := pkix.Extension{Id: []int{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 0x03, 0x01, 0x01, 0xff}}
		one, three := make([]byte, 32), make([]byte, 32)
		one[31], three[30] = 1, 1
		for what, c := range map[string]struct {
			csr  []byte
			want error
		}{
			"nothing":                     {nil, boardcert.ErrCSR},
			"not PEM":                     {[]byte("hello"), boardcert.ErrCSR},
			"malformed DER":               {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: []byte{0x30, 0x82, 0xff, 0xff, 1}}), boardcert.ErrCSR},
			"a bit is changed":            {swapped, boardcert.ErrCSR},
			"longer than a board's":       {append(good, bytes.Repeat([]byte{'\n'}, 1024)...), boardcert.ErrCSR},
			"another curve":               {rawCSR(t, p384, x509.CertificateRequest{Subject: name}), boardcert.ErrCSR},
			"CA flag":                     {rawCSR(t, newKey(t), x509.CertificateRequest{Subject: name, ExtraExtensions: []pkix.Extension{caFlag}}), boardcert.ErrCSR},
			"other names":                 {rawCSR(t, newKey(t), x509.CertificateRequest{Subject: name, DNSNames: []string{victim.ID}}), boardcert.ErrCSR},
			"another device's name":       {csr(t, newKey(t), victim.ID), ErrName},
			"name in upper case":          {csr(t, newKey(t), strings.ToUpper(d.ID)), ErrName},
			"no name":                     {rawCSR(t, newKey(t), x509.CertificateRequest{}), ErrName},
			"any name":                    {csr(t, newKey(t), "board"), ErrName},
			"another device's key":        {csr(t, taken, d.ID), ErrKeyTaken},
			"the key of private key 1":    {csr(t, scalarKey(t, one), d.ID), ErrWeakKey},
			"the key of private key 256":  {csr(t, scalarKey(t, three), d.ID), ErrWeakKey},
			"the key of private key -200": {csr(t, scalarKey(t, highEnd), d.ID), ErrWeakKey},
		} {
			if _, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: c.csr, Enabled: true}); !errors.Is(err, c.want) {
				t.Errorf("%s: Issue = %v, want %v", what, err, c.want)
			}
		}
		if all := h.certificates(d); len(all) != 0 {
			t.Errorf("refused requests left %d certificates", len(all))
		}
		stranger := editor
		stranger.Space = "51000000-0000-4000-8000-000000000002"
		if _, err := s.Issue(t.Context(), stranger, Request{Device: d, CSR: good, Enabled: true}); !errors.Is(err, access.ErrDenied) {
			t.Errorf("from another space: %v", err)
		}
		if _, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: good, Enabled: true, CA: strings.Repeat("x", 65)}); !errors.Is(err, ErrLabel) {
			t.Errorf("long name of the CA: %v", err)
		}
		if _, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: csr(t, newKey(t), strings.Repeat("0f", 32)), Enabled: true}); err != nil {
			t.Errorf("in the name of a hardware id: %v", err)
		}
	})
}

// The request of the reference (vector I5), as a real board made it.
func TestRealBoardsRequestIsGranted(t *testing.T) {
	der, err := hex.DecodeString("3081ea308191020100302f312d302b0603550403132463346431663161322d376533622d346235632d396436652d303132333435363738396162" +
		"3059301306072a8648ce3d020106082a8648ce3d03010703420004ca9d3bf4add3dd9470694220cf29fe9765b7f32dc18f892d932021793b0c1f" +
		"10beb410f4a70e226fc33126241a4decd661b5e0febb95b2edb3ac735c6f511a13a000300a06082a8648ce3d0403020348003045022100b7425c" +
		"8d0f6be871b0727670bb71f0a91b25029430d7be0c7f49698ceb611a14022009226faaba81cf153cb1e9c1659925fc49a33f8837291a539c0f9b" +
		"f359bb9ea0")
	if err != nil {
		t.Fatal(err)
	}
	eachHouse(t, func(t *testing.T, h *house) {
		d := Device{"c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab", space}
		c, err := h.start().Issue(t.Context(), editor, Request{Device: d, CSR: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), Enabled: true})
		if err != nil || leaf(t, c).Subject.CommonName != d.ID || c.CA != "Arduino_v2" {
			t.Errorf("Issue = %+v, %v", c, err)
		}
	})
}

func TestIssueQuota(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		s.needs.Limits = Limits{PerDevice: 3, PerSpaceDay: 5}
		first := issue(t, s, d, newKey(t))
		issue(t, s, d, newKey(t))
		issue(t, s, d, newKey(t))
		ask := func(d Device) error {
			_, err := s.Issue(t.Context(), editor, Request{Device: d, CSR: csr(t, newKey(t), d.ID), Enabled: true})
			return err
		}
		if err := ask(d); !errors.Is(err, ErrQuota) {
			t.Errorf("fourth of a device: %v, want %v", err, ErrQuota)
		}
		if err := s.Revoke(t.Context(), editor, d, first.ID, Unspecified); err != nil {
			t.Fatal(err)
		}
		if err := ask(d); err != nil {
			t.Errorf("after one was revoked: %v", err)
		}
		if err := ask(newDevice()); err != nil {
			t.Errorf("fifth of a space: %v", err)
		}
		if err := ask(newDevice()); !errors.Is(err, ErrQuota) {
			t.Errorf("sixth of a space: %v, want %v", err, ErrQuota)
		}
		h.pass(25 * time.Hour)
		if err := ask(newDevice()); err != nil {
			t.Errorf("the next day: %v", err)
		}
	})
}

// Certificates that begin after 2031 cannot be written into a board; they begin then.
func TestIssueAfter2031(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		h.pass(10 * 365 * 24 * time.Hour)
		s, d := h.start(), newDevice()
		c := issue(t, s, d, newKey(t))
		if !c.NotBefore.Equal(lastStart) {
			t.Errorf("begins %v", c.NotBefore)
		}
		if _, err := s.Check(t.Context(), leaf(t, c), h.clock()); err != nil {
			t.Errorf("Check = %v", err)
		}
	})
}

// forge makes a certificate in the profile of boards, signed by any key.
func forge(t testing.TB, signer *ecdsa.PrivateKey, p boardcert.Profile) *x509.Certificate {
	t.Helper()
	der, err := boardcert.Issue(rand.Reader, signer, p)
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// malleate gives a certificate the other signature that its first one implies.
func malleate(t testing.TB, l *x509.Certificate) *x509.Certificate {
	t.Helper()
	sig, err := boardcert.ParseSignature(l.Signature)
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	at := bytes.LastIndex(l.Raw, l.Signature)
	raw := append([]byte{}, l.Raw[:at]...)
	raw = append(raw, sig.ASN1()...)
	// The lengths around the signature change when an integer gets or loses its 00.
	diff := len(raw) - len(l.Raw)
	total := int(raw[2])<<8 | int(raw[3]) + 0
	total += diff
	raw[2], raw[3] = byte(total>>8), byte(total)
	raw[at-2] = byte(int(raw[at-2]) + diff) // BIT STRING length, before its count of unused bits
	twin, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return twin
}

func TestCheckTellsWhyNot(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		good, revoked, disabled := issue(t, s, d, newKey(t)), issue(t, s, d, newKey(t)), issue(t, s, d, newKey(t))
		if err := s.Revoke(t.Context(), editor, d, revoked.ID, Superseded); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SetEnabled(t.Context(), editor, d, disabled.ID, false, ""); err != nil {
			t.Fatal(err)
		}
		g, err := s.active()
		if err != nil {
			t.Fatal(err)
		}
		mine, err := h.ring.Signer(t.Context(), g.KeyName)
		if err != nil {
			t.Fatal(err)
		}
		stolen := func(p boardcert.Profile) *x509.Certificate { // the CA's key in foreign hands
			der, err := boardcert.Issue(rand.Reader, mine, p)
			if err != nil {
				t.Fatal(err)
			}
			l, err := x509.ParseCertificate(der)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		foreign := newKey(t)
		p := profile(d.ID, g, &newKey(t).PublicKey, noon)
		clone := p
		clone.Serial = good.Serial
		foreignKeyID := p
		if foreignKeyID.AKI, err = boardcert.KeyID(&foreign.PublicKey); err != nil {
			t.Fatal(err)
		}
		sameKey := p
		sameKey.Serial, sameKey.Key = good.Serial, leaf(t, good).PublicKey.(*ecdsa.PublicKey)
		for what, c := range map[string]struct {
			leaf *x509.Certificate
			at   time.Time
			want error
		}{
			"good":                                  {leaf(t, good), noon, nil},
			"revoked":                               {leaf(t, revoked), noon, ErrRevoked},
			"disabled":                              {leaf(t, disabled), noon, ErrDisabled},
			"expired":                               {leaf(t, good), good.NotAfter.Add(time.Second), ErrExpired},
			"not yet valid":                         {leaf(t, good), good.NotBefore.Add(-time.Second), ErrNotYet},
			"foreign CA of the same name":           {forge(t, foreign, foreignKeyID), noon, ErrForeign},
			"foreign CA that claims our key id":     {forge(t, foreign, p), noon, ErrForeign},
			"known serial, other key":               {forge(t, foreign, clone), noon, ErrOtherKey},
			"known serial and key, foreign CA":      {forge(t, foreign, sameKey), noon, ErrOtherKey},
			"our signature, never issued":           {stolen(p), noon, ErrNeverIssued},
			"our signature, known serial, own key":  {stolen(clone), noon, ErrNeverIssued},
			"the same with its signature rewritten": {malleate(t, leaf(t, good)), noon, ErrOtherKey},
		} {
			for range 2 { // the cache must not change the answer
				got, err := s.Check(t.Context(), c.leaf, c.at)
				if !errors.Is(err, c.want) && !(c.want == nil && err == nil) || (err == nil) != (got.Device == d.ID) {
					t.Errorf("%s: Check = %q, %v, want %v", what, got.Device, err, c.want)
				}
			}
		}
		counted := s.Refusals()
		for _, code := range refusalCodes[:7] {
			if counted[code] < 2 {
				t.Errorf("%s was counted %d times", code, counted[code])
			}
		}
		if _, err := s.SetEnabled(t.Context(), editor, d, disabled.ID, true, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Check(t.Context(), leaf(t, disabled), noon); err != nil {
			t.Errorf("enabled again: %v", err)
		}
	})
}

func TestRevokedIsRefused(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d, other := h.start(), newDevice(), newDevice()
		key := newKey(t)
		c := issue(t, s, d, key)
		if _, err := s.Check(t.Context(), leaf(t, c), noon); err != nil { // now it is cached
			t.Fatal(err)
		}
		news := s.Changes.Subscribe(1)
		defer news.Close()
		for range 2 {
			if err := s.Revoke(t.Context(), editor, d, c.ID, Unspecified); err != nil {
				t.Fatalf("Revoke = %v", err)
			}
		}
		if got := <-news.C(); got != (Change{space, d.ID}) {
			t.Errorf("published %+v", got)
		}
		if _, err := s.Check(t.Context(), leaf(t, c), noon); !errors.Is(err, ErrRevoked) {
			t.Errorf("Check = %v, want %v", err, ErrRevoked)
		}
		if _, err := s.Get(t.Context(), editor, d, c.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get = %v, want %v", err, ErrNotFound)
		}
		if err := s.Revoke(t.Context(), editor, other, c.ID, Unspecified); !errors.Is(err, ErrNotFound) {
			t.Errorf("Revoke through another device = %v, want %v", err, ErrNotFound)
		}
		// The board gets another certificate for the same key, and another device may
		// have it as well once nobody else does.
		h.pass(time.Second)
		again := issue(t, s, d, key)
		if _, err := s.Check(t.Context(), leaf(t, again), noon); err != nil {
			t.Errorf("issued again: %v", err)
		}
		if err := s.RevokeDevice(t.Context(), editor, d, Ceased); err != nil {
			t.Fatal(err)
		}
		moved := issue(t, s, other, key)
		// A stolen key is worth nothing any more, to nobody.
		if err := s.Revoke(t.Context(), editor, other, moved.ID, KeyCompromise); err != nil {
			t.Fatal(err)
		}
		for _, x := range []Device{d, other, newDevice()} {
			if _, err := s.Issue(t.Context(), editor, Request{Device: x, CSR: csr(t, key, x.ID), Enabled: true}); !errors.Is(err, ErrKeyTaken) {
				t.Errorf("stolen key: Issue = %v, want %v", err, ErrKeyTaken)
			}
		}
		// The worst reason replaces a milder one, and no other does.
		if err := s.Revoke(t.Context(), editor, d, c.ID, KeyCompromise); err != nil {
			t.Fatal(err)
		}
		if err := s.Revoke(t.Context(), editor, d, c.ID, Superseded); err != nil {
			t.Fatal(err)
		}
		if got := h.certificates(d)[0].Reason; got != KeyCompromise {
			t.Errorf("reason is %q", got)
		}
	})
}

// slowStore lets something happen after a certificate was read and before the
// reader goes on.
type slowStore struct {
	Store
	between func()
}

func (s slowStore) bySerial(ctx context.Context, serial [16]byte) (Certificate, error) {
	c, err := s.Store.bySerial(ctx, serial)
	s.between()
	return c, err
}

func TestRevocationBeatsTheCache(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		c := issue(t, s, d, newKey(t))
		between := func() {}
		s.needs.Store = slowStore{s.needs.Store, func() { between() }}
		between = func() {
			between = func() {}
			if err := s.Revoke(t.Context(), editor, d, c.ID, Unspecified); err != nil {
				t.Error(err)
			}
		}
		// This connect may still succeed: it began before. None after it does.
		_, _ = s.Check(t.Context(), leaf(t, c), noon)
		if _, err := s.Check(t.Context(), leaf(t, c), noon); !errors.Is(err, ErrRevoked) {
			t.Errorf("Check = %v, want %v", err, ErrRevoked)
		}
	})
}

func TestParseReason(t *testing.T) {
	for text, want := range map[string]Reason{"": Unspecified, "Key-Compromise": KeyCompromise, "superseded": Superseded, "cessation-of-operation": Ceased} {
		if got, err := ParseReason(text); got != want || err != nil {
			t.Errorf("ParseReason(%q) = %q, %v, want %q", text, got, err, want)
		}
	}
	if _, err := ParseReason("boredom"); !errors.Is(err, ErrReason) {
		t.Errorf("ParseReason = %v, want %v", err, ErrReason)
	}
}

func TestNewSaysWhatIsMissing(t *testing.T) {
	if _, err := New(Needs{}); err == nil {
		t.Error("New accepted nothing")
	}
}

// Whatever text a client sends as a request, checkRequest refuses it or hands out
// a P-256 key that is not guessable, under a name that the device may have.
func FuzzRequest(f *testing.F) {
	const id = "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"
	weak, err := guessable()
	if err != nil {
		f.Fatal(err)
	}
	s := &Service{guessable: weak}
	key := scalarKey(f, bytes.Repeat([]byte{7}, 32))
	f.Add(csr(f, key, id))
	f.Add(csr(f, key, strings.Repeat("ab", 32)))
	f.Add(csr(f, key, "22222222-7e3b-4b5c-9d6e-0123456789ab"))
	f.Add(rawCSR(f, key, x509.CertificateRequest{Subject: pkix.Name{CommonName: id}, DNSNames: []string{"x"}}))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, hash, err := s.checkRequest(Request{Device: Device{id, space}, CSR: text})
		if err != nil {
			return
		}
		if got.Key.Curve != elliptic.P256() || got.Name != id && !isHardwareID(got.Name) {
			t.Fatalf("accepted the name %q", got.Name)
		}
		spki, err := x509.MarshalPKIXPublicKey(got.Key)
		if err != nil || sha256.Sum256(spki) != hash {
			t.Fatalf("hash %x is not the key's (%v)", hash, err)
		}
	})
}

// entries of the journal are chained; acts must not break the chain.
func TestJournalHolds(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		s, d := h.start(), newDevice()
		c := issue(t, s, d, newKey(t))
		if err := s.Revoke(t.Context(), editor, d, c.ID, Unspecified); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Rotate(t.Context(), system, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Verify(t.Context(), h.db); err != nil {
			t.Errorf("Verify = %v", err)
		}
	})
}
