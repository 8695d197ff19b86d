package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/storage/posix"
	"k8s.io/klog/v2"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

const (
	// publishEvery is the least time between two checkpoints; Tessera takes no less.
	publishEvery = 100 * time.Millisecond
	// publishWait is how long a checkpoint is waited for before that is an error.
	publishWait = 10 * time.Second
	// width is how many leaves are in one file.
	width = layout.EntryBundleWidth
)

// tree is the log on disk.
type tree struct {
	dir    string
	sign   *signer
	seal   keys.Sealer
	driver tessera.Driver
}

// quiet keeps klog, to which Tessera speaks, from writing on standard error beside our own
// log: what goes wrong is an error of append as well. klog has one setting per process.
var quiet = sync.OnceFunc(func() {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
})

// openTree makes nothing: the directory is made by begin.
func openTree(ctx context.Context, dir string, sign *signer, seal keys.Sealer) (*tree, error) {
	quiet()
	d, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	return &tree{dir: dir, sign: sign, seal: seal, driver: d}, nil
}

// begin makes the log if there is none, and says how many leaves it has.
func (t *tree) begin(ctx context.Context) (uint64, error) {
	if err := os.MkdirAll(t.dir, 0o700); err != nil {
		return 0, fmt.Errorf("make the directory of the audit log: %w", err)
	}
	size, _, err := t.state()
	if !errors.Is(err, fs.ErrNotExist) {
		return size, err
	}
	if _, err := t.checkpoint(); !errors.Is(err, fs.ErrNotExist) {
		return 0, errState // somebody took the state away, and a log is there
	}
	return 0, t.publish(ctx)
}

// state is how many leaves are in the tree, and its root, as of the last append that was
// brought to its end. It is what Tessera goes on from.
func (t *tree) state() (uint64, []byte, error) {
	b, err := os.ReadFile(filepath.Join(t.dir, ".state", "treeState"))
	if err != nil {
		return 0, nil, err
	}
	return parseState(b)
}

