package guard

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// Store is what Service needs of a database. An entry is written in the same transaction.
type Store interface {
	counts(ctx context.Context) ([]row, error) // those changed last first
	save(ctx context.Context, changed []row, gone []rowKey, entries []journal.Entry) error
	place(ctx context.Context, account string) (at int64, sealed []byte, err error) // at 0: none
	setPlace(ctx context.Context, account string, at int64, sealed []byte) error
	forget(ctx context.Context, account string) error
}

// A row is a count as the database has it. Times are µs.
type row struct {
	rowKey
	label     string
	at, until int64
	level     int64
	n         []byte // slots+1 numbers of two bytes
}

type rowKey struct {
	rule    string
	subject []byte
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
}

// Config is what an operator may say.
type Config struct {
	// TokenRate is how many tokens an API key gets in a minute; 0 is 60, below 0 is without limit.
	TokenRate int
	Breached  string // file of hashes of passwords that were stolen elsewhere; "" for none
	Geo       string // file that says where addresses are; "" for none
	ASN       string // MaxMind DB file that says to whom networks belong; "" for none
}

// Needs are what a Service is made of. All but Leaked must be there.
type Needs struct {
	Store  Store
	Keys   Keys
	Log    *slog.Logger
	Now    func() time.Time
	Config Config
	// Leaked ends the API key that has this id and secret, and says whose it was. It is
	// asked by the route to which found secrets are reported; nil leaves that route out.
	Leaked func(ctx context.Context, client, secret string) (account string, err error)
}

// Bounds of what waits for the disk, and of what is shown.
const (
	maxWaiting = 1 << 18 // counts that changed; above it changes to others are lost when the process dies
	maxEntries = 256     // journal entries; above it they are only counted
	maxRecent  = 100     // events that an operator is shown
	maxMuted   = 1 << 12 // subjects of events
	maxFlights = 1 << 14 // different tries that are being looked at

	// untold is when a try that nobody told of has failed: whoever looked at it is gone.
	untold = time.Minute
)

// A Service counts tries. All methods may be called from any goroutine.
type Service struct {
	needs    Needs
	rules    [ruleCount]rule // as the operator wants them
	mac      func([]byte) []byte
	breached *list   // the operator's; nil for none
	geo      *atlas  // nil for none
	owners   *owners // nil: nobody knows to whom networks belong

	// Events tells what happened, each subject once a minute at most.
	Events feed.Feed[Event]

	saving sync.Mutex // one flush at a time

	mu      sync.Mutex
	last    time.Time                  // guarded by mu: what the clock said last
	inner   int64                      // guarded by mu: a clock in ns that never goes back
	tables  [ruleCount]*table          // guarded by mu
	flights map[Try]flight             // guarded by mu
	waiting map[waitKey]struct{}       // guarded by mu: not on disk yet
	entries []journal.Entry            // guarded by mu: not on disk yet
	watch   *watch                     // guarded by mu
	muted   *cache.Map[muteKey, int64] // guarded by mu: when an event was told last
	recent  []Event                    // guarded by mu: the newest last
	stats   Stats                      // guarded by mu
}

type waitKey struct {
	rule int
	key  key
}

type muteKey struct {
	kind    Kind
	subject string
}

// Stats are what happened since the start.
type Stats struct {
	OK, Failed, Refused [acts]int64 // tries, by Act
	Blocks              int64       // subjects that came to a limit which is followed by a block
	Events              [kinds]int64
	Subjects            int   // counts that are held now
	Unsaved             int   // counts that changed and wait for the disk
	Lost                int64 // events that did not get into the journal
}

// New checks needs, reads what was counted before, and starts nothing.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Log == nil || needs.Now == nil {
		return nil, errors.New("guarding needs Store, Keys, Log and Now")
	}
	s := &Service{
		needs: needs, mac: needs.Keys.MAC("guard-subject"), waiting: map[waitKey]struct{}{}, flights: map[Try]flight{}, watch: newWatch(),
		muted: cache.New[muteKey, int64](maxMuted), last: needs.Now(), rules: rules,
	}
	s.inner = s.last.UnixNano()
	if s.rules[ruleToken].limit = cmp.Or(needs.Config.TokenRate, s.rules[ruleToken].limit); s.rules[ruleToken].limit < 0 {
		s.rules[ruleToken].lax = true
	}
	for i := range s.rules {
		s.tables[i] = newTable(&s.rules[i])
	}
	var err error
	if needs.Config.Breached != "" {
		if s.breached, err = openList(needs.Config.Breached); err != nil {
			return nil, fmt.Errorf("breached: %w", err)
		}
	}
	if needs.Config.Geo != "" {
		if s.geo, err = openAtlas(needs.Config.Geo); err != nil {
			return nil, errors.Join(fmt.Errorf("geo: %w", err), s.Close())
		}
	}
	if needs.Config.ASN != "" {
		if s.owners, err = openOwners(needs.Config.ASN); err != nil {
			return nil, errors.Join(fmt.Errorf("asn: %w", err), s.Close())
		}
	}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read what was counted before: %w", err), s.Close())
	}
	return s, nil
}

