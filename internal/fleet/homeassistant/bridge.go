package homeassistant

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A bridge is that of one space, from when it is set up until it is changed or removed. What it is set up with never changes.
type bridge struct {
	s *Service
	u Setup

	mu      sync.Mutex
	phase   phase              // guarded by mu
	cancel  context.CancelFunc // guarded by mu; nil before it runs
	now     State              // guarded by mu; without Things and Entities
	said    time.Time          // guarded by mu: when a refusal was last logged
	catalog map[string]*entry  // guarded by mu; by thing: what is announced
	known   map[string][]string
	swept   map[string]bool // guarded by mu, as known is: things whose old states are taken back as the broker tells of them
	tasks   tasks           // guarded by mu
	telling int             // guarded by mu: counts sessions and births, after each of which everything is told anew
	born    time.Time       // guarded by mu: when the last birth was answered
	bearing bool            // guarded by mu: another will be, birthPause after that

	orders chan order    // commands that wait
	wake   chan struct{} // holds a word when there is something to do
	done   chan struct{} // closed when it has ended
}

type phase uint8

const (
	idle phase = iota
	running
	ended
)

// An entry is a thing as it is announced.
type entry struct {
	device   string            // ID; "" for none
	digest   [sha256.Size]byte // of what was told
	telling  int               // when, as the bridge counts
	entities map[string]entity // by property
	byName   map[string]string // property by variable
}

// An order is a command as it came.
type order struct {
	thing, variable string
	payload         []byte
}

// maxOrders is how many commands of one bridge wait. What is beyond is refused: who writes faster than values reach the disk is not
// slowed, since that would hold up what the broker answers.
const maxOrders = 64

func newBridge(s *Service, u Setup) *bridge {
	b := &bridge{
		s: s, u: u, now: State{Status: Off}, catalog: map[string]*entry{}, known: map[string][]string{}, swept: map[string]bool{},
		orders: make(chan order, maxOrders), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if u.Enabled {
		b.now.Status = Connecting
	}
	return b
}

// start is what runs it, once; nil when there is nothing to run.
func (b *bridge) start(ctx context.Context) (run func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.phase != idle || !b.u.Enabled {
		return nil
	}
	b.phase = running
	ctx, b.cancel = context.WithCancel(ctx)
	return func() { b.run(ctx) }
}

// clearTime is how long the broker may take to be told that nothing is announced any more.
const clearTime = 10 * time.Second

// end ends it and waits for that, also when ctx ends: two of one name would push each other out. With clearing what is announced is
// taken back; whether it was is what it says.
func (b *bridge) end(ctx context.Context, clearing bool) bool {
	b.mu.Lock()
	was := b.phase
	b.phase = ended
	b.mu.Unlock()
	if was == running {
		b.cancel()
		<-b.done // soon: session
	}
	if !clearing {
		return false
	}
	ctx, late := context.WithTimeout(ctx, clearTime)
	defer late()
	if err := b.clear(ctx); err != nil {
		b.s.needs.Log.InfoContext(ctx, "what was announced to a Home Assistant could not be taken back", "space", b.u.Space, "err", err)
		return false
	}
	return true
}

func (b *bridge) state() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now
	now.Things = len(b.catalog)
	for _, e := range b.catalog {
		now.Entities += len(e.entities)
	}
	return now
}

// let says that the broker has let it in.
func (b *bridge) let() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Status, b.now.ConnectedSince = Connected, b.s.now()
}

// enter says that it tries to come in.
func (b *bridge) enter() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Status, b.now.ConnectedSince = Connecting, time.Time{}
}

// lost says that it is out, and why.
func (b *bridge) lost(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Status, b.now.ConnectedSince = Waiting, time.Time{}
	b.tasks.clear()
	b.note(why)
}

// note keeps what went wrong, for people. b.mu is held.
func (b *bridge) note(why string) { b.now.LastError, b.now.LastErrorAt = why, b.s.now() }

func (b *bridge) trouble(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(why)
}

// up says whether there is somebody to tell. b.mu is held.
func (b *bridge) up() bool { return b.now.Status == Connected }

// changed hears of a thing that was changed.
func (b *bridge) changed(t *thing.Thing) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, told := b.catalog[t.ID]
	if b.up() && (told || len(b.known[t.ID]) > 0 || !t.Deleted() && t.Tagged(b.u.Tags)) {
		b.mark(task{look, t.ID})
	}
}

// values hears of values that are on disk.
func (b *bridge) values(c thing.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.catalog[c.Thing]
	if e == nil || !b.up() {
		return
	}
	for _, p := range c.Points {
		if _, told := e.entities[p.Series]; told {
			b.mark(task{value, c.Thing + "/" + p.Series})
		}
	}
}

// coming hears of a device that came or went.
func (b *bridge) coming(device string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up() {
		return
	}
	for id, e := range b.catalog {
		if e.device == device {
			b.mark(task{presence, id})
		}
	}
}

// allValues has every value told anew.
func (b *bridge) allValues() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up() {
		return
	}
	for id, e := range b.catalog {
		for property := range e.entities {
			b.mark(task{value, id + "/" + property})
		}
	}
}

// allComings has it told of every device anew whether it is there.
func (b *bridge) allComings() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.up() {
		return
	}
	for id := range b.catalog {
		b.mark(task{presence, id})
	}
}

// birthPause is how often everything is told anew at most, since whoever may write to the broker may say that Home Assistant has started.
const birthPause = 10 * time.Second

// birth has everything told anew: Home Assistant has started.
func (b *bridge) birth() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bearing {
		return
	}
	if early := birthPause - b.s.now().Sub(b.born); early > 0 {
		b.bearing = true
		time.AfterFunc(early, func() {
			b.mu.Lock()
			b.bearing = false
			b.mu.Unlock()
			b.birth()
		})
		return
	}
	b.born = b.s.now()
	if !b.up() {
		return // the next session tells everything
	}
	b.telling++
	for _, id := range slices.Sorted(maps.Keys(b.catalog)) {
		b.mark(task{look, id})
	}
}

// mark has something done. b.mu is held.
func (b *bridge) mark(t task) {
	if b.tasks.add(t) {
		leaveWord(b.wake)
	}
}

// next is what is to be done next.
func (b *bridge) next() (task, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tasks.take()
}

// refuse counts a command that is not carried out, and says so in the log once in a while.
func (b *bridge) refuse(o order, why string) {
	b.s.counts.refused.Add(1)
	b.mu.Lock()
	now := b.s.now()
	b.now.Refused++
	b.now.LastRefusal = o.variable + ": " + why
	say := now.Sub(b.said) >= sayAgain
	if say {
		b.said = now
	}
	b.mu.Unlock()
	if say {
		b.s.needs.Log.Info("a command of a Home Assistant was refused; further ones are counted", "space", b.u.Space, "thing", o.thing, "why", why)
	}
}

// sayAgain is how often refusals of one bridge are logged.
const sayAgain = time.Minute

// find is the entity that a command is for; told says whether its thing is announced by this bridge at all.
func (b *bridge) find(thing, variable string) (e entity, found, told bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.catalog[thing]
	if at == nil {
		return entity{}, false, false
	}
	e, found = at.entities[at.byName[variable]]
	return e, found, true
}
