package org

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrNotFound is a space that does not exist.
	ErrNotFound = problem.New(problem.NotFound, "space-not-found", "There is no such space.")
	// ErrNotMember is a space that the caller cannot enter, whether it exists or
	// not: clients expect 403 of a good token without rights.
	ErrNotMember = problem.New(problem.Forbidden, "space-not-member", "You are not a member of this space.")
	// ErrName is a name that is empty or too long.
	ErrName = problem.New(problem.Invalid, "space-name", "A space's name has 1 to 64 characters.")
	// ErrPrivate is an attempt to share a private space.
	ErrPrivate = problem.New(problem.Precondition, "space-private", "A private space has one member.")
	// ErrNoMember is a person who is not in the space.
	ErrNoMember = problem.New(problem.NotFound, "space-no-member", "This person is not a member of this space.")
	// ErrKeep is an age at which no value can be forgotten.
	ErrKeep = problem.New(problem.Invalid, "space-keep", "Values are kept for 1 to 36,500 days, or for ever with 0.")
	// ErrErasePrivate is an attempt to erase a private space by itself.
	ErrErasePrivate = problem.New(problem.Precondition, "space-erase-private", "A private space is erased with its person, not by itself.")
	// ErrSpaces is a person who owns as many spaces as one may.
	ErrSpaces = problem.New(problem.Precondition, "space-too-many", fmt.Sprintf("You own %d shared spaces, which is as many as one person may: disband one or hand it over first.", maxOwned))
	// ErrLastAdmin is an attempt to leave a space without administrator.
	ErrLastAdmin = problem.New(problem.Precondition, "space-last-admin", "A space needs an administrator: name another first.")
)

// The kinds of spaces.
const (
	Private = "private"
	Shared  = "shared"
)

// A Space is where devices and things belong.
type Space struct {
	ID        string // UUID
	Kind      string // Private or Shared
	Owner     string // who made it: user id
	Name      string
	CreatedAt time.Time
	KeepDays  int    // how long values are kept; 0: for ever
	Level     Level  // how surely people must sign in
	Heir      string // user id of who was asked to own it; "" for nobody
}

// A Membership is a space as one of its members sees it.
type Membership struct {
	Space
	Role access.Role
}

// A Member is a person as a space sees them.
type Member struct {
	User    string // id
	Role    access.Role
	SinceAt time.Time
}

// maxOwned is how many shared spaces one person may own; the operator gives more.
const maxOwned = 100

// maxKeepDays is a century.
const maxKeepDays = 36_500

func checkKeep(days int) error {
	if days < 0 || days > maxKeepDays {
		return ErrKeep
	}
	return nil
}

func checkName(name string) error {
	if n := utf8.RuneCountInString(name); n < 1 || n > 64 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return ErrName
	}
	return nil
}
