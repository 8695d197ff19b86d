package signin

import (
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

var (
	// ErrFlow is a sign-in that is over, too old, or another browser's.
	ErrFlow = problem.New(problem.Precondition, "signin-flow", "This sign-in is over, or it took too long. Begin again.")
	// ErrStep is a step that is not the next one, or that was taken before.
	ErrStep = problem.New(problem.Conflict, "signin-step", "This step was taken already, perhaps in another window. Go on from here.")
)

// A State is how far a sign-in has come.
type State uint8

// The states of a sign-in.
const (
	None    State = iota // there is no such state: a table's word for "not allowed"
	Start                // nobody has said who
	Named                // somebody has said who
	Second               // the first proof was good; another one may be needed
	Done                 // it is the person
	Closed               // too many wrong proofs
	Vouched              // a provider vouches for somebody who has no account here yet
	Linking              // somebody who is signed in shows who they are at a provider
	Mailed               // the password was good and is not enough now: a code went to the person's mail

	states // how many there are
)

// An Event is what happens to a sign-in.
type Event uint8

// The events of a sign-in. The service makes them of what it has checked.
const (
	Name         Event = iota // a text that may be an address
	Other                     // it is somebody else after all
	PasswordGood              // the account's password
	PasswordBad               // any other
	PasskeyGood               // a passkey that has seen its person (user verification)
	PasskeyTouch              // a passkey that was only touched
	CodeGood                  // a code of the authenticator app, or a recovery code
	CodeBad                   // any other
	Skip                      // no second proof is needed
	SocialGood                // a provider vouches for somebody whose account is linked
	SocialNew                 // a provider vouches for somebody whose account is not
	SocialBad                 // an answer of a provider that cannot be believed
	Join                      // an account was made for whom a provider vouches for
	Linked                    // whom a provider vouches for belongs to who is signed in
	Post                      // a code was made for the person's mail
	MailGood                  // that code
	MailBad                   // any other

	events // how many there are
)

// next is the machine: the state that an event leads to. What it does not name is not allowed.
var next = [states][events]State{
	Start:   {Name: Named, PasskeyGood: Done, SocialGood: Second, SocialNew: Vouched, SocialBad: Start},
	Named:   {Name: Named, Other: Start, PasswordGood: Second, PasswordBad: Named, PasskeyGood: Done, SocialGood: Second, SocialNew: Vouched, SocialBad: Named},
	Second:  {Other: Start, CodeGood: Done, CodeBad: Second, PasskeyGood: Done, PasskeyTouch: Done, Skip: Done, Post: Mailed},
	Vouched: {Name: Named, Other: Start, Join: Done},
	Linking: {SocialBad: Linking, Linked: Done},
	Mailed:  {Other: Start, MailGood: Done, MailBad: Mailed},
}

// How many wrong proofs a flow takes: of passwords, of second proofs, and from providers.
const (
	maxPasswords = 10
	maxCodes     = 5
	maxAnswers   = 5
)

// flowLife is how long a sign-in may take, and mailLife how long a code counts that was sent by mail.
const (
	flowLife = time.Hour
	mailLife = 15 * time.Minute
)

// methods are the words of RFC 8176, section 2, for what was proved; "rec", "mail"
// and "fed", a provider's word, are ours.
const (
	methodPassword = "pwd"
	methodCode     = "otp"
	methodRecovery = "rec"
	methodPasskey  = "hwk"
	methodSocial   = "fed"
	methodMail     = "mail" // who reads the mail can set the password, too: no second factor by itself
)

// A Flow is one sign-in on its way. It is pure: see On.
type Flow struct {
	State State `json:"state"`
	// Typed is what somebody said who they are. It may be nobody.
	Typed string `json:"typed,omitempty"`
	// Only is the one account that may come out: that of the session which asks for
	// another proof. "" for any.
	Only string `json:"only,omitempty"`
	// Account is whose first proof was good; "" before.
	Account string `json:"account,omitempty"`
	// Strong says that the account has second proofs, so that Skip is not allowed.
	Strong bool `json:"strong,omitempty"`
	// Doubt says that the account is being guessed at and the browser is none that it knows,
	// so that Skip is not allowed.
	Doubt    bool     `json:"doubt,omitempty"`
	Methods  []string `json:"methods,omitempty"`
	BadWords int      `json:"bad_words,omitempty"`
	BadCodes int      `json:"bad_codes,omitempty"`
	// Claim is whom a provider vouches for, from Vouched on. When the flow ends with a proof of an
	// account's own, it is linked to that account. With a Claim no provider's word is a proof.
	Claim *Claim `json:"claim,omitempty"`
	// Own says that the account of Only has a proof of its own, so that no provider's word counts.
	Own        bool `json:"own,omitempty"`
	BadAnswers int  `json:"bad_answers,omitempty"`

	Browser []byte    `json:"browser"`           // SHA-256 of the cookie of the browser that began it
	Session string    `json:"session,omitempty"` // the session to prove again
	Keep    bool      `json:"keep,omitempty"`    // keep me signed in
	To      string    `json:"to,omitempty"`      // path to go to at the end
	Passkey []byte    `json:"passkey,omitempty"` // the challenge, sealed by the room of factors
	Away    *Away     `json:"away,omitempty"`    // at a provider, whose answer counts once
	BeganAt time.Time `json:"began_at"`

	Mail      []byte    `json:"mail,omitempty"` // keyed hash of the code that was sent by mail
	MailUntil time.Time `json:"mail_until,omitzero"`
}

// A Claim is somebody of a provider, and when the provider said so.
type Claim struct {
	social.Claim
	At time.Time
	// Account is the id of the account that may be made, the same however often that is tried.
	Account string
}

// Away is what is kept of a person who was sent to a provider.
type Away struct {
	Provider string `json:"provider"`
	State    []byte `json:"state"` // SHA-256 of the parameter that must come back
	Kept     []byte `json:"kept"`  // what the room of providers keeps
}

// A Proof is what comes with an event.
type Proof struct {
	Typed   string // of Name
	Account string // of a good first proof, of a passkey, or that was made
	Claim   *Claim // of SocialNew
	Strong  bool   // of a good first proof: there are second ones
	Doubt   bool   // of a good password: it is not enough now
	Method  string // of a good proof
	Mail    []byte // of Post: the keyed hash of the code
	Until   time.Time
}

// takes says whether the machine knows an event in the flow's state.
func (f Flow) takes(e Event) bool { return f.State < states && e < events && next[f.State][e] != None }

// On is the flow after an event, or ErrStep when the event is not allowed now.
func (f Flow) On(e Event, p Proof) (Flow, error) {
	if !f.takes(e) {
		return f, ErrStep
	}
	to := next[f.State][e]
	switch e {
	case Name:
		f.Typed = p.Typed
	case Other:
		f.Typed, f.Account, f.Strong, f.Methods, f.Passkey, f.Claim, f.Away = "", "", false, nil, nil, nil, nil
		f.Doubt, f.Mail, f.MailUntil = false, nil, time.Time{}
	case SocialNew:
		if f.Only != "" || f.Claim != nil || p.Claim == nil {
			return f, ErrStep
		}
		f.Claim = p.Claim
	case SocialBad:
		if f.BadAnswers++; f.BadAnswers >= maxAnswers {
			to = Closed
		}
	case Linked:
		if p.Account == "" || p.Account != f.Only {
			return f, ErrStep
		}
	case PasswordGood, PasskeyGood, PasskeyTouch, SocialGood, Join:
		if e == SocialGood && (f.Claim != nil || f.Own) {
			return f, ErrStep // here an account proves itself, and nobody else can for it
		}
		if p.Account == "" || f.Only != "" && p.Account != f.Only || f.State == Second && p.Account != f.Account {
			return f, ErrStep // a good proof, of somebody else
		}
		if f.State != Second {
			f.Account, f.Strong, f.Doubt = p.Account, p.Strong, p.Doubt
		}
	case PasswordBad:
		if f.BadWords++; f.BadWords >= maxPasswords {
			to = Closed
		}
	case CodeBad, MailBad:
		if f.BadCodes++; f.BadCodes >= maxCodes {
			to = Closed
		}
	case Skip:
		if f.Strong || f.Doubt {
			return f, ErrStep
		}
	case Post:
		if f.Strong || !f.Doubt || len(p.Mail) == 0 {
			return f, ErrStep
		}
		f.Mail, f.MailUntil = p.Mail, p.Until
	case CodeGood:
		if !f.Strong {
			return f, ErrStep
		}
	}
	if p.Method != "" && e != Skip {
		f.Methods = append(append([]string(nil), f.Methods...), p.Method)
	}
	f.State = to
	return f, nil
}
