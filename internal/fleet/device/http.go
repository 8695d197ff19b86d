package device

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// Routes are the addresses of this room; cloud-api reference, sections 6.1, 6.3, 6.4 and 6.14.
// Paths and wire names are those of the API that we are compatible with: PUT creates
// and POST updates.
func (s *Service) Routes() []door.Route {
	const all, one = "/iot/v2/devices", "/iot/v2/devices/{id}"
	here, any := s.Load, s.loadAny
	return docs.Tell(append([]door.Route{
		{Pattern: "GET " + all, Action: "device:list", Out: []wireDevice{}, Do: s.httpList},
		{Pattern: "PUT " + all, Action: "device:create", In: wireCreate{}, Out: wireDevice{}, Status: http.StatusCreated, Do: s.httpCreate},
		{Pattern: "PUT " + all + "/claim", Action: "device:claim", In: wireClaim{}, Out: wireDevice{}, Status: http.StatusCreated, Do: s.httpClaim},
		{Pattern: "GET " + one, Action: "device:read", Resource: any, Out: wireDevice{}, Do: s.httpShow},
		{Pattern: "POST " + one, Action: "device:update", Resource: any, In: wireUpdate{}, Out: wireDevice{}, Do: s.httpUpdate},
		{Pattern: "DELETE " + one, Action: "device:delete", Resource: any, Do: s.httpDelete},
		{Pattern: "POST " + one + "/remove-uhwid", Action: "device:update", Resource: here, Out: wireDevice{}, Do: s.httpRemoveHardwareID},

		{Pattern: "GET " + one + "/events", Action: "device:read", Resource: here, Out: wireEvents{}, Do: s.httpEvents},
		{Pattern: "GET " + one + "/status", Action: "device:read", Resource: here, Out: wireStatuses{}, Do: s.httpStatus},
		{Pattern: "GET " + one + "/properties", Action: "property:list", Resource: here, Out: wireProperties{}, Do: s.httpProperties},
		{Pattern: "PUT " + one + "/properties", Action: "property:publish", Resource: here, In: wireValues{}, MaxBody: 256 << 10, Do: s.httpPublish},
		{Pattern: "GET " + one + "/properties/{pid}", Action: "property:read", Resource: here, Out: wireHistory{}, Do: s.httpHistory},

		{Pattern: "GET " + one + "/pass", Action: "device:read", Resource: here, Out: wirePass{}, Do: s.httpSecret},
		{Pattern: "PUT " + one + "/pass", Action: "device:write", Resource: here, In: wireSetPass{}, Out: wirePass{}, MaxBody: 4 << 10, Do: s.httpSetSecret},
		{Pattern: "POST " + one + "/pass", Action: "device:write", Resource: here, In: wireCheckPass{}, MaxBody: 4 << 10, Do: s.httpCheckSecret},
		{Pattern: "DELETE " + one + "/pass", Action: "device:write", Resource: here, Do: s.httpDeleteSecret},

		{Pattern: "GET " + one + "/tags", Action: "device:read", Resource: here, Out: wireTags{}, Do: s.httpTags},
		{Pattern: "PUT " + one + "/tags", Action: "device:tag", Resource: here, In: wireTag{}, MaxBody: 4 << 10, Do: s.httpSetTag},
		{Pattern: "DELETE " + one + "/tags/{key}", Action: "device:tag", Resource: here, Do: s.httpDeleteTag},
	}, s.credentialRoutes()...))
}

// Load is the door.Loader of routes below one device, {id}. A deleted device is not
// there. Other rooms' routes use it too.
func (s *Service) Load(r *http.Request, who access.Actor) (access.Resource, error) {
	return s.load(r, who, false)
}

// loadAny also finds deleted devices: to restore them, to remove them, to look at.
func (s *Service) loadAny(r *http.Request, who access.Actor) (access.Resource, error) {
	return s.load(r, who, true)
}

// pathID is the device that the path names. Some programs write IDs in capitals.
func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

func (s *Service) load(r *http.Request, who access.Actor, deleted bool) (access.Resource, error) {
	d, err := s.needs.Store.get(r.Context(), who.Space, pathID(r))
	if err != nil {
		return access.Resource{}, err
	}
	if d.leaving == leavingHard || !deleted && !d.DeletedAt.IsZero() {
		return access.Resource{}, ErrNotFound
	}
	return access.Resource{Type: "Device", ID: d.ID, Space: d.Space, Owner: d.Owner}, nil
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	q := r.URL.Query()
	f := Filter{Serial: q.Get("serial"), HardwareID: strings.ToLower(q.Get("unique_hardware_id"))}
	// across_user_ids changes nothing: a space's devices are all of its members'.
	var err error
	if f.Deleted, err = rest.Flag(r, "show_deleted"); err != nil {
		return err
	}
	if f.Tags, err = ReadTags(q["tags"]); err != nil {
		return err
	}
	listing, err := rest.ReadListing(r, "name", "type", "created_at", "updated_at", "last_activity_at")
	if err != nil {
		return err
	}
	all, err := s.List(r.Context(), who, who.Space, f)
	if err != nil {
		return err
	}
	wire, err := s.wire(r.Context(), who, rest.Listed(listing, all, sortKey))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Collection("devicev2"), wire)
}

