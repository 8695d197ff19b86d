// Package store keeps the log-ins of this user: servers, key ids and spaces in a
// file of mode 0600, secrets in the system's key ring where there is one, else in
// the same file.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zalando/go-keyring"
)

// ErrNone is a command that needs a log-in when there is none.
var ErrNone = errors.New("not logged in: ardesiactl login https://your-server")

// A Login is one server that this user has a key for, or has signed in to.
type Login struct {
	URL    string `json:"url"`
	ID     string `json:"client_id,omitempty"`     // of an API key
	Secret string `json:"client_secret,omitempty"` // empty when it is in the key ring
	Person bool   `json:"person,omitempty"`        // signed in: Secret are tokens
	InRing bool   `json:"-"`                       // where Secret was found
	Space  string `json:"space,omitempty"`
	CAFile string `json:"ca_file,omitempty"`
}

const service = "ardesiactl"

// Path is the file's place: ARDESIACTL_CONFIG, else the user's configuration folder.
func Path() (string, error) {
	if p := os.Getenv("ARDESIACTL_CONFIG"); p != "" {
		return p, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("no configuration folder; name a file in ARDESIACTL_CONFIG: %w", err)
	}
	return filepath.Join(dir, "ardesia", "ctl.json"), nil
}

// Load returns the log-in, or ErrNone.
func Load() (Login, error) {
	var l Login
	path, err := Path()
	if err != nil {
		return l, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, ErrNone
	}
	if err != nil {
		return l, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return l, fmt.Errorf("%s holds a key and can be read by others: chmod 600 %s", path, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(text, &l); err != nil {
		return l, fmt.Errorf("%s is damaged (%w): log in again", path, err)
	}
	if l.Secret == "" {
		if l.Secret, err = keyring.Get(service, l.URL+" "+l.ID); err != nil {
			return l, fmt.Errorf("the key's secret is not in the system's key ring (%w): log in again", err)
		}
		l.InRing = true
	}
	return l, nil
}

// Save keeps l instead of what was there. useRing asks for the system's key
// ring; without one the secret goes into the file, and Save says so by false.
func Save(l Login, useRing bool) (inRing bool, err error) {
	if useRing && keyring.Set(service, l.URL+" "+l.ID, l.Secret) == nil {
		inRing, l.Secret = true, ""
	}
	path, err := Path()
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return false, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".ctl-*") // made with mode 0600
	if err != nil {
		return false, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return false, err
	}
	return inRing, os.Rename(tmp.Name(), path)
}

// Forget removes the log-in. That there was none is no error.
func Forget() error {
	if l, err := Load(); err == nil {
		_ = keyring.Delete(service, l.URL+" "+l.ID) // may never have been there
	}
	path, err := Path()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
