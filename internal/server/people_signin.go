package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/factor"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
	"github.com/ardesia-iot/ardesia/internal/people/oauth"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/post"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
)

// peopleSignIn makes the room of browsers, and lets programs sign people in by it. The other
// rooms that it needs are adapted below, one function or type for each.
func (s *Server) peopleSignIn() (err error) {
	s.signin, err = signin.New(signin.Needs{
		Store: signin.SQL(s.data.core), Keys: s.data.ring, Accounts: s.accounts, APIKeys: s.apikeys,
		Ask: s.askGuard, Tell: s.tellGuard, Void: s.voidGuard, Arrived: s.arrived, Factors: proofs{s.factors}, Enrolment: proofs{s.factors}, Social: s.social,
		Provider: provider{s.tokens}, Invitations: invitations{s.orgs}, Spaces: s.orgs, Policy: s.policy, Deeds: s.deeds, TakeBack: s.takeBack, Deed: s.deedOf, MayLeave: s.mayLeave, Send: s.sendLetter,
		Wait: wait, Now: s.world.Now, Log: s.log, Origin: s.origin, Web: s.address, SignUp: s.cfg.SignUp != "closed",
	})
	if err != nil {
		return err
	}
	return s.tokens.Bind(oauth.Browser{
		Login: func(r *http.Request) (oauth.Login, bool) {
			l, ok := s.signin.Session(r)
			return oauth.Login(l), ok
		},
		SignIn: func(_ *http.Request, returnTo string, h oauth.Hint) string {
			return s.signin.SignIn(returnTo, h.LoginHint, h.Prompt == "login" || h.MaxAge >= 0 || h.ACR != "")
		},
		Consent: func(_ *http.Request, id string) string { return s.signin.ConsentPage(id) },
		SignOut: func(_ *http.Request, returnTo string) string {
			page, err := s.signin.SignOutPage(returnTo)
			if err != nil {
				s.log.Error("an address to go to after signing out could not be kept", "err", err)
				page, _ = s.signin.SignOutPage("") // which seals nothing
			}
			return page
		},
		Ended: s.signin.Ended,
		End:   func(ctx context.Context, session string) error { return s.signin.EndSession(ctx, operator, session) },
	})
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Guessing.

var guardActs = map[signin.Act]guard.Act{
	signin.ActPassword: guard.Password, signin.ActCode: guard.Code, signin.ActRecovery: guard.Recovery, signin.ActPasskey: guard.Passkey,
	signin.ActReset: guard.Reset, signin.ActSignUp: guard.SignUp, signin.ActDevice: guard.DeviceCode, signin.ActSocial: guard.Social,
}

func guardTry(t signin.Try) (guard.Try, error) {
	act, known := guardActs[t.Act]
	if !known {
		return guard.Try{}, fmt.Errorf("nobody guards against trying a %s", t.Act)
	}
	return guard.Try{Act: act, Who: t.Who, Account: t.Account, Addr: t.Addr, Known: t.Known}, nil
}

func (s *Server) askGuard(ctx context.Context, t signin.Try) (signin.Verdict, error) {
	try, err := guardTry(t)
	if err != nil {
		return signin.Verdict{}, err
	}
	v, err := s.guard.Ask(ctx, try)
	return signin.Verdict{Wait: v.Wait, StepUp: v.StepUp}, err
}

func (s *Server) tellGuard(ctx context.Context, t signin.Try, good bool) error {
	try, err := guardTry(t)
	if err != nil {
		return err
	}
	return s.guard.Tell(ctx, try, good)
}

func (s *Server) voidGuard(ctx context.Context, t signin.Try) error {
	try, err := guardTry(t)
	if err != nil {
		return err
	}
	return s.guard.Void(ctx, try)
}

// arrived tells the guard where somebody came in. What it does not learn it cannot compare
// with the next time, and nothing else depends on it.
func (s *Server) arrived(ctx context.Context, user string, from netip.Addr, known bool) {
	if err := s.guard.Arrived(ctx, user, from, known); err != nil {
		s.log.ErrorContext(ctx, "where a person came in from was not kept", "user", user, "err", err)
	}
}

// proofs are second steps as the room of browsers asks for them.
type proofs struct{ *factor.Service }

func (p proofs) Of(ctx context.Context, user string) (signin.Set, error) {
	have, err := p.Service.Of(ctx, user)
	set := signin.Set{TOTP: have.TOTP, RecoveryLeft: have.RecoveryLeft}
	for _, k := range have.Passkeys {
		set.Passkeys = append(set.Passkeys, passkey(k))
	}
	return set, err
}

func passkey(k factor.Passkey) signin.Passkey {
	return signin.Passkey{ID: k.ID, Label: k.Label, MadeAt: k.CreatedAt, UsedAt: k.UsedAt, Alone: k.Verified}
}

func (p proofs) BeginTOTP(ctx context.Context, who access.Actor, user, label string) (signin.Setup, error) {
	made, err := p.Service.BeginTOTP(ctx, who, user, label)
	return signin.Setup{Secret: made.Secret.Reveal(), URL: made.URL.Reveal(), QR: made.QR}, err
}

func (p proofs) FinishPasskey(ctx context.Context, who access.Actor, user string, state, response []byte, label string) (signin.Passkey, error) {
	k, err := p.Service.FinishPasskey(ctx, who, user, state, response, label)
	return passkey(k), err
}

// provider is the room of tokens as the pages of consent ask for it.
type provider struct{ *oauth.Service }

func asked(r oauth.Request, err error) (signin.Asked, error) {
	a := signin.Asked{Client: r.Client.Name, Scopes: r.Scopes}
	for _, text := range r.Client.Redirects {
		if u, err := url.Parse(text); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			a.Origins = append(a.Origins, u.Scheme+"://"+originHost(u))
		}
	}
	slices.Sort(a.Origins)
	a.Origins = slices.Compact(a.Origins)
	return a, err
}

