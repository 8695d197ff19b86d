package signin

import (
	"context"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

func TestSessionsEndByThemselves(t *testing.T) {
	for name, c := range map[string]struct {
		keep bool
		pass []time.Duration // between uses
		want bool
	}{
		"used within two hours":        {false, []time.Duration{idle - time.Second, idle - time.Second}, true},
		"not used for two hours":       {false, []time.Duration{idle}, false},
		"older than a day":             {false, slices.Repeat([]time.Duration{time.Hour}, 24), false},
		"kept, used within two weeks":  {true, []time.Duration{idleKept - time.Second, idleKept - time.Second}, true},
		"kept, not used for two weeks": {true, []time.Duration{idleKept}, false},
		"kept, older than sixty days":  {true, slices.Repeat([]time.Duration{10 * 24 * time.Hour}, 6), false},
		"kept, not older":              {true, slices.Repeat([]time.Duration{10 * 24 * time.Hour}, 5), true},
	} {
		t.Run(name, func(t *testing.T) {
			h := embedded(t)
			u := h.person("anna@example.org")
			ref, browser, err := h.Begin(t.Context(), tab, Beginning{Typed: u.Email})
			if err != nil {
				t.Fatal(err)
			}
			c2 := tab
			c2.Browser = browser
			_, g, err := h.Password(t.Context(), c2, ref, good, c.keep)
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range c.pass {
				h.Pass(d)
				_, err = h.Look(t.Context(), g.Cookie)
				if i < len(c.pass)-1 && err != nil {
					t.Fatalf("after use %d: %v", i, err)
				}
			}
			if (err == nil) != c.want || !c.want && !errors.Is(err, ErrSession) {
				t.Errorf("in the end: %v, want %v", err, c.want)
			}
			if must(h.Ended(t.Context(), g.Session.ID)) == c.want {
				t.Errorf("Ended = %v", !c.want)
			}
			if err := h.Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := h.needs.Store.sessionByID(t.Context(), g.Session.ID); (err == nil) != c.want {
				t.Errorf("after sweeping: %v", err)
			}
		})
	}
}

// What is over is removed, and nothing else is.
func TestWhatIsOverIsSwept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		old := h.in(u.Email)
		h.Pass(idle / 2)
		used := h.in(u.Email)
		if _, _, err := h.Begin(t.Context(), tab, Beginning{Typed: u.Email}); err != nil {
			t.Fatal(err)
		}
		h.Pass(flowLife)
		if _, err := h.Look(t.Context(), used.Cookie); err != nil { // notes the use
			t.Fatal(err)
		}
		if err := h.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := h.needs.Store.sessionByID(t.Context(), old.Session.ID); !errors.Is(err, ErrSession) {
			t.Errorf("the old session: %v, want %v", err, ErrSession)
		}
		if r, err := h.needs.Store.sessionByID(t.Context(), used.Session.ID); err != nil || r.used != h.Now().UnixMicro() {
			t.Errorf("the one in use: %+v, %v", r, err)
		}
		if known, err := h.knows(t.Context(), Client{Device: used.Device}, u.ID); err != nil || !known {
			t.Errorf("the browser: %v, %v", known, err)
		}
		h.Pass(deviceLife)
		if err := h.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if known, err := h.knows(t.Context(), Client{Device: used.Device}, u.ID); err != nil || known {
			t.Errorf("the browser after 400 days: %v, %v", known, err)
		}
	})
}

func TestSessionsEndWithTheirAccount(t *testing.T) {
	for name, end := range map[string]func(h *house, u account.User) error{
		"disabled": func(h *house, u account.User) error {
			_, err := h.accounts.Disable(h.t.Context(), person(u.ID), u.ID, true)
			return err
		},
		"frozen": func(h *house, u account.User) error { return h.accounts.Freeze(h.t.Context(), person(u.ID), u.ID) },
		"a new password": func(h *house, u account.User) error {
			return h.accounts.SetPassword(h.t.Context(), person(u.ID), u.ID, other)
		},
		"erased": func(h *house, u account.User) error {
			_, err := h.accounts.Erase(h.t.Context(), person(u.ID), u.ID)
			return err
		},
		"forgotten": func(h *house, u account.User) error { return h.Forget(h.t.Context(), u.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				u := h.person("anna@example.org")
				g := h.in(u.Email)
				if _, err := h.Look(t.Context(), g.Cookie); err != nil {
					t.Fatal(err)
				}
				if err := end(h, u); err != nil {
					t.Fatal(err)
				}
				if _, err := h.Look(t.Context(), g.Cookie); !errors.Is(err, ErrSession) {
					t.Errorf("Look = %v, want %v", err, ErrSession)
				}
				if ended, err := h.Ended(t.Context(), g.Session.ID); err != nil || !ended {
					t.Errorf("Ended = %v, %v", ended, err)
				}
			})
		})
	}
}

