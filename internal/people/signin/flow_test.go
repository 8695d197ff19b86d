package signin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
)

// Every state with every event: what is not named here must be refused.
func TestTheMachineOfSigningIn(t *testing.T) {
	proof := Proof{Typed: "anna", Account: "a", Strong: true, Method: "m", Claim: &Claim{}, Mail: []byte("hash")}
	in := map[State]Flow{
		None: {}, Start: {State: Start}, Named: {State: Named, Typed: "anna"}, Done: {State: Done, Account: "a"}, Closed: {State: Closed},
		Second: {State: Second, Typed: "anna", Account: "a", Strong: true}, Vouched: {State: Vouched, Claim: &Claim{}}, Linking: {State: Linking, Only: "a"},
		Mailed: {State: Mailed, Typed: "anna", Account: "a", Doubt: true, Mail: []byte("hash")},
	}
	want := map[State]map[Event]State{
		Start:   {Name: Named, PasskeyGood: Done, SocialGood: Second, SocialNew: Vouched, SocialBad: Start},
		Named:   {Name: Named, Other: Start, PasswordGood: Second, PasswordBad: Named, PasskeyGood: Done, SocialGood: Second, SocialNew: Vouched, SocialBad: Named},
		Vouched: {Name: Named, Other: Start, Join: Done},
		Linking: {SocialBad: Linking, Linked: Done},
		Second:  {Other: Start, CodeGood: Done, CodeBad: Second, PasskeyGood: Done, PasskeyTouch: Done}, // never Skip nor Post: there are second proofs
		Mailed:  {Other: Start, MailGood: Done, MailBad: Mailed},
	}
	for s := range states {
		for e := range events {
			got, err := in[s].On(e, proof)
			to, allowed := want[s][e]
			if allowed && (err != nil || got.State != to) || !allowed && !errors.Is(err, ErrStep) {
				t.Errorf("state %d, event %d: state %d, %v", s, e, got.State, err)
			}
		}
	}
	for name, c := range map[string]struct {
		f Flow
		e Event
		p Proof
	}{
		"a proof of nobody":                    {Flow{State: Named}, PasswordGood, Proof{}},
		"a proof of another than may come out": {Flow{State: Named, Only: "b"}, PasswordGood, proof},
		"a passkey of another, without a name": {Flow{State: Start, Only: "b"}, PasskeyGood, proof},
		"a second proof of another":            {Flow{State: Second, Account: "b", Strong: true}, PasskeyTouch, proof},
		"a code although there are none":       {Flow{State: Second, Account: "a"}, CodeGood, proof},
		"no code although there are":           {Flow{State: Second, Account: "a", Strong: true}, Skip, proof},
		"no second proof although in doubt":    {Flow{State: Second, Account: "a", Doubt: true}, Skip, proof},
		"a code by mail without doubt":         {Flow{State: Second, Account: "a"}, Post, proof},
		"a code by mail beside second proofs":  {Flow{State: Second, Account: "a", Strong: true, Doubt: true}, Post, proof},
		"no code by mail":                      {Flow{State: Second, Account: "a", Doubt: true}, Post, Proof{}},
		"a state that is none":                 {Flow{State: states}, Name, proof},
		"an event that is none":                {Flow{State: Start}, events, proof},
		"a touch as the only proof":            {Flow{State: Named}, PasskeyTouch, proof},

		"a provider's word for another than may come out": {Flow{State: Named, Only: "b"}, SocialGood, proof},
		"a provider's word where the account has a proof": {Flow{State: Named, Only: "a", Own: true}, SocialGood, proof},
		"a provider's word for the account's own side":    {Flow{State: Named, Claim: &Claim{}}, SocialGood, proof},
		"a provider's word for nobody":                    {Flow{State: Start}, SocialGood, Proof{}},
		"a stranger where somebody must prove again":      {Flow{State: Named, Only: "a"}, SocialNew, proof},
		"a second stranger in the same flow":              {Flow{State: Named, Claim: &Claim{}}, SocialNew, proof},
		"a stranger of nobody":                            {Flow{State: Start}, SocialNew, Proof{}},
		"an account that was not made":                    {Flow{State: Vouched, Claim: &Claim{}}, Join, Proof{}},
		"linked to somebody else than who is signed in":   {Flow{State: Linking, Only: "b"}, Linked, proof},
		"linked to nobody":                                {Flow{State: Linking}, Linked, Proof{}},
	} {
		if _, err := c.f.On(c.e, c.p); !errors.Is(err, ErrStep) {
			t.Errorf("%s: %v, want %v", name, err, ErrStep)
		}
	}
}

