package org

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Store is what Service needs of a database.
type Store interface {
	// add adds a space with its owner as admin; nothing when it is there, and ErrSpaces if it
	// would be one shared space too many of that owner's (most 0: any number).
	add(ctx context.Context, r row, most int, e journal.Entry) error
	get(ctx context.Context, id string) (row, error) // or ErrNotFound
	list(ctx context.Context) ([]row, error)
	of(ctx context.Context, user string) ([]row, error) // with role
	role(ctx context.Context, id, user string) (access.Role, error)
	members(ctx context.Context, id string) ([]Member, error) // by age
	// setRole lets in, if there is room for most (0: any number), or changes; or ErrQuota, ErrLastAdmin, ErrNotFound.
	setRole(ctx context.Context, id, user string, role access.Role, most int, at time.Time, e journal.Entry) error
	remove(ctx context.Context, id, user string, e journal.Entry) error      // or ErrNoMember, ErrLastAdmin
	setKeep(ctx context.Context, id string, days int, e journal.Entry) error // or ErrNotFound

	governing
	inviting
	erasing
	metering
}

// governing is the part of Store about the space itself. What changes says ErrNotFound
// when there is no such space.
type governing interface {
	rename(ctx context.Context, id string, name []byte, e journal.Entry) error
	setLevel(ctx context.Context, id string, level Level, e journal.Entry) error
	setHeir(ctx context.Context, id, user string, e journal.Entry) error
	setOwner(ctx context.Context, id, from, to string, at time.Time, e journal.Entry) error // as admin; or ErrNotOffered if from is it no more
	note(ctx context.Context, id string, e journal.Entry) error
	limits(ctx context.Context, id string) (Limits, error)
	setLimit(ctx context.Context, id string, q Quota, most int, back bool, e journal.Entry) error
	logo(ctx context.Context, id string) (logoRow, error) // or ErrNoLogo
	hasLogo(ctx context.Context, id string) (bool, error)
	setLogo(ctx context.Context, id string, r logoRow, e journal.Entry) error
	dropLogo(ctx context.Context, id string, e journal.Entry) error
}

// inviting is the part of Store about invitations. Those that have ended by now are not there.
type inviting interface {
	invite(ctx context.Context, r inviteRow, now int64, e journal.Entry) error // or ErrInvited, ErrInvitations
	invites(ctx context.Context, space string, now int64) ([]inviteRow, error) // by age
	inviteByToken(ctx context.Context, token []byte, now int64) (inviteRow, error)
	reinvite(ctx context.Context, space, id string, token []byte, now, until int64, e journal.Entry) (inviteRow, error)
	uninvite(ctx context.Context, space, id string, e journal.Entry) error
	accept(ctx context.Context, r inviteRow, user string, most int, at time.Time, e journal.Entry) error // or ErrInvitation, ErrMember, ErrQuota
}

// row is a space as the database has it: the name sealed.
type row struct {
	id, kind, owner string
	name            []byte
	createdAt       int64 // µs since 1970
	keepDays        int
	level           Level
	heir            string // who was asked to own it; "" for nobody
	role            access.Role
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Space(ctx context.Context, space string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
}

// A Person is what a space shows of a member, as that person chose. Email may be "".
type Person struct{ Name, Email string }

// Needs are what a Service is made of; all must be there, unless it says otherwise.
type Needs struct {
	Store  Store
	Keys   Keys
	Now    func() time.Time
	Policy *access.Policy
	// Person tells of an account. One that is gone is a problem of kind NotFound.
	Person func(ctx context.Context, user string) (Person, error)
	// Reads says whether a person has proved to read mail at an address.
	Reads func(ctx context.Context, user, address string) (bool, error)
	// Level is how surely a signed-in person has signed in.
	Level func(ctx context.Context, who access.Actor) (Level, error)
	// Count is how much of a quota, other than Members, a space has.
	Count func(ctx context.Context, space string, of Quota) (int, error)
	// Erase destroys a shared space whose name was said twice.
	Erase func(ctx context.Context, space, name string) (Erasure, error)
	// Link is the address at which people use a token.
	Link func(token string) string
	// Invite sends an invitation by mail; nil when no mail can be sent. Nil from it means
	// that the letter is kept until it is sent.
	Invite func(ctx context.Context, space Space, address, link string) error
	Limits Limits // of each space; what is not there is without limit
	// Full tells a person that a space of theirs may send most values in a day, and has; once of several times with
	// one key. It may be nil.
	Full func(ctx context.Context, space Space, user string, most int, key string) error
	Log  *slog.Logger
}

// A Change tells that somebody's role in a space is another.
type Change struct{ Space, User string }

// inSpace is one person in one space.
type inSpace struct{ space, user string }

// believed is how long another process's change may go unseen here; our own counts at once.
const believed = time.Second

// A Service knows all spaces. All methods may be called from any goroutine.
type Service struct {
	needs        Needs
	addressIndex func([]byte) []byte
	easel        chan struct{} // holds a token for each picture that is being read
	letters      letters
	roles        *cache.Fresh[inSpace, access.Role]
	shared       *cache.Fresh[string, bool]   // by space that there is: whether clients know it by its id
	keep         *cache.Fresh[string, int]    // by space: days
	levels       *cache.Fresh[string, Level]  // by space
	limits       *cache.Fresh[string, Limits] // by space: its own
	meters       meters

	// Changes tells of roles. Without a user it is about everybody in the space.
	Changes feed.Feed[Change]
}

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Now == nil || needs.Policy == nil || needs.Person == nil || needs.Reads == nil ||
		needs.Level == nil || needs.Count == nil || needs.Erase == nil || needs.Link == nil || needs.Log == nil {
		return nil, errors.New("spaces need Store, Keys, Now, Policy, Person, Reads, Level, Count, Erase, Link and Log")
	}
	if err := checkLimits(needs.Limits); err != nil {
		return nil, err
	}
	return &Service{
		needs:        needs,
		addressIndex: needs.Keys.MAC("invitation-address"),
		easel:        make(chan struct{}, easels),
		letters:      newLetters(needs.Now),
		roles:        cache.NewFresh[inSpace, access.Role](1<<14, believed, needs.Now),
		shared:       cache.NewFresh[string, bool](1<<14, believed, needs.Now),
		keep:         cache.NewFresh[string, int](1<<14, believed, needs.Now),
		levels:       cache.NewFresh[string, Level](1<<14, believed, needs.Now),
		limits:       cache.NewFresh[string, Limits](1<<14, believed, needs.Now),
		meters:       meters{all: map[string]*Meter{}},
	}, nil
}

