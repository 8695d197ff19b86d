package signin

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// homePages are those of a person's own account.
func (s *Service) homePages() map[string]func(v *visit) error {
	all := map[string]func(v *visit) error{
		"GET /account":                 s.getHome,
		"GET /account/ready":           s.getReady,
		"GET /account/profile":         s.getProfile,
		"POST /account/profile":        s.postProfile,
		"GET /account/picture":         s.getPicture,
		"POST /account/picture":        s.postPicture,
		"POST /account/picture/remove": s.postNoPicture,
		"GET /account/password":        s.fresh(s.getPassword),
		"POST /account/password":       s.fresh(s.postNewOwnPassword),
		"GET /account/email":           s.fresh(s.getEmail),
		"POST /account/email":          s.fresh(s.postEmail),
		"GET /account/sessions":        s.getSessions,
		"POST /account/sessions/end":   s.postEnd,
		"POST /account/sessions/all":   s.postEndOthers,
		"GET /account/privacy":         s.getPrivacy,
		"POST /account/privacy":        s.postPrivacy,
		"POST /account/privacy/forget": s.postForgetBrowsers,
		"GET /account/checkup":         s.getCheckup,
		"GET /account/data":            s.getData,
		"POST /account/export":         s.fresh(s.postExport),
		"GET /account/delete":          s.fresh(s.getDelete),
		"POST /account/delete":         s.fresh(s.postDelete),
		"POST /account/stay":           s.postStay,
	}
	maps.Copy(all, s.keyPages())
	maps.Copy(all, s.addressPages())
	if s.needs.Enrolment != nil {
		maps.Copy(all, s.factorPages())
	}
	if s.needs.Deeds != nil {
		all["GET /account/activity"], all["POST /account/activity/export"] = s.getActivity, s.fresh(s.postActivityExport)
	}
	if s.needs.Spaces != nil {
		maps.Copy(all, s.spacePages())
	}
	if s.needs.Social != nil {
		maps.Copy(all, s.linkPages())
	}
	if s.needs.Provider != nil {
		maps.Copy(all, s.consentPages())
	}
	if s.needs.Invitations != nil {
		maps.Copy(all, s.invitationPages())
	}
	return all
}

// sections are the pages of the menu.
var sections = []navView{
	{Path: "/account", Key: "nav.home"}, {Path: "/account/profile", Key: "nav.profile"}, {Path: "/account/spaces", Key: "nav.spaces"}, {Path: "/account/checkup", Key: "nav.checkup"},
	{Path: "/account/factors", Key: "nav.factors"}, {Path: "/account/links", Key: "nav.links"}, {Path: "/account/sessions", Key: "nav.sessions"}, {Path: "/account/keys", Key: "nav.keys"},
	{Path: "/account/activity", Key: "nav.activity"}, {Path: "/account/privacy", Key: "nav.privacy"}, {Path: "/account/data", Key: "nav.data"},
}

// partOfHome are pages that stand in the menu under another.
var partOfHome = map[string]string{"/account/ready": "/account", "/account/password": "/account", "/account/email": "/account", "/account/addresses": "/account", "/account/delete": "/account/data"}

func (s *Service) navOf(path string) []navView {
	missing := map[string]bool{"/account/factors": s.needs.Enrolment == nil, "/account/spaces": s.needs.Spaces == nil, "/account/activity": s.needs.Deeds == nil,
		"/account/links": len(s.providers()) == 0}
	if under, ok := partOfHome[path]; ok {
		path = under
	}
	var all []navView
	for _, n := range sections {
		if missing[n.Path] {
			continue
		}
		n.Here = n.Path == path || n.Path != "/account" && strings.HasPrefix(path, n.Path+"/")
		all = append(all, n)
	}
	return all
}

// home answers with a page of the account.
func (s *Service) home(v *visit, name string, data any, told error) error {
	return s.show(v, name, view{Home: true, Data: data, Notice: s.notice(v)}, told)
}

// notices are what a page may be told by the address that led to it.
var notices = map[string]bool{
	"added": true, "removed": true, "device": true, "denied": true, "saved": true, "password": true, "email": true, "ended": true, "revoked": true, "stay": true, "picture": true, "joined": true,
	"forgotten": true, "address": true, "preferred": true, "dropped": true, "left": true, "role": true, "put-out": true, "withdrawn": true, "invited": true, "resent": true,
	"handed": true, "offered": true, "taken": true, "disbanded": true, "logo": true,
	"linked": true, "unlinked": true, "unlinkable": true, "late": true, "not-linked": true,
}

func (s *Service) notice(v *visit) string {
	if done := v.r.URL.Query().Get("done"); notices[done] {
		return s.texts.Text(v.lang, "done."+done)
	}
	return ""
}

type homeData struct {
	Sessions int
	Keys     int
	Picture  bool
	Set      Set
	Factors  bool // this server has second proofs
}

func (s *Service) getHome(v *visit) error {
	ctx := v.r.Context()
	all, err := s.Sessions(ctx, v.user.ID)
	if err != nil {
		return err
	}
	keys, err := s.liveKeys(v)
	if err != nil {
		return err
	}
	image, _, err := s.needs.Accounts.Picture(ctx, v.user.ID)
	if err != nil {
		return err
	}
	set, err := s.needs.Factors.Of(ctx, v.user.ID)
	if err != nil {
		return err
	}
	return s.home(v, "home", homeData{len(all), len(keys), image != nil, set, s.needs.Enrolment != nil}, nil)
}

type profileData struct {
	Name    string
	Profile account.Profile
	Picture bool
	Langs   []langView
	Zones   []string
}

