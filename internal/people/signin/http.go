package signin

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// The names of our cookies. The prefix has browsers take them only over TLS, from
// this very host, for all of it (RFC 6265bis, section 4.1.3.2).
const (
	CookieSession = "__Host-ardesia"
	cookieDevice  = "__Host-ardesia-device"
	cookieFlow    = "__Host-ardesia-flow"
	cookieLang    = "__Host-ardesia-lang"
	// cookieTheme is how the application looks, where it is at our origin: its pages write it.
	cookieTheme = "__Host-ardesia-theme"
)

// Bounds of what a page is sent, in bytes.
const (
	maxForm   = 64 << 10
	maxUpload = account.MaxPicture + 16<<10
)

//go:embed page/*
var pageFiles embed.FS

// A pageSet has each page in each language: by language, then by name.
type pageSet map[string]map[string]*template.Template

// readPages are all pages of the program, ready for all who serve them.
var readPages = sync.OnceValues(func() (pageSet, error) {
	texts, err := readTexts()
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(pageFiles, "page/*.html")
	if err != nil {
		return nil, err
	}
	all := pageSet{}
	for _, lang := range tongue.Languages {
		all[lang] = map[string]*template.Template{}
		words := template.FuncMap{
			"t":       func(key string, args ...any) string { return texts.Text(lang, key, args...) },
			"told":    func(key string, args []any) string { return texts.Text(lang, key, args...) },
			"initial": initial, "count": func(n int) string { return counted(lang, n) }, "high": func(most int) int { return most * 9 / 10 },
			"scope": func(name string) string {
				if text, ok := texts.Texts[lang]["scope."+name]; ok {
					return text
				}
				return name
			},
		}
		for _, file := range names {
			name := strings.TrimSuffix(strings.TrimPrefix(file, "page/"), ".html")
			if name == "layout" {
				continue
			}
			t, err := template.New(name).Funcs(words).Option("missingkey=zero").ParseFS(pageFiles, "page/layout.html", file)
			if err != nil {
				return nil, err
			}
			all[lang][name] = t
		}
	}
	return all, nil
})

// A visit is one request for a page.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	lang    string
	client  Client
	session Session      // zero: nobody is signed in
	user    account.User // likewise
}

// who is the person who is signed in, in the private space, which is where what belongs
// to a person is.
func (v *visit) who() access.Actor {
	return access.Actor{Kind: access.User, ID: v.user.ID, Space: v.user.Space, Role: access.Admin, ACR: v.session.ACR()}
}

func (v *visit) in() bool { return v.session.ID != "" }

// A view is what a page is made of.
type view struct {
	Lang, Here string
	Theme      string // light or dark; system for what the browser is set to
	Langs      []langView
	Nav        []navView
	User       account.User
	Error      string
	Notice     string
	Form       map[string]string // what was typed, to show it again; never passwords

	Ref              Ref
	Typed, To, Token string
	Key, Action      string // of pages that only have texts
	Again, Danger    bool
	NoPassword       bool   // who proves again has neither password nor passkey
	Home             bool   // a page of the account, with its menu
	App              string // where the application is
	Passkeys, SignUp bool
	Providers        []social.Config // to sign in with
	Script           bool
	Zone             *time.Location // of the person; nil is UTC
	Data             any
}

type langView struct {
	Code, Name string
	Now        bool
}

type navView struct {
	Path, Key string
	Here      bool
}

// langNames is how each language calls itself.
var langNames = map[string]string{"en": "English", "it": "Italiano"}

// Pages are the addresses of this room, by the pattern of http.ServeMux. They are for
// browsers: what changes something answers to nobody but our own pages.
func (s *Service) Pages() map[string]http.Handler {
	all := map[string]http.Handler{}
	cross := http.NewCrossOriginProtection()
	add := func(pattern string, do func(v *visit) error) {
		all[pattern] = cross.Handler(s.page(do))
	}
	for pattern, do := range s.gatePages() {
		add(pattern, do)
	}
	if s.needs.Social != nil {
		for pattern, do := range s.socialPages() {
			add(pattern, do)
		}
		// A provider's form comes from its own origin, without our cookies. It is only handed on to the page above.
		all["POST /signin/with/{provider}"] = s.page(s.postReturned)
	}
	for pattern, do := range s.homePages() {
		add(pattern, s.member(do))
	}
	add("GET "+pathHand, s.member(s.getHand))
	for path, media := range map[string]string{
		"style.css": "text/css; charset=utf-8", "passkey.js": "text/javascript; charset=utf-8", "mark.svg": "image/svg+xml",
	} {
		all["GET /signin/"+path] = asset(path, media)
	}
	return all
}

// asset serves a file that is part of the program.
func asset(name, media string) http.Handler {
	text, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		panic(err) // embedded: it is there
	}
	sum := sha256.Sum256(text)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guardHeaders(w.Header(), "")
		w.Header().Set("Content-Type", media)
		w.Header().Set("ETag", tag)
		w.Header().Set("Cache-Control", "no-cache") // ask each time: the tag says whether it changed
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
	})
}

