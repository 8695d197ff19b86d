package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"
	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// Store is what Service needs of a database. A method that takes an entry writes it in
// the same transaction.
type Store interface {
	keyStore
	clientStore
	requestStore
	grantStore
	deviceStore
	logoutStore
	forget(ctx context.Context, user string, at, giveUp time.Time) error
	sweep(ctx context.Context, before time.Time) error
}

type keyStore interface {
	keys(ctx context.Context) ([]key, error) // by number
	addKey(ctx context.Context, k key) error // nothing when the number is there
}

// key is one signing key; the private half is in the key ring.
type key struct {
	number    int64
	kid       string
	public    []byte // PKIX
	createdAt time.Time
}

// A Guard says who may try a secret: *guard.Service.
type Guard interface {
	Ask(ctx context.Context, t guard.Try) (guard.Verdict, error)
	Tell(ctx context.Context, t guard.Try, ok bool) error
	Void(ctx context.Context, t guard.Try) error
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Store Store
	// Signer has private keys by name: *keys.Ring.
	Signer func(ctx context.Context, name string) (crypto.Signer, error)
	Keys   *apikey.Service
	Guard  Guard
	// Standing is what becomes of a person's tokens; see account.Service.
	Standing func(ctx context.Context, user string) (space string, epoch int64, err error)
	// Role is what a person may do in a space; see org.Service.
	Role func(ctx context.Context, space, user string) (access.Role, error)
	// Admit refuses who has not signed in as surely as a space asks; see org.Service.
	Admit  func(ctx context.Context, who access.Actor, space string) error
	Issuer string // of this environment: no other's tokens of API keys count here
	// Origin is the provider's own issuer, "https://host" and nothing more. It is asked at
	// every use, because a port may be known only when the doors are open.
	Origin func() string
	// Profile is what a person lets programs read.
	Profile func(ctx context.Context, user string) (Profile, error)
	Seal    keys.Sealer // for requests that wait
	First   []Client    // that are part of Ardesia
	Now     func() time.Time
	Log     *slog.Logger
	// Private are addresses that programs may be told at although they are not public; Roots signed
	// the programs' certificates, nil for whom this machine trusts.
	Private []netip.Prefix
	Roots   *x509.CertPool
}

// claims of a token. The third is where every official client looks for the user.
type claims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Issued   int64  `json:"iat"`
	ID       string `json:"jti"`
	User     string `json:"http://arduino.cc/id"`
	Client   string `json:"azp"`
	Version  int64  `json:"kv"`                        // of the API key
	Epoch    int64  `json:"epoch"`                     // of the person
	Space    string `json:"organization_id,omitempty"` // the shared space that was asked for
	Only     string `json:"only,omitempty"`            // the only space that the API key enters
	Cap      string `json:"cap,omitempty"`             // the most that it may be there
	ACR      string `json:"acr,omitempty"`             // how surely whoever made the key had signed in
}

// personal are the claims of a person's token (RFC 9068, section 2.2).
type personal struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	ID       string   `json:"jti"`
	Client   string   `json:"client_id"`
	Scope    string   `json:"scope"`
	AuthAt   int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	User     string   `json:"http://arduino.cc/id"`
	Grant    string   `json:"grant"`
}

// seen is a token whose signature was good: of an API key, or of a person.
type seen struct {
	claims claims
	person *personal // nil for an API key's
	at     time.Time // when it was last asked whether it counts
}

// life is from when to when the token says that it is good, in seconds since 1970.
func (s seen) life() (issued, expires int64) {
	if s.person != nil {
		return s.person.Issued, s.person.Expires
	}
	return s.claims.Issued, s.claims.Expires
}

