// Package vectortest hands tests the vectors of Project Wycheproof: what attackers
// and bad libraries make of a primitive, with the answer that a right one gives.
package vectortest

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
)

// Hex is a text in hexadecimal digits, read.
type Hex []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// A Case is one vector. A file has some of the fields.
type Case struct {
	ID      int    `json:"tcId"`
	Comment string `json:"comment"`
	Result  string `json:"result"` // valid, invalid; acceptable: a right library may do either

	Key, IV, AAD, Msg, CT, Tag Hex // AEAD and MAC
	Salt, Info, IKM, OKM       Hex // HKDF
	Size                       int
	Sig                        Hex    // signatures
	JWS                        string // a text, also where a right one would be JSON
}

// UnmarshalJSON reads a case whose jws may be an object, which no compact reader takes.
func (c *Case) UnmarshalJSON(text []byte) error {
	type plain Case
	var with struct {
		*plain
		JWS json.RawMessage `json:"jws"`
	}
	with.plain = (*plain)(c)
	if err := json.Unmarshal(text, &with); err != nil {
		return err
	}
	if json.Unmarshal(with.JWS, &c.JWS) != nil {
		c.JWS = string(with.JWS)
	}
	return nil
}

// A Group is a number of cases with one key or one size.
type Group struct {
	Comment      string
	KeySize      int `json:"keySize"` // bits
	IVSize       int `json:"ivSize"`
	TagSize      int `json:"tagSize"`
	PublicKeyDER Hex `json:"publicKeyDer"`
	Public       json.RawMessage
	Tests        []Case
}

// Each runs the test on every case of a file.
func Each(t *testing.T, file string, test func(t *testing.T, g Group, c Case)) {
	t.Helper()
	text, err := fs.ReadFile(wycheproof.TestVectors, file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		NumberOfTests int     `json:"numberOfTests"`
		Groups        []Group `json:"testGroups"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	n := 0
	for _, g := range all.Groups {
		for _, c := range g.Tests {
			n++
			t.Run(fmt.Sprint(c.ID), func(t *testing.T) { test(t, g, c) })
		}
	}
	if n == 0 || n != all.NumberOfTests {
		t.Errorf("%s has %d cases, and says %d", file, n, all.NumberOfTests)
	}
}
