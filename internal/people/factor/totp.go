package factor

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// RFC 6238, with what every app can do: some know neither SHA-256 nor eight digits,
// and take no notice when they are asked for.
const (
	totpSecret = 20               // bytes; RFC 4226, section 4, R6 recommends 160 bits
	totpDigits = 6                //
	totpPeriod = 30               // seconds; section 5.2
	totpSkew   = 1                // steps to either side; section 5.2 recommends at most one
	setupFor   = 30 * time.Minute // between showing a secret and confirming it
	qrSide     = 320              // pixels
)

// totpRow is an app as the database has it.
type totpRow struct {
	account   string
	secret    []byte // sealed; nil: not in use
	step      int64
	sinceAt   int64
	pending   []byte // sealed; nil: nothing is being set up
	pendingAt int64
}

// stepAt is the number of the time step; RFC 6238, section 4.2, with T0 = 0.
func stepAt(now time.Time) int64 { return now.Unix() / totpPeriod }

// stepOf finds the step around now whose code this is. It compares with all of
// them, so that its time does not tell which one it was.
func stepOf(key []byte, code string, now time.Time) (step int64, ok bool) {
	text := base32.StdEncoding.EncodeToString(key)
	opts := hotp.ValidateOpts{Digits: otp.Digits(totpDigits), Algorithm: otp.AlgorithmSHA1}
	for at := stepAt(now) - totpSkew; at <= stepAt(now)+totpSkew; at++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(max(at, 0)), opts)
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = at, true
		}
	}
	return step, ok
}

// A Setup is what an app needs to know; it is shown once.
type Setup struct {
	Secret secret.String // base32, to type in
	URL    secret.String // otpauth://, which a phone opens
	QR     []byte        // the same as an image: PNG, black on white
}

// BeginTOTP makes a secret for an authenticator app, which counts once it is
// confirmed; until then what the person had before stays good. label is what the app shows: the e-mail address.
func (s *Service) BeginTOTP(ctx context.Context, who access.Actor, user, label string) (Setup, error) {
	if err := s.may(who, "factor:create", user); err != nil {
		return Setup{}, err
	}
	if err := checkName(label); err != nil {
		return Setup{}, err
	}
	raw := secret.Random(totpSecret)
	// Apps cut the name at the first colon.
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: s.title(), AccountName: strings.ReplaceAll(label, ":", " "), Secret: raw,
		Period: totpPeriod, Digits: otp.Digits(totpDigits), Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return Setup{}, fmt.Errorf("address of a new secret: %w", err)
	}
	picture, err := key.Image(qrSide, qrSide)
	if err != nil {
		return Setup{}, fmt.Errorf("QR code of a new secret: %w", err)
	}
	var qr bytes.Buffer
	if err := png.Encode(&qr, picture); err != nil {
		return Setup{}, fmt.Errorf("QR code of a new secret: %w", err)
	}
	r := totpRow{account: user, pendingAt: s.needs.Now().UnixMicro()}
	if r.pending, err = s.seal(ctx, user, raw, "factor_totp", "pending", user); err != nil {
		return Setup{}, err
	}
	if err := s.needs.Store.beginTOTP(ctx, r, s.entry(who, "factor:totp-begin", user, "")); err != nil {
		return Setup{}, err
	}
	return Setup{Secret: secret.New(key.Secret()), URL: secret.New(key.URL()), QR: qr.Bytes()}, nil
}

// title is what apps and authenticators call this house.
func (s *Service) title() string {
	return "Ardesia (" + strings.ReplaceAll(s.needs.Host, ":", " ") + ")"
}

// ConfirmTOTP makes the app count that BeginTOTP was for, once it shows a right
// code; that code is used up by it. The recovery codes are the person's first ones, nil if there were some.
func (s *Service) ConfirmTOTP(ctx context.Context, who access.Actor, user, code string) (recovery []string, err error) {
	if err := s.may(who, "factor:create", user); err != nil {
		return nil, err
	}
	r, err := s.needs.Store.totp(ctx, user)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	now := s.needs.Now()
	if err != nil || r.pending == nil || now.Sub(micro(r.pendingAt)) > setupFor {
		return nil, ErrSetup
	}
	raw, err := s.open(ctx, user, r.pending, "factor_totp", "pending", user)
	if err != nil {
		return nil, err
	}
	typed, _ := digits(code, totpDigits)
	step, ok := stepOf(raw, typed, now)
	if !ok {
		return nil, ErrCode
	}
	held, err := s.needs.Store.recovery(ctx, user)
	if err != nil {
		return nil, err
	}
	var sheet []recoveryRow
	if len(held) == 0 {
		if recovery, sheet, err = s.newSheet(ctx, user); err != nil {
			return nil, err
		}
	}
	pending := r.pending
	r = totpRow{account: user, step: step, sinceAt: now.UnixMicro()}
	if r.secret, err = s.seal(ctx, user, raw, "factor_totp", "secret", user); err != nil {
		return nil, err
	}
	made, err := s.needs.Store.confirmTOTP(ctx, r, pending, sheet, s.entry(who, "factor:totp-add", user, ""))
	if err != nil {
		return nil, err
	}
	s.changed(TOTPAdded, user, "", 0)
	if !made {
		return nil, nil
	}
	s.changed(RecoveryMade, user, "", len(recovery))
	return recovery, nil
}

// CheckTOTP says whether the person's app shows this code now. Nil means that the
// code is used up, on disk; every other answer is ErrCode.
func (s *Service) CheckTOTP(ctx context.Context, user, code string) error {
	r, err := s.needs.Store.totp(ctx, user)
	if errors.Is(err, ErrNotFound) || err == nil && r.secret == nil {
		return ErrCode
	}
	if err != nil {
		return err
	}
	raw, err := s.open(ctx, user, r.secret, "factor_totp", "secret", user)
	if err != nil {
		return err
	}
	typed, _ := digits(code, totpDigits)
	step, ok := stepOf(raw, typed, s.needs.Now())
	if !ok || step <= r.step {
		return ErrCode
	}
	// Others may have read the same row: the database has the last word.
	ok, err = s.needs.Store.acceptStep(ctx, user, r.secret, step)
	if err != nil {
		return fmt.Errorf("use the code of %s up: %w", user, err)
	}
	if !ok {
		return ErrCode
	}
	return nil
}

// RemoveTOTP takes the app away, and the recovery codes with it when nothing is
// left that they could stand in for. The caller has made sure that the person proved a second step just now.
func (s *Service) RemoveTOTP(ctx context.Context, who access.Actor, user string) error {
	if err := s.may(who, "factor:delete", user); err != nil {
		return err
	}
	if err := s.needs.Store.removeTOTP(ctx, user, s.entry(who, "factor:totp-remove", user, "")); err != nil {
		return err
	}
	s.changed(TOTPRemoved, user, "", 0)
	return nil
}