// A Service issues and reads tokens. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	known *cache.Map[[32]byte, seen]

	mu     sync.RWMutex
	all    []key                       // guarded by mu
	public map[string]*ecdsa.PublicKey // guarded by mu: by kid
	signer jose.Signer                 // guarded by mu: of API keys' tokens and ID tokens
	access jose.Signer                 // guarded by mu: of people's access tokens
	ending jose.Signer                 // guarded by mu: of what tells programs that a session has ended

	provider *provider
	known1st map[string]Client // by id: needs.First
	listed   *cache.Fresh[string, Client]
	polls    *cache.Map[[32]byte, *poll]
	began    *door.Limiter // what clients may begin without a person, by address: each is a row
	browser  atomic.Pointer[Browser]
	recheck  chan string   // accounts whose sessions are looked at again
	logouts  chan struct{} // holds a word when programs are to be told

	// Replayed tells of codes and refresh tokens that were used a second time: somebody has stolen one.
	Replayed feed.Feed[Grant]
	// Ended tells the ids of grants that ended before their time: Client of the actors who came with them.
	Ended feed.Feed[string]
}

// New checks needs and makes the first signing key, or the next when the last is old.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Signer == nil || needs.Keys == nil || needs.Guard == nil || needs.Standing == nil || needs.Role == nil || needs.Admit == nil || needs.Issuer == "" || needs.Now == nil ||
		needs.Origin == nil || needs.Profile == nil || needs.Seal == nil || needs.Log == nil {
		return nil, errors.New("tokens need Store, Signer, Keys, Guard, Standing, Role, Admit, Issuer, Origin, Profile, Seal, Log and Now")
	}
	s := &Service{
		needs: needs, known: cache.New[[32]byte, seen](1 << 14),
		known1st: map[string]Client{}, listed: cache.NewFresh[string, Client](1<<10, recheck, needs.Now), polls: cache.New[[32]byte, *poll](1 << 12),
		began:   door.NewLimiter(door.Rate{}, door.Rate{PerMinute: 120, Burst: 60}, needs.Now),
		recheck: make(chan string, logoutWaiting), logouts: make(chan struct{}, 1),
	}
	for _, c := range needs.First {
		c.First = true
		s.known1st[c.ID] = c
	}
	s.provider = newProvider(s)
	return s, s.rotate(ctx)
}

// Bind says how people are signed in. Before it nobody is.
func (s *Service) Bind(b Browser) error {
	if !b.whole() {
		return errors.New("signing in needs all functions of a Browser")
	}
	s.browser.Store(&b)
	return nil
}

// Run takes a new signing key in time and removes what has ended, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := errors.Join(s.rotate(ctx), s.sweep(ctx)); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (s *Service) rotate(ctx context.Context) error {
	all, err := s.needs.Store.keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	now := s.needs.Now()
	if n := len(all); n == 0 || now.Sub(all[n-1].createdAt) > rotate {
		number := int64(1)
		if n > 0 {
			number = all[n-1].number + 1
		}
		signer, err := s.needs.Signer(ctx, signerName(number))
		if err != nil {
			return fmt.Errorf("signing key %d: %w", number, err)
		}
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			return err
		}
		web := jose.JSONWebKey{Key: signer.Public()}
		thumb, err := web.Thumbprint(crypto.SHA256) // RFC 7638
		if err != nil {
			return err
		}
		if err := s.needs.Store.addKey(ctx, key{number, base64.RawURLEncoding.EncodeToString(thumb), der, now}); err != nil {
			return fmt.Errorf("keep signing key %d: %w", number, err)
		}
		if all, err = s.needs.Store.keys(ctx); err != nil {
			return err
		}
	}
	return s.use(ctx, all)
}

func signerName(number int64) string { return fmt.Sprintf("token-%d", number) }

