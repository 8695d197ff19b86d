package post

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrLetter is a letter that our own code put together wrongly.
	ErrLetter = problem.New(problem.Internal, "post-letter", "This letter cannot be written.")
	// ErrTooMany says that somebody got enough letters of this kind for now.
	ErrTooMany = problem.New(problem.Limited, "post-too-many", "Too many letters of this kind went to this person. Try again in an hour.")
)

// A Kind is what a letter is about.
type Kind string

// The kinds.
const (
	Verify          Kind = "verify"           // is this your address?
	Reset           Kind = "reset"            // a link to set another password
	Invite          Kind = "invite"           // into a shared space
	NewDevice       Kind = "new-device"       // signed in where never before
	Travel          Kind = "travel"           // from two places that are too far apart
	Frozen          Kind = "frozen"           // the account was frozen
	Unlock          Kind = "unlock"           // a link past the brake against guessing
	FactorAdded     Kind = "factor-added"     // a second step or passkey
	FactorRemoved   Kind = "factor-removed"   //
	RecoveryUsed    Kind = "recovery-used"    // a recovery code
	RecoveryLow     Kind = "recovery-low"     // few are left
	PasswordChanged Kind = "password-changed" //
	EmailChanged    Kind = "email-changed"    // to the old address
	DeleteScheduled Kind = "delete-scheduled" // the account will go
	DeleteCancelled Kind = "delete-cancelled" //
	KeyRevoked      Kind = "key-revoked"      // an API key that was seen in public, or was taken back
	KeyAdded        Kind = "key-added"        // an API key, by a person or a program
	AddressAdded    Kind = "address-added"    // a further e-mail address
	AddressRemoved  Kind = "address-removed"  // to that one, and to the first
	AddressProof    Kind = "address-proof"    // is this your address, and do you want it added to an account that is there?
	TakenBack       Kind = "taken-back"       // what a frozen account lost when it was opened again
	ManyFailures    Kind = "many-failures"    // somebody guesses
	SocialLinked    Kind = "social-linked"    // an account of another service lets in
	SocialUnlinked  Kind = "social-unlinked"  // it does so no more
	ValuesFull      Kind = "values-full"      // a space sends more values than it may
	Code            Kind = "code"             // to sign in with, beside the password
	DashboardShared Kind = "dashboard-shared" // somebody lets the person see a dashboard
	DashboardAsked  Kind = "dashboard-asked"  // somebody wants to see one of the person's
	Trigger         Kind = "trigger"          // what a trigger of a space has to tell, in its words
	WebhookOff      Kind = "webhook-off"      // nobody took what a thing or device had to tell
)

// Reminds says whether letters of this kind only remind, and come to nobody who does not want that.
func (k Kind) Reminds() bool { return k == RecoveryLow }

// A rule says how long a kind of letter is of use and which fields it has.
type rule struct {
	life time.Duration // 0: as long as we try
	must string        // fields, with blanks between
	may  string
}

// tryFor is after how long a letter that nobody takes is given up; RFC 5321, section 4.5.4.1, asks for 4 to 5 days.
const tryFor = 5 * 24 * time.Hour

// rules has all kinds. Lives of letters with a link are those of the links.
var rules = map[Kind]rule{
	Verify:          {24 * time.Hour, "link", "when place device"},
	Reset:           {20 * time.Minute, "link", "when place device"},
	Invite:          {0, "link space", "inviter role until"},
	NewDevice:       {0, "when", "place device method link"},
	Travel:          {0, "when place", "before device link"},
	Frozen:          {0, "when", "link"},
	Unlock:          {time.Hour, "link", "when place count"},
	FactorAdded:     {0, "factor when", "place device link"},
	FactorRemoved:   {0, "factor when", "place device link"},
	RecoveryUsed:    {0, "when left", "place device link"},
	RecoveryLow:     {0, "left", "link"},
	PasswordChanged: {0, "when", "place device link"},
	EmailChanged:    {0, "when", "address place device link"},
	DeleteScheduled: {0, "until", "when place device link"},
	DeleteCancelled: {0, "when", "place device link"},
	KeyRevoked:      {0, "key when", "link"},
	KeyAdded:        {0, "key when", "until link"},
	AddressAdded:    {0, "when", "place device link"},
	AddressRemoved:  {0, "when", "place device link"},
	AddressProof:    {24 * time.Hour, "link who", "when place device"},
	TakenBack:       {0, "when since", "services addresses factor passkeys keys"},
	ManyFailures:    {0, "count", "when place link"},
	SocialLinked:    {0, "provider when", "place device link"},
	SocialUnlinked:  {0, "provider when", "place device link"},
	ValuesFull:      {0, "space most", "when"},
	WebhookOff:      {0, "webhook receiver when answer", ""},
	Code:            {15 * time.Minute, "code", "when place device"},
	DashboardShared: {0, "dashboard", "inviter link"},
	DashboardAsked:  {0, "dashboard", "who message link"},
	Trigger:         {24 * time.Hour, "title text trigger", ""},
}

// Takes are the fields that letters of this kind may have.
func (k Kind) Takes() []string {
	return append(strings.Fields(rules[k].must), strings.Fields(rules[k].may)...)
}

// trial is the letter by which an operator sees that letters arrive. Send does not know it.
const trial Kind = "trial"

