package factor

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"image"
	"image/png"
	"net/url"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// codeAt is what an app shows.
func codeAt(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	code, err := hotp.GenerateCode(secret, uint64(at.Unix()/30))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// The 18 vectors of RFC 6238, appendix B, with the seeds of its erratum 2866: as
// long as the hash. Ours are the ones of SHA-1, and show the last six of eight digits.
func TestVectorsOfRFC6238(t *testing.T) {
	seed := func(n int) []byte { return []byte(strings.Repeat("1234567890", 7)[:n]) }
	algorithms := []otp.Algorithm{otp.AlgorithmSHA1, otp.AlgorithmSHA256, otp.AlgorithmSHA512}
	seeds := [][]byte{seed(20), seed(32), seed(64)}
	seen := 0
	for at, want := range map[int64][3]string{
		59:          {"94287082", "46119246", "90693936"},
		1111111109:  {"07081804", "68084774", "25091201"},
		1111111111:  {"14050471", "67062674", "99943326"},
		1234567890:  {"89005924", "91819424", "93441116"},
		2000000000:  {"69279037", "90698825", "38618901"},
		20000000000: {"65353130", "77737706", "47863826"},
	} {
		for i, algorithm := range algorithms {
			seen++
			got, err := hotp.GenerateCodeCustom(base32.StdEncoding.EncodeToString(seeds[i]), uint64(at/30), hotp.ValidateOpts{Digits: otp.DigitsEight, Algorithm: algorithm})
			if err != nil || got != want[i] {
				t.Errorf("%v at %d = %s, %v, want %s", algorithm, at, got, err, want[i])
			}
		}
		step, ok := stepOf(seeds[0], want[0][2:], time.Unix(at, 0))
		if !ok || step != at/30 {
			t.Errorf("stepOf at %d = %d, %v, want %d", at, step, ok, at/30)
		}
	}
	if seen != 18 {
		t.Errorf("%d vectors, want 18", seen)
	}
}

// A code is good in its own step and in the two beside it, and nowhere else.
func TestACodeIsGoodForAStepToEitherSide(t *testing.T) {
	key := []byte("12345678901234567890")
	text := base32.StdEncoding.EncodeToString(key)
	mine := stepAt(noon)
	code := codeAt(t, text, noon)
	for off, want := range map[int]bool{-61: false, -31: false, -30: true, -1: true, 0: true, 29: true, 30: true, 59: true, 60: false, 90: false} {
		got, ok := stepOf(key, code, noon.Add(time.Duration(off)*time.Second))
		if ok != want || ok && got != mine {
			t.Errorf("%d s after the step began: step %d, %v, want %d, %v", off, got-mine, ok, 0, want)
		}
	}
}

// Debian's oathtool is somebody else's reading of the same RFC.
func TestOathtoolOpensTheDoor(t *testing.T) {
	tool, err := exec.LookPath("oathtool")
	if err != nil {
		t.Fatal("oathtool is not installed: codes are compared with another program's; on Debian: apt-get install oathtool")
	}
	show := func(secret string, at time.Time) string {
		out, err := exec.Command(tool, "--totp", "--base32", "--now", at.UTC().Format("2006-01-02 15:04:05 UTC"), secret).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	h := newHouse(t, db.SQLite)
	setup, err := h.BeginTOTP(t.Context(), is(anna), anna, "anna@example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.ConfirmTOTP(t.Context(), is(anna), anna, show(setup.Secret.Reveal(), h.now())); err != nil {
		t.Errorf("confirm with oathtool's code: %v", err)
	}
	for range 20 {
		h.pass(7*24*time.Hour + 31*time.Second)
		code := show(setup.Secret.Reveal(), h.now())
		if err := h.CheckTOTP(t.Context(), anna, code); err != nil {
			t.Errorf("oathtool's code %s at %v: %v", code, h.now(), err)
		}
	}
	for range 50 {
		raw := secret.Random(totpSecret)
		code := show(base32.StdEncoding.EncodeToString(raw), h.now())
		if step, ok := stepOf(raw, code, h.now()); !ok || step != stepAt(h.now()) {
			t.Errorf("oathtool's code %s of another secret: step %d, %v", code, step, ok)
		}
	}
}

func TestAnAppCountsOnceItIsConfirmed(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		setup, err := h.BeginTOTP(ctx, is(anna), anna, "anna@example.org")
		if err != nil {
			t.Fatal(err)
		}
		first := setup.Secret.Reveal()
		if raw, err := base32.StdEncoding.DecodeString(first); err != nil || len(raw) != 20 {
			t.Errorf("a secret of %d bytes, %v, want 20", len(raw), err)
		}
		if set, err := h.Of(ctx, anna); err != nil || set.TOTP || set.Level() != PasswordOnly {
			t.Errorf("before it is confirmed: %+v, %v", set, err)
		}
		if err := h.CheckTOTP(ctx, anna, codeAt(t, first, h.now())); !errors.Is(err, ErrCode) {
			t.Errorf("a code before it is confirmed: %v, want ErrCode", err)
		}
		for _, wrong := range []string{"", "000000000", "abcdef", codeAt(t, first, h.now().Add(time.Hour))} {
			if _, err := h.ConfirmTOTP(ctx, is(anna), anna, wrong); !errors.Is(err, ErrCode) {
				t.Errorf("confirm with %q: %v, want ErrCode", wrong, err)
			}
		}
		code := codeAt(t, first, h.now())
		list, err := h.ConfirmTOTP(ctx, is(anna), anna, code[:3]+" "+code[3:])
		if err != nil || len(list) != 10 {
			t.Fatalf("confirm: %d codes, %v", len(list), err)
		}
		if err := h.CheckTOTP(ctx, anna, code); !errors.Is(err, ErrCode) {
			t.Errorf("the code that confirmed it once more: %v, want ErrCode", err)
		}
		if _, err := h.ConfirmTOTP(ctx, is(anna), anna, code); !errors.Is(err, ErrSetup) {
			t.Errorf("confirm again: %v, want ErrSetup", err)
		}
		if set, err := h.Of(ctx, anna); err != nil || !set.TOTP || set.RecoveryLeft != 10 || set.Level() != TwoSteps {
			t.Errorf("confirmed: %+v, %v", set, err)
		}
		if l, err := h.Level(ctx, anna); err != nil || l != TwoSteps {
			t.Errorf("Level = %v, %v, want %v", l, err, TwoSteps)
		}
		// Another phone: the old one is good until the new one is confirmed, and then no more.
		setup, err = h.BeginTOTP(ctx, is(anna), anna, "anna@example.org")
		if err != nil {
			t.Fatal(err)
		}
		h.pass(time.Minute)
		if err := h.CheckTOTP(ctx, anna, codeAt(t, first, h.now())); err != nil {
			t.Errorf("the old phone meanwhile: %v", err)
		}
		h.pass(time.Minute)
		if list, err := h.ConfirmTOTP(ctx, is(anna), anna, codeAt(t, setup.Secret.Reveal(), h.now())); err != nil || list != nil {
			t.Errorf("confirm the new phone: %d codes, %v, want none", len(list), err)
		}
		h.pass(time.Minute)
		if err := h.CheckTOTP(ctx, anna, codeAt(t, first, h.now())); !errors.Is(err, ErrCode) {
			t.Errorf("the old phone afterwards: %v, want ErrCode", err)
		}
		if err := h.CheckTOTP(ctx, anna, codeAt(t, setup.Secret.Reveal(), h.now())); err != nil {
			t.Errorf("the new phone: %v", err)
		}
		if err := h.CheckTOTP(ctx, bruno, codeAt(t, setup.Secret.Reveal(), h.now())); !errors.Is(err, ErrCode) {
			t.Errorf("the code of somebody else: %v, want ErrCode", err)
		}
		elsewhere := h.process(t, h.core)
		for name, s := range map[string]*Service{"here": h.Service, "elsewhere": elsewhere} {
			if l, err := s.Level(ctx, anna); err != nil || l != TwoSteps {
				t.Errorf("Level %s = %v, %v, want %v", name, l, err, TwoSteps)
			}
		}
		if err := h.RemoveTOTP(ctx, is(anna), anna); err != nil {
			t.Fatal(err)
		}
		if err := h.RemoveTOTP(ctx, is(anna), anna); !errors.Is(err, ErrNotFound) {
			t.Errorf("remove again: %v, want ErrNotFound", err)
		}
		if set, err := h.Of(ctx, anna); err != nil || set.TOTP || set.RecoveryLeft != 0 || set.Level() != PasswordOnly {
			t.Errorf("removed: %+v, %v", set, err)
		}
		if l, err := h.Level(ctx, anna); err != nil || l != PasswordOnly {
			t.Errorf("Level, at once, = %v, %v, want %v", l, err, PasswordOnly)
		}
		h.pass(believed)
		if l, err := elsewhere.Level(ctx, anna); err != nil || l != PasswordOnly {
			t.Errorf("Level elsewhere, after %v, = %v, %v, want %v", believed, l, err, PasswordOnly)
		}
		if got, want := h.told(), "totp-added recovery-made totp-added totp-removed"; got != want {
			t.Errorf("published %q, want %q", got, want)
		}
		if got, want := h.written(t, 0), "totp-begin totp-add totp-begin totp-add totp-remove"; got != want {
			t.Errorf("journal %q, want %q", got, want)
		}
	})
}

