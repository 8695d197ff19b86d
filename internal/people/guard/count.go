package guard

import "time"

// slots divide a window. One more is looked at, so that what is counted covers the
// whole window wherever in a slot it is now: never too few, at most an eighth too long.
const slots = 8

// A key is a subject: a piece of a keyed hash.
type key [16]byte

// A count is what one rule knows of one subject. Times are of Service.inner, in ns.
type count struct {
	key     key
	label   string // an id or a truncated address, for the operator; often ""
	at      int64  // last change
	until   int64  // refused until then
	n       [slots + 1]uint16
	pending uint16 // asked and not told yet; they are in n as well
	level   uint8  // blocks one after the other
	weight  uint8  // which list it is on

	older, newer *count
}

func (r *rule) slot() int64 { return int64(r.window) / slots }

// move forgets what is too old at now, and makes now the time of the last change.
func (c *count) move(r *rule, now int64) {
	from, to := c.at/r.slot(), now/r.slot()
	if to-from > slots {
		c.n, c.pending = [slots + 1]uint16{}, 0
	} else {
		for i := from + 1; i <= to; i++ {
			c.n[i%(slots+1)] = 0
		}
	}
	c.at = now
}

// sum is how many there are in the window that ends now.
func (c *count) sum(r *rule, now int64) (all int) {
	for i := now/r.slot() - slots; i <= c.at/r.slot(); i++ {
		if i >= 0 && i > c.at/r.slot()-slots-1 {
			all += int(c.n[i%(slots+1)])
		}
	}
	return all
}

// room is when there will be fewer than the limit.
func (c *count) room(r *rule, now int64) int64 {
	left := c.sum(r, now)
	if left-int(c.pending) < r.limit {
		return now + int64(time.Second) // whoever is being looked at now will be done
	}
	for i := now/r.slot() - slots; i <= c.at/r.slot(); i++ {
		if i < 0 || i <= c.at/r.slot()-slots-1 {
			continue
		}
		if left -= int(c.n[i%(slots+1)]); left < r.limit {
			return (i + slots + 1) * r.slot()
		}
	}
	return now
}

func (c *count) add(r *rule, now int64) {
	c.move(r, now)
	if n := &c.n[now/r.slot()%(slots+1)]; *n < 1<<16-1 {
		*n++
	}
}

// take takes one back, the newest first.
func (c *count) take(r *rule, now int64) {
	c.move(r, now)
	for i := now / r.slot(); i > now/r.slot()-slots-1 && i >= 0; i-- {
		if n := &c.n[i%(slots+1)]; *n > 0 {
			*n--
			return
		}
	}
}

// gone is when the count says nothing any more. How long blocks were is remembered for
// a day after the last.
func (c *count) gone(r *rule) int64 {
	end := c.at + int64(r.window) + r.slot()
	if c.level > 0 {
		end = max(end, c.until+int64(r.most))
	}
	return max(end, c.until)
}

// Weights: how much harm it would do to forget a count.
const (
	light   = iota // at most one
	heavy          // more
	refused        // at the limit, or blocked
	weights        // how many there are
)

func (c *count) weigh(r *rule, now int64) uint8 {
	switch n := c.sum(r, now); {
	case c.until > now || n >= r.limit && !r.lax:
		return refused
	case n > 1 || c.level > 0:
		return heavy
	}
	return light
}

// A table has all counts of one rule, up to a bound. There, what is over goes first; then
// the one that was changed longest ago among those that weigh least. So a subject that
// failed twice stays until as many others as the table holds have failed twice as well,
// each of which costs an attacker two guesses that other rules count.
type table struct {
	rule  *rule
	all   map[key]*count
	lists [weights]struct{ oldest, newest *count }
}

func newTable(r *rule) *table { return &table{rule: r, all: make(map[key]*count)} }

// get finds a count that still says something.
func (t *table) get(k key, now int64) *count {
	c := t.all[k]
	if c == nil || c.gone(t.rule) <= now {
		return nil
	}
	return c
}

// make finds or adds a count, and says which one had to go for it.
func (t *table) make(k key, now int64) (c, evicted *count) {
	if c = t.all[k]; c != nil {
		if c.gone(t.rule) <= now {
			t.unlink(c)
			*c = count{key: k, label: c.label, at: now}
			t.link(c)
		}
		return c, nil
	}
	if len(t.all) >= t.rule.cap {
		evicted = t.worst(now)
		t.drop(evicted)
	}
	c = &count{key: k, at: now}
	t.all[k] = c
	t.link(c)
	return c, evicted
}

// worst is the count that is missed least.
func (t *table) worst(now int64) *count {
	for _, l := range t.lists {
		if l.oldest != nil && l.oldest.gone(t.rule) <= now {
			return l.oldest
		}
	}
	for _, l := range t.lists {
		if l.oldest != nil {
			return l.oldest
		}
	}
	return nil // not while there is one
}

// changed puts c where it belongs after a change.
func (t *table) changed(c *count, now int64) {
	t.unlink(c)
	c.weight = c.weigh(t.rule, now)
	t.link(c)
}

func (t *table) drop(c *count) {
	t.unlink(c)
	delete(t.all, c.key)
}

func (t *table) link(c *count) {
	l := &t.lists[c.weight]
	c.older, c.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = c
	} else {
		l.oldest = c
	}
	l.newest = c
}

func (t *table) unlink(c *count) {
	l := &t.lists[c.weight]
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		l.oldest = c.newer
	}
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		l.newest = c.older
	}
	c.older, c.newer = nil, nil
}

// sweep drops what is over, from the oldest on, and tells each.
func (t *table) sweep(now int64, told func(*count)) {
	for i := range t.lists {
		for c := t.lists[i].oldest; c != nil && c.gone(t.rule) <= now; c = t.lists[i].oldest {
			t.drop(c)
			told(c)
		}
	}
}
