package audit

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrUnproved is a log that is not as it was written. Nothing is appended to it.
	ErrUnproved = problem.New(problem.Precondition, "audit-unproved", "The audit log is not as it was written.")
	// ErrNone is a house that has no checkpoint yet.
	ErrNone = problem.New(problem.NotFound, "audit-none", "There is no audit log yet: a start of the server makes it.")
	// ErrOutside is a file that is no checkpoint of a log.
	ErrOutside = problem.New(problem.Invalid, "audit-checkpoint", "This is no checkpoint: give a file that \"ardesia audit checkpoint\" wrote.")
	// ErrPage is a page of entries that cannot be.
	ErrPage = problem.New(problem.Invalid, "audit-page", "A page has 1 to 200 entries and ends before the number of an entry.")
)

// What the house says of its own log.
const (
	actionRestored  = "audit:restored"
	actionTruncated = "audit:truncated"
)

// Store is what Service needs of a database.
type Store interface {
	memory(ctx context.Context) (memory, error) // zero before the first
	remember(ctx context.Context, size uint64, root []byte, at time.Time) error
	// note remembers and records in one transaction.
	note(ctx context.Context, size uint64, root []byte, e journal.Entry) error
	record(ctx context.Context, all []journal.Entry) error
	// index keeps whom the entries up to a number concern; it is repeatable.
	index(ctx context.Context, upTo int64, all []concern, at time.Time) error
	// forget takes back what was indexed above a number.
	forget(ctx context.Context, after int64) error
	of(ctx context.Context, person, action string, before int64, limit int) ([]int64, error) // the newest first
}

// memory is what the database knows of the log.
type memory struct {
	indexed int64
	size    uint64
	root    []byte
}

// A concern says that an entry is about a person.
type concern struct {
	person string
	number int64
	action string
}

// Needs are what a Service is made of; all but There, Admin and Owner must be there.
type Needs struct {
	Store   Store
	Journal *db.DB // the core database, which has the journal
	Dir     string // of the log: DIR/audit
	House   string // the name that every checkpoint bears
	// Signer has Ed25519 keys by name: (*keys.Ring).Ed25519.
	Signer func(ctx context.Context, name string) (crypto.Signer, error)
	// Seal seals leaves, each to the same bytes at each time: (*keys.Ring).Fixed of LeafKey.
	Seal keys.Sealer
	// There says whether a space is there and not being erased; nil when all are.
	There func(ctx context.Context, space string) (bool, error)
	// Admin tells in which spaces a person is an administrator; nil for none.
	Admin func(ctx context.Context, user string) ([]string, error)
	// Owner tells whose API key it is, "" for nobody's; nil when nobody knows.
	Owner func(ctx context.Context, key string) (string, error)
	Now   func() time.Time
	Log   *slog.Logger

	// cut is asked after each step; an error ends the work there, as a power cut would. For tests.
	cut func(step string) error
}

// Folder is where the log is in the data directory.
const Folder = "audit"

// LeafKey is the name of the key that seals leaves.
const LeafKey = "audit-leaf"

// signerName is the key of checkpoints in the key ring.
const signerName = "audit-checkpoint"

// A Service follows the journal. All methods may be called from any goroutine.
type Service struct {
	needs  Needs
	tree   *tree
	events tally

	turn     sync.Mutex // held by who works on the log
	ready    bool       // guarded by turn: the log proved, and at is where it is
	at       position   // guarded by turn
	indexed  int64      // guarded by turn: entries that the store knows whom they concern
	rememSz  uint64     // guarded by turn: the size that the database remembers
	rememAt  time.Time  // guarded by turn
	swept    bool       // guarded by turn: sweep was begun
	failed   error      // guarded by turn: why the log could not follow when that was last tried
	failedAt time.Time  // guarded by turn
	toldLate time.Time  // guarded by turn: when the log was last told that we are behind
	told     string     // guarded by turn: the last error that the log was told
	toldAt   time.Time  // guarded by turn

	size, waiting atomic.Int64
	oldest        atomic.Int64 // of what waits: µs since 1970; 0 for nothing
	noted         atomic.Int64
}