func TestASetUpIsGoodForHalfAnHour(t *testing.T) {
	h := newHouse(t, db.SQLite)
	setup, err := h.BeginTOTP(t.Context(), is(anna), anna, "anna@example.org")
	if err != nil {
		t.Fatal(err)
	}
	h.pass(setupFor + time.Second)
	if _, err := h.ConfirmTOTP(t.Context(), is(anna), anna, codeAt(t, setup.Secret.Reveal(), h.now())); !errors.Is(err, ErrSetup) {
		t.Errorf("confirm: %v, want ErrSetup", err)
	}
	if _, err := h.ConfirmTOTP(t.Context(), is(bruno), bruno, "123456"); !errors.Is(err, ErrSetup) {
		t.Errorf("confirm what was never begun: %v, want ErrSetup", err)
	}
}

// The picture and the address say the same, and what apps expect.
func TestWhatAnAppIsShown(t *testing.T) {
	h := newHouse(t, db.SQLite)
	setup, err := h.BeginTOTP(t.Context(), is(anna), anna, "anna:x@example.org")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(setup.URL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"secret": setup.Secret.Reveal(), "issuer": "Ardesia (" + host + ")", "digits": "6", "period": "30", "algorithm": "SHA1",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got, want := u.Path, "/Ardesia ("+host+"):anna x@example.org"; u.Scheme != "otpauth" || u.Host != "totp" || got != want {
		t.Errorf("address %s://%s with %q, want otpauth://totp with %q", u.Scheme, u.Host, got, want)
	}
	picture, err := png.Decode(bytes.NewReader(setup.QR))
	if err != nil {
		t.Fatal(err)
	}
	if got := picture.Bounds().Size(); got != image.Pt(qrSide, qrSide) {
		t.Errorf("a picture of %v", got)
	}
	for _, label := range []string{"", strings.Repeat("a", maxName+1), "a\nb", "\xff"} {
		if _, err := h.BeginTOTP(t.Context(), is(anna), anna, label); !errors.Is(err, ErrLabel) {
			t.Errorf("label %q: %v, want ErrLabel", label, err)
		}
	}
}

// A step is accepted once, however many ask for it at the same time in however many
// processes, and an earlier one is not accepted after it.
func TestEachStepIsAcceptedOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		key, _ := h.app(t, anna)
		processes := []*Service{h.Service, h.process(t, dbtest.Open(t, h.cfg))}
		for round := range 5 {
			h.pass(time.Minute)
			code, before := codeAt(t, key, h.now()), codeAt(t, key, h.now().Add(-30*time.Second))
			const tries = 8 // of each process
			got := make(chan error, tries*len(processes))
			var all sync.WaitGroup
			start := make(chan struct{})
			for _, s := range processes {
				for range tries {
					all.Go(func() {
						<-start
						got <- s.CheckTOTP(context.Background(), anna, code)
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
				case !errors.Is(err, ErrCode):
					t.Errorf("round %d: %v, want ErrCode", round, err)
				}
			}
			if good != 1 {
				t.Errorf("round %d: accepted %d times, want once", round, good)
			}
			if err := h.CheckTOTP(t.Context(), anna, before); before != code && !errors.Is(err, ErrCode) {
				t.Errorf("round %d: the step before, afterwards: %v, want ErrCode", round, err)
			}
		}
	})
}

