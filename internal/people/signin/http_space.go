package signin

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// spacePages are those of the spaces that a person is in. What each does is asked of
// the same policy as the API's route of the same verb.
func (s *Service) spacePages() map[string]func(v *visit) error {
	all := map[string]func(v *visit) error{
		"GET /account/spaces":  s.getSpaces,
		"POST /account/spaces": s.postSpace,
	}
	for _, p := range []spacePage{
		{Pattern: "GET /account/spaces/{id}", Action: "org:read", Do: s.getSpace},
		{Pattern: "GET /account/spaces/{id}/logo", Action: "org:read", Do: s.getLogo},
		{Pattern: "POST /account/spaces/{id}/leave", Action: "membership:leave", Do: s.postLeave},
		{Pattern: "POST /account/spaces/{id}/take", Action: "membership:accept", Do: s.postTake},
		{Pattern: "GET /account/spaces/{id}/members", Action: "member:list", Do: s.getMembers},
		{Pattern: "POST /account/spaces/{id}/members/role", Action: "member:update", Do: s.postRole, Fresh: true},
		{Pattern: "POST /account/spaces/{id}/members/remove", Action: "member:remove", Do: s.postRemove, Fresh: true},
		{Pattern: "GET /account/spaces/{id}/invitations", Action: "invitation:list", Do: s.getInvitations},
		{Pattern: "POST /account/spaces/{id}/invitations/again", Action: "invitation:update", Do: s.postAgainInvite},
		{Pattern: "POST /account/spaces/{id}/invitations/drop", Action: "invitation:revoke", Do: s.postUninvite},
		{Pattern: "GET /account/spaces/{id}/invite", Action: "invitation:create", Do: s.getInvite, Fresh: true},
		{Pattern: "POST /account/spaces/{id}/invite", Action: "invitation:create", Do: s.postInvite, Fresh: true},
		{Pattern: "GET /account/spaces/{id}/usage", Action: "org:read", Do: s.getUsage},
		{Pattern: "GET /account/spaces/{id}/settings", Action: "org:update", Do: s.getSettings},
		{Pattern: "POST /account/spaces/{id}/settings", Action: "org:update", Do: s.postSettings},
		{Pattern: "POST /account/spaces/{id}/logo", Action: "org:update", Do: s.postLogo},
		{Pattern: "POST /account/spaces/{id}/logo/remove", Action: "org:update", Do: s.postNoLogo},
		{Pattern: "GET /account/spaces/{id}/owner", Action: "org:manage", Do: s.getOwner, Fresh: true},
		{Pattern: "POST /account/spaces/{id}/owner", Action: "org:manage", Do: s.postOwner, Fresh: true},
		{Pattern: "GET /account/spaces/{id}/disband", Action: "org:erase", Do: s.getDisband, Fresh: true},
		{Pattern: "POST /account/spaces/{id}/disband", Action: "org:erase", Do: s.postDisband, Fresh: true},
	} {
		do := s.within(p.Action, p.Do)
		if p.Fresh {
			do = s.fresh(do)
		}
		all[p.Pattern] = do
	}
	return all
}

// A spacePage is one of the pages of a space.
type spacePage struct {
	Pattern string
	Action  access.Action // what the person must be allowed to do there
	Do      func(v *visit, in inSpace) error
	Fresh   bool // needs a proof of a few minutes ago
}

// inSpace is a space as the person who looks at it is in it.
type inSpace struct {
	org.Space
	who access.Actor // in the space
}

// within lets in the members of a space who may do action there, and have signed in as surely as it asks.
func (s *Service) within(action access.Action, do func(v *visit, in inSpace) error) func(v *visit) error {
	return func(v *visit) error {
		ctx, id := v.r.Context(), v.r.PathValue("id")
		if !door.IsUUID(id) {
			return org.ErrNotMember // what is not an id is not looked up
		}
		in := inSpace{who: v.who()}
		in.who.Space = id
		var err error
		if in.who.Role, err = s.needs.Spaces.Role(ctx, id, v.user.ID); err != nil {
			return err
		}
		if err := s.needs.Spaces.Admit(ctx, in.who, id); err != nil {
			return err
		}
		if err := s.needs.Policy.Allow(in.who, action, in.resource(action)); err != nil {
			return err
		}
		if in.Space, err = s.needs.Spaces.Get(ctx, id); err != nil {
			return err
		}
		return do(v, in)
	}
}

// resource is what an action of a page is about: the space, or the person's own place in it.
func (in inSpace) resource(action access.Action) access.Resource {
	if noun(string(action)) == "membership" {
		return access.Resource{Type: "Membership", ID: in.who.ID, Space: in.who.Space, Owner: in.who.ID}
	}
	return access.Resource{Type: "Space", ID: in.who.Space, Space: in.who.Space}
}

// allows says whether a person may do action in a space.
func (s *Service) allows(in inSpace, action access.Action) bool {
	return s.needs.Policy.Allow(in.who, action, in.resource(action)) == nil
}

