package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
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

// What was done longer than this before the server stopped has its letter: it is queued within a moment.
const moment = time.Minute

// lastDeed is when the last entry of the journal was written.
func lastDeed(ctx context.Context, core *db.DB) (time.Time, error) {
	all, err := journal.List(ctx, core, journal.Query{Newest: true, Limit: 1})
	if err != nil || len(all) == 0 {
		return time.Time{}, err
	}
	return all[0].At, nil
}

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
	if s.stoppedAt.IsZero() {
		return
	}
	for _, d := range append(slices.Clone(deeds), deed{"apikey:create", post.KeyAdded, nil}) {
		all, err := journal.List(ctx, s.data.core, journal.Query{Action: d.action, Since: s.stoppedAt.Add(-moment), Until: s.stoppedAt.Add(time.Microsecond)})
		for i := 0; err == nil && i < len(all); i++ {
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
	if silent, err := s.silent(ctx, d, e, u); err != nil || silent {
		return err
	}
	fields := map[string]string{"when": e.At.UTC().Format(time.RFC3339)}
	maps.Copy(fields, d.fields)
	if p := e.Detail["provider"]; p != "" {
		fields["provider"] = s.signin.ProviderName(p)
	}
	others, err := s.othersOf(ctx, d, e, u)
	if err != nil {
		return err
	}
	key := deedKey(e.Number)
	tell := func(to ...string) error {
		for _, address := range to {
			if queued, err := s.letters.Has(ctx, signin.KeyAt(key, address)); err != nil || queued {
				return err
			}
		}
		for _, address := range to {
			if err := s.signin.Warn(ctx, key, string(d.kind), u.ID, address, fields); err != nil {
				return err
			}
		}
		return nil
	}
	if d.kind != post.EmailChanged { // of which the new address knows
		if err := tell(""); err != nil {
			return err
		}
	}
	return tell(others...)
}

// silent says whether a deed is part of another one that has no such letter: an account that begins with a link has nobody to
// warn, and who takes an account back is told of all that it lost at once.
func (s *Server) silent(ctx context.Context, d deed, e journal.Entry, u account.User) (bool, error) {
	if d.action == "social:link" && !e.At.Add(moment).Before(u.CreatedAt) && !u.CreatedAt.Add(moment).Before(e.At) {
		return true, nil
	}
	if d.action == "account:recover" {
		return false, nil
	}
	all, err := journal.List(ctx, s.data.core, journal.Query{Action: "account:recover", ID: e.ID, Since: e.At.Add(-moment), Until: e.At.Add(moment), Limit: 1})
	return len(all) > 0, err
}

// othersOf are the addresses besides the first that a letter about a deed goes to. Which address was changed the journal does not know:
// a letter at any of them shows that there was one, and else each gets one.
func (s *Server) othersOf(ctx context.Context, d deed, e journal.Entry, u account.User) (all []string, err error) {
	if d.kind != post.EmailChanged && d.kind != post.AddressRemoved {
		return nil, nil
	}
	further, err := s.accounts.Further(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	former, err := s.accounts.Former(ctx, u.ID, e.At.Add(-moment))
	if err != nil {
		return nil, err
	}
	for _, f := range further {
		all = append(all, f.Email)
	}
	for _, f := range former {
		all = append(all, f.Email)
	}
	return all, nil
}
