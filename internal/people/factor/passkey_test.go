package factor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"
	"github.com/fxamacker/cbor/v2"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// A key is an authenticator with one credential, and the browser that it is plugged into.
type key struct {
	at   virtual.RelyingParty
	auth virtual.Authenticator
	cred virtual.Credential
}

// newKey verifies whoever holds it, does not synchronise, and counts.
func newKey() *key {
	k := &key{at: virtual.RelyingParty{ID: host, Name: "Ardesia", Origin: origin}, auth: virtual.NewAuthenticator()}
	k.cred = credential256()
	k.cred.Counter = 1
	return k
}

// credential256 has a key on P-256. The library leaves leading zeros of coordinates out,
// which RFC 9053, section 7.1.1, forbids: such keys are drawn again.
func credential256() virtual.Credential {
	for {
		c := virtual.NewCredential(virtual.KeyTypeEC2)
		if len(c.Key.AttestationData()) == 77 {
			return c
		}
	}
}

// create is navigator.credentials.create.
func (k *key) create(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtual.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	k.auth.Options.UserHandle = []byte(o.UserID)
	return withoutAttestation(t, []byte(virtual.CreateAttestationResponse(k.at, k.auth, k.cred, *o)))
}

// withoutAttestation does what browsers do when nobody asks for attestation: they take it out.
func withoutAttestation(t testing.TB, response []byte) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(response, &all); err != nil {
		t.Fatal(err)
	}
	inner := all["response"].(map[string]any)
	raw, err := base64.RawURLEncoding.DecodeString(inner["attestationObject"].(string))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := cbor.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	object["fmt"], object["attStmt"] = "none", map[string]any{}
	if raw, err = cbor.Marshal(object); err != nil {
		t.Fatal(err)
	}
	inner["attestationObject"] = base64.RawURLEncoding.EncodeToString(raw)
	inner["transports"] = []string{"internal", "hybrid"}
	all["clientExtensionResults"] = map[string]any{"credProps": map[string]any{"rk": true}} // unasked, as password managers do
	if response, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	return response
}

// get is navigator.credentials.get; the key counts.
func (k *key) get(t testing.TB, options []byte) []byte {
	t.Helper()
	o, err := virtual.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	k.cred.Counter++
	return []byte(virtual.CreateAssertionResponse(k.at, k.auth, k.cred, *o))
}

