package signin

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"image"
	"image/png"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// ring seals with a key of its own for each name, as base/keys does, without a keyring.
type ring struct{}

type gcm struct{ cipher.AEAD }

func (g gcm) Seal(plain, aad []byte) ([]byte, error) {
	nonce := make([]byte, g.NonceSize())
	_, _ = rand.Read(nonce)
	return g.AEAD.Seal(nonce, nonce, plain, aad), nil
}

func (g gcm) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < g.NonceSize() {
		return nil, keys.ErrSeal
	}
	return g.AEAD.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], aad)
}

func (ring) Person(_ context.Context, user string) (keys.Sealer, error) { return sealer(user), nil }
func (ring) Space(_ context.Context, space string) (keys.Sealer, error) { return sealer(space), nil }
func (ring) Erase(context.Context, string, ...string) error             { return nil }
func (ring) Purpose(name string) keys.Sealer                            { return sealer("purpose " + name) }

func sealer(name string) keys.Sealer {
	sum := sha256.Sum256([]byte(name))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic(err)
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm{a}
}

func (ring) MAC(name string) func([]byte) []byte {
	return func(msg []byte) []byte {
		h := hmac.New(sha256.New, []byte(name))
		h.Write(msg)
		return h.Sum(nil)
	}
}

// factors are second proofs in memory: a code is good once.
type factors struct {
	mu       sync.Mutex
	totp     map[string]map[string]bool // by user: codes that are good
	recovery map[string]map[string]bool
	passkeys map[string]string // by response: the user
}

func newFactors() *factors {
	return &factors{totp: map[string]map[string]bool{}, recovery: map[string]map[string]bool{}, passkeys: map[string]string{}}
}

var errWrong = problem.New(problem.Unauthenticated, "factor-code", "This code is wrong.")

func (f *factors) Of(_ context.Context, user string) (Set, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Set{TOTP: f.totp[user] != nil, RecoveryLeft: len(f.recovery[user])}, nil
}

func (f *factors) CheckTOTP(_ context.Context, user, code string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.totp[user][code] {
		return errWrong
	}
	delete(f.totp[user], code)
	return nil
}

func (f *factors) CheckRecovery(_ context.Context, user, code string) (string, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.recovery[user][code] {
		return "", 0, errWrong
	}
	delete(f.recovery[user], code)
	f.recovery[user]["2222 2222"] = true
	return "2222 2222", len(f.recovery[user]), nil
}

func (f *factors) BeginAssertion(_ context.Context, user string) (json.RawMessage, []byte, error) {
	return json.RawMessage(`{"publicKey":{"challenge":"AAAA","rpId":"localhost","userVerification":"required"}}`), []byte("asked of " + user), nil
}

// FinishAssertion takes a text that begins with "touch" for a passkey that did not see its
// person, any other that is known, or what a browser sends, for one that did.
func (f *factors) FinishAssertion(_ context.Context, _, response []byte) (string, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var text string
	if err := json.Unmarshal(response, &text); err != nil {
		if text, err = credential(response); err != nil {
			return "", false, errWrong
		}
	}
	user, ok := f.passkeys[text]
	if !ok {
		return "", false, errWrong
	}
	return user, !strings.HasPrefix(text, "touch"), nil
}

// credential is the id of the passkey that a browser answers with.
func credential(response []byte) (string, error) {
	var c struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(response, &c)
	if c.ID == "" {
		err = errors.Join(err, errWrong)
	}
	return c.ID, err
}

// enrolment is the other half of factors.
type enrolment struct {
	*factors
	labels map[string]string
}

func (e *enrolment) Of(_ context.Context, user string) (set Set, err error) {
	if set, err = e.factors.Of(context.Background(), user); err != nil {
		return set, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, of := range e.passkeys {
		if of == user {
			set.Passkeys = append(set.Passkeys, Passkey{ID: id, Label: e.labels[id], Alone: true, MadeAt: time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC)})
		}
	}
	return set, nil
}

