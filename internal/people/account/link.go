package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrLink is a link that does not work: used, too old, or never sent. Which is not told.
var ErrLink = problem.New(problem.NotFound, "account-link", "This link does not work any more: it was used, or it is too old. Ask for a new one.")

// A Purpose is what a link lets its holder do, once.
type Purpose string

// The purposes of links.
const (
	LinkVerify  Purpose = "verify"  // prove the address of a new account
	LinkReset   Purpose = "reset"   // set a new password
	LinkEmail   Purpose = "email"   // prove another address, which Text is
	LinkAddress Purpose = "address" // prove a further address, which Text is
	LinkFreeze  Purpose = "freeze"  // "this wasn't me"
	LinkSetup   Purpose = "setup"   // make the first account of this server
)

// A purposeRule is how long a link of a purpose works and how many of them at a time.
type purposeRule struct {
	lives time.Duration
	many  int  // the oldest goes when there is one more
	epoch bool // a new password ends it
}

var purposes = map[Purpose]purposeRule{
	LinkVerify:  {lives: 24 * time.Hour, many: 3},
	LinkReset:   {lives: 20 * time.Minute, many: 3, epoch: true},
	LinkEmail:   {lives: 24 * time.Hour, many: 1, epoch: true},
	LinkAddress: {lives: 24 * time.Hour, many: 3, epoch: true},
	LinkFreeze:  {lives: 7 * 24 * time.Hour, many: 20},
	LinkSetup:   {lives: 30 * time.Minute, many: 1},
}

// Lives is how long a link of purpose p works.
func (p Purpose) Lives() time.Duration { return purposes[p].lives }

// A Link is what somebody may do who holds its token.
type Link struct {
	Purpose Purpose
	Account string // "" for LinkSetup
	Text    string // of LinkEmail, LinkAddress and LinkReset: the address; else ""
}

// linkRow is a link as the database has it.
type linkRow struct {
	hash            []byte
	purpose         Purpose
	account         string
	epoch           int64
	sealed          []byte
	madeAt, expires int64
}

// links is the part of Store that links need.
type links interface {
	// addLink keeps r and removes the oldest of its account and purpose beyond many.
	addLink(ctx context.Context, r linkRow, many int, e journal.Entry) error
	link(ctx context.Context, hash []byte) (linkRow, error) // or ErrLink
	// useLink removes the link; ErrLink when somebody else was faster.
	useLink(ctx context.Context, hash []byte, e journal.Entry) error
	dropLinks(ctx context.Context, before int64) error // whose end was before
}

// Invite makes a link and tells its token, which is not kept.
func (s *Service) Invite(ctx context.Context, who access.Actor, l Link) (secret.String, error) {
	rule, known := purposes[l.Purpose]
	if !known {
		return secret.String{}, fmt.Errorf("no links have the purpose %q", l.Purpose)
	}
	token := make([]byte, 32)
	_, _ = rand.Read(token)
	sum := sha256.Sum256(token)
	now := s.needs.Now()
	r := linkRow{hash: sum[:], purpose: l.Purpose, account: l.Account, sealed: []byte{}, madeAt: now.UnixMicro(), expires: now.Add(rule.lives).UnixMicro()}
	if l.Account != "" {
		have, err := s.needs.Store.byID(ctx, l.Account)
		if err != nil {
			return secret.String{}, err
		}
		r.epoch = have.epoch
	}
	if l.Text != "" {
		seal, err := s.needs.Keys.Person(ctx, l.Account)
		if err != nil {
			return secret.String{}, fmt.Errorf("key of account %s: %w", l.Account, err)
		}
		if r.sealed, err = seal.Seal([]byte(l.Text), linkPlace(r.hash)); err != nil {
			return secret.String{}, err
		}
	}
	e := s.entry(who, "account:link", l.Account)
	e.Detail = map[string]string{"purpose": string(l.Purpose)}
	if err := s.needs.Store.addLink(ctx, r, rule.many, e); err != nil {
		return secret.String{}, fmt.Errorf("make a link to %s for account %s: %w", l.Purpose, l.Account, err)
	}
	return secret.New(base64.RawURLEncoding.EncodeToString(token)), nil
}

func linkPlace(hash []byte) []byte {
	return keys.Place("account_link", "sealed", base64.RawURLEncoding.EncodeToString(hash))
}

// Link tells what a token lets its holder do, and leaves it as it is: ErrLink for none.
func (s *Service) Link(ctx context.Context, p Purpose, token string) (Link, error) {
	_, l, err := s.readLink(ctx, p, token)
	return l, err
}

func (s *Service) readLink(ctx context.Context, p Purpose, token string) (linkRow, Link, error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 32 {
		return linkRow{}, Link{}, ErrLink
	}
	sum := sha256.Sum256(raw)
	r, err := s.needs.Store.link(ctx, sum[:])
	if err != nil {
		return r, Link{}, err
	}
	if r.purpose != p || r.expires <= s.needs.Now().UnixMicro() {
		return r, Link{}, ErrLink
	}
	l := Link{Purpose: p, Account: r.account}
	if r.account == "" {
		return r, l, nil
	}
	have, err := s.needs.Store.byID(ctx, r.account)
	if errors.Is(err, ErrNotFound) || err == nil && (have.disabledAt != 0 || purposes[p].epoch && have.epoch != r.epoch) {
		return r, Link{}, ErrLink
	}
	if err != nil {
		return r, Link{}, err
	}
	if len(r.sealed) > 0 {
		text, err := s.unseal(ctx, r.account, r.sealed, linkPlace(r.hash))
		if err != nil {
			return r, Link{}, fmt.Errorf("link of account %s: %w", r.account, err)
		}
		l.Text = string(text)
	}
	return r, l, nil
}

// Redeem uses a link up: of any number of callers one gets it, the others ErrLink.
func (s *Service) Redeem(ctx context.Context, p Purpose, token string) (Link, error) {
	r, l, err := s.readLink(ctx, p, token)
	if err != nil {
		return Link{}, err
	}
	who := access.Actor{Kind: access.User, ID: r.account}
	if r.account == "" {
		who = access.Actor{Kind: access.System}
	}
	e := s.entry(who, "account:redeem", r.account)
	e.Detail = map[string]string{"purpose": string(p)}
	if err := s.needs.Store.useLink(ctx, r.hash, e); err != nil {
		return Link{}, err
	}
	return l, nil
}

// Empty says whether there is no account at all.
func (s *Service) Empty(ctx context.Context) (bool, error) { return s.needs.Store.empty(ctx) }

// Tidy removes links that work no more, and former addresses that open nothing any more.
func (s *Service) Tidy(ctx context.Context) error {
	if err := s.needs.Store.dropLinks(ctx, s.needs.Now().UnixMicro()); err != nil {
		return fmt.Errorf("remove old links: %w", err)
	}
	if err := s.needs.Store.dropFormer(ctx, s.needs.Now().Add(-LinkFreeze.Lives()).UnixMicro()); err != nil {
		return fmt.Errorf("remove former addresses: %w", err)
	}
	return nil
}
