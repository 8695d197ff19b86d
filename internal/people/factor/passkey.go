package factor

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	ceremonyFor   = 5 * time.Minute
	maxResponse   = 32 << 10 // bytes; a TPM's attestation, the longest that browsers send, has about 6 KiB
	maxState      = 1 << 10  // bytes; ours have about 400
	maxCredential = 1023     // bytes of an id; WebAuthn level 3, section 7.1, step 25
	maxPublicKey  = 2 << 10  // bytes; RSA of 4096 bits has about 530
	minRSA        = 2048     // bits; NIST SP 800-57 part 1, table 2
	maxRSA        = 4096     // bits; the time that a check takes grows with the square
	handleBytes   = 64       // WebAuthn level 3, section 14.6.1
)

// algorithms are what passkeys may sign with, the best first: what phones and keys
// have, and RSA for the TPM of Windows.
var algorithms = []protocol.CredentialParameter{
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgES256},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgEdDSA},
	{Type: protocol.PublicKeyCredentialType, Algorithm: webauthncose.AlgRS256},
}

// passkeyRow is a passkey as the database has it.
type passkeyRow struct {
	id, account                      string
	index                            []byte
	credential, label                []byte // sealed
	verified, backupEligible, backed bool
	uses                             int64
	createdAt, usedAt, suspectAt     int64
}

// newPasskey is what one registration writes.
type newPasskey struct {
	row      passkeyRow
	handle   []byte // sealed; nil: the person has one
	answered answered
}

// usedPasskey is what one assertion writes.
type usedPasskey struct {
	id       string
	uses     int64
	backed   bool
	at       int64
	answered answered
}

// answered is a challenge that must not be answered again.
type answered struct {
	hash     []byte
	until    int64
	answered int64 // now: what is older than this can be forgotten
}

// A credential is what never changes of a passkey; sealed, as JSON.
type credential struct {
	ID        []byte   `json:"id"`
	Key       []byte   `json:"key"` // COSE
	AAGUID    []byte   `json:"aaguid,omitempty"`
	Transport []string `json:"transport,omitempty"`
}

// What a state was made for.
const (
	toRegister = "register"
	toAssert   = "assert"
)

// A ceremony is what must be known when the answer to a challenge comes. It goes
// out sealed, so that asking costs us no memory, whoever asks.
type ceremony struct {
	For       string `json:"for"`
	Challenge []byte `json:"challenge"`
	User      string `json:"user,omitempty"`   // "": whoever answers
	Handle    []byte `json:"handle,omitempty"` // of toRegister
	Until     int64  `json:"until"`            // µs since 1970
}

func (c ceremony) answered(now time.Time) answered {
	sum := sha256.Sum256(c.Challenge)
	return answered{sum[:], c.Until, now.UnixMicro()}
}

func (s *Service) stateKey() keys.Sealer { return s.needs.Keys.Purpose("factor-ceremony") }

func (s *Service) sealState(c ceremony, challenge string) (state []byte, err error) {
	if c.Challenge, err = base64.RawURLEncoding.DecodeString(challenge); err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	c.Until = s.needs.Now().Add(ceremonyFor).UnixMicro()
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return s.stateKey().Seal(plain, keys.Place("factor", "ceremony", c.For))
}

// openState returns what sealState was given, if that was for this and not long ago.
func (s *Service) openState(state []byte, what string) (c ceremony, err error) {
	if len(state) > maxState {
		return c, ErrCeremony
	}
	plain, err := s.stateKey().Open(state, keys.Place("factor", "ceremony", what))
	if err != nil {
		return c, ErrCeremony
	}
	if err := json.Unmarshal(plain, &c); err != nil {
		return c, fmt.Errorf("state of a ceremony: %w", err)
	}
	if !s.needs.Now().Before(micro(c.Until)) {
		return c, ErrCeremony
	}
	return c, nil
}

// A person is somebody as the library asks for them.
type person struct {
	handle        []byte
	name, display string
	credentials   []webauthn.Credential
}

func (p person) WebAuthnID() []byte                         { return p.handle }
func (p person) WebAuthnName() string                       { return p.name }
func (p person) WebAuthnDisplayName() string                { return p.display }
func (p person) WebAuthnCredentials() []webauthn.Credential { return p.credentials }

// library is go-webauthn, set up for where pages are served now.
func (s *Service) library() (*webauthn.WebAuthn, error) {
	if s.noHost {
		return nil, ErrHost
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: s.needs.Host, RPDisplayName: s.title(), RPOrigins: s.needs.Origins(),
		// What brand an authenticator is says nothing that we would act on, and
		// something about the person.
		AttestationPreference: protocol.PreferNoAttestation,
		// Password managers answer with extensions that nobody asked for; we read none.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: ceremonyFor, TimeoutUVD: ceremonyFor},
			Registration: webauthn.TimeoutConfig{Timeout: ceremonyFor, TimeoutUVD: ceremonyFor},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("set up passkeys: %w", err)
	}
	return w, nil
}