func (e *enrolment) BeginTOTP(_ context.Context, _ access.Actor, user, label string) (Setup, error) {
	var qr bytes.Buffer
	err := png.Encode(&qr, image.NewGray(image.Rect(0, 0, 41, 41)))
	return Setup{Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", URL: "otpauth://totp/Ardesia:" + label + "?secret=JBSWY3DPEHPK3PXP", QR: qr.Bytes()}, err
}

func (e *enrolment) ConfirmTOTP(_ context.Context, _ access.Actor, user, code string) ([]string, error) {
	if code != "123456" {
		return nil, errWrong
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.totp[user] = map[string]bool{"654321": true}
	if len(e.recovery[user]) > 0 {
		return nil, nil
	}
	return e.fresh(user), nil
}

// fresh makes recovery codes; the caller holds mu.
func (e *enrolment) fresh(user string) (codes []string) {
	e.recovery[user] = map[string]bool{}
	for i := range 10 {
		code := fmt.Sprintf("1111 2222 3333 4444 5555 666%d", i)
		e.recovery[user][code] = true
		codes = append(codes, code)
	}
	return codes
}

func (e *enrolment) RemoveTOTP(_ context.Context, _ access.Actor, user string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.totp, user)
	return nil
}

func (e *enrolment) NewRecovery(_ context.Context, _ access.Actor, user string) ([]string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fresh(user), nil
}

func (e *enrolment) BeginPasskey(_ context.Context, _ access.Actor, user, name, display string) (json.RawMessage, []byte, error) {
	options, err := json.Marshal(map[string]any{"publicKey": map[string]any{
		"challenge": "AAAA", "rp": map[string]string{"id": "localhost", "name": "Ardesia"}, "user": map[string]string{"id": "AAAA", "name": name, "displayName": display},
		"pubKeyCredParams":       []any{map[string]any{"type": "public-key", "alg": -7}},
		"authenticatorSelection": map[string]string{"residentKey": "required", "userVerification": "required"},
	}})
	return options, []byte("for " + user), err
}

func (e *enrolment) FinishPasskey(_ context.Context, _ access.Actor, user string, state, response []byte, label string) (Passkey, error) {
	id, err := credential(response)
	if err != nil || string(state) != "for "+user {
		return Passkey{}, errWrong
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.passkeys[id], e.labels[id] = user, label
	return Passkey{ID: id, Label: label}, nil
}

func (e *enrolment) RenamePasskey(_ context.Context, _ access.Actor, user, id, label string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.passkeys[id] != user {
		return errWrong
	}
	e.labels[id] = label
	return nil
}

func (e *enrolment) RemovePasskey(_ context.Context, _ access.Actor, user, id string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.passkeys[id] != user {
		return errWrong
	}
	delete(e.passkeys, id)
	return nil
}

// invitations has one invitation, to a space with a bold name.
type invitations struct{ taken bool }

var errNoInvitation = problem.New(problem.NotFound, "invitation-not-found", "This invitation does not count.")

func (i *invitations) Look(_ context.Context, _ access.Actor, token string) (Invited, error) {
	if token != "i1" || i.taken {
		return Invited{}, errNoInvitation
	}
	return Invited{Space: "<b>School</b>", Role: "editor"}, nil
}

func (i *invitations) Accept(ctx context.Context, who access.Actor, token string) (Invited, error) {
	in, err := i.Look(ctx, who, token)
	i.taken = i.taken || err == nil
	return in, err
}

// provider is a room that gives out tokens: it asks one thing, once.
type provider struct {
	mu       sync.Mutex
	answered []string
}

var errNoRequest = problem.New(problem.NotFound, "asked-not-found", "There is no such request.")

func (p *provider) asked(id, want string) (Asked, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if id != want || len(p.answered) > 0 {
		return Asked{}, errNoRequest
	}
	return Asked{Client: "<b>Greenhouse</b>", Scopes: []string{"openid", "things:write"}, Origins: []string{"https://client.example", "javascript:alert(1)", "https://a;b"}}, nil
}

func (p *provider) Asked(_ context.Context, _, id string) (Asked, error) { return p.asked(id, "r1") }
func (p *provider) Pending(_ context.Context, code string) (Asked, error) {
	return p.asked(code, "BCDF-GHJK")
}

func (p *provider) note(user, id, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = append(p.answered, user+" "+id+" "+answer)
}

func (p *provider) Consent(_ context.Context, user, id string, agreed bool) (string, error) {
	p.note(user, id, fmt.Sprint(agreed))
	return "/account?asked=" + id, nil
}

func (p *provider) Approve(_ context.Context, who Login, code string) error {
	p.note(who.User, code, "approved")
	return nil
}

func (p *provider) Deny(_ context.Context, who Login, code string) error {
	p.note(who.User, code, "denied")
	return nil
}

// full gives the house all rooms that a server may have.
func (h *house) full() *provider {
	p := &provider{}
	e := &enrolment{h.factors, map[string]string{}}
	h.Service.needs.Factors, h.Service.needs.Enrolment, h.Service.needs.Provider, h.Service.needs.Invitations = e, e, p, &invitations{}
	h.Service.needs.Spaces, h.Service.needs.Policy, h.Service.needs.Deeds = h.orgs, h.policy, h.deeds
	return p
}

// deeds are what a person did, from the journal.
func (h *house) deeds(ctx context.Context, who access.Actor, before int64, limit int) (all []Deed, err error) {
	entries, err := journal.List(ctx, h.db, journal.Query{Actor: who.ID, Before: before, Newest: true, Limit: limit})
	for _, e := range entries {
		all = append(all, Deed{Number: e.Number, At: e.At, Action: e.Action, By: "you", Actor: e.Actor, Space: e.Space, Resource: e.Resource, ID: e.ID, Detail: e.Detail})
	}
	return all, err
}

// orgsOf is the real room of spaces; what it asks of the rooms above is answered shortly.
func (h *house) orgsOf() (*org.Service, error) {
	var err error
	if h.policy, err = access.New(); err != nil {
		return nil, err
	}
	return org.New(org.Needs{
		Store: org.SQL(h.db), Keys: ring{}, Now: h.Now, Policy: h.policy, Limits: org.DefaultLimits(), Log: slog.New(slog.DiscardHandler),
		Person: func(ctx context.Context, user string) (org.Person, error) {
			name, email, err := h.accounts.Shown(ctx, user)
			return org.Person{Name: name, Email: email}, err
		},
		Reads: func(context.Context, string, string) (bool, error) { return true, nil },
		Level: func(_ context.Context, who access.Actor) (org.Level, error) {
			return map[string]org.Level{"1": org.Password, "2": org.TwoStep, "3": org.Passkey}[who.ACR], nil
		},
		Count: func(_ context.Context, _ string, of org.Quota) (int, error) { return len(of) * 1000, nil },
		Erase: func(ctx context.Context, space, _ string) (org.Erasure, error) {
			return h.orgs.Erase(ctx, access.Actor{Kind: access.System}, space, org.Size{})
		},
		Link: func(token string) string { return h.InvitationPage(token) },
		Invite: func(ctx context.Context, sp org.Space, address, link string) error {
			return h.send(ctx, Letter{Kind: "invite", Address: address, Fields: map[string]string{"link": link, "space": sp.Name}})
		},
	})
}

// A house is this room with the real rooms below it.
type house struct {
	*Service
	t        testing.TB
	db       *db.DB
	accounts *account.Service
	apikeys  *apikey.Service
	orgs     *org.Service
	policy   *access.Policy
	factors  *factors
	server   *httptest.Server

	mu      sync.Mutex
	now     time.Time     // guarded by mu
	letters []Letter      // guarded by mu
	waited  time.Duration // guarded by mu
	tries   []Try         // guarded by mu
	refuse  error         // guarded by mu: what the guard answers
	added   Added         // guarded by mu: what takeBack takes away
	since   time.Time     // guarded by mu: what takeBack was asked last
	doubt   bool          // guarded by mu: it wants a second proof of browsers that it does not know
}

func (h *house) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) Pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

func (h *house) ask(_ context.Context, t Try) (Verdict, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tries = append(h.tries, t)
	return Verdict{StepUp: h.doubt && !t.Known}, h.refuse
}

func (h *house) takeBack(_ context.Context, _ string, since time.Time) (Added, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.since = since
	return h.added, nil
}

func (h *house) send(_ context.Context, l Letter) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.letters = append(h.letters, l)
	return nil
}

