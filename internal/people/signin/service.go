package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Person(ctx context.Context, user string) (keys.Sealer, error)
	Purpose(name string) keys.Sealer
	MAC(name string) func(msg []byte) []byte
}

// An Act is what somebody tries that others may try too often.
type Act string

// The acts that are counted.
const (
	ActPassword Act = "password"
	ActCode     Act = "code"
	ActRecovery Act = "recovery"
	ActPasskey  Act = "passkey"
	ActReset    Act = "reset"
	ActSignUp   Act = "sign-up"
	ActDevice   Act = "device-code"
	ActSocial   Act = "social"
)

// A Try is one of them, as the guard against guessing sees it.
type Try struct {
	Act     Act
	Who     string // keyed hash of what was typed, or of Account after the first proof, in hex
	Account string // user id, if there is such a person; the answer to a stranger must not differ by it
	Addr    netip.Addr
	Known   bool // the person signed in with this browser before
}

// A Verdict is what the guard says to a try that it lets through.
type Verdict struct {
	Wait   time.Duration // before it is answered
	StepUp bool          // the right password alone is not enough now
}

// A Letter is mail to a person.
type Letter struct {
	Kind    string // verify, reset, new-device, password-changed, email-changed, frozen, delete-scheduled, delete-cancelled, recovery-used, factor-added, factor-removed, address-proof, address-added, address-removed, taken-back, social-linked, social-unlinked, code
	To      string // user id
	Key     string // letters with one key are one letter; "" for none
	Address string // instead of the account's own address; "" for that
	Lang    string
	Fields  map[string]string // link, device, place, when, until, since, left, factor, provider, code, who, services, passkeys, keys, addresses
}

// A Passkey is one of a person's passkeys.
type Passkey struct {
	ID, Label      string
	MadeAt, UsedAt time.Time
	Alone          bool // may be the only proof
}

// A Set is what second proofs a person has.
type Set struct {
	TOTP         bool
	Passkeys     []Passkey
	RecoveryLeft int
}

// Strong says whether a password alone is not enough.
func (s Set) Strong() bool { return s.TOTP || len(s.Passkeys) > 0 }

// Factors is what signing in needs of the room of second proofs.
type Factors interface {
	Of(ctx context.Context, user string) (Set, error)
	CheckTOTP(ctx context.Context, user, code string) error
	CheckRecovery(ctx context.Context, user, code string) (replacement string, left int, err error)
	BeginAssertion(ctx context.Context, user string) (options json.RawMessage, state []byte, err error)
	FinishAssertion(ctx context.Context, state, response []byte) (user string, verified bool, err error)
}

// A Setup is what an authenticator app is fed with.
type Setup struct {
	Secret string // base32
	URL    string // otpauth:
	QR     []byte // PNG
}

// Enrolment is what the account's pages need of the room of second proofs. It may be
// missing: then these pages say that this server has none.
type Enrolment interface {
	BeginTOTP(ctx context.Context, who access.Actor, user, label string) (Setup, error)
	ConfirmTOTP(ctx context.Context, who access.Actor, user, code string) (recovery []string, err error)
	RemoveTOTP(ctx context.Context, who access.Actor, user string) error
	NewRecovery(ctx context.Context, who access.Actor, user string) ([]string, error)
	BeginPasskey(ctx context.Context, who access.Actor, user, name, display string) (options json.RawMessage, state []byte, err error)
	FinishPasskey(ctx context.Context, who access.Actor, user string, state, response []byte, label string) (Passkey, error)
	RenamePasskey(ctx context.Context, who access.Actor, user, id, label string) error
	RemovePasskey(ctx context.Context, who access.Actor, user, id string) error
}

// Asked is what a program wants of a person.
type Asked struct {
	Client  string   // the program's name, as whoever registered it wrote
	Scopes  []string // what it wants to do
	Origins []string // where the browser is led in the end, for the page's policy: "https://host[:port]", or :* for any port
}

// A Provider is what the pages of consent need of the room that gives out tokens. It may
// be missing: then there are no such pages.
type Provider interface {
	Asked(ctx context.Context, user, id string) (Asked, error)
	Consent(ctx context.Context, user, id string, agreed bool) (returnTo string, err error)
	Pending(ctx context.Context, userCode string) (Asked, error)
	Approve(ctx context.Context, who Login, userCode string) error
	Deny(ctx context.Context, who Login, userCode string) error
}