// AddPrivate makes the private space of a person. It is repeatable.
func (s *Service) AddPrivate(ctx context.Context, user, id, name string) error {
	_, err := s.add(ctx, access.Actor{Kind: access.System}, Space{ID: id, Kind: Private, Owner: user, Name: name})
	return err
}

// AddShared makes a space that several people share; owner is its first administrator.
func (s *Service) AddShared(ctx context.Context, who access.Actor, owner, name string) (Space, error) {
	return s.add(ctx, who, Space{ID: uuid.NewString(), Kind: Shared, Owner: owner, Name: name})
}

func (s *Service) add(ctx context.Context, who access.Actor, sp Space) (Space, error) {
	sealed, err := s.sealName(ctx, sp.ID, sp.Name)
	if err != nil {
		return Space{}, err
	}
	sp.CreatedAt, sp.Level = s.needs.Now().UTC().Truncate(time.Microsecond), Password
	r := row{id: sp.ID, kind: sp.Kind, owner: sp.Owner, name: sealed, createdAt: sp.CreatedAt.UnixMicro(), level: sp.Level}
	most := maxOwned
	if who.Kind == access.System {
		most = 0
	}
	if err := s.needs.Store.add(ctx, r, most, s.entry(who, "org:create", sp.ID, nil)); err != nil {
		return Space{}, err
	}
	s.roles.Changed()
	return sp, nil
}

func (s *Service) sealName(ctx context.Context, space, name string) ([]byte, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	seal, err := s.needs.Keys.Space(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	return seal.Seal([]byte(name), keys.Place("org", "name", space))
}

// List tells all spaces, the oldest first.
func (s *Service) List(ctx context.Context) ([]Space, error) {
	rows, err := s.needs.Store.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list spaces: %w", err)
	}
	all := make([]Space, 0, len(rows))
	for _, r := range rows {
		m, err := s.open(ctx, r)
		if errors.Is(err, keys.ErrErased) {
			continue // its key is gone, and it will follow
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m.Space)
	}
	return all, nil
}

// Get tells of one space; ErrNotFound also when it is being erased.
func (s *Service) Get(ctx context.Context, space string) (Space, error) {
	r, err := s.needs.Store.get(ctx, space)
	if err != nil {
		return Space{}, err
	}
	m, err := s.open(ctx, r)
	return m.Space, err
}