// nameOf is what pages call a space: nobody named their private one unless they renamed it.
func (s *Service) nameOf(v *visit, sp org.Space) string {
	if sp.Kind == org.Private && (sp.Name == privateName || sp.Name == "") {
		return s.texts.Text(v.lang, "spaces.private")
	}
	return sp.Name
}

// privateName is how the room of accounts names private spaces.
const privateName = "Private"

// spaceFrame is what all pages of one space show.
type spaceFrame struct {
	Space  org.Space
	Name   string
	Path   string
	Role   access.Role
	Own    bool // the person owns it
	Shared bool
	Tabs   []navView
	Data   any
}

// showSpace answers with a page of a space. data is the page's own.
func (s *Service) showSpace(v *visit, in inSpace, name string, data any, told error) error {
	f := spaceFrame{Space: in.Space, Name: s.nameOf(v, in.Space), Path: "/account/spaces/" + in.ID, Role: in.who.Role, Own: in.Owner == in.who.ID, Shared: in.Kind == org.Shared, Data: data}
	for _, tab := range []struct {
		part, key string
		there     bool
	}{
		{"", "space.about", true},
		{"/members", "space.members", f.Shared && s.allows(in, "member:list")},
		{"/invitations", "space.invitations", f.Shared && s.allows(in, "invitation:list")},
		{"/usage", "space.usage", true},
		{"/settings", "space.settings", s.allows(in, "org:update")},
	} {
		if tab.there {
			f.Tabs = append(f.Tabs, navView{f.Path + tab.part, tab.key, tab.part == partOf(name)})
		}
	}
	return s.home(v, name, f, told)
}

// partOf is the part of a space under which a page stands.
func partOf(page string) string {
	return map[string]string{"members": "/members", "invitations": "/invitations", "invite": "/invitations", "invitelink": "/invitations",
		"usage": "/usage", "settings": "/settings", "owner": "/settings", "disband": "/settings"}[page]
}

// spaceProblem shows what a person can act on above the page of its form.
func spaceProblem(err error, again func(told error) error) error {
	if isPersons(err) || isLimited(err) {
		return again(err)
	}
	return err
}

func (v *visit) backTo(in inSpace, part, done string) error {
	v.redirect("/account/spaces/" + in.ID + part + "?" + url.Values{"done": {done}}.Encode())
	return nil
}

type spacesData struct {
	Spaces []spaceRow
	Name   string
}

type spaceRow struct {
	ID, Name string
	Role     access.Role
	Own      bool
	Shared   bool
	Offered  bool
}

func (s *Service) getSpaces(v *visit) error { return s.showSpaces(v, "", nil) }