func (h *house) passkey(t testing.TB, user string, k *key) Passkey {
	t.Helper()
	options, state, err := h.BeginPasskey(t.Context(), is(user), user, "anna@example.org", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.FinishPasskey(t.Context(), is(user), user, state, k.create(t, options), "key")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// signIn asks for user's passkey, "" for anyone's, and lets k answer.
func (h *house) signIn(t testing.TB, user string, k *key) (string, bool, error) {
	t.Helper()
	options, state, err := h.BeginAssertion(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return h.FinishAssertion(t.Context(), state, k.get(t, options))
}

func TestAPasskeySignsIn(t *testing.T) {
	for name, made := range map[string]func() virtual.Credential{
		"P-256": credential256, "RSA": func() virtual.Credential { return virtual.NewCredential(virtual.KeyTypeRSA) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				ctx, k := t.Context(), newKey()
				k.cred = made()
				k.auth.Options.BackupEligible, k.auth.Options.BackupState = true, true
				p := h.passkey(t, anna, k)
				if want := (Passkey{ID: p.ID, Label: "key", Verified: true, BackupEligible: true, BackedUp: true, CreatedAt: noon}); p != want {
					t.Errorf("made %+v, want %+v", p, want)
				}
				if l, err := h.Level(ctx, anna); err != nil || l != ByPasskey {
					t.Errorf("Level = %v, %v, want %v", l, err, ByPasskey)
				}
				h.pass(time.Hour)
				for _, user := range []string{"", anna} {
					if got, verified, err := h.signIn(t, user, k); got != anna || !verified || err != nil {
						t.Errorf("asked for %q: %q, %v, %v", user, got, verified, err)
					}
				}
				k.auth.Options.BackupState = false
				if _, _, err := h.signIn(t, "", k); err != nil {
					t.Errorf("no longer synchronised: %v", err)
				}
				set, err := h.Of(ctx, anna)
				if err != nil || len(set.Passkeys) != 1 || set.Passkeys[0].BackedUp || !set.Passkeys[0].BackupEligible || set.Passkeys[0].UsedAt != h.now() {
					t.Errorf("afterwards: %+v, %v", set, err)
				}
				if err := h.RenamePasskey(ctx, is(anna), anna, p.ID, " my phone "); err != nil {
					t.Fatal(err)
				}
				if set, err := h.Of(ctx, anna); err != nil || set.Passkeys[0].Label != "my phone" {
					t.Errorf("renamed: %+v, %v", set, err)
				}
				for verb, err := range map[string]error{
					"rename another's": h.RenamePasskey(ctx, is(bruno), bruno, p.ID, "mine"),
					"remove another's": h.RemovePasskey(ctx, is(bruno), bruno, p.ID),
				} {
					if !errors.Is(err, ErrNotFound) {
						t.Errorf("%s: %v, want ErrNotFound", verb, err)
					}
				}
				if err := h.RemovePasskey(ctx, is(anna), anna, p.ID); err != nil {
					t.Fatal(err)
				}
				if _, _, err := h.signIn(t, "", k); !errors.Is(err, ErrPasskey) {
					t.Errorf("removed: %v, want ErrPasskey", err)
				}
				if got, want := h.told(), "passkey-added passkey-removed"; got != want {
					t.Errorf("published %q, want %q", got, want)
				}
				if got, want := h.written(t, 0), "passkey-add passkey-rename passkey-remove"; got != want {
					t.Errorf("journal %q, want %q", got, want)
				}
			})
		})
	}
}

