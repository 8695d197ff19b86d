package backup

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

var (
	// ErrDamaged is an archive that is not what was written.
	ErrDamaged = problem.New(problem.Precondition, "archive-damaged", "An archive is damaged.")
	// ErrNewer is an archive of a version that we do not know yet.
	ErrNewer = problem.New(problem.Precondition, "archive-newer", "An archive was written by a newer version of Ardesia.")
	// ErrSignature is an archive that was not signed by whom it should be.
	ErrSignature = problem.New(problem.Precondition, "archive-signature", "An archive does not bear the signature that it should.")
	// ErrPair is two archives that do not belong together.
	ErrPair = problem.New(problem.Precondition, "archive-pair", "The two archives do not belong together.")
	// ErrNotEmpty is a directory or database to restore to that has something in it.
	ErrNotEmpty = problem.New(problem.Conflict, "restore-not-empty", "A restore needs an empty place.")
)

// KeyringLife is for how long a keyring archive is kept: after it, what was erased
// before is unreadable in every archive. It is the grace that the compatible cloud gives itself.
const KeyringLife = 7 * 24 * time.Hour

// stamp is the time in the name of an archive, UTC.
const stamp = "20060102T150405Z"

const (
	manifestName = "manifest.json"
	exportName   = "keys.json"
	dbFolder     = "db/"
	filesFolder  = "files/"
	auditName    = "audit.tar" // the audit log

	maxSmall = 4 << 20 // bytes of one file that is not a database
)

// copied are the files and folders of the data directory that a data archive
// has beside the databases. Private keys are in the keyring and not in them.
var copied = []string{"tls", "ca", "ardesia.toml"}

// A Source is a running house.
type Source struct {
	Dir                    string // the data directory; temporary files go there too, sealed
	Root                   *keys.Root
	Ring                   *keys.Ring
	Core, History, Keyring *db.DB
	Program                string // name and version, for people
	Now                    func() time.Time
}

// A manifest is the first file of an archive.
type manifest struct {
	Databases []database `json:"databases"`
}

type database struct {
	Name string `json:"name"`
	Form string `json:"form"`          // "file" or "dump"
	Key  []byte `json:"key,omitempty"` // of a "file": 32 bytes that its pages are sealed with
}

const (
	formFile = "file"
	formDump = "dump"
)

// Data writes a data archive of s to w. Writers of the databases do not wait.
func Data(ctx context.Context, s Source, w io.Writer) error {
	// History before core: what core says exists may have values that are younger
	// than the copy, but no value is copied without its thing.
	// The audit log before core: it has no entry that the journal in core lacks then.
	return s.archive(ctx, kindData, w, s.addAudit, []named{{schema.History, s.History}, {schema.Core, s.Core}}, func(a *writer) error {
		return s.addFiles(a)
	})
}

// addAudit puts the audit log into the archive, as it is at one moment.
func (s Source) addAudit(a *writer) error {
	dir := filepath.Join(s.Dir, audit.Folder)
	if !audit.Exists(dir) {
		return nil // the house has not started since it could have one
	}
	r, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.CloseWithError(audit.Dump(dir, w)) // nil is io.EOF; file returns any other
	}()
	err := a.file(auditName, 0o600, r)
	_ = r.CloseWithError(errStopped)
	<-done
	return err
}

// Keyring writes a keyring archive of s to w. Make it after the data archive, so that it has
// the keys of everything in that. Erasures wait until it is written.
func Keyring(ctx context.Context, s Source, w io.Writer) error {
	defer s.Ring.Hold()()
	exported, err := s.Root.Export()
	if err != nil {
		return err
	}
	defer clear(exported)
	return s.archive(ctx, kindKeyring, w, func(*writer) error { return nil }, []named{{schema.Keyring, s.Keyring}}, func(a *writer) error {
		return a.file(exportName, 0o600, bytes.NewReader(exported))
	})
}

type named struct {
	name string
	db   *db.DB
}

// archive writes one archive with what first adds, the databases and what rest adds.
func (s Source) archive(ctx context.Context, kind string, w io.Writer, first func(a *writer) error, all []named, rest func(a *writer) error) error {
	signer, err := s.Ring.Signer(ctx, "backup")
	if err != nil {
		return fmt.Errorf("sign a %s archive: %w", kind, err)
	}
	spki, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return err
	}
	a, err := newWriter(ctx, s.Root, w, Head{
		Kind: kind, ID: secret.Letters(16), Store: s.Root.Store(), MadeAt: s.Now().UTC(), Program: s.Program, Signer: spki,
	})
	if err != nil {
		return fmt.Errorf("begin a %s archive: %w", kind, err)
	}
	var m manifest
	for _, one := range all {
		d := database{Name: one.name, Form: formDump}
		if one.db.Engine() == db.SQLite {
			d.Form, d.Key = formFile, secret.Random(keyBytes)
		}
		m.Databases = append(m.Databases, d)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := a.file(manifestName, 0o600, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("write a %s archive: %w", kind, err)
	}
	if err := first(a); err != nil {
		return fmt.Errorf("write a %s archive: %w", kind, err)
	}
	for i, one := range all {
		if err := s.addDatabase(ctx, a, one.db, m.Databases[i]); err != nil {
			return fmt.Errorf("copy database %s: %w", one.name, err)
		}
	}
	if err := rest(a); err != nil {
		return fmt.Errorf("write a %s archive: %w", kind, err)
	}
	if err := a.end(signer); err != nil {
		return fmt.Errorf("end a %s archive: %w", kind, err)
	}
	return nil
}

