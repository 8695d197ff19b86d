package post

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database.
type Store interface {
	// add queues a letter, or says ErrTooMany when more than limit were queued for who in that hour. A letter
	// with an id that there is already is nothing to do.
	add(ctx context.Context, r row, who []byte, hour, limit int64) error
	// has says whether a letter was queued under this id, and not swept yet.
	has(ctx context.Context, id string) (bool, error)
	// claim takes the letter whose turn it is at now, and lets nobody else have it until then. It counts the try.
	claim(ctx context.Context, now, until int64) (r row, found bool, err error)
	// later puts a letter back.
	later(ctx context.Context, id string, next int64) error
	// end removes a letter's content and keeps how it ended, with a journal entry if there is one.
	end(ctx context.Context, id, outcome string, at int64, e *journal.Entry) error
	// waiting says how many letters wait, and when the turn of the first is; 0 if none waits.
	waiting(ctx context.Context) (n, next int64, err error)
	// forget removes the letters of a person that have not ended, and what was counted for them.
	forget(ctx context.Context, account string, who [][]byte, e journal.Entry) error
	// sweep removes what ended before, and what was counted before that hour.
	sweep(ctx context.Context, before, hour int64) error
}

// row is a letter as the database has it. Times are µs since 1970.
type row struct {
	id, kind, account                  string
	sealed                             []byte
	queuedAt, nextAt, tries, expiresAt int64
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
	Purpose(name string) keys.Sealer
	MAC(name string) func(msg []byte) []byte
}

// A Person is somebody with an account, as far as a letter needs it.
type Person struct {
	Address string
	Name    string // for the greeting; may be empty
	Lang    string // BCP 47; may be empty
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Store  Store
	Keys   Keys
	Person func(ctx context.Context, user string) (Person, error)
	Sender mail.Sender
	From   mail.Address
	House  string // the name under which people know this server
	Now    func() time.Time
	Log    *slog.Logger
}

// A Service writes and sends letters. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	rate  func([]byte) []byte
	forms *forms
	wake  chan struct{} // holds a word when a letter was queued
	grace time.Duration // for letters under way when the house stops
	// cut is asked after each step of a letter; an error ends it there, as a power
	// cut would. For tests.
	cut func(step string) error

	queued, sent, failed, givenUp atomic.Uint64
	waits                         atomic.Int64
}

// Counts are how many letters there were since the start.
type Counts struct {
	Queued  uint64
	Sent    uint64
	Failed  uint64 // tries after which there will be another
	GivenUp uint64
	Waiting int64 // now, as Run last saw it
}

const (
	perHour  = 20                   // letters of one kind to one person in an hour of the clock
	keepDays = 30                   // what became of a letter
	purpose  = "post-stranger"      // the key for those who have no account
	lease    = 5 * time.Minute      // as long as nobody else tries a letter: longer than a try can take
	maxPause = 6 * time.Hour        // between two tries
	minPause = time.Minute          // after the first
	idBytes  = 26                   // letters and digits: 154 bits
	hourly   = int64(3_600_000_000) // µs
)

// How a letter ends.
const (
	sent    = "sent"
	refused = "refused" // for good, by the mail server
	expired = "expired" // nobody took it in time
	erased  = "erased"  // the person is
	damaged = "damaged" // it cannot be opened any more
)

// New checks needs and reads the letters.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Person == nil || needs.Sender == nil || needs.House == "" || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("post needs Store, Keys, Person, Sender, From, House, Now and Log")
	}
	if err := needs.From.Check(); err != nil {
		return nil, fmt.Errorf("the sender of letters: %w", err)
	}
	f, err := readForms()
	if err != nil {
		return nil, err
	}
	return &Service{
		needs: needs, rate: needs.Keys.MAC("post-rate"), forms: f, wake: make(chan struct{}, 1), grace: 5 * time.Second,
		cut: func(string) error { return nil },
	}, nil
}

// content is what is sealed of a letter.
type content struct {
	To      string `json:"to"`
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
	Leave   string `json:"leave,omitempty"` // Letter.Unsubscribe
}