// wait lets the time pass at once.
func (h *house) wait(_ context.Context, d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waited += d
	h.now = h.now.Add(d)
}

// post empties the letter box.
func (h *house) post() []Letter {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.letters
	h.letters = nil
	return all
}

// letter is the one letter of a kind in the letter box, which it empties.
func (h *house) letter(kind string) Letter {
	h.t.Helper()
	var kinds []string
	for _, l := range h.post() {
		if l.Kind == kind {
			return l
		}
		kinds = append(kinds, l.Kind)
	}
	h.t.Fatalf("no letter of the kind %s, but %v", kind, kinds)
	return Letter{}
}

const (
	good  = "seven purple kettles sing"
	other = "nine yellow teapots dance"
)

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{t: t, db: d, factors: newFactors(), now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	var err error
	if h.orgs, err = h.orgsOf(); err != nil {
		t.Fatal(err)
	}
	settle := h.orgs.AddPrivate
	if h.accounts, err = account.New(account.Needs{Store: account.SQL(d), Keys: ring{}, Settle: settle, Now: h.Now}); err != nil {
		t.Fatal(err)
	}
	if h.apikeys, err = apikey.New(apikey.Needs{
		Store: apikey.SQL(d), Keys: ring{}, Now: h.Now,
		Role:    h.orgs.Role,
		Admit:   func(context.Context, access.Actor, string) error { return nil },
		Private: func(_ context.Context, user string) (string, error) { return user, nil },
		Limit:   func(context.Context, string) (int, error) { return 0, nil },
		Full:    func(int, int) string { return "full" },
	}); err != nil {
		t.Fatal(err)
	}
	h.Service, err = New(Needs{
		Store: SQL(d), Keys: ring{}, Accounts: h.accounts, APIKeys: h.apikeys, Ask: h.ask, Tell: func(context.Context, Try, bool) error { return nil },
		Void:    func(context.Context, Try) error { return nil },
		Arrived: func(context.Context, string, netip.Addr, bool) {},
		Factors: h.factors, TakeBack: h.takeBack, MayLeave: func(context.Context, string) error { return nil }, Send: h.send, Wait: h.wait, Now: h.Now,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Origin: func() string { return "https://example.org" }, Web: func() string { return "https://example.org" }, SignUp: true, Rate: door.Rate{PerMinute: 1 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// withSocial gives the house providers.
func (h *house) withSocial(all ...social.Config) {
	h.t.Helper()
	policy, err := access.New()
	if err != nil {
		h.t.Fatal(err)
	}
	known := func(ctx context.Context, user string) (bool, error) {
		_, err := h.accounts.Get(ctx, user)
		if errors.Is(err, account.ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	}
	h.needs.Social, err = social.New(social.Needs{Store: social.SQL(h.db), Keys: ring{}, Policy: policy, Known: known, Now: h.Now, Providers: all})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) person(email string) account.User {
	h.t.Helper()
	u, err := h.accounts.Add(h.t.Context(), access.Actor{Kind: access.System}, email, "Anna", good)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// each runs a test on both engines.
func each(t *testing.T, test func(t *testing.T, h *house)) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, newHouse(t, d)) })
}

// embedded is a house on the embedded engine only: for what does not ask the store anything new.
func embedded(t *testing.T) *house {
	t.Helper()
	return newHouse(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
}

var tab = Client{Addr: netip.MustParseAddr("192.0.2.7"), Agent: "Firefox on Linux", Lang: "en"}

// walk signs in with a password, and with a code where there is one.
func (h *house) walk(c Client, email, password, code string) (*Grant, error) {
	h.t.Helper()
	ctx := h.t.Context()
	ref, browser, err := h.Begin(ctx, c, Beginning{Typed: email})
	if err != nil {
		return nil, err
	}
	c.Browser = browser
	f, g, err := h.Password(ctx, c, ref, password, false)
	if err != nil || g != nil || code == "" {
		return g, err
	}
	_, ref, err = h.At(ctx, c, ref.Token)
	if err != nil || f.State != Second {
		return nil, errors.Join(err, ErrStep)
	}
	_, g, err = h.Code(ctx, c, ref, code, false)
	return g, err
}

func (h *house) in(email string) *Grant {
	h.t.Helper()
	g, err := h.walk(tab, email, good, "")
	if err != nil || g == nil {
		h.t.Fatalf("signing in: %v, %v", g, err)
	}
	return g
}

// A browser keeps cookies and follows nothing by itself.
type browser struct {
	t    testing.TB
	c    *http.Client
	base string
	body string // of the last answer
	path string // of the last answer
}

func (h *house) browser() *browser {
	h.t.Helper()
	if h.server == nil {
		mux := http.NewServeMux()
		for pattern, page := range h.Pages() {
			mux.Handle(pattern, page)
		}
		h.server = httptest.NewTLSServer(mux)
		h.t.Cleanup(h.server.Close)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	c := *h.server.Client()
	c.Jar = jar
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &browser{t: h.t, c: &c, base: h.server.URL}
}

// do sends a request and follows where it leads, as a browser does.
func (b *browser) do(r *http.Request) *http.Response {
	b.t.Helper()
	for range 6 {
		answer, err := b.c.Do(r)
		if err != nil {
			b.t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			b.t.Fatal(err)
		}
		b.body, b.path = string(body), r.URL.Path
		if answer.StatusCode != http.StatusSeeOther {
			return answer
		}
		to, err := r.URL.Parse(answer.Header.Get("Location"))
		if err != nil || to.Host != r.URL.Host {
			b.t.Fatalf("led to %q", answer.Header.Get("Location"))
		}
		r, _ = http.NewRequestWithContext(b.t.Context(), "GET", to.String(), nil)
	}
	b.t.Fatal("led around in circles")
	return nil
}

func (b *browser) get(path string) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "GET", b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)"(?: autocomplete="[a-z]+")? value="([^"]*)">`)

// submit posts a form, with the hidden fields of the page that is shown.
func (b *browser) submit(path string, fields url.Values) *http.Response {
	b.t.Helper()
	all := url.Values{}
	forms, _, _ := strings.Cut(b.body, "<footer>") // where the form of languages is
	for _, m := range hidden.FindAllStringSubmatch(forms, -1) {
		all.Set(m[1], html.UnescapeString(m[2]))
	}
	for name, v := range fields {
		all[name] = v
	}
	return b.post(path, all)
}

func (b *browser) post(path string, fields url.Values) *http.Response {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", b.base+path, bytes.NewBufferString(fields.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func (b *browser) signIn(email, password string) *http.Response {
	b.t.Helper()
	b.get("/signin")
	b.submit("/signin", url.Values{"email": {email}})
	return b.submit("/signin/password", url.Values{"password": {password}})
}

// token is the one in a link.
func token(t testing.TB, link string) (path, token string) {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Host != "example.org" || u.Query().Get("token") == "" {
		t.Fatalf("link %q, %v", link, err)
	}
	return u.Path, u.Query().Get("token")
}
