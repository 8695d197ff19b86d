package factor

import (
	"context"
	"fmt"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A recovery code has 24 digits. The first four find it among the person's, and
// are no secret; the other 20 are worth 66 bits, beyond guessing even without a limit.
const (
	codes          = 10 // on a sheet
	codeDigits     = 24
	selectorDigits = 4
	recoveryLow    = 3 // fewer are worth a letter
)

// recoveryRow is a code as the database has it.
type recoveryRow struct {
	account  string
	selector string
	code     []byte // PHC string, sealed
	sheet    bool
	madeAt   int64
}

func ofSheet(rows []recoveryRow) (n int) {
	for _, r := range rows {
		if r.sheet {
			n++
		}
	}
	return n
}

// randomDigits returns n unpredictable digits, each of the ten equally likely.
func randomDigits(n int) string {
	const fair = 250 // bytes from here on would favour the first digits
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range secret.Random(n) {
			if b < fair && len(out) < n {
				out = append(out, '0'+b%10)
			}
		}
	}
	return string(out)
}

// grouped is how people read a code: "1234 5678 9012 3456 7890 1234".
func grouped(code string) string {
	var b strings.Builder
	for i := 0; i < len(code); i += 4 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(code[i:min(i+4, len(code))])
	}
	return b.String()
}

// The wrapping key is the house's: who reads the database, or an archive of data,
// without the keyring cannot even begin to guess.
func (s *Service) recoveryKey() keys.Sealer { return s.needs.Keys.Purpose("factor-recovery") }

func recoveryPlace(user, selector string) []byte {
	return keys.Place("factor_recovery", "code", user, selector)
}

// newCode makes the row of a fresh code, for one hash.
func (s *Service) newCode(ctx context.Context, user, selector string, sheet bool) (string, recoveryRow, error) {
	code := selector + randomDigits(codeDigits-selectorDigits)
	phc, err := s.needs.Hasher.Hash(ctx, code)
	if err != nil {
		return "", recoveryRow{}, err
	}
	r := recoveryRow{account: user, selector: selector, sheet: sheet, madeAt: s.needs.Now().UnixMicro()}
	r.code, err = s.recoveryKey().Seal([]byte(phc), recoveryPlace(user, selector))
	return grouped(code), r, err
}

func (s *Service) newSheet(ctx context.Context, user string) (list []string, rows []recoveryRow, err error) {
	taken := make(map[string]bool, codes)
	for len(rows) < codes {
		selector := randomDigits(selectorDigits)
		if taken[selector] {
			continue
		}
		taken[selector] = true
		code, r, err := s.newCode(ctx, user, selector, true)
		if err != nil {
			return nil, nil, fmt.Errorf("recovery code of %s: %w", user, err)
		}
		list, rows = append(list, code), append(rows, r)
	}
	return list, rows, nil
}

// NewRecovery makes ten codes, to be shown once and kept on paper. The codes of before
// are good no more when it returns nil.
func (s *Service) NewRecovery(ctx context.Context, who access.Actor, user string) ([]string, error) {
	if err := s.may(who, "factor:create", user); err != nil {
		return nil, err
	}
	// The database has the last word; asking first spares ten hashes.
	if now, err := s.needs.Store.strength(ctx, user); err != nil {
		return nil, err
	} else if now.level() < TwoSteps {
		return nil, ErrNone
	}
	list, rows, err := s.newSheet(ctx, user)
	if err != nil {
		return nil, err
	}
	if err := s.needs.Store.setRecovery(ctx, user, rows, s.entry(who, "factor:recovery-make", user, "")); err != nil {
		return nil, err
	}
	s.changed(RecoveryMade, user, "", len(list))
	return list, nil
}

// findRecovery returns the row of a typed code, or ErrRecovery, for one hash in any case.
func (s *Service) findRecovery(ctx context.Context, user, typed string) (recoveryRow, error) {
	code, whole := digits(typed, codeDigits)
	rows, err := s.needs.Store.recovery(ctx, user)
	if err != nil {
		return recoveryRow{}, fmt.Errorf("recovery codes of %s: %w", user, err)
	}
	phc, found := s.unknown, recoveryRow{}
	if whole {
		for _, r := range rows {
			if r.selector != code[:selectorDigits] {
				continue
			}
			plain, err := s.recoveryKey().Open(r.code, recoveryPlace(user, r.selector))
			if err != nil {
				return recoveryRow{}, fmt.Errorf("recovery code of %s: %w", user, err)
			}
			phc, found = string(plain), r
		}
	}
	good, err := s.needs.Hasher.Matches(ctx, phc, code)
	if err != nil {
		return recoveryRow{}, fmt.Errorf("recovery code of %s: %w", user, err)
	}
	if !good || found.account == "" {
		return recoveryRow{}, ErrRecovery
	}
	return found, nil
}

// KnowsRecovery says whether a person has written a code down: nil, or ErrRecovery. The
// code stays good. Only for a person who is signed in and was just shown the codes:
// it is a check like any other, so the room against guessing is asked before it.
func (s *Service) KnowsRecovery(ctx context.Context, user, code string) error {
	_, err := s.findRecovery(ctx, user, code)
	return err
}

// CheckRecovery uses a code up. The replacement begins with the same four digits, so
// that it can be written where the old one is crossed out; it is shown once. left is Set.RecoveryLeft.
// Every answer but nil is ErrRecovery, or ErrBusy of the Hasher, and has cost one hash.
//
// The numbers are those of docs/acts/recover-account.md.
func (s *Service) CheckRecovery(ctx context.Context, user, code string) (replacement string, left int, err error) {
	// 1. Is it one of theirs?
	old, err := s.findRecovery(ctx, user, code)
	if err != nil {
		return "", 0, err
	}
	// 2. It is used up, and replaced.
	replacement, next, err := s.newCode(ctx, user, old.selector, false)
	if err != nil {
		return "", 0, fmt.Errorf("replace a recovery code of %s: %w", user, err)
	}
	left, err = s.needs.Store.useRecovery(ctx, old, next, s.entry(self(user), "factor:recovery-use", user, ""))
	if err != nil {
		return "", 0, err
	}
	// 3. The person hears of it.
	s.changed(RecoveryUsed, user, "", left)
	if left < recoveryLow && old.sheet {
		s.changed(RecoveryLow, user, "", left)
	}
	return replacement, left, nil
}