// Send queues a letter. Nil means that it is on disk, and will be tried until it is sent, refused
// for good or of no use any more. ErrTooMany and mail.ErrAddress are for whoever asked for it.
func (s *Service) Send(ctx context.Context, l Letter) error {
	p := Person{Address: l.Address}
	if l.To != "" {
		var err error
		if p, err = s.needs.Person(ctx, l.To); err != nil {
			return fmt.Errorf("address of account %s: %w", l.To, err)
		}
		if l.Address != "" {
			p.Address = l.Address
		}
	}
	if err := (mail.Address{Addr: p.Address}).Check(); err != nil {
		return err
	}
	lang := language(l.Lang, p.Lang)
	fields, err := l.check(lang)
	if err != nil {
		return err
	}
	if l.Unsubscribe != "" {
		if err := checkLink(l.Unsubscribe); err != nil {
			return err
		}
		fields["link"] = l.Unsubscribe
	}
	m, err := s.forms.write(l.Kind, lang, p.Name, s.needs.House, fields)
	if err != nil {
		return err
	}
	now := s.needs.Now()
	life := tryFor
	if r := rules[l.Kind]; r.life != 0 {
		life = r.life
	}
	r := row{id: secret.Letters(idBytes), kind: string(l.Kind), account: l.To, queuedAt: now.UnixMicro(), nextAt: now.UnixMicro(), expiresAt: now.Add(life).UnixMicro()}
	if l.Key != "" {
		r.id = idOf(l.Key)
	}
	if r.sealed, err = s.seal(ctx, r, content{p.Address, m.Subject, m.Text, m.HTML, l.Unsubscribe}); err != nil {
		return err
	}
	who := s.who(l.Kind, l.To)
	if l.To == "" {
		who = s.who(l.Kind, strings.ToLower(l.Address))
	}
	if err := s.needs.Store.add(ctx, r, who, r.queuedAt/hourly, perHour); err != nil {
		return err
	}
	s.queued.Add(1)
	s.poke()
	return nil
}

// Has says whether a letter with a key was queued in the last 30 days or still waits.
func (s *Service) Has(ctx context.Context, key string) (bool, error) {
	return s.needs.Store.has(ctx, idOf(key))
}

// idOf is the id of the letter with a key.
func idOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:]))[:idBytes]
}

// poke has Run look at the queue.
func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Try sends a letter that says so at once, without the queue, and returns its Message-ID. Its error is the sender's.
func (s *Service) Try(ctx context.Context, address, lang string) (string, error) {
	to := mail.Address{Addr: address}
	if err := to.Check(); err != nil {
		return "", err
	}
	m, err := s.forms.write(trial, language(lang), "", s.needs.House, nil)
	if err != nil {
		return "", err
	}
	m.ID, m.At, m.From, m.To = s.messageID(secret.Letters(idBytes)), s.needs.Now(), s.needs.From, to
	return m.ID, s.needs.Sender.Send(ctx, m)
}

// messageID is the same for a letter each time that it is sent.
func (s *Service) messageID(id string) string { return id + "@" + domain(s.needs.From.Addr) }

// who is under which letters of a kind to somebody are counted.
func (s *Service) who(kind Kind, to string) []byte {
	return s.rate(keys.Place(string(kind), to))
}

func (s *Service) sealer(ctx context.Context, account string) (keys.Sealer, error) {
	if account == "" {
		return s.needs.Keys.Purpose(purpose), nil
	}
	k, err := s.needs.Keys.Person(ctx, account)
	if err != nil {
		return nil, fmt.Errorf("key of account %s: %w", account, err)
	}
	return k, nil
}

func (s *Service) seal(ctx context.Context, r row, c content) ([]byte, error) {
	k, err := s.sealer(ctx, r.account)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return k.Seal(plain, keys.Place("post", "sealed", r.id))
}

func (s *Service) open(ctx context.Context, r row) (c content, err error) {
	k, err := s.sealer(ctx, r.account)
	if err != nil {
		return c, err
	}
	plain, err := k.Open(r.sealed, keys.Place("post", "sealed", r.id))
	if err != nil {
		return c, fmt.Errorf("letter %s: %w", r.id, err)
	}
	defer clear(plain)
	if err := json.Unmarshal(plain, &c); err != nil {
		return c, fmt.Errorf("letter %s: %w", r.id, errors.Join(keys.ErrSeal, err))
	}
	return c, nil
}

// Forget removes the letters that wait for a person, and what is known of how many there were. One
// that is being handed over at this moment may still arrive.
func (s *Service) Forget(ctx context.Context, user string) error {
	var who [][]byte
	for _, k := range Kinds() {
		who = append(who, s.who(k, user))
	}
	return s.needs.Store.forget(ctx, user, who, journal.Entry{At: s.needs.Now(), Actor: access.Actor{Kind: access.System}.String(), Action: "post:forget", Resource: "account", ID: user})
}

// Counts tells what was done since the start.
func (s *Service) Counts() Counts {
	return Counts{Queued: s.queued.Load(), Sent: s.sent.Load(), Failed: s.failed.Load(), GivenUp: s.givenUp.Load(), Waiting: s.waits.Load()}
}
