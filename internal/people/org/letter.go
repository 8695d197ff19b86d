package org

import (
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrLetters is too many letters from one space, or to one address.
var ErrLetters = problem.New(problem.Limited, "invitation-letters",
	fmt.Sprintf("Too many invitations by mail: one address gets at most %d in a day from all spaces together, and one space sends at most %d at once. Try again later.", lettersTo, lettersFrom))

// Bounds of letters to people who have not asked for any. What is counted is in memory: a
// restart begins anew.
const (
	lettersTo   = 3   // to one address in a day
	lettersFrom = 100 // from one space at once, and as many again in a day
)

// letters count what is sent by mail.
type letters struct {
	now      func() time.Time
	to, from *cache.Map[string, *rate.Limiter]
}

func newLetters(now func() time.Time) letters {
	return letters{now: now, to: cache.New[string, *rate.Limiter](1 << 14), from: cache.New[string, *rate.Limiter](1 << 12)}
}

// take counts a letter from a space to an address, of which it knows a hash, or refuses it.
func (l letters) take(space string, address []byte) error {
	const day = 24 * time.Hour
	now := l.now()
	from := l.from.Add(space, func() *rate.Limiter { return rate.NewLimiter(rate.Every(day/lettersFrom), lettersFrom) })
	to := l.to.Add(string(address), func() *rate.Limiter { return rate.NewLimiter(rate.Every(day/lettersTo), lettersTo) })
	if from.TokensAt(now) < 1 || !to.AllowN(now, 1) {
		return ErrLetters.After(time.Hour)
	}
	from.AllowN(now, 1)
	return nil
}