// handleOf returns the person's handle, nil if there is none yet.
func (s *Service) handleOf(ctx context.Context, user string) ([]byte, error) {
	sealed, err := s.needs.Store.handle(ctx, user)
	if err != nil || sealed == nil {
		return nil, err
	}
	return s.open(ctx, user, sealed, "factor_handle", "handle", user)
}

func (s *Service) openCredential(ctx context.Context, r passkeyRow) (webauthn.Credential, error) {
	plain, err := s.open(ctx, r.account, r.credential, "factor_passkey", "credential", r.id)
	if err != nil {
		return webauthn.Credential{}, err
	}
	var c credential
	if err := json.Unmarshal(plain, &c); err != nil {
		return webauthn.Credential{}, fmt.Errorf("credential of passkey %s: %w", r.id, err)
	}
	out := webauthn.Credential{
		ID: c.ID, PublicKey: c.Key,
		Flags: webauthn.CredentialFlags{UserVerified: r.verified, BackupEligible: r.backupEligible, BackupState: r.backed},
		// The library's view of the count is not asked: the database's is.
		Authenticator: webauthn.Authenticator{AAGUID: c.AAGUID},
	}
	for _, t := range c.Transport {
		out.Transport = append(out.Transport, protocol.AuthenticatorTransport(t))
	}
	return out, nil
}

func (s *Service) openPasskey(ctx context.Context, r passkeyRow) (Passkey, error) {
	label, err := s.open(ctx, r.account, r.label, "factor_passkey", "label", r.id)
	if err != nil {
		return Passkey{}, err
	}
	return Passkey{
		ID: r.id, Label: string(label), Verified: r.verified, BackupEligible: r.backupEligible, BackedUp: r.backed,
		CreatedAt: micro(r.createdAt), UsedAt: micro(r.usedAt), SuspectAt: micro(r.suspectAt),
	}, nil
}