// position is where the log is in the journal.
type position struct {
	size   uint64 // of the log
	number int64  // the last entry of the journal that it has
	hash   []byte // of that entry; nil for none
}

// New checks needs. It makes and changes nothing: Run does, so that Verify sees a
// stopped house as it was left.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Journal == nil || needs.Dir == "" || needs.House == "" || needs.Signer == nil || needs.Seal == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("the audit log needs Store, Journal, Dir, House, Signer, Seal, Now and Log")
	}
	if needs.Admin == nil {
		needs.Admin = func(context.Context, string) ([]string, error) { return nil, nil }
	}
	if needs.There == nil {
		needs.There = func(context.Context, string) (bool, error) { return true, nil }
	}
	if needs.Owner == nil {
		needs.Owner = func(context.Context, string) (string, error) { return "", nil }
	}
	if needs.cut == nil {
		needs.cut = func(string) error { return nil }
	}
	key, err := needs.Signer(ctx, signerName)
	if err != nil {
		return nil, fmt.Errorf("key of the audit log: %w", err)
	}
	sign, err := newSigner(needs.House, key)
	if err != nil {
		return nil, err
	}
	s := &Service{needs: needs}
	s.tree, err = openTree(ctx, needs.Dir, sign, needs.Seal)
	return s, err
}

// Note counts an event, to be recorded within the minute. It never waits for a disk.
func (s *Service) Note(e Event) { s.NoteMany(e, 1) }

// NoteMany counts n events of one kind.
func (s *Service) NoteMany(e Event, n int) {
	if n <= 0 {
		return
	}
	s.noted.Add(int64(n))
	s.events.add(e, n, s.needs.Now())
}

// Stats are for metrics.
type Stats struct {
	Size    int64         // leaves of the log
	Waiting int64         // entries of the journal that are not in it yet
	Lag     time.Duration // the age of the oldest of them
	Events  int64         // that were counted since the start
}

// Stats tells how the log keeps up.
func (s *Service) Stats() Stats {
	st := Stats{Size: s.size.Load(), Waiting: s.waiting.Load(), Events: s.noted.Load()}
	if at := s.oldest.Load(); at != 0 {
		st.Lag = max(0, s.needs.Now().Sub(time.UnixMicro(at)))
	}
	return st
}

// Checkpoint is the newest one, with the key that it can be checked with.
func (s *Service) Checkpoint() (c Checkpoint, key string, err error) {
	text, err := s.tree.checkpoint()
	if errors.Is(err, fs.ErrNotExist) {
		return c, "", ErrNone
	}
	if err != nil {
		return c, "", fmt.Errorf("read the checkpoint: %w", err)
	}
	c, err = s.tree.sign.open(text)
	if err != nil {
		return c, "", ErrUnproved.With("The checkpoint in audit/checkpoint was not signed by this house: ardesia audit verify.")
	}
	return c, s.tree.sign.public, nil
}

// Show lists entries of the journal.
func (s *Service) Show(ctx context.Context, q journal.Query) ([]journal.Entry, error) {
	return journal.List(ctx, s.needs.Journal, q)
}

// Bounds of a page of a person's entries.
const (
	maxPage = 200
	aPage   = 50
)

// A Page says which entries of a person are asked for.
type Page struct {
	Before int64  // entries with lower numbers only; 0 for the newest
	Action string // of this action only; "" for all
	Limit  int    // 1 to 200; 0 is 50
}