// A database that does not answer says nothing about sessions.
func TestNobodyIsSignedOutByADatabaseThatDoesNotAnswer(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	g := h.in(u.Email)
	store := h.needs.Store
	for name, late := range map[string]bool{"not for the session": false, "not for the account": true} {
		// Nothing is known of the account but what the database says.
		accounts, err := account.New(account.Needs{Store: account.SQL(h.db), Keys: ring{}, Settle: h.orgs.AddPrivate, Now: h.Now})
		if err != nil {
			t.Fatal(err)
		}
		h.needs.Accounts = accounts
		gone := func() context.Context {
			ctx, stop := context.WithCancel(t.Context())
			if !late {
				stop()
			}
			h.needs.Store = cutStore{store, stop}
			return ctx
		}
		if ended, err := h.Ended(gone(), g.Session.ID); err == nil || ended {
			t.Errorf("%s: Ended = %v, %v", name, ended, err)
		}
		if _, err := h.Look(gone(), g.Cookie); err == nil || isPersons(err) {
			t.Errorf("%s: Look = %v", name, err)
		}
		if _, err := h.Sessions(gone(), u.ID); err == nil || isPersons(err) {
			t.Errorf("%s: Sessions = %v", name, err)
		}
		h.needs.Store = store
		if ended, err := h.Ended(t.Context(), g.Session.ID); err != nil || ended {
			t.Errorf("%s, later: Ended = %v, %v", name, ended, err)
		}
	}
}

// A cutStore finds a session, and then nobody finds anything.
type cutStore struct {
	Store
	cut func()
}

func (s cutStore) session(ctx context.Context, hash []byte) (sessionRow, error) {
	defer s.cut()
	return s.Store.session(ctx, hash)
}

func (s cutStore) sessionByID(ctx context.Context, id string) (sessionRow, error) {
	defer s.cut()
	return s.Store.sessionByID(ctx, id)
}

func (s cutStore) sessionsOf(ctx context.Context, user string) ([]sessionRow, error) {
	defer s.cut()
	return s.Store.sessionsOf(ctx, user)
}

// A value that somebody put into the browser before is not the session's after signing in.
func TestASessionIsNeverThatOfBefore(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.get("/signin")
	seen := map[string]bool{}
	for range 3 {
		b.signIn(u.Email, good)
		cookie := cookieIn(b, CookieSession)
		if cookie == "" || seen[cookie] {
			t.Fatalf("the session's value is %q", cookie)
		}
		seen[cookie] = true
		b.post("/signout", nil)
	}
	for cookie := range seen {
		if _, err := h.Look(t.Context(), cookie); err == nil {
			t.Error("a value of before still counts")
		}
	}
}

// What the database has of a session does not let anybody in, and does not tell where from.
func TestOnlyHashesOfSessionsAreKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		g := h.in(h.person("anna@example.org").Email)
		r, err := h.needs.Store.sessionByID(t.Context(), g.Session.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{g.Cookie, "Firefox", "192.0.2.7"} {
			if strings.Contains(string(r.hash)+string(r.sealed)+r.methods, text) {
				t.Errorf("the row has %q", text)
			}
		}
	})
}

func TestTheOldestSessionsEndWhenThereAreTooMany(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		first := h.in(u.Email)
		for range maxOpen {
			h.Pass(time.Second)
			if _, err := h.begin(t.Context(), tab, u, []byte("session of "+h.Now().String()), h.Now(), false, []string{methodPassword}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.Look(t.Context(), first.Cookie); !errors.Is(err, ErrSession) {
			t.Errorf("the first: %v, want %v", err, ErrSession)
		}
		if all, err := h.Sessions(t.Context(), u.ID); err != nil || len(all) != maxOpen {
			t.Errorf("%d sessions, %v, want %d", len(all), err, maxOpen)
		}
	})
}

func TestANewBrowserIsWrittenAbout(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.signIn(u.Email, good)
	if l := h.letter("new-device"); l.To != u.ID || l.Fields["link"] == "" {
		t.Errorf("the letter is %+v", l)
	}
	b.post("/signout", nil)
	if b.signIn(u.Email, good); len(h.post()) != 0 {
		t.Error("the same browser again is written about")
	}
	if h.browser().signIn(u.Email, good); len(h.post()) != 1 {
		t.Error("another browser is not written about")
	}
}

func TestALinkNeverTakesThePlaceOfASecondProof(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	if g, err := h.Admit(t.Context(), tab, u.ID, methodPassword); !errors.Is(err, ErrProof) || g != nil {
		t.Errorf("Admit = %v, %v, want %v", g, err, ErrProof)
	}
}

func TestPasskeysCanBeTheOnlyProof(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	stranger := h.person("mallory@example.org")
	h.factors.passkeys = map[string]string{"anna": u.ID, "touch": u.ID, "mallory": stranger.ID}
	try := func(again, response string) (*Grant, error) {
		ref, browser, err := h.Begin(t.Context(), tab, Beginning{Again: again})
		if err != nil {
			t.Fatal(err)
		}
		c := tab
		c.Browser = browser
		_, next, err := h.Challenge(t.Context(), c, ref)
		if err != nil {
			t.Fatal(err)
		}
		_, g, err := h.Passkey(t.Context(), c, next, []byte(`"`+response+`"`), false)
		return g, err
	}
	g, err := try("", "anna")
	if err != nil || g.Session.Account != u.ID || g.Session.ACR() != "3" {
		t.Fatalf("a passkey: %+v, %v", g, err)
	}
	if g, err := try("", "touch"); g != nil || !errors.Is(err, ErrPasskey) {
		t.Errorf("one that did not see its person: %v, %v", g, err)
	}
	if g, err := try(g.Session.ID, "mallory"); g != nil || !errors.Is(err, ErrPasskey) {
		t.Errorf("somebody else's for this session: %v, %v", g, err)
	}
	again, err := try(g.Session.ID, "anna")
	if err != nil || again.Session.ID != g.Session.ID || again.Cookie == g.Cookie {
		t.Errorf("proved again: %+v, %v", again, err)
	}
}

