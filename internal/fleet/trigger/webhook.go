package trigger

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
)

// secretPrefix begins a signing secret; Standard Webhooks 1.0.0, "Secrets".
const secretPrefix = "whsec_"

const (
	callTime  = 15 * time.Second // for one try of a webhook or a notice
	maxAnswer = 64 << 10         // bytes that are read of an answer, so that the connection can be used again
	userAgent = "Ardesia/1"
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

// Sign is the signature of a message: HMAC-SHA256 over its id, its time in seconds since 1970 and its body
// (Standard Webhooks 1.0.0, "Signature scheme"). "" when the secret is none.
func Sign(secret, id string, at time.Time, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// call tells a webhook.
func (s *Service) call(ctx context.Context, r delivery, t Trigger, a Action, e event) outcome {
	body, err := s.webhookBody(ctx, r, t, a, e)
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	head := http.Header{}
	now := s.now()
	head.Set("Content-Type", "application/json")
	head.Set("Idempotency-Key", r.id)
	head.Set("Webhook-Id", r.id)
	head.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	head.Set("Webhook-Signature", Sign(a.Webhook.Secret, r.id, now, body))
	answer, err := s.ask(ctx, a.Webhook.URL, head, body)
	switch {
	case outbound.Forbidden(err):
		s.needs.Log.InfoContext(ctx, "a webhook goes where none may go; the operator can allow it (webhook-allow)", "action", r.action, "err", err)
		return s.end(r, dead, 0)
	case err != nil:
		return s.later(ctx, r, 0, err)
	case answer >= 200 && answer < 300:
		return s.end(r, done, answer)
	case answer == http.StatusGone:
		return s.end(r, dead, answer) // whoever was there wants no more
	}
	return s.later(ctx, r, answer, errors.New("HTTP status "+strconv.Itoa(answer)))
}

// ask sends a message and says with which HTTP status it was answered.
func (s *Service) ask(ctx context.Context, url string, head http.Header, body []byte) (int, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	q.Header = head
	q.Header.Set("User-Agent", userAgent)
	answer, err := s.needs.Web.Do(q)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // the status is what counts
	return answer.StatusCode, nil
}
