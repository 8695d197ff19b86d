package signin

import (
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// kept is what this server keeps about a person, in the order in which people read it: what each is
// and how long it stays is in the texts, and in which tables of the data map it lies is here. A test holds it
// against the data map.
var kept = []struct {
	Key    string
	tables []string
}{
	{"account", []string{"core.account", "core.account_erase"}},
	{"profile", []string{"core.account_profile", "core.account_picture"}},
	{"addresses", []string{"core.account_address", "core.account_former", "core.account_link"}},
	{"choices", []string{"core.account_choice"}},
	{"browsers", []string{"core.signin_session", "core.signin_app", "core.signin_device"}},
	{"places", []string{"core.guard_place", "core.guard_count"}},
	{"factors", []string{"core.factor_totp", "core.factor_handle", "core.factor_passkey", "core.factor_recovery"}},
	{"keys", []string{"core.apikey"}},
	{"programs", []string{"core.oauth_request", "core.oauth_grant", "core.oauth_device", "core.oauth_consent", "core.oauth_logout"}},
	{"links", []string{"core.social_link"}},
	{"spaces", []string{"core.org", "core.org_member", "core.org_invite", "core.org_erase", "core.device", "core.thing", "core.onboard", "core.onboard_board"}},
	{"dashboards", []string{"core.dashboard", "core.dashboard_share", "core.dashboard_link", "core.dashboard_request"}},
	{"variables", []string{"core.sync", "core.hook", "core.homeassistant"}},
	{"triggers", []string{"core.trigger", "core.trigger_action", "core.trigger_mute", "core.trigger_push"}},
	{"templates", []string{"core.template"}},
	{"updates", []string{"core.ota", "core.ota_image", "core.ota_campaign"}},
	{"letters", []string{"core.post", "core.post_rate"}},
	{"journal", []string{"core.journal", "core.audit_person"}},
}

type privacyData struct {
	Kept    []string
	Choices account.Choices
	Profile account.Profile
	Spaces  bool
}

func (s *Service) getPrivacy(v *visit) error {
	ctx := v.r.Context()
	d := privacyData{Spaces: s.needs.Spaces != nil}
	for _, k := range kept {
		d.Kept = append(d.Kept, k.Key)
	}
	var err error
	if d.Choices, err = s.needs.Accounts.Choices(ctx, v.user.ID); err != nil {
		return err
	}
	if d.Profile, err = s.needs.Accounts.Profile(ctx, v.user.ID); err != nil {
		return err
	}
	return s.home(v, "privacy", d, nil)
}

func (s *Service) postPrivacy(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	on := func(name string) bool { return v.r.PostForm.Get(name) == "on" }
	// The boxes say what is shown and sent, as people think of it; what is kept are exceptions.
	c := account.Choices{HideEmail: !on("email"), ByUsername: v.r.PostForm.Get("shown") == "username", NoReminders: !on("reminders")}
	if err := s.needs.Accounts.Choose(v.r.Context(), person(v.user.ID), v.user.ID, c); err != nil {
		return err
	}
	v.redirect("/account/privacy?done=saved")
	return nil
}

func (s *Service) postForgetBrowsers(v *visit) error {
	if err := s.ForgetBrowsers(v.r.Context(), v.user.ID); err != nil {
		return err
	}
	v.redirect("/account/privacy?done=forgotten")
	return nil
}
