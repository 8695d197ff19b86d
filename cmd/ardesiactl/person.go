package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/signin"
	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/store"
)

// patience is how long a browser's answer is waited for.
const patience = 10 * time.Minute

// signIn lets a person sign in to l.URL, in the browser of this machine or with a code.
func signIn(c *cobra.Command, l store.Login, byCode bool) (signin.Tokens, error) {
	ctx, done := context.WithTimeout(c.Context(), patience)
	defer done()
	s, err := provider(ctx, l)
	if err != nil {
		return signin.Tokens{}, err
	}
	if byCode || !hasBrowser() {
		return s.Device(ctx, func(code, address, whole string) {
			fmt.Fprintf(c.ErrOrStderr(), "Open %s in any browser and type the code  %s\n(or open %s). Waiting …\n", address, code, whole)
		})
	}
	return s.Browser(ctx, func(address string) error {
		fmt.Fprintf(c.ErrOrStderr(), "Sign in in the browser. If none opens, go to\n%s\nor stop with Ctrl-C and add --device.\n", address)
		return browse(ctx, address)
	})
}

// provider asks the server that l names how to sign in.
func provider(ctx context.Context, l store.Login) (*signin.Server, error) {
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if l.CAFile != "" {
		var err error
		if trust.RootCAs, err = client.Trust(l.CAFile); err != nil {
			return nil, usage{err}
		}
	}
	h := &http.Client{Timeout: time.Minute, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: trust, ForceAttemptHTTP2: true}}
	return signin.Find(ctx, h, l.URL)
}

// launcher is the program that shows an address, with its first arguments.
func launcher() []string {
	if b := os.Getenv("BROWSER"); b != "" {
		return []string{b}
	}
	switch runtime.GOOS {
	case "darwin":
		return []string{"open"}
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	return []string{"xdg-open"}
}

// hasBrowser says whether a person at this terminal would see a browser's window.
func hasBrowser() bool {
	if _, err := exec.LookPath(launcher()[0]); err != nil {
		return false
	}
	if os.Getenv("BROWSER") != "" || runtime.GOOS == "windows" {
		return true
	}
	if os.Getenv("SSH_CONNECTION") != "" {
		return false
	}
	return runtime.GOOS == "darwin" || os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""
}

func browse(ctx context.Context, address string) error {
	with := append(launcher(), address)
	return exec.CommandContext(context.WithoutCancel(ctx), with[0], with[1:]...).Start()
}

func writeTokens(t signin.Tokens) (string, error) {
	text, err := json.Marshal(t)
	return string(text), err
}

func readTokens(l store.Login) (t signin.Tokens, err error) {
	if err := json.Unmarshal([]byte(l.Secret), &t); err != nil {
		return t, fmt.Errorf("what is kept of the sign-in is damaged (%w): log in again", err)
	}
	return t, nil
}

// early is how long before its end an access token is renewed.
const early = 30 * time.Second

// renewer gives the client access tokens. Others of this user's programs may renew too:
// what is kept is read each time, so that none uses a refresh token long after another
// has, which would end the sign-in. Two at the same moment are within the server's
// ten seconds.
func renewer() func(ctx context.Context, refused string) (string, time.Time, error) {
	var mu sync.Mutex
	return func(ctx context.Context, refused string) (string, time.Time, error) {
		mu.Lock()
		defer mu.Unlock()
		l, err := store.Load()
		if err != nil {
			return "", time.Time{}, err
		}
		t, err := readTokens(l)
		if err != nil {
			return "", time.Time{}, err
		}
		if t.Access != refused && time.Until(t.Until) > early {
			return t.Access, t.Until.Add(-early), nil
		}
		s, err := provider(ctx, l)
		if err != nil {
			return "", time.Time{}, err
		}
		if t, err = s.Renew(ctx, t.Refresh); err != nil {
			return "", time.Time{}, err
		}
		inRing := l.InRing
		if l.Secret, err = writeTokens(t); err != nil {
			return "", time.Time{}, err
		}
		if _, err := store.Save(l, inRing); err != nil {
			return "", time.Time{}, fmt.Errorf("keep the renewed sign-in: %w", err)
		}
		return t.Access, t.Until.Add(-early), nil
	}
}

// signOut gives a person's sign-in back to the server.
func signOut(ctx context.Context, l store.Login) error {
	t, err := readTokens(l)
	if err != nil {
		return err
	}
	s, err := provider(ctx, l)
	if err != nil {
		return err
	}
	return s.Revoke(ctx, t.Refresh)
}

// ended says that there is nobody signed in any more, whom trying again would bring back.
func ended(err error) bool { return errors.Is(err, signin.ErrEnded) || errors.Is(err, store.ErrNone) }
