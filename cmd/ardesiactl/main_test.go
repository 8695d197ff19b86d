package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// result is what one command line printed, and its exit code.
type result struct {
	out, err string
	code     int
}

// call runs one command line as main does.
func call(t *testing.T, in string, args ...string) result {
	t.Helper()
	return callUntil(t.Context(), in, new(bytes.Buffer), new(bytes.Buffer), args...)
}

func callUntil(ctx context.Context, in string, out, errs interface {
	io.Writer
	String() string
}, args ...string) result {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(in))
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	text := errs.String()
	if err != nil {
		text += explain(err)
	}
	return result{out.String(), text, exitCode(ctx, err)}
}

// home logs a person of a new house in, with the secret in a file.
func home(t *testing.T, change ...func(*server.Config)) *servertest.House {
	t.Helper()
	keyring.MockInitWithError(errors.New("no key ring here"))
	t.Setenv("ARDESIACTL_CONFIG", filepath.Join(t.TempDir(), "ctl.json"))
	t.Setenv("ARDESIA_CLIENT_SECRET", "")
	h := servertest.Start(t, change...)
	_, key := h.Person("ann@example.org")
	if r := call(t, key.Secret+"\n", "login", h.URL(), "--client-id", key.ID, "--secret-stdin", "--ca", h.CA()); r.code != exitOK {
		t.Fatalf("login: %+v", r)
	}
	return h
}

// made creates something and returns its id.
func made(t *testing.T, args ...string) string {
	t.Helper()
	r := call(t, "", append(args, "--format", "jsonmini")...)
	var v struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(r.out), &v); err != nil || v.ID == "" {
		t.Fatalf("%v: %+v", args, r)
	}
	return v.ID
}

func TestExitCodes(t *testing.T) {
	h := home(t)
	thing := made(t, "thing", "create", "--name", "Greenhouse", "--property", "temperature:FLOAT:rw")
	for name, c := range map[string]struct {
		args []string
		code int
		says string // part of what is printed for people
	}{
		"help":                        {[]string{"--help"}, exitOK, "130"},
		"a verb that does not exist":  {[]string{"fly"}, exitUsage, "fly"},
		"a flag that does not exist":  {[]string{"device", "list", "--fly"}, exitUsage, "fly"},
		"a format that is none":       {[]string{"device", "list", "--format", "xml"}, exitUsage, "yaml"},
		"a required flag is missing":  {[]string{"device", "create"}, exitUsage, `"name"`},
		"too few arguments":           {[]string{"property", "get", thing}, exitUsage, "usage:"},
		"a value of the wrong type":   {[]string{"property", "set", thing, "temperature", "hot"}, exitUsage, "number"},
		"a property of no known type": {[]string{"property", "create", thing, "x:NOTHING"}, exitUsage, ""},
		"a thing that is not there":   {[]string{"thing", "show", "c0ffee"}, exitNotFound, "no such thing"},
		"watch what is not there":     {[]string{"property", "watch", "c0ffee"}, exitNotFound, "no such thing"},
		"watch no such property":      {[]string{"property", "watch", thing, "humidity"}, exitNotFound, "temperature"},
		"no such property":            {[]string{"property", "get", thing, "humidity"}, exitNotFound, "temperature"},
		"delete without a terminal":   {[]string{"thing", "delete", thing}, exitUsage, "--yes"},
		"history from no time":        {[]string{"property", "history", thing, "temperature", "--from", "yesterday"}, exitUsage, "24h"},
		"a request that is no file":   {[]string{"device", "certify", "c0ffee", "--csr", "/nowhere"}, exitUsage, "/nowhere"},
		"a name that exists":          {[]string{"property", "create", thing, "temperature:FLOAT"}, exitConflict, ""},
		"a wrong secret":              {[]string{"login", h.URL(), "--client-id", strings.Repeat("x", 32), "--secret-stdin", "--ca", h.CA()}, exitLogin, "wrong"},
		"a server that is not known":  {[]string{"login", h.URL(), "--client-id", strings.Repeat("x", 32), "--secret-stdin"}, exitNetwork, "--ca"},
		"no server":                   {[]string{"login", "https://" + nobody(t), "--client-id", strings.Repeat("x", 32), "--secret-stdin"}, exitNetwork, "refused"},
		"a CA that is no file":        {[]string{"login", h.URL(), "--client-id", "x", "--secret-stdin", "--ca", "/nowhere"}, exitUsage, "/nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, "secret\n", c.args...)
			if r.code != c.code || !strings.Contains(r.out+r.err, c.says) {
				t.Errorf("code %d, want %d and %q in:\n%s%s", r.code, c.code, c.says, r.out, r.err)
			}
		})
	}
	if r := call(t, "", "logout"); r.code != exitOK {
		t.Errorf("logout: %+v", r)
	}
	if r := call(t, "", "device", "list"); r.code != exitLogin || !strings.Contains(r.err, "login") {
		t.Errorf("after logout: %+v", r)
	}
}

