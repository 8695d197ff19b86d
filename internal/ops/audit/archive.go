package audit

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera/api/layout"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// maxFile is how long a file of the log can be: all leaves of one, each with its length.
const maxFile = width * (maxLeaf + 2)

// ErrNoLog is a house that has no audit log yet.
var ErrNoLog = errors.New("there is no audit log")

// Exists says whether there is a log in dir.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ".state", "treeState"))
	return err == nil
}

// Dump writes the log in dir, as it is at one moment, as a tar archive. It copies what is
// there, whole or not: whoever looks for what was done to a log wants it as it was. It may run
// while the log grows.
func Dump(dir string, w io.Writer) error {
	t := tree{dir: dir}
	// The checkpoint first: it never signs more than the state that is read after it.
	checkpoint, err := t.checkpoint()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	state, err := os.ReadFile(filepath.Join(dir, ".state", "treeState"))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoLog
	}
	if err != nil {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	version, err := os.ReadFile(filepath.Join(dir, ".state", "version"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	to := tar.NewWriter(w)
	for _, f := range []struct {
		name string
		b    []byte
	}{{layout.CheckpointPath, checkpoint}, {".state/treeState", state}, {".state/version", version}} {
		if err := addTar(to, f.name, f.b); err != nil {
			return err
		}
	}
	// The size of the state that is in the archive, not of one that the log may have by now.
	size, _, err := parseState(state)
	if err != nil && !errors.Is(err, errState) {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	if err := t.dump(to, size); err != nil {
		return fmt.Errorf("copy the audit log: %w", err)
	}
	return to.Close()
}

// dump adds the files of the first size leaves.
func (t *tree) dump(to *tar.Writer, size uint64) error {
	for index := range (size + width - 1) / width {
		b, _, err := t.read(layout.EntriesPath, 0, index, size)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		partial := layout.PartialTileSize(0, index, size)
		if err := addTar(to, layout.EntriesPath(index, partial), firstLeaves(b, int(partial))); err != nil {
			return err
		}
	}
	for level := uint64(0); size>>(level*layout.TileHeight) > 0; level++ {
		path := func(index uint64, partial uint8) string { return layout.TilePath(level, index, partial) }
		for index := range (size>>(level*layout.TileHeight) + layout.TileWidth - 1) / layout.TileWidth {
			b, _, err := t.read(path, level, index, size)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			partial := layout.PartialTileSize(level, index, size)
			if n := int(partial) * sha256.Size; n > 0 && n < len(b) {
				b = b[:n]
			}
			if err := addTar(to, path(index, partial), b); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstLeaves cuts a file that has grown since to its first n leaves; 0 is all of them.
func firstLeaves(b []byte, n int) []byte {
	if n == 0 {
		return b
	}
	at := 0
	for range n {
		if at+2 > len(b) {
			return b
		}
		at += 2 + int(binary.BigEndian.Uint16(b[at:]))
	}
	return b[:min(at, len(b))]
}

func addTar(to *tar.Writer, name string, b []byte) error {
	if b == nil {
		return nil
	}
	if err := to.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(b)), Typeflag: tar.TypeReg}); err != nil {
		return fmt.Errorf("copy %s of the audit log: %w", name, err)
	}
	if _, err := to.Write(b); err != nil {
		return fmt.Errorf("copy %s of the audit log: %w", name, err)
	}
	return nil
}

// fileName is what a file of a log is called.
var fileName = regexp.MustCompile(`^(checkpoint|\.state/(treeState|version)|tile/(entries|[0-7])/(x[0-9]{3}/){0,6}[0-9]{3}(\.p/[0-9]{1,3})?)$`)

// Load makes a log in dir, which must not be there, of what Dump wrote.
func Load(dir string, r io.Reader) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of the audit log: %w", err)
	}
	return files(r, func(name string, b []byte) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := put(path, b); err != nil {
			return fmt.Errorf("restore %s of the audit log: %w", name, err)
		}
		return nil
	})
}

// files hands the files of a copy to fn, one by one: each is one that a log has, and bounded.
func files(r io.Reader, fn func(name string, b []byte) error) error {
	from := tar.NewReader(r)
	for {
		h, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the copy of the audit log: %w", err)
		}
		if !fileName.MatchString(h.Name) || h.Typeflag != tar.TypeReg || h.Size > maxFile {
			return errors.New("read the copy of the audit log: it has a file that no log has")
		}
		b, err := io.ReadAll(io.LimitReader(from, maxFile))
		if err != nil {
			return fmt.Errorf("read %s of the copy of the audit log: %w", h.Name, err)
		}
		if err := fn(h.Name, b); err != nil {
			return err
		}
	}
}

// put makes a file, and puts it on disk.
func put(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// Restored tells a database that was restored from a backup, with the log in dir, that
// it was: in the journal, for ever, and in what it remembers of the log.
func Restored(ctx context.Context, core *db.DB, dir, house string, at, dataAt time.Time) error {
	t := tree{dir: dir}
	size, root, err := t.state()
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errState) {
		return fmt.Errorf("read the size of the audit log: %w", err)
	}
	if root == nil {
		root = []byte{}
	}
	return SQL(core).note(ctx, size, root, journal.Entry{
		At: at, Actor: access.Actor{Kind: access.System}.String(), Action: actionRestored, Resource: "audit", ID: house,
		Detail: map[string]string{"from": "archive", "data_at": dataAt.UTC().Format(time.RFC3339), "log": strconv.FormatUint(size, 10)},
	})
}