// Close closes the operator's files. What was counted is on disk when Run has returned.
func (s *Service) Close() error {
	return errors.Join(s.breached.close(), s.geo.close())
}

func (s *Service) load(ctx context.Context) error {
	rows, err := s.needs.Store.counts(ctx)
	if err != nil {
		return err
	}
	numbers := map[string]int{}
	for i, r := range rules {
		numbers[r.name] = i
	}
	for i := len(rows) - 1; i >= 0; i-- { // the oldest first, as the lists have them
		have := rows[i]
		number, known := numbers[have.rule]
		if !known || len(have.subject) != len(key{}) || len(have.n) != 2*(slots+1) {
			continue // of another version
		}
		t := s.tables[number]
		c := count{key: key(have.subject), label: have.label, at: have.at * 1000, until: have.until * 1000, level: uint8(have.level)}
		for j := range c.n {
			c.n[j] = binary.BigEndian.Uint16(have.n[2*j:])
		}
		if c.at > s.inner {
			c.shift(t.rule, s.inner-c.at)
		}
		if c.gone(t.rule) <= s.inner {
			s.wait(number, c.key) // to be deleted
			continue
		}
		kept, evicted := t.make(c.key, s.inner)
		if evicted != nil {
			s.wait(number, evicted.key)
		}
		c.weight, c.older, c.newer = kept.weight, kept.older, kept.newer
		*kept = c
		t.changed(kept, s.inner)
	}
	return nil
}

// shift moves all times by d: the clock was set back while we were not running.
func (c *count) shift(r *rule, d int64) {
	var n [slots + 1]uint16
	from, to := c.at/r.slot(), (c.at+d)/r.slot()
	for i := range int64(slots + 1) {
		if from-i >= 0 && to-i >= 0 {
			n[(to-i)%(slots+1)] = c.n[(from-i)%(slots+1)]
		}
	}
	c.n, c.at = n, c.at+d
	if c.until != 0 {
		c.until += d
	}
}

// Who is the name under which an address or a name that somebody typed is counted: a
// keyed hash, the same whether such a person exists or not.
func (s *Service) Who(typed string) string {
	typed = strings.ToLower(strings.TrimSpace(typed))
	return hex.EncodeToString(s.mac([]byte("typed\x00" + typed))[:16])
}

// slowed are the acts that strangers from a suspicious owner's networks are answered late to.
var slowed = [acts]bool{Password: true, Code: true, Recovery: true}

// ownerOf is whose network a guess comes from; 0 when that does not matter.
func (s *Service) ownerOf(t *Try) uint32 {
	if s.owners == nil || !contains(guesses, t.Act) {
		return 0
	}
	return s.owners.of(t.Addr)
}

// subjects are the keys of a try, by scope. A person who has several addresses is one account: what is counted of it
// is the account's where strangers do not see the count. Those that refuse strangers, of a pair and of letters, go by
// what was typed: else two addresses that share one would be seen to be one person's.
func (s *Service) subjects(t *Try) (all [scopes]key) {
	who := t.Who[:min(len(t.Who), maxWho)]
	whole := who
	if personal[t.Act] && t.Act != Reset && t.Account != "" {
		whole = "account\x00" + t.Account[:min(len(t.Account), maxWho)]
	}
	from, near := host(t.Addr), neighbourhood(t.Addr)
	var buffer [maxWho + 80]byte
	hash := func(sc scope, text string, p netip.Prefix) {
		b := append(buffer[:0], byte(sc))
		b = append(b, text...)
		b = append(b, 0)
		b = p.AppendTo(b)
		copy(all[sc][:], s.mac(b))
	}
	if who != "" {
		hash(pair, who, from)
		hash(account, whole, netip.Prefix{})
		hash(device, whole, netip.Prefix{})
	}
	hash(address, "", from)
	hash(network, "", near)
	return all
}

// tick moves the inner clock on. A clock that is set back stops it for no longer than
// the next question; one that has a monotonic part (time.Now) is followed by that part, so that
// setting it does nothing at all.
func (s *Service) tick() int64 {
	now := s.needs.Now()
	if d := now.Sub(s.last); d > 0 {
		s.inner += int64(d)
	}
	s.last = now
	return s.inner
}

