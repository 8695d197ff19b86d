package boardcert

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"testing"
)

// Whatever is uploaded as a request, ParseCSR refuses it with ErrCSR or its key signed it.
func FuzzParseCSR(f *testing.F) {
	f.Add(toPEM(csrType, fromHex(f, i5)))
	f.Add(pem.EncodeToMemory(&pem.Block{Type: csrType, Bytes: fromHex(f, i5)}))
	f.Add(toPEM("CERTIFICATE", fromHex(f, i4)))
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n-----END CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		csr, err := ParseCSR(text)
		if err != nil {
			if !errors.Is(err, ErrCSR) || csr.Key != nil {
				t.Fatalf("refused with %v and %+v", err, csr)
			}
			return
		}
		again, err := ParseCSR(toPEM(csrType, csr.DER))
		if err != nil || again.Name != csr.Name || !again.Key.Equal(csr.Key) {
			t.Fatalf("read %+v, then %+v, %v", csr, again, err)
		}
	})
}

// A certificate either fits the profile and survives the slots, or is refused.
func FuzzCompress(f *testing.F) {
	f.Add(fromHex(f, i4))
	f.Add(fromHex(f, i5))
	ca := pair(f, i1private, i1public)
	root, err := CreateRoot(rand.Reader, ca, [16]byte{1}, i4NotBefore, i4NotBefore.AddDate(1, 0, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(root)
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := Compress(der)
		if err != nil {
			if !errors.Is(err, ErrProfile) || s != (Slots{}) {
				t.Fatalf("refused with %v and %+v", err, s)
			}
			return
		}
		p, _, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.Rebuild(p.Key); err != nil || !bytes.Equal(again, der) {
			t.Fatalf("%x rebuilt as %x, %v", der, again, err)
		}
	})
}

// Whatever is in the slots of an element, the certificate that comes out goes into the same slots.
func FuzzRebuild(f *testing.F) {
	s := i4Slots(f)
	f.Add(s.Certificate[:], s.Issuer[:], s.DeviceID[:])
	f.Add(bytes.Repeat([]byte{0xff}, 72), bytes.Repeat([]byte{0xff}, 36), bytes.Repeat([]byte{0}, 72))
	key := &pair(f, i3private, i3public).PublicKey
	f.Fuzz(func(t *testing.T, certificate, issuer, id []byte) {
		var s Slots
		copy(s.Certificate[:], certificate)
		copy(s.Issuer[:], issuer)
		copy(s.DeviceID[:], id)
		der, err := s.Rebuild(key)
		if err != nil {
			if !errors.Is(err, ErrSlots) && !errors.Is(err, ErrProfile) || der != nil {
				t.Fatalf("refused with %v and %x", err, der)
			}
			return
		}
		if again, err := Compress(der); err != nil || again != s {
			t.Fatalf("% x came back as % x, %v", s, again, err)
		}
	})
}

// Whatever is sent as a token, ParseToken refuses it with ErrToken or it has one meaning.
func FuzzParseToken(f *testing.F) {
	f.Add(i8)
	f.Add("..")
	key := &pair(f, i7private, i7public).PublicKey
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			if !errors.Is(err, ErrToken) || token != (Token{}) {
				t.Fatalf("refused with %v and %+v", err, token)
			}
			return
		}
		if token.Verify(key) == nil && text != i8 {
			t.Fatalf("forged: %s", text)
		}
	})
}
