package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// maxBody is enough for a dashboard of the largest size with every quote escaped, in bytes.
const maxBody = 2 << 20

// Routes are the addresses of this room. Paths and wire names of the first two versions are those of the
// API that we are compatible with: POST creates and PUT updates; v3 has neither delete, nor shares, nor links.
func (s *Service) Routes() []door.Route {
	var all []door.Route
	for v, root := range [versions]string{v2: "/iot/v2/dashboards", v3: "/iot/v3/dashboards"} {
		v, one := version(v), root+"/{id}"
		as := func(do func(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error) func(http.ResponseWriter, *http.Request, access.Actor) error {
			return func(w http.ResponseWriter, r *http.Request, who access.Actor) error { return do(v, w, r, who) }
		}
		all = append(all,
			door.Route{Pattern: "GET " + root, Action: "dashboard:list", Out: []wireDashboard{}, Do: as(s.httpList)},
			door.Route{Pattern: "POST " + root, Action: "dashboard:create", MaxBody: maxBody, In: inDashboard{}, Out: wireDashboard{}, Status: http.StatusCreated, Do: as(s.httpCreate)},
			door.Route{Pattern: "GET " + one, Action: "dashboard:read", Resource: s.resource, Out: wireDashboard{}, Do: as(s.httpShow)},
			door.Route{Pattern: "PUT " + one, Action: "dashboard:update", Resource: s.resource, MaxBody: maxBody, In: inDashboard{}, Out: wireDashboard{}, Do: as(s.httpUpdate)},
			door.Route{Pattern: "PATCH " + one, Action: "dashboard:update", Resource: s.resource, MaxBody: maxBody, In: inDashboard{}, Out: wireDashboard{}, Do: as(s.httpPatch)},
			door.Route{Pattern: "PUT " + one + "/clone", Action: "dashboard:clone", Resource: s.resource, In: inClone{}, Out: wireDashboard{}, Status: http.StatusCreated, Do: as(s.httpClone)},
			// A template is how a dashboard goes elsewhere: members' business.
			door.Route{Pattern: "GET " + one + "/template", Action: "dashboard:list", Resource: s.resource, Out: wireTemplate{}, Do: as(s.httpTemplate)},
		)
	}
	const one = "/iot/v2/dashboards/{id}"
	const tags = "/v1/dashboards/{id}/tags"
	return docs.Tell(append(all, slices.Concat([]door.Route{
		{Pattern: "PUT " + tags, Action: "dashboard:update", Resource: s.resource, In: inTag{}, Do: s.httpSetTag},
		{Pattern: "DELETE " + tags + "/{key}", Action: "dashboard:update", Resource: s.resource, Do: s.httpDropTag},
		{Pattern: "DELETE " + one, Action: "dashboard:delete", Resource: s.resource, Do: s.httpDelete},
		{Pattern: "PUT " + one + "/widgets/{widget}/variables", Action: "dashboard:update", Resource: s.resource, In: inLinks{}, Out: wireLinks{}, Do: s.httpLink},
		{Pattern: "GET /v1/dashboards/{id}/health", Action: "dashboard:read", Resource: s.resource, Out: []wireFinding{}, Do: s.httpHealth},
		{Pattern: "POST /v1/dashboards/import", Action: "dashboard:create", MaxBody: maxTemplate, Out: wireDashboard{}, Status: http.StatusCreated, Do: s.httpImport},
	}, s.shareRoutes(), s.linkRoutes(), s.imageRoutes())...))
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

// resource finds the dashboard that a request is about, living or deleted, or one that was shared with who.
func (s *Service) resource(r *http.Request, who access.Actor) (access.Resource, error) {
	id := pathID(r)
	if !isUUID(id) {
		return access.Resource{}, ErrNotFound
	}
	d, share, err := s.reach(r.Context(), who, id)
	if err != nil {
		return access.Resource{}, err
	}
	if share == nil {
		return access.Resource{Type: "Dashboard", ID: id, Space: d.Space, Owner: d.Owner}, nil
	}
	return share.resource(), s.needs.Admit(r.Context(), who, share.Space)
}

// answer writes one dashboard.
func (s *Service) answer(v version, w http.ResponseWriter, r *http.Request, who access.Actor, status int, d Dashboard) error {
	p, err := s.present(r.Context(), who, []Dashboard{d})
	if err != nil {
		return err
	}
	return rest.Write(w, status, rest.Media(media[v]), s.wire(d, v, p))
}

func (s *Service) httpList(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		return err
	}
	if f.Deleted, err = rest.Flag(r, "show_deleted"); err != nil {
		return err
	}
	all, err := s.List(r.Context(), who, f)
	if err != nil {
		return err
	}
	p, err := s.present(r.Context(), who, all)
	if err != nil {
		return err
	}
	out := make([]wireDashboard, len(all))
	for i, d := range all {
		out[i] = s.wire(d, v, p)
	}
	return rest.Write(w, http.StatusOK, rest.Collection(media[v]), out)
}

// maxSearch is how long a text is that names are searched for, in characters.
const maxSearch = 256

// filterOf reads what is asked of a list. q, tags and sort are ours; the last is a name of Sorts, with a hyphen for the other way round.
func filterOf(q url.Values) (Filter, error) {
	f := Filter{Name: q.Get("name"), Thing: strings.ToLower(q.Get("thing_id")), Owner: strings.ToLower(q.Get("user_id"))}
	if f.Name != "" && checkName(f.Name) != nil {
		return f, rest.ErrQuery.With("The parameter \"name\" is a part of a dashboard's name.")
	}
	if f.Thing != "" && !isUUID(f.Thing) || f.Owner != "" && !isUUID(f.Owner) {
		return f, rest.ErrQuery.With("The parameters \"thing_id\" and \"user_id\" are UUIDs.")
	}
	f.Text = q.Get("q")
	if !printable(f.Text, maxSearch) {
		return f, rest.ErrQuery.With("The parameter \"q\" is a part of a name, of at most 256 characters.")
	}
	var err error
	if f.Tags, err = device.ReadTags(q["tags"]); err != nil {
		return f, err
	}
	f.Sort, f.Desc = strings.CutPrefix(q.Get("sort"), "-")
	if !slices.Contains(Sorts(), f.Sort) {
		return f, rest.ErrQuery.With("The parameter \"sort\" is one of name, created_at, updated_at; with a hyphen before it, the other way round.")
	}
	return f, nil
}

func (s *Service) httpCreate(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inDashboard
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	var d Dashboard
	in.apply(&d, v, true)
	d, err := s.Create(r.Context(), who, d)
	if err != nil {
		return err
	}
	return s.answer(v, w, r, who, http.StatusCreated, d)
}

func (s *Service) httpShow(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	d, err := s.Get(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return s.answer(v, w, r, who, http.StatusOK, d)
}

func (s *Service) httpUpdate(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.httpChange(v, w, r, who, true)
}

func (s *Service) httpPatch(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.httpChange(v, w, r, who, false)
}

// httpChange brings back what was deleted, unless the client says that it shall be, as updates of things do.
func (s *Service) httpChange(v version, w http.ResponseWriter, r *http.Request, who access.Actor, whole bool) error {
	var in inDashboard
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	since, err := readSince(r)
	if err != nil {
		return err
	}
	d, err := s.Update(r.Context(), who, pathID(r), func(d *Dashboard) error {
		if !since.IsZero() && since.UnixMicro() != d.UpdatedAt.UnixMicro() {
			return ErrChanged
		}
		switch deleted := in.SoftDeleted != nil && *in.SoftDeleted; {
		case !deleted:
			d.DeletedAt = noTime
		case !d.Deleted():
			d.DeletedAt = s.now()
		}
		in.apply(d, v, whole)
		return nil
	})
	if err != nil {
		return err
	}
	return s.answer(v, w, r, who, http.StatusOK, d)
}

// readSince reads If-Match (RFC 9110, section 13.1.1), by which a client says which updated_at its change begins with. Zero
// is any.
func readSince(r *http.Request) (time.Time, error) {
	text := strings.TrimSpace(r.Header.Get("If-Match"))
	if text == "" || text == "*" {
		return noTime, nil
	}
	at, err := time.Parse(time.RFC3339Nano, strings.Trim(text, `"`))
	if err != nil {
		return noTime, ErrSince
	}
	return at, nil
}

func (s *Service) httpDelete(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	hard, err := rest.Flag(r, "force")
	if err != nil {
		return err
	}
	return done(w, http.StatusOK, s.Delete(r.Context(), who, pathID(r), hard))
}

// done answers with nothing, or with err.
func done(w http.ResponseWriter, status int, err error) error {
	if err == nil {
		w.WriteHeader(status)
	}
	return err
}

func (s *Service) httpClone(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inClone
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	overrides := map[string]string{}
	for _, o := range in.Overrides {
		overrides[strings.ToLower(o.Old)] = strings.ToLower(o.New)
	}
	d, err := s.Clone(r.Context(), who, pathID(r), overrides)
	if err != nil {
		return err
	}
	return s.answer(v, w, r, who, http.StatusCreated, d)
}

func (s *Service) httpSetTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inTag
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	return done(w, http.StatusOK, s.Tag(r.Context(), who, pathID(r), func(t device.Tags) device.Tags { return t.With(in.Key, in.Value) }))
}

func (s *Service) httpDropTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, http.StatusOK, s.Tag(r.Context(), who, pathID(r), func(t device.Tags) device.Tags { return t.Without(r.PathValue("key")) }))
}

func (s *Service) httpLink(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inLinks
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	widget := strings.ToLower(r.PathValue("widget"))
	if !isUUID(widget) {
		return ErrNoWidget
	}
	d, err := s.Link(r.Context(), who, pathID(r), widget, in.Variables)
	if err != nil {
		return err
	}
	linked, err := d.widget(widget)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media("variableslinks"), wireLinks{Variables: append([]string{}, linked.Variables...)})
}

func (s *Service) httpTemplate(v version, w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, named, err := s.Template(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media(media[v]+"template"), s.wireTemplate(t, named, v))
}
