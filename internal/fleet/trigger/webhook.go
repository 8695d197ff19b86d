package trigger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/webhook"
)

// What a webhook is told.
type (
	wireEvent struct {
		ID        string        `json:"id"` // the same at each try; also Idempotency-Key
		Type      string        `json:"type"`
		Timestamp time.Time     `json:"timestamp"` // when the trigger fired
		Space     string        `json:"space_id"`
		Trigger   wireNamed     `json:"trigger"`
		Action    wireNamed     `json:"action"`
		Thing     *wireNamed    `json:"thing,omitempty"`
		Property  *wireReading  `json:"property,omitempty"`
		Device    *wirePresence `json:"device,omitempty"`
	}

	wireNamed struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}

	wireReading struct {
		wireNamed
		Value     json.RawMessage `json:"value"`
		UpdatedAt time.Time       `json:"updated_at"`
	}

	wirePresence struct {
		wireNamed
		Status string    `json:"status"` // ONLINE or OFFLINE
		Since  time.Time `json:"since"`
	}
)

func (s *Service) webhookBody(ctx context.Context, r delivery, t Trigger, a Action, e event) ([]byte, error) {
	f := s.facts(t, e)
	w := wireEvent{ID: r.id, Type: "trigger.fired", Timestamp: fromMicros(r.at), Space: r.space, Trigger: wireNamed{t.ID, t.Name}, Action: wireNamed{a.ID, a.Name}}
	if e.Property != "" {
		w.Thing = &wireNamed{e.Thing, f.value(ctx, Variable{Entity: "THING", Attribute: "NAME"}, "")}
		w.Property = &wireReading{wireNamed{e.Property, f.value(ctx, Variable{Entity: "PROPERTY", Attribute: "NAME"}, "")}, e.Value, e.At}
	}
	if e.Device != "" {
		w.Device = &wirePresence{wireNamed{e.Device, f.value(ctx, Variable{Entity: "TRIGGERING_DEVICE", Attribute: "NAME"}, "")}, status(e.Online), e.At}
	}
	if f.err != nil {
		return nil, f.err
	}
	return json.Marshal(w)
}

// call tells a webhook.
func (s *Service) call(ctx context.Context, r delivery, t Trigger, a Action, e event) outcome {
	body, err := s.webhookBody(ctx, r, t, a, e)
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	answer := webhook.Call(ctx, s.needs.Web, a.Webhook.URL, webhook.Message{ID: r.id, Secrets: []string{a.Webhook.Secret}, Body: body}, s.now())
	switch answer.Result {
	case webhook.Taken:
		return s.end(r, done, answer.Status)
	case webhook.Banned:
		s.needs.Log.InfoContext(ctx, "a webhook goes where none may go; the operator can allow it (webhook-allow)", "action", r.action, "err", answer.Err)
		return s.end(r, dead, 0)
	case webhook.Unasked:
		return s.end(r, dead, answer.Status)
	}
	return s.later(ctx, r, answer.Status, answer.Err)
}
