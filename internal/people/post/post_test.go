package post

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/mail/mailtest"
)

// carrier takes letters, or answers with what a test wants.
type carrier struct {
	mu      sync.Mutex
	letters []mail.Message                  // guarded by mu
	answer  func(m mail.Message) error      // guarded by mu; nil takes everything
	hold    func(ctx context.Context) error // how a letter takes its time; nil takes none
}

func (c *carrier) Send(ctx context.Context, m mail.Message) error {
	if err := m.Check(); err != nil {
		return err
	}
	if c.hold != nil {
		if err := c.hold(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answer != nil {
		if err := c.answer(m); err != nil {
			return err
		}
	}
	c.letters = append(c.letters, m)
	return nil
}

func (c *carrier) String() string { return "a test" }

func (c *carrier) all() []mail.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]mail.Message(nil), c.letters...)
}

// A desk is a room with a clock that a test moves.
type desk struct {
	*Service
	t       *testing.T
	db      *db.DB
	ring    *keys.Ring
	carrier *carrier
	now     time.Time
	log     bytes.Buffer
}

const anna = "0b7e64a1-5d8c-4c8e-9a55-1e3f1f8a0001"

func open(t *testing.T, d *db.DB) *desk {
	t.Helper()
	k := &desk{t: t, db: d, carrier: &carrier{}, now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	root, err := keys.OpenRoot(t.Context(), filepath.Join(t.TempDir(), "house"), keys.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if k.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring))); err != nil {
		t.Fatal(err)
	}
	k.again()
	return k
}

// again is the room after a start of the program.
func (k *desk) again() {
	k.t.Helper()
	s, err := New(Needs{
		Store: SQL(k.db), Keys: k.ring, Sender: k.carrier, House: "ardesia.example.org",
		From: mail.Address{Name: "Ardesia", Addr: "ardesia@example.org"}, Now: func() time.Time { return k.now },
		Log: slog.New(slog.NewTextHandler(&k.log, nil)),
		Person: func(_ context.Context, user string) (Person, error) {
			if user != anna {
				return Person{}, errNobody
			}
			return Person{Address: "anna@example.com", Name: "Anna", Lang: "it-IT"}, nil
		},
	})
	if err != nil {
		k.t.Fatal(err)
	}
	k.Service = s
}

var errNobody = errors.New("nobody")

// turn tries all letters whose turn it is.
func (k *desk) turn() {
	k.t.Helper()
	for {
		r, found, err := k.needs.Store.claim(k.t.Context(), k.now.UnixMicro(), k.now.Add(lease).UnixMicro())
		if err != nil {
			k.t.Fatal(err)
		}
		if !found {
			return
		}
		if err := k.deliver(k.t.Context(), r); err != nil {
			k.t.Fatal(err)
		}
	}
}

// kept is what the database has of the letters, in the order of their queuing.
func (k *desk) kept() (all []string) {
	k.t.Helper()
	err := k.db.Read(k.t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.All(k.t.Context(), tx, func(r db.Row) (string, error) {
			var kind, account, outcome string
			var sealed []byte
			err := r.Scan(&kind, &account, &sealed, &outcome)
			return fmt.Sprintf("%s account:%v content:%v %s", kind, account != "", sealed != nil, outcome), err
		}, `select kind, account, sealed, outcome from post order by queued_at, kind`)
		return err
	})
	if err != nil {
		k.t.Fatal(err)
	}
	return all
}

// entries are the actions in the journal with the outcome of the letter.
func (k *desk) entries() (all []string) {
	k.t.Helper()
	list, err := journal.List(k.t.Context(), k.db, journal.Query{})
	if err != nil {
		k.t.Fatal(err)
	}
	for _, e := range list {
		all = append(all, strings.TrimSpace(e.Action+" "+e.Detail["outcome"]))
	}
	return all
}

func (k *desk) mustSend(l Letter) {
	k.t.Helper()
	if err := k.Send(k.t.Context(), l); err != nil {
		k.t.Fatal(err)
	}
}

func changed() Letter {
	return Letter{Kind: PasswordChanged, To: anna, Fields: map[string]string{"when": "2030-01-02T03:04:05Z", "place": "192.0.2.7"}}
}