// Going back takes everything along that was proved, a provider's word too.
func TestGoingBackForgetsWhatWasProved(t *testing.T) {
	f := Flow{State: Second, Typed: "anna", Account: "a", Strong: true, Methods: []string{"pwd"}, Claim: &Claim{}, Away: &Away{}, Passkey: []byte("x"), BadWords: 2}
	got, err := f.On(Other, Proof{})
	if err != nil || got.Account != "" || got.Claim != nil || got.Away != nil || got.Methods != nil || got.Passkey != nil || got.Strong || got.BadWords != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A model of one tab: which proofs were given in it, in order.
type tabModel struct {
	client Client
	ref    Ref // the step that this tab shows; it may be an old one
	typed  string
	proved string // user of the good first proof
	wrong  [2]int // passwords, codes
	over   bool

	vouched bool          // a provider vouched for a stranger, and nobody said yet whose account it is
	claim   *social.Claim // that stranger, until the end
	since   time.Time     // when the provider said so
	mailed  string        // the code that was sent by mail; "" when none was asked for
	sentAt  time.Time
}

// Whatever several tabs of two browsers do, in whatever order and as often as they like,
// nobody is signed in who has not given every proof of one person, in one flow, in order.
// What one tab does with a flow never harms another's.
func TestNoStepCanBeSkippedReplayedOrReordered(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	h := newHouse(t, d)
	anna, berta := h.person("anna@example.org"), h.person("berta@example.org")
	users := map[string]account.User{anna.Email: anna, berta.Email: berta}
	passwords := map[string]string{anna.Email: good, berta.Email: other}
	if err := h.accounts.SetPassword(t.Context(), person(berta.ID), berta.ID, other); err != nil {
		t.Fatal(err)
	}
	issuer := socialtest.Start(t, h.Now)
	h.withSocial(issuer.Config("school", social.OIDC), issuer.Config("github", social.GitHub))
	for _, u := range []account.User{anna, berta} {
		if err := h.needs.Social.Link(t.Context(), person(u.ID), u.ID, social.Claim{Provider: "school", Issuer: issuer.URL, Subject: "of " + u.Email}); err != nil {
			t.Fatal(err)
		}
	}
	serial, strangers := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		ctx := t.Context()
		strong := rapid.Bool().Draw(r, "berta has second proofs")
		h.factors.mu.Lock()
		h.factors.totp = map[string]map[string]bool{}
		if strong {
			h.factors.totp[berta.ID] = map[string]bool{}
		}
		h.factors.passkeys = map[string]string{"key of anna": anna.ID, "touch of berta": berta.ID, "key of berta": berta.ID}
		h.factors.mu.Unlock()
		h.mu.Lock()
		h.doubt = false
		h.mu.Unlock()
		isStrong := func(user string) bool { return strong && user == berta.ID }
		var tabs []*tabModel
		browsers := []string{"", ""}
		// met are the people that a browser has let in, by its device cookie.
		met, devices := map[string]map[string]bool{}, []string{"", ""}
		begin := func(typed string, b int) {
			c := tab
			c.Browser, c.Device = browsers[b], devices[b]
			ref, browser, err := h.Begin(ctx, c, Beginning{Typed: typed})
			if err != nil {
				r.Fatal(err)
			}
			if browsers[b] != "" && browsers[b] != browser {
				r.Fatal("a browser has another cookie, and its other tabs are lost")
			}
			browsers[b] = browser
			c.Browser = browser
			tabs = append(tabs, &tabModel{client: c, ref: ref, typed: typed})
		}
		begin(anna.Email, 0)
		// check compares the end of a step with what the model says.
		check := func(m *tabModel, g *Grant, err error, may string) {
			if g == nil {
				return
			}
			if err != nil || m.over || may == "" || g.Session.Account != may {
				r.Fatalf("signed in as %s with %v; the model says %q, over %v", g.Session.Account, err, may, m.over)
			}
			m.over = true
			if m.claim != nil {
				h.checkLinked(r, m, g, may)
			}
			if met[g.Device] == nil {
				met[g.Device] = map[string]bool{}
			}
			met[g.Device][may] = true
			devices[rapid.IntRange(0, 1).Draw(r, "whose device")] = g.Device
			// The flow is used up.
			if _, _, err := h.At(ctx, m.client, m.ref.Token); !errors.Is(err, ErrFlow) {
				r.Fatalf("the flow is still there: %v", err)
			}
		}
		for range rapid.IntRange(1, 14).Draw(r, "acts") {
			m := tabs[rapid.IntRange(0, len(tabs)-1).Draw(r, "tab")]
			c := m.client
			ref := m.ref
			if rapid.IntRange(0, 5).Draw(r, "stale") == 0 {
				ref.Step += int64(rapid.IntRange(-2, 2).Draw(r, "off"))
			}
			foreign := rapid.IntRange(0, 9).Draw(r, "foreign") == 0
			if foreign {
				c.Browser, _ = newToken()
			}
			current := int64(-1)
			if f, at, err := h.At(ctx, m.client, m.ref.Token); err == nil {
				current = at.Step
				if f.State == Done || f.State == Closed {
					r.Fatalf("a flow is kept in state %d", f.State)
				}
			}
			counts := ref.Step == current && !foreign && !m.over
			switch act := rapid.SampledFrom([]string{"begin", "password", "wrong", "code", "old code", "wrong code", "passkey", "touch", "mailed", "mailed elsewhere", "wrong mailed", "attack", "other", "look", "time", "provider", "provider", "own", "join"}).Draw(r, "act"); act {
			case "begin":
				begin(rapid.SampledFrom([]string{anna.Email, berta.Email, "nobody@example.org", ""}).Draw(r, "typed"), rapid.IntRange(0, 1).Draw(r, "browser"))
			case "password", "wrong":
				password := passwords[m.typed]
				if act == "wrong" || password == "" {
					password, act = "wrong", "wrong"
				}
				_, g, err := h.Password(ctx, c, ref, password, false)
				may := ""
				if counts && m.typed != "" && m.proved == "" && !m.vouched {
					if act == "password" {
						m.proved = users[m.typed].ID
						if letters := h.post(); h.doubt && !met[c.Device][m.proved] && !isStrong(m.proved) {
							if g != nil || err != nil {
								r.Fatalf("a right password in doubt: %v, %v", g, err)
							}
							last := letters[len(letters)-1]
							if last.Kind != "code" || last.To != m.proved {
								r.Fatalf("in doubt, the letter %+v", last)
							}
							m.mailed, m.sentAt = last.Fields["code"], h.Now()
						} else if !isStrong(m.proved) {
							may = m.proved
							if g == nil {
								r.Fatalf("a right password alone: %v", err)
							}
						}
					} else if m.wrong[0]++; m.wrong[0] >= maxPasswords {
						m.over = true
					}
				} else if err == nil || !refused(err) {
					r.Fatalf("a password that is out of turn: %v", err)
				}
				check(m, g, err, may)
			case "code", "old code", "wrong code":
				code := "wrong"
				if act == "code" {
					serial++
					code = strconv.Itoa(serial)
					h.factors.mu.Lock()
					if h.factors.totp[berta.ID] != nil {
						h.factors.totp[berta.ID][code] = true
					}
					h.factors.mu.Unlock()
				} else if act == "old code" {
					code = strconv.Itoa(serial - 1)
				}
				_, g, err := h.Code(ctx, c, ref, code, false)
				may := ""
				if counts && m.proved != "" && isStrong(m.proved) {
					if act == "code" {
						may = m.proved
						if g == nil {
							r.Fatalf("a right code: %v", err)
						}
					} else if g == nil {
						if m.wrong[1]++; m.wrong[1] >= maxCodes {
							m.over = true
						}
					} else {
						may = m.proved // a code of before that nobody had used
					}
				} else if !refused(err) {
					r.Fatalf("a code that is out of turn: %v", err)
				}
				check(m, g, err, may)
			case "passkey", "touch":
				_, next, err := h.Challenge(ctx, c, ref)
				if err != nil {
					if !refused(err) || counts && m.mailed == "" && !m.vouched {
						r.Fatalf("a challenge: %v", err)
					}
					break
				}
				if !counts || m.mailed != "" || m.vouched {
					r.Fatal("a challenge out of turn")
				}
				m.ref = next
				answer, of := `"key of anna"`, anna.ID
				if act == "touch" {
					answer, of = `"touch of berta"`, berta.ID
				}
				if _, _, err := h.Passkey(ctx, c, ref, []byte(answer), false); !refused(err) {
					r.Fatalf("the answer for a step of before: %v", err)
				}
				_, g, err := h.Passkey(ctx, c, next, []byte(answer), false)
				may := ""
				switch {
				case m.proved == "" && act == "passkey":
					may = of // a passkey that has seen its person is enough, whatever was typed
				case m.proved == of:
					may = of
				}
				if may != "" && g == nil {
					r.Fatalf("a right passkey: %v", err)
				}
				check(m, g, err, may)
			case "mailed", "mailed elsewhere", "wrong mailed":
				code := "00000000"
				if act == "mailed" {
					code = m.mailed
				} else if act == "mailed elsewhere" {
					code = tabs[rapid.IntRange(0, len(tabs)-1).Draw(r, "code of tab")].mailed
				}
				_, g, err := h.MailCode(ctx, c, ref, code)
				may := ""
				switch {
				case !counts || m.mailed == "":
					if !refused(err) {
						r.Fatalf("a code from the mail that is out of turn: %v", err)
					}
				case code == m.mailed && h.Now().Before(m.sentAt.Add(mailLife)):
					if may = m.proved; g == nil {
						r.Fatalf("the code from the mail: %v", err)
					}
				default:
					if m.wrong[1]++; m.wrong[1] >= maxCodes {
						m.over = true
					}
				}
				check(m, g, err, may)
			case "attack":
				h.mu.Lock()
				h.doubt = !h.doubt
				h.mu.Unlock()
			case "other":
				if err := h.Rename(ctx, c, ref); err == nil {
					if !counts {
						r.Fatal("back out of turn")
					}
					m.typed, m.proved, m.mailed, m.claim, m.vouched = "", "", "", nil, false
				}
			case "provider":
				subject := rapid.SampledFrom([]string{"of " + anna.Email, "of " + berta.Email, "stranger", "unverified"}).Draw(r, "at the provider")
				strangers++
				provider, p := "school", socialtest.Person{Subject: subject, Email: anna.Email, Verified: true} // what it says of the address counts for nothing
				if subject == "stranger" || subject == "unverified" {
					provider, p = "github", socialtest.Person{Subject: strconv.Itoa(strangers), Email: fmt.Sprintf("s%d@example.org", strangers), Verified: subject == "stranger"}
				}
				issuer.Become(p)
				may, allowed := "", counts && m.proved == "" && m.claim == nil
				address, err := h.Depart(ctx, c, ref, provider)
				if (err == nil) != allowed {
					r.Fatalf("to a provider: %v, the model says %v", err, allowed)
				}
				if err != nil {
					break
				}
				_, answer := issuer.Visit(t, address)
				thief := c
				thief.Browser, _ = newToken()
				if _, _, g, err := h.Answer(ctx, thief, Session{}, provider, answer); g != nil || !errors.Is(err, ErrAway) {
					r.Fatalf("the answer in another browser: %v", err)
				}
				_, _, g, err := h.Answer(ctx, c, Session{}, provider, answer)
				switch subject {
				case "stranger":
					m.vouched, m.since = true, h.Now()
					m.claim = &social.Claim{Provider: provider, Issuer: issuer.URL + "/login/oauth", Subject: p.Subject, Email: p.Email}
				case "unverified":
					if !errors.Is(err, ErrVouched) {
						r.Fatalf("an address that is not proved: %v", err)
					}
				default:
					m.typed = strings.TrimPrefix(subject, "of ")
					m.proved = users[m.typed].ID
					if !isStrong(m.proved) {
						may = m.proved
						if g == nil {
							r.Fatalf("a linked person: %v", err)
						}
					}
				}
				check(m, g, err, may)
				if _, _, g, err := h.Answer(ctx, c, Session{}, provider, answer); g != nil || !errors.Is(err, ErrAway) {
					r.Fatalf("the answer a second time: %v", err)
				}
			case "own":
				typed := rapid.SampledFrom([]string{anna.Email, berta.Email, "nobody@example.org"}).Draw(r, "whose account")
				if err := h.Own(ctx, c, ref, typed); (err == nil) != (counts && m.vouched) {
					r.Fatalf("to an account's own side: %v", err)
				} else if err == nil {
					m.typed, m.vouched = typed, false
				}
			case "join":
				g, err := h.JoinVouched(ctx, c, ref, "A stranger")
				if may := counts && m.vouched && h.Now().Sub(m.since) < vouchedFor; (err == nil) != may {
					r.Fatalf("making an account: %v, the model says %v", err, may)
				} else if err == nil {
					u, err := h.accounts.Get(ctx, g.Session.Account)
					if err != nil || u.Email != m.claim.Email || !u.Verified() {
						r.Fatalf("the account is %+v, %v", u, err)
					}
					check(m, g, nil, u.ID)
				}
			case "look":
				// Shown again, the tab has the present step.
			case "time":
				if rapid.IntRange(0, 3).Draw(r, "long") == 0 {
					h.Pass(flowLife)
					for _, m := range tabs {
						m.over = true
					}
				} else {
					h.Pass(time.Duration(rapid.IntRange(1, 16).Draw(r, "minutes")) * time.Minute)
					for _, m := range tabs {
						_, _, err := h.At(ctx, m.client, m.ref.Token)
						m.over = m.over || errors.Is(err, ErrFlow)
					}
				}
			}
			if f, at, err := h.At(ctx, m.client, m.ref.Token); err == nil {
				if m.over {
					r.Fatalf("a flow that is over is in state %d", f.State)
				}
				m.ref = at
				if got := f.Account; got != m.proved {
					r.Fatalf("the flow knows %q as proved, the model %q", got, m.proved)
				}
			} else if !errors.Is(err, ErrFlow) {
				r.Fatal(err)
			} else if !m.over {
				r.Fatalf("a flow is lost: %v", err)
			}
			// A tab that nobody touched is where it was.
			for i, o := range tabs {
				if o.over {
					continue
				}
				if _, at, err := h.At(ctx, o.client, o.ref.Token); err != nil || at.Step != o.ref.Step {
					r.Fatalf("tab %d was harmed: step %d, want %d, %v", i, at.Step, o.ref.Step, err)
				}
			}
		}
	})
}