// guardHeaders are those of every answer. forms is a further origin that a form may lead to.
func guardHeaders(h http.Header, forms string) {
	csp := "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'"
	if forms != "" {
		csp += " " + forms
	}
	h.Set("Content-Security-Policy", csp+"; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()")
	h.Set("Strict-Transport-Security", "max-age=63072000")
	h.Set("Cache-Control", "no-store")
}

// page does what holds for all pages, and answers with the page's error.
func (s *Service) page(do func(v *visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		forms := ""
		if !s.sameOrigin() {
			forms = s.needs.Web() // signing in may lead there; browsers ask this of redirects, too
		}
		guardHeaders(w.Header(), forms)
		v := &visit{w: w, r: r, client: clientOf(r)}
		v.lang = v.client.Lang
		limit := int64(maxForm)
		if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
			limit = maxUpload
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		if err := s.serve(v, do); err != nil {
			s.fail(v, err)
		}
	})
}

func (s *Service) serve(v *visit, do func(v *visit) error) error {
	if v.r.Method == http.MethodPost {
		if err := s.takePost(v); err != nil {
			return err
		}
	}
	if cookie := cookieOf(v.r, CookieSession); cookie != "" {
		session, err := s.Look(v.r.Context(), cookie)
		if err == nil {
			v.user, err = s.needs.Accounts.Get(v.r.Context(), session.Account)
		}
		switch {
		case err == nil:
			v.session = session
		case !isPersons(err):
			return err
		}
	}
	return do(v)
}

// takePost bounds how much one address may send. Whoever shares it with somebody who sends too much gets on, in a
// browser that has let somebody in before; such a one is bounded by itself.
func (s *Service) takePost(v *visit) error {
	err := s.posts.Take(v.w.Header(), door.Address(v.r))
	hash := hashOf(v.client.Device)
	if err == nil || hash == nil {
		return err
	}
	met, lost := s.needs.Store.met(v.r.Context(), hash)
	if lost != nil {
		return lost
	}
	if !met {
		return err
	}
	return s.posts.Take(v.w.Header(), "device "+hex.EncodeToString(hash))
}

// member lets in who is signed in; others sign in first, and come back to what they can look at.
func (s *Service) member(do func(v *visit) error) func(v *visit) error {
	return func(v *visit) error {
		if v.in() {
			return do(v)
		}
		to := "/account"
		if v.r.Method == http.MethodGet {
			to = v.r.URL.RequestURI()
		}
		v.redirect("/signin?to=" + url.QueryEscape(to))
		return nil
	}
}

// fresh lets in whose proof is of a few minutes ago; others prove it again first.
func (s *Service) fresh(do func(v *visit) error) func(v *visit) error {
	return func(v *visit) error {
		if v.session.Fresh(s.needs.Now()) {
			return do(v)
		}
		v.proveAgain()
		return nil
	}
}

// proveAgain leads who is signed in to another proof, and then back to what they can look at.
func (v *visit) proveAgain() {
	path := v.r.URL.Path
	if v.r.Method != http.MethodGet {
		path = askedOn(path)
	}
	v.redirect("/signin/again?to=" + url.QueryEscape(path))
}

// askedOn is the page of a form that leads to path.
func askedOn(path string) string {
	if page, ok := formsOn[path]; ok {
		return page
	}
	if id, ok := strings.CutPrefix(path, "/account/spaces/"); ok {
		if id, _, ok := strings.Cut(id, "/members/"); ok {
			return "/account/spaces/" + id + "/members"
		}
	}
	for _, page := range []string{"/account/factors", "/account/addresses"} {
		if strings.HasPrefix(path, page+"/") {
			return page
		}
	}
	return path
}

// formsOn are the pages of forms that lead to another address than their own.
var formsOn = map[string]string{
	"/account/export": "/account/data", "/account/activity/export": "/account/activity",
	"/account/keys": "/account/keys/new", "/account/keys/revoke": "/account/keys",
	"/account/links/add": "/account/links", "/account/links/remove": "/account/links",
}

func clientOf(r *http.Request) Client {
	c := Client{Agent: describe(r.UserAgent()), Browser: cookieOf(r, cookieFlow), Device: cookieOf(r, cookieDevice), Lang: cookieOf(r, cookieLang)}
	c.Addr = rest.Client(r)
	if !tongue.Spoken(c.Lang) {
		c.Lang = tongue.Choose(r.Header.Get("Accept-Language"))
	}
	return c
}

func cookieOf(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie sets a cookie for the whole host; life 0 ends with the browser, below 0 now.
func (v *visit) setCookie(name, value string, life time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds())}
	if life < 0 {
		c.MaxAge = -1
	}
	http.SetCookie(v.w, c)
}

func (v *visit) redirect(to string) {
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
}

// errForm is a form that none of our pages sends.
var errForm = problem.New(problem.Invalid, "signin-form", "This form cannot be read. Go back, load the page again and try once more.")