func stranger() Letter {
	return Letter{Kind: Verify, Address: "bob@example.net", Lang: "en-GB", Fields: map[string]string{"link": "https://ardesia.example.org/v/abc"}}
}

func TestALetterIsSentAndForgotten(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.mustSend(changed())
		k.mustSend(stranger())
		if got, want := fmt.Sprint(k.kept()), "[password-changed account:true content:true  verify account:false content:true ]"; got != want {
			t.Errorf("queued: %s, want %s", got, want)
		}
		k.turn()
		k.turn()
		got := k.carrier.all()
		if len(got) != 2 {
			t.Fatalf("%d letters, want 2", len(got))
		}
		byTo := map[string]mail.Message{got[0].To.Addr: got[0], got[1].To.Addr: got[1]}
		a, b := byTo["anna@example.com"], byTo["bob@example.net"]
		if !strings.HasPrefix(a.Text, "Ciao Anna,\n") || !strings.Contains(a.Text, "2 gennaio 2030, 03:04 UTC") || !strings.Contains(a.Text, "192.0.2.7") {
			t.Errorf("to Anna, who reads Italian: %s", a.Text)
		}
		if !strings.HasPrefix(b.Text, "Hello,\n") || !strings.Contains(b.Text, "https://ardesia.example.org/v/abc\n") || !strings.Contains(b.HTML, `href="https://ardesia.example.org/v/abc"`) {
			t.Errorf("to a stranger: %s", b.Text)
		}
		if got, want := fmt.Sprint(k.kept()), "[password-changed account:false content:false sent verify account:false content:false sent]"; got != want {
			t.Errorf("afterwards: %s, want %s", got, want)
		}
		k.now = k.now.AddDate(0, 0, 29)
		if err := k.sweep(t.Context(), k.now); err != nil || len(k.kept()) != 2 {
			t.Errorf("after 29 days: %v, %v", k.kept(), err)
		}
		k.now = k.now.AddDate(0, 0, 2)
		if err := k.sweep(t.Context(), k.now); err != nil || len(k.kept()) != 0 {
			t.Errorf("after 31 days: %v, %v", k.kept(), err)
		}
		if c := k.Counts(); c.Queued != 2 || c.Sent != 2 || c.Failed != 0 || c.GivenUp != 0 {
			t.Errorf("counts: %+v", c)
		}
	})
}

// Nothing of a letter can be read in the file, neither while it waits nor in the log.
func TestLettersAreSealed(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	k := open(t, d)
	k.mustSend(changed())
	k.mustSend(stranger())
	k.carrier.answer = func(mail.Message) error {
		return &mail.Error{Server: "mail.example.org:587", Step: mail.ForRecipient, Code: 452, Reply: "anna@example.com is full"}
	}
	k.turn()
	var all bytes.Buffer
	err := d.Read(t.Context(), func(tx *db.Tx) error {
		return db.Each(t.Context(), tx, func(r db.Row) error {
			var id, kind, account, outcome string
			var sealed []byte
			err := r.Scan(&id, &kind, &account, &sealed, &outcome)
			fmt.Fprintf(&all, "%s %s %s %s %s\n", id, kind, account, sealed, outcome)
			return err
		}, `select id, kind, account, sealed, outcome from post`)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range []string{all.String(), k.log.String()} {
		for _, word := range []string{"anna@", "example.com", "example.net", "Anna", "Ciao", "/v/abc", "192.0.2.7"} {
			if where == "" || strings.Contains(where, word) {
				t.Errorf("%q can be read in %q", word, where)
			}
		}
	}
}

func TestALetterIsTriedAgainAndThenGivenUp(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		var tries []time.Time
		k.carrier.answer = func(mail.Message) error {
			tries = append(tries, k.now)
			return &mail.Error{Step: mail.Connecting}
		}
		begin := k.now
		k.mustSend(changed())
		for range 60 {
			_, next, err := k.needs.Store.waiting(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if next == 0 {
				break
			}
			k.now = time.UnixMicro(next).UTC()
			k.turn()
		}
		want := begin
		for i, pause := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360} {
			if want = want.Add(pause * time.Minute); !tries[i].Equal(want) {
				t.Errorf("try %d at %v, want %v", i+1, tries[i], want)
			}
		}
		if last := k.now.Sub(begin); last != tryFor {
			t.Errorf("given up after %v, want %v", last, tryFor)
		}
		if got := fmt.Sprint(k.kept(), k.entries()); got != "[password-changed account:false content:false expired] [post:give-up expired]" {
			t.Errorf("afterwards: %s", got)
		}
		if c := k.Counts(); c.GivenUp != 1 || c.Sent != 0 || int(c.Failed) != len(tries) {
			t.Errorf("counts: %+v after %d tries", c, len(tries))
		}
	})
}

