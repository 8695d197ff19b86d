package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// A Request says what to restore, and where to.
type Request struct {
	Archives Pair
	Dir      string       // what becomes the data directory; must be empty or not there
	Database string       // a connection string of PostgreSQL, whose three schemas must be empty; "" for files in Dir
	Access   keys.Access  // what opens the keyring archive: a root key or the recovery key
	Keys     keys.Options // the root key that the new house gets; its clock may be left out
	// OlderKeyring allows a keyring archive from before the data archive. Then whatever
	// belongs to spaces and people that came in between cannot be read.
	OlderKeyring bool
	Now          func() time.Time

	cut func(after int) // for tests: panics where the power is to go off
}

func (q Request) done(step int) {
	if q.cut != nil {
		q.cut(step)
	}
}

// A Report tells what was restored.
type Report struct {
	Store     string    `json:"store"`
	DataAt    time.Time `json:"data_at"`
	KeyringAt time.Time `json:"keyring_at"`
	Program   string    `json:"program"` // who wrote the data archive
	Keys      int       `json:"keys"`    // that were opened
	Files     int       `json:"files"`
}

// Restore makes a house of two archives. When it returns nil it can be started;
// when it returns an error Dir is as it was. Tables that were loaded into PostgreSQL are the
// exception: the error then says to drop the schemas.
//
// The numbers are those of docs/acts/restore.md.
func Restore(ctx context.Context, q Request) (Report, error) {
	// 1. The place is empty.
	dir, err := filepath.Abs(q.Dir)
	if err != nil {
		return Report{}, err
	}
	if err := empty(dir); err != nil {
		return Report{}, err
	}
	work := dir + ".restoring"
	// What a restore that was cut off left. It never had the name of a house.
	if err := os.RemoveAll(work); err != nil {
		return Report{}, fmt.Errorf("clear away an earlier restore: %w", err)
	}
	q.done(1)
	report, err := q.into(ctx, work)
	if err != nil {
		return Report{}, errors.Join(err, os.RemoveAll(work))
	}
	q.done(6)
	// 7. It becomes the data directory. Remove takes an empty directory and nothing else.
	err = os.Remove(dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		q.done(6)
		err = os.Rename(work, dir)
	}
	if err != nil {
		return Report{}, errors.Join(fmt.Errorf("put the restored directory in its place: %w", err), os.RemoveAll(work))
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return Report{}, fmt.Errorf("put the restored directory in its place: %w", err)
	}
	q.done(7)
	return report, nil
}

// Verify restores into a temporary directory within q.Dir, which it removes again.
func Verify(ctx context.Context, q Request) (Report, error) {
	work, err := os.MkdirTemp(q.Dir, "verify-*.tmp")
	if err != nil {
		return Report{}, err
	}
	q.Database, q.Keys = "", keys.Options{}
	report, err := q.into(ctx, filepath.Join(work, "data"))
	return report, errors.Join(err, os.RemoveAll(work))
}

func empty(dir string) error {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look into the directory to restore to: %w", err)
	}
	if len(found) > 0 {
		return ErrNotEmpty.With(fmt.Sprintf("%s is not empty: it has %s. A restore never overwrites: name another directory, or move this one away.", dir, found[0].Name()))
	}
	return nil
}

// into does steps 2 to 6 in a directory that it makes.
func (q Request) into(ctx context.Context, dir string) (Report, error) {
	// 2. Both archives are whole, signed, and of one house.
	data, err := os.Open(q.Archives.Data)
	if err != nil {
		return Report{}, fmt.Errorf("open the data archive: %w", err)
	}
	defer data.Close()
	keyring, err := os.Open(q.Archives.Keyring)
	if err != nil {
		return Report{}, fmt.Errorf("open the keyring archive: %w", err)
	}
	defer keyring.Close()
	report, exported, err := q.prove(ctx, data, keyring)
	if err != nil {
		return Report{}, err
	}
	defer clear(exported)
	q.done(2)

	// 3. The keys: those of the archive, new ones for the files, and the new root key.
	if err := os.Mkdir(dir, 0o700); err != nil {
		return Report{}, fmt.Errorf("make the directory to restore into: %w", err)
	}
	q.Keys.Now = q.Now
	root, err := keys.Import(ctx, dir, exported, q.Keys)
	if err != nil {
		return Report{}, fmt.Errorf("make the keys of the restored house: %w", err)
	}
	q.done(3)
	// 4. The keyring database. 5. The other databases, and the small files.
	p := place{Request: q, dir: dir, root: root}
	for _, one := range []struct {
		f    *os.File
		kind string
		step int
	}{{keyring, kindKeyring, 4}, {data, kindData, 5}} {
		if err := p.unpack(ctx, one.f, one.kind); err != nil {
			return Report{}, p.orDrop(fmt.Errorf("restore %s: %w", one.f.Name(), err))
		}
		if one.kind == kindData {
			if err := p.note(ctx, report.DataAt); err != nil {
				return Report{}, p.orDrop(err)
			}
		}
		q.done(one.step)
	}
	// 6. Everything opens as it would in a start, every page is read and every key opened.
	if report.Keys, err = p.check(ctx); err != nil {
		return Report{}, p.orDrop(fmt.Errorf("check what was restored: %w", err))
	}
	report.Files = p.files
	return report, p.sync()
}

