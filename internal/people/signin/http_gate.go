package signin

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// gatePages are those for who is not signed in, or must prove it again.
func (s *Service) gatePages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /signin":           s.getSignIn,
		"POST /signin":          s.postSignIn,
		"GET /signin/password":  s.step(Named, "password"),
		"POST /signin/password": s.postPassword,
		"POST /signin/other":    s.postOther,
		"GET /signin/second":    s.step(Second, "second"),
		"POST /signin/second":   s.postCode("second", false),
		"GET /signin/recovery":  s.step(Second, "recovery"),
		"POST /signin/recovery": s.postCode("recovery", true),
		"GET /signin/mail":      s.step(Mailed, "mailed"),
		"POST /signin/mail":     s.postMailCode,
		"GET /signin/again":     s.member(s.getAgain),

		"POST /signin/passkey":        s.postChallenge,
		"POST /signin/passkey/finish": s.postPasskey,

		"POST /signin/lang": s.postLang,
		"GET /signout":      s.getSignOut,
		"POST /signout":     s.postSignOut,

		"GET /signup":  s.getSignUp,
		"POST /signup": s.postSignUp,
		"GET /verify":  s.confirm("verify", "/verify", account.LinkVerify, false),
		"POST /verify": s.postVerify,

		"GET /reset":      s.getReset,
		"POST /reset":     s.postReset,
		"GET /reset/new":  s.getNewPassword,
		"POST /reset/new": s.postNewPassword,

		"GET /frozen":  s.confirm("freeze", "/frozen", account.LinkFreeze, true),
		"POST /frozen": s.postFrozen,

		"GET /setup":  s.getSetup,
		"POST /setup": s.postSetup,
	}
}

// passkeys says whether this server has them at all.
func (s *Service) passkeys() bool { return s.needs.Enrolment != nil }

func (s *Service) getSignIn(v *visit) error {
	q := v.r.URL.Query()
	to := local(q.Get("to"))
	if v.in() {
		v.redirect(orElse(to, "/account"))
		return nil
	}
	p := s.signInView(to)
	p.Form = map[string]string{"email": bounded(q.Get("email"))}
	if key := q.Get("done"); key == "verify" || key == "reset" || key == "signout" {
		p.Notice = s.texts.Text(v.lang, "done."+key)
	}
	return s.show(v, "signin", p, nil)
}

// signInView is the page where a sign-in begins.
func (s *Service) signInView(to string) view {
	return view{To: to, SignUp: s.needs.SignUp, Passkeys: s.passkeys(), Script: s.passkeys(), Providers: s.providers()}
}

// bounded is a typed text as it may be shown again.
func bounded(text string) string {
	if len(text) > maxTyped {
		return ""
	}
	return text
}

func orElse(text, other string) string {
	if text != "" {
		return text
	}
	return other
}

func (s *Service) postSignIn(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	typed, to := v.r.PostForm.Get("email"), local(v.r.PostForm.Get("to"))
	if typed == "" || len(typed) > maxTyped {
		return s.show(v, "signin", s.signInView(to), account.ErrEmail)
	}
	ref, browser, err := s.Begin(v.r.Context(), v.client, Beginning{Typed: typed, To: to})
	if err != nil {
		return err
	}
	v.setCookie(cookieFlow, browser, flowLife)
	// Programs that keep passwords fill in the whole form: then the next step is taken at once.
	if password := v.r.PostForm.Get("password"); password != "" {
		v.client.Browser = browser
		f, g, err := s.Password(v.r.Context(), v.client, ref, password, false)
		return s.after(v, "password", ref, f, g, err)
	}
	v.redirect("/signin/password?flow=" + ref.Token)
	return nil
}

func (s *Service) getAgain(v *visit) error {
	ref, browser, err := s.Begin(v.r.Context(), v.client, Beginning{To: v.r.URL.Query().Get("to"), Again: v.session.ID})
	if err != nil {
		return err
	}
	v.setCookie(cookieFlow, browser, flowLife)
	v.redirect("/signin/password?flow=" + ref.Token)
	return nil
}

// step shows the page of one state, or leads to the page of the state that the flow is in.
func (s *Service) step(of State, name string) func(v *visit) error {
	return func(v *visit) error {
		token := v.r.URL.Query().Get("flow")
		f, ref, err := s.At(v.r.Context(), v.client, token)
		if err != nil {
			return err
		}
		if f.State != of {
			v.redirect(pageOf(f, token))
			return nil
		}
		return s.showStep(v, name, f, ref, nil)
	}
}