func TestWhatEndsALetter(t *testing.T) {
	for name, c := range map[string]struct {
		letter  Letter
		answer  error
		meddle  func(t *testing.T, k *desk)
		outcome string
		entry   string
	}{
		"refused for good":    {changed(), &mail.Error{Step: mail.ForRecipient, Code: 550}, nil, "refused", "[post:give-up refused]"},
		"a link that is over": {stranger(), nil, func(_ *testing.T, k *desk) { k.now = k.now.Add(24 * time.Hour) }, "expired", "[post:give-up expired]"},
		"a person who is erased": {changed(), nil, func(t *testing.T, k *desk) {
			if err := k.ring.Erase(t.Context(), keys.KindPerson, anna); err != nil {
				t.Fatal(err)
			}
		}, "erased", "[post:give-up erased]"},
		"a row that somebody moved": {changed(), nil, func(t *testing.T, k *desk) {
			err := k.db.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), `update post set id = 'another'`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}, "damaged", "[post:give-up damaged]"},
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
			k.mustSend(c.letter)
			if c.answer != nil {
				k.carrier.answer = func(mail.Message) error { return c.answer }
			}
			if c.meddle != nil {
				c.meddle(t, k)
			}
			k.turn()
			want := string(c.letter.Kind) + " account:false content:false " + c.outcome
			if got := k.kept(); len(got) != 1 || got[0] != want || fmt.Sprint(k.entries()) != c.entry {
				t.Errorf("%v %v, want %s %s", got, k.entries(), want, c.entry)
			}
			if len(k.carrier.all()) != 0 {
				t.Error("the letter was sent")
			}
		})
	}
}

// Whatever the mail server says of itself, letters wait for its operator.
func TestAServerThatRefusesUsLosesNoLetter(t *testing.T) {
	k := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
	k.mustSend(changed())
	k.carrier.answer = func(mail.Message) error { return &mail.Error{Step: mail.Proving, Code: 535} }
	k.turn()
	k.carrier.answer = nil
	k.now = k.now.Add(minPause)
	k.turn()
	if got := k.carrier.all(); len(got) != 1 {
		t.Errorf("%d letters, want 1", len(got))
	}
}

// The power is cut between every two steps, and the letter arrives: once, or twice with one Message-ID.
func TestAPowerCutLosesNoLetter(t *testing.T) {
	cut := errors.New("power cut")
	for _, step := range []string{"claimed", "tried"} {
		t.Run(step, func(t *testing.T) {
			dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
				k := open(t, d)
				k.mustSend(changed())
				k.again() // the process that queued it is gone
				k.Service.cut = func(at string) error {
					if at == step {
						return cut
					}
					return nil
				}
				r, found, err := k.needs.Store.claim(t.Context(), k.now.UnixMicro(), k.now.Add(lease).UnixMicro())
				if err != nil || !found {
					t.Fatal(found, err)
				}
				if err := k.deliver(t.Context(), r); !errors.Is(err, cut) {
					t.Fatalf("deliver = %v", err)
				}
				k.again()
				k.turn()
				if got := k.kept(); !strings.HasSuffix(got[0], "content:true ") {
					t.Errorf("right after the cut another process took it: %v", got)
				}
				k.now = k.now.Add(lease)
				k.turn()
				got := k.carrier.all()
				if want := map[string]int{"claimed": 1, "tried": 2}[step]; len(got) != want || got[0].ID != got[len(got)-1].ID || !got[0].At.Equal(got[len(got)-1].At) {
					t.Errorf("%d letters, want %d with one id: %+v", len(got), want, got)
				}
				if got := k.kept(); !strings.HasSuffix(got[0], "content:false sent") {
					t.Errorf("afterwards: %v", got)
				}
			})
		})
	}
}