// What the browser is told is what the house promises.
func TestWhatABrowserIsAsked(t *testing.T) {
	h := newHouse(t, db.SQLite)
	ctx, k := t.Context(), newKey()
	read := func(text []byte) map[string]any {
		var o map[string]map[string]any
		if err := json.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		return o["publicKey"]
	}
	first, _, err := h.BeginPasskey(ctx, is(anna), anna, "anna@example.org", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	h.passkey(t, anna, k)
	second, _, err := h.BeginPasskey(ctx, is(anna), anna, "anna@example.org", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	third, _, err := h.BeginPasskey(ctx, is(anna), anna, "anna@example.org", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	o := read(second)
	handle, err := base64.RawURLEncoding.DecodeString(o["user"].(map[string]any)["id"].(string))
	if err != nil || len(handle) != 64 || bytes.Contains(handle, []byte(anna[:8])) {
		t.Errorf("a handle of %d bytes, %v", len(handle), err)
	}
	if o["user"].(map[string]any)["id"] != read(third)["user"].(map[string]any)["id"] {
		t.Error("a person has two handles")
	}
	if read(first)["challenge"] == o["challenge"] {
		t.Error("two challenges are the same")
	}
	if got := o["rp"].(map[string]any)["id"]; got != host {
		t.Errorf("RP ID %v, want %s", got, host)
	}
	selection := o["authenticatorSelection"].(map[string]any)
	for name, c := range map[string][2]any{
		"resident key":      {selection["residentKey"], "preferred"},
		"user verification": {selection["userVerification"], "preferred"},
		"timeout":           {o["timeout"], 300000.0},
		"known ones":        {len(o["excludeCredentials"].([]any)), 1},
	} {
		if c[0] != c[1] {
			t.Errorf("%s: %v, want %v", name, c[0], c[1])
		}
	}
	if got, ok := o["attestation"]; ok && got != "none" {
		t.Errorf("attestation %v, want none", got)
	}
	anyone, _, err := h.BeginAssertion(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	if o := read(anyone); o["userVerification"] != "required" || o["allowCredentials"] != nil || o["rpId"] != host {
		t.Errorf("anyone is asked with %v", o)
	}
	one, _, err := h.BeginAssertion(ctx, anna)
	if err != nil {
		t.Fatal(err)
	}
	if o := read(one); o["userVerification"] != "preferred" || len(o["allowCredentials"].([]any)) != 1 {
		t.Errorf("one person is asked with %v", o)
	}
	if _, _, err := h.BeginAssertion(ctx, bruno); !errors.Is(err, ErrNotFound) {
		t.Errorf("who has no passkey is asked: %v, want ErrNotFound", err)
	}
}

// flipped is response with one bit of a member of its inner response changed.
func flipped(t testing.TB, response []byte, member string) []byte {
	t.Helper()
	return changed(t, response, func(_, inner map[string]any) {
		raw, err := base64.RawURLEncoding.DecodeString(inner[member].(string))
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		inner[member] = base64.RawURLEncoding.EncodeToString(raw)
	})
}

func changed(t testing.TB, response []byte, change func(outer, inner map[string]any)) []byte {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(response, &all); err != nil {
		t.Fatal(err)
	}
	change(all, all["response"].(map[string]any))
	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnswersThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		k, other := newKey(), newKey()
		h.passkey(t, anna, k)
		h.passkey(t, bruno, other)
		weak := newKey()
		weak.auth.Options.UserNotVerified = true
		h.passkey(t, bruno, weak)
		type try struct {
			user  string                       // whom the page asks for
			key   func() *key                  // who answers; nil: k
			state func(state []byte) []byte    // what the page sends back
			bend  func(response []byte) []byte // what happens to the answer on its way
			at    func(k *key)                 // where and how the key is asked
			later time.Duration
			want  error
		}
		keep := func() *key { c := *k; return &c }
		for name, c := range map[string]try{
			"another site":              {at: func(k *key) { k.at.Origin = "https://evil.example.org" }, want: ErrPasskey},
			"another port":              {at: func(k *key) { k.at.Origin = "https://id.ardesia.example.org" }, want: ErrPasskey},
			"without TLS":               {at: func(k *key) { k.at.Origin = strings.Replace(origin, "https", "http", 1) }, want: ErrPasskey},
			"a site below":              {at: func(k *key) { k.at.Origin = "https://x.id.ardesia.example.org:8443" }, want: ErrPasskey},
			"another RP ID":             {at: func(k *key) { k.at.ID = "example.org" }, want: ErrPasskey},
			"nobody touched it":         {at: func(k *key) { k.auth.Options.UserNotPresent = true }, want: ErrPasskey},
			"not verified":              {at: func(k *key) { k.auth.Options.UserNotVerified = true }, want: ErrUnverified},
			"verified only from now on": {key: func() *key { c := *weak; c.auth.Options.UserNotVerified = false; return &c }, want: ErrUnverified},
			"may be copied suddenly":    {at: func(k *key) { k.auth.Options.BackupEligible = true }, want: ErrPasskey},
			"copied but may not be":     {at: func(k *key) { k.auth.Options.BackupState = true }, want: ErrPasskey},
			"another person's handle":   {at: func(k *key) { k.auth.Options.UserHandle = other.auth.Options.UserHandle }, want: ErrPasskey},
			"no handle":                 {at: func(k *key) { k.auth.Options.UserHandle = nil }, want: ErrPasskey},
			"another person's key":      {user: anna, key: func() *key { c := *other; return &c }, want: ErrPasskey},
			"a key nobody knows":        {key: newKey, want: ErrPasskey},
			"another key under this id": {key: func() *key { c, n := *k, newKey(); c.cred.Key = n.cred.Key; return &c }, want: ErrPasskey},
			"signature":                 {bend: func(r []byte) []byte { return flipped(t, r, "signature") }, want: ErrPasskey},
			"authenticator data":        {bend: func(r []byte) []byte { return flipped(t, r, "authenticatorData") }, want: ErrPasskey},
			"made for a registration": {bend: func(r []byte) []byte {
				return changed(t, r, func(_, in map[string]any) {
					raw, _ := base64.RawURLEncoding.DecodeString(in["clientDataJSON"].(string))
					in["clientDataJSON"] = base64.RawURLEncoding.EncodeToString(bytes.Replace(raw, []byte("webauthn.get"), []byte("webauthn.create"), 1))
				})
			}, want: ErrPasskey},
			"a page in a frame": {bend: func(r []byte) []byte { return inFrame(t, k, r) }, want: ErrPasskey},
			"another challenge": {state: func([]byte) []byte {
				_, state, err := h.BeginAssertion(ctx, "")
				if err != nil {
					t.Fatal(err)
				}
				return state
			}, want: ErrPasskey},
			"state of a registration": {state: func([]byte) []byte {
				_, state, err := h.BeginPasskey(ctx, is(anna), anna, "a", "a")
				if err != nil {
					t.Fatal(err)
				}
				return state
			}, want: ErrCeremony},
			"state of nobody":             {state: func([]byte) []byte { return nil }, want: ErrCeremony},
			"a bent state":                {state: func(s []byte) []byte { s[len(s)-1] ^= 1; return s }, want: ErrCeremony},
			"a huge state":                {state: func([]byte) []byte { return make([]byte, 1<<20) }, want: ErrCeremony},
			"too late":                    {later: ceremonyFor, want: ErrCeremony},
			"a huge answer":               {bend: func(r []byte) []byte { return append(r, bytes.Repeat([]byte(" "), maxResponse)...) }, want: ErrResponse},
			"no answer":                   {bend: func([]byte) []byte { return nil }, want: ErrResponse},
			"not JSON":                    {bend: func(r []byte) []byte { return r[1:] }, want: ErrResponse},
			"two answers":                 {bend: func(r []byte) []byte { return append(r, r...) }, want: ErrResponse},
			"a moment too soon":           {later: ceremonyFor - time.Microsecond, want: nil},
			"nothing wrong":               {want: nil},
			"nothing wrong, for a person": {user: anna, want: nil},
			"a person asked by name need not be verified": {user: anna, at: func(k *key) { k.auth.Options.UserNotVerified = true }, want: nil},
		} {
			t.Run(name, func(t *testing.T) {
				options, state, err := h.BeginAssertion(ctx, c.user)
				if err != nil {
					t.Fatal(err)
				}
				k.cred.Counter++
				with := keep()
				if c.key != nil {
					with = c.key()
				}
				if c.at != nil {
					c.at(with)
				}
				response := with.get(t, options)
				if c.bend != nil {
					response = c.bend(response)
				}
				if c.state != nil {
					state = c.state(state)
				}
				before := h.now()
				h.pass(c.later)
				user, verified, err := h.FinishAssertion(ctx, state, response)
				h.clock.Store(before.UnixNano())
				if c.want != nil {
					if !errors.Is(err, c.want) || user != "" || verified {
						t.Errorf("FinishAssertion = %q, %v, %v, want %v", user, verified, err, c.want)
					}
					return
				}
				if err != nil || user != anna || verified == with.auth.Options.UserNotVerified {
					t.Errorf("FinishAssertion = %q, %v, %v", user, verified, err)
				}
				k.cred.Counter = with.cred.Counter
				if _, _, err := h.FinishAssertion(ctx, state, response); !errors.Is(err, ErrCeremony) {
					t.Errorf("the same answer again: %v, want ErrCeremony", err)
				}
			})
		}
	})
}

// inFrame signs what a browser says of a page that another site shows in a frame.
func inFrame(t testing.TB, k *key, response []byte) []byte {
	t.Helper()
	return changed(t, response, func(_, inner map[string]any) {
		data, err := base64.RawURLEncoding.DecodeString(inner["clientDataJSON"].(string))
		if err != nil {
			t.Fatal(err)
		}
		data = append(bytes.TrimSuffix(data, []byte("}")), `,"crossOrigin":true,"topOrigin":"https://evil.example.org"}`...)
		auth, err := base64.RawURLEncoding.DecodeString(inner["authenticatorData"].(string))
		if err != nil {
			t.Fatal(err)
		}
		hash := sha256.Sum256(data)
		digest := sha256.Sum256(append(auth, hash[:]...))
		signature, err := k.cred.Key.Sign(digest[:])
		if err != nil {
			t.Fatal(err)
		}
		inner["clientDataJSON"], inner["signature"] = base64.RawURLEncoding.EncodeToString(data), base64.RawURLEncoding.EncodeToString(signature)
	})
}

func TestRegistrationsThatAreRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		known := newKey()
		h.passkey(t, bruno, known)
		for name, c := range map[string]struct {
			as    string // who finishes what anna began
			at    func(k *key)
			bend  func(r []byte) []byte
			state func(s []byte) []byte
			label string
			later time.Duration
			want  error
		}{
			"another site":          {at: func(k *key) { k.at.Origin = "https://evil.example.org" }, want: ErrPasskey},
			"another RP ID":         {at: func(k *key) { k.at.ID = "example.org" }, want: ErrPasskey},
			"nobody touched it":     {at: func(k *key) { k.auth.Options.UserNotPresent = true }, want: ErrPasskey},
			"copied but may not be": {at: func(k *key) { k.auth.Options.BackupState = true }, want: ErrPasskey},
			"registered already":    {at: func(k *key) { k.cred.ID = known.cred.ID }, want: ErrTaken},
			"a key of another kind": {bend: func(r []byte) []byte { // the beginning of the key says which
				return changed(t, r, func(_, in map[string]any) {
					raw, _ := base64.RawURLEncoding.DecodeString(in["attestationObject"].(string))
					in["attestationObject"] = base64.RawURLEncoding.EncodeToString(bytes.Replace(raw, []byte{0xa5, 1, 2, 3, 0x26}, []byte{0xa5, 1, 2, 3, 0x27}, 1))
				})
			}, want: ErrPasskey},
			"an id beyond reason":   {at: func(k *key) { k.cred.ID = make([]byte, 1024) }, want: ErrResponse},
			"no id":                 {at: func(k *key) { k.cred.ID = nil }, want: ErrResponse},
			"somebody else's state": {as: bruno, want: ErrCeremony},
			"the state of another":  {as: carla, want: ErrCeremony}, // who has no passkey yet
			"state of a sign-in": {state: func([]byte) []byte {
				_, state, err := h.BeginAssertion(ctx, bruno)
				if err != nil {
					t.Fatal(err)
				}
				return state
			}, want: ErrCeremony},
			"too late":      {later: ceremonyFor, want: ErrCeremony},
			"no label":      {label: " ", want: ErrLabel},
			"a huge answer": {bend: func(r []byte) []byte { return append(r, bytes.Repeat([]byte(" "), maxResponse)...) }, want: ErrResponse},
			"bent":          {bend: func(r []byte) []byte { return flipped(t, r, "attestationObject") }, want: nil}, // see below
			"an assertion": {bend: func(r []byte) []byte {
				options, _, err := h.BeginAssertion(ctx, "")
				if err != nil {
					t.Fatal(err)
				}
				return known.get(t, options)
			}, want: ErrResponse},
		} {
			t.Run(name, func(t *testing.T) {
				options, state, err := h.BeginPasskey(ctx, is(anna), anna, "anna@example.org", "Anna")
				if err != nil {
					t.Fatal(err)
				}
				k := newKey()
				if c.at != nil {
					c.at(k)
				}
				response := k.create(t, options)
				if c.bend != nil {
					response = c.bend(response)
				}
				if c.state != nil {
					state = c.state(state)
				}
				before := h.now()
				h.pass(c.later)
				who, label := anna, "key"
				if c.as != "" {
					who = c.as
				}
				if c.label != "" {
					label = c.label
				}
				_, err = h.FinishPasskey(ctx, is(who), who, state, response, label)
				h.clock.Store(before.UnixNano())
				if c.want == nil { // nothing is signed without attestation; what comes is a key that nobody has, or nothing
					if err == nil {
						_, _, err = h.signIn(t, "", k)
					}
					if err == nil {
						t.Error("a bent registration signs in")
					}
					return
				}
				if !errors.Is(err, c.want) {
					t.Errorf("FinishPasskey = %v, want %v", err, c.want)
				}
			})
		}
	})
}

