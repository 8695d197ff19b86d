package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrField is a field of a profile that is too long or cannot be printed.
	ErrField = problem.New(problem.Invalid, "account-field", "A field has at most 128 characters, in one line.")
	// ErrUsername is a text that cannot be a user name.
	ErrUsername = problem.New(problem.Invalid, "account-username", "A user name has 2 to 32 letters, digits, dots, hyphens and underscores, and begins with a letter or digit.")
	// ErrUsernameTaken is a user name that somebody else has.
	ErrUsernameTaken = problem.New(problem.Conflict, "account-username-taken", "Somebody else has this user name.")
	// ErrZone is a text that is no time zone.
	ErrZone = problem.New(problem.Invalid, "account-zone", "This is not a time zone: choose one such as Europe/Rome.")
	// ErrPhone is a text that cannot be a telephone number.
	ErrPhone = problem.New(problem.Invalid, "account-phone", "A telephone number has 4 to 32 digits, spaces and hyphens, and may begin with +.")
)

// maxField is how many characters a field of a profile may have.
const maxField = 128

// An Address is where a parcel or a bill goes. All of it may be empty.
type Address struct {
	Name     string `json:"name,omitempty"`
	Street   string `json:"street,omitempty"`
	Extra    string `json:"extra,omitempty"`
	Postcode string `json:"postcode,omitempty"`
	City     string `json:"city,omitempty"`
	Region   string `json:"region,omitempty"`
	Country  string `json:"country,omitempty"`
}

// fields are those of an address, to change or to check.
func (a *Address) fields() []*string {
	return []*string{&a.Name, &a.Street, &a.Extra, &a.Postcode, &a.City, &a.Region, &a.Country}
}

// A Profile is what a person may say, and need not.
type Profile struct {
	Username string  `json:"username,omitempty"` // others may see it; nobody signs in with it
	Phone    string  `json:"phone,omitempty"`
	Lang     string  `json:"lang,omitempty"` // of mails and pages: "en", "it"; "" asks the browser
	Zone     string  `json:"zone,omitempty"` // in which pages tell times: "Europe/Rome"; "" is UTC
	Shipping Address `json:"shipping,omitzero"`
	Billing  Address `json:"billing,omitzero"`
}

