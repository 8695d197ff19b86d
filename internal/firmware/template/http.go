package template

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ErrForm is an upload that is no form with a file.
var ErrForm = problem.New(problem.Invalid, "template-form", "The body is a form (multipart/form-data) with one .tino file in its field template.")

const (
	isJSON     = "application/json"
	isZip      = "application/zip"
	formExtra  = 64 << 10        // bytes of a form beside its file
	fileTime   = 2 * time.Minute // for a slow line
	applyTime  = 2 * time.Minute // to make the largest template
	maxWish    = 1 << 20         // bytes: devices and secrets of all things
	maxChoice  = 64 << 10        // bytes: IDs
	suffix     = ".tino"
	storage    = "/storage/template/v1"
	archive    = "/storage/template/archive/v1"
	ourAddress = "/v1/templates"
)

// Wire types; cloud-api reference, sections 6.13 and 7.2. Go clients refuse an answer without a required key.
type (
	inApply struct {
		TemplateName     string              `json:"template_name"` // of the gallery; clients that name the other send it empty
		CustomTemplateID string              `json:"custom_template_id"`
		PrefixName       string              `json:"prefix_name" rule:"length=0..45"`
		ThingsOptions    map[string]inOption `json:"things_options" rule:"items=0..50"`
	}

	inOption struct {
		DeviceID string            `json:"device_id"`
		Secrets  map[string]string `json:"secrets"`
	}

	wireApplied struct {
		Things     []wireMade `json:"things"`
		Dashboards []string   `json:"dashboards"`
		Triggers   []string   `json:"triggers"`
	}

	wireMade struct {
		ID       string `json:"id"`
		SketchID string `json:"sketch_id"`
		DeviceID string `json:"device_id,omitempty"`
	}

	inList struct {
		Sort string `json:"sort"` // asc or desc, by when they were made; "" is asc
	}

	wireList struct {
		Templates []wireListed `json:"templates"`
	}

	wireListed struct {
		TemplateID string    `json:"template_id"`
		Name       string    `json:"name"`
		CreatedAt  time.Time `json:"created_at"`
		UpdatedAt  time.Time `json:"updated_at"`
	}

	wireDescribed struct {
		TemplateID         string            `json:"template_id"`
		Name               string            `json:"name"`
		Description        string            `json:"description"`
		CompatibleBoards   []string          `json:"compatible_boards"`
		ThingTemplates     []thingPart       `json:"thing_templates"`
		DashboardTemplates []json.RawMessage `json:"dashboard_templates"`
		TriggerTemplates   []json.RawMessage `json:"trigger_templates"`
		ImageLinks         []string          `json:"image_links"`
		OrganizationID     string            `json:"organization_id,omitempty"`
		UserID             string            `json:"user_id,omitempty"`
		CreatedAt          time.Time         `json:"created_at"`
		UpdatedAt          time.Time         `json:"updated_at"`
	}

	wireImported struct {
		Message    string `json:"message"`
		Name       string `json:"name"`
		TemplateID string `json:"template_id"`
	}
)

// What is ours alone.
type (
	wireTemplate struct {
		ID               string    `json:"id"`
		TemplateName     string    `json:"template_name,omitempty"` // in the gallery
		Name             string    `json:"name"`
		Description      string    `json:"description"`
		CompatibleBoards []string  `json:"compatible_boards"`
		Things           int       `json:"things"`
		Dashboards       int       `json:"dashboards"`
		Triggers         int       `json:"triggers"`
		Sketches         int       `json:"sketches"`
		Bytes            int64     `json:"bytes"`
		SourceTemplate   string    `json:"source_template_id,omitempty"`
		UserID           string    `json:"user_id,omitempty"`
		CreatedAt        time.Time `json:"created_at"`
		UpdatedAt        time.Time `json:"updated_at"`
	}

	inMake struct {
		Name        string   `json:"name" rule:"required,length=1..128"`
		Description string   `json:"description" rule:"length=0..4096"`
		Things      []string `json:"things" rule:"items=0..50,format=uuid"`
		Dashboards  []string `json:"dashboards" rule:"items=0..50,format=uuid"`
		Triggers    []string `json:"triggers" rule:"items=0..100,format=uuid"`
	}

	inRename struct {
		Name        *string `json:"name" rule:"length=1..128"`
		Description *string `json:"description" rule:"length=0..4096"`
	}
)