func parseState(b []byte) (uint64, []byte, error) {
	var s struct {
		Size uint64 `json:"size"`
		Root []byte `json:"root"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return 0, nil, errState
	}
	return s.Size, s.Root, nil
}

var errState = errors.New("the file audit/.state/treeState is not as it was written")

// checkpoint reads the published checkpoint, whoever signed it.
func (t *tree) checkpoint() ([]byte, error) {
	return os.ReadFile(filepath.Join(t.dir, layout.CheckpointPath))
}

// leafPlace is what leaves are bound to. That they are not moved is the tree's affair.
var leafPlace = keys.Place("audit", "leaf")

// leaf opens a leaf; any that is not ours is errLeaf.
func (t *tree) leaf(b []byte) (leaf, error) {
	plain, err := t.seal.Open(b, leafPlace)
	if err != nil {
		return leaf{}, errLeaf
	}
	return parseLeaf(plain)
}

// append seals leaves and adds them after the first size ones, and publishes a checkpoint. Nil means that
// they are on disk and signed. On an error they are in the log all or not at all; size tells.
//
// Each call has an appender of its own, whose batches are as large as this one: so all
// leaves go in one step, and never a later one without an earlier one.
func (t *tree) append(ctx context.Context, size uint64, leaves [][]byte) error {
	own, stop := context.WithCancel(context.WithoutCancel(ctx)) // a step that was begun is brought to its end
	defer stop()
	a, _, r, err := tessera.NewAppender(own, t.driver, t.options(len(leaves)))
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	if now, err := r.IntegratedSize(own); err != nil || now != size {
		return fmt.Errorf("the audit log has %d leaves and should have %d: %w", now, size, errors.Join(err, errState))
	}
	sealed := make([]*tessera.Entry, len(leaves))
	for i, plain := range leaves {
		b, err := t.seal.Seal(plain, leafPlace)
		if err != nil {
			return fmt.Errorf("seal leaf %d: %w", size+uint64(i), err)
		}
		if len(b) > maxLeaf {
			return fmt.Errorf("leaf %d has %d bytes, more than %d", size+uint64(i), len(b), maxLeaf)
		}
		sealed[i] = tessera.NewEntry(b)
	}
	given := make([]tessera.IndexFuture, len(leaves))
	for i, e := range sealed {
		given[i] = a.Add(own, e)
	}
	for i, get := range given {
		at, err := get()
		if err == nil && at.Index != size+uint64(i) {
			err = fmt.Errorf("got place %d", at.Index)
		}
		if err != nil {
			return fmt.Errorf("append leaf %d to the audit log: %w", size+uint64(i), err)
		}
	}
	return t.published(own, size+uint64(len(leaves)))
}

func (t *tree) options(batch int) *tessera.AppendOptions {
	return tessera.NewAppendOptions().WithCheckpointSigner(t.sign).
		WithBatching(uint(max(batch, 1)), 24*time.Hour). // by size alone
		WithCheckpointInterval(publishEvery).WithCheckpointRepublishInterval(0).
		WithGarbageCollectionInterval(0)
}

// publish signs what is in the tree, if that was not done. It makes an empty log.
func (t *tree) publish(ctx context.Context) error {
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	_, _, r, err := tessera.NewAppender(own, t.driver, t.options(1))
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	size, err := r.IntegratedSize(own)
	if err != nil {
		return fmt.Errorf("read the size of the audit log: %w", err)
	}
	return t.published(own, size)
}

// published waits for a checkpoint of at least size leaves.
func (t *tree) published(ctx context.Context, size uint64) error {
	ctx, stop := context.WithTimeout(ctx, publishWait)
	defer stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		text, err := t.checkpoint()
		if err == nil {
			c, err := t.sign.open(text)
			if err != nil {
				return fmt.Errorf("read the checkpoint of the audit log: %w", err)
			}
			if c.Size >= size {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no checkpoint of %d leaves was published within %v", size, publishWait)
		case <-tick.C:
		}
	}
}

// sweep removes, until ctx ends, what the growing log leaves behind: the last file of each
// row is written anew with each append, under another name.
func (t *tree) sweep(ctx context.Context) error {
	_, _, _, err := tessera.NewAppender(ctx, t.driver, t.options(1).
		WithCheckpointInterval(24*time.Hour). // it publishes nothing: append does
		WithGarbageCollectionInterval(time.Minute))
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	return nil
}

// read reads a file of the log: the one for a log of that size, or the full one that has
// taken its place.
func (t *tree) read(path func(index uint64, partial uint8) string, level, index, size uint64) ([]byte, string, error) {
	partial := layout.PartialTileSize(level, index, size)
	name := path(index, partial)
	b, err := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) && partial > 0 {
		full := path(index, 0)
		if again, e := os.ReadFile(filepath.Join(t.dir, filepath.FromSlash(full))); e == nil {
			return again, full, nil
		}
	}
	return b, name, err
}

// bundle reads the leaves of one file, of a log of that size.
func (t *tree) bundle(index, size uint64) ([][]byte, string, error) {
	b, name, err := t.read(layout.EntriesPath, 0, index, size)
	if err != nil {
		return nil, name, err
	}
	var all api.EntryBundle
	if err := all.UnmarshalText(b); err != nil {
		return nil, name, fmt.Errorf("%s: %w", name, err)
	}
	want := int(min(size-index*width, width))
	if len(all.Entries) < want {
		return all.Entries, name, fmt.Errorf("%s has %d leaves, want %d", name, len(all.Entries), want)
	}
	return all.Entries[:want], name, nil
}

// back calls fn for the leaves of a log of that size, the last first, until fn says no.
func (t *tree) back(size uint64, fn func(l leaf) (bool, error)) error {
	for index := (size + width - 1) / width; index > 0; index-- {
		all, name, err := t.bundle(index-1, size)
		if err != nil {
			return fmt.Errorf("read the audit log: %w", err)
		}
		for i := len(all) - 1; i >= 0; i-- {
			l, err := t.leaf(all[i])
			if err != nil {
				return fmt.Errorf("leaf %d in %s: %w", (index-1)*width+uint64(i), name, err)
			}
			if more, err := fn(l); err != nil || !more {
				return err
			}
		}
	}
	return nil
}