// Of tells the spaces that a person may enter.
func (s *Service) Of(ctx context.Context, user string) ([]Membership, error) {
	rows, err := s.needs.Store.of(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("spaces of account %s: %w", user, err)
	}
	all := make([]Membership, 0, len(rows))
	for _, r := range rows {
		m, err := s.open(ctx, r)
		if errors.Is(err, keys.ErrErased) {
			continue // its key is gone, and it will follow
		}
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// Role is what a person may do in a space; ErrNotMember when there is nothing.
func (s *Service) Role(ctx context.Context, space, user string) (access.Role, error) {
	role, err := s.roles.Get(inSpace{space, user}, func() (access.Role, error) {
		role, err := s.needs.Store.role(ctx, space, user)
		if err == nil && role == access.NoRole {
			err = ErrNotMember
		}
		return role, err
	})
	if err != nil && !errors.Is(err, ErrNotMember) {
		return access.NoRole, fmt.Errorf("role of account %s in space %s: %w", user, space, err)
	}
	return role, err
}

// Members tells who is in a space, the longest first.
func (s *Service) Members(ctx context.Context, space string) ([]Member, error) {
	all, err := s.needs.Store.members(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("members of space %s: %w", space, err)
	}
	return all, nil
}

// A Companion is a member as the others see them.
type Companion struct {
	Member
	Person
	Owner bool
}

// People tells who is in a space, with their names, the longest first. A person whose
// account is gone has none.
func (s *Service) People(ctx context.Context, space string) ([]Companion, error) {
	r, err := s.needs.Store.get(ctx, space)
	if err != nil {
		return nil, err
	}
	members, err := s.Members(ctx, space)
	if err != nil {
		return nil, err
	}
	all := make([]Companion, 0, len(members))
	for _, m := range members {
		p, err := s.needs.Person(ctx, m.User)
		if err != nil && problem.Of(err).Kind != problem.NotFound && !errors.Is(err, keys.ErrErased) {
			return nil, fmt.Errorf("name of account %s: %w", m.User, err)
		}
		all = append(all, Companion{m, p, m.User == r.owner})
	}
	return all, nil
}

// SetRole changes the role of a member of a shared space, or removes with NoRole. Only
// the operator lets somebody in by it: all others come by their own will, invited.
func (s *Service) SetRole(ctx context.Context, who access.Actor, space, user string, role access.Role) error {
	if role != access.NoRole {
		if _, err := access.ParseRole(string(role)); err != nil {
			return err
		}
	}
	r, err := s.needs.Store.get(ctx, space)
	if err != nil {
		return err
	}
	if r.kind == Private {
		return ErrPrivate
	}
	if who.Kind != access.System {
		if user == r.owner && role != access.Admin {
			return ErrOwner
		}
		if now, err := s.needs.Store.role(ctx, space, user); err != nil || now == access.NoRole {
			return errors.Join(ErrNoMember, err)
		}
	}
	most, err := s.Limit(ctx, space, Members)
	if err != nil {
		return err
	}
	detail := map[string]string{"account": user}
	if role == access.NoRole {
		err = s.needs.Store.remove(ctx, space, user, s.entry(who, "member:remove", space, detail))
	} else {
		detail["role"] = string(role)
		err = s.needs.Store.setRole(ctx, space, user, role, most, s.needs.Now(), s.entry(who, "member:update", space, detail))
	}
	if err != nil {
		return err
	}
	s.changed(space, user)
	return nil
}

// SetKeep says for how many days the values of a space are kept, from now on; 0 is for
// ever. Older ones are not told any more at once, and soon they are gone.
func (s *Service) SetKeep(ctx context.Context, who access.Actor, space string, days int) error {
	if err := checkKeep(days); err != nil {
		return err
	}
	if err := s.needs.Store.setKeep(ctx, space, days, s.entry(who, "org:keep", space, map[string]string{"days": strconv.Itoa(days)})); err != nil {
		return err
	}
	s.keep.Changed()
	return nil
}

// Keep is how long the values of a space are kept; 0 is for ever.
func (s *Service) Keep(ctx context.Context, space string) (time.Duration, error) {
	days, err := s.keep.Get(space, func() (int, error) {
		r, err := s.needs.Store.get(ctx, space)
		return r.keepDays, err
	})
	if err != nil {
		return 0, fmt.Errorf("age to which space %s keeps values: %w", space, err)
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

// Organization is how clients know a space: its id, or "" for a private one. A
// space that is not there, or is being erased, is ErrNotFound.
func (s *Service) Organization(ctx context.Context, space string) (string, error) {
	shared, err := s.shared.Get(space, func() (bool, error) {
		r, err := s.needs.Store.get(ctx, space)
		return r.kind == Shared, err
	})
	if err != nil || !shared {
		return "", err
	}
	return space, nil
}

func (s *Service) open(ctx context.Context, r row) (Membership, error) {
	seal, err := s.needs.Keys.Space(ctx, r.id)
	if err != nil {
		return Membership{}, fmt.Errorf("key of space %s: %w", r.id, err)
	}
	name, err := seal.Open(r.name, keys.Place("org", "name", r.id))
	if err != nil {
		return Membership{}, fmt.Errorf("name of space %s: %w", r.id, err)
	}
	return Membership{Space{r.id, r.kind, r.owner, string(name), time.UnixMicro(r.createdAt).UTC(), r.keepDays, r.level, r.heir}, r.role}, nil
}

func (s *Service) entry(who access.Actor, action, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: who.String(), Space: id, Action: action, Resource: "org", ID: id, Detail: detail}
}
