package trigger

import (
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

var noTime time.Time

// What is ours alone.
type (
	wireDelivery struct {
		ID        string     `json:"id"`
		TriggerID string     `json:"trigger_id"`
		Kind      Kind       `json:"kind"`
		At        time.Time  `json:"at"`
		Tries     int64      `json:"tries"`
		NextAt    *time.Time `json:"next_at"`  // null when it has ended
		EndedAt   *time.Time `json:"ended_at"` // null while it waits
		Outcome   string     `json:"outcome"`  // waiting, done, dead, gone, limited or erased
		Answer    *int       `json:"answer"`   // HTTP status of the last try; null for none
	}

	wireFired struct {
		TriggerID string    `json:"trigger_id"`
		At        time.Time `json:"at"`      // when it did something last
		Waiting   int64     `json:"waiting"` // deliveries that are still tried
		Dead      int64     `json:"dead"`    // deliveries that were given up
	}

	wireMute struct {
		Muted bool `json:"muted"` // you want no more letters and notices of it
	}

	wireRetried struct {
		Retried int64 `json:"retried"`
	}

	wireUsage struct {
		Triggers      int   `json:"triggers"`       // deleted ones included
		TriggersLimit *int  `json:"triggers_limit"` // null: none
		Today         int64 `json:"today"`
		TodayLimit    *int  `json:"today_limit"` // null: none
		HeldToday     int64 `json:"held_today"`  // by a rate or the limit
	}

	wirePushKey struct {
		Key string `json:"key"` // applicationServerKey of PushManager.subscribe(), base64url
	}

	wireBrowser struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		Service   string    `json:"service"` // host of its push service
		CreatedAt time.Time `json:"created_at"`
	}

	inBrowser struct {
		Endpoint string     `json:"endpoint" rule:"required,length=1..2048"`
		Keys     inPushKeys `json:"keys" rule:"required"`
		Name     string     `json:"name" rule:"length=0..64"`
	}

	inPushKeys struct {
		P256DH string `json:"p256dh" rule:"required,length=1..256"`
		Auth   string `json:"auth" rule:"required,length=1..64"`
	}
)

const shownDeliveries = 100

func (s *Service) ourRoutes() []door.Route {
	const deliveries, tags, mute = "/v1/actions/{id}/deliveries", "/v1/triggers/{id}/tags", "/v1/triggers/{id}/mute"
	return []door.Route{
		{Pattern: "GET /v1/triggers/usage", Action: "trigger:list", Out: wireUsage{}, Do: s.httpUsage},
		{Pattern: "GET /v1/triggers/fired", Action: "trigger:list", Out: []wireFired{}, Do: s.httpFired},
		{Pattern: "POST /v1/triggers/import", Action: "trigger:create", MaxBody: maxTriggerBody, In: inImport{}, Out: wireTrigger{}, Status: http.StatusCreated, Do: s.httpImport},
		{Pattern: "PUT " + tags, Action: "trigger:update", Resource: s.resource, In: inTag{}, Do: s.httpSetTag},
		{Pattern: "DELETE " + tags + "/{key}", Action: "trigger:update", Resource: s.resource, Do: s.httpDropTag},
		{Pattern: "GET " + mute, Action: "trigger:read", Resource: s.resource, Out: wireMute{}, Do: s.httpMute},
		{Pattern: "PUT " + mute, Action: "push:delete", Resource: s.ownOf, Out: wireMute{}, Do: s.httpSetMute},
		{Pattern: "DELETE " + mute, Action: "push:create", Resource: s.ownOf, Out: wireMute{}, Do: s.httpDropMute},
		{Pattern: "GET " + deliveries, Action: "action:read", Resource: s.actionResource, Out: []wireDelivery{}, Do: s.httpDeliveries},
		{Pattern: "POST " + deliveries + "/retry", Action: "action:update", Resource: s.actionResource, Out: wireRetried{}, Do: s.httpRetry},
		{Pattern: "GET /v1/push/key", Action: "push:list", Resource: own, Out: wirePushKey{}, Do: s.httpPushKey},
		{Pattern: "GET /v1/push", Action: "push:list", Resource: own, Out: []wireBrowser{}, Do: s.httpBrowsers},
		{Pattern: "POST /v1/push", Action: "push:create", Resource: own, In: inBrowser{}, Out: wireBrowser{}, Status: http.StatusCreated, Do: s.httpSubscribe},
		{Pattern: "DELETE /v1/push/{id}", Action: "push:delete", Resource: own, Do: s.httpForgo},
	}
}