// nobody is an address of this machine where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestEveryExitCodeIsDocumented(t *testing.T) {
	for _, code := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "130"} {
		if !strings.Contains(exitHelp, "\n  "+code+" ") {
			t.Errorf("exit code %s is not explained", code)
		}
	}
}

func TestSecretsStayInAFileOfTheirOwn(t *testing.T) {
	home(t)
	path := os.Getenv("ARDESIACTL_CONFIG")
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("%s has mode %04o, want 0600", path, got)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := call(t, "", "device", "list"); r.code == exitOK || !strings.Contains(r.err, "chmod 600") {
		t.Errorf("a key that others can read was used: %+v", r)
	}
}

func TestKeyRingKeepsTheSecret(t *testing.T) {
	keyring.MockInit()
	t.Setenv("ARDESIACTL_CONFIG", filepath.Join(t.TempDir(), "ctl.json"))
	h := servertest.Start(t)
	_, key := h.Person("ann@example.org")
	if r := call(t, key.Secret, "login", h.URL(), "--client-id", key.ID, "--secret-stdin", "--ca", h.CA()); r.code != exitOK || !strings.Contains(r.err, "key ring") {
		t.Fatalf("login: %+v", r)
	}
	text, err := os.ReadFile(os.Getenv("ARDESIACTL_CONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), key.Secret) {
		t.Error("the secret is in the file as well")
	}
	if r := call(t, "", "device", "list"); r.code != exitOK {
		t.Errorf("device list: %+v", r)
	}
	if r := call(t, "", "logout"); r.code != exitOK {
		t.Errorf("logout: %+v", r)
	}
	if _, err := keyring.Get("ardesiactl", h.URL()+" "+key.ID); !errors.Is(err, keyring.ErrNotFound) {
		t.Errorf("after logout the key ring answers %v", err)
	}
}

func TestValueGoesThereAndBack(t *testing.T) {
	home(t)
	device := made(t, "device", "create", "--name", "my-board")
	thing := made(t, "thing", "create", "--name", "Greenhouse", "--timezone", "Europe/Rome", "--device", device, "--property", "temperature:FLOAT:rw")
	if r := call(t, "", "property", "set", thing, "temperature", "21.5"); r.code != exitOK {
		t.Fatalf("set: %+v", r)
	}
	if r := call(t, "", "property", "get", thing, "temperature"); r.out != "21.5\n" {
		t.Errorf("get: %+v", r)
	}
	for format, want := range map[string]string{"text": "21.5", "json": "21.5", "jsonmini": "[21.5]", "yaml": "- 21.5"} {
		if r := call(t, "", "property", "history", thing, "temperature", "--format", format); r.code != exitOK || !strings.Contains(r.out, want) {
			t.Errorf("history as %s: %+v", format, r)
		}
	}
	for _, format := range []string{"text", "json", "jsonmini", "yaml"} {
		for _, verb := range [][]string{{"device", "list"}, {"device", "show", device}, {"thing", "list"}, {"thing", "show", thing}, {"property", "list", thing}, {"space", "list"}} {
			r := call(t, "", append(verb, "--format", format)...)
			if r.code != exitOK || r.out == "" {
				t.Errorf("%v --format %s: %+v", verb, format, r)
			}
			if strings.HasPrefix(format, "json") && !json.Valid([]byte(r.out)) {
				t.Errorf("%v --format %s is not JSON: %s", verb, format, r.out)
			}
		}
	}
	for _, what := range [][]string{{"property", "delete", thing, "temperature"}, {"thing", "delete", thing}, {"device", "delete", device}} {
		if r := call(t, "", append(what, "--yes")...); r.code != exitOK {
			t.Errorf("%v: %+v", what, r)
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if r := call(t, "", "completion", shell); r.code != exitOK || !strings.Contains(r.out, "ardesiactl") {
			t.Errorf("%s: code %d, %d bytes", shell, r.code, len(r.out))
		}
	}
}

// screen is a terminal that tests look at while a command writes.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A watch outlives the server, and ends with Ctrl-C.
func TestWatchOutlivesTheServer(t *testing.T) {
	h := home(t)
	thing := made(t, "thing", "create", "--name", "Greenhouse", "--property", "temperature:FLOAT:rw")
	ctx, press := context.WithCancel(t.Context())
	out, errs, ended := new(screen), new(screen), make(chan result, 1)
	go func() { ended <- callUntil(ctx, "", out, errs, "property", "watch", thing, "temperature") }()

	seen := func(value string) {
		t.Helper()
		late := time.After(90 * time.Second)
		for {
			if r := call(t, "", "property", "set", thing, "temperature", value); r.code != exitOK {
				t.Fatalf("set: %+v", r)
			}
			select {
			case r := <-ended:
				t.Fatalf("the watch ended: %+v", r)
			case <-late:
				t.Fatalf("%s was never seen; printed: %s%s", value, out, errs)
			case <-time.After(200 * time.Millisecond):
			}
			if strings.Contains(out.String(), "temperature = "+value) {
				return
			}
		}
	}
	seen("21.5")
	at := h.At["https"]
	h.Stop()
	h.Config.HTTPS = at
	again := servertest.Open(t, h.Config)
	if got := again.At["https"]; got != at {
		t.Fatalf("the server came back on %s, not on %s", got, at)
	}
	seen("22.5")
	press()
	if r := <-ended; r.code != exitStopped {
		t.Errorf("Ctrl-C: %+v", r)
	}
}

// A key that is revoked while it watches is told so, and does not try for ever.
func TestWatchEndsWithItsKey(t *testing.T) {
	h := home(t)
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
	text, err := os.ReadFile(os.Getenv("ARDESIACTL_CONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	var l struct {
		ID string `json:"client_id"`
	}
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	h.Admin("apikey.revoke", map[string]string{"client_id": l.ID}, nil)
	select {
	case r := <-ended:
		if r.code != exitLogin {
			t.Errorf("ended with %+v", r)
		}
	case <-time.After(90 * time.Second):
		t.Errorf("still watching with a revoked key; printed: %s", errs)
	}
}

func TestAgainGivesUpOnWhatNeverOpened(t *testing.T) {
	c := newRoot()
	c.SetErr(io.Discard)
	c.SetContext(t.Context())
	for name, err := range map[string]error{
		"no server":        &net.OpError{Op: "dial", Err: errors.New("connection refused")},
		"a key that ended": &client.Error{Status: 401},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			got := again(c, func(context.Context) error { calls++; return err })
			if !errors.Is(got, err) || calls != 1 {
				t.Errorf("again = %v after %d calls", got, calls)
			}
		})
	}
}

func TestSpaceVerbs(t *testing.T) {
	h := home(t)
	boris, key := h.Person("boris@example.org")
	space := made(t, "space", "create", "--name", "School")
	r := call(t, "", "space", "invite", space, "--role", "editor", "--format", "jsonmini")
	var in client.Invitation
	if err := json.Unmarshal([]byte(r.out), &in); err != nil || in.Link == "" {
		t.Fatalf("invite: %+v", r)
	}
	_, token, _ := strings.Cut(in.Link, "?token=")
	if err := h.Client(key).Do(t.Context(), "POST", "/v1/invitations/accept", map[string]string{"token": token}, nil); err != nil {
		t.Fatal(err)
	}
	other := made(t, "space", "invite", space)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"space", "list"}, exitOK, "School"},
		{[]string{"space", "rename", space, "--name", "Lab"}, exitOK, "Lab"},
		{[]string{"space", "members", space}, exitOK, "boris@example.org"},
		{[]string{"space", "role", space, boris, "Viewer"}, exitOK, ""},
		{[]string{"space", "members", space}, exitOK, "viewer"},
		{[]string{"space", "role", space, boris, "king"}, exitUsage, "admin, editor, viewer, service"},
		{[]string{"space", "invitations", space}, exitOK, other},
		{[]string{"space", "resend", space, other}, exitRefused, "nobody was sent"},
		{[]string{"space", "uninvite", space, other}, exitOK, ""},
		{[]string{"space", "uninvite", space, other}, exitNotFound, "no such invitation"},
		{[]string{"space", "usage", space}, exitOK, "members     2     1000"},
		{[]string{"space", "roles"}, exitOK, "write values to things"},
		{[]string{"space", "accept", in.Link}, exitNotFound, "Ask for another"},
		{[]string{"space", "remove", space, boris}, exitUsage, "--yes"},
		{[]string{"space", "remove", space, boris, "--yes"}, exitOK, ""},
		{[]string{"space", "remove", space, boris, "--yes"}, exitNotFound, "not a member"},
		{[]string{"space", "leave", space, "--yes"}, exitRefused, "hand it over"},
		{[]string{"space", "members", boris}, exitRefused, "not a member"},
	} {
		if r := call(t, "", c.args...); r.code != c.code || !strings.Contains(r.out+r.err, c.says) {
			t.Errorf("%v: %+v, want %d and %q", c.args, r, c.code, c.says)
		}
	}
	// Boris's space, which the caller joins by a link and leaves.
	var sp struct{ ID string }
	h.Admin("space.add", map[string]string{"user": boris, "name": "His"}, &sp)
	h.Admin("space.invite", map[string]any{"space": sp.ID, "role": "viewer"}, &in)
	if r := call(t, "", "space", "accept", in.Link); r.code != exitOK || !strings.Contains(r.out, "His") {
		t.Errorf("accept: %+v", r)
	}
	if r := call(t, "", "space", "leave", sp.ID, "--yes"); r.code != exitOK {
		t.Errorf("leave: %+v", r)
	}
	if r := call(t, "", "space", "list"); strings.Contains(r.out, "His") {
		t.Errorf("still in: %+v", r)
	}
}
