package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ory/fosite"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// form are the parameters of a request, each once.
type form = url.Values

// Bounds of requests: more is nobody's.
const (
	maxForm  = 8 << 10 // bytes of all parameters
	maxField = 4 << 10 // bytes of one
	maxNames = 32
)

// single refuses parameters that are there twice (RFC 6749, section 3.1), too large or no text.
func single(f form) error {
	if len(f) > maxNames {
		return fosite.ErrInvalidRequest.WithHint("The request has too many parameters.")
	}
	for name, values := range f {
		if len(values) != 1 {
			return fosite.ErrInvalidRequest.WithHintf("A parameter is there twice: %s", clip(name))
		}
		if len(name) > 64 || len(values[0]) > maxField && name != paramContinue {
			return fosite.ErrInvalidRequest.WithHint("A parameter is too long.")
		}
		if !utf8.ValidString(values[0]) || strings.ContainsFunc(values[0], func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fosite.ErrInvalidRequest.WithHint("A parameter has characters that cannot be used.") // RFC 6749, appendix A
		}
	}
	return nil
}

func clip(text string) string { return text[:min(len(text), 32)] }

// A refusal is an authorisation request that cannot be sent back to its client, because
// it is not known where that is. People read it.
type refusal struct{ text string }

func (r refusal) Error() string { return r.text }

// A flow is one authorisation request, from the browser's first arrival to the code.
type flow struct {
	form   form
	begun  time.Time // when the browser came with it
	again  bool      // it comes back from signing in or from the consent page
	row    []byte    // hash of what waits, if it comes from there
	user   string    // who was asked for consent
	answer string    // and what the answer was
}

const (
	pathAuthorize = "/oauth2/authorize"
	pathLogout    = "/oauth2/logout"
	pathDevice    = "/device" // where people type user codes; the page belongs to signing in
	// paramContinue holds a request that was on its way; sealed, it may be longer than any other.
	paramContinue = "continue"
	prefixPushed  = "urn:ietf:params:oauth:request_uri:"
)

// load finds the request that a browser brings, itself or by reference.
func (s *Service) load(ctx context.Context, f form) (flow, error) {
	now := s.needs.Now()
	switch id := f.Get("waiting"); {
	case id != "":
		r, err := s.needs.Store.request(ctx, sum(id))
		if errors.Is(err, ErrAsked) || err == nil && (r.pushed || !now.Before(r.expiresAt)) {
			return flow{}, refusal{ErrAsked.Detail}
		}
		if err != nil {
			return flow{}, err
		}
		kept, err := s.openForm(r.form, r.hash)
		return flow{form: kept, begun: r.createdAt, again: true, row: r.hash, user: r.user, answer: r.answer}, err
	case f.Has(paramContinue):
		return s.openFlow(f.Get(paramContinue))
	case strings.HasPrefix(f.Get("request_uri"), prefixPushed):
		kept, err := s.takePushed(ctx, f)
		return flow{form: kept, begun: now}, err
	}
	return flow{form: f, begun: now}, nil
}

// takePushed uses up a request that was pushed. What else stands beside it does not count
// (RFC 9126, section 4).
func (s *Service) takePushed(ctx context.Context, f form) (form, error) {
	hash := sum(strings.TrimPrefix(f.Get("request_uri"), prefixPushed))
	r, err := s.needs.Store.request(ctx, hash)
	if err == nil && (!r.pushed || r.client != f.Get("client_id") || !s.needs.Now().Before(r.expiresAt)) {
		err = ErrAsked
	}
	if err == nil {
		err = s.needs.Store.takeRequest(ctx, hash)
	}
	if errors.Is(err, ErrAsked) {
		return nil, refusal{"This request has expired or was used already. Start again where you came from."}
	}
	if err != nil {
		return nil, err
	}
	return s.openForm(r.form, r.hash)
}

func (s *Service) sealForm(f form, hash []byte) ([]byte, error) {
	return s.needs.Seal.Seal([]byte(f.Encode()), formPlace(hash))
}

