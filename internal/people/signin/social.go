package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

var (
	// ErrAway is an answer of a provider that nobody in this browser waits for: it was there before, is
	// somebody else's, or was never asked for.
	ErrAway = problem.New(problem.Precondition, "signin-away", "Nobody in this browser waits for this answer of the other service: it was used, it is too old, or it was begun in another browser. Begin again.")
	// ErrVouched is whom a provider vouches for without an address that it has seen proved.
	ErrVouched = problem.New(problem.Forbidden, "signin-vouched", "That account is not linked here, and the other service does not say that its e-mail address is yours, so no account can be made with it. Sign in another way first, then link it on the page of your account.")
	// ErrNotYours is a proof from a provider that is not that of the person who must prove again.
	ErrNotYours = problem.New(problem.Forbidden, "signin-not-yours", "That account of the other service is not linked to yours.")
	// ErrOwn is a provider's word where the account has a proof of its own.
	ErrOwn = problem.New(problem.Forbidden, "signin-own", "Prove it here with your password or a passkey.")
	// ErrThere is an account that is made with an address that has one.
	ErrThere = problem.New(problem.Conflict, "signin-there", "There is an account with this address already. Sign in to it, and both are linked.")
)

// vouchedFor is how long a provider's word waits for an account to prove its own side.
const vouchedFor = 10 * time.Minute

// own says whether a person can come in by a proof of this house alone.
func (s *Service) own(ctx context.Context, user string) (bool, error) {
	has, err := s.needs.Accounts.HasPassword(ctx, user)
	if err != nil || has {
		return has, err
	}
	set, err := s.needs.Factors.Of(ctx, user)
	return slices.ContainsFunc(set.Passkeys, func(k Passkey) bool { return k.Alone }), err
}

// returnAddress is the address that providers lead back to. It is what operators register.
func (s *Service) returnAddress(provider string) string {
	return s.needs.Origin() + "/signin/with/" + provider
}

// Depart sends a flow's person to a provider, and tells the address. Only the last departure of a flow counts.
func (s *Service) Depart(ctx context.Context, c Client, ref Ref, provider string) (address string, err error) {
	_, err = s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if next[f.State][SocialGood] == None && f.State != Linking {
			return stop(ErrStep)
		}
		if f.Own || f.Claim != nil {
			return stop(ErrOwn)
		}
		state := ref.Token + "." + rand.Text()
		var keep []byte
		if address, keep, err = s.needs.Social.Begin(ctx, provider, s.returnAddress(provider), state, f.Only != ""); err != nil {
			return stop(err)
		}
		f.Away = &Away{Provider: provider, State: stateHash(state), Kept: keep}
		return f, nil
	})
	return address, err
}

func stateHash(state string) []byte {
	sum := sha256.Sum256([]byte(state))
	return sum[:]
}

// arrive ends the flow's waiting for an answer with this state, once.
func (s *Service) arrive(ctx context.Context, c Client, provider, state string) (Flow, Ref, *Away, error) {
	token, _, _ := strings.Cut(state, ".")
	_, ref, err := s.At(ctx, c, token)
	if err != nil {
		return Flow{}, Ref{}, nil, err
	}
	var away *Away
	f, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.Away == nil || !secret.Equal(f.Away.State, stateHash(state)) || f.Away.Provider != provider {
			return stop(ErrAway)
		}
		away, f.Away = f.Away, nil
		return f, nil
	})
	if errors.Is(err, ErrStep) {
		err = ErrAway // somebody was faster
	}
	if err != nil {
		return Flow{}, Ref{}, nil, err
	}
	ref.Step++
	return f, ref, away, nil
}

