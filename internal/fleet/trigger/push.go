package trigger

import (
	"context"
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	ErrNoBrowser       = problem.New(problem.NotFound, "push-not-found", "There is no such subscription of yours.")
	ErrBrowser         = problem.New(problem.Invalid, "invalid-push", "This is no subscription as PushManager.subscribe() gives it: an https address, a key p256dh of 65 bytes and a secret auth of 16 bytes.")
	ErrTooManyBrowsers = problem.New(problem.Precondition, "too-many-push", "A person has at most 20 subscriptions. Remove one first.")
)

const (
	maxBrowsers = 20
	pushLife    = 24 * time.Hour // how long a push service keeps a notice for a browser that is not there
)

// A Browser is one that takes notices for a person.
type Browser struct {
	ID        string
	User      string // id
	Endpoint  string // address at its push service
	P256DH    []byte // its public key, an uncompressed point
	Auth      []byte // a secret of 16 bytes
	Name      string // for people; may be empty
	CreatedAt time.Time
}

func (b *Browser) check() error {
	u, err := url.Parse(b.Endpoint)
	if err != nil || u.Scheme != "https" || checkURL(b.Endpoint) != nil || len(b.Auth) != authBytes || !readable(b.Name, 0, 64, false) {
		return ErrBrowser
	}
	if _, err := ecdh.P256().NewPublicKey(b.P256DH); err != nil {
		return ErrBrowser
	}
	return nil
}

// decodeKey reads a key as browsers write it: base64url, with padding or without.
func decodeKey(text string) []byte {
	for _, code := range []*base64.Encoding{base64.RawURLEncoding, base64.URLEncoding, base64.StdEncoding} {
		if b, err := code.DecodeString(text); err == nil {
			return b
		}
	}
	return nil
}

func (s *Service) personEntry(who access.Actor, action, id string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Action: action, Resource: "push", ID: id}
}

// Subscribe has a browser take notices for who. The same browser is there once.
func (s *Service) Subscribe(ctx context.Context, who access.Actor, b Browser) (Browser, error) {
	if who.ID == "" || who.Kind == access.Device {
		return Browser{}, access.ErrDenied
	}
	b.ID, b.User, b.CreatedAt = uuid.NewString(), who.ID, s.now()
	if err := b.check(); err != nil {
		return Browser{}, err
	}
	mac := s.endpoint(keys.Place(b.Endpoint))
	return b, s.needs.Store.subscribe(ctx, b, mac, maxBrowsers, s.personEntry(who, "push:create", b.ID))
}

// Browsers are those that take notices for who.
func (s *Service) Browsers(ctx context.Context, who access.Actor) ([]Browser, error) {
	if who.ID == "" {
		return nil, access.ErrDenied
	}
	return s.needs.Store.subscriptions(ctx, who.ID)
}

// Forgo has a browser of who take no more notices.
func (s *Service) Forgo(ctx context.Context, who access.Actor, id string) error {
	return s.needs.Store.unsubscribe(ctx, who.ID, id, s.personEntry(who, "push:delete", id))
}

// A wireNotice is what the browser's worker gets. It shows one notice for each tag: one that comes twice
// takes the place of the first.
type wireNotice struct {
	Title   string    `json:"title"`
	Body    string    `json:"body"`
	Tag     string    `json:"tag"`
	Trigger string    `json:"trigger_id"`
	Space   string    `json:"space_id"`
	At      time.Time `json:"at"`
}

// sendNotice hands a notice for one browser to its push service.
func (s *Service) sendNotice(ctx context.Context, r delivery, t Trigger, a Action, e event) outcome {
	b, err := s.needs.Store.subscription(ctx, r.target)
	if errors.Is(err, ErrNoBrowser) || errors.Is(err, keys.ErrErased) {
		return s.end(r, gone, 0)
	}
	var still []string
	if err == nil && slices.Contains(a.Push.everyone(), b.User) {
		still, err = s.listeners(ctx, r, []string{b.User})
	}
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	if len(still) == 0 { // who has left since it was decided, or wants no more
		return s.end(r, gone, 0)
	}
	f := s.facts(t, e)
	value := func(v Variable) string { return f.value(ctx, v, b.User) }
	n := wireNotice{Title: orElse(a.Push.Title.Fill(maxSubject, value), t.Name), Body: a.Push.Body.Fill(maxBody, value), Tag: r.id, Trigger: t.ID, Space: t.Space, At: fromMicros(r.at)}
	text, err := json.Marshal(n)
	for most := maxBody; err == nil && len(text) > maxNotice && most > 50; most /= 2 {
		n.Body = cut(n.Body, most)
		text, err = json.Marshal(n)
	}
	if f.err != nil {
		return s.later(ctx, r, 0, f.err)
	}
	var sealed []byte
	if err == nil {
		sealed, err = b.seal(text)
	}
	var authorization string
	if err == nil {
		authorization, err = vapid(s.needs.Signer, b.Endpoint, s.needs.Base(), s.now())
	}
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	topic := sha256.Sum256([]byte(r.id))
	head := http.Header{}
	head.Set("Content-Type", "application/octet-stream")
	head.Set("Content-Encoding", "aes128gcm")
	head.Set("Authorization", authorization)
	head.Set("TTL", strconv.Itoa(int(pushLife.Seconds())))
	head.Set("Topic", base64.RawURLEncoding.EncodeToString(topic[:24])) // 32 characters; RFC 8030, section 5.4
	head.Set("Urgency", "high")
	head.Set("Idempotency-Key", r.id)
	answer, err := webhook.Post(ctx, s.needs.Web, b.Endpoint, head, sealed)
	switch {
	case outbound.Forbidden(err):
		return s.end(r, dead, 0)
	case err != nil:
		return s.later(ctx, r, 0, err)
	case answer >= 200 && answer < 300:
		return s.end(r, done, answer)
	case answer == http.StatusNotFound || answer == http.StatusGone: // RFC 8030, section 7.3
		if err := s.needs.Store.unsubscribe(ctx, b.User, b.ID, s.personEntry(access.Actor{Kind: access.System}, "push:gone", b.ID)); err != nil && !errors.Is(err, ErrNoBrowser) {
			return s.later(ctx, r, answer, err)
		}
		return s.end(r, gone, answer)
	case answer == http.StatusBadRequest || answer == http.StatusRequestEntityTooLarge:
		return s.end(r, dead, answer)
	}
	return s.later(ctx, r, answer, errors.New("HTTP status "+strconv.Itoa(answer)))
}