func (s *Service) openForm(sealed, hash []byte) (form, error) {
	plain, err := s.needs.Seal.Open(sealed, formPlace(hash))
	if err != nil {
		return nil, fmt.Errorf("open a request that waits: %w", err)
	}
	return url.ParseQuery(string(plain))
}

func flowPlace() []byte { return keys.Place("oauth_request", "continue", "1") }

// returnTo is where the browser comes back to with f. The request travels with it, sealed:
// nothing is kept for people who are not known yet.
func (s *Service) returnTo(f flow) (string, error) {
	plain := strconv.FormatInt(f.begun.UnixMicro(), 10) + " " + f.form.Encode()
	sealed, err := s.needs.Seal.Seal([]byte(plain), flowPlace())
	if err != nil {
		return "", err
	}
	return pathAuthorize + "?" + paramContinue + "=" + base64.RawURLEncoding.EncodeToString(sealed), nil
}

func (s *Service) openFlow(text string) (flow, error) {
	broken := refusal{"This link is broken or too old. Start again where you came from."}
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return flow{}, broken
	}
	plain, err := s.needs.Seal.Open(sealed, flowPlace())
	if err != nil {
		return flow{}, broken
	}
	at, query, _ := strings.Cut(string(plain), " ")
	micro, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return flow{}, broken
	}
	f, err := url.ParseQuery(query)
	begun := time.UnixMicro(micro)
	if err != nil || s.needs.Now().Sub(begun) > waitLife {
		return flow{}, broken
	}
	return flow{form: f, begun: begun, again: true}, nil
}

// sender checks what must be right before anybody is sent anywhere (RFC 6749, section 4.1.2.1).
func (s *Service) sender(ctx context.Context, f form) (Client, error) {
	c, err := s.client(ctx, f.Get("client_id"))
	if errors.Is(err, ErrClient) {
		return c, refusal{"The program that sent you here is not registered with this server."}
	}
	if err != nil {
		return c, err
	}
	if !redirectAllowed(c.Redirects, f.Get("redirect_uri")) {
		return c, refusal{"The program that sent you here named an address to return to that is not registered for it."}
	}
	return c, nil
}

// asked is what a request says, checked.
type asked struct {
	r      fosite.AuthorizeRequester
	scopes []string
	prompt []string
	maxAge time.Duration // below 0: any
	acr    string
	hint   string // the person that an ID token names
}

// check reads a request whose client and redirect address are right.
func (s *Service) check(ctx context.Context, r *http.Request, c Client, f form) (asked, error) {
	a := asked{scopes: words(f.Get("scope")), prompt: words(f.Get("prompt")), maxAge: -1, acr: wanted(f.Get("acr_values"))}
	if f.Has("request") {
		return a, fosite.ErrRequestNotSupported
	}
	if f.Has("request_uri") {
		return a, fosite.ErrRequestURINotSupported
	}
	if mode := f.Get("response_mode"); mode != "" && mode != "query" {
		return a, fosite.ErrUnsupportedResponseMode.WithHint("Only response_mode query is supported.")
	}
	if f.Get("code_challenge_method") != "S256" || !isChallenge(f.Get("code_challenge")) {
		return a, fosite.ErrInvalidRequest.WithHint("PKCE is required: code_challenge with code_challenge_method S256.")
	}
	if len(a.scopes) == 0 {
		return a, fosite.ErrInvalidScope.WithHint("Say which scopes you ask for.")
	}
	if !within(a.prompt, []string{"none", "login", "consent", "select_account"}) || slices.Contains(a.prompt, "none") && len(a.prompt) > 1 {
		return a, fosite.ErrInvalidRequest.WithHint("prompt is none, or some of login, consent and select_account.")
	}
	if text := f.Get("max_age"); text != "" {
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return a, fosite.ErrInvalidRequest.WithHint("max_age is a number of seconds.")
		}
		a.maxAge = time.Duration(n) * time.Second
	}
	if text := f.Get("id_token_hint"); text != "" {
		hint, err := s.readIDToken(text)
		if err != nil || hint.Audience != c.ID {
			return a, fosite.ErrInvalidRequest.WithHint("id_token_hint is not an ID token of this client.")
		}
		a.hint = hint.Subject
	}
	// The library insists on a state and on knowing every response mode; a client with PKCE may go without.
	given := form{}
	for name, values := range f {
		given[name] = values
	}
	given.Del("response_mode")
	if given.Get("state") == "" {
		given.Set("state", "-")
	}
	bare := r.Clone(ctx)
	bare.Form, bare.PostForm, bare.MultipartForm, bare.Body = given, form{}, nil, http.NoBody
	bare.Header.Del("Content-Type")
	var err error
	a.r, err = s.provider.f.NewAuthorizeRequest(ctx, bare)
	return a, err
}