// originHost is whom a page may lead to: a program on this machine has a port that nobody knows before.
func originHost(u *url.URL) string {
	addr, err := netip.ParseAddr(u.Hostname())
	switch {
	case err != nil || !addr.IsLoopback():
		return u.Host
	case addr.Is6():
		return "[" + addr.String() + "]:*"
	}
	return addr.String() + ":*"
}

func (p provider) Asked(ctx context.Context, user, id string) (signin.Asked, error) {
	return asked(p.Service.Asked(ctx, user, id))
}

func (p provider) Pending(ctx context.Context, userCode string) (signin.Asked, error) {
	return asked(p.Service.Pending(ctx, userCode))
}

func (p provider) Approve(ctx context.Context, who signin.Login, userCode string) error {
	return p.Service.Approve(ctx, oauth.Login(who), userCode)
}

func (p provider) Deny(ctx context.Context, who signin.Login, userCode string) error {
	return p.Service.Deny(ctx, oauth.Login(who), userCode)
}

// invitations are those of the room of spaces.
type invitations struct{ *org.Service }

func invited(m org.Membership, err error) (signin.Invited, error) {
	return signin.Invited{Space: m.Space.Name, Role: string(m.Role)}, err
}

func (i invitations) Look(ctx context.Context, who access.Actor, token string) (signin.Invited, error) {
	return invited(i.Service.Look(ctx, who, token))
}

func (i invitations) Accept(ctx context.Context, who access.Actor, token string) (signin.Invited, error) {
	return invited(i.Service.Accept(ctx, who, token))
}

// sendLetter hands a letter to the post, with the fields that letters of its kind have.
func (s *Server) sendLetter(ctx context.Context, l signin.Letter) error {
	kind := post.Kind(l.Kind)
	takes := kind.Takes()
	fields := maps.Clone(l.Fields)
	maps.DeleteFunc(fields, func(name, _ string) bool { return !slices.Contains(takes, name) })
	// The language that a person chose goes before that of a browser, which may be somebody else's.
	if l.To != "" {
		said, err := s.accounts.Profile(ctx, l.To)
		if err != nil {
			return err
		}
		l.Lang = orElse(said.Lang, l.Lang)
	}
	return s.letters.Send(ctx, post.Letter{Kind: kind, To: l.To, Key: l.Key, Address: l.Address, Lang: l.Lang, Fields: fields})
}