// Nobody but the person may: not another one, not their key, not the administrator.
func TestOnlyThePersonChangesWhatThePersonHas(t *testing.T) {
	h := newHouse(t, db.SQLite)
	key, _ := h.app(t, anna)
	before := h.last(t)
	ctx := t.Context()
	for name, who := range map[string]access.Actor{
		"the administrator":        {Kind: access.System},
		"an admin of their space":  {Kind: access.User, ID: bruno, Space: anna, Role: access.Admin},
		"the person's own key":     {Kind: access.APIKey, ID: anna, Client: "k", Space: anna, Role: access.Admin},
		"a device that has the id": {Kind: access.Device, ID: anna, Space: anna},
		"nobody":                   {},
	} {
		for verb, do := range map[string]func() error{
			"BeginTOTP":     func() error { _, err := h.BeginTOTP(ctx, who, anna, "a"); return err },
			"ConfirmTOTP":   func() error { _, err := h.ConfirmTOTP(ctx, who, anna, "123456"); return err },
			"RemoveTOTP":    func() error { return h.RemoveTOTP(ctx, who, anna) },
			"NewRecovery":   func() error { _, err := h.NewRecovery(ctx, who, anna); return err },
			"BeginPasskey":  func() error { _, _, err := h.BeginPasskey(ctx, who, anna, "a", "a"); return err },
			"FinishPasskey": func() error { _, err := h.FinishPasskey(ctx, who, anna, nil, nil, "a"); return err },
			"RenamePasskey": func() error { return h.RenamePasskey(ctx, who, anna, anna, "a") },
			"RemovePasskey": func() error { return h.RemovePasskey(ctx, who, anna, anna) },
		} {
			if err := do(); !errors.Is(err, access.ErrDenied) && !errors.Is(err, access.ErrForbidden) {
				t.Errorf("%s by %s: %v, want a refusal", verb, name, err)
			}
		}
	}
	if got := h.last(t); got != before {
		t.Errorf("%d journal entries were written by those who may not", got-before)
	}
	if err := h.CheckTOTP(ctx, anna, codeAt(t, key, h.now())); err != nil {
		t.Errorf("the app afterwards: %v", err)
	}
}