func TestNobodyGetsTooManyLetters(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		for range perHour {
			k.mustSend(changed())
		}
		if err := k.Send(t.Context(), changed()); !errors.Is(err, ErrTooMany) {
			t.Errorf("one more: %v, want ErrTooMany", err)
		}
		k.mustSend(Letter{Kind: ManyFailures, To: anna, Fields: map[string]string{"count": "50"}}) // another kind still gets through
		k.mustSend(stranger())
		if n := len(k.kept()); n != perHour+2 {
			t.Errorf("%d letters wait, want %d", n, perHour+2)
		}
		k.now = k.now.Add(time.Hour)
		k.mustSend(changed())
		upper := stranger()
		upper.Address = "BOB@example.net"
		k.now = k.now.Add(time.Hour)
		for range perHour / 2 {
			k.mustSend(stranger())
			k.mustSend(upper)
		}
		if err := k.Send(t.Context(), upper); !errors.Is(err, ErrTooMany) {
			t.Errorf("the same address in other letters: %v, want ErrTooMany", err)
		}
	})
}

func TestForgettingAPerson(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		k.mustSend(changed())
		k.mustSend(stranger())
		if err := k.Forget(t.Context(), anna); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(k.kept(), k.entries()); got != "[verify account:false content:true ] [post:forget]" {
			t.Errorf("afterwards: %s", got)
		}
		var counted int64
		if err := d.Read(t.Context(), func(tx *db.Tx) error {
			return tx.QueryRow(t.Context(), `select count(*) from post_rate`).Scan(&counted)
		}); err != nil || counted != 1 {
			t.Errorf("counts that are left: %d, %v, want the stranger's", counted, err)
		}
		if err := k.Forget(t.Context(), ""); err != nil || len(k.kept()) != 1 {
			t.Errorf("forgetting nobody: %v, %v", k.kept(), err)
		}
	})
}

func TestLettersThatAreRefusedAtOnce(t *testing.T) {
	k := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
	with := func(l Letter, name, value string) Letter {
		l.Fields[name] = value
		return l
	}
	for name, c := range map[string]struct {
		letter Letter
		want   error
	}{
		"nobody":                {Letter{Kind: PasswordChanged, To: "nobody", Fields: changed().Fields}, errNobody},
		"no address":            {Letter{Kind: Verify, Fields: stranger().Fields}, mail.ErrAddress},
		"a header as address":   {Letter{Kind: Verify, Address: "a@example.org\r\nBcc: b@example.org", Fields: stranger().Fields}, mail.ErrAddress},
		"no kind":               {Letter{To: anna}, ErrLetter},
		"another kind":          {Letter{Kind: "../layout", To: anna}, ErrLetter},
		"a field that is not":   {with(changed(), "password", "x"), ErrLetter},
		"a field that is amiss": {Letter{Kind: Verify, To: anna}, ErrLetter},
		"no time":               {with(changed(), "when", "yesterday"), ErrLetter},
		"a script as link":      {with(changed(), "link", "javascript:alert(1)"), ErrLetter},
		"a plain link":          {with(changed(), "link", "http://example.org/"), ErrLetter},
		"a link with a user":    {with(changed(), "link", "https://example.org@evil.example/"), ErrLetter},
		"a link with a blank":   {with(changed(), "link", "https://example.org/ x"), ErrLetter},
		"a long link":           {with(changed(), "link", "https://example.org/"+strings.Repeat("a", maxLink)), ErrLetter},
		"a count that is none":  {Letter{Kind: ManyFailures, To: anna, Fields: map[string]string{"count": "many"}}, ErrLetter},
	} {
		t.Run(name, func(t *testing.T) {
			if err := k.Send(t.Context(), c.letter); !errors.Is(err, c.want) {
				t.Errorf("Send = %v, want %v", err, c.want)
			}
		})
	}
	if got := k.kept(); len(got) != 0 {
		t.Errorf("queued: %v", got)
	}
}