// known says what counts as a known device now.
func (s *Service) known(t *Try, subjects *[scopes]key, now int64, limit int) bool {
	switch {
	case t.Act.program():
		c := s.tables[ruleTokenSeen].get(subjects[pair], now)
		return c != nil && c.sum(&s.rules[ruleTokenSeen], now) > 0
	case !t.Known || t.Who == "" || !personal[t.Act]:
		return false
	}
	c := s.tables[ruleDevice].get(subjects[device], now)
	return c == nil || c.sum(&s.rules[ruleDevice], now) < limit
}

// Ask is asked before anything is looked up or hashed. It counts the try as a failure
// until Tell or Void says otherwise, so that many at once are not more than one by one.
// ErrTries says when to come back; then neither Tell nor Void is called.
func (s *Service) Ask(_ context.Context, t Try) (Verdict, error) {
	if t.Act >= acts {
		return Verdict{}, fmt.Errorf("guard: there is no act %d", t.Act)
	}
	t.Who = t.Who[:min(len(t.Who), maxWho)]
	subjects, from := s.subjects(&t), s.ownerOf(&t)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.tick()
	known := s.known(&t, &subjects, now, s.rules[ruleDevice].limit)
	var v Verdict
	until := int64(0)
	for _, i := range byAct[t.Act] {
		r := &s.rules[i]
		if !r.applies(&t, known) {
			continue
		}
		c := s.tables[i].get(subjects[r.scope], now)
		if c == nil {
			continue
		}
		if c.pending > 0 && now-c.at > int64(untold) {
			c.pending = 0
			s.block(i, c, now)
		}
		n := c.sum(r, now)
		failed := n - int(c.pending)
		if known && t.Act.program() && failed == 0 {
			n = 0 // it comes as often at once as it likes, until it fails: nobody guesses 256 random bits
		}
		if !r.lax && n >= r.limit {
			until = max(until, c.room(r, now))
		}
		until = max(until, c.until)
		if r.slow {
			if c.level > 0 {
				failed = r.limit
			}
			v.Wait = max(v.Wait, late(failed))
		}
		if i == ruleAccount && n >= r.limit {
			v.StepUp = true
		}
	}
	if t.Act == Password && !known && now < s.watch.attackUntil {
		v.StepUp = true
	}
	if slowed[t.Act] && !known && s.watch.slows(from, now) {
		v.Wait = max(v.Wait, ownerWait)
	}
	if until > now {
		s.stats.Refused[t.Act]++
		s.saw(&t, &subjects, from, now)
		wait := time.Duration(until - now)
		v.Until = s.last.Add(wait)
		return v, ErrTries.After(wait)
	}
	for _, i := range byAct[t.Act] {
		if r := &s.rules[i]; r.counts != successes && r.applies(&t, known) {
			c := s.count(i, subjects[r.scope], now)
			c.add(r, now)
			if r.counts == failures && c.pending < 1<<16-1 {
				c.pending++
			}
			s.tables[i].changed(c, now)
		}
	}
	s.start(&t, known, now)
	return v, nil
}

// A flight is one or more tries that are alike, asked and not told yet.
type flight struct {
	known, plain uint16 // what each was counted as
	at           int64  // the last Ask
}

// start remembers as what a try was counted, so that its end undoes exactly that.
func (s *Service) start(t *Try, known bool, now int64) {
	f, there := s.flights[*t]
	if !there && len(s.flights) >= maxFlights || f.known == 1<<16-1 || f.plain == 1<<16-1 {
		return
	}
	if known {
		f.known++
	} else {
		f.plain++
	}
	f.at = now
	s.flights[*t] = f
}

// land says as what a try was counted.
func (s *Service) land(t *Try, subjects *[scopes]key, now int64) (known bool) {
	f := s.flights[*t]
	switch {
	case f.plain > 0:
		f.plain--
	case f.known > 0:
		f.known--
		known = true
	default: // above the bound, or too late
		return s.known(t, subjects, now, s.rules[ruleDevice].limit+1) // this try is in it
	}
	if f.known+f.plain == 0 {
		delete(s.flights, *t)
	} else {
		s.flights[*t] = f
	}
	return known
}

// count finds or makes a count that is about to change.
func (s *Service) count(i int, k key, now int64) *count {
	c, evicted := s.tables[i].make(k, now)
	if evicted != nil {
		s.wait(i, evicted.key)
	}
	s.wait(i, k)
	return c
}

func (s *Service) wait(i int, k key) {
	if len(s.waiting) < maxWaiting {
		s.waiting[waitKey{i, k}] = struct{}{}
	}
}