func sortKey(d *Device, name string) rest.SortKey {
	switch name {
	case "name":
		return rest.SortKey{Text: d.Name}
	case "type":
		return rest.SortKey{Text: d.Type}
	case "updated_at":
		return rest.SortKey{At: d.UpdatedAt}
	case "last_activity_at":
		return rest.SortKey{At: d.LastActivityAt}
	}
	return rest.SortKey{At: d.CreatedAt}
}

func (s *Service) httpCreate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireCreate
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	d, err := s.Create(r.Context(), who, in.device())
	if err != nil {
		return err
	}
	return s.write(w, r, who, http.StatusCreated, d)
}

func (s *Service) httpClaim(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireClaim
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	d := in.device()
	d.ID = strings.ToLower(in.ID)
	d, err := s.Claim(r.Context(), who, d)
	if err != nil {
		return err
	}
	return s.write(w, r, who, http.StatusCreated, d)
}

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	deleted, err := rest.Flag(r, "show_deleted")
	if err != nil {
		return err
	}
	d, err := s.Get(r.Context(), who, who.Space, pathID(r), deleted)
	if err != nil {
		return err
	}
	return s.write(w, r, who, http.StatusOK, d)
}

func (s *Service) httpUpdate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireUpdate
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	d, err := s.Update(r.Context(), who, who.Space, pathID(r), func(d *Device) error {
		in.apply(d)
		return nil
	})
	if err != nil {
		return err
	}
	return s.write(w, r, who, http.StatusOK, d)
}

func (s *Service) httpDelete(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	hard, err := rest.Flag(r, "force")
	if err != nil {
		return err
	}
	return done(w, s.Delete(r.Context(), who, who.Space, pathID(r), hard))
}

func (s *Service) httpRemoveHardwareID(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	d, err := s.RemoveHardwareID(r.Context(), who, who.Space, pathID(r))
	if err != nil {
		return err
	}
	return s.write(w, r, who, http.StatusOK, d)
}

// httpEvents tells the latest value of everything that the device said of itself.
func (s *Service) httpEvents(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	limit, err := number(r.URL.Query(), "limit", 100, 1000)
	if err != nil {
		return err
	}
	d, err := s.Get(r.Context(), who, who.Space, pathID(r), false)
	if err != nil {
		return err
	}
	events := wireReports(d.Reported)
	return rest.Write(w, http.StatusOK, rest.Media("devicev2.event.properties"), wireEvents{ID: d.ID, Events: events[:min(limit, len(events))]})
}

// httpStatus pages by start, the updated_at of the last event of the page before.
func (s *Service) httpStatus(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	limit, err := number(r.URL.Query(), "limit", 30, keepStatuses)
	if err != nil {
		return err
	}
	var before time.Time
	if start := r.URL.Query().Get("start"); start != "" {
		// The plus of an offset that a client did not escape has become a space.
		if before, err = time.Parse(time.RFC3339, strings.ReplaceAll(start, " ", "+")); err != nil {
			return rest.ErrQuery.With("start is a time such as 2026-11-24T12:00:00Z; older events follow.")
		}
	}
	all, err := s.Statuses(r.Context(), who, who.Space, pathID(r), before, limit)
	if err != nil {
		return err
	}
	wire := wireStatuses{ID: pathID(r), Events: make([]wireStatus, 0, len(all))}
	for _, e := range all {
		value := "DISCONNECTED"
		if e.Connected {
			value = "CONNECTED"
		}
		wire.Events = append(wire.Events, wireStatus{UpdatedAt: stamp(e.At), Value: value})
	}
	return rest.Write(w, http.StatusOK, rest.Media("devicev2.status.events"), wire)
}

func (s *Service) httpProperties(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	deleted, err := rest.Flag(r, "show_deleted")
	if err != nil {
		return err
	}
	d, err := s.Get(r.Context(), who, who.Space, pathID(r), false)
	if err != nil {
		return err
	}
	p, err := s.things.Properties(r.Context(), who, d.ID, deleted)
	if err != nil {
		return err
	}
	if p.List == nil {
		p.List = []any{}
	}
	return rest.Write(w, http.StatusOK, rest.Media("devicev2properties"), wireProperties{
		RetentionDays: p.RetentionDays, DeviceID: d.ID, Properties: p.List, UserID: d.Owner,
	})
}

// ways are how values may be encoded; see wireValue.
var ways = map[string]bool{"infer": true, "base64": true, "hex": true, "json": true}

func (s *Service) httpPublish(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireValues
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	values := make([]Value, 0, len(in.Properties))
	for _, p := range in.Properties {
		if p.Type == "" {
			p.Type = "infer"
		}
		if !ways[p.Type] {
			return ErrInvalid.With("The type of a value is one of infer, base64, hex, json.")
		}
		values = append(values, Value{Name: p.Name, Type: p.Type, JSON: p.Value})
	}
	return done(w, s.things.Publish(r.Context(), who, pathID(r), values, in.Input))
}