// pageOf is the page of a flow's state.
func pageOf(f Flow, token string) string {
	switch f.State {
	case Named:
		return "/signin/password?flow=" + url.QueryEscape(token)
	case Second:
		return "/signin/second?flow=" + url.QueryEscape(token)
	case Vouched:
		return "/signin/social/new?flow=" + url.QueryEscape(token)
	case Linking:
		return "/account/links"
	case Mailed:
		return "/signin/mail?flow=" + url.QueryEscape(token)
	}
	return "/signin"
}

func (s *Service) showStep(v *visit, name string, f Flow, ref Ref, told error) error {
	p := view{Ref: ref, Typed: f.Typed, Again: f.Only != "", Passkeys: s.passkeys(), Script: s.passkeys()}
	if p.NoPassword = p.Again && !f.Own; p.NoPassword {
		p.Passkeys, p.Script = false, false
	}
	if f.Claim != nil {
		p.Data = s.vouchedOf(f)
	} else if f.State == Named && !f.Own {
		var err error
		if p.Providers, err = s.providersOf(v, f); err != nil {
			return err
		}
	}
	return s.show(v, name, p, told)
}

// refOf is the step that a form is about.
func (v *visit) refOf() Ref {
	step, err := strconv.ParseInt(v.r.PostForm.Get("step"), 10, 64)
	if err != nil {
		step = -1 // no step: ErrStep
	}
	return Ref{Token: v.r.PostForm.Get("flow"), Step: step}
}

// after answers a step: with the end, the next page, or the same page and what was wrong.
func (s *Service) after(v *visit, name string, ref Ref, f Flow, g *Grant, err error) error {
	switch {
	case errors.Is(err, ErrFlow):
		return err
	case f.State == Closed:
		return s.message(v, "closed", "/signin", err)
	case g != nil && err == nil:
		return s.admit(v, g)
	case err != nil && !isPersons(err) && !isLimited(err):
		return err
	}
	now, at, lost := s.At(v.r.Context(), v.client, ref.Token)
	if lost != nil {
		return lost
	}
	if err == nil || errors.Is(err, ErrStep) {
		v.redirect(pageOf(now, ref.Token))
		return nil
	}
	if errors.Is(err, ErrUnproved) {
		return s.message(v, "sent", "/signin", nil)
	}
	return s.showStep(v, name, now, at, err)
}

// admit ends a sign-in: the cookies are set, and the browser goes where it wanted to.
func (s *Service) admit(v *visit, g *Grant) error {
	life := lifeOf(g.Keep)
	v.setCookie(CookieSession, g.Cookie, life)
	if g.Device != "" {
		v.setCookie(cookieDevice, g.Device, deviceLife)
	}
	to, shown := noticed(g)
	if g.Replacement != "" {
		return s.show(v, "replaced", view{To: to, Data: g}, nil)
	}
	if g.Linked != "" && g.Linked != linked && !shown {
		return s.message(v, "notlinked", to, nil)
	}
	v.redirect(to)
	return nil
}

// noticed is where a browser goes after a sign-in, and whether a notice of a link is shown there: it is on the account's pages.
func noticed(g *Grant) (to string, shown bool) {
	if g.Linked == "" {
		return orElse(g.To, "/account"), false
	}
	u, err := url.Parse(orElse(g.To, "/account/links"))
	if err != nil || u.Path != "/account" && !strings.HasPrefix(u.Path, "/account/") {
		return g.To, false
	}
	q := u.Query()
	q.Set("done", g.Linked)
	u.RawQuery = q.Encode()
	return u.String(), true
}

// lifeOf is how long a browser keeps the cookie of a session; 0 is until it ends.
func lifeOf(keep bool) time.Duration {
	if keep {
		return absKept
	}
	return 0
}

func (s *Service) postPassword(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	ref := v.refOf()
	f, g, err := s.Password(v.r.Context(), v.client, ref, v.r.PostForm.Get("password"), v.r.PostForm.Get("keep") == "yes")
	return s.after(v, "password", ref, f, g, err)
}

func (s *Service) postCode(name string, recovery bool) func(v *visit) error {
	return func(v *visit) error {
		if err := v.form(); err != nil {
			return err
		}
		ref, code := v.refOf(), v.r.PostForm.Get("code")
		if len(code) > 64 {
			code = ""
		}
		f, g, err := s.Code(v.r.Context(), v.client, ref, code, recovery)
		return s.after(v, name, ref, f, g, err)
	}
}