// Answer takes the step of a provider's answer: in is what the browser brought back. The flow says what is
// next, also beside an error that is the person's. signedIn is who is in this browser already, for a flow that links.
func (s *Service) Answer(ctx context.Context, c Client, signedIn Session, provider string, in url.Values) (Flow, Ref, *Grant, error) {
	var f Flow
	var ref Ref
	var claim social.Claim
	var told error // the person's
	if !slices.ContainsFunc(s.providers(), func(p social.Config) bool { return p.ID == provider }) {
		return f, ref, nil, social.ErrUnknown // what a stranger wrote gets neither into the journal nor into the log
	}
	try := Try{Act: ActSocial, Addr: c.Addr}
	good, err := s.guarded(ctx, try, func() (bool, error) {
		var away *Away
		var err error
		f, ref, away, err = s.arrive(ctx, c, provider, in.Get("state"))
		if errors.Is(err, ErrFlow) || errors.Is(err, ErrAway) {
			told = ErrAway
			return false, s.needs.Social.Refused(ctx, provider, "state")
		}
		if err != nil {
			return false, err
		}
		claim, err = s.needs.Social.Finish(ctx, provider, s.returnAddress(provider), away.Kept, in)
		if err != nil && !isPersons(err) {
			s.needs.Log.WarnContext(ctx, "a provider's answer was of no use", "provider", provider, "err", err)
		}
		var refusal *social.Refusal
		if errors.As(err, &refusal) {
			s.needs.Log.WarnContext(ctx, "a provider's answer was refused", "provider", provider, "why", refusal.Why, "err", err)
			told = social.ErrAnswer
			return false, s.needs.Social.Refused(ctx, provider, refusal.Why)
		}
		return err == nil, err
	})
	if err != nil {
		return f, ref, nil, err
	}
	if ref.Token == "" {
		return f, ref, nil, told
	}
	f, err = s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if !good {
			to, err := f.On(SocialBad, Proof{})
			return to, errors.Join(err, told)
		}
		if f.State == Linking {
			return s.attach(ctx, c, f, signedIn, claim)
		}
		return s.vouch(ctx, f, claim)
	})
	if err != nil || f.State != Done || len(f.Methods) == 0 { // of a flow that links there is nothing to grant
		return f, ref, nil, err
	}
	g, err := s.grant(ctx, c, f)
	return f, ref, g, err
}

// vouch is a flow's next state when a provider vouches for somebody.
func (s *Service) vouch(ctx context.Context, f Flow, claim social.Claim) (Flow, error) {
	user, link, err := s.needs.Social.Find(ctx, claim)
	if errors.Is(err, social.ErrNotLinked) {
		switch {
		case f.Only != "":
			return f, ErrNotYours
		case !claim.Verified:
			return f, ErrVouched
		}
		to, err := f.On(SocialNew, Proof{Claim: &Claim{claim, s.needs.Now(), account.NewID()}})
		return to, err
	}
	if err != nil {
		return f, err
	}
	u, err := s.needs.Accounts.Get(ctx, user)
	switch {
	case err != nil:
		return f, err
	case f.Only != "" && f.Only != user:
		return f, ErrNotYours
	case u.Disabled():
		return f, account.ErrDisabled
	case u.Frozen():
		return f, account.ErrFrozen
	case !u.Verified():
		return f, ErrUnproved
	}
	set, err := s.needs.Factors.Of(ctx, user)
	if err != nil {
		return f, err
	}
	to, err := f.On(SocialGood, Proof{Account: user, Strong: set.Strong(), Method: methodSocial})
	if err != nil {
		return f, ErrOwn
	}
	to.Typed = u.Email
	if err := s.needs.Social.Used(ctx, user, link, claim.Provider); err != nil {
		return f, err
	}
	if set.Strong() {
		return to, nil
	}
	return to.On(Skip, Proof{})
}

// attach links whom a provider vouches for to who is signed in, and has proved it a moment ago.
func (s *Service) attach(ctx context.Context, c Client, f Flow, in Session, claim social.Claim) (Flow, error) {
	if in.ID == "" || in.ID != f.Session || in.Account != f.Only {
		return f, ErrAway
	}
	if !in.Fresh(s.needs.Now()) {
		return f, ErrProof
	}
	to, err := f.On(Linked, Proof{Account: in.Account})
	if err != nil {
		return f, err
	}
	u, err := s.needs.Accounts.Get(ctx, in.Account)
	if err != nil {
		return f, err
	}
	if err := s.linkTo(ctx, c, u, claim); err != nil {
		return f, err
	}
	return to, nil
}

// linkTo links, and tells the person.
func (s *Service) linkTo(ctx context.Context, c Client, u account.User, claim social.Claim) error {
	if err := s.needs.Social.Link(ctx, person(u.ID), u.ID, claim); err != nil {
		return err
	}
	s.warn(ctx, "social-linked", u, c, "", map[string]string{"provider": s.ProviderName(claim.Provider)})
	return nil
}

// join links whom a provider vouched for to who has just proved to be the account's person, and tells the notice of
// what became of it. The person is signed in whatever that is.
func (s *Service) join(ctx context.Context, c Client, u account.User, claim Claim) (notice string) {
	if s.needs.Now().Sub(claim.At) >= vouchedFor {
		return "late"
	}
	switch err := s.linkTo(ctx, c, u, claim.Claim); {
	case err == nil:
		return linked
	case isPersons(err):
		return "unlinkable"
	default:
		s.needs.Log.ErrorContext(ctx, "whom a provider vouches for was not linked", "provider", claim.Provider, "user", u.ID, "err", err)
		return "not-linked"
	}
}

