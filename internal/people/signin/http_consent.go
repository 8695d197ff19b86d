package signin

import (
	"errors"
	"net/url"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// consentPages are those on which a person lets a program act, of a server that gives out tokens.
func (s *Service) consentPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /consent":        s.getConsent,
		"POST /consent":       s.postConsent,
		"GET /device":         s.getDevice,
		"POST /device":        s.postDevice,
		"POST /device/answer": s.postDeviceAnswer,
	}
}

type consentData struct {
	ID     string // of the request, or the user code
	Action string // where the answer goes
	Code   bool   // it is a device's
	Asked  Asked
}

// ConsentPage is the address on which a person answers a program's request.
func (s *Service) ConsentPage(id string) string {
	return s.needs.Origin() + "/consent?id=" + url.QueryEscape(id)
}

func (s *Service) getConsent(v *visit) error {
	id := v.r.URL.Query().Get("id")
	asked, err := s.needs.Provider.Asked(v.r.Context(), v.user.ID, id)
	if err != nil {
		return err
	}
	// The answer's way ends at the program, and browsers hold the policy of forms against
	// every address on it.
	guardHeaders(v.w.Header(), strings.Join(origins(asked.Origins), " "))
	return s.show(v, "consent", view{Home: true, Data: consentData{ID: id, Action: "/consent", Asked: asked}}, nil)
}

// origins are those that can stand in a policy; ":*" at the end is any port.
func origins(all []string) []string {
	var good []string
	for _, o := range all {
		o, any := strings.CutSuffix(o, ":*")
		u, err := url.Parse(o)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.ContainsAny(u.Host, " ;,'*\"") {
			continue
		}
		o = u.Scheme + "://" + u.Host
		if any {
			o += ":*"
		}
		good = append(good, o)
	}
	return good
}

func (s *Service) postConsent(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	to, err := s.needs.Provider.Consent(v.r.Context(), v.user.ID, f.Get("id"), f.Get("answer") == "yes")
	if err != nil {
		return err
	}
	v.redirect(to)
	return nil
}

func (s *Service) getDevice(v *visit) error {
	// A code in the address is shown in its field, and no more: who follows a link from
	// somebody else must still look at what is asked.
	return s.show(v, "device", view{Home: true, Notice: s.notice(v), Form: map[string]string{"code": bounded(v.r.URL.Query().Get("user_code"))}}, nil)
}

// errDeviceCode is a code that no device shows.
var errDeviceCode = problem.New(problem.Invalid, "signin-device-code", "No device shows this code now. Look at it again; it works for ten minutes.")

// pending finds what a device asks for, within the bounds of guessing.
func (s *Service) pending(v *visit, code string) (asked Asked, err error) {
	if len(code) == 0 || len(code) > 32 {
		return asked, errDeviceCode
	}
	good, err := s.guarded(v.r.Context(), Try{Act: ActDevice, Who: v.user.ID, Account: v.user.ID, Addr: v.client.Addr, Known: true}, func() (bool, error) {
		var err error
		asked, err = s.needs.Provider.Pending(v.r.Context(), code)
		if isPersons(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err == nil && !good {
		err = errDeviceCode
	}
	return asked, err
}

func (s *Service) postDevice(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	code := strings.TrimSpace(v.r.PostForm.Get("code"))
	asked, err := s.pending(v, code)
	if isPersons(err) || isLimited(err) {
		return s.show(v, "device", view{Home: true, Form: map[string]string{"code": bounded(code)}}, err)
	}
	if err != nil {
		return err
	}
	return s.show(v, "consent", view{Home: true, Data: consentData{ID: code, Action: "/device/answer", Code: true, Asked: asked}}, nil)
}

func (s *Service) postDeviceAnswer(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm
	code := f.Get("id")
	_, err := s.pending(v, code)
	done := "denied"
	if err == nil && f.Get("answer") == "yes" {
		done = "device"
		err = s.needs.Provider.Approve(v.r.Context(), v.login(), code)
	} else if err == nil {
		err = s.needs.Provider.Deny(v.r.Context(), v.login(), code)
	}
	switch {
	case errors.Is(err, errDeviceCode), isLimited(err):
		return s.show(v, "device", view{Home: true}, err)
	case err != nil:
		return err
	}
	v.redirect("/device?done=" + done)
	return nil
}

func (v *visit) login() Login { return v.session.login() }

func (s Session) login() Login {
	return Login{User: s.Account, At: s.ProvedAt, AMR: s.Methods, ACR: s.ACR(), Session: s.ID, Epoch: s.Epoch}
}