// Routes are the addresses of this room. Those under /storage have a host of their own in the compatible API; here every
// name of the server answers to all.
func (s *Service) Routes() []door.Route {
	return docs.Tell([]door.Route{
		{Pattern: "PUT /iot/v1/templates", Action: "template:apply", MaxBody: maxWish, Timeout: applyTime, In: inApply{}, Out: wireApplied{}, Do: s.admitted(s.httpApply)},
		{Pattern: "POST " + storage + "/list", Action: "template:list", In: inList{}, Out: wireList{}, Do: s.httpStored},
		{Pattern: "GET " + storage + "/{id}", Action: "template:read", Resource: s.resource, Out: wireDescribed{}, Do: s.admitted(s.httpDescribe)},
		{Pattern: "GET " + archive + "/{id}", Action: "template:read", Resource: s.resource, Timeout: fileTime, Do: s.admitted(s.httpExport)},
		{Pattern: "POST " + archive, Action: "template:create", MaxBody: MaxFile + formExtra, Timeout: fileTime, Out: wireImported{}, Do: s.admitted(s.httpImport)},
		{Pattern: "GET " + ourAddress, Action: "template:list", Out: []wireTemplate{}, Do: s.httpList},
		{Pattern: "GET " + ourAddress + "/gallery", Action: "template:list", Out: []wireTemplate{}, Do: s.httpGallery},
		{Pattern: "POST " + ourAddress, Action: "template:create", MaxBody: maxChoice, Timeout: applyTime, In: inMake{}, Out: wireTemplate{}, Status: http.StatusCreated, Do: s.admitted(s.httpMake)},
		{Pattern: "GET " + ourAddress + "/{id}", Action: "template:read", Resource: s.resource, Out: wireTemplate{}, Do: s.httpShow},
		{Pattern: "PATCH " + ourAddress + "/{id}", Action: "template:update", Resource: s.resource, In: inRename{}, Out: wireTemplate{}, Do: s.admitted(s.httpRename)},
		{Pattern: "DELETE " + ourAddress + "/{id}", Action: "template:delete", Resource: s.resource, Do: s.httpDelete},
	})
}