// linked is the notice of a link that was made.
const linked = "linked"

// Own goes on from Vouched to the proof of an account that is there: typed is who it is.
func (s *Service) Own(ctx context.Context, c Client, ref Ref, typed string) error {
	_, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.State != Vouched {
			return stop(ErrStep)
		}
		if typed = strings.TrimSpace(typed); typed == "" || len(typed) > maxTyped {
			return stop(account.ErrEmail)
		}
		return f.On(Name, Proof{Typed: strings.ToValidUTF8(typed, "")})
	})
	return err
}

// JoinVouched makes an account for whom a provider vouches for, and signs in. The address is the one that the
// provider has seen proved; ErrThere when there is an account with it.
func (s *Service) JoinVouched(ctx context.Context, c Client, ref Ref, name string) (*Grant, error) {
	if !s.needs.SignUp {
		return nil, ErrNoSignUp
	}
	f, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.State != Vouched || f.Claim == nil || !f.Claim.Verified {
			return stop(ErrStep)
		}
		if s.needs.Now().Sub(f.Claim.At) >= vouchedFor {
			return stop(social.ErrLate)
		}
		name = strings.TrimSpace(name)
		if err := s.needs.Accounts.FitVouched(f.Claim.Email, name); err != nil {
			return stop(err)
		}
		var made account.User
		_, err := s.guarded(ctx, s.try(ActSignUp, f.Claim.Email, "", c, false), func() (bool, error) {
			var err error
			made, err = s.makeVouched(ctx, *f.Claim, name)
			return err == nil, err
		})
		if err != nil {
			return stop(err)
		}
		return f.On(Join, Proof{Account: made.ID, Method: methodSocial})
	})
	if err != nil {
		return nil, err
	}
	g, err := s.Admit(ctx, c, f.Account, f.Methods...)
	if err == nil {
		g.To = f.To
	}
	return g, err
}

// makeVouched links before it makes the account, so that a crash between the two leaves a link of nobody, and no account
// without a way in. It may be repeated with a claim; what nobody repeats is swept by the room of providers.
func (s *Service) makeVouched(ctx context.Context, claim Claim, name string) (account.User, error) {
	id := claim.Account
	switch _, err := s.needs.Accounts.Get(ctx, id); {
	case errors.Is(err, account.ErrNotFound):
		if err := s.needs.Accounts.CheckEmail(ctx, claim.Email); errors.Is(err, account.ErrTaken) {
			return account.User{}, ErrThere
		} else if err != nil {
			return account.User{}, err
		}
	case err != nil:
		return account.User{}, err
	}
	if err := s.needs.Social.Link(ctx, person(id), id, claim.Claim); err != nil {
		return account.User{}, err
	}
	u, err := s.needs.Accounts.Vouched(ctx, id, claim.Email, name)
	if errors.Is(err, account.ErrTaken) {
		err = ErrThere
	}
	if err != nil && isPersons(err) {
		err = errors.Join(err, s.needs.Social.Abandon(ctx, id))
	}
	return u, err
}

// lastWay says whether a person could come in no more without a passkey.
func (s *Service) lastWay(ctx context.Context, user, passkey string) (bool, error) {
	if has, err := s.needs.Accounts.HasPassword(ctx, user); err != nil || has {
		return false, err
	}
	set, err := s.needs.Factors.Of(ctx, user)
	if err != nil || slices.ContainsFunc(set.Passkeys, func(k Passkey) bool { return k.Alone && k.ID != passkey }) {
		return false, err
	}
	if s.needs.Social == nil {
		return true, nil
	}
	links, err := s.needs.Social.Of(ctx, user)
	return !slices.ContainsFunc(links, func(l social.Link) bool { return l.Provider != "" }), err
}

// Unlink takes a link of a person away who has just proved to be it, and tells the person.
func (s *Service) Unlink(ctx context.Context, c Client, in Session, id string) error {
	if !in.Fresh(s.needs.Now()) {
		return ErrProof
	}
	own, err := s.own(ctx, in.Account)
	if err != nil {
		return err
	}
	name, err := s.needs.Social.Unlink(ctx, person(in.Account), in.Account, id, own)
	if err != nil {
		return err
	}
	if u, err := s.needs.Accounts.Get(ctx, in.Account); err == nil {
		s.warn(ctx, "social-unlinked", u, c, "", map[string]string{"provider": name})
	}
	return nil
}