// Needs are what a Service is made of. All must be there but those that say so.
type Needs struct {
	Store    Store
	Keys     Keys
	Accounts *account.Service
	APIKeys  *apikey.Service
	// Ask says how long to wait before a try is answered, or refuses it with a problem of
	// kind Limited. After it either Tell says how the try ended, or Void that it did not count.
	Ask  func(ctx context.Context, t Try) (Verdict, error)
	Tell func(ctx context.Context, t Try, good bool) error
	Void func(ctx context.Context, t Try) error
	// Arrived is told of each complete sign-in, and whether it was with a browser of the person's.
	Arrived   func(ctx context.Context, user string, from netip.Addr, known bool)
	Factors   Factors
	Enrolment Enrolment       // may be nil
	Provider  Provider        // may be nil
	Social    *social.Service // may be nil
	// Invitations may be nil.
	Invitations Invitations
	// Spaces and Policy may both be nil: then there are no pages of spaces.
	Spaces *org.Service
	Policy *access.Policy
	// Deeds tells what concerns a person, the newest first, of entries with a lower number than before; nil: no such page.
	Deeds func(ctx context.Context, who access.Actor, before int64, limit int) ([]Deed, error)
	// TakeBack takes away with what somebody could come in that was added to a person's account after a time, and tells
	// what that was. It may be repeated.
	TakeBack func(ctx context.Context, user string, since time.Time) (Added, error)
	// MayLeave says why a person cannot be erased, if so: others would be left without an administrator.
	MayLeave func(ctx context.Context, user string) error
	// Send hands a letter to the post; nil says that it will not be lost.
	Send func(ctx context.Context, l Letter) error
	// Deed names what a person has just done that a letter of this kind tells of, so that the letter can be made up for
	// when this server stops before it is queued; "" for none. It may be nil.
	Deed func(ctx context.Context, kind, user string) string
	// Wait returns after d, or when ctx ends.
	Wait func(ctx context.Context, d time.Duration)
	Now  func() time.Time
	Log  *slog.Logger
	// Origin is the address of these pages as browsers spell it: https://host[:port], without
	// a final slash. It is asked late: the port may be known only when the doors are open.
	Origin func() string
	// Web is the address of the application, likewise. It may be the same.
	Web    func() string
	SignUp bool // strangers may make an account
	Rate   door.Rate
}

// A Service signs people in. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	who   func([]byte) []byte
	codes func([]byte) []byte // keyed hash of codes that are sent by mail
	posts *door.Limiter
	texts catalogue
	pages pageSet

	// Ends tells which sessions people or operators have ended, by id. Those that end by
	// themselves are not told: ask Ended.
	Ends feed.Feed[string]
}

// New checks needs, and starts nothing.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Accounts == nil || needs.APIKeys == nil || needs.Ask == nil || needs.Tell == nil || needs.Void == nil || needs.Arrived == nil ||
		needs.Factors == nil || needs.TakeBack == nil || needs.Send == nil || needs.MayLeave == nil || needs.Wait == nil || needs.Now == nil || needs.Log == nil || needs.Origin == nil || needs.Web == nil {
		return nil, errors.New("signing in needs Store, Keys, Accounts, APIKeys, Ask, Tell, Void, Arrived, Factors, TakeBack, MayLeave, Send, Wait, Now, Log, Origin and Web")
	}
	s := &Service{needs: needs, who: needs.Keys.MAC("signin-who"), codes: needs.Keys.MAC("signin-code"), posts: door.NewLimiter(needs.Rate, door.Rate{PerMinute: 120, Burst: 60}, needs.Now)}
	var err error
	if s.texts, err = readTexts(); err != nil {
		return nil, err
	}
	s.pages, err = readPages()
	return s, err
}

// Store is what Service needs of a database. A method that takes an entry writes it in the same transaction.
type Store interface {
	flows
	sessions
}

// flows is the part of Store for sign-ins that are under way.
type flows interface {
	addFlow(ctx context.Context, r flowRow) error
	flow(ctx context.Context, hash []byte) (flowRow, error) // or ErrFlow
	// stepFlow puts r in the place of the flow of one step before, or is ErrStep.
	stepFlow(ctx context.Context, r flowRow) error
	endFlow(ctx context.Context, hash []byte, step int64) error // or ErrStep
}

