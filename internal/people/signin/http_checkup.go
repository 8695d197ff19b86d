package signin

import (
	"fmt"
	"time"
)

// A check is one line of the check-up.
type check struct {
	Key   string // of its texts: name, and what it says when it is good or not
	State string // good, bad, or tip: what would be better still
	Args  []any  // of the text of its state
	Fix   string // page that mends it
}

// What is looked at twice.
const (
	oldSession   = 30 * 24 * time.Hour // since signing in
	fewCodes     = 3                   // recovery codes
	manySessions = 5                   // browsers at a time
)

func (s *Service) getCheckup(v *visit) error {
	ctx, now := v.r.Context(), s.needs.Now()
	set, err := s.needs.Factors.Of(ctx, v.user.ID)
	if err != nil {
		return err
	}
	all, err := s.Sessions(ctx, v.user.ID)
	if err != nil {
		return err
	}
	keys, err := s.shownKeys(v)
	if err != nil {
		return err
	}
	further, err := s.needs.Accounts.Further(ctx, v.user.ID)
	if err != nil {
		return err
	}
	old, stale := 0, 0
	for _, one := range all {
		if one.ID != v.session.ID && now.Sub(one.MadeAt) > oldSession {
			old++
		}
	}
	for _, k := range keys {
		if k.Stale || k.Over {
			stale++
		}
	}
	state := func(good bool, otherwise string) string {
		if good {
			return "good"
		}
		return otherwise
	}
	checks := []check{{Key: "check.email", State: state(v.user.Verified(), "bad"), Fix: "/account/email"}}
	checks = append(checks, check{Key: "check.further", State: state(len(further) > 0, "tip"), Fix: "/account/addresses"})
	if s.needs.Enrolment != nil {
		checks = append(checks,
			check{Key: "check.second", State: state(set.Strong(), "bad"), Fix: "/account/factors"},
			check{Key: "check.passkey", State: state(len(set.Passkeys) > 0, "tip"), Fix: "/account/factors"})
		if set.Strong() {
			checks = append(checks, check{Key: "check.recovery", State: state(set.RecoveryLeft >= fewCodes, "bad"), Args: []any{fmt.Sprint(set.RecoveryLeft)}, Fix: "/account/factors"})
		}
	}
	checks = append(checks,
		check{Key: "check.sessions", State: state(old == 0 && len(all) <= manySessions, "bad"), Args: []any{fmt.Sprint(len(all)), fmt.Sprint(old)}, Fix: "/account/sessions"},
		check{Key: "check.keys", State: state(stale == 0, "bad"), Args: []any{fmt.Sprint(len(keys)), fmt.Sprint(stale)}, Fix: "/account/keys"})
	return s.home(v, "checkup", checks, nil)
}
