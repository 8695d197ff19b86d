package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
)

// A walk recomputes a log from its leaves, and compares every file with that.
type walk struct {
	tree *tree
	size uint64
	// roots are asked for by size; walk fills them in.
	roots map[uint64][]byte
	// leaf is called for each leaf, in order; nil for nobody.
	leaf func(index uint64, b []byte) error
	// bad is told what is wrong.
	bad func(Finding)

	open  map[uint64][]byte // by level of tiles: the hashes of the one that is being filled
	first map[uint64]uint64 // by level of tiles: how many are full
	wrong []Finding         // tiles that are not what the leaves give
	apart map[uint64]bool   // leaves that do not give their hash in the tile above
}

// run reads everything. It stops early, without roots, where leaves are missing; its error is of fn, or of
// a disk that cannot be read.
func (w *walk) run() error {
	w.open, w.first, w.apart = map[uint64][]byte{}, map[uint64]uint64{}, map[uint64]bool{}
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	if _, ok := w.roots[0]; ok {
		w.roots[0] = rfc6962.DefaultHasher.EmptyRoot()
	}
	for index := range (w.size + width - 1) / width {
		all, name, err := w.tree.bundle(index, w.size)
		if err != nil {
			w.bad(Finding{Code: "log-missing", File: name, Index: int64(index*width) + int64(len(all)),
				Text: fmt.Sprintf("The log should have %d leaves, and those from %d on are missing: audit/%s is not there, or is shorter than it was.", w.size, index*width+uint64(len(all)), name)})
			return nil
		}
		for i, b := range all {
			at := index*width + uint64(i)
			if err := r.Append(rfc6962.DefaultHasher.HashLeaf(b), w.node); err != nil {
				return err
			}
			if err := w.want(r, at+1); err != nil {
				return err
			}
			if w.leaf == nil {
				continue
			}
			if err := w.leaf(at, b); err != nil {
				return err
			}
		}
	}
	for level, open := range w.open {
		if len(open) > 0 {
			w.tile(level, w.first[level], open)
		}
	}
	return nil
}

func (w *walk) want(r *compact.Range, size uint64) error {
	if _, ok := w.roots[size]; !ok {
		return nil
	}
	root, err := r.GetRootHash(nil)
	w.roots[size] = root
	return err
}

// node collects the hashes that are on disk: those of every eighth row of the tree.
func (w *walk) node(id compact.NodeID, hash []byte) {
	if id.Level%layout.TileHeight != 0 {
		return
	}
	level := uint64(id.Level / layout.TileHeight)
	w.open[level] = append(w.open[level], hash...)
	if len(w.open[level]) == layout.TileWidth*sha256.Size {
		w.tile(level, w.first[level], w.open[level])
		w.first[level]++
		w.open[level] = w.open[level][:0]
	}
}

// tile compares one file of hashes.
func (w *walk) tile(level, index uint64, want []byte) {
	path := func(index uint64, partial uint8) string { return layout.TilePath(level, index, partial) }
	got, name, err := w.tree.read(path, level, index, w.size)
	leaves := uint64(1) << (level * layout.TileHeight) // under one hash
	switch {
	case err != nil:
		w.wrong = append(w.wrong, Finding{Code: "tile-missing", File: name, Index: int64(index * layout.TileWidth * leaves),
			Text: fmt.Sprintf("audit/%s is not there.", name)})
	case len(got) < len(want) || !bytes.Equal(got[:len(want)], want):
		at := 0
		for at < len(want)/sha256.Size && (at+1)*sha256.Size <= len(got) && bytes.Equal(got[at*sha256.Size:(at+1)*sha256.Size], want[at*sha256.Size:(at+1)*sha256.Size]) {
			at++
		}
		first := (index*layout.TileWidth + uint64(at)) * leaves
		for i := at; level == 0 && i < len(want)/sha256.Size; i++ {
			if one := want[i*sha256.Size : (i+1)*sha256.Size]; (i+1)*sha256.Size > len(got) || !bytes.Equal(got[i*sha256.Size:(i+1)*sha256.Size], one) {
				w.apart[index*layout.TileWidth+uint64(i)] = true
			}
		}
		w.wrong = append(w.wrong, Finding{Code: "tile-altered", File: name, Index: int64(first), level: level,
			Text: fmt.Sprintf("audit/%s is not what the leaves from %d on give.", name, first)})
	}
}
