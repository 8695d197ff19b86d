package dashboard

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// What our own routes about public links and pictures answer.
type (
	wireLink struct {
		MadeBy wirePerson `json:"made_by"`
		At     time.Time  `json:"created_at"`
		Until  *time.Time `json:"expires_at"`      // null: until it is revoked
		Token  string     `json:"token,omitempty"` // told once, when it is made
		Link   string     `json:"link,omitempty"`  // the same as an address
	}

	inLink struct {
		Days int `json:"days" rule:"range=0..3650"` // 0: until it is revoked
	}

	// wireShared is a dashboard on its public link. Variables of widgets and their options are called by
	// the names that Variables has.
	wireShared struct {
		Name       string             `json:"name"`
		CoverImage string             `json:"cover_image,omitempty"`
		Pages      []wirePage         `json:"pages"`
		Widgets    []wireSharedWidget `json:"widgets"`
		Variables  []wireSharedValue  `json:"variables"`
		UpdatedAt  time.Time          `json:"updated_at"`
	}

	wireSharedWidget struct {
		ID        string          `json:"id"`
		Name      string          `json:"name,omitempty"`
		Options   json.RawMessage `json:"options"`
		PageID    string          `json:"page_id"`
		Type      string          `json:"type"`
		Variables []string        `json:"variables"`
		wirePlace
	}

	wireSharedValue struct {
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Type      string          `json:"type"`
		LastValue json.RawMessage `json:"last_value,omitempty"`
		UpdatedAt *time.Time      `json:"last_value_updated_at,omitempty"`
		Timezone  string          `json:"timezone"`
	}

	wirePast struct {
		Data []wireBin `json:"data"`
	}

	wireBin struct {
		Time  time.Time `json:"time"`
		Value float64   `json:"value"`
	}

	wireImage struct {
		ID   string `json:"id"`
		Path string `json:"path"` // for cover_image and options of widgets
	}
)

func (s *Service) linkRoutes() []door.Route {
	const own, open = "/v1/dashboards/{id}/link", publicPath + "{token}"
	return []door.Route{
		{Pattern: "GET " + own, Action: "share:list", Resource: s.resource, Out: wireLink{}, Do: s.httpPublicLink},
		{Pattern: "PUT " + own, Action: "share:create", Resource: s.resource, In: inLink{}, Out: wireLink{}, Status: http.StatusCreated, Do: s.httpPublish},
		{Pattern: "DELETE " + own, Action: "share:revoke", Resource: s.resource, Status: http.StatusNoContent, Do: s.httpUnpublish},
		{Pattern: "GET " + open, Open: true, Out: wireShared{}, Do: s.httpShared},
		{Pattern: "GET " + open + "/variables/{variable}", Open: true, Out: wirePast{}, Do: s.httpPast},
		{Pattern: "GET " + open + "/images/{image}", Open: true, Do: s.httpSharedImage},
		{Pattern: "GET " + open + "/widgets/{widget}/picture", Open: true, Do: s.httpSharedWidgetPicture},
	}
}

func (s *Service) imageRoutes() []door.Route {
	const all, cover = "/v1/dashboards/{id}/images", "/v1/dashboards/{id}/cover"
	return []door.Route{
		{Pattern: "POST " + all, Action: "dashboard:update", Resource: s.resource, MaxBody: MaxImage, Out: wireImage{}, Status: http.StatusCreated, Do: s.httpAddImage},
		{Pattern: "GET " + all + "/{image}", Action: "dashboard:read", Resource: s.resource, Do: s.httpImage},
		{Pattern: "DELETE " + all + "/{image}", Action: "dashboard:update", Resource: s.resource, Status: http.StatusNoContent, Do: s.httpDropImage},
		{Pattern: "GET /v1/dashboards/{id}/widgets/{widget}/picture", Action: "dashboard:read", Resource: s.resource, Do: s.httpWidgetPicture},
		{Pattern: "PUT " + cover, Action: "dashboard:update", Resource: s.resource, MaxBody: MaxImage, Out: wireDashboard{}, Do: s.httpSetCover},
	}
}

func (s *Service) wireLink(r *http.Request, l Link) (wireLink, error) {
	out := wireLink{At: l.At}
	if !l.Until.IsZero() {
		out.Until = &l.Until
	}
	var err error
	out.MadeBy, err = s.person(r.Context(), l.By)
	return out, err
}

func (s *Service) httpPublicLink(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	l, err := s.PublicLink(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	out, err := s.wireLink(r, l)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpPublish(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inLink
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	l, token, err := s.Publish(r.Context(), who, pathID(r), in.Days)
	if err != nil {
		return err
	}
	out, err := s.wireLink(r, l)
	if err != nil {
		return err
	}
	out.Token, out.Link = token, s.needs.Page(token)
	return rest.Write(w, http.StatusCreated, isJSON, out)
}

func (s *Service) httpUnpublish(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, http.StatusNoContent, s.Unpublish(r.Context(), who, pathID(r)))
}

// open says what holds for every answer to a public link: it leads nowhere else, and nobody indexes it.
func open(w http.ResponseWriter) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
}