// Activity tells what concerns who, the newest first: what they did themselves or by a
// key, what was done with their account, and what happened in spaces that they administer now.
// A key that enters one space sees what happened there alone, and nobody is told anything
// of a space that was erased.
func (s *Service) Activity(ctx context.Context, who access.Actor, p Page) ([]journal.Entry, error) {
	if p.Limit < 0 || p.Limit > maxPage || p.Before < 0 {
		return nil, ErrPage
	}
	limit, before := cmp.Or(p.Limit, aPage), p.Before
	if before == 0 {
		before = 1<<63 - 1
	}
	own, err := s.own(ctx, who, p.Action, before, limit)
	if err != nil {
		return nil, err
	}
	spaces, err := s.needs.Admin(ctx, who.ID)
	if err != nil {
		return nil, fmt.Errorf("spaces that account %s administers: %w", who.ID, err)
	}
	all := map[int64]journal.Entry{}
	for _, e := range own {
		all[e.Number] = e
	}
	for _, space := range spaces {
		if who.Only != "" && (who.Only != space || who.Role != access.Admin) {
			continue // a key of one space can be less there than its person
		}
		some, err := journal.List(ctx, s.needs.Journal, journal.Query{Space: space, Action: p.Action, Before: before, Newest: true, Limit: limit})
		if err != nil {
			return nil, err
		}
		for _, e := range some {
			all[e.Number] = e
		}
	}
	page := make([]journal.Entry, 0, len(all))
	for _, e := range all {
		page = append(page, e)
	}
	slices.SortFunc(page, func(a, b journal.Entry) int { return cmp.Compare(b.Number, a.Number) })
	return page[:min(limit, len(page))], nil
}

// own are the newest entries that concern a person, wherever. Which ones an API key of
// one space does not see is known only when they are read, so there may be several rounds.
func (s *Service) own(ctx context.Context, who access.Actor, action string, before int64, limit int) (all []journal.Entry, err error) {
	for len(all) < limit {
		numbers, err := s.needs.Store.of(ctx, who.ID, action, before, limit)
		if err != nil {
			return nil, fmt.Errorf("entries that concern account %s: %w", who.ID, err)
		}
		for _, n := range numbers {
			found, err := journal.List(ctx, s.needs.Journal, journal.Query{After: n - 1, Before: n + 1})
			if err != nil {
				return nil, err
			}
			for _, e := range found {
				// Asked once more: what was indexed may be of a database that was set back since.
				people, err := s.concerned(ctx, e)
				if err != nil {
					return nil, err
				}
				if !slices.Contains(people, who.ID) || who.Only != "" && e.Space != who.Only {
					continue
				}
				if there, err := s.there(ctx, e); err != nil {
					return nil, err
				} else if there {
					all = append(all, e)
				}
			}
			before = n
		}
		if len(numbers) < limit {
			break
		}
	}
	return all, nil
}

// there says whether the spaces that an entry names are there.
func (s *Service) there(ctx context.Context, e journal.Entry) (bool, error) {
	for _, space := range []string{e.Space, e.Detail["space"]} {
		if space == "" {
			continue
		}
		if there, err := s.needs.There(ctx, space); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// personal are the nouns whose entries bear a person's id.
var personal = []string{"account", "factor", "guard"}

// concerned are the people whom an entry is about: who acted, also by a key, whose
// account or key it is, and whom the detail calls "account".
func (s *Service) concerned(ctx context.Context, e journal.Entry) ([]string, error) {
	var all []string
	add := func(id string) {
		if id != "" && !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	kind, id, _ := strings.Cut(e.Actor, ":")
	id, _, _ = strings.Cut(id, "/") // the key that acted
	if kind == access.User.String() || kind == access.APIKey.String() {
		add(id)
	}
	if slices.Contains(personal, e.Resource) {
		add(e.ID)
	}
	add(e.Detail["account"])
	if e.Resource == "apikey" && e.ID != "" {
		owner, err := s.needs.Owner(ctx, e.ID)
		if err != nil {
			return nil, fmt.Errorf("owner of API key %s: %w", e.ID, err)
		}
		add(owner)
	}
	return all, nil
}
