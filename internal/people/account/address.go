package account

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrAddresses is a person with as many further addresses as one may have.
	ErrAddresses = problem.New(problem.Precondition, "account-addresses", fmt.Sprintf("You have %d further addresses, which is as many as one person may have: remove one first.", maxAddresses))
	// ErrNoAddress is an address that is none of the person's further ones.
	ErrNoAddress = problem.New(problem.NotFound, "account-no-address", "This is none of your further addresses.")
)

// maxAddresses is how many addresses a person may have beside the first.
const maxAddresses = 5

// A Further is an address that a person proved, beside the one in User.Email. The person
// signs in and finds back in with it, too; letters go to User.Email alone.
type Further struct {
	ID       string // UUID
	Email    string
	ProvedAt time.Time
}

// addressRow is an address as the database has it.
type addressRow struct {
	id, account   string
	index, sealed []byte
	provedAt      int64
}

// addresses is the part of Store that further addresses need.
type addresses interface {
	further(ctx context.Context, account string) ([]addressRow, error) // by age
	// addAddress is ErrTaken when anybody has the address, and ErrAddresses beyond most.
	addAddress(ctx context.Context, r addressRow, most int, e journal.Entry) error
	// dropAddress has a further address be a former one, and ends links to addresses that the account has or is to have; or ErrNoAddress.
	dropAddress(ctx context.Context, account, id string, at int64, e journal.Entry) error
	// swapAddress has the account and the further address r.id change places: the account gets email,
	// its index and when it was proved, and r what the account had. Links that set a password end. ErrNoAddress when r.id is not there.
	swapAddress(ctx context.Context, r addressRow, email []byte, e journal.Entry) error
	formers
}

// Further tells a person's further addresses, the oldest first.
func (s *Service) Further(ctx context.Context, id string) ([]Further, error) {
	rows, err := s.needs.Store.further(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("addresses of account %s: %w", id, err)
	}
	var all []Further
	for _, r := range rows {
		text, err := s.unseal(ctx, id, r.sealed, addressPlace(r.id))
		if err != nil {
			return nil, fmt.Errorf("address %s of account %s: %w", r.id, id, err)
		}
		all = append(all, Further{r.id, string(text), at(r.provedAt)})
	}
	return all, nil
}

func addressPlace(id string) []byte { return keys.Place("account_address", "sealed", id) }

// AddAddress gives a person a further address, which the caller has seen proved. It is
// ErrTaken when anybody has it, the person included.
func (s *Service) AddAddress(ctx context.Context, who access.Actor, id, email string) error {
	if err := checkEmail(email); err != nil {
		return err
	}
	r := addressRow{id: uuid.NewString(), account: id, index: s.index([]byte(Normal(email))), provedAt: s.needs.Now().UnixMicro()}
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", id, err)
	}
	if r.sealed, err = seal.Seal([]byte(email), addressPlace(r.id)); err != nil {
		return err
	}
	return s.needs.Store.addAddress(ctx, r, maxAddresses, s.entry(who, "account:address-add", id))
}

// DropAddress takes a further address of a person away. For LinkFreeze's life it is a former one: see Reach.
func (s *Service) DropAddress(ctx context.Context, who access.Actor, id, address string) error {
	return s.needs.Store.dropAddress(ctx, id, address, s.needs.Now().UnixMicro(), s.entry(who, "account:address-remove", id))
}

// Prefer makes a further address the one that letters go to; the one before becomes a
// further one. It tells which that was.
func (s *Service) Prefer(ctx context.Context, who access.Actor, id, address string) (before string, err error) {
	all, err := s.Further(ctx, id)
	if err != nil {
		return "", err
	}
	u, err := s.Get(ctx, id)
	if err != nil {
		return "", err
	}
	for _, f := range all {
		if f.ID != address {
			continue
		}
		email, err := s.seal(ctx, id, "email", f.Email)
		if err != nil {
			return "", err
		}
		seal, err := s.needs.Keys.Person(ctx, id)
		if err != nil {
			return "", fmt.Errorf("key of account %s: %w", id, err)
		}
		old, err := seal.Seal([]byte(u.Email), addressPlace(f.ID))
		if err != nil {
			return "", err
		}
		r := addressRow{id: f.ID, account: id, index: s.index([]byte(Normal(u.Email))), sealed: old, provedAt: micro(u.VerifiedAt)}
		return u.Email, s.needs.Store.swapAddress(ctx, r, email, s.entry(who, "account:email", id))
	}
	return "", ErrNoAddress
}