func TestKeysThatCanBeUsed(t *testing.T) {
	point := func(bend func(x, y []byte) (any, any)) map[int]any {
		raw := credential256().Key.AttestationData() // a5 01 02 03 26 20 01 21 58 20 x 22 58 20 y
		x, y := bend(raw[10:42], raw[45:77])
		return map[int]any{1: 2, 3: -7, -1: 1, -2: x, -3: y}
	}
	rsa := func(bits int) map[int]any {
		n := bytes.Repeat([]byte{0xff}, bits/8)
		return map[int]any{1: 3, 3: -257, -1: n, -2: []byte{1, 0, 1}}
	}
	for name, c := range map[string]struct {
		cose any
		want bool
	}{
		"P-256":              {point(func(x, y []byte) (any, any) { return x, y }), true},
		"a byte is missing":  {point(func(x, y []byte) (any, any) { return x[1:], y }), false},
		"not on the curve":   {point(func(x, y []byte) (any, any) { return x, bytes.Repeat([]byte{1}, 32) }), false},
		"the point of zeros": {point(func(_, _ []byte) (any, any) { return make([]byte, 32), make([]byte, 32) }), false},
		"half a point":       {point(func(x, _ []byte) (any, any) { return x, true }), false}, // compressed, RFC 9053
		"RSA of 1024 bits":   {rsa(1024), false},
		"RSA of 2048 bits":   {rsa(2048), true},
		"RSA of 4096 bits":   {rsa(4096), true},
		"RSA of 8192 bits":   {rsa(8192), false},
		"RSA of nothing":     {rsa(0), false},
		"Ed25519":            {map[int]any{1: 1, 3: -8, -1: 6, -2: make([]byte, 32)}, true},
		"Ed25519, too short": {map[int]any{1: 1, 3: -8, -1: 6, -2: make([]byte, 31)}, false},
		"a shared secret":    {map[int]any{1: 4, 3: 5, -1: make([]byte, 32)}, false},
		"no key at all":      {"key", false},
		"longer than any":    {map[int]any{1: 1, 3: -8, -1: 6, -2: make([]byte, 32), -9: make([]byte, maxPublicKey)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := cbor.Marshal(c.cose)
			if err != nil {
				t.Fatal(err)
			}
			if got := usable(raw); got != c.want {
				t.Errorf("usable = %v, want %v", got, c.want)
			}
		})
	}
}

func TestARegistrationIsAnsweredOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		options, state, err := h.BeginPasskey(ctx, is(anna), anna, "anna@example.org", "Anna")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.FinishPasskey(ctx, is(anna), anna, state, newKey().create(t, options), "one"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.FinishPasskey(ctx, is(anna), anna, state, newKey().create(t, options), "two"); !errors.Is(err, ErrCeremony) {
			t.Errorf("the same challenge again: %v, want ErrCeremony", err)
		}
		// Two first passkeys at once would be two handles.
		one, first, err := h.BeginPasskey(ctx, is(bruno), bruno, "b", "b")
		if err != nil {
			t.Fatal(err)
		}
		two, second, err := h.BeginPasskey(ctx, is(bruno), bruno, "b", "b")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.FinishPasskey(ctx, is(bruno), bruno, first, newKey().create(t, one), "one"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.FinishPasskey(ctx, is(bruno), bruno, second, newKey().create(t, two), "two"); !errors.Is(err, ErrCeremony) {
			t.Errorf("the slower of two first ones: %v, want ErrCeremony", err)
		}
		for n := 1; n < maxPasskeys; n++ {
			h.passkey(t, bruno, newKey())
		}
		if _, _, err := h.BeginPasskey(ctx, is(bruno), bruno, "b", "b"); !errors.Is(err, ErrTooMany) {
			t.Errorf("one too many: %v, want ErrTooMany", err)
		}
	})
}