func (s *Service) postMailCode(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	ref, code := v.refOf(), v.r.PostForm.Get("code")
	if len(code) > 64 {
		code = ""
	}
	f, g, err := s.MailCode(v.r.Context(), v.client, ref, code)
	return s.after(v, "mailed", ref, f, g, err)
}

func (s *Service) postOther(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Rename(v.r.Context(), v.client, v.refOf()); err != nil && !errors.Is(err, ErrStep) && !errors.Is(err, ErrFlow) {
		return err
	}
	v.redirect("/signin")
	return nil
}

// wireChallenge asks for a passkey's challenge: in a flow, or in one that begins with it.
type wireChallenge struct {
	Flow string `json:"flow"`
	Step int64  `json:"step"`
	To   string `json:"to"`
}

type wireOptions struct {
	Flow    string          `json:"flow"`
	Step    int64           `json:"step"`
	Options json.RawMessage `json:"options"`
}

func (s *Service) postChallenge(v *visit) error {
	var in wireChallenge
	if err := rest.Read(v.r, &in); err != nil {
		return s.failJSON(v, err)
	}
	ref := Ref{in.Flow, in.Step}
	if in.Flow == "" {
		var browser string
		var err error
		if ref, browser, err = s.Begin(v.r.Context(), v.client, Beginning{To: in.To}); err != nil {
			return s.failJSON(v, err)
		}
		v.setCookie(cookieFlow, browser, flowLife)
		v.client.Browser = browser
	}
	options, next, err := s.Challenge(v.r.Context(), v.client, ref)
	if err != nil {
		return s.failJSON(v, err)
	}
	return rest.Write(v.w, http.StatusOK, "application/json", wireOptions{next.Token, next.Step, options})
}

type wireAnswer struct {
	Flow     string          `json:"flow"`
	Step     int64           `json:"step"`
	Response json.RawMessage `json:"response"`
}

type wireDone struct {
	To string `json:"to"`
}

func (s *Service) postPasskey(v *visit) error {
	var in wireAnswer
	if err := rest.Read(v.r, &in); err != nil {
		return s.failJSON(v, err)
	}
	_, g, err := s.Passkey(v.r.Context(), v.client, Ref{in.Flow, in.Step}, in.Response, false)
	if err != nil {
		return s.failJSON(v, err)
	}
	if g == nil {
		return s.failJSON(v, ErrStep)
	}
	v.setCookie(CookieSession, g.Cookie, lifeOf(g.Keep))
	if g.Device != "" {
		v.setCookie(cookieDevice, g.Device, deviceLife)
	}
	return rest.Write(v.w, http.StatusOK, "application/json", wireDone{orElse(g.To, "/account")})
}

// failJSON answers a script; it only looks at the status.
func (s *Service) failJSON(v *visit, err error) error {
	rest.Fail(s.needs.Log, v.w, v.r, err)
	return nil
}

func (s *Service) postLang(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if lang := v.r.PostForm.Get("lang"); tongue.Spoken(lang) {
		v.setCookie(cookieLang, lang, deviceLife)
	}
	v.redirect(orElse(local(v.r.PostForm.Get("to")), "/signin"))
	return nil
}

