package web

import (
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

// Cookies that choose the language: what somebody chose in the application, or else on the pages of the account, which may be
// of another origin.
const (
	cookieTongue = "__Host-ardesia-tongue"
	cookieLang   = "__Host-ardesia-lang"
)

// Tongue is the language of whoever asks: the one that they chose, or else their browser's. An answer that depends on it says
// Vary: Accept-Language, Cookie.
func Tongue(r *http.Request) string {
	lang := tongue.Choose(r.Header.Get("Accept-Language"))
	for _, name := range []string{cookieLang, cookieTongue} {
		if c, err := r.Cookie(name); err == nil && tongue.Spoken(c.Value) {
			lang = c.Value
		}
	}
	return lang
}

// Speak has a browser keep the language that somebody chose on a page beside the application. The application does the same by
// script (web/app/shell/theme.ts), so script may read and change it.
func Speak(w http.ResponseWriter, lang string) {
	http.SetCookie(w, &http.Cookie{Name: cookieTongue, Value: lang, Path: "/", Secure: true, SameSite: http.SameSiteLaxMode, MaxAge: 34560000})
}
