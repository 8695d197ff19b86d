package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// An Option changes the cluster that Postgres starts.
type Option func(*cluster)

// Durable makes the cluster sync to disk, as one in production does.
func Durable() Option { return func(c *cluster) { c.fsync = "on" } }

// Postgres gives an empty database in a cluster that this test binary shares, and
// says how to reach it. When the test ends it is emptied and given to another.
func Postgres(t testing.TB, options ...Option) string {
	t.Helper()
	clusters.Lock()
	defer clusters.Unlock()
	c, d, err := take(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		clusters.Lock()
		defer clusters.Unlock()
		if err := c.give(d); err != nil {
			t.Errorf("empty a PostgreSQL database: %v", err)
		}
	})
	return c.dsn(d.name)
}

// Lasting is Postgres for a program that is no test: the database is there until the program ends.
func Lasting(options ...Option) (string, error) {
	clusters.Lock()
	defer clusters.Unlock()
	c, d, err := take(options)
	if err != nil {
		return "", err
	}
	return c.dsn(d.name), nil
}

// migrated gives a database of the shared cluster that has all migrations of c, as a copy of one that has:
// to migrate takes PostgreSQL eight times as long.
func migrated(t testing.TB, c db.Config) string {
	t.Helper()
	clusters.Lock()
	defer clusters.Unlock()
	in, err := running(nil)
	if err != nil {
		t.Fatal(err)
	}
	name, err := in.copyOf(c)
	if err != nil {
		t.Fatalf("copy a PostgreSQL database: %v", err)
	}
	t.Cleanup(func() {
		clusters.Lock()
		defer clusters.Unlock()
		if err := in.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop a PostgreSQL database: %v", err)
		}
	})
	return in.dsn(name)
}

// copyOf makes a copy of the cluster's own database that has all migrations of c.
func (c *cluster) copyOf(what db.Config) (string, error) {
	template := "migrated_" + what.Schema
	if !c.migrated[what.Schema] {
		if err := c.exec("CREATE DATABASE " + template); err != nil {
			return "", err
		}
		what.DSN = c.dsn(template)
		d, err := db.Open(context.Background(), what)
		if err != nil {
			return "", err
		}
		if err := d.Close(); err != nil {
			return "", err
		}
		c.migrated[what.Schema] = true
	}
	name := c.name()
	return name, c.exec("CREATE DATABASE " + name + " TEMPLATE " + template + " STRATEGY file_copy")
}

// running is the cluster that is asked for. The caller holds clusters.
func running(options []Option) (*cluster, error) {
	c := &cluster{fsync: "off", migrated: map[string]bool{}}
	for _, o := range options {
		o(c)
	}
	if there := clusters.running[c.fsync]; there != nil {
		return there, nil
	}
	if err := c.start(); err != nil {
		return nil, fmt.Errorf("start PostgreSQL for tests: %w", err)
	}
	clusters.running[c.fsync] = c
	return c, nil
}

// take gives an empty database. The caller holds clusters.
func take(options []Option) (*cluster, database, error) {
	c, err := running(options)
	if err != nil {
		return nil, database{}, err
	}
	d, err := c.take()
	if err != nil {
		return nil, d, fmt.Errorf("make a PostgreSQL database: %w", err)
	}
	return c, d, nil
}

// A database is one of a cluster's, with a connection of its own: making one costs
// half a second, emptying one a tenth of that.
type database struct {
	name  string
	admin *pgx.Conn
}

