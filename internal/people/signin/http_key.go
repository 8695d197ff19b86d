package signin

import (
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
)

func (s *Service) keyPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /account/keys":         s.getKeys,
		"GET /account/keys/new":     s.fresh(s.getNewKey),
		"POST /account/keys":        s.fresh(s.postNewKey),
		"POST /account/keys/revoke": s.fresh(s.postRevoke),
	}
}

// liveKeys are those of a person that are not revoked; they may rest, or be over.
func (s *Service) liveKeys(v *visit) ([]apikey.Key, error) {
	all, err := s.needs.APIKeys.List(v.r.Context(), v.user.ID)
	if err != nil {
		return nil, err
	}
	var live []apikey.Key
	for _, k := range all {
		if !k.Revoked() {
			live = append(live, k)
		}
	}
	return live, nil
}

// A shownKey is a key with the name of its space.
type shownKey struct {
	apikey.Key
	Where string // "" for all spaces, or one that the person is not in any more
	Over  bool
	Stale bool // not used for a long time
}

// staleKey is after how long without use a key is asked about.
const staleKey = 90 * 24 * time.Hour

func (s *Service) shownKeys(v *visit) ([]shownKey, error) {
	keys, err := s.liveKeys(v)
	if err != nil {
		return nil, err
	}
	names, err := s.spaceNames(v)
	if err != nil {
		return nil, err
	}
	now := s.needs.Now()
	all := make([]shownKey, 0, len(keys))
	for _, k := range keys {
		used := k.UsedAt
		if used.IsZero() {
			used = k.CreatedAt
		}
		all = append(all, shownKey{k, names[k.Space], k.Expired(now), now.Sub(used) > staleKey})
	}
	return all, nil
}

func (s *Service) getKeys(v *visit) error {
	keys, err := s.shownKeys(v)
	if err != nil {
		return err
	}
	return s.home(v, "keys", keys, nil)
}

func (s *Service) postRevoke(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	id := v.r.PostForm.Get("id")
	keys, err := s.liveKeys(v)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID != id {
			continue
		}
		if err := s.needs.APIKeys.Revoke(v.r.Context(), person(v.user.ID), id); err != nil {
			return err
		}
		v.redirect("/account/keys?done=revoked")
		return nil
	}
	return apikey.ErrNotFound
}

// lives are for how many days a key can be made on the page; 0 is for ever.
var lives = []int{30, 90, 365, 0}

type keyData struct {
	Spaces []spaceView
	Roles  []access.Role
	Lives  []int
	Name   string
	Space  string
	Role   string
	Days   string
}

type spaceView struct{ ID, Name string }

// spaceNames are those of a person's spaces, by id.
func (s *Service) spaceNames(v *visit) (map[string]string, error) {
	names := map[string]string{}
	spaces, err := s.spacesOf(v)
	for _, sp := range spaces {
		names[sp.ID] = sp.Name
	}
	return names, err
}

// spacesOf are a person's spaces, the private one by what pages call it.
func (s *Service) spacesOf(v *visit) (all []spaceView, err error) {
	if s.needs.Spaces == nil {
		return nil, nil
	}
	members, err := s.needs.Spaces.Of(v.r.Context(), v.user.ID)
	for _, m := range members {
		all = append(all, spaceView{m.ID, s.nameOf(v, m.Space)})
	}
	return all, err
}

func (s *Service) getNewKey(v *visit) error { return s.showNewKey(v, keyData{Days: "90"}, nil) }

func (s *Service) showNewKey(v *visit, d keyData, told error) (err error) {
	if d.Spaces, err = s.spacesOf(v); err != nil {
		return err
	}
	d.Roles, d.Lives = access.Roles(), lives
	return s.home(v, "keynew", d, told)
}

type madeData struct {
	Key    apikey.Key
	Secret string
}

func (s *Service) postNewKey(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	f := v.r.PostForm.Get
	d := keyData{Name: f("name"), Space: f("space"), Role: f("role"), Days: f("days")}
	w := apikey.Wish{Account: v.user.ID, Space: d.Space, Name: d.Name}
	days, err := strconv.Atoi(d.Days)
	if err != nil || days < 0 || days > 3650 {
		return s.showNewKey(v, d, apikey.ErrEnds)
	}
	if days > 0 {
		w.ExpiresAt = s.needs.Now().Add(time.Duration(days) * 24 * time.Hour)
	}
	if d.Role != "" {
		if w.Role, err = access.ParseRole(d.Role); err != nil {
			return s.showNewKey(v, d, err)
		}
	}
	k, secret, err := s.needs.APIKeys.Make(v.r.Context(), v.who(), w)
	if err != nil {
		if isPersons(err) {
			return s.showNewKey(v, d, err)
		}
		return err
	}
	return s.home(v, "keymade", madeData{k, secret.Reveal()}, nil)
}