// runNotices writes to people of what the guard and their second steps have seen, and ends
// what programs got in a browser's session that was ended, until ctx ends.
func (s *Server) runNotices(ctx context.Context) error {
	seen, steps, ends, made := s.guard.Events.Subscribe(256), s.factors.Events.Subscribe(256), s.signin.Ends.Subscribe(256), s.apikeys.Made.Subscribe(256)
	defer seen.Close()
	defer steps.Close()
	defer ends.Close()
	defer made.Close()
	s.makeUp(ctx)
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-seen.C():
			err = s.noticeGuard(ctx, e)
		case e := <-steps.C():
			if e.What == factor.RecoveryLow {
				err = s.remind(ctx, post.Letter{Kind: post.RecoveryLow, To: e.User, Fields: map[string]string{"left": fmt.Sprint(e.Left)}})
			}
		case k := <-made.C():
			err = s.noticeKey(ctx, k)
		case id := <-ends.C():
			err = s.tokens.SessionEnded(ctx, id)
		}
		if err != nil && ctx.Err() == nil && !needless(err) {
			s.log.ErrorContext(ctx, "somebody was not told of what happened", "err", err)
		}
	}
}

// needless says of a letter that was not written that nobody misses it: the account is gone, or its person got enough letters.
func needless(err error) bool {
	return problem.Of(err).Kind == problem.NotFound || errors.Is(err, post.ErrTooMany)
}

func (s *Server) noticeGuard(ctx context.Context, e guard.Event) error {
	if e.Account == "" {
		return nil
	}
	l := post.Letter{To: e.Account, Fields: map[string]string{"when": e.At.UTC().Format(time.RFC3339)}}
	switch e.Kind {
	case guard.Travel:
		l.Kind, l.Fields["place"], l.Fields["before"] = post.Travel, e.To, e.From
	case guard.ManyFailures, guard.CodeGuessing, guard.RecoveryGuessing:
		l.Kind, l.Fields["count"] = post.ManyFailures, fmt.Sprint(e.Failures)
	case guard.LeakedKey:
		k, err := s.apikeys.Get(ctx, e.Account, e.Client)
		if err != nil {
			return err
		}
		l.Kind, l.Fields["key"] = post.KeyRevoked, k.Name
	default: // a new device is told of by the room of browsers, and attacks on the house are the operator's
		return nil
	}
	return s.letters.Send(ctx, l)
}

// atOrigin serves pages at the one origin where people type passwords, and leads browsers
// there that come by another name of this server.
func (s *Server) atOrigin(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := s.origin()
		if u, err := url.Parse(at); err == nil && !strings.EqualFold(u.Hostname(), hostOf(r.Host)) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "People sign in at "+at+" only.", http.StatusMisdirectedRequest) // RFC 9110, section 15.5.20
				return
			}
			w.Header().Set("Cache-Control", "no-store")
			http.Redirect(w, r, at+r.URL.RequestURI(), http.StatusTemporaryRedirect)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// hostOf is a Host header without its port.
func hostOf(host string) string { return (&url.URL{Host: host}).Hostname() }

// errLastAdmin is a person without whom a shared space has no administrator.
var errLastAdmin = problem.New(problem.Precondition, "space-last-admin-leaves", "You are the only administrator of a shared space. Make somebody else administrator, or have it erased, first.")

// mayLeave says whether a person can be erased without leaving a shared space to nobody.
func (s *Server) mayLeave(ctx context.Context, user string) error {
	all, err := s.orgs.Of(ctx, user)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.Space.Kind != org.Shared || m.Role != access.Admin {
			continue
		}
		members, err := s.orgs.Members(ctx, m.Space.ID)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(members, func(o org.Member) bool { return o.Role == access.Admin && o.User != user }) {
			return errLastAdmin
		}
	}
	return nil
}

// greetFirst prints the link that makes the first account, when there is none. The sample
// account of --demo is nobody's, so there it is printed at every start.
func (s *Server) greetFirst() {
	link, err := s.signin.SetupLink(context.Background(), s.cfg.Demo)
	switch {
	case err != nil:
		s.log.Error("the link that makes the first account could not be made", "err", err)
	case link != "":
		fmt.Fprintf(s.world.Out, "\n  Set up           %s\n                   makes an account of your own; once, within 30 minutes\n", link)
		if !s.world.Terminal && !s.cfg.Dev {
			return // nobody points a telephone at a log
		}
		code, err := qrText(link, s.world.Terminal)
		if err != nil {
			s.log.Error("the link that makes the first account could not be drawn", "err", err)
			return
		}
		fmt.Fprintf(s.world.Out, "\n%s", code)
	}
}
