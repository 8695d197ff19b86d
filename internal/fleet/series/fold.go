package series

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A chunkRow is a row of the table series_chunk.
type chunkRow struct {
	series     int64
	start, end int64
	points     int
	head, body []byte // sealed; nil where they were not asked for
}

// chunkPlace is what a part of a chunk is bound to: series, extent and size, so that a
// head and a body that were not written together do not pass for one chunk.
func chunkPlace(dst []byte, part, property string, c *chunkRow) []byte {
	var n [20]byte
	return keys.AppendPlace(dst, "series_chunk", part, property,
		string(strconv.AppendInt(n[:0], c.start, 10)),
		string(strconv.AppendInt(n[:0], c.end, 10)),
		string(strconv.AppendInt(n[:0], int64(c.points), 10)))
}

// lastPlace is what the last value of a series is bound to.
func lastPlace(property string, at int64) []byte {
	return keys.Place("series", "last", property, strconv.FormatInt(at, 10))
}

// errChunk names a chunk that cannot be read.
func errChunk(property string, c *chunkRow, err error) error {
	return fmt.Errorf("history of series %s, chunk of %d points from %d: %w", property, c.points, c.start, err)
}

// openBody reads the points of a chunk into p.
func openBody(key keys.Sealer, property string, c *chunkRow, p *span, m *buffers) (err error) {
	m.place = chunkPlace(m.place[:0], "body", property, c)
	if m.plain, err = open(key, m.plain[:0], c.body, m.place); err != nil {
		return errChunk(property, c, err)
	}
	if err = readBody(m.plain, p, &m.ints); err != nil {
		return errChunk(property, c, err)
	}
	if p.len() != c.points || p.at[0] != c.start || p.at[p.len()-1] != c.end {
		return errChunk(property, c, errCodec)
	}
	return nil
}

// openHead reads the head of a chunk.
func openHead(key keys.Sealer, property string, c *chunkRow, m *buffers) (h head, err error) {
	m.place = chunkPlace(m.place[:0], "head", property, c)
	if m.plain, err = open(key, m.plain[:0], c.head, m.place); err != nil {
		return h, errChunk(property, c, err)
	}
	if h, err = readHead(m.plain); err != nil {
		return h, errChunk(property, c, err)
	}
	if h.n != c.points || h.start != c.start || h.end != c.end {
		return h, errChunk(property, c, errCodec)
	}
	return h, nil
}

// buffers are memory for opening that is used again.
type buffers struct {
	place, plain []byte
	ints         []int64
}

// A piece is what one transaction of a flush writes.
type piece struct {
	chunks []chunkRow
	lasts  []seriesRow
	bytes  int
}

// A folder writes points into chunks. It belongs to one goroutine.
type folder struct {
	s       *Service
	scratch scratch
	buf     buffers
	plain   []byte
	piece   piece
	tails   []newTail
}

// A newTail is what a state learns when a piece is on disk.
type newTail struct {
	st   *state
	tail tail
}

// foldAtOnce is for how many series the database is asked at once.
const foldAtOnce = 64

// writeChunks folds all jobs into chunks.
func (s *Service) writeChunks(ctx context.Context, jobs []job) error {
	f := &folder{s: s}
	for len(jobs) > 0 {
		some := jobs[:min(foldAtOnce, len(jobs))]
		jobs = jobs[len(some):]
		newest, err := f.newest(ctx, some)
		if err != nil {
			return fmt.Errorf("newest chunks of %d series: %w", len(some), err)
		}
		for i := range some {
			if err := f.write(ctx, &some[i], newest); err != nil {
				return err
			}
		}
	}
	return f.save(ctx)
}

// write folds one job and its last value.
func (f *folder) write(ctx context.Context, j *job, newest map[int64]chunkRow) error {
	key, err := f.s.keys.Thing(ctx, j.st.thing.space, j.st.thing.id)
	if errors.Is(err, keys.ErrErased) {
		return nil // nobody can ever read it: its points go with the log
	}
	if err != nil {
		return fmt.Errorf("key of thing %s: %w", j.st.thing.id, err)
	}
	if err := f.fold(ctx, key, j, newest[j.st.id]); err != nil {
		return err
	}
	if err := f.addLast(key, j); err != nil {
		return err
	}
	return f.saveIfFull(ctx)
}

