package signin

import (
	"encoding/base64"
	"errors"
	"html/template"
	"net/url"
	"slices"

	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// socialPages are those on the way by a provider.
func (s *Service) socialPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"POST /signin/social":         s.postSocial,
		"GET /signin/with/{provider}": s.getReturned,
		"GET /signin/social/new":      s.getVouched,
		"POST /signin/social/new":     s.postVouched,
		"POST /signin/social/own":     s.postOwn,
	}
}

// linkPages are those of the account.
func (s *Service) linkPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /account/links":         s.getLinks,
		"POST /account/links/add":    s.fresh(s.postLink),
		"POST /account/links/remove": s.fresh(s.postUnlink),
	}
}

// providers are those that there are buttons for.
func (s *Service) providers() []social.Config {
	if s.needs.Social == nil {
		return nil
	}
	return s.needs.Social.Providers()
}

// ProviderName is how people know a provider; its id, when this server does not have it any more.
func (s *Service) ProviderName(id string) string {
	for _, p := range s.providers() {
		if p.ID == id {
			return p.Name
		}
	}
	return id
}

// providersOf are those that a flow can go on with: for who proves again, those that are linked.
func (s *Service) providersOf(v *visit, f Flow) ([]social.Config, error) {
	all := s.providers()
	if f.Only == "" || len(all) == 0 {
		return all, nil
	}
	links, err := s.needs.Social.Of(v.r.Context(), f.Only)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p social.Config) bool {
		return !slices.ContainsFunc(links, func(l social.Link) bool { return l.Provider == p.ID })
	}), nil
}

// postSocial begins at a provider: in a flow, or in one that begins with it.
func (s *Service) postSocial(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	ref, to := v.refOf(), local(f.Get("to"))
	if ref.Token == "" {
		var err error
		if ref, err = s.beginIn(v, Beginning{To: to}); err != nil {
			return err
		}
	}
	return s.depart(v, ref, f.Get("provider"), func(told error) error {
		now, at, err := s.At(v.r.Context(), v.client, ref.Token)
		switch {
		case err != nil:
			return told
		case now.State == Named:
			return s.showStep(v, "password", now, at, told)
		}
		return s.show(v, "signin", s.signInView(to), told)
	})
}

// beginIn begins a flow in the browser of a visit.
func (s *Service) beginIn(v *visit, b Beginning) (Ref, error) {
	ref, browser, err := s.Begin(v.r.Context(), v.client, b)
	if err != nil {
		return ref, err
	}
	v.setCookie(cookieFlow, browser, flowLife)
	v.client.Browser = browser
	return ref, nil
}

type awayData struct {
	Name    string
	Address template.URL // https, or http on this machine: the room of providers has looked at it
}

// depart answers with a page that leads to a provider; fail shows what kept it from that.
func (s *Service) depart(v *visit, ref Ref, provider string, fail func(told error) error) error {
	address, err := s.Depart(v.r.Context(), v.client, ref, provider)
	if err != nil {
		if isPersons(err) || isLimited(err) {
			if errors.Is(err, social.ErrProvider) {
				s.needs.Log.WarnContext(v.r.Context(), "a provider does not answer", "provider", provider, "err", err)
			}
			return fail(err)
		}
		return err
	}
	// Not a redirect: browsers hold the policy of forms against every address on the way of one, and
	// which those are the provider alone knows. A page that leads on by itself ends the form's way here.
	v.w.Header().Set("Refresh", "0; url="+address)
	return s.show(v, "away", view{Data: awayData{s.ProviderName(provider), template.URL(address)}}, nil)
}

// maxReturned bounds what a provider's answer has in an address, in bytes.
const maxReturned = 8 << 10

// returnedPlace is what an answer is sealed for that came by form.
func returnedPlace(provider string) []byte { return []byte("signin returned " + provider) }

// postReturned takes the form that a provider has the browser send. Browsers send it without our cookies, as it comes from
// another site; so it goes on, sealed, to the page that gets them.
func (s *Service) postReturned(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	provider := v.r.PathValue("provider")
	in := url.Values{}
	for _, name := range []string{"state", "code", "iss", "error", "user"} {
		if all, ok := v.r.PostForm[name]; ok {
			in[name] = all
		}
	}
	text := in.Encode()
	if len(text) > maxReturned/2 {
		return errForm
	}
	sealed, err := s.needs.Keys.Purpose("signin-social").Seal([]byte(text), returnedPlace(provider))
	if err != nil {
		return err
	}
	v.redirect("/signin/with/" + url.PathEscape(provider) + "?answer=" + base64.RawURLEncoding.EncodeToString(sealed))
	return nil
}

