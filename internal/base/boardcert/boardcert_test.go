package boardcert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

func csrSubject(t testing.TB, csr CSR) pkix.Name {
	t.Helper()
	return pkix.Name{CommonName: csr.Name}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// anyProfile is random, with serial numbers that begin with zeros or a high bit more often than by chance.
func anyProfile(t testing.TB, random *mathrand.Rand) Profile {
	t.Helper()
	p := Profile{Years: random.IntN(32), Key: &newKey(t).PublicKey}
	if random.IntN(2) == 0 {
		p.Years = Years
	}
	for i := range p.Serial {
		p.Serial[i] = byte(random.Uint32())
	}
	for i := range p.AKI {
		p.AKI[i] = byte(random.Uint32())
	}
	switch random.IntN(4) {
	case 0:
		clear(p.Serial[:random.IntN(15)])
	case 1:
		p.Serial[0] |= 0x80
	}
	first := time.Date(firstYear, 1, 1, 0, 0, 0, 0, time.UTC)
	hours := int(time.Date(lastYear+1, 1, 1, 0, 0, 0, 0, time.UTC).Sub(first) / time.Hour)
	p.NotBefore = NotBefore(first.Add(time.Duration(random.IntN(hours)) * time.Hour))
	id := make([]byte, 16)
	for i := range id {
		id[i] = byte(random.Uint32())
	}
	p.DeviceID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	return p
}

// A thousand boards: what the CA issues fits into the slots and comes out of them the same.
func TestRandomCertificatesAreSplitAndRebuilt(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	ca := newKey(t)
	aki, err := KeyID(&ca.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	root, err := CreateRoot(rand.Reader, ca, [16]byte{1}, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	anchor, err := x509.ParseCertificate(root)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(anchor)
	for i := range 1000 {
		p := anyProfile(t, random)
		p.AKI = aki
		der, err := Issue(rand.Reader, ca, p)
		if err != nil {
			t.Fatalf("%d: %+v: %v", i, p, err)
		}
		s, err := Compress(der)
		if err != nil {
			t.Fatalf("%d: %x: %v", i, der, err)
		}
		if s.Certificate[0] == 0 || s.Certificate[32] == 0 {
			t.Fatalf("%d: half a signature is short: %x", i, s.Certificate)
		}
		parsed, signature, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if joined, err := parsed.Join(signature); err != nil || !bytes.Equal(joined, der) {
			t.Fatalf("%d: joined\n%x, %v, want\n%x", i, joined, err, der)
		}
		again, err := s.Rebuild(p.Key)
		if err != nil || !bytes.Equal(again, der) {
			t.Fatalf("%d: rebuilt\n%x, %v, want\n%x", i, again, err, der)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		_, err = cert.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: p.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		if err != nil {
			t.Fatalf("%d: %x: %v", i, der, err)
		}
		if len(der) < 260 {
			t.Fatalf("%d: %d bytes; some boards expect two bytes of length", i, len(der))
		}
	}
}

// crypto/x509, told the same, makes the same bytes.
func TestTheLibraryMakesTheSameCertificate(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(3, 4))
	ca := newKey(t)
	for range 50 {
		p := anyProfile(t, random)
		parent := &x509.Certificate{
			Subject:      pkix.Name{Country: []string{"US"}, Organization: []string{"Arduino LLC US"}, OrganizationalUnit: []string{"IT"}, CommonName: "Arduino"},
			SubjectKeyId: p.AKI[:],
		}
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: new(big.Int).SetBytes(p.Serial[:]), Subject: pkix.Name{CommonName: p.DeviceID},
			NotBefore: p.NotBefore, NotAfter: p.NotAfter(), SignatureAlgorithm: x509.ECDSAWithSHA256,
		}, parent, p.Key, ca)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if tbs, err := p.TBS(); err != nil || !bytes.Equal(tbs, cert.RawTBSCertificate) {
			t.Fatalf("%x, %v, want %x", tbs, err, cert.RawTBSCertificate)
		}
		if _, _, err := Parse(der); err != nil {
			t.Errorf("read %x: %v", der, err)
		}
	}
}

func TestWhatABoardCouldNotRebuildIsNotIssued(t *testing.T) {
	good := i4Profile(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 only the bare coordinates can be those of no point
	offCurve := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	for name, change := range map[string]func(*Profile){
		"minutes":                   func(p *Profile) { p.NotBefore = p.NotBefore.Add(time.Minute) },
		"nanoseconds":               func(p *Profile) { p.NotBefore = p.NotBefore.Add(1) },
		"1999":                      func(p *Profile) { p.NotBefore = time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC) },
		"2032":                      func(p *Profile) { p.NotBefore = time.Date(2032, 1, 1, 0, 0, 0, 0, time.UTC) },
		"the end on no 29 February": func(p *Profile) { p.NotBefore = time.Date(2028, 2, 29, 0, 0, 0, 0, time.UTC) },
		"32 years":                  func(p *Profile) { p.Years = 32 },
		"-1 years":                  func(p *Profile) { p.Years = -1 },
		"no serial number":          func(p *Profile) { p.Serial = [16]byte{} },
		"no key of the CA":          func(p *Profile) { p.AKI = [20]byte{} },
		"upper case":                func(p *Profile) { p.DeviceID = strings.ToUpper(deviceID) },
		"a hardware id":             func(p *Profile) { p.DeviceID = hardwareID },
		"another curve":             func(p *Profile) { p.Key = &p384.PublicKey },
		"no key":                    func(p *Profile) { p.Key = nil },
		"not on the curve":          func(p *Profile) { p.Key = offCurve },
	} {
		t.Run(name, func(t *testing.T) {
			p := good
			change(&p)
			if der, err := Issue(rand.Reader, pair(t, i1private, i1public), p); !errors.Is(err, ErrProfile) || der != nil {
				t.Errorf("issued %x, %v", der, err)
			}
		})
	}
	leap := good
	leap.NotBefore, leap.Years = time.Date(2028, 2, 29, 5, 0, 0, 0, time.UTC), 4
	if _, err := Issue(rand.Reader, pair(t, i1private, i1public), leap); err != nil {
		t.Errorf("from one leap year to another: %v", err)
	}
}

func TestNotBefore(t *testing.T) {
	for name, c := range map[string]struct{ at, want string }{
		"a whole hour":       {"2026-10-17T13:00:00Z", "2026-10-17T13:00:00Z"},
		"within the hour":    {"2026-10-17T13:59:59.9Z", "2026-10-17T13:00:00Z"},
		"another time zone":  {"2026-10-17T13:20:00+05:30", "2026-10-17T07:00:00Z"},
		"29 February":        {"2028-02-29T00:00:00Z", "2028-02-28T23:00:00Z"},
		"late 29 February":   {"2028-02-29T23:59:59Z", "2028-02-28T23:00:00Z"},
		"29 February of CET": {"2028-03-01T00:30:00+01:00", "2028-02-28T23:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := NotBefore(at).Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// scripted answers with the signatures that it was given, then with good ones.
type scripted struct {
	*ecdsa.PrivateKey
	answers [][]byte
	err     error
	asked   int
}

func (s *scripted) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.asked++
	if s.err != nil {
		return nil, s.err
	}
	if len(s.answers) > 0 {
		next := s.answers[0]
		s.answers = s.answers[1:]
		return next, nil
	}
	return s.PrivateKey.Sign(random, digest, opts)
}

func TestIssueSignsAgainUntilBothHalvesAreFull(t *testing.T) {
	full := bytes.Repeat([]byte{0x11}, 64)
	shortR, shortS := Signature(full), Signature(full)
	shortR[0], shortS[32] = 0, 0
	ca := &scripted{PrivateKey: pair(t, i1private, i1public), answers: [][]byte{shortR.ASN1(), shortS.ASN1()}}
	der, err := Issue(rand.Reader, ca, i4Profile(t))
	if err != nil || ca.asked < 3 {
		t.Errorf("asked %d times: %x, %v", ca.asked, der, err)
	}
	ca.asked, ca.answers = 0, nil
	for range signTries {
		ca.answers = append(ca.answers, shortR.ASN1())
	}
	if _, err := Issue(rand.Reader, ca, i4Profile(t)); !errors.Is(err, errShort) || ca.asked != signTries {
		t.Errorf("asked %d times: %v, want %v", ca.asked, err, errShort)
	}
}

func TestIssueHandsOutNoWrongSignature(t *testing.T) {
	wrong := Signature(bytes.Repeat([]byte{0x11}, 64)).ASN1()
	broken := errors.New("the token was pulled out")
	for name, ca := range map[string]*scripted{
		"a wrong one": {answers: [][]byte{wrong}},
		"nonsense":    {answers: [][]byte{{1, 2, 3}}},
		"an error":    {err: broken},
	} {
		ca.PrivateKey = pair(t, i1private, i1public)
		der, err := Issue(rand.Reader, ca, i4Profile(t))
		if err == nil || der != nil {
			t.Errorf("%s: %x, %v", name, der, err)
		}
		if ca.err != nil && !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Issue(rand.Reader, edwards, i4Profile(t)); err == nil {
		t.Errorf("a CA with an Ed25519 key issued")
	}
	if _, err := CreateRoot(rand.Reader, edwards, [16]byte{1}, i4NotBefore, i4NotBefore.AddDate(1, 0, 0)); err == nil {
		t.Errorf("a CA with an Ed25519 key was made")
	}
}

func TestRoot(t *testing.T) {
	ca := pair(t, i1private, i1public)
	der, err := CreateRoot(rand.Reader, ca, [16]byte{0xff}, i4NotBefore, i4NotBefore.AddDate(30, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := root.CheckSignatureFrom(root); err != nil {
		t.Errorf("it did not sign itself: %v", err)
	}
	if hex.EncodeToString(root.RawSubject) != i2 || hex.EncodeToString(root.RawIssuer) != i2 {
		t.Errorf("names %x and %x", root.RawSubject, root.RawIssuer)
	}
	if aki := i4Profile(t).AKI; !bytes.Equal(root.SubjectKeyId, aki[:]) {
		t.Errorf("key id %x, want %x", root.SubjectKeyId, aki)
	}
	if !root.IsCA || !root.MaxPathLenZero || root.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("CA %v, path %v, usage %b", root.IsCA, root.MaxPathLen, root.KeyUsage)
	}
}

func TestOtherCertificatesAreNotCompressed(t *testing.T) {
	ca := newKey(t)
	p := i4Profile(t)
	template := func() *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: new(big.Int).SetBytes(p.Serial[:]), Subject: pkix.Name{CommonName: p.DeviceID},
			NotBefore: p.NotBefore, NotAfter: p.NotAfter(), SignatureAlgorithm: x509.ECDSAWithSHA256,
		}
	}
	for name, change := range map[string]func(cert, parent *x509.Certificate){
		"a key usage":       func(cert, _ *x509.Certificate) { cert.KeyUsage = x509.KeyUsageDigitalSignature },
		"an alternate name": func(cert, _ *x509.Certificate) { cert.DNSNames = []string{"x"} },
		"another subject":   func(cert, _ *x509.Certificate) { cert.Subject.Organization = []string{"x"} },
		"UTF-8 in the name": func(cert, _ *x509.Certificate) { cert.Subject.CommonName = "à" },
		"another issuer":    func(_, parent *x509.Certificate) { parent.Subject.CommonName = "Arduino 2" },
		"no key id":         func(_, parent *x509.Certificate) { parent.SubjectKeyId = nil },
		"17 bytes of serial": func(cert, _ *x509.Certificate) {
			cert.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 135)
		},
		"minutes":         func(cert, _ *x509.Certificate) { cert.NotAfter = cert.NotAfter.Add(time.Minute) },
		"one day less":    func(cert, _ *x509.Certificate) { cert.NotAfter = cert.NotAfter.AddDate(0, 0, -1) },
		"more than years": func(cert, _ *x509.Certificate) { cert.NotAfter = cert.NotAfter.AddDate(10, 0, 0) },
		"SHA-384":         func(cert, _ *x509.Certificate) { cert.SignatureAlgorithm = x509.ECDSAWithSHA384 },
	} {
		t.Run(name, func(t *testing.T) {
			cert := template()
			parent := &x509.Certificate{SubjectKeyId: p.AKI[:], RawSubject: nil,
				Subject: pkix.Name{Country: []string{"US"}, Organization: []string{"Arduino LLC US"}, OrganizationalUnit: []string{"IT"}, CommonName: "Arduino"}}
			change(cert, parent)
			der, err := x509.CreateCertificate(rand.Reader, cert, parent, p.Key, ca)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Compress(der); !errors.Is(err, ErrProfile) || s != (Slots{}) {
				t.Errorf("compressed to %x, %v", s, err)
			}
		})
	}
	if _, err := Compress(append(fromHex(t, i4), 0)); !errors.Is(err, ErrProfile) {
		t.Errorf("bytes behind: %v", err)
	}
}

func TestUnprovisionedSlotsAreNoCertificate(t *testing.T) {
	key := &pair(t, i3private, i3public).PublicKey
	for name, c := range map[string]struct {
		change func(*Slots)
		want   *problem.Problem
	}{
		"never written":         {func(s *Slots) { *s = Slots{} }, ErrSlots},
		"all ones":              {func(s *Slots) { fill(s.Certificate[:], s.Issuer[:], s.DeviceID[:]) }, ErrSlots},
		"reset id":              {func(s *Slots) { clear(s.DeviceID[:4]) }, ErrSlots},
		"more than an id":       {func(s *Slots) { s.DeviceID[40] = 'x' }, ErrSlots},
		"no signature":          {func(s *Slots) { clear(s.Certificate[:32]) }, ErrSlots},
		"half a signature":      {func(s *Slots) { clear(s.Certificate[32:64]) }, ErrSlots},
		"more than a date":      {func(s *Slots) { s.Certificate[71] = 1 }, ErrSlots},
		"month 0":               {func(s *Slots) { s.Certificate[64], s.Certificate[65] = 0xd0, 0x45 }, ErrSlots},
		"hour 31":               {func(s *Slots) { s.Certificate[65], s.Certificate[66] = 0x47, 0xff }, ErrSlots},
		"no serial number":      {func(s *Slots) { clear(s.Issuer[:16]) }, ErrProfile},
		"no key id":             {func(s *Slots) { clear(s.Issuer[16:]) }, ErrProfile},
		"29 February of no end": {func(s *Slots) { copy(s.Certificate[64:], []byte{28<<3 | 1, 29 << 2, 31}) }, ErrProfile},
	} {
		t.Run(name, func(t *testing.T) {
			s := i4Slots(t)
			c.change(&s)
			if der, err := s.Rebuild(key); !errors.Is(err, c.want) || der != nil {
				t.Errorf("rebuilt %x, %v, want %v", der, err, c.want)
			}
		})
	}
}

func fill(slots ...[]byte) {
	for _, s := range slots {
		for i := range s {
			s[i] = 0xff
		}
	}
}

func TestRequestsThatAreNotBoards(t *testing.T) {
	good, err := MakeCSR(rand.Reader, newKey(t), deviceID)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	request := func(key crypto.Signer, algorithm x509.SignatureAlgorithm) []byte {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}, SignatureAlgorithm: algorithm}, key)
		if err != nil {
			t.Fatal(err)
		}
		return toPEM(csrType, der)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(block.Bytes)
	flipped[len(flipped)-1] ^= 1
	renamed := bytes.Replace(block.Bytes, []byte(deviceID), []byte("d"+deviceID[1:]), 1)
	for name, text := range map[string][]byte{
		"nothing":            nil,
		"a certificate":      toPEM("CERTIFICATE", block.Bytes),
		"DER":                block.Bytes,
		"two":                append(bytes.Clone(good), good...),
		"something before":   append([]byte("x\n"), good...),
		"something behind":   append(bytes.Clone(good), 'x'),
		"headers":            bytes.Replace(good, []byte("-----\n"), []byte("-----\nA: b\n\n"), 1),
		"cut off":            good[:len(good)-40],
		"a flipped bit":      toPEM(csrType, flipped),
		"somebody's name":    toPEM(csrType, renamed),
		"P-384":              request(p384, x509.ECDSAWithSHA384),
		"P-384 with SHA-256": request(p384, x509.ECDSAWithSHA256),
		"SHA-384":            request(newKey(t), x509.ECDSAWithSHA384),
		"RSA":                request(rsaKey, x509.SHA256WithRSA),
		"too long":           append(bytes.Clone(good), bytes.Repeat([]byte("\n"), MaxCSR)...),
		"bytes in the DER":   toPEM(csrType, append(bytes.Clone(block.Bytes), 0)),
	} {
		t.Run(name, func(t *testing.T) {
			csr, err := ParseCSR(text)
			if !errors.Is(err, ErrCSR) || csr.Key != nil {
				t.Errorf("read %+v, %v", csr, err)
			}
		})
	}
}