// addDatabase puts one database into the archive, as it is at one moment.
func (s Source) addDatabase(ctx context.Context, a *writer, from *db.DB, d database) error {
	if d.Form == formDump {
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			err := from.Dump(ctx, w)
			done <- err
			_ = w.CloseWithError(err) // nil is io.EOF
		}()
		err := a.file(dbFolder+d.Name, 0o600, r)
		_ = r.CloseWithError(errStopped) // when the archive could not be written, the dump ends too
		if e := <-done; e != nil && !errors.Is(e, errStopped) {
			err = errors.Join(err, e)
		}
		return err
	}
	folder, err := os.MkdirTemp(s.Dir, "backup-*.tmp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, d.Name+".db")
	if err := from.BackupTo(ctx, path, d.Key); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return a.file(dbFolder+d.Name, 0o600, f)
}

var errStopped = errors.New("the archive is not written any more")

// addFiles puts the small files of the data directory into the archive.
func (s Source) addFiles(a *writer) error {
	for _, name := range copied {
		err := fs.WalkDir(os.DirFS(s.Dir), name, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			return s.addFile(a, path)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (s Source) addFile(a *writer, name string) error {
	f, err := os.Open(filepath.Join(s.Dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > maxSmall {
		return fmt.Errorf("%s has %d bytes, and a file beside the databases may have %d", name, info.Size(), maxSmall)
	}
	return a.file(filesFolder+name, info.Mode(), io.LimitReader(f, maxSmall))
}

// A Pair are the files of one backup.
type Pair struct {
	Data    string `json:"data"`
	Keyring string `json:"keyring"`
}

// To writes a data archive and a keyring archive into a directory, restores them
// once to see that they can be, gives them their names, and then deletes the keyring archives there
// that are older than KeyringLife, and the data archives that are older than keep, unless that is 0.
// The newest of each stays. On an error nothing new has a name, and nothing is deleted.
//
// What is erased inside a space that lives on is readable in older data archives: keep bounds for how long.
func To(ctx context.Context, s Source, dir string, keep time.Duration) (Pair, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Pair{}, fmt.Errorf("make the directory for archives: %w", err)
	}
	base := filepath.Join(dir, "ardesia-"+s.Root.Store()+"-"+s.Now().UTC().Format(stamp))
	p := Pair{Data: base + ".data", Keyring: base + ".keyring"}
	for _, name := range []string{p.Data, p.Keyring} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return Pair{}, ErrNotEmpty.With(name + " exists already.")
		}
	}
	if err := s.clearAway(); err != nil {
		return Pair{}, fmt.Errorf("clear away what an interrupted backup left: %w", err)
	}
	part := Pair{p.Data + ".part", p.Keyring + ".part"}
	defer os.Remove(part.Data)
	defer os.Remove(part.Keyring)
	if err := write(part.Data, func(w io.Writer) error { return Data(ctx, s, w) }); err != nil {
		return Pair{}, err
	}
	if err := write(part.Keyring, func(w io.Writer) error { return Keyring(ctx, s, w) }); err != nil {
		return Pair{}, err
	}
	if _, err := Verify(ctx, Request{Archives: part, Dir: s.Dir, Access: keys.Access{Root: s.Root}, Now: s.Now}); err != nil {
		return Pair{}, fmt.Errorf("restore the new archives to see that they are good: %w", err)
	}
	err := errors.Join(os.Rename(part.Data, p.Data), os.Rename(part.Keyring, p.Keyring), syncDir(dir))
	if err != nil {
		return Pair{}, fmt.Errorf("give the archives their names: %w", err)
	}
	err = prune(dir, s, ".keyring", KeyringLife)
	if keep > 0 {
		err = errors.Join(err, prune(dir, s, ".data", keep))
	}
	if err != nil {
		return p, fmt.Errorf("delete old archives: %w", err)
	}
	return p, nil
}

// clearAway removes temporary folders of more than a day ago: those of a backup that was killed.
func (s Source) clearAway() error {
	var all []error
	for _, pattern := range []string{"backup-*.tmp", "verify-*.tmp"} {
		left, err := filepath.Glob(filepath.Join(s.Dir, pattern))
		all = append(all, err)
		for _, name := range left {
			if info, err := os.Stat(name); err == nil && s.Now().Sub(info.ModTime()) > 24*time.Hour {
				all = append(all, os.RemoveAll(name))
			}
		}
	}
	return errors.Join(all...)
}

// write makes a file that only we may read, and puts it on disk.
func write(path string, fill func(w io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// prune deletes the archives of this house with a suffix that are older than life, but for the newest one.
func prune(dir string, s Source, suffix string, life time.Duration) error {
	prefix := filepath.Join(dir, "ardesia-"+s.Root.Store()+"-")
	names, err := filepath.Glob(prefix + "*" + suffix)
	if err != nil {
		return err
	}
	var old []string
	newest := ""
	for _, name := range names {
		at, err := time.Parse(stamp, strings.TrimSuffix(strings.TrimPrefix(name, prefix), suffix))
		if err != nil {
			continue // somebody gave it another name, and looks after it
		}
		newest = max(newest, name) // names end in their time
		if at.Before(s.Now().Add(-life)) {
			old = append(old, name)
		}
	}
	var all []error
	for _, name := range old {
		if name != newest {
			all = append(all, os.Remove(name))
		}
	}
	return errors.Join(append(all, syncDir(dir))...)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