// An answer that reaches two processes at once is good in one.
func TestOneAnswerOpensOneDoor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		h.passkey(t, anna, k)
		options, state, err := h.BeginAssertion(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		response := k.get(t, options)
		processes := []*Service{h.Service, h.process(t, dbtest.Open(t, h.cfg))}
		const tries = 4 // of each process
		got := make(chan error, tries*len(processes))
		var all sync.WaitGroup
		start := make(chan struct{})
		for _, s := range processes {
			for range tries {
				all.Go(func() {
					<-start
					_, _, err := s.FinishAssertion(context.Background(), state, response)
					got <- err
				})
			}
		}
		close(start)
		all.Wait()
		close(got)
		good := 0
		for err := range got {
			switch {
			case err == nil:
				good++
			case !errors.Is(err, ErrCeremony):
				t.Errorf("%v, want ErrCeremony", err)
			}
		}
		if good != 1 {
			t.Errorf("accepted %d times, want once", good)
		}
	})
}

func TestACountThatWentBackIsToldAndRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, k := t.Context(), newKey()
		k.cred.Counter = 100
		p := h.passkey(t, anna, k)
		copied := *k
		if _, _, err := h.signIn(t, "", k); err != nil { // 101
			t.Fatal(err)
		}
		if _, _, err := h.signIn(t, "", k); err != nil { // 102
			t.Fatal(err)
		}
		h.told()
		before := h.last(t)
		h.pass(time.Minute)
		if user, _, err := h.signIn(t, "", &copied); !errors.Is(err, ErrCloned) || user != "" { // 101
			t.Errorf("the copy: %q, %v, want ErrCloned", user, err)
		}
		if got, want := h.told(), "passkey-suspect"; got != want {
			t.Errorf("published %q, want %q", got, want)
		}
		if got, want := h.written(t, before), "passkey-suspect"; got != want {
			t.Errorf("journal %q, want %q", got, want)
		}
		if set, err := h.Of(ctx, anna); err != nil || set.Passkeys[0].SuspectAt != h.now() || set.Passkeys[0].ID != p.ID {
			t.Errorf("afterwards: %+v, %v", set, err)
		}
		if _, _, err := h.signIn(t, "", &copied); !errors.Is(err, ErrCloned) { // 102, the same
			t.Errorf("the copy, with the same count: %v, want ErrCloned", err)
		}
		if _, _, err := h.signIn(t, "", k); err != nil { // 103
			t.Errorf("the right one: %v", err)
		}
		k.cred.Counter = ^uint32(0) // it counts to 0
		if _, _, err := h.signIn(t, "", k); !errors.Is(err, ErrCloned) {
			t.Errorf("one that counts no more: %v, want ErrCloned", err)
		}
	})
}