func (c *cluster) take() (database, error) {
	if n := len(c.idle); n > 0 {
		d := c.idle[n-1]
		c.idle = c.idle[:n-1]
		return d, nil
	}
	d := database{name: c.name()}
	if err := c.exec("CREATE DATABASE " + d.name); err != nil {
		return d, err
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	var err error
	d.admin, err = pgx.Connect(ctx, c.dsn(d.name))
	return d, err
}

// name is one that no database of the cluster has.
func (c *cluster) name() string {
	c.made++
	return "t" + strconv.Itoa(c.made)
}

const empty = `
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();
DO $$ DECLARE s name; BEGIN
	FOR s IN SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg~_%' ESCAPE '~' AND nspname <> 'information_schema' LOOP
		EXECUTE format('DROP SCHEMA %I CASCADE', s);
	END LOOP;
	CREATE SCHEMA public;
END $$`

func (c *cluster) give(d database) error {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if _, err := d.admin.Exec(ctx, empty); err != nil {
		return errors.Join(err, d.admin.Close(ctx))
	}
	c.idle = append(c.idle, d)
	return nil
}

var clusters = struct {
	sync.Mutex
	running map[string]*cluster // guarded by Mutex; by fsync
}{running: map[string]*cluster{}}

// A cluster is one PostgreSQL server on a directory of its own, reached by a
// socket in that directory only.
type cluster struct {
	fsync    string
	dir      string
	made     int
	idle     []database
	migrated map[string]bool // schemas of which there is a database to copy
	admin    *pgx.Conn       // to the database that is always there; nil until it is needed
	alive    *os.File        // the write end of the keeper's standard input
}

// keeper runs the server and waits on its standard input, which only the test
// binary holds open. When the binary ends, killed or not, the keeper stops the
// server and takes its directory away.
const keeper = `
cd "$1" || exit 1
"$2/initdb" -D "$1/data" -A trust -U ardesia -E UTF8 --no-locale --no-sync >"$1/log" 2>&1 || { touch "$1/failed"; read -r _; rm -rf "$1"; exit 1; }
"$2/postgres" -D "$1/data" -k "$1" -c listen_addresses= -c "fsync=$3" -c "synchronous_commit=$3" -c "full_page_writes=$3" \
	-c shared_buffers=32MB -c max_connections=100 -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off -c max_wal_size=256MB </dev/null >>"$1/log" 2>&1 &
read -r _
kill -QUIT $! 2>/dev/null
wait $!
rm -rf "$1"
`

func (c *cluster) start() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	who, err := unprivileged()
	if err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp(c.place(who != nil), "ardesia-pg-"); err != nil {
		return err
	}
	if who != nil {
		if err := os.Chown(c.dir, int(who.Uid), int(who.Gid)); err != nil {
			return err
		}
	}
	in, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	cmd := exec.Command("/bin/sh", "-c", keeper, "sh", c.dir, bin, c.fsync)
	cmd.Stdin = in
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	// A process group of its own: an interrupt from the terminal must not stop the keeper before its work.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.alive = alive
	go func() { _ = cmd.Wait() }() // ends after this process does, if all goes well
	return c.wait(30 * time.Second)
}

// place is where clusters lie: with other temporary files, which may be in memory, where making and dropping databases of
// hundreds of files costs a fifth. Not in t.TempDir: a cluster outlives the test. What shall sync to disk needs one, a socket's
// path has at most 107 bytes, and another user must get there.
func (c *cluster) place(another bool) string {
	const otherwise = "/tmp"
	at := os.TempDir()
	if c.fsync == "on" || len(at) > 64 || !filepath.IsAbs(at) {
		return otherwise
	}
	for dir := at; another && dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 {
			return otherwise
		}
	}
	return at
}

func (c *cluster) wait(atMost time.Duration) error {
	deadline := time.Now().Add(atMost)
	for {
		err := c.exec("SELECT 1")
		if err == nil {
			return nil
		}
		_, failed := os.Stat(filepath.Join(c.dir, "failed"))
		if failed == nil || time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return errors.Join(err, fmt.Errorf("its log says:\n%s", log), c.alive.Close())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *cluster) dsn(database string) string {
	q := url.Values{"host": {c.dir}, "user": {"ardesia"}}
	return "postgres:///" + database + "?" + q.Encode()
}

func (c *cluster) exec(text string) error {
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	if c.admin == nil {
		var err error
		if c.admin, err = pgx.Connect(ctx, c.dsn("postgres")); err != nil {
			return err
		}
	}
	_, err := c.admin.Exec(ctx, text)
	return err
}

// binaries is the directory of the newest PostgreSQL on this machine.
func binaries() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	newest := 0
	for _, path := range found {
		version, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		if err == nil {
			newest = max(newest, version)
		}
	}
	if newest >= 15 {
		return "/usr/lib/postgresql/" + strconv.Itoa(newest) + "/bin", nil
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("PostgreSQL 15 or later is not installed: every store is tested on it; on Debian: apt-get install postgresql")
}

// unprivileged is who the server runs as: PostgreSQL refuses to run as root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("there is no user postgres or nobody to run PostgreSQL as")
}
