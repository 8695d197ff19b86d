package trigger

import (
	"encoding/json"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
)

var (
	ErrActionNotFound = problem.New(problem.NotFound, "action-not-found", "There is no such action here.")
	ErrActionName     = problem.New(problem.Invalid, "invalid-action-name", "An action's name has 1 to 256 printable characters.")
	ErrActionKind     = problem.New(problem.Invalid, "invalid-action", "An action has exactly what its kind names: NOTIFY-EMAIL email, NOTIFY-PUSH push_notification, CALL-WEBHOOK webhook, SET-PROPERTY set_property.")
	ErrRecipient      = problem.New(problem.Invalid, "invalid-recipient", "Recipients are 1 to 100 members of this space, by their user IDs.")
	ErrWebhook        = problem.New(problem.Invalid, "invalid-webhook", "A webhook is an http or https address of at most 2048 characters, without a user or a fragment.")
	ErrTooManyActions = problem.New(problem.Precondition, "too-many-actions", "A trigger has at most 20 actions.")
)

// A Kind is what an action does, as the API spells it.
type Kind string

// The kinds. The last two are ours.
const (
	Email   Kind = "NOTIFY-EMAIL"
	Push    Kind = "NOTIFY-PUSH"
	Webhook Kind = "CALL-WEBHOOK"
	Set     Kind = "SET-PROPERTY"
)

// people says whether actions of this kind reach people, who get tired of them sooner than programs.
func (k Kind) people() bool { return k == Email || k == Push }

// maxRecipients is how many an action may have; ours.
const maxRecipients = 100

// An Action is what is done when a trigger fires.
type Action struct {
	ID      string
	Space   string
	Owner   string // user id of who changed it last
	Trigger string // ID; "" for none
	Kind    Kind
	content

	CreatedAt, UpdatedAt time.Time
}

// content is what is sealed of an action. Exactly one of the last ones is there, as its kind says.
type content struct {
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	Email       *Notice  `json:"email,omitempty"`
	Push        *Notice  `json:"push,omitempty"`
	Webhook     *Address `json:"webhook,omitempty"`
	Set         *Value   `json:"set,omitempty"`
}

// A Notice is a text for members of the space.
type Notice struct {
	Title Expression `json:"title"`
	Body  Expression `json:"body"`
	To    []string   `json:"to"` // user ids
	CC    []string   `json:"cc,omitempty"`
	BCC   []string   `json:"bcc,omitempty"`
}

// everyone is all recipients, each once.
func (n *Notice) everyone() (all []string) {
	seen := map[string]bool{}
	for _, list := range [][]string{n.To, n.CC, n.BCC} {
		for _, id := range list {
			if !seen[id] {
				seen[id] = true
				all = append(all, id)
			}
		}
	}
	return all
}

// without is the notice for all but some. Nobody may be left of it.
func (n *Notice) without(gone map[string]bool) *Notice {
	keep := func(list []string) (left []string) {
		for _, id := range list {
			if !gone[id] {
				left = append(left, id)
			}
		}
		return left
	}
	m := *n
	m.To, m.CC, m.BCC = keep(n.To), keep(n.CC), keep(n.BCC)
	return &m
}

// An Address is where a webhook goes.
type Address struct {
	URL    string `json:"url"`
	Secret string `json:"secret"` // "whsec_" and base64 of 32 bytes: the key of signatures
}

// A Value is one for a property.
type Value struct {
	Thing    string          `json:"thing"`
	Property string          `json:"property"`
	JSON     json.RawMessage `json:"value"`
}

// notice is what reaches people; nil for other kinds.
func (a *Action) notice() *Notice {
	switch a.Kind {
	case Email:
		return a.Email
	case Push:
		return a.Push
	}
	return nil
}

// Check says what is wrong with an action as it is about to be kept, but for whether its recipients are
// members and its property can be written.
func (a *Action) Check() error {
	switch {
	case !readable(a.Name, 1, maxName, false):
		return ErrActionName
	case !readable(a.Description, 0, maxDescription, true):
		return ErrText
	case (a.Kind == Email) != (a.Email != nil), (a.Kind == Push) != (a.Push != nil), (a.Kind == Webhook) != (a.Webhook != nil), (a.Kind == Set) != (a.Set != nil),
		a.Email == nil && a.Push == nil && a.Webhook == nil && a.Set == nil:
		return ErrActionKind
	}
	if n := a.notice(); n != nil {
		if all := n.everyone(); len(n.To) == 0 || len(all) > maxRecipients {
			return ErrRecipient
		}
		if err := n.Title.check(maxTitle); err != nil {
			return err
		}
		return n.Body.check(maxBody)
	}
	if a.Kind == Webhook {
		return checkURL(a.Webhook.URL)
	}
	return nil
}

func checkURL(address string) error {
	if !webhook.CheckURL(address) {
		return ErrWebhook
	}
	return nil
}
