package signin

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// The application has an origin of its own in production, so that none of its script ever runs where people type
// passwords. A session is handed over to it: the application's origin gives the browser a random value and names its
// SHA-256 to the page of this origin, which answers who is signed in with a word that counts once, for a minute, and only in the browser that
// has that value. So neither does somebody else's word sign anybody in, nor is a word worth anything to who reads it; what is brought with
// the wrong value does not count again.

const (
	cookieApp  = "__Host-ardesia-app"  // the session, at the application's origin
	cookieHand = "__Host-ardesia-hand" // what a word must be brought with

	handLife = time.Minute
	handWait = time.Hour // for signing in
	maxHands = 16        // words of one session that are under way: as many tabs may ask at once

	pathHand = "/session/hand"
)

// ErrHand is a session that cannot be taken over.
var ErrHand = problem.New(problem.Invalid, "signin-hand", "This sign-in was begun in another browser, or is too old. Open the application again.")

// AppPages are the addresses of this room at the application's origin.
func (s *Service) AppPages() map[string]http.Handler {
	return map[string]http.Handler{"GET /app/signin": s.page(s.getAppSignIn), "GET /app/session": s.page(s.getAppSession)}
}

// sameOrigin says whether the application is where people sign in, as in development.
func (s *Service) sameOrigin() bool { return strings.EqualFold(s.needs.Web(), s.needs.Origin()) }

// app is where the application begins.
func (s *Service) app() string {
	if s.sameOrigin() {
		return "/app/"
	}
	return s.needs.Web() + "/app/"
}

// appPath is a path of the application, /app/ for what is none.
func appPath(to string) string {
	if to = local(to); strings.HasPrefix(to, "/app/") {
		return to
	}
	return "/app/"
}

// getAppSignIn leads a browser to where it signs in, and back.
func (s *Service) getAppSignIn(v *visit) error {
	to := appPath(v.r.URL.Query().Get("to"))
	if s.sameOrigin() {
		v.redirect("/signin?" + url.Values{"to": {to}}.Encode())
		return nil
	}
	if web, err := url.Parse(s.needs.Web()); err != nil || !strings.EqualFold(web.Host, v.r.Host) {
		v.redirect(s.needs.Web() + v.r.URL.RequestURI()) // cookies are of one host
		return err
	}
	value := cookieOf(v.r, cookieHand)
	hash := hashOf(value)
	if hash == nil { // else another tab is on its way, and has it already
		value, hash = newToken()
	}
	v.setCookie(cookieHand, value, handWait)
	v.redirect(s.needs.Origin() + pathHand + "?" + url.Values{"for": {base64.RawURLEncoding.EncodeToString(hash)}, "to": {to}}.Encode())
	return nil
}

// getHand hands the session of who is signed in over to the application.
func (s *Service) getHand(v *visit) error {
	browser, err := base64.RawURLEncoding.DecodeString(v.r.URL.Query().Get("for"))
	if err != nil || len(browser) != hashLen || s.sameOrigin() {
		return ErrHand
	}
	word, hash := newToken()
	now := s.needs.Now()
	row := handRow{hash: hash, session: v.session.ID, browser: browser, expires: now.Add(handLife).UnixMicro()}
	if err := s.needs.Store.addHand(v.r.Context(), row, now.UnixMicro(), maxHands); err != nil {
		return err
	}
	v.redirect(s.needs.Web() + "/app/session?" + url.Values{"word": {word}, "to": {appPath(v.r.URL.Query().Get("to"))}}.Encode())
	return nil
}

// getAppSession takes a session over. Its answer has no page's look: that is at the other origin.
func (s *Service) getAppSession(v *visit) error {
	to := appPath(v.r.URL.Query().Get("to"))
	word, browser := hashOf(v.r.URL.Query().Get("word")), hashOf(cookieOf(v.r, cookieHand))
	cookie, hash := newToken()
	taken, err := sessionRow{}, error(ErrHand)
	if word != nil {
		taken, err = s.needs.Store.takeHand(v.r.Context(), handRow{hash: word, browser: browser, expires: s.needs.Now().UnixMicro()}, hash)
	}
	if errors.Is(err, ErrHand) {
		if _, lost := s.OfRequest(v.r); lost == nil { // by another tab
			v.redirect(to)
			return nil
		}
		http.Error(v.w, ErrHand.Detail+"\n\n"+s.needs.Web()+"/app/", http.StatusBadRequest)
		return nil
	}
	if err != nil {
		return err
	}
	v.setCookie(cookieApp, cookie, lifeOf(taken.idle == idleKept.Microseconds()))
	v.redirect(to)
	return nil
}
