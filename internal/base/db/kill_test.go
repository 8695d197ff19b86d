package db_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// How a test tells its child what to do.
const childVariable = "ARDESIA_DB_TEST_CHILD"

// TestChildWrites is not a test: it is what TestKilled starts and kills. It writes
// row after row and says which are acknowledged.
func TestChildWrites(t *testing.T) {
	said := strings.Split(os.Getenv(childVariable), "|")
	if len(said) != 4 {
		t.Skip("for TestKilled only")
	}
	engine, _ := strconv.Atoi(said[0])
	key, _ := hex.DecodeString(said[2])
	first, _ := strconv.Atoi(said[3])
	c := db.Config{Engine: db.Engine(engine), Schema: dbtest.Core, Path: said[1], DSN: said[1], Key: key, Migrations: shelf, Now: time.Now}
	ctx := t.Context()
	d, err := db.Open(ctx, c)
	must(t, err)
	go func() { _ = d.Run(ctx) }()
	for i := first; ; i++ {
		must(t, d.Write(ctx, func(tx *db.Tx) error {
			if err := exec(ctx, `insert into shelf (id) values ($1)`, fmt.Sprint(i))(tx); err != nil {
				return err
			}
			return exec(ctx, `insert into book (id, shelf, title, cover) values ($1, $2, $2, $3)`, i, fmt.Sprint(i), cover(i))(tx)
		}))
		fmt.Fprintf(os.Stderr, "acknowledged %d\n", i)
	}
}

func cover(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, i*7919%5000) }

// TestKilled kills a process in the middle of writing, again and again, on one
// database. What it acknowledged is there, and every row that is there is whole.
func TestKilled(t *testing.T) {
	kills := 20
	if n, err := strconv.Atoi(os.Getenv("ARDESIA_KILLS")); err == nil {
		kills = n
	}
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			c := config(t, e)
			next := 0
			for range kills {
				last := writeAndKill(t, c, next)
				next = examine(t, c, last)
			}
			if next < kills {
				t.Errorf("only %d rows in %d lives", next, kills)
			}
		})
	}
}

// writeAndKill says which row was acknowledged last.
func writeAndKill(t *testing.T, c db.Config, first int) (last int) {
	t.Helper()
	where := c.Path
	if c.Engine == db.Postgres {
		where = c.DSN
	}
	child := osexec.Command(os.Args[0], "-test.run=^TestChildWrites$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d|%s|%x|%d", childVariable, c.Engine, where, c.Key, first))
	out, err := child.StderrPipe()
	must(t, err)
	must(t, child.Start())
	last = first - 1
	until := first + 1 + rand.IntN(120)
	lines := bufio.NewScanner(out)
	var said []string
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "acknowledged "); ok {
			last, err = strconv.Atoi(n)
			must(t, err)
			if last == until {
				must(t, child.Process.Kill()) // and read on: it may have said more
			}
		} else {
			said = append(said, lines.Text())
		}
	}
	_ = child.Wait() // it was killed
	if last < until {
		t.Fatalf("the child ended by itself after row %d: %s", last, strings.Join(said, "\n"))
	}
	return last
}

// examine checks all rows up to last, and says which comes next.
func examine(t *testing.T, c db.Config, last int) (next int) {
	t.Helper()
	ctx := t.Context()
	d, err := db.Open(ctx, c)
	must(t, err)
	must(t, d.Check(ctx))
	must(t, d.Read(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `select book.id, book.cover from book join shelf on shelf.id = book.shelf order by book.id`)
		must(t, err)
		defer rows.Close()
		for ; rows.Next(); next++ {
			var id int
			var got []byte
			must(t, rows.Scan(&id, &got))
			if id != next || !bytes.Equal(got, cover(id)) {
				t.Fatalf("row %d is %d with %d bytes", next, id, len(got))
			}
		}
		return rows.Err()
	}))
	if next <= last {
		t.Fatalf("row %d was acknowledged, but only %d are there", last, next)
	}
	if n := count(t, d, "shelf"); n != next {
		t.Fatalf("%d shelves for %d books: half a transaction", n, next)
	}
	must(t, d.Close())
	return next
}
