package keys

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"
)

// fixed implements Sealer with AES-SIV.
type fixed struct{ siv *subtle.AESSIV }

// Fixed returns a key of the whole house for one purpose that seals the same text, with
// the same aad, to the same bytes (AES-SIV, RFC 5297). So it tells who reads what is sealed which
// texts are the same: it is for what has to be made again bit by bit. Names come from
// our own code; the same name is the same key, for ever and in every process.
func (g *Ring) Fixed(name string) Sealer {
	key, err := g.indexes.ComputePrimaryPRF([]byte("fixed\x00"+name), subtle.AESSIVKeySize)
	if err != nil { // as with MAC
		panic(fmt.Sprintf("keys: derive the fixed key for %q: %v", name, err))
	}
	siv, err := subtle.NewAESSIV(key) // which keeps key, so it is not cleared
	if err != nil {
		panic(fmt.Sprintf("keys: make the fixed key for %q: %v", name, err))
	}
	return fixed{siv}
}

// Seal implements Sealer.
func (f fixed) Seal(plain, aad []byte) ([]byte, error) {
	return f.siv.EncryptDeterministically(plain, aad)
}

// Open implements Sealer.
func (f fixed) Open(sealed, aad []byte) ([]byte, error) {
	plain, err := f.siv.DecryptDeterministically(sealed, aad)
	if err != nil {
		return nil, ErrSeal
	}
	return plain, nil
}

// Format prints that there is a key and nothing of it.
func (f fixed) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("fixed sealer")) }
