package audit

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// How TestKilled tells its child what to do.
const childVariable = "ARDESIA_AUDIT_TEST_CHILD"

// TestChildFollows is not a test: it is what TestKilled starts and kills. It writes
// entries while Run follows them, and says how far the log has come.
func TestChildFollows(t *testing.T) {
	said := strings.Split(os.Getenv(childVariable), "|")
	if len(said) != 5 {
		t.Skip("for TestKilled only")
	}
	engine, _ := strconv.Atoi(said[0])
	pages, _ := hex.DecodeString(said[2])
	seed, _ := hex.DecodeString(said[3])
	cfg := dbtest.Config(t, db.SQLite, dbtest.Core)
	cfg.Engine, cfg.Path, cfg.DSN, cfg.Key = db.Engine(engine), said[1], said[1], pages
	d, err := db.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Needs{Store: SQL(d), Journal: d, Dir: said[4], House: "house1", Seal: masked{}, Now: time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Signer: func(context.Context, string) (crypto.Signer, error) { return ed25519.NewKeyFromSeed(seed), nil }})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Run(t.Context()) }()
	for {
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			for range 1 + rand.IntN(40) {
				if err := journal.Record(t.Context(), tx, journal.Entry{At: time.Now(), Actor: "user:u1", Action: "thing:create", Resource: "thing", ID: "t"}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(os.Stderr, "published %d\n", s.Stats().Size)
		<-time.After(time.Duration(rand.IntN(10)) * time.Millisecond)
	}
}

// TestKilled kills a process that follows its journal, at whatever it does, again and
// again. Each next life goes on; in the end the log has every entry once, and what was
// published is in it.
func TestKilled(t *testing.T) {
	kills := 6
	if n, err := strconv.Atoi(os.Getenv("ARDESIA_KILLS")); err == nil {
		kills = n
	}
	each(t, func(t *testing.T, h *house) {
		where := h.cfg.Path
		if h.cfg.Engine == db.Postgres {
			where = h.cfg.DSN
		}
		if err := h.db.Close(); err != nil {
			t.Fatal(err)
		}
		last := int64(0)
		for range kills {
			last = max(last, followAndKill(t, fmt.Sprintf("%s=%d|%s|%x|%x|%s", childVariable, h.cfg.Engine, where, h.cfg.Key, h.key.Seed(), h.dir)))
			h.db = dbtest.Open(t, h.cfg)
			h.needs.Store, h.needs.Journal = SQL(h.db), h.db
			h.start()
			if r := h.verified(nil); !r.Whole() || len(r.Breaks) > 0 || r.Size < uint64(last) {
				t.Fatalf("after a kill: %+v, want %d leaves or more", r, last)
			}
			if err := h.db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		h.db = dbtest.Open(t, h.cfg)
		h.needs.Store, h.needs.Journal = SQL(h.db), h.db
		h.start()
		h.followed()
		if r := h.verified(nil); !r.Whole() || len(r.Breaks) > 0 || r.Waiting != 0 || r.Size != uint64(r.Entries) || r.Entries < 20 {
			t.Errorf("in the end: %+v", r)
		}
	})
}

// followAndKill says how many leaves were published when the child was killed.
func followAndKill(t *testing.T, what string) (last int64) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestChildFollows$")
	child.Env = append(os.Environ(), what)
	out, err := child.StderrPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines, said := 0, []string{}
	until := 5 + rand.IntN(60)
	for scan := bufio.NewScanner(out); scan.Scan(); {
		text, ok := strings.CutPrefix(scan.Text(), "published ")
		if !ok {
			said = append(said, scan.Text())
			continue
		}
		if last, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
		if lines++; lines == until {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // it was killed
	if lines < until || len(said) > 0 {
		t.Fatalf("the child wrote %d lines, want %d, and said\n%s", lines, until, strings.Join(said, "\n"))
	}
	return last
}