// returned is what a provider's answer has.
func (s *Service) returned(v *visit, provider string) (url.Values, error) {
	if len(v.r.URL.RawQuery) > maxReturned {
		return nil, errForm
	}
	in, err := url.ParseQuery(v.r.URL.RawQuery)
	if err != nil {
		return nil, errForm
	}
	if !in.Has("answer") {
		return in, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(in.Get("answer"))
	if err != nil {
		return nil, errForm
	}
	text, err := s.needs.Keys.Purpose("signin-social").Open(sealed, returnedPlace(provider))
	if err != nil {
		return nil, errForm
	}
	return url.ParseQuery(string(text))
}

// getReturned is where providers lead back to.
func (s *Service) getReturned(v *visit) error {
	provider := v.r.PathValue("provider")
	in, err := s.returned(v, provider)
	if err != nil {
		return err
	}
	f, ref, g, err := s.Answer(v.r.Context(), v.client, v.session, provider, in)
	switch {
	case err == nil && g != nil:
		return s.admit(v, g)
	case err == nil && f.State == Done:
		v.redirect("/account/links?done=linked")
		return nil
	case err == nil:
		v.redirect(pageOf(f, ref.Token))
		return nil
	case !isPersons(err) && !isLimited(err), ref.Token == "":
		return err
	case f.State == Closed:
		return s.message(v, "closed", "/signin", err)
	}
	now, at, lost := s.At(v.r.Context(), v.client, ref.Token)
	switch {
	case lost != nil:
		return err
	case now.State == Linking && errors.Is(err, ErrProof):
		v.redirect("/signin/again?to=" + url.QueryEscape("/account/links"))
		return nil
	case now.State == Linking && v.in():
		return s.showLinks(v, err)
	case now.State == Named:
		return s.showStep(v, "password", now, at, err)
	}
	return s.show(v, "signin", s.signInView(now.To), err)
}

// vouchedData is whom a provider vouches for, as pages show it.
type vouchedData struct {
	Provider, Email, Name string
	There                 bool // there is an account with this address
	SignUp                bool // one can be made
}

func (s *Service) vouchedOf(f Flow) vouchedData {
	return vouchedData{Provider: s.ProviderName(f.Claim.Provider), Email: f.Claim.Email, Name: f.Claim.Name}
}

func (s *Service) getVouched(v *visit) error {
	token := v.r.URL.Query().Get("flow")
	f, ref, err := s.At(v.r.Context(), v.client, token)
	if err != nil {
		return err
	}
	if f.State != Vouched {
		v.redirect(pageOf(f, token))
		return nil
	}
	return s.showVouched(v, f, ref, nil)
}

// showVouched asks whether an account is to be made or is there. That there is one with the address is told
// to whom a provider of the operator's choice has seen prove that address, and to nobody else: see ErrVouched.
func (s *Service) showVouched(v *visit, f Flow, ref Ref, told error) error {
	d := s.vouchedOf(f)
	switch err := s.needs.Accounts.CheckEmail(v.r.Context(), f.Claim.Email); {
	case errors.Is(err, account.ErrTaken):
		d.There = true
	case err == nil:
		d.SignUp = s.needs.SignUp
	case !isPersons(err):
		return err
	}
	form := map[string]string{"name": d.Name}
	if d.There {
		form["email"] = d.Email
	}
	if v.r.PostForm != nil {
		form["name"], form["email"] = v.r.PostForm.Get("name"), v.r.PostForm.Get("email")
	}
	return s.show(v, "vouched", view{Ref: ref, Data: d, Form: form}, told)
}

// vouchedProblem shows the page again, with what was wrong.
func (s *Service) vouchedProblem(v *visit, ref Ref, told error) error {
	if !isPersons(told) && !isLimited(told) {
		return told
	}
	f, at, err := s.At(v.r.Context(), v.client, ref.Token)
	switch {
	case err != nil:
		return err
	case f.State != Vouched, errors.Is(told, ErrStep):
		v.redirect(pageOf(f, ref.Token))
		return nil
	}
	return s.showVouched(v, f, at, told)
}

func (s *Service) postVouched(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	ref := v.refOf()
	g, err := s.JoinVouched(v.r.Context(), v.client, ref, v.r.PostForm.Get("name"))
	if err != nil {
		return s.vouchedProblem(v, ref, err)
	}
	return s.admit(v, g)
}

func (s *Service) postOwn(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	ref := v.refOf()
	if err := s.Own(v.r.Context(), v.client, ref, v.r.PostForm.Get("email")); err != nil {
		return s.vouchedProblem(v, ref, err)
	}
	v.redirect("/signin/password?flow=" + url.QueryEscape(ref.Token))
	return nil
}

type linksData struct {
	Links []social.Link
	Free  []social.Config // that can be linked
}

func (s *Service) getLinks(v *visit) error { return s.showLinks(v, nil) }

func (s *Service) showLinks(v *visit, told error) error {
	links, err := s.needs.Social.Of(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	free := slices.DeleteFunc(s.providers(), func(p social.Config) bool {
		return slices.ContainsFunc(links, func(l social.Link) bool { return l.Provider == p.ID })
	})
	return s.home(v, "links", linksData{links, free}, told)
}

func (s *Service) postLink(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	ref, err := s.beginIn(v, Beginning{Link: v.session.ID})
	if err != nil {
		return err
	}
	return s.depart(v, ref, v.r.PostForm.Get("provider"), func(told error) error { return s.showLinks(v, told) })
}

func (s *Service) postUnlink(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	err := s.Unlink(v.r.Context(), v.client, v.session, v.r.PostForm.Get("id"))
	if err != nil {
		if isPersons(err) {
			return s.showLinks(v, err)
		}
		return err
	}
	v.redirect("/account/links?done=unlinked")
	return nil
}