func (s *Service) showSpaces(v *visit, typed string, told error) error {
	all, err := s.needs.Spaces.Of(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	d := spacesData{Name: typed}
	slices.SortStableFunc(all, func(a, b org.Membership) int { return cmp.Compare(a.Kind, b.Kind) }) // the private one first
	for _, m := range all {
		d.Spaces = append(d.Spaces, spaceRow{m.ID, s.nameOf(v, m.Space), m.Role, m.Owner == v.user.ID, m.Kind == org.Shared, m.Heir == v.user.ID})
	}
	return s.home(v, "spaces", d, told)
}

func (s *Service) postSpace(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	name := v.r.PostForm.Get("name")
	sp, err := s.needs.Spaces.AddShared(v.r.Context(), v.who(), v.user.ID, name)
	if err != nil {
		return spaceProblem(err, func(told error) error { return s.showSpaces(v, bounded(name), told) })
	}
	v.redirect("/account/spaces/" + sp.ID)
	return nil
}

type aboutData struct {
	Logo    bool
	Owner   string // name of who owns it
	Rights  []string
	Offered bool
}

// rightsOf are the keys of the texts of what a role may do.
func (s *Service) rightsOf(role access.Role) (keys []string) {
	can := s.needs.Policy.Can(role)
	for _, r := range access.Rights() {
		if slices.Contains(can, r.Words) {
			keys = append(keys, rightKey(r))
		}
	}
	return keys
}

// rightKey is the key of a right's text: that of the first of its actions.
func rightKey(r access.Right) string { return "right." + string(r.Actions[0]) }

func (s *Service) getSpace(v *visit, in inSpace) error {
	ctx := v.r.Context()
	d := aboutData{Rights: s.rightsOf(in.who.Role), Offered: in.Heir == in.who.ID}
	var err error
	if d.Logo, err = s.needs.Spaces.HasLogo(ctx, in.ID); err != nil {
		return err
	}
	if in.Kind == org.Shared {
		all, err := s.needs.Spaces.People(ctx, in.ID)
		if err != nil {
			return err
		}
		for _, m := range all {
			if m.Owner {
				d.Owner = m.Name
			}
		}
	}
	return s.showSpace(v, in, "space", d, nil)
}

func (s *Service) postLeave(v *visit, in inSpace) error {
	if err := s.needs.Spaces.Leave(v.r.Context(), in.who, in.ID); err != nil {
		return err
	}
	v.redirect("/account/spaces?done=left")
	return nil
}

func (s *Service) postTake(v *visit, in inSpace) error {
	if err := s.needs.Spaces.TakeOver(v.r.Context(), in.who, in.ID); err != nil {
		return err
	}
	return v.backTo(in, "", "taken")
}

func (s *Service) getUsage(v *visit, in inSpace) error {
	all, err := s.needs.Spaces.Usage(v.r.Context(), in.ID)
	if err != nil {
		return err
	}
	if in.Kind == org.Private { // has one member, whatever the limit
		all = slices.DeleteFunc(all, func(u org.Use) bool { return u.Quota == org.Members })
	}
	return s.showSpace(v, in, "usage", all, nil)
}

type settingsData struct {
	Logo   bool
	Name   string
	Levels []org.Level
	Level  org.Level
	Erase  bool // this person may hand it over and disband it
}

func (s *Service) getSettings(v *visit, in inSpace) error {
	return s.showSettings(v, in, in.Name, in.Level, nil)
}

func (s *Service) showSettings(v *visit, in inSpace, name string, level org.Level, told error) error {
	logo, err := s.needs.Spaces.HasLogo(v.r.Context(), in.ID)
	if err != nil {
		return err
	}
	d := settingsData{Logo: logo, Name: name, Level: level}
	if in.Kind == org.Shared {
		d.Levels, d.Erase = org.Levels(), in.Owner == in.who.ID
	}
	return s.showSpace(v, in, "settings", d, told)
}

func (s *Service) postSettings(v *visit, in inSpace) error {
	if err := v.form(); err != nil {
		return err
	}
	ctx, f := v.r.Context(), v.r.PostForm.Get
	name, level := f("name"), in.Level
	err := error(nil)
	// The level first: it is the one that may be refused.
	if text := f("level"); text != "" && org.Level(text) != in.Level {
		if !v.session.Fresh(s.needs.Now()) {
			v.proveAgain()
			return nil
		}
		if level, err = org.ParseLevel(text); err == nil {
			err = s.needs.Spaces.Require(ctx, in.who, in.ID, level)
		}
	}
	if err == nil && name != in.Name {
		err = s.needs.Spaces.Rename(ctx, in.who, in.ID, name)
	}
	if err != nil {
		return spaceProblem(err, func(told error) error { return s.showSettings(v, in, bounded(name), level, told) })
	}
	return v.backTo(in, "/settings", "saved")
}

func (s *Service) getLogo(v *visit, in inSpace) error {
	logo, err := s.needs.Spaces.Logo(v.r.Context(), in.ID)
	if errors.Is(err, org.ErrNoLogo) {
		v.w.WriteHeader(http.StatusNotFound)
		return nil
	}
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", logo.Kind)
	_, _ = v.w.Write(logo.Image) // who has gone away reads nothing
	return nil
}

func (s *Service) postLogo(v *visit, in inSpace) error {
	upload, err := v.upload("logo", org.MaxLogo, org.ErrLogo)
	if err == nil {
		err = s.needs.Spaces.SetLogo(v.r.Context(), in.who, in.ID, upload)
	}
	if err != nil {
		return spaceProblem(err, func(told error) error { return s.showSettings(v, in, in.Name, in.Level, told) })
	}
	return v.backTo(in, "/settings", "logo")
}

// upload is a file of a form, of which one byte more than most is read; it is missing where there is none.
func (v *visit) upload(name string, most int64, missing *problem.Problem) ([]byte, error) {
	if err := v.form(); err != nil {
		return nil, err
	}
	file, _, err := v.r.FormFile(name)
	if err != nil {
		return nil, missing
	}
	defer func() { _ = file.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(file, most+1))
}

func (s *Service) postNoLogo(v *visit, in inSpace) error {
	if err := s.needs.Spaces.DropLogo(v.r.Context(), in.who, in.ID); err != nil {
		return err
	}
	return v.backTo(in, "/settings", "logo")
}

func (s *Service) getDisband(v *visit, in inSpace) error { return s.showDisband(v, in, nil) }

func (s *Service) showDisband(v *visit, in inSpace, told error) error {
	use, err := s.needs.Spaces.Usage(v.r.Context(), in.ID)
	if err != nil {
		return err
	}
	return s.showSpace(v, in, "disband", use, told)
}

func (s *Service) postDisband(v *visit, in inSpace) error {
	if err := v.form(); err != nil {
		return err
	}
	if _, err := s.needs.Spaces.Disband(v.r.Context(), in.who, in.ID, v.r.PostForm.Get("name")); err != nil {
		return spaceProblem(err, func(told error) error { return s.showDisband(v, in, told) })
	}
	v.redirect("/account/spaces?done=disbanded")
	return nil
}
