package sqlite

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"testing"
)

// The vectors are those of c2sp.org/XAES-256-GCM.

func xaesSeal(t *testing.T, key, nonce, plain, aad []byte) []byte {
	t.Helper()
	x, err := newXAES(key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := x.derive([prefixLen]byte(nonce))
	if err != nil {
		t.Fatal(err)
	}
	return a.Seal(nil, nonce[prefixLen:], plain, aad)
}

func TestPublishedVectors(t *testing.T) {
	for name, c := range map[string]struct {
		key  byte
		aad  string
		want string
	}{
		"first bit of L is 0": {1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		"first bit of L is 1": {3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		t.Run(name, func(t *testing.T) {
			got := xaesSeal(t, bytes.Repeat([]byte{c.key}, keySize), []byte("ABCDEFGHIJKLMNOPQRSTUVWX"), []byte("XAES-256-GCM"), []byte(c.aad))
			if hex.EncodeToString(got) != c.want {
				t.Errorf("sealed to %x, want %s", got, c.want)
			}
		})
	}
}

func TestAccumulatedVectors(t *testing.T) {
	in, out := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = in.Read(b)
		return b
	}
	for range 10_000 {
		key, nonce := read(keySize), read(nonceSize)
		plain := read(int(read(1)[0]))
		aad := read(int(read(1)[0]))
		_, _ = out.Write(xaesSeal(t, key, nonce, plain, aad))
	}
	sum := make([]byte, 32)
	_, _ = out.Read(sum)
	if got, want := hex.EncodeToString(sum), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939"; got != want {
		t.Errorf("10,000 rounds give %s, want %s", got, want)
	}
}

func TestSealedPieceStaysInItsPlace(t *testing.T) {
	key := bytes.Repeat([]byte{7}, keySize)
	id := newID(key)
	seal := func(id fileID) *sealer {
		s, err := newSealer(key, id)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s, plain := seal(id), []byte("a page")
	piece := make([]byte, len(plain)+overhead)
	s.seal(piece, plain, kindPage, 4096)
	for name, c := range map[string]struct {
		s    *sealer
		k    kind
		off  int64
		want bool
	}{
		"where it was":              {s, kindPage, 4096, true},
		"opened by another process": {seal(id), kindPage, 4096, true},
		"at another offset":         {s, kindPage, 8192, false},
		"as another kind":           {s, kindFrame, 4096, false},
		"in another file":           {seal(newID(key)), kindPage, 4096, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := make([]byte, len(plain))
			if ok := c.s.open(got, piece, c.k, c.off); ok != c.want || ok && !bytes.Equal(got, plain) {
				t.Errorf("opened: %v with %q, want %v", ok, got, c.want)
			}
		})
	}
}