// own is what belongs to the person who asks.
func own(_ *http.Request, who access.Actor) (access.Resource, error) {
	return access.Resource{Type: "Push", ID: who.ID, Space: who.Space, Owner: who.ID}, nil
}

// ownOf is own, about a trigger of the space.
func (s *Service) ownOf(r *http.Request, who access.Actor) (access.Resource, error) {
	if _, err := s.resource(r, who); err != nil {
		return access.Resource{}, err
	}
	return own(r, who)
}

func (s *Service) httpSetTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inTag
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	return s.tagged(w, r, who, func(t device.Tags) device.Tags { return t.With(in.Key, in.Value) })
}

func (s *Service) httpDropTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.tagged(w, r, who, func(t device.Tags) device.Tags { return t.Without(r.PathValue("key")) })
}

func (s *Service) tagged(w http.ResponseWriter, r *http.Request, who access.Actor, fn func(device.Tags) device.Tags) error {
	_, err := s.Update(r.Context(), who, pathID(r), func(t *Trigger) (bool, error) {
		if t.Deleted() {
			return false, ErrNotFound
		}
		t.Tags = fn(t.Tags)
		return false, nil
	})
	if err == nil {
		w.WriteHeader(http.StatusOK)
	}
	return err
}

func (s *Service) httpUsage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	most, notices, err := s.needs.Limit(r.Context(), who.Space)
	if err != nil {
		return err
	}
	var out wireUsage
	if out.Triggers, err = s.Count(r.Context(), who.Space); err != nil {
		return err
	}
	u, err := s.needs.Store.used(r.Context(), who.Space, day(s.now()))
	if err != nil {
		return err
	}
	out.Today, out.HeldToday = u.fired, u.held
	if most > 0 {
		out.TriggersLimit = &most
	}
	if notices > 0 {
		out.TodayLimit = &notices
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpFired(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Fired(r.Context(), who)
	if err != nil {
		return err
	}
	out := make([]wireFired, 0, len(all))
	for _, f := range all {
		out = append(out, wireFired{f.Trigger, f.At, f.Waiting, f.Dead})
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpMute(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	muted, err := s.Muted(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireMute{muted})
}

func (s *Service) httpSetMute(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.setMute(w, r, who, true)
}

func (s *Service) httpDropMute(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.setMute(w, r, who, false)
}

func (s *Service) setMute(w http.ResponseWriter, r *http.Request, who access.Actor, muted bool) error {
	if err := s.SetMute(r.Context(), who, pathID(r), muted); err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireMute{muted})
}

func (s *Service) httpDeliveries(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Deliveries(r.Context(), who, pathID(r), shownDeliveries)
	if err != nil {
		return err
	}
	out := make([]wireDelivery, 0, len(all))
	for _, d := range all {
		one := wireDelivery{ID: d.ID, TriggerID: d.Trigger, Kind: d.Kind, At: d.At, Tries: d.Tries, Outcome: orElse(d.Outcome, "waiting")}
		if d.EndedAt.IsZero() {
			one.NextAt = &d.NextAt
		} else {
			one.EndedAt = &d.EndedAt
		}
		if d.Answer != 0 {
			one.Answer = &d.Answer
		}
		out = append(out, one)
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpRetry(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	n, err := s.Revive(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireRetried{n})
}

func (s *Service) httpPushKey(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	point, err := publicKey(s.needs.Signer)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wirePushKey{base64.RawURLEncoding.EncodeToString(point)})
}

func toWireBrowser(b Browser) wireBrowser {
	host, _, _ := strings.Cut(strings.TrimPrefix(b.Endpoint, "https://"), "/")
	return wireBrowser{b.ID, b.Name, host, b.CreatedAt}
}

func (s *Service) httpBrowsers(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Browsers(r.Context(), who)
	if err != nil {
		return err
	}
	out := make([]wireBrowser, 0, len(all))
	for _, b := range all {
		out = append(out, toWireBrowser(b))
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpSubscribe(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inBrowser
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	b, err := s.Subscribe(r.Context(), who, Browser{Endpoint: in.Endpoint, P256DH: decodeKey(in.Keys.P256DH), Auth: decodeKey(in.Keys.Auth), Name: in.Name})
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, isJSON, toWireBrowser(b))
}

func (s *Service) httpForgo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.Forgo(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