func (s *Service) httpShared(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	open(w)
	view, err := s.Shared(r.Context(), r.PathValue("token"), door.Address(r))
	if lang := tongue.Choose(r.Header.Get("Accept-Language")); reads(r) {
		if err != nil {
			return s.page.refuse(w, lang, err)
		}
		return s.page.show(w, lang, view)
	}
	if err != nil {
		return err
	}
	d := view.Dashboard
	out := wireShared{Name: d.Name, CoverImage: d.Cover, Pages: *wirePages(d.Pages), Widgets: make([]wireSharedWidget, 0, len(d.Widgets)), Variables: []wireSharedValue{}, UpdatedAt: d.UpdatedAt}
	seen := map[string]bool{}
	for _, of := range d.Widgets {
		one := wireSharedWidget{ID: of.ID, Name: of.Name, Options: of.Options, PageID: of.Page, Type: of.Type, Variables: []string{}, wirePlace: wirePlaceOf(of.Place, of.Mobile)}
		for _, handle := range of.Variables {
			v, there := view.Variables[handle]
			if !there {
				continue
			}
			one.Variables = append(one.Variables, handle)
			if seen[handle] {
				continue
			}
			seen[handle] = true
			value := wireSharedValue{ID: handle, Name: v.Name, Type: v.Type.Name, LastValue: v.Last, Timezone: v.Timezone}
			if v.Last != nil {
				value.UpdatedAt = &v.LastAt
			}
			out.Variables = append(out.Variables, value)
		}
		out.Widgets = append(out.Widgets, one)
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpPast(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	open(w)
	var begin, end time.Time
	for name, to := range map[string]*time.Time{"from": &begin, "to": &end} {
		if text := r.URL.Query().Get(name); text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return rest.ErrQuery.With("The parameter \"" + name + "\" is a date and time as in RFC 3339.")
			}
			*to = at
		}
	}
	bins, err := s.Past(r.Context(), r.PathValue("token"), door.Address(r), r.PathValue("variable"), begin, end)
	if err != nil {
		return err
	}
	out := wirePast{Data: make([]wireBin, len(bins))}
	for i, bin := range bins {
		out.Data[i] = wireBin{Time: bin.At, Value: bin.Value}
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpSharedImage(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	open(w)
	i, err := s.SharedImage(r.Context(), r.PathValue("token"), door.Address(r), strings.ToLower(r.PathValue("image")))
	if err != nil {
		return err
	}
	rest.Image(w, r, i.Kind, i.Bytes)
	return nil
}

func (s *Service) httpImage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	i, err := s.Image(r.Context(), who, pathID(r), strings.ToLower(r.PathValue("image")))
	if err != nil {
		return err
	}
	rest.Image(w, r, i.Kind, i.Bytes)
	return nil
}

func (s *Service) httpWidgetPicture(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	i, err := s.WidgetPicture(r.Context(), who, pathID(r), strings.ToLower(r.PathValue("widget")))
	if err != nil {
		return err
	}
	rest.Image(w, r, i.Kind, i.Bytes)
	return nil
}

func (s *Service) httpSharedWidgetPicture(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	open(w)
	i, err := s.SharedWidgetPicture(r.Context(), r.PathValue("token"), door.Address(r), strings.ToLower(r.PathValue("widget")))
	if err != nil {
		return err
	}
	rest.Image(w, r, i.Kind, i.Bytes)
	return nil
}

func readImage(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, tooLarge(err, ErrImageBytes)
	}
	return raw, nil
}

// tooLarge is as when the body is above the route's bound, else err.
func tooLarge(err, as error) error {
	if bound := (*http.MaxBytesError)(nil); errors.As(err, &bound) {
		return as
	}
	return err
}

func (s *Service) httpAddImage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	raw, err := readImage(r)
	if err != nil {
		return err
	}
	i, err := s.AddImage(r.Context(), who, pathID(r), raw)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, isJSON, wireImage{i.ID, imagePath(i.Dashboard, i.ID)})
}

func (s *Service) httpDropImage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, http.StatusNoContent, s.DropImage(r.Context(), who, pathID(r), strings.ToLower(r.PathValue("image"))))
}

func (s *Service) httpSetCover(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	raw, err := readImage(r)
	if err != nil {
		return err
	}
	d, err := s.SetCover(r.Context(), who, pathID(r), raw)
	if err != nil {
		return err
	}
	return s.answer(v3, w, r, who, http.StatusOK, d)
}