func TestDevicesAreDescribedCoarsely(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                        "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36 Edg/150.0.0.0": "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile/15E148 Safari/604.1":           "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/150.0.0.0 Mobile Safari/537.36":                                      "Chrome on Android",
		"curl/8.5.0":                "curl",
		"<script>alert(1)</script>": "",
		"":                          "",
	} {
		if got := describe(agent); got != want {
			t.Errorf("describe(%q) = %q, want %q", agent, got, want)
		}
	}
}

// Whatever a browser calls itself, describe says it in words of ours.
func FuzzDescribe(f *testing.F) {
	f.Add("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
	f.Add("<script>")
	words := regexp.MustCompile(`^[A-Za-z ]*$`)
	f.Fuzz(func(t *testing.T, agent string) {
		if got := describe(agent); !words.MatchString(got) || len(got) > 40 {
			t.Fatalf("describe(%q) = %q", agent, got)
		}
	})
}

// Every text is there in every language, takes as many words in each, and every text
// that a page asks for is there.
func TestTextsAreComplete(t *testing.T) {
	texts, err := readTexts()
	if err != nil {
		t.Fatal(err)
	}
	verbs := regexp.MustCompile(`%[a-z]`)
	first := texts.Texts[tongue.Languages[0]]
	for _, lang := range tongue.Languages[1:] {
		for key, text := range first {
			got, ok := texts.Texts[lang][key]
			if !ok || len(verbs.FindAllString(got, -1)) != len(verbs.FindAllString(text, -1)) {
				t.Errorf("%s in %s: %q", key, lang, got)
			}
		}
		if len(texts.Texts[lang]) != len(first) {
			t.Errorf("%s has %d texts, %s %d", lang, len(texts.Texts[lang]), tongue.Languages[0], len(first))
		}
	}
	asked, used := regexp.MustCompile(`\bt "([a-z0-9.-]+)"`), 0
	names, err := fs.Glob(pageFiles, "page/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(pageFiles, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			used++
			if _, ok := first[m[1]]; !ok {
				t.Errorf("%s asks for the text %s", name, m[1])
			}
		}
	}
	if used < 100 {
		t.Errorf("only %d texts are asked for: this test looks in the wrong place", used)
	}
	for _, key := range []string{"sent", "resent", "frozen", "moved", "closed", "failed", "notlinked"} {
		for _, part := range []string{".title", ".text", ".link"} {
			if _, ok := first[key+part]; !ok {
				t.Errorf("no text %s", key+part)
			}
		}
	}
	for _, key := range []string{"verify", "move", "freeze"} {
		for _, part := range []string{".title", ".lead", ".go"} {
			if _, ok := first[key+part]; !ok {
				t.Errorf("no text %s", key+part)
			}
		}
	}
	for _, err := range []error{
		account.ErrCredentials, account.ErrEmail, account.ErrName, account.ErrWeak, account.ErrBreached, account.ErrFrozen, account.ErrDisabled, account.ErrLink,
		account.ErrField, account.ErrUsername, account.ErrUsernameTaken, account.ErrPhone, account.ErrPicture, account.ErrBusy, ErrFlow, ErrStep, ErrCode, ErrNoSignUp, errNotSame, errForm, rest.ErrTooLarge, errDeviceCode, ErrProof,
		ErrAway, ErrVouched, ErrNotYours, ErrOwn, ErrThere, social.ErrProvider, social.ErrAnswer, social.ErrLate, social.ErrCancelled, social.ErrUnknown, social.ErrNotLinked, social.ErrTaken, social.ErrHave, social.ErrLastWay,
	} {
		if got := texts.problem("it", err); got == err.Error() {
			t.Errorf("no Italian text for %q", err)
		}
	}
}

// What a flow is kept as can be read by this program only, and only in its place.
func TestAFlowIsSealedInItsPlace(t *testing.T) {
	h := embedded(t)
	_, hash := newToken()
	_, elsewhere := newToken()
	sealed, err := h.sealFlow(Flow{State: Named, Typed: "anna@example.org"}, hash)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), "anna") {
		t.Error("it is kept in clear")
	}
	if f, err := h.openFlow(flowRow{hash: hash, state: sealed}); err != nil || f.Typed != "anna@example.org" {
		t.Errorf("openFlow = %+v, %v", f, err)
	}
	if _, err := h.openFlow(flowRow{hash: elsewhere, state: sealed}); err == nil {
		t.Error("it opens in another's place")
	}
}
