package guard

import (
	"net/netip"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrTries is somebody who was wrong, or asked, too often. It says when to come back,
// and never whether there is such an account.
var ErrTries = problem.New(problem.Limited, "too-many-tries", "Too many tries. Wait a while, then try again.")

// An Act is what somebody tries.
type Act uint8

const (
	Password   Act = iota // address and password of a person
	Code                  // a time-based code, after the right password
	Recovery              // a recovery code
	Reset                 // a letter to set a new password: every try counts
	SignUp                // a new account: every try counts
	Token                 // id and secret of an API key, for a token
	Client                // id and secret of a program that people sign in to
	DeviceCode            // the code that a device shows to be let in
	Passkey               // an assertion
	Leak                  // a secret that somebody found and hands in: every try counts
	Social                // an answer of another service that people sign in with

	acts // how many there are
)

var actNames = [acts]string{Password: "password", Code: "code", Recovery: "recovery", Reset: "reset", SignUp: "sign-up",
	Token: "token", Client: "client", DeviceCode: "device-code", Passkey: "passkey", Leak: "leak", Social: "social"}

func (a Act) String() string {
	if a >= acts {
		return "unknown"
	}
	return actNames[a]
}

// program says whether a program tries a secret that no person has to remember.
func (a Act) program() bool { return a == Token || a == Client }

// A Try is one attempt at an Act. Ask, Tell and Void get the same one.
type Try struct {
	Act     Act
	Who     string     // what was typed, as Service.Who has it; or a user's id, or a client's id; "" if none
	Account string     // user id, if there is such a person; no answer to a stranger differs by it
	Addr    netip.Addr // of the client; the zero Addr is one client like any other
	Known   bool       // this browser has proved before that it belongs to the account
}

// A Verdict is what Ask says to a try.
type Verdict struct {
	Wait   time.Duration // answer no sooner than this after the question, whatever the answer is
	Until  time.Time     // not zero: refused until then
	StepUp bool          // the right password alone is not enough now: ask for a second proof
}

// A Kind says what happened.
type Kind uint8

const (
	ManyFailures     Kind = iota // one account was guessed at from anywhere
	Spraying                     // many accounts, few guesses each
	Stuffing                     // many addresses, few guesses each, and far more failures than usual
	CodeGuessing                 // wrong time-based codes, after the right password
	RecoveryGuessing             // wrong recovery codes
	TokenGuessing                // wrong secrets of a client
	NewDevice                    // somebody came in with a device that was not seen before
	Travel                       // somebody came in from too far away from the last time
	LeakedKey                    // somebody handed in a secret that worked
	NetworkOwner                 // far more failures than usual from the networks of one owner

	kinds // how many there are
)

var kindNames = [kinds]string{ManyFailures: "many-failures", Spraying: "spraying", Stuffing: "stuffing", CodeGuessing: "code-guessing",
	RecoveryGuessing: "recovery-guessing", TokenGuessing: "token-guessing", NewDevice: "new-device", Travel: "travel", LeakedKey: "leaked-key", NetworkOwner: "network-owner"}

func (k Kind) String() string {
	if k >= kinds {
		return "unknown"
	}
	return kindNames[k]
}

// mute is how long a kind of event about one subject is not told again.
var mute = [kinds]time.Duration{ManyFailures: 24 * time.Hour, Spraying: time.Minute, Stuffing: time.Minute, CodeGuessing: 24 * time.Hour,
	RecoveryGuessing: time.Hour, TokenGuessing: 15 * time.Minute, NewDevice: time.Minute, Travel: time.Minute, LeakedKey: time.Minute, NetworkOwner: time.Minute}

// An Event is something that the person or the operator should hear of. It holds ids
// and numbers: no address, and nothing that was typed.
type Event struct {
	Kind    Kind
	At      time.Time
	Account string // user id; "" where no single person is meant
	Client  string // API key, or program that people sign in to
	// Subject tells events of one cause apart: a piece of a keyed hash, or "AS" and the number of an autonomous system.
	Subject   string
	Accounts  int // different ones that were tried
	Addresses int // different ones that tried
	Failures  int
	From, To  string // countries, as the operator's table spells them
}

// A scope is whose tries a rule adds up.
type scope uint8

const (
	pair    scope = iota // of one account or client from one address
	account              // of one account or client, wherever from: see subjects
	device               // of one account, by devices that are known to belong to it
	address              // of one address, whatever account
	network              // of the neighbourhood of an address

	scopes // how many there are
)

// What a rule adds up.
type tally uint8

const (
	failures tally = iota
	tries
	successes
)

// A rule is one limit.
type rule struct {
	name   string // in the database and towards the operator; never changed
	scope  scope
	counts tally
	acts   []Act
	limit  int           // at most so many
	window time.Duration // in any time as long as this
	block  time.Duration // at the limit: refused for so long; 0: until the window has room
	most   time.Duration // each block is twice as long as the one before, up to this
	lax    bool          // never refuses
	slow   bool          // failures make the next answers late
	cap    int           // subjects that are remembered, 150 bytes each: 85 MB if all tables are full
}

// personal are the acts about a person's own account: only there it matters that a device is theirs.
var personal = [acts]bool{Password: true, Code: true, Recovery: true, Reset: true, Passkey: true}

// The rules. Their figures are those of security.md, section 5.3; where it leaves a choice the comment says why.
const (
	rulePair = iota
	ruleAccount
	ruleDevice
	ruleCode
	ruleCodeDay
	ruleCodeDevice
	ruleRecovery
	ruleRecoveryDevice
	ruleReset
	ruleResetAddress
	ruleSignUp
	ruleSignUpNetwork
	ruleToken
	ruleTokenPair
	ruleTokenSeen
	ruleUserCode
	ruleLeak
	ruleMinute
	ruleDay
	ruleNetwork

	ruleCount
)

var guesses = []Act{Password, Code, Recovery, Token, Client, DeviceCode, Passkey, Social}

var rules = [ruleCount]rule{
	rulePair:    {name: "account-address", scope: pair, acts: []Act{Password, Passkey}, limit: 10, window: 24 * time.Hour, block: 15 * time.Minute, most: 24 * time.Hour, slow: true, cap: 1 << 16},
	ruleAccount: {name: "account", scope: account, acts: []Act{Password, Passkey}, limit: 50, window: 24 * time.Hour, lax: true, cap: 1 << 16},
	// Whoever holds a known device has something that an attacker does not get at, so nobody else's failures
	// keep it out. After this many of its own it is a device like any other until a day has passed.
	ruleDevice:         {name: "known-device", scope: device, acts: []Act{Password, Passkey}, limit: 30, window: 24 * time.Hour, lax: true, slow: true, cap: 1 << 14},
	ruleCode:           {name: "code", scope: account, acts: []Act{Code}, limit: 5, window: 5 * time.Minute, slow: true, cap: 1 << 14},
	ruleCodeDay:        {name: "code-day", scope: account, acts: []Act{Code}, limit: 20, window: 24 * time.Hour, lax: true, cap: 1 << 14},
	ruleCodeDevice:     {name: "code-known-device", scope: device, acts: []Act{Code}, limit: 5, window: 5 * time.Minute, slow: true, cap: 1 << 14},
	ruleRecovery:       {name: "recovery", scope: account, acts: []Act{Recovery}, limit: 5, window: time.Hour, slow: true, cap: 1 << 14},
	ruleRecoveryDevice: {name: "recovery-known-device", scope: device, acts: []Act{Recovery}, limit: 5, window: time.Hour, slow: true, cap: 1 << 14},
	ruleReset:          {name: "reset", scope: account, counts: tries, acts: []Act{Reset}, limit: 3, window: time.Hour, cap: 1 << 14},
	ruleResetAddress:   {name: "reset-address", scope: address, counts: tries, acts: []Act{Reset}, limit: 10, window: time.Hour, cap: 1 << 14},
	ruleSignUp:         {name: "sign-up-address", scope: address, counts: tries, acts: []Act{SignUp}, limit: 10, window: time.Hour, cap: 1 << 14},
	ruleSignUpNetwork:  {name: "sign-up-network", scope: network, counts: tries, acts: []Act{SignUp}, limit: 50, window: time.Minute, cap: 1 << 14},
	// Right secrets only: else anybody who knows a client id could use its tokens up.
	ruleToken: {name: "token", scope: account, counts: successes, acts: []Act{Token}, limit: 60, window: time.Minute, cap: 1 << 15},
	// From one address, for the same reason.
	ruleTokenPair: {name: "token-address", scope: pair, acts: []Act{Token, Client}, limit: 10, window: time.Minute, block: 15 * time.Minute, most: 15 * time.Minute, cap: 1 << 15},
	// A client that was right here before is known here: a neighbour's failures do not keep it out.
	ruleTokenSeen: {name: "token-seen", scope: pair, counts: successes, acts: []Act{Token, Client}, limit: 1, window: 30 * 24 * time.Hour, lax: true, cap: 1 << 15},
	ruleUserCode:  {name: "device-code", scope: account, acts: []Act{DeviceCode}, limit: 5, window: 10 * time.Minute, slow: true, cap: 1 << 14},
	ruleLeak:      {name: "leak-address", scope: address, counts: tries, acts: []Act{Leak}, limit: 20, window: time.Minute, cap: 1 << 14},
	ruleMinute:    {name: "address-minute", scope: address, acts: guesses, limit: 20, window: time.Minute, cap: 1 << 15},
	ruleDay:       {name: "address-day", scope: address, acts: guesses, limit: 100, window: 24 * time.Hour, cap: 1 << 16},
	ruleNetwork:   {name: "network-day", scope: network, acts: guesses, limit: 500, window: 24 * time.Hour, cap: 1 << 15},
}

// byAct are the rules that look at an act.
var byAct = func() (all [acts][]int) {
	for i, r := range rules {
		for _, a := range r.acts {
			all[a] = append(all[a], i)
		}
	}
	return all
}()

// applies says whether the rule is about t. known is what counts as that now.
func (r *rule) applies(t *Try, known bool) bool {
	if r.scope <= device && t.Who == "" {
		return false
	}
	switch {
	case t.Act.program(), t.Act == Reset:
		return r.scope != device && (!known || r.scope < address)
	case known:
		return r.scope == device
	}
	return r.scope != device
}

// late is how late the answer is to somebody who failed so often before, half a second
// from the third failure and twice as much each time, up to four.
func late(failed int) time.Duration {
	if failed < 2 {
		return 0
	}
	return min(500*time.Millisecond<<min(failed-2, 3), 4*time.Second)
}

// host is what counts as one client: an IPv4 address, or the /64 of an IPv6 address,
// all of which one host may use as it likes (RFC 4291, section 2.5.4).
func host(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // the zero Addr has the zero Prefix
	return p
}

// neighbourhood is what one owner of addresses usually has: a /24, or a /56 (RFC 6177, section 2).
func neighbourhood(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 56
	}
	p, _ := a.Prefix(bits)
	return p
}

// maxWho bounds what is counted under a name, in bytes; what is longer is cut: it has a hash all the same.
const maxWho = 512

// label is text if it can be an id of ours; what people type is not shown to operators.
func label(text string) string {
	if len(text) < 16 || len(text) > 36 || strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-'
	}) {
		return ""
	}
	return text
}
