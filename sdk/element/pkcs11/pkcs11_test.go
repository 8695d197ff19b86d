//go:build pkcs11

package pkcs11

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/elementtest"
)

const pin = "5678"

// module is where Debian, Fedora and Homebrew put SoftHSM.
func module() string {
	for _, path := range []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// SoftHSM reads its configuration when it is loaded, once per process.
func TestMain(m *testing.M) {
	os.Exit(withTokens(m))
}

func withTokens(m *testing.M) int {
	if module() == "" {
		fmt.Fprintln(os.Stderr, "SoftHSM is missing; install it: apt-get install softhsm2")
		return 1
	}
	dir, err := os.MkdirTemp("", "softhsm")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(config, []byte("directories.tokendir = "+dir+"\nlog.level = ERROR\n"), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("SOFTHSM2_CONF", config)
	return m.Run()
}

var tokens int

// newToken initialises a token and opens it.
func newToken(t *testing.T) Config {
	t.Helper()
	tokens++
	c := Config{Module: module(), Token: fmt.Sprintf("board %d", tokens), PIN: pin}
	// Through the module itself: another process could not tell a loaded module of a new token.
	ctx, err := load(c.Module)
	if err != nil {
		t.Fatal(err)
	}
	slots, err := ctx.GetSlotList(false)
	if err != nil {
		t.Fatal(err)
	}
	free := slots[len(slots)-1] // SoftHSM always has one more, at the end
	if err := ctx.InitToken(free, "1234", c.Token); err != nil {
		t.Fatal(err)
	}
	token, err := find(ctx, c.Token)
	if err != nil {
		t.Fatal(err)
	}
	session, err := ctx.OpenSession(token, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(ctx.Login(session, pkcs11.CKU_SO, "1234"), ctx.InitPIN(session, pin), ctx.Logout(session), ctx.CloseSession(session))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openToken(t *testing.T, c Config) *Element {
	t.Helper()
	e, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestTokenIsAnElement(t *testing.T) {
	var last Config
	elementtest.Run(t,
		func(t *testing.T) element.Element {
			last = newToken(t)
			return openToken(t, last)
		},
		func(t *testing.T) element.Element { return openToken(t, last) })
}

func TestOpenRefuses(t *testing.T) {
	good := newToken(t)
	for name, change := range map[string]func(*Config){
		"no module":     func(c *Config) { c.Module = "/nonexistent.so" },
		"no such token": func(c *Config) { c.Token = "board x" },
		"a wrong PIN":   func(c *Config) { c.PIN = "0000" },
	} {
		c := good
		change(&c)
		if e, err := Open(c); err == nil {
			e.Close()
			t.Errorf("%s: opened", name)
		}
	}
	c := good
	c.Token = "board x"
	if _, err := Open(c); !errors.Is(err, ErrToken) {
		t.Errorf("no such token: %v", err)
	}
}

func TestPrivateKeysCannotBeRead(t *testing.T) {
	e := openToken(t, newToken(t))
	if _, err := e.GenerateKey(0); err != nil {
		t.Fatal(err)
	}
	found, err := e.search(pkcs11.CKO_PRIVATE_KEY, keyLabel(0))
	if err != nil || len(found) != 1 {
		t.Fatalf("%d private keys, %v", len(found), err)
	}
	_, err = e.ctx.GetAttributeValue(e.session, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
	if err != pkcs11.Error(pkcs11.CKR_ATTRIBUTE_SENSITIVE) {
		t.Errorf("reading the key: %v", err)
	}
}

// The power was cut after the new object was made and before the old one was destroyed.
func TestTheNewerOfTwoObjectsCounts(t *testing.T) {
	e := openToken(t, newToken(t))
	if err := e.Write(10, []byte("old")); err != nil {
		t.Fatal(err)
	}
	_, err := e.ctx.CreateObject(e.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_DATA), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, dataLabel(10)),
		pkcs11.NewAttribute(pkcs11.CKA_VALUE, append([]byte{0, 0, 0, 2}, "new"...)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Read(10); err != nil || string(got) != "new" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := e.Write(10, []byte("newest")); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Read(10); err != nil || string(got) != "newest" {
		t.Errorf("read %q, %v", got, err)
	}
	if left, err := e.search(pkcs11.CKO_DATA, dataLabel(10)); err != nil || len(left) != 1 {
		t.Errorf("%d objects are left, %v", len(left), err)
	}
}

// A second program sees the same keys, as softhsm2-util or pkcs11-tool would.
func TestOtherProgramsSeeTheToken(t *testing.T) {
	c := newToken(t)
	if _, err := openToken(t, c).GenerateKey(0); err != nil {
		t.Fatal(err)
	}
	tool, err := exec.LookPath("softhsm2-util")
	if err != nil {
		t.Fatal("softhsm2-util is missing; install it: apt-get install softhsm2")
	}
	out, err := exec.Command(tool, "--show-slots").CombinedOutput()
	if err != nil || !containsLine(string(out), c.Token) {
		t.Errorf("%s, %v", out, err)
	}
}

func containsLine(text, label string) bool {
	for line := range strings.Lines(text) {
		if _, value, is := strings.Cut(line, "Label:"); is && strings.TrimSpace(value) == label {
			return true
		}
	}
	return false
}
