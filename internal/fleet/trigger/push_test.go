package trigger

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

func unbase(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of RFC 8291, section 5 and appendix A.
func TestEncryptionOfTheRFC(t *testing.T) {
	t.Parallel()
	own, err := ecdh.P256().NewPrivateKey(unbase(t, "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := encrypt([]byte("When I grow up, I want to be a watermelon"),
		unbase(t, "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"), unbase(t, "BTBZMqHH6r4Tts7J_aSIgg"),
		own, unbase(t, "DGv6ra1nlYgDCS1FRnbzlw"))
	want := "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
	if err != nil || base64.RawURLEncoding.EncodeToString(got) != want {
		t.Errorf("%s, %v; want %s", base64.RawURLEncoding.EncodeToString(got), err, want)
	}
}

// A browser is the other end of a subscription.
type browser struct {
	key  *ecdh.PrivateKey
	auth []byte
}

func newBrowser(t testing.TB) *browser {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{key, make([]byte, 16)}
	rand.Read(b.auth)
	return b
}

func (b *browser) subscription(endpoint string) map[string]any {
	code := base64.RawURLEncoding
	return map[string]any{"endpoint": endpoint, "name": "phone", "keys": map[string]any{"p256dh": code.EncodeToString(b.key.PublicKey().Bytes()), "auth": code.EncodeToString(b.auth)}}
}

// open reads what was sealed for the browser, written from RFC 8188 and RFC 8291 alone.
func (b *browser) open(t testing.TB, wire []byte) []byte {
	t.Helper()
	salt, theirs := wire[:16], wire[21:21+int(wire[20])]
	public, err := ecdh.P256().NewPublicKey(theirs)
	if err != nil {
		t.Fatal(err)
	}
	shared, err := b.key.ECDH(public)
	if err != nil {
		t.Fatal(err)
	}
	derive := func(secret, salt []byte, info string, n int) []byte {
		out, err := hkdf.Key(sha256.New, secret, salt, info, n)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	secret := derive(shared, b.auth, "WebPush: info\x00"+string(b.key.PublicKey().Bytes())+string(theirs), 32)
	block, err := aes.NewCipher(derive(secret, salt, "Content-Encoding: aes128gcm\x00", 16))
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, derive(secret, salt, "Content-Encoding: nonce\x00", 12), wire[21+len(theirs):], nil)
	if err != nil || plain[len(plain)-1] != 2 {
		t.Fatalf("opened %q, %v", plain, err)
	}
	return plain[:len(plain)-1]
}

// Notices reach the browsers of members, sealed for each, from a server that proves who it is; a browser that is gone is forgotten.
func TestNotices(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
		var key wirePushKey
		h.want(200, "editor", "GET", "/v1/push/key", nil, &key)
		one, two := newBrowser(t), newBrowser(t)
		var first wireBrowser
		h.want(201, "editor", "POST", "/v1/push", one.subscription(h.hooks.URL+"/one"), &first)
		h.want(201, "editor", "POST", "/v1/push", one.subscription(h.hooks.URL+"/one"), &first) // the same again
		h.want(201, "viewer", "POST", "/v1/push", two.subscription(h.hooks.URL+"/two"), nil)
		h.want(400, "editor", "POST", "/v1/push", two.subscription("http://example.org/"), nil)
		broken := two.subscription(h.hooks.URL + "/x")
		broken["keys"] = map[string]any{"p256dh": "AAAA", "auth": "AAAA"}
		h.want(400, "editor", "POST", "/v1/push", broken, nil)
		h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{map[string]any{"kind": "NOTIFY-PUSH", "name": "push", "push_notification": map[string]any{
			"title": map[string]any{"expression": "{thing.name}"}, "body": map[string]any{"expression": "{variable.name}: {variable.value}"},
			"delivery": map[string]any{"to": []any{map[string]any{"id": editor.ID}, map[string]any{"id": viewer.ID}}}}}}})
		h.report(th, "lamp", "true")
		h.settled()
		for path, b := range map[string]*browser{"/one": one, "/two": two} {
			calls := h.hooks.all(path)
			if len(calls) != 1 {
				t.Fatalf("%s has %d calls", path, len(calls))
			}
			c := calls[0]
			var n wireNotice
			if err := json.Unmarshal(b.open(t, c.body), &n); err != nil || n.Title != "pond" || n.Body != "lamp: true" || n.Tag != c.head.Get("Idempotency-Key") {
				t.Errorf("%s shows %+v, %v", path, n, err)
			}
			if c.head.Get("TTL") == "" || len(c.head.Get("Topic")) != 32 || c.head.Get("Content-Encoding") != "aes128gcm" {
				t.Errorf("%s: %v", path, c.head)
			}
			proves(t, c.head.Get("Authorization"), key.Key, h.hooks.URL)
		}
		var all []wireBrowser
		h.want(200, "viewer", "GET", "/v1/push", nil, &all)
		if len(all) != 1 || all[0].Name != "phone" || !strings.HasPrefix(h.hooks.URL, "https://"+all[0].Service) {
			t.Errorf("browsers %+v", all)
		}
		h.want(404, "viewer", "DELETE", "/v1/push/"+first.ID, nil, nil)
		// One is gone at its push service, the other is taken back.
		h.hooks.answers(func(string, int) int { return http.StatusGone })
		h.want(200, "viewer", "DELETE", "/v1/push/"+all[0].ID, nil, nil)
		h.report(th, "lamp", "false")
		h.report(th, "lamp", "true")
		h.settled()
		h.want(200, "editor", "GET", "/v1/push", nil, &all)
		if len(all) != 0 || len(h.hooks.all("/two")) != 1 || len(h.hooks.all("/one")) != 2 {
			t.Errorf("%d browsers, %d and %d calls", len(all), len(h.hooks.all("/one")), len(h.hooks.all("/two")))
		}
	})
}

// proves checks an Authorization of RFC 8292.
func proves(t testing.TB, header, key, origin string) {
	t.Helper()
	rest, ok := strings.CutPrefix(header, "vapid t=")
	token, k, ok2 := strings.Cut(rest, ", k=")
	parts := strings.Split(token, ".")
	if !ok || !ok2 || k != key || len(parts) != 3 {
		t.Fatalf("authorization %q with key %q", header, key)
	}
	var claims struct {
		Aud, Sub string
		Exp      int64
	}
	if err := json.Unmarshal(unbase(t, parts[1]), &claims); err != nil || claims.Aud != origin || claims.Sub == "" || claims.Exp < noon.Unix() || claims.Exp > noon.Unix()+86400 {
		t.Errorf("claims %+v, %v", claims, err)
	}
	point, sig := unbase(t, k), unbase(t, parts[2])
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(public, digest[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])) {
		t.Error("the signature is not good")
	}
}