func (s *Service) use(ctx context.Context, all []key) error {
	public := map[string]*ecdsa.PublicKey{}
	for _, k := range all {
		if s.needs.Now().Sub(k.createdAt) > 2*rotate {
			continue // its last token expired long ago
		}
		p, err := x509.ParsePKIXPublicKey(k.public)
		if err != nil {
			return fmt.Errorf("signing key %d: %w", k.number, err)
		}
		ec, ok := p.(*ecdsa.PublicKey)
		if !ok {
			return fmt.Errorf("signing key %d is not of P-256", k.number)
		}
		public[k.kid] = ec
	}
	last := all[len(all)-1]
	private, err := s.needs.Signer(ctx, signerName(last.number))
	if err != nil {
		return err
	}
	signers := map[string]jose.Signer{}
	for _, kind := range []string{typeJWT, typeAccess, typeLogout} {
		signers[kind], err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: cryptosigner.Opaque(private)},
			(&jose.SignerOptions{}).WithType(jose.ContentType(kind)).WithHeader("kid", last.kid))
		if err != nil {
			return fmt.Errorf("signer of tokens: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all, s.public, s.signer, s.access, s.ending = all, public, signers[typeJWT], signers[typeAccess], signers[typeLogout]
	return nil
}

// Token gives a token for an API key, for the space organization ("" for the person's own). Whoever calls
// it for somebody from outside asks the guard before.
func (s *Service) Token(ctx context.Context, clientID, secret, organization string) (string, error) {
	k, err := s.needs.Keys.Check(ctx, clientID, secret)
	if err != nil {
		return "", err
	}
	return s.tokenFor(ctx, k, organization)
}

func (s *Service) tokenFor(ctx context.Context, k apikey.Key, organization string) (string, error) {
	space, epoch, err := s.needs.Standing(ctx, k.Account)
	if err != nil {
		return "", err
	}
	if organization == "" && k.Space != "" && k.Space != space {
		organization = k.Space
	}
	c := claims{
		Issuer: s.needs.Issuer, Subject: k.ID + "@clients", Audience: Audience, ID: uuid.NewString(),
		Issued: s.needs.Now().Unix(), Expires: s.needs.Now().Add(life).Unix(),
		User: k.Account, Client: k.ID, Version: k.Version, Epoch: epoch, Space: organization, Only: k.Space, Cap: string(k.Role), ACR: k.ACR,
	}
	if _, err := s.Enter(ctx, c.actor(), organization); err != nil {
		return "", err
	}
	return s.sign(typeJWT, c)
}

// What a token says that it is, so that none passes for another (RFC 8725, section 3.11).
const (
	typeJWT    = "JWT"
	typeAccess = "at+jwt" // RFC 9068, section 2.1
)

func (s *Service) sign(kind string, claims any) (string, error) {
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	s.mu.RLock()
	signer := s.signer
	switch kind {
	case typeAccess:
		signer = s.access
	case typeLogout:
		signer = s.ending
	}
	s.mu.RUnlock()
	signed, err := signer.Sign(body)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed.CompactSerialize()
}

// actor is who brings a token. Space is the one that it was fetched for.
func (c claims) actor() access.Actor {
	return access.Actor{Kind: access.APIKey, ID: c.User, Client: c.Client, Space: c.Space, Only: c.Only, Cap: access.Role(c.Cap), ACR: c.ACR}
}

// maxToken bounds what is parsed, in bytes; ours have about 700.
const maxToken = 4096

// Verify says who brings a token: ErrToken if it does not count, ErrScope if it is
// good and not for the API.
func (s *Service) Verify(ctx context.Context, token string) (access.Actor, error) {
	have, err := s.look(ctx, token)
	if err != nil {
		return access.Actor{}, err
	}
	if have.person == nil {
		return have.claims.actor(), nil
	}
	if !slices.Contains(have.person.Audience, Audience) || !slices.Contains(words(have.person.Scope), ScopeIoT) {
		return access.Actor{}, ErrScope
	}
	return access.Actor{Kind: access.User, ID: have.person.User, Client: have.person.Grant, ACR: have.person.ACR}, nil
}

// look reads a token that counts at this moment, or ErrToken.
func (s *Service) look(ctx context.Context, token string) (seen, error) {
	if len(token) > maxToken {
		return seen{}, ErrToken
	}
	sum := sha256.Sum256([]byte(token))
	have, ok := s.known.Get(sum)
	if !ok {
		var err error
		if have, err = s.read(token); err != nil {
			return seen{}, ErrToken
		}
	}
	now := s.needs.Now()
	if issued, expires := have.life(); now.Unix() >= expires || now.Add(leeway).Unix() < issued {
		return seen{}, ErrToken
	}
	if age := now.Sub(have.at); age < 0 || age > recheck {
		if err := s.counts(ctx, have); err != nil {
			return seen{}, err
		}
		have.at = now
		s.known.Set(sum, have)
	}
	return have, nil
}

// open returns what a token of ours says, and what it says that it is. Only ES256 is
// ever accepted (RFC 8725, section 3.1).
func (s *Service) open(token string) (kind string, body []byte, err error) {
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", nil, err
	}
	head := signed.Signatures[0].Protected
	s.mu.RLock()
	public := s.public[head.KeyID]
	s.mu.RUnlock()
	if public == nil {
		return "", nil, ErrToken
	}
	kind, _ = head.ExtraHeaders[jose.HeaderType].(string)
	body, err = signed.Verify(public)
	return kind, body, err
}

