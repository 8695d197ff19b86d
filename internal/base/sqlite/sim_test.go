package sqlite

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
)

// A simDisk is a disk in memory that can lose its power: then it keeps what was
// synced, and of everything else what chance leaves, sector by sector.
type simDisk struct {
	mu    sync.Mutex
	rnd   *rand.Rand
	names map[string]*inode // guarded by mu, as all below
	kept  map[string]*inode // names that survive
	moves []func(names map[string]*inode)
	left  int // operations until the power goes; negative is never
	off   bool
}

const sector = 512

var errPower = errors.New("the power is off")

type inode struct {
	data   []byte // as programs see it
	synced []byte // as it survives
	ops    []simOp
}

// A simOp is a write, or a change of length if data is nil.
type simOp struct {
	off  int64
	data []byte
}

func newSimDisk(seed uint64) *simDisk {
	return &simDisk{rnd: rand.New(rand.NewPCG(seed, 1)), names: map[string]*inode{}, kept: map[string]*inode{}, left: -1}
}

// step is called before each operation that changes something.
func (d *simDisk) step() error {
	if d.left == 0 {
		d.off = true
	}
	if d.off {
		return errPower
	}
	d.left--
	return nil
}

// cut takes the power away and gives it back.
func (d *simDisk) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.moves[:d.rnd.IntN(len(d.moves)+1)] { // a journal keeps them in order
		m(d.kept)
	}
	d.moves = nil
	names := map[string]*inode{}
	for name, n := range d.kept {
		data := d.survive(n)
		names[name] = &inode{data: data, synced: slices.Clone(data)}
	}
	d.names = names
	d.kept = map[string]*inode{}
	for name, n := range names {
		d.kept[name] = n
	}
	d.off, d.left = false, -1
}

// survive is what a file holds after the power went. Each sector is as it was
// after one of the writes to it, the length as after one of the operations.
func (d *simDisk) survive(n *inode) []byte {
	size := int64(len(n.synced))
	sizes := []int64{size}
	versions := map[int64]int{} // by sector
	for _, o := range n.ops {
		if o.data == nil {
			size = o.off
		} else {
			size = max(size, o.off+int64(len(o.data)))
			for s := o.off / sector; s <= (o.off+int64(len(o.data))-1)/sector; s++ {
				versions[s]++
			}
		}
		sizes = append(sizes, size)
	}
	for s, n := range versions {
		switch d.rnd.IntN(4) {
		case 0: // none
			versions[s] = 0
		case 1: // one of them
			versions[s] = d.rnd.IntN(n + 1)
		}
	}
	image := slices.Clone(n.synced)
	for _, o := range n.ops {
		for i := int64(0); i < int64(len(o.data)); {
			at := o.off + i
			end := min(int64(len(o.data)), i+sector-at%sector)
			if versions[at/sector] > 0 {
				versions[at/sector]--
				if need := o.off + end - int64(len(image)); need > 0 {
					image = append(image, make([]byte, need)...)
				}
				copy(image[at:], o.data[i:end])
			}
			i = end
		}
	}
	length := sizes[len(sizes)-1]
	if d.rnd.IntN(2) == 0 {
		length = sizes[d.rnd.IntN(len(sizes))]
	}
	if need := length - int64(len(image)); need > 0 {
		image = append(image, make([]byte, need)...)
	}
	return image[:length]
}

func (d *simDisk) open(name string, create bool) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[name]
	if n == nil {
		if !create {
			return nil, fs.ErrNotExist
		}
		if err := d.step(); err != nil {
			return nil, err
		}
		n = &inode{}
		d.names[name] = n
		d.moves = append(d.moves, func(names map[string]*inode) { names[name] = n })
	}
	return &simFile{d, n}, nil
}

func (d *simDisk) remove(name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.names[name] == nil {
		return nil
	}
	if err := d.step(); err != nil {
		return err
	}
	delete(d.names, name)
	d.moves = append(d.moves, func(names map[string]*inode) { delete(names, name) })
	return nil
}

func (d *simDisk) rename(from, to string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	n := d.names[from]
	delete(d.names, from)
	d.names[to] = n
	d.moves = append(d.moves, func(names map[string]*inode) {
		delete(names, from)
		names[to] = n
	})
	return nil
}

func (d *simDisk) syncDir(string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.step(); err != nil {
		return err
	}
	for _, m := range d.moves {
		m(d.kept)
	}
	d.moves = nil
	return nil
}

func (d *simDisk) temp(string) (file, error) { return &simFile{d, &inode{}}, nil }

type simFile struct {
	d *simDisk
	n *inode
}

func (f *simFile) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *simFile) WriteAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	last := f.d.left == 0 && !f.d.off
	if err := f.d.step(); err != nil {
		if last { // the power goes while this is written
			f.n.ops = append(f.n.ops, simOp{off, slices.Clone(p)})
		}
		return 0, err
	}
	f.n.ops = append(f.n.ops, simOp{off, slices.Clone(p)})
	if need := off + int64(len(p)) - int64(len(f.n.data)); need > 0 {
		f.n.data = append(f.n.data, make([]byte, need)...)
	}
	return copy(f.n.data[off:], p), nil
}

func (f *simFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(); err != nil {
		return err
	}
	f.n.ops = append(f.n.ops, simOp{off: size})
	if need := size - int64(len(f.n.data)); need > 0 {
		f.n.data = append(f.n.data, make([]byte, need)...)
	}
	f.n.data = f.n.data[:size]
	return nil
}

func (f *simFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.step(); err != nil {
		return err
	}
	f.n.synced, f.n.ops = slices.Clone(f.n.data), nil
	return nil
}

func (f *simFile) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	return int64(len(f.n.data)), nil
}

func (f *simFile) Lock() error  { return nil }
func (f *simFile) Close() error { return nil }
