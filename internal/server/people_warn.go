package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/post"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
)

// A deed is what a person did to their account, as the journal has it, and the letter that tells of it. Both are written one
// after the other: when the server stops in between, the letter is made up for at the next start.
type deed struct {
	action string
	kind   post.Kind
	fields map[string]string // of the letter, that the journal's entry does not have
}

var deeds = []deed{
	{"account:address-add", post.AddressAdded, nil},
	{"account:address-remove", post.AddressRemoved, nil},
	{"account:email", post.EmailChanged, nil},
	{"account:password", post.PasswordChanged, nil},
	{"account:recover", post.PasswordChanged, nil},
	{"factor:totp-add", post.FactorAdded, map[string]string{"factor": "authenticator app"}},
	{"factor:passkey-add", post.FactorAdded, map[string]string{"factor": "passkey"}},
	{"factor:totp-remove", post.FactorRemoved, map[string]string{"factor": "authenticator app"}},
	{"factor:passkey-remove", post.FactorRemoved, map[string]string{"factor": "passkey"}},
	{"social:link", post.SocialLinked, nil},
	{"social:unlink", post.SocialUnlinked, nil},
}

// Entries that are older are no news, and a letter is known by its key for longer.
const (
	makeUpFor = 7 * 24 * time.Hour
	makeUpMax = 200 // of each action: who did more in the last moment before a stop is no person
)

func deedKey(number int64) string { return fmt.Sprintf("journal %d", number) }

// deedOf names the newest deed of a person that a letter of this kind tells of. Two deeds of a person in one moment may
// both be named by the second: the letter of the first then comes at the next start.
func (s *Server) deedOf(ctx context.Context, kind, user string) string {
	newest := int64(0)
	for _, d := range deeds {
		if string(d.kind) != kind {
			continue
		}
		all, err := journal.List(ctx, s.data.core, journal.Query{Action: d.action, ID: user, Since: s.world.Now().Add(-time.Hour), Newest: true, Limit: 1})
		if err != nil {
			s.log.ErrorContext(ctx, "a letter can be lost if the server stops now", "kind", kind, "user", user, "err", err)
			return ""
		}
		if len(all) > 0 {
			newest = max(newest, all[0].Number)
		}
	}
	if newest == 0 {
		return ""
	}
	return deedKey(newest)
}

// makeUp writes the letters that the server stopped before.
func (s *Server) makeUp(ctx context.Context) {
	since := s.world.Now().Add(-makeUpFor)
	for _, d := range append(slices.Clone(deeds), deed{"apikey:create", post.KeyAdded, nil}) {
		all, err := journal.List(ctx, s.data.core, journal.Query{Action: d.action, Since: since, Newest: true, Limit: makeUpMax})
		for i := len(all) - 1; err == nil && i >= 0; i-- {
			if d.kind == post.KeyAdded {
				err = s.makeUpKey(ctx, all[i])
			} else {
				err = s.makeUpDeed(ctx, d, all[i])
			}
			if err != nil && needless(err) {
				err = nil
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "letters of before this start are not made up for", "action", d.action, "err", err)
		}
	}
}

func (s *Server) makeUpKey(ctx context.Context, e journal.Entry) error {
	if e.Actor == (access.Actor{Kind: access.System}).String() {
		return nil // the operator's; see apikey.Service.Made
	}
	owner, err := s.apikeys.Owner(ctx, e.ID)
	if err != nil || owner == "" {
		return err
	}
	k, err := s.apikeys.Get(ctx, owner, e.ID)
	if err != nil {
		return err
	}
	if queued, err := s.letters.Has(ctx, keyLetter(k)); err != nil || queued {
		return err
	}
	return s.noticeKey(ctx, k)
}

// keyLetter is the key of the letter about a new API key.
func keyLetter(k apikey.Key) string { return "apikey " + k.ID }

func (s *Server) makeUpDeed(ctx context.Context, d deed, e journal.Entry) error {
	// What an operator does to somebody's account is for the operator to tell.
	if e.Actor != (access.Actor{Kind: access.User, ID: e.ID}).String() {
		return nil
	}
	u, err := s.accounts.Get(ctx, e.ID)
	if err != nil {
		return err
	}
	// Which address it was the journal does not know: one letter at any of them is enough, and else each gets one.
	to := []string{""}
	if d.kind == post.EmailChanged {
		to = nil // the new address knows
	}
	if d.kind == post.EmailChanged || d.kind == post.AddressRemoved {
		further, err := s.accounts.Further(ctx, u.ID)
		if err != nil {
			return err
		}
		former, err := s.accounts.Former(ctx, u.ID, e.At.Add(-time.Minute))
		if err != nil {
			return err
		}
		for _, f := range further {
			to = append(to, f.Email)
		}
		for _, f := range former {
			to = append(to, f.Email)
		}
	}
	key := deedKey(e.Number)
	for _, address := range to {
		if queued, err := s.letters.Has(ctx, signin.KeyAt(key, address)); err != nil || queued {
			return err
		}
	}
	fields := map[string]string{"when": e.At.UTC().Format(time.RFC3339)}
	maps.Copy(fields, d.fields)
	if p := e.Detail["provider"]; p != "" {
		fields["provider"] = s.signin.ProviderName(p)
	}
	for _, address := range to {
		if err := s.signin.Warn(ctx, key, string(d.kind), u.ID, address, fields); err != nil {
			return err
		}
	}
	return nil
}