// isChallenge is 32 bytes in base64url (RFC 7636, section 4.2, for S256).
func isChallenge(text string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	return err == nil && len(b) == 32
}

func (s *Service) readIDToken(text string) (idClaims, error) {
	var c idClaims
	if len(text) > maxToken {
		return c, ErrToken
	}
	kind, body, err := s.open(text)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(body, &c); err != nil {
		return c, err
	}
	if kind != typeJWT || c.Issuer != s.needs.Origin() || c.Subject == "" {
		return c, ErrToken
	}
	return c, nil // its time does not matter: it says who, not whether
}

// authorize says where the browser goes next: to sign in, to the consent page, or back
// to the client with a code or an error. Its error is ours, or a refusal.
func (s *Service) authorize(r *http.Request, f form) (string, error) {
	ctx := r.Context()
	fl, err := s.load(ctx, f)
	if err != nil {
		return "", err
	}
	c, err := s.sender(ctx, fl.form)
	if err != nil {
		return "", err
	}
	next, err := s.decide(r, c, fl)
	if err == nil {
		return next, nil
	}
	var refused refusal
	if errors.As(err, &refused) {
		return "", err
	}
	e, ours := oauthError(err)
	if ours {
		return "", err
	}
	return s.back(fl.form, form{"error": {e.ErrorField}, "error_description": {describe(e)}}), nil
}

// back is the client's address with an answer, which names its issuer (RFC 9207).
func (s *Service) back(f, answer form) string {
	if state := f.Get("state"); state != "" {
		answer.Set("state", state)
	}
	answer.Set("iss", s.needs.Origin())
	glue := "?"
	if strings.Contains(f.Get("redirect_uri"), "?") {
		glue = "&"
	}
	return f.Get("redirect_uri") + glue + answer.Encode()
}

var (
	errLogin    = fosite.ErrLoginRequired
	errConsent  = fosite.ErrConsentRequired
	errInteract = fosite.ErrInteractionRequired
)

func (s *Service) decide(r *http.Request, c Client, fl flow) (string, error) {
	a, err := s.check(r.Context(), r, c, fl.form)
	if err != nil {
		return "", err
	}
	b := s.browser.Load()
	if b == nil {
		return "", errBrowser
	}
	silent := slices.Contains(a.prompt, "none")
	login, ok := b.Login(r)
	if hint, need := s.mustSignIn(a, fl, login, ok); need {
		switch {
		case silent && ok && hint.ACR != "":
			return "", errInteract
		case silent, ok && a.hint != "" && a.hint != login.User && fl.fresh(login):
			return "", errLogin
		}
		hint.LoginHint = fl.form.Get("login_hint")
		back, err := s.returnTo(flow{form: fl.form, begun: fl.begun})
		if err != nil {
			return "", err
		}
		return b.SignIn(r, back, hint), nil
	}
	if fl.user != login.User {
		fl.row, fl.answer = nil, "" // somebody else was asked
	}
	if !c.First || !assured(c, fl.form) {
		agreed, err := s.agreed(r.Context(), c, a, fl, login)
		if err != nil {
			return "", err
		}
		if !agreed && silent {
			return "", errConsent
		}
		if !agreed {
			id, err := s.ask(r.Context(), c, fl, login)
			if err != nil {
				return "", err
			}
			return b.Consent(r, id), nil
		}
	}
	return s.issue(r.Context(), c, a, fl, login)
}

