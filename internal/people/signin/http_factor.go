package signin

import (
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// factorPages are those of second proofs, of a server that has them.
func (s *Service) factorPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /account/factors":                  s.fresh(s.getFactors),
		"POST /account/factors/app":             s.fresh(s.postApp),
		"POST /account/factors/app/confirm":     s.fresh(s.postAppConfirm),
		"POST /account/factors/app/remove":      s.fresh(s.postAppRemove),
		"POST /account/factors/codes":           s.fresh(s.postCodes),
		"POST /account/factors/passkey/remove":  s.fresh(s.postPasskeyRemove),
		"POST /account/factors/passkey/rename":  s.fresh(s.postPasskeyRename),
		"POST /account/factors/passkey":         s.postPasskeyBegin,
		"POST /account/factors/passkey/confirm": s.postPasskeyConfirm,
	}
}

// changedFactor tells the person of another or one less second proof.
func (s *Service) changedFactor(v *visit, kind, factor string) {
	s.warn(v.r.Context(), kind, v.user, v.client, "", map[string]string{"factor": factor})
}

func (s *Service) getFactors(v *visit) error { return s.showFactors(v, nil) }

func (s *Service) showFactors(v *visit, told error) error {
	set, err := s.needs.Factors.Of(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	return s.show(v, "factors", view{Home: true, Data: set, Script: true, Notice: s.notice(v)}, told)
}

// factorProblem shows what went wrong on the page of second proofs.
func (s *Service) factorProblem(v *visit, err error) error {
	if isPersons(err) || isLimited(err) {
		return s.showFactors(v, err)
	}
	return err
}

type appData struct {
	Secret string
	URL    template.URL
	Image  template.URL // data:, which the policy of this page allows
}

// postApp begins to set an authenticator app up.
func (s *Service) postApp(v *visit) error { return s.showApp(v, nil) }

// showApp shows a new secret: one that was shown before is not shown again.
func (s *Service) showApp(v *visit, told error) error {
	setup, err := s.needs.Enrolment.BeginTOTP(v.r.Context(), v.who(), v.user.ID, v.user.Email)
	if err != nil {
		return s.factorProblem(v, err)
	}
	d := appData{Secret: grouped(setup.Secret)}
	if strings.HasPrefix(setup.URL, "otpauth://") {
		d.URL = template.URL(setup.URL) // our own room's, whose scheme html/template does not know
	}
	if len(setup.QR) > 0 {
		d.Image = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(setup.QR))
	}
	h := v.w.Header()
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "img-src 'self'", "img-src 'self' data:", 1))
	return s.show(v, "app", view{Home: true, Data: d}, told)
}

// grouped is a text in groups of four, which people can copy.
func grouped(text string) string {
	var b strings.Builder
	for i, r := range text {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (s *Service) postAppConfirm(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	codes, err := s.needs.Enrolment.ConfirmTOTP(v.r.Context(), v.who(), v.user.ID, strings.ReplaceAll(v.r.PostForm.Get("code"), " ", ""))
	if err != nil {
		if problem.Of(err).Kind == problem.Unauthenticated {
			return s.showApp(v, ErrCode)
		}
		return s.factorProblem(v, err)
	}
	s.changedFactor(v, "factor-added", "authenticator app")
	if len(codes) > 0 {
		return s.showCodes(v, codes)
	}
	v.redirect("/account/factors?done=added")
	return nil
}

func (s *Service) showCodes(v *visit, codes []string) error {
	return s.show(v, "codes", view{Home: true, Data: codes, Script: true}, nil)
}

func (s *Service) postAppRemove(v *visit) error {
	if err := s.needs.Enrolment.RemoveTOTP(v.r.Context(), v.who(), v.user.ID); err != nil {
		return s.factorProblem(v, err)
	}
	s.changedFactor(v, "factor-removed", "authenticator app")
	v.redirect("/account/factors?done=removed")
	return nil
}

func (s *Service) postCodes(v *visit) error {
	codes, err := s.needs.Enrolment.NewRecovery(v.r.Context(), v.who(), v.user.ID)
	if err != nil {
		return s.factorProblem(v, err)
	}
	return s.showCodes(v, codes)
}

func (s *Service) postPasskeyRemove(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	id := v.r.PostForm.Get("id")
	if last, err := s.lastWay(v.r.Context(), v.user.ID, id); err != nil {
		return err
	} else if last {
		return s.showFactors(v, social.ErrLastWay)
	}
	if err := s.needs.Enrolment.RemovePasskey(v.r.Context(), v.who(), v.user.ID, id); err != nil {
		return s.factorProblem(v, err)
	}
	s.changedFactor(v, "factor-removed", "passkey")
	v.redirect("/account/factors?done=removed")
	return nil
}

func (s *Service) postPasskeyRename(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	if err := s.needs.Enrolment.RenamePasskey(v.r.Context(), v.who(), v.user.ID, f.Get("id"), strings.TrimSpace(f.Get("label"))); err != nil {
		return s.factorProblem(v, err)
	}
	v.redirect("/account/factors?done=saved")
	return nil
}

// wireNew is a passkey's registration: the state is sealed by the room of second proofs, and
// good for this person only.
type wireNew struct {
	Options json.RawMessage `json:"options"`
	State   []byte          `json:"state"`
}

func (s *Service) postPasskeyBegin(v *visit) error {
	if !v.session.Fresh(s.needs.Now()) {
		return s.failJSON(v, ErrProof)
	}
	options, state, err := s.needs.Enrolment.BeginPasskey(v.r.Context(), v.who(), v.user.ID, v.user.Email, v.user.Name)
	if err != nil {
		return s.failJSON(v, err)
	}
	return rest.Write(v.w, http.StatusOK, "application/json", wireNew{options, state})
}

type wireMade struct {
	State    []byte          `json:"state"`
	Response json.RawMessage `json:"response"`
	Label    string          `json:"label"`
}

func (s *Service) postPasskeyConfirm(v *visit) error {
	if !v.session.Fresh(s.needs.Now()) {
		return s.failJSON(v, ErrProof)
	}
	var in wireMade
	if err := rest.Read(v.r, &in); err != nil {
		return s.failJSON(v, err)
	}
	label := strings.TrimSpace(in.Label)
	if label == "" {
		label = orElse(v.client.Agent, "Passkey")
	}
	if _, err := s.needs.Enrolment.FinishPasskey(v.r.Context(), v.who(), v.user.ID, in.State, in.Response, label); err != nil {
		return s.failJSON(v, err)
	}
	s.changedFactor(v, "factor-added", "passkey")
	to := "/account/factors?done=added"
	return rest.Write(v.w, http.StatusOK, "application/json", wireDone{to})
}
