package account

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Choices are what a person decides about their own data. The zero Choices are what holds
// for who has not chosen.
type Choices struct {
	HideEmail   bool `json:"hide_email,omitempty"`   // administrators of shared spaces do not see the address
	ByUsername  bool `json:"by_username,omitempty"`  // shared spaces show the user name instead of the name, if there is one
	NoReminders bool `json:"no_reminders,omitempty"` // no letters that only remind; those about safety come all the same
}

// choosing is the part of Store that choices need.
type choosing interface {
	choices(ctx context.Context, id string) (sealed []byte, err error) // nil: none yet
	setChoices(ctx context.Context, id string, sealed []byte, at int64, e journal.Entry) error
}

// Choices tells what a person chose.
func (s *Service) Choices(ctx context.Context, id string) (c Choices, err error) {
	sealed, err := s.needs.Store.choices(ctx, id)
	if err != nil || sealed == nil {
		return c, err
	}
	text, err := s.unseal(ctx, id, sealed, keys.Place("account_choice", "sealed", id))
	if err != nil {
		return c, fmt.Errorf("choices of account %s: %w", id, err)
	}
	return c, json.Unmarshal(text, &c)
}

// Choose keeps what a person chose. The journal tells that, and not what.
func (s *Service) Choose(ctx context.Context, who access.Actor, id string, c Choices) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", id, err)
	}
	sealed, err := seal.Seal(text, keys.Place("account_choice", "sealed", id))
	if err != nil {
		return err
	}
	return s.needs.Store.setChoices(ctx, id, sealed, s.needs.Now().UnixMicro(), s.entry(who, "account:choose", id))
}

// Shown is a person as members of shared spaces may see them: the name, or the user name where that
// is the person's choice and there is one. email is "" for who hides it.
func (s *Service) Shown(ctx context.Context, id string) (name, email string, err error) {
	u, err := s.Get(ctx, id)
	if err != nil {
		return "", "", err
	}
	c, err := s.Choices(ctx, id)
	if err != nil {
		return "", "", err
	}
	name, email = u.Name, u.Email
	if c.HideEmail {
		email = ""
	}
	if c.ByUsername {
		p, err := s.Profile(ctx, id)
		if err != nil {
			return "", "", err
		}
		if p.Username != "" {
			name = p.Username
		}
	}
	return name, email, nil
}
