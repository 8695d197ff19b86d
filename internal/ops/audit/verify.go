package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// Verify recomputes the whole log, compares it with the journal entry by entry, and with
// a checkpoint that was kept elsewhere, if outside is not nil. It changes nothing and may run at
// any time; entries that come meanwhile are not looked at. Its error is ErrOutside, or of a
// disk or database that cannot be read: what somebody changed is in the report.
func (s *Service) Verify(ctx context.Context, outside []byte) (Report, error) {
	r := Report{Key: s.tree.sign.public, Breaks: []Break{}, Findings: []Finding{}}
	if outside != nil {
		if _, _, err := parseCheckpoint(outside); err != nil {
			return r, ErrOutside
		}
	}
	m, size, signed, err := s.snapshot(ctx)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if signed.err == nil {
			r.bad(Finding{Code: "state-damaged", File: ".state/treeState", Text: "audit/.state/treeState is not there, and a log is: nothing can be appended to it."})
		}
		if m.size > 0 {
			r.bad(Finding{Code: "log-missing", Text: fmt.Sprintf("There is no log in %s, and the database remembers one of %d leaves.", s.needs.Dir, m.size)})
		}
	case errors.Is(err, errState):
		r.bad(Finding{Code: "state-damaged", File: ".state/treeState", Text: "audit/.state/treeState is not as it was written: nothing can be appended."})
	case err != nil:
		return r, err
	}
	var marks []mark
	if _, err := s.examineLog(&r, size, signed, m, outside, func(index uint64, b []byte) error {
		l, err := s.tree.leaf(b)
		switch {
		case err != nil: // compare tells it
		case l.mark:
			marks = append(marks, mark{index, l.back})
			r.Breaks = append(r.Breaks, Break{Leaf: index, Action: actionRestored, Text: fmt.Sprintf(
				"The database was set back to entry %d; the log, of %d leaves then, still has what came after.", l.back, index)})
		default:
			r.broken(index, l.entry)
		}
		return ctx.Err()
	}); err != nil {
		return r, err
	}
	return r, s.compare(ctx, &r, marks)
}

// broken keeps what an entry tells of a break.
func (r *Report) broken(index uint64, e journal.Entry) {
	b := Break{Number: e.Number, Leaf: index, At: e.At, Action: e.Action}
	switch {
	case e.Action == actionTruncated:
		b.Text = fmt.Sprintf("The log had %s leaves and was found with %s at a start; it was filled again from the journal.", e.Detail["had"], e.Detail["has"])
	case e.Action != actionRestored:
		return
	case e.Detail["from"] == "database": // the mark is the break; this says when
		for i, known := range r.Breaks {
			if strconv.FormatUint(known.Leaf, 10) == e.Detail["log"] {
				r.Breaks[i].Number, r.Breaks[i].At = e.Number, e.At
			}
		}
		return
	default:
		b.Text = fmt.Sprintf("The house was restored from a backup of %s; what came after it was lost, here and in the log.", e.Detail["data_at"])
	}
	r.Breaks = append(r.Breaks, b)
}

// published is the file with the checkpoint, as it was at one moment.
type published struct {
	text []byte
	err  error
}

// snapshot reads what belongs together while nobody appends. Without a log its error is fs.ErrNotExist.
func (s *Service) snapshot(ctx context.Context) (m memory, size uint64, p published, err error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if m, err = s.needs.Store.memory(ctx); err != nil {
		return m, 0, p, fmt.Errorf("read what the database remembers of the audit log: %w", err)
	}
	p.text, p.err = s.tree.checkpoint()
	if size, _, err = s.tree.state(); err != nil {
		return m, 0, p, fmt.Errorf("read the size of the audit log: %w", err)
	}
	return m, size, p, nil
}

// mark is where the log says that the database was set back.
type mark struct {
	index uint64
	back  int64
}