// admitted does what holds a whole file, for a few at once.
func (s *Service) admitted(do func(http.ResponseWriter, *http.Request, access.Actor) error) func(http.ResponseWriter, *http.Request, access.Actor) error {
	return func(w http.ResponseWriter, r *http.Request, who access.Actor) error {
		leave, err := s.admit(who.Space)
		if err != nil {
			return err
		}
		defer leave()
		return do(w, r, who)
	}
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

// resource finds the template that a request is about. One of the gallery is everybody's to read.
func (s *Service) resource(r *http.Request, who access.Actor) (access.Resource, error) {
	id := pathID(r)
	if g, ok := s.ofGallery(id); ok {
		if r.Method != http.MethodGet {
			return access.Resource{}, ErrNotFound
		}
		return access.Resource{Type: "Template", ID: g.ID, Space: who.Space}, nil
	}
	if !topic.IsID(id) {
		return access.Resource{}, ErrNotFound
	}
	t, err := s.needs.Store.find(r.Context(), who.Space, id)
	if err != nil {
		return access.Resource{}, err
	}
	return access.Resource{Type: "Template", ID: t.ID, Space: t.Space, Owner: t.Owner}, nil
}

func (s *Service) httpApply(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inApply
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	wish := Wish{Template: strings.ToLower(in.CustomTemplateID), Prefix: in.PrefixName, Options: map[string]Option{}}
	switch {
	case in.TemplateName != "" && in.CustomTemplateID != "":
		return ErrNoChoice.With("Say template_name or custom_template_id, not both.")
	case in.TemplateName != "":
		g, ok := s.ofGallery(in.TemplateName)
		if !ok {
			return ErrNotFound.With("The gallery has no such template: GET /v1/templates/gallery lists those that it has.")
		}
		wish.Template = g.ID
	case wish.Template != "" && !topic.IsID(wish.Template):
		return ErrNotFound
	}
	for id, o := range in.ThingsOptions {
		device := strings.ToLower(o.DeviceID)
		if device != "" && !topic.IsID(device) {
			return ErrOptions.With("A device_id is a UUID.")
		}
		wish.Options[id] = Option{device, o.Secrets}
	}
	made, err := s.Apply(r.Context(), who, wish)
	if err != nil {
		return err
	}
	out := wireApplied{Things: []wireMade{}, Dashboards: append([]string{}, made.Dashboards...), Triggers: append([]string{}, made.Triggers...)}
	for _, t := range made.Things {
		out.Things = append(out.Things, wireMade{t.ID, t.Sketch, t.Device})
	}
	return rest.Write(w, http.StatusOK, rest.Media("template"), out)
}

func (s *Service) httpStored(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inList
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	sort := strings.ToLower(in.Sort)
	if sort != "" && sort != "asc" && sort != "desc" {
		return rest.ErrBody.With(`The member "sort" is asc or desc.`)
	}
	all, err := s.List(r.Context(), who, sort == "desc")
	if err != nil {
		return err
	}
	out := wireList{Templates: []wireListed{}}
	for _, t := range all {
		out.Templates = append(out.Templates, wireListed{t.ID, t.Name, t.CreatedAt, t.UpdatedAt})
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpDescribe(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	whole, err := s.Whole(r.Context(), who, t.ID)
	if err != nil {
		return err
	}
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := wireDescribed{TemplateID: t.ID, Name: t.Name, Description: t.Text, CompatibleBoards: append([]string{}, t.Boards...), ThingTemplates: []thingPart{},
		DashboardTemplates: append([]json.RawMessage{}, whole.Dashboards...), TriggerTemplates: append([]json.RawMessage{}, whole.Triggers...), ImageLinks: []string{},
		OrganizationID: organization, UserID: t.Owner, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt}
	for _, raw := range whole.Things {
		one, err := readThing(raw)
		if err != nil {
			return err
		}
		one.Tags, one.Variables = append([]tagPart{}, one.Tags...), append([]variablePart{}, one.Variables...)
		out.ThingTemplates = append(out.ThingTemplates, one)
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpExport(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	file, name, err := s.File(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", isZip)
	// Clients take what comes after "filename=" for the name, whatever it is; RFC 6266 has more.
	h.Set("Content-Disposition", `attachment; filename="`+fileName(name)+suffix+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(file) // a client that has gone away is nobody's error
	return nil
}

// fileName is a name with an underscore for all that is not a letter, a digit or a hyphen of ASCII.
func fileName(name string) string {
	out := strings.Trim(strings.Map(func(r rune) rune {
		if r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, name), "_")
	if out == "" {
		return "template"
	}
	return out
}

func (s *Service) httpImport(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	raw, err := readForm(r)
	if err != nil {
		return err
	}
	t, err := s.Import(r.Context(), who, raw)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireImported{Message: "template imported", Name: t.Name, TemplateID: t.ID})
}

// readForm is the file of a form, in its part template.
func readForm(r *http.Request) (file []byte, err error) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		return nil, ErrForm
	}
	form := multipart.NewReader(r.Body, params["boundary"])
	for {
		p, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, formError(err)
		}
		if p.FormName() != "template" {
			continue
		}
		if file != nil {
			return nil, ErrForm
		}
		if file, err = io.ReadAll(io.LimitReader(p, MaxFile+1)); err != nil {
			return nil, formError(err)
		}
		if len(file) > MaxFile {
			return nil, ErrTooLarge
		}
	}
	if file == nil {
		return nil, ErrForm
	}
	return file, nil
}

// formError says whose error it is that a form cannot be read.
func formError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return ErrTooLarge
	case errors.Is(err, io.ErrUnexpectedEOF):
		return rest.ErrBody.With("The request's body ended too early.")
	case strings.HasPrefix(err.Error(), "multipart:"), strings.HasPrefix(err.Error(), "malformed MIME"):
		return ErrForm
	}
	return err
}

func toWire(t Template) wireTemplate {
	return wireTemplate{ID: t.ID, TemplateName: t.Slug, Name: t.Name, Description: t.Text, CompatibleBoards: append([]string{}, t.Boards...), Things: t.Things, Dashboards: t.Dashboards,
		Triggers: t.Triggers, Sketches: t.Sketches, Bytes: t.Bytes, SourceTemplate: t.Source, UserID: t.Owner, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt}
}

func writeAll(w http.ResponseWriter, all []Template) error {
	out := make([]wireTemplate, 0, len(all))
	for _, t := range all {
		out = append(out, toWire(t))
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.List(r.Context(), who, false)
	if err != nil {
		return err
	}
	return writeAll(w, all)
}

func (s *Service) httpGallery(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	return writeAll(w, s.Gallery())
}

func (s *Service) httpMake(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inMake
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, err := s.Make(r.Context(), who, Choice{Name: in.Name, Text: in.Description, Things: lower(in.Things), Dashboards: lower(in.Dashboards), Triggers: lower(in.Triggers)})
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, isJSON, toWire(t))
}

func lower(all []string) []string {
	out := make([]string, len(all))
	for i, id := range all {
		out[i] = strings.ToLower(id)
	}
	return out
}

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, toWire(t))
}

func (s *Service) httpRename(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inRename
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, err := s.Rename(r.Context(), who, pathID(r), in.Name, in.Description)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, toWire(t))
}

func (s *Service) httpDelete(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.Delete(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