// sessions is the part of Store for browsers.
type sessions interface {
	// addSession keeps r and removes the oldest of its account beyond many.
	addSession(ctx context.Context, r sessionRow, many int, e journal.Entry) error
	session(ctx context.Context, hash []byte) (sessionRow, error)         // or ErrSession
	sessionByID(ctx context.Context, id string) (sessionRow, error)       // or ErrSession
	sessionsOf(ctx context.Context, account string) ([]sessionRow, error) // the newest first
	touch(ctx context.Context, id string, at int64) error
	// renew gives the session with r's id r's hash, epoch, times and methods, and takes it from the application; or is ErrSession.
	renew(ctx context.Context, r sessionRow, e journal.Entry) error
	endSession(ctx context.Context, id string, e journal.Entry) error // or ErrSession
	endOthers(ctx context.Context, account, but string, e journal.Entry) error
	known(ctx context.Context, hash []byte, account string) (bool, error)
	met(ctx context.Context, hash []byte) (bool, error) // whether anybody signed in with this browser
	meet(ctx context.Context, hash []byte, account string, at int64) error
	sweep(ctx context.Context, now, devices int64) error
	forget(ctx context.Context, account string) error
	// addHand keeps r and removes of its session what nobody may take any more at now, and the oldest beyond many.
	addHand(ctx context.Context, r handRow, now int64, many int) error
	// takeHand puts a cookie's hash in the place of a word that r's browser may still bring at the time r.expires, and of what the session's
	// application had before, and tells the session; or is ErrHand. Whatever is brought with a word, it does not count again.
	takeHand(ctx context.Context, r handRow, cookie []byte) (sessionRow, error)
	appSession(ctx context.Context, hash []byte) (sessionRow, error) // by the application's cookie; or ErrSession
	// forgetDevices forgets in which browsers a person has signed in before.
	forgetDevices(ctx context.Context, account string, e journal.Entry) error
}

// handRow is a session that is being handed over to the application.
type handRow struct {
	hash    []byte // SHA-256 of the word
	session string
	browser []byte // SHA-256 of what the browser has to bring
	expires int64  // µs since 1970
}

// flowRow is a flow as the database has it.
type flowRow struct {
	hash    []byte
	step    int64
	state   []byte // sealed
	expires int64  // µs since 1970
}

// sessionRow is a session as the database has it. Times are µs since 1970.
type sessionRow struct {
	id, account                    string
	hash                           []byte
	epoch                          int64
	made, used, proved, ends, idle int64
	methods                        string
	sealed                         []byte
}

// hashLen is how many bytes a token has before it is spelled, and its hash.
const hashLen = sha256.Size

// newToken is a random value of 256 bits and its SHA-256.
func newToken() (token string, hash []byte) {
	raw := make([]byte, hashLen)
	_, _ = rand.Read(raw)
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(raw), sum[:]
}