// The database alone is worth nothing: neither to read it nor to write to it.
func TestASecretIsSealedAtItsPlace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		key, _ := h.app(t, anna)
		h.app(t, bruno)
		raw, err := base32.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		var dump bytes.Buffer
		if err := h.core.Dump(ctx, &dump); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string][]byte{"secret": raw, "secret in base32": []byte(key), "address": []byte("anna@example.org")} {
			if bytes.Contains(dump.Bytes(), text) {
				t.Errorf("the database has the %s in clear", name)
			}
		}
		// Who can write to the database gives Anna Bruno's secret.
		err = h.core.Write(ctx, func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, fmt.Sprintf(`update factor_totp set secret = (select secret from factor_totp where account = '%s'), step = 0 where account = $1`, bruno), anna)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.CheckTOTP(ctx, anna, "123456"); err == nil || errors.Is(err, ErrCode) {
			t.Errorf("a secret that was moved: %v, want an error of ours", err)
		}
	})
}

func TestForgetLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		key, list := h.app(t, anna)
		other, _ := h.app(t, bruno)
		h.passkey(t, anna, newKey())
		before := h.last(t)
		for range 2 {
			if err := h.Forget(ctx, anna); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := h.written(t, before), "forget"; got != want {
			t.Errorf("journal %q, want %q", got, want)
		}
		for _, table := range []string{"factor_totp", "factor_handle", "factor_passkey", "factor_recovery"} {
			if n := h.rows(t, table, anna); n != 0 {
				t.Errorf("%s has %d rows of who was forgotten", table, n)
			}
		}
		if err := h.CheckTOTP(ctx, anna, codeAt(t, key, h.now())); !errors.Is(err, ErrCode) {
			t.Errorf("the app of who was forgotten: %v, want ErrCode", err)
		}
		if _, _, err := h.CheckRecovery(ctx, anna, list[0]); !errors.Is(err, ErrRecovery) {
			t.Errorf("a recovery code of who was forgotten: %v, want ErrRecovery", err)
		}
		if err := h.CheckTOTP(ctx, bruno, codeAt(t, other, h.now())); err != nil {
			t.Errorf("the app of somebody else: %v", err)
		}
	})
}

func (h *house) rows(t testing.TB, table, user string) (n int) {
	t.Helper()
	err := h.core.Read(t.Context(), func(tx *db.Tx) error {
		return tx.QueryRow(t.Context(), `select count(*) from `+table+` where account = $1`, user).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