// prove reads both archives to their ends without writing anything.
func (q *Request) prove(ctx context.Context, data, keyring *os.File) (Report, []byte, error) {
	var exported []byte
	k, err := scan(ctx, keyring, kindKeyring, q.Access, func(c *content) (err error) {
		if c.name == exportName {
			exported, err = c.small()
		}
		return err
	})
	if err != nil {
		return Report{}, nil, err
	}
	if q.Access, err = q.Access.With(exported); err != nil {
		return Report{}, nil, fmt.Errorf("read the keys in %s: %w", keyring.Name(), err)
	}
	d, err := scan(ctx, data, kindData, q.Access, func(*content) error { return nil })
	if err != nil {
		return Report{}, nil, err
	}
	switch {
	case d.Store != k.Store:
		return Report{}, nil, ErrPair.With(fmt.Sprintf("%s is of house %s and %s of house %s.", data.Name(), d.Store, keyring.Name(), k.Store))
	case k.MadeAt.Before(d.MadeAt) && !q.OlderKeyring:
		return Report{}, nil, ErrPair.With(fmt.Sprintf("%s was made at %s, before %s at %s: it may lack keys. Take a newer keyring archive, or allow an older one and lose what came in between.",
			keyring.Name(), k.MadeAt.Format(time.RFC3339), data.Name(), d.MadeAt.Format(time.RFC3339)))
	}
	return Report{Store: d.Store, DataAt: d.MadeAt, KeyringAt: k.MadeAt, Program: d.Program}, exported, nil
}

// scan reads an archive from its beginning to its end and hands every file to do. What do leaves of a file is skipped.
func scan(ctx context.Context, f *os.File, kind string, who keys.Access, do func(c *content) error) (Head, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Head{}, err
	}
	a, err := openArchive(ctx, f.Name(), f, who)
	if err != nil {
		return Head{}, err
	}
	if a.Kind != kind {
		return Head{}, ErrPair.With(fmt.Sprintf("%s is a %s archive, and a %s archive is needed there.", f.Name(), a.Kind, kind))
	}
	for {
		c, err := a.next()
		if errors.Is(err, io.EOF) {
			return a.Head, nil
		}
		if err != nil {
			return Head{}, err
		}
		if err := do(c); err != nil {
			return Head{}, err
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			return Head{}, err
		}
	}
}

// small returns a file that is not a database.
func (c *content) small() ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(c, maxSmall+1))
	if err == nil && len(b) > maxSmall {
		err = c.a.damaged("%s has more than %d bytes", c.name, maxSmall)
	}
	return b, err
}

// place is where a restore puts things.
type place struct {
	Request
	dir    string
	root   *keys.Root
	files  int
	loaded bool // something into PostgreSQL
}

// orDrop tells what an error left in PostgreSQL.
func (p *place) orDrop(err error) error {
	if !p.loaded {
		return err
	}
	return fmt.Errorf("%w (before another try: DROP SCHEMA core, history, keyring CASCADE)", err)
}

// config says where the restored database of that name is.
func (p *place) config(name string) db.Config {
	c := db.Config{Schema: name, Now: p.Now, Readers: 1}
	if p.Database != "" {
		c.Engine, c.DSN = db.Postgres, p.Database
		return c
	}
	c.Path, c.Key = filepath.Join(p.dir, name+".db"), p.root.FileKey(name)
	return c
}