// Run wakes when a letter comes, sends it through a real mail server, and stops cleanly.
func TestRunSends(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		server := mailtest.Start(t, mailtest.Options{})
		sender, err := mail.NewSMTP(mail.Config{Addr: server.Addr, Roots: server.Roots, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		k.needs.Sender, k.needs.Now = sender, time.Now
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- k.Run(ctx) }()
		for range 10 {
			k.mustSend(stranger())
		}
		if got := server.Wait(t, 10); !got[0].TLS || got[0].To != "bob@example.net" {
			t.Errorf("arrived: %+v", got[0])
		}
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v", err)
		}
		for _, row := range k.kept() {
			if !strings.HasSuffix(row, "content:false sent") {
				t.Errorf("after the stop: %s", row)
			}
		}
	})
}

// run runs the room on real time until stop.
func (k *desk) run() (stop func(), ended chan error) {
	k.needs.Now = time.Now
	ctx, stop := context.WithCancel(k.t.Context())
	ended = make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	return stop, ended
}

func TestFewLettersAreUnderWayAtOnce(t *testing.T) {
	k := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
	begun, end := make(chan struct{}, 20), make(chan struct{})
	var under, most atomic.Int64
	k.carrier.hold = func(context.Context) error {
		n := under.Add(1)
		defer under.Add(-1)
		for {
			if was := most.Load(); n <= was || most.CompareAndSwap(was, n) {
				break
			}
		}
		begun <- struct{}{}
		<-end
		return nil
	}
	stop, ended := k.run()
	for range 10 {
		k.mustSend(stranger())
	}
	for range atOnce {
		<-begun
	}
	close(end)
	for range 10 - atOnce {
		<-begun
	}
	stop()
	<-ended
	if got := most.Load(); got != atOnce {
		t.Errorf("%d letters at once, want %d", got, atOnce)
	}
	if got := len(k.carrier.all()); got != 10 {
		t.Errorf("%d letters, want 10", got)
	}
}

// When the house stops a letter that is being handed over ends well, if that does not take long.
func TestAStopWaitsForLettersUnderWay(t *testing.T) {
	for name, c := range map[string]struct {
		grace time.Duration
		hold  func(ctx context.Context, stopped chan struct{}) error
		want  string
	}{
		"one that ends":     {time.Minute, func(_ context.Context, stopped chan struct{}) error { <-stopped; return nil }, "verify account:false content:false sent"},
		"one that does not": {time.Millisecond, func(ctx context.Context, _ chan struct{}) error { <-ctx.Done(); return ctx.Err() }, "verify account:false content:true "},
	} {
		t.Run(name, func(t *testing.T) {
			k := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
			begun, stopped := make(chan struct{}), make(chan struct{})
			k.grace = c.grace
			k.carrier.hold = func(ctx context.Context) error {
				close(begun)
				return c.hold(ctx, stopped)
			}
			stop, ended := k.run()
			k.mustSend(stranger())
			<-begun
			stop()
			close(stopped)
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v", err)
			}
			if got := k.kept(); len(got) != 1 || got[0] != c.want {
				t.Errorf("afterwards %v, want %s", got, c.want)
			}
			// The next start has at once what did not end.
			n, next, err := k.needs.Store.waiting(t.Context())
			if err != nil || n > 0 && time.UnixMicro(next).After(time.Now()) {
				t.Errorf("%d wait until %v, %v", n, time.UnixMicro(next), err)
			}
		})
	}
}

// Two processes on one database never have the same letter.
func TestTwoProcessesShareTheQueue(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		k := open(t, d)
		const letters = 12
		for range letters {
			k.mustSend(stranger())
		}
		var both sync.WaitGroup
		var mu sync.Mutex
		had := map[string]int{}
		for range 2 {
			both.Go(func() {
				for failures := 0; failures < 100; {
					r, found, err := SQL(d).claim(t.Context(), k.now.UnixMicro(), k.now.Add(lease).UnixMicro())
					switch {
					case err != nil: // the other one was faster, too often
						failures++
						continue
					case !found:
						return
					}
					mu.Lock()
					had[r.id]++
					mu.Unlock()
				}
				t.Error("claiming fails always")
			})
		}
		both.Wait()
		for id, n := range had {
			if n != 1 {
				t.Errorf("letter %s was claimed %d times", id, n)
			}
		}
		if len(had) != letters {
			t.Errorf("%d letters were claimed, want %d", len(had), letters)
		}
	})
}
