package guard

import "time"

// What detectors look back on, and when they speak. Thresholds are ours: above what a
// class of thirty makes in its first lesson, below what a guessing program needs.
const (
	lookBack   = 10 * time.Minute
	remembered = 4096 // failures; when more come in ten minutes the oldest of them are forgotten

	sprayNetwork = 20 // different accounts, tried from one neighbourhood
	sprayHouse   = 50 // different accounts, tried from anywhere
	stuffing     = 30 // different addresses
	fewEach      = 3  // at most so many failures for each of them
	unusual      = 4  // times as many failures as usual
)

// A failure is one wrong try. Subjects are pieces of keyed hashes.
type failure struct {
	at              int64
	who, from, near uint64 // account, address, neighbourhood
	owner           uint32 // autonomous system; 0: nobody knows
}

// A watch looks for what no single counter shows. It is not safe for many goroutines.
type watch struct {
	ring        []failure // the newest remembered ones; first is the oldest
	first, size int
	who, from   map[uint64]int            // failures in the ring
	networks    map[uint64]map[uint64]int // failures by neighbourhood and account
	owners      map[uint32]*owner

	period      int64 // number of the time of lookBack that is under way
	good, bad   int   // in it
	usual       float64
	usualRatio  float64
	attackUntil int64 // house-wide guessing was seen not long ago
}

func newWatch() *watch {
	return &watch{who: map[uint64]int{}, from: map[uint64]int{}, networks: map[uint64]map[uint64]int{}, owners: map[uint32]*owner{}}
}

// turn learns what is usual, from each whole time of lookBack.
func (w *watch) turn(now int64) {
	p := now / int64(lookBack)
	for ; w.period < p; w.period++ {
		if p-w.period > 1000 { // a week: nothing of before is usual now
			*w = *newWatch()
			w.period = p
			return
		}
		if w.period == 0 {
			w.period = p - 1
			continue
		}
		// What was an attack is learnt slowly, else it would soon be usual.
		bad := float64(w.bad)
		if now < w.attackUntil {
			bad = min(bad, 2*w.usual)
		}
		w.usual += (bad - w.usual) / 10
		if all := w.good + w.bad; all >= 10 {
			w.usualRatio += (float64(w.bad)/float64(all) - w.usualRatio) / 10
		}
		w.good, w.bad = 0, 0
	}
}

func (w *watch) succeeded(now int64) {
	w.turn(now)
	w.good++
}

// An alarm is what the watch has seen.
type alarm struct {
	kind                          Kind
	subject                       uint64 // neighbourhood, or owner; 0 is the whole house
	accounts, addresses, failures int
}

// failed adds a failure and says what it completes; told appends to all.
func (w *watch) failed(f failure, all []alarm) []alarm {
	w.turn(f.at)
	w.bad++
	w.forget(f.at)
	if w.size == remembered {
		w.pop()
	}
	w.push(f)
	if a, told := w.ownerFailed(f); told {
		all = append(all, a)
	}
	if there := w.networks[f.near]; len(there) >= sprayNetwork {
		sum := 0
		for _, n := range there {
			sum += n
		}
		if sum <= fewEach*len(there) {
			all = append(all, alarm{Spraying, f.near, len(there), 0, sum})
		}
	}
	if float64(w.size) <= unusual*w.usual {
		return all
	}
	before := len(all)
	if n := len(w.who); n >= sprayHouse && w.size <= fewEach*n {
		all = append(all, alarm{Spraying, 0, n, len(w.from), w.size})
	}
	ratio := float64(w.bad) / float64(w.bad+w.good)
	if n := len(w.from); n >= stuffing && w.size <= fewEach*n && ratio >= 0.5 && ratio > 2*w.usualRatio {
		all = append(all, alarm{Stuffing, 0, len(w.who), n, w.size})
	}
	if len(all) > before {
		w.attackUntil = f.at + int64(lookBack)
	}
	return all
}

func (w *watch) push(f failure) {
	if w.size == len(w.ring) { // full, and not at its bound yet
		next := make([]failure, min(max(64, 2*len(w.ring)), remembered))
		for i := range w.size {
			next[i] = w.ring[(w.first+i)%len(w.ring)]
		}
		w.ring, w.first = next, 0
	}
	w.ring[(w.first+w.size)%len(w.ring)] = f
	w.size++
	w.who[f.who]++
	w.from[f.from]++
	there := w.networks[f.near]
	if there == nil {
		there = map[uint64]int{}
		w.networks[f.near] = there
	}
	there[f.who]++
}

func (w *watch) forget(now int64) {
	for w.size > 0 && w.ring[w.first].at <= now-int64(lookBack) {
		w.pop()
	}
}

func (w *watch) pop() {
	f := w.ring[w.first]
	w.first = (w.first + 1) % len(w.ring)
	w.size--
	less(w.who, f.who)
	less(w.from, f.from)
	less(w.networks[f.near], f.who)
	if len(w.networks[f.near]) == 0 {
		delete(w.networks, f.near)
	}
}

func less(m map[uint64]int, k uint64) {
	if m[k]--; m[k] <= 0 {
		delete(m, k)
	}
}