// examineLog looks at the log by itself: whether leaves, tiles, state and checkpoint
// belong together, and with what is known of them elsewhere. It returns the root of size leaves.
func (s *Service) examineLog(r *Report, size uint64, p published, m memory, outside []byte, leaf func(uint64, []byte) error) ([]byte, error) {
	w := walk{tree: s.tree, size: size, roots: map[uint64][]byte{size: nil}, leaf: leaf, bad: r.bad}
	r.Size = size
	text, err := p.text, p.err
	signed := Checkpoint{}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if size > 0 {
			r.bad(Finding{Code: "checkpoint-missing", File: "checkpoint", Text: "audit/checkpoint is not there."})
		}
		text = nil
	case err != nil:
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	default:
		if signed, err = s.tree.sign.open(text); err != nil {
			r.bad(s.notOurs("checkpoint", text, err))
			text = nil
		}
	}
	r.Signed, r.Root = signed.Size, signed.Root
	w.roots[signed.Size] = nil
	w.roots[m.size] = nil
	var kept Checkpoint
	if outside != nil {
		if kept, err = s.tree.sign.open(outside); err != nil {
			f := s.notOurs("the checkpoint that was kept elsewhere", outside, err)
			f.Code, f.File = "outside-unknown", ""
			r.bad(f)
			outside = nil
		}
		w.roots[kept.Size] = nil
		r.Outside = kept.Size
	}
	if err := w.run(); err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}

	whole := text != nil && signed.Size <= size && bytes.Equal(w.roots[signed.Size], signed.Root)
	r.altered = map[uint64]bool{}
	if !whole {
		r.altered = w.apart // the checkpoint says whose fault it is: the leaves', or the tile's
	}
	for _, f := range w.wrong {
		switch {
		case f.Code != "tile-altered":
		case whole:
			f.Text = fmt.Sprintf("audit/%s was replaced: it is not what the leaves from %d on give, and those are what the checkpoint signs.", f.File, f.Index)
		case f.level == 0:
			f.Code = "leaf-altered"
			f.Text = fmt.Sprintf("Leaf %d of the log was altered: it does not give the hash in audit/%s.", f.Index, f.File)
		case len(r.altered) > 0:
			continue // it is so because of a leaf
		}
		r.bad(f)
	}
	if state, root, err := s.tree.state(); err == nil && state == size && w.roots[size] != nil && len(r.altered) == 0 && !bytes.Equal(root, w.roots[size]) {
		r.bad(Finding{Code: "state-damaged", File: ".state/treeState", Text: fmt.Sprintf("audit/.state/treeState has another root than the %d leaves give.", size)})
	}
	replaced := text != nil && signed.Size <= size && !whole && w.roots[size] != nil
	switch {
	case text != nil && signed.Size > size:
		r.bad(Finding{Code: "log-shorter", Index: int64(size), Text: fmt.Sprintf("The log was cut off: its checkpoint signs %d leaves, and it has %d.", signed.Size, size)})
	case replaced:
		r.bad(Finding{Code: "log-replaced", Text: fmt.Sprintf("The first %d leaves of the log are not those that its checkpoint signs.", signed.Size)})
	}
	switch {
	case m.size > max(size, signed.Size) && size > 0:
		r.bad(Finding{Code: "log-shorter", Index: int64(size), Text: fmt.Sprintf("The log was cut off: the database remembers %d leaves, and it has %d.", m.size, size)})
	case m.size > 0 && m.size <= size && !replaced && w.roots[m.size] != nil && !bytes.Equal(w.roots[m.size], m.root):
		r.bad(Finding{Code: "log-replaced", Text: fmt.Sprintf("The first %d leaves of the log are not those that the database remembers.", m.size)})
	}
	switch {
	case outside == nil:
	case kept.Size > size:
		r.bad(Finding{Code: "outside-ahead", Index: int64(size), Text: fmt.Sprintf("The checkpoint that was kept elsewhere signs %d leaves, and the log has %d: it was cut off, or this house was restored from a backup of before.", kept.Size, size)})
	case w.roots[size] != nil && !bytes.Equal(w.roots[kept.Size], kept.Root):
		r.bad(Finding{Code: "outside-differs", Text: fmt.Sprintf("The first %d leaves of the log are not those that the checkpoint signs that was kept elsewhere: the log was written anew, or this house was restored from a backup of before and went on otherwise.", kept.Size)})
	}
	return w.roots[size], nil
}