func TestRequestsAsOtherToolsWriteThem(t *testing.T) {
	key := newKey(t)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: hardwareID, Organization: []string{"x"}}, DNSNames: []string{"y"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: csrType, Bytes: der}) // 64 columns
	for name, text := range map[string][]byte{
		"64 columns":    text,
		"blanks around": []byte("\n " + string(text) + " \n"),
		"CRLF":          bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
		"no last line":  bytes.TrimSpace(text),
	} {
		csr, err := ParseCSR(text)
		if err != nil || csr.Name != hardwareID || !csr.Key.Equal(&key.PublicKey) {
			t.Errorf("%s: read %+v, %v", name, csr, err)
		}
	}
}

func TestNamesOfRequests(t *testing.T) {
	for name, good := range map[string]bool{deviceID: true, hardwareID: true, "a (b), c'+./:=?": true, "": false, "à": false, "a_b": false, "a\x00": false, hardwareID + "0": false} {
		if _, err := MakeCSR(rand.Reader, newKey(t), name); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestTokensThatAreNotBoards(t *testing.T) {
	good, err := SignToken(rand.Reader, newKey(t), time.Unix(1760706000, 0), hardwareID)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	encoded := func(text string) string {
		b := toPEM("X", []byte(text))
		text = strings.Split(string(b), "\n")[1]
		return strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
	}
	for name, text := range map[string]string{
		"nothing":           "",
		"one part":          parts[0],
		"two parts":         parts[0] + "." + parts[1],
		"four parts":        good + "." + parts[2],
		"another algorithm": encoded(`{"alg":"none","typ":"JWT"}`) + "." + parts[1] + "." + parts[2],
		"no signature":      parts[0] + "." + parts[1] + ".",
		"a short signature": parts[0] + "." + parts[1] + "." + parts[2][:80],
		"padding":           good + "==",
		"a line break":      parts[0] + "." + parts[1] + "." + parts[2][:40] + "\n" + parts[2][40:],
		"loose last bits":   good[:len(good)-1] + string(good[len(good)-1]+1),
		"no JSON":           parts[0] + "." + encoded("x") + "." + parts[2],
		"nobody":            parts[0] + "." + encoded(`{"iat":1}`) + "." + parts[2],
		"somebody else":     parts[0] + "." + encoded(`{"iat":1,"iss":"board"}`) + "." + parts[2],
		"upper case":        parts[0] + "." + encoded(`{"iat":1,"iss":"`+strings.Repeat("A", 32)+`"}`) + "." + parts[2],
		"no time":           parts[0] + "." + encoded(`{"iss":"0000"}`) + "." + parts[2],
		"too long":          strings.Repeat("a", MaxToken+1),
	} {
		if token, err := ParseToken(text); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %s: read %+v, %v", name, text, token, err)
		}
	}
	if _, err := SignToken(rand.Reader, newKey(t), time.Unix(1, 0), deviceID); err == nil {
		t.Errorf("a token with the device's id was signed")
	}
	if len(good) > MaxToken {
		t.Errorf("a token has %d characters, more than %d", len(good), MaxToken)
	}
	token, err := ParseToken(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Verify(&newKey(t).PublicKey); !errors.Is(err, ErrToken) {
		t.Errorf("verified with another key: %v", err)
	}
}

func TestPublicKeysThatAreNotBoards(t *testing.T) {
	good, err := PublicKeyPEM(&newKey(t).PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(good)
	off := bytes.Clone(block.Bytes)
	off[len(off)-1] ^= 1
	for name, text := range map[string][]byte{
		"nothing":          nil,
		"another type":     toPEM(csrType, block.Bytes),
		"cut off":          toPEM(publicType, block.Bytes[:len(block.Bytes)-1]),
		"not on the curve": toPEM(publicType, off),
		"too long":         append(bytes.Clone(good), bytes.Repeat([]byte(" "), MaxCSR)...),
	} {
		if key, err := ParsePublicKeyPEM(text); !errors.Is(err, ErrProfile) || key != nil {
			t.Errorf("%s: read %v, %v", name, key, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":        "",
		"zero r":         "3006020100020101",
		"negative":       "30060201ff020101",
		"33 bytes":       "3026" + "022101" + strings.Repeat("00", 32) + "020101",
		"not minimal":    "300702020001020101",
		"bytes behind":   "300602010102010100",
		"bytes within":   "3009020101020101020101",
		"not a sequence": "3106020101020101",
	} {
		if s, err := ParseSignature(fromHex(t, text)); err == nil {
			t.Errorf("%s: read %x", name, s)
		}
	}
	s, err := ParseSignature(fromHex(t, "3006020101020102"))
	if err != nil || s[31] != 1 || s[63] != 2 {
		t.Errorf("read %x, %v", s, err)
	}
	if got := hex.EncodeToString(s.ASN1()); got != "3006020101020102" {
		t.Errorf("wrote %s", got)
	}
}
