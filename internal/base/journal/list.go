package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// A Query selects entries. What is zero selects all.
type Query struct {
	Space  string
	Actor  string // as the journal has it, or the id of a person, whose API keys are meant too
	Action string
	ID     string // of the noun
	After  int64  // entries with higher numbers only
	Before int64  // entries with lower numbers only
	Since  time.Time
	Until  time.Time // itself not included
	Newest bool      // the newest first, instead of the oldest
	Limit  int       // 1 to MaxList; 0 is MaxList
}

// MaxList is how many entries one call to List answers with.
const MaxList = 1000

// where is the condition of q and its arguments. Only what is asked for is in the
// text, so that the engines find the index for it.
func (q Query) where() (string, []any) {
	var (
		terms []string
		args  []any
	)
	add := func(term string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			term = strings.Replace(term, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		terms = append(terms, term)
	}
	add("number > ?", q.After)
	if q.Before != 0 {
		add("number < ?", q.Before)
	}
	if q.Space != "" {
		add("space = ?", q.Space)
	}
	if q.Actor != "" {
		escape := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
		add("(actor = ? or actor = ? or actor like ? escape '!')", q.Actor, "user:"+q.Actor, "apikey:"+escape.Replace(q.Actor)+"/%")
	}
	if q.Action != "" {
		add("action = ?", q.Action)
	}
	if q.ID != "" {
		add("id = ?", q.ID)
	}
	if !q.Since.IsZero() {
		add("at >= ?", q.Since.UnixMicro())
	}
	if !q.Until.IsZero() {
		add("at < ?", q.Until.UnixMicro())
	}
	return strings.Join(terms, " and "), args
}

// List reads entries in the order that q asks for.
func List(ctx context.Context, d *db.DB, q Query) ([]Entry, error) {
	var all []Entry
	err := d.Read(ctx, func(tx *db.Tx) error {
		all = nil
		return each(ctx, tx, q, func(r Row) error {
			if r.unread {
				return ErrBroken.With(fmt.Sprintf("Entry %d of the journal has a detail that cannot be read.", r.Number))
			}
			all = append(all, r.Entry)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("list journal after %d: %w", q.After, err)
	}
	return all, nil
}

// A Row is an entry as it is stored, with what chains it to the one before.
type Row struct {
	Entry
	Hash []byte // SHA-256, over the entry and the hash of the one before

	detail string // as stored
	unread bool   // the detail cannot be read
}

// Follows says whether the row is as it was written, after one with the hash before;
// nil is the beginning.
func (r Row) Follows(before []byte) bool {
	if before == nil {
		before = make([]byte, sha256.Size)
	}
	return bytes.Equal(r.Hash, r.hash(before, r.detail))
}

// Follows says whether e is what was given hash after one with the hash before; nil is
// the beginning. It is Row.Follows for an entry that was kept elsewhere.
func (e Entry) Follows(before, hash []byte) bool {
	detail, err := encode(e.Detail)
	return err == nil && Row{Entry: e, Hash: hash, detail: detail}.Follows(before)
}

// Rows reads up to limit rows with numbers above after, the oldest first, as they are:
// they may not follow each other.
func Rows(ctx context.Context, d *db.DB, after int64, limit int) ([]Row, error) {
	var all []Row
	err := d.Read(ctx, func(tx *db.Tx) error {
		all = nil
		return eachOf(ctx, tx, Query{After: after}, limit, func(r Row) error {
			all = append(all, r)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read journal after %d: %w", after, err)
	}
	return all, nil
}

// End is the number and the hash of the last entry as they are kept apart from the
// entries; 0 and nil before the first.
func End(ctx context.Context, d *db.DB) (number int64, hash []byte, err error) {
	err = d.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select number, hash from journal_head where id = 1`).Scan(&number, &hash)
		if errors.Is(err, sql.ErrNoRows) {
			number, hash = 0, nil
			return nil
		}
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("read end of journal: %w", err)
	}
	return number, hash, nil
}

// each calls fn for at most MaxList entries.
func each(ctx context.Context, tx *db.Tx, q Query, fn func(Row) error) error {
	if q.Limit <= 0 || q.Limit > MaxList {
		q.Limit = MaxList
	}
	return eachOf(ctx, tx, q, q.Limit, fn)
}

func eachOf(ctx context.Context, tx *db.Tx, q Query, limit int, fn func(Row) error) error {
	where, args := q.where()
	order := "asc"
	if q.Newest {
		order = "desc"
	}
	return db.Each(ctx, tx, func(from db.Row) error {
		var (
			r  Row
			at int64
		)
		if err := from.Scan(&r.Number, &at, &r.Actor, &r.Space, &r.Action, &r.Resource, &r.ID, &r.detail, &r.Hash); err != nil {
			return err
		}
		r.At = time.UnixMicro(at).UTC()
		r.unread = json.Unmarshal([]byte(r.detail), &r.Detail) != nil
		return fn(r)
	}, `select number, at, actor, space, action, resource, id, detail, hash from journal
		where `+where+` order by number `+order+` limit $`+strconv.Itoa(len(args)+1), append(args, limit)...)
}