// notOurs says what is wrong with a checkpoint that does not open.
func (s *Service) notOurs(what string, text []byte, err error) Finding {
	f := Finding{Code: "checkpoint-forged", File: "checkpoint"}
	if what == "checkpoint" {
		what = "audit/checkpoint"
	}
	switch {
	case errors.Is(err, errOther):
		f.Code = "checkpoint-other"
		_, origin, _ := parseCheckpoint(text)
		f.Text = fmt.Sprintf("%s is of another log: it is signed as %q, and this house is %q.", upper(what), origin, s.tree.sign.origin)
	case errors.Is(err, errForged):
		f.Text = fmt.Sprintf("%s was forged: it does not bear the signature of this house's key %s.", upper(what), s.tree.sign.public)
	default:
		f.Text = upper(what) + " is no checkpoint: it was changed by somebody else than this program."
	}
	return f
}

func upper(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' || text[:min(6, len(text))] == "audit/" {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}

// compare walks journal and log side by side.
func (s *Service) compare(ctx context.Context, r *Report, marks []mark) error {
	// What a later mark takes back is of a database of before, and has no rows any more.
	back := func(index uint64) int64 {
		least := int64(math.MaxInt64)
		for _, m := range marks {
			if m.index > index {
				least = min(least, m.back)
			}
		}
		return least
	}
	rows := &reader{ctx: ctx, s: s}
	c := comparison{r: r, rows: rows}
	for index := range (r.Size + width - 1) / width {
		all, _, err := s.tree.bundle(index, r.Size)
		if err != nil && len(all) == 0 {
			break // examineLog has told it
		}
		for i, b := range all {
			at := index*width + uint64(i)
			if r.altered[at] {
				if err := c.skip(); err != nil {
					return err
				}
				continue
			}
			l, err := s.tree.leaf(b)
			if err != nil {
				r.bad(Finding{Code: "leaf-altered", Index: int64(at), Text: fmt.Sprintf("Leaf %d of the log is none that this program writes.", at)})
				continue
			}
			if l.mark || len(marks) > 0 && l.entry.Number > back(at) {
				continue
			}
			if err := c.leaf(at, l); err != nil {
				return err
			}
		}
	}
	return c.end(ctx, s)
}

// A comparison is the state of compare.
type comparison struct {
	r      *Report
	rows   *reader
	before []byte // the hash that the next row should follow
	last   int64  // number of the last row or leaf
	older  int64  // the first entry that the log has and the journal does not, at its end; 0 for none
	newest int64  // the last of them
	seen   int64  // number of the last row
}

// leaf compares one leaf with the row of its number.
func (c *comparison) leaf(at uint64, l leaf) error {
	n := l.entry.Number
	for {
		row, ok, err := c.rows.peek()
		if err != nil {
			return err
		}
		switch {
		case !ok:
			if c.older == 0 {
				c.older = n
			}
			c.newest = n
			return nil
		case row.Number > n:
			c.r.bad(Finding{Code: "row-missing", Number: n, Index: int64(at), Text: fmt.Sprintf("Entry %d of the journal was deleted: the log has it (%s, by %s).", n, l.entry.Action, l.entry.Actor)})
			c.before, c.last = l.hash, n
			return nil
		case row.Number < n:
			c.rows.next()
			c.r.bad(Finding{Code: "row-extra", Number: row.Number, Index: int64(at), Text: fmt.Sprintf("Entry %d of the journal is not in the log, which has later ones.", row.Number)})
			c.before, c.last, c.seen = row.Hash, row.Number, row.Number
			continue
		}
		c.rows.next()
		chained := row.Follows(c.before)
		switch fields := difference(row.Entry, l.entry); {
		case fields != "":
			c.r.bad(Finding{Code: "row-altered", Number: n, Index: int64(at), Text: fmt.Sprintf("Entry %d of the journal was altered: its %s differs from the log, which says: %s.", n, fields, describe(l.entry))})
		case !bytes.Equal(row.Hash, l.hash):
			c.r.bad(Finding{Code: "row-altered", Number: n, Index: int64(at), Text: fmt.Sprintf("The hash of entry %d of the journal was altered: the log has another one.", n)})
		case !chained:
			c.r.bad(Finding{Code: "journal-chain", Number: n, Index: int64(at), Text: fmt.Sprintf("Entry %d of the journal does not follow the one before it.", n)})
		}
		// What follows is held to what was written, and not to what somebody made of it.
		c.before, c.last, c.seen = l.hash, n, n
		return nil
	}
}

// skip goes over the row of a leaf that cannot be believed.
func (c *comparison) skip() error {
	row, ok, err := c.rows.peek()
	if err == nil && ok && row.Number == c.last+1 {
		c.rows.next()
		c.before, c.last, c.seen = row.Hash, row.Number, row.Number
	}
	return err
}

// end looks at the rows that the log does not have yet, and at the journal's own end.
func (c *comparison) end(ctx context.Context, s *Service) error {
	for {
		row, ok, err := c.rows.peek()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		c.rows.next()
		if row.Number != c.last+1 {
			c.r.bad(Finding{Code: "row-missing", Number: c.last + 1, Text: fmt.Sprintf("Entry %d of the journal is missing.", c.last+1)})
		} else if !row.Follows(c.before) {
			c.r.bad(Finding{Code: "journal-chain", Number: row.Number, Text: fmt.Sprintf("Entry %d of the journal, or the one before it, was altered; the log does not have it yet.", row.Number)})
		}
		c.before, c.last, c.seen = row.Hash, row.Number, row.Number
		c.r.broken(c.r.Size, row.Entry)
		c.r.Waiting++
	}
	c.r.Entries = c.seen
	if c.older > 0 {
		c.r.bad(Finding{Code: "database-older", Number: c.older, Text: fmt.Sprintf(
			"The database is older than the log: it ends with entry %d, and the log has entries %d to %d. It was set back to a state of before, or its last entries were deleted.", c.seen, c.older, c.newest)})
		return nil
	}
	number, hash, err := journal.End(ctx, s.needs.Journal)
	if err != nil {
		return err
	}
	more, err := journal.Rows(ctx, s.needs.Journal, c.last, 1)
	if err != nil {
		return err
	}
	// Entries that came while this was read are no fault.
	if number < c.last || number > c.last && len(more) == 0 || number == c.last && number > 0 && !bytes.Equal(hash, c.rows.hash) {
		c.r.bad(Finding{Code: "journal-end", Number: c.last, Text: fmt.Sprintf("The journal ends with entry %d, and its end says %d or has another hash.", c.last, number)})
	}
	return nil
}

// A reader reads the rows of the journal, one after the other.
type reader struct {
	ctx  context.Context
	s    *Service
	page []journal.Row
	last int64
	done bool
	hash []byte // of the last row that next went over
}

func (r *reader) peek() (journal.Row, bool, error) {
	if len(r.page) == 0 && !r.done {
		var err error
		if r.page, err = journal.Rows(r.ctx, r.s.needs.Journal, r.last, journal.MaxList); err != nil {
			return journal.Row{}, false, err
		}
		r.done = len(r.page) == 0
	}
	if len(r.page) == 0 {
		return journal.Row{}, false, nil
	}
	return r.page[0], true, nil
}

func (r *reader) next() {
	r.last, r.hash = r.page[0].Number, r.page[0].Hash
	r.page = r.page[1:]
}

// describe is an entry in one line.
func describe(e journal.Entry) string {
	text := e.Action + " by " + e.Actor
	if e.ID != "" {
		text += " on " + e.Resource + " " + e.ID
	}
	return text + " at " + e.At.Format("2006-01-02T15:04:05Z07:00")
}