// unpack puts the files of one archive in their places.
func (p *place) unpack(ctx context.Context, f *os.File, kind string) error {
	var m manifest
	_, err := scan(ctx, f, kind, p.Access, func(c *content) error {
		switch {
		case c.name == manifestName:
			b, err := c.small()
			if err == nil {
				err = json.Unmarshal(b, &m)
			}
			return err
		case strings.HasPrefix(c.name, dbFolder):
			for _, d := range m.Databases {
				if dbFolder+d.Name == c.name && allowed(kind, d.Name) {
					return p.database(ctx, d, c)
				}
			}
			return c.a.damaged("it has %s, which it does not announce", c.name)
		case c.name == auditName && kind == kindData:
			return audit.Load(filepath.Join(p.dir, audit.Folder), c)
		case strings.HasPrefix(c.name, filesFolder) && kind == kindData:
			return p.file(strings.TrimPrefix(c.name, filesFolder), c)
		}
		return nil
	})
	return err
}

// allowed says which databases an archive may bring.
func allowed(kind, name string) bool {
	if kind == kindKeyring {
		return name == schema.Keyring
	}
	return name == schema.Core || name == schema.History
}

// database restores one database, from either form to either engine.
func (p *place) database(ctx context.Context, d database, r io.Reader) error {
	if d.Form == formDump {
		return p.load(ctx, d.Name, r)
	}
	staged := filepath.Join(p.dir, "staged")
	if err := os.Mkdir(staged, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(staged)
	path := filepath.Join(staged, d.Name+".db")
	if err := write(path, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	}); err != nil {
		return err
	}
	from, err := schema.Open(ctx, db.Config{Schema: d.Name, Path: path, Key: d.Key, Now: p.Now, Readers: 1})
	if err != nil {
		return err
	}
	if p.Database == "" {
		err = from.BackupTo(ctx, p.config(d.Name).Path, p.root.FileKey(d.Name))
	} else {
		err = p.convert(ctx, d.Name, from)
	}
	return errors.Join(err, from.Close())
}

// load fills a fresh database with a dump.
func (p *place) load(ctx context.Context, name string, r io.Reader) error {
	to, err := schema.Open(ctx, p.config(name))
	if err != nil {
		return err
	}
	p.loaded = p.loaded || p.Database != ""
	return errors.Join(to.Load(ctx, r), to.Close())
}

// convert dumps a database in a file into PostgreSQL.
func (p *place) convert(ctx context.Context, name string, from *db.DB) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := from.Dump(ctx, w)
		_ = w.CloseWithError(err)
		done <- err
	}()
	err := p.load(ctx, name, r)
	_ = r.CloseWithError(errStopped)
	if e := <-done; e != nil && !errors.Is(e, errStopped) {
		err = errors.Join(err, e)
	}
	return err
}

// file restores one small file.
func (p *place) file(name string, c *content) error {
	b, err := c.small()
	if err != nil {
		return err
	}
	top, _, _ := strings.Cut(name, "/")
	if !slices.Contains(copied, top) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return c.a.damaged("it has the file %s, which no backup makes", name)
	}
	path := filepath.Join(p.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := write(path, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}); err != nil {
		return err
	}
	p.files++
	return os.Chmod(path, c.mode&0o644|0o600)
}

// note says in the journal that the house was restored, and from when: what the audit log
// and the database have lost must not look as if it had never been.
func (p *place) note(ctx context.Context, dataAt time.Time) error {
	core, err := schema.Open(ctx, p.config(schema.Core))
	if err != nil {
		return err
	}
	err = audit.Restored(ctx, core, filepath.Join(p.dir, audit.Folder), p.root.Store(), p.Now(), dataAt)
	if err = errors.Join(err, core.Close()); err != nil {
		return fmt.Errorf("note the restore in the journal: %w", err)
	}
	return nil
}

// check opens everything and reads it.
func (p *place) check(ctx context.Context) (n int, err error) {
	for _, name := range schema.Names {
		d, err := schema.Open(ctx, p.config(name))
		if err != nil {
			return 0, err
		}
		err = d.Check(ctx)
		if err == nil && name == schema.Keyring {
			var ring *keys.Ring
			if ring, err = p.root.Ring(ctx, d); err == nil {
				n, err = ring.Check(ctx)
			}
		}
		if err = errors.Join(err, d.Close()); err != nil {
			return 0, fmt.Errorf("database %s: %w", name, err)
		}
	}
	return n, nil
}

// sync puts all names in the directory on disk; the files are there already.
func (p *place) sync() error {
	return filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(path)
	})
}