var (
	username = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,31}$`)
	phone    = regexp.MustCompile(`^\+?[0-9][0-9 ()./-]{3,31}$`)
	language = regexp.MustCompile(`^([a-z]{2})?$`)
)

// trimmed is p without spaces around its fields, or says which of them cannot be kept.
func (p Profile) trimmed() (Profile, error) {
	fields := append([]*string{&p.Username, &p.Phone, &p.Lang, &p.Zone}, p.Shipping.fields()...)
	for _, f := range append(fields, p.Billing.fields()...) {
		*f = strings.TrimSpace(*f)
		if !utf8.ValidString(*f) || utf8.RuneCountInString(*f) > maxField || strings.ContainsFunc(*f, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return p, ErrField
		}
	}
	switch {
	case p.Username != "" && !username.MatchString(p.Username):
		return p, ErrUsername
	case p.Phone != "" && !phone.MatchString(p.Phone):
		return p, ErrPhone
	case !language.MatchString(p.Lang):
		return p, ErrField
	}
	if _, err := p.location(); err != nil {
		return p, ErrZone
	}
	return p, nil
}

// location is the time zone by its name in the tz database.
func (p Profile) location() (*time.Location, error) {
	if p.Zone == "Local" { // which is the server's
		return nil, ErrZone
	}
	return time.LoadLocation(p.Zone)
}

// Location is the time zone of a person; UTC where none is known.
func (p Profile) Location() *time.Location {
	l, err := p.location()
	if err != nil {
		return time.UTC
	}
	return l
}

// profiles is the part of Store that profiles and pictures need.
type profiles interface {
	profile(ctx context.Context, id string) (sealed []byte, err error) // nil: none yet
	// setProfile keeps the profile and the person's name, or is ErrUsernameTaken.
	setProfile(ctx context.Context, id string, name, sealed, username []byte, at int64, e journal.Entry) error
	byUsername(ctx context.Context, index []byte) (id string, err error)                       // or ErrNotFound
	picture(ctx context.Context, id string) (sealed []byte, err error)                         // nil: none
	setPicture(ctx context.Context, id string, sealed []byte, at int64, e journal.Entry) error // nil removes it
}

// Profile tells what a person said.
func (s *Service) Profile(ctx context.Context, id string) (p Profile, err error) {
	sealed, err := s.needs.Store.profile(ctx, id)
	if err != nil || sealed == nil {
		return p, err
	}
	text, err := s.unseal(ctx, id, sealed, keys.Place("account_profile", "sealed", id))
	if err != nil {
		return p, fmt.Errorf("profile of account %s: %w", id, err)
	}
	return p, json.Unmarshal(text, &p)
}

// SetProfile keeps what a person says, name included.
func (s *Service) SetProfile(ctx context.Context, who access.Actor, id, name string, p Profile) error {
	name = strings.TrimSpace(name)
	if err := checkName(name); err != nil {
		return err
	}
	p, err := p.trimmed()
	if err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", id, err)
	}
	sealed, err := seal.Seal(text, keys.Place("account_profile", "sealed", id))
	if err != nil {
		return err
	}
	called, err := seal.Seal([]byte(name), keys.Place("account", "name", id))
	if err != nil {
		return err
	}
	var index []byte
	if p.Username != "" {
		index = s.usernameIndex(p.Username)
	}
	return s.needs.Store.setProfile(ctx, id, called, sealed, index, s.needs.Now().UnixMicro(), s.entry(who, "account:profile", id))
}

func (s *Service) usernameIndex(name string) []byte {
	return s.needs.Keys.MAC("account-username")([]byte(strings.ToLower(name)))
}

// Named finds the person who has a user name, whatever the case of its letters: ErrNotFound for nobody.
func (s *Service) Named(ctx context.Context, name string) (id string, err error) {
	if !username.MatchString(name) {
		return "", ErrNotFound
	}
	return s.needs.Store.byUsername(ctx, s.usernameIndex(name))
}

// Picture is a person's picture and its media type; nil when there is none.
func (s *Service) Picture(ctx context.Context, id string) (image []byte, media string, err error) {
	sealed, err := s.needs.Store.picture(ctx, id)
	if err != nil || sealed == nil {
		return nil, "", err
	}
	image, err = s.unseal(ctx, id, sealed, keys.Place("account_picture", "sealed", id))
	if err != nil {
		return nil, "", fmt.Errorf("picture of account %s: %w", id, err)
	}
	return image, mediaOf(image), nil
}

// SetPicture keeps a picture, made anew from what was uploaded; nil removes the one there is.
func (s *Service) SetPicture(ctx context.Context, who access.Actor, id string, upload []byte) error {
	if upload == nil {
		return s.needs.Store.setPicture(ctx, id, nil, 0, s.entry(who, "account:picture-remove", id))
	}
	select {
	case s.painting <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	image, err := paint(upload)
	<-s.painting
	if err != nil {
		return err
	}
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", id, err)
	}
	sealed, err := seal.Seal(image, keys.Place("account_picture", "sealed", id))
	if err != nil {
		return err
	}
	return s.needs.Store.setPicture(ctx, id, sealed, s.needs.Now().UnixMicro(), s.entry(who, "account:picture", id))
}

func (s *Service) unseal(ctx context.Context, id string, sealed, place []byte) ([]byte, error) {
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return nil, err
	}
	return seal.Open(sealed, place)
}

// SetEmail gives a person another address, which the caller has seen proved; ErrTaken
// when somebody else has it. The one before is a former one for LinkFreeze's life: see Reach.
func (s *Service) SetEmail(ctx context.Context, who access.Actor, id, email string) error {
	if err := checkEmail(email); err != nil {
		return err
	}
	u, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	sealed, err := s.seal(ctx, id, "email", email)
	if err != nil {
		return err
	}
	seal, err := s.needs.Keys.Person(ctx, id)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", id, err)
	}
	old := addressRow{id: uuid.NewString(), account: id, index: s.index([]byte(Normal(u.Email))), provedAt: micro(u.VerifiedAt)}
	if old.sealed, err = seal.Seal([]byte(u.Email), addressPlace(old.id)); err != nil {
		return err
	}
	first := addressRow{account: id, index: s.index([]byte(Normal(email))), sealed: sealed, provedAt: s.needs.Now().UnixMicro()}
	return s.needs.Store.replaceEmail(ctx, old, first, s.entry(who, "account:email", id))
}

// CheckEmail says whether a person could have this address: it is one, and nobody
// else's. Only for whoever is signed in, or has shown the address to be theirs: it tells that somebody else has it.
func (s *Service) CheckEmail(ctx context.Context, email string) error {
	if err := checkEmail(email); err != nil {
		return err
	}
	_, err := s.needs.Store.byEmail(ctx, s.index([]byte(Normal(email))))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil {
		err = ErrTaken
	}
	return err
}

// Prove notes that the person reads mail at the account's address.
func (s *Service) Prove(ctx context.Context, who access.Actor, id string) error {
	now := s.needs.Now().UnixMicro()
	_, err := s.needs.Store.change(ctx, id, func(r *row) {
		if r.verifiedAt == 0 {
			r.verifiedAt = now
		}
	}, s.entry(who, "account:verify", id))
	return err
}

// Freeze shuts an account against everybody until its person sets a new password.
func (s *Service) Freeze(ctx context.Context, who access.Actor, id string) error {
	now := s.needs.Now().UnixMicro()
	_, err := s.needs.Store.change(ctx, id, func(r *row) {
		if r.frozenAt == 0 {
			r.frozenAt = now
		}
		r.epoch++
	}, s.entry(who, "account:freeze", id))
	if err == nil {
		s.changed(id)
	}
	return err
}

// Unfreeze opens a frozen account again with the password that it has. Sessions and tokens of before the
// freeze stay dead.
func (s *Service) Unfreeze(ctx context.Context, who access.Actor, id string) error {
	_, err := s.needs.Store.change(ctx, id, func(r *row) { r.frozenAt = 0 }, s.entry(who, "account:unfreeze", id))
	if err == nil {
		s.changed(id)
	}
	return err
}
