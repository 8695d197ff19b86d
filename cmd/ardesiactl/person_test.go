package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/oauth"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// person is a house in which somebody is always signed in.
func person(t *testing.T) (*servertest.House, oauth.Login) {
	t.Helper()
	keyring.MockInitWithError(errors.New("no key ring here"))
	t.Setenv("ARDESIACTL_CONFIG", filepath.Join(t.TempDir(), "ctl.json"))
	t.Setenv("ARDESIA_CLIENT_SECRET", "")
	t.Setenv("BROWSER", "")
	h := servertest.Start(t)
	user, _ := h.Person("ann@example.org")
	who := oauth.Login{User: user, At: h.Now(), AMR: []string{"pwd"}, ACR: "1", Session: "browser"}
	nowhere := func(*http.Request, string) string { return "/nowhere" }
	err := h.Server.BindBrowser(oauth.Browser{
		Login:  func(*http.Request) (oauth.Login, bool) { return who, true },
		SignIn: func(*http.Request, string, oauth.Hint) string { return "/nowhere" },
		Consent: func(r *http.Request, id string) string { // she agrees to everything
			next, err := h.Server.Tokens().Consent(r.Context(), user, id, true)
			if err != nil {
				t.Error(err)
			}
			return next
		},
		SignOut: nowhere,
		Ended:   func(context.Context, string) (bool, error) { return false, nil },
		End:     func(context.Context, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h, who
}

func TestSignInWithABrowser(t *testing.T) {
	h, _ := person(t)
	// A browser with nobody before it: it follows where it is sent.
	browser := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(browser, []byte("#!/bin/sh\nexec curl --silent --location --cacert '"+h.CA()+"' \"$1\" >/dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BROWSER", browser)
	if r := call(t, "", "login", h.URL(), "--ca", h.CA()); r.code != exitOK || !strings.Contains(r.err, "sign-in is kept in") {
		t.Fatalf("login: %+v", r)
	}
	info, err := os.Stat(os.Getenv("ARDESIACTL_CONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the file of tokens has mode %04o, want 0600", got)
	}
	thing := made(t, "thing", "create", "--name", "Greenhouse", "--property", "temperature:FLOAT:rw")
	kept := func() string {
		t.Helper()
		text, err := os.ReadFile(os.Getenv("ARDESIACTL_CONFIG"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	before := kept()
	if r := call(t, "", "thing", "show", thing); r.code != exitOK || kept() != before {
		t.Errorf("a token that is good is renewed: %+v", r)
	}
	h.Pass(15 * time.Minute) // more than an access token's life, less than this machine's clock knows
	if r := call(t, "", "thing", "show", thing); r.code != exitOK || kept() == before {
		t.Errorf("after the token's life: %+v", r)
	}
	stolen := kept()
	if r := call(t, "", "logout"); r.code != exitOK || r.err != "" {
		t.Errorf("logout: %+v", r)
	}
	if r := call(t, "", "thing", "list"); r.code != exitLogin {
		t.Errorf("after logout: %+v", r)
	}
	if err := os.WriteFile(os.Getenv("ARDESIACTL_CONFIG"), []byte(stolen), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := call(t, "", "thing", "list"); r.code != exitLogin || !strings.Contains(r.err, "login") {
		t.Errorf("what logout gave back still works: %+v", r)
	}
}

func TestSignInWithACode(t *testing.T) {
	h, who := person(t)
	out, errs, ended := new(screen), new(screen), make(chan result, 1)
	go func() {
		ended <- callUntil(t.Context(), "", out, errs, "login", h.URL(), "--ca", h.CA(), "--device")
	}()
	code := regexp.MustCompile(`type the code  ([A-Z]{4}-[A-Z]{4})`)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for code.FindString(errs.String()) == "" {
		select {
		case r := <-ended:
			t.Fatalf("login: %+v", r)
		case <-tick.C:
		}
	}
	if err := h.Server.Tokens().Approve(t.Context(), who, code.FindStringSubmatch(errs.String())[1]); err != nil {
		t.Fatal(err)
	}
	if r := <-ended; r.code != exitOK {
		t.Fatalf("login: %+v", r)
	}
	if r := call(t, "", "space", "list"); r.code != exitOK || !strings.Contains(r.out, "private") {
		t.Errorf("space list: %+v", r)
	}
}

// A sign-in is kept in the key ring, where there is one, also when it was renewed.
func TestKeyRingKeepsTheSignIn(t *testing.T) {
	h, who := person(t)
	keyring.MockInit()
	ended := make(chan result, 1)
	errs := new(screen)
	go func() {
		ended <- callUntil(t.Context(), "", new(screen), errs, "login", h.URL(), "--ca", h.CA(), "--device")
	}()
	code := regexp.MustCompile(`[A-Z]{4}-[A-Z]{4}`)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for code.FindString(errs.String()) == "" {
		<-tick.C
	}
	if err := h.Server.Tokens().Approve(t.Context(), who, code.FindString(errs.String())); err != nil {
		t.Fatal(err)
	}
	if r := <-ended; r.code != exitOK || !strings.Contains(r.err, "key ring") {
		t.Fatalf("login: %+v", r)
	}
	h.Pass(15 * time.Minute)
	for range 2 {
		if r := call(t, "", "space", "list"); r.code != exitOK {
			t.Errorf("space list: %+v", r)
		}
	}
	text, err := os.ReadFile(os.Getenv("ARDESIACTL_CONFIG"))
	if err != nil || strings.Contains(string(text), "refresh") {
		t.Errorf("tokens are in the file as well: %s %v", text, err)
	}
}

func TestSignInNeedsSomebody(t *testing.T) {
	h, _ := person(t)
	if r := call(t, "", "login", h.URL(), "--ca", h.CA()); r.code != exitUsage || !strings.Contains(r.err, "--device") {
		t.Errorf("without a terminal: %+v", r)
	}
	if r := call(t, "", "login", h.URL(), "--device"); r.code != exitNetwork || !strings.Contains(r.err, "--ca") {
		t.Errorf("a server that is not known: %+v", r)
	}
}

// A watch ends when its person takes back what she let the program do.
func TestWatchEndsWithItsSignIn(t *testing.T) {
	h, who := person(t)
	browser := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(browser, []byte("#!/bin/sh\nexec curl --silent --location --cacert '"+h.CA()+"' \"$1\" >/dev/null\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BROWSER", browser)
	if r := call(t, "", "login", h.URL(), "--ca", h.CA()); r.code != exitOK {
		t.Fatalf("login: %+v", r)
	}
	thing := made(t, "thing", "create", "--name", "Greenhouse", "--property", "temperature:FLOAT:rw")
	out, errs, ended := new(screen), new(screen), make(chan result, 1)
	go func() { ended <- callUntil(t.Context(), "", out, errs, "property", "watch", thing) }()
	for !strings.Contains(out.String(), "temperature") {
		if r := call(t, "", "property", "set", thing, "temperature", "1"); r.code != exitOK {
			t.Fatalf("set: %+v", r)
		}
		select {
		case r := <-ended:
			t.Fatalf("the watch ended early: %+v", r)
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := h.Server.Tokens().Withdraw(t.Context(), access.Actor{Kind: access.User, ID: who.User}, who.User, "ardesiactl"); err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-ended:
		if r.code != exitLogin {
			t.Errorf("ended with %+v", r)
		}
	case <-time.After(90 * time.Second):
		t.Errorf("still watching without consent; printed: %s", errs)
	}
}