// checkLinked sees to it that a stranger of a provider belongs to who proved the own side, in time, and takes the link away again.
func (h *house) checkLinked(r *rapid.T, m *tabModel, g *Grant, user string) {
	got, _, err := h.needs.Social.Find(h.t.Context(), *m.claim)
	if h.Now().Sub(m.since) >= vouchedFor {
		if !errors.Is(err, social.ErrNotLinked) || !strings.Contains(g.To, "late") {
			r.Fatalf("linked too late: %q, %v, to %s", got, err, g.To)
		}
		return
	}
	if err != nil || got != user {
		r.Fatalf("linked to %q, %v; the model says %s", got, err, user)
	}
	all, err := h.needs.Social.Of(h.t.Context(), user)
	if err != nil {
		r.Fatal(err)
	}
	for _, l := range all {
		if l.Provider == m.claim.Provider {
			if _, err := h.needs.Social.Unlink(h.t.Context(), person(user), user, l.ID, true); err != nil {
				r.Fatal(err)
			}
		}
	}
}

// refused says whether an error is the person's to act on.
func refused(err error) bool {
	p := problem.Of(err)
	return p != nil && p.Kind != problem.Internal
}

// Of many who send the same step at the same time one counts.
func TestAStepCountsOnceHoweverManySendIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		h.factors.totp[u.ID] = map[string]bool{}
		for i := range 8 {
			h.factors.totp[u.ID][fmt.Sprint(i)] = true
		}
		ref, browser, err := h.Begin(t.Context(), tab, Beginning{Typed: u.Email})
		if err != nil {
			t.Fatal(err)
		}
		c := tab
		c.Browser = browser
		if _, _, err := h.Password(t.Context(), c, ref, good, false); err != nil {
			t.Fatal(err)
		}
		ref.Step++
		grants, errs := make([]*Grant, 8), make([]error, 8)
		done := make(chan struct{})
		for i := range 8 {
			go func() {
				defer func() { done <- struct{}{} }()
				_, grants[i], errs[i] = h.Code(t.Context(), c, ref, fmt.Sprint(i), false)
			}()
		}
		for range 8 {
			<-done
		}
		in := 0
		for i, g := range grants {
			if g != nil {
				in++
			} else if !errors.Is(errs[i], ErrStep) && !errors.Is(errs[i], ErrFlow) {
				t.Errorf("code %d: %v", i, errs[i])
			}
		}
		if in != 1 {
			t.Errorf("signed in %d times", in)
		}
	})
}

// An unknown address is asked about as long, and in the same way, as a known one.
func TestTheGuardIsAskedAboutAnybody(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	if _, err := h.walk(tab, "Nobody@example.org ", "wrong", ""); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := h.walk(tab, "nobody@example.org", "wrong", ""); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("nobody: %v", err)
	}
	g := h.in(u.Email)
	c := tab
	c.Device = g.Device
	if _, err := h.walk(c, u.Email, "wrong", ""); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("anna: %v", err)
	}
	h.mu.Lock()
	tries := slices.Clone(h.tries)
	h.mu.Unlock()
	if tries[0].Who != tries[1].Who || len(tries[0].Who) != 64 || tries[0].Account != "" {
		t.Errorf("nobody is %+v and %+v", tries[0], tries[1])
	}
	if last := tries[3]; last.Account != u.ID || !last.Known || tries[2].Known || last.Addr != tab.Addr {
		t.Errorf("anna is %+v, before %+v", last, tries[2])
	}
	h.refuse = problem.New(problem.Limited, "limited", "Later.").After(10 * time.Minute)
	if g, err := h.walk(tab, u.Email, good, ""); g != nil || !errors.Is(err, h.refuse) {
		t.Errorf("refused by the guard: %v, %v", g, err)
	}
}