func (s *Service) httpHistory(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	q := r.URL.Query()
	limit, err := number(q, "limit", 100, 1000)
	if err != nil {
		return err
	}
	h, err := s.things.History(r.Context(), who, pathID(r), strings.ToLower(r.PathValue("pid")), limit, q.Get("start"))
	if err != nil {
		return err
	}
	wire := wireHistory{ID: h.ID, Name: h.Name, Values: make([]wireSample, 0, len(h.Values))}
	for i, v := range h.Values {
		wire.Values = append(wire.Values, wireSample{CreatedAt: stamp(v.At), Value: wirePayload{Payload: v.Payload, Number: i}})
	}
	if h.Next != "" {
		wire.Next = wireCursor{CreatedAt: h.Next, ID: h.ID, Name: h.Name}
	}
	return rest.Write(w, http.StatusOK, rest.Media("devicev2propertyvalues"), wire)
}

const passMedia = "devicev2.pass"

func (s *Service) httpSecret(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	suggest, err := rest.Flag(r, "suggested_password")
	if err != nil {
		return err
	}
	d, err := s.Get(r.Context(), who, who.Space, pathID(r), false)
	if err != nil {
		return err
	}
	wire := wirePass{Set: d.HasSecret}
	if suggest {
		wire.Suggested = SuggestSecret()
	}
	return rest.Write(w, http.StatusOK, rest.Media(passMedia), wire)
}

// httpSetSecret echoes the secret: the command line tool shows it from there, for
// the only time.
func (s *Service) httpSetSecret(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireSetPass
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if in.Password == "" {
		in.Password = SuggestSecret()
	}
	if err := s.SetSecret(r.Context(), who, who.Space, pathID(r), in.Password); err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media(passMedia), wirePass{Set: true, Suggested: in.Password})
}

func (s *Service) httpCheckSecret(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireCheckPass
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	err := s.CheckSecret(r.Context(), who, who.Space, pathID(r), in.Password)
	if errors.Is(err, ErrWrongSecret) {
		w.WriteHeader(http.StatusBadRequest) // without a body, as clients expect
		return nil
	}
	return done(w, err)
}

func (s *Service) httpDeleteSecret(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.DeleteSecret(r.Context(), who, who.Space, pathID(r)))
}

func (s *Service) httpTags(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	d, err := s.Get(r.Context(), who, who.Space, pathID(r), false)
	if err != nil {
		return err
	}
	wire := wireTags{Tags: make([]wireTag, 0, len(d.Tags))}
	for key, value := range d.Tags {
		wire.Tags = append(wire.Tags, wireTag{key, value})
	}
	slices.SortFunc(wire.Tags, func(a, b wireTag) int { return strings.Compare(a.Key, b.Key) })
	return rest.Write(w, http.StatusOK, rest.Media("tags"), wire)
}

func (s *Service) httpSetTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireTag
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	return done(w, s.SetTag(r.Context(), who, who.Space, pathID(r), in.Key, in.Value))
}

func (s *Service) httpDeleteTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.DeleteTag(r.Context(), who, who.Space, pathID(r), r.PathValue("key")))
}

// done answers a request that has no body to answer with.
func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusOK)
	}
	return err
}

func (s *Service) write(w http.ResponseWriter, r *http.Request, who access.Actor, status int, d Device) error {
	wire, err := s.wire(r.Context(), who, []Device{d})
	if err != nil {
		return err
	}
	return rest.Write(w, status, rest.Media("devicev2"), wire[0])
}

// wire makes the JSON form of devices of one space, with what other rooms know of them.
func (s *Service) wire(ctx context.Context, who access.Actor, all []Device) ([]wireDevice, error) {
	wire := make([]wireDevice, 0, len(all))
	if len(all) == 0 {
		return wire, nil
	}
	space := all[0].Space
	organization, err := s.needs.Organization(ctx, space)
	if err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(all))
	for _, d := range all {
		ids = append(ids, d.ID)
	}
	issuers, err := s.needs.Certificates.Issuers(ctx, space, ids)
	if err != nil {
		return nil, err
	}
	things, err := s.things.Embed(ctx, who, ids)
	if err != nil {
		return nil, err
	}
	for _, d := range all {
		one := toWire(d)
		one.OrganizationID, one.IssuerCA, one.Thing = organization, issuers[d.ID], things[d.ID]
		if s.webhooks != nil && who.Edits() {
			one.Webhooks = s.webhooks(d.ID)
		}
		wire = append(wire, one)
	}
	return wire, nil
}

// number reads a parameter that counts; more than most is most, and 0, which
// clients send who have no wish, is standard.
func number(q url.Values, name string, standard, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return standard, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0:
		return 0, rest.ErrQuery.With(name + " is a whole number that is not negative.")
	case n == 0:
		return standard, nil
	}
	return min(n, most), nil
}

// stamp is a time as clients read it.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