// fresh says that the person signed in because of this request.
func (f flow) fresh(l Login) bool { return f.again && !l.At.Before(f.begun) }

// mustSignIn says whether the person has to sign in first, and how.
func (s *Service) mustSignIn(a asked, fl flow, l Login, ok bool) (Hint, bool) {
	hint := Hint{MaxAge: a.maxAge}
	for _, p := range []string{"select_account", "login"} {
		if slices.Contains(a.prompt, p) {
			hint.Prompt = p
		}
	}
	weak := a.acr != "" && level(l.ACR) < level(a.acr)
	if weak {
		hint.ACR = a.acr
	}
	other := a.hint != "" && a.hint != l.User
	switch {
	case !ok, other:
		return hint, true
	case fl.fresh(l):
		return hint, false // acr_values are a wish: the ID token says what it came to
	}
	old := a.maxAge >= 0 && s.needs.Now().Sub(l.At) > a.maxAge
	return hint, hint.Prompt != "" || old || weak
}

// assured says that only the client itself gets the code: it has a secret, or an address
// that is its alone. Anything on a person's machine can listen on a loopback port, so the
// person is asked each time, whoever it says it is (RFC 8252, section 8.6).
func assured(c Client, f form) bool {
	return !c.Public() || strings.HasPrefix(f.Get("redirect_uri"), "https://")
}

// agreed says whether the person has agreed, now or before; a no is ErrAccessDenied.
func (s *Service) agreed(ctx context.Context, c Client, a asked, fl flow, l Login) (bool, error) {
	switch fl.answer {
	case answerNo:
		if err := s.needs.Store.takeRequest(ctx, fl.row); err != nil && !errors.Is(err, ErrAsked) {
			return false, err
		}
		return false, fosite.ErrAccessDenied
	case answerYes:
		return true, nil
	}
	if slices.Contains(a.prompt, "consent") || !assured(c, fl.form) {
		return false, nil
	}
	before, err := s.consent(ctx, l.User, c.ID)
	return within(a.scopes, before.Scopes), err
}

// ask keeps a request until its person has answered.
func (s *Service) ask(ctx context.Context, c Client, fl flow, l Login) (id string, err error) {
	id = random()
	r := waiting{hash: sum(id), client: c.ID, user: l.User, createdAt: fl.begun, expiresAt: s.needs.Now().Add(waitLife)}
	if r.form, err = s.sealForm(fl.form, r.hash); err != nil {
		return "", err
	}
	return id, s.needs.Store.addRequest(ctx, r)
}

// issue sends the person back with a code.
func (s *Service) issue(ctx context.Context, c Client, a asked, fl flow, l Login) (string, error) {
	if fl.row != nil {
		if err := s.needs.Store.takeRequest(ctx, fl.row); errors.Is(err, ErrAsked) {
			return "", refusal{ErrAsked.Detail}
		} else if err != nil {
			return "", err
		}
	}
	for _, scope := range a.scopes {
		a.r.GrantScope(scope)
	}
	g := Grant{
		Client: c.ID, User: l.User, Session: l.Session, Offline: slices.Contains(a.scopes, ScopeOffline), Epoch: l.Epoch,
		AuthAt: l.At.UTC().Truncate(time.Microsecond), ACR: l.ACR, AMR: l.AMR,
	}
	answer, err := s.provider.f.NewAuthorizeResponse(ctx, a.r, &session{grant: g})
	if err != nil {
		return "", err
	}
	return s.back(fl.form, form{"code": {answer.GetCode()}}), nil
}