// Synchronised passkeys do not count.
func TestAKeyThatDoesNotCountIsNotSuspect(t *testing.T) {
	h := newHouse(t, db.SQLite)
	k := newKey()
	k.cred.Counter = 0
	h.passkey(t, anna, k)
	for range 3 {
		k.cred.Counter = ^uint32(0)
		if _, _, err := h.signIn(t, "", k); err != nil {
			t.Errorf("signs in with count 0: %v", err)
		}
	}
}

func TestAPasskeyIsSealedAtItsPlace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		k, thief := newKey(), newKey()
		mine := h.passkey(t, anna, k)
		theirs := h.passkey(t, bruno, thief)
		var dump bytes.Buffer
		if err := h.core.Dump(ctx, &dump); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{
			"credential id": k.cred.ID, "id in base64": []byte(base64.StdEncoding.EncodeToString(k.cred.ID)),
			"handle": k.auth.Options.UserHandle, "public key": k.cred.Key.AttestationData(), "id by plain SHA-256": sum(k.cred.ID),
		} {
			if bytes.Contains(dump.Bytes(), text) {
				t.Errorf("the database has the %s in clear", name)
			}
		}
		// Who can write to the database gives Anna's account to Bruno's key.
		for name, text := range map[string]string{
			"their row becomes Anna's": `update factor_passkey set account = $1 where id = $2 and id <> $3`,
			"their key in Anna's row":  `update factor_passkey set credential = (select credential from factor_passkey where id = $2) where account = $1 and id = $3`,
		} {
			err := h.core.Write(ctx, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, text, anna, theirs.ID, mine.ID)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			with := thief
			if strings.Contains(name, "Anna's row") {
				with = k
			}
			options, state, err := h.BeginAssertion(ctx, "")
			if err != nil {
				t.Fatal(err)
			}
			if user, _, err := h.FinishAssertion(ctx, state, with.get(t, options)); err == nil || user != "" {
				t.Errorf("%s: %q, %v, want an error", name, user, err)
			}
		}
	})
}

func sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// Old challenges are forgotten, and not before they are too old to be answered.
func TestChallengesAreForgottenWhenTheyAreTooOld(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k := newKey()
		h.passkey(t, anna, k)
		count := func() (n int) {
			err := h.core.Read(t.Context(), func(tx *db.Tx) error {
				return tx.QueryRow(t.Context(), `select count(*) from factor_challenge`).Scan(&n)
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i, c := range []struct {
			pass time.Duration
			want int
		}{{0, 2}, {ceremonyFor, 3}, {time.Microsecond, 2}, {ceremonyFor + time.Microsecond, 1}} {
			h.pass(c.pass)
			if _, _, err := h.signIn(t, "", k); err != nil {
				t.Fatal(err)
			}
			if got := count(); got != c.want {
				t.Errorf("sign-in %d: %d challenges, want %d", i, got, c.want)
			}
		}
	})
}

func TestAHouseWithoutANameHasNoPasskeys(t *testing.T) {
	for name, want := range map[string]error{"192.168.1.5": ErrHost, "fd00::1": ErrHost, "localhost": nil, "ardesia.local": nil} {
		h := newHouse(t, db.SQLite)
		needs := h.needs
		needs.Host = name
		s, err := New(t.Context(), needs)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.BeginPasskey(t.Context(), is(anna), anna, "a", "a"); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if _, _, err := s.BeginAssertion(t.Context(), ""); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if _, err := s.BeginTOTP(t.Context(), is(anna), anna, "anna@example.org"); err != nil {
			t.Errorf("%s: an app: %v", name, err)
		}
	}
}

// Origins are asked at each answer.
func TestOriginsMayBeKnownLate(t *testing.T) {
	h := newHouse(t, db.SQLite)
	k := newKey()
	h.passkey(t, anna, k)
	now := []string{"https://id.ardesia.example.org:9443"}
	h.needs.Origins = func() []string { return now }
	if _, _, err := h.signIn(t, "", k); !errors.Is(err, ErrPasskey) {
		t.Errorf("from where pages are no more: %v, want ErrPasskey", err)
	}
	k.at.Origin = now[0]
	if _, _, err := h.signIn(t, "", k); err != nil {
		t.Errorf("from where pages are now: %v", err)
	}
}
