package keys

import (
	"bytes"
	"testing"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/prf/hkdfprf"
	"github.com/tink-crypto/tink-go/v2/secretdata"

	"github.com/ardesia-iot/ardesia/internal/base/vectortest"
)

// A Sealer seals with AES-256-GCM under the key for a salt. The prefix is the beginning of the
// associated data, so a vector whose data has room for one goes through Open as a whole.
func TestSealersKeepTheVectorsOfGCM(t *testing.T) {
	good, bad, whole := 0, 0, 0
	vectortest.Each(t, "aes_gcm_test.json", func(t *testing.T, g vectortest.Group, c vectortest.Case) {
		if g.KeySize != 8*keyBytes || g.IVSize != 8*nonceBytes || g.TagSize != 8*tagBytes {
			return
		}
		gcm, err := newGCM(c.Key)
		if err != nil {
			t.Fatal(err)
		}
		check := func(how string, got []byte, err error) {
			if ok := err == nil && bytes.Equal(got, c.Msg); ok != (c.Result == "valid") {
				t.Errorf("%s (%s), %s: %x, %v", c.Result, c.Comment, how, got, err)
			}
		}
		got, err := gcm.Open(nil, c.IV, append(bytes.Clone(c.CT), c.Tag...), c.AAD)
		check("the cipher", got, err)
		if c.Result == "valid" {
			good++
		} else {
			bad++
		}
		if len(c.AAD) < prefixBytes {
			return
		}
		whole++
		k, err := newSealKey(0, make([]byte, keyBytes))
		if err != nil {
			t.Fatal(err)
		}
		k.prefix = [prefixBytes]byte(c.AAD)
		var salt [saltBytes]byte
		k.sealing.Store(&salted{salt: salt, gcm: gcm})
		sealed := bytes.Join([][]byte{k.prefix[:], salt[:], c.IV, c.CT, c.Tag}, nil)
		got, err = (&sealer{keys: []*sealKey{k}}).Open(sealed, c.AAD[prefixBytes:])
		check("the sealer", got, err)
	})
	if good < 30 || bad < 20 || whole < 15 {
		t.Errorf("%d good and %d bad vectors, %d through a sealer: this test looks in the wrong place", good, bad, whole)
	}
}

func TestIndexesKeepTheVectorsOfHMAC(t *testing.T) {
	vectortest.Each(t, "hmac_sha256_test.json", func(t *testing.T, g vectortest.Group, c vectortest.Case) {
		of := mac(c.Key)
		for range 2 { // the second time the state comes from the pool
			got := of(c.Msg)[:g.TagSize/8]
			if bytes.Equal(got, c.Tag) != (c.Result == "valid") {
				t.Errorf("%s (%s): %x, tag %x", c.Result, c.Comment, got, c.Tag)
			}
		}
	})
}

// Keys of purposes and indexes are derived by HKDF without salt, from 256 bits.
func TestPurposesKeepTheVectorsOfHKDF(t *testing.T) {
	fitted := 0
	vectortest.Each(t, "hkdf_sha256_test.json", func(t *testing.T, _ vectortest.Group, c vectortest.Case) {
		if len(c.Salt) != 0 || len(c.IKM) != keyBytes || c.Result != "valid" {
			return
		}
		fitted++
		got, err := derivation(t, c.IKM).ComputePrimaryPRF(c.Info, uint32(c.Size))
		if err != nil || !bytes.Equal(got, c.OKM) {
			t.Errorf("%s: %x, %v, want %x", c.Comment, got, err, []byte(c.OKM))
		}
	})
	if fitted < 5 {
		t.Errorf("%d vectors fitted: this test looks in the wrong place", fitted)
	}
}

// derivation is what Root.Ring makes of a keyset, with a key of the test's.
func derivation(t *testing.T, secret []byte) *prf.Set {
	t.Helper()
	template, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	e, err := template.Primary()
	if err != nil {
		t.Fatal(err)
	}
	key, err := hkdfprf.NewKey(secretdata.NewBytesFromData(secret, insecuresecretdataaccess.Token{}), e.Key().Parameters().(*hkdfprf.Parameters))
	if err != nil {
		t.Fatal(err)
	}
	m := keyset.NewManager()
	id, err := m.AddKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetPrimary(id); err != nil {
		t.Fatal(err)
	}
	h, err := m.Handle()
	if err != nil {
		t.Fatal(err)
	}
	set, err := prf.NewPRFSet(h)
	if err != nil {
		t.Fatal(err)
	}
	return set
}