// newest reads the newest chunks of the series where that may take more points, or
// where nothing is known of it yet.
func (f *folder) newest(ctx context.Context, jobs []job) (map[int64]chunkRow, error) {
	var ids []int64
	for i := range jobs {
		if t := jobs[i].st.tail; !t.known || t.points > 0 && t.points < MaxChunkPoints {
			ids = append(ids, jobs[i].st.id)
		}
	}
	found := make(map[int64]chunkRow, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	return found, f.s.store.view(ctx, func(c chunks) error {
		return c.newest(ctx, ids, func(row chunkRow) { found[row.series] = row })
	})
}

// fold merges the points of one job with the chunks that they touch. Each stretch of
// points up to where the next chunk begins goes to the chunk before it, if it falls
// into that or that still has room, or else to new ones.
//
// newest is the newest chunk, or nothing if there is none or j's state knows enough of it.
func (f *folder) fold(ctx context.Context, key keys.Sealer, j *job, newest chunkRow) error {
	points := j.batch.points()
	end := j.st.tail
	if !end.known {
		end = tail{known: true, start: newest.start, end: newest.end, points: newest.points}
	}
	for i := 0; i < points.len(); {
		before, after, err := f.around(ctx, j.st, end, newest, points.at[i])
		if err != nil {
			return fmt.Errorf("chunks of series %s around %d: %w", j.st.property, points.at[i], err)
		}
		to := points.len()
		if after != none {
			to = points.find(after)
		}
		group := points.slice(i, to)
		full := false
		if before.points > 0 && (group.at[0] <= before.end || before.points < MaxChunkPoints && group.at[0]-before.start < chunkSpan) {
			var base span
			err := openBody(key, j.st.property, &before, &base, &f.buf)
			switch {
			case err == nil:
				full = base.len() == MaxChunkPoints
				group = merge(&base, &group)
			case isDamage(err):
				group = f.besides(&before, group, err)
			default:
				return err
			}
		}
		// At the end of a series chunks are filled one after the other. In its middle, and
		// where a full one grows, they are halved, so that late points find room next time.
		most := MaxChunkPoints
		if n := group.len(); n > most && (full || after != none) {
			parts := (n + most - 1) / most
			most = (n + parts - 1) / parts
		}
		for group.len() > 0 {
			n := min(group.cut(), most)
			part := group.slice(0, n)
			row, err := f.seal(key, j.st, &part)
			if err != nil {
				return err
			}
			if after == none {
				end = tail{known: true, start: row.start, end: row.end, points: row.points}
			}
			f.piece.chunks = append(f.piece.chunks, row)
			f.piece.bytes += len(row.head) + len(row.body)
			group = group.slice(n, group.len())
			if err := f.saveIfFull(ctx); err != nil {
				return err
			}
		}
		i = to
	}
	f.tails = append(f.tails, newTail{j.st, end})
	return nil
}

// besides is what can be written where a chunk is damaged: one bad chunk must not keep
// all others from being written, and must not be written over. Who reads it gets the error.
func (f *folder) besides(c *chunkRow, group span, err error) span {
	f.s.log.Error("history: new points are written beside a damaged chunk", "err", err)
	if group.at[0] == c.start {
		f.s.log.Error("history: a point is given up that would take the place of a damaged chunk", "start_at", c.start)
		return group.slice(1, group.len())
	}
	return group
}

// isDamage says that stored bytes are not what was written.
func isDamage(err error) bool { return errors.Is(err, keys.ErrSeal) || errors.Is(err, errCodec) }

// none is no instant.
const none = int64(-1 << 63)

// around finds the chunk that t falls into or comes after, which has no points if
// there is none, and where the next chunk begins, or none. A chunk that takes no more
// points and that t comes after may come without its body.
func (f *folder) around(ctx context.Context, st *state, end tail, newest chunkRow, t int64) (before chunkRow, after int64, err error) {
	if end.points == 0 || t > end.end {
		if newest.points == 0 {
			newest = chunkRow{series: st.id, start: end.start, end: end.end, points: end.points}
		}
		return newest, none, nil
	}
	// What of this series waits to be saved begins before t's chunk does: it need not be
	// there to be found.
	err = f.s.store.view(ctx, func(c chunks) (err error) {
		if before, err = c.before(ctx, st.id, t); err == nil {
			after, err = c.after(ctx, st.id, t)
		}
		return err
	})
	return before, after, err
}

// seal makes the row of one chunk.
func (f *folder) seal(key keys.Sealer, st *state, p *span) (row chunkRow, err error) {
	h := summary(p)
	row = chunkRow{series: st.id, start: h.start, end: h.end, points: h.n}
	f.plain = appendHead(f.plain[:0], &h)
	f.buf.place = chunkPlace(f.buf.place[:0], "head", st.property, &row)
	if row.head, err = seal(key, nil, f.plain, f.buf.place); err == nil {
		f.plain = f.scratch.appendBody(f.plain[:0], p)
		f.buf.place = chunkPlace(f.buf.place[:0], "body", st.property, &row)
		row.body, err = seal(key, nil, f.plain, f.buf.place)
	}
	if err != nil {
		return row, fmt.Errorf("seal a chunk of series %s: %w", st.property, err)
	}
	return row, nil
}

// addLast adds the last value of a series to the piece.
func (f *folder) addLast(key keys.Sealer, j *job) (err error) {
	if j.stored {
		return nil
	}
	row := seriesRow{id: j.st.id, lastAt: j.lastAt}
	f.plain = appendValue(f.plain[:0], j.last)
	if row.last, err = seal(key, nil, f.plain, lastPlace(j.st.property, j.lastAt)); err != nil {
		return fmt.Errorf("seal the last value of series %s: %w", j.st.property, err)
	}
	f.piece.lasts = append(f.piece.lasts, row)
	f.piece.bytes += len(row.last)
	return nil
}

// saveIfFull writes the piece if it is as large as a transaction should be.
func (f *folder) saveIfFull(ctx context.Context) error {
	if most := f.s.limits.pieceRows; len(f.piece.chunks) < most && len(f.piece.lasts) < most && f.piece.bytes < pieceBytes {
		return nil
	}
	return f.save(ctx)
}

// save writes the piece.
func (f *folder) save(ctx context.Context) error {
	if len(f.piece.chunks) == 0 && len(f.piece.lasts) == 0 {
		return nil
	}
	if err := f.s.store.save(ctx, f.piece.chunks, f.piece.lasts); err != nil {
		return fmt.Errorf("write %d chunks of history: %w", len(f.piece.chunks), err)
	}
	for _, t := range f.tails {
		t.st.tail = t.tail
	}
	clear(f.piece.chunks)
	clear(f.piece.lasts)
	f.piece.chunks, f.piece.lasts, f.piece.bytes, f.tails = f.piece.chunks[:0], f.piece.lasts[:0], 0, f.tails[:0]
	return nil
}