// hashOf is the SHA-256 of a token that newToken made; nil for any other text.
func hashOf(token string) []byte {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != hashLen {
		return nil
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// A Client is the browser that asks.
type Client struct {
	Addr    netip.Addr
	Agent   string // what describe makes of its User-Agent
	Browser string // its flow cookie
	Device  string // its device cookie
	Lang    string
}

// try is what the guard is asked about.
func (s *Service) try(act Act, typed, account string, c Client, known bool) Try {
	return Try{Act: act, Who: hex.EncodeToString(s.who([]byte(strings.ToLower(strings.TrimSpace(typed))))), Account: account, Addr: c.Addr, Known: known}
}

// guarded asks the guard, waits as long as it says, does the work and tells the guard
// how it ended. work says whether the proof was good; an error that is not the
// person's counts as neither.
func (s *Service) guarded(ctx context.Context, t Try, work func() (good bool, err error)) (bool, error) {
	good, _, err := s.doubted(ctx, t, work)
	return good, err
}

// doubted is guarded, and says whether the guard wants a second proof.
func (s *Service) doubted(ctx context.Context, t Try, work func() (good bool, err error)) (good, doubt bool, err error) {
	v, err := s.needs.Ask(ctx, t)
	if err != nil {
		return false, false, err
	}
	if v.Wait > 0 {
		s.needs.Wait(ctx, v.Wait)
	}
	if good, err = work(); err != nil {
		return false, v.StepUp, errors.Join(err, s.needs.Void(ctx, t))
	}
	return good, v.StepUp, s.needs.Tell(ctx, t, good)
}

// link is an address of one of our pages, with a token.
func (s *Service) link(path, token string) string {
	return s.needs.Origin() + path + "?token=" + url.QueryEscape(token)
}

func (s *Service) entry(who access.Actor, action, id string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Action: action, Resource: "session", ID: id}
}

func person(id string) access.Actor { return access.Actor{Kind: access.User, ID: id} }

// send hands a letter to the post. That it could not is logged and does not stop what
// the letter is about: the person asks again.
func (s *Service) send(ctx context.Context, l Letter) {
	if err := s.needs.Send(ctx, l); err != nil {
		s.needs.Log.ErrorContext(ctx, "a letter was not sent", "kind", l.Kind, "user", l.To, "err", err)
	}
}

// warn tells a person of something that somebody else may have done, with a link that
// freezes the account. fields are further ones of the letter.
func (s *Service) warn(ctx context.Context, kind string, u account.User, c Client, address string, fields map[string]string) {
	key := ""
	if s.needs.Deed != nil {
		key = s.needs.Deed(ctx, kind, u.ID)
	}
	if err := s.warnOnce(ctx, key, kind, u, c, address, fields); err != nil {
		s.needs.Log.ErrorContext(ctx, "a letter was not sent", "kind", kind, "user", u.ID, "err", err)
	}
}

func (s *Service) warnOnce(ctx context.Context, key, kind string, u account.User, c Client, address string, fields map[string]string) error {
	token, err := s.needs.Accounts.Invite(ctx, access.Actor{Kind: access.System}, account.Link{Purpose: account.LinkFreeze, Account: u.ID})
	if err != nil {
		return err
	}
	all := s.fieldsOf(c)
	all["link"] = s.link("/frozen", token.Reveal())
	maps.Copy(all, fields)
	return s.needs.Send(ctx, Letter{Kind: kind, To: u.ID, Key: KeyAt(key, address), Address: address, Lang: c.Lang, Fields: all})
}

// KeyAt is the key of the letter that a deed makes at an address, "" being the person's first: there may be one at each.
func KeyAt(key, address string) string {
	if key == "" || address == "" {
		return key
	}
	return key + " at " + address
}

// Warn tells a person of something that somebody may have done in their name, and that is known by its key: elsewhere than
// in a browser, or before this server stopped. address is another than the person's first, or "".
func (s *Service) Warn(ctx context.Context, key, kind, user, address string, fields map[string]string) error {
	u, err := s.needs.Accounts.Get(ctx, user)
	if err != nil {
		return err
	}
	return s.warnOnce(ctx, key, kind, u, Client{}, address, fields)
}

// fieldsOf are those of a letter that say when something happened, and where.
func (s *Service) fieldsOf(c Client) map[string]string {
	all := map[string]string{"when": s.needs.Now().UTC().Format(time.RFC3339)}
	if c.Agent != "" {
		all["device"] = c.Agent
	}
	if c.Addr.IsValid() {
		all["place"] = c.Addr.String()
	}
	return all
}

// steady has whatever work does take the same time, so that it tells nothing: at
// least least, which is more than it needs.
func (s *Service) steady(ctx context.Context, least time.Duration, work func() error) error {
	begin := s.needs.Now()
	err := work()
	if left := least - s.needs.Now().Sub(begin); left > 0 {
		s.needs.Wait(ctx, left)
	}
	return err
}

func flowPlace(hash []byte) []byte {
	return keys.Place("signin_flow", "state", base64.RawURLEncoding.EncodeToString(hash))
}

func (s *Service) sealFlow(f Flow, hash []byte) ([]byte, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return s.needs.Keys.Purpose("signin-flow").Seal(text, flowPlace(hash))
}

func (s *Service) openFlow(r flowRow) (f Flow, err error) {
	text, err := s.needs.Keys.Purpose("signin-flow").Open(r.state, flowPlace(r.hash))
	if err != nil {
		return f, fmt.Errorf("open a flow: %w", err)
	}
	return f, json.Unmarshal(text, &f)
}