// SignOutPage is the address that asks whether to sign out, and then leads to returnTo: an
// address of a program that whoever calls has checked, or "". It is sealed, so that
// nobody else can make one that leads elsewhere.
func (s *Service) SignOutPage(returnTo string) (string, error) {
	if returnTo == "" {
		return s.needs.Origin() + "/signout", nil
	}
	sealed, err := s.needs.Keys.Purpose("signin-signout").Seal([]byte(returnTo), []byte("signin returnTo"))
	if err != nil {
		return "", err
	}
	return s.needs.Origin() + "/signout?to=" + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// returnTo opens what SignOutPage has sealed; "" for anything else.
func (s *Service) returnTo(text string) string {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(text) > 4096 {
		return ""
	}
	plain, err := s.needs.Keys.Purpose("signin-signout").Open(sealed, []byte("signin returnTo"))
	if err != nil {
		return ""
	}
	return string(plain)
}

func (s *Service) getSignOut(v *visit) error {
	to := v.r.URL.Query().Get("to")
	if address := s.returnTo(to); address != "" {
		guardHeaders(v.w.Header(), strings.Join(origins([]string{address}), " "))
	} else {
		to = ""
	}
	return s.show(v, "confirm", view{Key: "leave", Action: "/signout", Token: to}, nil)
}

func (s *Service) postSignOut(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if v.in() {
		if err := s.EndSession(v.r.Context(), person(v.user.ID), v.session.ID); err != nil && !errors.Is(err, ErrSession) {
			return err
		}
	}
	v.setCookie(CookieSession, "", -1)
	v.w.Header().Set("Clear-Site-Data", `"cache"`)
	v.redirect(orElse(s.returnTo(v.r.PostForm.Get("token")), "/signin?done=signout"))
	return nil
}

func (s *Service) getSignUp(v *visit) error {
	if !s.needs.SignUp {
		return ErrNoSignUp
	}
	return s.show(v, "signup", view{Providers: s.providers()}, nil)
}

// typed are the fields of a form that may be shown again.
func (v *visit) typed(names ...string) map[string]string {
	all := map[string]string{}
	for _, name := range names {
		all[name] = v.r.PostForm.Get(name)
	}
	return all
}

func (s *Service) postSignUp(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	err := s.Join(v.r.Context(), v.client, f.Get("email"), f.Get("name"), f.Get("password"))
	if err != nil {
		if isPersons(err) || isLimited(err) {
			return s.show(v, "signup", view{Form: v.typed("name", "email"), Providers: s.providers()}, err)
		}
		return err
	}
	return s.message(v, "sent", "/signin", nil)
}

// confirm shows what a link from a mail would do. Looking at it does nothing: programs
// that check mail look at links, too.
func (s *Service) confirm(key, action string, purpose account.Purpose, danger bool) func(v *visit) error {
	return func(v *visit) error {
		token := v.r.URL.Query().Get("token")
		if _, err := s.needs.Accounts.Link(v.r.Context(), purpose, token); err != nil {
			return err
		}
		return s.show(v, "confirm", view{Key: key, Action: action, Token: token, Danger: danger}, nil)
	}
}

func (s *Service) postVerify(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Prove(v.r.Context(), v.r.PostForm.Get("token")); err != nil {
		return err
	}
	v.redirect("/signin?done=verify")
	return nil
}

func (s *Service) postFrozen(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.NotMe(v.r.Context(), v.client, v.r.PostForm.Get("token")); err != nil {
		return err
	}
	return s.message(v, "frozen", "/reset", nil)
}

func (s *Service) getReset(v *visit) error { return s.show(v, "reset", view{}, nil) }

func (s *Service) postReset(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Lost(v.r.Context(), v.client, v.r.PostForm.Get("email")); err != nil {
		if isPersons(err) || isLimited(err) {
			return s.show(v, "reset", view{Form: v.typed("email")}, err)
		}
		return err
	}
	return s.message(v, "resent", "/signin", nil)
}

func (s *Service) getNewPassword(v *visit) error {
	token := v.r.URL.Query().Get("token")
	if _, err := s.needs.Accounts.Link(v.r.Context(), account.LinkReset, token); err != nil {
		return err
	}
	return s.show(v, "newpassword", view{Token: token}, nil)
}

func (s *Service) postNewPassword(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	token := v.r.PostForm.Get("token")
	if _, err := s.Reset(v.r.Context(), v.client, token, v.r.PostForm.Get("password")); err != nil {
		if isPersons(err) && !errors.Is(err, account.ErrLink) {
			return s.show(v, "newpassword", view{Token: token}, err)
		}
		return err
	}
	v.setCookie(CookieSession, "", -1)
	v.redirect("/signin?done=reset")
	return nil
}

func (s *Service) getSetup(v *visit) error {
	token := v.r.URL.Query().Get("token")
	if _, err := s.needs.Accounts.Link(v.r.Context(), account.LinkSetup, token); err != nil {
		return err
	}
	return s.show(v, "setup", view{Token: token}, nil)
}

func (s *Service) postSetup(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	user, err := s.SetUp(v.r.Context(), f.Get("token"), f.Get("email"), f.Get("name"), f.Get("password"))
	if err != nil {
		if isPersons(err) && !errors.Is(err, account.ErrLink) {
			return s.show(v, "setup", view{Token: f.Get("token"), Form: v.typed("name", "email")}, err)
		}
		return err
	}
	g, err := s.Admit(v.r.Context(), v.client, user, methodPassword)
	if err != nil {
		return err
	}
	if s.needs.Enrolment != nil {
		g.To = "/account/ready"
	}
	return s.admit(v, g)
}

// getReady offers a second step to whoever has just made the first account, and leads on to the application.
func (s *Service) getReady(v *visit) error { return s.home(v, "ready", nil, nil) }