// Kinds are all kinds, in the order of their names.
func Kinds() []Kind {
	all := make([]Kind, 0, len(rules))
	for k := range rules {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// A Letter is one to be sent.
//
// Fields: link (https), when and until (RFC 3339), left and count (numbers), place, before, device,
// method, most (a number), factor, provider, space, dashboard (its name), inviter, who, message, role, key (its name), since (RFC 3339), services, addresses, passkeys and keys (names, with commas between), code, address (as much of it as may be told), title, trigger (its
// name), text (of several lines). Which ones a kind
// must and may have is in rules; any other is ErrLetter.
type Letter struct {
	Kind    Kind
	To      string // user id; "" if the address belongs to no account
	Address string // only if it does not go to the account's own address
	Lang    string // BCP 47; "" for the account's, or English
	Fields  map[string]string
	// Key makes a letter one: of several with one key, as they come from an act that is repeated after a
	// crash, only the first is sent, for as long as is known what became of it. "" for none.
	Key string
	// Unsubscribe is an https address that takes a POST from whoever wants no more of these (RFC 8058), and
	// shows a page to who opens it. "" for letters that nobody can do without.
	Unsubscribe string
}

// Bounds of fields.
const (
	maxLink  = 2048 // bytes
	maxField = 120  // characters; longer ones are cut
	maxLine  = 1000 // characters of one line of a text
	maxLines = 60   // of a text
	maxTitle = 200  // bytes
)

// check returns the fields as the letter shows them, in a language.
func (l Letter) check(lang string) (map[string]string, error) {
	wrong := func(what string) error { return ErrLetter.With(fmt.Sprintf("A letter %q %s.", l.Kind, what)) }
	r, known := rules[l.Kind]
	if !known {
		return nil, wrong("is of no kind that there is")
	}
	must, may := strings.Fields(r.must), strings.Fields(r.may)
	for _, name := range must {
		if l.Fields[name] == "" {
			return nil, wrong("needs the field " + name)
		}
	}
	shown := map[string]string{}
	for name, value := range l.Fields {
		if !slices.Contains(must, name) && !slices.Contains(may, name) {
			return nil, wrong("has no field " + name)
		}
		if value == "" {
			continue
		}
		var err error
		switch name {
		case "link":
			err = checkLink(value)
		case "when", "until", "since":
			var at time.Time
			if at, err = time.Parse(time.RFC3339, value); err == nil {
				value = words[lang].date(at.UTC())
			}
		case "left", "count", "most":
			_, err = strconv.ParseUint(value, 10, 31)
		case "place", "before":
			value = tameAddr(value)
		case "services", "addresses", "passkeys", "keys": // as many as there are: what an intruder calls one must not hide the next
			value = tameTo(value, maxLine, false)
		case "text":
			value = tameText(value)
		case "title":
			value = tameTitle(value)
		default:
			value = tame(value)
		}
		if err != nil {
			return nil, wrong("cannot be told " + name + " as it is")
		}
		shown[name] = value
	}
	return shown, nil
}

func checkLink(link string) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(link) > maxLink || strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return ErrLetter
	}
	return nil
}

// tame makes one short line of what somebody wrote. Readers' programs make links of words
// with a dot or a colon in the middle, and a stranger's name must not become one in our letter: an unseen
// word joiner (U+2060) keeps such words apart.
func tame(text string) string { return tameTo(text, maxField, false) }

// tameText is tame for a text of several lines.
func tameText(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = tameTo(line, maxLine, true); line != "" && len(lines) < maxLines {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// tameTitle is tame for what becomes a subject, which has at most maxTitle bytes.
func tameTitle(text string) string {
	text = tameTo(text, maxField, true)
	for len(text) > maxTitle {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return text
}

// harmless says whether no program can take r, which is behind last, for the middle of a link: it ends a word, or is in a number.
func harmless(r, last rune, rest []rune) bool {
	if len(rest) == 0 || unicode.IsSpace(rest[0]) {
		return r != '='
	}
	digit := func(r rune) bool { return r >= '0' && r <= '9' }
	return (r == '.' || r == ':') && digit(last) && digit(rest[0])
}

// tameTo is tame for at most so many characters. In prose, what ends words and numbers stays as it is: "21.5" and "at 12:30." are no links.
func tameTo(text string, most int, prose bool) string {
	var b strings.Builder
	n, last := 0, ' '
	all := []rune(strings.ToValidUTF8(text, "\uFFFD"))
	for i, r := range all {
		if n++; n > most {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case !unicode.IsGraphic(r), r == '\u2060':
			continue // controls, and marks that turn the direction of writing
		}
		if r == ' ' && last == ' ' {
			continue
		}
		b.WriteRune(r)
		if strings.ContainsRune(".:@/=", r) && !(prose && harmless(r, last, all[i+1:])) {
			b.WriteRune('\u2060')
		}
		last = r
	}
	return strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(b.String()), "\u2060"))
}

// tameAddr is tame, but leaves alone what is the address of a machine: programs make no link of those.
func tameAddr(text string) string {
	if ip, err := netip.ParseAddr(text); err == nil && utf8.RuneCountInString(text) <= maxField {
		return ip.String()
	}
	return tame(text)
}