// saw hands a failed or refused guess to the detectors.
func (s *Service) saw(t *Try, subjects *[scopes]key, from uint32, now int64) {
	if t.Act == Code || t.Who == "" || !contains(guesses, t.Act) {
		return
	}
	f := failure{now, short(subjects[account]), short(subjects[address]), short(subjects[network]), from}
	var room [4]alarm
	for _, a := range s.watch.failed(f, room[:0]) {
		e := Event{Kind: a.kind, Accounts: a.accounts, Addresses: a.addresses, Failures: a.failures, Subject: "house"}
		switch {
		case a.kind == NetworkOwner:
			e.Subject = fmt.Sprintf("AS%d", a.subject)
		case a.subject != 0:
			e.Subject = fmt.Sprintf("%016x", a.subject)
		}
		s.tell(e)
	}
}

func contains(all []Act, a Act) bool {
	for _, one := range all {
		if one == a {
			return true
		}
	}
	return false
}

func short(k key) uint64 { return binary.BigEndian.Uint64(k[:8]) }

// Tell says how a try ended that Ask let through.
func (s *Service) Tell(_ context.Context, t Try, ok bool) error {
	return s.end(t, ok, false)
}

// Void takes a try back that could not be decided, for reasons that are not its own.
func (s *Service) Void(_ context.Context, t Try) error { return s.end(t, false, true) }

func (s *Service) end(t Try, ok, void bool) error {
	if t.Act >= acts {
		return fmt.Errorf("guard: there is no act %d", t.Act)
	}
	t.Who = t.Who[:min(len(t.Who), maxWho)]
	subjects, from := s.subjects(&t), s.ownerOf(&t)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.tick()
	known := s.land(&t, &subjects, now)
	for _, i := range byAct[t.Act] {
		r := &s.rules[i]
		if !r.applies(&t, known) {
			continue
		}
		switch {
		case r.counts == successes:
			if ok && !void {
				s.succeed(i, &t, subjects[r.scope], now)
			}
		case void, ok && r.counts == failures:
			s.refund(i, subjects[r.scope], now, ok)
		case r.counts == failures:
			s.fail(i, &t, subjects[r.scope], now)
		}
	}
	switch {
	case void:
	case ok:
		s.stats.OK[t.Act]++
		s.watch.succeeded(now)
	default:
		s.stats.Failed[t.Act]++
		s.saw(&t, &subjects, from, now)
	}
	return nil
}

// succeed counts what is counted by successes.
func (s *Service) succeed(i int, t *Try, k key, now int64) {
	r := &s.rules[i]
	if i == ruleTokenSeen {
		if c := s.tables[i].get(k, now); c != nil && now-c.at < int64(24*time.Hour) {
			return // it is known that it was here lately
		}
	}
	c := s.count(i, k, now)
	c.label = labelOf(r, t)
	c.add(r, now)
	s.tables[i].changed(c, now)
}

// refund takes a try back. Who was right, or is known, starts afresh where only they are counted.
func (s *Service) refund(i int, k key, now int64, ok bool) {
	r := &s.rules[i]
	c := s.tables[i].get(k, now)
	if c == nil {
		return
	}
	c.pending -= min(1, c.pending)
	if ok && (r.scope == pair || r.scope == device) {
		s.tables[i].drop(c)
		s.wait(i, k)
		return
	}
	c.take(r, now)
	s.tables[i].changed(c, now)
	s.wait(i, k)
}

// fail makes a failure final, and blocks at the limit.
func (s *Service) fail(i int, t *Try, k key, now int64) {
	r := &s.rules[i]
	asked := s.tables[i].get(k, now) != nil
	c := s.count(i, k, now)
	c.move(r, now)
	c.pending -= min(1, c.pending)
	if !asked {
		c.add(r, now) // what Ask counted is gone: by a success meanwhile, a lift, or at the bound
	}
	n := c.sum(r, now)
	if n >= r.limit || r.scope < address {
		c.label = labelOf(r, t)
	}
	s.block(i, c, now)
	s.tables[i].changed(c, now)
	if n < r.limit {
		return
	}
	switch i {
	case ruleAccount:
		s.tellOf(ManyFailures, t, k, n)
	case ruleCodeDay:
		s.tellOf(CodeGuessing, t, k, n)
	case ruleRecovery, ruleRecoveryDevice:
		s.tellOf(RecoveryGuessing, t, k, n)
	case ruleTokenPair:
		s.tellOf(TokenGuessing, t, k, n)
	}
}

// block begins one if the limit was reached, where the rule has blocks.
func (s *Service) block(i int, c *count, now int64) {
	r := &s.rules[i]
	if r.block == 0 || c.until > now || c.sum(r, now)-int(c.pending) < r.limit {
		return
	}
	c.until = now + int64(min(r.block<<min(c.level, 20), r.most))
	if c.level < 20 {
		c.level++
	}
	c.n, c.pending = [slots + 1]uint16{}, 0
	s.stats.Blocks++
	s.wait(i, c.key)
}
