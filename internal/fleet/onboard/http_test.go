package onboard

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

func (r *rig) api() http.Handler {
	r.h.t.Helper()
	policy, err := access.New()
	if err != nil {
		r.h.t.Fatal(err)
	}
	viewer := editor
	viewer.Role = access.Viewer
	actors := map[string]access.Actor{"editor": editor, "other": other, "viewer": viewer}
	d, err := door.New(door.Config{OpenRate: door.Rate{PerMinute: -1}}, door.Needs{
		Log: slog.New(slog.NewTextHandler(r.h.t.Output(), nil)), Now: r.h.clock, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			if who, ok := actors[token]; ok {
				return who, nil
			}
			return access.Actor{}, door.ErrToken
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	if err != nil {
		r.h.t.Fatal(err)
	}
	h, err := d.Handler(r.Routes())
	if err != nil {
		r.h.t.Fatal(err)
	}
	return h
}

const (
	claimPath    = "/provisioning/v1/onboarding/claim"
	registerPath = "/provisioning/v1/boards/register"
	listPath     = "/provisioning/v1/onboarding"
	csrPath      = "/provisioning/v1/onboarding/provision/csr"
	completePath = "/provisioning/v1/onboarding/provision/complete"
)

// The calls of a command line tool and of a board, in their order, with the fields that both need.
func TestCallsOfClientAndBoard(t *testing.T) {
	h := liteHouse(t)
	r, b := h.start(), newToy(t)
	api := r.api()
	claim := func() string {
		return `{"ble_mac":"FF:FF:FF:FF:FF:FF","board_token":"` + b.token(h.clock()) + `","connection_type":"wifi","device_name":"gate"}`
	}
	refused := func(w *httptest.ResponseRecorder, status, number int) {
		t.Helper()
		var got struct {
			Err    *string `json:"err"`
			Number *int    `json:"err_code"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != status || got.Err == nil || *got.Err == "" || got.Number == nil || *got.Number != number {
			t.Errorf("%d %s, want %d and err_code %d", w.Code, w.Body, status, number)
		}
	}
	refused(doortest.Do(t, api, "editor", "POST", claimPath, claim(), nil), 400, 1)
	p := b.registration()
	registration, err := json.Marshal(map[string]any{"pid": p.PID, "vid": p.VID, "public_key": p.PublicKey, "serial": nil, "unique_hardware_id": p.HardwareID})
	if err != nil {
		t.Fatal(err)
	}
	doortest.Want(t, api, 200, "editor", "POST", registerPath, registration, nil)
	var claimed struct{ ID string }
	doortest.Want(t, api, 200, "editor", "POST", claimPath, claim(), &claimed)
	entry := func() map[string]any {
		t.Helper()
		var all struct{ Onboardings []map[string]any }
		doortest.Want(t, api, 200, "editor", "GET", listPath+"?all=true", nil, &all)
		for _, o := range all.Onboardings {
			if o["id"] == claimed.ID {
				return o
			}
		}
		t.Fatalf("no %s among %v", claimed.ID, all)
		return nil
	}
	o := entry()
	for _, key := range []string{"id", "unique_hardware_id", "device_name", "connection_type", "device_id", "user_id", "org_id", "ble_mac", "created_at", "provisioned_at", "claimed_at", "ended_at", "fqbn"} {
		if _, has := o[key]; !has {
			t.Errorf("an onboarding has no %s", key)
		}
	}
	if o["device_id"] != nil || o["provisioned_at"] != nil || o["ended_at"] != nil || o["org_id"] != nil || o["ble_mac"] != "" || o["user_id"] != editor.ID {
		t.Errorf("after the claim: %v", o)
	}
	ask := func(path, body string) *httptest.ResponseRecorder {
		t.Helper()
		h.pass(10 * time.Second)
		q := httptest.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader(body))
		q.Header.Set("Content-Type", "application/json;charset=UTF-8")
		q.Header.Set("Authorization", "Bearer "+b.token(h.clock()))
		w := httptest.NewRecorder()
		api.ServeHTTP(w, q)
		return w
	}
	request := `{"csr":"` + strings.ReplaceAll(string(b.csr()), "\n", `\n`) + `"}` // as boards write it
	w := ask(csrPath, request)
	// The lengths that boards accept, and the beginning of a time.
	form := regexp.MustCompile(`^[0-9a-f-]{36}\|[0-9a-f]{40}\|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:00:00Z\|[0-9a-f]{32}\|[0-9a-f]{64}\|[0-9a-f]{64}$`)
	if w.Code != 200 || !form.MatchString(w.Body.String()) || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Fatalf("%d %v %q", w.Code, w.Header(), w.Body)
	}
	if o = entry(); o["device_id"] != w.Body.String()[:36] || o["provisioned_at"] == nil || o["ended_at"] != nil {
		t.Errorf("after the certificate: %v", o)
	}
	if w := ask(completePath, `{"wifi_fw_version":""}`); w.Code != 200 {
		t.Errorf("complete: %d %s", w.Code, w.Body)
	}
	if o = entry(); o["ended_at"] == nil {
		t.Errorf("after the end: %v", o)
	}
	// What a board hears that is not let in makes it try again.
	for what, c := range map[string]struct {
		path, body, token string
		status            int
	}{
		"no token":       {csrPath, request, "", 401},
		"a user's token": {csrPath, request, "editor", 401},
		"no request":     {csrPath, `{}`, "", 400},
		"much too long":  {csrPath, `{"csr":"` + strings.Repeat("x", 2000) + `"}`, "", 400},
		"no JSON":        {completePath, `wifi`, "", 400},
		"nobody's":       {completePath, `{"wifi_fw_version":""}`, newToy(t).token(h.clock()), 401},
	} {
		if w := doortest.Do(t, api, c.token, "POST", c.path, c.body, nil); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, c.status)
		}
	}
	h.pass(time.Minute)
	impostor := newToy(t)
	impostor.hardware = b.hardware
	own := b
	b = impostor
	refused(doortest.Do(t, api, "editor", "POST", claimPath, claim(), nil), 400, 3)
	b = own
	refused(doortest.Do(t, api, "editor", "POST", claimPath, `{"board_token":"x","connection_type":"wifi"}`, nil), 400, 1001)
	refused(doortest.Do(t, api, "editor", "POST", registerPath, `{"board_token":"x","pid":"8057","vid":"2341","public_key":"x","unique_hardware_id":"x"}`, nil), 400, 1006)
	for what, c := range map[string]struct {
		who, method, path string
		status            int
	}{
		"a viewer looks":       {"viewer", "GET", listPath + "?all=true", 200},
		"a viewer claims":      {"viewer", "POST", claimPath, 403},
		"a viewer drops":       {"viewer", "DELETE", listPath + "/" + claimed.ID, 403},
		"another space drops":  {"other", "DELETE", listPath + "/" + claimed.ID, 404},
		"nobody claims":        {"", "POST", claimPath, 401},
		"nobody looks":         {"", "GET", listPath, 401},
		"what is no flag":      {"editor", "GET", listPath + "?all=perhaps", 400},
		"what was never there": {"editor", "DELETE", listPath + "/x", 404},
	} {
		if w := doortest.Do(t, api, c.who, c.method, c.path, nil, nil); w.Code != c.status {
			t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, c.status)
		}
	}
	doortest.Want(t, api, 200, "editor", "DELETE", listPath+"/"+strings.ToUpper(claimed.ID), nil, nil)
	doortest.Want(t, api, 404, "editor", "DELETE", listPath+"/"+claimed.ID, nil, nil)
	// In a shared space an entry names it.
	r.bring(other, own)
	if w := doortest.Want(t, api, 200, "other", "GET", listPath, nil, nil); !bytes.Contains(w.Body.Bytes(), []byte(`"org_id":"`+otherSpace+`"`)) {
		t.Errorf("in a shared space: %s", w.Body)
	}
}

// fixedToy is the same board in each process, as those of one fuzzing must be, with the same token and request each time.
func fixedToy(t testing.TB) (b *toy, token, csr string) {
	t.Helper()
	key := func(text string) *ecdsa.PrivateKey {
		scalar := sha256.Sum256([]byte(text))
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	b = &toy{t, strings.Repeat("ab", 32), key("of tokens"), key("of the device")}
	token, err := boardcert.SignToken(nil, b.key, noon, b.hardware)
	if err != nil {
		t.Fatal(err)
	}
	text, err := boardcert.MakeCSR(nil, b.device, b.hardware)
	if err != nil {
		t.Fatal(err)
	}
	return b, token, string(text)
}

// Whatever somebody sends as a board's token, it is refused or is in the very form that boards write.
func FuzzToken(f *testing.F) {
	b, signed, _ := fixedToy(f)
	f.Add(signed)
	f.Add("eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjA3MDYwMDAsImlzcyI6IjNmMDIwMDY0YTU4ZjA1Y2FmZmQ5NjA0YjVjNTEzNjM3NTA2MWZkNjBkMjc3OTliZjA1ZjJiMDE0ZjUyYTVjOTQifQ.yGUnpSgtJSAh35ru-hduQr5V_XWjdc-eHN4e2A3xVtNhwkku9apDM72TRsA_KVxZ39z-ULYcrwyhzugXuKVCsw")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("..")
	point, err := b.key.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in, err := readToken(text)
		if err != nil {
			if err != ErrToken {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if !hardwareForm.MatchString(in.Hardware) || in.At.Unix() <= 0 || len(text) > boardcert.MaxToken {
			t.Fatalf("read %+v of %q", in, text)
		}
		if err := in.verify(point); err == nil && in.Hardware != b.hardware {
			t.Fatalf("%q is signed by a key that never signed it", text)
		}
		_ = in.fresh(noon)
	})
}

// Whatever body somebody sends for a certificate, it is refused, or has one request in the board's own name, for another key than
// the one that signs tokens, signed by itself.
func FuzzRequest(f *testing.F) {
	b, _, request := fixedToy(f)
	tokensKey, err := b.key.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	var route door.Route
	for _, r := range (&Service{}).Routes() {
		if r.Pattern == "POST "+csrPath {
			route = r
		}
	}
	f.Add([]byte(`{"csr":"` + strings.ReplaceAll(request, "\n", `\n`) + `"}`))
	f.Add([]byte(`{"csr":"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"}`))
	f.Add([]byte(`{"csr":null}`))
	f.Add([]byte(`{"csr":"","CSR":""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := door.Decode(route, body)
		if err != nil {
			if problem.Of(err).Kind != problem.Invalid && problem.Of(err).Kind != problem.TooLarge {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		in := v.(*inCSR)
		csr, _, err := readRequest([]byte(in.CSR), b.hardware, tokensKey)
		if err != nil {
			if problem.Of(err).Kind != problem.Invalid {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if csr.Name != b.hardware || csr.Key.Equal(&b.key.PublicKey) || len(in.CSR) > boardcert.MaxCSR {
			t.Fatalf("%q was read as %+v", body, csr)
		}
	})
}