// form reads what was posted.
func (v *visit) form() error {
	var err error
	if strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/form-data") {
		err = v.r.ParseMultipartForm(maxUpload)
	} else {
		err = v.r.ParseForm()
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return rest.ErrTooLarge
	}
	if err != nil {
		return errForm
	}
	for _, values := range v.r.PostForm {
		for _, text := range values {
			if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
				return errForm
			}
		}
	}
	return nil
}

// status is that of a page that shows an error.
func status(err error) int {
	if err == nil {
		return http.StatusOK
	}
	return rest.Status(err)
}

// show answers with a page. told is what went wrong, in the person's words; nil for nothing.
func (s *Service) show(v *visit, name string, p view, told error) error {
	p.Lang, p.Theme = v.lang, "system"
	if theme := cookieOf(v.r, cookieTheme); theme == "light" || theme == "dark" {
		p.Theme = theme
	}
	if p.Home {
		p.User, p.Nav, p.App = v.user, s.navOf(v.r.URL.Path), s.app()
		said, err := s.needs.Accounts.Profile(v.r.Context(), v.user.ID)
		if err != nil {
			return err
		}
		p.Zone = said.Location()
	}
	p.Here = v.r.URL.RequestURI()
	if v.r.Method != http.MethodGet {
		p.Here = v.r.URL.Path
	}
	if told != nil {
		p.Error = s.texts.problem(v.lang, told)
	}
	for _, code := range tongue.Languages {
		p.Langs = append(p.Langs, langView{code, langNames[code], code == v.lang})
	}
	var body bytes.Buffer
	t := s.pages[v.lang][name]
	if err := t.ExecuteTemplate(&body, "layout", p); err != nil {
		return err
	}
	h := v.w.Header()
	if told != nil {
		if wait := problem.Of(told).Retry; wait > 0 {
			h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		}
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", v.lang)
	v.w.WriteHeader(status(told))
	_, _ = v.w.Write(body.Bytes()) // who has gone away reads nothing
	return nil
}

// message answers with a page of text only.
func (s *Service) message(v *visit, key, to string, told error) error {
	return s.show(v, "message", view{Key: key, To: to}, told)
}

// fail answers with what went wrong. What is our own fault is logged here.
func (s *Service) fail(v *visit, err error) {
	if problem.Of(err).Kind == problem.Internal {
		if v.r.Context().Err() != nil {
			return // nobody reads an answer
		}
		s.needs.Log.ErrorContext(v.r.Context(), "page failed", "page", v.r.Pattern, "err", err)
	}
	to := "/signin"
	if v.in() {
		to = "/account"
	}
	if err := s.message(v, "failed", to, err); err != nil {
		s.needs.Log.ErrorContext(v.r.Context(), "page failed", "page", v.r.Pattern, "err", err)
		v.w.WriteHeader(http.StatusInternalServerError)
	}
}

// Actor is who a browser's request to the API is from: a person, in no space yet. ok is
// false when it brings no session that counts, or another origin makes the browser send it: then
// the cookie is as if it were not there.
func (s *Service) Actor(r *http.Request) (who access.Actor, ok bool, err error) {
	session, err := s.OfRequest(r)
	if isPersons(err) {
		return who, false, nil
	}
	if err != nil {
		return who, false, err
	}
	who = person(session.Account)
	who.ACR = session.ACR()
	return who, true, nil
}

// OfRequest is the session that a browser's request to the API counts by, here or at the application's origin: ErrSession when there is none.
func (s *Service) OfRequest(r *http.Request) (Session, error) {
	if !ownRequest(r) {
		return Session{}, ErrSession
	}
	one, err := s.Look(r.Context(), cookieOf(r, CookieSession))
	if isPersons(err) { // that of another time may still be there
		return s.look(r.Context(), cookieOf(r, cookieApp), s.needs.Store.appSession)
	}
	return one, err
}

// crossCheck refuses what another origin makes a browser send.
var crossCheck = http.NewCrossOriginProtection()

// ownRequest says whether a request with our cookie is our own pages' doing. Browsers
// also send the cookie with what another origin of the same site loads; that is refused
// for reading too.
func ownRequest(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return crossCheck.Check(r) == nil
	}
	return false
}

// A Login is who is signed in in a browser, as other rooms ask.
type Login struct {
	User    string
	At      time.Time
	AMR     []string
	ACR     string
	Session string
	Epoch   int64
}

// Session says who is signed in in the browser that asks.
func (s *Service) Session(r *http.Request) (Login, bool) {
	one, err := s.Look(r.Context(), cookieOf(r, CookieSession))
	if err != nil {
		return Login{}, false
	}
	return one.login(), true
}

// SignIn is the address of signing in that comes back to returnTo, a path of this server.
// again asks for a proof although somebody is signed in.
func (s *Service) SignIn(returnTo, hint string, again bool) string {
	path := "/signin"
	if again {
		path = "/signin/again"
	}
	q := url.Values{"to": {returnTo}}
	if hint != "" {
		q.Set("email", hint)
	}
	return s.needs.Origin() + path + "?" + q.Encode()
}