func (s *Service) getProfile(v *visit) error {
	p, err := s.needs.Accounts.Profile(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	return s.showProfile(v, v.user.Name, p, nil)
}

func (s *Service) showProfile(v *visit, name string, p account.Profile, told error) error {
	image, _, err := s.needs.Accounts.Picture(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	d := profileData{Name: name, Profile: p, Picture: image != nil, Zones: strings.Fields(zones)}
	for _, code := range tongue.Languages {
		d.Langs = append(d.Langs, langView{code, langNames[code], code == p.Lang})
	}
	return s.home(v, "profile", d, told)
}

func addressOf(f func(string) string, prefix string) account.Address {
	return account.Address{
		Name: f(prefix + "-name"), Street: f(prefix + "-street"), Extra: f(prefix + "-extra"), Postcode: f(prefix + "-postcode"),
		City: f(prefix + "-city"), Region: f(prefix + "-region"), Country: f(prefix + "-country"),
	}
}

func (s *Service) postProfile(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm.Get
	p := account.Profile{Username: f("username"), Phone: f("phone"), Lang: f("lang"), Zone: f("zone"), Shipping: addressOf(f, "shipping"), Billing: addressOf(f, "billing")}
	if err := s.needs.Accounts.SetProfile(v.r.Context(), person(v.user.ID), v.user.ID, f("name"), p); err != nil {
		if isPersons(err) {
			return s.showProfile(v, f("name"), p, err)
		}
		return err
	}
	if tongue.Spoken(p.Lang) {
		v.setCookie(cookieLang, p.Lang, deviceLife)
	}
	v.redirect("/account/profile?done=saved")
	return nil
}

func (s *Service) getPicture(v *visit) error {
	image, media, err := s.needs.Accounts.Picture(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	if image == nil {
		v.w.WriteHeader(http.StatusNotFound)
		return nil
	}
	v.w.Header().Set("Content-Type", media)
	_, _ = v.w.Write(image)
	return nil
}

func (s *Service) postPicture(v *visit) error {
	upload, err := v.upload("picture", account.MaxPicture, account.ErrPicture)
	if err == nil {
		err = s.needs.Accounts.SetPicture(v.r.Context(), person(v.user.ID), v.user.ID, upload)
	}
	if err != nil {
		if isPersons(err) {
			return s.pictureProblem(v, err)
		}
		return err
	}
	v.redirect("/account/profile?done=picture")
	return nil
}

func (s *Service) pictureProblem(v *visit, told error) error {
	p, err := s.needs.Accounts.Profile(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	return s.showProfile(v, v.user.Name, p, told)
}

func (s *Service) postNoPicture(v *visit) error {
	if err := s.needs.Accounts.SetPicture(v.r.Context(), person(v.user.ID), v.user.ID, nil); err != nil {
		return err
	}
	v.redirect("/account/profile?done=picture")
	return nil
}

func (s *Service) getPassword(v *visit) error { return s.home(v, "ownpassword", nil, nil) }

func (s *Service) postNewOwnPassword(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	cookie, err := s.SetPassword(v.r.Context(), v.client, v.session, v.r.PostForm.Get("password"))
	if err != nil {
		if isPersons(err) {
			return s.home(v, "ownpassword", nil, err)
		}
		return err
	}
	v.setCookie(CookieSession, cookie, v.kept())
	v.redirect("/account?done=password")
	return nil
}

// kept is how long the browser keeps the cookie of the session that it has.
func (v *visit) kept() time.Duration { return lifeOf(v.session.Idle == idleKept) }

func (s *Service) getEmail(v *visit) error { return s.home(v, "email", nil, nil) }

func (s *Service) postEmail(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Move(v.r.Context(), v.client, v.session, strings.TrimSpace(v.r.PostForm.Get("email"))); err != nil {
		if isPersons(err) || isLimited(err) {
			return s.home(v, "email", nil, err)
		}
		return err
	}
	v.redirect("/account?done=email")
	return nil
}

type sessionsData struct {
	Sessions []Session
	Own      string
}

func (s *Service) getSessions(v *visit) error {
	all, err := s.Sessions(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	return s.home(v, "sessions", sessionsData{all, v.session.ID}, nil)
}

func (s *Service) postEnd(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.End(v.r.Context(), person(v.user.ID), v.user.ID, v.r.PostForm.Get("id")); err != nil && !errors.Is(err, ErrSession) {
		return err
	}
	v.redirect("/account/sessions?done=ended")
	return nil
}

func (s *Service) postEndOthers(v *visit) error {
	if err := s.EndOthers(v.r.Context(), person(v.user.ID), v.user.ID, v.session.ID); err != nil {
		return err
	}
	v.redirect("/account/sessions?done=ended")
	return nil
}

func (s *Service) getData(v *visit) error { return s.home(v, "data", nil, nil) }

func (s *Service) getDelete(v *visit) error { return s.home(v, "delete", nil, nil) }

func (s *Service) postDelete(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(v.r.PostForm.Get("email")), v.user.Email) {
		return s.home(v, "delete", nil, errNotSame)
	}
	if _, err := s.Leave(v.r.Context(), v.client, v.session); err != nil {
		if isPersons(err) {
			return s.home(v, "delete", nil, err)
		}
		return err
	}
	v.redirect("/account/data")
	return nil
}

// errNotSame is an erasure that was not said twice.
var errNotSame = problem.New(problem.Invalid, "signin-not-same", "Nothing was changed: type your own e-mail address to confirm.")

func (s *Service) postStay(v *visit) error {
	if err := s.Stay(v.r.Context(), v.client, v.session); err != nil {
		return err
	}
	v.redirect("/account?done=stay")
	return nil
}
