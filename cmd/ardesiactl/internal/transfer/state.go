package transfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"sync"
	"time"
)

var anID = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`)

// ErrOther is a state file that belongs to another transfer.
var ErrOther = errors.New("the state file is of another transfer: name another one")

const stateVersion = 1

// A State is what a transfer remembers from run to run, in a file of mode 0600 that is always whole.
type State struct {
	Version      int       `json:"version"`
	From         string    `json:"from"`
	Organization string    `json:"organization,omitempty"`
	To           string    `json:"to"`
	Space        string    `json:"space,omitempty"`
	Until        time.Time `json:"until"` // of history

	Looked   bool                         `json:"looked"`   // Before is known
	Before   map[string]bool              `json:"before"`   // IDs of sources that had a copy when this began
	Made     map[string]map[string]string `json:"made"`     // by part, IDs of copies by those of their sources
	Finished map[string]bool              `json:"finished"` // IDs of sources of whose copies nothing is missing
	Past     map[string]*Past             `json:"past"`     // by IDs of copied properties
	Secrets  map[string]Secret            `json:"secrets"`  // not told yet, by IDs of their sources

	mu   sync.Mutex // held while the file is written
	path string     // "" keeps nothing
}

// A Past is how far the history of one property is. Every value that was read is counted once.
type Past struct {
	Since    time.Time `json:"since,omitzero"` // where it began
	Next     time.Time `json:"next,omitzero"`  // all before it is on the target
	First    time.Time `json:"first,omitzero"` // the oldest value
	Read     int64     `json:"read"`
	Written  int64     `json:"written"`
	Same     int64     `json:"same"`          // were there already, as after an interruption
	Occupied int64     `json:"occupied"`      // another value was there at that instant
	Expired  int64     `json:"expired"`       // older than the space keeps values
	Refused  int64     `json:"refused"`       // the property cannot hold them
	Nulls    int64     `json:"nulls"`         // said nothing
	Odd      int64     `json:"odd"`           // had a time that cannot be read
	Double   int64     `json:"double"`        // at the microsecond of another
	Why      string    `json:"why,omitempty"` // the first refusal
	Failed   string    `json:"failed,omitempty"`
}

// A Secret is something that a board, or a program, needs and that cannot be read later.
type Secret struct {
	Kind string `json:"kind"` // device or webhook
	ID   string `json:"id"`   // of the device, or of the trigger
	Name string `json:"name"`
	Key  string `json:"secret"`
}

// load reads the state file, or begins anew.
func load(cfg Config) (*State, error) {
	s := &State{path: cfg.State}
	if cfg.State != "" {
		switch text, err := private(cfg.State); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, err
		default:
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(s); err != nil || s.Version != stateVersion {
				return nil, fmt.Errorf("%s is no state file of this version (%v): name another one with --state", cfg.State, err)
			}
			if s.From != cfg.From || s.Organization != cfg.Organization || s.To != cfg.To || s.Space != cfg.Space {
				return nil, fmt.Errorf("%s: %w with --state", cfg.State, ErrOther)
			}
		}
	}
	s.Version, s.From, s.Organization, s.To, s.Space = stateVersion, cfg.From, cfg.Organization, cfg.To, cfg.Space
	if cfg.Until.After(s.Until) {
		s.Until = cfg.Until.UTC()
	}
	if s.Until.IsZero() {
		s.Until = cfg.Now().UTC()
	}
	for _, part := range Parts() {
		if s.Made == nil {
			s.Made = map[string]map[string]string{}
		}
		if s.Made[part] == nil {
			s.Made[part] = map[string]string{}
		}
	}
	if s.Before == nil {
		s.Before = map[string]bool{}
	}
	if s.Finished == nil {
		s.Finished = map[string]bool{}
	}
	if s.Past == nil {
		s.Past = map[string]*Past{}
	}
	if s.Secrets == nil {
		s.Secrets = map[string]Secret{}
	}
	if cfg.DryRun {
		s.path = ""
	}
	return s, s.save()
}

// private reads a file that nobody else may read.
func private(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s holds secrets and can be read by others: chmod 600 %s", path, path)
	}
	return os.ReadFile(path)
}

func (s *State) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.path == "" {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return Write(s.path, text)
}

// Write replaces a file by another of mode 0600 at once: whoever reads it, whenever this process is killed, has all of the
// old one or of the new one.
func Write(path string, text []byte) (err error) {
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}

func (s *State) made(part, source, copied string) error {
	s.Made[part][source] = copied
	return s.save()
}

func (s *State) finish(source string) error {
	s.Finished[source] = true
	return s.save()
}