// read checks everything that the token itself says.
func (s *Service) read(token string) (seen, error) {
	kind, body, err := s.open(token)
	if err != nil {
		return seen{}, err
	}
	switch kind {
	case typeJWT:
		var c claims
		if err := json.Unmarshal(body, &c); err != nil {
			return seen{}, err
		}
		if c.Issuer != s.needs.Issuer || c.Audience != Audience || c.User == "" {
			return seen{}, ErrToken
		}
		return seen{claims: c}, nil
	case typeAccess:
		var p personal
		if err := json.Unmarshal(body, &p); err != nil {
			return seen{}, err
		}
		if p.Issuer != s.needs.Origin() || len(p.Audience) == 0 || p.User == "" || p.Grant == "" {
			return seen{}, ErrToken
		}
		return seen{person: &p}, nil
	}
	return seen{}, ErrToken
}

// counts asks whether what a token stands on is still what it was.
func (s *Service) counts(ctx context.Context, have seen) error {
	if have.person != nil {
		g, err := s.needs.Store.grant(ctx, have.person.Grant)
		if errors.Is(err, errNoGrant) {
			return ErrToken
		}
		if err != nil {
			return err
		}
		return s.stands(ctx, g)
	}
	c := have.claims
	err := s.needs.Keys.Alive(ctx, c.Client, c.Version)
	if errors.Is(err, apikey.ErrCredentials) {
		return ErrToken
	}
	if err != nil {
		return err
	}
	return s.unchanged(ctx, c.User, c.Epoch)
}

// Enter takes who into the space that organization names, else the one that its
// token was fetched for, else its own, and says in which role. A key that was made
// for one space enters no other, its person's own included: ErrOnly.
func (s *Service) Enter(ctx context.Context, who access.Actor, organization string) (access.Actor, error) {
	if organization != "" && !door.IsUUID(organization) {
		return access.Actor{}, org.ErrNotMember // what is not an id is not looked up
	}
	space := organization
	if space == "" {
		space = who.Space
	}
	if space == "" {
		own, _, err := s.needs.Standing(ctx, who.ID)
		if err != nil {
			return access.Actor{}, err
		}
		space = own
	}
	if who.Only != "" && who.Only != space {
		return access.Actor{}, ErrOnly
	}
	role, err := s.needs.Role(ctx, space, who.ID)
	if err != nil {
		return access.Actor{}, err
	}
	if who.Cap != access.NoRole {
		// A service account's key is never more than its person at this time.
		if role = access.Lesser(role, who.Cap); role == access.NoRole {
			return access.Actor{}, org.ErrNotMember
		}
	}
	if err := s.needs.Admit(ctx, who, space); err != nil {
		return access.Actor{}, err
	}
	who.Space, who.Role = space, role
	return who, nil
}

// PublicKeys is the JWK set (RFC 7517) with which others can check our tokens.
func (s *Service) PublicKeys() jose.JSONWebKeySet {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var set jose.JSONWebKeySet
	for _, k := range s.all {
		if p := s.public[k.kid]; p != nil {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: p, KeyID: k.kid, Algorithm: string(jose.ES256), Use: "sig"})
		}
	}
	return set
}
