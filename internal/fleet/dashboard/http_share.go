package dashboard

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const isJSON = "application/json"

// oneselfName stands for the ID of who asks, where somebody gives a dashboard back.
const oneselfName = "me"

// noTime is the time of what has not happened.
var noTime time.Time

// What our own routes answer.
type (
	wireShare struct {
		wirePerson
		Access string     `json:"access"` // read, write
		By     wirePerson `json:"shared_by"`
		At     time.Time  `json:"shared_at"`
	}

	wireRequest struct {
		wirePerson
		Message string    `json:"message"`
		At      time.Time `json:"asked_at"`
	}

	wireFinding struct {
		WidgetID   string     `json:"widget_id"`
		VariableID string     `json:"variable_id,omitempty"`
		Mark       string     `json:"mark"` // missing, type, permission, unlinked, no-device, offline, no-value
		LastAt     *time.Time `json:"last_value_updated_at,omitempty"`
	}
)

func (s *Service) shareRoutes() []door.Route {
	const one, own = "/iot/v2/dashboards/{id}", "/v1/dashboards/{id}"
	return []door.Route{
		{Pattern: "GET " + one + "/shares", Action: "share:list", Resource: s.resource, Out: []wirePerson{}, Do: s.httpShares},
		{Pattern: "PUT " + one + "/shares", Action: "share:create", Resource: s.resource, In: inShare{}, Do: s.httpShare},
		// A guest may give back what was shared with them; whose share it is, the service looks at.
		{Pattern: "DELETE " + one + "/shares/{user}", Action: "share:leave", Resource: s.resource, Do: s.httpUnshare},
		// The answer is the same whether there is such a dashboard or not.
		{Pattern: "PUT " + one + "/share_request", Action: "sharerequest:create", Resource: oneself, In: inRequest{}, Do: s.httpAsk},
		{Pattern: "GET " + own + "/shares", Action: "share:list", Resource: s.resource, Out: []wireShare{}, Do: s.httpOwnShares},
		{Pattern: "GET " + own + "/requests", Action: "share:list", Resource: s.resource, Out: []wireRequest{}, Do: s.httpRequests},
		{Pattern: "DELETE " + own + "/requests/{user}", Action: "share:revoke", Resource: s.resource, Status: http.StatusNoContent, Do: s.httpRefuse},
	}
}

// oneself is the Loader of what anybody may do for themselves.
func oneself(_ *http.Request, who access.Actor) (access.Resource, error) {
	return access.Resource{Type: "Account", ID: who.ID, Space: who.Space, Owner: who.ID}, nil
}

func (s *Service) person(ctx context.Context, user string) (wirePerson, error) {
	name, err := s.needs.Person(ctx, user)
	return wirePerson{UserID: user, Username: name}, err
}

func (s *Service) httpShares(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Shares(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	out := make([]wirePerson, len(all))
	for i, one := range all {
		if out[i], err = s.person(r.Context(), one.User); err != nil {
			return err
		}
	}
	return rest.Write(w, http.StatusOK, rest.Collection("dashboardshare"), out)
}

func (s *Service) httpOwnShares(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Shares(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	out := make([]wireShare, len(all))
	for i, one := range all {
		out[i] = wireShare{Access: one.May, At: one.At}
		if out[i].wirePerson, err = s.person(r.Context(), one.User); err != nil {
			return err
		}
		if out[i].By, err = s.person(r.Context(), one.By); err != nil {
			return err
		}
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpShare(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inShare
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	var guests []Guest
	if in.UserID != "" || in.Username != "" {
		guests = append(guests, Guest{strings.ToLower(in.UserID), in.Username})
	}
	for _, g := range in.Users {
		guests = append(guests, Guest{strings.ToLower(g.UserID), g.Username})
	}
	return done(w, http.StatusOK, s.Share(r.Context(), who, pathID(r), guests, in.Access))
}

func (s *Service) httpUnshare(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	user := strings.ToLower(r.PathValue("user"))
	if user == oneselfName {
		user = who.ID
	}
	return done(w, http.StatusOK, s.Unshare(r.Context(), who, pathID(r), user))
}

func (s *Service) httpAsk(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inRequest
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	id := pathID(r)
	if !isUUID(id) {
		return ErrNotFound
	}
	return done(w, http.StatusOK, s.Ask(r.Context(), who, id, in.Message))
}

func (s *Service) httpRequests(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Requests(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	out := make([]wireRequest, len(all))
	for i, one := range all {
		out[i] = wireRequest{Message: one.Message, At: one.At}
		if out[i].wirePerson, err = s.person(r.Context(), one.User); err != nil {
			return err
		}
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpRefuse(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, http.StatusNoContent, s.Refuse(r.Context(), who, pathID(r), strings.ToLower(r.PathValue("user"))))
}

func (s *Service) httpHealth(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Health(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	out := make([]wireFinding, len(all))
	for i, f := range all {
		out[i] = wireFinding{WidgetID: f.Widget, VariableID: f.Property, Mark: string(f.Mark)}
		if !f.LastAt.IsZero() {
			out[i].LastAt = &f.LastAt
		}
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

// httpImport makes a dashboard of the template that is the body, JSON or YAML. The query has one override=SLUG=ID
// for each thing that the template names otherwise than by its ID, and may have a name.
func (s *Service) httpImport(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return tooLarge(err, ErrTooLarge)
	}
	t, err := ReadTemplate(text)
	if err != nil {
		return err
	}
	overrides := map[string]string{}
	for _, one := range r.URL.Query()["override"] {
		slug, id, ok := strings.Cut(one, "=")
		if !ok || slug == "" || !isUUID(strings.ToLower(id)) {
			return rest.ErrQuery.With("The parameter \"override\" is written THING=ID: how the template names a thing, and the ID of the one that stands for it.")
		}
		overrides[slug] = strings.ToLower(id)
	}
	if name := r.URL.Query().Get("name"); name != "" {
		t.Name = name
	}
	d, err := s.Import(r.Context(), who, t, overrides)
	if err != nil {
		return err
	}
	return s.answer(v3, w, r, who, http.StatusCreated, d)
}