// known are a person's passkeys as the library asks for them.
func (s *Service) known(ctx context.Context, user string) ([]webauthn.Credential, error) {
	rows, err := s.needs.Store.passkeys(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("passkeys of %s: %w", user, err)
	}
	var all []webauthn.Credential
	for _, r := range rows {
		c, err := s.openCredential(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// BeginPasskey returns what navigator.credentials.create is to be called with, as
// JSON with a member publicKey, and a state for FinishPasskey. name and display are what the
// authenticator shows of the person: the e-mail address and the name.
func (s *Service) BeginPasskey(ctx context.Context, who access.Actor, user, name, display string) (options json.RawMessage, state []byte, err error) {
	if err := s.may(who, "factor:create", user); err != nil {
		return nil, nil, err
	}
	if err := errors.Join(checkName(name), checkName(display)); err != nil {
		return nil, nil, err
	}
	w, err := s.library()
	if err != nil {
		return nil, nil, err
	}
	have, err := s.known(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	if len(have) >= maxPasskeys {
		return nil, nil, ErrTooMany
	}
	handle, err := s.handleOf(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	if handle == nil {
		handle = secret.Random(handleBytes)
	}
	creation, session, err := w.BeginRegistration(person{handle, name, display, have},
		webauthn.WithCredentialParameters(algorithms),
		webauthn.WithExclusions(webauthn.Credentials(have).CredentialDescriptors()),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationPreferred,
		}))
	if err != nil {
		return nil, nil, fmt.Errorf("begin a passkey: %w", err)
	}
	return s.begun(creation, ceremony{For: toRegister, User: user, Handle: handle}, session.Challenge)
}

func (s *Service) begun(options any, c ceremony, challenge string) (json.RawMessage, []byte, error) {
	text, err := json.Marshal(options)
	if err != nil {
		return nil, nil, err
	}
	state, err := s.sealState(c, challenge)
	return text, state, err
}

// session is what the library would have kept between the two halves of a ceremony.
func (s *Service) session(c ceremony, handle []byte) webauthn.SessionData {
	return webauthn.SessionData{
		Challenge: base64.RawURLEncoding.EncodeToString(c.Challenge), RelyingPartyID: s.needs.Host, UserID: handle,
		// Whether the person must be verified is decided here after the signature is known to be good.
		UserVerification: protocol.VerificationPreferred, CredParams: algorithms,
	}
}

// FinishPasskey keeps the passkey that a browser answered with: the
// PublicKeyCredential in its JSON form. state is what BeginPasskey returned for the same person.
func (s *Service) FinishPasskey(ctx context.Context, who access.Actor, user string, state, response []byte, label string) (Passkey, error) {
	if err := s.may(who, "factor:create", user); err != nil {
		return Passkey{}, err
	}
	label, err := checkLabel(label)
	if err != nil {
		return Passkey{}, err
	}
	c, err := s.openState(state, toRegister)
	if err != nil {
		return Passkey{}, err
	}
	if c.User != user {
		return Passkey{}, ErrCeremony
	}
	made, err := s.register(c, response)
	if err != nil {
		return Passkey{}, err
	}
	add := newPasskey{answered: c.answered(s.needs.Now())}
	switch handle, err := s.handleOf(ctx, user); {
	case err != nil:
		return Passkey{}, err
	case handle == nil:
		if add.handle, err = s.seal(ctx, user, c.Handle, "factor_handle", "handle", user); err != nil {
			return Passkey{}, err
		}
	case !bytes.Equal(handle, c.Handle): // two first passkeys at once; the slower one begins again
		return Passkey{}, ErrCeremony
	}
	add.row = passkeyRow{
		id: uuid.NewString(), account: user, index: s.index(made.ID),
		verified: made.Flags.UserVerified, backupEligible: made.Flags.BackupEligible, backed: made.Flags.BackupState,
		uses: int64(made.Authenticator.SignCount), createdAt: s.needs.Now().UnixMicro(),
	}
	fixed := credential{ID: made.ID, Key: made.PublicKey, AAGUID: made.Authenticator.AAGUID}
	for _, t := range made.Transport {
		fixed.Transport = append(fixed.Transport, string(t))
	}
	plain, err := json.Marshal(fixed)
	if err != nil {
		return Passkey{}, err
	}
	if add.row.credential, err = s.seal(ctx, user, plain, "factor_passkey", "credential", add.row.id); err != nil {
		return Passkey{}, err
	}
	if add.row.label, err = s.seal(ctx, user, []byte(label), "factor_passkey", "label", add.row.id); err != nil {
		return Passkey{}, err
	}
	if err := s.needs.Store.addPasskey(ctx, add, s.entry(who, "factor:passkey-add", user, add.row.id)); err != nil {
		return Passkey{}, err
	}
	s.changed(PasskeyAdded, user, add.row.id, 0)
	return s.openPasskey(ctx, add.row)
}

// register is the pure part of FinishPasskey: is this the answer to c?
func (s *Service) register(c ceremony, response []byte) (*webauthn.Credential, error) {
	w, err := s.library()
	if err != nil {
		return nil, err
	}
	if len(response) > maxResponse {
		return nil, ErrResponse
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, ErrResponse
	}
	made, err := w.CreateCredential(person{handle: c.Handle}, s.session(c, c.Handle), parsed)
	if err != nil || len(made.ID) == 0 || len(made.ID) > maxCredential || !usable(made.PublicKey) || len(made.Transport) > 16 {
		return nil, ErrPasskey
	}
	for _, t := range made.Transport {
		if len(t) > 32 {
			return nil, ErrPasskey
		}
	}
	return made, nil
}

// usable says whether signatures by this key can be verified, and are worth it. Without attestation
// nothing was signed yet, so nobody has looked: a person should not learn it when signing in.
func usable(cose []byte) bool {
	if len(cose) > maxPublicKey {
		return false
	}
	key, err := webauthncose.ParsePublicKey(cose)
	if r, ok := key.(webauthncose.RSAPublicKeyData); ok {
		bits := new(big.Int).SetBytes(r.Modulus).BitLen()
		return err == nil && bits >= minRSA && bits <= maxRSA
	}
	return err == nil
}

// BeginAssertion returns what navigator.credentials.get is to be called with, as JSON
// with a member publicKey, and a state for FinishAssertion. Without a user anyone may
// answer, and the authenticator must verify them. With one, only that person's passkeys are asked for: call
// it after the password, since the answer tells whether there is such a person; ErrNotFound without passkeys.
func (s *Service) BeginAssertion(ctx context.Context, user string) (options json.RawMessage, state []byte, err error) {
	w, err := s.library()
	if err != nil {
		return nil, nil, err
	}
	if user == "" {
		assertion, session, err := w.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
		if err != nil {
			return nil, nil, fmt.Errorf("begin an assertion: %w", err)
		}
		return s.begun(assertion, ceremony{For: toAssert}, session.Challenge)
	}
	have, err := s.known(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	if len(have) == 0 {
		return nil, nil, ErrNotFound
	}
	handle, err := s.handleOf(ctx, user)
	if err != nil {
		return nil, nil, err
	}
	assertion, session, err := w.BeginLogin(person{handle: handle, credentials: have}, webauthn.WithUserVerification(protocol.VerificationPreferred))
	if err != nil {
		return nil, nil, fmt.Errorf("begin an assertion of %s: %w", user, err)
	}
	return s.begun(assertion, ceremony{For: toAssert, User: user}, session.Challenge)
}

// FinishAssertion says whose passkey answered, and whether its authenticator
// verified the person in a way that can stand for a password. It is true whenever BeginAssertion named
// nobody. Nil means that the answer is used up, on disk.
func (s *Service) FinishAssertion(ctx context.Context, state, response []byte) (user string, verified bool, err error) {
	c, err := s.openState(state, toAssert)
	if err != nil {
		return "", false, err
	}
	w, err := s.library()
	if err != nil {
		return "", false, err
	}
	if len(response) > maxResponse {
		return "", false, ErrResponse
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return "", false, ErrResponse
	}
	r, err := s.needs.Store.passkeyBy(ctx, s.index(parsed.RawID))
	if errors.Is(err, ErrNotFound) || err == nil && c.User != "" && r.account != c.User {
		return "", false, ErrPasskey
	}
	if err != nil {
		return "", false, fmt.Errorf("find a passkey: %w", err)
	}
	have, err := s.openCredential(ctx, r)
	if err != nil {
		return "", false, err
	}
	handle, err := s.handleOf(ctx, r.account)
	if err != nil {
		return "", false, err
	}
	if !s.asserted(w, c, person{handle: handle, credentials: []webauthn.Credential{have}}, parsed) {
		return "", false, ErrPasskey
	}
	// Whoever finds a key without a PIN can give it one; that it is verified now
	// counts only if it was when the person registered it (WebAuthn level 3, section 7.2, step 25).
	verified = r.verified && parsed.Response.AuthenticatorData.Flags.HasUserVerified()
	if c.User == "" && !verified {
		return "", false, ErrUnverified
	}
	now := s.needs.Now()
	err = s.needs.Store.usePasskey(ctx, usedPasskey{
		id: r.id, uses: int64(parsed.Response.AuthenticatorData.Counter), backed: parsed.Response.AuthenticatorData.Flags.HasBackupState(),
		at: now.UnixMicro(), answered: c.answered(now),
	}, s.entry(self(r.account), "factor:passkey-suspect", r.account, r.id))
	switch {
	case errors.Is(err, ErrCloned):
		s.changed(PasskeySuspect, r.account, r.id, 0)
		return "", false, err
	case errors.Is(err, ErrNotFound): // it was removed meanwhile
		return "", false, ErrPasskey
	case err != nil:
		return "", false, err
	}
	return r.account, verified, nil
}

// asserted is the pure part of FinishAssertion: did one of p's passkeys sign the answer to c?
func (s *Service) asserted(w *webauthn.WebAuthn, c ceremony, p person, parsed *protocol.ParsedCredentialAssertionData) bool {
	var err error
	if c.User == "" {
		// The library compares the handle in the answer with that of the person.
		_, _, err = w.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return p, nil }, s.session(c, nil), parsed)
	} else {
		_, err = w.ValidateLogin(p, s.session(c, p.handle), parsed)
	}
	return err == nil
}

// wentBack says whether an authenticator's count is one that was there before.
// Those that do not count say 0 (WebAuthn level 3, section 6.1.1).
func wentBack(before, now int64) bool { return now <= before && (now != 0 || before != 0) }

// RenamePasskey gives a passkey another label.
func (s *Service) RenamePasskey(ctx context.Context, who access.Actor, user, id, label string) error {
	if err := s.may(who, "factor:update", user); err != nil {
		return err
	}
	label, err := checkLabel(label)
	if err != nil {
		return err
	}
	r := passkeyRow{id: id, account: user}
	if r.label, err = s.seal(ctx, user, []byte(label), "factor_passkey", "label", id); err != nil {
		return err
	}
	return s.needs.Store.renamePasskey(ctx, r, s.entry(who, "factor:passkey-rename", user, id))
}

// RemovePasskey takes a passkey away, and the recovery codes with it when nothing is
// left that they could stand in for. The caller has made sure that the person proved a second step just now.
func (s *Service) RemovePasskey(ctx context.Context, who access.Actor, user, id string) error {
	if err := s.may(who, "factor:delete", user); err != nil {
		return err
	}
	if err := s.needs.Store.removePasskey(ctx, user, id, s.entry(who, "factor:passkey-remove", user, id)); err != nil {
		return err
	}
	s.changed(PasskeyRemoved, user, id, 0)
	return nil
}
